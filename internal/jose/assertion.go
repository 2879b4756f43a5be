package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/problem"
)

const ps256 = "PS256"

// Assertion is a JWT with which a client proves who it is (RFC 7523). Until
// Verify succeeded nothing in it is true.
type Assertion struct {
	Claims []byte // JSON
	header struct {
		Alg     string          `json:"alg"`
		Kid     string          `json:"kid"`
		X5t     string          `json:"x5t"`
		X5tS256 string          `json:"x5t#S256"`
		Crit    json.RawMessage `json:"crit"`
	}
	digest [sha256.Size]byte
	sig    []byte
}

var errAssertion = problem.New(problem.Unauthenticated, "assertionBroken",
	"The client assertion is not a JWT signed with RS256, PS256 or ES256 by a certificate of this application. Check which certificate the client uses.")

// ParseAssertion takes an assertion apart.
func ParseAssertion(token string) (Assertion, error) {
	var a Assertion
	if len(token) > maxToken {
		return a, errAssertion
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return a, errAssertion
	}
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	sig, err3 := base64.RawURLEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil || err3 != nil || json.Unmarshal(header, &a.header) != nil || !json.Valid(claims) {
		return Assertion{}, errAssertion
	}
	switch a.header.Alg {
	case RS256, ps256, ES256:
	default:
		return Assertion{}, errAssertion
	}
	if a.header.Crit != nil { // RFC 7515 §4.1.11: we understand no extension
		return Assertion{}, errAssertion
	}
	a.Claims, a.sig = claims, sig
	a.digest = sha256.Sum256([]byte(token[:len(parts[0])+1+len(parts[1])]))
	return a, nil
}

// Verify checks the signature with those of certs that the header names and
// that are valid at now, and returns the one that fits. The header must name
// one (WC-38); a certificate inside the assertion is never looked at.
func (a Assertion) Verify(certs []*x509.Certificate, now time.Time) (*x509.Certificate, error) {
	for _, c := range certs {
		if !a.names(c) || !a.signedBy(c) {
			continue
		}
		if now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return nil, problem.New(problem.Unauthenticated, "certificateExpired",
				"The certificate is valid from %s to %s only. Give the application a new one.", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
		}
		return c, nil
	}
	return nil, errAssertion
}

// names reports whether the header names c, in any of the spellings clients use.
func (a Assertion) names(c *x509.Certificate) bool {
	one, two := sha1.Sum(c.Raw), sha256.Sum256(c.Raw)
	return isThumbprint(a.header.X5tS256, two[:]) || isThumbprint(a.header.X5t, one[:]) ||
		isThumbprint(a.header.Kid, one[:]) || isThumbprint(a.header.Kid, two[:])
}

// isThumbprint compares text in base64 or base64url, padded or not, or in hex
// with want.
func isThumbprint(text string, want []byte) bool {
	if text == "" {
		return false
	}
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	if b, err := base64.RawStdEncoding.DecodeString(plain); err == nil && string(b) == string(want) {
		return true
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return err == nil && string(b) == string(want)
}

func (a Assertion) signedBy(c *x509.Certificate) bool {
	sig := a.sig
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return false
		}
		if len(sig) != 2*half { // WC-39: one client sends the ASN.1 form
			fixed, err := fixedFromDER(sig)
			if err != nil {
				return false
			}
			sig = fixed
		}
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return false
		}
	}
	return verifyDigest(c.PublicKey, a.header.Alg, a.digest[:], sig)
}
