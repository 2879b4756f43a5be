// Package sweep deletes what has expired: spent challenges, codes, sessions,
// refresh families, links, counters of guesses, old log rows, and people,
// groups, applications and policies whose time among the deleted items is over. Nothing here is
// needed for correctness: expired rows are refused wherever they are read.
package sweep

import (
	"context"
	"fmt"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/condaccess"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/session"
)

// Retention is how long logs and the like are kept; 0 keeps for ever (RL-38).
type Retention struct {
	SignIns, Audits, Counters time.Duration
	Deleted                   time.Duration // what is among the deleted items
	Changes                   time.Duration // what delta reads (DO-65)
}

const day = 24 * time.Hour

// Default is Cardea's retention: 90 days, a year, three years; 30 days for what
// is deleted and for changes.
var Default = Retention{SignIns: 90 * day, Audits: 365 * day, Counters: 1095 * day, Deleted: 30 * day, Changes: 30 * day}

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
	jobs := []job{
		{"spent_challenges", "id", "id < $1", fmt.Sprintf("%012x", hour)}, // ids begin with the expiry
		{"attempts", "key", "reset_at < $1", ms},
		{"sessions", "id", "id < $1", db.FirstID(now.Add(-7*day - session.Lifetime))}, // kept a week: "where was I signed in"
		{"links", "id", "expires_at < $1", now.Add(-30 * day).UnixMilli()},
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
	type part struct {
		most int // in one transaction
		do   func(q db.Querier, most int) (int64, error)
	}
	parts := []part{{batch, func(q db.Querier, most int) (int64, error) { return session.DeleteExpiredGrants(ctx, q, now, most) }}}
	if keep.SignIns > 0 {
		parts = append(parts, part{batch, func(q db.Querier, most int) (int64, error) {
			return audit.DeleteOldSignIns(ctx, q, now.Add(-keep.SignIns), most)
		}})
	}
	if keep.Deleted > 0 { // each takes much along
		parts = append(parts, part{batch / 10, func(q db.Querier, most int) (int64, error) {
			return directory.PurgeOld(ctx, q, now, now.Add(-keep.Deleted), most)
		}}, part{batch / 10, func(q db.Querier, most int) (int64, error) {
			return application.PurgeOld(ctx, q, now, now.Add(-keep.Deleted), most)
		}}, part{batch / 10, func(q db.Querier, most int) (int64, error) {
			return condaccess.PurgeOld(ctx, q, now, now.Add(-keep.Deleted), most)
		}})
	}
	if keep.Changes > 0 { // an hour longer, so that a token never outlives what it needs
		parts = append(parts, part{batch, func(q db.Querier, most int) (int64, error) {
			return directory.DeleteOldChanges(ctx, q, now.Add(-keep.Changes-time.Hour), most)
		}})
	}
	for _, p := range parts {
		for {
			var n int64
			err := d.Write(ctx, func(q db.Querier) (err error) {
				n, err = p.do(q, p.most)
				return err
			})
			total += n
			if err != nil {
				return total, err
			}
			if n < int64(p.most) {
				break
			}
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
