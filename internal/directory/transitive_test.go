package directory_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"cardea/internal/db"
	"cardea/internal/directory"
)

// TestTransitivePages: the pages of transitive members are the members of the
// group and of those inside it, each once, in the order of their ids, for any
// nesting, circles included (DO-9).
func TestTransitivePages(t *testing.T) {
	each(t, func(o *office) {
		dice := rand.New(rand.NewPCG(11, 12))
		for round := range 6 {
			groups, people := 2+dice.IntN(90), 1+dice.IntN(300)
			name := func(kind string, i int) string { return fmt.Sprintf("%s%d-%04d", kind, round, i) }
			inside := map[string]map[string]bool{} // group: members
			o.do(func(q db.Querier) error {
				for g := range groups {
					id := name("g", g)
					if _, err := q.ExecContext(o.Context(), `INSERT INTO groups (id, display_name, display_key, created_at) VALUES ($1, $1, $1, 0)`, id); err != nil {
						return err
					}
					inside[id] = map[string]bool{}
					first, span := dice.IntN(people), 1+dice.IntN(people) // of a small part of everybody, or of all
					for range dice.IntN(40) {
						inside[id][name("p", first+dice.IntN(max(1, min(span, people-first))))] = true
					}
					for range dice.IntN(4) {
						inside[id][name("g", dice.IntN(groups))] = true
					}
				}
				for g, members := range inside {
					for m := range members {
						kind := map[byte]string{'g': "group", 'p': "user"}[m[0]]
						if err := directory.InventMember(o.Context(), q, o.now, directory.Membership{GroupID: g, MemberID: m}, kind); err != nil {
							return err
						}
					}
				}
				return nil
			})
			truth, open := map[string]bool{}, []string{name("g", 0)}
			for seen := map[string]bool{}; len(open) > 0; {
				g := open[0]
				open = open[1:]
				if seen[g] {
					continue
				}
				seen[g] = true
				for m := range inside[g] {
					truth[m] = true
					if m[0] == 'g' {
						open = append(open, m)
					}
				}
			}
			of := directory.MembersOf{GroupID: name("g", 0), Transitive: true}
			for _, limit := range []int{1, 7, 100, 1000} {
				got, after := []string{}, ""
				for {
					page, err := directory.MemberIDs(o.Context(), o.d, of, after, limit)
					if err != nil {
						o.Fatal(err)
					}
					got = append(got, page...)
					if len(page) < limit {
						break
					}
					after = page[limit-1]
				}
				if want := slices.Sorted(maps.Keys(truth)); !slices.Equal(got, want) {
					o.Fatalf("round %d, pages of %d: %d members, want %d\n%v\n%v", round, limit, len(got), len(want), got, want)
				}
			}
			if n, err := directory.CountMembers(o.Context(), o.d, of); err != nil || n != int64(len(truth)) {
				o.Errorf("round %d: counted %d, %v; want %d", round, n, err, len(truth))
			}
		}
	})
}
