package directory_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// copied is what a client of delta holds: object id → display name, and for
// groups the members.
type copied struct {
	names   map[string]string
	members map[string]map[string]bool
}

func newCopy() *copied { return &copied{map[string]string{}, map[string]map[string]bool{}} }

// apply does what Graph tells clients to do with an item.
func (c *copied) apply(i directory.DeltaItem) {
	if i.Removed != "" {
		delete(c.names, i.ID)
		delete(c.members, i.ID)
		return
	}
	if i.User != nil {
		c.names[i.ID] = i.User.DisplayName
		return
	}
	c.names[i.ID] = i.Group.DisplayName
	if c.members[i.ID] == nil {
		c.members[i.ID] = map[string]bool{}
	}
	for _, m := range i.Members {
		if delete(c.members[i.ID], m.ID); !m.Gone {
			c.members[i.ID][m.ID] = true
		}
	}
}

func (c *copied) text() string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(c.names)) {
		fmt.Fprintf(&b, "%s %s %s\n", id, c.names[id], slices.Sorted(maps.Keys(c.members[id])))
	}
	return b.String()
}

// truth is what a client's copy should be, read straight from the tables.
func truth(t *testing.T, d *db.DB, kind string) string {
	t.Helper()
	c := newCopy()
	if kind == "user" {
		rows, err := d.QueryContext(t.Context(), `SELECT id, display_name FROM users WHERE deleted_at = 0`)
		read(t, rows, err, func(id, name string) { c.names[id] = name })
		return c.text()
	}
	rows, err := d.QueryContext(t.Context(), `SELECT id, display_name FROM groups WHERE deleted_at = 0`)
	read(t, rows, err, func(id, name string) { c.names[id], c.members[id] = name, map[string]bool{} })
	rows, err = d.QueryContext(t.Context(), `SELECT group_id, member_id FROM group_members`)
	read(t, rows, err, func(g, m string) { c.members[g][m] = true })
	return c.text()
}

// client follows delta with its own state.
type client struct {
	directory.Deltas
	*copied
	state directory.Delta
	began bool
}

// page reads one page; done says that a round is over.
func (c *client) page(ctx context.Context, d *db.DB, now time.Time) (done bool, err error) {
	if !c.began {
		c.began = true
		if c.state, err = c.Begin(ctx, d, now, false); err != nil {
			return false, err
		}
	}
	if err := c.Check(ctx, d, now, c.state); err != nil {
		return false, err
	}
	items, next, done, err := c.Next(ctx, d, c.state)
	if err != nil {
		return false, err
	}
	for _, i := range items {
		if n := len(i.Members); n > 3000 {
			return false, fmt.Errorf("%d members in one item (DO-63)", n)
		}
		c.apply(i)
	}
	if c.state = next; done {
		c.state, err = c.Again(ctx, d, now, next)
	}
	return done, err
}

// chaos changes the directory at random. A step that a rule refuses is no step.
type chaos struct {
	rnd           *rand.Rand
	users, groups []string
}

func (x *chaos) step(ctx context.Context, d *db.DB, by audit.Actor, now time.Time) error {
	pick := func(from []string) string {
		if len(from) == 0 {
			return "none"
		}
		return from[x.rnd.IntN(len(from))]
	}
	any := func() string { return pick(append(slices.Clone(x.users), x.groups...)) }
	kind, name := x.rnd.IntN(24), fmt.Sprintf("n%d-%d", x.rnd.Uint64(), now.UnixNano())
	one, other, group, user := any(), any(), pick(x.groups), pick(x.users)
	var made, madeGroup string
	err := d.Write(ctx, func(q db.Querier) (err error) {
		made, madeGroup = "", ""
		switch kind {
		case 0:
			u, err := directory.CreateUser(ctx, q, by, now, directory.User{UserPrincipalName: name + "@example.com", DisplayName: name})
			made = u.ID
			return err
		case 1:
			g, err := directory.CreateGroup(ctx, q, by, now, directory.Group{DisplayName: name})
			madeGroup = g.ID
			return err
		case 2:
			_, err = directory.UpdateUser(ctx, q, by, now, user, func(u *directory.User) error { u.DisplayName = name; return nil })
		case 3:
			_, err = directory.UpdateGroup(ctx, q, by, now, group, func(g *directory.Group) error { g.DisplayName = name; return nil })
		case 4:
			err = directory.DeleteUser(ctx, q, by, now, user)
		case 5:
			err = directory.DeleteGroup(ctx, q, by, now, group)
		case 6, 7:
			_, err = directory.Restore(ctx, q, by, now, directory.Restoring{ID: one})
		case 8:
			if x.rnd.IntN(3) == 0 {
				err = directory.Purge(ctx, q, by, now, one)
			}
		case 9, 10:
			err = directory.RemoveMember(ctx, q, by, now, directory.Membership{GroupID: group, MemberID: other})
		default:
			err = directory.AddMember(ctx, q, by, now, directory.Membership{GroupID: group, MemberID: other})
		}
		return err
	})
	if made != "" && err == nil {
		x.users = append(x.users, made)
	}
	if madeGroup != "" && err == nil {
		x.groups = append(x.groups, madeGroup)
	}
	if k := problem.KindOf(err); k != problem.Internal {
		return nil
	}
	return err
}

// TestDeltaLosesNothing_DO61: DO-61, whatever happens between and during the pages,
// who applies all pages of a round in which nothing happens has the state.
func TestDeltaLosesNothing_DO61(t *testing.T) {
	each(t, func(o *office) {
		for seed := range uint64(6) {
			x := &chaos{rnd: rand.New(rand.NewPCG(seed, 61))}
			size := []int{1, 2, 60}[seed%3] // with 60, several lives of an object are on one page
			clients := []*client{
				{Deltas: directory.Deltas{Kind: "user", Keep: time.Hour, Page: size}, copied: newCopy()},
				{Deltas: directory.Deltas{Kind: "group", Keep: time.Hour, Page: size, Members: true}, copied: newCopy()},
			}
			for range 400 {
				o.now = o.now.Add(time.Millisecond)
				if x.rnd.IntN(3+size/2) > 0 {
					if err := x.step(o.Context(), o.d, o.by, o.now); err != nil {
						o.Fatal(err)
					}
					continue
				}
				if _, err := clients[x.rnd.IntN(2)].page(o.Context(), o.d, o.now); err != nil {
					o.Fatal(err)
				}
			}
			for _, c := range clients {
				for rounds := 0; rounds < 2; { // the one under way, and one in peace
					done, err := c.page(o.Context(), o.d, o.now)
					if err != nil {
						o.Fatal(err)
					}
					if done {
						rounds++
					}
				}
				if got, want := c.text(), truth(o.T, o.d, c.Kind); got != want {
					o.Fatalf("seed %d, %s: the copy is\n%swant\n%s", seed, c.Kind, got, want)
				}
			}
		}
	})
}

// TestDeltaLosesNothingAmongWriters_DO61: the same with writers that run at
// the same time, so that PostgreSQL's transactions overlap.
func TestDeltaLosesNothingAmongWriters_DO61(t *testing.T) {
	each(t, func(o *office) {
		ctx, at := o.Context(), o.now
		var writers sync.WaitGroup
		failed := make(chan error, 8)
		for w := range uint64(4) {
			writers.Go(func() {
				x := &chaos{rnd: rand.New(rand.NewPCG(w, 7))}
				for i := range 80 {
					if err := x.step(ctx, o.d, o.by, at.Add(time.Duration(i)*time.Millisecond)); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		over := make(chan struct{})
		go func() { writers.Wait(); close(over) }()
		clients := []*client{
			{Deltas: directory.Deltas{Kind: "user", Keep: time.Hour, Page: 2}, copied: newCopy()},
			{Deltas: directory.Deltas{Kind: "group", Keep: time.Hour, Page: 2, Members: true}, copied: newCopy()},
		}
		for _, c := range clients {
			for peace := false; ; {
				done, err := c.page(ctx, o.d, at)
				if err != nil {
					o.Fatal(err)
				}
				if done && peace {
					break
				}
				select {
				case <-over:
					peace = peace || done
				case err := <-failed:
					o.Fatal(err)
				default:
				}
			}
		}
		<-over
		for _, c := range clients {
			for rounds := 0; rounds < 2; {
				done, err := c.page(ctx, o.d, at)
				if err != nil {
					o.Fatal(err)
				}
				if done {
					rounds++
				}
			}
			if got, want := c.text(), truth(o.T, o.d, c.Kind); got != want {
				o.Errorf("%s: the copy is\n%swant\n%s", c.Kind, got, want)
			}
		}
	})
}

// TestDeltaTokensEnd_DO65: a token dies with its time, with the changes it
// needs, and with a restore of the database.
func TestDeltaTokensEnd_DO65(t *testing.T) {
	each(t, func(o *office) {
		ctx, k := o.Context(), directory.Deltas{Kind: "user", Keep: time.Hour}
		first, err := k.Begin(ctx, o.d, o.now, false)
		if err != nil {
			o.Fatal(err)
		}
		o.user("ada")
		o.want("fresh", k.Check(ctx, o.d, o.now, first), "", "")
		o.want("late", k.Check(ctx, o.d, o.now.Add(time.Hour+time.Minute), first), "syncStateNotFound", "")
		mine, err := k.Begin(ctx, o.d, o.now, true)
		if err != nil {
			o.Fatal(err)
		}
		o.do(func(q db.Querier) error {
			n, err := directory.DeleteOldChanges(ctx, q, o.now, 100) // ada came before
			if n != 1 {
				o.Errorf("%d changes forgotten, want one", n)
			}
			return err
		})
		o.want("forgotten", k.Check(ctx, o.d, o.now, first), "syncStateNotFound", "")
		o.want("nothing missed", k.Check(ctx, o.d, o.now, mine), "", "")
		o.user("bob")
		o.want("nothing missed, and more", k.Check(ctx, o.d, o.now, mine), "", "")
		o.want("from the future", k.Check(ctx, o.d, o.now, directory.Delta{To: 99, From: 1, At: mine.At}), "resyncRequired", "")
		o.do(func(q db.Querier) error { return directory.NewEpoch(ctx, q, o.now) })
		o.want("restored", k.Check(ctx, o.d, o.now, mine), "resyncRequired", "")
	})
}

// TestDeltaSaysWhatChanged_DO62_DO64: the names of what changed, and the two
// kinds of an end.
func TestDeltaSaysWhatChanged_DO62_DO64(t *testing.T) {
	each(t, func(o *office) {
		ctx, k := o.Context(), directory.Deltas{Kind: "user", Keep: time.Hour}
		ada, bob, eve := o.user("ada"), o.user("bob"), o.user("eve")
		s, err := k.Begin(ctx, o.d, o.now, true)
		if err != nil {
			o.Fatal(err)
		}
		for _, title := range []string{"Countess", "Analyst"} {
			o.do(func(q db.Querier) error {
				_, err := directory.UpdateUser(ctx, q, o.by, o.now, ada.ID, func(u *directory.User) error {
					u.JobTitle, u.City = title, "London"
					return nil
				})
				return err
			})
		}
		o.do(o.deleteUser(bob.ID))
		o.do(o.deleteUser(eve.ID))
		o.do(o.purge(eve.ID))
		if s, err = k.Again(ctx, o.d, o.now, s); err != nil {
			o.Fatal(err)
		}
		items, _, done, err := k.Next(ctx, o.d, s)
		if err != nil || !done {
			o.Fatal(done, err)
		}
		var got []string
		for _, i := range items {
			got = append(got, fmt.Sprint(strings.NewReplacer(ada.ID, "ada", bob.ID, "bob", eve.ID, "eve").Replace(i.ID), i.Changed, i.Removed))
		}
		if want := "ada[city jobTitle jobTitle] bob[]changed eve[]deleted eve[]deleted"; strings.Join(got, " ") != want {
			o.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
		}
	})
}
