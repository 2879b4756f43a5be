package application

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// Consent is Graph's oAuth2PermissionGrant: what an application may do on an
// API for everybody, or for one person. This is the one place where that is
// kept.
type Consent struct {
	ID          string  `json:"id"`
	ClientID    string  `json:"clientId"`    // service principal of the application
	ConsentType string  `json:"consentType"` // AllPrincipals, Principal
	PrincipalID *string `json:"principalId"` // the person; null for AllPrincipals
	ResourceID  string  `json:"resourceId"`  // service principal of the API
	Scope       string  `json:"scope"`       // names, separated by blanks
}

// ConsentSchema says what $filter may name on consents.
var ConsentSchema = odata.Schema{
	"id":          {Column: "g.id", Folded: true},
	"clientId":    {Column: "g.client_id", Folded: true},
	"consentType": {Column: "CASE WHEN g.principal_id = '' THEN 'AllPrincipals' ELSE 'Principal' END"},
	"principalId": {Column: "g.principal_id", Folded: true},
	"resourceId":  {Column: "g.resource_id", Folded: true},
}

// ConsentPaging is the page size; the order is that of the ids, oldest first.
var ConsentPaging = odata.Paging{Default: 100, Max: 999}

const consentColumns = `g.id, g.client_id, g.principal_id, g.resource_id, g.scope FROM oauth2_permission_grants g`

func scanConsent(r interface{ Scan(...any) error }, c *Consent) error {
	var person string
	err := r.Scan(&c.ID, &c.ClientID, &person, &c.ResourceID, &c.Scope)
	c.ConsentType = "AllPrincipals"
	if person != "" {
		c.ConsentType, c.PrincipalID = "Principal", &person
	}
	return err
}

// FindConsents returns one page of consents, and one more if there is a next
// page: all, or those that an application has (side.Principal is its service
// principal), or those of a person.
func FindConsents(ctx context.Context, q db.Querier, query odata.Query, of ConsentsOf) ([]Consent, error) {
	s := new(odata.SQL).Text(`SELECT ` + consentColumns + ` WHERE `)
	of.conditions(s)
	s.Page(query, "g.id")
	rows, err := q.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, c *Consent) error { return scanConsent(r, c) })
}

// ConsentsOf narrows consents to those of one application or one person.
type ConsentsOf struct{ Client, Person string }

func (o ConsentsOf) conditions(s *odata.SQL) {
	if o.Client != "" {
		s.Text(`g.client_id = `).Arg(o.Client).Text(` AND `)
	}
	if o.Person != "" {
		s.Text(`g.principal_id = `).Arg(o.Person).Text(` AND `)
	}
}

// GetConsent returns one consent.
func GetConsent(ctx context.Context, q db.Querier, id string) (c Consent, err error) {
	err = scanConsent(q.QueryRowContext(ctx, `SELECT `+consentColumns+` WHERE g.id = $1`, strings.ToLower(id)), &c)
	return c, db.Err("The permission grant "+clip(id), err)
}

const maxScope = 4000 // characters of one consent

func checkConsent(c *Consent, api ServicePrincipal) error {
	names := strings.Fields(c.Scope)
	c.Scope = strings.Join(names, " ")
	if len(names) == 0 || len(c.Scope) > maxScope {
		return refuse("scope", "The scope has 1 to %d characters: names of delegated permissions with blanks between.", maxScope)
	}
	for i, name := range names {
		if slices.ContainsFunc(names[:i], func(s string) bool { return strings.EqualFold(s, name) }) {
			return problem.New(problem.Invalid, "duplicateValue", "The scope %s is there twice.", clip(name)).On("scope")
		}
		known := slices.ContainsFunc(api.OAuth2PermissionScopes, func(s Scope) bool { return s.IsEnabled && strings.EqualFold(s.Value, name) })
		if api.ID == GraphPrincipalID {
			known = permissionShape(name) // also those of Graph's that only Entra has: they open nothing here
		}
		if !known && !strings.EqualFold(name, UserImpersonation) {
			return refuse("scope", "%s has no delegated permission %q. GET its service principal to see oauth2PermissionScopes.", api.DisplayName, clip(name))
		}
	}
	return nil
}

// Grant stores c, of which all but the id counts.
func (k Catalogue) Grant(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, c Consent) (Consent, error) {
	client, err := k.GetPrincipal(ctx, q, c.ClientID)
	if err != nil {
		return c, problem.New(problem.Invalid, "principalUnknown", "There is no service principal %q. clientId is the object id of the service principal, not the client id.", clip(c.ClientID)).On("clientId")
	}
	api, err := k.GetPrincipal(ctx, q, c.ResourceID)
	if err != nil {
		return c, problem.New(problem.Invalid, "resourceUnknown", "There is no service principal %q. resourceId is the object id of the service principal of the API.", clip(c.ResourceID)).On("resourceId")
	}
	person := ""
	switch {
	case c.ConsentType == "AllPrincipals" && (c.PrincipalID == nil || *c.PrincipalID == ""):
	case c.ConsentType == "Principal" && c.PrincipalID != nil:
		u, err := directory.GetUser(ctx, q, strings.ToLower(*c.PrincipalID))
		if err != nil {
			return c, problem.New(problem.Invalid, "principalUnknown", "There is no user %q. principalId is the object id of a person.", clip(*c.PrincipalID)).On("principalId")
		}
		person = u.ID
	default:
		return c, refuse("consentType", "consentType is AllPrincipals, without principalId, or Principal, with it.")
	}
	if err := checkConsent(&c, api); err != nil {
		return c, err
	}
	c.ID, c.ClientID, c.ResourceID, c.PrincipalID = db.NewID(now), client.ID, api.ID, nil
	if person != "" {
		c.PrincipalID = &person
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO oauth2_permission_grants (id, client_id, principal_id, resource_id, scope, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		c.ID, c.ClientID, person, c.ResourceID, c.Scope, now.UnixMilli()); err != nil {
		return c, db.Err("A permission grant for this client, resource and person", err)
	}
	return c, c.changed(ctx, q, by, now, scopeChange{client, "Add", "", c.Scope})
}

// UpdateConsent applies change, of which the scope counts, to a stored consent.
func (k Catalogue) UpdateConsent(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, change func(*Consent) error) (Consent, error) {
	was, err := GetConsent(ctx, q, id)
	if err != nil {
		return was, err
	}
	c := was
	if err := change(&c); err != nil {
		return c, err
	}
	c.ID, c.ClientID, c.ConsentType, c.PrincipalID, c.ResourceID = was.ID, was.ClientID, was.ConsentType, was.PrincipalID, was.ResourceID
	client, err := k.GetPrincipal(ctx, q, c.ClientID)
	if err != nil {
		return c, err
	}
	api, err := k.GetPrincipal(ctx, q, c.ResourceID)
	if err != nil {
		return c, err
	}
	if err := checkConsent(&c, api); err != nil {
		return c, err
	}
	if _, err := q.ExecContext(ctx, `UPDATE oauth2_permission_grants SET scope = $1 WHERE id = $2`, c.Scope, c.ID); err != nil {
		return c, err
	}
	return c, c.changed(ctx, q, by, now, scopeChange{client, "Update", was.Scope, c.Scope})
}

// Withdraw removes a consent. The application loses it at once for Graph, and
// with the next token for other APIs.
func (k Catalogue) Withdraw(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string) error {
	c, err := GetConsent(ctx, q, id)
	if err != nil {
		return err
	}
	client, err := k.GetPrincipal(ctx, q, c.ClientID)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM oauth2_permission_grants WHERE id = $1`, c.ID); err != nil {
		return err
	}
	return c.changed(ctx, q, by, now, scopeChange{client, "Remove", c.Scope, ""})
}

// scopeChange is what the audit log says of a change of a consent.
type scopeChange struct {
	client        ServicePrincipal
	verb          string // Add, Update, Remove
	before, after string
}

func (c *Consent) changed(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, s scopeChange) error {
	if err := db.Bump(ctx, q, VersionName); err != nil {
		return err
	}
	if err := explicitly(ctx, q, s.client.ID); err != nil {
		return err
	}
	t := s.client.target()
	t.ModifiedProperties = append(t.ModifiedProperties, audit.Change("DelegatedPermissionGrant.Scope", s.before, s.after),
		audit.Change("DelegatedPermissionGrant.ConsentType", nil, c.ConsentType))
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: s.verb + " delegated permission grant", Category: "ApplicationManagement",
		OperationType: map[string]string{"Add": "Assign", "Update": "Update", "Remove": "Unassign"}[s.verb], TargetResources: []audit.Target{t}})
}

// PersonalScopes returns the delegated permissions on the API with the client
// id appID that the application has for one person beyond those of everybody.
// It reads the database only if the application has any such consents.
func PersonalScopes(ctx context.Context, q db.Querier, a *Application, userID, appID string) ([]string, error) {
	if !a.personal {
		return nil, nil
	}
	var scope string
	err := q.QueryRowContext(ctx, `SELECT g.scope FROM oauth2_permission_grants g JOIN service_principals s ON s.id = g.resource_id
		WHERE g.client_id = $1 AND g.principal_id = $2 AND s.app_id = $3`, a.principal.id, userID, strings.ToLower(appID)).Scan(&scope)
	if err == sql.ErrNoRows {
		err = nil
	}
	return strings.Fields(scope), err
}

// Personal reports whether the application has consents of single people: what
// it may do is then known only when the person is.
func (a *Application) Personal() bool { return a.personal }

// EveryScope returns all delegated permissions on Graph that the application
// has for anybody: for everybody and for single people.
func EveryScope(ctx context.Context, q db.Querier, a *Application) ([]string, error) {
	out := slices.Clone(a.ScopesOn(GraphAppID))
	rows, err := q.QueryContext(ctx, `SELECT scope FROM oauth2_permission_grants WHERE client_id = $1 AND resource_id = $2 AND principal_id <> ''`, a.principal.id, GraphPrincipalID)
	all, err := db.Collect(rows, err, func(r *sql.Rows, s *string) error { return r.Scan(s) })
	for _, scope := range all {
		out = append(out, strings.Fields(scope)...)
	}
	return out, err
}
