package webauthn_test

import (
	"bytes"
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"
)

// Every algorithm a passkey may have, through both ceremonies.
func TestBothCeremonies(t *testing.T) {
	for name, alg := range map[string]int64{
		"ES256": webauthn.ES256, "EdDSA": webauthn.EdDSA, "RS256": webauthn.RS256, "ES384": webauthn.ES384, "ES512": webauthn.ES512,
	} {
		t.Run(name, func(t *testing.T) {
			a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model), func(a *cardeatest.Authenticator) {
				a.Algorithm = alg
				a.Attestation.Self = true
			})
			f, rec := registered(t, a)
			switch {
			case f.Algorithm != alg, f.AAGUID != model, f.SignCount != 1, f.BackupEligible, f.BackupState, !f.UserPresent, !f.UserVerified:
				t.Fatalf("facts %+v", f)
			case f.Discoverable == nil || !*f.Discoverable, f.Attachment != "cross-platform", len(f.Transports) != 2, f.Origin != origin:
				t.Fatalf("hints %+v", f)
			case f.Attestation.Type != webauthn.TypeSelf, f.Attestation.Format != "packed", f.Attestation.Trust.Reason != "attestationSelf":
				t.Fatalf("attestation %+v", f.Attestation)
			case !bytes.Equal(f.PublicKey, a.Passkeys()[0].PublicKey):
				t.Fatal("public key is not the COSE key as sent")
			}
			c := assertion()
			resp := got(t, a, c)
			u, err := webauthn.Peek(resp)
			must(t, err)
			if !bytes.Equal(u.Challenge, c.Challenge) || !bytes.Equal(u.CredentialID, rec.CredentialID) || !bytes.Equal(u.UserHandle, anna.Handle) {
				t.Fatalf("peek %+v", u)
			}
			s, err := webauthn.SignIn(site, c, rec, resp, now)
			must(t, err)
			if s.SignCount != 2 || s.CounterWentBack || s.BackupUpgraded || !s.UserVerified || !bytes.Equal(s.UserHandle, anna.Handle) {
				t.Fatalf("facts %+v", s)
			}
		})
	}
}

// The same passkey on a second device keeps working (synced, counter 0).
func TestClonedProvider(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	f, err := webauthn.SignIn(site, assertion(), rec, got(t, a.Clone(), assertion()), now)
	must(t, err)
	if f.CounterWentBack || !f.BackupEligible || !f.BackupState {
		t.Fatalf("facts %+v", f)
	}
}
