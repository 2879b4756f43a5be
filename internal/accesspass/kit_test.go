package accesspass_test

import (
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

var noon = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

// office is a database with two people, Ada and Bob, and an administrator.
type office struct {
	*testing.T
	d          *db.DB
	h          *throttle.Hasher
	ada, bob   directory.User
	admin      audit.Actor
	administra directory.User
	tries      *atomic.Int64 // each attempt has a correlation id of its own
}

func each(t *testing.T, f func(o office)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := office{T: t, d: d, h: throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 4), tries: new(atomic.Int64)}
		if _, err := directory.EnsureOrganization(t.Context(), d, noon); err != nil {
			t.Fatal(err)
		}
		o.ada, o.bob, o.administra = o.user("Ada@example.com"), o.user("bob@example.com"), o.user("root@example.com")
		o.admin = audit.Actor{UserID: o.administra.ID, UserPrincipalName: o.administra.UserPrincipalName, CorrelationID: "corr"}
		f(o)
	})
}

func (o office) user(name string) (u directory.User) {
	o.Helper()
	o.write(func(q db.Querier) (err error) {
		u, err = directory.CreateUser(o.Context(), q, audit.System("test"), noon, directory.User{UserPrincipalName: name, DisplayName: name, AccountEnabled: true})
		return err
	})
	return u
}

func (o office) write(f func(q db.Querier) error) {
	o.Helper()
	if err := o.d.Write(o.Context(), f); err != nil {
		o.Fatal(err)
	}
}

func ptr[T any](v T) *T { return &v }

// issue makes a pass and returns it with its code.
func (o office) issue(order accesspass.Order) (accesspass.Pass, string) {
	o.Helper()
	if order.UserID == "" {
		order.UserID = o.ada.ID
	}
	if order.At.IsZero() {
		order.At = noon
	}
	p, err := accesspass.Create(o.Context(), o.d, o.h, o.admin, order)
	if err != nil {
		o.Fatal(err)
	}
	return p, *p.TemporaryAccessPass
}

func (o office) signIn(name, code string, at time.Time) (session.SignedIn, error) {
	return accesspass.SignIn(o.Context(), o.d, o.h, o.claim(name, code, at))
}

func (o office) claim(name, secret string, at time.Time) session.Claim {
	return session.Claim{UserName: name, Secret: secret, At: at, Situation: session.Situation{IP: "192.0.2.1",
		UserAgent: "Mozilla/5.0 (Windows NT 10.0) Edg/140", CorrelationID: strconv.FormatInt(o.tries.Add(1), 10)}}
}

// last is the only row that the last attempt left in the sign-in log.
func (o office) last() audit.SignIn {
	o.Helper()
	rows, err := audit.SignIns(o.Context(), o.d, audit.Query{Limit: 1000})
	if err != nil {
		o.Fatal(err)
	}
	id := strconv.FormatInt(o.tries.Load(), 10)
	rows = slices.DeleteFunc(rows, func(r audit.SignIn) bool { return r.CorrelationID != id })
	if len(rows) != 1 {
		o.Fatalf("%d rows of the last attempt in the sign-in log", len(rows))
	}
	return rows[0]
}

// activities are the names in the audit log about a target, sorted.
func (o office) activities(target string) (names []string) {
	o.Helper()
	rows, err := audit.Audits(o.Context(), o.d, audit.Query{UserID: target})
	if err != nil {
		o.Fatal(err)
	}
	for _, r := range rows {
		names = append(names, r.ActivityDisplayName)
	}
	slices.Sort(names)
	return names
}

func (o office) policy(change func(p *accesspass.Policy)) {
	o.Helper()
	o.write(func(q db.Querier) error {
		_, err := accesspass.UpdatePolicy(o.Context(), q, o.admin, noon, func(p *accesspass.Policy) error { change(p); return nil })
		return err
	})
}

// is fails unless err is a problem with this kind and code.
func (o office) is(err error, k problem.Kind, code string) {
	o.Helper()
	if problem.KindOf(err) != k || problem.CodeOf(err) != code {
		o.Errorf("got %v, want %s", err, code)
	}
}
