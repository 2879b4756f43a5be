package accesspass

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

// OneTimeSession is how long a session lasts that a one-time pass or a link
// opened: long enough to register a passkey (PK-153).
const OneTimeSession = 10 * time.Minute

const kind = "accessPass" // for the throttle

var step = session.Step{Method: "Temporary Access Pass", Whole: true}

// refused is the one answer before proof (PK-119).
func refused() *problem.Error {
	return problem.New(problem.Unauthenticated, "signInFailed", "That did not match. Check the user name and the pass, or ask your help desk for a new pass.")
}

// SignIn opens a session with a pass. A multi-use pass gives a session until
// the pass ends, at most session.Lifetime; a one-time pass one of ten minutes.
// Of two requests with the same one-time pass exactly one succeeds.
//
// Unknown and disabled people, wrong, expired, used and not allowed passes are
// all signInFailed and cost one hash. Too many tries are TooMany.
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
	if fail == nil {
		err = d.Write(ctx, func(q db.Querier) error { in, err = spend(ctx, q, row, u, p); return err })
		if problem.CodeOf(err) != refused().Code {
			return in, err
		}
		fail = &session.Failure{Code: 500121, Fact: "oneTimeUsed", Reason: "The Temporary Access Pass was used or deleted a moment before."}
	}
	if err := session.Refuse(ctx, d, row, step, *fail); err != nil {
		return session.SignedIn{}, err
	}
	return session.SignedIn{}, refused()
}

// prove compares the code, and finds the true reason of a refusal. It reads
// and hashes the same for everybody.
func prove(ctx context.Context, d *db.DB, h *throttle.Hasher, c session.Claim) (directory.User, Pass, *session.Failure, error) {
	u, err := session.Look(ctx, d, session.CleanName(c.UserName))
	if err != nil {
		return u, Pass{}, nil, err
	}
	policy, err := GetPolicy(ctx, d)
	if err != nil {
		return u, Pass{}, nil, err
	}
	refusal, err := policy.RefusalFor(ctx, d, u.ID)
	if err != nil {
		return u, Pass{}, nil, err
	}
	var p Pass
	err = db.Err("", scan(d.QueryRowContext(ctx, `SELECT `+columns+` FROM access_passes WHERE user_id = $1`, u.ID), &p))
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return u, p, nil, err
	}
	right, err := h.Verify(ctx, p.hash, typed(c.Secret))
	if err != nil {
		return u, p, nil, err
	}
	p.judge(refusal == "", c.At)
	return u, p, reason(u, p, right, refusal), nil
}

// reason is why the attempt is refused, nil if it is not.
func reason(u directory.User, p Pass, right bool, refusal string) *session.Failure {
	switch {
	case u.ID == "":
		return &session.UnknownUser
	case p.hash == "":
		return &session.Failure{Code: 50126, Fact: "noAccessPass", Reason: "The person has no Temporary Access Pass."}
	case !right:
		return &session.Failure{Code: 50126, Fact: "wrongAccessPass", Reason: "The Temporary Access Pass was wrong."}
	case !u.AccountEnabled:
		return &session.DisabledUser
	}
	switch p.MethodUsabilityReason {
	case DisabledByPolicy:
		return &session.Failure{Code: 500121, Fact: refusal, Reason: "The policy does not let this person use a Temporary Access Pass."}
	case Expired:
		return &session.Failure{Code: 500121, Fact: "expired", Reason: "The Temporary Access Pass had expired."}
	case NotYetValid:
		return &session.Failure{Code: 500121, Fact: "notYetValid", Reason: "The Temporary Access Pass was not valid yet."}
	case OneTimeUsed:
		return &session.Failure{Code: 500121, Fact: "oneTimeUsed", Reason: "The one-time Temporary Access Pass was used before."}
	}
	return nil
}

// spend marks the use and opens the session: all of it or nothing.
func spend(ctx context.Context, q db.Querier, row audit.SignIn, u directory.User, p Pass) (session.SignedIn, error) {
	now := row.CreatedDateTime
	res, err := q.ExecContext(ctx, `UPDATE access_passes SET used_at = $1 WHERE id = $2 AND (NOT once OR used_at IS NULL)`, now.UnixMilli(), p.ID)
	if err != nil {
		return session.SignedIn{}, err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 { // somebody else was faster, or it was deleted
		if err != nil {
			return session.SignedIn{}, err
		}
		return session.SignedIn{}, refused()
	}
	if err := session.Right(ctx, q, row, session.Guessed{Kind: kind, Account: session.CleanName(u.UserPrincipalName)}); err != nil {
		return session.SignedIn{}, err
	}
	ends := now.Add(session.Lifetime)
	if p.IsUsableOnce {
		ends = now.Add(OneTimeSession)
	}
	if p.End().Before(ends) {
		ends = p.End()
	}
	session.Succeeded(&row, step)
	in, err := session.Enter(ctx, q, row, u, session.Session{MFAAt: now, ExpiresAt: ends, Methods: []string{session.MethodAccessPass, session.MethodMFA}})
	if err != nil {
		return session.SignedIn{}, err
	}
	s := session.Situation{IP: row.IPAddress, UserAgent: row.UserAgent, CorrelationID: row.CorrelationID}
	e := event(u, p, "", "Temporary Access Pass used")
	return in, audit.Write(ctx, q, s.Actor(u), now, audit.Record{ActivityDisplayName: e.Dedicated, Category: "UserManagement", LoggedByService: "Cardea", OperationType: "Other",
		TargetResources:   []audit.Target{audit.Person(u.ID, u.DisplayName, u.UserPrincipalName)},
		AdditionalDetails: append(e.Details, audit.KeyValue{Key: "signInId", Value: row.ID})})
}
