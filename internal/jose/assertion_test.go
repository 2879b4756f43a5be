package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"cardea/internal/jose"
	"cardea/internal/problem"
)

func certificate(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

func assertion(t testing.TB, key crypto.Signer, header map[string]any, der bool) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	input := enc.EncodeToString(h) + "." + enc.EncodeToString([]byte(`{"iss":"app"}`))
	digest := sha256.Sum256([]byte(input))
	var opts crypto.SignerOpts = crypto.SHA256
	if header["alg"] == "PS256" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	sig, err := key.Sign(rand.Reader, digest[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := key.(*ecdsa.PrivateKey); ok && !der {
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	return input + "." + enc.EncodeToString(sig)
}

func verify(token string, at time.Time, certs ...*x509.Certificate) error {
	a, err := jose.ParseAssertion(token)
	if err != nil {
		return err
	}
	_, err = a.Verify(certs, at)
	return err
}

func TestAssertions(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert, ecCert := certificate(t, rsaKey), certificate(t, ecKey)
	one, two := sha1.Sum(rsaCert.Raw), sha256.Sum256(rsaCert.Raw)
	ec1 := sha1.Sum(ecCert.Raw)
	std, raw, padded := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	type h = map[string]any
	for _, c := range []struct {
		name   string
		key    crypto.Signer
		header h
		der    bool
		code   string
	}{
		{"WC-38 x5t#S256 standard base64 with padding, PS256", rsaKey, h{"alg": "PS256", "x5t#S256": std(two[:]), "typ": "JWT", "x5c": []string{"ignored"}}, false, ""},
		{"WC-38 x5t#S256 base64url, RS256", rsaKey, h{"alg": "RS256", "x5t#S256": raw(two[:])}, false, ""},
		{"WC-38 x5t base64", rsaKey, h{"alg": "RS256", "x5t": std(one[:])}, false, ""},
		{"WC-38 x5t base64url", rsaKey, h{"alg": "PS256", "x5t": raw(one[:])}, false, ""},
		{"WC-38 kid base64url with padding", rsaKey, h{"alg": "RS256", "kid": padded(one[:])}, false, ""},
		{"WC-38 kid hex", rsaKey, h{"alg": "RS256", "kid": strings.ToUpper(hex.EncodeToString(one[:]))}, false, ""},
		{"WC-37 ES256", ecKey, h{"alg": "ES256", "x5t": raw(ec1[:])}, false, ""},
		{"WC-39 ES256 in ASN.1", ecKey, h{"alg": "ES256", "kid": padded(ec1[:])}, true, ""},
		{"no name of a key", rsaKey, h{"alg": "RS256"}, false, "assertionBroken"},
		{"name of another key", rsaKey, h{"alg": "RS256", "x5t": raw(ec1[:])}, false, "assertionBroken"},
		{"alg none", rsaKey, h{"alg": "none", "x5t": raw(one[:])}, false, "assertionBroken"},
		{"HS256", rsaKey, h{"alg": "HS256", "x5t": raw(one[:])}, false, "assertionBroken"},
		{"alg of another kind", ecKey, h{"alg": "RS256", "x5t": raw(ec1[:])}, false, "assertionBroken"},
		{"crit", rsaKey, h{"alg": "RS256", "x5t": raw(one[:]), "crit": []string{"exp"}}, false, "assertionBroken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := assertion(t, c.key, c.header, c.der)
			err := verify(token, start, ecCert, rsaCert)
			if got := ""; err != nil {
				got = problem.CodeOf(err)
				if got != c.code {
					t.Fatal(err)
				}
			} else if c.code != got {
				t.Fatalf("accepted, want %s", c.code)
			}
			if c.code != "" {
				return
			}
			if err := verify(token, start); problem.CodeOf(err) != "assertionBroken" {
				t.Errorf("without certificates: %v", err)
			}
			if err := verify(token, start.Add(2*time.Hour), ecCert, rsaCert); problem.CodeOf(err) != "certificateExpired" {
				t.Errorf("after the certificate's end: %v", err)
			}
			parts := strings.Split(token, ".")
			parts[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"other"}`))
			if err := verify(strings.Join(parts, "."), start, ecCert, rsaCert); problem.CodeOf(err) != "assertionBroken" {
				t.Errorf("with other claims: %v", err)
			}
		})
	}
}

func TestAssertionRefusesWeakKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := certificate(t, p384)
	sum := sha1.Sum(c.Raw)
	token := assertion(t, p384, map[string]any{"alg": "ES256", "x5t": base64.RawURLEncoding.EncodeToString(sum[:])}, true)
	if err := verify(token, start, c); problem.CodeOf(err) != "assertionBroken" {
		t.Errorf("a P-384 key for ES256: %v", err)
	}
}

// FuzzAssertion: no text that is not signed by the certificate verifies.
func FuzzAssertion(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	c := certificate(f, key)
	sum := sha1.Sum(c.Raw)
	name := base64.RawURLEncoding.EncodeToString(sum[:])
	f.Add("e30.e30.")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","x5t":"`+name+`"}`)) + ".e30." + strings.Repeat("A", 86))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","x5t":"`+name+`"}`)) + ".e30.MAYCAQACAQA")
	f.Fuzz(func(t *testing.T, token string) {
		if verify(token, start, c) == nil {
			t.Fatalf("%q verified", token)
		}
	})
}
