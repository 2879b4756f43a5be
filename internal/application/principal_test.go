package application_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

var catalogue = application.Catalogue{Application: []string{"User.Read.All"}, Delegated: []string{"User.Read"}}

func get(t *testing.T, d *db.DB, id string) *application.Application {
	t.Helper()
	a, err := application.Get(t.Context(), d, id)
	if err != nil {
		t.Fatal(err)
	}
	return &a
}

// TestOneStore: the lists of cardea and the resources of Graph are two views
// of the same rows; what one cannot say is not lost when it is changed.
func TestOneStore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		api := create(t, d, application.Application{DisplayName: "API", Document: application.Document{
			API:      application.API{OAuth2PermissionScopes: []application.Scope{{ID: "11111111-1111-4111-8111-111111111111", Value: "api.read", IsEnabled: true}}},
			AppRoles: []application.AppRole{{ID: "22222222-2222-4222-8222-222222222222", Value: "Api.All", AllowedMemberTypes: []string{"Application"}, IsEnabled: true}}}})
		a := create(t, d, application.Application{DisplayName: "Job", Cardea: application.Extra{Permissions: []string{"User.Read.All", "Group.Read.All", api.AppID}, Scopes: []string{"User.Read", api.AppID}}})
		if got := strings.Join(a.Cardea.Permissions, " "); got != "Group.Read.All User.Read.All "+api.AppID {
			t.Errorf("permissions: %s", got)
		}
		if roles, ok := a.RolesOn(api.AppID); !ok || len(roles) != 0 {
			t.Errorf("on the API: %v %v", roles, ok)
		}
		if got := a.ScopesOn(api.AppID); !slices.Equal(got, []string{application.UserImpersonation}) {
			t.Errorf("scopes on the API: %v", got)
		}
		var consent application.Consent
		write(t, d, func(q db.Querier) error {
			if _, err := catalogue.Assign(t.Context(), q, admin, start, application.Assignment{PrincipalID: a.PrincipalID(), ResourceID: api.PrincipalID(), AppRoleID: "22222222-2222-4222-8222-222222222222"}); err != nil {
				return err
			}
			all, err := application.FindConsents(t.Context(), q, query(application.ConsentPaging.Max), application.ConsentsOf{Client: a.PrincipalID()})
			if err != nil {
				return err
			}
			for _, c := range all {
				if c.ResourceID == api.PrincipalID() {
					consent = c
				}
			}
			_, err = catalogue.UpdateConsent(t.Context(), q, admin, start, consent.ID, func(c *application.Consent) error { c.Scope = "api.read user_impersonation"; return nil })
			return err
		})
		if roles, _ := get(t, d, a.ID).RolesOn(api.AppID); !slices.Equal(roles, []string{"Api.All"}) {
			t.Errorf("after an assignment: %v", roles)
		}
		write(t, d, func(q db.Querier) error { // an unrelated change of the lists
			_, err := application.Update(t.Context(), q, admin, start, a.ID, func(a *application.Application) error {
				a.Cardea.Permissions, a.Cardea.Scopes = []string{"User.Read.All", api.AppID}, []string{"User.Read", "User.ReadWrite", api.AppID}
				return nil
			})
			return err
		})
		a = *get(t, d, a.ID)
		if roles, _ := a.RolesOn(api.AppID); !slices.Equal(roles, []string{"Api.All"}) || !slices.Equal(a.ScopesOn(api.AppID), []string{"api.read", "user_impersonation"}) {
			t.Errorf("details were lost: %v %v", roles, a.ScopesOn(api.AppID))
		}
		if kept, err := application.GetConsent(t.Context(), d, consent.ID); err != nil || kept.Scope != "api.read user_impersonation" {
			t.Errorf("the consent: %+v %v", kept, err)
		}
		if roles, _ := a.RolesOn(application.GraphAppID); !slices.Equal(roles, []string{"User.Read.All"}) || !a.Grants("user.readwrite") {
			t.Errorf("on Graph: %v %v", roles, a.Cardea)
		}
		// The role's value is what tokens say; a role that is gone takes its assignments along.
		write(t, d, func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, api.ID, func(a *application.Application) error { a.AppRoles[0].Value = "Api.Everything"; return nil })
			return err
		})
		if roles, _ := get(t, d, a.ID).RolesOn(api.AppID); !slices.Equal(roles, []string{"Api.Everything"}) {
			t.Errorf("after the role was renamed: %v", roles)
		}
		write(t, d, func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, api.ID, func(a *application.Application) error { a.AppRoles = nil; return nil })
			return err
		})
		if roles, ok := get(t, d, a.ID).RolesOn(api.AppID); !ok || len(roles) != 0 {
			t.Errorf("after the role went: %v %v", roles, ok)
		}
		// The API goes, and what was granted on it.
		write(t, d, func(q db.Querier) error { return application.Delete(t.Context(), q, admin, start, api.ID) })
		if a = *get(t, d, a.ID); slices.Contains(a.Cardea.Permissions, api.AppID) || slices.Contains(a.Cardea.Scopes, api.AppID) {
			t.Errorf("after the API went: %+v", a.Cardea)
		}
		err := d.Write(t.Context(), func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, a.ID, func(a *application.Application) error { a.Cardea.Scopes = []string{api.AppID}; return nil })
			return err
		})
		if problem.CodeOf(err) != "resourceUnknown" {
			t.Errorf("a permission on an API that is not there: %v", err)
		}
	})
}

// TestAdopt: what earlier versions kept in columns of their own is where it is
// kept now, once, and every application has a service principal.
func TestAdopt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		old := create(t, d, application.Application{DisplayName: "Old"})
		api := create(t, d, application.Application{DisplayName: "API"})
		write(t, d, func(q db.Querier) error {
			_, err := q.ExecContext(t.Context(), `UPDATE applications SET permissions = $1, scopes = $2 WHERE id = $3`,
				`["all","`+api.AppID+`","99999999-0000-4000-8000-000000000000"]`, `["User.Read"]`, old.ID)
			return err
		})
		for range 2 {
			if err := application.EnsureBuiltIn(t.Context(), d, start); err != nil {
				t.Fatal(err)
			}
		}
		a := get(t, d, old.ID)
		if got := strings.Join(a.Cardea.Permissions, " ") + "|" + strings.Join(a.Cardea.Scopes, " "); got != "all "+api.AppID+"|User.Read" {
			t.Errorf("adopted: %s", got)
		}
		write(t, d, func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, old.ID, func(a *application.Application) error { a.Cardea.Permissions = nil; return nil })
			return err
		})
		if err := application.EnsureBuiltIn(t.Context(), d, start); err != nil {
			t.Fatal(err)
		}
		if a := get(t, d, old.ID); len(a.Cardea.Permissions) != 0 {
			t.Errorf("what was taken away came back: %v", a.Cardea.Permissions)
		}
		if err := get(t, d, old.ID).Usable(); err != nil {
			t.Error(err)
		}
	})
}

func TestByResource(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c := application.NewCache(d)
		api := create(t, d, application.Application{DisplayName: "API", Document: application.Document{IdentifierURIs: []string{"api://Wiki", "https://wiki.example.com/"}}})
		for _, name := range []string{"api://wiki", "API://Wiki/", "https://wiki.example.com", api.AppID, "api://" + strings.ToUpper(api.AppID)} {
			if got, err := c.ByResource(t.Context(), name, start); err != nil || got.AppID != api.AppID {
				t.Errorf("%s: %+v %v", name, got, err)
			}
		}
		for _, name := range []string{"", "wiki", "api://wiki/sub", "https://other.example.com", application.GraphAppID} {
			if _, err := c.ByResource(t.Context(), name, start); problem.CodeOf(err) != "resourceUnknown" {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}

// TestScopesOfAPI: what an API offers, and to whom without a consent.
func TestScopesOfAPI(t *testing.T) {
	const on, off = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	a := application.Application{Document: application.Document{API: application.API{
		OAuth2PermissionScopes:    []application.Scope{{ID: on, Value: "wiki.Read", IsEnabled: true}, {ID: off, Value: "wiki.Write"}},
		PreAuthorizedApplications: []application.PreAuthorizedApplication{{AppID: "Client", DelegatedPermissionIDs: []string{strings.ToUpper(on), off}}}}}}
	if got, ok := a.Offers("WIKI.read"); !ok || got != "wiki.Read" {
		t.Errorf("offers %q %v", got, ok)
	}
	if _, ok := a.Offers("wiki.Write"); ok {
		t.Error("a scope that is switched off is offered")
	}
	if got := a.PreAuthorized("client"); !slices.Equal(got, []string{"wiki.Read"}) || a.PreAuthorized("other") != nil {
		t.Errorf("pre-authorized: %v", got)
	}
}

// TestUpgrade: a database of the first version comes up with a service
// principal for each application, and with its permissions.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	first, err := os.ReadFile("../db/migrations/0001_first_light.sql")
	if err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(first), `CREATE TABLE migrations (name TEXT NOT NULL PRIMARY KEY)`, `INSERT INTO migrations (name) VALUES ('migrations/0001_first_light.sql')`,
		`INSERT INTO applications (id, app_id, display_name, permissions, scopes, assignment, created_at) VALUES
			('019ca945-0a00-7e9a-a49a-aa5db82fc00f', '019ca945-0a00-74f0-8c25-a8f8b94a90f4', 'Old', '["User.Read.All"]', '["all"]', FALSE, 1)`} {
		if _, err := old.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), db.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if err := application.EnsureBuiltIn(t.Context(), d, start); err != nil {
		t.Fatal(err)
	}
	a := get(t, d, "019ca945-0a00-7e9a-a49a-aa5db82fc00f")
	if a.PrincipalID() != "019ca945-0a00-8e9a-a49a-aa5db82fc00f" || a.Usable() != nil || !a.Grants("User.Read") || !slices.Equal(a.Cardea.Permissions, []string{"User.Read.All"}) {
		t.Errorf("%q %v %+v", a.PrincipalID(), a.Usable(), a.Cardea)
	}
}

// TestCertificateWindow: a certificate works within its own dates and within
// those it was registered with.
func TestCertificateWindow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := create(t, d, application.Application{DisplayName: "Job"})
		der := selfSigned(t, start.Add(-time.Hour), start.Add(10*time.Hour))
		write(t, d, func(q db.Querier) error {
			_, err := application.AddCertificate(t.Context(), q, admin, start, a.ID, application.KeyCredential{Key: der, StartDateTime: start.Add(time.Hour), EndDateTime: start.Add(2 * time.Hour)})
			return err
		})
		a = *get(t, d, a.ID)
		for after, want := range map[time.Duration]int{0: 0, 90 * time.Minute: 1, 3 * time.Hour: 0} {
			if got := len(a.Certificates(start.Add(after))); got != want {
				t.Errorf("after %s: %d certificates, want %d", after, got, want)
			}
		}
		s := a.Version
		write(t, d, func(q db.Querier) error {
			_, err := application.AddSecret(t.Context(), q, admin, start, a.ID, application.PasswordCredential{StartDateTime: start.Add(time.Hour)})
			return err
		})
		if a = *get(t, d, a.ID); a.Version == s {
			t.Error("a new secret is a new version")
		}
	})
}

// TestDeletedPeople: a person among the deleted items is on no list; a purge
// leaves no assignment, consent or ownership behind.
func TestDeletedPeople(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if _, err := directory.EnsureOrganization(t.Context(), d, start); err != nil {
			t.Fatal(err)
		}
		a := create(t, d, application.Application{DisplayName: "Wiki"})
		var ada directory.User
		write(t, d, func(q db.Querier) (err error) {
			if ada, err = directory.CreateUser(t.Context(), q, admin, start, directory.User{UserPrincipalName: "ada@contoso.test", DisplayName: "Ada", AccountEnabled: true}); err != nil {
				return err
			}
			if _, err = catalogue.Assign(t.Context(), q, admin, start, application.Assignment{PrincipalID: ada.ID, ResourceID: a.PrincipalID(), AppRoleID: application.NoRole}); err != nil {
				return err
			}
			if _, err = catalogue.Grant(t.Context(), q, admin, start, application.Consent{ClientID: a.PrincipalID(), ConsentType: "Principal", PrincipalID: &ada.ID, ResourceID: application.GraphPrincipalID, Scope: "User.Read"}); err != nil {
				return err
			}
			return catalogue.AddOwner(t.Context(), q, admin, start, application.Owned{Target: a.Target(), Owner: ada.ID})
		})
		count := func() (n int) {
			t.Helper()
			all, err := application.FindAssignments(t.Context(), d, query(10), application.Side{Resource: a.PrincipalID()})
			if err != nil {
				t.Fatal(err)
			}
			owners, err := application.Owners(t.Context(), d, a.ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(all) + len(owners)
		}
		if n := count(); n != 2 {
			t.Errorf("%d before", n)
		}
		write(t, d, func(q db.Querier) error { return directory.DeleteUser(t.Context(), q, admin, start, ada.ID) })
		if n := count(); n != 0 {
			t.Errorf("%d of somebody who is deleted", n)
		}
		write(t, d, func(q db.Querier) error { return directory.Purge(t.Context(), q, admin, start, ada.ID) })
		for _, table := range []string{"app_role_assignments", "oauth2_permission_grants", "application_owners"} {
			var n int
			if err := d.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s has %d rows, %v", table, n, err)
			}
		}
	})
}

// TestPrincipalAudit: every change is in the log, with who made it.
func TestPrincipalAudit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := create(t, d, application.Application{DisplayName: "Wiki"})
		p := a.PrincipalID()
		write(t, d, func(q db.Querier) error {
			if _, err := catalogue.CreatePrincipal(t.Context(), q, admin, start, application.ServicePrincipal{AppID: a.AppID, AccountEnabled: true}); err != nil {
				return err
			}
			if _, err := catalogue.UpdatePrincipal(t.Context(), q, admin, start, p, func(p *application.ServicePrincipal) error { p.AccountEnabled = false; return nil }); err != nil {
				return err
			}
			c, err := catalogue.Grant(t.Context(), q, admin, start, application.Consent{ClientID: p, ConsentType: "AllPrincipals", ResourceID: application.GraphPrincipalID, Scope: "User.Read"})
			if err != nil {
				return err
			}
			if err := catalogue.Withdraw(t.Context(), q, admin, start, c.ID); err != nil {
				return err
			}
			r, err := catalogue.Assign(t.Context(), q, admin, start, application.Assignment{PrincipalID: p, ResourceID: application.GraphPrincipalID, AppRoleID: application.PermissionID("User.Read.All", false)})
			if err != nil {
				return err
			}
			if err := catalogue.Unassign(t.Context(), q, admin, start, application.Side{Principal: p}, r.ID); err != nil {
				return err
			}
			return catalogue.DeletePrincipal(t.Context(), q, admin, start, p)
		})
		want := "Add app role assignment to service principal, Add delegated permission grant, Add service principal, Remove app role assignment from service principal, " +
			"Remove delegated permission grant, Remove service principal, Update service principal"
		if got := strings.Join(activities(t, d, p), ", "); got != want {
			t.Errorf("audit: %s", got)
		}
		if all, err := audit.Audits(t.Context(), d, audit.Query{UserID: a.ID}); err != nil || len(all) != 1 {
			t.Errorf("of the application: %d %v", len(all), err)
		}
	})
}
