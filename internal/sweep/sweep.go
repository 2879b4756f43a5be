// Package sweep deletes what has expired: spent challenges, codes, sessions,
// refresh families, links, counters of guesses, old log rows. Nothing here is
// needed for correctness: expired rows are refused wherever they are read.
package sweep

import (
	"context"
	"time"

	"cardea/internal/db"
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
	arg               int64
}

// Once deletes everything that expired before now and returns how many rows went.
func Once(ctx context.Context, d *db.DB, keep Retention, now time.Time) (int64, error) {
	ms := now.UnixMilli()
	hour := now.Add(-time.Hour).UnixMilli() // a margin for clocks of other nodes
	jobs := []job{
		{"spent_challenges", "id", "expires_at < $1", hour},
		{"attempts", "key", "reset_at < $1", ms},
		{"authorization_codes", "id", "expires_at < $1", now.Add(-24 * time.Hour).UnixMilli()}, // kept a day: a replay revokes its family
		{"sessions", "id", "expires_at < $1", now.Add(-7 * 24 * time.Hour).UnixMilli()},        // kept a week: "where was I signed in"
		{"refresh_families", "id", "expires_at < $1", hour},
		{"links", "id", "expires_at < $1", now.Add(-30 * 24 * time.Hour).UnixMilli()},
	}
	if keep.SignIns > 0 {
		jobs = append(jobs, job{"sign_ins", "id", "created_at < $1", now.Add(-keep.SignIns).UnixMilli()})
	}
	if keep.Audits > 0 {
		jobs = append(jobs, job{"directory_audits", "id", "created_at < $1", now.Add(-keep.Audits).UnixMilli()})
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
