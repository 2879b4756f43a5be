package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// hire makes a person who holds roles; token and request know the person by
// the name.
func (w *world) hire(name string, roles ...string) string {
	w.t.Helper()
	err := w.d.Write(w.t.Context(), func(q db.Querier) error {
		u, err := directory.CreateUser(w.t.Context(), q, audit.System("test"), w.now, directory.User{UserPrincipalName: name + "@contoso.test", DisplayName: name, AccountEnabled: true})
		for i := 0; err == nil && i < len(roles); i++ {
			err = directory.AssignRole(w.t.Context(), q, audit.System("test"), w.now, directory.RoleAssignment{UserID: u.ID, RoleID: roles[i]})
		}
		w.ids[name] = u.ID
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.ids[name]
}

// TestTasks is directory-and-odata §4.1 and §4.2, task by role: each of the
// roles named does the task, as does a Global Administrator, and every other
// role there is gets 403 with the name of the least one that could.
func TestTasks(t *testing.T) {
	const people = "/v1.0/users/"
	n := 0
	somebody := func(w *world, roles ...string) string {
		n++
		return w.hire(fmt.Sprintf("somebody%d", n), roles...)
	}
	type call struct{ method, target, body string }
	logs := []string{directory.ReportsReader, directory.SecurityReader, directory.SecurityOperator, directory.SecurityAdministrator, directory.GlobalReader}
	methods := []string{directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator}
	accounts := append([]string{directory.UserAdministrator}, methods...)
	tasks := []struct {
		name  string
		want  int
		roles []string // who may; the refusal names the first
		first string   // or this one, where it is asked for before the body is read
		call  func(w *world) call
	}{
		{"methods policy", 200, []string{directory.AuthenticationPolicyAdministrator}, "", func(*world) call { return call{"PATCH", "/v1.0" + policyPath, `{"reconfirmationInDays": 0}`} }},
		{"passkey profiles", 204, []string{directory.AuthenticationPolicyAdministrator}, "", func(*world) call {
			return call{"PATCH", "/v1.0" + configsPath + "/fido2", `{"isSelfServiceRegistrationAllowed": true}`}
		}},
		{"per-user MFA", 204, []string{directory.AuthenticationPolicyAdministrator}, "", func(w *world) call {
			return call{"PATCH", "/beta/users/" + w.ids["ada"] + "/authentication/requirements", `{}`}
		}},
		{"access pass of a reachable user", 201, methods, "", func(w *world) call {
			return call{"POST", people + somebody(w) + "/authentication/temporaryAccessPassMethods", `{}`}
		}},
		{"passkey options of a reachable user", 200, methods, "", func(w *world) call {
			return call{"GET", people + somebody(w, directory.ReportsReader) + "/authentication/fido2Methods/creationOptions", ""}
		}},
		{"access pass of a Global Administrator", 201, methods[1:], directory.AuthenticationAdministrator, func(w *world) call {
			return call{"POST", people + somebody(w, directory.GlobalAdministrator) + "/authentication/temporaryAccessPassMethods", `{}`}
		}},
		{"password of a reachable user", 202, methods, "", func(w *world) call {
			return call{"POST", people + somebody(w) + "/authentication/methods/" + passwordMethodID + "/resetPassword", `{"newPassword": "correct horse battery staple 7"}`}
		}},
		{"signing a reachable user out", 200, accounts, "", func(w *world) call { return call{"POST", people + somebody(w) + "/revokeSignInSessions", ""} }},
		{"a new user", 201, []string{directory.UserAdministrator}, "", func(*world) call {
			n++
			return call{"POST", "/v1.0/users", fmt.Sprintf(`{"displayName": "New", "userPrincipalName": "new%d@contoso.test", "mailNickname": "new", "accountEnabled": true, "passwordProfile": {"password": "correct horse battery staple 7"}}`, n)}
		}},
		{"user name and switch of a reachable user", 204, accounts, "", func(w *world) call {
			n++
			return call{"PATCH", people + somebody(w), fmt.Sprintf(`{"userPrincipalName": "renamed%d@contoso.test", "accountEnabled": false}`, n)}
		}},
		{"deletion of a reachable user", 204, accounts, "", func(w *world) call { return call{"DELETE", people + somebody(w), ""} }},
		{"restoring a reachable user", 200, accounts, "", func(w *world) call {
			id := somebody(w)
			w.do(204, "DELETE", people+id, "admin", "")
			return call{"POST", "/v1.0/directory/deletedItems/" + id + "/restore", ""}
		}},
		{"restoring a group", 200, []string{directory.UserAdministrator, directory.GroupsAdministrator}, directory.GroupsAdministrator, func(w *world) call {
			id := w.do(201, "POST", "/v1.0/groups", "admin", `{"displayName": "Old"}`)["id"].(string)
			w.do(204, "DELETE", "/v1.0/groups/"+id, "admin", "")
			return call{"POST", "/v1.0/directory/deletedItems/" + id + "/restore", ""}
		}},
		{"restoring an application", 200, []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator}, directory.UserAdministrator, func(w *world) call {
			id := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Old"}`)["id"].(string)
			w.do(204, "DELETE", "/v1.0/applications/"+id, "admin", "")
			return call{"POST", "/v1.0/directory/deletedItems/" + id + "/restore", ""}
		}},
		{"members of a group", 204, []string{directory.GroupsAdministrator, directory.UserAdministrator}, "", func(w *world) call {
			id := w.do(201, "POST", "/v1.0/groups", "admin", `{"displayName": "Crew"}`)["id"].(string)
			return call{"POST", "/v1.0/groups/" + id + "/members/$ref", ref(w.ids["ada"])}
		}},
		{"a service principal", 201, []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator}, "", func(w *world) call {
			return call{"POST", "/v1.0/servicePrincipals", `{"appId": "` + w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Wiki"}`)["appId"].(string) + `"}`}
		}},
		{"a permission of Graph for an application", 201, []string{directory.PrivilegedRoleAdministrator}, directory.ApplicationAdministrator, func(w *world) call {
			app := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Job"}`)
			sp := w.do(201, "POST", "/v1.0/servicePrincipals", "admin", `{"appId": "`+app["appId"].(string)+`"}`)["id"].(string)
			return call{"POST", "/v1.0/servicePrincipals/" + sp + "/appRoleAssignments", `{"principalId": "` + sp + `", "resourceId": "` + application.GraphPrincipalID + `", "appRoleId": "` + application.PermissionID("User.Read.All", false) + `"}`}
		}},
		{"a new group", 201, []string{directory.GroupsAdministrator, directory.UserAdministrator}, "", func(*world) call {
			return call{"POST", "/v1.0/groups", `{"displayName": "New", "mailEnabled": false, "mailNickname": "new", "securityEnabled": true}`}
		}},
		{"a new group for roles", 201, []string{directory.PrivilegedRoleAdministrator}, directory.GroupsAdministrator, func(*world) call {
			return call{"POST", "/v1.0/groups", `{"displayName": "New", "mailEnabled": false, "mailNickname": "new", "securityEnabled": true, "isAssignableToRole": true}`}
		}},
		{"role assignments", 201, []string{directory.PrivilegedRoleAdministrator}, "", func(w *world) call {
			return call{"POST", "/v1.0/roleManagement/directory/roleAssignments", `{"principalId": "` + somebody(w) + `", "roleDefinitionId": "` + directory.UserAdministrator + `", "directoryScopeId": "/"}`}
		}},
		{"members of directory roles", 204, []string{directory.PrivilegedRoleAdministrator}, "", func(w *world) call {
			return call{"POST", "/v1.0/directoryRoles/" + directory.ReportsReader + "/members/$ref", `{"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/` + somebody(w) + `"}`}
		}},
		{"applications", 201, []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator}, "", func(*world) call {
			return call{"POST", "/v1.0/applications", `{"displayName": "Wiki"}`}
		}},
		{"sign-in log", 200, logs, "", func(*world) call { return call{"GET", "/v1.0/auditLogs/signIns", ""} }},
		{"audit log", 200, logs, "", func(*world) call { return call{"GET", "/v1.0/auditLogs/directoryAudits", ""} }},
		{"reading methods of others", 200, append(methods, directory.GlobalReader), "", func(w *world) call { return call{"GET", people + w.ids["ada"] + "/authentication/methods", ""} }},
		{"reading the methods policy", 200, []string{directory.AuthenticationPolicyAdministrator, directory.GlobalReader}, "", func(*world) call { return call{"GET", "/v1.0" + policyPath, ""} }},
		{"the organisation", 204, nil, "", func(*world) call { return call{"PATCH", "/v1.0/organization", `{"displayName": "Contoso"}`} }},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/password", "admin", `{"state": "enabled"}`)
		for _, r := range directory.Roles {
			w.hire(r.ID, r.ID)
		}
		for _, task := range tasks {
			least := directory.RoleName(append(task.roles, directory.GlobalAdministrator)[0])
			for _, r := range directory.Roles {
				c := task.call(w)
				rec := w.request(c.method, c.target, r.ID, []byte(c.body), nil)
				may := r.ID == directory.GlobalAdministrator || slices.Contains(task.roles, r.ID)
				text := rec.Body.String()
				switch {
				case may && rec.Code != task.want:
					t.Errorf("%s: %s: status %d, want %d\n%.300s", task.name, r.DisplayName, rec.Code, task.want, text)
				case !may && rec.Code != 403:
					t.Errorf("%s: %s: status %d, want 403\n%.300s", task.name, r.DisplayName, rec.Code, text)
				case !may && !strings.Contains(text, least) && (task.first == "" || !strings.Contains(text, directory.RoleName(task.first))):
					t.Errorf("%s: %s: the refusal does not name %s\n%.300s", task.name, r.DisplayName, least, text)
				}
			}
		}
	})
}

// TestGlobalReader reads everything and sees no secrets (§4.1, DO-26); a
// person sees the own methods.
func TestGlobalReader(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.provision("ada", "authadmin")
		ada := "/v1.0/users/" + w.ids["ada"]
		pass := w.do(201, "POST", ada+"/authentication/temporaryAccessPassMethods", "authadmin", `{}`)
		if pass["temporaryAccessPass"] == nil {
			t.Fatal("the pass itself is told once, when it is made")
		}
		for _, target := range []string{"/v1.0/users", ada, ada + "/memberOf", "/v1.0/groups", "/v1.0/directoryRoles", "/v1.0/directoryRoleTemplates", "/v1.0/roleManagement/directory/roleDefinitions",
			"/v1.0/roleManagement/directory/roleAssignments", "/v1.0/applications", "/v1.0/organization", "/v1.0" + policyPath, "/v1.0" + configsPath + "/fido2",
			"/v1.0/auditLogs/signIns", "/v1.0/auditLogs/directoryAudits", "/beta/users/" + w.ids["ada"] + "/authentication/requirements"} {
			w.do(200, "GET", target, "reader", "")
		}
		for _, who := range []string{"reader", "ada"} {
			all := w.do(200, "GET", ada+"/authentication/methods", who, "")["value"].([]any)
			if len(all) < 2 {
				t.Errorf("DO-26: %s sees %d methods", who, len(all))
			}
			for _, m := range all {
				if secret := m.(map[string]any)["temporaryAccessPass"]; secret != nil {
					t.Errorf("DO-26: %s sees the code of a pass: %v", who, secret)
				}
			}
		}
		w.do(403, "GET", "/v1.0/users/"+w.ids["reader"]+"/authentication/methods", "ada", "")
	})
}

// TestOwnAccessPass_DO24: DO-24, nobody makes an access pass for themselves.
func TestOwnAccessPass_DO24(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, r := range directory.Roles {
			who := strings.ReplaceAll(r.DisplayName, " ", "")
			id := w.hire(who, r.ID)
			for _, target := range []string{"/v1.0/me", "/v1.0/users/" + id, "/v1.0/users/" + strings.ToUpper(who) + "@contoso.test"} {
				if rec := w.request("POST", target+"/authentication/temporaryAccessPassMethods", who, []byte(`{}`), nil); rec.Code < 400 {
					t.Errorf("%s made a pass for themselves at %s: %d", r.DisplayName, target, rec.Code)
				}
			}
		}
	})
}
