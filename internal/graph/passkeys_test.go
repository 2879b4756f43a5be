package graph

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/passkey"
)

// options asks for creation options and returns the publicKey member, and the
// whole answer.
func (w *world) options(target, who string) (publicKey []byte, whole map[string]any) {
	w.t.Helper()
	whole = w.do(200, "GET", target, who, "")
	raw, err := json.Marshal(whole["publicKey"])
	if err != nil {
		w.t.Fatal(err)
	}
	return raw, whole
}

// provisioned turns the answer of an authenticator into the body of POST.
func provisioned(t testing.TB, a *cardeatest.Authenticator, options []byte, name string) string {
	t.Helper()
	raw, err := a.Create(options, "https://id.contoso.test")
	if err != nil {
		t.Fatal(err)
	}
	var credential struct {
		ID       string
		Response struct{ ClientDataJSON, AttestationObject string }
	}
	if err := json.Unmarshal(raw, &credential); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "displayName": name,
		"publicKeyCredential": map[string]any{"id": credential.ID, "clientExtensionResults": nil, "response": map[string]any{
			"clientDataJSON": credential.Response.ClientDataJSON, "attestationObject": credential.Response.AttestationObject}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// provision registers a new passkey for somebody.
func (w *world) provision(who, by string) (id string) {
	w.t.Helper()
	list := "/v1.0/users/" + w.ids[who] + "/authentication/fido2Methods"
	opts, _ := w.options(list+"/creationOptions", by)
	m := w.do(201, "POST", list, by, provisioned(w.t, cardeatest.NewAuthenticator(), opts, who+"'s key"))
	id, _ = m["id"].(string)
	return id
}

// TestCreationOptionsSpellings: PK-134, WC-56, PK-49. Each spelling answers,
// on both versions, and the timeout is the one that was asked for.
func TestCreationOptionsSpellings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, version := range []string{"/v1.0", "/beta"} {
			for spelling, minutes := range map[string]float64{
				"creationOptions":   5,
				"creationOptions()": 5,
				"creationoptions/":  5,
				"creationOptions?challengeTimeoutInMinutes=7.5":                                                     7.5,
				"creationOptions(challengeTimeoutInMinutes=43200)":                                                  43200,
				"creationOptions%28challengeTimeoutInMinutes=10%29":                                                 10,
				"creationOptions(challengeTimeoutInMinutes=@x)?@x=15":                                               15,
				"creationOptions(challengeTimeoutInMinutes=@x)?%40x=15":                                             15,
				"microsoft.graph.creationOptions(challengeTimeoutInMinutes=6)":                                      6,
				"graph.creationOptions":                                                                             5,
				"creationOptions(challengeTimeoutInMinutes=@challengeTimeoutInMinutes)":                             5,
				"creationOptions(challengeTimeoutInMinutes=@challengeTimeoutInMinutes)?challengeTimeoutInMinutes=9": 9,
			} {
				_, o := w.options(version+"/Users('ADA%40contoso.test')/authentication/FIDO2methods/"+spelling, "robot")
				until, err := time.Parse(time.RFC3339, o["challengeTimeoutDateTime"].(string))
				if err != nil || until.Sub(w.now) != time.Duration(minutes*float64(time.Minute)) {
					t.Errorf("%s %s: until %v (%v), asked at %v for %v minutes", version, spelling, until, err, w.now, minutes)
				}
			}
			for _, bad := range []string{"4", "43201", "x", "NaN", "-1"} {
				w.do(400, "GET", version+"/users/"+w.ids["ada"]+"/authentication/fido2Methods/creationOptions?challengeTimeoutInMinutes="+bad, "robot", "")
			}
		}
	})
}

// TestCreationOptionsShape: PK §7.3, PK-101, PK-104, PK-107, WC-57 … WC-60.
func TestCreationOptionsShape(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		list := "/beta/users/" + w.ids["ada"] + "/authentication/fido2Methods"
		raw, o := w.options(list+"/creationOptions", "authadmin")
		if o["@odata.context"] != "https://id.contoso.test/beta/$metadata#microsoft.graph.webauthnCredentialCreationOptions" {
			t.Errorf("@odata.context is %v", o["@odata.context"])
		}
		var pk struct {
			Challenge              string
			User                   struct{ ID string }
			PubKeyCredParams       []struct{ Alg int }
			AuthenticatorSelection map[string]any
			ExcludeCredentials     []any
		}
		if err := json.Unmarshal(raw, &pk); err != nil {
			t.Fatal(err)
		}
		if strings.Trim(pk.Challenge, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" || len(pk.Challenge)%4 != 0 {
			t.Errorf("WC-58: the challenge is %q", pk.Challenge)
		}
		if id, err := base64.RawURLEncoding.DecodeString(pk.User.ID); err != nil || len(id) != 51 {
			t.Errorf("WC-59: user.id has %d bytes", len(id))
		}
		if len(pk.PubKeyCredParams) != 2 || pk.PubKeyCredParams[0].Alg != -7 || pk.PubKeyCredParams[1].Alg != -257 {
			t.Errorf("PK-101: algorithms %v", pk.PubKeyCredParams)
		}
		if _, ok := pk.AuthenticatorSelection["residentKey"]; ok {
			t.Error("PK-104: residentKey is no member of Graph's type")
		}
		if pk.ExcludeCredentials == nil {
			t.Error("excludeCredentials is missing")
		}
		// PK-107: two passkeys from one answer.
		w.do(201, "POST", list, "authadmin", provisioned(t, cardeatest.NewAuthenticator(), raw, "one"))
		second := provisioned(t, cardeatest.NewAuthenticator(), raw, "two")
		w.do(201, "POST", list, "authadmin", second)
		conflict := w.do(409, "POST", list, "authadmin", second)
		if code := reasonOf(conflict); code != "credentialAlreadyRegistered" {
			t.Errorf("PK-109: %s", code)
		}
		// PK-108: the challenge of one person is none for another.
		if code := reasonOf(w.do(400, "POST", "/v1.0/users/"+w.ids["guest"]+"/authentication/fido2Methods", "robot", provisioned(t, cardeatest.NewAuthenticator(), raw, "x"))); code != "verificationFailed" {
			t.Errorf("PK-108: %s", code)
		}
		late := provisioned(t, cardeatest.NewAuthenticator(), raw, "late")
		w.now = w.now.Add(6 * time.Minute)
		if code := reasonOf(w.do(400, "POST", list, "authadmin", late)); code != "challengeExpired" {
			t.Errorf("PK-108: %s", code)
		}
	})
}

func reasonOf(body map[string]any) string {
	e, _ := body["error"].(map[string]any)
	inner, _ := e["innerError"].(map[string]any)
	code, _ := inner["code"].(string)
	return code
}

// TestPasskeysOfAPerson: PK-125 … PK-128, PK-131, WC-65, WC-66.
func TestPasskeysOfAPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		list := "/v1.0/users/" + w.ids["ada"] + "/authentication/fido2Methods"
		id := w.provision("ada", "authadmin")
		one := w.do(200, "GET", list+"/"+url.PathEscape(id), "reader", "")
		for name, want := range map[string]any{"displayName": "ada's key", "@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "lastUsedDateTime": nil, "id": id} {
			if one[name] != want {
				t.Errorf("%s is %v, want %v", name, one[name], want)
			}
		}
		if _, ok := one["attestationCertificates"].([]any); !ok {
			t.Error("WC-65: attestationCertificates is no list")
		}
		if _, ok := one["publicKeyCredential"]; ok {
			t.Error("publicKeyCredential is write-only")
		}
		bare := w.do(200, "GET", list+"/"+url.PathEscape(id[:len(id)-1]), "reader", "")
		if bare["id"] != id {
			t.Errorf("PK-126: without the digit: %v", bare["id"])
		}
		if all := w.do(200, "GET", "/v1.0/users/"+w.ids["ada"]+"/authentication/methods", "ada", ""); len(all["value"].([]any)) != 1 {
			t.Errorf("PK-127: %v", all)
		}
		w.do(204, "PATCH", list+"/"+id, "authadmin", `{"displayName": "Work key"}`)
		if code := reasonOf(w.do(400, "PATCH", list+"/"+id, "authadmin", `{"displayName": "x", "aaGuid": "y"}`)); code != "badRequest" {
			t.Errorf("PK-131: %s", code)
		}
		w.do(400, "PATCH", list+"/"+id, "authadmin", `{"displayName": "`+strings.Repeat("x", 31)+`"}`)
		if got := w.do(200, "GET", list, "ada", ""); got["value"].([]any)[0].(map[string]any)["displayName"] != "Work key" {
			t.Errorf("PK-131: %v", got)
		}
		w.do(403, "GET", list, "guest", "")
		w.do(403, "GET", list+"/creationOptions", "reader", "")
		w.do(403, "GET", "/v1.0/users/"+w.ids["reader"]+"/authentication/fido2Methods/creationOptions", "authadmin", "") // PK-128
		w.do(403, "DELETE", list+"/"+id, "reader", "")
		w.do(204, "DELETE", list+"/"+id, "authadmin", "")
		if code := reasonOf(w.do(404, "GET", list+"/"+id, "reader", "")); code != "keyNotFound" {
			t.Errorf("keyNotFound: %s", code)
		}
	})
}

// TestOwnCallsNeedAFreshSignIn: PK-129, PK-130, PK-48.
func TestOwnCallsNeedAFreshSignIn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		call := func(age time.Duration, methods []string, target string) (int, http.Header, string) {
			w.now = w.now.Add(time.Second)
			token, err := w.ring.Sign("ES256", map[string]any{"aud": Audience, "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(), "appid": application.CLIAppID,
				"idtyp": "user", "oid": w.ids["admin"], "scp": "UserAuthMethod-Passkey.ReadWrite UserAuthMethod-Passkey.ReadWrite.All", "amr": methods, "auth_time": w.now.Add(-age).Unix()}, w.now)
			if err != nil {
				t.Fatal(err)
			}
			rec := w.request("GET", target, "none", nil, http.Header{"Authorization": {token}})
			var body map[string]any
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			return rec.Code, rec.Header(), reasonOf(body)
		}
		for _, target := range []string{"/v1.0/me/authentication/fido2Methods/creationOptions", "/beta/users/" + w.ids["admin"] + "/authentication/fido2Methods/creationOptions"} {
			if status, _, code := call(9*time.Minute, []string{"fido", "mfa"}, target); status != 200 {
				t.Errorf("%s after 9 minutes: %d %s", target, status, code)
			}
			for name, refused := range map[string]struct {
				age     time.Duration
				methods []string
			}{"after 11 minutes": {11 * time.Minute, []string{"fido", "mfa"}}, "with a password only": {time.Minute, []string{"pwd"}}} {
				status, h, code := call(refused.age, refused.methods, target)
				if status != 401 || code != "ngcMfaRequired" || !strings.Contains(h.Get("WWW-Authenticate"), `error="insufficient_claims", claims="`) {
					t.Errorf("%s %s: %d %s %s", target, name, status, code, h.Get("WWW-Authenticate"))
				}
			}
		}
	})
}

// TestLastAdministratorStays: DO-18, PK-42, PK-132.
func TestLastAdministratorStays(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id := w.provision("admin", "robot")
		me := "/v1.0/users/" + w.ids["admin"]
		for _, c := range []struct{ method, target, body string }{
			{"PATCH", me, `{"accountEnabled": false}`},
			{"DELETE", me, ``},
			{"DELETE", me + "/authentication/fido2Methods/" + id, ``},
			{"DELETE", "/v1.0/directoryRoles/62e90394-69f5-4237-9190-012177145e10/members/" + w.ids["admin"] + "/$ref", ``},
			{"PATCH", "/v1.0" + configsPath + "/fido2", `{"state": "disabled"}`},
		} {
			if code := reasonOf(w.do(400, c.method, c.target, "robot", c.body)); code != "wouldLockOutAdministrators" {
				t.Errorf("%s %s: %s", c.method, c.target, code)
			}
		}
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2?cardea.force=true", "robot", `{"state": "disabled"}`)
	})
}

// TestPreviewSaysWhatHappens: PK-37, PK-38, PK-41, PK-64, PK-65.
func TestPreviewSaysWhatHappens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id := w.provision("ada", "authadmin")
		key := w.do(200, "GET", "/v1.0/me/authentication/fido2Methods/"+id, "ada", "")
		other := map[string]string{"synced": "deviceBound", "deviceBound": "synced"}[key["passkeyType"].(string)]
		body := `{"passkeyProfiles": [{"id": "` + passkey.DefaultProfileID + `", "name": "Default passkey profile", "passkeyTypes": "` + other + `",
			"attestationEnforcement": "disabled", "keyRestrictions": {"isEnforced": false, "enforcementType": "block", "aaGuids": []}}]}`
		preview := "/v1.0" + configsPath + "/Fido2/cardea.previewChange"
		before := w.do(200, "GET", "/v1.0"+configsPath+"/fido2", "policyadmin", "")
		o := w.do(200, "POST", preview, "policyadmin", body)
		if n := o["passkeys"].(map[string]any)["stopWorking"]; n != 1.0 {
			t.Errorf("PK-37: %v passkeys stop working, want 1", n)
		}
		if affected := o["affected"].([]any); len(affected) != 1 || affected[0].(map[string]any)["methodId"] != id {
			t.Errorf("PK-38: affected %v", affected)
		}
		if after := w.do(200, "GET", "/v1.0"+configsPath+"/fido2", "policyadmin", ""); before["isAttestationEnforced"] != after["isAttestationEnforced"] || len(after["passkeyProfiles"].([]any)) != 1 {
			t.Error("the preview changed something")
		}
		rec := w.request("POST", preview, "policyadmin", []byte(body), http.Header{"Accept": {"text/csv"}})
		if lines := strings.Split(strings.TrimSpace(rec.Body.String()), "\n"); rec.Code != 200 || len(lines) != 2 || !strings.Contains(lines[1], "ada@contoso.test") || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/csv") {
			t.Errorf("PK-38: CSV %d %s", rec.Code, rec.Body)
		}
		bad := strings.Replace(body, other, "sinced", 1)
		if p, q := w.do(400, "POST", preview, "policyadmin", bad), w.do(400, "PATCH", "/v1.0"+configsPath+"/fido2", "policyadmin", bad); reasonOf(p) != reasonOf(q) {
			t.Errorf("PK-41: preview %s, change %s", reasonOf(p), reasonOf(q))
		}
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2", "policyadmin", body)
		effective := w.do(200, "GET", "/v1.0/me/authentication/fido2Methods/cardea.effectivePolicy", "ada", "")
		m := effective["methods"].([]any)[0].(map[string]any)
		if effective["state"] != "applies" || m["allowed"] != false || m["reasons"].([]any)[0].(map[string]any)["code"] != "passkeyTypeNotAllowed" {
			t.Errorf("PK-64, PK-65: %v", effective)
		}
	})
}

// TestPreparedPasskey: registered as disabled, shown, not usable in a count of
// methods, activated by an administrator and not by the owner without using it
// (issue 3; DO-49 … DO-51).
func TestPreparedPasskey_DO49_DO51(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		list := "/v1.0/users/" + w.ids["ada"] + "/authentication/fido2Methods"
		opts, _ := w.options(list+"/creationOptions", "authadmin")
		body := provisioned(t, cardeatest.NewAuthenticator(), opts, "Blue key")
		with := func(cardea string) string { return strings.TrimSuffix(body, "}") + `, "cardea": ` + cardea + `}` }
		for cardea, target := range map[string]string{`{"state": "sleeping"}`: "/cardea/state", `{"state": 1}`: "/cardea/state", `{"more": 1}`: "/cardea/more", `"disabled"`: "/cardea"} {
			e := w.do(400, "POST", list, "authadmin", with(cardea))["error"].(map[string]any)
			if e["details"].([]any)[0].(map[string]any)["target"] != target {
				t.Errorf("DO-51, DO-67: %s: %v", cardea, e)
			}
		}
		m := w.do(201, "POST", list, "authadmin", with(`{"state": "disabled"}`))
		if state := m["cardea"].(map[string]any)["state"]; state != "disabled" {
			t.Errorf("state %v", state)
		}
		one := list + "/" + m["id"].(string)
		effective := w.do(200, "GET", list+"/cardea.effectivePolicy", "reader", "")["methods"].([]any)[0].(map[string]any)
		if effective["allowed"] != false || effective["state"] != "passkeyDisabled" {
			t.Errorf("PK-65: %v", effective)
		}
		w.do(403, "PATCH", one, "ada", `{"cardea": {"state": "enabled"}}`)
		w.do(204, "PATCH", one, "authadmin", `{"displayName": "Green key"}`)
		if got := w.do(200, "GET", one, "reader", ""); got["displayName"] != "Green key" || got["cardea"].(map[string]any)["state"] != "disabled" {
			t.Errorf("%v", got)
		}
		w.do(204, "PATCH", one, "authadmin", `{"cardea": {"state": "enabled"}}`)
		if code := reasonOf(w.do(400, "PATCH", one, "authadmin", `{"cardea": {"state": "disabled"}}`)); code != "passkeyActive" {
			t.Error(code)
		}
		if got := w.do(200, "GET", list, "reader", "")["value"].([]any)[0].(map[string]any); got["cardea"].(map[string]any)["state"] != "enabled" {
			t.Errorf("%v", got)
		}
	})
}
