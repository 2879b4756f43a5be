package application

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// rich makes an application with something in every table, and what it refers to.
func rich(t *testing.T, d *db.DB, now time.Time) (a Application, other Application, person directory.User) {
	t.Helper()
	by := audit.System("test")
	write := func(f func(q db.Querier) error) {
		t.Helper()
		if err := d.Write(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	role := AppRole{ID: "11111111-1111-4111-8111-111111111111", Value: "Writer", DisplayName: "Writer", Description: "Writes", AllowedMemberTypes: []string{"User", "Application"}, IsEnabled: true}
	write(func(q db.Querier) (err error) {
		if person, err = directory.CreateUser(t.Context(), q, by, now, directory.User{UserPrincipalName: "ada@contoso.test", DisplayName: "Ada", AccountEnabled: true}); err != nil {
			return err
		}
		if other, err = Create(t.Context(), q, by, now, Application{DisplayName: "Other"}); err != nil {
			return err
		}
		a, err = Create(t.Context(), q, by, now, Application{DisplayName: "Rich", Document: Document{IdentifierURIs: []string{"api://rich.example"}, Tags: []string{"one", "two"}, AppRoles: []AppRole{role}, UniqueName: "rich",
			API: API{OAuth2PermissionScopes: []Scope{{ID: "22222222-2222-4222-8222-222222222222", Value: "read", Type: "User", IsEnabled: true, AdminConsentDisplayName: "x", AdminConsentDescription: "x"}}}},
			Web: Web{RedirectURIs: []string{"https://rich.example/cb"}}, Cardea: Extra{Permissions: []string{"User.Read.All"}, Scopes: []string{"User.Read"}}})
		if err != nil {
			return err
		}
		if _, err = AddSecret(t.Context(), q, by, now, a.ID, PasswordCredential{}); err != nil {
			return err
		}
		k := Catalogue{Application: []string{"User.Read.All"}, Delegated: []string{"User.Read"}}
		if _, err = k.AddPrincipalSecret(t.Context(), q, by, now, a.PrincipalID(), PasswordCredential{}); err != nil {
			return err
		}
		for _, id := range []string{a.ID, a.PrincipalID()} {
			if err := k.AddOwner(t.Context(), q, by, now, Owned{Target: audit.Target{ID: id, Type: "App"}, Owner: person.ID}); err != nil {
				return err
			}
		}
		if err := k.AddOwner(t.Context(), q, by, now, Owned{Target: audit.Target{ID: other.ID, Type: "App"}, Owner: a.PrincipalID()}); err != nil {
			return err
		}
		for _, as := range []Assignment{{PrincipalID: person.ID, ResourceID: a.PrincipalID(), AppRoleID: role.ID}, {PrincipalID: other.PrincipalID(), ResourceID: a.PrincipalID(), AppRoleID: role.ID}} {
			if _, err := k.Assign(t.Context(), q, by, now, as); err != nil {
				return err
			}
		}
		for _, c := range []Consent{{ClientID: a.PrincipalID(), ConsentType: "Principal", PrincipalID: &person.ID, ResourceID: GraphPrincipalID, Scope: "User.Read.All"},
			{ClientID: other.PrincipalID(), ConsentType: "AllPrincipals", ResourceID: a.PrincipalID(), Scope: "read"}} {
			if _, err := k.Grant(t.Context(), q, by, now, c); err != nil {
				return err
			}
		}
		g, err := directory.CreateGroup(t.Context(), q, by, now, directory.Group{DisplayName: "Crew"})
		if err != nil {
			return err
		}
		if err := directory.AddOwner(t.Context(), q, by, now, directory.Owner{GroupID: g.ID, ID: a.PrincipalID()}); err != nil {
			return err
		}
		return directory.AssignRole(t.Context(), q, by, now, directory.RoleAssignment{UserID: a.PrincipalID(), RoleID: directory.ReportsReader})
	})
	return a, other, person
}

// everyRow is what all tables of this package hold, in an order that does not
// depend on when rows were made.
func everyRow(t *testing.T, q db.Querier) string {
	t.Helper()
	var out strings.Builder
	for _, table := range tables {
		rows, err := rowsOf(t.Context(), q, `SELECT * FROM `+table.name)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, row := range rows {
			lines = append(lines, text(row))
		}
		slices.Sort(lines)
		out.WriteString(table.name + "\n" + strings.Join(lines, "\n") + "\n")
	}
	return out.String()
}

func TestDeletedApplicationComesBackWhole(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now, by := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), audit.System("test")
		a, _, _ := rich(t, d, now)
		write := func(f func(q db.Querier) error) error { t.Helper(); return d.Write(t.Context(), f) }
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		was, err := Get(t.Context(), d, a.ID)
		must(err)
		before := everyRow(t, d)
		for _, table := range tables {
			if !strings.Contains(before, table.name+"\n{") && table.name != "application_certificates" {
				t.Errorf("%s is empty: the test proves nothing of it", table.name)
			}
		}
		must(write(func(q db.Querier) error { return Delete(t.Context(), q, by, now, a.ID) }))
		if _, err := Get(t.Context(), d, a.ID); problem.KindOf(err) != problem.NotFound {
			t.Error("still there:", err)
		}
		if after := everyRow(t, d); strings.Contains(after, a.ID) || strings.Contains(after, a.PrincipalID()) || strings.Contains(after, a.AppID) {
			t.Errorf("rows stay: %s", after)
		}
		item, err := GetDeleted(t.Context(), d, strings.ToUpper(a.ID))
		must(err)
		own, delegated := item.Permissions()
		if !reflect.DeepEqual(own, []string{"User.Read.All"}) || len(delegated) != 2 || item.Application.DeletedDateTime == nil || !item.Application.DeletedDateTime.Equal(now) {
			t.Errorf("deleted: %v %v %v", own, delegated, item.Application.DeletedDateTime)
		}
		if n, err := CountDeleted(t.Context(), d, odata.Query{}, KindApplication); err != nil || n != 1 {
			t.Errorf("%d deleted (%v)", n, err)
		}
		must(write(func(q db.Querier) error { _, err := RestoreDeleted(t.Context(), q, by, now, a.ID); return err }))
		if after := everyRow(t, d); after != before {
			t.Errorf("restored as\n%s\nwas\n%s", after, before)
		}
		is, err := Get(t.Context(), d, a.ID)
		must(err)
		if text(is) != text(was) || len(is.secrets) != len(was.secrets) || is.PrincipalID() != was.PrincipalID() {
			t.Errorf("restored as %s, was %s", text(is), text(was))
		}
		if roles, err := directory.RolesOf(t.Context(), d, a.PrincipalID()); err != nil || len(roles) != 0 {
			t.Errorf("restored with directory roles: %v %v", roles, err)
		}
		if _, err := GetDeleted(t.Context(), d, a.ID); problem.KindOf(err) != problem.NotFound {
			t.Error("still among the deleted items:", err)
		}

		// What is gone for good meanwhile stays away; what is taken is refused.
		must(write(func(q db.Querier) error { return Delete(t.Context(), q, by, now, a.ID) }))
		must(write(func(q db.Querier) error {
			u, err := directory.GetUser(t.Context(), q, "ada@contoso.test")
			if err == nil {
				err = directory.DeleteUser(t.Context(), q, by, now, u.ID)
			}
			if err != nil {
				return err
			}
			return directory.Purge(t.Context(), q, by, now, u.ID)
		}))
		var thief Application
		for _, taken := range []Application{{DisplayName: "Thief", Document: Document{UniqueName: "Rich"}}, {DisplayName: "Thief", Document: Document{IdentifierURIs: []string{"api://rich.example/"}}}} {
			must(write(func(q db.Querier) (err error) { thief, err = Create(t.Context(), q, by, now, taken); return err }))
			refused := everyRow(t, d)
			err := write(func(q db.Querier) error { _, err := RestoreDeleted(t.Context(), q, by, now, a.ID); return err })
			if problem.CodeOf(err) != "alreadyExists" || everyRow(t, d) != refused {
				t.Errorf("taken meanwhile: %v", err)
			}
			must(write(func(q db.Querier) error { return Delete(t.Context(), q, by, now, thief.ID) }))
		}
		must(write(func(q db.Querier) error { _, err := RestoreDeleted(t.Context(), q, by, now, a.ID); return err }))
		owners, err := Owners(t.Context(), d, a.ID)
		must(err)
		if people, err := FindAssignments(t.Context(), d, odata.Query{Top: 9}, Side{Resource: a.PrincipalID()}); err != nil || len(people) != 1 || len(owners) != 0 {
			t.Errorf("somebody who is gone is back: %v %v (%v)", owners, people, err)
		}
	})
}

func TestDeletedServicePrincipal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now, by := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), audit.System("test")
		a, _, _ := rich(t, d, now)
		do := func(f func(q db.Querier) error) error { t.Helper(); return d.Write(t.Context(), f) }
		remove := func(q db.Querier) error {
			return (Catalogue{}).DeletePrincipal(t.Context(), q, by, now, a.PrincipalID())
		}
		back := func(q db.Querier) error {
			_, err := RestoreDeleted(t.Context(), q, by, now, a.PrincipalID())
			return err
		}
		before := everyRow(t, d)
		if err := do(remove); err != nil {
			t.Fatal(err)
		}
		alone, err := Get(t.Context(), d, a.ID)
		if err != nil || alone.Usable() == nil || len(alone.PasswordCredentials) != 1 {
			t.Errorf("without its service principal: %v %v", alone.Usable(), err)
		}
		if err := do(back); err != nil {
			t.Fatal(err)
		}
		if after := everyRow(t, d); after != before {
			t.Errorf("restored as\n%s\nwas\n%s", after, before)
		}
		if err := do(remove); err != nil {
			t.Fatal(err)
		}
		var second ServicePrincipal
		if err := do(func(q db.Querier) (err error) {
			second, err = (Catalogue{}).CreatePrincipal(t.Context(), q, by, now, ServicePrincipal{AppID: a.AppID, AccountEnabled: true})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := do(back); problem.CodeOf(err) != "alreadyExists" {
			t.Errorf("two service principals: %v", err)
		}
		if err := do(func(q db.Querier) error { return Delete(t.Context(), q, by, now, a.ID) }); err != nil {
			t.Fatal(err)
		}
		if err := do(back); problem.CodeOf(err) != "applicationUnknown" {
			t.Errorf("without its application: %v", err)
		}
		for range 2 { // the application with its second one, and the first one
			if err := do(func(q db.Querier) error {
				n, err := PurgeOld(t.Context(), q, now, now.Add(time.Millisecond), 1)
				if n != 1 {
					t.Errorf("%d purged", n)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := (Catalogue{}).GetPrincipal(t.Context(), d, second.ID); problem.KindOf(err) != problem.NotFound {
			t.Error(err)
		}
		if err := do(back); problem.KindOf(err) != problem.NotFound {
			t.Errorf("restored after its end: %v", err)
		}
	})
}

// TestEveryTableIsParked: a table that refers to applications or to service
// principals and that nobody thought of would lose its rows in a restore.
func TestEveryTableIsParked(t *testing.T) {
	files, err := filepath.Glob("../db/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no migrations", err)
	}
	create := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range create.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(m[2], "REFERENCES applications") && !strings.Contains(m[2], "REFERENCES service_principals") {
				continue
			}
			found++
			if !slices.ContainsFunc(tables, func(t struct{ name, whose, back string }) bool { return t.name == m[1] }) {
				t.Errorf("%s: %s has rows of applications and is not in tables", file, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d tables found", found)
	}
}

// FuzzCell: what can be read is written as the same.
func FuzzCell(f *testing.F) {
	for _, s := range []string{`null`, `"x"`, `7`, `true`, `{"base64":"AAE="}`, `-9223372036854775808`, `1.5`, `{}`, `[1]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var c, again cell
		if json.Unmarshal([]byte(in), &c) != nil {
			return
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%s: %#v came back as %#v (%v)", in, c, again, err)
		}
	})
}
