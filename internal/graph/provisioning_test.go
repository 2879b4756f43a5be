package graph

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/passkey"
)

// credential is what an authenticator made, as bytes.
type credential struct{ id, clientData, object []byte }

// made lets an authenticator answer options.
func made(t *testing.T, a *cardeatest.Authenticator, options []byte, origin string) credential {
	t.Helper()
	raw, err := a.Create(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ID       string
		Response struct{ ClientDataJSON, AttestationObject string }
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	b := func(s string) []byte {
		out, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return credential{b(c.ID), b(c.Response.ClientDataJSON), b(c.Response.AttestationObject)}
}

func standard(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
func bare(b []byte) string     { return base64.RawURLEncoding.EncodeToString(b) }

// urlToken is UrlTokenEncode of .NET: no padding, but a digit that counts it.
func urlToken(b []byte) string { return bare(b) + strconv.Itoa((3-len(b)%3)%3) }

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type jsonMap = map[string]any

// tool is a client that registers passkeys for others: how it asks, how it
// writes, what it makes (wire-compatibility §3).
type tool struct {
	name, version, options string // options: the last segment, with its query
	user                   func(w *world) string
	list                   string // as it spells the segment
	authenticator          func(*cardeatest.Authenticator)
	origin                 string
	body                   func(t *testing.T, c credential) string
	header                 http.Header
	minutes                float64
	want                   jsonMap // of the answer
}

func tools(t *testing.T) []tool {
	byUPN := func(*world) string { return "AdA%40contoso.test" }
	byID := func(w *world) string { return w.ids["ada"] }
	dsinternals := [16]byte{0x44, 0x53, 0x49, 0x6e, 0x74, 0x65, 0x72, 0x6e, 0x61, 0x6c, 0x73}
	ca, err := cardeatest.NewAttestationCA("DSInternals test factory", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(cardeatest.LeafRules{CA: true, AAGUID: &dsinternals})
	if err != nil {
		t.Fatal(err)
	}
	plain := func(outputs any) func(*testing.T, credential) string {
		return func(t *testing.T, c credential) string {
			pk := jsonMap{"id": bare(c.id), "response": jsonMap{"clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object)}}
			if outputs != "none" {
				pk["clientExtensionResults"] = outputs
			}
			return jsonText(t, jsonMap{"displayName": "YubiKey 5 Nano", "publicKeyCredential": pk})
		}
	}
	key := func(a *cardeatest.Authenticator) { cardeatest.SecurityKey(dsinternals)(a) }
	return []tool{
		{name: "DSInternals.Passkeys", version: "beta", options: "creationOptions?challengeTimeoutInMinutes=5", minutes: 5, user: byUPN, list: "fido2Methods",
			header: http.Header{"SdkVersion": {"graph-powershell/2.25.0"}}, origin: "https://id.contoso.test",
			authenticator: func(a *cardeatest.Authenticator) { key(a); a.Attestation.Self = true }, body: plain("none"),
			want: jsonMap{"attestationLevel": "notAttested", "passkeyType": "deviceBound", "aaGuid": "4453496e-7465-726e-616c-730000000000", "displayName": "YubiKey 5 Nano"}},
		{name: "DSInternals.Passkeys, its test factory", version: "beta", options: "creationOptions?challengeTimeoutInMinutes=7.5", minutes: 7.5, user: byID, list: "fido2Methods",
			origin: "https://id.contoso.test/", authenticator: func(a *cardeatest.Authenticator) {
				key(a)
				a.Attestation.Leaf, a.Extensions = leaf, []byte("\xa1\x67testing\xf5")
			}, body: plain(jsonMap{"hmacCreateSecret": true, "credProtect": 2}), want: jsonMap{"attestationLevel": "notAttested", "passkeyType": "deviceBound"}},
		{name: "DSInternals.Passkeys before May 2026", version: "beta", options: "creationOptions?challengeTimeoutInMinutes=43200", minutes: 43200, user: byID, list: "fido2Methods",
			origin: "https://id.contoso.test", authenticator: key, body: func(t *testing.T, c credential) string {
				return jsonText(t, jsonMap{"displayName": "Old", "publicKeyCredential": jsonMap{"id": bare(c.id), "rawId": bare(c.id), "type": "public-key", "authenticatorAttachment": "cross-platform",
					"clientExtensionResults": jsonMap{}, "response": jsonMap{"clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object), "authenticatorData": "AAAA", "publicKey": nil,
						"publicKeyAlgorithm": -7, "transports": []string{"usb", "nfc"}}}})
			}, want: jsonMap{"displayName": "Old"}},
		{name: "Yubico's sample script", version: "beta", options: "creationOptions?challengeTimeoutInMinutes=60", minutes: 60, user: byID, list: "fido2Methods",
			origin: "https://id.contoso.test", authenticator: key, body: plain(nil), want: jsonMap{"attestationLevel": "notAttested"}},
		{name: "entraYK and powershellYK", version: "beta", options: "creationOptions(challengeTimeoutInMinutes=5)", minutes: 5, user: byID, list: "fido2Methods",
			origin: "https://id.contoso.test", authenticator: key, body: func(t *testing.T, c credential) string {
				return jsonText(t, jsonMap{"displayName": "entraYK", "publicKeyCredential": jsonMap{"id": bare(c.id),
					"response": jsonMap{"clientDataJSON": standard(c.clientData), "attestationObject": standard(c.object)}}})
			}, want: jsonMap{"displayName": "entraYK"}},
		{name: "OneSpan, newer", version: "v1.0", options: "creationOptions", minutes: 5, user: byID, list: "fido2Methods", origin: "https://id.contoso.test", authenticator: key,
			body: func(t *testing.T, c credential) string { return jsonText(t, plain(jsonMap{})(t, c)) }}, // double-encoded (WC-16)
		{name: "OneSpan", version: "beta", options: "creationOptions?challengeTimeoutInMinutes=15", minutes: 15, user: byID, list: "fido2Methods", origin: "https://id.contoso.test", authenticator: key, body: plain(jsonMap{})},
		{name: "New-KeyVaultPasskey.ps1", version: "beta", options: "creationOptions(challengeTimeoutInMinutes=10)", minutes: 10, user: byID, list: "fido2Methods", origin: "https://id.contoso.test",
			header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: plain(jsonMap{}),
			authenticator: func(a *cardeatest.Authenticator) { // flags 0x5D, zero AAGUID, client data without crossOrigin
				a.EditClientData = func(m map[string]any) { delete(m, "crossOrigin") }
			}, want: jsonMap{"passkeyType": "synced", "aaGuid": "00000000-0000-0000-0000-000000000000", "model": nil}},
		{name: "YubiEnroll", version: "v1.0", options: "creationOptions", minutes: 5, user: byID, list: "fido2Methods", origin: "https://id.contoso.test", authenticator: key, body: plain(jsonMap{})},
		{name: "kiota", version: "beta", options: "creationOptions(challengeTimeoutInMinutes=@challengeTimeoutInMinutes)?challengeTimeoutInMinutes=20", minutes: 20, user: byID, list: "fido2Methods",
			header: http.Header{"SdkVersion": {"graph-go/1.89.0"}}, origin: "https://id.contoso.test", authenticator: key, body: func(t *testing.T, c credential) string {
				return jsonText(t, jsonMap{"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "displayName": "kiota", "aaGuid": nil, "attestationLevel": nil, "publicKeyCredential": jsonMap{
					"@odata.type": "#microsoft.graph.webauthnPublicKeyCredential", "id": bare(c.id), "clientExtensionResults": jsonMap{"@odata.type": "#microsoft.graph.webauthnAuthenticationExtensionsClientOutputs"},
					"response": jsonMap{"@odata.type": "#microsoft.graph.webauthnAuthenticatorAttestationResponse", "clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object)}}})
			}, want: jsonMap{"displayName": "kiota"}},
		{name: "Veridium", version: "beta", options: "creationoptions?slice=Test", minutes: 5, user: byID, list: "fido2methods", origin: "https://id.contoso.test", authenticator: key,
			body: func(t *testing.T, c credential) string {
				return jsonText(t, jsonMap{"displayName": "Veridium", "publicKeyCredential": jsonMap{"id": urlToken(c.id), "clientExtensionResults": nil,
					"response": jsonMap{"clientDataJSON": urlToken(c.clientData), "attestationObject": urlToken(c.object)}}})
			}},
		{name: "a client that pads", version: "v1.0", options: "microsoft.graph.creationOptions%28%29", minutes: 5, user: byUPN, list: "fido2Methods", origin: "https://id.contoso.test", authenticator: key,
			body: func(t *testing.T, c credential) string {
				return jsonText(t, jsonMap{"publicKeyCredential": jsonMap{"id": base64.URLEncoding.EncodeToString(c.id), "response": jsonMap{
					"clientDataJSON": base64.URLEncoding.EncodeToString(c.clientData), "attestationObject": base64.URLEncoding.EncodeToString(c.object)}}})
			}, want: jsonMap{"displayName": "Passkey"}},
	}
}

// TestProvisioningTools sends the requests of each tool as it writes them, with
// an application's token, and reads the answer as it does (WC-56 … WC-66,
// PK-134 … PK-136, PK-139).
func TestProvisioningTools_WC56_WC66(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		seen := []string{}
		for _, c := range tools(t) {
			t.Run(c.name, func(t *testing.T) {
				list := "/" + c.version + "/users/" + c.user(w) + "/authentication/" + c.list
				h := c.header.Clone()
				if h == nil {
					h = http.Header{}
				}
				rec := w.request("GET", list+"/"+c.options, "robot", nil, h)
				var o struct {
					Until     time.Time `json:"challengeTimeoutDateTime"`
					PublicKey json.RawMessage
				}
				if err := json.Unmarshal(rec.Body.Bytes(), &o); err != nil || rec.Code != 200 {
					t.Fatalf("%d %s", rec.Code, rec.Body)
				}
				if got := o.Until.Sub(w.now); got != time.Duration(c.minutes*float64(time.Minute)) {
					t.Errorf("PK-49: %s", got)
				}
				readAsTools(t, o.PublicKey, seen)
				a := cardeatest.NewAuthenticator(c.authenticator)
				if h.Get("Content-Type") == "" {
					h.Set("Content-Type", "application/json")
				}
				cred := made(t, a, o.PublicKey, c.origin)
				rec = w.request("POST", list, "robot", []byte(c.body(t, cred)), h)
				var m map[string]any
				if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil || rec.Code != 201 {
					t.Fatalf("%d %s", rec.Code, rec.Body)
				}
				if m["id"] != urlToken(cred.id) { // PK-125, WC-66
					t.Errorf("id %v, want %s", m["id"], urlToken(cred.id))
				}
				for name, want := range c.want {
					if m[name] != want {
						t.Errorf("%s is %v, want %v", name, m[name], want)
					}
				}
				guid, _ := m["aaGuid"].(string)
				if _, ok := m["attestationCertificates"].([]any); !ok || guid != strings.ToLower(guid) || m["@odata.type"] != "#microsoft.graph.fido2AuthenticationMethod" {
					t.Errorf("WC-65: %v", m)
				}
				seen = append(seen, bare(cred.id))
			})
		}
		// PK-135: what is excluded is base64url without padding, all of it.
		opts, _ := w.options("/beta/users/"+w.ids["ada"]+"/authentication/fido2Methods/creationOptions", "robot")
		readAsTools(t, opts, seen)
	})
}

// readAsTools decodes options as strictly as the strictest tool does (WC-58 …
// WC-60, WC-83, PK-101, PK-135, PK-136); excluded are the ids that must be there.
func readAsTools(t *testing.T, options []byte, excluded []string) {
	t.Helper()
	var o struct {
		RP               *struct{ ID, Name string }
		User             *struct{ ID, Name, DisplayName string }
		Challenge        string
		PubKeyCredParams []struct {
			Type string
			Alg  int32
		}
		Timeout            *int32
		ExcludeCredentials []struct {
			ID, Type   string
			Transports []string
		}
		AuthenticatorSelection struct {
			AuthenticatorAttachment, UserVerification string
			RequireResidentKey                        *bool
		}
		Attestation string
		Extensions  struct {
			HmacCreateSecret, EnforceCredentialProtectionPolicy *bool
			CredentialProtectionPolicy                          string
		}
	}
	strict := json.NewDecoder(bytes.NewReader(options))
	strict.DisallowUnknownFields() // PK-104: the Graph type has no more
	if err := strict.Decode(&o); err != nil {
		t.Fatal(err)
	}
	if _, err := base64.StdEncoding.DecodeString(o.Challenge); err != nil {
		t.Errorf("WC-58: entraYK cannot read the challenge: %v", err)
	}
	if handle, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(o.User.ID)); err != nil || len(handle) != 51 {
		t.Errorf("WC-59: entraYK cannot read user.id: %v", err)
	}
	if len(o.PubKeyCredParams) != 2 || o.PubKeyCredParams[0].Alg != -7 || o.PubKeyCredParams[1].Alg != -257 || o.PubKeyCredParams[0].Type != "public-key" ||
		o.Timeout == nil || *o.Timeout < 0 || o.RP.ID != "id.contoso.test" || o.RP.Name == "" || o.User.Name == "" || o.User.DisplayName == "" ||
		o.AuthenticatorSelection.RequireResidentKey == nil || o.AuthenticatorSelection.UserVerification != "required" || o.AuthenticatorSelection.AuthenticatorAttachment != "cross-platform" ||
		o.Attestation != "direct" || o.Extensions.HmacCreateSecret == nil || o.Extensions.EnforceCredentialProtectionPolicy == nil || o.Extensions.CredentialProtectionPolicy != "userVerificationOptional" {
		t.Errorf("WC-60: %s", options)
	}
	if !bytes.Contains(options, []byte(`"excludeCredentials":[`)) || len(o.ExcludeCredentials) != len(excluded) {
		t.Fatalf("%d excluded, want %d: %s", len(o.ExcludeCredentials), len(excluded), options)
	}
	for i, e := range o.ExcludeCredentials {
		if e.ID != excluded[i] || e.Type != "public-key" || e.Transports == nil {
			t.Errorf("PK-135, PK-136: %+v, want %s", e, excluded[i])
		}
	}
}

// TestYubicoScript is the whole conversation of the sample script: a bare token,
// the group by name, its members, old keys deleted, one new key each.
func TestYubicoScript_WC17(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		group := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Group Name", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true, "members@odata.bind": ["/directoryObjects/`+w.ids["ada"]+`", "/directoryObjects/`+w.ids["guest"]+`"]}`)["id"].(string)
		old := w.provision("ada", "robot")
		call := func(method, target, body string, want int) map[string]any {
			t.Helper()
			rec := w.request(method, target, "none", []byte(body), http.Header{"Authorization": {w.token("robot")}, "Content-Type": {"application/json"}})
			if rec.Code != want {
				t.Fatalf("%s %s: %d %s", method, target, rec.Code, rec.Body)
			}
			var out map[string]any
			if rec.Body.Len() > 0 && json.Unmarshal(rec.Body.Bytes(), &out) != nil {
				t.Fatalf("%s", rec.Body)
			}
			return out
		}
		found := call("GET", "/beta/groups/?%24filter=displayName+eq+%27Group+Name%27", "", 200)["value"].([]any)
		if len(found) != 1 || found[0].(map[string]any)["id"] != group {
			t.Fatalf("%v", found)
		}
		people := call("GET", "/beta/groups/"+group+"/members?%24select=id%2CuserPrincipalName", "", 200)["value"].([]any)
		if len(people) != 2 {
			t.Fatalf("%v", people)
		}
		for _, p := range people {
			p := p.(map[string]any)
			list := "/beta/users/" + p["id"].(string) + "/authentication/fido2Methods"
			for _, m := range call("GET", list, "", 200)["value"].([]any) {
				call("DELETE", list+"/"+m.(map[string]any)["id"].(string), "", 204)
			}
			o := call("GET", list+"/creationOptions?challengeTimeoutInMinutes=60", "", 200)["publicKey"]
			c := made(t, cardeatest.NewAuthenticator(cardeatest.SecurityKey([16]byte{1})), []byte(jsonText(t, o)), "https://id.contoso.test")
			call("POST", "/beta/users/"+url.PathEscape(p["userPrincipalName"].(string))+"/authentication/fido2Methods", jsonText(t, jsonMap{"displayName": "YubiKey",
				"publicKeyCredential": jsonMap{"id": bare(c.id), "response": jsonMap{"clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object)}, "clientExtensionResults": nil}}), 201)
		}
		call("GET", "/beta/users/"+w.ids["ada"]+"/authentication/fido2Methods/"+old, "", 404)
	})
}

// TestFixtures: options of a real Entra tenant are ones our software
// authenticator understands, and each spelling of a credential id in them is one
// that POST understands (WC-61).
func TestFixtures_WC61(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		list := "/v1.0/users/" + w.ids["ada"] + "/authentication/fido2Methods"
		for _, file := range []string{"entra-creationOptions-2024-06.json", "entra-publicKey-3alg-urltoken-ids.json"} {
			text, err := os.ReadFile("testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			var whole struct {
				PublicKey json.RawMessage `json:"publicKey"`
			}
			if err := json.Unmarshal(text, &whole); err != nil {
				t.Fatal(err)
			}
			if whole.PublicKey == nil {
				whole.PublicKey = text
			}
			var o struct{ ExcludeCredentials []struct{ ID string } }
			if err := json.Unmarshal(whole.PublicKey, &o); err != nil || len(o.ExcludeCredentials) == 0 {
				t.Fatalf("%s: %v", file, err)
			}
			if made(t, cardeatest.NewAuthenticator(), whole.PublicKey, "https://login.microsoft.com"); t.Failed() {
				t.Fatal(file)
			}
			for _, e := range o.ExcludeCredentials {
				text := strings.NewReplacer("+", "-", "/", "_").Replace(e.ID)
				if trimmed := strings.TrimRight(text, "="); trimmed != text {
					text = trimmed
				} else {
					text = text[:len(text)-1] // the digit
				}
				id, err := base64.RawURLEncoding.DecodeString(text)
				if err != nil || !(strings.HasSuffix(e.ID, "=") || e.ID == urlToken(id)) {
					t.Fatalf("%s: the test cannot read %s", file, e.ID)
				}
				opts, _ := w.options(list+"/creationOptions", "robot")
				c := made(t, cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.CredentialID = id }), opts, "https://id.contoso.test")
				m := w.do(201, "POST", list, "robot", jsonText(t, jsonMap{"publicKeyCredential": jsonMap{"id": e.ID, "response": jsonMap{"clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object)}}}))
				if m["id"] != passkey.MethodID(id) {
					t.Errorf("%s: %s became %v", file, e.ID, m["id"])
				}
				w.do(204, "DELETE", list+"/"+m["id"].(string), "robot", "")
			}
		}
	})
}

// TestOptionsDaysAhead: options for people today, keys in thirty days; nothing is
// kept meanwhile, and each registration stands alone (PK-107, PK-141, PK-142).
func TestOptionsDaysAhead_PK141_PK142(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		count := func(table string) (n int) {
			if err := d.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		people := []string{"ada", "guest", "reader"}
		options := map[string][]byte{}
		spent, audits := count("spent_challenges"), count("directory_audits")
		for _, who := range people {
			options[who], _ = w.options("/beta/users/"+w.ids[who]+"/authentication/fido2Methods/creationOptions?challengeTimeoutInMinutes=43200", "robot")
		}
		if count("spent_challenges") != spent || count("directory_audits") != audits+len(people) || count("passkeys") != 0 {
			t.Error("PK-137, PK-142: options left something behind")
		}
		w.now = w.now.Add(30*24*time.Hour - time.Minute)
		for i, who := range people {
			list := "/beta/users/" + w.ids[who] + "/authentication/fido2Methods"
			first := provisioned(t, cardeatest.NewAuthenticator(), options[who], "one")
			if i == 1 { // one goes wrong; the others do not care
				w.do(400, "POST", list, "robot", strings.Replace(first, `"attestationObject":"`, `"attestationObject":"AA`, 1))
			}
			w.do(201, "POST", list, "robot", first)
			w.do(201, "POST", list, "robot", provisioned(t, cardeatest.NewAuthenticator(), options[who], "two"))
		}
		if n := count("passkeys"); n != 2*len(people) {
			t.Errorf("PK-141: %d passkeys", n)
		}
		w.now = w.now.Add(2 * time.Minute)
		if code := reasonOf(w.do(400, "POST", "/beta/users/"+w.ids["ada"]+"/authentication/fido2Methods", "robot", provisioned(t, cardeatest.NewAuthenticator(), options["ada"], "late"))); code != "challengeExpired" {
			t.Errorf("PK-108: %s", code)
		}
	})
}

// TestProvisioningInABatch: options for several people in one call, then their
// keys in another; one that fails stops none of the others (PK-141, DO-57).
func TestProvisioningInABatch_PK141(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		people := []string{"ada", "guest", "reader"}
		requests := func(each func(who string) jsonMap) string {
			list := []jsonMap{}
			for _, who := range people {
				r := each(who)
				r["id"] = who
				list = append(list, r)
			}
			return jsonText(t, jsonMap{"requests": list})
		}
		path := func(who string) string { return "/users/" + w.ids[who] + "/authentication/fido2Methods" }
		status, options := w.batch("robot", requests(func(who string) jsonMap {
			return jsonMap{"method": "GET", "url": path(who) + "/creationOptions(challengeTimeoutInMinutes=60)"}
		}))
		if status != 200 || len(options) != len(people) {
			t.Fatalf("%d %v", status, options)
		}
		_, answers := w.batch("robot", requests(func(who string) jsonMap {
			var o struct{ PublicKey json.RawMessage }
			if err := json.Unmarshal(options[who].Body, &o); err != nil || options[who].Status != 200 {
				t.Fatalf("%s: %d %s", who, options[who].Status, options[who].Body)
			}
			c := made(t, cardeatest.NewAuthenticator(), o.PublicKey, "https://id.contoso.test")
			if who == "guest" {
				c.clientData[len(c.clientData)-1] = ']'
			}
			return jsonMap{"method": "POST", "url": path(who), "headers": jsonMap{"Content-Type": "application/json"}, "body": jsonMap{"displayName": "Key of " + who,
				"publicKeyCredential": jsonMap{"id": bare(c.id), "response": jsonMap{"clientDataJSON": bare(c.clientData), "attestationObject": bare(c.object)}}}}
		}))
		for _, who := range people {
			want := map[string]int{"ada": 201, "guest": 400, "reader": 201}[who]
			if answers[who].Status != want {
				t.Errorf("%s: %d %s", who, answers[who].Status, answers[who].Body)
			}
			n := w.do(200, "GET", "/v1.0"+path(who), "reader", "")["value"].([]any)
			if len(n) != map[bool]int{true: 1, false: 0}[want == 201] {
				t.Errorf("%s has %d passkeys", who, len(n))
			}
		}
	})
}
