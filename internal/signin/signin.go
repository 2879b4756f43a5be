// Package signin is the edge at which people prove who they are: the sign-in
// pages, the links that make the first passkey, signing out, and the page a
// person starts from.
//
// The life of a sign-in. GET /signin marks the browser with a cookie. The
// person uses a passkey (POST /signin/passkey), or types a name and chooses
// another way, which are the same for every name. A proof leaves a session in
// the cookie "session". Then the person goes where the parameter "flow" says:
// back to the application whose request is sealed in it, or to a page of ours
// (a flow may simply be one of our paths), or home. Between the two stands
// /signin/prompt: who came with a pass, a link or a password is asked for a
// passkey, and who only has first steps (session.FirstSteps) gets nowhere
// without one. Somebody who signs in another device goes to /devicelogin first
// and comes back there (device.go).
//
// docs/flows/signin.md tells it with reasons.
//
// What it promises: until somebody is proved, no page depends on who was named
// (PK-119); forms answer with pages of ours only; a GET changes nothing. What
// it does not do: it holds no rule about any way to sign in, and issues no
// tokens.
package signin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/throttle"
)

// Config is what the edge is built from.
type Config struct {
	DB        *db.DB
	Ring      *jose.Ring
	Pages     *page.Renderer
	Keeper    *passkey.Keeper
	Hasher    *throttle.Hasher
	Now       func() time.Time
	PublicURL string
	TenantID  string
	Log       *slog.Logger
	// Dress puts the organisation's new name on the pages at once, after
	// set-up; nil leaves that to whoever watches the organisation.
	Dress func(context.Context) error
	// NoDeviceCode switches off signing in devices without a browser.
	NoDeviceCode bool
}

// Edge serves the pages.
type Edge struct {
	Config
	ring *jose.Ring
}

// New returns the edge of c.
func New(c Config) *Edge {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Edge{Config: c, ring: c.Ring}
}

// Names of cookies, without their prefix.
const (
	sessionCookie = "session" // the token of the session
	browserCookie = "browser" // what binds challenges to this browser
	nameCookie    = "name"    // what was typed as user name
	laterCookie   = "later"   // "Not now": whose prompt waits
	blockedCookie = "blocked" // the last refusal after proof, sealed
)

// Mount registers the addresses of the edge.
func (e *Edge) Mount(mux *http.ServeMux) {
	for pattern, h := range map[string]page.Handler{
		"GET /{$}":                           e.home,
		"GET /signin":                        e.start,
		"POST /signin":                       e.named,
		"GET /signin/other":                  e.other,
		"GET /signin/help":                   e.help,
		"GET /signin/error":                  e.failed,
		"POST /signin/passkey/options":       e.options,
		"POST /signin/passkey":               e.finish,
		"POST /signin/again/options":         e.optionsAgain,
		"POST /signin/again":                 e.finishAgain,
		"POST /signin/report":                e.report,
		"GET /signin/temporary-access-pass":  e.entry("pass"),
		"POST /signin/temporary-access-pass": e.pass,
		"GET /signin/password":               e.entry("password"),
		"POST /signin/password":              e.password,
		"GET /signin/new-password":           e.lostNewPassword,
		"POST /signin/new-password":          e.newPassword,
		"GET /signin/app-code":               e.askCode,
		"POST /signin/app-code":              e.code,
		"GET /signin/prompt":                 e.prompt,
		"POST /signin/prompt/skip":           e.skip,
		"POST /signin/prompt/problem":        e.stuck,
		"GET /signin/done":                   e.done,
		"GET /signout":                       e.askSignOut,
		"POST /signout":                      e.signOut,
		"GET /setup":                         e.askSetUp,
		"POST /setup":                        e.setUp,
		"GET /setup/passkey":                 e.setUpPasskey,
		"GET /setup/done":                    e.setUpDone,
		"GET /enrol":                         e.greet,
		"POST /enrol":                        e.enrol,
		"GET /enrol/passkey":                 e.enrolPasskey,
		"GET /devicelogin":                   e.deviceCode,
		"POST /devicelogin":                  e.deviceTyped,
		"GET /devicelogin/confirm":           e.deviceAsk,
		"POST /devicelogin/confirm":          e.deviceAnswer,
		"GET /devicelogin/done":              e.deviceDone,
	} {
		mux.Handle(pattern, e.Pages.Handle(h))
	}
	mux.Handle("GET /signin/blocked", e.asRefused(e.Pages.Handle(e.blocked)))
}

// apps lists the applications that a person can start from here.
func (e *Edge) apps(ctx context.Context) ([]page.App, error) {
	all, err := application.List(ctx, e.DB)
	if err != nil {
		return nil, err
	}
	var out []page.App
	for _, a := range all {
		if a.Web.HomePageURL != "" {
			out = append(out, page.App{Name: a.DisplayName, URL: string(a.Web.HomePageURL)})
		}
	}
	return out, nil
}
