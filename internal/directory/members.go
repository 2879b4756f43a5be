package directory

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Membership names a group and somebody or something in it.
type Membership struct{ GroupID, MemberID string }

// member is a person or a group, by id and kind.
type member struct{ id, kind string }

// AddMember puts a user or a group into a group. A second time is refused with
// code alreadyExists (DO-8), a group with DynamicMembership with
// membershipDynamic (DO-10).
func AddMember(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, m Membership) error {
	g, what, err := m.resolve(ctx, q, a)
	if err != nil {
		return err
	}
	kind := fold(what.Type)
	if g.IsAssignableToRole && kind == kindGroup {
		return problem.New(problem.Invalid, "nestingNotSupported", "A group that roles can be assigned to has people as members, not groups.").On("members")
	}
	if g.IsAssignableToRole && what.ID == a.UserID {
		if err := onlyGlobal(ctx, q, a); err != nil {
			return err
		}
	}
	added, err := putMembers(ctx, q, now, g.ID, member{what.ID, kind})
	if err != nil {
		return err
	}
	if added == 0 { // Graph answers 400, not 409
		return problem.New(problem.Invalid, "alreadyExists", "One or more added object references already exist for the following modified properties: 'members'.")
	}
	err = audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Add member to group", Category: "GroupManagement", OperationType: "Assign", TargetResources: []audit.Target{what, g.target()}})
	if err != nil || !g.IsAssignableToRole || kind != kindUser {
		return err
	}
	return settlePerson(ctx, q, now, what.ID)
}

// RemoveMember takes a member out of a group.
func RemoveMember(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, m Membership) error {
	g, what, err := m.resolve(ctx, q, a)
	if err != nil {
		return err
	}
	removed, err := dropMembers(ctx, q, now, g.ID, member{what.ID, fold(what.Type)})
	if err != nil {
		return err
	}
	if removed == 0 {
		return db.Err("This membership", sql.ErrNoRows)
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Remove member from group", Category: "GroupManagement", OperationType: "Unassign", TargetResources: []audit.Target{what, g.target()}})
}

// resolve reads both ends of a membership that a may change.
func (m Membership) resolve(ctx context.Context, q db.Querier, a audit.Actor) (Group, audit.Target, error) {
	g, err := GetGroup(ctx, q, m.GroupID)
	if err != nil {
		return g, audit.Target{}, err
	}
	if err := g.writable(a); err != nil {
		return g, audit.Target{}, err
	}
	if g.Is(DynamicMembership) {
		return g, audit.Target{}, problem.New(problem.Invalid, "membershipDynamic", "The members of this group follow from its membershipRule. Change the rule, or what it asks of people.").On("members")
	}
	u, err := GetUser(ctx, q, m.MemberID)
	if err == nil {
		return g, u.target(), nil
	}
	if problem.KindOf(err) != problem.NotFound {
		return g, audit.Target{}, err
	}
	inner, err := GetGroup(ctx, q, m.MemberID)
	if problem.KindOf(err) == problem.NotFound {
		return g, audit.Target{}, problem.New(problem.NotFound, "notFound", "There is no user and no group %s.", m.MemberID)
	}
	return g, inner.target(), err
}

// putMembers adds members to a group and returns how many were not in it. It
// asks no rules and writes no audit record.
func putMembers(ctx context.Context, q db.Querier, now time.Time, groupID string, all ...member) (int, error) {
	var log []change
	for _, m := range all {
		res, err := q.ExecContext(ctx, `INSERT INTO group_members (group_id, member_id, member_type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, groupID, m.id, m.kind)
		if err != nil {
			return 0, err
		}
		if n, err := res.RowsAffected(); err != nil {
			return 0, err
		} else if n > 0 {
			log = append(log, change{id: groupID, member: m.id, memberType: m.kind})
		}
	}
	return len(log), logChanges(ctx, q, now, kindGroup, log...)
}

// dropMembers is putMembers the other way.
func dropMembers(ctx context.Context, q db.Querier, now time.Time, groupID string, all ...member) (int, error) {
	var log []change
	for _, m := range all {
		res, err := q.ExecContext(ctx, `DELETE FROM group_members WHERE group_id = $1 AND member_id = $2`, groupID, m.id)
		if err != nil {
			return 0, err
		}
		if n, err := res.RowsAffected(); err != nil {
			return 0, err
		} else if n > 0 {
			log = append(log, change{id: groupID, member: m.id, memberType: m.kind})
		}
	}
	return len(log), logChanges(ctx, q, now, kindGroup, log...)
}

// InventMember is AddMember without rules and record, for demonstrations.
// kind is "user" or "group".
func InventMember(ctx context.Context, q db.Querier, now time.Time, m Membership, kind string) error {
	_, err := putMembers(ctx, q, now, m.GroupID, member{m.MemberID, kind})
	return err
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
	SELECT id FROM above UNION ALL SELECT role_id FROM (` + rolesSQL + `) held`

// groupsAround selects the ids of the groups around p, a placeholder for a
// person or a group: those it is in, directly or not.
func groupsAround(p string) string {
	return `WITH RECURSIVE above (id) AS (
	SELECT group_id FROM group_members WHERE member_id = ` + p + `
	UNION SELECT m.group_id FROM group_members m JOIN above ON m.member_id = above.id)
	SELECT id FROM above`
}

// insideSQL is a table of the ids of the group p, a placeholder, and of the
// groups inside it. It walks over groups only: they are few, and have an index
// of their own. What is joined to it says CROSS JOIN: SQLite, which does not know
// how few they are, would else read every membership there is.
func insideSQL(p string) string {
	return `WITH RECURSIVE below (id) AS (SELECT CAST(` + p + ` AS TEXT)
	UNION SELECT m.member_id FROM below CROSS JOIN group_members m WHERE m.group_id = below.id AND m.member_type = 'group') `
}

// groupsInside selects the ids of all groups in the group p.
func groupsInside(p string) string {
	return insideSQL(p) + `SELECT m.member_id FROM below CROSS JOIN group_members m WHERE m.group_id = below.id AND m.member_type = 'group'`
}

// transitiveMembers selects the ids of all users in the group p.
func transitiveMembers(p string) string {
	return insideSQL(p) + `SELECT m.member_id FROM below CROSS JOIN group_members m WHERE m.group_id = below.id AND m.member_type = 'user'`
}

// MemberIDs returns up to limit ids of the members of a group, people and
// groups, behind the id after, in their order; transitive are those of groups
// inside it too.
func MemberIDs(ctx context.Context, d db.Querier, of MembersOf, after string, limit int) ([]string, error) {
	if of.Transitive {
		return transitiveIDs(ctx, d, of.GroupID, after, limit)
	}
	return ids(d.QueryContext(ctx, `SELECT member_id FROM group_members WHERE group_id = $1 AND member_id > $2 ORDER BY member_id LIMIT $3`, of.GroupID, after, limit))
}

// CountMembers returns how many members MemberIDs finds.
func CountMembers(ctx context.Context, d db.Querier, of MembersOf) (n int64, err error) {
	text := `SELECT count(*) FROM group_members WHERE group_id = $1`
	if of.Transitive {
		text = insideSQL("$1") + `SELECT count(DISTINCT m.member_id) FROM below CROSS JOIN group_members m WHERE m.group_id = below.id`
	}
	return n, d.QueryRowContext(ctx, text, of.GroupID).Scan(&n)
}

// MembersOf names the members of a group.
type MembersOf struct {
	GroupID    string
	Transitive bool
}

// Around names what a person or a group is in.
type Around struct {
	ID         string
	Transitive bool
}

// text selects the ids of the groups around, and of the roles held: those of
// $1 itself, and with Transitive those through groups too.
func (a Around) text() string {
	if a.Transitive {
		return `SELECT id FROM (` + groupsAround("$1") + `) AS around UNION SELECT role_id FROM (` + rolesSQL + `) AS held`
	}
	return `SELECT group_id AS id FROM group_members WHERE member_id = $1 UNION SELECT role_id FROM role_assignments WHERE principal_id = $1`
}

// AroundIDs returns up to limit ids of groups and roles behind the id after, in
// their order.
func AroundIDs(ctx context.Context, d db.Querier, a Around, after string, limit int) ([]string, error) {
	return ids(d.QueryContext(ctx, `SELECT id FROM (`+a.text()+`) AS found WHERE id > $2 ORDER BY id LIMIT $3`, a.ID, after, limit))
}

// CountAround returns how many AroundIDs finds.
func CountAround(ctx context.Context, d db.Querier, a Around) (n int64, err error) {
	return n, d.QueryRowContext(ctx, `SELECT count(*) FROM (`+a.text()+`) AS found`, a.ID).Scan(&n)
}
