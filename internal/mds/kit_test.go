package mds

import (
	"crypto/ecdsa"
	"crypto/x509"
	"testing"
	"time"

	"cardea/internal/mds/mdstest"
	"cardea/internal/problem"
)

// today is when all tests happen.
var today = time.Date(2026, 9, 15, 10, 0, 0, 0, time.UTC)

const (
	keyA = "11111111-2222-4333-8444-555555555555"
	keyB = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
)

func authority(t testing.TB, c mdstest.Config) *mdstest.Authority {
	t.Helper()
	if c.Now.IsZero() {
		c.Now = today
	}
	return must(mdstest.New(c))(t)
}

// must takes a call's two results and then the test that fails for an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func testRoot(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	cert, _, err := mdstest.NewRoot(name, today)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newRootKey(t testing.TB, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	cert, key, err := mdstest.NewRoot(name, today)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if err == nil || problem.CodeOf(err) != code {
		t.Fatalf("error %v, want code %s", err, code)
	}
	if e, ok := err.(*problem.Error); !ok || e.Detail == "" {
		t.Errorf("%s tells nobody what to do: %v", code, err)
	}
}

// parsed makes a BLOB of entries and verifies it.
func parsed(t testing.TB, entries ...mdstest.Entry) (*Metadata, []Warning) {
	t.Helper()
	a := authority(t, mdstest.Config{})
	m, warnings, err := Verify(must(a.SignBLOB(7, entries...))(t), a.Roots(), today, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m, warnings
}

// only gives the single entry of a BLOB.
func only(t testing.TB, e mdstest.Entry) *Entry {
	t.Helper()
	m, _ := parsed(t, e)
	if m.Len() != 1 {
		t.Fatalf("%d entries, want 1; skipped: %v", m.Len(), m.Skipped)
	}
	for got := range m.All() {
		return got
	}
	return nil
}

func mustCert(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	return must(x509.ParseCertificate(der))(t)
}
