package application_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/jose"
	"cardea/internal/problem"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	admin = audit.Actor{UserID: "admin", UserName: "Grace"}
)

func write(t *testing.T, d *db.DB, f func(q db.Querier) error) {
	t.Helper()
	if err := d.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d *db.DB, a application.Application) application.Application {
	t.Helper()
	write(t, d, func(q db.Querier) (err error) {
		a, err = application.Create(t.Context(), q, admin, start, a)
		return err
	})
	return a
}

func activities(t *testing.T, d *db.DB, target string) (out []string) {
	t.Helper()
	all, err := audit.Audits(t.Context(), d, audit.Query{UserID: target})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.InitiatedBy.User == nil || r.InitiatedBy.User.ID != "admin" {
			t.Errorf("%s was done by %+v", r.ActivityDisplayName, r.InitiatedBy)
		}
		out = append(out, r.ActivityDisplayName)
	}
	slices.Sort(out)
	return out
}

func TestLife(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := create(t, d, application.Application{DisplayName: "Wiki", Web: application.Web{RedirectURIs: []string{"https://wiki.example.com/cb"}},
			SPA: application.Redirects{RedirectURIs: []string{"https://wiki.example.com/"}}, Cardea: application.Extra{Scopes: []string{"User.Read"}, LogoutRedirectURIs: []string{"https://wiki.example.com/bye"}}})
		if a.ID == a.AppID || a.Cardea.SigningAlgorithm != "ES256" {
			t.Errorf("created: %+v", a)
		}
		got, err := application.GetByAppID(t.Context(), d, strings.ToUpper(a.AppID))
		if err != nil {
			t.Fatal(err)
		}
		if text(t, got) != text(t, a) {
			t.Errorf("stored %s\nread   %s", text(t, a), text(t, got))
		}
		if kind, ok := got.Redirect("https://wiki.example.com/"); !ok || kind != application.SPARedirect {
			t.Errorf("redirect: %s %v", kind, ok)
		}
		if !got.LogoutRedirect("https://wiki.example.com/bye") || !got.LogoutRedirect("https://wiki.example.com/cb") || got.LogoutRedirect("https://wiki.example.com/other") {
			t.Error("post-logout redirects")
		}
		if !got.Grants("user.read") || got.Grants("User.ReadWrite") {
			t.Error("Grants")
		}
		write(t, d, func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, a.ID, func(a *application.Application) error {
				a.DisplayName, a.AppID = "Wiki 2", "stolen"
				return nil
			})
			return err
		})
		err = d.Write(t.Context(), func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, a.ID, func(a *application.Application) error {
				a.Web.RedirectURIs = []string{"http://wiki.example.com/cb"}
				return nil
			})
			return err
		})
		if problem.CodeOf(err) != "redirectUriNotAllowed" {
			t.Errorf("a redirect URI in the clear: %v", err)
		}
		got, err = application.Get(t.Context(), d, a.ID)
		if err != nil || got.DisplayName != "Wiki 2" || got.AppID != a.AppID || got.Version != 2 {
			t.Errorf("updated: %+v %v", got, err)
		}
		write(t, d, func(q db.Querier) error { return application.Delete(t.Context(), q, admin, start, a.ID) })
		if _, err := application.Get(t.Context(), d, a.ID); problem.KindOf(err) != problem.NotFound {
			t.Errorf("deleted: %v", err)
		}
		if got := strings.Join(activities(t, d, a.ID), ", "); got != "Add application, Delete application, Update application" {
			t.Errorf("audit: %s", got)
		}
	})
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSecrets(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		a := create(t, d, application.Application{DisplayName: "Job"})
		if !a.Public() {
			t.Error("an application without credentials is public")
		}
		var one, two application.PasswordCredential
		write(t, d, func(q db.Querier) (err error) {
			if one, err = application.AddSecret(t.Context(), q, admin, start, a.ID, application.PasswordCredential{DisplayName: "a", EndDateTime: start.Add(time.Hour)}); err != nil {
				return err
			}
			two, err = application.AddSecret(t.Context(), q, admin, start, a.ID, application.PasswordCredential{DisplayName: "b"})
			return err
		})
		if len(one.SecretText) != 40 || one.Hint != one.SecretText[:3] || one.SecretText == two.SecretText {
			t.Errorf("secrets: %+v %+v", one, two)
		}
		a, err := application.Get(t.Context(), d, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if a.Public() || len(a.PasswordCredentials) != 2 || a.PasswordCredentials[0].SecretText != "" || strings.Contains(text(t, a), one.SecretText) {
			t.Errorf("read: %s", text(t, a))
		}
		for _, c := range []struct {
			given, code string
			at          time.Time
		}{
			{one.SecretText, "systemError", start}, // no error at all
			{one.SecretText, "clientSecretExpired", start.Add(time.Hour)},
			{two.SecretText, "systemError", start.Add(time.Hour)},
			{one.SecretText[:39], "clientSecretInvalid", start},
			{one.KeyID, "clientSecretInvalid", start},
			{"", "clientSecretInvalid", start},
		} {
			err := a.CheckSecret(c.given, c.at)
			if c.code == "systemError" && err != nil || c.code != "systemError" && problem.CodeOf(err) != c.code {
				t.Errorf("%q at %s: %v, want %s", c.given, c.at, err, c.code)
			}
		}
		write(t, d, func(q db.Querier) error {
			return application.RemoveCredential(t.Context(), q, admin, start, a.ID, one.KeyID)
		})
		if a, err = application.Get(t.Context(), d, a.ID); err != nil || a.CheckSecret(one.SecretText, start) == nil {
			t.Errorf("a removed secret works: %v", err)
		}
		err = d.Write(t.Context(), func(q db.Querier) error {
			return application.RemoveCredential(t.Context(), q, admin, start, a.ID, one.KeyID)
		})
		if problem.KindOf(err) != problem.NotFound {
			t.Errorf("removed twice: %v", err)
		}
		want := "Add application, Add service principal credentials, Add service principal credentials, Remove service principal credentials"
		if got := strings.Join(activities(t, d, a.ID), ", "); got != want {
			t.Errorf("audit: %s", got)
		}
	})
}

func selfSigned(t *testing.T, from, until time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "job"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestCertificates(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		der := selfSigned(t, start.Add(-time.Hour), start.Add(time.Hour))
		a := create(t, d, application.Application{DisplayName: "Job"})
		add := func(der []byte, at time.Time) error {
			return d.Write(t.Context(), func(q db.Querier) error {
				_, err := application.AddCertificate(t.Context(), q, admin, at, a.ID, application.KeyCredential{Key: der})
				return err
			})
		}
		if err := add([]byte("no certificate"), start); problem.CodeOf(err) != "invalidValue" {
			t.Errorf("garbage: %v", err)
		}
		if err := add(der, start.Add(2*time.Hour)); problem.CodeOf(err) != "certificateExpired" {
			t.Errorf("over: %v", err)
		}
		if err := add(der, start); err != nil {
			t.Fatal(err)
		}
		if a, err := application.Get(t.Context(), d, a.ID); err != nil || a.Public() || len(a.Certificates(start)) != 1 || len(a.KeyCredentials) != 1 || a.KeyCredentials[0].Key != nil {
			t.Errorf("read: %+v %v", a, err)
		}
	})
}

func TestCacheSeesChanges(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		c, now := application.NewCache(d), start
		if _, err := c.Find(t.Context(), "nobody", now); problem.CodeOf(err) != "applicationUnknown" {
			t.Fatal(err)
		}
		a := create(t, d, application.Application{DisplayName: "Wiki"})
		if err := c.Refresh(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Find(t.Context(), strings.ToUpper(a.AppID), now); err != nil || got.DisplayName != "Wiki" {
			t.Fatalf("%+v %v", got, err)
		}
		write(t, d, func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, admin, start, a.ID, func(a *application.Application) error { a.DisplayName = "Docs"; return nil })
			return err
		})
		now = now.Add(time.Second) // another node's change is seen within a second
		if got, err := c.Find(t.Context(), a.AppID, now); err != nil || got.DisplayName != "Docs" {
			t.Fatalf("%+v %v", got, err)
		}
		write(t, d, func(q db.Querier) error { return application.Delete(t.Context(), q, admin, start, a.ID) })
		now = now.Add(time.Second)
		if _, err := c.Find(t.Context(), a.AppID, now); problem.CodeOf(err) != "applicationUnknown" {
			t.Errorf("deleted: %v", err)
		}
	})
}

func TestBuiltInWC84(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for range 2 {
			if err := application.EnsureBuiltIn(t.Context(), d, start); err != nil {
				t.Fatal(err)
			}
		}
		all, err := application.List(t.Context(), d)
		if err != nil || len(all) != 2 {
			t.Fatalf("%d applications, %v", len(all), err)
		}
		for _, id := range []string{application.CLIAppID, "14d82eec-204b-4c2f-b7e8-296a70dab67e"} {
			a, err := application.GetByAppID(t.Context(), d, id)
			if err != nil {
				t.Fatal(err)
			}
			if kind, ok := a.Redirect("http://localhost:51234"); !ok || kind != application.PublicRedirect || !a.Public() {
				t.Errorf("%s: %+v", a.DisplayName, a)
			}
			write(t, d, func(q db.Querier) error { return application.Delete(t.Context(), q, admin, start, a.ID) })
		}
		if err := application.EnsureBuiltIn(t.Context(), d, start); err != nil {
			t.Fatal(err)
		}
		if all, err := application.List(t.Context(), d); err != nil || len(all) != 0 {
			t.Errorf("deleted ones came back: %d %v", len(all), err)
		}
	})
}

func TestRotateKeysIsRecorded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m, err := jose.LoadMaster(filepath.Join(t.TempDir(), "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := jose.OpenRing(t.Context(), d, m, start)
		if err != nil {
			t.Fatal(err)
		}
		made, err := application.RotateKeys(t.Context(), r, admin, false, start)
		if err != nil || len(made) != 3 {
			t.Fatalf("%d keys, %v", len(made), err)
		}
		all, err := audit.Audits(t.Context(), d, audit.Query{})
		if err != nil || len(all) != 1 || all[0].ActivityDisplayName != "Rotate keys" || len(all[0].TargetResources) != 3 {
			t.Errorf("audit: %+v %v", all, err)
		}
	})
}
