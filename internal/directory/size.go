package directory

import (
	"context"

	"cardea/internal/db"
)

// How many people and groups live is kept beside the number of their last
// change, in the row that logChanges locks: whoever changes one changes both in
// one transaction, one after the other. size is true while size_at is the
// number of the last change; a node of a release that does not know size
// raises the latter alone. Then everything is counted, until Recount.

// livingSQL counts the living of a kind.
func livingSQL(kind string) string { return `SELECT count(*) FROM ` + kind + `s WHERE deleted_at = 0` }

func countLiving(ctx context.Context, d db.Querier, kind string) (n int64, err error) {
	err = d.QueryRowContext(ctx, `SELECT CASE WHEN size_at = value THEN size ELSE (`+livingSQL(kind)+`) END FROM versions WHERE name = $1`, versionOf(kind)).Scan(&n)
	return n, err
}

// CountUsers returns how many users there are.
func CountUsers(ctx context.Context, d db.Querier) (int64, error) {
	return countLiving(ctx, d, kindUser)
}

// Recount counts the living anew where an older release changed them. It is
// cheap where there is nothing to do.
func Recount(ctx context.Context, d *db.DB) error {
	for _, kind := range []string{kindUser, kindGroup} {
		var kept bool
		if err := d.QueryRowContext(ctx, `SELECT size_at = value FROM versions WHERE name = $1`, versionOf(kind)).Scan(&kept); err != nil {
			return err
		}
		if kept {
			continue
		}
		err := d.Write(ctx, func(q db.Querier) error {
			// First the lock, then the look: whoever has the row before us is seen,
			// whoever has it behind us adds to what we write.
			for _, text := range []string{`UPDATE versions SET value = value WHERE name = $1`, `UPDATE versions SET size = (` + livingSQL(kind) + `), size_at = value WHERE name = $1`} {
				if _, err := q.ExecContext(ctx, text, versionOf(kind)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
