package scim

import (
	"encoding/json"
	"fmt"
	"testing"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

const enterpriseName = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// TestProfile: phones, addresses and the enterprise extension reach the
// directory, come back, and stay where a source does not speak of them.
func TestProfile(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		boss := s.want(201, "POST", "/Users", `{"userName": "boss@contoso.test"}`)["id"].(string)
		whole := `{"userName": "ada@contoso.test", "title": "Analyst", "preferredLanguage": "en-GB",
			"phoneNumbers": [{"type": "mobile", "value": "+44 7700 900123", "primary": "True"}, {"type": "work", "value": "+44 20 7946 0018"}, {"value": "+44 20 7946 0019"}, {"type": "fax", "value": "+44 20 7946 0020"}, {"type": "pager", "value": "7"}],
			"addresses": [{"type": "home", "locality": "Bath"}, {"type": "work", "streetAddress": "12 St James's Square", "locality": "London", "region": "England", "postalCode": "SW1Y 4JH", "country": "GB"}],
			"` + enterpriseName + `": {"department": "Maths", "employeeNumber": "4711", "organization": "Contoso", "costCenter": "CC1", "division": "Engines", "manager": {"value": "` + boss + `"}}}`
		id := s.want(201, "POST", "/Users", whole)["id"].(string)
		stored := func() directory.User {
			t.Helper()
			u, err := directory.GetWhole(t.Context(), d, id)
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		check := func(what string, want map[string]string) {
			t.Helper()
			u := stored()
			have := map[string]string{"businessPhones": fmt.Sprint(u.BusinessPhones), "mobile": u.MobilePhone, "fax": u.FaxNumber, "street": u.StreetAddress, "city": u.City, "state": u.State, "postal": u.PostalCode, "country": u.Country,
				"department": u.Department, "employeeId": u.EmployeeID, "company": u.CompanyName, "title": u.JobTitle, "language": u.PreferredLanguage, "costCenter": "", "division": "", "manager": ""}
			if o := u.EmployeeOrgData; o != nil && o.CostCenter != nil {
				have["costCenter"] = *o.CostCenter
			}
			if o := u.EmployeeOrgData; o != nil && o.Division != nil {
				have["division"] = *o.Division
			}
			if m, err := directory.ManagerOf(t.Context(), d, id); err == nil {
				have["manager"] = m.ID
			}
			for name, v := range want {
				if have[name] != v {
					t.Errorf("%s: %s is %q, want %q", what, name, have[name], v)
				}
			}
		}
		all := map[string]string{"businessPhones": "[+44 20 7946 0018 +44 20 7946 0019]", "mobile": "+44 7700 900123", "fax": "+44 20 7946 0020", "street": "12 St James's Square", "city": "London", "state": "England", "postal": "SW1Y 4JH", "country": "GB",
			"department": "Maths", "employeeId": "4711", "company": "Contoso", "title": "Analyst", "language": "en-GB", "costCenter": "CC1", "division": "Engines", "manager": boss}
		check("POST", all)

		for _, r := range []any{s.want(200, "GET", "/Users/"+id, ""), at(s.want(200, "GET", `/Users?filter=`+`userName%20eq%20%22ada@contoso.test%22`, ""), "Resources", 0)} {
			for path, want := range map[string]any{"mobile": at(r, "phoneNumbers", 2, "value"), "city": at(r, "addresses", 0, "locality"), "employeeId": at(r, enterpriseName, "employeeNumber"), "manager": at(r, enterpriseName, "manager", "value"), "language": at(r, "preferredLanguage")} {
				if want != all[path] {
					t.Errorf("GET: %s is %v, want %s", path, want, all[path])
				}
			}
		}
		if n := len(s.want(200, "GET", `/Users?filter=`+enterpriseName+`:employeeNumber%20eq%20%224711%22`, "")["Resources"].([]any)); n != 1 {
			t.Errorf("employeeNumber finds %d", n)
		}

		// What comes back can be sent again, and changes nothing.
		same, err := json.Marshal(s.want(200, "GET", "/Users/"+id, ""))
		if err != nil {
			t.Fatal(err)
		}
		before, err := json.Marshal(stored())
		if err != nil {
			t.Fatal(err)
		}
		s.want(200, "PUT", "/Users/"+id, string(same))
		check("PUT of what GET says", all)
		if after, err := json.Marshal(stored()); err != nil || string(after) != string(before) {
			t.Errorf("PUT of what GET says: %s, was %s", after, before)
		}
		// A PUT that does not speak of them leaves them; one that empties them clears them.
		s.want(200, "PUT", "/Users/"+id, `{"userName": "ada@contoso.test", "`+enterpriseName+`": {"department": "Maths"}}`)
		kept := map[string]string{"title": ""}
		for name, v := range all {
			if name != "title" {
				kept[name] = v
			}
		}
		check("PUT without", kept)
		s.want(200, "PUT", "/Users/"+id, `{"userName": "ada@contoso.test", "phoneNumbers": [], "addresses": [], "`+enterpriseName+`": {"employeeNumber": "", "costCenter": "", "manager": {"value": ""}}}`)
		check("PUT of nothing", map[string]string{"businessPhones": "[]", "mobile": "", "fax": "", "city": "", "country": "", "employeeId": "", "company": "Contoso", "costCenter": "", "division": "Engines", "manager": ""})

		// The shapes of Entra's provisioning service.
		patch := func(ops string) {
			t.Helper()
			s.want(200, "PATCH", "/Users/"+id, `{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [`+ops+`]}`)
		}
		patch(`{"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1"}, {"op": "Add", "path": "phoneNumbers[type eq \"work\"].value", "value": "2"},
			{"op": "Replace", "path": "addresses[type eq \"work\"].locality", "value": "York"}, {"op": "Replace", "path": "` + enterpriseName + `:employeeNumber", "value": "8"}, {"op": "Add", "path": "` + enterpriseName + `:manager", "value": "` + boss + `"}`)
		check("PATCH", map[string]string{"mobile": "1", "businessPhones": "[2]", "city": "York", "employeeId": "8", "manager": boss, "company": "Contoso", "division": "Engines"})
		patch(`{"op": "replace", "value": {"` + enterpriseName + `:division": "Looms", "preferredLanguage": "fr"}}`)
		check("PATCH without a path", map[string]string{"division": "Looms", "language": "fr", "mobile": "1", "manager": boss})
		patch(`{"op": "remove", "path": "phoneNumbers[type eq \"mobile\"]"}, {"op": "remove", "path": "addresses"}, {"op": "remove", "path": "` + enterpriseName + `:manager"}, {"op": "remove", "path": "` + enterpriseName + `:employeeNumber"}`)
		check("PATCH remove", map[string]string{"mobile": "", "businessPhones": "[2]", "city": "", "manager": "", "employeeId": "", "division": "Looms"})

		if got := s.want(400, "PATCH", "/Users/"+id, `{"Operations": [{"op": "add", "path": "title", "value": "Boss"}, {"op": "add", "path": "`+enterpriseName+`:manager", "value": "01890000-0000-7000-8000-000000000001"}]}`)["cardeaCode"]; got != "invalidValue" {
			t.Errorf("an unknown manager: %v", got)
		}
		check("a refused PATCH", map[string]string{"title": ""})
		s.want(400, "PUT", "/Users/"+id, `{"userName": "ada@contoso.test", "phoneNumbers": {"value": "1"}}`)
	})
}

// TestRestoreKeepsExternalId: who is deleted is in nobody's way, and is known by
// the same name when restored, unless somebody has it by now.
func TestRestoreKeepsExternalId(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		by := audit.System("test")
		restore := func(id string) {
			t.Helper()
			if err := d.Write(t.Context(), func(q db.Querier) error {
				_, err := directory.Restore(t.Context(), q, by, s.now, directory.Restoring{ID: id})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct{ path, body, other string }{
			{"/Users", `{"userName": "ada@contoso.test", "externalId": "4711"}`, `{"userName": "bob@contoso.test", "externalId": "4711"}`},
			{"/Groups", `{"displayName": "Crew", "externalId": "4711"}`, `{"displayName": "Others", "externalId": "4711"}`},
		} {
			first := s.want(201, "POST", c.path, c.body)["id"].(string)
			s.want(409, "POST", c.path, c.other)
			s.want(204, "DELETE", c.path+"/"+first, "")
			restore(first)
			if got := s.want(200, "GET", c.path+"/"+first, "")["externalId"]; got != "4711" {
				t.Errorf("%s: restored with externalId %v", c.path, got)
			}
			if n := len(s.want(200, "GET", c.path+`?filter=externalId%20eq%20%224711%22`, "")["Resources"].([]any)); n != 1 {
				t.Errorf("%s: externalId finds %d", c.path, n)
			}
			s.want(204, "DELETE", c.path+"/"+first, "")
			if n := len(s.want(200, "GET", c.path+`?filter=externalId%20eq%20%224711%22`, "")["Resources"].([]any)); n != 0 {
				t.Errorf("%s: the deleted one is found", c.path)
			}
			second := s.want(201, "POST", c.path, c.other)["id"].(string)
			restore(first)
			if got := s.want(200, "GET", c.path+"/"+first, "")["externalId"]; got != nil {
				t.Errorf("%s: two of one externalId: %v", c.path, got)
			}
			if got := s.want(200, "GET", c.path+"/"+second, "")["externalId"]; got != "4711" {
				t.Errorf("%s: the second lost its externalId: %v", c.path, got)
			}
			s.want(204, "DELETE", c.path+"/"+second, "")
			if err := d.Write(t.Context(), func(q db.Querier) error { return directory.Purge(t.Context(), q, by, s.now, second) }); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := d.QueryRowContext(t.Context(), `SELECT count(*) FROM external_ids WHERE object_id = $1`, second).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d names of who is gone (%v)", c.path, n, err)
			}
		}
	})
}
