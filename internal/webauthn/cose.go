package webauthn

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
)

// coseKey is the union of the three kinds of COSE key we verify with
// (RFC 9053 §7, RFC 8230 §4). Label -1 is a curve or a modulus.
type coseKey struct {
	Type      int64  `cbor:"1,keyasint"`
	Algorithm int64  `cbor:"3,keyasint"`
	CurveOrN  any    `cbor:"-1,keyasint"`
	XOrE      []byte `cbor:"-2,keyasint"`
	Y         []byte `cbor:"-3,keyasint"`
}

// es256Prefix begins every ES256 key in canonical CBOR, up to the x coordinate.
// Nearly all passkeys have this form; it needs no CBOR decoder.
const es256Prefix = "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"
const es256Middle = "\x22\x58\x20"

// parseKey reads a COSE key and its algorithm. It refuses what cannot be
// verified safely: other algorithms, a curve that is not the algorithm's, a
// point off the curve, RSA below 2048 or above 4096 bits or with an exponent
// other than 65537 (WA-7, WA-8).
func parseKey(cose []byte) (crypto.PublicKey, int64, error) {
	if len(cose) == 77 && string(cose[:10]) == es256Prefix && string(cose[42:45]) == es256Middle {
		key, err := ecKey(elliptic.P256(), cose[10:42], cose[45:])
		return key, ES256, err
	}
	var k coseKey
	if err := authDataMode.Unmarshal(cose, &k); err != nil {
		return nil, 0, err
	}
	var key crypto.PublicKey
	var err error
	switch k.Algorithm {
	case ES256:
		key, err = k.ec(1, elliptic.P256())
	case ES384:
		key, err = k.ec(2, elliptic.P384())
	case ES512:
		key, err = k.ec(3, elliptic.P521())
	case EdDSA:
		key, err = k.okp()
	case RS256:
		key, err = k.rsa()
	default:
		err = fmt.Errorf("algorithm %d cannot be verified", k.Algorithm)
	}
	return key, k.Algorithm, err
}

func (k coseKey) curve() uint64 {
	n, _ := k.CurveOrN.(uint64)
	return n
}

func (k coseKey) ec(crv uint64, curve elliptic.Curve) (crypto.PublicKey, error) {
	if k.Type != 2 || k.curve() != crv {
		return nil, errors.New("key type or curve does not belong to the algorithm")
	}
	return ecKey(curve, k.XOrE, k.Y)
}

func ecKey(curve elliptic.Curve, x, y []byte) (*ecdsa.PublicKey, error) {
	n := (curve.Params().BitSize + 7) / 8
	if len(x) != n || len(y) != n {
		return nil, errors.New("coordinate has the wrong length")
	}
	point := make([]byte, 1, 1+2*66)
	point[0] = 4 // uncompressed (SEC 1 §2.3.3)
	return ecdsa.ParseUncompressedPublicKey(curve, append(append(point, x...), y...))
}

func (k coseKey) okp() (crypto.PublicKey, error) {
	if k.Type != 1 || k.curve() != 6 || len(k.XOrE) != ed25519.PublicKeySize {
		return nil, errors.New("not an Ed25519 key")
	}
	return ed25519.PublicKey(bytes.Clone(k.XOrE)), nil
}

func (k coseKey) rsa() (crypto.PublicKey, error) {
	modulus, _ := k.CurveOrN.([]byte)
	if k.Type != 3 || len(modulus) == 0 {
		return nil, errors.New("not an RSA key")
	}
	n := new(big.Int).SetBytes(modulus)
	if bits := n.BitLen(); bits < 2048 || bits > 4096 {
		return nil, fmt.Errorf("RSA key has %d bits, allowed are 2048 to 4096", bits)
	}
	if e := new(big.Int).SetBytes(k.XOrE); !e.IsInt64() || e.Int64() != 65537 {
		return nil, errors.New("RSA exponent is not 65537")
	}
	return &rsa.PublicKey{N: n, E: 65537}, nil
}

// verifySignature checks sig over data with a key from parseKey. The algorithm
// is the key's own, never one that came with the signature.
func verifySignature(key crypto.PublicKey, data, sig []byte) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			h := sha256.Sum256(data)
			return ecdsa.VerifyASN1(k, h[:], sig)
		case elliptic.P384():
			h := sha512.Sum384(data)
			return ecdsa.VerifyASN1(k, h[:], sig)
		default:
			h := sha512.Sum512(data)
			return ecdsa.VerifyASN1(k, h[:], sig)
		}
	case ed25519.PublicKey:
		return ed25519.Verify(k, data, sig)
	case *rsa.PublicKey:
		h := sha256.Sum256(data)
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, h[:], sig) == nil
	default:
		return false
	}
}
