package graph

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// TestDeletedApplications: gone from everywhere, among the deleted items with
// its service principal, back as it was, gone for good.
func TestDeletedApplications(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.hire("appadmin", directory.ApplicationAdministrator)
		const items = "/v1.0/directory/deletedItems"
		app := w.do(201, "POST", "/v1.0/applications", "appadmin", `{"displayName": "Wiki", "identifierUris": ["api://wiki.example"], "web": {"redirectUris": ["https://wiki.example/cb"]}}`)
		id, appID := app["id"].(string), app["appId"].(string)
		sp := w.do(201, "POST", "/v1.0/servicePrincipals", "appadmin", `{"appId": "`+appID+`"}`)["id"].(string)
		secret := w.do(200, "POST", "/v1.0/applications/"+id+"/addPassword", "appadmin", `{}`)["secretText"].(string)
		w.do(201, "POST", "/v1.0/servicePrincipals/"+sp+"/appRoleAssignedTo", "appadmin", `{"principalId": "`+w.ids["ada"]+`", "appRoleId": "`+application.NoRole+`"}`)
		before := w.get("/v1.0/applications/"+id, "reader")

		w.do(204, "DELETE", "/v1.0/applications/"+id, "appadmin", "")
		for _, gone := range []string{"/v1.0/applications/" + id, "/v1.0/applications(appId='" + appID + "')", "/v1.0/servicePrincipals/" + sp} {
			w.do(404, "GET", gone, "reader", "")
		}
		if n := len(w.get("/v1.0/users/"+w.ids["ada"]+"/appRoleAssignments", "reader")["value"].([]any)); n != 0 {
			t.Errorf("%d assignments to what is deleted", n)
		}
		for target, want := range map[string]string{items + "/microsoft.graph.application": "Wiki", items + "/application?$filter=displayName eq 'wiki'": "Wiki", items + "/graph.application?$filter=appId eq '" + appID + "'": "Wiki",
			items + "/microsoft.graph.application?$filter=startswith(displayName,'x')": "", items + "/microsoft.graph.servicePrincipal": ""} {
			if got := names(w.get(target, "reader")); got != want {
				t.Errorf("%s: %q, want %q", target, got, want)
			}
		}
		one := w.get(items+"/"+id, "appadmin")
		if one["@odata.type"] != "#microsoft.graph.application" || one["deletedDateTime"] == nil || one["appId"] != appID {
			t.Errorf("%v", one)
		}
		if rec := w.request("GET", items+"/microsoft.graph.application/$count", "reader", nil, nil); rec.Body.String() != "1" {
			t.Errorf("$count: %s", rec.Body)
		}
		for _, who := range []string{"useradmin", "ada", "authadmin"} {
			w.do(403, "GET", items+"/"+id, who, "")
			w.do(403, "POST", items+"/"+id+"/restore", who, "")
			w.do(403, "DELETE", items+"/"+id, who, "")
		}
		w.do(403, "POST", items+"/"+id+"/restore", "reader", "")

		back := w.do(200, "POST", items+"/"+id+"/restore", "appadmin", "")
		if back["@odata.type"] != "#microsoft.graph.application" || back["id"] != id || back["deletedDateTime"] != nil {
			t.Errorf("restored: %v", back)
		}
		if after := w.get("/v1.0/applications/"+id, "reader"); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("restored as %v, was %v", after, before)
		}
		if got := w.get("/v1.0/servicePrincipals/"+sp, "reader")["appId"]; got != appID {
			t.Errorf("the service principal: %v", got)
		}
		if n := len(w.get("/v1.0/users/"+w.ids["ada"]+"/appRoleAssignments", "reader")["value"].([]any)); n != 1 {
			t.Errorf("%d assignments", n)
		}
		a, err := w.api.Applications.Find(t.Context(), appID, w.now)
		if err != nil || a.CheckSecret(secret, w.now) != nil {
			t.Errorf("its secret: %v", err)
		}
		w.do(404, "GET", items+"/"+id, "appadmin", "")

		w.do(204, "DELETE", "/v1.0/servicePrincipals/"+sp, "appadmin", "")
		if got := w.get(items+"/"+sp, "appadmin"); got["@odata.type"] != "#microsoft.graph.servicePrincipal" || names(w.get(items+"/microsoft.graph.servicePrincipal", "reader")) != "Wiki" {
			t.Errorf("a deleted service principal: %v", got)
		}
		w.do(200, "POST", items+"/"+sp+"/restore", "appadmin", "")
		w.do(200, "GET", "/v1.0/servicePrincipals/"+sp, "reader", "")

		w.do(204, "DELETE", "/v1.0/applications/"+id, "appadmin", "")
		w.do(204, "DELETE", items+"/"+id, "appadmin", "")
		w.do(404, "POST", items+"/"+id+"/restore", "appadmin", "")
		w.do(201, "POST", "/v1.0/applications", "appadmin", `{"displayName": "Wiki", "identifierUris": ["api://wiki.example"]}`)
		log := w.get("/v1.0/auditLogs/directoryAudits?$filter=category eq 'ApplicationManagement'&$top=100", "reader")
		for _, activity := range []string{"Delete application", "Restore application", "Hard Delete application", "Restore service principal"} {
			if !strings.Contains(fmt.Sprint(log["value"]), activity) {
				t.Errorf("the log does not say %s", activity)
			}
		}
	})
}

// TestRestoringNeedsWhoMayGrant: an application that comes back with permissions
// comes back by who may grant those.
func TestRestoringNeedsWhoMayGrant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.hire("appadmin", directory.ApplicationAdministrator)
		w.hire("roleadmin", directory.PrivilegedRoleAdministrator, directory.ApplicationAdministrator)
		for permissions, want := range map[string]int{`{"applicationPermissions": ["User.ReadWrite.All"]}`: 403, `{"delegatedPermissions": ["RoleManagement.ReadWrite.Directory"]}`: 403, `{"delegatedPermissions": ["User.Read"]}`: 200, `{}`: 200} {
			made := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Strong", "cardea": `+permissions+`}`)
			id := made["id"].(string)
			w.do(204, "DELETE", "/v1.0/applications/"+id, "appadmin", "")
			w.do(want, "POST", "/v1.0/directory/deletedItems/"+id+"/restore", "appadmin", "")
			if want == 403 {
				w.do(404, "GET", "/v1.0/applications/"+id, "reader", "")
				w.do(200, "POST", "/v1.0/directory/deletedItems/"+id+"/restore", "roleadmin", "")
			}
			if got := w.get("/v1.0/applications/"+id, "reader")["cardea"]; fmt.Sprint(got) != fmt.Sprint(made["cardea"]) {
				t.Errorf("%s: restored with %v", permissions, got)
			}
		}
	})
}

// TestOwnedBy: Application.ReadWrite.OwnedBy makes applications, manages those
// that it owns, and no others.
func TestOwnedBy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		pipeline := w.register("Pipeline", ownedOnly)
		ask := func(status int, method, target, body string) map[string]any {
			t.Helper()
			rec := w.requestOf(pipeline, method, target, body)
			if rec.Code != status {
				t.Errorf("%s %s: %d %.300s, want %d", method, target, rec.Code, rec.Body, status)
			}
			var out map[string]any
			if rec.Body.Len() > 0 {
				if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
					t.Fatal(err)
				}
			}
			return out
		}
		made := ask(201, "POST", "/v1.0/applications", `{"displayName": "Mine"}`)
		bound := ask(201, "POST", "/v1.0/applications", `{"displayName": "Mine too", "owners@odata.bind": ["https://x/v1.0/directoryObjects/`+pipeline.PrincipalID()+`"]}`)
		for _, m := range []map[string]any{made, bound} {
			if owners := w.get("/v1.0/applications/"+m["id"].(string)+"/owners", "reader")["value"].([]any); len(owners) != 1 || owners[0].(map[string]any)["id"] != pipeline.PrincipalID() {
				t.Errorf("owners of %v: %v", m["displayName"], owners)
			}
		}
		other := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Not mine"}`)
		sp := ask(201, "POST", "/v1.0/servicePrincipals", `{"appId": "`+made["appId"].(string)+`"}`)["id"].(string)
		foreign := w.do(201, "POST", "/v1.0/servicePrincipals", "admin", `{"appId": "`+other["appId"].(string)+`"}`)["id"].(string)
		for _, c := range []struct{ method, path, body string }{
			{"PATCH", "", `{"notes": "x"}`}, {"POST", "/addPassword", `{}`}, {"POST", "/owners/$ref", ref(w.ids["ada"])}, {"DELETE", "/owners/" + w.ids["ada"] + "/$ref", ""},
		} {
			for kind, ids := range map[string][2]string{"/v1.0/applications/": {made["id"].(string), other["id"].(string)}, "/v1.0/servicePrincipals/": {sp, foreign}} {
				status := 204
				if c.path == "/addPassword" {
					status = 200
				}
				ask(status, c.method, kind+ids[0]+c.path, c.body)
				ask(403, c.method, kind+ids[1]+c.path, c.body)
				ask(200, "GET", kind+ids[1], "")
			}
		}
		ask(403, "PATCH", "/v1.0/applications/"+made["id"].(string), `{"cardea": {"applicationPermissions": ["User.Read.All"]}}`)
		third := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Third"}`)
		ask(403, "POST", "/v1.0/servicePrincipals", `{"appId": "`+third["appId"].(string)+`"}`)
		ask(403, "DELETE", "/v1.0/applications/"+other["id"].(string), "")
		ask(403, "DELETE", "/v1.0/servicePrincipals/"+foreign, "")
		ask(204, "DELETE", "/v1.0/servicePrincipals/"+sp, "")
		ask(204, "DELETE", "/v1.0/applications/"+made["id"].(string), "")
		ask(403, "POST", "/v1.0/users", `{"displayName": "X", "userPrincipalName": "x@contoso.test"}`)
	})
}
