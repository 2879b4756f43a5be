package graph

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// TestBatchOfPeople: people who are made by one batch are made as if one after
// the other, each with its own answer and its own record, though all are
// written at once (DO-54, DO-56).
func TestBatchOfPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		create := func(id, name, more string) string {
			return fmt.Sprintf(`{"id":%q,"method":"POST","url":"/users","headers":{"Content-Type":"application/json"},"body":{"userPrincipalName":"%s@contoso.test","displayName":%q}%s}`, id, name, strings.ToUpper(name), more)
		}
		batch := func(items ...string) string { return `{"requests":[` + strings.Join(items, ",") + `]}` }
		want := func(what string, got map[string]item, statuses ...string) {
			t.Helper()
			for _, s := range statuses {
				id, status, _ := strings.Cut(s, " ")
				if fmt.Sprint(got[id].Status) != status {
					t.Errorf("%s: %s is %d, want %s: %s", what, id, got[id].Status, status, got[id].Body)
				}
			}
		}
		count := func(text string, args ...any) (n int) {
			t.Helper()
			if err := d.QueryRowContext(t.Context(), text, args...).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		records := `SELECT count(*) FROM directory_audits WHERE activity = 'Add user'`
		people := `SELECT count(*) FROM users WHERE upn_key LIKE 'new-%'`
		before := count(records)

		_, got := w.batch("useradmin", batch(create("1", "new-a", ""), create("2", "NEW-A", ""), create("3", "new b", ""), create("4", "new-c", ""),
			`{"id":"5","method":"POST","url":"/v1.0/Users","headers":{"Content-Type":"application/json"},"body":{"displayName":7}}`,
			`{"id":"6","method":"POST","url":"/users","body":{}}`, create("7", "new-d", `,"dependsOn":["1"]`), create("8", "new-e", `,"dependsOn":["3"]`), create("9", "new-f", "")))
		want("with faults", got, "1 201", "2 409", "3 400", "4 201", "5 400", "6 400", "7 201", "8 424", "9 201")
		if n, r := count(people), count(records)-before; n != 4 || r != 4 {
			t.Errorf("%d people and %d records, want four", n, r)
		}
		var got1 string
		if err := d.QueryRowContext(t.Context(), `SELECT display_name FROM users WHERE upn_key = 'new-a@contoso.test'`).Scan(&got1); err != nil || !strings.Contains(string(got["1"].Body), got1) || got1 != "NEW-A" {
			t.Errorf("%q, %v: the first of two is made", got1, err)
		}

		_, got = w.batch("reader", batch(create("1", "new-x", ""), create("2", "new-y", "")))
		want("without the permission", got, "1 403", "2 403")
		_, got = w.batch("useradmin", batch(create("1", "new-g", ""), `{"id":"2","method":"GET","url":"/users/new-g@contoso.test"}`, create("3", "new-h", ""), create("4", "new-i", ""),
			`{"id":"5","method":"GET","url":"/users/new-i@contoso.test"}`, `{"id":"6","method":"DELETE","url":"/users/new-h@contoso.test"}`))
		want("among others", got, "1 201", "2 200", "3 201", "4 201", "5 200", "6 204")
		if n := count(people); n != 6 {
			t.Errorf("%d people, want 6", n)
		}

		// Many batches at a time, half of their people the same: nobody twice, nobody lost.
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for range 4 {
			wg.Go(func() {
				items := make([]string, 20)
				for i, n := range rand.Perm(20) {
					items[i] = create(fmt.Sprint(i), fmt.Sprintf("many-%d", n), "")
				}
				rec := w.request("POST", "/v1.0/$batch", "useradmin", []byte(batch(items...)), nil)
				if rec.Code != http.StatusOK {
					t.Errorf("%d: %s", rec.Code, rec.Body)
				}
				mu.Lock()
				made += strings.Count(rec.Body.String(), `"status":201`)
				mu.Unlock()
			})
		}
		wg.Wait()
		if n := count(`SELECT count(*) FROM users WHERE upn_key LIKE 'many-%'`); n != 20 || made != 20 {
			t.Errorf("%d people, %d times 201; want 20", n, made)
		}
	})
}

// TestBatchAsksAnew: one token brings all requests of a batch, and its signature
// is verified once; what its person is and may is asked for each.
func TestBatchAsksAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		_, got := w.batch("useradmin", `{"requests":[{"id":"1","method":"GET","url":"/me"},{"id":"2","method":"POST","url":"/me/revokeSignInSessions"},{"id":"3","method":"GET","url":"/me"}]}`)
		for id, status := range map[string]int{"1": 200, "2": 200, "3": 401} {
			if got[id].Status != status {
				t.Errorf("%s is %d, want %d: %s", id, got[id].Status, status, got[id].Body)
			}
		}
	})
}

// TestJoint: whoever speaks last stores all, in the order of their names, those
// of one name as they were listed; who passes, stores nobody; each gets its own
// error.
func TestJoint(t *testing.T) {
	for range 50 {
		var order []string
		bad := errors.New("bad")
		j := newJoint(6, func(all []*newcomer) []error {
			errs := make([]error, len(all))
			for i, n := range all {
				if order = append(order, n.User.ID); n.User.ID == "4" {
					errs[i] = bad
				}
			}
			return errs
		})
		var wg sync.WaitGroup
		for _, at := range rand.Perm(6) {
			wg.Go(func() {
				p := &partner{joint: j, at: at}
				defer p.pass()
				if at == 2 {
					return
				}
				err := p.speak(&newcomer{Newcomer: directory.Newcomer{User: directory.User{ID: fmt.Sprint(at), UserPrincipalName: []string{"b", "C", "", "c", "A", "a"}[at]}}})
				if (err == bad) != (at == 4) {
					t.Errorf("%d: %v", at, err)
				}
			})
		}
		wg.Wait()
		if got := fmt.Sprint(order); got != "[4 5 0 1 3]" {
			t.Fatal(got)
		}
	}
}
