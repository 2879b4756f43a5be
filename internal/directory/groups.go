package directory

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Group is Graph's security group with assigned members.
type Group struct {
	ID              string    `json:"id"`
	DisplayName     string    `json:"displayName"`
	Description     string    `json:"description"`
	CreatedDateTime time.Time `json:"createdDateTime"`
	Version         int64     `json:"-"`
}

// Member is a person or a group inside a group.
type Member struct {
	ID                string `json:"id"`
	Type              string `json:"type"` // user or group
	DisplayName       string `json:"displayName"`
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
}

func (g *Group) check() error {
	if g.DisplayName == "" || len(g.DisplayName) > 256 {
		return problem.New(problem.Invalid, "invalidValue", "A group's name has 1 to 256 characters.").On("displayName")
	}
	return nil
}

func (g *Group) target() audit.Target {
	return audit.Target{ID: g.ID, DisplayName: g.DisplayName, Type: "Group", ModifiedProperties: []audit.Modified{}}
}

func scanGroup(r interface{ Scan(...any) error }, g *Group) error {
	var created int64
	err := r.Scan(&g.ID, &g.DisplayName, &g.Description, &created, &g.Version)
	g.CreatedDateTime = db.Time(created)
	return err
}

const groupColumns = `id, display_name, description, created_at, version`

// GetGroup returns one group.
func GetGroup(ctx context.Context, d db.Querier, id string) (g Group, err error) {
	err = scanGroup(d.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM groups WHERE id = $1`, id), &g)
	return g, db.Err("The group "+id, err)
}

// ListGroups returns groups whose name starts with search, in the order of
// their names, after the group after; limit 0 is 100, at most 1000.
func ListGroups(ctx context.Context, d db.Querier, search string, after Group, limit int) ([]Group, error) {
	if limit <= 0 {
		limit = 100
	}
	rows, err := d.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups
		WHERE lower(display_name) LIKE $1 ESCAPE '\' AND (display_name, id) > ($2, $3) ORDER BY display_name, id LIMIT $4`,
		escapeLike(strings.ToLower(search))+"%", after.DisplayName, after.ID, min(limit, 1000))
	return db.Collect(rows, err, func(r *sql.Rows, g *Group) error { return scanGroup(r, g) })
}

// CreateGroup stores g, whose ID and CreatedDateTime it sets.
func CreateGroup(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, g Group) (Group, error) {
	g.ID, g.CreatedDateTime, g.Version = db.NewID(now), now.UTC(), 1
	if err := g.check(); err != nil {
		return g, err
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO groups (id, display_name, description, created_at) VALUES ($1, $2, $3, $4)`,
		g.ID, g.DisplayName, g.Description, now.UnixMilli()); err != nil {
		return g, db.Err("The group "+g.ID, err)
	}
	return g, audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Add group", Category: "GroupManagement", OperationType: "Add", TargetResources: []audit.Target{g.target()}})
}

// UpdateGroup applies change to the stored group.
func UpdateGroup(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string, change func(*Group) error) (Group, error) {
	g, err := GetGroup(ctx, q, id)
	if err != nil {
		return g, err
	}
	was := g
	if err := change(&g); err != nil {
		return g, err
	}
	g.ID, g.CreatedDateTime = was.ID, was.CreatedDateTime
	if err := g.check(); err != nil {
		return g, err
	}
	if _, err := q.ExecContext(ctx, `UPDATE groups SET display_name = $1, description = $2, version = version + 1 WHERE id = $3`, g.DisplayName, g.Description, id); err != nil {
		return g, err
	}
	t := g.target()
	t.ModifiedProperties = append(t.ModifiedProperties, audit.Change("displayName", was.DisplayName, g.DisplayName), audit.Change("description", was.Description, g.Description))
	return g, audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Update group", Category: "GroupManagement", OperationType: "Update", TargetResources: []audit.Target{t}})
}

// DeleteGroup removes a group; its members stay.
func DeleteGroup(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	g, err := GetGroup(ctx, q, id)
	if err != nil {
		return err
	}
	for _, text := range []string{`DELETE FROM group_members WHERE member_id = $1`, `DELETE FROM groups WHERE id = $1`} {
		if _, err := q.ExecContext(ctx, text, id); err != nil {
			return err
		}
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Delete group", Category: "GroupManagement", OperationType: "Delete", TargetResources: []audit.Target{g.target()}})
}

// AddMember puts a user or a group into a group. A second time is refused with
// code alreadyExists (DO-8).
func AddMember(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, m Membership) error {
	g, what, err := m.resolve(ctx, q)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO group_members (group_id, member_id, member_type) VALUES ($1, $2, $3)`, m.GroupID, what.ID, strings.ToLower(what.Type)); err != nil {
		err = db.Err("This membership", err)
		if problem.KindOf(err) == problem.Conflict { // Graph answers 400, not 409
			return problem.New(problem.Invalid, "alreadyExists", "One or more added object references already exist for the following modified properties: 'members'.").Because(err)
		}
		return err
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Add member to group", Category: "GroupManagement", OperationType: "Assign", TargetResources: []audit.Target{what, g.target()}})
}

// RemoveMember takes a member out of a group.
func RemoveMember(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, m Membership) error {
	g, what, err := m.resolve(ctx, q)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM group_members WHERE group_id = $1 AND member_id = $2`, m.GroupID, what.ID)
	if err := db.Changed("This membership", res, err); err != nil {
		return err
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Remove member from group", Category: "GroupManagement", OperationType: "Unassign", TargetResources: []audit.Target{what, g.target()}})
}

// Membership names a group and somebody or something in it.
type Membership struct{ GroupID, MemberID string }

func (m Membership) resolve(ctx context.Context, q db.Querier) (Group, audit.Target, error) {
	g, err := GetGroup(ctx, q, m.GroupID)
	if err != nil {
		return g, audit.Target{}, err
	}
	u, err := GetUser(ctx, q, m.MemberID)
	if err == nil {
		return g, u.target(), nil
	}
	inner, err := GetGroup(ctx, q, m.MemberID)
	if err != nil {
		return g, audit.Target{}, problem.New(problem.NotFound, "notFound", "There is no user and no group %s.", m.MemberID)
	}
	return g, inner.target(), nil
}

// Members returns the direct members of a group.
func Members(ctx context.Context, d db.Querier, groupID string) ([]Member, error) {
	rows, err := d.QueryContext(ctx, `SELECT m.member_id, m.member_type, coalesce(u.display_name, g.display_name, ''), coalesce(u.upn, '')
		FROM group_members m LEFT JOIN users u ON u.id = m.member_id LEFT JOIN groups g ON g.id = m.member_id
		WHERE m.group_id = $1 ORDER BY m.member_id`, groupID)
	return db.Collect(rows, err, func(r *sql.Rows, m *Member) error {
		return r.Scan(&m.ID, &m.Type, &m.DisplayName, &m.UserPrincipalName)
	})
}

// MemberOf returns every group that a user is in, directly or through other
// groups, and the template ids of the user's roles.
func MemberOf(ctx context.Context, d db.Querier, userID string) ([]string, error) {
	rows, err := d.QueryContext(ctx, MemberOfSQL, userID)
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}

// MemberOfSQL selects one column, the ids of MemberOf, for the user $1. UNION
// drops what was seen before, so that a circle of groups ends.
const MemberOfSQL = `WITH RECURSIVE above (id) AS (
	SELECT group_id FROM group_members WHERE member_id = $1
	UNION SELECT m.group_id FROM group_members m JOIN above ON m.member_id = above.id)
	SELECT id FROM above UNION ALL SELECT role_id FROM role_assignments WHERE principal_id = $1`

// transitiveMembers selects the ids of all users in the group p, a placeholder.
func transitiveMembers(p string) string {
	return `WITH RECURSIVE below (id, kind) AS (
	SELECT member_id, member_type FROM group_members WHERE group_id = ` + p + `
	UNION SELECT m.member_id, m.member_type FROM group_members m JOIN below ON m.group_id = below.id)
	SELECT id FROM below WHERE kind = 'user'`
}

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}
