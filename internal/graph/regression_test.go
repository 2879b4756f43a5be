package graph

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// TestNUL_regression: PostgreSQL keeps no NUL and no broken UTF-8 in texts; a
// request that brings one is refused, and fails on no engine.
func TestNUL_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, set := range []string{"users", "groups", "applications"} {
			for _, filter := range []string{"displayName eq '\x00'", "startswith(displayName,'a\x00')", "id eq '\xff'"} {
				w.do(400, "GET", "/v1.0/"+set+"?$filter="+url.QueryEscape(filter), "admin", "")
			}
			w.do(400, "GET", "/v1.0/"+set+"/%00", "admin", "")
			w.do(400, "GET", "/v1.0/"+set+"/%ff", "admin", "")
		}
		w.do(400, "GET", "/v1.0/auditLogs/signIns?$filter="+url.QueryEscape("id eq '\x00'"), "admin", "")
		w.do(400, "GET", "/v1.0/users?$search="+url.QueryEscape("\"displayName:\x00\""), "admin", "")
		for _, member := range []string{"displayName", "givenName", "mail"} {
			w.do(400, "POST", "/v1.0/users", "admin", `{"userPrincipalName":"x@contoso.test","displayName":"x","`+member+`":"a\u0000"}`)
		}
		w.do(400, "POST", "/v1.0/users", "admin", `{"displayName":"x","userPrincipalName":"a\u0000@contoso.test"}`)
		w.do(400, "POST", "/v1.0/groups", "admin", `{"displayName":"\u0000"}`)
		w.do(400, "POST", "/v1.0/applications", "admin", `{"displayName":"\u0000"}`)
		w.do(400, "PATCH", "/v1.0/organization", "admin", `{"cardea":{"helpText":"\u0000"}}`)
		if got := w.do(201, "POST", "/v1.0/users", "admin", `{"displayName":"a \\u0000","userPrincipalName":"back@contoso.test"}`); got["displayName"] != `a \u0000` {
			t.Errorf("an escaped backslash begins no NUL: %q", got["displayName"])
		}
	})
}

// TestOneFactorAdministrator_regression: a token behind which stands a password
// alone gives its person no administrator's rights, whatever application asked
// for it; the answer says what cures it (WC-82). Their own things they may see.
func TestOneFactorAdministrator_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { oneFactor(t, newWorld(t, d)) })
}

func oneFactor(t *testing.T, w *world) {
	ask := func(who, method, target, body string, amr ...string) (int, http.Header) {
		signed, err := w.ring.Sign("ES256", map[string]any{"aud": Audience, "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(), "appid": application.CLIAppID,
			"idtyp": "user", "oid": w.ids[who], "scp": w.scopes(), "amr": amr, "auth_time": w.now.Unix()}, w.now)
		if err != nil {
			t.Fatal(err)
		}
		rec := w.request(method, target, "none", []byte(body), http.Header{"Authorization": {"Bearer " + signed}})
		return rec.Code, rec.Header()
	}
	pass := "/v1.0/users/" + w.ids["ada"] + "/authentication/temporaryAccessPassMethods"
	for _, c := range []struct{ who, method, target, body string }{
		{"admin", "POST", pass, `{}`},
		{"authadmin", "POST", pass, `{}`},
		{"admin", "PATCH", "/v1.0/organization", `{"displayName":"Mine"}`},
		{"useradmin", "PATCH", "/v1.0/users/" + w.ids["ada"], `{"accountEnabled":false}`},
		{"admin", "POST", "/v1.0/directoryRoles/" + directory.GlobalAdministrator + "/members/$ref", `{"@odata.id":"https://x/v1.0/directoryObjects/` + w.ids["ada"] + `"}`},
		{"admin", "POST", "/v1.0/applications", `{"displayName":"Mine","cardea":{"applicationPermissions":["all"]}}`},
	} {
		code, header := ask(c.who, c.method, c.target, c.body, "pwd")
		if code != 401 || !strings.Contains(header.Get("WWW-Authenticate"), "insufficient_claims") {
			t.Errorf("%s %s as %s with a password: %d, %q", c.method, c.target, c.who, code, header.Get("WWW-Authenticate"))
		}
		if code, _ := ask(c.who, c.method, c.target, c.body, "pwd", "otp", "mfa"); code >= 300 {
			t.Errorf("%s %s as %s with two factors: %d", c.method, c.target, c.who, code)
		}
	}
	if code, _ := ask("guest", "POST", pass, `{}`, "pwd"); code != 403 {
		t.Errorf("who has no role is not sent to sign in again: %d", code)
	}
	if code, _ := ask("admin", "GET", "/v1.0/me", "", "pwd"); code != 200 {
		t.Errorf("/me with a password: %d", code)
	}
}

// TestLockOut_regression: PK-42, DO-18. No call but a forced change of the
// passkey policy leaves the organisation without a Global Administrator who
// can sign in; each is refused and leaves everything as it was.
func TestLockOut_regression(t *testing.T) {
	const fido2 = "/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2"
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		group := func(name string) string {
			return w.do(201, "POST", "/v1.0/groups", "admin", `{"displayName":"`+name+`"}`)["id"].(string)
		}
		ref := func(id string) string { return `{"@odata.id":"https://x/v1.0/directoryObjects/` + id + `"}` }
		keys, outer, shut, inner := group("Keys"), group("Outer"), group("Shut out"), group("Inner")
		w.do(204, "POST", "/v1.0/groups/"+keys+"/members/$ref", "admin", ref(w.ids["admin"]))
		w.do(204, "POST", "/v1.0/groups/"+outer+"/members/$ref", "admin", ref(keys))
		w.do(204, "POST", "/v1.0/groups/"+shut+"/members/$ref", "admin", ref(inner))
		w.provision("admin", "robot")
		w.do(204, "PATCH", fido2, "admin", `{"includeTargets":[{"targetType":"group","id":"`+outer+`","allowedPasskeyProfiles":["00000000-0000-0000-0000-000000000001"]}],
			"excludeTargets":[{"targetType":"group","id":"`+shut+`"}]}`)
		members := "/v1.0/directoryRoles/" + directory.GlobalAdministrator + "/members/"
		for _, c := range []struct{ method, target, body string }{
			{"DELETE", members + w.ids["admin"] + "/$ref", ""},
			{"DELETE", members + "admin@contoso.test/$ref", ""},
			{"DELETE", members + "ADMIN@contoso.test/$ref", ""},
			{"DELETE", "/v1.0/groups/" + keys + "/members/" + w.ids["admin"] + "/$ref", ""},
			{"DELETE", "/v1.0/groups/" + outer + "/members/" + keys + "/$ref", ""},
			{"DELETE", "/v1.0/groups/" + keys, ""},
			{"DELETE", "/v1.0/groups/" + outer, ""},
			{"POST", "/v1.0/groups/" + shut + "/members/$ref", ref(w.ids["admin"])},
			{"POST", "/v1.0/groups/" + inner + "/members/$ref", ref(w.ids["admin"])},
			{"POST", "/v1.0/groups/" + inner + "/members/$ref", ref(keys)},
			{"PATCH", "/v1.0/groups/" + inner, `{"members@odata.bind":["https://x/v1.0/directoryObjects/` + w.ids["admin"] + `"]}`},
			{"PATCH", "/v1.0/users/admin@contoso.test", `{"accountEnabled":false}`},
			{"PATCH", fido2, `{"state":"disabled"}`},
			{"PATCH", fido2, `{"excludeTargets":[{"targetType":"group","id":"all_users"}]}`},
		} {
			got := w.do(400, c.method, c.target, "admin", c.body)
			if code := got["error"].(map[string]any)["innerError"].(map[string]any)["code"]; code != "wouldLockOutAdministrators" {
				t.Errorf("%s %s: %v", c.method, c.target, code)
			}
		}
		w.do(400, "DELETE", "/v1.0/users/"+w.ids["admin"], "robot", "")
		w.do(200, "GET", "/v1.0/groups/"+keys, "admin", "")

		// Password and code do as well, so their policies are guarded too.
		if err := d.Write(t.Context(), func(q db.Querier) error {
			for _, text := range []string{`INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, 'x', 0)`,
				`INSERT INTO oath_tokens (id, user_id, display_name, secret, created_at) VALUES ('01a20e44-6f29-7275-8fca-c77e80a0b2bc', $1, 'Phone', '', 0)`} {
				if _, err := q.ExecContext(t.Context(), text, w.ids["admin"]); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		configs := strings.TrimSuffix(fido2, "fido2")
		w.do(204, "PATCH", configs+"Password", "admin", `{"state":"enabled"}`)
		w.do(204, "PATCH", configs+"SoftwareOath", "admin", `{"state":"enabled"}`)
		w.do(204, "PATCH", fido2, "admin", `{"state":"disabled"}`)
		for _, method := range []string{"Password", "SoftwareOath"} {
			w.do(400, "PATCH", configs+method, "admin", `{"state":"disabled"}`)
			w.do(400, "PATCH", configs+method, "admin", `{"excludeTargets":[{"targetType":"group","id":"`+keys+`"}]}`)
			w.do(400, "DELETE", configs+method, "admin", "")
		}
		w.do(400, "DELETE", "/v1.0/me/authentication/softwareOathMethods/01a20e44-6f29-7275-8fca-c77e80a0b2bc", "admin", "")
		w.do(204, "PATCH", fido2, "admin", `{"state":"enabled"}`)

		w.do(204, "POST", "/v1.0/groups/"+inner+"/members/$ref", "admin", ref(w.ids["ada"])) // somebody else: nothing is lost
		w.do(204, "DELETE", "/v1.0/groups/"+inner, "admin", "")
	})
}

// TestLockOutAtOnce_regression: two administrators who take the role from one
// another at the same moment do not both succeed (DO-18).
func TestLockOutAtOnce_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		two := []string{w.ids["admin"], w.ids["ada"]}
		if err := d.Write(t.Context(), func(q db.Querier) error {
			return directory.AssignRole(t.Context(), q, audit.System("test"), noon, directory.RoleAssignment{UserID: w.ids["ada"], RoleID: directory.GlobalAdministrator})
		}); err != nil {
			t.Fatal(err)
		}
		w.provision("admin", "robot")
		w.provision("ada", "robot")
		for range 10 {
			var wg sync.WaitGroup
			for _, id := range two {
				c := &Call{Context: t.Context(), DB: d, Now: noon, keeper: w.api.Keeper}
				wg.Go(func() {
					_ = c.guarded(func(q db.Querier) error { // one of them is refused, which one does not matter
						return directory.UnassignRole(t.Context(), q, audit.System("test"), noon, directory.RoleAssignment{UserID: id, RoleID: directory.GlobalAdministrator})
					})
				})
			}
			wg.Wait()
			left := 0
			for _, id := range two {
				roles, err := directory.RolesOf(t.Context(), d, id)
				if err != nil {
					t.Fatal(err)
				}
				left += len(roles)
			}
			if left != 1 {
				t.Fatalf("%d Global Administrators are left", left)
			}
			if err := d.Write(t.Context(), func(q db.Querier) error {
				for _, id := range two {
					if err := directory.AssignRole(t.Context(), q, audit.System("test"), noon, directory.RoleAssignment{UserID: id, RoleID: directory.GlobalAdministrator}); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestOwns_regression(t *testing.T) {
	for path, want := range map[string]bool{"/v1.0": true, "/v1.0/": true, "/v1.0//users": true, "/V1.0/users": true, "/beta/../x": true, "/Beta": true,
		"/": false, "/signin": false, "/v1.0x/users": false, "/betamax": false, "": false} {
		if Owns(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) { oddPaths(t, newWorld(t, d)) })
}

func oddPaths(t *testing.T, w *world) {
	for _, path := range []string{"/v1.0", "/v1.0/", "/v1.0//users", "/v1.0/../beta/users", "/v1.0/users//", "/beta"} {
		if rec := w.request("GET", path, "admin", nil, nil); !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Header().Get("Content-Type"))
		}
	}
}

// TestOwnNameFolds_regression: a user name that finds the caller counts as the
// caller's own in every spelling, so that nobody provisions himself around the
// freshness rule (PK-130).
func TestOwnNameFolds_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["authadmin"], "admin", `{"userPrincipalName":"İda@contoso.test"}`)
		for _, name := range []string{w.ids["authadmin"], strings.ToUpper(w.ids["authadmin"]), "İda@contoso.test", "İDA@CONTOSO.TEST", strings.ToLower("İda@contoso.test")} {
			w.do(401, "GET", "/v1.0/users/"+url.PathEscape(name)+"/authentication/fido2Methods/creationOptions", "authadmin", "")
		}
	})
}

// TestAdministratorsMail_regression: enrolment links go to the mail address, so
// who may not reach an administrator does not change it (DO-3).
func TestAdministratorsMail_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(403, "PATCH", "/v1.0/users/"+w.ids["admin"], "useradmin", `{"mail":"thief@evil.test"}`)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["admin"], "useradmin", `{"jobTitle":"Boss"}`)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["ada"], "useradmin", `{"mail":"ada@contoso.test"}`)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["useradmin"], "useradmin", `{"mail":"me@contoso.test"}`)
	})
}

// TestRedirectOfStrongApplication_regression: codes for administrators go to
// the addresses of an application that has their permissions. Who may not grant
// those adds no address, not even to the application of the command line.
func TestRedirectOfStrongApplication_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		if err := d.Write(t.Context(), func(q db.Querier) error {
			return directory.AssignRole(t.Context(), q, audit.System("test"), noon, directory.RoleAssignment{UserID: w.ids["ada"], RoleID: directory.ApplicationAdministrator})
		}); err != nil {
			t.Fatal(err)
		}
		cli := "/v1.0/applications(appId='" + application.CLIAppID + "')"
		for _, body := range []string{`{"web":{"redirectUris":["https://evil.test/cb"]}}`, `{"spa":{"redirectUris":["https://evil.test/cb"]}}`,
			`{"publicClient":{"redirectUris":["http://localhost","evil.test://cb"]}}`} {
			w.do(403, "PATCH", cli, "ada", body)
		}
		w.do(204, "PATCH", cli, "ada", `{"displayName":"Command line"}`)
		for scopes, want := range map[string]int{`"User.Read"`: 204, `"User.Read","RoleManagement.ReadWrite.Directory"`: 403, `"policy.readwrite.authenticationmethod"`: 403} {
			id := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName":"Wiki","web":{"redirectUris":["https://wiki.test/cb"]},"cardea":{"delegatedPermissions":[`+scopes+`]}}`)["id"].(string)
			w.do(want, "PATCH", "/v1.0/applications/"+id, "ada", `{"web":{"redirectUris":["https://wiki.test/cb","https://evil.test/cb"]}}`)
			w.do(204, "PATCH", "/v1.0/applications/"+id, "ada", `{"web":{"redirectUris":[]}}`)
		}
		w.do(204, "PATCH", cli, "admin", `{"publicClient":{"redirectUris":["http://localhost","http://127.0.0.1"]}}`)
	})
}
