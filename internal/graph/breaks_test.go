package graph

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// TestStreamsOfABatchBreakOff_regression: tables in a batch that are too large
// together are refused by name. They ended the program.
func TestStreamsOfABatchBreakOff_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for i := range 60 {
			w.do(201, "POST", "/v1.0/users", "admin", fmt.Sprintf(`{"displayName":%q,"userPrincipalName":"wide%d@contoso.test","mailNickname":"wide%d","accountEnabled":true,"passwordProfile":{"password":"correct horse battery %d"}}`,
				strings.Repeat("w", 200), i, i, i))
		}
		table := "/users?$format=csv&$select=" + strings.TrimSuffix(strings.Repeat("displayName,", 100), ",")
		var items []string
		for i := range 20 {
			items = append(items, fmt.Sprintf(`{"id":"%d","method":"GET","url":%q}`, i, table))
		}
		code, answers := w.batch("admin", `{"requests":[`+strings.Join(items, ",")+`]}`)
		if code != 200 || len(answers) != 20 {
			t.Fatalf("%d, %d answers", code, len(answers))
		}
		whole, refused := 0, 0
		for id, a := range answers {
			switch {
			case a.Status == 200:
				whole++
			case a.Status == 400 && strings.Contains(string(a.Body), "answerTooLarge"):
				refused++
			default:
				t.Errorf("%s: %d %s", id, a.Status, a.Body)
			}
		}
		if whole == 0 || refused == 0 {
			t.Errorf("%d whole, %d refused: nothing broke off", whole, refused)
		}
	})
}

// TestFewerScopesOpenNoMore_regression: a Privileged Role Administrator changes
// role-assignable groups only, whatever the token leaves out (DO-11).
func TestFewerScopesOpenNoMore_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.hire("keyholder", directory.PrivilegedRoleAdministrator)
		group := w.do(201, "POST", "/v1.0/groups", "admin", `{"displayName":"Excluded","mailEnabled":false,"mailNickname":"excluded","securityEnabled":true}`)["id"].(string)
		for _, scopes := range []string{"Group.ReadWrite.All", "Group.ReadWrite.All RoleManagement.ReadWrite.Directory"} {
			token, err := w.ring.Sign("ES256", map[string]any{"aud": Audience, "iat": w.now.Unix(), "nbf": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(),
				"appid": application.CLIAppID, "amr": []string{"fido", "mfa"}, "idtyp": "user", "scp": scopes, "oid": w.ids["keyholder"]}, w.now)
			if err != nil {
				t.Fatal(err)
			}
			rec := w.request("PATCH", "/v1.0/groups/"+group, "none", []byte(`{"description":"mine"}`), http.Header{"Authorization": {"Bearer " + token}})
			if rec.Code != http.StatusForbidden {
				t.Errorf("with %s: %d %s", scopes, rec.Code, rec.Body)
			}
		}
	})
}

// TestApplicationsSeeWhatTheyMay_regression: an application that came by way of
// a group sees the basics of people only, and one that may change what it owns
// does not reach deleted applications of others.
func TestApplicationsSeeWhatTheyMay_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		group := w.do(201, "POST", "/v1.0/groups", "admin", `{"displayName":"Staff","mailEnabled":false,"mailNickname":"staff","securityEnabled":true}`)["id"].(string)
		person := w.do(201, "POST", "/v1.0/users", "admin", `{"displayName":"Pat","userPrincipalName":"pat@contoso.test","mailNickname":"pat","mobilePhone":"+1 555 0100","accountEnabled":true,"passwordProfile":{"password":"correct horse battery"}}`)["id"].(string)
		w.do(204, "POST", "/v1.0/groups/"+group+"/members/$ref", "admin", `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/`+person+`"}`)
		for permission, sees := range map[string]bool{"GroupMember.Read.All": false, "Directory.Read.All": true} {
			app := w.register("Reader of "+permission, permission)
			rec := w.requestOf(app, "GET", "/v1.0/groups/"+group+"/members/user?$select=displayName,mobilePhone", "")
			if rec.Code != 200 || !strings.Contains(rec.Body.String(), "Pat") || strings.Contains(rec.Body.String(), "555") != sees {
				t.Errorf("%s: %d %s", permission, rec.Code, rec.Body)
			}
		}

		victim := w.register("Victim")
		w.do(204, "DELETE", "/v1.0/applications/"+victim.ID, "admin", "")
		tool := w.register("Tool", "User.ReadWrite.All", ownedOnly)
		for method, target := range map[string]string{"DELETE": "/v1.0/directory/deletedItems/" + victim.ID, "POST": "/v1.0/directory/deletedItems/" + victim.ID + "/restore"} {
			if rec := w.requestOf(tool, method, target, ""); rec.Code != http.StatusForbidden {
				t.Errorf("%s: %d %s", method, rec.Code, rec.Body)
			}
		}
	})
}

// TestParkedPermissionsCount_regression: while the service principal of a
// strong application lay among the deleted items, an Application Administrator
// could add a secret or an address that came to life with its restoration.
func TestParkedPermissionsCount_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.hire("appadmin", directory.ApplicationAdministrator)
		strong := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName":"Strong","cardea":{"applicationPermissions":["User.ReadWrite.All"],"delegatedPermissions":["RoleManagement.ReadWrite.Directory"]}}`)
		one := "/v1.0/applications/" + strong["id"].(string)
		principal := w.do(201, "POST", "/v1.0/servicePrincipals", "admin", `{"appId":"`+strong["appId"].(string)+`"}`)["id"].(string)
		w.do(204, "DELETE", "/v1.0/servicePrincipals/"+principal, "admin", "")
		w.do(403, "POST", one+"/addPassword", "appadmin", `{}`)
		w.do(403, "PATCH", one, "appadmin", `{"web":{"redirectUris":["https://thief.example.org/"]}}`)
		w.do(200, "POST", one+"/addPassword", "admin", `{}`)
	})
}
