package directory

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"cardea/internal/db"
	"cardea/internal/odata"
)

// A role is assigned to a person, to a service principal, or to a group that
// was made for it (isAssignableToRole): then its direct members hold it
// (DO-19). Whoever asks who holds what must count both ways, so the
// texts below count for everybody (and passkey's one read of a sign-in).

// rolesSQL selects the template ids of the roles that the user $1 holds.
const rolesSQL = `SELECT role_id FROM role_assignments WHERE principal_id = $1
	UNION SELECT r.role_id FROM group_members m JOIN role_assignments r ON r.principal_id = m.group_id WHERE m.member_id = $1 AND m.member_type = 'user'`

// HoldersSQL selects the ids of the users who hold the role p, a placeholder.
func HoldersSQL(p string) string {
	return `SELECT principal_id FROM role_assignments WHERE role_id = ` + p + ` AND principal_type = 'user'
	UNION SELECT m.member_id FROM role_assignments r JOIN group_members m ON m.group_id = r.principal_id WHERE r.role_id = ` + p + ` AND m.member_type = 'user'`
}

// AllHoldersSQL selects (user id, role id) for everybody who holds a role.
const AllHoldersSQL = `SELECT principal_id, role_id FROM role_assignments WHERE principal_type = 'user'
	UNION SELECT m.member_id, r.role_id FROM role_assignments r JOIN group_members m ON m.group_id = r.principal_id WHERE m.member_type = 'user'`

// RolesOf returns the template ids of a user's roles, in the order of the ids.
func RolesOf(ctx context.Context, d db.Querier, userID string) ([]string, error) {
	rows, err := d.QueryContext(ctx, rolesSQL+` ORDER BY role_id`, userID)
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}

// AssignedRoles returns the template ids of the roles assigned to a principal
// itself, not through groups.
func AssignedRoles(ctx context.Context, d db.Querier, id string) ([]string, error) {
	return ids(d.QueryContext(ctx, `SELECT role_id FROM role_assignments WHERE principal_id = $1 ORDER BY role_id`, id))
}

// rolesTable is the built-in roles as a table that $filter can be asked of:
// WITH roles (id, name, name_key, built_in) AS (…). It holds our own text only.
var rolesTable = func() string {
	rows := make([]string, len(Roles))
	for i, r := range Roles {
		rows[i] = "('" + r.ID + "', '" + r.DisplayName + "', '" + strings.ToLower(r.DisplayName) + "', TRUE)"
	}
	return `WITH roles (id, name, name_key, built_in) AS (VALUES ` + strings.Join(rows, ", ") + `) `
}()

// RoleSchema says what may be asked of directoryRoles and their templates,
// DefinitionSchema what of roleDefinitions.
var (
	RoleSchema = odata.Schema{
		"id":             {Column: "id", Folded: true},
		"roleTemplateId": {Column: "id", Folded: true},
		"displayName":    {Column: "name_key", Folded: true, Sort: true},
	}
	DefinitionSchema = odata.Schema{
		"id":          {Column: "id", Folded: true},
		"templateId":  {Column: "id", Folded: true},
		"displayName": {Column: "name_key", Folded: true, Sort: true},
		"isBuiltIn":   {Column: "built_in", Kind: odata.Boolean},
	}
)

// FindRoles returns one page of the built-in roles, and one more if there is a
// next page.
func FindRoles(ctx context.Context, d db.Querier, q odata.Query) ([]Role, error) {
	s := new(odata.SQL).Text(rolesTable+`SELECT id FROM roles WHERE `).Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, role *Role) error {
		var id string
		err := r.Scan(&id)
		*role = FindRole(id)
		return err
	})
}

// CountFoundRoles returns how many roles q selects, on all pages.
func CountFoundRoles(ctx context.Context, d db.Querier, q odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(rolesTable + `SELECT count(*) FROM roles WHERE `).Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// RolePrincipals returns the ids of up to limit principals that a role is
// assigned to, behind the id after, in the order of their ids.
func RolePrincipals(ctx context.Context, d db.Querier, roleID, after string, limit int) ([]string, error) {
	rows, err := d.QueryContext(ctx, `SELECT principal_id FROM role_assignments WHERE role_id = $1 AND principal_id > $2 ORDER BY principal_id LIMIT `+strconv.Itoa(limit), roleID, after)
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}
