package db_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// strange opens a database whose locale sorts as people do and not by bytes;
// it skips where the server cannot make one.
func strange(t *testing.T) *db.DB {
	t.Helper()
	dsn := os.Getenv("CARDEA_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("CARDEA_TEST_POSTGRES is not set")
	}
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := "d_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		admin.Exec(`DROP DATABASE IF EXISTS "` + name + `"`)
		admin.Close()
	})
	if _, err := admin.Exec(`CREATE DATABASE "` + name + `" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'`); err != nil {
		t.Skip("no database of another locale: ", err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	foreign, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	if _, err := foreign.Exec(`CREATE TABLE strangers (name TEXT NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), db.Options{DSN: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// letters checks that texts sort by bytes, and that lower() knows all letters.
func letters(t *testing.T, d *db.DB) {
	t.Helper()
	names := []string{"b", "B", "a-c", "ab", "Äb", "äb", "zz", "Ω", "😀"}
	ctx := t.Context()
	if err := d.Write(ctx, func(q db.Querier) error {
		for _, n := range names {
			if _, err := q.ExecContext(ctx, `INSERT INTO attempts (key, count, reset_at) VALUES ($1, 1, 1)`, n); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	read := func(query string, args ...any) []string {
		rows, err := d.QueryContext(ctx, query, args...)
		got, err := db.Collect(rows, err, func(r *sql.Rows, s *string) error { return r.Scan(s) })
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	slices.Sort(names)
	if got := read(`SELECT key FROM attempts ORDER BY key`); !slices.Equal(got, names) {
		t.Errorf("sorted: %q, want %q", got, names)
	}
	if got := read(`SELECT key FROM attempts WHERE key >= $1 AND key < $2 ORDER BY key`, "a", "b"); !slices.Equal(got, []string{"a-c", "ab"}) {
		t.Errorf("between: %q", got)
	}
	if got := read(`SELECT key FROM attempts WHERE lower(key) = $1 ORDER BY key`, "äb"); !slices.Equal(got, []string{"Äb", "äb"}) {
		t.Errorf("lower: %q", got)
	}
}

func TestTextIsBytes(t *testing.T) {
	dbtest.Each(t, letters)
	t.Run("PostgreSQL of another locale", func(t *testing.T) {
		d := strange(t)
		letters(t, d)
		var left, foreign int
		if err := d.QueryRowContext(context.Background(), `SELECT count(*) FILTER (WHERE table_name <> 'strangers'), count(*) FILTER (WHERE table_name = 'strangers')
			FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS NULL AND table_name <> 'migrations'`).Scan(&left, &foreign); err != nil || left != 0 || foreign != 1 {
			t.Errorf("%d columns of ours still compare as people do, %d of strangers (%v)", left, foreign, err)
		}
	})
}
