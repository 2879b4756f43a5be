package application

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// Assignment is Graph's appRoleAssignment: a person, a group or an application
// has a role in an application. For an application the role is a permission of
// its own: this is the one place where those are kept.
type Assignment struct {
	ID                   string    `json:"id"`
	AppRoleID            string    `json:"appRoleId"` // NoRole: access without a role
	CreatedDateTime      time.Time `json:"createdDateTime"`
	PrincipalID          string    `json:"principalId"`
	PrincipalDisplayName string    `json:"principalDisplayName"`
	PrincipalType        string    `json:"principalType"` // User, Group, ServicePrincipal
	ResourceID           string    `json:"resourceId"`    // a service principal
	ResourceDisplayName  string    `json:"resourceDisplayName"`

	value string
}

// AssignmentSchema says what $filter may name on assignments.
var AssignmentSchema = odata.Schema{
	"id":            {Column: "r.id", Folded: true},
	"appRoleId":     {Column: "r.app_role_id", Folded: true},
	"principalId":   {Column: "r.principal_id", Folded: true},
	"principalType": {Column: "r.principal_type"},
	"resourceId":    {Column: "r.resource_id", Folded: true},
}

// AssignmentPaging is the page size; the order is that of the ids, oldest first.
var AssignmentPaging = odata.Paging{Default: 100, Max: 999}

// Side narrows assignments: to those of a user, a group or a service principal,
// or to those on the service principal of an application.
type Side struct{ Principal, Resource string }

func (s Side) conditions(t *odata.SQL) {
	switch {
	case s.Principal != "":
		t.Text(`r.principal_id = `).Arg(s.Principal).Text(` AND `)
	case s.Resource != "":
		t.Text(`r.resource_id = `).Arg(s.Resource).Text(` AND `)
	}
}

const assignmentColumns = `r.id, r.app_role_id, r.created_at, r.principal_id, coalesce(u.display_name, g.display_name, p.display_name, ''), r.principal_type, r.resource_id, s.display_name, r.value` + assignmentTables

const assignmentTables = ` FROM app_role_assignments r JOIN service_principals s ON s.id = r.resource_id LEFT JOIN users u ON u.id = r.principal_id AND u.deleted_at = 0
	LEFT JOIN groups g ON g.id = r.principal_id AND g.deleted_at = 0 LEFT JOIN service_principals p ON p.id = r.principal_id`

func scanAssignment(r interface{ Scan(...any) error }, a *Assignment) error {
	var created int64
	err := r.Scan(&a.ID, &a.AppRoleID, &created, &a.PrincipalID, &a.PrincipalDisplayName, &a.PrincipalType, &a.ResourceID, &a.ResourceDisplayName, &a.value)
	a.CreatedDateTime = db.Time(created)
	return err
}

// A person or group among the deleted items keeps its assignments, to bring
// them back: they are not shown meanwhile.
const present = `(u.id IS NOT NULL OR g.id IS NOT NULL OR p.id IS NOT NULL) AND `

// FindAssignments returns one page of assignments on one side, and one more if
// there is a next page.
func FindAssignments(ctx context.Context, q db.Querier, query odata.Query, side Side) ([]Assignment, error) {
	s := new(odata.SQL).Text(`SELECT ` + assignmentColumns + ` WHERE ` + present)
	side.conditions(s)
	s.Page(query, "r.id")
	rows, err := q.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, a *Assignment) error { return scanAssignment(r, a) })
}

// CountAssignments returns how many assignments query selects, on all pages.
func CountAssignments(ctx context.Context, q db.Querier, query odata.Query, side Side) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*)` + assignmentTables + ` WHERE ` + present)
	side.conditions(s)
	s.Conditions(query)
	return n, q.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// GetAssignment returns one assignment of a side.
func GetAssignment(ctx context.Context, q db.Querier, side Side, id string) (a Assignment, err error) {
	s := new(odata.SQL).Text(`SELECT ` + assignmentColumns + ` WHERE ` + present)
	side.conditions(s)
	s.Text(`r.id = `).Arg(strings.ToLower(id))
	err = scanAssignment(q.QueryRowContext(ctx, s.String(), s.Args...), &a)
	return a, db.Err("The app role assignment "+clip(id), err)
}

// Assign stores a, of which PrincipalID, ResourceID and AppRoleID count.
func (k Catalogue) Assign(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, a Assignment) (Assignment, error) {
	a.PrincipalID, a.ResourceID, a.AppRoleID = strings.ToLower(a.PrincipalID), strings.ToLower(a.ResourceID), strings.ToLower(a.AppRoleID)
	on, err := k.GetPrincipal(ctx, q, a.ResourceID)
	if err != nil {
		return a, problem.New(problem.Invalid, "resourceUnknown", "There is no service principal %q. resourceId is the object id of the service principal whose role is assigned.", clip(a.ResourceID)).On("resourceId")
	}
	to, err := k.principalOf(ctx, q, a.PrincipalID)
	if err != nil {
		return a, err
	}
	if a.value, err = k.roleFor(on, to, a.AppRoleID); err != nil {
		return a, err
	}
	a.ID, a.CreatedDateTime = db.NewID(now), db.Time(now.UnixMilli())
	a.PrincipalType, a.PrincipalDisplayName, a.ResourceDisplayName = to.Type, to.DisplayName, on.DisplayName
	if _, err := q.ExecContext(ctx, `INSERT INTO app_role_assignments (id, principal_id, principal_type, resource_id, app_role_id, value, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, a.ID, a.PrincipalID, a.PrincipalType, a.ResourceID, a.AppRoleID, a.value, now.UnixMilli()); err != nil {
		err = db.Err("Permission being assigned", err)
		if problem.KindOf(err) == problem.Conflict { // Graph answers 400, not 409
			return a, problem.New(problem.Invalid, "alreadyExists", "Permission being assigned already exists on the object. Nothing needs to be done.").Because(err)
		}
		return a, err
	}
	if err := explicitly(ctx, q, on.ID); err != nil {
		return a, err
	}
	return a, a.changed(ctx, q, by, now, to, true)
}

// Unassign removes an assignment of a side.
func (k Catalogue) Unassign(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, side Side, id string) error {
	a, err := GetAssignment(ctx, q, side, id)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM app_role_assignments WHERE id = $1`, a.ID)
	if err := db.Changed("This assignment", res, err); err != nil {
		return err
	}
	to := audit.Target{ID: a.PrincipalID, DisplayName: a.PrincipalDisplayName, Type: a.PrincipalType, ModifiedProperties: []audit.Modified{}}
	return a.changed(ctx, q, by, now, to, false)
}

// explicitly marks a service principal as asked for.
func explicitly(ctx context.Context, q db.Querier, id string) error {
	_, err := q.ExecContext(ctx, `UPDATE service_principals SET explicit = TRUE WHERE id = $1 AND NOT explicit`, id)
	return err
}

// principalOf finds who gets a role: a user, a group or a service principal.
func (k Catalogue) principalOf(ctx context.Context, q db.Querier, id string) (audit.Target, error) {
	if u, err := directory.GetUser(ctx, q, id); err == nil && u.ID == id {
		return audit.Person(u.ID, u.DisplayName, u.UserPrincipalName), nil
	}
	if g, err := directory.GetGroup(ctx, q, id); err == nil {
		return audit.Target{ID: g.ID, DisplayName: g.DisplayName, Type: "Group", ModifiedProperties: []audit.Modified{}}, nil
	}
	p, err := k.GetPrincipal(ctx, q, id)
	if err != nil {
		return audit.Target{}, problem.New(problem.Invalid, "principalUnknown", "There is no user, group or service principal %q. principalId is an object id.", clip(id)).On("principalId")
	}
	return p.target(), nil
}

// roleFor reports what stands in tokens for the role id on an application, or
// why to may not have it.
func (k Catalogue) roleFor(on ServicePrincipal, to audit.Target, id string) (string, error) {
	if id == NoRole {
		return "", nil
	}
	r, ok := roleByID(on.AppRoles, id)
	if !ok {
		return "", problem.New(problem.Invalid, "appRoleUnknown", "%s has no app role %q. GET its service principal to see appRoles; %s is access without a role.", on.DisplayName, clip(id), NoRole).On("appRoleId")
	}
	member := "User"
	if to.Type == "ServicePrincipal" {
		member = "Application"
	}
	if !r.IsEnabled || !r.takes(member) {
		return "", problem.New(problem.Invalid, "appRoleNotAllowed", "The role %s of %s is switched off, or not for a %s. Look at its isEnabled and allowedMemberTypes.", r.DisplayName, on.DisplayName, to.Type).On("appRoleId")
	}
	return r.claim(), nil
}

func (r AppRole) takes(member string) bool {
	for _, t := range r.AllowedMemberTypes {
		if t == member {
			return true
		}
	}
	return false
}

func roleByID(roles []AppRole, id string) (AppRole, bool) {
	for _, r := range roles {
		if strings.EqualFold(r.ID, id) {
			return r, true
		}
	}
	return AppRole{}, false
}

func (a *Assignment) changed(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, to audit.Target, added bool) error {
	if to.Type == "ServicePrincipal" { // what applications may do is cached; what people may is not
		if err := db.Bump(ctx, q, VersionName); err != nil {
			return err
		}
	}
	on := audit.Target{ID: a.ResourceID, DisplayName: a.ResourceDisplayName, Type: "ServicePrincipal", ModifiedProperties: []audit.Modified{}}
	words, operation, before, after := "Add app role assignment to ", "Assign", any(nil), any(a.value+" "+a.AppRoleID)
	if !added {
		words, operation, before, after = "Remove app role assignment from ", "Unassign", after, before
	}
	on.ModifiedProperties = append(on.ModifiedProperties, audit.Change("AppRole", before, after))
	what := map[string]string{"User": "user", "Group": "group", "ServicePrincipal": "service principal"}[to.Type]
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: words + what, Category: "ApplicationManagement",
		OperationType: operation, TargetResources: []audit.Target{to, on}})
}
