package session_test

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

var noon = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

func write(t *testing.T, d *db.DB, f func(q db.Querier) error) {
	t.Helper()
	if err := d.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func person(t *testing.T, d *db.DB, name string) (u directory.User) {
	t.Helper()
	write(t, d, func(q db.Querier) (err error) {
		u, err = directory.CreateUser(t.Context(), q, audit.System("test"), noon, directory.User{UserPrincipalName: name, DisplayName: name, AccountEnabled: true})
		return err
	})
	return u
}

func start(t *testing.T, d *db.DB, s session.Session) (out session.Session, token string) {
	t.Helper()
	write(t, d, func(q db.Querier) (err error) {
		out, token, err = session.Start(t.Context(), q, noon, s)
		return err
	})
	return out, token
}

// Upgrade: the second factor counts from now, methods add up without twins,
// and the old cookie is void.
func TestUpgrade(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		u := person(t, d, "ada@example.com")
		s, old := start(t, d, session.Session{UserID: u.ID, Methods: []string{"pwd"}})
		at := noon.Add(time.Minute)
		upgrade := func(s session.Session, at time.Time) (up session.Session, token string, err error) {
			err = d.Write(t.Context(), func(q db.Querier) (err error) {
				up, token, err = session.Upgrade(t.Context(), q, at, s, session.MethodCode, session.MethodMFA)
				return err
			})
			return up, token, err
		}
		up, token, err := upgrade(s, at)
		if err != nil || !slices.Equal(up.Methods, []string{"pwd", "otp", "mfa"}) || !up.MFAAt.Equal(at) {
			t.Fatalf("%+v, %v", up, err)
		}
		if _, err := session.Find(t.Context(), d, old, at); problem.CodeOf(err) != "signInRequired" {
			t.Errorf("the old cookie: %v", err)
		}
		got, err := session.Find(t.Context(), d, token, at)
		if err != nil || !slices.Equal(got.Methods, up.Methods) || !got.MFAAt.Equal(at) || !got.AuthAt.Equal(at) || !got.ExpiresAt.Equal(s.ExpiresAt) {
			t.Errorf("stored: %+v, %v", got, err)
		}
		if again, _, err := upgrade(got, at.Add(time.Hour)); err != nil || !slices.Equal(again.Methods, up.Methods) {
			t.Errorf("again: %+v, %v", again, err)
		}
		bare, _ := start(t, d, session.Session{UserID: u.ID})
		if up, _, err := upgrade(bare, at); err != nil || !slices.Equal(up.Methods, []string{"otp", "mfa"}) {
			t.Errorf("from nothing: %+v, %v", up, err)
		}
		write(t, d, func(q db.Querier) error { return session.End(t.Context(), q, at, s.ID) })
		if _, _, err := upgrade(s, at); problem.CodeOf(err) != "signInRequired" {
			t.Errorf("an ended session: %v", err)
		}
		if _, _, err := upgrade(bare, noon.Add(session.Lifetime)); problem.CodeOf(err) != "signInRequired" {
			t.Errorf("an expired session: %v", err)
		}
	})
}

// EndProved ends what the method proved, and nothing else.
func TestEndProved_PK152(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ada, bob := person(t, d, "ada@example.com"), person(t, d, "bob@example.com")
		tap, tapToken := start(t, d, session.Session{UserID: ada.ID, Methods: []string{"tap", "mfa"}})
		_, kept := start(t, d, session.Session{UserID: ada.ID, Methods: []string{"tap", "mfa"}})
		_, fido := start(t, d, session.Session{UserID: ada.ID, Methods: []string{"fido", "mfa"}})
		_, others := start(t, d, session.Session{UserID: bob.ID, Methods: []string{"tap", "mfa"}})
		keptID, _, _ := strings.Cut(kept, ".")
		write(t, d, func(q db.Querier) error {
			if _, err := q.ExecContext(t.Context(), `INSERT INTO refresh_families (id, user_id, client_id, session_id, grant_json, current_id, created_at, expires_at) VALUES ('f', $1, 'c', $2, '{}', 't', 0, 0)`, ada.ID, tap.ID); err != nil {
				return err
			}
			return session.EndProved(t.Context(), q, noon, session.Proved{UserID: ada.ID, Method: session.MethodAccessPass, Except: keptID})
		})
		for token, want := range map[string]bool{tapToken: false, kept: true, fido: true, others: true} {
			if _, err := session.Find(t.Context(), d, token, noon); (err == nil) != want {
				t.Errorf("%s: %v, want alive %v", token[:36], err, want)
			}
		}
		var revoked int64
		if err := d.QueryRowContext(t.Context(), `SELECT coalesce(max(revoked_at), 0) FROM refresh_families`).Scan(&revoked); err != nil || revoked != noon.UnixMilli() {
			t.Errorf("refresh tokens revoked at %d, %v", revoked, err)
		}
	})
}

func TestFresh_PK47_PK153(t *testing.T) {
	for _, c := range []struct {
		methods []string
		mfa     time.Time
		want    bool
	}{
		{[]string{"fido", "mfa"}, noon.Add(-5 * time.Minute), true},
		{[]string{"fido", "mfa"}, noon.Add(-5*time.Minute - 1), false},
		{[]string{"tap", "mfa"}, noon.Add(-10 * time.Minute), true},
		{[]string{"tap", "mfa"}, noon.Add(-10*time.Minute - 1), false},
		{[]string{"link", "mfa"}, noon.Add(-10 * time.Minute), true},
		{[]string{"pwd"}, time.Time{}, false},
		{[]string{"pwd", "otp", "mfa"}, noon, true},
	} {
		err := session.Fresh(session.Session{Methods: c.methods, MFAAt: c.mfa}, noon)
		if (err == nil) != c.want || err != nil && problem.CodeOf(err) != "ngcMfaRequired" {
			t.Errorf("%q at %v: %v", c.methods, c.mfa, err)
		}
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "", "junk": "junk",
	} {
		if got := session.Network(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzCleanName: a name that comes out is short, valid, without blanks and
// control characters, has one @, and stays as it is when read again.
func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"", " Ada@Example.COM\n", "hunter2", "a@b@c", "a\x00@b", "\xff@b", "İ@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := session.CleanName(s)
		if name == "" {
			return
		}
		if len(name) > 256 || !utf8.ValidString(name) || strings.ContainsAny(name, " \t\r\n\x00") || strings.Count(name, "@") != 1 || session.CleanName(name) != name {
			t.Fatalf("%q became %q", s, name)
		}
	})
}

// A password typed into the field of the user name must not reach the log.
func TestCleanName_RL26(t *testing.T) {
	for in, want := range map[string]string{" Ada@Example.com ": "ada@example.com", "my secret": "", "hunter2": "", "a@b@c": "", "a b@c": ""} {
		if got := session.CleanName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
