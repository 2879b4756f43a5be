package webauthn

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

func encodeKey(t testing.TB, m map[int64]any) []byte {
	t.Helper()
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := mode.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ecPoint(t testing.TB, curve elliptic.Curve) (x, y []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	n := (len(p) - 1) / 2
	return p[1 : 1+n], p[1+n:]
}

// WA-7, WA-8, WA-83 row 8: what may be a key. The third column is what the
// library alone would say: each difference is one that is stricter on purpose.
func TestWA8Keys(t *testing.T) {
	x256, y256 := ecPoint(t, elliptic.P256())
	x384, y384 := ecPoint(t, elliptic.P384())
	x521, y521 := ecPoint(t, elliptic.P521())
	ed := make([]byte, ed25519.PublicKeySize)
	modulus := func(bits int) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return n.SetBit(n, 0, 1).Bytes()
	}
	e := []byte{1, 0, 1}
	off := bytes.Clone(y256)
	off[31] ^= 1
	for _, tt := range []struct {
		name    string
		key     map[int64]any
		ok      bool
		library bool
	}{
		{"ES256", map[int64]any{1: 2, 3: -7, -1: 1, -2: x256, -3: y256}, true, true},
		{"ES384", map[int64]any{1: 2, 3: -35, -1: 2, -2: x384, -3: y384}, true, true},
		{"ES512", map[int64]any{1: 2, 3: -36, -1: 3, -2: x521, -3: y521}, true, true},
		{"EdDSA", map[int64]any{1: 1, 3: -8, -1: 6, -2: ed}, true, true},
		{"RS256 2048", map[int64]any{1: 3, 3: -257, -1: modulus(2048), -2: e}, true, true},
		{"RS256 4096", map[int64]any{1: 3, 3: -257, -1: modulus(4096), -2: e}, true, true},
		{"RS256 with leading zeros", map[int64]any{1: 3, 3: -257, -1: append([]byte{0}, modulus(2048)...), -2: []byte{0, 1, 0, 1}}, true, true},

		{"point off the curve", map[int64]any{1: 2, 3: -7, -1: 1, -2: x256, -3: off}, false, false},
		{"point at zero", map[int64]any{1: 2, 3: -7, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)}, false, false},
		{"short coordinate", map[int64]any{1: 2, 3: -7, -1: 1, -2: x256[:31], -3: y256}, false, false},
		{"no y", map[int64]any{1: 2, 3: -7, -1: 1, -2: x256}, false, false},
		{"ES256 with P-384", map[int64]any{1: 2, 3: -7, -1: 2, -2: x384, -3: y384}, false, false},
		{"ES384 with P-256", map[int64]any{1: 2, 3: -35, -1: 1, -2: x256, -3: y256}, false, false},
		{"ES256 that says P-384", map[int64]any{1: 2, 3: -7, -1: 2, -2: x256, -3: y256}, false, false},
		{"ES256 without curve", map[int64]any{1: 2, 3: -7, -2: x256, -3: y256}, false, false},
		{"ES256 as OKP", map[int64]any{1: 1, 3: -7, -1: 6, -2: ed}, false, false},
		{"EdDSA as EC2", map[int64]any{1: 2, 3: -8, -1: 1, -2: x256, -3: y256}, false, false},
		{"EdDSA on X25519", map[int64]any{1: 1, 3: -8, -1: 4, -2: ed}, false, false},
		{"EdDSA, 31 bytes", map[int64]any{1: 1, 3: -8, -1: 6, -2: ed[:31]}, false, false},
		{"Ed448", map[int64]any{1: 1, 3: -53, -1: 7, -2: make([]byte, 57)}, false, false},
		{"ML-DSA-44", map[int64]any{1: 7, 3: -48, -1: make([]byte, 1312)}, false, false},
		{"ES256K", map[int64]any{1: 2, 3: -47, -1: 8, -2: x256, -3: y256}, false, false},
		{"RS1", map[int64]any{1: 3, 3: -65535, -1: modulus(2048), -2: e}, false, true},
		{"PS256", map[int64]any{1: 3, 3: -37, -1: modulus(2048), -2: e}, false, true},
		{"ESP256", map[int64]any{1: 2, 3: -9, -1: 1, -2: x256, -3: y256}, false, true},
		{"RSA 512", map[int64]any{1: 3, 3: -257, -1: modulus(512), -2: e}, false, true},
		{"RSA 1024", map[int64]any{1: 3, 3: -257, -1: modulus(1024), -2: e}, false, true},
		{"RSA 2047", map[int64]any{1: 3, 3: -257, -1: modulus(2047), -2: e}, false, true},
		{"RSA 4097", map[int64]any{1: 3, 3: -257, -1: modulus(4097), -2: e}, false, true},
		{"RSA 16384", map[int64]any{1: 3, 3: -257, -1: modulus(16384), -2: e}, false, true},
		{"RSA exponent 1", map[int64]any{1: 3, 3: -257, -1: modulus(2048), -2: []byte{1}}, false, true},
		{"RSA exponent 3", map[int64]any{1: 3, 3: -257, -1: modulus(2048), -2: []byte{3}}, false, true},
		{"RSA huge exponent", map[int64]any{1: 3, 3: -257, -1: modulus(2048), -2: bytes.Repeat([]byte{255}, 9)}, false, false},
		{"RSA without exponent", map[int64]any{1: 3, 3: -257, -1: modulus(2048)}, false, false},
		{"RSA modulus is a number", map[int64]any{1: 3, 3: -257, -1: 5, -2: e}, false, false},
		{"no algorithm", map[int64]any{1: 2, -1: 1, -2: x256, -3: y256}, false, false},
		{"empty", map[int64]any{}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cose := encodeKey(t, tt.key)
			key, alg, err := parseKey(cose)
			if (err == nil) != tt.ok {
				t.Errorf("ours: %v", err)
			}
			if err == nil && (key == nil || alg != int64(tt.key[3].(int))) {
				t.Errorf("key %v, algorithm %d", key, alg)
			}
			if _, err := webauthncose.ParsePublicKey(cose); (err == nil) != tt.library {
				t.Errorf("library: %v", err)
			}
		})
	}
	for _, raw := range [][]byte{nil, {0xa0}, {0xff}, []byte("\xa1\x03\x26\x00"), []byte(es256Prefix)} {
		if _, _, err := parseKey(raw); err == nil {
			t.Errorf("%x parsed", raw)
		}
	}
}

// The short way for ES256 keys reads what the long way reads.
func TestES256ShortWay(t *testing.T) {
	for range 50 {
		x, y := ecPoint(t, elliptic.P256())
		short := encodeKey(t, map[int64]any{1: 2, 3: -7, -1: 1, -2: x, -3: y})
		if len(short) != 77 || string(short[:10]) != es256Prefix || string(short[42:45]) != es256Middle {
			t.Fatal("the canonical form has changed")
		}
		// The same key with kty written in two bytes: not canonical, so the long way.
		long := append([]byte{0xa5, 0x01, 0x18, 0x02}, short[3:]...)
		a, _, err := parseKey(short)
		if err != nil {
			t.Fatal(err)
		}
		b, alg, err := parseKey(long)
		if err != nil || alg != ES256 {
			t.Fatal(err)
		}
		if !a.(*ecdsa.PublicKey).Equal(b) {
			t.Fatal("two keys")
		}
	}
}

// WA-84 for keys: ours accepts only what the library accepts, and every accepted
// RSA key is one crypto/rsa can use.
func FuzzKey(f *testing.F) {
	x, y := ecPoint(f, elliptic.P256())
	f.Add(encodeKey(f, map[int64]any{1: 2, 3: -7, -1: 1, -2: x, -3: y}))
	f.Add(encodeKey(f, map[int64]any{1: 1, 3: -8, -1: 6, -2: make([]byte, 32)}))
	f.Add(encodeKey(f, map[int64]any{1: 3, 3: -257, -1: bytes.Repeat([]byte{0xff}, 256), -2: []byte{1, 0, 1}}))
	f.Add([]byte{0xa5, 0x01, 0x18, 0x02})
	f.Fuzz(func(t *testing.T, cose []byte) {
		key, _, err := parseKey(cose)
		if err != nil {
			return
		}
		if _, err := webauthncose.ParsePublicKey(cose); err != nil {
			t.Fatalf("ours takes %x, the library does not: %v", cose, err)
		}
		if k, ok := key.(*rsa.PublicKey); ok && (k.Size() < 256 || k.Size() > 512 || k.E != 65537) {
			t.Fatalf("RSA %d bytes, exponent %d", k.Size(), k.E)
		}
		if verifySignature(key, []byte("data"), []byte("no signature")) {
			t.Fatal("verified nothing")
		}
	})
}

// PK-121: the fixed key is a good one; otherwise the dummy would cost nothing.
func TestDummyKeyIsAKey(t *testing.T) {
	key, alg, err := parseKey([]byte(dummyKey))
	if err != nil || alg != ES256 {
		t.Fatal(err)
	}
	k := key.(*ecdsa.PublicKey)
	one, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), append(make([]byte, 31), 1))
	if err != nil || !one.PublicKey.Equal(k) {
		t.Fatal("not the base point")
	}
	// It walks all the way to a comparison: a signature of that key verifies.
	resp := Response{AuthenticatorData: make([]byte, 37), ClientDataJSON: []byte("{}")}
	VerifyDummy(resp) // no signature, no panic
	if verifySignature(key, signedBytes(nil, nil), nil) {
		t.Error("verified nothing")
	}
}
