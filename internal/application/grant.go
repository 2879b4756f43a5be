package application

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// grant makes the assignments and consents that the lists of cardea ask for,
// where they differ from was. What it does not name stays as it is, so that
// details that the lists cannot say are not lost.
func (a *Application) grant(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, was Extra) error {
	added, removed := difference(was.Permissions, a.Cardea.Permissions)
	more, less := difference(was.Scopes, a.Cardea.Scopes)
	if len(added)+len(removed)+len(more)+len(less) == 0 {
		return nil
	}
	if a.principal.id == "" {
		return a.Usable()
	}
	for _, name := range removed {
		on, value, err := permission(ctx, q, name)
		if err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM app_role_assignments WHERE principal_id = $1 AND resource_id = $2 AND ($3 = '' OR value = $3)`, a.principal.id, on, value); err != nil {
			return err
		}
	}
	for _, name := range added {
		on, value, err := permission(ctx, q, name)
		if err != nil {
			return err
		}
		role := NoRole
		if value != "" {
			role = PermissionID(value, false)
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO app_role_assignments (id, principal_id, principal_type, resource_id, app_role_id, value, created_at)
			VALUES ($1, $2, 'ServicePrincipal', $3, $4, $5, $6) ON CONFLICT DO NOTHING`, db.NewID(now), a.principal.id, on, role, value, now.UnixMilli()); err != nil {
			return err
		}
	}
	if err := a.consent(ctx, q, now, more, less); err != nil {
		return err
	}
	t := audit.Target{ID: a.principal.id, DisplayName: a.DisplayName, Type: "ServicePrincipal", ModifiedProperties: []audit.Modified{}}
	for _, l := range []struct {
		name          string
		before, after []string
	}{{"applicationPermissions", was.Permissions, a.Cardea.Permissions}, {"delegatedPermissions", was.Scopes, a.Cardea.Scopes}} {
		if text(list(l.before)) != text(list(l.after)) {
			t.ModifiedProperties = append(t.ModifiedProperties, audit.Change(l.name, list(l.before), list(l.after)))
		}
	}
	if err := db.Bump(ctx, q, VersionName); err != nil {
		return err
	}
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: "Change permissions of application", Category: "ApplicationManagement", OperationType: "Assign",
		TargetResources: []audit.Target{t}})
}

// consent adds and removes delegated permissions for everybody.
func (a *Application) consent(ctx context.Context, q db.Querier, now time.Time, more, less []string) error {
	byAPI := map[string][]string{}
	for _, name := range slices.Concat(more, less) {
		on, _, err := permission(ctx, q, name)
		if err != nil {
			return err
		}
		var scope string
		err = q.QueryRowContext(ctx, `SELECT scope FROM oauth2_permission_grants WHERE client_id = $1 AND principal_id = '' AND resource_id = $2`, a.principal.id, on).Scan(&scope)
		if err != nil && err != sql.ErrNoRows {
			return err
		}
		byAPI[on] = strings.Fields(scope)
	}
	for _, name := range less {
		on, value, err := permission(ctx, q, name)
		if err != nil {
			return err
		}
		byAPI[on] = slices.DeleteFunc(byAPI[on], func(s string) bool { return value == "" || strings.EqualFold(s, value) })
	}
	for _, name := range more {
		on, value, err := permission(ctx, q, name)
		if err != nil {
			return err
		}
		if value == "" {
			value = UserImpersonation
		}
		byAPI[on] = append(byAPI[on], value)
	}
	for on, scopes := range byAPI {
		text, args := `DELETE FROM oauth2_permission_grants WHERE client_id = $1 AND principal_id = '' AND resource_id = $2`, []any{a.principal.id, on}
		if len(scopes) > 0 {
			text = `INSERT INTO oauth2_permission_grants (client_id, principal_id, resource_id, id, scope, created_at) VALUES ($1, '', $2, $3, $4, $5)
				ON CONFLICT (client_id, principal_id, resource_id) DO UPDATE SET scope = excluded.scope`
			args = append(args, db.NewID(now), strings.Join(scopes, " "), now.UnixMilli())
		}
		if _, err := q.ExecContext(ctx, text, args...); err != nil {
			return err
		}
	}
	return nil
}

// UserImpersonation is the delegated permission of an API that names none.
const UserImpersonation = "user_impersonation"

// permission reads an entry of the lists of cardea: a permission of Graph, or
// the client id of another API, whose value is "".
func permission(ctx context.Context, q db.Querier, name string) (principalID, value string, err error) {
	if !isGUID(name) {
		return GraphPrincipalID, name, nil
	}
	err = q.QueryRowContext(ctx, `SELECT id FROM service_principals WHERE app_id = $1`, strings.ToLower(name)).Scan(&principalID)
	if err == sql.ErrNoRows {
		err = problem.New(problem.Invalid, "resourceUnknown", "There is no API with the client id %s here. Look at the client ids of the applications.", name).On("cardea")
	}
	return principalID, "", err
}

// difference compares two lists of names, in any case.
func difference(was, is []string) (added, removed []string) {
	has := func(l []string, s string) bool {
		return slices.ContainsFunc(l, func(x string) bool { return strings.EqualFold(x, s) })
	}
	for _, s := range is {
		if !has(was, s) && !has(added, s) {
			added = append(added, s)
		}
	}
	for _, s := range was {
		if !has(is, s) {
			removed = append(removed, s)
		}
	}
	return added, removed
}

// adopt moves the permissions that earlier versions kept in columns of their
// own to where they are kept now, once.
func adopt(ctx context.Context, d *db.DB, now time.Time) error {
	const marker = "applicationGrants"
	if v, err := db.Version(ctx, d, marker); err != nil || v > 0 {
		return err
	}
	return d.Write(ctx, func(q db.Querier) error {
		if err := db.Bump(ctx, q, marker); err != nil { // also the lock between nodes that start together
			return err
		}
		if v, err := db.Version(ctx, q, marker); err != nil || v > 1 {
			return err
		}
		type old struct{ id, permissions, scopes string }
		rows, err := q.QueryContext(ctx, `SELECT id, permissions, scopes FROM applications WHERE permissions <> '[]' OR scopes <> '[]'`)
		all, err := db.Collect(rows, err, func(r *sql.Rows, o *old) error { return r.Scan(&o.id, &o.permissions, &o.scopes) })
		if err != nil {
			return err
		}
		for _, o := range all {
			a, err := Get(ctx, q, o.id)
			if err != nil {
				return err
			}
			was := a.Cardea
			if err := json.Unmarshal([]byte(o.permissions), &a.Cardea.Permissions); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(o.scopes), &a.Cardea.Scopes); err != nil {
				return err
			}
			known := func(name string) bool { _, _, err := permission(ctx, q, name); return err == nil }
			a.Cardea.Permissions = slices.DeleteFunc(a.Cardea.Permissions, func(n string) bool { return !known(n) })
			a.Cardea.Scopes = slices.DeleteFunc(a.Cardea.Scopes, func(n string) bool { return !known(n) })
			if err := a.grant(ctx, q, audit.System("upgrade"), now, was); err != nil {
				return err
			}
		}
		return nil
	})
}
