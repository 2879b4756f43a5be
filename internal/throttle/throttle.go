// Package throttle counts guesses. Everything that can be guessed (passes,
// passwords, codes, client secrets, links) asks it first, once per account and
// once per address. Counts live in the database: every node sees them.
package throttle

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// Limit allows Count tries per Window for one key.
type Limit struct {
	Count  int64
	Window time.Duration
}

// The limits in use. An address may stand for a whole office behind NAT, so
// it gets more than an account.
var (
	PerAccount = Limit{10, 15 * time.Minute}
	PerAddress = Limit{100, 15 * time.Minute}
)

// Try counts one guess of kind (e.g. "accessPass") by who (an account's id, an
// address) and refuses with TooMany once the limit is passed. It is called
// before the guess is looked at and commits on its own, so that a refused
// guess stays counted. The cost does not depend on whether who exists.
func Try(ctx context.Context, d *db.DB, kind, who string, l Limit, now time.Time) error {
	var count, reset int64
	err := d.Write(ctx, func(q db.Querier) error {
		ms := now.UnixMilli()
		return q.QueryRowContext(ctx, `INSERT INTO attempts (key, count, reset_at) VALUES ($1, 1, $2)
			ON CONFLICT (key) DO UPDATE SET
				count = CASE WHEN attempts.reset_at <= $3 THEN 1 ELSE attempts.count + 1 END,
				reset_at = CASE WHEN attempts.reset_at <= $3 THEN excluded.reset_at ELSE attempts.reset_at END
			RETURNING count, reset_at`, key(kind, who), now.Add(l.Window).UnixMilli(), ms).Scan(&count, &reset)
	})
	if err != nil {
		return err
	}
	if count <= l.Count {
		return nil
	}
	p := problem.New(problem.TooMany, "requestThrottled", "Too many tries. Try again at %s UTC.", db.Time(reset).Format("15:04"))
	p.RetryAfter = db.Time(reset).Sub(now)
	return p
}

// Forget drops the count after a success, in the caller's transaction.
func Forget(ctx context.Context, q db.Querier, kind, who string) error {
	_, err := q.ExecContext(ctx, `DELETE FROM attempts WHERE key = $1`, key(kind, who))
	return err
}

// key is a hash, so that the table tells nobody which names were tried.
func key(kind, who string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + who))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}
