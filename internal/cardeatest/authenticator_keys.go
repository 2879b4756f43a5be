package cardeatest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"

	"github.com/fxamacker/cbor/v2"
)

// COSE algorithms the authenticator makes keys for. The last two are bogus: a
// key on another curve under their name, for relying parties that accept what
// they cannot verify.
const (
	ES256  int64 = -7
	EdDSA  int64 = -8
	ES384  int64 = -35
	ES512  int64 = -36
	RS256  int64 = -257
	ES256K int64 = -47
	Ed448  int64 = -53
)

func newKey(alg int64) (crypto.Signer, error) {
	switch alg {
	case ES256, ES256K:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case ES512:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case EdDSA, Ed448:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RS256:
		return rsa.GenerateKey(rand.Reader, 2048)
	default:
		return nil, errNotSupported
	}
}

// coseKey encodes a public key under the name of an algorithm, also a wrong one.
func coseKey(public crypto.PublicKey, alg int64) ([]byte, error) {
	var m map[int64]any
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return nil, err
		}
		n := (len(point) - 1) / 2
		crv := map[int]int64{32: 1, 48: 2, 66: 3}[n]
		if alg == ES256K {
			crv = 8
		}
		m = map[int64]any{1: 2, 3: alg, -1: crv, -2: point[1 : 1+n], -3: point[1+n:]}
	case ed25519.PublicKey:
		crv := 6
		if alg == Ed448 {
			crv = 7
		}
		m = map[int64]any{1: 1, 3: alg, -1: crv, -2: []byte(k)}
	case *rsa.PublicKey:
		m = map[int64]any{1: 3, 3: alg, -1: k.N.Bytes(), -2: big.NewInt(int64(k.E)).Bytes()}
	default:
		return nil, errNotSupported
	}
	return encodeCBOR(m)
}

// encodeCBOR writes the CTAP2 canonical form.
func encodeCBOR(v any) ([]byte, error) {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	return mode.Marshal(v)
}

func sign(key crypto.Signer, alg int64, data []byte) ([]byte, error) {
	switch alg {
	case ES384:
		h := sha512.Sum384(data)
		return key.Sign(rand.Reader, h[:], crypto.SHA384)
	case ES512:
		h := sha512.Sum512(data)
		return key.Sign(rand.Reader, h[:], crypto.SHA512)
	case EdDSA, Ed448:
		return key.Sign(nil, data, crypto.Hash(0))
	default:
		h := sha256.Sum256(data)
		return key.Sign(rand.Reader, h[:], crypto.SHA256)
	}
}
