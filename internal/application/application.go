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
	"context"
	"crypto/x509"
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
	ID                     string               `json:"id"`
	AppID                  string               `json:"appId"` // client id
	DisplayName            string               `json:"displayName"`
	CreatedDateTime        time.Time            `json:"createdDateTime"`
	SignInAudience         string               `json:"signInAudience"` // AzureADMyOrg
	IsFallbackPublicClient bool                 `json:"isFallbackPublicClient"`
	Web                    Web                  `json:"web"`
	SPA                    Redirects            `json:"spa"`
	PublicClient           Redirects            `json:"publicClient"`
	PasswordCredentials    []PasswordCredential `json:"passwordCredentials"`
	KeyCredentials         []KeyCredential      `json:"keyCredentials"`
	Cardea                 Extra                `json:"cardea"`
	Version                int64                `json:"-"`

	secrets []secret
	certs   []*x509.Certificate
}

// Web is Graph's webApplication.
type Web struct {
	HomePageURL  string   `json:"homePageUrl"`
	RedirectURIs []string `json:"redirectUris"`
}

// Redirects is Graph's spaApplication and publicClientApplication.
type Redirects struct {
	RedirectURIs []string `json:"redirectUris"`
}

// Extra is what Graph has no property for.
type Extra struct {
	LogoutRedirectURIs []string `json:"postLogoutRedirectUris"`  // beside the redirect URIs, which count too
	SigningAlgorithm   string   `json:"idTokenSigningAlgorithm"` // ES256 or RS256; "" is RS256
	Permissions        []string `json:"applicationPermissions"`  // Graph names granted to the application itself, or "all"
	Scopes             []string `json:"delegatedPermissions"`    // Graph names it may use for people, or "all"
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
}

// KeyCredential describes a certificate.
type KeyCredential struct {
	KeyID               string    `json:"keyId"`
	DisplayName         string    `json:"displayName"`
	Type                string    `json:"type"`                // AsymmetricX509Cert
	Usage               string    `json:"usage"`               // Verify
	CustomKeyIdentifier string    `json:"customKeyIdentifier"` // SHA-1 thumbprint, base64
	StartDateTime       time.Time `json:"startDateTime"`
	EndDateTime         time.Time `json:"endDateTime"`
	Key                 []byte    `json:"key"` // DER when adding; null when reading
}

// VersionName is the version row that a change bumps.
const VersionName = "applications"

// Public reports whether the application has nothing to prove itself with: it
// must use PKCE, and gets no tokens of its own.
func (a *Application) Public() bool { return len(a.secrets) == 0 && len(a.certs) == 0 }

// Grants reports whether the application may use the delegated permission
// name for people. Names compare in any case, as in Entra.
func (a *Application) Grants(name string) bool {
	return slices.ContainsFunc(a.Cardea.Scopes, func(s string) bool { return s == All || strings.EqualFold(s, name) })
}

// Check reports the first rule that a breaks.
func (a *Application) Check() error {
	if a.DisplayName == "" || len(a.DisplayName) > 120 {
		return problem.New(problem.Invalid, "invalidValue", "An application's name has 1 to 120 characters.").On("displayName")
	}
	if a.SignInAudience != "AzureADMyOrg" {
		return problem.New(problem.Invalid, "invalidValue", "Only the people of this organisation sign in here: use AzureADMyOrg.").On("signInAudience")
	}
	if alg := a.Cardea.SigningAlgorithm; alg != "" && alg != "ES256" && alg != "RS256" {
		return problem.New(problem.Invalid, "invalidValue", "Tokens are signed with ES256 or RS256.").On("cardea/idTokenSigningAlgorithm")
	}
	n := 0
	for _, list := range []struct {
		target string
		kind   RedirectType
		uris   []string
	}{
		{"web/redirectUris", WebRedirect, a.Web.RedirectURIs}, {"spa/redirectUris", SPARedirect, a.SPA.RedirectURIs},
		{"publicClient/redirectUris", PublicRedirect, a.PublicClient.RedirectURIs}, {"cardea/postLogoutRedirectUris", WebRedirect, a.Cardea.LogoutRedirectURIs},
	} {
		n += len(list.uris)
		for _, uri := range list.uris {
			if err := CheckRedirect(uri, list.kind); err != nil {
				return err.On(list.target)
			}
		}
	}
	if n > 256 {
		return problem.New(problem.Invalid, "invalidValue", "An application has at most 256 addresses.").On("web/redirectUris")
	}
	if a.Web.HomePageURL != "" {
		if err := CheckRedirect(a.Web.HomePageURL, WebRedirect); err != nil {
			return err.On("web/homePageUrl")
		}
	}
	for _, name := range slices.Concat(a.Cardea.Permissions, a.Cardea.Scopes) {
		if !permissionShape(name) {
			return problem.New(problem.Invalid, "invalidValue", "%q is not the name of a permission. Names look like User.Read.All.", name).On("cardea")
		}
	}
	return nil
}

func permissionShape(s string) bool {
	return s != "" && len(s) <= 120 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// defaults fills what JSON left out, so that lists are never null on the wire.
func (a *Application) defaults() {
	if a.SignInAudience == "" {
		a.SignInAudience = "AzureADMyOrg"
	}
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

const columns = `id, app_id, display_name, public_client, redirect_uris, logout_uris, home_url, permissions, scopes, signing_alg, created_at, version`

func scan(r interface{ Scan(...any) error }, a *Application) error {
	var redirects, logout, permissions, scopes string
	var created int64
	if err := r.Scan(&a.ID, &a.AppID, &a.DisplayName, &a.IsFallbackPublicClient, &redirects, &logout, &a.Web.HomePageURL,
		&permissions, &scopes, &a.Cardea.SigningAlgorithm, &created, &a.Version); err != nil {
		return err
	}
	a.CreatedDateTime = db.Time(created)
	var uris []stored
	for _, f := range []struct {
		text string
		into any
	}{{redirects, &uris}, {logout, &a.Cardea.LogoutRedirectURIs}, {permissions, &a.Cardea.Permissions}, {scopes, &a.Cardea.Scopes}} {
		if err := json.Unmarshal([]byte(f.text), f.into); err != nil {
			return err
		}
	}
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

func get(ctx context.Context, q db.Querier, column, value string) (a Application, err error) {
	err = scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM applications WHERE `+column+` = $1`, value), &a)
	if err != nil {
		return a, db.Err("The application "+value, err)
	}
	return a, a.credentials(ctx, q)
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
