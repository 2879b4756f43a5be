package oath

import (
	"context"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/problem"
	"cardea/internal/session"
)

var step = session.Step{Method: "Software OATH token", Used: "App Verification code", Second: true}

// refused is the one answer to a code that does not prove anything.
func refused() *problem.Error {
	return problem.New(problem.Unauthenticated, "codeInvalid", "This code is not right, or its time is over. Try the next one, or use another way.")
}

// StepUp proves a code, c.Secret, as the second factor of the session s and
// returns the session with its new cookie token. The account is that of s:
// c.UserName is not used. Wrong and used codes, no token, and a policy that
// gives the person none are all codeInvalid; too many tries are TooMany.
func StepUp(ctx context.Context, d *db.DB, ring *jose.Ring, s session.Session, c session.Claim) (session.SignedIn, error) {
	u, err := directory.GetUser(ctx, d, s.UserID)
	if err != nil {
		return session.SignedIn{}, err
	}
	row := c.Situation.Row(c.At)
	session.Of(&row, u)
	row.SessionID = s.ID
	if err := session.Guess(ctx, d, row, step, session.Guessed{Kind: kind, Account: u.ID}); err != nil {
		return session.SignedIn{}, err
	}
	hit, fail, err := find(ctx, d, ring, u, c)
	if err != nil {
		return session.SignedIn{}, err
	}
	var in session.SignedIn
	if fail == nil {
		err = d.Write(ctx, func(q db.Querier) error { in, err = spend(ctx, q, row, s, hit); return err })
		if problem.CodeOf(err) != refused().Code {
			in.User = u
			return in, err
		}
		fail = &session.Failure{Code: 500121, Fact: "codeUsed", Reason: "The code was used a moment before."}
	}
	if err := session.Refuse(ctx, d, row, step, *fail); err != nil {
		return session.SignedIn{}, err
	}
	return session.SignedIn{}, refused()
}

// hit is a token and the step of its code.
type hit struct {
	token Token
	step  int64
}

func find(ctx context.Context, d *db.DB, ring *jose.Ring, u directory.User, c session.Claim) (hit, *session.Failure, error) {
	refusal, err := refusalFor(ctx, d, u.ID)
	if err != nil {
		return hit{}, nil, err
	}
	all, err := List(ctx, d, u.ID)
	if err != nil {
		return hit{}, nil, err
	}
	code, fail := typed(c.Secret), session.Failure{Code: 500121, Fact: "codeInvalid", Reason: "The code was wrong, or its time was over."}
	switch {
	case !u.AccountEnabled:
		return hit{}, &session.DisabledUser, nil
	case refusal != "":
		return hit{}, &session.Failure{Code: 500121, Fact: refusal, Reason: "The policy does not let this person use app codes."}, nil
	case len(all) == 0:
		fail.Fact, fail.Reason = "noCode", "The person has no authenticator app."
	}
	for _, t := range all {
		secret, err := ring.OpenColumn(column(t.ID), t.secret)
		if err != nil {
			return hit{}, nil, err
		}
		if n, ok := match(secret, code, c.At, t.lastStep); ok {
			return hit{t, n}, nil, nil
		}
		if _, ok := match(secret, code, c.At, 0); ok {
			fail.Fact, fail.Reason = "codeUsed", "The code was used before."
		}
	}
	return hit{}, &fail, nil
}

// spend marks the code as used and lifts the session: all of it or nothing.
func spend(ctx context.Context, q db.Querier, row audit.SignIn, s session.Session, h hit) (session.SignedIn, error) {
	now := row.CreatedDateTime
	res, err := q.ExecContext(ctx, `UPDATE oath_tokens SET last_step = $1, last_used_at = $2 WHERE id = $3 AND last_step < $1`, h.step, now.UnixMilli(), h.token.ID)
	if err != nil {
		return session.SignedIn{}, err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		if err != nil {
			return session.SignedIn{}, err
		}
		return session.SignedIn{}, refused()
	}
	if err := session.Right(ctx, q, row, session.Guessed{Kind: kind, Account: s.UserID}); err != nil {
		return session.SignedIn{}, err
	}
	up, token, err := session.Upgrade(ctx, q, now, s, session.MethodCode, session.MethodMFA)
	if err != nil {
		return session.SignedIn{}, err
	}
	withName := step
	withName.Detail = h.token.DisplayName
	session.Succeeded(&row, withName)
	return session.SignedIn{Session: up, Token: token}, audit.WriteSignIn(ctx, q, row)
}
