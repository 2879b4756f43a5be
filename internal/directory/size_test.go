package directory_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// sizes are the kept numbers beside the true ones.
func (o *office) sizes(kept bool) {
	o.Helper()
	for kind, count := range map[string]func() (int64, error){
		"user": func() (int64, error) {
			return directory.CountFound(o.Context(), o.d, odata.Query{})
		},
		"group": func() (int64, error) {
			return directory.CountFoundGroups(o.Context(), o.d, odata.Query{})
		},
	} {
		var truth, size int64
		var is bool
		err := o.d.QueryRowContext(o.Context(), `SELECT size, size_at = value, (SELECT count(*) FROM `+kind+`s WHERE deleted_at = 0) FROM versions WHERE name = $1`, "directory."+kind).Scan(&size, &is, &truth)
		if err != nil {
			o.Fatal(err)
		}
		if is != kept || kept && size != truth {
			o.Errorf("%s: kept %d (true: %v), counted %d", kind, size, is, truth)
		}
		if n, err := count(); err != nil || n != truth {
			o.Errorf("%s: $count says %d, %v; there are %d", kind, n, err, truth)
		}
	}
}

// TestKeptCounts: whatever happens to people and groups, the kept numbers are
// the true ones.
func TestKeptCounts(t *testing.T) {
	each(t, func(o *office) {
		o.sizes(true)
		ada, bob := o.user("ada"), o.user("bob")
		team := o.group("team", ada.ID)
		o.sizes(true)
		o.do(o.deleteUser(ada.ID))
		o.do(o.deleteGroup(team.ID))
		o.sizes(true)
		o.want("deleting twice", o.try(o.deleteUser(ada.ID)), "notFound", "")
		o.want("a taken name", o.try(func(q db.Querier) error {
			_, err := directory.CreateUser(o.Context(), q, o.by, o.now, directory.User{UserPrincipalName: "bob@example.com", DisplayName: "Bob"})
			return err
		}), "alreadyExists", "")
		o.sizes(true)
		o.do(o.restore(ada.ID))
		o.do(o.restore(team.ID))
		o.want("restoring twice", o.try(o.restore(ada.ID)), "notFound", "")
		o.sizes(true)
		o.do(o.deleteUser(bob.ID))
		o.do(o.purge(bob.ID))
		o.want("purging the living", o.try(o.purge(ada.ID)), "notFound", "")
		o.do(o.remove(team.ID, ada.ID))
		o.sizes(true)
	})
}

// TestKeptCountsAmongWriters: two who delete, restore or purge the same at once
// count it once.
func TestKeptCountsAmongWriters(t *testing.T) {
	each(t, func(o *office) {
		var ids [6]string
		for i := range ids {
			ids[i] = o.user(fmt.Sprint("u", i)).ID
		}
		var all sync.WaitGroup
		for w := range 6 {
			all.Go(func() {
				dice := rand.New(rand.NewPCG(uint64(w), 7))
				for range 40 {
					id := ids[dice.IntN(len(ids))]
					var f func(q db.Querier) error
					switch dice.IntN(9) {
					case 0:
						f = o.purge(id)
					case 1, 2, 3, 4:
						f = o.deleteUser(id)
					default:
						f = o.restore(id)
					}
					if err := o.d.Write(o.Context(), f); err != nil && problem.KindOf(err) != problem.NotFound {
						o.Error(err)
					}
				}
			})
		}
		all.Wait()
		o.sizes(true)
	})
}

// TestKeptCountsAfterAnOlderNode: a release that does not know the kept numbers
// moves the log alone. Then everything is counted, and a start repairs it.
func TestKeptCountsAfterAnOlderNode(t *testing.T) {
	each(t, func(o *office) {
		ada := o.user("ada")
		o.group("team", ada.ID)
		o.do(func(q db.Querier) error {
			for _, text := range []string{`INSERT INTO users (id, upn, upn_key, display_name, display_key, created_at) VALUES ('x', 'x@y', 'x@y', 'X', 'x', 0)`,
				`INSERT INTO groups (id, display_name, display_key, created_at) VALUES ('g', 'G', 'g', 0)`, `UPDATE versions SET value = value + 1 WHERE name IN ('directory.user', 'directory.group')`} {
				if _, err := q.ExecContext(o.Context(), text); err != nil {
					return err
				}
			}
			return nil
		})
		o.sizes(false)
		o.user("bob")
		o.sizes(false)
		if err := directory.Recount(o.Context(), o.d); err != nil {
			o.Fatal(err)
		}
		o.sizes(true)
		o.user("eve")
		o.sizes(true)
	})
}
