package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// TestWriteEach: each function undoes only itself, whether it fails by a
// statement, by its own word or by a panic; all others are there.
func TestWriteEach(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		if err := d.Write(ctx, func(q db.Querier) error {
			_, err := q.ExecContext(ctx, `CREATE TABLE things (id TEXT NOT NULL PRIMARY KEY)`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		put := func(id string, then error) func(db.Querier) error {
			return func(q db.Querier) error {
				if _, err := q.ExecContext(ctx, `INSERT INTO things (id) VALUES ($1)`, id); err != nil {
					return err
				}
				return then
			}
		}
		mine := errors.New("mine")
		all := []func(db.Querier) error{put("a", nil), put("b", mine), put("a", nil), func(q db.Querier) error { put("c", nil)(q); panic("lost") }, put("b", nil), put("d", nil)}
		errs := d.WriteEach(ctx, all)
		for i, bad := range []bool{false, true, true, true, false, false} {
			if (errs[i] != nil) != bad {
				t.Errorf("%d: %v", i, errs[i])
			}
		}
		if !errors.Is(errs[1], mine) {
			t.Error(errs[1])
		}
		if got := things(t, d); got != "a b d" {
			t.Errorf("there are %s", got)
		}
		if errs := d.WriteEach(ctx, nil); len(errs) != 0 {
			t.Error(errs)
		}

		// Among others, whose failures are theirs.
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				for i := range 10 {
					id := fmt.Sprintf("%d-%d", w, i)
					if errs := d.WriteEach(ctx, []func(db.Querier) error{put(id, nil), put(id+"x", mine), put(id+"y", nil)}); errs[0] != nil || errs[1] == nil || errs[2] != nil {
						t.Error(errs)
					}
					if err := d.Write(ctx, put("z"+id, mine)); !errors.Is(err, mine) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := strings.Count(things(t, d), " ") + 1; got != 3+6*10*2 {
			t.Errorf("there are %d things", got)
		}

		gone, cancel := context.WithCancel(ctx)
		cancel()
		for _, err := range d.WriteEach(gone, []func(db.Querier) error{put("e", nil), put("f", nil)}) {
			if err == nil {
				t.Error("somebody wrote after the end")
			}
		}
	})
}

func things(t *testing.T, d *db.DB) string {
	t.Helper()
	var all string
	if err := d.QueryRowContext(t.Context(), `SELECT coalesce(string_agg(id, ' '), '') FROM (SELECT id FROM things ORDER BY id) AS sorted`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}
