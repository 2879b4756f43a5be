package password_test

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/password"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

var noon = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

const first, second = "seven quiet violins", "eleven loud trombones"

// office is a database with Ada and an administrator, and passwords in use.
type office struct {
	*testing.T
	d     *db.DB
	h     *throttle.Hasher
	ada   directory.User
	admin audit.Actor
	self  audit.Actor // Ada
	tries *atomic.Int64
}

func each(t *testing.T, f func(o office)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		o := office{T: t, d: d, h: throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 4), tries: new(atomic.Int64)}
		o.ada = o.user("ada@example.com")
		o.admin, o.self = audit.Actor{UserID: "admin"}, audit.Actor{UserID: o.ada.ID}
		o.state("enabled")
		f(o)
	})
}

func (o office) write(f func(q db.Querier) error) {
	o.Helper()
	if err := o.d.Write(o.Context(), f); err != nil {
		o.Fatal(err)
	}
}

func (o office) user(name string) (u directory.User) {
	o.Helper()
	o.write(func(q db.Querier) (err error) {
		u, err = directory.CreateUser(o.Context(), q, audit.System("test"), noon, directory.User{UserPrincipalName: name, DisplayName: "Ada Lovelace", AccountEnabled: true})
		return err
	})
	return u
}

func (o office) state(state string) {
	o.Helper()
	o.write(func(q db.Querier) error {
		_, err := directory.UpdateMethodPolicy(o.Context(), q, o.admin, noon, directory.MethodPassword, func(p *directory.MethodPolicy) error { p.State = state; return nil })
		return err
	})
}

func (o office) signIn(name, secret string, at time.Time) (session.SignedIn, error) {
	return password.SignIn(o.Context(), o.d, o.h, session.Claim{UserName: name, Secret: secret, At: at,
		Situation: session.Situation{IP: "192.0.2.1", CorrelationID: strconv.FormatInt(o.tries.Add(1), 10)}})
}

// last is the only row that the last attempt left in the sign-in log.
func (o office) last() audit.SignIn {
	o.Helper()
	rows, err := audit.SignIns(o.Context(), o.d, audit.Query{Limit: 1000})
	if err != nil {
		o.Fatal(err)
	}
	rows = slices.DeleteFunc(rows, func(r audit.SignIn) bool { return r.CorrelationID != strconv.FormatInt(o.tries.Load(), 10) })
	if len(rows) != 1 {
		o.Fatalf("%d rows of the last attempt in the sign-in log", len(rows))
	}
	return rows[0]
}

func (o office) set(a audit.Actor, c password.Change) error {
	c.UserID = o.ada.ID
	if c.At.IsZero() {
		c.At = noon
	}
	return password.Set(o.Context(), o.d, o.h, a, c)
}

func (o office) is(err error, k problem.Kind, code string) {
	o.Helper()
	if problem.KindOf(err) != k || problem.CodeOf(err) != code {
		o.Errorf("got %v, want %s", err, code)
	}
}

func (o office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// A password proves one factor: no MFA, so no passkey from it (PK-176).
func TestSignIn_PK176(t *testing.T) {
	each(t, func(o office) {
		o.must(o.set(o.admin, password.Change{New: first}))
		in, err := o.signIn("ADA@example.com", first, noon.Add(time.Second))
		o.must(err)
		s, err := session.Find(o.Context(), o.d, in.Token, noon.Add(time.Second))
		if err != nil || !slices.Equal(s.Methods, []string{"pwd"}) || !s.MFAAt.IsZero() {
			o.Errorf("%+v, %v", s, err)
		}
		o.is(session.Fresh(s, noon.Add(time.Second)), problem.Unauthenticated, "ngcMfaRequired")
		row := o.last()
		if row.AuthenticationRequirement != "singleFactorAuthentication" || row.AuthenticationDetails[0].MethodDetail != "Password in the cloud" || !slices.Equal(row.AuthenticationMethodsUsed, []string{"Password"}) {
			o.Errorf("the log: %+v", row)
		}
	})
}

// Nobody outside can tell these apart; the log can.
func TestSilence_PK119(t *testing.T) {
	each(t, func(o office) {
		o.must(o.set(o.admin, password.Change{New: first}))
		o.user("none@example.com")
		_, want := o.signIn("ada@example.com", "wrong", noon)
		disable := func(on bool) {
			o.write(func(q db.Querier) error {
				_, err := directory.UpdateUser(o.Context(), q, o.admin, noon, o.ada.ID, func(u *directory.User) error { u.AccountEnabled = !on; return nil })
				return err
			})
		}
		for _, c := range []struct {
			name, user, secret, fact string
			errorCode                int
			before, after            func()
		}{
			{"wrong", "ada@example.com", second, "passwordWrong", 50126, nil, nil},
			{"empty", "ada@example.com", "", "passwordWrong", 50126, nil, nil},
			{"huge", "ada@example.com", strings.Repeat("x", 1<<20), "passwordWrong", 50126, nil, nil},
			{"unknown", "nobody@example.com", first, "userNotFound", 50034, nil, nil},
			{"not a name", "ada", first, "userNotFound", 50034, nil, nil},
			{"no password", "none@example.com", "", "noPassword", 50126, nil, nil},
			{"disabled", "ada@example.com", first, "userDisabled", 50057, func() { disable(true) }, func() { disable(false) }},
			{"by policy", "ada@example.com", first, "methodDisabled", 500121, func() { o.state("disabled") }, func() { o.state("enabled") }},
		} {
			if c.before != nil {
				c.before()
			}
			in, err := o.signIn(c.user, c.secret, noon)
			if err == nil || err.Error() != want.Error() || problem.KindOf(err) != problem.Unauthenticated || in.Token != "" {
				o.Errorf("%s: %v, want %v", c.name, err, want)
			}
			if row := o.last(); row.Status.ErrorCode != c.errorCode || row.Status.AdditionalDetails != c.fact {
				o.Errorf("%s: the log says %+v", c.name, row.Status)
			}
			if c.after != nil {
				c.after()
			}
		}
	})
}

func TestThrottle(t *testing.T) {
	each(t, func(o office) {
		o.must(o.set(o.admin, password.Change{New: first}))
		for _, name := range []string{"ada@example.com", "nobody@example.com"} {
			for range 10 {
				_, err := o.signIn(name, "wrong", noon)
				o.is(err, problem.Unauthenticated, "signInFailed")
			}
			_, err := o.signIn(name, first, noon)
			o.is(err, problem.TooMany, "requestThrottled")
			if row := o.last(); row.Status.ErrorCode != 50053 {
				o.Errorf("the log: %+v", row.Status)
			}
		}
		_, err := o.signIn("ada@example.com", first, noon.Add(15*time.Minute))
		o.must(err)
	})
}

// Set: who proves what, and whose sessions end.
func TestSet(t *testing.T) {
	each(t, func(o office) {
		strong := session.Session{UserID: o.ada.ID, MFAAt: noon}
		o.is(o.set(o.self, password.Change{New: first}), problem.Unauthenticated, "ngcMfaRequired")
		o.must(o.set(o.self, password.Change{New: first, Session: strong}))
		a, err := o.signIn("ada@example.com", first, noon)
		o.must(err)
		b, err := o.signIn("ada@example.com", first, noon)
		o.must(err)
		o.is(o.set(o.self, password.Change{New: second, Session: strong}), problem.Invalid, "passwordWrong")
		o.is(o.set(o.self, password.Change{New: second, Current: second, Session: strong}), problem.Invalid, "passwordWrong")
		o.is(o.set(o.self, password.Change{New: "short", Current: first}), problem.Invalid, "passwordTooShort")
		o.must(o.set(o.self, password.Change{New: second, Current: first, Session: a.Session}))
		if _, err := session.Find(o.Context(), o.d, a.Token, noon); err != nil {
			o.Errorf("the session that changed it: %v", err)
		}
		_, err = session.Find(o.Context(), o.d, b.Token, noon)
		o.is(err, problem.Unauthenticated, "signInRequired")
		_, err = o.signIn("ada@example.com", first, noon)
		o.is(err, problem.Unauthenticated, "signInFailed")

		o.must(o.set(o.admin, password.Change{New: first, At: noon.Add(time.Second)}))
		_, err = session.Find(o.Context(), o.d, a.Token, noon.Add(time.Second))
		o.is(err, problem.Unauthenticated, "signInRequired")

		if at, err := password.ChangedAt(o.Context(), o.d, o.ada.ID); err != nil || at == nil || !at.Equal(noon.Add(time.Second)) {
			o.Errorf("changed %v, %v", at, err)
		}
		if yes, err := password.HasUsable(o.Context(), o.d, o.ada.ID); !yes || err != nil {
			o.Errorf("usable: %v, %v", yes, err)
		}
		o.state("disabled")
		if yes, err := password.HasUsable(o.Context(), o.d, o.ada.ID); yes || err != nil {
			o.Errorf("usable although off: %v, %v", yes, err)
		}
		o.is(o.set(o.admin, password.Change{New: first}), problem.Invalid, "methodDisabled")
		remove := func() error {
			return o.d.Write(o.Context(), func(q db.Querier) error {
				return password.Remove(o.Context(), q, o.self, noon.Add(time.Minute), o.ada.ID, "")
			})
		}
		o.must(remove())
		o.is(remove(), problem.NotFound, "notFound")
		if at, err := password.ChangedAt(o.Context(), o.d, o.ada.ID); err != nil || at != nil {
			o.Errorf("changed %v, %v", at, err)
		}
		var names []string
		rows, err := audit.Audits(o.Context(), o.d, audit.Query{UserID: o.ada.ID})
		o.must(err)
		for _, r := range rows {
			names = append(names, r.ActivityDisplayName)
			if text := r.ResultReason; strings.Contains(text, first) || strings.Contains(text, second) {
				o.Errorf("RL-26: a password in the audit log: %+v", r)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"Add user", "Admin updated security info", "Update user", "User deleted security info", "User registered security info", "User updated security info"}) {
			o.Errorf("audit: %q", names)
		}
	})
}

// The policy is off until somebody turns it on.
func TestOffByDefault(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if p, err := directory.GetMethodPolicy(t.Context(), d, directory.MethodPassword); err != nil || p.State != "disabled" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// A hash of another cost is replaced when its password proves right.
func TestRehash(t *testing.T) {
	each(t, func(o office) {
		o.must(o.set(o.admin, password.Change{New: first}))
		hash := func() (text string) {
			o.must(o.d.QueryRowContext(o.Context(), `SELECT hash FROM passwords`).Scan(&text))
			return text
		}
		old := hash()
		if strings.Contains(old, first) {
			o.Fatal("stored in clear")
		}
		o.h = throttle.NewHasher(throttle.Cost{Memory: 16, Passes: 1, Threads: 1}, 4)
		_, err := o.signIn("ada@example.com", "wrong", noon)
		o.is(err, problem.Unauthenticated, "signInFailed")
		if hash() != old {
			o.Error("a wrong password changed the hash")
		}
		_, err = o.signIn("ada@example.com", first, noon)
		o.must(err)
		if now := hash(); !strings.HasPrefix(now, "$argon2id$v=19$m=16,t=1,p=1$") {
			o.Errorf("hash %q", now)
		}
		_, err = o.signIn("ada@example.com", first, noon)
		o.must(err)
	})
}

// The same letter typed on two keyboards is the same password.
func TestNormal(t *testing.T) {
	each(t, func(o office) {
		o.must(o.set(o.admin, password.Change{New: "grüne möhren im käse"}))
		_, err := o.signIn("ada@example.com", "gru\u0308ne mo\u0308hren im ka\u0308se", noon)
		o.must(err)
	})
}

// TestSameCost: whoever asks, one hash is computed: with a Hasher that is
// always busy nobody gets past it, and nobody is told anything before.
func TestSameCost_PK119(t *testing.T) {
	each(t, func(o office) {
		o.must(o.set(o.admin, password.Change{New: first}))
		o.user("none@example.com")
		o.h = new(throttle.Hasher)
		for _, state := range []string{"enabled", "disabled"} {
			o.state(state)
			for _, c := range [][2]string{{"ada@example.com", first}, {"ada@example.com", ""}, {"none@example.com", first}, {"nobody@example.com", first}, {"nobody", ""}} {
				_, err := o.signIn(c[0], c[1], noon)
				o.is(err, problem.Unavailable, "busy")
			}
		}
	})
}
