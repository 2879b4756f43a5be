package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// tables is everything that a registration writes.
func (w *world) tables() string {
	w.t.Helper()
	var out []string
	for _, text := range []string{`SELECT count(*) FROM passkeys`, `SELECT count(*) FROM passkey_attestations`, `SELECT count(*) FROM spent_challenges`,
		`SELECT count(*) FROM directory_audits WHERE activity IN ('Admin registered security info', 'Passkey provisioned by admin') AND record NOT LIKE '%"failure"%'`} {
		var n int
		if err := w.d.QueryRowContext(w.t.Context(), text).Scan(&n); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, " ")
}

// TestBadRegistrations: whatever is wrong with a POST of a passkey has its own
// code and a sentence, and leaves nothing half-written (PK-99, PK-108, PK-109,
// PK-114, PK-116, PK-140, PK-144, WC-19).
func TestBadRegistrations_PK114_PK144(t *testing.T) {
	model := [16]byte{0x90, 0xa3, 0xcc, 0xdf, 0x63, 0x5c, 0x47, 0x29, 0xa2, 0x48, 0x9b, 0x70, 0x91, 0x35, 0x07, 0x8f}
	forger, err := cardeatest.NewAttestationCA("Forger", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := forger.Issue(cardeatest.LeafRules{AAGUID: &model})
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		list := "/v1.0/users/" + w.ids["ada"] + "/authentication/fido2Methods"
		opts, _ := w.options(list+"/creationOptions", "robot")
		foreign, _ := w.options("/v1.0/users/"+w.ids["guest"]+"/authentication/fido2Methods/creationOptions", "robot")
		answer := func(options []byte, origin string, change func(*cardeatest.Authenticator)) jsonMap {
			c := made(t, cardeatest.NewAuthenticator(change), options, origin)
			return jsonMap{"id": bare(c.id), "response": jsonMap{"clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object)}}
		}
		honest := func(*cardeatest.Authenticator) {}
		good := answer(opts, "https://id.contoso.test", honest)
		with := func(path string, v any) string { // the good body with one member changed
			var copied jsonMap
			if err := json.Unmarshal([]byte(jsonText(t, good)), &copied); err != nil {
				t.Fatal(err)
			}
			at := copied
			names := strings.Split(path, "/")
			for _, n := range names[:len(names)-1] {
				at = at[n].(map[string]any)
			}
			if v == nil {
				delete(at, names[len(names)-1])
			} else {
				at[names[len(names)-1]] = v
			}
			return jsonText(t, jsonMap{"publicKeyCredential": copied})
		}
		forged := func(change func(*cardeatest.Authenticator)) string {
			return jsonText(t, jsonMap{"publicKeyCredential": answer(opts, "https://id.contoso.test", change)})
		}
		from := func(origin string) string {
			return jsonText(t, jsonMap{"publicKeyCredential": answer(opts, origin, honest)})
		}
		client := func(name string, v any) string {
			return forged(func(a *cardeatest.Authenticator) { a.EditClientData = func(m map[string]any) { m[name] = v } })
		}
		taken := provisioned(t, cardeatest.NewAuthenticator(), opts, "taken")
		w.do(201, "POST", list, "robot", taken)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2", "robot", `{"keyRestrictions": {"isEnforced": true, "enforcementType": "block", "aaGuids": ["11111111-1111-4111-8111-111111111111"]}}`)
		blocked := [16]byte{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x41, 0x11, 0x81, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11}
		before := w.tables()
		for name, c := range map[string]struct {
			body   string
			status int
			code   string
			detail string // code of the first detail, "" if none is wanted
		}{
			"nothing":                           {``, 400, "badRequest", ""},
			"no JSON":                           {`{`, 400, "badRequest", ""},
			"a list":                            {`[]`, 400, "badRequest", ""},
			"null":                              {`null`, 400, "requiredParamMissing", "requiredParamMissing"},
			"an empty object":                   {`{}`, 400, "requiredParamMissing", "requiredParamMissing"},
			"no credential":                     {`{"displayName": "x", "publicKeyCredential": null}`, 400, "requiredParamMissing", "requiredParamMissing"},
			"credential is a text":              {`{"publicKeyCredential": "x"}`, 400, "badRequest", ""},
			"displayName is a number":           {`{"displayName": 5, "publicKeyCredential": {}}`, 400, "badRequest", ""},
			"deep":                              {`{"publicKeyCredential": ` + strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat(`}`, 9000) + `}`, 400, "badRequest", ""},
			"deeper than any parser goes":       {strings.Repeat(`[`, 200000), 400, "badRequest", ""},
			"larger than a passkey":             {`{"displayName": "` + strings.Repeat("x", 200<<10) + `"}`, 400, "badRequest", ""},
			"larger than a body":                {`{"displayName": "` + strings.Repeat("x", 5<<20) + `"}`, 413, "bodyTooLarge", ""},
			"without id":                        {with("id", nil), 400, "requiredParamMissing", "requiredParamMissing"},
			"id is a number":                    {with("id", 5), 400, "badRequest", ""},
			"another id":                        {with("id", bare([]byte("another credential"))), 400, "badRequest", "credentialIdInvalid"},
			"id is no base64":                   {with("id", "§"), 400, "badRequest", "badRequest"},
			"without response":                  {with("response", nil), 400, "requiredParamMissing", "requiredParamMissing"},
			"without client data":               {with("response/clientDataJSON", nil), 400, "requiredParamMissing", "requiredParamMissing"},
			"client data is no JSON":            {with("response/clientDataJSON", bare([]byte("hello"))), 400, "badRequest", "responseMalformed"},
			"client data is a list":             {with("response/clientDataJSON", bare([]byte("[]"))), 400, "badRequest", "responseMalformed"},
			"client data without a challenge":   {with("response/clientDataJSON", bare([]byte(`{"type":"webauthn.create","origin":"https://id.contoso.test"}`))), 400, "verificationFailed", "challengeUnknown"},
			"without attestation object":        {with("response/attestationObject", nil), 400, "requiredParamMissing", "requiredParamMissing"},
			"attestation object is no base64":   {with("response/attestationObject", "%%%"), 400, "badRequest", "badRequest"},
			"attestation object is no CBOR":     {with("response/attestationObject", bare([]byte("hello"))), 400, "invalidAttestationDataFormat", "invalidAttestationDataFormat"},
			"attestation object is another map": {with("response/attestationObject", bare([]byte("\xa1\x61a\x01"))), 400, "invalidAttestationDataFormat", "invalidAttestationDataFormat"},
			"attestation object declares a lot": {with("response/attestationObject", bare([]byte("\xbb\x7f\xff\xff\xff\xff\xff\xff\xff"))), 400, "invalidAttestationDataFormat", "invalidAttestationDataFormat"},
			"a challenge that we did not make":  {client("challenge", bare(bytes.Repeat([]byte("x"), 200))), 400, "verificationFailed", "challengeUnknown"},
			"somebody else's challenge":         {jsonText(t, jsonMap{"publicKeyCredential": answer(foreign, "https://id.contoso.test", honest)}), 400, "verificationFailed", "challengeUnknown"},
			"a sign-in and no registration":     {client("type", "webauthn.get"), 400, "verificationFailed", "ceremonyTypeMismatch"},
			"in a frame":                        {client("crossOrigin", true), 400, "verificationFailed", "crossOriginNotAllowed"},
			"another site":                      {from("https://login.microsoft.com"), 400, "verificationFailed", "originMismatch"},
			"two slashes":                       {from("https://id.contoso.test//"), 400, "verificationFailed", "originMismatch"},
			"not https":                         {from("http://id.contoso.test"), 400, "verificationFailed", "originMismatch"},
			"another relying party":             {forged(func(a *cardeatest.Authenticator) { a.EditAuthData = func(b []byte) []byte { b[0] ^= 1; return b } }), 400, "verificationFailed", "rpIdMismatch"},
			"PK-116 without user verification":  {forged(func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.UserVerified }), 400, "verificationFailed", "userNotVerified"},
			"without a person":                  {forged(func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.UserPresent }), 400, "verificationFailed", "userNotPresent"},
			"PK-85 backed up but not eligible":  {forged(func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.BackupEligible }), 400, "verificationFailed", "backupStateInvalid"},
			"PK-101 an algorithm not offered":   {forged(func(a *cardeatest.Authenticator) { a.Algorithm = cardeatest.EdDSA }), 400, "invalidKeyDataFormat", "algorithmNotOffered"},
			"a key that is none":                {forged(func(a *cardeatest.Authenticator) { a.EditKey = func(k []byte) []byte { k[len(k)-1] ^= 1; return k } }), 400, "invalidKeyDataFormat", "publicKeyInvalid"},
			"a credential id of 1024 bytes":     {forged(func(a *cardeatest.Authenticator) { a.CredentialID = make([]byte, 1024) }), 400, "badRequest", "credentialIdInvalid"},
			"PK-93 a signature that is wrong": {forged(func(a *cardeatest.Authenticator) {
				a.Attestation.Self = true
				a.Attestation.Edit = func(s map[string]any) { s["sig"].([]byte)[9] ^= 1 }
			}), 400, "attestationValidationFailed", "attestationValidationFailed"},
			"a format id of 33 characters":         {forged(func(a *cardeatest.Authenticator) { a.Attestation.Format = strings.Repeat("x", 33) }), 400, "invalidAttestationDataFormat", "invalidAttestationDataFormat"},
			"PK-46 a name of 31 characters":        {strings.Replace(with("id", good["id"]), `{"publicKeyCredential"`, `{"displayName":"`+strings.Repeat("é", 31)+`","publicKeyCredential"`, 1), 400, "badRequest", "badRequest"},
			"PK-109 a credential id that exists":   {taken, 409, "credentialAlreadyRegistered", ""},
			"a model that is blocked":              {forged(cardeatest.SecurityKey(blocked)), 400, "keyDisallowedByPolicy", "aaguidBlocked"},
			"PK-140 the body claims another model": {strings.Replace(forged(cardeatest.SecurityKey(blocked)), `{"publicKeyCredential"`, `{"aaGuid":"90a3ccdf-635c-4729-a248-9b709135078f","passkeyType":"synced","attestationLevel":"attested","model":"YubiKey 5","publicKeyCredential"`, 1), 400, "keyDisallowedByPolicy", "aaguidBlocked"},
		} {
			body := w.do(c.status, "POST", list, "robot", c.body)
			if got := reasonOf(body); got != c.code {
				t.Errorf("%s: %s, want %s: %v", name, got, c.code, body)
			}
			e := body["error"].(map[string]any)
			details, _ := e["details"].([]any)
			got := ""
			if len(details) > 0 {
				got, _ = details[0].(map[string]any)["code"].(string)
			}
			if message, _ := e["message"].(string); got != c.detail || len(message) < 20 || len(message) > 600 {
				t.Errorf("%s: detail %q, want %q: %v", name, got, c.detail, e)
			}
		}
		if after := w.tables(); after != before {
			t.Errorf("PK-114: passkeys, attestations, spent challenges and records were %s and are %s", before, after)
		}

		// Where attestation is enforced, forged proofs of a good model fail by name.
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2?cardea.force=true", "robot", `{"isAttestationEnforced": true}`)
		for name, change := range map[string]func(*cardeatest.Authenticator){
			"none": cardeatest.SecurityKey(model), "self": func(a *cardeatest.Authenticator) { cardeatest.SecurityKey(model)(a); a.Attestation.Self = true },
			"a chain of the forger's own": func(a *cardeatest.Authenticator) { cardeatest.SecurityKey(model)(a); a.Attestation.Leaf = leaf },
		} {
			body := w.do(400, "POST", list, "robot", forged(change))
			e := body["error"].(map[string]any)
			if reasonOf(body) != "attestationValidationFailed" || e["details"].([]any)[0].(map[string]any)["code"] != "attestationRequired" || !strings.Contains(e["message"].(string), "Default passkey profile") {
				t.Errorf("forged attestation, %s: %v", name, body)
			}
		}
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2?cardea.force=true", "robot", `{"isAttestationEnforced": false}`)

		// PK-108, PK-113: expired; and the good one still works after all that.
		w.do(201, "POST", list, "robot", with("id", good["id"]))
		w.now = w.now.Add(6 * time.Minute)
		if code := reasonOf(w.do(400, "POST", list, "robot", forged(honest))); code != "challengeExpired" {
			t.Errorf("PK-108: %s", code)
		}
		// PK-140: what the body says of itself has no effect.
		opts, _ = w.options(list+"/creationOptions", "robot")
		lie := strings.Replace(provisioned(t, cardeatest.NewAuthenticator(), opts, "x"), `{`, `{"aaGuid":"90a3ccdf-635c-4729-a248-9b709135078f","passkeyType":"deviceBound","attestationLevel":"attested","model":"YubiKey 5","id":"AA2","createdDateTime":"2001-01-01T00:00:00Z",`, 1)
		m := w.do(201, "POST", list, "robot", lie)
		if m["aaGuid"] != "00000000-0000-0000-0000-000000000000" || m["passkeyType"] != "synced" || m["attestationLevel"] != "notAttested" || m["model"] != nil || m["id"] == "AA2" || strings.HasPrefix(m["createdDateTime"].(string), "2001") {
			t.Errorf("PK-140: %v", m)
		}
	})
}
