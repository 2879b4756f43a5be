package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/directory"
)

// From the printed link to an administrator with a passkey; then no link works
// any more.
func TestSetUp(t *testing.T) {
	house.Each(t, func(h *house.House) {
		b, a := h.Browser(), cardeatest.NewAuthenticator()
		link := h.Link(accesspass.SetupLink, "")
		if r := b.Get("/setup?link=" + link); r.Status != 200 || !strings.Contains(r.Body, "Set up Cardea") {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		form := func(org, person, name string) cardeatest.Reply {
			return b.Form("/setup", "token", link, "organisation", org, "person", person, "username", name)
		}
		for _, bad := range []struct{ org, person, name, says string }{
			{" ", "Ada", "ada@contoso.com", "Name your organisation"},
			{"Contoso", "", "ada@contoso.com", "Enter your name"},
			{"Contoso", "Ada", "ada", "Use letters, digits"},
			{"Contoso", "Ada", "ada lovelace@", "Use letters, digits"},
			{"Contoso", "Ada", "ada@", "Use letters, digits"},
			{strings.Repeat("x", 101), "Ada", "ada@contoso.com", "Name your organisation"},
			{"Contoso", strings.Repeat("x", 257), "ada@contoso.com", "Enter your name"},
		} {
			if r := form(bad.org, bad.person, bad.name); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, bad.says) {
				t.Errorf("%+v: %d", bad, r.Status)
			}
		}
		if r := form("Contoso", "Ada Lovelace", "ada@contoso.com"); r.To() != "/setup/passkey" {
			t.Fatalf("what was refused spent the link: %d %s", r.Status, r.Body)
		}
		if r := b.Get("/setup/passkey"); !strings.Contains(r.Body, "Create your passkey") || !strings.Contains(r.Body, `data-next="/setup/done"`) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		// Of no use to somebody else, and no proof yet.
		if r := form("Evil", "Eve", "eve@evil.example"); r.Status != http.StatusUnauthorized || !strings.Contains(r.Body, "This link does not work") {
			t.Errorf("used again: %d", r.Status)
		}
		for path, want := range map[string]string{"/": "/signin", "/setup/done": "/signin?flow=%2Fsetup%2Fdone", "/security-info": "/signin?next=%2Fsecurity-info"} {
			if r := b.Get(path); r.To() != want {
				t.Errorf("%s leads to %q", path, r.To())
			}
		}
		h.Register(b, a)
		if r := b.Get("/setup/passkey"); r.To() != "/setup/done" {
			t.Errorf("%d %s", r.Status, r.To())
		}
		h.Use(b, a, "/signin/again", "")
		if r := b.Get("/setup/done"); !strings.Contains(r.Body, "Contoso is ready") || !strings.Contains(r.Body, "ada@contoso.com") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Get("/"); !strings.Contains(r.Body, `href="/admin"`) {
			t.Errorf("home of an administrator: %d", r.Status)
		}
		u, err := directory.GetUser(t.Context(), h.DB, "ada@contoso.com")
		h.Must(err)
		if roles, err := directory.RolesOf(t.Context(), h.DB, u.ID); err != nil || len(roles) != 1 || roles[0] != directory.GlobalAdministrator {
			t.Errorf("%v %v", roles, err)
		}
		for _, text := range []string{"", link, "guessed.guessed"} {
			if r := h.Browser().Get("/setup?link=" + text); r.Status != http.StatusUnauthorized || !strings.Contains(r.Body, "/signin") {
				t.Errorf("%q: %d", text, r.Status)
			}
		}
	})
}

// An enrolment link greets as often as mail scanners look, works once, and
// leads to a passkey.
func TestEnrol(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, a := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser(), cardeatest.NewAuthenticator()
		link := h.Link(accesspass.EnrolmentLink, ada.ID)
		for range 3 {
			if r := h.Browser().Get("/enrol?link=" + link); !strings.Contains(r.Body, "Welcome, Ada Lovelace") {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
		if r := h.Browser().Get("/setup?link=" + link); r.Status != http.StatusUnauthorized {
			t.Errorf("set up with it: %d", r.Status)
		}
		if r := b.Form("/enrol", "token", link); r.To() != "/enrol/passkey" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		thief := h.Browser()
		if r := thief.Form("/enrol", "token", link); r.Status != http.StatusUnauthorized || thief.Cookies["__Host-session"] != "" {
			t.Errorf("used again: %d", r.Status)
		}
		if r := thief.Get("/enrol?link=" + link); r.Status != http.StatusUnauthorized {
			t.Errorf("looked at again: %d", r.Status)
		}
		if r := thief.Get("/enrol/passkey"); r.To() != "/signin" {
			t.Errorf("%d %s", r.Status, r.To())
		}
		if r := b.Get("/enrol/passkey"); !strings.Contains(r.Body, "Ada Lovelace, this is how you sign in") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		h.Register(b, a)
		if r := b.Get("/enrol/passkey"); r.To() != "/signin/done" {
			t.Errorf("%d %s", r.Status, r.To())
		}
		if r := b.Get("/signin/done"); r.To() != "/signin" {
			t.Errorf("a link and a new passkey are no proof: %s", r.To())
		}
		h.Use(b, a, "/signin/again", "")
		if r := b.Get("/signin/done"); r.To() != "/" {
			t.Errorf("%s", r.To())
		}
		h.Forward(8 * 24 * time.Hour)
		if r := h.Browser().Get("/enrol?link=" + h.Link(accesspass.EnrolmentLink, ada.ID)); r.Status != 200 {
			t.Errorf("a new one: %d", r.Status)
		}
	})
}
