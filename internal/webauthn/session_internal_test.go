package webauthn

import (
	"encoding/json"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"
	library "github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/go-cmp/cmp"
)

type anyUser struct{ libraryUser }

// WA-17: the session we rebuild at the finish is the one the library would have
// kept at the beginning, given the options we sent, member by member.
func TestWA17SessionIsThatOfBegin(t *testing.T) {
	rp := RelyingParty{ID: "id.example.com", Name: "Cardea", Origins: []string{"https://id.example.com"}}
	for _, purpose := range []string{RegisterPurpose, ProvisionPurpose} {
		c := Ceremony{Purpose: purpose, Challenge: make([]byte, 32), UserHandle: []byte("handle")}
		text, err := CreationOptions(rp, c, User{Handle: c.UserHandle, Name: "n", DisplayName: "d"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var options protocol.PublicKeyCredentialCreationOptions
		if err := json.Unmarshal(text, &options); err != nil {
			t.Fatal(err)
		}
		w, err := library.New(libraryConfig(rp, c))
		if err != nil {
			t.Fatal(err)
		}
		_, begun, err := w.BeginRegistration(anyUser{libraryUser{c.UserHandle}}, func(o *protocol.PublicKeyCredentialCreationOptions) error {
			o.Challenge, o.Parameters, o.Extensions = options.Challenge, options.Parameters, options.Extensions
			o.AuthenticatorSelection = options.AuthenticatorSelection
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		ours := librarySession(rp, c)
		if purpose == ProvisionPurpose {
			// Deliberate: outputs are dropped before, and credProtect is not enforced.
			begun.Extensions = protocol.SessionExtensions{}
		}
		if d := cmp.Diff(*begun, ours); d != "" {
			t.Errorf("%s: %s", purpose, d)
		}
		if purpose == RegisterPurpose && (len(ours.CredParams) != 3 || len(ours.Extensions.Requested) != 2) {
			t.Errorf("session is empty where it must not be: %+v", ours)
		}
	}
}

// WA-16, WA-2: what the library must not do for us.
func TestWA16LibraryPolicyIsOff(t *testing.T) {
	c := libraryConfig(RelyingParty{ID: "id.example.com"}, Ceremony{})
	if c.MDS != nil || c.Filtering != nil || c.Timeouts.Login.Enforce || c.Timeouts.Registration.Enforce {
		t.Errorf("%+v", c)
	}
	if !librarySession(RelyingParty{}, Ceremony{}).Expires.IsZero() {
		t.Error("the library compares with the wall clock")
	}
}
