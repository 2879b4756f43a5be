package graph

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// unguarded says what is wrong with the Access of a route, "" if nothing.
func unguarded(r route) string {
	a := r.Access
	reads := r.Method == "GET" || questions.MatchString(r.Path)
	apps := a.Apps
	if apps == nil {
		apps = a.Scopes
	}
	switch {
	case r.batch:
		return ""
	case len(a.Scopes) == 0:
		return "people need no permission"
	case len(apps) == 0:
		return "applications need no permission, or cannot call it at all"
	case slices.ContainsFunc(slices.Concat(a.Scopes, a.Own, a.Apps), func(p string) bool { return strings.TrimSpace(p) == "" || p == application.All }):
		return "a permission without a name"
	case !reads && a.Roles == nil:
		return "people need no role to write"
	case !reads && a.Guests:
		return "guests write"
	case !reads && slices.Contains(a.Roles, directory.GlobalReader):
		return "a Global Reader writes"
	case reads && a.Roles != nil && !holds([]string{directory.GlobalReader}, a.Roles) && !strings.HasSuffix(r.Path, "/creationOptions"): // the first half of a registration
		return "a Global Reader does not read it"
	}
	for _, id := range a.Roles {
		if directory.RoleName(id) == "" {
			return "a role that does not exist: " + id
		}
	}
	return ""
}

// TestEveryRouteNamesItsPermission: no route is without one; and the check finds
// routes that are.
func TestEveryRouteNamesItsPermission(t *testing.T) {
	n := 0
	for _, r := range resources() {
		n++
		if why := unguarded(r); why != "" {
			t.Errorf("%s %s: %s", r.Method, r.Path, why)
		}
	}
	if n < 100 {
		t.Errorf("only %d routes", n)
	}
	for _, c := range []struct {
		why string
		r   route
	}{
		{"people need no permission", route{Method: "GET", Path: "/made/up"}},
		{"people need no permission", route{Method: "GET", Path: "/made/up", Access: Access{Apps: []string{"User.Read.All"}}}},
		{"people need no permission", route{Method: "POST", Path: "/made/up", Access: Access{Roles: []string{directory.UserAdministrator}}}},
		{"applications need no permission, or cannot call it at all", route{Method: "GET", Path: "/made/up", Access: Access{Scopes: []string{"User.Read"}, Apps: []string{}}}},
		{"a permission without a name", route{Method: "GET", Path: "/made/up", Access: Access{Scopes: []string{" "}}}},
		{"people need no role to write", route{Method: "DELETE", Path: "/made/up", Access: Access{Scopes: []string{"User.ReadWrite.All"}}}},
		{"a Global Reader writes", route{Method: "POST", Path: "/made/up", Access: Access{Scopes: []string{"User.ReadWrite.All"}, Roles: []string{directory.GlobalReader}}}},
		{"a Global Reader does not read it", route{Method: "GET", Path: "/made/up", Access: Access{Scopes: []string{"User.Read.All"}, Roles: []string{directory.UserAdministrator}}}},
		{"a role that does not exist: x", route{Method: "POST", Path: "/made/up", Access: Access{Scopes: []string{"User.ReadWrite.All"}, Roles: []string{"x"}}}},
		{"", route{Method: "POST", Path: "/made/up", Access: createUsers}},
	} {
		if got := unguarded(c.r); got != c.why {
			t.Errorf("a made-up route %+v: %q, want %q", c.r, got, c.why)
		}
	}
}

// TestGlobalReaderReadsEverythingAndWritesNothing walks the table (§4.1): every
// read is open, every write of somebody else's is 403.
func TestGlobalReaderReadsEverythingAndWritesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Crew"}`)["id"].(string)
		fill := strings.NewReplacer("{user}", w.ids["ada"], "{group}", g, "{role}", directory.ReportsReader, "{application}", w.app.ID, "{principal}", w.app.PrincipalID(), "{organization}", "x", "{id}", "fido2")
		for _, r := range w.api.routes {
			target := brace.ReplaceAllString(fill.Replace(r.Path), "01890000-0000-7000-8000-000000000001")
			rec := w.request(r.Method, "/v1.0"+target, "reader", []byte(`{}`), http.Header{"Consistencylevel": {"eventual"}})
			switch {
			case r.batch:
			case r.Method == "GET" && strings.HasSuffix(r.Path, "/creationOptions"):
				if rec.Code != 403 {
					t.Errorf("%s %s: %d", r.Method, r.Path, rec.Code)
				}
			case r.Method == "GET" || questions.MatchString(r.Path):
				if rec.Code == 401 || rec.Code == 403 || rec.Code >= 500 {
					t.Errorf("a Global Reader does not read %s: %d %s", r.Path, rec.Code, rec.Body)
				}
			case strings.HasSuffix(r.Path, "/cardea.previewChange"): // says what would happen, and does nothing
			case rec.Code != 403:
				t.Errorf("a Global Reader writes %s %s: %d %s", r.Method, r.Path, rec.Code, rec.Body)
			}
		}
	})
}

// TestNobodyRaisesTheirOwnRole: each path by which somebody could come to a role
// or to a permission that they do not have.
func TestNobodyRaisesTheirOwnRole(t *testing.T) {
	type call struct{ method, target, body string }
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/password", "admin", `{"state": "enabled"}`)
		key := w.provision("admin", "robot")
		roleGroup := w.roleGroup("admin", "reader")
		w.assign(201, "admin", roleGroup, directory.GlobalAdministrator)
		plain := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Plain"}`)["id"].(string)
		strong, principal := w.app.ID, w.app.PrincipalID()
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["ada"], "admin", `{"accountEnabled": true}`)

		// Everybody who administers something, each of whom owns what they could use.
		var climbers []string
		for _, r := range directory.Roles {
			if r.ID == directory.GlobalAdministrator || r.ID == directory.PrivilegedRoleAdministrator {
				continue
			}
			who := strings.ReplaceAll(r.DisplayName, " ", "")
			id := w.hire(who, r.ID)
			climbers = append(climbers, who)
			w.store(func(q db.Querier) error {
				if err := directory.AddOwner(t.Context(), q, audit.Actor{RoleManager: true}, w.now, directory.Owner{GroupID: roleGroup, ID: id}); err != nil {
					return err
				}
				for _, object := range []audit.Target{{ID: strong, Type: "App"}, {ID: principal, Type: "ServicePrincipal"}} {
					if err := (application.Catalogue{}).AddOwner(t.Context(), q, audit.System("test"), w.now, application.Owned{Target: object, Owner: id}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for _, who := range append(climbers, "ada", "guest") {
			me, admin := w.ids[who], "/v1.0/users/"+w.ids["admin"]
			for name, c := range map[string]call{
				"a role for themselves":                               {"POST", assignmentsPath, `{"principalId": "` + me + `", "roleDefinitionId": "` + directory.GlobalAdministrator + `", "directoryScopeId": "/"}`},
				"a role for themselves, as a member":                  {"POST", "/v1.0/directoryRoles/" + directory.GlobalAdministrator + "/members/$ref", ref(me)},
				"a role for an application":                           {"POST", assignmentsPath, `{"principalId": "` + principal + `", "roleDefinitionId": "` + directory.GlobalAdministrator + `", "directoryScopeId": "/"}`},
				"into a group with a role, whose owner they are":      {"POST", "/v1.0/groups/" + roleGroup + "/members/$ref", ref(me)},
				"into a group with a role, by PATCH":                  {"PATCH", "/v1.0/groups/" + roleGroup, `{"members@odata.bind": ["/users/` + me + `"]}`},
				"owner of a group with a role":                        {"POST", "/v1.0/groups/" + roleGroup + "/owners/$ref", ref(w.ids["ada"])},
				"a group with a role becomes dynamic":                 {"PATCH", "/v1.0/groups/" + roleGroup, `{"groupTypes": ["DynamicMembership"], "membershipRule": "user.accountEnabled -eq true"}`},
				"a new group for roles, with themselves":              {"POST", "/v1.0/groups", `{"displayName": "Mine", "isAssignableToRole": true, "members@odata.bind": ["/users/` + me + `"]}`},
				"a plain group becomes one for roles":                 {"PATCH", "/v1.0/groups/" + plain, `{"isAssignableToRole": true}`},
				"a group with a role inside a plain one":              {"POST", "/v1.0/groups/" + roleGroup + "/members/$ref", ref(plain)},
				"a permission for an application that they own":       {"PATCH", "/v1.0/applications/" + strong, `{"cardea": {"applicationPermissions": ["all", "RoleManagement.ReadWrite.Directory"]}}`},
				"a new application with permissions":                  {"POST", "/v1.0/applications", `{"displayName": "Mine", "cardea": {"applicationPermissions": ["RoleManagement.ReadWrite.Directory"]}}`},
				"a permission as an app role":                         {"POST", "/v1.0/servicePrincipals/" + principal + "/appRoleAssignments", `{"principalId": "` + principal + `", "resourceId": "` + application.GraphPrincipalID + `", "appRoleId": "` + application.PermissionID("RoleManagement.ReadWrite.Directory", false) + `"}`},
				"a permission as an app role, from the other side":    {"POST", "/v1.0/servicePrincipals/" + application.GraphPrincipalID + "/appRoleAssignedTo", `{"principalId": "` + principal + `", "appRoleId": "` + application.PermissionID("RoleManagement.ReadWrite.Directory", false) + `"}`},
				"a consent for Graph":                                 {"POST", "/v1.0/oauth2PermissionGrants", `{"clientId": "` + principal + `", "consentType": "AllPrincipals", "resourceId": "` + application.GraphPrincipalID + `", "scope": "RoleManagement.ReadWrite.Directory"}`},
				"a secret of a strong application that they own":      {"POST", "/v1.0/applications/" + strong + "/addPassword", `{}`},
				"a secret of its service principal":                   {"POST", "/v1.0/servicePrincipals/" + principal + "/addPassword", `{}`},
				"a certificate of a strong application":               {"PATCH", "/v1.0/applications/" + strong, `{"keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": "AAAA"}]}`},
				"a certificate of its service principal":              {"PATCH", "/v1.0/servicePrincipals/" + principal, `{"keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": "AAAA"}]}`},
				"an address of the command line":                      {"PATCH", "/v1.0/applications(appId='" + application.CLIAppID + "')", `{"web": {"redirectUris": ["https://evil.test/cb"]}}`},
				"the break-glass group":                               {"PATCH", "/v1.0/organization", `{"cardea": {"breakGlassGroup": "` + plain + `"}}`},
				"the policy of passkeys, forced":                      {"PATCH", "/v1.0" + configsPath + "/fido2?cardea.force=true", `{"state": "disabled"}`},
				"a Global Administrator's password":                   {"POST", admin + "/authentication/methods/" + passwordMethodID + "/resetPassword", `{"newPassword": "correct horse battery staple 7"}`},
				"a Global Administrator's password, by PATCH":         {"PATCH", admin, `{"passwordProfile": {"password": "correct horse battery staple 7"}}`},
				"a pass of a Global Administrator":                    {"POST", admin + "/authentication/temporaryAccessPassMethods", `{}`},
				"an enrolment link of a Global Administrator":         {"POST", admin + "/cardea.issueEnrolmentLink", `{}`},
				"a passkey of a Global Administrator":                 {"GET", admin + "/authentication/fido2Methods/creationOptions", ""},
				"a passkey of a Global Administrator, gone":           {"DELETE", admin + "/authentication/fido2Methods/" + key, ""},
				"the mail address of a Global Administrator":          {"PATCH", admin, `{"mail": "thief@evil.test"}`},
				"a pass of who is Global Administrator by a group":    {"POST", "/v1.0/users/" + w.ids["reader"] + "/authentication/temporaryAccessPassMethods", `{}`},
				"a passkey of who is Global Administrator by a group": {"GET", "/v1.0/users/" + w.ids["reader"] + "/authentication/fido2Methods/creationOptions", ""},
			} {
				// What the specification gives these two is no way up (DO-23, §4.1).
				if who == "PrivilegedAuthenticationAdministrator" && (strings.Contains(name, "a Global Administrator") || strings.Contains(name, "is Global Administrator")) ||
					who == "AuthenticationPolicyAdministrator" && strings.HasPrefix(name, "the policy of passkeys") {
					continue
				}
				rec := w.request(c.method, c.target, who, []byte(c.body), nil)
				if rec.Code != 403 && !(rec.Code == 400 && strings.HasPrefix(name, "a plain group")) {
					t.Errorf("%s, %s: %d %.200s", who, name, rec.Code, rec.Body)
				}
			}
		}
		for _, who := range climbers {
			roles, err := directory.RolesOf(t.Context(), d, w.ids[who])
			if err != nil || len(roles) != 1 {
				t.Errorf("%s holds %v now (%v)", who, roles, err)
			}
		}
	})
}

// TestApplicationsDoNotRaiseThemselves: an application with one permission gets
// no other by itself, and a role that its service principal holds, or a stronger
// application that it owns, helps it no further.
func TestApplicationsDoNotRaiseThemselves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		strongest := w.app
		roleGroup := w.roleGroup("admin", "reader")
		for _, permission := range []string{"Application.ReadWrite.All", "Application.ReadWrite.OwnedBy", "Directory.ReadWrite.All", "Group.ReadWrite.All", "User.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "RoleManagement.Read.Directory"} {
			mine := w.register("Weak", permission)
			w.assign(201, "admin", mine.PrincipalID(), directory.GlobalAdministrator)
			w.store(func(q db.Querier) error {
				for _, object := range []audit.Target{{ID: strongest.ID, Type: "App"}, {ID: strongest.PrincipalID(), Type: "ServicePrincipal"}, {ID: mine.ID, Type: "App"}, {ID: mine.PrincipalID(), Type: "ServicePrincipal"}} {
					if err := (application.Catalogue{}).AddOwner(t.Context(), q, audit.System("test"), w.now, application.Owned{Target: object, Owner: mine.PrincipalID()}); err != nil {
						return err
					}
				}
				return nil
			})
			admin := "/v1.0/users/" + w.ids["admin"]
			for _, c := range []struct{ method, target, body string }{
				{"POST", assignmentsPath, `{"principalId": "` + mine.PrincipalID() + `", "roleDefinitionId": "` + directory.UserAdministrator + `", "directoryScopeId": "/"}`},
				{"POST", "/v1.0/groups/" + roleGroup + "/members/$ref", ref(w.ids["ada"])},
				{"PATCH", "/v1.0/applications/" + mine.ID, `{"cardea": {"applicationPermissions": ["` + permission + `", "RoleManagement.ReadWrite.Directory"]}}`},
				{"POST", "/v1.0/servicePrincipals/" + mine.PrincipalID() + "/appRoleAssignments", `{"principalId": "` + mine.PrincipalID() + `", "resourceId": "` + application.GraphPrincipalID + `", "appRoleId": "` + application.PermissionID("RoleManagement.ReadWrite.Directory", false) + `"}`},
				{"POST", "/v1.0/applications/" + strongest.ID + "/addPassword", `{}`},
				{"POST", "/v1.0/servicePrincipals/" + strongest.PrincipalID() + "/addPassword", `{}`},
				{"POST", admin + "/authentication/temporaryAccessPassMethods", `{}`},
				{"GET", admin + "/authentication/fido2Methods/creationOptions", ""},
				{"PATCH", admin, `{"passwordProfile": {"password": "correct horse battery staple 7"}}`},
				{"PATCH", admin, `{"mail": "thief@evil.test"}`},
				{"PATCH", admin, `{"accountEnabled": false}`},
				{"DELETE", admin, ""},
			} {
				if rec := w.requestOf(mine, c.method, c.target, c.body); rec.Code != 403 {
					t.Errorf("%s: %s %s: %d %.200s", permission, c.method, c.target, rec.Code, rec.Body)
				}
			}
		}
	})
}

// register makes an application with permissions of its own.
func (w *world) register(name string, permissions ...string) (a application.Application) {
	w.t.Helper()
	w.store(func(q db.Querier) (err error) {
		a, err = application.Create(w.t.Context(), q, audit.System("test"), w.now, application.Application{DisplayName: name, Cardea: application.Extra{Permissions: permissions}})
		return err
	})
	w.now = w.now.Add(2 * time.Second) // caches look again
	return a
}

// requestOf is request by an application with all permissions that it has.
func (w *world) requestOf(a application.Application, method, target, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	signed, err := w.ring.Sign("ES256", map[string]any{"aud": Audience, "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(), "appid": a.AppID, "oid": a.PrincipalID(), "idtyp": "app", "roles": a.Cardea.Permissions}, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.request(method, target, "none", []byte(body), http.Header{"Authorization": {"Bearer " + signed}})
}
