package application

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// direct selects the assignments on $1 of the user $2: own ones, and those of
// groups that the user is directly in. Entra does not look into groups inside
// groups either.
const direct = ` FROM app_role_assignments r WHERE r.resource_id = $1
	AND (r.principal_id = $2 OR r.principal_id IN (SELECT group_id FROM group_members WHERE member_id = $2))`

// RolesFor returns the values of the app roles of a person in an application:
// the claim roles. An application without roles costs no query.
func RolesFor(ctx context.Context, q db.Querier, a *Application, userID string) ([]string, error) {
	if len(a.AppRoles) == 0 {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, `SELECT DISTINCT r.value`+direct+` AND r.value <> '' ORDER BY r.value`, a.principal.id, userID)
	return db.Collect(rows, err, func(r *sql.Rows, value *string) error { return r.Scan(value) })
}

// Admit reports why a person may not sign in to an application: it wants
// people to be assigned, and this one is not, neither by name nor by a group
// that the person is directly in.
func Admit(ctx context.Context, q db.Querier, a *Application, userID string) error {
	if !a.principal.assignmentRequired {
		return nil
	}
	var n int
	if err := q.QueryRowContext(ctx, `SELECT count(*)`+direct, a.principal.id, userID).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return problem.New(problem.Forbidden, "notAssigned", "%s is for people who were assigned to it, and you are not among them. Ask your administrator to assign you, or a group that you are directly in.", a.DisplayName)
	}
	return nil
}

// maxGroups is how many ids the claim groups has at most, as in Entra.
const maxGroups = 200

// Groups is what groupMembershipClaims gives a token.
type Groups struct {
	IDs     []string // claim groups
	Roles   []string // claim wids: template ids of directory roles
	TooMany bool     // more than 200: the token says where to ask instead
}

// GroupsFor returns the groups of a person that an application wants to see in
// tokens; nothing, and no query, unless its groupMembershipClaims asks.
func GroupsFor(ctx context.Context, q db.Querier, a *Application, userID string) (g Groups, err error) {
	want := func(names ...string) bool {
		for part := range strings.SplitSeq(a.GroupMembershipClaims, ",") {
			if slices.Contains(names, strings.TrimSpace(part)) {
				return true
			}
		}
		return false
	}
	groups, roles, assigned := want("SecurityGroup", "All"), want("DirectoryRole", "All"), want("ApplicationGroup")
	if !groups && !roles && !assigned {
		return g, nil
	}
	if roles {
		if g.Roles, err = directory.RolesOf(ctx, q, userID); err != nil {
			return g, err
		}
	}
	switch {
	case groups:
		all, err := directory.MemberOf(ctx, q, userID)
		if err != nil {
			return g, err
		}
		g.IDs = slices.DeleteFunc(all, func(id string) bool { return directory.RoleName(id) != "" })
	case assigned:
		rows, err := q.QueryContext(ctx, `SELECT DISTINCT r.principal_id`+direct+` AND r.principal_type = 'Group'`, a.principal.id, userID)
		if g.IDs, err = db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) }); err != nil {
			return g, err
		}
	}
	slices.Sort(g.IDs)
	if len(g.IDs) > maxGroups {
		g.IDs, g.TooMany = nil, true
	}
	return g, nil
}
