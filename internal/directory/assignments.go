package directory

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// Assignment is Graph's unifiedRoleAssignment: a principal holds a role in the
// whole organisation. Members of directoryRoles are the same rows (DO-17).
type Assignment struct {
	ID               string  `json:"id"`
	PrincipalID      string  `json:"principalId"` // a user, a group with isAssignableToRole, or a service principal
	RoleDefinitionID string  `json:"roleDefinitionId"`
	DirectoryScopeID string  `json:"directoryScopeId"` // always "/"
	AppScopeID       *string `json:"appScopeId"`       // always null
	Condition        *string `json:"condition"`        // always null
}

// AssignmentSchema says what may be asked of roleAssignments.
var AssignmentSchema = odata.Schema{
	"id":               {Column: "id", Folded: true},
	"principalId":      {Column: "principal_id", Folded: true},
	"roleDefinitionId": {Column: "role_id", Folded: true},
	"directoryScopeId": {Column: "'/'", Folded: true},
}

const assignmentColumns = `id, principal_id, role_id`

func scanAssignment(r interface{ Scan(...any) error }, a *Assignment) error {
	a.DirectoryScopeID = "/"
	return r.Scan(&a.ID, &a.PrincipalID, &a.RoleDefinitionID)
}

// FindAssignments returns one page, and one more if there is a next page.
func FindAssignments(ctx context.Context, d db.Querier, q odata.Query) ([]Assignment, error) {
	s := new(odata.SQL).Text(`SELECT `+assignmentColumns+` FROM role_assignments WHERE `).Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, a *Assignment) error { return scanAssignment(r, a) })
}

// CountFoundAssignments returns how many assignments q selects, on all pages.
func CountFoundAssignments(ctx context.Context, d db.Querier, q odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM role_assignments WHERE `).Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// GetAssignment returns one assignment.
func GetAssignment(ctx context.Context, d db.Querier, id string) (a Assignment, err error) {
	err = scanAssignment(d.QueryRowContext(ctx, `SELECT `+assignmentColumns+` FROM role_assignments WHERE id = $1`, strings.ToLower(id)), &a)
	return a, db.Err("The role assignment "+id, err)
}

// Assign stores r and sets its ID. Refusals: NotFound for a role or principal
// that is not there; Invalid notRoleAssignable for a group that was not made
// for roles, alreadyExists for a role the principal has; Forbidden ownRole for
// whoever gives themselves a role and is no Global Administrator.
func Assign(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r Assignment) (Assignment, error) {
	p, err := r.check(ctx, q)
	if err != nil {
		return r, err
	}
	if err := notOwn(ctx, q, a, p); err != nil {
		return r, err
	}
	r.ID, r.PrincipalID, r.DirectoryScopeID = db.NewID(now), p.ID, "/"
	res, err := q.ExecContext(ctx, `INSERT INTO role_assignments (id, principal_id, principal_type, role_id, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		r.ID, p.ID, p.Type, r.RoleDefinitionID, now.UnixMilli())
	if err != nil {
		return r, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return r, problem.New(problem.Invalid, "alreadyExists", "One or more added object references already exist: this role is assigned already.").Because(err)
	}
	if err := audit.Write(ctx, q, a, now, r.record("Add member to role", "Assign", p.target())); err != nil || p.Type != kindUser || r.RoleDefinitionID != GlobalAdministrator {
		return r, err
	}
	return r, settlePerson(ctx, q, now, p.ID)
}

func (r *Assignment) check(ctx context.Context, q db.Querier) (Principal, error) {
	r.RoleDefinitionID = strings.ToLower(r.RoleDefinitionID)
	switch {
	case r.DirectoryScopeID != "" && r.DirectoryScopeID != "/":
		return Principal{}, problem.New(problem.Invalid, "invalidValue", `Roles are assigned for the whole organisation: directoryScopeId is "/".`).On("directoryScopeId")
	case r.AppScopeID != nil && *r.AppScopeID != "":
		return Principal{}, problem.New(problem.Invalid, "invalidValue", "Roles are assigned for the whole organisation: leave appScopeId out.").On("appScopeId")
	case r.Condition != nil && *r.Condition != "":
		return Principal{}, problem.New(problem.Invalid, "invalidValue", "Role assignments have no condition here: leave it out.").On("condition")
	case RoleName(r.RoleDefinitionID) == "":
		return Principal{}, problem.New(problem.NotFound, "notFound", "There is no role %s.", r.RoleDefinitionID).On("roleDefinitionId")
	}
	r.AppScopeID, r.Condition = nil, nil
	p, err := GetPrincipal(ctx, q, r.PrincipalID)
	if err == nil && p.Type == kindGroup && !p.RoleAssignable {
		return p, problem.New(problem.Invalid, "notRoleAssignable", "Roles can be assigned only to groups that were made for it, with isAssignableToRole. Create such a group.").On("principalId")
	}
	return p, err
}

// AssignRole gives a principal a role. A role that it has already stays as it is.
func AssignRole(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r RoleAssignment) error {
	_, err := Assign(ctx, q, a, now, Assignment{PrincipalID: r.UserID, RoleDefinitionID: r.RoleID})
	if problem.CodeOf(err) == "alreadyExists" {
		return nil
	}
	return err
}

// RoleAssignment names a principal, mostly a user, and a role.
type RoleAssignment struct{ UserID, RoleID string }

// Unassign takes an assignment away. That the last able Global Administrator
// stays is the caller's guard (DO-18), because it depends on methods.
func Unassign(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	r, err := GetAssignment(ctx, q, id)
	if err != nil {
		return err
	}
	what := audit.Target{ID: r.PrincipalID, Type: "Other", ModifiedProperties: []audit.Modified{}}
	p, err := GetPrincipal(ctx, q, r.PrincipalID)
	if err == nil {
		what = p.target()
	} else if problem.KindOf(err) != problem.NotFound { // a principal that is gone may lose its role
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM role_assignments WHERE id = $1`, r.ID)
	if err := db.Changed("This role assignment", res, err); err != nil {
		return err
	}
	return audit.Write(ctx, q, a, now, r.record("Remove member from role", "Unassign", what))
}

// UnassignRole is Unassign by principal and role.
func UnassignRole(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r RoleAssignment) error {
	p, err := GetPrincipal(ctx, q, r.UserID)
	if err != nil {
		return err
	}
	var id string
	err = q.QueryRowContext(ctx, `SELECT id FROM role_assignments WHERE principal_id = $1 AND role_id = $2`, p.ID, r.RoleID).Scan(&id)
	if err != nil {
		return db.Err("This role assignment", err)
	}
	return Unassign(ctx, q, a, now, id)
}

func (r *Assignment) record(activity, operation string, principal audit.Target) audit.Record {
	role := audit.Target{ID: r.RoleDefinitionID, DisplayName: RoleName(r.RoleDefinitionID), Type: "Role", ModifiedProperties: []audit.Modified{}}
	return audit.Record{ActivityDisplayName: activity, Category: "RoleManagement", OperationType: operation, TargetResources: []audit.Target{principal, role}}
}

// notOwn refuses a person who would give a role to themselves, directly or
// through a group they are in: nobody raises their own role. A Global
// Administrator has nothing to gain.
func notOwn(ctx context.Context, q db.Querier, a audit.Actor, p Principal) error {
	own := a.UserID != "" && p.ID == a.UserID
	if a.UserID != "" && p.Type == kindGroup {
		if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM group_members WHERE group_id = $1 AND member_id = $2)`, p.ID, a.UserID).Scan(&own); err != nil {
			return err
		}
	}
	if !own {
		return nil
	}
	return onlyGlobal(ctx, q, a)
}

func onlyGlobal(ctx context.Context, q db.Querier, a audit.Actor) error {
	mine, err := RolesOf(ctx, q, a.UserID)
	if err != nil || slices.Contains(mine, GlobalAdministrator) {
		return err
	}
	return problem.New(problem.Forbidden, "ownRole", "Nobody gives a role to themselves. Ask another Privileged Role Administrator or a Global Administrator.")
}
