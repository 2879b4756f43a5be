package webauthn_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"

	"github.com/google/go-cmp/cmp"
)

// WA-29: the members of Facts, Attestation and Trust are a promise to storage
// and policy. UPDATE_GOLDEN=1 rewrites the file; review reads the difference.
func TestWA29Members(t *testing.T) {
	var b strings.Builder
	for _, typ := range []reflect.Type{reflect.TypeFor[webauthn.Facts](), reflect.TypeFor[webauthn.Attestation](), reflect.TypeFor[webauthn.Trust]()} {
		fmt.Fprintf(&b, "%s\n", typ.Name())
		for f := range typ.Fields() {
			fmt.Fprintf(&b, "\t%s %s\n", f.Name, f.Type)
		}
	}
	const path = "testdata/facts.golden"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

// WA-5, WA-6, WA-49, PK-83 to PK-89: what changed since the record is a fact for
// policy, but for the one change that is an error.
func TestWA5CounterAndBackupFacts(t *testing.T) {
	const up, uv, be, bs = cardeatest.UserPresent, cardeatest.UserVerified, cardeatest.BackupEligible, cardeatest.BackupState
	for _, tt := range []struct {
		name               string
		stored, received   uint32
		storedBE           bool
		flags              byte
		wentBack, upgraded bool
		eligible, backed   bool
		code               string
	}{
		{name: "both 0", flags: up | uv},
		{name: "rose", stored: 5, received: 6, flags: up | uv},
		{name: "rose from 0", received: 1, flags: up | uv},
		{name: "highest", stored: 1<<32 - 2, received: 1<<32 - 1, flags: up | uv},
		{name: "equal", stored: 5, received: 5, flags: up | uv, wentBack: true},
		{name: "lower", stored: 5, received: 4, flags: up | uv, wentBack: true},
		{name: "back to 0", stored: 5, flags: up | uv, wentBack: true},
		{name: "around the end", stored: 1<<32 - 1, received: 1, flags: up | uv, wentBack: true},
		{name: "BE 0 to 1 (PK-83)", flags: up | uv | be, upgraded: true, eligible: true},
		{name: "BE 0 to 1, backed up", flags: up | uv | be | bs, upgraded: true, eligible: true, backed: true},
		{name: "BE kept, BS rises (PK-86)", storedBE: true, flags: up | uv | be | bs, eligible: true, backed: true},
		{name: "BE kept, BS falls", storedBE: true, flags: up | uv | be, eligible: true},
		{name: "BE 1 to 0 (PK-84)", storedBE: true, flags: up | uv, code: "backupEligibilityLost"},
		{name: "BE 1 to 0, counter back too", stored: 5, received: 4, storedBE: true, flags: up | uv, code: "backupEligibilityLost"},
		{name: "BS without BE (PK-85)", flags: up | uv | bs, code: "backupStateInvalid"},
		{name: "BS without BE comes before BE lost", storedBE: true, flags: up | uv | bs, code: "backupStateInvalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := cardeatest.NewAuthenticator()
			_, rec := registered(t, a)
			a.Flags, a.Counter = tt.flags, &tt.received
			rec.SignCount, rec.BackupEligible = tt.stored, tt.storedBE
			resp := got(t, a, assertion())
			f, err := webauthn.SignIn(site, assertion(), rec, resp, now)
			if tt.code != "" {
				wantCode(t, f, err, tt.code)
				// Only once the signature verified: before, nobody learns it.
				flipLast(resp.Signature)
				f, err = webauthn.SignIn(site, assertion(), rec, resp, now)
				wantCode(t, f, err, "signatureInvalid")
				return
			}
			must(t, err)
			if f.SignCount != tt.received || f.CounterWentBack != tt.wentBack || f.BackupUpgraded != tt.upgraded || f.BackupEligible != tt.eligible || f.BackupState != tt.backed {
				t.Errorf("facts %+v", f)
			}
		})
	}
}

// WA-9, WA-83 rows 9 and 13: a step-up of a signed-in person with an allow list.
func TestStepUp(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	_, other := registered(t, a)
	c := assertion()
	c.UserHandle = anna.Handle
	c.Allowed = [][]byte{other.CredentialID, rec.CredentialID}
	a.Forget(other.CredentialID)
	good := got(t, a, c)

	silent := good
	silent.UserHandle = nil // allowed where an allow list was sent
	for _, resp := range []webauthn.Response{good, silent} {
		f, err := webauthn.SignIn(site, c, rec, resp, now)
		must(t, err)
		if string(f.UserHandle) != string(anna.Handle) {
			t.Errorf("handle %q", f.UserHandle)
		}
	}
	stranger := rec
	stranger.UserHandle = []byte("handle of bert")
	f, err := webauthn.SignIn(site, c, stranger, silent, now)
	wantCode(t, f, err, "userHandleMismatch")
	f, err = webauthn.SignIn(site, c, stranger, good, now)
	wantCode(t, f, err, "userHandleMismatch")
	c.Allowed = c.Allowed[:1]
	f, err = webauthn.SignIn(site, c, rec, good, now)
	wantCode(t, f, err, "credentialNotAllowed")
}

// A record that does not fit its own key opens nothing.
func TestBrokenRecords(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, good := registered(t, a)
	_, another := registered(t, cardeatest.NewAuthenticator())
	resp := got(t, a, assertion())
	for name, tt := range map[string]struct {
		change func(r *webauthn.Record)
		code   string
	}{
		"empty":           {func(r *webauthn.Record) { *r = webauthn.Record{} }, "credentialUnknown"},
		"no handle":       {func(r *webauthn.Record) { r.UserHandle = nil }, "userHandleMismatch"},
		"no key":          {func(r *webauthn.Record) { r.PublicKey = nil }, "signatureInvalid"},
		"key of another":  {func(r *webauthn.Record) { r.PublicKey = another.PublicKey }, "signatureInvalid"},
		"other algorithm": {func(r *webauthn.Record) { r.Algorithm = webauthn.EdDSA }, "signatureInvalid"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := good
			tt.change(&rec)
			f, err := webauthn.SignIn(site, assertion(), rec, resp, now)
			wantCode(t, f, err, tt.code)
		})
	}
}
