// Package sweep deletes what has expired: spent challenges, codes, sessions,
// refresh families, links, counters of guesses, old log rows. Nothing here is
// needed for correctness: expired rows are refused wherever they are read.
package sweep

import (
	"context"
	"fmt"
	"time"

	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/session"
)

// Retention is how long logs are kept; 0 keeps for ever (RL-38).
type Retention struct{ SignIns, Audits, Counters time.Duration }

// Default is Cardea's retention: 90 days, a year, three years.
var Default = Retention{90 * 24 * time.Hour, 365 * 24 * time.Hour, 1095 * 24 * time.Hour}

// batch bounds how many rows one transaction deletes, so that sign-ins never
// wait long behind a sweep.
const batch = 500

// job deletes the rows of a table whose time is over; key is its primary key.
type job struct {
	table, key, where string
	arg               any
}

// Once deletes everything that expired before now and returns how many rows went.
func Once(ctx context.Context, d *db.DB, keep Retention, now time.Time) (int64, error) {
	ms := now.UnixMilli()
	hour := now.Add(-time.Hour).UnixMilli() // a margin for clocks of other nodes
	day := 24 * time.Hour
	jobs := []job{
		{"spent_challenges", "id", "id < $1", fmt.Sprintf("%012x", hour)}, // ids begin with the expiry
		{"attempts", "key", "reset_at < $1", ms},
		{"sessions", "id", "id < $1", db.FirstID(now.Add(-7*day - session.Lifetime))}, // kept a week: "where was I signed in"
		{"links", "id", "expires_at < $1", now.Add(-30 * day).UnixMilli()},
	}
	if keep.SignIns > 0 {
		jobs = append(jobs, job{"sign_ins", "id", "id < $1", db.FirstID(now.Add(-keep.SignIns))})
	}
	if keep.Audits > 0 {
		jobs = append(jobs, job{"directory_audits", "id", "id < $1", db.FirstID(now.Add(-keep.Audits))})
	}
	var total int64
	for _, j := range jobs {
		text := `DELETE FROM ` + j.table + ` WHERE ` + j.key + ` IN (SELECT ` + j.key + ` FROM ` + j.table + ` WHERE ` + j.where + ` LIMIT $2)`
		for {
			var n int64
			err := d.Write(ctx, func(q db.Querier) error {
				res, err := q.ExecContext(ctx, text, j.arg, batch)
				if err != nil {
					return err
				}
				n, err = res.RowsAffected()
				return err
			})
			total += n
			if err != nil {
				return total, err
			}
			if n < batch {
				break
			}
		}
	}
	for {
		var n int64
		err := d.Write(ctx, func(q db.Querier) (err error) {
			n, err = session.DeleteExpiredGrants(ctx, q, now, batch)
			return err
		})
		total += n
		if err != nil {
			return total, err
		}
		if n < batch {
			break
		}
	}
	var keys int64
	err := d.Write(ctx, func(q db.Querier) (err error) {
		keys, err = jose.DeleteForgotten(ctx, q, now)
		return err
	})
	total += keys
	if err != nil {
		return total, err
	}
	if keep.Counters > 0 {
		err := d.Write(ctx, func(q db.Querier) error {
			_, err := q.ExecContext(ctx, `DELETE FROM daily_counters WHERE day < $1`, now.Add(-keep.Counters).UnixMilli()/86_400_000)
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}
