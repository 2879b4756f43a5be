package directory

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Owner is who looks after a group: a person, or an application's service
// principal.
type Owner struct {
	GroupID, ID string
	Principal   bool // a service principal; OwnersOf sets it
}

const maxOwners = 100 // as in Graph

// AddOwner makes somebody an owner. A second time is refused as in AddMember.
func AddOwner(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, o Owner) error {
	g, what, err := o.resolve(ctx, q, a)
	if err != nil {
		return err
	}
	if g.IsAssignableToRole && what.ID == a.UserID {
		if err := onlyGlobal(ctx, q, a); err != nil {
			return err
		}
	}
	var n int
	if err := q.QueryRowContext(ctx, `SELECT count(*) FROM group_owners WHERE group_id = $1`, g.ID).Scan(&n); err != nil {
		return err
	}
	if n >= maxOwners {
		return problem.New(problem.Invalid, "tooManyOwners", "A group has at most %d owners. Remove one first.", maxOwners).On("owners")
	}
	res, err := q.ExecContext(ctx, `INSERT INTO group_owners (group_id, owner_id, owner_type) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, g.ID, what.ID, what.Type)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return problem.New(problem.Invalid, "alreadyExists", "One or more added object references already exist for the following modified properties: 'owners'.").Because(err)
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Add owner to group", Category: "GroupManagement", OperationType: "Assign", TargetResources: []audit.Target{what.target(), g.target()}})
}

// RemoveOwner takes the ownership away. A group may be without owners.
func RemoveOwner(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, o Owner) error {
	g, err := GetGroup(ctx, q, o.GroupID)
	if err != nil {
		return err
	}
	if err := g.writable(a); err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM group_owners WHERE group_id = $1 AND owner_id = $2`, g.ID, o.ID)
	if err := db.Changed("This ownership", res, err); err != nil {
		return err
	}
	what := audit.Target{ID: o.ID, Type: "Other", ModifiedProperties: []audit.Modified{}} // if it is gone
	if p, err := GetPrincipal(ctx, q, o.ID); err == nil {
		what = p.target()
	} else if problem.KindOf(err) != problem.NotFound {
		return err
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Remove owner from group", Category: "GroupManagement", OperationType: "Unassign", TargetResources: []audit.Target{what, g.target()}})
}

func (o Owner) resolve(ctx context.Context, q db.Querier, a audit.Actor) (Group, Principal, error) {
	g, err := GetGroup(ctx, q, o.GroupID)
	if err != nil {
		return g, Principal{}, err
	}
	if err := g.writable(a); err != nil {
		return g, Principal{}, err
	}
	p, err := GetPrincipal(ctx, q, o.ID)
	if err == nil && p.Type == kindGroup {
		err = problem.New(problem.Invalid, "badReference", "A group has people and applications as owners, not groups.").On("owners")
	}
	return g, p, err
}

// OwnersOf lists the ids of a group's owners behind the id after, and their
// kinds. People come with the deleted ones left out.
func OwnersOf(ctx context.Context, d db.Querier, groupID, after string, limit int) ([]Owner, error) {
	rows, err := d.QueryContext(ctx, `SELECT owner_id, owner_type = 'servicePrincipal' FROM group_owners o WHERE group_id = $1 AND owner_id > $2
		AND (owner_type <> 'user' OR EXISTS (SELECT 1 FROM users u WHERE u.id = o.owner_id AND u.deleted_at = 0)) ORDER BY owner_id LIMIT $3`, groupID, after, limit)
	return db.Collect(rows, err, func(r *sql.Rows, o *Owner) error { return r.Scan(&o.ID, &o.Principal) })
}

// IsOwner reports whether somebody owns a group.
func IsOwner(ctx context.Context, d db.Querier, groupID, ownerID string) (yes bool, err error) {
	return yes, d.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM group_owners WHERE group_id = $1 AND owner_id = $2)`, groupID, ownerID).Scan(&yes)
}

// SetManager makes one person the manager of another; "" makes nobody. Both
// have to exist. Circles are harmless.
func SetManager(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r Reporting) error {
	u, err := GetUser(ctx, q, r.UserID)
	if err != nil {
		return err
	}
	activity, targets := "Remove user's manager", []audit.Target{u.target()}
	if r.ManagerID != "" {
		m, err := GetUser(ctx, q, r.ManagerID)
		if err != nil {
			return err
		}
		r.ManagerID = m.ID
		activity, targets = "Set user's manager", append(targets, m.target())
	}
	res, err := q.ExecContext(ctx, `UPDATE users SET manager_id = $1 WHERE id = $2 AND manager_id <> $1`, r.ManagerID, u.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err // as it was
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: activity, Category: "UserManagement", OperationType: "Update", TargetResources: targets}); err != nil {
		return err
	}
	return logChanges(ctx, q, now, kindUser, change{id: u.ID, what: []string{"manager"}})
}

// Reporting says whom a person reports to.
type Reporting struct{ UserID, ManagerID string }

// ManagerOf returns a person's manager; NotFound if there is none.
func ManagerOf(ctx context.Context, d db.Querier, userID string) (m User, err error) {
	err = scanWhole(d.QueryRowContext(ctx, `SELECT `+wholeColumns+` FROM users WHERE id = (SELECT manager_id FROM users WHERE id = $1) AND deleted_at = 0`, userID), &m)
	if err = db.Err("The manager", err); problem.KindOf(err) == problem.NotFound {
		return m, problem.New(problem.NotFound, "notFound", "This person has no manager. PUT …/manager/$ref sets one.")
	}
	return m, err
}
