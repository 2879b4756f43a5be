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
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// ServicePrincipal is Graph's object for what an application may do, and who
// may use it, in this organisation. It is made with its application; it counts
// as asked for, and lists show it, once somebody posts or changes it.
//
// What the application says (AppRoles, ReplyURLs …) is read from there and
// changes there.
type ServicePrincipal struct {
	ID                        string `json:"id"`
	AppID                     string `json:"appId"`
	DisplayName               string `json:"displayName"`
	AppDisplayName            string `json:"appDisplayName"`
	ServicePrincipalType      string `json:"servicePrincipalType"` // Application
	AccountEnabled            bool   `json:"accountEnabled"`
	AppRoleAssignmentRequired bool   `json:"appRoleAssignmentRequired"` // only who is assigned signs in
	PrincipalDocument
	Homepage               string               `json:"homepage"`
	LogoutURL              string               `json:"logoutUrl"`
	AppDescription         string               `json:"appDescription"`
	SignInAudience         string               `json:"signInAudience"`
	AppRoles               []AppRole            `json:"appRoles"`
	OAuth2PermissionScopes []Scope              `json:"oauth2PermissionScopes"`
	Info                   Info                 `json:"info"`
	ReplyURLs              []string             `json:"replyUrls"`
	ServicePrincipalNames  []string             `json:"servicePrincipalNames"`
	PasswordCredentials    []PasswordCredential `json:"passwordCredentials"`
	KeyCredentials         []KeyCredential      `json:"keyCredentials"`
	DeletedDateTime        *time.Time           `json:"deletedDateTime,omitempty"` // set in the deleted items only
	Version                int64                `json:"-"`

	applicationID      string // "" for what is built in
	builtIn, unrequest bool   // unrequest: nobody asked for it yet
}

// PrincipalDocument is kept as it was sent.
type PrincipalDocument struct {
	AlternativeNames           []string      `json:"alternativeNames"`
	Description                string        `json:"description"`
	LoginURL                   string        `json:"loginUrl"`
	Notes                      string        `json:"notes"`
	NotificationEmailAddresses []string      `json:"notificationEmailAddresses"`
	PreferredSingleSignOnMode  string        `json:"preferredSingleSignOnMode"`
	PreferredTokenSigningKey   string        `json:"preferredTokenSigningKeyThumbprint"`
	SAML                       *SAMLSettings `json:"samlSingleSignOnSettings"`
	Tags                       []string      `json:"tags"`
}

// SAMLSettings is Graph's samlSingleSignOnSettings; there is no SAML here.
type SAMLSettings struct {
	RelayState Text `json:"relayState"`
}

// PrincipalSchema says what $filter, $search and $orderby may name on service principals.
var PrincipalSchema = odata.Schema{
	"id":                   {Column: "id", Folded: true},
	"appId":                {Column: "app_id", Folded: true},
	"displayName":          {Column: "display_name", Sort: true, Search: true},
	"servicePrincipalType": {Column: "type"},
	"accountEnabled":       {Column: "enabled", Kind: odata.Boolean},
	"tags":                 {Items: tagsOf("service_principals")},
	"servicePrincipalNames": {Items: &odata.Items{From: `(SELECT i.uri_key AS name, a.app_id AS app_id FROM application_identifiers i JOIN applications a ON a.id = i.application_id
		UNION ALL SELECT app_id, app_id FROM service_principals UNION ALL SELECT 'https://graph.microsoft.com', '` + GraphAppID + `') n WHERE TRUE`,
		Owner: "n.app_id", Row: "service_principals.app_id", Members: odata.Schema{"": {Column: "n.name", Folded: true}}}},
}

// PrincipalPaging is the page size and the usual order: by name.
var PrincipalPaging = odata.Paging{Default: 100, Max: 999, Order: []odata.Order{{Name: "displayName", Property: PrincipalSchema["displayName"]}}}

const principalColumns = `id, app_id, display_name, type, enabled, assignment_required, explicit, built_in, document, version`

func scanPrincipal(r interface{ Scan(...any) error }, p *ServicePrincipal) error {
	var document string
	var explicit bool
	if err := r.Scan(&p.ID, &p.AppID, &p.DisplayName, &p.ServicePrincipalType, &p.AccountEnabled, &p.AppRoleAssignmentRequired, &explicit, &p.builtIn, &document, &p.Version); err != nil {
		return err
	}
	p.unrequest, p.AppDisplayName, p.SignInAudience = !explicit, p.DisplayName, "AzureADMyOrg"
	return json.Unmarshal([]byte(document), &p.PrincipalDocument)
}

// GetPrincipal returns a service principal by its object id.
func (k Catalogue) GetPrincipal(ctx context.Context, q db.Querier, id string) (ServicePrincipal, error) {
	return k.getPrincipal(ctx, q, "id", id)
}

// GetPrincipalByAppID returns the service principal of a client id.
func (k Catalogue) GetPrincipalByAppID(ctx context.Context, q db.Querier, appID string) (ServicePrincipal, error) {
	return k.getPrincipal(ctx, q, "app_id", appID)
}

func (k Catalogue) getPrincipal(ctx context.Context, q db.Querier, column, value string) (p ServicePrincipal, err error) {
	err = scanPrincipal(q.QueryRowContext(ctx, `SELECT `+principalColumns+` FROM service_principals WHERE `+column+` = $1`, strings.ToLower(value)), &p)
	if err != nil {
		return p, db.Err("The service principal "+clip(value), err)
	}
	one := []ServicePrincipal{p}
	err = k.complete(ctx, q, one)
	return one[0], err
}

// FindPrincipals returns one page of service principals that somebody asked
// for, and one more if there is a next page.
func (k Catalogue) FindPrincipals(ctx context.Context, q db.Querier, query odata.Query) ([]ServicePrincipal, error) {
	s := new(odata.SQL).Text(`SELECT `+principalColumns+` FROM service_principals WHERE explicit AND `).Page(query, "id")
	rows, err := q.QueryContext(ctx, s.String(), s.Args...)
	all, err := db.Collect(rows, err, func(r *sql.Rows, p *ServicePrincipal) error { return scanPrincipal(r, p) })
	if err != nil {
		return nil, err
	}
	return all, k.complete(ctx, q, all)
}

// CountPrincipals returns how many service principals query selects, on all pages.
func CountPrincipals(ctx context.Context, q db.Querier, query odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM service_principals WHERE explicit AND `).Conditions(query)
	return n, q.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// complete adds what the applications of principals say.
func (k Catalogue) complete(ctx context.Context, q db.Querier, all []ServicePrincipal) error {
	wanted := map[string]*Application{}
	for _, p := range all {
		wanted[p.AppID] = nil
	}
	where, args := among("app_id", wanted)
	rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM applications WHERE `+where, args...)
	apps, err := db.Collect(rows, err, func(r *sql.Rows, a *Application) error { return scan(r, a) })
	if err != nil {
		return err
	}
	if err := attach(ctx, q, apps); err != nil {
		return err
	}
	for i := range apps {
		wanted[apps[i].AppID] = &apps[i]
	}
	for i := range all {
		all[i].from(wanted[all[i].AppID], k)
	}
	return nil
}

func (p *ServicePrincipal) from(a *Application, k Catalogue) {
	p.ServicePrincipalNames = []string{p.AppID}
	if a != nil {
		p.applicationID, p.AppDescription, p.Homepage, p.LogoutURL = a.ID, a.Description, string(a.Web.HomePageURL), string(a.Web.LogoutURL)
		p.AppRoles, p.OAuth2PermissionScopes, p.Info = a.AppRoles, a.API.OAuth2PermissionScopes, a.Info
		p.ReplyURLs = slices.Concat(a.Web.RedirectURIs, a.SPA.RedirectURIs, a.PublicClient.RedirectURIs)
		p.ServicePrincipalNames = append(p.ServicePrincipalNames, a.IdentifierURIs...)
		p.PasswordCredentials, p.KeyCredentials = a.ofSP.passwords, a.ofSP.keys
	}
	if p.AppID == GraphAppID {
		p.AppRoles, p.OAuth2PermissionScopes = k.roles(), k.scopes()
		p.ServicePrincipalNames = append(p.ServicePrincipalNames, "https://graph.microsoft.com")
	}
	p.whole()
}

func (p *ServicePrincipal) whole() {
	p.AlternativeNames, p.NotificationEmailAddresses, p.Tags = list(p.AlternativeNames), list(p.NotificationEmailAddresses), list(p.Tags)
	p.AppRoles, p.OAuth2PermissionScopes, p.ReplyURLs = list(p.AppRoles), list(p.OAuth2PermissionScopes), list(p.ReplyURLs)
	p.PasswordCredentials, p.KeyCredentials = list(p.PasswordCredentials), list(p.KeyCredentials)
}

func (p *ServicePrincipal) check() error {
	d := p.PrincipalDocument
	switch {
	case len(text(d)) > maxDocument/4:
		return refuse("", "This service principal has more than 64 KiB of settings. Shorten them.")
	case len(d.Description) > 1024 || len(d.Notes) > 1024:
		return refuse("notes", "Description and notes have at most 1024 characters.")
	case len(d.Tags) > maxTags || slices.ContainsFunc(d.Tags, func(t string) bool { return t == "" || len(t) > 256 }):
		return refuse("tags", "There are at most %d tags of 1 to 256 characters.", maxTags)
	case !slices.Contains([]string{"", "password", "saml", "notSupported", "oidc"}, d.PreferredSingleSignOnMode):
		return refuse("preferredSingleSignOnMode", "The mode is password, saml, notSupported or oidc, or null.")
	}
	return nil
}

// withPrincipal makes the service principal of a new application.
func (a *Application) withPrincipal(ctx context.Context, q db.Querier, now time.Time, explicit bool) error {
	a.principal = principal{id: db.NewID(now), enabled: true}
	_, err := q.ExecContext(ctx, `INSERT INTO service_principals (id, app_id, display_name, explicit, created_at) VALUES ($1, $2, $3, $4, $5)`,
		a.principal.id, a.AppID, a.DisplayName, explicit, now.UnixMilli())
	return db.Err("The service principal of "+a.AppID, err)
}

// CreatePrincipal makes the service principal of an application, or takes the
// one that was made with it. A second time is refused.
func (k Catalogue) CreatePrincipal(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, p ServicePrincipal) (ServicePrincipal, error) {
	a, err := GetByAppID(ctx, q, p.AppID)
	if err != nil {
		return p, problem.New(problem.Invalid, "applicationUnknown", "There is no application with the client id %q here, and none comes from elsewhere. Make the application first.", clip(p.AppID)).On("appId")
	}
	if a.principal.id == "" {
		if err := a.withPrincipal(ctx, q, now, false); err != nil {
			return p, err
		}
	}
	have, err := k.GetPrincipal(ctx, q, a.principal.id)
	if err != nil {
		return p, err
	}
	if !have.unrequest {
		return p, problem.New(problem.Conflict, "alreadyExists", "The service principal cannot be created: one for the appId %s exists already. Change that one.", a.AppID)
	}
	return k.changePrincipal(ctx, q, by, now, principalChange{have, "Add service principal", func(out *ServicePrincipal) error {
		out.PrincipalDocument, out.AccountEnabled, out.AppRoleAssignmentRequired = p.PrincipalDocument, p.AccountEnabled, p.AppRoleAssignmentRequired
		return nil
	}})
}

// UpdatePrincipal applies change to a stored service principal. What its
// application says stays.
func (k Catalogue) UpdatePrincipal(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, change func(*ServicePrincipal) error) (ServicePrincipal, error) {
	p, err := k.GetPrincipal(ctx, q, id)
	if err != nil {
		return p, err
	}
	return k.changePrincipal(ctx, q, by, now, principalChange{p, "Update service principal", change})
}

type principalChange struct {
	was      ServicePrincipal
	activity string
	change   func(*ServicePrincipal) error
}

func (k Catalogue) changePrincipal(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, c principalChange) (ServicePrincipal, error) {
	was, p := c.was, c.was
	if err := c.change(&p); err != nil {
		return p, err
	}
	passwords, keys := p.PasswordCredentials, p.KeyCredentials
	next := was
	next.PrincipalDocument, next.AccountEnabled, next.AppRoleAssignmentRequired = p.PrincipalDocument, p.AccountEnabled, p.AppRoleAssignmentRequired
	p = next
	p.whole()
	if err := p.check(); err != nil {
		return p, err
	}
	if p.builtIn && (!p.AccountEnabled || p.AppRoleAssignmentRequired) {
		return p, errBuiltIn
	}
	res, err := q.ExecContext(ctx, `UPDATE service_principals SET enabled = $1, assignment_required = $2, document = $3, explicit = TRUE, version = version + 1 WHERE id = $4 AND version = $5`,
		p.AccountEnabled, p.AppRoleAssignmentRequired, text(p.PrincipalDocument), p.ID, p.Version)
	if err != nil {
		return p, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return p, problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this service principal just now. Read it again.").Because(err)
	}
	if err := tag(ctx, q, p.ID, p.Tags); err != nil {
		return p, err
	}
	if err := p.changed(ctx, q, by, now, c.activity, audit.Change("accountEnabled", was.AccountEnabled, p.AccountEnabled),
		audit.Change("appRoleAssignmentRequired", was.AppRoleAssignmentRequired, p.AppRoleAssignmentRequired)); err != nil {
		return p, err
	}
	if text(passwords) != text(was.PasswordCredentials) || text(keys) != text(was.KeyCredentials) {
		a, err := p.Application(ctx, q)
		if err != nil {
			return p, err
		}
		for i := range keys {
			keys[i].ofPrincipal = true
		}
		if err := a.keepSecrets(ctx, q, by, now, was.PasswordCredentials, passwords); err != nil {
			return p, err
		}
		if err := a.keepCertificates(ctx, q, by, now, was.KeyCredentials, keys); err != nil {
			return p, err
		}
	}
	return k.GetPrincipal(ctx, q, p.ID)
}

// DeletePrincipal puts a service principal, with everything that it was
// granted, among the deleted items. Nobody signs in to its application until somebody makes a new one.
func (k Catalogue) DeletePrincipal(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string) error {
	p, err := k.GetPrincipal(ctx, q, id)
	if err != nil {
		return err
	}
	if p.builtIn {
		return errBuiltIn
	}
	content, err := park(ctx, q, p.applicationID, p.ID, true)
	if err != nil {
		return err
	}
	if err := bury(ctx, q, now, Deleted{Principal: &p, id: p.ID, kind: KindPrincipal, name: p.DisplayName, content: content}); err != nil {
		return err
	}
	for _, table := range ofPrincipalOnly {
		if _, err := q.ExecContext(ctx, `DELETE FROM `+table+` WHERE of_principal AND application_id = $1`, p.applicationID); err != nil {
			return err
		}
	}
	if err := dropPrincipal(ctx, q, p.ID); err != nil {
		return err
	}
	return p.changed(ctx, q, by, now, "Remove service principal")
}

// dropPrincipal removes a service principal; what others have on it goes by
// the foreign keys, what it has on others by hand.
func dropPrincipal(ctx context.Context, q db.Querier, id string) error {
	for _, text := range []string{`DELETE FROM app_role_assignments WHERE principal_id = $1`, `DELETE FROM application_owners WHERE object_id = $1 OR owner_id = $1`, `DELETE FROM application_tags WHERE object_id = $1`,
		`DELETE FROM role_assignments WHERE principal_id = $1`, `DELETE FROM group_owners WHERE owner_id = $1`,
		`DELETE FROM service_principals WHERE id = $1`} {
		if _, err := q.ExecContext(ctx, text, id); err != nil {
			return err
		}
	}
	return nil
}

var errBuiltIn = problem.New(problem.Invalid, "builtInPrincipal", "This service principal belongs to Cardea itself: it cannot be disabled, restricted or deleted.")

// Application reads the application behind a service principal; what is built
// in has none.
func (p *ServicePrincipal) Application(ctx context.Context, q db.Querier) (Application, error) {
	if p.applicationID == "" {
		return Application{}, errBuiltIn
	}
	return Get(ctx, q, p.applicationID)
}

func (p *ServicePrincipal) changed(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, activity string, modified ...audit.Modified) error {
	if err := db.Bump(ctx, q, VersionName); err != nil {
		return err
	}
	t := p.target()
	operation := "Update"
	switch word, _, _ := strings.Cut(activity, " "); word {
	case "Add":
		operation = "Add"
	case "Remove":
		operation = "Delete"
	}
	for _, m := range modified {
		if m.OldValue != m.NewValue {
			t.ModifiedProperties = append(t.ModifiedProperties, m)
		}
	}
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: activity, Category: "ApplicationManagement", OperationType: operation, TargetResources: []audit.Target{t}})
}

func (p *ServicePrincipal) target() audit.Target {
	return audit.Target{ID: p.ID, DisplayName: p.DisplayName, Type: "ServicePrincipal", ModifiedProperties: []audit.Modified{}}
}
