package directory

import (
	"context"
	"database/sql"

	"cardea/internal/db"
)

const refoldBatch = 200 // rows of one transaction: sign-ins do not wait for long

// Refold fills the key columns of rows that have none: those of the first
// release, and those that a node of it wrote since. Everybody has a display
// name, so an empty key of it tells. It is cheap where there is nothing to do.
func Refold(ctx context.Context, d *db.DB) error {
	for more := true; more; {
		err := d.Write(ctx, func(q db.Querier) error {
			rows, err := q.QueryContext(ctx, `SELECT `+wholeColumns+` FROM users WHERE display_key = '' AND display_name <> '' LIMIT $1`, refoldBatch)
			people, err := collectWhole(rows, err)
			if err != nil {
				return err
			}
			for _, u := range people {
				values, err := u.stored()
				if err != nil {
					return err
				}
				n := len(values)
				if _, err := q.ExecContext(ctx, `UPDATE users SET (`+storedColumns+`) = (`+placeholders(1, n)+`) WHERE id = `+placeholder(n+1), append(values, u.ID)...); err != nil {
					return err
				}
			}
			rows, err = q.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups WHERE display_key = '' AND display_name <> '' LIMIT $1`, refoldBatch)
			groups, err := collectGroups(rows, err)
			if err != nil {
				return err
			}
			for _, g := range groups {
				values, err := g.stored()
				if err != nil {
					return err
				}
				n := len(values)
				if _, err := q.ExecContext(ctx, `UPDATE groups SET (`+storedGroupColumns+`) = (`+placeholders(1, n)+`) WHERE id = `+placeholder(n+1), append(values, g.ID)...); err != nil {
					return err
				}
			}
			more = len(people)+len(groups) > 0
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ids reads rows of one text.
func ids(rows *sql.Rows, err error) ([]string, error) {
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}
