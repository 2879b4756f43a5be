// Package dbtest opens real databases for tests: a SQLite file always, and
// PostgreSQL where CARDEA_TEST_POSTGRES holds a DSN (make test sets it).
package dbtest

import (
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cardea/internal/db"
)

// Each runs f once per engine, each time on an empty, migrated database.
func Each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	for name, open := range DSNs(t) {
		t.Run(name, func(t *testing.T) {
			d, err := db.Open(t.Context(), db.Options{DSN: open(t), Volatile: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			f(t, d)
		})
	}
}

// DSNs returns, per engine, a function that makes an empty database and
// returns its DSN. The database goes away with the test.
func DSNs(t *testing.T) map[string]func(*testing.T) string {
	t.Helper()
	out := map[string]func(*testing.T) string{"sqlite": func(t *testing.T) string { return filepath.Join(t.TempDir(), "test.db") }}
	if dsn := os.Getenv("CARDEA_TEST_POSTGRES"); dsn != "" {
		out["postgresql"] = func(t *testing.T) string { return schema(t, dsn) }
	}
	return out
}

// schema makes a PostgreSQL schema of its own for one test.
func schema(t *testing.T, dsn string) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin.Exec(`DROP SCHEMA "` + name + `" CASCADE`)
		admin.Close()
	})
	if _, err := admin.Exec(`CREATE SCHEMA "` + name + `"`); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}
