package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/problem"
)

func insert(ctx context.Context, q db.Querier, key string) error {
	_, err := q.ExecContext(ctx, `INSERT INTO attempts (key, count, reset_at) VALUES ($1, 1, 1)`, key)
	return db.Err("attempt "+key, err)
}

func count(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	if err := d.QueryRowContext(t.Context(), `SELECT count(*) FROM attempts`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A job that fails or panics undoes itself and nothing of its neighbours.
func TestWriteUndoesOnlyWhatFailed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, boom := t.Context(), errors.New("boom")
		var wg sync.WaitGroup
		results := make([]error, 60)
		for i := range results {
			wg.Go(func() {
				results[i] = d.Write(ctx, func(q db.Querier) error {
					if err := insert(ctx, q, fmt.Sprint("k", i)); err != nil {
						return err
					}
					if i%3 == 1 {
						return boom
					}
					return nil
				})
			})
		}
		wg.Wait()
		for i, err := range results {
			if want := i%3 == 1; errors.Is(err, boom) != want || (err == nil) == want {
				t.Errorf("job %d: %v", i, err)
			}
		}
		if n := count(t, d); n != 40 {
			t.Errorf("%d rows are kept, want 40", n)
		}
	})
}

func TestWriteSurvivesAPanicOnSQLite(t *testing.T) {
	d, err := db.Open(t.Context(), db.Options{DSN: t.TempDir() + "/x.db", Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Write(t.Context(), func(q db.Querier) error { insert(t.Context(), q, "lost"); panic("bug") })
	if err == nil || count(t, d) != 0 {
		t.Fatal("a panic must undo its job and be its error:", err)
	}
	if err := d.Write(t.Context(), func(q db.Querier) error { return insert(t.Context(), q, "kept") }); err != nil || count(t, d) != 1 {
		t.Fatal("the writer must go on after a panic:", err)
	}
}

func TestErrNamesWhatACallerCanUnderstand(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		add := func() error { return d.Write(ctx, func(q db.Querier) error { return insert(ctx, q, "same") }) }
		if err := add(); err != nil {
			t.Fatal(err)
		}
		if k := problem.KindOf(add()); k != problem.Conflict {
			t.Error("a second row with the key is a Conflict, got kind", k)
		}
		var n int
		err := db.Err("x", d.QueryRowContext(ctx, `SELECT count FROM attempts WHERE key = 'none'`).Scan(&n))
		if problem.KindOf(err) != problem.NotFound {
			t.Error("no row is NotFound, got", err)
		}
		if _, err := d.ExecContext(ctx, `DELETE FROM attempts`); err == nil {
			t.Error("a change outside Write must be refused")
		}
	})
}

func TestVersionRises(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for want := range int64(3) {
			got, err := db.Version(t.Context(), d, "policy")
			if err != nil || got != want {
				t.Fatal(got, want, err)
			}
			if err := d.Write(t.Context(), func(q db.Querier) error { return db.Bump(t.Context(), q, "policy") }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNewIDsSortByTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a, b := db.NewID(now), db.NewID(now.Add(time.Millisecond))
	if len(a) != 36 || a[14] != '7' || a >= b {
		t.Error("not UUIDv7 in order:", a, b)
	}
	if first := db.FirstID(now.Add(time.Millisecond)); first <= a || first > b {
		t.Error("FirstID does not stand between the ids before and after:", a, first, b)
	}
}

func TestOpenTwiceAndBackup(t *testing.T) {
	path := t.TempDir() + "/a.db"
	for range 2 { // the second Open finds nothing to migrate
		d, err := db.Open(t.Context(), db.Options{DSN: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Write(t.Context(), func(q db.Querier) error { return db.Bump(t.Context(), q, "x") }); err != nil {
			t.Fatal(err)
		}
		d.Close()
	}
	d, err := db.Open(t.Context(), db.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Backup(t.Context(), path+".copy"); err != nil {
		t.Fatal(err)
	}
	c, err := db.Open(t.Context(), db.Options{DSN: path + ".copy"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := db.Version(t.Context(), c, "x"); v != 2 || err != nil {
		t.Fatal("the copy is not the original:", v, err)
	}
}
