package passkey_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

// FuzzReadProvisioned: any body is refused with one of two codes, or gives three
// byte strings that the strict spelling of the same body gives again (WC-61).
func FuzzReadProvisioned(f *testing.F) {
	for _, body := range []string{
		`{"displayName":"YubiKey","publicKeyCredential":{"id":"AQID","response":{"clientDataJSON":"e30","attestationObject":"oA"},"clientExtensionResults":{}}}`,
		`{"publicKeyCredential":{"id":"AQI=","rawId":"x","response":{"clientDataJSON":"e30=","attestationObject":"oA==","transports":["usb",5]}},"cardea":{"state":"disabled"}}`,
		`{"publicKeyCredential":{"id":"AQI1","response":{"clientDataJSON":"e301","attestationObject":"oA2"}},"cardea":null}`,
		`{"publicKeyCredential":{"id":"","response":{}}}`, `{"publicKeyCredential":null}`, `{"cardea":{"state":5}}`, `[`, `null`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := passkey.ReadProvisioned(body)
		if err != nil {
			e, ok := errors.AsType[*problem.Error](err)
			if !ok || e.Kind != problem.Invalid || e.Code != "badRequest" && e.Code != "requiredParamMissing" && e.Code != "invalidValue" || len(e.Detail) > 300 {
				t.Fatalf("%v", err)
			}
			return
		}
		r := a.Response
		if len(body) > webauthn.MaxRegistrationBody || len(r.CredentialID) == 0 || len(r.ClientDataJSON) == 0 || len(r.AttestationObject) == 0 ||
			a.State != "" && a.State != passkey.Enabled && a.State != passkey.Disabled {
			t.Fatalf("%+v", a)
		}
		text := base64.URLEncoding.EncodeToString
		strict, err := json.Marshal(map[string]any{"displayName": a.DisplayName, "cardea": map[string]any{"state": nullable(string(a.State))}, "publicKeyCredential": map[string]any{"id": text(r.CredentialID),
			"response": map[string]any{"clientDataJSON": text(r.ClientDataJSON), "attestationObject": text(r.AttestationObject), "transports": r.Transports}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(strict) > webauthn.MaxRegistrationBody {
			return
		}
		again, err := passkey.ReadProvisioned(strict)
		if err != nil || !bytes.Equal(again.Response.CredentialID, r.CredentialID) || !bytes.Equal(again.Response.ClientDataJSON, r.ClientDataJSON) ||
			!bytes.Equal(again.Response.AttestationObject, r.AttestationObject) || again.State != a.State {
			t.Fatalf("%v\n%s\n%s", err, body, strict)
		}
	})
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// FuzzMethodPatch: a body is refused with a code of ours, or changes a name or a
// state and nothing else.
func FuzzMethodPatch(f *testing.F) {
	for _, body := range []string{`{"displayName":"x"}`, `{"cardea":{"state":"enabled"}}`, `{"cardea":null,"@odata.type":"#x"}`, `{"displayName":null}`, `{"x":1}`, `{}`, `[`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := passkey.ReadMethodPatch(body)
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatal(err)
			}
			return
		}
		if p.DisplayName == nil && p.State == "" || p.State != "" && p.State != passkey.Enabled && p.State != passkey.Disabled || !bytes.Contains(bytes.ToLower(body), []byte("d")) {
			t.Fatalf("%s: %+v", body, p)
		}
	})
}

// FuzzFinishRegistration sends client data, attestation objects and ids to the
// whole of a registration, on a database: whatever is refused is refused by name
// and leaves no passkey; whatever is accepted is what the authenticator data
// says, under the challenge and the origin of this server (PK-99, PK-114).
func FuzzFinishRegistration(f *testing.F) {
	d, err := db.Open(f.Context(), db.Options{DSN: filepath.Join(f.TempDir(), "fuzz.db"), Volatile: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	h := newHouse(f, d)
	h.k.MaxPerUser = 1 << 30
	h.metadata(1, h.entry(modelX, "Key X"))
	r := h.provision(h.ada)
	r.Life = 30 * 24 * time.Hour
	begun, err := h.k.BeginRegistration(h.Context(), r)
	h.must(err)
	var options struct{ Challenge string }
	h.must(json.Unmarshal(begun.Options, &options))
	for _, a := range []*cardeatest.Authenticator{
		synced(), h.key(modelX), cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.Attestation.Self = true }),
		cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.Attestation.Format = "made-up" }),
		cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.UserVerified }),
		cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.Extensions = []byte("\xa1\x67testing\xf5") }),
	} {
		credential, err := a.Create(begun.Options, origin)
		h.must(err)
		answer, err := passkey.ReadAnswer(credential, "")
		h.must(err)
		// The challenge is another in every process: what is saved must fit them all.
		f.Add(bytes.ReplaceAll(answer.Response.ClientDataJSON, []byte(options.Challenge), []byte("CHALLENGE")), answer.Response.AttestationObject, answer.Response.CredentialID)
	}
	f.Add([]byte(`{}`), []byte("\xa0"), []byte("x"))
	codes := map[string]bool{"verificationFailed": true, "badRequest": true, "invalidAttestationDataFormat": true, "invalidKeyDataFormat": true, "attestationValidationFailed": true,
		"challengeExpired": true, "credentialAlreadyRegistered": true}
	f.Fuzz(func(t *testing.T, clientData, object, id []byte) {
		count := func() (n int) {
			if err := d.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM passkeys) + (SELECT count(*) FROM passkey_attestations)`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		clientData = bytes.ReplaceAll(clientData, []byte("CHALLENGE"), []byte(options.Challenge))
		before := count()
		done, err := h.k.FinishRegistration(t.Context(), r, passkey.Answer{Response: webauthn.Response{ClientDataJSON: clientData, AttestationObject: object, CredentialID: id}})
		if err != nil {
			if k := problem.KindOf(err); k != problem.Invalid && k != problem.Conflict || !codes[problem.CodeOf(err)] || count() != before {
				t.Fatalf("%d passkeys more, %v", count()-before, err)
			}
			return
		}
		var o struct {
			AuthData []byte `cbor:"authData"`
		}
		var m map[string]any
		if err := cbor.Unmarshal(object, &o); err != nil || json.Unmarshal(clientData, &m) != nil {
			t.Fatalf("%v: %s", err, clientData)
		}
		says := func(name, value string) bool {
			for k, v := range m {
				if strings.EqualFold(k, name) && v == value {
					return true
				}
			}
			return false
		}
		if !says("challenge", options.Challenge) || !says("origin", origin) && !says("origin", origin+"/") || !says("type", "webauthn.create") ||
			o.AuthData[32]&5 != 5 || passkey.AAGUID(o.AuthData[37:53]).String() != done.Method.AaGuid || !bytes.Equal(done.Method.CredentialID, id) ||
			(o.AuthData[32]&8 != 0) != (done.Method.PasskeyType == passkey.Synced) || count() != before+2 {
			t.Fatalf("%+v", done.Method)
		}
	})
}
