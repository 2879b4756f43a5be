package application

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Create stores a, whose ids and times it sets. An application that does not
// say how its id_tokens are signed gets ES256; only those that were made for
// clients without it need RS256.
func Create(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, a Application) (Application, error) {
	a.ID, a.AppID = db.NewID(now), db.NewID(now)
	if a.Cardea.SigningAlgorithm == "" {
		a.Cardea.SigningAlgorithm = "ES256"
	}
	return insert(ctx, q, by, now, a)
}

func insert(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, a Application) (Application, error) {
	a.CreatedDateTime, a.Version = db.Time(now.UnixMilli()), 1
	a.PasswordCredentials, a.KeyCredentials, a.secrets, a.certs = nil, nil, nil, nil // added one by one
	a.defaults()
	if err := a.Check(); err != nil {
		return a, err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO applications (id, app_id, display_name, public_client, redirect_uris, logout_uris, home_url, permissions, scopes, signing_alg, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, a.ID, a.AppID, a.DisplayName, a.IsFallbackPublicClient, a.redirectsJSON(),
		text(a.Cardea.LogoutRedirectURIs), a.Web.HomePageURL, text(a.Cardea.Permissions), text(a.Cardea.Scopes), a.Cardea.SigningAlgorithm, now.UnixMilli())
	if err != nil {
		return a, db.Err("The application "+a.AppID, err)
	}
	return a, a.changed(ctx, q, by, now, "Add application", "Add")
}

// Update applies change to the stored application. Ids, creation time and
// credentials cannot be changed this way.
func Update(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, change func(*Application) error) (Application, error) {
	a, err := Get(ctx, q, id)
	if err != nil {
		return a, err
	}
	was := a
	if err := change(&a); err != nil {
		return a, err
	}
	a.ID, a.AppID, a.CreatedDateTime, a.Version = was.ID, was.AppID, was.CreatedDateTime, was.Version
	a.PasswordCredentials, a.KeyCredentials, a.secrets, a.certs = was.PasswordCredentials, was.KeyCredentials, was.secrets, was.certs
	a.defaults()
	if err := a.Check(); err != nil {
		return a, err
	}
	res, err := q.ExecContext(ctx, `UPDATE applications SET display_name = $1, public_client = $2, redirect_uris = $3, logout_uris = $4, home_url = $5,
		permissions = $6, scopes = $7, signing_alg = $8, version = version + 1 WHERE id = $9 AND version = $10`,
		a.DisplayName, a.IsFallbackPublicClient, a.redirectsJSON(), text(a.Cardea.LogoutRedirectURIs), a.Web.HomePageURL,
		text(a.Cardea.Permissions), text(a.Cardea.Scopes), a.Cardea.SigningAlgorithm, a.ID, a.Version)
	if err != nil {
		return a, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return a, problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this application just now. Read it again.").Because(err)
	}
	a.Version++
	var modified []audit.Modified
	for _, p := range []struct {
		name          string
		before, after any
	}{
		{"displayName", was.DisplayName, a.DisplayName}, {"web", was.Web, a.Web}, {"spa", was.SPA, a.SPA}, {"publicClient", was.PublicClient, a.PublicClient},
		{"isFallbackPublicClient", was.IsFallbackPublicClient, a.IsFallbackPublicClient}, {"cardea", was.Cardea, a.Cardea},
	} {
		if text(p.before) != text(p.after) {
			modified = append(modified, audit.Change(p.name, p.before, p.after))
		}
	}
	return a, a.changed(ctx, q, by, now, "Update application", "Update", modified...)
}

// Delete removes an application with its secrets and certificates. Refresh
// tokens that it got are refused from then on, because its client id is unknown.
func Delete(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string) error {
	a, err := Get(ctx, q, id)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM applications WHERE id = $1`, a.ID); err != nil {
		return err
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
			if _, err := insert(ctx, q, audit.System("start-up"), now, a); err != nil {
				return err
			}
		}
		return nil
	})
}
