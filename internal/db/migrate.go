package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies the migrations that are missing, each in a transaction of
// its own. They only go forward. On PostgreSQL a lock keeps the other nodes of
// a cluster waiting meanwhile.
func (d *DB) migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	first := func(q Querier) error {
		_, err := q.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY)`)
		return err
	}
	if err := d.locked(ctx, first); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	for _, name := range names {
		err := d.locked(ctx, func(q Querier) error {
			var n int
			if err := q.QueryRowContext(ctx, `SELECT count(*) FROM migrations WHERE name = $1`, name).Scan(&n); err != nil || n > 0 {
				return err
			}
			text, err := migrations.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := q.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err = q.ExecContext(ctx, `INSERT INTO migrations (name) VALUES ($1)`, name)
			return err
		})
		if err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	if d.Engine != PostgreSQL {
		return nil
	}
	return d.locked(ctx, func(q Querier) error { return bytewise(ctx, q, names) })
}

func (d *DB) locked(ctx context.Context, f func(Querier) error) error {
	return d.transaction(ctx, func(q Querier) error {
		if d.Engine == PostgreSQL { // SQLite's BEGIN IMMEDIATE is the lock
			if _, err := q.ExecContext(ctx, `SELECT pg_advisory_xact_lock(1129137220)`); err != nil {
				return err
			}
		}
		return f(q)
	})
}
