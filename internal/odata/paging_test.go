package odata

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// shown is a member of x as the API shows it.
func (x row) shown(name string) any {
	switch name {
	case "name", "key":
		if x.name != "" {
			return x.name
		}
	case "n":
		return x.n
	case "on":
		return x.on
	case "at":
		if x.at != 0 {
			return time.UnixMilli(x.at).UTC().Format(time.RFC3339Nano)
		}
	}
	return nil
}

// by compares two rows as $orderby must, whatever the engine: texts by their
// bytes, null first, ties by id in the direction of the last key.
func by(order []Order, a, b row) int {
	desc := false
	for _, o := range order {
		c := 0
		switch o.Name {
		case "name":
			c = strings.Compare(a.name, b.name)
		case "key":
			c = strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
		case "n":
			c = cmp.Compare(a.n, b.n)
		case "at":
			c = cmp.Compare(a.at, b.at)
		case "on":
			if a.on != b.on {
				c = 1
				if b.on {
					c = -1
				}
			}
		}
		if desc = o.Desc; desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	if desc {
		return strings.Compare(b.id, a.id)
	}
	return strings.Compare(a.id, b.id)
}

// TestPagesLoseNothing: following tokens to the end visits every row that was
// there all the time exactly once and in order, although rows come and go
// between the pages (DO-41), on both engines in the same order.
func TestPagesLoseNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		r := rand.New(rand.NewPCG(7, 7))
		rows := world(t, d, r, 70)
		fresh := 0
		for _, c := range []struct {
			query string
			top   int
		}{
			{"", 1}, {"$orderby=name", 1}, {"$orderby=name desc", 1}, {"$orderby=key", 2}, {"$orderby=on,name desc", 3}, {"$orderby=on desc,n desc,at desc", 1}, {"$orderby=at,n,name,on", 2},
			{"$orderby=name desc,at,n desc", 1}, {"$orderby=at&$filter=n ge 0 and name ne null", 2}, {"$orderby=key desc&$search=a", 1},
		} {
			q, byID, stayed, seen, token := Query{}, map[string]row{}, map[string]bool{}, map[string]int{}, ""
			for _, x := range rows {
				byID[x.id], stayed[x.id] = x, true
			}
			var visited []row
			for pages := 0; ; pages++ {
				if pages > 2000 {
					t.Fatalf("%s: no end", c.query)
				}
				text := fmt.Sprintf("%s&$top=%d", c.query, c.top)
				if token != "" {
					text += "&$skiptoken=" + token
				}
				v, err := url.ParseQuery(text)
				if err != nil {
					t.Fatal(err)
				}
				if q, err = Parse(v, real, Paging{Default: 5, Max: 9}); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				page, err := ids(t.Context(), d, new(SQL).Page(q, "id"))
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				for _, id := range page[:min(len(page), c.top)] {
					seen[id]++
					visited = append(visited, byID[id])
				}
				if len(page) <= c.top {
					break
				}
				token = q.Token(visited[len(visited)-1].shown, visited[len(visited)-1].id)
				if pages%3 == 0 { // meanwhile somebody comes and somebody goes
					fresh++
					x := made(r, fmt.Sprintf("%08x-0000-7000-9000-%012x", r.Uint32(), fresh))
					insert(t, d, x)
					rows, byID[x.id] = append(rows, x), x
					gone := r.IntN(len(rows))
					if err := d.Write(t.Context(), func(q db.Querier) error {
						_, err := q.ExecContext(t.Context(), `DELETE FROM odata_rows WHERE id = $1`, rows[gone].id)
						return err
					}); err != nil {
						t.Fatal(err)
					}
					delete(stayed, rows[gone].id)
					rows = slices.Delete(rows, gone, gone+1)
				}
			}
			// What the conditions select is TestFilterMeansWhatItSays' matter.
			selected, err := ids(t.Context(), d, new(SQL).Conditions(q))
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range selected {
				if stayed[id] && seen[id] != 1 {
					t.Errorf("%s: %q was visited %d times", c.query, byID[id].name, seen[id])
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%s: %q was visited %d times", c.query, byID[id].name, n)
				}
			}
			if !slices.IsSortedFunc(visited, func(a, b row) int { return by(q.OrderBy, a, b) }) || len(visited) < 10 {
				t.Errorf("%s: %d rows, out of order", c.query, len(visited))
			}
		}
	})
}
