package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"cardea/internal/problem"
)

// maxToken bounds what is looked at at all, in bytes.
const maxToken = 64 << 10

// Skew is how far clocks may differ.
const Skew = 60 * time.Second

// Sign returns claims as a JWT in compact form, signed with the key of alg
// (ES256 or RS256) that is active at now. claims is JSON as []byte, or a value
// to be marshalled.
func (r *Ring) Sign(alg string, claims any, now time.Time) (string, error) {
	body, ok := claims.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(claims); err != nil {
			return "", err
		}
	}
	k := choose(r.snap.Load().signing[alg], now)
	if k == nil {
		return "", fmt.Errorf("jose: no key for %q", alg)
	}
	enc := base64.RawURLEncoding
	const room = 344 // an RS256 signature with its dot; ES256 needs less
	out := make([]byte, 0, len(k.header)+enc.EncodedLen(len(body))+room)
	out = append(out, k.header...)
	out = enc.AppendEncode(out, body)
	digest := sha256.Sum256(out)
	sig, err := signDigest(k.signer, digest[:])
	if err != nil {
		return "", err
	}
	out = append(out, '.')
	out = enc.AppendEncode(out, sig)
	return string(out), nil
}

func signDigest(signer crypto.Signer, digest []byte) ([]byte, error) {
	sig, err := signer.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if _, ok := signer.(*ecdsa.PrivateKey); ok {
		return fixedFromDER(sig)
	}
	return sig, nil
}

// Verify returns the claims of a token that this Ring signed and that is valid
// at now. Otherwise tokenBroken or tokenExpired.
func (r *Ring) Verify(token string, now time.Time) ([]byte, error) {
	claims, err := r.VerifyExpired(token)
	if err != nil {
		return nil, err
	}
	var t struct {
		Exp int64 `json:"exp"`
		Nbf int64 `json:"nbf"`
	}
	if err := json.Unmarshal(claims, &t); err != nil {
		return nil, errToken
	}
	if !now.Before(time.Unix(t.Exp, 0)) {
		return nil, problem.New(problem.Unauthenticated, "tokenExpired", "The token has expired. Get a new one and try again.")
	}
	if now.Add(Skew).Before(time.Unix(t.Nbf, 0)) {
		return nil, errToken
	}
	return claims, nil
}

var errToken = problem.New(problem.Unauthenticated, "tokenBroken", "The token was not issued here, or was changed on the way. Get a new one and try again.")

// VerifyExpired is Verify without regard to time, for an id_token_hint.
func (r *Ring) VerifyExpired(token string) ([]byte, error) {
	if len(token) > maxToken {
		return nil, errToken
	}
	dot, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if dot < 0 || last <= dot {
		return nil, errToken
	}
	k := r.snap.Load().byHeader[token[:dot+1]] // exactly a header of ours, or nothing
	if k == nil {
		return nil, errToken
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(token[last+1:])
	if err != nil {
		return nil, errToken
	}
	digest := sha256.Sum256([]byte(token[:last]))
	if !verifyDigest(k.signer.Public(), k.Algorithm, digest[:], sig) {
		return nil, errToken
	}
	claims, err := base64.RawURLEncoding.Strict().DecodeString(token[dot+1 : last])
	if err != nil {
		return nil, errToken
	}
	return claims, nil
}

// verifyDigest checks sig over a SHA-256 digest. The key decides what may be
// verified with it: alg must be one of its kind.
func verifyDigest(public crypto.PublicKey, alg string, digest, sig []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if alg != ES256 {
			return false
		}
		der, err := derFromFixed(sig)
		return err == nil && ecdsa.VerifyASN1(k, digest, der)
	case *rsa.PublicKey:
		switch alg {
		case RS256:
			return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, sig) == nil
		case ps256:
			return rsa.VerifyPSS(k, crypto.SHA256, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	}
	return false
}

// JWKS returns the key set (RFC 7517 §5) with every key that may have signed
// a token, or soon will. The caller must not change it.
func (r *Ring) JWKS() []byte { return r.snap.Load().jwks }

const half = 32 // bytes of r and of s

// fixedFromDER turns the ASN.1 form of an ECDSA signature into r ‖ s (RFC 7518 §3.4).
func fixedFromDER(der []byte) ([]byte, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	var r, s []byte
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&r) || !seq.ReadASN1Integer(&s) || !seq.Empty() ||
		len(r) > half || len(s) > half {
		return nil, errToken
	}
	out := make([]byte, 2*half)
	copy(out[half-len(r):half], r)
	copy(out[2*half-len(s):], s)
	return out, nil
}

func derFromFixed(sig []byte) ([]byte, error) {
	if len(sig) != 2*half {
		return nil, errToken
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, v := range [][]byte{sig[:half], sig[half:]} {
			b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) {
				for len(v) > 1 && v[0] == 0 {
					v = v[1:]
				}
				if v[0]&0x80 != 0 {
					b.AddUint8(0) // a positive number
				}
				b.AddBytes(v)
			})
		}
	})
	return b.Bytes()
}
