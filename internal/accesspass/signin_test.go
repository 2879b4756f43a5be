package accesspass_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

func TestSignIn_PK152_PK153(t *testing.T) {
	each(t, func(o office) {
		at := noon.Add(10 * time.Minute)
		_, code := o.issue(accesspass.Order{})
		in, err := o.signIn(" ADA@Example.com ", " "+code[:4]+" "+code[4:]+"\n", at)
		if err != nil {
			o.Fatal(err)
		}
		s, err := session.Find(o.Context(), o.d, in.Token, at)
		if err != nil || s.UserID != o.ada.ID || !slices.Equal(s.Methods, []string{"tap", "mfa"}) || !s.MFAAt.Equal(at) || s.Client != "Windows, Edge" {
			o.Errorf("PK-152 session: %+v, %v", s, err)
		}
		if !s.ExpiresAt.Equal(noon.Add(time.Hour)) {
			o.Errorf("PK-152: the session ends %v, with the pass", s.ExpiresAt)
		}
		if err := session.Fresh(s, at.Add(10*time.Minute)); err != nil {
			o.Errorf("PK-153: ten minutes to register a passkey: %v", err)
		}
		o.is(session.Fresh(s, at.Add(10*time.Minute+time.Second)), problem.Unauthenticated, "ngcMfaRequired")
		row := o.last()
		if row.ID != s.SignInID || row.SessionID != s.ID || row.Status.ErrorCode != 0 || row.AuthenticationRequirement != "multiFactorAuthentication" ||
			row.AuthenticationDetails[0].Method != "Temporary Access Pass" || row.UserPrincipalName != "ada@example.com" {
			o.Errorf("the log: %+v", row)
		}
		if _, err := o.signIn("ada@example.com", code, at); err != nil {
			o.Errorf("a multi-use pass works again: %v", err)
		}
		if _, err := session.Find(o.Context(), o.d, in.Token, noon.Add(time.Hour)); err == nil {
			o.Error("PK-152: the session outlived its pass")
		}

		// A one-time pass: ten minutes, and once.
		_, code = o.issue(accesspass.Order{UserID: o.bob.ID, IsUsableOnce: ptr(true)})
		in, err = o.signIn("bob@example.com", code, at)
		if err != nil || !in.Session.ExpiresAt.Equal(at.Add(accesspass.OneTimeSession)) {
			o.Errorf("PK-153: %+v, %v", in.Session, err)
		}
		_, err = o.signIn("bob@example.com", code, at)
		o.is(err, problem.Unauthenticated, "signInFailed")
		if row := o.last(); row.Status.AdditionalDetails != "oneTimeUsed" {
			o.Errorf("the log: %+v", row.Status)
		}
		all, err := accesspass.List(o.Context(), o.d, at, o.bob.ID)
		if err != nil || all[0].MethodUsabilityReason != accesspass.OneTimeUsed || all[0].IsUsable {
			o.Errorf("%+v, %v", all, err)
		}

		// A one-time pass that ends within ten minutes takes its session along.
		_, code = o.issue(accesspass.Order{UserID: o.bob.ID, IsUsableOnce: ptr(true)})
		in, err = o.signIn("bob@example.com", code, noon.Add(55*time.Minute))
		if err != nil || !in.Session.ExpiresAt.Equal(noon.Add(time.Hour)) {
			o.Errorf("PK-152: %+v, %v", in.Session, err)
		}
	})
}

// TestSilence: nobody outside can tell these apart; the log can.
func TestSilence_PK119_PK154(t *testing.T) {
	each(t, func(o office) {
		_, code := o.issue(accesspass.Order{})
		off := o.user("off@example.com")
		_, offCode := o.issue(accesspass.Order{UserID: off.ID})
		o.write(func(q db.Querier) error {
			_, err := directory.UpdateUser(o.Context(), q, o.admin, noon, off.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		_, want := o.signIn("ada@example.com", "wrongwrong", noon)
		for _, c := range []struct {
			name, user, code, fact string
			errorCode              int
		}{
			{"wrong", "ada@example.com", "wrongwrong", "wrongAccessPass", 50126},
			{"not a code", "ada@example.com", "\x00", "wrongAccessPass", 50126},
			{"empty", "ada@example.com", "", "wrongAccessPass", 50126},
			{"unknown", "nobody@example.com", code, "userNotFound", 50034},
			{"not a user name", "ada", code, "userNotFound", 50034},
			{"not text", "\xff@example.com", code, "userNotFound", 50034},
			{"an object id", o.ada.ID, code, "userNotFound", 50034},
			{"no pass", "bob@example.com", code, "noAccessPass", 50126},
			{"disabled", "off@example.com", offCode, "userDisabled", 50057},
			{"disabled and wrong", "off@example.com", "wrongwrong", "wrongAccessPass", 50126},
		} {
			in, err := o.signIn(c.user, c.code, noon)
			if err == nil || err.Error() != want.Error() || problem.KindOf(err) != problem.KindOf(want) || in.Token != "" {
				o.Errorf("%s: %v, want %v", c.name, err, want)
			}
			if row := o.last(); row.Status.ErrorCode != c.errorCode || row.Status.AdditionalDetails != c.fact || row.AuthenticationDetails[0].Succeeded {
				o.Errorf("%s: the log says %+v", c.name, row.Status)
			}
		}
		if row := o.last(); row.UserPrincipalName != "off@example.com" {
			o.Errorf("the log: %q", row.UserPrincipalName)
		}
	})
}

// TestOnce: of parallel requests with one code exactly one gets a session.
func TestOneTimePassInParallel_PK152(t *testing.T) {
	each(t, func(o office) {
		_, code := o.issue(accesspass.Order{IsUsableOnce: ptr(true)})
		var mu sync.Mutex
		tokens, wg := []string{}, sync.WaitGroup{}
		for range 8 {
			wg.Go(func() {
				in, err := o.signIn("ada@example.com", code, noon)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					tokens = append(tokens, in.Token)
				} else if problem.CodeOf(err) != "signInFailed" {
					o.Errorf("the others hear: %v", err)
				}
			})
		}
		wg.Wait()
		var sessions, rows int
		if err := o.d.QueryRowContext(o.Context(), `SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM sign_ins WHERE error_code = 500121)`).Scan(&sessions, &rows); err != nil {
			o.Fatal(err)
		}
		if len(tokens) != 1 || sessions != 1 || rows != 7 {
			o.Errorf("%d tokens, %d sessions, %d refusals in the log", len(tokens), sessions, rows)
		}
	})
}

// TestThrottle: per account whether it exists or not, per address, and a
// refused guess is not looked at.
func TestThrottle_PK151(t *testing.T) {
	each(t, func(o office) {
		_, code := o.issue(accesspass.Order{})
		for _, name := range []string{"ada@example.com", "nobody@example.com"} {
			for range 10 {
				_, err := o.signIn(name, "wrongwrong", noon)
				o.is(err, problem.Unauthenticated, "signInFailed")
			}
			_, err := o.signIn(name, code, noon)
			o.is(err, problem.TooMany, "requestThrottled")
			if row := o.last(); row.Status.ErrorCode != 50053 {
				o.Errorf("the log: %+v", row.Status)
			}
		}
		if _, err := o.signIn("ada@example.com", code, noon.Add(15*time.Minute)); err != nil {
			o.Errorf("after the window: %v", err)
		}
		for i := range 9 { // a success forgets the account's count
			if _, err := o.signIn("ada@example.com", code, noon.Add(16*time.Minute+time.Duration(i))); err != nil {
				o.Fatal(err)
			}
		}
		later := noon.Add(30 * time.Minute)
		for range 120 { // right ones do not count against the address: an office comes to work
			if _, err := o.signIn("ada@example.com", code, later); err != nil {
				o.Fatal(err)
			}
		}
		later = noon.Add(time.Hour)
		for i := range 100 {
			_, err := o.signIn(fmt.Sprintf("guess%d@example.com", i), "wrongwrong", later)
			o.is(err, problem.Unauthenticated, "signInFailed")
		}
		_, err := o.signIn("another@example.com", "wrongwrong", later)
		o.is(err, problem.TooMany, "requestThrottled")
	})
}

// TestBreakGlass: an emergency account can always come in, and it is noted.
func TestBreakGlass_CA27(t *testing.T) {
	each(t, func(o office) {
		o.write(func(q db.Querier) error {
			g, err := directory.CreateGroup(o.Context(), q, o.admin, noon, directory.Group{DisplayName: "Emergency"})
			if err != nil {
				return err
			}
			if err := directory.AddMember(o.Context(), q, o.admin, noon, directory.Membership{GroupID: g.ID, MemberID: o.ada.ID}); err != nil {
				return err
			}
			_, err = directory.UpdateOrganization(o.Context(), q, o.admin, noon, func(org *directory.Organization) error { org.BreakGlassGroup = g.ID; return nil })
			return err
		})
		for _, u := range []directory.User{o.ada, o.bob} {
			_, code := o.issue(accesspass.Order{UserID: u.ID})
			if _, err := o.signIn(u.UserPrincipalName, code, noon); err != nil {
				o.Fatal(err)
			}
			if noted := slices.Contains(o.activities(u.ID), "Break-glass account signed in"); noted != (u.ID == o.ada.ID) {
				o.Errorf("%s noted: %v", u.UserPrincipalName, noted)
			}
		}
		rows, err := audit.SignIns(o.Context(), o.d, audit.Query{UserID: o.ada.ID})
		if err != nil || len(rows) != 1 {
			o.Errorf("%d rows, %v", len(rows), err)
		}
	})
}

// TestSameCost: whoever asks, one hash is computed: with a Hasher that is
// always busy nobody gets past it, and nobody is told anything before.
func TestSameCost_PK119(t *testing.T) {
	each(t, func(o office) {
		_, code := o.issue(accesspass.Order{})
		_, used := o.issue(accesspass.Order{UserID: o.bob.ID, IsUsableOnce: ptr(true)})
		if _, err := o.signIn("bob@example.com", used, noon); err != nil {
			o.Fatal(err)
		}
		o.h = new(throttle.Hasher)
		for _, c := range [][2]string{{"ada@example.com", code}, {"ada@example.com", ""}, {"bob@example.com", used}, {"root@example.com", code}, {"nobody@example.com", code}, {"nobody", ""}} {
			_, err := o.signIn(c[0], c[1], noon)
			o.is(err, problem.Unavailable, "busy")
		}
	})
}
