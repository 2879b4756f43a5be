package webauthn_test

import (
	"slices"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"
)

// attempt is one finish, before anything is wrong with it.
type attempt struct {
	rp   webauthn.RelyingParty
	c    webauthn.Ceremony // as opened at the finish
	rec  webauthn.Record   // sign-in
	resp webauthn.Response
	now  time.Time
}

// fault is one row of a checklist: what makes it fail, and with which code.
type fault struct {
	row    int
	name   string
	code   string
	device func(a *cardeatest.Authenticator) // before the answer is made
	client func(m map[string]any)            // in the client data
	finish func(x *attempt)                  // after the answer is made
}

// WA-48: WebAuthn L3 §7.1, in the order of the checklist. Row 4 is mostly for
// those who hold the seal, rows 20–24 for those who hold policy and database.
var registrationFaults = []fault{
	{row: 1, name: "too large (WA-21)", code: "responseMalformed", finish: func(x *attempt) {
		x.resp.AttestationObject = append(slices.Clone(x.resp.AttestationObject), make([]byte, webauthn.MaxRegistrationBody)...)
	}},
	{row: 2, name: "byte order mark", code: "responseMalformed", finish: func(x *attempt) {
		x.resp.ClientDataJSON = append([]byte("\xef\xbb\xbf"), x.resp.ClientDataJSON...)
	}},
	{row: 3, name: "trailing byte", code: "invalidAttestationDataFormat", finish: func(x *attempt) {
		x.resp.AttestationObject = append(slices.Clone(x.resp.AttestationObject), 0)
	}},
	{row: 4, name: "challenge of a sign-in (PK-110)", code: "challengeUnknown", finish: func(x *attempt) { x.c.Purpose = webauthn.SignInPurpose }},
	{row: 4, name: "challenge for nobody", code: "challengeUnknown", finish: func(x *attempt) { x.c.UserHandle = nil }},
	{row: 5, name: "expired", code: "challengeExpired", finish: func(x *attempt) { x.now = x.c.Expires }},
	{row: 6, name: "another challenge", code: "challengeMismatch", finish: func(x *attempt) { x.c.Challenge = challenge("another") }},
	{row: 7, name: "type get", code: "ceremonyTypeMismatch", client: func(m map[string]any) { m["type"] = "webauthn.get" }},
	{row: 8, name: "cross origin", code: "crossOriginNotAllowed", client: func(m map[string]any) { m["crossOrigin"] = true }},
	{row: 8, name: "top origin", code: "topOriginMismatch", client: func(m map[string]any) { m["topOrigin"] = "https://evil.example" }},
	{row: 9, name: "origin", code: "originMismatch", client: func(m map[string]any) { m["origin"] = "https://id.example.com.evil.example" }},
	{row: 10, name: "rp id hash", code: "rpIdMismatch", device: func(a *cardeatest.Authenticator) {
		a.EditAuthData = func(b []byte) []byte { b[0] ^= 1; return b }
	}},
	{row: 11, name: "UP=0", code: "userNotPresent", device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= cardeatest.UserPresent }},
	{row: 12, name: "UV=0", code: "userNotVerified", device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= cardeatest.UserVerified }},
	{row: 13, name: "BS without BE", code: "backupStateInvalid", device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= cardeatest.BackupEligible }},
	{row: 14, name: "another id", code: "credentialIdInvalid", finish: func(x *attempt) { x.resp.CredentialID = []byte("another id") }},
	{row: 15, name: "not offered", code: "algorithmNotOffered", finish: func(x *attempt) { x.c.Algorithms = []int64{webauthn.RS256} }},
	{row: 16, name: "point off the curve", code: "publicKeyInvalid", device: func(a *cardeatest.Authenticator) {
		a.EditKey = func(k []byte) []byte { k[len(k)-1] ^= 1; return k }
	}},
	{row: 17, name: "prf", code: "extensionNotRequested", finish: func(x *attempt) { x.resp.ExtensionResults = []byte(`{"prf":{"enabled":true}}`) }},
	{row: 18, name: "format", code: "attestationFormatUnsupported", device: func(a *cardeatest.Authenticator) { a.Attestation.Format = "x-unknown" }},
	{row: 19, name: "signature", code: "attestationValidationFailed", device: func(a *cardeatest.Authenticator) {
		a.Attestation.Self = true
		a.Attestation.Edit = func(stmt map[string]any) { flipLast(stmt["sig"]) }
	}},
}

// WA-48: WebAuthn L3 §7.2, in the order of the checklist. Rows 14–16 are
// decided by those who hold policy and database.
var signInFaults = []fault{
	{row: 1, name: "trailing byte", code: "responseMalformed", finish: func(x *attempt) {
		x.resp.AuthenticatorData = append(slices.Clone(x.resp.AuthenticatorData), 0)
	}},
	{row: 2, name: "challenge of a registration (PK-110)", code: "challengeUnknown", finish: func(x *attempt) { x.c.Purpose = webauthn.RegisterPurpose }},
	{row: 2, name: "expired", code: "challengeExpired", finish: func(x *attempt) { x.now = x.c.Expires.Add(time.Hour) }},
	{row: 2, name: "another challenge", code: "challengeMismatch", finish: func(x *attempt) { x.c.Challenge = challenge("another") }},
	{row: 3, name: "not in the allow list", code: "credentialNotAllowed", finish: func(x *attempt) { x.c.Allowed = [][]byte{[]byte("another id")} }},
	{row: 4, name: "record of another passkey", code: "credentialUnknown", finish: func(x *attempt) { x.rec.CredentialID = []byte("another id") }},
	{row: 5, name: "no handle", code: "userHandleMissing", finish: func(x *attempt) {
		if len(x.c.Allowed) == 0 {
			x.resp.UserHandle = nil
		}
	}},
	{row: 5, name: "handle of bert", code: "userHandleMismatch", finish: func(x *attempt) { x.resp.UserHandle = []byte("handle of bert") }},
	{row: 6, name: "type create", code: "ceremonyTypeMismatch", client: func(m map[string]any) { m["type"] = "webauthn.create" }},
	{row: 7, name: "cross origin", code: "crossOriginNotAllowed", client: func(m map[string]any) { m["crossOrigin"] = true }},
	{row: 7, name: "top origin", code: "topOriginMismatch", client: func(m map[string]any) { m["topOrigin"] = "https://evil.example" }},
	{row: 7, name: "origin", code: "originMismatch", client: func(m map[string]any) { m["origin"] = "http://id.example.com" }},
	{row: 8, name: "rp id hash", code: "rpIdMismatch", device: func(a *cardeatest.Authenticator) {
		a.EditAuthData = func(b []byte) []byte { b[31] ^= 0x80; return b }
	}},
	{row: 9, name: "UP=0", code: "userNotPresent", device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= cardeatest.UserPresent }},
	{row: 9, name: "UV=0", code: "userNotVerified", device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= cardeatest.UserVerified }},
	{row: 10, name: "credProps", code: "extensionNotRequested", finish: func(x *attempt) { x.resp.ExtensionResults = []byte(`{"credProps":{}}`) }},
	{row: 11, name: "signature", code: "signatureInvalid", finish: func(x *attempt) {
		x.resp.Signature = slices.Clone(x.resp.Signature)
		flipLast(x.resp.Signature)
	}},
	{row: 12, name: "BS without BE", code: "backupStateInvalid", device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= cardeatest.BackupEligible }},
	{row: 13, name: "BE lost", code: "backupEligibilityLost", device: func(a *cardeatest.Authenticator) {
		a.FlipFlags ^= cardeatest.BackupEligible | cardeatest.BackupState
	}},
}

func flipLast(v any) {
	if b, ok := v.([]byte); ok && len(b) > 0 {
		b[len(b)-1] ^= 1
	}
}

// apply makes all the faults at once.
func apply(a *cardeatest.Authenticator, faults []fault) {
	for _, f := range faults {
		if f.device != nil {
			f.device(a)
		}
	}
	a.EditClientData = func(m map[string]any) {
		for _, f := range faults {
			if f.client != nil {
				f.client(m)
			}
		}
	}
}

func finish(x *attempt, faults []fault) {
	for _, f := range faults {
		if f.finish != nil {
			f.finish(x)
		}
	}
}

func tryRegister(t *testing.T, faults ...fault) (webauthn.Facts, error) {
	a := cardeatest.NewAuthenticator()
	apply(a, faults)
	c := registration()
	c.RequireAttestation = true
	x := attempt{rp: site, c: c, resp: created(t, a, c), now: now}
	finish(&x, faults)
	return webauthn.Register(x.rp, x.c, x.resp, x.now)
}

func trySignIn(t *testing.T, faults ...fault) (webauthn.Facts, error) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	apply(a, faults)
	c := assertion()
	x := attempt{rp: site, c: c, rec: rec, resp: got(t, a, c), now: now}
	finish(&x, faults)
	return webauthn.SignIn(x.rp, x.c, x.rec, x.resp, x.now)
}

func TestWA48RegistrationChecklist(t *testing.T) {
	checklist(t, registrationFaults, tryRegister)
}

func TestWA48SignInChecklist(t *testing.T) {
	checklist(t, signInFaults, trySignIn)
}

// checklist tries every row alone, and every two rows together: the code is that
// of the first. WA-49 follows from the rows after the signature.
func checklist(t *testing.T, faults []fault, try func(*testing.T, ...fault) (webauthn.Facts, error)) {
	if f, err := try(t); err != nil || !f.UserVerified {
		t.Fatalf("without fault: %+v, %v", f, err)
	}
	for i, first := range faults {
		t.Run(first.name, func(t *testing.T) {
			f, err := try(t, first)
			wantCode(t, f, err, first.code)
			for _, second := range faults[i+1:] {
				if second.row == first.row || first.row == 12 && second.row == 13 {
					continue // two ways to spoil the same value
				}
				f, err := try(t, first, second)
				if t.Run("and "+second.name, func(t *testing.T) { wantCode(t, f, err, first.code) }); t.Failed() {
					return
				}
			}
		})
	}
}

// The parallel finishes share nothing that changes (WA-15); run with -race.
func TestWA15ParallelCeremonies(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	c := assertion()
	resp := got(t, a, c)
	reg := registration()
	regResp := created(t, a, reg)
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for i := range 20 {
				rp := site
				rp.CrossOrigin = i%2 == 0
				if _, err := webauthn.SignIn(rp, c, rec, resp, now); err != nil {
					t.Error(err)
				}
				if _, err := webauthn.Register(rp, reg, regResp, now); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
