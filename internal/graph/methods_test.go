package graph

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/password"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// enter tries a password on the sign-in.
func (w *world) enter(who, secret string) error {
	w.t.Helper()
	_, err := password.SignIn(w.t.Context(), w.d, throttle.NewHasher(throttle.Cost{Memory: 64, Passes: 1, Threads: 1}, 2),
		session.Claim{UserName: who + "@contoso.test", Secret: secret, At: w.now, Situation: session.Situation{IP: "192.0.2.1"}})
	return err
}

// TestResetPassword: 202, an address, and a password that works; without one in
// the body it is made up and told once. Nobody resets their own, or that of
// somebody out of reach (DO-3, DO-21).
func TestResetPassword_DO21(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ada := "/v1.0/users/" + w.ids["ada"] + "/authentication"
		reset := "/passwordMethods/" + passwordMethodID + "/resetPassword"
		if code := reasonOf(w.do(400, "POST", ada+reset, "authadmin", "")); code != "methodDisabled" {
			t.Errorf("no passwords here: %s", code)
		}
		w.do(204, "PATCH", "/v1.0"+configsPath+"/password", "policyadmin", `{"state": "enabled"}`)
		for _, body := range []string{``, `{}`, `{"newPassword": ""}`, `{"newPassword": null}`} {
			rec := w.request("POST", strings.Replace(ada, "v1.0", "beta", 1)+"/methods/"+strings.ToUpper(passwordMethodID)+"/resetPassword", "authadmin", []byte(body), nil)
			var out struct{ NewPassword string }
			if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != 202 || len(out.NewPassword) != 19 {
				t.Fatalf("%s: %d %s", body, rec.Code, rec.Body)
			}
			if err := w.enter("ada", out.NewPassword); err != nil {
				t.Error(err)
			}
			location := rec.Header().Get("Location")
			if !strings.HasPrefix(location, "https://id.contoso.test/beta/users/"+w.ids["ada"]+"/authentication/operations/") {
				t.Fatalf("Location %q", location)
			}
			target := strings.TrimPrefix(location, "https://id.contoso.test")
			if op := w.do(200, "GET", target, "authadmin", ""); op["status"] != "succeeded" || strings.Contains(rec.Header().Get("Location"), out.NewPassword) {
				t.Errorf("%v", op)
			}
			w.do(404, "GET", strings.Replace(target, w.ids["ada"], w.ids["guest"], 1), "authadmin", "")
			w.do(404, "GET", target+"A", "authadmin", "")
		}
		rec := w.request("POST", ada+reset, "robot", []byte(`{"@odata.type": "#x", "newPassword": "lantern harbour violet"}`), nil)
		if rec.Code != 202 || strings.Contains(rec.Body.String(), "lantern") || w.enter("ada", "lantern harbour violet") != nil {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		for body, want := range map[string]string{`{"newPassword": "short"}`: "passwordTooShort", `{"newPassword": 5}`: "badRequest", `[`: "badRequest"} {
			if code := reasonOf(w.do(400, "POST", ada+reset, "robot", body)); code != want {
				t.Errorf("%s: %s", body, code)
			}
		}
		if err := w.enter("ada", "lantern harbour violet"); err != nil {
			t.Errorf("a refused reset changed the password: %v", err)
		}
		w.do(404, "POST", ada+"/methods/11111111-1111-4111-8111-111111111111/resetPassword", "robot", "")
		w.do(400, "POST", "/v1.0/me/authentication"+reset, "authadmin", "")
		w.do(403, "POST", "/v1.0/users/"+w.ids["reader"]+"/authentication"+reset, "authadmin", "")
		w.do(403, "POST", ada+reset, "useradmin", "")
		one := w.do(200, "GET", ada+"/passwordMethods/"+passwordMethodID, "reader", "")
		if one["id"] != passwordMethodID || one["password"] != nil || one["@odata.type"] != "#microsoft.graph.passwordAuthenticationMethod" {
			t.Errorf("%v", one)
		}
		if list := w.do(200, "GET", ada+"/passwordMethods", "reader", "")["value"].([]any); len(list) != 1 {
			t.Errorf("%v", list)
		}
		w.do(404, "GET", "/v1.0/users/"+w.ids["guest"]+"/authentication/passwordMethods/"+passwordMethodID, "reader", "")
	})
}

// TestEveryMethod: PK-127, each with its type, one by one, and counted; kinds
// that Cardea does not have are empty lists, because tools ask for all.
func TestEveryMethod_PK127(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/password", "policyadmin", `{"state": "enabled"}`)
		ada := "/v1.0/users/" + w.ids["ada"] + "/authentication"
		w.do(202, "POST", ada+"/passwordMethods/"+passwordMethodID+"/resetPassword", "robot", "")
		w.do(201, "POST", ada+"/temporaryAccessPassMethods", "authadmin", "{}")
		key := w.provision("ada", "robot")
		list := w.do(200, "GET", ada+"/methods", "ada", "")["value"].([]any)
		var types []string
		for _, m := range list {
			m := m.(map[string]any)
			types = append(types, strings.TrimSuffix(strings.TrimPrefix(m["@odata.type"].(string), "#microsoft.graph."), "AuthenticationMethod"))
			one := w.do(200, "GET", ada+"/methods/"+url.PathEscape(m["id"].(string)), "reader", "")
			if one["@odata.type"] != m["@odata.type"] || one["id"] != m["id"] {
				t.Errorf("%v is %v", m, one)
			}
		}
		if strings.Join(types, " ") != "password temporaryAccessPass fido2" {
			t.Errorf("%v", types)
		}
		if one := w.do(200, "GET", ada+"/methods/"+key[:len(key)-1], "reader", ""); one["id"] != key {
			t.Errorf("PK-126: %v", one["id"])
		}
		w.do(404, "GET", ada+"/methods/"+strings.ToUpper(key), "reader", "") // opaque keys keep their case
		for path, want := range map[string]string{"/methods/$count": "3", "/fido2Methods/$count": "1"} {
			if rec := w.request("GET", ada+path, "reader", nil, http.Header{"Accept": {"text/plain;q=0.9"}}); rec.Code != 200 || rec.Body.String() != want {
				t.Errorf("WC-11: %s: %d %s", path, rec.Code, rec.Body)
			}
		}
		for kind := range absent {
			for _, version := range []string{"v1.0", "beta"} {
				body := w.do(200, "GET", strings.Replace(ada, "v1.0", version, 1)+"/"+kind, "reader", "")
				if list, ok := body["value"].([]any); !ok || len(list) != 0 {
					t.Errorf("%s: %v", kind, body)
				}
			}
			w.do(405, "POST", ada+"/"+kind, "robot", "{}")
			w.do(404, "GET", "/v1.0/users/nobody@contoso.test/authentication/"+kind, "robot", "")
		}
		if r := w.do(200, "GET", "/beta/users/"+w.ids["ada"]+"/authentication/requirements", "reader", ""); r["perUserMfaState"] != "disabled" {
			t.Errorf("%v", r)
		}
		w.do(204, "PATCH", "/beta/users/"+w.ids["ada"]+"/authentication/requirements", "policyadmin", `{"perUserMfaState": "disabled"}`)
		if code := reasonOf(w.do(400, "PATCH", "/beta/users/"+w.ids["ada"]+"/authentication/requirements", "policyadmin", `{"perUserMfaState": "enforced"}`)); code != "invalidValue" {
			t.Error(code)
		}
	})
}

// TestGuestsAndRecovery: guests may have passkeys where the policy includes them
// (PK-179), and the way back is a pass from somebody else, recorded (PK-180).
func TestGuestsAndRecovery_PK179_PK180(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		if id := w.provision("guest", "authadmin"); id == "" {
			t.Error("PK-179")
		}
		w.do(403, "POST", "/v1.0/me/authentication/temporaryAccessPassMethods", "admin", "{}")
		w.do(201, "POST", "/v1.0/users/"+w.ids["guest"]+"/authentication/temporaryAccessPassMethods", "authadmin", "{}")
		log := w.do(200, "GET", "/v1.0/auditLogs/directoryAudits?$filter=activityDisplayName eq 'Temporary Access Pass created'", "reader", "")["value"].([]any)
		if len(log) != 1 || log[0].(map[string]any)["initiatedBy"].(map[string]any)["user"].(map[string]any)["userPrincipalName"] != "authadmin@contoso.test" {
			t.Errorf("PK-180: %v", log)
		}
		w.now = w.now.Add(time.Second)
	})
}

// TestForceChange: forceChangePasswordNextSignIn comes with a password, at the
// creation or later, or alone; a password without it is an ordinary one.
func TestForceChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/password", "policyadmin", `{"state": "enabled"}`)
		id, _ := w.do(201, "POST", "/v1.0/users", "useradmin", `{"displayName": "New", "mailNickname": "new", "accountEnabled": true, "userPrincipalName": "new@contoso.test",
			"passwordProfile": {"forceChangePasswordNextSignIn": true, "password": "lantern harbour violet"}}`)["id"].(string)
		due := func(what string, want bool) {
			t.Helper()
			w.now = w.now.Add(time.Minute)
			err := w.enter("new", "lantern harbour violet")
			if got := problem.CodeOf(err) == "passwordMustChange"; got != want || !want && err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		due("POST", true)
		user := "/v1.0/users/" + id
		for _, c := range []struct {
			profile string
			want    bool
		}{
			{`{"forceChangePasswordNextSignIn": false}`, false},
			{`{"forceChangePasswordNextSignInWithMfa": true}`, true},
			{`{"forceChangePasswordNextSignIn": false, "forceChangePasswordNextSignInWithMfa": false}`, false},
			{`{"forceChangePasswordNextSignIn": true}`, true},
			{`{"password": "lantern harbour violet"}`, false},
			{`{"password": "lantern harbour violet", "forceChangePasswordNextSignIn": true}`, true},
			{`{"password": "lantern harbour violet", "forceChangePasswordNextSignIn": false}`, false},
			{`{}`, false}, {`null`, false},
		} {
			w.do(204, "PATCH", user, "authadmin", `{"passwordProfile": `+c.profile+`}`)
			due("PATCH "+c.profile, c.want)
		}
		w.do(400, "PATCH", user, "authadmin", `{"passwordProfile": {"forceChangePasswordNextSignIn": "yes"}}`)
		w.do(403, "PATCH", "/v1.0/users/"+w.ids["admin"], "authadmin", `{"passwordProfile": {"forceChangePasswordNextSignIn": true}}`)
		w.do(403, "PATCH", user, "reader", `{"passwordProfile": {"forceChangePasswordNextSignIn": true}}`)
		if got, ok := w.do(200, "GET", user+"?$select=passwordProfile", "reader", "")["passwordProfile"]; !ok || got != nil { // DO-2
			t.Errorf("passwordProfile is %v", got)
		}
	})
}
