// Package application holds the applications that people sign in to and that
// call the API: OAuth clients, with their redirect URIs, secrets, certificates
// and permissions.
//
// An application is registered by an administrator, gets secrets or
// certificates if it can keep one (or is a public client and uses PKCE only),
// and is read on every authorization and token request. Those reads go to a
// Cache; a change is seen by every node within a second.
//
// What it promises: secrets are shown once and stored hashed; redirect URIs
// match exactly but for loopback ports; every change writes its audit record
// in the same transaction. What it does not do: it issues no tokens.
package application

import (
	"cmp"
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

// All in Permissions or Scopes stands for every permission.
const All = "all"

// Application is Graph's application, as far as Cardea uses it.
type Application struct {
	ID                     string     `json:"id"`
	AppID                  string     `json:"appId"` // client id
	DisplayName            string     `json:"displayName"`
	CreatedDateTime        time.Time  `json:"createdDateTime"`
	DeletedDateTime        *time.Time `json:"deletedDateTime,omitempty"` // set in the deleted items only
	SignInAudience         string     `json:"signInAudience"`            // AzureADMyOrg
	IsFallbackPublicClient bool       `json:"isFallbackPublicClient"`
	Document
	Web                 Web                  `json:"web" patch:"merge"`
	SPA                 Redirects            `json:"spa" patch:"merge"`
	PublicClient        Redirects            `json:"publicClient" patch:"merge"`
	PasswordCredentials []PasswordCredential `json:"passwordCredentials"`
	KeyCredentials      []KeyCredential      `json:"keyCredentials"`
	Cardea              Extra                `json:"cardea" patch:"merge"`
	Version             int64                `json:"-"`

	secrets   []secret
	certs     []certificate
	principal principal
	personal  bool                // some people's consents are their own
	granted   map[string]*granted // by the client id of the API
	ofSP      credentials
}

// principal is what counts of an application's service principal; without one
// its id is empty.
type principal struct {
	id                          string
	enabled, assignmentRequired bool
}

// granted is what an application may do on one API.
type granted struct {
	api    bool     // it may be called at all
	roles  []string // values of app roles: for itself
	scopes []string // for everybody who uses it
}

// credentials are listed on the service principal; they work like the others.
type credentials struct {
	passwords []PasswordCredential
	keys      []KeyCredential
}

// Web is Graph's webApplication.
type Web struct {
	HomePageURL   Text              `json:"homePageUrl"`
	LogoutURL     Text              `json:"logoutUrl"`
	RedirectURIs  []string          `json:"redirectUris"`
	RedirectOrder []RedirectSetting `json:"redirectUriSettings"`
	Implicit      ImplicitGrant     `json:"implicitGrantSettings" patch:"merge"`
}

// Redirects is Graph's spaApplication and publicClientApplication.
type Redirects struct {
	RedirectURIs []string `json:"redirectUris"`
}

// Extra is what Graph has no property for.
type Extra struct {
	LogoutRedirectURIs []string `json:"postLogoutRedirectUris"`  // beside the redirect URIs, which count too
	SigningAlgorithm   string   `json:"idTokenSigningAlgorithm"` // ES256 or RS256; "" is RS256
	// A view of app role assignments and of consents for everybody, which can
	// be written too: Graph's names, "all", or client ids of other APIs.
	Permissions []string `json:"applicationPermissions"` // of the application itself
	Scopes      []string `json:"delegatedPermissions"`   // for the people who use it
}

// UnmarshalJSON reads the members that are there into e, and refuses names that
// it does not know (DO-51): a typo must not look like a change that was made.
func (e *Extra) UnmarshalJSON(b []byte) error {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(b, &sent); err != nil {
		return err
	}
	for name := range sent {
		if !slices.ContainsFunc([]string{"postLogoutRedirectUris", "idTokenSigningAlgorithm", "applicationPermissions", "delegatedPermissions"},
			func(known string) bool { return strings.EqualFold(known, name) }) {
			return problem.New(problem.Invalid, "unknownMember", "There is no member %q in cardea. It has postLogoutRedirectUris, idTokenSigningAlgorithm, applicationPermissions and delegatedPermissions.", clip(name)).On("cardea")
		}
	}
	type plain Extra
	return json.Unmarshal(b, (*plain)(e))
}

// PasswordCredential describes a client secret. SecretText is set only in the
// answer of AddSecret.
type PasswordCredential struct {
	KeyID         string    `json:"keyId"`
	DisplayName   string    `json:"displayName"`
	Hint          string    `json:"hint"`
	StartDateTime time.Time `json:"startDateTime"`
	EndDateTime   time.Time `json:"endDateTime"`
	SecretText    string    `json:"secretText,omitempty"`

	ofPrincipal bool // listed on the service principal rather than on the application
}

// KeyCredential describes a certificate.
type KeyCredential struct {
	KeyID               string    `json:"keyId"`
	DisplayName         string    `json:"displayName"`
	Type                string    `json:"type"`                // AsymmetricX509Cert
	Usage               string    `json:"usage"`               // Verify
	CustomKeyIdentifier string    `json:"customKeyIdentifier"` // SHA-1 thumbprint, base64, unless another was sent
	StartDateTime       time.Time `json:"startDateTime"`
	EndDateTime         time.Time `json:"endDateTime"`
	Key                 []byte    `json:"key"` // DER or PEM when adding; null when reading

	ofPrincipal bool
}

// VersionName is the version row that a change bumps.
const VersionName = "applications"

// Public reports whether the application has nothing to prove itself with: it
// must use PKCE, and gets no tokens of its own.
func (a *Application) Public() bool { return len(a.secrets) == 0 && len(a.certs) == 0 }

// PrincipalID is the object id of the application's service principal, which
// its own tokens name as oid; "" if it was deleted.
func (a *Application) PrincipalID() string { return a.principal.id }

// Usable reports why nobody may sign in to the application, and it gets no
// tokens: its service principal was deleted or is disabled.
func (a *Application) Usable() error {
	switch {
	case a.principal.id == "":
		return problem.New(problem.Invalid, "servicePrincipalMissing", "%s has no service principal here any more. An administrator can make one: POST /servicePrincipals with its appId.", a.DisplayName)
	case !a.principal.enabled:
		return problem.New(problem.Invalid, "applicationDisabled", "%s is disabled. An administrator can enable it: accountEnabled of its service principal.", a.DisplayName)
	}
	return nil
}

// RolesOn returns the app roles that the application itself has on the API
// with the client id appID; ok says whether it may call that API at all.
func (a *Application) RolesOn(appID string) (roles []string, ok bool) {
	g := a.granted[strings.ToLower(appID)]
	if g == nil {
		return nil, false
	}
	return g.roles, g.api
}

// ScopesOn returns the delegated permissions on the API with the client id
// appID that the application has for everybody.
func (a *Application) ScopesOn(appID string) []string {
	if g := a.granted[strings.ToLower(appID)]; g != nil {
		return g.scopes
	}
	return nil
}

// Offers finds a delegated permission that the application, as an API, offers
// to others, in its own spelling. Names compare in any case.
func (a *Application) Offers(name string) (string, bool) {
	for _, s := range a.API.OAuth2PermissionScopes {
		if s.IsEnabled && strings.EqualFold(s.Value, name) {
			return s.Value, true
		}
	}
	return "", false
}

// PreAuthorized returns the scopes of the application, as an API, that the
// client with the client id clientID may use without a consent.
func (a *Application) PreAuthorized(clientID string) (scopes []string) {
	for _, p := range a.API.PreAuthorizedApplications {
		if !strings.EqualFold(p.AppID, clientID) {
			continue
		}
		for _, s := range a.API.OAuth2PermissionScopes {
			if s.IsEnabled && slices.ContainsFunc(p.DelegatedPermissionIDs, func(id string) bool { return strings.EqualFold(id, s.ID) }) {
				scopes = append(scopes, s.Value)
			}
		}
	}
	return scopes
}

// Grants reports whether the application may use the delegated permission
// name for people. Names compare in any case, as in Entra.
func (a *Application) Grants(name string) bool {
	return slices.ContainsFunc(a.Cardea.Scopes, func(s string) bool { return s == All || strings.EqualFold(s, name) })
}

// defaults fills what JSON left out, so that lists are never null on the wire.
func (a *Application) defaults() {
	if a.SignInAudience == "" {
		a.SignInAudience = "AzureADMyOrg"
	}
	a.Document.whole()
	a.Web.RedirectOrder = list(a.Web.RedirectOrder)
	for _, list := range []*[]string{&a.Web.RedirectURIs, &a.SPA.RedirectURIs, &a.PublicClient.RedirectURIs,
		&a.Cardea.LogoutRedirectURIs, &a.Cardea.Permissions, &a.Cardea.Scopes} {
		if *list == nil {
			*list = []string{}
		}
	}
	if a.PasswordCredentials == nil {
		a.PasswordCredentials = []PasswordCredential{}
	}
	if a.KeyCredentials == nil {
		a.KeyCredentials = []KeyCredential{}
	}
}

func (a *Application) target() audit.Target {
	return audit.Target{ID: a.ID, DisplayName: a.DisplayName, Type: "App", ModifiedProperties: []audit.Modified{}}
}

// stored is an entry of the column redirect_uris.
type stored struct {
	URI  string       `json:"uri"`
	Type RedirectType `json:"type"`
}

// kept is what the column document holds.
type kept struct {
	Document
	LogoutURL     Text              `json:"logoutUrl"`
	RedirectOrder []RedirectSetting `json:"redirectUriSettings"`
	Implicit      ImplicitGrant     `json:"implicitGrantSettings"`
}

func (a *Application) documentJSON() string {
	return text(kept{a.Document, a.Web.LogoutURL, a.Web.RedirectOrder, a.Web.Implicit})
}

const columns = `id, app_id, display_name, public_client, redirect_uris, logout_uris, home_url, signing_alg, document, created_at, version`

func scan(r interface{ Scan(...any) error }, a *Application) error {
	var redirects, logout, document string
	var created int64
	if err := r.Scan(&a.ID, &a.AppID, &a.DisplayName, &a.IsFallbackPublicClient, &redirects, &logout, &a.Web.HomePageURL,
		&a.Cardea.SigningAlgorithm, &document, &created, &a.Version); err != nil {
		return err
	}
	a.CreatedDateTime = db.Time(created)
	var uris []stored
	var doc kept
	for _, f := range []struct {
		text string
		into any
	}{{redirects, &uris}, {logout, &a.Cardea.LogoutRedirectURIs}, {document, &doc}} {
		if err := json.Unmarshal([]byte(f.text), f.into); err != nil {
			return err
		}
	}
	a.Document, a.Web.LogoutURL, a.Web.RedirectOrder, a.Web.Implicit = doc.Document, doc.LogoutURL, doc.RedirectOrder, doc.Implicit
	for _, u := range uris {
		switch u.Type {
		case SPARedirect:
			a.SPA.RedirectURIs = append(a.SPA.RedirectURIs, u.URI)
		case PublicRedirect:
			a.PublicClient.RedirectURIs = append(a.PublicClient.RedirectURIs, u.URI)
		default:
			a.Web.RedirectURIs = append(a.Web.RedirectURIs, u.URI)
		}
	}
	a.defaults()
	return nil
}

// Get returns an application by its object id.
func Get(ctx context.Context, q db.Querier, id string) (a Application, err error) {
	return get(ctx, q, "id", id)
}

// GetByAppID returns an application by its client id. It reads the database:
// the hot path asks a Cache.
func GetByAppID(ctx context.Context, q db.Querier, appID string) (a Application, err error) {
	return get(ctx, q, "app_id", strings.ToLower(appID))
}

// GetByUniqueName returns the application that was given this name of its own.
func GetByUniqueName(ctx context.Context, q db.Querier, name string) (a Application, err error) {
	return get(ctx, q, "unique_name", cmp.Or(strings.ToLower(name), NoRole)) // the empty name is nobody's
}

func get(ctx context.Context, q db.Querier, column, value string) (a Application, err error) {
	err = scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM applications WHERE `+column+` = $1`, value), &a)
	if err != nil {
		return a, db.Err("The application "+value, err)
	}
	one := []Application{a}
	err = attach(ctx, q, one)
	return one[0], err
}

// List returns all applications in the order of their names.
func List(ctx context.Context, q db.Querier) ([]Application, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM applications ORDER BY display_name, id`)
	all, err := db.Collect(rows, err, func(r *sql.Rows, a *Application) error { return scan(r, a) })
	if err != nil {
		return nil, err
	}
	return all, attach(ctx, q, all)
}
