package application

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Create stores a, whose ids and times it sets, with a service principal that
// nobody asked for yet. An application that does not say how its id_tokens are
// signed gets ES256; only those that were made for clients without it need
// RS256. Secrets that a lists are made, and come back with their text.
func Create(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, a Application) (Application, error) {
	a.ID, a.AppID = db.NewID(now), db.NewID(now)
	if a.Cardea.SigningAlgorithm == "" {
		a.Cardea.SigningAlgorithm = "ES256"
	}
	return insert(ctx, q, by, now, a)
}

func insert(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, a Application) (Application, error) {
	a.CreatedDateTime, a.Version = db.Time(now.UnixMilli()), 1
	passwords, keys := a.PasswordCredentials, a.KeyCredentials
	a.PasswordCredentials, a.KeyCredentials, a.secrets, a.certs, a.granted, a.DeletedDateTime = nil, nil, nil, nil, nil, nil
	a.defaults()
	if err := a.Check(); err != nil {
		return a, err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO applications (id, app_id, display_name, public_client, redirect_uris, logout_uris, home_url, signing_alg, document, unique_name, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, a.ID, a.AppID, a.DisplayName, a.IsFallbackPublicClient, a.redirectsJSON(),
		text(a.Cardea.LogoutRedirectURIs), string(a.Web.HomePageURL), a.Cardea.SigningAlgorithm, a.documentJSON(), strings.ToLower(a.UniqueName), now.UnixMilli())
	if err != nil {
		return a, db.Err("The application "+a.AppID+", or one with this uniqueName,", err)
	}
	if err := a.withPrincipal(ctx, q, now, false); err != nil {
		return a, err
	}
	if err := a.identify(ctx, q); err != nil {
		return a, err
	}
	if err := tag(ctx, q, a.ID, a.Tags); err != nil {
		return a, err
	}
	if err := a.changed(ctx, q, by, now, "Add application", "Add"); err != nil {
		return a, err
	}
	for i := range passwords {
		if passwords[i], err = a.addSecret(ctx, q, by, now, passwords[i]); err != nil {
			return a, err
		}
	}
	for _, k := range keys {
		if k, err = a.addCertificate(ctx, q, by, now, k); err != nil {
			return a, err
		}
	}
	if err := a.grant(ctx, q, by, now, Extra{}); err != nil {
		return a, err
	}
	made, err := Get(ctx, q, a.ID)
	if err != nil {
		return a, err
	}
	for i, p := range made.PasswordCredentials { // shown this once
		for _, shown := range passwords {
			if shown.KeyID == p.KeyID {
				made.PasswordCredentials[i] = shown
			}
		}
	}
	return made, nil
}

// Update applies change to the stored application. Ids, creation time and what
// was set once cannot be changed this way. A list of credentials that differs
// becomes the list: see keepSecrets and keepCertificates.
func Update(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, change func(*Application) error) (Application, error) {
	a, err := Get(ctx, q, id)
	if err != nil {
		return a, err
	}
	was := a
	for _, l := range []*[]string{&was.IdentifierURIs, &was.Tags, &was.Cardea.Permissions, &was.Cardea.Scopes} { // change may write into lists
		*l = slices.Clone(*l)
	}
	was.AppRoles, was.PasswordCredentials, was.KeyCredentials = slices.Clone(was.AppRoles), slices.Clone(was.PasswordCredentials), slices.Clone(was.KeyCredentials)
	if err := change(&a); err != nil {
		return a, err
	}
	passwords, keys := a.PasswordCredentials, a.KeyCredentials
	a.ID, a.AppID, a.CreatedDateTime, a.DeletedDateTime, a.Version = was.ID, was.AppID, was.CreatedDateTime, nil, was.Version
	a.PasswordCredentials, a.KeyCredentials, a.ofSP = was.PasswordCredentials, was.KeyCredentials, was.ofSP
	a.secrets, a.certs, a.granted, a.principal, a.personal = was.secrets, was.certs, was.granted, was.principal, was.personal
	if was.UniqueName != "" {
		a.UniqueName = was.UniqueName
	}
	a.defaults()
	if err := a.Check(); err != nil {
		return a, err
	}
	res, err := q.ExecContext(ctx, `UPDATE applications SET display_name = $1, public_client = $2, redirect_uris = $3, logout_uris = $4, home_url = $5,
		signing_alg = $6, document = $7, unique_name = $8, version = version + 1 WHERE id = $9 AND version = $10`,
		a.DisplayName, a.IsFallbackPublicClient, a.redirectsJSON(), text(a.Cardea.LogoutRedirectURIs), string(a.Web.HomePageURL),
		a.Cardea.SigningAlgorithm, a.documentJSON(), strings.ToLower(a.UniqueName), a.ID, a.Version)
	if err != nil {
		return a, db.Err("An application with this uniqueName", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return a, problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this application just now. Read it again.").Because(err)
	}
	a.Version++
	if err := a.settle(ctx, q, was); err != nil {
		return a, err
	}
	if err := a.changed(ctx, q, by, now, "Update application", "Update", a.differs(was)...); err != nil {
		return a, err
	}
	if text(passwords) != text(was.PasswordCredentials) {
		if err := a.keepSecrets(ctx, q, by, now, was.PasswordCredentials, passwords); err != nil {
			return a, err
		}
	}
	if text(keys) != text(was.KeyCredentials) {
		if err := a.keepCertificates(ctx, q, by, now, was.KeyCredentials, keys); err != nil {
			return a, err
		}
	}
	if err := a.grant(ctx, q, by, now, was.Cardea); err != nil {
		return a, err
	}
	return Get(ctx, q, a.ID)
}

func (a *Application) differs(was Application) (modified []audit.Modified) {
	for _, p := range []struct {
		name          string
		before, after any
	}{
		{"displayName", was.DisplayName, a.DisplayName}, {"web", was.Web, a.Web}, {"spa", was.SPA, a.SPA}, {"publicClient", was.PublicClient, a.PublicClient},
		{"isFallbackPublicClient", was.IsFallbackPublicClient, a.IsFallbackPublicClient}, {"cardea", was.Cardea, a.Cardea},
		{"identifierUris", was.IdentifierURIs, a.IdentifierURIs}, {"appRoles", was.AppRoles, a.AppRoles}, {"api", was.API, a.API},
		{"groupMembershipClaims", was.GroupMembershipClaims, a.GroupMembershipClaims}, {"requiredResourceAccess", was.RequiredResourceAccess, a.RequiredResourceAccess},
		{"tags", was.Tags, a.Tags}, {"info", was.Info, a.Info}, {"optionalClaims", was.OptionalClaims, a.OptionalClaims},
	} {
		if text(p.before) != text(p.after) {
			modified = append(modified, audit.Change(p.name, p.before, p.after))
		}
	}
	return modified
}

// settle brings what other tables keep of an application in step with it.
func (a *Application) settle(ctx context.Context, q db.Querier, was Application) error {
	if a.DisplayName != was.DisplayName {
		if _, err := q.ExecContext(ctx, `UPDATE service_principals SET display_name = $1 WHERE app_id = $2`, a.DisplayName, a.AppID); err != nil {
			return err
		}
	}
	if text(a.IdentifierURIs) != text(was.IdentifierURIs) {
		if err := a.identify(ctx, q); err != nil {
			return err
		}
	}
	if text(a.Tags) != text(was.Tags) {
		if err := tag(ctx, q, a.ID, a.Tags); err != nil {
			return err
		}
	}
	if text(a.AppRoles) == text(was.AppRoles) {
		return nil
	}
	for _, r := range was.AppRoles { // an assignment to a role that is gone goes with it
		if _, ok := roleByID(a.AppRoles, r.ID); ok {
			continue
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM app_role_assignments WHERE resource_id = $1 AND app_role_id = $2`, a.principal.id, strings.ToLower(r.ID)); err != nil {
			return err
		}
	}
	for _, r := range a.AppRoles {
		if _, err := q.ExecContext(ctx, `UPDATE app_role_assignments SET value = $1 WHERE resource_id = $2 AND app_role_id = $3`, r.claim(), a.principal.id, strings.ToLower(r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// claim is what stands in tokens for who has the role: nothing while it is
// switched off.
func (r AppRole) claim() string {
	if !r.IsEnabled {
		return ""
	}
	return string(r.Value)
}

// identify stores the identifier URIs, which no two applications share.
func (a *Application) identify(ctx context.Context, q db.Querier) error {
	if _, err := q.ExecContext(ctx, `DELETE FROM application_identifiers WHERE application_id = $1`, a.ID); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, uri := range a.IdentifierURIs {
		key := identifierKey(uri)
		if seen[key] {
			return problem.New(problem.Invalid, "duplicateValue", "The identifier URI %q is there twice.", uri).On("identifierUris")
		}
		seen[key] = true
		if host, _, _ := strings.Cut(strings.TrimPrefix(key, "api://"), "/"); isGUID(host) && host != a.AppID {
			var n int
			if err := q.QueryRowContext(ctx, `SELECT count(*) FROM service_principals WHERE app_id = $1`, host).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return refuse("identifierUris", "%q names another application by its client id. Use %s, or a name of your own.", uri, "api://"+a.AppID)
			}
		}
		var taken int
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM application_identifiers WHERE uri_key = $1`, key).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return problem.New(problem.Conflict, "alreadyExists", "Another application has the identifier URI %q. Choose another, or remove it there.", uri).On("identifierUris")
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO application_identifiers (uri_key, application_id) VALUES ($1, $2)`, key, a.ID); err != nil {
			return db.Err("The identifier URI "+uri, err)
		}
	}
	return nil
}

// Delete puts an application with its secrets, certificates and service
// principal among the deleted items. Refresh tokens that it got are refused
// from then on, because its client id is unknown.
func Delete(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string) error {
	a, err := Get(ctx, q, id)
	if err != nil {
		return err
	}
	content, err := park(ctx, q, a.ID, a.principal.id, false)
	if err != nil {
		return err
	}
	if err := bury(ctx, q, now, Deleted{Application: &a, id: a.ID, kind: KindApplication, name: a.DisplayName, content: content}); err != nil {
		return err
	}
	if err := dropPrincipal(ctx, q, a.principal.id); err != nil {
		return err
	}
	for _, text := range []string{`DELETE FROM application_owners WHERE object_id = $1`, `DELETE FROM application_tags WHERE object_id = $1`, `DELETE FROM applications WHERE id = $1`} {
		if _, err := q.ExecContext(ctx, text, a.ID); err != nil {
			return err
		}
	}
	return a.changed(ctx, q, by, now, "Delete application", "Delete")
}

// changed bumps the version that caches watch and writes the audit record.
func (a *Application) changed(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, activity, operation string, modified ...audit.Modified) error {
	if err := db.Bump(ctx, q, VersionName); err != nil {
		return err
	}
	t := a.target()
	t.ModifiedProperties = append(t.ModifiedProperties, modified...)
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: activity, Category: "ApplicationManagement", OperationType: operation, TargetResources: []audit.Target{t}})
}

func (a *Application) redirectsJSON() string {
	all := []stored{}
	for _, uri := range a.Web.RedirectURIs {
		all = append(all, stored{uri, WebRedirect})
	}
	for _, uri := range a.SPA.RedirectURIs {
		all = append(all, stored{uri, SPARedirect})
	}
	for _, uri := range a.PublicClient.RedirectURIs {
		all = append(all, stored{uri, PublicRedirect})
	}
	return text(all)
}

// text is JSON text of strings and plain structs, which always marshal.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The client ids that exist in a fresh Cardea. CLIAppID is ours; the other is
// what Graph PowerShell signs in with by itself (WC-84).
const (
	CLIAppID             = "ca4dea00-c11e-4000-8000-000000000001"
	GraphPowerShellAppID = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
)

// EnsureBuiltIn makes the built-in public clients at the first start. They act
// for people only, with no more than the person's own rights. Whoever deletes
// one keeps it deleted.
func EnsureBuiltIn(ctx context.Context, d *db.DB, now time.Time) error {
	if err := adopt(ctx, d, now); err != nil {
		return err
	}
	const marker = "builtInApplications"
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
		for _, b := range []struct{ appID, name string }{{CLIAppID, "Cardea CLI"}, {GraphPowerShellAppID, "Microsoft Graph Command Line Tools"}} {
			a := Application{ID: db.NewID(now), AppID: strings.ToLower(b.appID), DisplayName: b.name, IsFallbackPublicClient: true,
				PublicClient: Redirects{RedirectURIs: []string{"http://localhost"}}, Cardea: Extra{Scopes: []string{All}}}
			made, err := insert(ctx, q, audit.System("start-up"), now, a)
			if err != nil {
				return err
			}
			if _, err := q.ExecContext(ctx, `UPDATE service_principals SET explicit = TRUE WHERE id = $1`, made.principal.id); err != nil {
				return err
			}
		}
		return nil
	})
}
