package password_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/password"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// TestMustChange: a password that has to be changed opens no session, says so
// to nobody but who knows it, and is replaced by one that does, once.
func TestMustChange(t *testing.T) {
	each(t, func(o office) {
		at := noon
		next := func() time.Time { at = at.Add(time.Second); return at }
		if err := o.set(o.admin, password.Change{New: first, At: next(), Must: true}); err != nil {
			t.Fatal(err)
		}
		due := func() password.Renewal {
			t.Helper()
			in, err := o.signIn("ada@example.com", first, next())
			d, ok := errors.AsType[*password.Due](err)
			if !ok || in.Token != "" || problem.CodeOf(err) != "passwordMustChange" {
				t.Fatalf("%+v %v", in, err)
			}
			return d.Renewal
		}
		r := due()
		if row := o.last(); row.Status.ErrorCode != 50055 || row.Status.AdditionalDetails != "passwordMustChange" || row.UserID != o.ada.ID {
			t.Errorf("the log: %+v", row.Status)
		}
		if _, err := o.signIn("ada@example.com", second, next()); problem.CodeOf(err) != "signInFailed" {
			t.Errorf("a wrong one: %v", err)
		}
		for range 30 { // knowing it is no guess
			due()
		}
		renew := func(r password.Renewal, text string, at time.Time) (session.SignedIn, error) {
			return password.Renew(o.Context(), o.d, o.h, password.Chosen{Renewal: r, New: text, At: at, Situation: session.Situation{IP: "192.0.2.1", CorrelationID: "renew"}})
		}
		stale, foreign := r, r
		stale.At, foreign.UserID = at.Add(-password.RenewalLife-time.Second), o.user("bob@example.com").ID
		future := r
		future.At = at.Add(time.Hour)
		for name, c := range map[string]struct {
			r    password.Renewal
			text string
			code string
		}{
			"too old":         {stale, second, "pageExpired"},
			"of the future":   {future, second, "pageExpired"},
			"somebody else's": {foreign, second, "pageExpired"},
			"nobody's":        {password.Renewal{UserID: "01890000-0000-7000-8000-000000000001", At: at}, second, "pageExpired"},
			"the same":        {r, first, "passwordSame"},
			"too short":       {r, "short", "passwordTooShort"},
			"too common":      {r, "passwordpassword", "passwordTooCommon"},
		} {
			if in, err := renew(c.r, c.text, at); problem.CodeOf(err) != c.code || in.Token != "" {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
		}
		in, err := renew(r, second, next())
		if err != nil || in.Token == "" || in.Session.UserID != o.ada.ID || !in.Session.MFAAt.IsZero() || !in.Session.Used(session.MethodPassword) {
			t.Fatalf("%+v %v", in, err)
		}
		if _, err := renew(r, "nine patient harbours", next()); problem.CodeOf(err) != "pageExpired" {
			t.Errorf("used again: %v", err)
		}
		if _, err := o.signIn("ada@example.com", first, next()); problem.CodeOf(err) != "signInFailed" {
			t.Errorf("the old one: %v", err)
		}
		if in, err := o.signIn("ada@example.com", second, next()); err != nil || in.Token == "" {
			t.Errorf("the new one: %v", err)
		}

		// The mark alone, on and off; and what makes the proof void.
		must := func(yes bool) {
			t.Helper()
			o.write(func(q db.Querier) error {
				return password.MustChange(o.Context(), q, o.admin, next(), password.Expiry{UserID: o.ada.ID, Must: yes})
			})
		}
		must(true)
		must(true)
		_, err = o.signIn("ada@example.com", second, next())
		d, ok := errors.AsType[*password.Due](err)
		if !ok {
			t.Fatal(err)
		}
		// Somebody who came in another way does not keep it either.
		if err := o.set(audit.Actor{UserID: o.ada.ID}, password.Change{Current: second, New: second, At: next()}); problem.CodeOf(err) != "passwordSame" {
			t.Errorf("the same from within: %v", err)
		}
		must(false)
		if _, err := renew(d.Renewal, first, next()); problem.CodeOf(err) != "pageExpired" {
			t.Errorf("it need not be changed any more: %v", err)
		}
		if _, err := o.signIn("ada@example.com", second, next()); err != nil {
			t.Error(err)
		}
		must(true)
		if _, err = o.signIn("ada@example.com", second, next()); !errors.As(err, &d) {
			t.Fatal(err)
		}
		o.write(func(q db.Querier) error {
			_, err := directory.UpdateUser(o.Context(), q, o.admin, next(), o.ada.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		if _, err := renew(d.Renewal, first, next()); problem.CodeOf(err) != "pageExpired" {
			t.Errorf("disabled meanwhile: %v", err)
		}
		log, err := audit.Audits(o.Context(), o.d, audit.Query{UserID: o.ada.ID, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range log {
			if r.ActivityDisplayName == "Set force change user password" {
				n++
			}
		}
		if n != 4 { // with the password, on, off, on: once each
			t.Errorf("%d records of the mark", n)
		}
	})
}

// TestOnceIsEnough: of many who send the page with the new password at the same
// moment one is let in.
func TestOnceIsEnough(t *testing.T) {
	each(t, func(o office) {
		if err := o.set(o.admin, password.Change{New: first, At: noon, Must: true}); err != nil {
			t.Fatal(err)
		}
		_, err := o.signIn("ada@example.com", first, noon.Add(time.Second))
		d, ok := errors.AsType[*password.Due](err)
		if !ok {
			t.Fatal(err)
		}
		results := make(chan error, 4)
		for i := range 4 {
			go func() {
				_, err := password.Renew(o.Context(), o.d, o.h, password.Chosen{Renewal: d.Renewal, New: second + strings.Repeat("!", i), At: noon.Add(2 * time.Second)})
				results <- err
			}()
		}
		in := 0
		for range 4 {
			switch err := <-results; {
			case err == nil:
				in++
			case problem.CodeOf(err) != "pageExpired":
				t.Error(err)
			}
		}
		if in != 1 {
			t.Errorf("%d of 4 were let in", in)
		}
	})
}
