package graph

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// TestTerraformUser_WC87: what Terraform sends of a person comes back as it was
// sent, after the creation and after each change.
func TestTerraformUser_WC87(t *testing.T) {
	const sent = `{"@odata.type":"#microsoft.graph.user","accountEnabled":true,"ageGroup":null,"city":null,"companyName":"Contoso","consentProvidedForMinor":null,"country":"Iceland","department":null,"displayName":"TF User","employeeId":"E-1","employeeOrgData":{"costCenter":null,"division":"North"},"employeeType":null,"faxNumber":null,"givenName":null,"jobTitle":null,"mail":null,"mailNickname":"tf","mobilePhone":null,"officeLocation":null,"otherMails":["tf@other.example"],"passwordPolicies":null,"passwordProfile":{"forceChangePasswordNextSignIn":false,"password":"correct horse battery staple"},"postalCode":null,"preferredLanguage":null,"state":null,"streetAddress":null,"surname":null,"usageLocation":"IS","userPrincipalName":"tf@contoso.test"}`
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		var want map[string]any
		if err := json.Unmarshal([]byte(sent), &want); err != nil {
			t.Fatal(err)
		}
		id := w.do(201, "POST", "/v1.0/users", "robot", sent)["id"].(string)
		user := "/users/" + id
		check := func(version string) {
			t.Helper()
			for name, v := range want {
				if name == "@odata.type" || name == "passwordProfile" {
					continue
				}
				got := w.do(200, "GET", version+user+"?%24select="+name, "robot", "")[name]
				if !reflect.DeepEqual(got, v) {
					t.Errorf("%s is %v, want %v", name, got, v)
				}
			}
			if got, ok := w.do(200, "GET", version+user+"?$select=passwordProfile", "robot", "")["passwordProfile"]; !ok || got != nil {
				t.Errorf("DO-2: passwordProfile is %v, want null", got)
			}
		}
		check("/v1.0")
		w.do(204, "PATCH", "/beta"+user, "robot", `{"@odata.type":"#microsoft.graph.user","showInAddressList":true}`)
		want["showInAddressList"] = true
		check("/beta")
		w.do(204, "PATCH", "/v1.0"+user, "robot", `{"otherMails":[],"employeeOrgData":{"costCenter":"7","division":null},"country":null,"businessPhones":["+1 555 0100"],"onPremisesExtensionAttributes":{"extensionAttribute3":"x"}}`)
		want["otherMails"], want["employeeOrgData"], want["country"] = []any{}, map[string]any{"costCenter": "7", "division": nil}, nil
		want["businessPhones"], want["onPremisesExtensionAttributes"] = []any{"+1 555 0100"}, map[string]any{"extensionAttribute3": "x"}
		check("/v1.0")
		w.do(404, "GET", "/v1.0"+user+"/manager", "robot", "")
		w.do(204, "DELETE", "/v1.0"+user, "robot", "")
	})
}

// TestTerraformGroup_WC87: a group with the calling application as its owner,
// renamed twice, and its members.
func TestTerraformGroup_WC87(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		me, err := application.Catalogue{}.GetPrincipalByAppID(t.Context(), d, w.app.AppID)
		if err != nil {
			t.Fatal(err)
		}
		made := w.do(201, "POST", "/beta/groups", "robot", `{"@odata.type":"#microsoft.graph.group","description":null,"displayName":"TF Group","groupTypes":[],"isAssignableToRole":false,"mailEnabled":false,"mailNickname":"e8839e50-b","membershipRule":null,"owners@odata.bind":["https://HOST/beta/directoryObjects/`+me.ID+`"],"resourceBehaviorOptions":[],"resourceProvisioningOptions":[],"securityEnabled":true}`)
		group := "/beta/groups/" + made["id"].(string)
		for _, name := range []string{"TERRAFORM_UPDATE_1", "TF Group"} {
			w.do(204, "PATCH", group, "robot", `{"displayName":"`+name+`"}`)
			if got := w.do(200, "GET", group, "robot", "")["displayName"]; got != name { // DO-5
				t.Errorf("the name is %v, want %s", got, name)
			}
		}
		owners := w.do(200, "GET", group+"/owners", "robot", "")["value"].([]any)
		if len(owners) != 1 || owners[0].(map[string]any)["id"] != me.ID || owners[0].(map[string]any)["@odata.type"] != "#microsoft.graph.servicePrincipal" {
			t.Errorf("owners: %v", owners)
		}
		w.do(204, "POST", group+"/members/$ref", "robot", `{"@odata.id":"https://HOST/beta/directoryObjects/`+w.ids["ada"]+`"}`)
		if n := len(w.do(200, "GET", group+"/members", "robot", "")["value"].([]any)); n != 1 {
			t.Errorf("%d members", n)
		}
		if n := len(w.do(200, "GET", group+"/memberOf", "robot", "")["value"].([]any)); n != 0 {
			t.Errorf("in %d groups", n)
		}
	})
}

// TestSensitiveMembers_DO3: who does not reach a person changes none of the
// sensitive members, and may change the others.
func TestSensitiveMembers_DO3(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		far, near := "/v1.0/users/"+w.ids["policyadmin"], "/v1.0/users/"+w.ids["ada"]
		for i, c := range []struct {
			body      string
			sensitive bool
		}{
			{`{"accountEnabled": false}`, true}, {`{"businessPhones": ["1"]}`, true}, {`{"mobilePhone": "1"}`, true}, {`{"onPremisesImmutableId": "x"}`, true},
			{`{"otherMails": ["a@b.example"]}`, true}, {`{"userPrincipalName": "new%d@contoso.test"}`, true}, {`{"mail": "a@b.example"}`, true},
			{`{"passwordProfile": {"password": "correct horse battery staple"}}`, true}, {`{"jobTitle": "x"}`, false}, {`{"city": "x"}`, false},
		} {
			status := map[bool]int{true: 403, false: 204}[c.sensitive]
			w.do(status, "PATCH", far, "useradmin", strings.Replace(c.body, "%d", fmt.Sprint(i), 1))
			if !strings.Contains(c.body, "password") { // the policy gives ada none
				w.do(204, "PATCH", near, "useradmin", strings.Replace(c.body, "%d", fmt.Sprint("n", i), 1))
			}
		}
		w.do(403, "DELETE", far, "useradmin", "")
		if u := w.do(200, "GET", far+"?$select=accountEnabled,businessPhones,mobilePhone,otherMails,mail", "reader", ""); u["accountEnabled"] != true || u["mobilePhone"] != nil || len(u["otherMails"].([]any)) != 0 || u["mail"] != nil {
			t.Errorf("something was written: %v", u)
		}
		w.do(204, "DELETE", near, "useradmin", "")
	})
}

// TestReadingPeople: DO-4 guests see no lists, DO-6 what is not stored is null.
func TestReadingPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(403, "GET", "/v1.0/users", "guest", "")                          // DO-4
		w.do(403, "GET", "/v1.0/users/delta", "guest", "")                    // DO-4
		w.do(200, "GET", "/v1.0/me", "guest", "")                             //
		w.do(400, "GET", "/v1.0/users?$select=favouriteColour", "reader", "") // DO-6
		u := w.do(200, "GET", "/v1.0/users/"+w.ids["ada"]+"?$select=aboutMe,assignedLicenses,securityIdentifier", "reader", "")
		if v, ok := u["aboutMe"]; !ok || v != nil { // DO-6
			t.Errorf("aboutMe is %v", v)
		}
		if sid, _ := u["securityIdentifier"].(string); !strings.HasPrefix(sid, "S-1-12-1-") {
			t.Errorf("securityIdentifier is %q", sid)
		}
	})
}

// TestListsInFilters_DO36: lists of people and groups, each condition of a
// lambda about the same item.
func TestListsInFilters_DO36(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ada := w.ids["ada"]
		w.do(204, "PATCH", "/v1.0/users/"+ada, "useradmin", `{"otherMails": ["Ada@Home.example", "ada@work.example"], "proxyAddresses": ["SMTP:ada@contoso.test"],
			"identities": [{"signInType": "emailAddress", "issuer": "contoso.test", "issuerAssignedId": "Ada@home.example"}, {"signInType": "federated", "issuer": "other", "issuerAssignedId": "7"}],
			"mailNickname": "Ädele", "employeeId": "E-7", "onPremisesSyncEnabled": true}`)
		group := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "G", "groupTypes": ["Unified"], "mailEnabled": true, "members@odata.bind": ["/users/`+ada+`"]}`)["id"].(string)
		for filter, want := range map[string]int{
			"otherMails/any(m:m eq 'ada@home.EXAMPLE')":                                                 1,
			"otherMails/any(m:startswith(m,'ada@work'))":                                                1,
			"otherMails/any(m:endswith(m,'nowhere'))":                                                   0,
			"proxyAddresses/any(p:endswith(p,'contoso.test'))":                                          1,
			"identities/any(i:i/issuer eq 'contoso.test' and i/issuerAssignedId eq 'ada@home.example')": 1,
			"identities/any(i:i/issuer eq 'other' and i/issuerAssignedId eq 'ada@home.example')":        0,
			"memberOf/any(g:g/id eq '" + group + "')":                                                   1,
			"startswith(mailNickname,'äDE')":                                                            1,
			"employeeId in ('e-7','e-8')":                                                               1,
			"onPremisesSyncEnabled eq true":                                                             1,
			"otherMails/$count ge 2":                                                                    1,
			"signInActivity/lastSignInDateTime le 2030-01-01T00:00:00Z":                                 0,
			"department eq null and not otherMails/any(m:startswith(m,'ada'))":                          6,
		} {
			found := w.do(200, "GET", "/v1.0/users?$filter="+strings.ReplaceAll(filter, "$", "%24"), "admin", "")["value"].([]any)
			if len(found) != want {
				t.Errorf("%s finds %d, want %d", filter, len(found), want)
			}
		}
		for filter, want := range map[string]int{"groupTypes/any(t:t eq 'unified')": 1, "groupTypes/any(t:t eq 'DynamicMembership')": 0, "members/$count eq 1": 1, "mailEnabled eq true and securityEnabled eq false": 1} {
			found := w.do(200, "GET", "/v1.0/groups?$filter="+strings.ReplaceAll(filter, "$", "%24"), "reader", "")["value"].([]any)
			if len(found) != want {
				t.Errorf("%s finds %d groups, want %d", filter, len(found), want)
			}
		}
	})
}

// TestSignInActivity: it comes from the log, outlives it, and is for who may
// read logs.
func TestSignInActivity(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		old, young := noon.AddDate(0, 0, -100), noon.AddDate(0, 0, -1)
		write := func(at time.Time, event string, code int) {
			t.Helper()
			if err := d.Write(t.Context(), func(q db.Querier) error {
				return audit.WriteSignIn(t.Context(), q, audit.SignIn{ID: db.NewID(at), CreatedDateTime: at, UserID: w.ids["ada"], SignInEventTypes: []string{event}, Status: audit.SignInStatus{ErrorCode: code}})
			}); err != nil {
				t.Fatal(err)
			}
		}
		write(old, audit.Interactive, 0)
		write(old.Add(time.Hour), audit.NonInteractive, 0)
		write(old.Add(2*time.Hour), audit.Interactive, 500121)
		ask := "/v1.0/users/" + w.ids["ada"] + "?$select=signInActivity"
		inactive := "/v1.0/users?$select=id&$filter=signInActivity/lastSignInDateTime le " + noon.AddDate(0, 0, -90).Format(time.RFC3339)
		check := func(interactive, non, success time.Time, found int) {
			t.Helper()
			a, _ := w.do(200, "GET", ask, "reader", "")["signInActivity"].(map[string]any)
			for name, want := range map[string]time.Time{"lastSignInDateTime": interactive, "lastNonInteractiveSignInDateTime": non, "lastSuccessfulSignInDateTime": success} {
				if a[name] != want.Format(time.RFC3339) {
					t.Errorf("%s is %v, want %v", name, a[name], want)
				}
			}
			if n := len(w.do(200, "GET", inactive, "reader", "")["value"].([]any)); n != found {
				t.Errorf("%d are inactive, want %d", n, found)
			}
		}
		check(old.Add(2*time.Hour), old.Add(time.Hour), old.Add(time.Hour), 1)
		if err := d.Write(t.Context(), func(q db.Querier) error {
			n, err := audit.DeleteOldSignIns(t.Context(), q, noon.AddDate(0, 0, -90), 100)
			if n != 3 {
				t.Errorf("%d forgotten, want 3", n)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		check(old.Add(2*time.Hour), old.Add(time.Hour), old.Add(time.Hour), 1)
		write(young, audit.Interactive, 0)
		check(young, old.Add(time.Hour), young, 0)
		w.do(403, "GET", ask, "useradmin", "")
		w.do(403, "GET", inactive, "useradmin", "")
		if v, ok := w.do(200, "GET", "/v1.0/users/"+w.ids["guest"]+"?$select=signInActivity", "reader", "")["signInActivity"]; !ok || v != nil {
			t.Errorf("somebody who never came has %v", v)
		}
	})
}

// TestManagedGroups_DO14: DO-14, a group that a part of Cardea keeps refuses everybody
// else, Global Administrators too.
func TestManagedGroups_DO14(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		keeper := audit.System("agent")
		var g directory.Group
		if err := d.Write(t.Context(), func(q db.Querier) (err error) {
			if g, err = directory.CreateGroup(t.Context(), q, keeper, noon, directory.Group{DisplayName: "Wave 1", Cardea: &directory.Managed{ManagedBy: "agent"}}); err != nil {
				return err
			}
			return directory.AddMember(t.Context(), q, keeper, noon, directory.Membership{GroupID: g.ID, MemberID: w.ids["ada"]})
		}); err != nil {
			t.Fatal(err)
		}
		group := "/v1.0/groups/" + g.ID
		if got := w.do(200, "GET", group+"?$select=cardea", "reader", "")["cardea"]; fmt.Sprint(got) != "map[managedBy:agent]" {
			t.Errorf("cardea is %v", got)
		}
		w.do(403, "PATCH", group, "admin", `{"displayName": "Mine"}`)
		w.do(403, "PATCH", group, "robot", `{"displayName": "Mine"}`)
		w.do(403, "POST", group+"/members/$ref", "admin", `{"@odata.id": "/users/`+w.ids["guest"]+`"}`)
		w.do(403, "DELETE", group+"/members/"+w.ids["ada"]+"/$ref", "admin", "")
		w.do(403, "POST", group+"/owners/$ref", "admin", `{"@odata.id": "/users/`+w.ids["guest"]+`"}`)
		w.do(403, "DELETE", group, "admin", "")
		w.do(400, "POST", "/v1.0/groups", "admin", `{"displayName": "X", "cardea": {"managedBy": "agent"}}`)
	})
}

// TestDynamicGroups_DO10: nobody writes the members of a group that has a rule.
func TestDynamicGroups_DO10(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(400, "POST", "/v1.0/groups", "useradmin", `{"displayName": "D", "groupTypes": ["DynamicMembership"]}`)
		w.do(400, "POST", "/v1.0/groups", "useradmin", `{"displayName": "D", "membershipRule": "user.department -eq \"IT\""}`)
		made := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "D", "groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq \"IT\"", "membershipRuleProcessingState": "Paused"}`)
		group := "/v1.0/groups/" + made["id"].(string)
		if got := w.do(200, "GET", group+"?$select=membershipRuleProcessingState", "reader", "")["membershipRuleProcessingState"]; got != "Paused" {
			t.Errorf("the state is %v", got)
		}
		w.do(400, "POST", group+"/members/$ref", "useradmin", `{"@odata.id": "/users/`+w.ids["ada"]+`"}`)
		w.do(400, "PATCH", group, "useradmin", `{"members@odata.bind": ["/users/`+w.ids["ada"]+`"]}`)
		w.do(400, "DELETE", group+"/members/"+w.ids["ada"]+"/$ref", "useradmin", "")
		w.do(400, "PATCH", group, "admin", `{"isAssignableToRole": true}`) // DO-11
	})
}

// TestDeltaTokenEnds_DO65: the answer is 410 and says where to begin again.
func TestDeltaTokenEnds_DO65(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		link := w.do(200, "GET", "/v1.0/users/delta?$select=displayName", "reader", "")["@odata.deltaLink"].(string)
		link = strings.TrimPrefix(link, "https://id.contoso.test")
		gone := func(code string) {
			t.Helper()
			rec := w.request("GET", link, "reader", nil, nil)
			if want := "https://id.contoso.test/v1.0/users/delta?$select=displayName"; rec.Code != 410 || !strings.Contains(rec.Body.String(), `"code":"`+code+`"`) || rec.Header().Get("Location") != want {
				t.Errorf("%d %s %s", rec.Code, rec.Header().Get("Location"), rec.Body)
			}
		}
		w.do(200, "GET", link, "reader", "")
		if err := d.Write(t.Context(), func(q db.Querier) error { return directory.NewEpoch(t.Context(), q, noon) }); err != nil {
			t.Fatal(err)
		}
		gone("resyncRequired")
		link = strings.TrimPrefix(w.do(200, "GET", "/v1.0/users/delta?$select=displayName", "reader", "")["@odata.deltaLink"].(string), "https://id.contoso.test")
		w.now = w.now.AddDate(0, 0, 31)
		gone("syncStateNotFound")
	})
}

// FuzzDeltaToken: no token panics; one that is read is written as the same.
func FuzzDeltaToken(f *testing.F) {
	for _, t := range []deltaToken{{Kind: "user"}, {Kind: "group", Select: []string{"displayName"}, State: directory.Delta{Epoch: 1, From: 2, To: 3, After: "01890000-0000-7000-8000-000000000001", IDs: []string{"01890000-0000-7000-8000-000000000001"}}}} {
		f.Add(t.text())
	}
	f.Add("latest")
	f.Add("e30")
	f.Fuzz(func(t *testing.T, in string) {
		read, err := readDeltaToken(in)
		if err != nil {
			return
		}
		again, err := readDeltaToken(read.text())
		if err != nil || !reflect.DeepEqual(read, again) {
			t.Fatalf("%q: %+v came back as %+v (%v)", in, read, again, err)
		}
	})
}
