package signin_test

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/db"
	"cardea/internal/password"
	"cardea/internal/session"
)

var proofField = regexp.MustCompile(`name="proof" value="([^"]+)"`)

// TestNewPassword: a password that an administrator gave out leads to the page
// that asks for another, and no session starts before that one is there
// (forceChangePasswordNextSignIn).
func TestNewPassword(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		secrets(h, ada) // passwords are in use; she has an app code too
		h.Must(h.DB.Write(h.Context(), func(q db.Querier) error {
			return password.MustChange(h.Context(), q, h.Admin, h.Now(), password.Expiry{UserID: ada.ID, Must: true})
		}))
		to := flow(h, "Payroll")
		type form = []string
		send := func(b *cardeatest.Browser, path string, fields ...string) cardeatest.Reply {
			t.Helper()
			return b.Form(path, append(fields, "flow", to)...)
		}
		if r := send(b, "/signin/password", "username", "ada@contoso.com", "secret", "something else entirely"); r.Status != http.StatusUnauthorized || strings.Contains(r.Body, "Choose a new password") {
			t.Errorf("a wrong password: %d", r.Status)
		}
		ask := func() string {
			t.Helper()
			r := send(b, "/signin/password", "username", "ada@contoso.com", "secret", "seven purple teapots")
			m := proofField.FindStringSubmatch(r.Body)
			if r.Status != http.StatusOK || m == nil || !strings.Contains(r.Body, "Choose a new password") || !strings.Contains(r.Body, "Signing in as ada@contoso.com") || strings.Contains(r.Body, "seven purple") {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			if _, in := h.Session(b); in {
				t.Fatal("a session started before the new password")
			}
			return html.UnescapeString(m[1])
		}
		proof := ask()
		for _, c := range []struct {
			fields form
			status int
			text   string
		}{
			{form{"proof", proof, "secret", "short"}, 400, "This password is too short"},
			{form{"proof", proof, "secret", "seven purple teapots"}, 400, "This is the password that has to be changed"},
			{form{"proof", proof + "A", "secret", "nine patient harbours"}, 400, "This page was open for a while"},
			{form{"proof", "", "secret", "nine patient harbours"}, 400, "This page was open for a while"},
		} {
			if r := send(b, "/signin/new-password", c.fields...); r.Status != c.status || !strings.Contains(r.Body, c.text) || strings.Contains(r.Body, "nine patient") {
				t.Errorf("%v: %d, want %q", c.fields, r.Status, c.text)
			}
		}
		thief := h.Browser()
		thief.Get("/signin")
		if r := send(thief, "/signin/new-password", "proof", proof, "secret", "nine patient harbours"); r.Status != 400 {
			t.Errorf("in another browser: %d", r.Status)
		}
		if _, in := h.Session(b); in {
			t.Error("a refused password opened a session")
		}
		if r := b.Get("/signin/new-password?flow=" + to); r.To() != "/signin/password?flow="+to {
			t.Errorf("loaded again: %d %s", r.Status, r.To())
		}
		h.Forward(password.RenewalLife + time.Minute)
		if r := send(b, "/signin/new-password", "proof", proof, "secret", "nine patient harbours"); r.Status != 400 || !strings.Contains(r.Body, "This page was open for a while") {
			t.Errorf("too late: %d", r.Status)
		}
		proof = ask()
		if r := send(b, "/signin/new-password", "proof", proof, "secret", "nine patient harbours"); r.To() != "/signin/app-code?flow="+to {
			t.Fatalf("%d %s %s", r.Status, r.To(), r.Body)
		}
		if s := mustSession(h, b); s.UserID != ada.ID || !s.MFAAt.IsZero() || !s.Used(session.MethodPassword) {
			t.Errorf("%+v", s)
		}
		if r := send(h.Browser(), "/signin/password", "username", "ada@contoso.com", "secret", "nine patient harbours"); r.To() != "/signin/app-code?flow="+to {
			t.Errorf("the new password: %d %s", r.Status, r.To())
		}
	})
}
