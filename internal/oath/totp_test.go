package oath

import (
	"encoding/base32"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The SHA-1 rows of RFC 6238 appendix B, and of RFC 4226 appendix D.
func TestVectors_RFC6238(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130"} {
		if got := hotp(secret, stepAt(time.Unix(at, 0)), 8); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	for i, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := hotp(secret, int64(i), 6); got != want {
			t.Errorf("counter %d: %s, want %s", i, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	secret, now := []byte("12345678901234567890"), time.Unix(1111111111, 0)
	here := stepAt(now)
	for _, c := range []struct {
		name   string
		off    int64
		last   int64
		accept bool
	}{
		{"now", 0, 0, true}, {"a step behind", -1, 0, true}, {"a step ahead", 1, 0, true},
		{"two behind", -2, 0, false}, {"two ahead", 2, 0, false},
		{"used", 0, here, false}, {"before a used one", -1, here, false}, {"after a used one", 1, here, true},
	} {
		step, ok := match(secret, hotp(secret, here+c.off, digits), now, c.last)
		if ok != c.accept || ok && step != here+c.off {
			t.Errorf("%s: step %d, %v", c.name, step-here, ok)
		}
	}
	if _, ok := match(secret, "", now, 0); ok {
		t.Error("no code matched")
	}
}

func TestAddress(t *testing.T) {
	secret := []byte("12345678901234567890")
	got := address("Contoso: Sales & Co", "ada+x@contoso.com", secret)
	u, err := url.Parse(got)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Contoso  Sales & Co:ada+x@contoso.com" || strings.Contains(got, "+") {
		t.Errorf("%s: %v", got, err)
	}
	q := u.Query()
	raw, err := base32.StdEncoding.DecodeString(q.Get("secret"))
	if err != nil || string(raw) != string(secret) || q.Get("issuer") != "Contoso  Sales & Co" || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
		t.Errorf("%s: %v", got, err)
	}
}

// FuzzTyped: what comes out is six digits or nothing.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"", "123456", " 123 456\n", "123-456", "1234567", "12345x", "１２３４５６", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if code := typed(s); code != "" && (len(code) != digits || strings.Trim(code, "0123456789") != "" || typed(code) != code) {
			t.Fatalf("%q became %q", s, code)
		}
	})
}

func TestTyped(t *testing.T) {
	for in, want := range map[string]string{"123456": "123456", " 123 456\u200b": "123456", "123-456": "123456", "12345": "", "1234567": "", "12345a": "", "１２３４５６": ""} {
		if got := typed(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
