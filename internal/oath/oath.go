// Package oath is the app code: a software OATH token (TOTP, RFC 6238). It is
// off until a policy turns it on (directory.MethodCode), and it is only ever a
// second factor to a session that something else began.
//
// The life of a token. Begin draws a secret and shows it; nothing is stored.
// Confirm proves with the first code that the app has it, and stores it sealed.
// StepUp proves a code and makes the session a multifactor one. Delete forgets
// the token.
//
// What it promises: a code works once, also on two nodes at the same moment;
// guesses are counted; the secret never leaves after Begin.
package oath

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/session"
)

// Token is Graph's softwareOathAuthenticationMethod.
type Token struct {
	ID               string     `json:"id"`
	SecretKey        *string    `json:"secretKey"` // always null
	DisplayName      string     `json:"displayName"`
	CreatedDateTime  time.Time  `json:"createdDateTime"`
	LastUsedDateTime *time.Time `json:"lastUsedDateTime"`

	UserID   string `json:"-"`
	secret   []byte // sealed
	lastStep int64
}

// column is the purpose of a sealed secret: it opens in its own row only.
func column(id string) string { return "oath_tokens.secret|" + id }

const columns = `id, user_id, display_name, secret, last_step, created_at, last_used_at`

func scan(r *sql.Rows, t *Token) error {
	var created int64
	var used sql.NullInt64
	err := r.Scan(&t.ID, &t.UserID, &t.DisplayName, &t.secret, &t.lastStep, &created, &used)
	t.CreatedDateTime, t.LastUsedDateTime = db.Time(created), db.NullTime(used)
	return err
}

// List returns the tokens of a person, oldest first.
func List(ctx context.Context, q db.Querier, userID string) ([]Token, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM oath_tokens WHERE user_id = $1 ORDER BY created_at, id`, userID)
	return db.Collect(rows, err, scan)
}

// Which names a token of a person.
type Which struct{ UserID, ID string }

// Get returns one token of a person.
func Get(ctx context.Context, q db.Querier, w Which) (Token, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM oath_tokens WHERE user_id = $1 AND id = $2`, w.UserID, w.ID)
	all, err := db.Collect(rows, err, scan)
	if err == nil && len(all) == 0 {
		err = db.Err("This authenticator app", sql.ErrNoRows)
	}
	if err != nil {
		return Token{}, err
	}
	return all[0], nil
}

// Delete forgets a token.
func Delete(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, w Which) error {
	u, err := directory.GetUser(ctx, q, w.UserID)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM oath_tokens WHERE user_id = $1 AND id = $2`, u.ID, w.ID)
	if err := db.Changed("This authenticator app", res, err); err != nil {
		return err
	}
	return session.LogMethod(ctx, q, a, now, session.MethodEvent{User: u, Verb: "deleted", What: "software OATH token", Details: []audit.KeyValue{{Key: "methodId", Value: w.ID}}})
}

// HasUsable reports whether the person has a token and the policy lets it be
// used.
func HasUsable(ctx context.Context, q db.Querier, userID string) (bool, error) {
	all, err := List(ctx, q, userID)
	if err != nil || len(all) == 0 {
		return false, err
	}
	refusal, err := refusalFor(ctx, q, userID)
	return refusal == "" && err == nil, err
}

// refusalFor is why the policy gives the person no app code, "" if it does.
func refusalFor(ctx context.Context, q db.Querier, userID string) (string, error) {
	policy, err := directory.GetMethodPolicy(ctx, q, directory.MethodCode)
	if err != nil {
		return "", err
	}
	return policy.RefusalFor(ctx, q, userID)
}
