package graph

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// TestPagingLosesNothing: following nextLink to the end visits everybody who
// was there at the start exactly once, in every order, although people come
// meanwhile; the link may come back re-encoded (DO-41, WC-69).
func TestPagingLosesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		create := func(n int, name string) string {
			t.Helper()
			var id string
			if err := d.Write(t.Context(), func(q db.Querier) error {
				u, err := directory.CreateUser(t.Context(), q, audit.System("test"), w.now, directory.User{UserPrincipalName: fmt.Sprintf("Person%03d@contoso.test", n), DisplayName: name, AccountEnabled: n%2 == 0})
				id = u.ID
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return id
		}
		were := map[string]bool{}
		for n := range 23 {
			were[create(n, fmt.Sprintf("Name %d", n%3))] = true // many of one name
		}
		late := 100
		for i, query := range []string{"", "&$orderby=displayName desc", "&$orderby=userPrincipalName", "&$orderby=createdDateTime desc,displayName", "&$orderby=displayName,userPrincipalName desc",
			"&$filter=startswith(displayName,'name') or displayName eq 'x'"} {
			seen := map[string]int{}
			target := "/v1.0/users?$select=id,displayName&$top=4" + query
			for pages := 0; target != ""; pages++ {
				if pages > 60 {
					t.Fatalf("%s: no end", query)
				}
				body := w.do(200, "GET", target, "reader", "")
				for _, item := range body["value"].([]any) {
					o := item.(map[string]any)
					if strings.HasPrefix(o["displayName"].(string), "Name ") {
						seen[o["id"].(string)]++
					}
				}
				next, _ := body["@odata.nextLink"].(string)
				target = ""
				if next != "" {
					u, err := url.Parse(next)
					if err != nil || !strings.HasPrefix(next, "https://id.contoso.test/v1.0/users?") {
						t.Fatalf("nextLink %q: %v", next, err)
					}
					target = u.Path + "?" + u.Query().Encode() // as clients do that re-encode
				}
				create(late, fmt.Sprintf("Late %d", late))
				late++
			}
			for id := range were {
				if seen[id] != 1 {
					t.Errorf("query %d %q: somebody was visited %d times", i, query, seen[id])
				}
			}
		}

		// The logs: every entry once, newest first.
		var times []string
		target := "/v1.0/auditLogs/directoryAudits?$top=7&$filter=" + url.QueryEscape("activityDisplayName eq 'Add user'")
		for target != "" {
			body := w.do(200, "GET", target, "reader", "")
			for _, item := range body["value"].([]any) {
				o := item.(map[string]any)
				times = append(times, o["activityDateTime"].(string)+" "+o["id"].(string))
			}
			next, _ := body["@odata.nextLink"].(string)
			target = strings.TrimPrefix(next, "https://id.contoso.test")
		}
		unique := map[string]bool{}
		for _, at := range times {
			unique[at] = true
		}
		if want := 23 + late - 100 + len(cast); len(times) != want || len(unique) != want {
			t.Errorf("the log has %d entries (%d different), want %d", len(times), len(unique), want)
		}
		for i := 1; i < len(times); i++ {
			if times[i-1] < times[i] && times[i-1][:19] < times[i][:19] {
				t.Errorf("entry %d is newer than the one before it", i)
			}
		}
	})
}
