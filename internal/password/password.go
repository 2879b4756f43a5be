// Package password is a method that people come from. It is off until a policy
// turns it on (directory.MethodPassword), and it proves one factor only: the
// session it opens has no multifactor proof, so it registers no passkey and
// satisfies no strength.
//
// The life of a password. Set checks it (Check), hashes it with argon2id and
// stores it; an old one is replaced, and other sessions that it opened end.
// SignIn compares. Remove forgets it. One that an administrator gave out may have
// to be changed first: then SignIn opens no session, and Renew does.
//
// What it promises: an unknown name costs as much as a known one and hears the
// same; no password is ever logged. What it does not do: passwords do not
// expire and need no kinds of characters (NIST SP 800-63B-4 §3.1.1.2).
package password

import (
	"context"
	"database/sql"
	"time"

	"golang.org/x/text/unicode/norm"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// Change sets the password of a person.
type Change struct {
	UserID  string
	New     string
	Current string          // asked of the person, not of an administrator, if there is one already
	Session session.Session // that asks, if the person does: it goes on
	At      time.Time
	Must    bool // it has to be changed at the next sign-in: see MustChange
}

// Set stores a new password. The person proves the current one (if it is
// wrong: Invalid, passwordWrong) or, for the first one, has a fresh strong
// session (else Unauthenticated, ngcMfaRequired). An administrator needs
// neither, and then every session of the person ends. Other errors: methodDisabled, userExcluded and
// userNotTargeted where the policy does not let the person have a password,
// those of Check, and TooMany.
func Set(ctx context.Context, d *db.DB, h *throttle.Hasher, a audit.Actor, c Change) error {
	u, err := directory.GetUser(ctx, d, c.UserID)
	if err != nil {
		return err
	}
	policy, err := directory.GetMethodPolicy(ctx, d, directory.MethodPassword)
	if err != nil {
		return err
	}
	refusal, err := policy.RefusalFor(ctx, d, u.ID)
	if err != nil {
		return err
	}
	if refusal != "" {
		return problem.New(problem.Invalid, refusal, "Passwords are not in use for this account. Use a passkey, or ask your administrator.")
	}
	old, err := read(ctx, d, u.ID)
	if err != nil {
		return err
	}
	switch own := a.UserID == u.ID; {
	case own && old.hash == "":
		if err := session.Fresh(c.Session, c.At); err != nil {
			return err
		}
	case own:
		if err := throttle.Try(ctx, d, kind, session.CleanName(u.UserPrincipalName), throttle.PerAccount, c.At); err != nil {
			return err
		}
		right, err := h.Verify(ctx, old.hash, normal(c.Current))
		if err != nil {
			return err
		}
		if !right {
			return problem.New(problem.Invalid, "passwordWrong", "The current password is not right. Try again.").On("currentPassword")
		}
	}
	if old.must && a.UserID == u.ID && normal(c.New) == normal(c.Current) {
		return errSame
	}
	hash, err := Prepare(ctx, d, h, u, c.New)
	if err != nil {
		return err
	}
	return d.Write(ctx, func(q db.Querier) error {
		if err := Store(ctx, q, a, c.At, u, hash); err != nil {
			return err
		}
		if a.UserID == u.ID {
			return session.EndProved(ctx, q, c.At, session.Proved{UserID: u.ID, Method: session.MethodPassword, Except: c.Session.ID})
		}
		if err := MustChange(ctx, q, a, c.At, Expiry{u.ID, c.Must}); err != nil {
			return err
		}
		return session.EndAll(ctx, q, a, c.At, u.ID)
	})
}

// Prepare checks and hashes a password outside any transaction: hashing takes
// long. Store takes the result.
func Prepare(ctx context.Context, q db.Querier, h *throttle.Hasher, u directory.User, password string) (Hash, error) {
	o, err := directory.GetOrganization(ctx, q)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return "", err
	}
	if err := Check(password, u, o.DisplayName); err != nil {
		return "", err
	}
	text, err := h.Hash(ctx, normal(password))
	return Hash(text), err
}

// Hash is a password that was checked and hashed.
type Hash string

// Store writes a password from Prepare and its audit record, for example in
// the transaction that creates the user.
func Store(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, u directory.User, hash Hash) error {
	verb := "registered"
	if old, err := read(ctx, q, u.ID); err != nil {
		return err
	} else if old.hash != "" {
		verb = "updated"
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at, must_change = FALSE`, u.ID, string(hash), now.UnixMilli()); err != nil {
		return err
	}
	return session.LogMethod(ctx, q, a, now, session.MethodEvent{User: u, Verb: verb, What: "password"})
}

// Remove forgets the password of a person and ends the sessions it opened,
// except the one named.
func Remove(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, userID, exceptSession string) error {
	u, err := directory.GetUser(ctx, q, userID)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM passwords WHERE user_id = $1`, u.ID)
	if err := db.Changed("A password of "+u.UserPrincipalName, res, err); err != nil {
		return err
	}
	if err := session.EndProved(ctx, q, now, session.Proved{UserID: u.ID, Method: session.MethodPassword, Except: exceptSession}); err != nil {
		return err
	}
	return session.LogMethod(ctx, q, a, now, session.MethodEvent{User: u, Verb: "deleted", What: "password"})
}

// ChangedAt says since when the person has this password; nil if there is none.
func ChangedAt(ctx context.Context, q db.Querier, userID string) (*time.Time, error) {
	var ms sql.NullInt64
	err := q.QueryRowContext(ctx, `SELECT max(changed_at) FROM passwords WHERE user_id = $1`, userID).Scan(&ms)
	return db.NullTime(ms), err
}

// HasUsable reports whether the person has a password and the policy lets it
// be used.
func HasUsable(ctx context.Context, q db.Querier, userID string) (bool, error) {
	p, err := read(ctx, q, userID)
	if err != nil || p.hash == "" {
		return false, err
	}
	policy, err := directory.GetMethodPolicy(ctx, q, directory.MethodPassword)
	if err != nil {
		return false, err
	}
	refusal, err := policy.RefusalFor(ctx, q, userID)
	return refusal == "" && err == nil, err
}

// stored is a row; the zero value if there is none.
type stored struct {
	hash    string
	changed int64 // Unix milliseconds; hashing the same password anew leaves it
	must    bool  // it has to be changed before it opens a session
}

func read(ctx context.Context, q db.Querier, userID string) (p stored, err error) {
	var must int
	err = q.QueryRowContext(ctx, `SELECT coalesce(max(hash), ''), coalesce(max(changed_at), 0), coalesce(max(CASE WHEN must_change THEN 1 ELSE 0 END), 0) FROM passwords WHERE user_id = $1`,
		userID).Scan(&p.hash, &p.changed, &must)
	p.must = must == 1
	return p, err
}

// normal is the form that is hashed: keyboards spell the same letter in
// different ways (NIST SP 800-63B-4 §3.1.1.2 asks for NFC or NFKC).
func normal(password string) string { return norm.NFC.String(password) }
