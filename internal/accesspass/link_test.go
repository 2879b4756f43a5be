package accesspass_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

func (o office) link(order accesspass.LinkOrder) (l accesspass.Link, text string) {
	o.Helper()
	o.write(func(q db.Querier) (err error) {
		l, text, err = accesspass.IssueLink(o.Context(), q, o.admin, noon, order)
		return err
	})
	return l, text
}

func (o office) follow(text string, at time.Time) (session.SignedIn, error) {
	return accesspass.SignInByLink(o.Context(), o.d, o.claim("", text, at))
}

func (o office) passkey(userID string) {
	o.Helper()
	o.write(func(q db.Querier) error {
		_, err := q.ExecContext(o.Context(), `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible, backup_state, attested, rp_id, created_at)
			VALUES ($1, $2, $3, 'Key', $4, -7, '', 0, FALSE, FALSE, FALSE, 'example.com', 0)`, db.NewID(noon), userID, []byte(userID), []byte{1})
		return err
	})
}

func TestEnrolmentLink(t *testing.T) {
	each(t, func(o office) {
		order := accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: o.ada.ID}
		_, voided := o.link(order)
		l, text := o.link(order)
		if !l.ExpiresAt.Equal(noon.Add(24*time.Hour)) || l.UserID != o.ada.ID {
			o.Errorf("%+v", l)
		}
		for range 3 { // looking spends nothing
			if got, err := accesspass.OpenLink(o.Context(), o.d, o.claim("", text, noon)); err != nil || got != l {
				o.Fatalf("%+v, %v", got, err)
			}
		}
		for name, bad := range map[string]string{"replaced": voided, "empty": "", "cut": text[:79], "another secret": text[:37] + voided[37:], "another id": voided[:37] + text[37:], "in capitals": strings.ToUpper(text)} {
			_, err := o.follow(bad, noon)
			o.is(err, problem.Unauthenticated, "linkNotUsable")
			if row := o.last(); row.Status.ErrorCode != 500121 || row.UserID != "" {
				o.Errorf("%s: the log says %+v of %q", name, row.Status, row.UserID)
			}
		}
		_, err := o.follow(text, l.ExpiresAt)
		o.is(err, problem.Unauthenticated, "linkNotUsable")

		at := noon.Add(time.Hour)
		in, err := o.follow(text+"\n", at)
		if err != nil {
			o.Fatal(err)
		}
		s, err := session.Find(o.Context(), o.d, in.Token, at)
		if err != nil || s.UserID != o.ada.ID || !slices.Equal(s.Methods, []string{"link", "mfa"}) || !s.MFAAt.Equal(at) || !s.ExpiresAt.Equal(at.Add(10*time.Minute)) {
			o.Errorf("PK-153 session: %+v, %v", s, err)
		}
		if row := o.last(); row.Status.ErrorCode != 0 || row.UserID != o.ada.ID || row.AuthenticationDetails[0].Method != "One-time link" {
			o.Errorf("the log: %+v", row)
		}
		_, err = o.follow(text, at)
		o.is(err, problem.Unauthenticated, "linkNotUsable")
		_, err = accesspass.OpenLink(o.Context(), o.d, o.claim("", text, at))
		o.is(err, problem.Unauthenticated, "linkNotUsable")
		if got := o.activities(o.ada.ID); !slices.Equal(got, []string{"Add user", "Enrolment link created", "Enrolment link created", "Enrolment link used"}) {
			o.Errorf("audit: %q", got)
		}
	})
}

// A link of somebody who is switched off is refused, and works again later.
func TestEnrolmentLinkDisabled(t *testing.T) {
	each(t, func(o office) {
		_, text := o.link(accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: o.ada.ID})
		enable := func(on bool) {
			o.write(func(q db.Querier) error {
				_, err := directory.UpdateUser(o.Context(), q, o.admin, noon, o.ada.ID, func(u *directory.User) error { u.AccountEnabled = on; return nil })
				return err
			})
		}
		enable(false)
		_, err := o.follow(text, noon.Add(time.Minute))
		o.is(err, problem.Unauthenticated, "linkNotUsable")
		if row := o.last(); row.Status.ErrorCode != 50057 || row.UserID != o.ada.ID {
			o.Errorf("the log: %+v of %q", row.Status, row.UserID)
		}
		enable(true)
		if _, err := o.follow(text, noon.Add(time.Minute)); err != nil {
			o.Error(err)
		}
	})
}

func TestLinkInParallel(t *testing.T) {
	each(t, func(o office) {
		_, text := o.link(accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: o.ada.ID})
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := 0
		for range 8 {
			wg.Go(func() {
				_, err := o.follow(text, noon)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got++
				} else if problem.CodeOf(err) != "linkNotUsable" {
					o.Error(err)
				}
			})
		}
		wg.Wait()
		var sessions int
		if err := o.d.QueryRowContext(o.Context(), `SELECT count(*) FROM sessions`).Scan(&sessions); err != nil || got != 1 || sessions != 1 {
			o.Errorf("%d successes, %d sessions, %v", got, sessions, err)
		}
	})
}

func TestLinkThrottle(t *testing.T) {
	each(t, func(o office) {
		_, text := o.link(accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: o.ada.ID})
		for range 120 {
			if _, err := accesspass.OpenLink(o.Context(), o.d, o.claim("", text, noon)); err != nil {
				o.Fatal(err)
			}
		}
		for range 100 {
			_, err := o.follow("x", noon)
			o.is(err, problem.Unauthenticated, "linkNotUsable")
		}
		_, err := o.follow(text, noon)
		o.is(err, problem.TooMany, "requestThrottled")
		_, err = accesspass.OpenLink(o.Context(), o.d, o.claim("", text, noon))
		o.is(err, problem.TooMany, "requestThrottled")
		if _, err := o.follow(text, noon.Add(15*time.Minute)); err != nil {
			o.Error(err)
		}
	})
}

func TestLinkOrders(t *testing.T) {
	each(t, func(o office) {
		issue := func(order accesspass.LinkOrder) error {
			return o.d.Write(o.Context(), func(q db.Querier) error {
				_, _, err := accesspass.IssueLink(o.Context(), q, o.admin, noon, order)
				return err
			})
		}
		o.is(issue(accesspass.LinkOrder{Kind: "other"}), problem.Invalid, "invalidValue")
		o.is(issue(accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: "nobody"}), problem.NotFound, "notFound")
		o.is(issue(accesspass.LinkOrder{Kind: accesspass.SetupLink, Lifetime: time.Minute}), problem.Invalid, "invalidValue")
		o.is(issue(accesspass.LinkOrder{Kind: accesspass.SetupLink, Lifetime: 31 * 24 * time.Hour}), problem.Invalid, "invalidValue")
	})
}

// TestSetUp: the floor's first line: no default password, a one-time link that
// dies as soon as an administrator has a passkey.
func TestSetUp(t *testing.T) {
	each(t, func(o office) {
		founding := accesspass.Founding{Organisation: " Contoso ", Person: "Grace", UserName: "grace@contoso.com"}
		setUp := func(text string, f accesspass.Founding) (session.SignedIn, error) {
			return accesspass.SetUp(o.Context(), o.d, o.claim("", text, noon), f)
		}
		_, older := o.link(accesspass.LinkOrder{Kind: accesspass.SetupLink})
		_, text := o.link(accesspass.LinkOrder{Kind: accesspass.SetupLink})
		_, enrolment := o.link(accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: o.ada.ID})
		for _, bad := range []string{older, enrolment, "", "x"} {
			_, err := setUp(bad, founding)
			o.is(err, problem.Unauthenticated, "linkNotUsable")
		}
		_, err := o.follow(text, noon) // a set-up link is nobody's enrolment link
		o.is(err, problem.Unauthenticated, "linkNotUsable")
		for _, f := range []accesspass.Founding{{Person: "Grace", UserName: "grace@contoso.com"}, {Organisation: "Contoso", UserName: "grace@contoso.com"}, {Organisation: "Contoso", Person: "Grace", UserName: "grace"}} {
			_, err := setUp(text, f)
			o.is(err, problem.Invalid, "invalidValue") // and spends nothing
		}
		in, err := setUp(text, founding)
		if err != nil {
			o.Fatal(err)
		}
		roles, err := directory.RolesOf(o.Context(), o.d, in.User.ID)
		org, err2 := directory.GetOrganization(o.Context(), o.d)
		if err != nil || err2 != nil || !slices.Equal(roles, []string{directory.GlobalAdministrator}) || org.DisplayName != "Contoso" || org.Domain != "contoso.com" {
			o.Errorf("%q, %+v, %v, %v", roles, org, err, err2)
		}
		if s, err := session.Find(o.Context(), o.d, in.Token, noon); err != nil || !s.Used(session.MethodLink) || !s.Strong(noon, time.Minute) {
			o.Errorf("%+v, %v", s, err)
		}
		_, err = setUp(text, founding)
		o.is(err, problem.Unauthenticated, "linkNotUsable")

		// Not finished: a new link takes up the same administrator.
		_, text = o.link(accesspass.LinkOrder{Kind: accesspass.SetupLink})
		again, err := setUp(text, accesspass.Founding{Organisation: "Contoso", Person: "Grace H", UserName: "Grace@contoso.com"})
		if err != nil || again.User.ID != in.User.ID || again.User.DisplayName != "Grace H" {
			o.Errorf("%+v, %v", again.User, err)
		}

		// Somebody else's passkey claims nothing; an administrator's does.
		_, text = o.link(accesspass.LinkOrder{Kind: accesspass.SetupLink})
		o.passkey(o.ada.ID)
		if yes, err := accesspass.Claimed(o.Context(), o.d); yes || err != nil {
			o.Errorf("claimed by ada: %v, %v", yes, err)
		}
		o.passkey(in.User.ID)
		if yes, err := accesspass.Claimed(o.Context(), o.d); !yes || err != nil {
			o.Errorf("claimed: %v, %v", yes, err)
		}
		_, err = accesspass.OpenLink(o.Context(), o.d, o.claim("", text, noon))
		o.is(err, problem.Unauthenticated, "linkNotUsable")
		_, err = setUp(text, founding)
		o.is(err, problem.Unauthenticated, "linkNotUsable")
		err = o.d.Write(o.Context(), func(q db.Querier) error {
			_, _, err := accesspass.IssueLink(context.Background(), q, audit.System("bootstrap"), noon, accesspass.LinkOrder{Kind: accesspass.SetupLink})
			return err
		})
		o.is(err, problem.Conflict, "alreadySetUp")
	})
}
