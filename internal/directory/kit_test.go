package directory_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// office is a database with an organisation, and a clock that moves on.
type office struct {
	*testing.T
	d   *db.DB
	now time.Time
	by  audit.Actor
}

func each(t *testing.T, f func(o *office)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := &office{T: t, d: d, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), by: audit.System("test")}
		if _, err := directory.EnsureOrganization(t.Context(), d, o.now); err != nil {
			t.Fatal(err)
		}
		f(o)
	})
}

// try runs f in a transaction, a second later.
func (o *office) try(f func(q db.Querier) error) error {
	o.now = o.now.Add(time.Second)
	return o.d.Write(o.Context(), f)
}

func (o *office) do(f func(q db.Querier) error) {
	o.Helper()
	if err := o.try(f); err != nil {
		o.Fatal(err)
	}
}

func (o *office) user(name string) directory.User {
	o.Helper()
	var u directory.User
	o.do(func(q db.Querier) (err error) {
		u, err = directory.CreateUser(o.Context(), q, o.by, o.now, directory.User{UserPrincipalName: name + "@example.com", DisplayName: name, AccountEnabled: true})
		return err
	})
	return u
}

func (o *office) group(name string, members ...string) directory.Group {
	o.Helper()
	var g directory.Group
	o.do(func(q db.Querier) (err error) {
		g, err = directory.CreateGroup(o.Context(), q, o.by, o.now, directory.Group{DisplayName: name})
		return err
	})
	for _, m := range members {
		o.do(o.add(g.ID, m))
	}
	return g
}

func (o *office) add(group, member string) func(q db.Querier) error {
	return func(q db.Querier) error {
		return directory.AddMember(o.Context(), q, o.by, o.now, directory.Membership{GroupID: group, MemberID: member})
	}
}

func (o *office) remove(group, member string) func(q db.Querier) error {
	return func(q db.Querier) error {
		return directory.RemoveMember(o.Context(), q, o.by, o.now, directory.Membership{GroupID: group, MemberID: member})
	}
}

func (o *office) deleteUser(id string) func(q db.Querier) error {
	return func(q db.Querier) error { return directory.DeleteUser(o.Context(), q, o.by, o.now, id) }
}

func (o *office) deleteGroup(id string) func(q db.Querier) error {
	return func(q db.Querier) error { return directory.DeleteGroup(o.Context(), q, o.by, o.now, id) }
}

func (o *office) restore(id string) func(q db.Querier) error {
	return func(q db.Querier) error {
		_, err := directory.Restore(o.Context(), q, o.by, o.now, directory.Restoring{ID: id})
		return err
	}
}

func (o *office) purge(id string) func(q db.Querier) error {
	return func(q db.Querier) error { return directory.Purge(o.Context(), q, o.by, o.now, id) }
}

// want fails unless err has a code and points at a member; "" is any.
func (o *office) want(what string, err error, code, target string) {
	o.Helper()
	var p *problem.Error
	switch {
	case code == "" && err == nil:
	case err == nil || problem.CodeOf(err) != code:
		o.Errorf("%s: %v, want %s", what, err, code)
	case target != "" && fmt.Sprint(err) != "":
		if p, _ = err.(*problem.Error); p == nil || p.Target != target {
			o.Errorf("%s: %v, want the target %s", what, err, target)
		}
	}
}

// memberOf lists what somebody is in, by the names of the groups.
func (o *office) memberOf(id string) string {
	o.Helper()
	names := []string{}
	all, err := directory.GroupsOf(o.Context(), o.d, id, true)
	if err != nil {
		o.Fatal(err)
	}
	for _, g := range all {
		names = append(names, g.DisplayName)
	}
	return fmt.Sprint(names)
}

// read collects rows of two texts.
func read(t *testing.T, rows *sql.Rows, err error, each func(a, b string)) {
	t.Helper()
	_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var a, b string
		if err := r.Scan(&a, &b); err != nil {
			return err
		}
		each(a, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
