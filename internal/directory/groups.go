package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"reflect"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// GetGroup returns one group.
func GetGroup(ctx context.Context, d db.Querier, id string) (g Group, err error) {
	err = scanGroup(d.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM groups WHERE id = $1 AND deleted_at = 0`, id), &g)
	return g, db.Err("The group "+id, err)
}

// GroupByUniqueName returns the group with a uniqueName, in any case.
func GroupByUniqueName(ctx context.Context, d db.Querier, name string) (g Group, err error) {
	if name == "" {
		return g, db.Err("The group", sql.ErrNoRows)
	}
	err = scanGroup(d.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM groups WHERE unique_key = $1 AND unique_key <> '' AND deleted_at = 0`, fold(name)), &g)
	return g, db.Err("The group "+name, err)
}

// ListGroups returns groups whose name starts with search, in the order of
// their names, after the group after; limit 0 is 100, at most 1000.
func ListGroups(ctx context.Context, d db.Querier, search string, after Group, limit int) ([]Group, error) {
	if limit <= 0 {
		limit = 100
	}
	rows, err := d.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups
		WHERE display_key LIKE $1 ESCAPE '\' AND (display_key, id) > ($2, $3) AND deleted_at = 0 ORDER BY display_key, id LIMIT $4`,
		escapeLike(fold(search))+"%", fold(after.DisplayName), after.ID, min(limit, 1000))
	return collectGroups(rows, err)
}

func collectGroups(rows *sql.Rows, err error) ([]Group, error) {
	return db.Collect(rows, err, func(r *sql.Rows, g *Group) error { return scanGroup(r, g) })
}

// CreateGroup stores g, whose ID and CreatedDateTime it sets. A taken
// uniqueName is Conflict, alreadyExists (DO-13).
func CreateGroup(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, g Group) (Group, error) {
	g.ID, g.CreatedDateTime, g.DeletedDateTime, g.Version = db.NewID(now), db.Time(now.UnixMilli()), nil, 1
	g.SecurityIdentifier = SecurityIdentifier(g.ID)
	if !g.MailEnabled && !g.Is(Unified) {
		g.SecurityEnabled = true // it would be nothing else
	}
	if g.GroupTypes == nil {
		g.GroupTypes = []string{}
	}
	fresh := g
	fresh.Cardea = nil // nobody keeps it yet
	if err := fresh.writable(a); err != nil {
		return g, err
	}
	if err := g.check(); err != nil {
		return g, err
	}
	values, err := g.stored()
	if err != nil {
		return g, err
	}
	values = append(values, g.ID, now.UnixMilli())
	if _, err := q.ExecContext(ctx, `INSERT INTO groups (`+storedGroupColumns+`, id, created_at) VALUES (`+placeholders(1, len(values))+`)`, values...); err != nil {
		return g, uniqueTaken(g, err)
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Add group", Category: "GroupManagement", OperationType: "Add", TargetResources: []audit.Target{g.target()}}); err != nil {
		return g, err
	}
	if err := logChanges(ctx, q, now, kindGroup, came(g.ID)); err != nil {
		return g, err
	}
	return g, g.settle(ctx, q, now, nil)
}

func uniqueTaken(g Group, err error) error {
	if err = db.Err("A group with the uniqueName "+g.UniqueName, err); problem.KindOf(err) == problem.Conflict {
		return problem.New(problem.Conflict, "alreadyExists", "A group with the uniqueName %s already exists. Choose another.", g.UniqueName).On("uniqueName").Because(err)
	}
	return err
}

// UpdateGroup applies change to the stored group. What is fixed at creation
// stays: id, creation time, isAssignableToRole (DO-11), who keeps it (DO-14).
func UpdateGroup(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string, alter func(*Group) error) (Group, error) {
	g, err := GetGroup(ctx, q, id)
	if err != nil {
		return g, err
	}
	if err := g.writable(a); err != nil {
		return g, err
	}
	was := g
	was.GroupProfile = GroupProfile{}
	if err := recode(&was.GroupProfile, g.GroupProfile); err != nil {
		return g, err
	}
	g.GroupTypes = append([]string{}, was.GroupTypes...)
	if err := alter(&g); err != nil {
		return g, err
	}
	if g.IsAssignableToRole != was.IsAssignableToRole {
		return g, problem.New(problem.Invalid, "propertyImmutable", "isAssignableToRole is chosen when a group is created. Create another group.").On("isAssignableToRole")
	}
	g.ID, g.CreatedDateTime, g.DeletedDateTime, g.SecurityIdentifier, g.Cardea, g.Version = was.ID, was.CreatedDateTime, nil, was.SecurityIdentifier, was.Cardea, was.Version
	if was.Is(DynamicMembership) && !g.Is(DynamicMembership) {
		g.MembershipRule = "" // from dynamic to assigned: the members stay, the rule goes
	}
	if g.GroupTypes == nil {
		g.GroupTypes = []string{}
	}
	if err := g.check(); err != nil {
		return g, err
	}
	return g, g.update(ctx, q, a, now, &was)
}

func (g *Group) update(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, was *Group) error {
	before, err := membersOf(was)
	if err != nil {
		return err
	}
	is, err := membersOf(g)
	if err != nil {
		return err
	}
	names, modified := compare(before, is)
	values, err := g.stored()
	if err != nil {
		return err
	}
	n := len(values)
	res, err := q.ExecContext(ctx, `UPDATE groups SET (`+storedGroupColumns+`) = (`+placeholders(1, n)+`), version = version + 1
		WHERE id = `+placeholder(n+1)+` AND version = `+placeholder(n+2), append(values, g.ID, g.Version)...)
	if err != nil {
		return uniqueTaken(*g, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this group just now. Read it again.").Because(err)
	}
	g.Version++
	t := g.target()
	t.ModifiedProperties = append(t.ModifiedProperties, modified...)
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Update group", Category: "GroupManagement", OperationType: "Update", TargetResources: []audit.Target{t}}); err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	if err := logChanges(ctx, q, now, kindGroup, change{id: g.ID, what: names}); err != nil {
		return err
	}
	return g.settle(ctx, q, now, was)
}

// recode copies from into to by way of JSON, so that they share nothing.
func recode(to, from any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }
