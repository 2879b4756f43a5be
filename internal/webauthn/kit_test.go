package webauthn_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

const origin = "https://id.example.com"

var (
	site = webauthn.RelyingParty{ID: "id.example.com", Name: "Cardea", Origins: []string{origin}}
	now  = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	anna = webauthn.User{Handle: []byte("handle of anna"), Name: "anna@example.com", DisplayName: "Anna"}

	model = [16]byte{0x2f, 0xc0, 0x57, 0x9f, 0x81, 0x13, 0x47, 0xea, 0xb1, 0x16, 0xbb, 0x5a, 0x8d, 0xb9, 0x20, 0x2a}
	other = [16]byte{0xde, 0x1e, 0x55, 0x2d, 0xdb, 0x1d, 0x44, 0x23, 0xa6, 0x19, 0x56, 0x6b, 0x62, 0x5c, 0xdc, 0x84}
)

func challenge(text string) []byte { h := sha256.Sum256([]byte(text)); return h[:] }

// registration is an opened challenge for anna on our own pages.
func registration() webauthn.Ceremony {
	return webauthn.Ceremony{
		Purpose: webauthn.RegisterPurpose, Challenge: challenge("register"), UserHandle: anna.Handle, Expires: now.Add(time.Minute),
	}
}

// assertion is an opened challenge of a discoverable sign-in.
func assertion() webauthn.Ceremony {
	return webauthn.Ceremony{Purpose: webauthn.SignInPurpose, Challenge: challenge("sign in"), Expires: now.Add(time.Minute)}
}

// created lets the authenticator answer a registration ceremony.
func created(t testing.TB, a *cardeatest.Authenticator, c webauthn.Ceremony) webauthn.Response {
	t.Helper()
	options, err := webauthn.CreationOptions(site, c, anna, nil)
	must(t, err)
	body, err := a.Create(options, origin)
	must(t, err)
	resp, err := webauthn.ParseRegistration(body)
	must(t, err)
	return resp
}

// got lets the authenticator answer a sign-in ceremony.
func got(t testing.TB, a *cardeatest.Authenticator, c webauthn.Ceremony) webauthn.Response {
	t.Helper()
	resp, err := webauthn.ParseAssertion(gotBody(t, a, c))
	must(t, err)
	return resp
}

func gotBody(t testing.TB, a *cardeatest.Authenticator, c webauthn.Ceremony) []byte {
	t.Helper()
	var allow []webauthn.Descriptor
	for _, id := range c.Allowed {
		allow = append(allow, webauthn.Descriptor{ID: id})
	}
	options, err := webauthn.RequestOptions(site, c, allow)
	must(t, err)
	body, err := a.Get(options, origin)
	must(t, err)
	return body
}

// registered makes a passkey of anna and gives its record.
func registered(t testing.TB, a *cardeatest.Authenticator) (webauthn.Facts, webauthn.Record) {
	t.Helper()
	c := registration()
	c.Algorithms = []int64{webauthn.ES256, webauthn.EdDSA, webauthn.ES384, webauthn.ES512, webauthn.RS256}
	f, err := webauthn.Register(site, c, created(t, a, c), now)
	must(t, err)
	return f, record(f)
}

func record(f webauthn.Facts) webauthn.Record {
	return webauthn.Record{
		CredentialID: f.CredentialID, UserHandle: f.UserHandle, PublicKey: f.PublicKey, Algorithm: f.Algorithm,
		SignCount: f.SignCount, BackupEligible: f.BackupEligible, BackupState: f.BackupState,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode wants an error that can be explained, and no Facts with it.
func wantCode(t testing.TB, f webauthn.Facts, err error, code string) {
	t.Helper()
	if got := problem.CodeOf(err); err == nil || got != code {
		t.Fatalf("code %q (%v), want %q", got, err, code)
	}
	if problem.KindOf(err) != problem.Invalid {
		t.Errorf("kind %v, want Invalid", problem.KindOf(err))
	}
	a, _ := json.Marshal(f)
	b, _ := json.Marshal(webauthn.Facts{})
	if !bytes.Equal(a, b) {
		t.Errorf("Facts beside an error: %s", a)
	}
}
