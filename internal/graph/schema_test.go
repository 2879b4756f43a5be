package graph

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/session"
)

// TestMembers asks for one of everything: no member comes or goes unnoticed,
// and @odata.type is what it should be. That answers fit Graph's description is
// checked by the kit, for every answer of every test (validate_test.go).
func TestMembers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		sent := map[string]map[string]bool{} // members per type
		defer func() { golden(t, sent) }()
		w := newWorld(t, d)
		key := w.provision("ada", "authadmin")
		group := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Engineering", "members@odata.bind": ["/directoryObjects/`+w.ids["ada"]+`"]}`)["id"].(string)
		w.do(201, "POST", "/v1.0/users/"+w.ids["ada"]+"/authentication/temporaryAccessPassMethods", "authadmin", `{}`)
		app := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Wiki"}`)["id"].(string)
		w.do(200, "POST", "/v1.0/applications/"+app+"/addPassword", "admin", `{}`)
		principal := w.do(201, "POST", "/v1.0/servicePrincipals", "admin", `{"appId":"`+w.app.AppID+`","samlSingleSignOnSettings":{"relayState":null}}`)["id"].(string)
		w.do(201, "POST", "/v1.0/servicePrincipals/"+principal+"/appRoleAssignedTo", "admin", `{"principalId":"`+w.ids["ada"]+`","appRoleId":"`+application.NoRole+`"}`)
		w.do(201, "POST", "/v1.0/oauth2PermissionGrants", "admin", `{"clientId":"`+principal+`","consentType":"Principal","principalId":"`+w.ids["ada"]+`","resourceId":"`+application.GraphPrincipalID+`","scope":"User.Read"}`)
		if err := d.Write(t.Context(), func(q db.Querier) error {
			row := session.Situation{IP: "192.0.2.7", UserAgent: "Mozilla/5.0 (Windows NT 10.0) Edg/140.0", AppID: w.app.AppID, AppName: "Robot"}.Row(noon)
			u, err := directory.GetUser(t.Context(), q, w.ids["ada"])
			if err != nil {
				return err
			}
			_, err = session.Enter(t.Context(), q, row, u, session.Session{UserID: u.ID, Methods: []string{session.MethodPasskey, session.MethodMFA}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		ada := "/v1.0/users/" + w.ids["ada"]
		for _, c := range []struct{ schema, target, who string }{
			{"user", ada, "reader"},
			{"user", ada + "?$select=" + strings.Join(slices.Sorted(maps.Keys(userShape.Absent)), ","), "reader"},
			{"user", "/v1.0/users", "reader"},
			{"user", "/v1.0/groups/" + group + "/members", "reader"},
			{"group", "/v1.0/groups/" + group, "reader"},
			{"group", ada + "/memberOf", "reader"},
			{"directoryRole", "/v1.0/directoryRoles", "reader"},
			{"organization", "/v1.0/organization", "reader"},
			{"application", "/v1.0/applications", "reader"},
			{"application", "/v1.0/applications/" + app + "?$select=" + strings.Join(slices.Sorted(maps.Keys(applicationShape.Absent)), ","), "reader"},
			{"servicePrincipal", "/v1.0/servicePrincipals", "reader"},
			{"servicePrincipal", "/v1.0/servicePrincipals/" + principal + "?$select=" + strings.Join(slices.Sorted(maps.Keys(principalShape.Absent)), ","), "reader"},
			{"appRoleAssignment", "/v1.0/servicePrincipals/" + principal + "/appRoleAssignedTo", "reader"},
			{"appRoleAssignment", ada + "/appRoleAssignments", "reader"},
			{"oAuth2PermissionGrant", ada + "/oauth2PermissionGrants", "reader"},
			{"fido2AuthenticationMethod", ada + "/authentication/fido2Methods", "reader"},
			{"fido2AuthenticationMethod", ada + "/authentication/fido2Methods/" + key, "reader"},
			{"webauthnCredentialCreationOptions", ada + "/authentication/fido2Methods/creationOptions", "authadmin"},
			{"temporaryAccessPassAuthenticationMethod", ada + "/authentication/temporaryAccessPassMethods", "reader"},
			{"fido2AuthenticationMethodConfiguration", "/v1.0" + configsPath + "/fido2", "reader"},
			{"temporaryAccessPassAuthenticationMethodConfiguration", "/v1.0" + configsPath + "/temporaryAccessPass", "reader"},
			{"softwareOathAuthenticationMethodConfiguration", "/v1.0" + configsPath + "/softwareOath", "reader"},
			{"authenticationMethodsPolicy", "/v1.0" + policyPath, "reader"},
			{"signIn", "/v1.0/auditLogs/signIns", "reader"},
			{"directoryAudit", "/v1.0/auditLogs/directoryAudits", "reader"},
		} {
			body := w.do(200, "GET", c.target, c.who, "")
			items, isList := body["value"].([]any)
			if !isList {
				items = []any{body}
			}
			if len(items) == 0 {
				t.Errorf("%s: nothing to validate", c.target)
			}
			for _, item := range items {
				o := item.(map[string]any)
				if kind, ok := o["@odata.type"].(string); ok && kind != "#microsoft.graph."+c.schema {
					t.Errorf("%s: @odata.type is %s, want %s", c.target, kind, c.schema)
				}
				if sent[c.schema] == nil {
					sent[c.schema] = map[string]bool{}
				}
				for name := range o {
					if !strings.HasPrefix(name, "@odata.") {
						sent[c.schema][name] = true
					}
				}
			}
		}
	})
}

// golden compares the members that were seen with testdata/members.txt: no
// member comes or goes unnoticed.
func golden(t *testing.T, sent map[string]map[string]bool) {
	const path = "testdata/members.txt"
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(sent)) {
		b.WriteString(kind + "\n")
		for _, name := range slices.Sorted(maps.Keys(sent[kind])) {
			b.WriteString("\t" + name + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != b.String() {
		t.Errorf("the members differ from %s (%v); -update rewrites it\n%s", path, err, b.String())
	}
}
