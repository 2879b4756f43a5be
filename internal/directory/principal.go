package directory

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// Principal is whoever or whatever can hold a role.
type Principal struct {
	ID             string
	Type           string // user, group or servicePrincipal
	DisplayName    string
	RoleAssignable bool // a group that roles can be assigned to

	upn string
}

// GetPrincipal returns the user (also by user name), the group or the service
// principal with an id.
func GetPrincipal(ctx context.Context, q db.Querier, id string) (Principal, error) {
	column, id := "id", strings.ToLower(id)
	if strings.Contains(id, "@") {
		column = "upn_key"
	}
	var p Principal
	err := q.QueryRowContext(ctx, `SELECT id, 'user', display_name, upn, FALSE FROM users WHERE `+column+` = $1 AND deleted_at = 0
		UNION ALL SELECT id, 'group', display_name, '', role_assignable FROM groups WHERE id = $1 AND deleted_at = 0
		UNION ALL SELECT id, 'servicePrincipal', display_name, '', FALSE FROM service_principals WHERE id = $1`, id).
		Scan(&p.ID, &p.Type, &p.DisplayName, &p.upn, &p.RoleAssignable)
	if err := db.Err("The principal", err); problem.KindOf(err) == problem.NotFound {
		return p, problem.New(problem.NotFound, "notFound", "There is no user, group or service principal %s.", id).On("principalId")
	}
	return p, err
}

func (p Principal) target() audit.Target {
	t := audit.Target{ID: p.ID, DisplayName: p.DisplayName, Type: "ServicePrincipal", UserPrincipalName: p.upn, ModifiedProperties: []audit.Modified{}}
	switch p.Type {
	case kindUser:
		t.Type = "User"
	case kindGroup:
		t.Type = "Group"
	}
	return t
}

// UsersByID returns those of the ids that are people, in no order.
func UsersByID(ctx context.Context, q db.Querier, ids []string) ([]User, error) {
	return byID(ctx, q, `SELECT `+wholeColumns+` FROM users WHERE deleted_at = 0 AND id IN `, ids, func(r *sql.Rows, u *User) error { return scanWhole(r, u) })
}

// GroupsByID returns those of the ids that are groups, in no order.
func GroupsByID(ctx context.Context, q db.Querier, ids []string) ([]Group, error) {
	return byID(ctx, q, `SELECT `+groupColumns+` FROM groups WHERE deleted_at = 0 AND id IN `, ids, func(r *sql.Rows, g *Group) error { return scanGroup(r, g) })
}

// ServicePrincipalsAmong returns those of the ids that are service principals.
func ServicePrincipalsAmong(ctx context.Context, q db.Querier, ids []string) ([]string, error) {
	return byID(ctx, q, `SELECT id FROM service_principals WHERE id IN `, ids, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}

const idChunk = 250 // ids of one statement

// byID runs a text that ends in IN with the ids in parentheses.
func byID[T any](ctx context.Context, q db.Querier, text string, ids []string, scan func(*sql.Rows, *T) error) ([]T, error) {
	var out []T
	for chunk := range slices.Chunk(ids, idChunk) {
		s := new(odata.SQL).Text(text + `(`)
		for i, id := range chunk {
			if i > 0 {
				s.Text(", ")
			}
			s.Arg(id)
		}
		rows, err := q.QueryContext(ctx, s.Text(`)`).String(), s.Args...)
		some, err := db.Collect(rows, err, scan)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// GroupIDsOf returns the ids of the groups that a user or a group is in,
// directly or through other groups, in the order of the ids.
func GroupIDsOf(ctx context.Context, q db.Querier, memberID string, securityOnly bool) ([]string, error) {
	text := `WITH RECURSIVE above (id) AS (
		SELECT group_id FROM group_members WHERE member_id = $1
		UNION SELECT m.group_id FROM group_members m JOIN above ON m.member_id = above.id)
		SELECT g.id FROM above JOIN groups g ON g.id = above.id WHERE g.deleted_at = 0`
	if securityOnly {
		text += ` AND g.security_enabled`
	}
	rows, err := q.QueryContext(ctx, text+` ORDER BY g.id`, memberID)
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}
