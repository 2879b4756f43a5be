package application

import (
	"context"
	"crypto/x509"
	"database/sql"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/db"
)

// few is how many applications are read by their ids; more are read with all.
const few = 200

// attach reads what other tables hold of apps: credentials, service
// principals and what they were granted.
func attach(ctx context.Context, q db.Querier, apps []Application) error {
	if len(apps) == 0 {
		return nil
	}
	byID, byAppID := map[string]*Application{}, map[string]*Application{}
	for i := range apps {
		byID[apps[i].ID], byAppID[apps[i].AppID] = &apps[i], &apps[i]
	}
	for _, read := range []func(context.Context, db.Querier, map[string]*Application) error{readSecrets, readCertificates} {
		if err := read(ctx, q, byID); err != nil {
			return err
		}
	}
	byPrincipal, err := readPrincipals(ctx, q, byAppID)
	if err != nil {
		return err
	}
	if err := readGranted(ctx, q, byPrincipal); err != nil {
		return err
	}
	for i := range apps {
		apps[i].view()
	}
	return nil
}

// among is a condition that column is one of the keys of m, if they are few.
func among(column string, m map[string]*Application, args ...any) (string, []any) {
	if len(m) == 0 || len(m) > few {
		return "1 = 1", args
	}
	var b strings.Builder
	b.WriteString(column + " IN (")
	for id := range m {
		if args = append(args, id); len(args) > 1 && b.String()[b.Len()-1] != '(' {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(len(args)))
	}
	return b.String() + ")", args
}

func readSecrets(ctx context.Context, q db.Querier, byID map[string]*Application) error {
	where, args := among("application_id", byID)
	rows, err := q.QueryContext(ctx, `SELECT id, application_id, display_name, hint, hash, created_at, starts_at, expires_at, of_principal
		FROM application_secrets WHERE `+where+` ORDER BY created_at, id`, args...)
	_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var c PasswordCredential
		var app string
		var hash []byte
		var created, starts, expires int64
		if err := r.Scan(&c.KeyID, &app, &c.DisplayName, &c.Hint, &hash, &created, &starts, &expires, &c.ofPrincipal); err != nil {
			return err
		}
		a := byID[app]
		if a == nil {
			return nil
		}
		if starts == 0 {
			starts = created
		}
		c.StartDateTime, c.EndDateTime = db.Time(starts), db.Time(expires)
		a.secrets = append(a.secrets, secret{hash, c.StartDateTime, c.EndDateTime})
		if c.ofPrincipal {
			a.ofSP.passwords = append(a.ofSP.passwords, c)
		} else {
			a.PasswordCredentials = append(a.PasswordCredentials, c)
		}
		return nil
	})
	return err
}

func readCertificates(ctx context.Context, q db.Querier, byID map[string]*Application) error {
	where, args := among("application_id", byID)
	rows, err := q.QueryContext(ctx, `SELECT id, application_id, display_name, certificate, starts_at, expires_at, custom_id, of_principal
		FROM application_certificates WHERE `+where+` ORDER BY created_at, id`, args...)
	_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var id, app, name, custom string
		var der []byte
		var starts, expires int64
		var ofPrincipal bool
		if err := r.Scan(&id, &app, &name, &der, &starts, &expires, &custom, &ofPrincipal); err != nil {
			return err
		}
		a := byID[app]
		if a == nil {
			return nil
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		k, c := describe(id, name, cert), certificate{cert: cert}
		if starts != 0 {
			k.StartDateTime, c.starts = db.Time(starts), db.Time(starts)
		}
		if expires != 0 {
			k.EndDateTime, c.expires = db.Time(expires), db.Time(expires)
		}
		if custom != "" {
			k.CustomKeyIdentifier = custom
		}
		k.ofPrincipal = ofPrincipal
		a.certs = append(a.certs, c)
		if ofPrincipal {
			a.ofSP.keys = append(a.ofSP.keys, k)
		} else {
			a.KeyCredentials = append(a.KeyCredentials, k)
		}
		return nil
	})
	return err
}

func readPrincipals(ctx context.Context, q db.Querier, byAppID map[string]*Application) (map[string]*Application, error) {
	byPrincipal := map[string]*Application{}
	where, args := among("app_id", byAppID)
	rows, err := q.QueryContext(ctx, `SELECT id, app_id, enabled, assignment_required FROM service_principals WHERE `+where, args...)
	_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var p principal
		var appID string
		if err := r.Scan(&p.id, &appID, &p.enabled, &p.assignmentRequired); err != nil {
			return err
		}
		if a := byAppID[appID]; a != nil {
			a.principal, byPrincipal[p.id] = p, a
		}
		return nil
	})
	return byPrincipal, err
}

func readGranted(ctx context.Context, q db.Querier, byPrincipal map[string]*Application) error {
	if len(byPrincipal) == 0 {
		return nil
	}
	where, args := among("r.principal_id", byPrincipal)
	rows, err := q.QueryContext(ctx, `SELECT r.principal_id, s.app_id, r.value FROM app_role_assignments r JOIN service_principals s ON s.id = r.resource_id
		WHERE r.principal_type = 'ServicePrincipal' AND `+where+` ORDER BY r.id`, args...)
	_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var id, api, value string
		if err := r.Scan(&id, &api, &value); err != nil {
			return err
		}
		if a := byPrincipal[id]; a != nil {
			g := a.on(api)
			g.api = true
			if value != "" {
				g.roles = append(g.roles, value)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	where, args = among("g.client_id", byPrincipal)
	rows, err = q.QueryContext(ctx, `SELECT g.client_id, s.app_id, g.scope FROM oauth2_permission_grants g JOIN service_principals s ON s.id = g.resource_id
		WHERE g.principal_id = '' AND `+where, args...)
	if _, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var id, api, scope string
		if err := r.Scan(&id, &api, &scope); err != nil {
			return err
		}
		if a := byPrincipal[id]; a != nil {
			a.on(api).scopes = strings.Fields(scope)
		}
		return nil
	}); err != nil {
		return err
	}
	rows, err = q.QueryContext(ctx, `SELECT DISTINCT g.client_id FROM oauth2_permission_grants g WHERE g.principal_id <> '' AND `+where, args...)
	_, err = db.Collect(rows, err, func(r *sql.Rows, id *string) error {
		if err := r.Scan(id); err != nil {
			return err
		}
		if a := byPrincipal[*id]; a != nil {
			a.personal = true
		}
		return nil
	})
	return err
}

func (a *Application) on(api string) *granted {
	if a.granted == nil {
		a.granted = map[string]*granted{}
	}
	if a.granted[api] == nil {
		a.granted[api] = &granted{}
	}
	return a.granted[api]
}

// view fills the two lists of cardea from what was granted: names of Graph's
// permissions, and the client ids of other APIs.
func (a *Application) view() {
	a.Cardea.Permissions, a.Cardea.Scopes = []string{}, []string{}
	if g := a.granted[GraphAppID]; g != nil {
		a.Cardea.Permissions, a.Cardea.Scopes = append(a.Cardea.Permissions, g.roles...), append(a.Cardea.Scopes, g.scopes...)
		slices.Sort(a.Cardea.Permissions)
	}
	for _, api := range slices.Sorted(maps.Keys(a.granted)) {
		g := a.granted[api]
		if api != GraphAppID && g.api {
			a.Cardea.Permissions = append(a.Cardea.Permissions, api)
		}
		if api != GraphAppID && len(g.scopes) > 0 {
			a.Cardea.Scopes = append(a.Cardea.Scopes, api)
		}
	}
	a.defaults()
}
