package webauthn_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cardea/internal/webauthn"

	"github.com/google/go-cmp/cmp"
)

// PK §6.1 (PK-90, PK-101, PK-104, PK-136; WA-27, WA-28): the whole text, so
// that a change of one byte is seen. Exact keys, exact types.
func TestOptionsText(t *testing.T) {
	id := base64.RawURLEncoding.EncodeToString
	head := func(purpose string) string {
		return `{"rp":{"id":"id.example.com","name":"Cardea"},"user":{"id":"` + id(anna.Handle) + `","name":"anna@example.com","displayName":"Anna"},` +
			`"challenge":"` + id(challenge("register")) + `",`
	}
	exclude := []webauthn.Descriptor{{ID: []byte("one"), Transports: []string{"usb"}}, {ID: []byte("two")}}
	const excluded = `"excludeCredentials":[{"type":"public-key","id":"b25l","transports":["usb"]},{"type":"public-key","id":"dHdv","transports":[]}],`
	c := registration()
	for purpose, want := range map[string]string{
		webauthn.RegisterPurpose: `"pubKeyCredParams":[{"type":"public-key","alg":-8},{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}],"timeout":600000,` +
			excluded + `"authenticatorSelection":{"residentKey":"required","requireResidentKey":true,"userVerification":"required"},"attestation":"direct",` +
			`"extensions":{"credProps":true,"hmacCreateSecret":true}}`,
		webauthn.ProvisionPurpose: `"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-257}],"timeout":60000,` +
			excluded + `"authenticatorSelection":{"authenticatorAttachment":"cross-platform","requireResidentKey":true,"userVerification":"required"},"attestation":"direct",` +
			`"extensions":{"credentialProtectionPolicy":"userVerificationOptional","enforceCredentialProtectionPolicy":true,"hmacCreateSecret":true}}`,
	} {
		c.Purpose = purpose
		got, err := webauthn.CreationOptions(site, c, anna, exclude)
		must(t, err)
		if d := cmp.Diff(head(purpose)+want, string(got)); d != "" {
			t.Errorf("%s: %s", purpose, d)
		}
	}

	s := assertion()
	got, err := webauthn.RequestOptions(site, s, nil)
	must(t, err)
	want := `{"challenge":"` + id(challenge("sign in")) + `","timeout":300000,"rpId":"id.example.com","allowCredentials":[],"userVerification":"required"}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
	s.Timeout = 90 * time.Second
	got, err = webauthn.RequestOptions(site, s, exclude[:1])
	must(t, err)
	if !strings.Contains(string(got), `"timeout":90000`) || !strings.Contains(string(got), `"allowCredentials":[{"type":"public-key","id":"b25l","transports":["usb"]}]`) {
		t.Errorf("%s", got)
	}
}

// An empty list is an array, never null: tools iterate without asking (PK-136).
func TestOptionsHaveNoNull(t *testing.T) {
	got, err := webauthn.CreationOptions(site, registration(), anna, nil)
	must(t, err)
	if strings.Contains(string(got), "null") || !strings.Contains(string(got), `"excludeCredentials":[]`) {
		t.Errorf("%s", got)
	}
}

func TestOptionsSettings(t *testing.T) {
	c := registration()
	c.Algorithms, c.Attachment, c.Extensions = []int64{webauthn.ES384}, "platform", []string{"minPinLength"}
	got, err := webauthn.CreationOptions(site, c, anna, nil)
	must(t, err)
	var o struct {
		Params     []struct{ Alg int64 } `json:"pubKeyCredParams"`
		Extensions map[string]bool
		Sel        map[string]any `json:"authenticatorSelection"`
	}
	must(t, json.Unmarshal(got, &o))
	if len(o.Params) != 1 || o.Params[0].Alg != webauthn.ES384 || o.Sel["authenticatorAttachment"] != "platform" || len(o.Extensions) != 1 || !o.Extensions["minPinLength"] {
		t.Errorf("%s", got)
	}
}

// Mistakes of a caller are errors, not options nobody can answer.
func TestOptionsMistakes(t *testing.T) {
	create := func(change func(*webauthn.Ceremony, *webauthn.User)) error {
		c, u := registration(), anna
		change(&c, &u)
		_, err := webauthn.CreationOptions(site, c, u, nil)
		return err
	}
	for name, change := range map[string]func(*webauthn.Ceremony, *webauthn.User){
		"purpose":         func(c *webauthn.Ceremony, _ *webauthn.User) { c.Purpose = webauthn.SignInPurpose },
		"no challenge":    func(c *webauthn.Ceremony, _ *webauthn.User) { c.Challenge = nil },
		"short challenge": func(c *webauthn.Ceremony, _ *webauthn.User) { c.Challenge = make([]byte, 15) },
		"no handle":       func(_ *webauthn.Ceremony, u *webauthn.User) { u.Handle = nil },
		"long handle":     func(_ *webauthn.Ceremony, u *webauthn.User) { u.Handle = make([]byte, 65) },
		"extension":       func(c *webauthn.Ceremony, _ *webauthn.User) { c.Extensions = []string{"prf"} },
	} {
		if create(change) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	c := assertion()
	c.Purpose = webauthn.RegisterPurpose
	if _, err := webauthn.RequestOptions(site, c, nil); err == nil {
		t.Error("purpose: accepted")
	}
	c = assertion()
	c.Challenge = make([]byte, 15)
	if _, err := webauthn.RequestOptions(site, c, nil); err == nil {
		t.Error("short challenge: accepted")
	}
}
