package oath

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/problem"
	"cardea/internal/session"
)

var noon = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

// office is a database with Ada, her fresh strong session, and app codes in use.
type office struct {
	*testing.T
	d      *db.DB
	ring   *jose.Ring
	ada    directory.User
	self   audit.Actor
	strong session.Session
	tries  *atomic.Int64
}

func each(t *testing.T, f func(o office)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		master, err := jose.NewMaster(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		o := office{T: t, d: d, tries: new(atomic.Int64)}
		if o.ring, err = jose.OpenRing(t.Context(), d, master, noon); err != nil {
			t.Fatal(err)
		}
		o.write(func(q db.Querier) (err error) {
			o.ada, err = directory.CreateUser(t.Context(), q, audit.System("test"), noon, directory.User{UserPrincipalName: "ada@example.com", DisplayName: "Ada", AccountEnabled: true})
			return err
		})
		o.self = audit.Actor{UserID: o.ada.ID}
		o.strong, _ = o.start(session.Session{MFAAt: noon, Methods: []string{"tap", "mfa"}})
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

func (o office) start(s session.Session) (out session.Session, token string) {
	o.Helper()
	s.UserID = o.ada.ID
	o.write(func(q db.Querier) (err error) {
		out, token, err = session.Start(o.Context(), q, noon, s)
		return err
	})
	return out, token
}

func (o office) state(state string) {
	o.Helper()
	o.write(func(q db.Querier) error {
		_, err := directory.UpdateMethodPolicy(o.Context(), q, audit.System("test"), noon, directory.MethodCode, func(p *directory.MethodPolicy) error { p.State = state; return nil })
		return err
	})
}

func (o office) is(err error, k problem.Kind, code string) {
	o.Helper()
	if problem.KindOf(err) != k || problem.CodeOf(err) != code {
		o.Errorf("got %v, want %s", err, code)
	}
}

// add enrols an app and returns its secret.
func (o office) add(at time.Time) (Token, []byte) {
	o.Helper()
	e, err := Begin(o.Context(), o.d, o.ring, o.strong, noon)
	if err != nil {
		o.Fatal(err)
	}
	secret, err := base32.StdEncoding.DecodeString(e.Secret)
	if err != nil {
		o.Fatal(err)
	}
	t, err := Confirm(o.Context(), o.d, o.ring, o.self, Confirmation{State: e.State, Code: code(secret, at), Session: o.strong, At: at})
	if err != nil {
		o.Fatal(err)
	}
	return t, secret
}

func code(secret []byte, at time.Time) string { return hotp(secret, stepAt(at), digits) }

// wrong is a code that no moment near at accepts.
func wrong(secret []byte, at time.Time) string {
	for n := 0; ; n++ {
		if c := fmt.Sprintf("%06d", n); !slices.Contains([]string{code(secret, at.Add(-time.Minute/2)), code(secret, at), code(secret, at.Add(time.Minute/2))}, c) {
			return c
		}
	}
}

func (o office) stepUp(s session.Session, secret string, at time.Time) (session.SignedIn, error) {
	return StepUp(o.Context(), o.d, o.ring, s, session.Claim{Secret: secret, At: at, Situation: session.Situation{IP: "192.0.2.1", CorrelationID: strconv.FormatInt(o.tries.Add(1), 10)}})
}

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

func TestEnrol_PK176(t *testing.T) {
	each(t, func(o office) {
		weak, _ := o.start(session.Session{Methods: []string{"pwd"}})
		_, err := Begin(o.Context(), o.d, o.ring, weak, noon)
		o.is(err, problem.Unauthenticated, "ngcMfaRequired")
		o.state("disabled")
		_, err = Begin(o.Context(), o.d, o.ring, o.strong, noon)
		o.is(err, problem.Invalid, "methodDisabled")
		o.state("enabled")

		e, err := Begin(o.Context(), o.d, o.ring, o.strong, noon)
		if err != nil {
			o.Fatal(err)
		}
		secret, err := base32.StdEncoding.DecodeString(e.Secret)
		if err != nil || len(secret) != 20 {
			o.Fatalf("secret %q, %v", e.Secret, err)
		}
		confirm := func(c Confirmation) error {
			_, err := Confirm(o.Context(), o.d, o.ring, o.self, c)
			return err
		}
		good := Confirmation{State: e.State, Code: code(secret, noon), Session: o.strong, At: noon}
		for name, c := range map[string]struct {
			change func(c *Confirmation)
			kind   problem.Kind
			code   string
		}{
			"a wrong code":          {func(c *Confirmation) { c.Code = wrong(secret, noon) }, problem.Invalid, "codeInvalid"},
			"no code":               {func(c *Confirmation) { c.Code = "" }, problem.Invalid, "codeInvalid"},
			"a broken state":        {func(c *Confirmation) { c.State = c.State[1:] }, problem.Invalid, "pageExpired"},
			"no state":              {func(c *Confirmation) { c.State = "" }, problem.Invalid, "pageExpired"},
			"another session":       {func(c *Confirmation) { c.Session.ID = "other" }, problem.Invalid, "pageExpired"},
			"a state of yesterday":  {func(c *Confirmation) { c.At, c.Session.MFAAt = c.At.Add(enrolFor), c.At.Add(enrolFor) }, problem.Invalid, "pageExpired"},
			"a session of one step": {func(c *Confirmation) { c.Session = weak }, problem.Unauthenticated, "ngcMfaRequired"},
		} {
			bad := good
			c.change(&bad)
			if err := confirm(bad); problem.CodeOf(err) != c.code || problem.KindOf(err) != c.kind {
				o.Errorf("%s: %v", name, err)
			}
		}
		if all, err := List(o.Context(), o.d, o.ada.ID); err != nil || len(all) != 0 {
			o.Errorf("stored without proof: %+v, %v", all, err)
		}
		if err := confirm(good); err != nil {
			o.Fatal(err)
		}
		o.is(confirm(good), problem.Conflict, "alreadyExists") // one enrolment, one token
		all, err := List(o.Context(), o.d, o.ada.ID)
		if err != nil || len(all) != 1 || all[0].DisplayName != "Authenticator app" || all[0].SecretKey != nil || bytes.Contains(all[0].secret, secret) {
			o.Errorf("%+v, %v", all, err)
		}
		_, err = o.stepUp(weak, code(secret, noon), noon) // the first code is spent
		o.is(err, problem.Unauthenticated, "codeInvalid")
		for range most - 1 {
			o.add(noon)
		}
		_, err = Begin(o.Context(), o.d, o.ring, o.strong, noon)
		o.is(err, problem.Invalid, "tooManyMethods")
	})
}

func TestStepUp(t *testing.T) {
	each(t, func(o office) {
		weak, old := o.start(session.Session{Methods: []string{"pwd"}})
		_, err := o.stepUp(weak, "123456", noon)
		o.is(err, problem.Unauthenticated, "codeInvalid")
		if row := o.last(); row.Status.AdditionalDetails != "noCode" || row.Status.ErrorCode != 500121 {
			o.Errorf("the log: %+v", row.Status)
		}
		token, secret := o.add(noon)
		if yes, err := HasUsable(o.Context(), o.d, o.ada.ID); !yes || err != nil {
			o.Errorf("usable: %v, %v", yes, err)
		}
		at := noon.Add(2 * time.Minute)
		_, err = o.stepUp(weak, "12345", at)
		o.is(err, problem.Unauthenticated, "codeInvalid")
		c := code(secret, at)
		in, err := o.stepUp(weak, c[:3]+" "+c[3:], at)
		if err != nil || in.User.ID != o.ada.ID {
			o.Fatal(in.User, err)
		}
		s, err := session.Find(o.Context(), o.d, in.Token, at)
		if err != nil || !slices.Equal(s.Methods, []string{"pwd", "otp", "mfa"}) || !s.MFAAt.Equal(at) || session.Fresh(s, at) != nil {
			o.Errorf("%+v, %v", s, err)
		}
		if _, err := session.Find(o.Context(), o.d, old, at); err == nil {
			o.Error("the cookie from before the second factor still works")
		}
		row := o.last()
		if row.Status.ErrorCode != 0 || row.AuthenticationRequirement != "multiFactorAuthentication" || row.AuthenticationDetails[0].Method != "Software OATH token" ||
			row.AuthenticationDetails[0].Requirement != "Multifactor authentication" || row.SessionID != s.ID {
			o.Errorf("the log: %+v", row)
		}
		if got, err := Get(o.Context(), o.d, Which{o.ada.ID, token.ID}); err != nil || got.LastUsedDateTime == nil || !got.LastUsedDateTime.Equal(at) {
			o.Errorf("RL-17: %+v, %v", got, err)
		}
		_, err = o.stepUp(s, c, at) // once
		o.is(err, problem.Unauthenticated, "codeInvalid")
		if row := o.last(); row.Status.AdditionalDetails != "codeUsed" {
			o.Errorf("the log: %+v", row.Status)
		}

		o.state("disabled")
		at = noon.Add(5 * time.Minute)
		_, err = o.stepUp(s, code(secret, at), at)
		o.is(err, problem.Unauthenticated, "codeInvalid")
		if row := o.last(); row.Status.AdditionalDetails != "methodDisabled" {
			o.Errorf("the log: %+v", row.Status)
		}
		if yes, err := HasUsable(o.Context(), o.d, o.ada.ID); yes || err != nil {
			o.Errorf("usable although off: %v, %v", yes, err)
		}
		remove := func(who string) error {
			return o.d.Write(o.Context(), func(q db.Querier) error { return Delete(o.Context(), q, o.self, at, Which{who, token.ID}) })
		}
		if err := remove(o.ada.ID); err != nil {
			o.Error(err)
		}
		o.is(remove(o.ada.ID), problem.NotFound, "notFound")
		_, err = Get(o.Context(), o.d, Which{o.ada.ID, token.ID})
		o.is(err, problem.NotFound, "notFound")
	})
}

// A code that arrives in parallel lifts exactly one session.
func TestStepUpInParallel(t *testing.T) {
	each(t, func(o office) {
		_, secret := o.add(noon)
		at := noon.Add(2 * time.Minute)
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := 0
		for range 6 {
			weak, _ := o.start(session.Session{Methods: []string{"pwd"}})
			wg.Go(func() {
				_, err := o.stepUp(weak, code(secret, at), at)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got++
				} else if problem.CodeOf(err) != "codeInvalid" {
					o.Error(err)
				}
			})
		}
		wg.Wait()
		var strong int
		if err := o.d.QueryRowContext(o.Context(), `SELECT count(*) FROM sessions WHERE methods = 'pwd,otp,mfa'`).Scan(&strong); err != nil || got != 1 || strong != 1 {
			o.Errorf("%d successes, %d strong sessions, %v", got, strong, err)
		}
	})
}

func TestThrottle(t *testing.T) {
	each(t, func(o office) {
		_, secret := o.add(noon)
		weak, _ := o.start(session.Session{Methods: []string{"pwd"}})
		at := noon.Add(2 * time.Minute)
		for range 10 {
			_, err := o.stepUp(weak, wrong(secret, at), at)
			o.is(err, problem.Unauthenticated, "codeInvalid")
		}
		_, err := o.stepUp(weak, code(secret, at), at)
		o.is(err, problem.TooMany, "requestThrottled")
		at = at.Add(15 * time.Minute)
		if _, err := o.stepUp(weak, code(secret, at), at); err != nil {
			o.Error(err)
		}
	})
}
