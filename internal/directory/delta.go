package directory

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// Delta is where a client's copy of all people or all groups stands.
//
// A round takes the copy to To. The first round walks through everything there
// is, in the order of ids; a later round goes through the log of changes behind
// From. What changes meanwhile has a number above To and belongs to the next
// round, which begins where this one ends, so nothing is ever lost; it may be
// seen in this round already, so some things are seen twice (DO-61).
type Delta struct {
	Epoch  int64    `json:"e"`           // of the database: another after a restore
	From   int64    `json:"f,omitempty"` // the last change that the round before covered, or that this one has read
	To     int64    `json:"t"`           // the last change that this round covers
	First  bool     `json:"i,omitempty"` // the first round
	After  string   `json:"a,omitempty"` // first round: the last id that was sent
	Whole  string   `json:"w,omitempty"` // a group whose members go on
	Member string   `json:"m,omitempty"` // the last of its members that was sent
	At     int64    `json:"b"`           // when the round began, Unix milliseconds
	IDs    []string `json:"o,omitempty"` // only these; nil is all
}

// DeltaItem is one object of a page. User or Group is what it is now; without
// either it is gone, and Removed says how.
type DeltaItem struct {
	ID      string
	User    *User
	Group   *Group
	Removed string        // "changed": among the deleted items; "deleted": for good (DO-62)
	Whole   bool          // the object came, or came back
	Changed []string      // if not Whole: the names of the members that changed
	Members []DeltaMember // of a group: those that came or went
}

// DeltaMember is a member that came to a group, or left it.
type DeltaMember struct {
	ID, Type string
	Gone     bool
}

const (
	deltaPage = 500 // objects, or changes, of one page
	perObject = 4   // times as many members of one group: together at most 2,500, so below 3,000 (DO-63)

	epochVersion = "directory.epoch"
)

// Deltas reads people (users) or groups for a client's copy.
type Deltas struct {
	Kind    string        // "user" or "group"
	Keep    time.Duration // how long tokens live (DO-65)
	Members bool          // of groups: the members too
	Page    int           // objects, or changes, of one page; 0 is 500
}

func (k Deltas) page() int {
	if k.Page > 0 {
		return k.Page
	}
	return deltaPage
}

func (k Deltas) whole() int { return perObject * k.page() }

// Begin is the state of a client that knows nothing or, with latest, that knows
// everything up to now (DO-60).
func (k Deltas) Begin(ctx context.Context, q db.Querier, now time.Time, latest bool) (s Delta, err error) {
	s = Delta{First: !latest, At: now.UnixMilli()}
	if s.Epoch, err = db.Version(ctx, q, epochVersion); err != nil {
		return s, err
	}
	// The number is read before anything else: what it counts is committed, and
	// every read that follows sees it.
	if s.To, err = db.Version(ctx, q, versionOf(k.Kind)); err == nil && latest {
		s.From = s.To
	}
	return s, err
}

// Again begins the round after the one that ended in s. Refusals: resyncRequired
// if the database was restored since, syncStateNotFound if s is too old.
func (k Deltas) Again(ctx context.Context, q db.Querier, now time.Time, s Delta) (Delta, error) {
	next, err := k.Begin(ctx, q, now, true)
	next.From, next.IDs = s.To, s.IDs
	return next, err
}

// Check refuses a state that cannot be continued.
func (k Deltas) Check(ctx context.Context, q db.Querier, now time.Time, s Delta) error {
	epoch, err := db.Version(ctx, q, epochVersion)
	if err != nil {
		return err
	}
	last, err := db.Version(ctx, q, versionOf(k.Kind))
	if err != nil {
		return err
	}
	if epoch != s.Epoch || s.To > last || s.From > s.To {
		return problem.New(problem.Invalid, "resyncRequired", "The database was restored since this token was made. Start again from the address in the header Location.")
	}
	if s.First {
		s.From = s.To // the log is needed from there on
	}
	var first int64
	err = q.QueryRowContext(ctx, `SELECT coalesce(min(seq), CAST($2 AS BIGINT)) FROM directory_changes WHERE kind = $1`, k.Kind, last+1).Scan(&first)
	if err == nil && (s.From+1 < first || now.Sub(db.Time(s.At)) > k.Keep) {
		return problem.New(problem.Invalid, "syncStateNotFound", "This token is too old: the changes since then are forgotten. Start again from the address in the header Location.")
	}
	return err
}

// Next reads the page behind s. done reports that it is the last of its round;
// then the returned state is what Again continues from.
func (k Deltas) Next(ctx context.Context, q db.Querier, s Delta) (items []DeltaItem, next Delta, done bool, err error) {
	next = s
	if s.Whole != "" {
		item, err := k.members(ctx, q, &next, DeltaItem{ID: s.Whole, Whole: true})
		if err != nil {
			return nil, next, false, err
		}
		items, err = k.fill(ctx, q, []DeltaItem{item})
		if err != nil || next.Whole != "" {
			return items, next, false, err
		}
	}
	var more []DeltaItem
	if s.First {
		more, done, err = k.list(ctx, q, &next)
	} else {
		more, done, err = k.changes(ctx, q, &next)
	}
	return append(items, more...), next, done && next.Whole == "", err
}

// list is a page of the first round.
func (k Deltas) list(ctx context.Context, q db.Querier, s *Delta) (items []DeltaItem, done bool, err error) {
	text, args := ` WHERE deleted_at = 0 AND id > $1`, []any{s.After, k.page()}
	if s.IDs != nil {
		text += ` AND id IN (` + placeholders(3, len(s.IDs)) + `)`
		for _, id := range s.IDs {
			args = append(args, id)
		}
	}
	text += ` ORDER BY id LIMIT $2`
	if k.Kind == kindUser {
		rows, err := q.QueryContext(ctx, `SELECT `+wholeColumns+` FROM users`+text, args...)
		people, err := collectWhole(rows, err)
		for _, u := range people {
			items = append(items, DeltaItem{ID: u.ID, User: &u, Whole: true})
			s.After = u.ID
		}
		return items, len(items) < k.page(), err
	}
	rows, err := q.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups`+text, args...)
	groups, err := collectGroups(rows, err)
	if err != nil {
		return nil, false, err
	}
	sent := 0
	for i, g := range groups {
		item, err := k.members(ctx, q, s, DeltaItem{ID: g.ID, Group: &g, Whole: true})
		if err != nil {
			return nil, false, err
		}
		items, s.After = append(items, item), g.ID
		if sent += len(item.Members); (s.Whole != "" || sent >= k.whole()) && i+1 < len(groups) {
			return items, false, nil
		}
	}
	return items, len(groups) < k.page(), nil
}

// members adds the members of a group behind s.Member, as many as a page holds.
// If there are more, s says so.
func (k Deltas) members(ctx context.Context, q db.Querier, s *Delta, item DeltaItem) (DeltaItem, error) {
	if k.Kind != kindGroup || !k.Members {
		return item, nil
	}
	rows, err := q.QueryContext(ctx, `SELECT member_id, member_type FROM group_members WHERE group_id = $1 AND member_id > $2 ORDER BY member_id LIMIT $3`, item.ID, s.Member, k.whole()+1)
	all, err := db.Collect(rows, err, func(r *sql.Rows, m *DeltaMember) error { return r.Scan(&m.ID, &m.Type) })
	s.Whole, s.Member = "", ""
	if len(all) > k.whole() {
		all = all[:k.whole()]
		s.Whole, s.Member = item.ID, all[k.whole()-1].ID
	}
	item.Members = append(item.Members, all...)
	return item, err
}

// changes is a page of a later round: the next rows of the log, those about
// one object together, and each object as it is now.
func (k Deltas) changes(ctx context.Context, q db.Querier, s *Delta) (items []DeltaItem, done bool, err error) {
	type row struct {
		change
		seq int64
	}
	text, args := `SELECT seq, id, member_id, member_type, what FROM directory_changes WHERE kind = $1 AND seq > $2 AND seq <= $3`, []any{k.Kind, s.From, s.To, k.page()}
	if s.IDs != nil {
		text += ` AND id IN (` + placeholders(5, len(s.IDs)) + `)`
		for _, id := range s.IDs {
			args = append(args, id)
		}
	}
	rows, err := q.QueryContext(ctx, text+` ORDER BY seq LIMIT $4`, args...)
	log, err := db.Collect(rows, err, func(r *sql.Rows, c *row) error {
		var what string
		err := r.Scan(&c.seq, &c.id, &c.member, &c.memberType, &what)
		if what != "" {
			c.what = strings.Split(what, ",")
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	open := map[string]int{} // object: where its item is
	asked := map[string][]DeltaMember{}
	for _, c := range log {
		s.From = c.seq
		at, known := open[c.id]
		if c.member == "" && c.what == nil { // its end: what comes later is another life
			items = append(items, DeltaItem{ID: c.id, Removed: "deleted"})
			delete(open, c.id)
			continue
		}
		if !known {
			at = len(items)
			open[c.id], items = at, append(items, DeltaItem{ID: c.id, Changed: []string{}})
		}
		item := &items[at]
		switch {
		case c.member != "":
			asked[c.id] = append(asked[c.id], DeltaMember{ID: c.member, Type: c.memberType})
		case c.what[0] == everything:
			if *item, err = k.members(ctx, q, s, *item); err != nil {
				return nil, false, err
			}
			item.Whole = true
		default:
			item.Changed = append(item.Changed, c.what...)
		}
		if s.Whole != "" {
			break
		}
	}
	done = s.Whole == "" && len(log) < k.page()
	if done {
		s.From = s.To
	}
	if k.Members {
		for id, members := range asked {
			at, known := open[id]
			if !known {
				continue // the group ended behind them
			}
			if members, err = standing(ctx, q, id, members); err != nil {
				return nil, false, err
			}
			said := map[string]bool{} // with the group as a whole, as they stand now
			for _, m := range items[at].Members {
				said[m.ID] = true
			}
			items[at].Members = append(items[at].Members, slices.DeleteFunc(members, func(m DeltaMember) bool { return said[m.ID] })...)
		}
	}
	items, err = k.fill(ctx, q, items)
	return items, done, err
}

// standing says of each member, once, whether it is in the group.
func standing(ctx context.Context, q db.Querier, group string, members []DeltaMember) (out []DeltaMember, err error) {
	seen := map[string]int{}
	for _, m := range members {
		if _, ok := seen[m.ID]; !ok {
			seen[m.ID] = len(out)
			m.Gone = true
			out = append(out, m)
		}
	}
	for chunk := range slices.Chunk(sortedKeys(seen), logChunk) {
		args := []any{group}
		for _, id := range chunk {
			args = append(args, id)
		}
		rows, err := q.QueryContext(ctx, `SELECT member_id FROM group_members WHERE group_id = $1 AND member_id IN (`+placeholders(2, len(chunk))+`)`, args...)
		there, err := ids(rows, err)
		if err != nil {
			return nil, err
		}
		for _, id := range there {
			out[seen[id]].Gone = false
		}
	}
	return out, nil
}

// fill reads what the items are now. An item that says nothing any more is
// left out: its end stands further behind in the log.
func (k Deltas) fill(ctx context.Context, q db.Querier, items []DeltaItem) ([]DeltaItem, error) {
	want := map[string]bool{}
	for _, i := range items {
		want[i.ID] = true
	}
	people, groups, deleted := map[string]*User{}, map[string]*Group{}, map[string]bool{}
	for chunk := range slices.Chunk(sortedKeys(want), logChunk) {
		var args []any
		for _, id := range chunk {
			args = append(args, id)
		}
		in := ` WHERE id IN (` + placeholders(1, len(chunk)) + `)`
		if k.Kind == kindUser {
			rows, err := q.QueryContext(ctx, `SELECT `+wholeColumns+` FROM users`+in, args...)
			all, err := collectWhole(rows, err)
			if err != nil {
				return nil, err
			}
			for _, u := range all {
				if people[u.ID] = &u; u.DeletedDateTime != nil {
					delete(people, u.ID)
					deleted[u.ID] = true
				}
			}
			continue
		}
		rows, err := q.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups`+in, args...)
		all, err := collectGroups(rows, err)
		if err != nil {
			return nil, err
		}
		for _, g := range all {
			if groups[g.ID] = &g; g.DeletedDateTime != nil {
				delete(groups, g.ID)
				deleted[g.ID] = true
			}
		}
	}
	var out []DeltaItem
	for _, i := range items {
		if i.Removed != "" {
			if deleted[i.ID] || people[i.ID] != nil || groups[i.ID] != nil {
				i.Removed = "changed"
			}
			out = append(out, i)
			continue
		}
		if i.User, i.Group = people[i.ID], groups[i.ID]; i.User != nil || i.Group != nil {
			out = append(out, i)
		}
	}
	return out, nil
}

// NewEpoch makes every delta token void, with resyncRequired: the database was
// replaced by an older one, so the numbers in tokens mean other changes.
func NewEpoch(ctx context.Context, q db.Querier, at time.Time) error {
	_, err := q.ExecContext(ctx, `INSERT INTO versions (name, value) VALUES ($1, CAST($2 AS BIGINT)) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, epochVersion, at.UnixMilli())
	return err
}
