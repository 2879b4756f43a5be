package signin_test

import (
	"encoding/base32"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/password"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// A one-time pass leads to a passkey and to nothing else; with it the person
// goes on to the application (PK-152, PK-153, PK-177).
func TestOneTimePass_PK152_PK153_PK177(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, a := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser(), cardeatest.NewAuthenticator()
		code, to := h.Pass(ada, true), flow(h, "Payroll")
		r := b.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code, "flow", to)
		if r.Status != http.StatusSeeOther || r.To() != "/signin/prompt?flow="+to {
			t.Fatalf("%d %s", r.Status, r.To())
		}
		s := mustSession(h, b)
		if s.Proved() || s.ExpiresAt.Sub(h.Now()) > accesspass.OneTimeSession {
			t.Errorf("%+v", s)
		}
		p := b.Get(r.To())
		for _, want := range []string{"Now create a passkey", `data-options="/security-info/passkeys/options"`, `data-next="/signin/done?flow=` + to, `data-get="/signin/again"`} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if strings.Contains(p.Body, "/signin/prompt/skip") {
			t.Error("the passkey may be skipped")
		}
		for path, want := range map[string]string{"/": "/signin", "/security-info": "/signin?next=%2Fsecurity-info", "/signin": "/signin/prompt", "/signin/done?flow=" + to: "/signin?flow=" + to} {
			if r := b.Get(path); r.To() != want {
				t.Errorf("%s leads to %q, want %q", path, r.To(), want)
			}
		}
		thief := h.Browser()
		if r := thief.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code); r.Status != http.StatusUnauthorized || strings.Contains(r.Body, code) {
			t.Errorf("used again: %d", r.Status)
		}
		h.Register(b, a)
		if r := b.Get("/signin/done?flow=" + to); r.To() != "/signin?flow="+to {
			t.Errorf("a new passkey alone is no proof: %s", r.To())
		}
		if r := b.Get("/signin?flow=" + to); r.Status != 200 || !strings.Contains(r.Body, `data-get="/signin/passkey"`) {
			t.Errorf("%d %s", r.Status, r.To())
		}
		if r := h.Use(b, a, "/signin/again", to); r.Status != 200 || !strings.Contains(r.Body, "/signin/continue?flow=") {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		after := mustSession(h, b)
		if after.ID == s.ID || after.Used(session.MethodAccessPass) || !after.Proved() || after.ExpiresAt.Sub(h.Now()) < 23*time.Hour {
			t.Errorf("the session of the passkey: %+v", after)
		}
		if r := b.Get("/signin/done?flow=" + to); r.To() != "/signin/continue?flow="+to {
			t.Errorf("%s", r.To())
		}
	})
}

// The session of a pass ends with it, and ten minutes after a one-time pass
// nothing can be registered any more (PK-152, PK-153).
func TestPassEnds_PK152_PK153(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada := h.Person("ada@contoso.com", "Ada Lovelace")
		once, many := h.Browser(), h.Browser()
		once.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", h.Pass(ada, true))
		code := h.Pass(ada, false)
		many.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code)
		h.Forward(10 * time.Minute)
		if r := once.JSON("/security-info/passkeys/options", struct{}{}); r.Status != http.StatusUnauthorized || r.Code() != "signInRequired" {
			t.Errorf("one-time: %d %s", r.Status, r.Body)
		}
		if r := many.Get("/security-info"); r.Status != 200 {
			t.Errorf("multi-use: %d", r.Status)
		}
		h.Forward(50 * time.Minute)
		if _, in := h.Session(many); in {
			t.Error("the session outlived its pass")
		}
		if r := many.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code); r.Status != http.StatusUnauthorized {
			t.Errorf("expired pass: %d", r.Status)
		}
	})
}

// A pass that works often asks for a passkey too, but "Not now" goes on; for a
// day this browser asks no more (PK-164, UX-C9).
func TestPrompt_PK164(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		code, to := h.Pass(ada, false), flow(h, "Payroll")
		enter := func() string {
			return b.Form("/signin/temporary-access-pass", "username", " ADA@contoso.com ", "secret", code, "flow", to).To()
		}
		p := b.Get(enter())
		if !strings.Contains(p.Body, `action="/signin/prompt/skip"`) || !strings.Contains(p.Body, `action="/signin/prompt/problem"`) {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		if r := b.Form("/signin/prompt/problem", "flow", to); r.To() != "/signin/help?flow="+to {
			t.Errorf("%s", r.To())
		}
		if r := b.Get("/signin/prompt?flow=" + to); r.Status != 200 {
			t.Errorf("PK-165: having a problem counts as nothing: %d", r.Status)
		}
		if r := b.Form("/signin/prompt/skip", "flow", to, "failed", ""); r.To() != "/signin/continue?flow="+to {
			t.Errorf("%s", r.To())
		}
		if r := b.Get(enter()); r.To() != "/signin/continue?flow="+to {
			t.Errorf("asked again: %d %s", r.Status, r.To())
		}
		if r := h.Browser().Get("/signin/prompt"); r.To() != "/signin" {
			t.Errorf("nobody is signed in: %s", r.To())
		}
	})
}

// Providers are named before the dialog, and the hint follows the profiles
// (PK-175, UX-X3). A one-time pass of somebody whom passkeys are not for says
// so instead of going round in circles.
func TestPromptFollowsProfiles_PK175(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		profile := func(types, ids string) string {
			return `{"passkeyProfiles":[{"id":"00000000-0000-0000-0000-000000000001","name":"Default passkey profile","passkeyTypes":"` + types + `","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":true,"enforcementType":"allow","aaGuids":["` + ids + `"]}}]}`
		}
		h.Policy(profile("deviceBound,synced", "fbfc3007-154e-4ecc-8c0b-6e020557d7bd"))
		b.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", h.Pass(ada, true))
		if r := b.Get("/signin/prompt"); !strings.Contains(r.Body, "iCloud Keychain") || !strings.Contains(r.Body, `data-hint="client-device"`) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		h.Policy(profile("deviceBound", "cb69481e-8ff7-4039-93ec-0a2729a154a8"))
		if r := b.Get("/signin/prompt"); !strings.Contains(r.Body, `data-hint="security-key"`) || !strings.Contains(r.Body, "accepts security keys only") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		h.Policy(`{"state":"disabled"}`)
		if r := b.Get("/signin/prompt"); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, "switched passkeys off") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// Whatever name is typed, the choices and the answers are the same, and the
// pass is offered to everybody (PK-154, PK-168, PK-119).
func TestSameForEveryName_PK119_PK154_PK168(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		h.Settled("ada@contoso.com", "Ada Lovelace")
		h.Pass(h.Person("bob@contoso.com", "Bob"), false)
		id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}`)
		pages := map[string]string{}
		for _, name := range []string{"ada@contoso.com", "bob@contoso.com", "nobody@contoso.com", "not a name"} {
			b, all := h.Browser(), ""
			if r := b.Form("/signin", "username", name); r.To() != "/signin/other" {
				t.Fatalf("%d %s", r.Status, r.To())
			}
			for _, path := range []string{"/signin/other", "/signin/temporary-access-pass", "/signin/password", "/signin/help", "/signin"} {
				all += b.Get(path).Body
			}
			all += b.Get("/signin/app-code").To()
			for _, path := range []string{"/signin/temporary-access-pass", "/signin/password"} {
				r := b.Form(path, "username", name, "secret", "wrong")
				if r.Status != http.StatusUnauthorized || !strings.Contains(r.Body, "That did not match") {
					t.Errorf("%s %s: %d", name, path, r.Status)
				}
				all += r.Body
			}
			pages[id.ReplaceAllString(strings.ReplaceAll(all, name, "NAME"), "")] += name + "; "
		}
		if len(pages) != 1 {
			t.Errorf("%d different answers", len(pages))
		}
		for page := range pages {
			for _, way := range []string{"Passkey", "Temporary access pass", "Code from an authenticator app", "Password"} {
				if !strings.Contains(page, way) {
					t.Errorf("%s is not offered", way)
				}
			}
		}
	})
}

// Guesses end in a page that says so, for that account only, and the secret is
// never shown again (PK-151).
func TestTooMany_PK151(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada := h.Person("ada@contoso.com", "Ada Lovelace")
		code, b := h.Pass(ada, false), h.Browser()
		for range throttle.PerAccount.Count {
			b.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", "wrong123")
		}
		r := b.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code)
		if r.Status != http.StatusTooManyRequests || !strings.Contains(r.Body, "Too many tries") || strings.Contains(r.Body, code) {
			t.Errorf("%d", r.Status)
		}
	})
}

// A name without a domain is one of the organisation.
func TestNameWithoutDomain(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		h.Write(func(q db.Querier) error {
			_, err := directory.UpdateOrganization(h.Context(), q, h.Admin, h.Now(), func(o *directory.Organization) error { o.Domain = "contoso.com"; return nil })
			return err
		})
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		if r := b.Form("/signin/temporary-access-pass", "username", "Ada", "secret", h.Pass(ada, false)); r.Status != http.StatusSeeOther {
			t.Errorf("%d", r.Status)
		}
	})
}

// secrets gives ada a password and an app code, and returns the code's secret.
func secrets(h *house.House, u directory.User) []byte {
	h.Helper()
	h.Enable("Password")
	h.Enable("SoftwareOath")
	hasher := throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 1)
	h.Must(password.Set(h.Context(), h.DB, hasher, h.Admin, password.Change{UserID: u.ID, New: "seven purple teapots", At: h.Now()}))
	s := session.Session{ID: "s", UserID: u.ID, MFAAt: h.Now(), Methods: []string{session.MethodMFA}}
	begun, err := oath.Begin(h.Context(), h.DB, h.Ring, s, h.Now())
	h.Must(err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(begun.Secret)
	h.Must(err)
	_, err = oath.Confirm(h.Context(), h.DB, h.Ring, session.Situation{}.Actor(u), oath.Confirmation{State: begun.State, Code: house.TOTP(secret, h.Now()), Session: s, At: h.Now()})
	h.Must(err)
	h.Forward(time.Minute)
	return secret
}

// Password, then app code, then a passkey that may wait; the code alone proves
// nobody (PK-169, PK-177).
func TestPasswordAndCode_PK169_PK177(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		secret, to := secrets(h, ada), flow(h, "Payroll")
		if r := b.Form("/signin/app-code", "secret", house.TOTP(secret, h.Now()), "flow", to); r.To() != "/signin/password?flow="+to {
			t.Errorf("a code alone: %d %s", r.Status, r.To())
		}
		if r := b.Form("/signin/password", "username", "ada@contoso.com", "secret", "seven purple teapots", "flow", to); r.To() != "/signin/app-code?flow="+to {
			t.Fatalf("%d %s", r.Status, r.To())
		}
		if s := mustSession(h, b); !s.MFAAt.IsZero() {
			t.Errorf("a password counts as two factors: %+v", s)
		}
		if r := b.Get("/signin/app-code?flow=" + to); !strings.Contains(r.Body, "Signing in as ada@contoso.com") {
			t.Errorf("%d", r.Status)
		}
		if r := b.Form("/signin/app-code", "secret", "000000", "flow", to); r.Status != http.StatusUnauthorized || !strings.Contains(r.Body, "This code is not right") {
			t.Errorf("wrong code: %d", r.Status)
		}
		code := house.TOTP(secret, h.Now())
		if r := b.Form("/signin/app-code", "secret", code[:3]+" "+code[3:], "flow", to); r.To() != "/signin/prompt?flow="+to {
			t.Fatalf("%d %s", r.Status, r.To())
		}
		s := mustSession(h, b)
		if !s.Strong(h.Now(), 0) || !s.Used(session.MethodCode) {
			t.Errorf("%+v", s)
		}
		if r := b.Get("/signin/prompt?flow=" + to); !strings.Contains(r.Body, "Sign in faster next time") || !strings.Contains(r.Body, "/signin/prompt/skip") {
			t.Errorf("%d %s", r.Status, r.To())
		}
		h.Register(b, cardeatest.NewAuthenticator())
		if r := b.Get("/signin/prompt?flow=" + to); r.To() != "/signin/continue?flow="+to {
			t.Errorf("asked although there is one: %d", r.Status)
		}
		h.Forward(10 * time.Minute)
		// After proof the ways are those the person has, best first.
		r := b.Get("/signin/other?flow=" + url.QueryEscape("/security-info/passkeys/add"))
		at := func(text string) int { return strings.Index(r.Body, text) }
		if p, k, c := at("Temporary access pass"), at(`id="get"`), at("Code from an authenticator app"); p < 0 || k < p || c < k || at(`<strong>Password`) >= 0 {
			t.Errorf("%d %d %d", p, k, c)
		}
	})
}

// One factor alone registers no passkey; the page says how to get there (PK-176).
func TestOneFactor_PK176(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		h.Enable("Password")
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		hasher := throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 1)
		h.Must(password.Set(h.Context(), h.DB, hasher, h.Admin, password.Change{UserID: ada.ID, New: "seven purple teapots", At: h.Now()}))
		h.Forward(time.Second) // a new password ends what came before
		if r := b.Form("/signin/password", "username", "ada@contoso.com", "secret", "seven purple teapots"); r.To() != "/" {
			t.Fatalf("%d %s", r.Status, r.To())
		}
		if r := b.JSON("/security-info/passkeys/options", struct{}{}); r.Code() != "ngcMfaRequired" || !strings.Contains(r.Body, "Temporary Access Pass") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Get("/security-info/passkeys/add"); r.To() != "/signin?next=%2Fsecurity-info%2Fpasskeys%2Fadd" {
			t.Errorf("%d %s", r.Status, r.To())
		}
		if r := b.Get("/signin/prompt"); r.To() != "/" {
			t.Errorf("prompted: %d %s", r.Status, r.To())
		}
		if r := b.Get("/signin/other?flow=%2Fsecurity-info%2Fpasskeys%2Fadd"); !strings.Contains(r.Body, "Temporary access pass") {
			t.Errorf("%d", r.Status)
		}
	})
}

// An old page spends no pass and keeps the name (UX-E9).
func TestOldPage_UXE9(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		to := flow(h, "Payroll")
		h.Forward(61 * time.Minute)
		code := h.Pass(ada, true)
		r := b.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code, "flow", to)
		if !strings.Contains(r.Body, "This page was open for a while. Please try again.") || !strings.Contains(r.Body, `value="ada@contoso.com"`) {
			t.Errorf("%d", r.Status)
		}
		if r := b.Get("/signin?flow=" + to); !strings.Contains(r.Body, "This page was open for a while") {
			t.Errorf("%d", r.Status)
		}
		if r := b.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", code); r.Status != http.StatusSeeOther {
			t.Errorf("the pass was spent: %d", r.Status)
		}
	})
}

func TestSignOut(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		token := b.Cookies["__Host-session"]
		back := session.SealReturn(h.Ring, "Payroll", "https://payroll.example/bye", h.Now())
		r := b.Get("/signout?return=" + back)
		if !strings.Contains(r.Body, "Sign out?") || !strings.Contains(r.Body, back) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		mustSession(h, b) // a GET ended nothing
		r = b.Form("/signout", "return", back)
		if r.To() != "/signout?return="+back || b.Cookies["__Host-session"] != "" {
			t.Errorf("%d %s", r.Status, r.To())
		}
		if p := b.Get(r.To()); !strings.Contains(p.Body, "You are signed out") || !strings.Contains(p.Body, `href="https://payroll.example/bye"`) {
			t.Errorf("%d %s", p.Status, p.Body)
		}
		b.Cookies["__Host-session"] = token
		if _, in := h.Session(b); in {
			t.Error("the old token still works")
		}
		if p := b.Get("/signout?return=https://evil.example/"); p.Status != 200 || strings.Contains(p.Body, "evil") {
			t.Errorf("%d", p.Status)
		}
		if r := h.Browser().Form("/signout"); r.To() != "/signout" {
			t.Errorf("nobody signed in: %d %s", r.Status, r.To())
		}
	})
}

func TestErrorPage(t *testing.T) {
	house.Each(t, func(h *house.House) {
		b := h.Browser()
		if r := b.Get("/signin/error?code=systemError"); r.Status != 200 || !strings.Contains(r.Body, "systemError") {
			t.Errorf("%d", r.Status)
		}
		for _, code := range []string{"", "nonsense", "%3Cscript%3E"} {
			if r := b.Get("/signin/error?code=" + code); r.Status != http.StatusNotFound || strings.Contains(r.Body, "nonsense") {
				t.Errorf("%q: %d", code, r.Status)
			}
		}
	})
}
