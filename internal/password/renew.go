package password

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// MustChange says whether the present password of a person is good for nothing
// but choosing another, which Renew does. Without a password it does nothing. A
// new one, whoever sets it, is an ordinary one.
func MustChange(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, e Expiry) error {
	u, err := directory.GetUser(ctx, q, e.UserID)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `UPDATE passwords SET must_change = $1 WHERE user_id = $2 AND must_change <> $1`, e.Must, u.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // as it was, or no password
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Set force change user password", Category: "UserManagement", OperationType: "Update",
		TargetResources: []audit.Target{{ID: u.ID, DisplayName: u.DisplayName, UserPrincipalName: u.UserPrincipalName, Type: "User",
			ModifiedProperties: []audit.Modified{audit.Change("ForceChangePassword", !e.Must, e.Must)}}}})
}

// Expiry is whose password must change, or need not any more.
type Expiry struct {
	UserID string
	Must   bool
}

// Renewal is the proof that somebody knows a password which has to be changed.
// Whoever hands it out seals it, and takes it back for a few minutes only.
type Renewal struct {
	UserID  string    `json:"u"`
	Changed int64     `json:"c"` // of the password that was proved, in Unix milliseconds
	At      time.Time `json:"t"`
}

// RenewalLife is how long a Renewal is good.
const RenewalLife = 10 * time.Minute

// Due is the error of SignIn for a password that was right and has to be
// changed before a session starts: passwordMustChange.
type Due struct{ Renewal Renewal }

var errDue = problem.New(problem.Forbidden, "passwordMustChange", "This password was given out by somebody else and has to be changed first. Sign in at the sign-in page in a browser, which asks for a new one.")

// Error implements error.
func (d *Due) Error() string { return errDue.Error() }

// Unwrap lets problem.CodeOf and the like see what it is.
func (d *Due) Unwrap() error { return errDue }

// due writes the log row of a right password that opens nothing yet.
func due(ctx context.Context, d *db.DB, row audit.SignIn, u directory.User, p stored) error {
	session.Failed(&row, step, session.Failure{Code: 50055, Fact: "passwordMustChange", Reason: "The password was right. It was given out by somebody else, so that the person has to choose another first."})
	err := d.Write(ctx, func(q db.Querier) error {
		if err := session.Right(ctx, q, row, session.Guessed{Kind: kind, Account: session.CleanName(u.UserPrincipalName)}); err != nil {
			return err
		}
		return audit.WriteSignIn(ctx, q, row)
	})
	if err != nil {
		return err
	}
	return &Due{Renewal{UserID: u.ID, Changed: p.changed, At: row.CreatedDateTime}}
}

// Chosen is a new password in place of one that had to be changed.
type Chosen struct {
	Renewal   Renewal
	New       string
	At        time.Time
	Situation session.Situation
}

// Renew stores the new password and opens the session that the old one did not.
// Errors: pageExpired if the proof is too old, or the password is another by
// now; passwordSame; those of Check; userDisabled and those of the policy.
func Renew(ctx context.Context, d *db.DB, h *throttle.Hasher, c Chosen) (in session.SignedIn, err error) {
	expired := problem.New(problem.Invalid, "pageExpired", "This page was open for a while. Please sign in again.")
	if age := c.At.Sub(c.Renewal.At); age < 0 || age > RenewalLife {
		return in, expired
	}
	u, err := directory.GetUser(ctx, d, c.Renewal.UserID)
	if problem.KindOf(err) == problem.NotFound {
		return in, expired
	}
	if err != nil {
		return in, err
	}
	policy, err := directory.GetMethodPolicy(ctx, d, directory.MethodPassword)
	if err != nil {
		return in, err
	}
	refusal, err := policy.RefusalFor(ctx, d, u.ID)
	if err != nil {
		return in, err
	}
	old, err := read(ctx, d, u.ID)
	if err != nil {
		return in, err
	}
	if !u.AccountEnabled || refusal != "" || !c.Renewal.proves(old) {
		return in, expired
	}
	same, err := h.Verify(ctx, old.hash, normal(c.New))
	if err != nil {
		return in, err
	}
	if same {
		return in, errSame
	}
	hash, err := Prepare(ctx, d, h, u, c.New)
	if err != nil {
		return in, err
	}
	row := c.Situation.Row(c.At)
	session.Of(&row, u)
	err = d.Write(ctx, func(q db.Querier) error {
		now, err := read(ctx, q, u.ID)
		if err != nil {
			return err
		}
		if !c.Renewal.proves(now) { // twice the same page, or an administrator was faster
			return expired
		}
		if err := Store(ctx, q, c.Situation.Actor(u), c.At, u, hash); err != nil {
			return err
		}
		session.Succeeded(&row, step)
		in, err = session.Enter(ctx, q, row, u, session.Session{Methods: []string{session.MethodPassword}})
		return err
	})
	return in, err
}

// proves reports whether r is about the password that is stored, and that one
// still has to be changed.
func (r Renewal) proves(p stored) bool { return p.hash != "" && p.must && p.changed == r.Changed }

// errSame refuses the password that an administrator gave out as the new one.
var errSame = problem.New(problem.Invalid, "passwordSame", "This is the password that has to be changed. Choose another.").On("password")
