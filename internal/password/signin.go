package password

import (
	"context"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

const kind = "password" // for the throttle

var step = session.Step{Method: "Password", Detail: "Password in the cloud", Used: "Password"}

// refused is the one answer before proof (PK-119).
func refused() *problem.Error {
	return problem.New(problem.Unauthenticated, "signInFailed", "That did not match. Check the user name and the password, or use another way to sign in.")
}

// SignIn opens a single-factor session. Unknown and disabled people, wrong
// passwords and people whom the policy gives no password are all signInFailed
// and cost one hash. Too many tries are TooMany. A right password that has to be
// changed first is *Due.
func SignIn(ctx context.Context, d *db.DB, h *throttle.Hasher, c session.Claim) (session.SignedIn, error) {
	row, name := c.Situation.Row(c.At), session.CleanName(c.UserName)
	row.UserPrincipalName = name
	if err := session.Guess(ctx, d, row, step, session.Guessed{Kind: kind, Account: name}); err != nil {
		return session.SignedIn{}, err
	}
	u, p, fail, err := prove(ctx, d, h, c)
	if err != nil {
		return session.SignedIn{}, err
	}
	if u.ID != "" {
		session.Of(&row, u)
	}
	var in session.SignedIn
	if fail == nil && p.must {
		return in, due(ctx, d, row, u, p)
	}
	if fail == nil {
		fresh := ""
		if h.Outdated(p.hash) {
			if fresh, err = h.Hash(ctx, normal(c.Secret)); err != nil {
				return session.SignedIn{}, err
			}
		}
		err = d.Write(ctx, func(q db.Querier) error { in, err = enter(ctx, q, row, u, proved{p, fresh}); return err })
		if problem.CodeOf(err) != refused().Code {
			return in, err
		}
		fail = &session.Failure{Code: 50126, Fact: "passwordWrong", Reason: "The password was changed or removed a moment before."}
	}
	if err := session.Refuse(ctx, d, row, step, *fail); err != nil {
		return session.SignedIn{}, err
	}
	return session.SignedIn{}, refused()
}

// proved is the row that was compared, and its hash at today's cost, "" if it
// has that already.
type proved struct {
	stored
	fresh string
}

// enter opens the session: all of it or nothing.
func enter(ctx context.Context, q db.Querier, row audit.SignIn, u directory.User, p proved) (session.SignedIn, error) {
	// What was proved must still be true: the password may have been changed or
	// removed while it was hashed.
	now, err := read(ctx, q, u.ID)
	if err != nil {
		return session.SignedIn{}, err
	}
	if now.hash == "" || now.changed != p.changed || now.must {
		return session.SignedIn{}, refused()
	}
	if p.fresh != "" {
		if _, err := q.ExecContext(ctx, `UPDATE passwords SET hash = $1 WHERE user_id = $2 AND changed_at = $3`, p.fresh, u.ID, p.changed); err != nil {
			return session.SignedIn{}, err
		}
	}
	if err := session.Right(ctx, q, row, session.Guessed{Kind: kind, Account: session.CleanName(u.UserPrincipalName)}); err != nil {
		return session.SignedIn{}, err
	}
	session.Succeeded(&row, step)
	return session.Enter(ctx, q, row, u, session.Session{Methods: []string{session.MethodPassword}})
}

// prove compares the password and finds the true reason of a refusal. It reads
// and hashes the same for everybody.
func prove(ctx context.Context, d *db.DB, h *throttle.Hasher, c session.Claim) (directory.User, stored, *session.Failure, error) {
	u, err := session.Look(ctx, d, session.CleanName(c.UserName))
	if err != nil {
		return u, stored{}, nil, err
	}
	policy, err := directory.GetMethodPolicy(ctx, d, directory.MethodPassword)
	if err != nil {
		return u, stored{}, nil, err
	}
	refusal, err := policy.RefusalFor(ctx, d, u.ID)
	if err != nil {
		return u, stored{}, nil, err
	}
	p, err := read(ctx, d, u.ID)
	if err != nil {
		return u, stored{}, nil, err
	}
	typed := c.Secret
	if len(typed) > 4*MaxLength { // longer than any password; hash little, say no
		typed = ""
	}
	right, err := h.Verify(ctx, p.hash, normal(typed))
	if err != nil {
		return u, stored{}, nil, err
	}
	switch {
	case u.ID == "":
		return u, p, &session.UnknownUser, nil
	case p.hash == "":
		return u, p, &session.Failure{Code: 50126, Fact: "noPassword", Reason: "The person has no password."}, nil
	case !right:
		return u, p, &session.Failure{Code: 50126, Fact: "passwordWrong", Reason: "The password was wrong."}, nil
	case !u.AccountEnabled:
		return u, p, &session.DisabledUser, nil
	case refusal != "":
		return u, p, &session.Failure{Code: 500121, Fact: refusal, Reason: "The policy does not let this person use a password."}, nil
	}
	return u, p, nil, nil
}
