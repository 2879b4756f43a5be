package directory

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// DeleteUser puts a person among the deleted items. All sessions and tokens
// end; memberships are put aside; roles are lost for good, because whoever
// restores an account must not hand out roles with it. Passkeys and other
// methods stay, and open nothing meanwhile.
func DeleteUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	u, err := GetUser(ctx, q, id)
	if err != nil {
		return err
	}
	if err := park(ctx, q, now, u.ID, kindUser); err != nil {
		return err
	}
	// A blank is in no user name, so the key is free for somebody else.
	res, err := q.ExecContext(ctx, `UPDATE users SET deleted_at = $1, enabled_before = enabled, enabled = FALSE, upn_key = 'deleted ' || id, sessions_from = $2, version = version + 1
		WHERE id = $3 AND deleted_at = 0`, now.UnixMilli(), now.UnixMilli()+1, u.ID)
	if err := db.Changed("The user "+id, res, err); err != nil { // somebody else deleted them meanwhile
		return err
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Delete user", Category: "UserManagement", OperationType: "Delete", TargetResources: []audit.Target{u.target()}}); err != nil {
		return err
	}
	return logChanges(ctx, q, now, kindUser, change{id: u.ID, living: -1})
}

// DeleteGroup puts a group among the deleted items; its members stay people.
func DeleteGroup(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	g, err := GetGroup(ctx, q, id)
	if err != nil {
		return err
	}
	if err := g.writable(a); err != nil {
		return err
	}
	if err := park(ctx, q, now, g.ID, kindGroup); err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `UPDATE groups SET deleted_at = $1, unique_key = '', version = version + 1 WHERE id = $2 AND deleted_at = 0`, now.UnixMilli(), g.ID)
	if err := db.Changed("The group "+id, res, err); err != nil {
		return err
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Delete group", Category: "GroupManagement", OperationType: "Delete", TargetResources: []audit.Target{g.target()}}); err != nil {
		return err
	}
	return logChanges(ctx, q, now, kindGroup, change{id: g.ID, living: -1})
}

// park puts the memberships of id aside, in groups and of members, and takes
// its roles away.
func park(ctx context.Context, q db.Querier, now time.Time, id, kind string) error {
	rows, err := q.QueryContext(ctx, `SELECT group_id FROM group_members WHERE member_id = $1 AND group_id <> $1 ORDER BY group_id`, id)
	around, err := ids(rows, err)
	if err != nil {
		return err
	}
	for _, text := range []string{
		`INSERT INTO parked_members (deleted_id, group_id, member_id, member_type) SELECT $1, group_id, member_id, member_type FROM group_members
			WHERE member_id = $1 OR group_id = $1 ON CONFLICT DO NOTHING`,
		`DELETE FROM group_members WHERE member_id = $1 OR group_id = $1`,
		`DELETE FROM role_assignments WHERE principal_id = $1`,
		`UPDATE external_ids SET kind = 'deleted ' || object_id WHERE object_id = $1`,
	} {
		if _, err := q.ExecContext(ctx, text, id); err != nil {
			return err
		}
	}
	return logChanges(ctx, q, now, kindGroup, left(around, id, kind)...)
}

// left are the changes of the groups around, which id left or joined.
func left(around []string, id, kind string) []change {
	log := make([]change, len(around))
	for i, g := range around {
		log[i] = change{id: g, member: id, memberType: kind}
	}
	return log
}

// unpark is park's reverse for something that lives again. Who is restored does
// not come back into groups that roles can be assigned to. A membership whose
// other end is deleted itself waits for that one.
func unpark(ctx context.Context, q db.Querier, now time.Time, id, kind string) error {
	const other = `CASE WHEN p.member_id = $1 THEN p.group_id ELSE p.member_id END`
	for _, text := range []string{
		`INSERT INTO group_members (group_id, member_id, member_type) SELECT p.group_id, p.member_id, p.member_type FROM parked_members p
			WHERE p.deleted_id = $1 AND EXISTS (SELECT 1 FROM groups g WHERE g.id = p.group_id AND g.deleted_at = 0 AND (NOT g.dynamic AND NOT g.role_assignable OR g.id = $1))
			AND (EXISTS (SELECT 1 FROM users u WHERE u.id = p.member_id AND u.deleted_at = 0) OR EXISTS (SELECT 1 FROM groups g WHERE g.id = p.member_id AND g.deleted_at = 0))
			ON CONFLICT DO NOTHING`,
		`INSERT INTO parked_members (deleted_id, group_id, member_id, member_type) SELECT ` + other + `, p.group_id, p.member_id, p.member_type FROM parked_members p
			WHERE p.deleted_id = $1 AND (EXISTS (SELECT 1 FROM users u WHERE u.id = ` + other + ` AND u.deleted_at > 0) OR EXISTS (SELECT 1 FROM groups g WHERE g.id = ` + other + ` AND g.deleted_at > 0))
			ON CONFLICT DO NOTHING`,
		`DELETE FROM parked_members WHERE deleted_id = $1`,
	} {
		if _, err := q.ExecContext(ctx, text, id); err != nil {
			return err
		}
	}
	if _, err := q.ExecContext(ctx, `UPDATE external_ids SET kind = $2 WHERE object_id = $1 AND NOT EXISTS (SELECT 1 FROM external_ids o WHERE o.kind = $2 AND o.external_id = external_ids.external_id)`, id, kind); err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM external_ids WHERE object_id = $1 AND kind <> $2`, id, kind); err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT group_id FROM group_members WHERE member_id = $1 AND group_id <> $1 ORDER BY group_id`, id)
	around, err := ids(rows, err)
	if err != nil {
		return err
	}
	return logChanges(ctx, q, now, kindGroup, left(around, id, kind)...)
}

// Deleted is a person or a group among the deleted items; one of them is nil.
type Deleted struct {
	User  *User
	Group *Group
}

// ID is the object id of the item.
func (d Deleted) ID() string {
	if d.User != nil {
		return d.User.ID
	}
	return d.Group.ID
}

// GetDeleted finds a deleted item by its object id.
func GetDeleted(ctx context.Context, d db.Querier, id string) (Deleted, error) {
	var u User
	err := db.Err("", scanWhole(d.QueryRowContext(ctx, `SELECT `+wholeColumns+` FROM users WHERE id = $1 AND deleted_at > 0`, id), &u))
	if err == nil {
		return Deleted{User: &u}, nil
	}
	if problem.KindOf(err) != problem.NotFound {
		return Deleted{}, err
	}
	var g Group
	err = scanGroup(d.QueryRowContext(ctx, `SELECT `+groupColumns+` FROM groups WHERE id = $1 AND deleted_at > 0`, id), &g)
	return Deleted{Group: &g}, db.Err("The deleted item "+id, err)
}

// Restoring names a deleted item. A person whose user name was taken meanwhile
// needs another.
type Restoring struct{ ID, NewUserPrincipalName string }

// Restore brings a deleted item back, with its memberships and methods and
// without roles. A name that was taken meanwhile is Conflict, alreadyExists.
func Restore(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r Restoring) (Deleted, error) {
	d, err := GetDeleted(ctx, q, r.ID)
	if err != nil {
		return d, err
	}
	if d.User != nil {
		return d, restoreUser(ctx, q, a, now, restoring{d.User, r.NewUserPrincipalName})
	}
	g := d.Group
	if err := g.writable(a); err != nil {
		return d, err
	}
	g.DeletedDateTime, g.Version = nil, g.Version+1
	res, err := q.ExecContext(ctx, `UPDATE groups SET deleted_at = 0, unique_key = $1, version = version + 1 WHERE id = $2 AND deleted_at > 0`, fold(g.UniqueName), g.ID)
	if err != nil {
		return d, uniqueTaken(*g, err)
	}
	if err := db.Changed("The deleted item "+r.ID, res, nil); err != nil { // somebody else restored it meanwhile
		return d, err
	}
	if err := unpark(ctx, q, now, g.ID, kindGroup); err != nil {
		return d, err
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Restore group", Category: "GroupManagement", OperationType: "Update", TargetResources: []audit.Target{g.target()}}); err != nil {
		return d, err
	}
	if err := logChanges(ctx, q, now, kindGroup, came(g.ID)); err != nil {
		return d, err
	}
	return d, g.settle(ctx, q, now, nil)
}

type restoring struct {
	*User
	newName string
}

func restoreUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, u restoring) error {
	if u.newName != "" {
		u.UserPrincipalName = u.newName
	}
	if err := u.Check(); err != nil {
		return err
	}
	err := q.QueryRowContext(ctx, `UPDATE users SET deleted_at = 0, enabled = enabled_before, upn = $1, upn_key = $2, version = version + 1
		WHERE id = $3 AND deleted_at > 0 RETURNING enabled, version`,
		u.UserPrincipalName, fold(u.UserPrincipalName), u.ID).Scan(&u.AccountEnabled, &u.Version)
	if err = db.Err("The deleted item "+u.ID, err); problem.KindOf(err) == problem.Conflict {
		return problem.New(problem.Conflict, "alreadyExists", "The user name %s was taken meanwhile. Restore with another: {\"newUserPrincipalName\": \"…\"}.", u.UserPrincipalName).On("userPrincipalName").Because(err)
	}
	if err != nil {
		return err
	}
	u.DeletedDateTime = nil
	if err := unpark(ctx, q, now, u.ID, kindUser); err != nil {
		return err
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Restore user", Category: "UserManagement", OperationType: "Update", TargetResources: []audit.Target{u.target()}}); err != nil {
		return err
	}
	return logPeople(ctx, q, now, []User{*u.User}, nil)
}

// Purge removes a deleted item for good, with everything that belongs to it
// but the logs.
func Purge(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	d, err := GetDeleted(ctx, q, id)
	if err != nil {
		return err
	}
	if d.Group != nil && a != sweeper {
		if err := d.Group.writable(a); err != nil {
			return err
		}
	}
	table, kind, r := "groups", kindGroup, audit.Record{ActivityDisplayName: "Hard Delete group", Category: "GroupManagement", OperationType: "Delete"}
	texts := []string{`DELETE FROM parked_members WHERE deleted_id = $1 OR group_id = $1 OR member_id = $1`, `DELETE FROM external_ids WHERE object_id = $1`,
		`DELETE FROM app_role_assignments WHERE principal_id = $1`, `DELETE FROM oauth2_permission_grants WHERE principal_id = $1`, `DELETE FROM application_owners WHERE owner_id = $1`}
	if d.User != nil {
		table, kind, r.ActivityDisplayName, r.Category, r.TargetResources = "users", kindUser, "Hard Delete user", "UserManagement", []audit.Target{d.User.target()}
		texts = append(texts, `DELETE FROM group_owners WHERE owner_id = $1`, `UPDATE users SET manager_id = '' WHERE manager_id = $1 AND manager_id <> ''`,
			`DELETE FROM links WHERE user_id = $1`, `DELETE FROM sign_in_activity WHERE user_id = $1`)
	} else {
		r.TargetResources = []audit.Target{d.Group.target()}
	}
	for _, text := range texts {
		if _, err := q.ExecContext(ctx, text, id); err != nil {
			return err
		}
	}
	res, err := q.ExecContext(ctx, `DELETE FROM `+table+` WHERE id = $1 AND deleted_at > 0`, id)
	if err := db.Changed("The deleted item "+id, res, err); err != nil { // somebody else restored it meanwhile
		return err
	}
	if err := audit.Write(ctx, q, a, now, r); err != nil {
		return err
	}
	return logChanges(ctx, q, now, kind, change{id: id})
}

// sweeper is the actor of PurgeOld.
var sweeper = audit.System("sweep")

// PurgeOld purges up to limit items that were deleted before a time, and
// returns how many.
func PurgeOld(ctx context.Context, q db.Querier, now, before time.Time, limit int) (int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT id FROM users WHERE deleted_at > 0 AND deleted_at < $1 UNION ALL SELECT id FROM groups WHERE deleted_at > 0 AND deleted_at < $1 LIMIT $2`, before.UnixMilli(), limit)
	old, err := ids(rows, err)
	if err != nil {
		return 0, err
	}
	for _, id := range old {
		if err := Purge(ctx, q, sweeper, now, id); err != nil {
			return 0, err
		}
	}
	return int64(len(old)), nil
}
