package session

import (
	"context"
	"slices"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// Upgrade adds a proved second factor to the session s: its methods, and now
// as the time of the last multifactor proof. It runs in the transaction of the
// proof. The cookie token changes: who copied the old one gains nothing.
//
// A session that ended meanwhile is Unauthenticated, signInRequired.
func Upgrade(ctx context.Context, q db.Querier, now time.Time, s Session, methods ...string) (Session, string, error) {
	secret, hash := newSecret()
	res, err := q.ExecContext(ctx, `UPDATE sessions SET secret_hash = $1, auth_at = $2, mfa_at = $2 WHERE id = $3 AND revoked_at IS NULL AND expires_at > $2`,
		hash, now.UnixMilli(), s.ID)
	if err := db.Changed("The session", res, err); err != nil {
		if problem.KindOf(err) == problem.NotFound {
			err = problem.New(problem.Unauthenticated, "signInRequired", "Please sign in.")
		}
		return Session{}, "", err
	}
	for _, m := range methods { // appended in SQL, so that two upgrades at once keep both
		if _, err := q.ExecContext(ctx, `UPDATE sessions SET methods = CASE WHEN methods = '' THEN CAST($1 AS TEXT) ELSE methods || ',' || CAST($1 AS TEXT) END
			WHERE id = $2 AND ',' || methods || ',' NOT LIKE '%,' || CAST($1 AS TEXT) || ',%'`, m, s.ID); err != nil {
			return Session{}, "", err
		}
	}
	var all string
	if err := q.QueryRowContext(ctx, `SELECT methods FROM sessions WHERE id = $1`, s.ID).Scan(&all); err != nil {
		return Session{}, "", err
	}
	s.Methods, s.AuthAt, s.MFAAt = split(all), now.UTC(), now.UTC()
	return s, s.ID + "." + secret, nil
}

// Proved selects the sessions of a person that a method proved.
type Proved struct {
	UserID string
	Method string // one of the Method constants
	Except string // id of a session to leave alone, or ""
}

// EndProved ends sessions, and the refresh tokens from them, when what proved
// them is gone: a deleted Temporary Access Pass (PK-152), a changed password.
func EndProved(ctx context.Context, q db.Querier, now time.Time, p Proved) error {
	const which = `user_id = $2 AND id <> $3 AND ',' || methods || ',' LIKE '%,' || CAST($4 AS TEXT) || ',%'`
	if _, err := q.ExecContext(ctx, `UPDATE refresh_families SET revoked_at = $1, reason = 'methodRemoved'
		WHERE revoked_at IS NULL AND session_id IN (SELECT id FROM sessions WHERE `+which+`)`, now.UnixMilli(), p.UserID, p.Except, p.Method); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `UPDATE sessions SET revoked_at = $1 WHERE revoked_at IS NULL AND `+which, now.UnixMilli(), p.UserID, p.Except, p.Method)
	return err
}

// How old the proof of a session may be that registers a way to sign in.
const (
	FreshAge      = 5 * time.Minute  // PK-47
	FreshFirstAge = 10 * time.Minute // after a pass or a link, which are for that (PK-153)
)

// Fresh refuses with Unauthenticated, ngcMfaRequired, a session whose last
// multifactor proof is too old to register or change a way to sign in. A
// session of one factor is always refused: it would make a second one of itself.
func Fresh(s Session, now time.Time) error {
	age := FreshAge
	if s.Used(MethodAccessPass) || s.Used(MethodLink) {
		age = FreshFirstAge
	}
	if s.Strong(now, age) {
		return nil
	}
	return problem.New(problem.Unauthenticated, "ngcMfaRequired", "Sign in again to go on: this needs a strong sign-in from the last minutes. Use a passkey, or ask your help desk for a Temporary Access Pass.")
}

// A claims request (OpenID Connect Core §5.5) for a multifactor proof of the
// last minutes. An API whose rules want one (PK-129) sends FreshClaims in its
// 401 (WC-82); the client's SDK puts it into the next request for a token, alone
// or merged with claims of its own; and the edge that gives tokens honours it.
const (
	FreshACRS   = "freshMfa"
	FreshClaims = `{"access_token":{"acrs":{"essential":true,"value":"` + FreshACRS + `"}}}`
)

// MeetsFresh reports whether proofs made at authAt meet FreshClaims at now. A
// token that meets it is still good for what Fresh allows with time to spare.
func MeetsFresh(methods []string, authAt, now time.Time) bool {
	return slices.Contains(methods, MethodMFA) && now.Sub(authAt) <= FreshAge
}
