package graph

import (
	"strings"
	"testing"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

const assignmentsPath = "/v1.0/roleManagement/directory/roleAssignments"

func ref(id string) string {
	return `{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/` + id + `"}`
}

func (w *world) assign(status int, by, principal, role string) map[string]any {
	w.t.Helper()
	return w.do(status, "POST", assignmentsPath, by, `{"principalId": "`+principal+`", "roleDefinitionId": "`+role+`", "directoryScopeId": "/"}`)
}

func (w *world) roleGroup(by string, members ...string) string {
	w.t.Helper()
	body := `{"displayName": "Admins", "mailEnabled": false, "mailNickname": "admins", "securityEnabled": true, "isAssignableToRole": true`
	for i, m := range members {
		members[i] = `"https://graph.microsoft.com/v1.0/users/` + w.ids[m] + `"`
	}
	id, _ := w.do(201, "POST", "/v1.0/groups", by, body+`, "members@odata.bind": [`+strings.Join(members, ",")+`]}`)["id"].(string)
	return id
}

// store changes the database behind the API's back.
func (w *world) store(change func(q db.Querier) error) {
	w.t.Helper()
	if err := w.d.Write(w.t.Context(), change); err != nil {
		w.t.Fatal(err)
	}
}

// codeOf is the precise reason of a refusal.
func codeOf(body map[string]any) any {
	return body["error"].(map[string]any)["innerError"].(map[string]any)["code"]
}

// TestRoleGroups_DO11: isAssignableToRole is chosen at creation, such a group is
// assigned and not dynamic, and only who assigns roles changes it.
func TestRoleGroups_DO11(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.hire("roleadmin", directory.PrivilegedRoleAdministrator)
		g := "/v1.0/groups/" + w.roleGroup("roleadmin", "ada")
		plain := "/v1.0/groups/" + w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Plain", "mailEnabled": false, "mailNickname": "p", "securityEnabled": true}`)["id"].(string)

		if got := codeOf(w.do(400, "PATCH", g, "roleadmin", `{"isAssignableToRole": false}`)); got != "propertyImmutable" {
			t.Error("the flag was taken away:", got)
		}
		w.do(400, "PATCH", plain, "admin", `{"isAssignableToRole": true}`)
		w.do(400, "PATCH", g, "roleadmin", `{"groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq \"IT\"", "membershipRuleProcessingState": "On"}`)
		w.do(400, "POST", "/v1.0/groups", "roleadmin", `{"displayName": "D", "mailEnabled": false, "mailNickname": "d", "securityEnabled": true, "isAssignableToRole": true, "groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq \"IT\""}`)
		if got := codeOf(w.do(400, "POST", assignmentsPath, "roleadmin", `{"principalId": "`+strings.TrimPrefix(plain, "/v1.0/groups/")+`", "roleDefinitionId": "`+directory.ReportsReader+`", "directoryScopeId": "/"}`)); got != "notRoleAssignable" {
			t.Error("a role for a group that is not for roles:", got)
		}
		for _, c := range []struct{ method, target, body string }{
			{"PATCH", g, `{"displayName": "Mine"}`},
			{"POST", g + "/members/$ref", ref(w.ids["guest"])},
			{"PATCH", g, `{"members@odata.bind": ["https://graph.microsoft.com/v1.0/users/` + w.ids["guest"] + `"]}`},
			{"DELETE", g + "/members/" + w.ids["ada"] + "/$ref", ""},
			{"DELETE", g, ""},
		} {
			body := w.do(403, c.method, c.target, "useradmin", c.body)
			if !strings.Contains(body["error"].(map[string]any)["message"].(string), "Privileged Role Administrator") {
				t.Errorf("%s %s: the refusal does not name the role: %v", c.method, c.target, body)
			}
		}
		w.do(403, "PATCH", plain, "roleadmin", `{"displayName": "Mine"}`) // and the other way round
		w.do(403, "POST", plain+"/members/$ref", "roleadmin", ref(w.ids["ada"]))
		w.do(204, "PATCH", g, "roleadmin", `{"displayName": "Administrators"}`)
		w.do(204, "POST", g+"/members/$ref", "roleadmin", ref(w.ids["guest"]))
		w.do(204, "DELETE", g+"/members/"+w.ids["guest"]+"/$ref", "roleadmin", "")
		w.do(204, "DELETE", g, "admin", "")
	})
}

// TestRolesThroughGroups_DO19: DO-19, direct members of a group hold its role, members
// of groups inside it do not, and it counts wherever roles count.
func TestRolesThroughGroups_DO19(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := w.roleGroup("admin", "ada")
		inner := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Inner", "mailEnabled": false, "mailNickname": "i", "securityEnabled": true, "members@odata.bind": ["/users/`+w.ids["guest"]+`"]}`)["id"].(string)
		w.do(400, "POST", "/v1.0/groups/"+g+"/members/$ref", "admin", ref(inner))

		w.do(403, "POST", "/v1.0/groups", "ada", `{"displayName": "x", "mailEnabled": false, "mailNickname": "x", "securityEnabled": true}`)
		id := w.assign(201, "admin", g, directory.GroupsAdministrator)["id"].(string)
		w.do(201, "POST", "/v1.0/groups", "ada", `{"displayName": "x", "mailEnabled": false, "mailNickname": "x", "securityEnabled": true}`)
		in, err := directory.MemberOf(t.Context(), d, w.ids["ada"])
		if got := strings.Join(in, " "); err != nil || got != g+" "+directory.GroupsAdministrator {
			t.Errorf("MemberOf: %s (%v)", got, err)
		}
		if direct := w.do(200, "GET", "/v1.0/users/"+w.ids["ada"]+"/memberOf/microsoft.graph.directoryRole", "ada", "")["value"].([]any); len(direct) != 0 {
			t.Error("roles assigned to ada herself:", direct)
		}
		all := w.do(200, "GET", "/v1.0/users/"+w.ids["ada"]+"/transitiveMemberOf/microsoft.graph.directoryRole", "ada", "")["value"].([]any)
		if len(all) != 1 || all[0].(map[string]any)["id"] != directory.GroupsAdministrator {
			t.Error("roles of ada:", all)
		}
		members := w.do(200, "GET", "/v1.0/directoryRoles/"+directory.GroupsAdministrator+"/members", "reader", "")["value"].([]any)
		if len(members) != 1 || members[0].(map[string]any)["@odata.type"] != "#microsoft.graph.group" {
			t.Error("members of the role:", members)
		}
		w.do(204, "DELETE", assignmentsPath+"/"+id, "admin", "")
		w.do(403, "POST", "/v1.0/groups", "ada", `{"displayName": "x", "mailEnabled": false, "mailNickname": "x", "securityEnabled": true}`)

		// Who is deleted and restored does not come back with the group's role.
		w.assign(201, "admin", g, directory.GroupsAdministrator)
		w.do(204, "DELETE", "/v1.0/users/"+w.ids["ada"], "admin", "")
		w.store(func(q db.Querier) error {
			_, err := directory.Restore(t.Context(), q, audit.System("test"), w.now, directory.Restoring{ID: w.ids["ada"]})
			return err
		})
		if roles, err := directory.RolesOf(t.Context(), d, w.ids["ada"]); err != nil || len(roles) != 0 {
			t.Error("restored with roles:", roles, err)
		}
	})
}

// TestLastAdministratorThroughGroup_DO18: where a group alone makes Global
// Administrators, nothing may take it from the last who can sign in.
func TestLastAdministratorThroughGroup_DO18(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		key := w.provision("ada", "authadmin")
		g := w.roleGroup("admin", "ada")
		id := w.assign(201, "admin", g, directory.GlobalAdministrator)["id"].(string)
		for _, c := range []struct{ method, target, body string }{
			{"DELETE", "/v1.0/groups/" + g + "/members/" + w.ids["ada"] + "/$ref", ""},
			{"DELETE", "/v1.0/groups/" + g, ""},
			{"DELETE", assignmentsPath + "/" + id, ""},
			{"DELETE", "/v1.0/directoryRoles/" + directory.GlobalAdministrator + "/members/" + g + "/$ref", ""},
			{"PATCH", "/v1.0/users/" + w.ids["ada"], `{"accountEnabled": false}`},
			{"DELETE", "/v1.0/users/" + w.ids["ada"], ""},
			{"DELETE", "/v1.0/users/" + w.ids["ada"] + "/authentication/fido2Methods/" + key, ""},
		} {
			if got := codeOf(w.do(400, c.method, c.target, "admin", c.body)); got != "wouldLockOutAdministrators" {
				t.Errorf("%s %s: %v", c.method, c.target, got)
			}
		}
		w.provision("admin", "robot") // now there is another
		w.do(204, "DELETE", "/v1.0/groups/"+g+"/members/"+w.ids["ada"]+"/$ref", "admin", "")
	})
}

// TestOutOfReach_DO22: members and owners of groups that roles can be assigned
// to are out of reach of Authentication and User Administrators, before the
// group has any role; DO-23: not of the privileged two.
func TestOutOfReach_DO22(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.hire("privileged", directory.PrivilegedAuthenticationAdministrator)
		w.hire("owner")
		g := w.roleGroup("admin", "ada")
		w.store(func(q db.Querier) error {
			return directory.AddOwner(t.Context(), q, audit.Actor{RoleManager: true}, w.now, directory.Owner{GroupID: g, ID: w.ids["owner"]})
		})
		for _, who := range []string{"ada", "owner"} {
			u := "/v1.0/users/" + w.ids[who]
			w.do(403, "POST", u+"/authentication/temporaryAccessPassMethods", "authadmin", `{}`)
			w.do(403, "GET", u+"/authentication/fido2Methods/creationOptions", "authadmin", "")
			w.do(403, "PATCH", u, "useradmin", `{"accountEnabled": false}`)
			w.do(403, "DELETE", u, "useradmin", "")
			w.do(403, "POST", u+"/revokeSignInSessions", "authadmin", "")
			w.do(204, "PATCH", u, "useradmin", `{"jobTitle": "Engineer"}`) // not sensitive
			w.do(201, "POST", u+"/authentication/temporaryAccessPassMethods", "privileged", `{}`)
			w.do(204, "PATCH", u, "admin", `{"mail": "`+who+`@contoso.test"}`)
		}
	})
}

// TestNobodyRaisesThemselves: a Privileged Role Administrator gives roles to
// others; a Global Administrator has nothing to gain.
func TestNobodyRaisesThemselves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		me := w.hire("roleadmin", directory.PrivilegedRoleAdministrator)
		refused := func(body map[string]any) {
			t.Helper()
			if got := codeOf(body); got != "ownRole" {
				t.Error("want ownRole:", got)
			}
		}
		refused(w.assign(403, "roleadmin", me, directory.GlobalAdministrator))
		refused(w.assign(403, "roleadmin", strings.ToUpper(me), directory.ReportsReader))
		refused(w.assign(403, "roleadmin", "RoleAdmin@contoso.test", directory.ReportsReader))
		refused(w.do(403, "POST", "/v1.0/directoryRoles/"+directory.GlobalAdministrator+"/members/$ref", "roleadmin", ref(me)))
		g := w.roleGroup("roleadmin", "ada")
		refused(w.do(403, "POST", "/v1.0/groups/"+g+"/members/$ref", "roleadmin", ref(me)))
		refused(w.do(403, "PATCH", "/v1.0/groups/"+g, "roleadmin", `{"members@odata.bind": ["https://x/v1.0/users/`+me+`"]}`))
		w.store(func(q db.Querier) error {
			if err := directory.AddOwner(t.Context(), q, audit.Actor{UserID: me, RoleManager: true}, w.now, directory.Owner{GroupID: g, ID: me}); problem.CodeOf(err) != "ownRole" {
				t.Error("owner of a group for roles by themselves:", err)
			}
			return nil
		})
		w.do(204, "POST", "/v1.0/groups/"+g+"/members/$ref", "admin", ref(me)) // somebody else puts them in …
		refused(w.assign(403, "roleadmin", g, directory.GlobalAdministrator))  // … and then the group's role is theirs too
		w.assign(201, "roleadmin", w.ids["guest"], directory.ReportsReader)
		w.assign(201, "admin", w.ids["admin"], directory.ReportsReader)
		w.do(204, "DELETE", "/v1.0/directoryRoles/"+directory.PrivilegedRoleAdministrator+"/members/"+me+"/$ref", "roleadmin", "") // giving up is free
		w.assign(403, "roleadmin", w.ids["ada"], directory.ReportsReader)
	})
}

// TestAppsRespectReach_DO25: applications reach everyone; with the setting they
// reach whom an Authentication Administrator reaches.
func TestAppsRespectReach_DO25(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		pass := func(status int, who string) {
			t.Helper()
			w.do(status, "POST", "/v1.0/users/"+w.ids[who]+"/authentication/temporaryAccessPassMethods", "robot", `{}`)
		}
		w.hire("another", directory.GlobalAdministrator)
		w.hire("reports", directory.ReportsReader)
		pass(201, "admin")
		w.api.AppsRespectReach = true
		pass(403, "another")
		w.do(403, "PATCH", "/v1.0/users/"+w.ids["another"], "robot", `{"accountEnabled": false}`)
		pass(201, "ada")
		pass(201, "reports")
	})
}

// TestServicePrincipalRole: a service principal can hold a role, which gives it
// no permission by itself; the assignment goes with it.
func TestServicePrincipalRole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var id string
		if err := d.QueryRowContext(t.Context(), `SELECT id FROM service_principals WHERE app_id = $1`, w.app.AppID).Scan(&id); err != nil {
			t.Fatal(err)
		}
		w.assign(201, "admin", id, directory.UserAdministrator)
		w.do(403, "POST", "/v1.0/users", "weak", `{}`)
		if n := len(w.do(200, "GET", assignmentsPath+"?$filter=principalId eq '"+id+"'", "reader", "")["value"].([]any)); n != 1 {
			t.Error("assignments:", n)
		}
	})
}

// TestDynamicGuard: neither a rule nor a change of what it asks may take the
// last Global Administrator out of the groups that may use passkeys (PK-42).
func TestDynamicGuard_DO15_PK42(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		admin := "/v1.0/users/" + w.ids["admin"]
		w.provision("admin", "robot")
		w.do(204, "PATCH", admin, "admin", `{"department": "IT"}`)
		g := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "IT", "mailEnabled": false, "mailNickname": "it", "securityEnabled": true, "groupTypes": ["DynamicMembership"],
			"membershipRule": "user.department -eq \"IT\"", "membershipRuleProcessingState": "On"}`)["id"].(string)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2", "admin", `{"includeTargets": [{"targetType": "group", "id": "`+g+`"}]}`)
		for _, c := range []struct{ target, body string }{
			{"/v1.0/groups/" + g, `{"membershipRule": "user.department -eq \"HR\""}`},
			{admin, `{"department": "HR"}`},
			{"/v1.0/users/admin@contoso.test", `{"department": null}`},
		} {
			if got := codeOf(w.do(400, "PATCH", c.target, "admin", c.body)); got != "wouldLockOutAdministrators" {
				t.Errorf("PATCH %s: %v", c.target, got)
			}
		}
		w.do(204, "PATCH", admin, "admin", `{"jobTitle": "Boss"}`)
		w.do(204, "PATCH", "/v1.0/groups/"+g, "useradmin", `{"membershipRule": "user.department -eq \"IT\" -or user.department -eq \"HR\""}`)
		w.do(204, "PATCH", admin, "admin", `{"department": "HR"}`)
	})
}
