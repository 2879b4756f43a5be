// Package console is the edge of the administration pages.
//
// A page of it is an empty frame with a script, and the script is a client of
// the Graph API like any other: nothing can be done here that a program cannot
// do. The life of a visit: GET /admin… sends the frame to an administrator with
// a strong sign-in, everybody else to the sign-in page or away. The script asks
// POST /admin/token for an access token, keeps it in memory, and calls /v1.0
// and /beta with it; it asks again when the token has expired.
//
// What it promises: a token lives TokenLife and not longer than its session,
// carries the session's proof, and reaches no other site's script. What it does
// not do: it holds no rule. Rights come from the person's directory roles, and
// the API looks at them in every call.
package console

import (
	"log/slog"
	"net/http"
	"time"

	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/session"
)

// ClientID names these pages in tokens and in the audit log. They are no
// registered application, so nobody can change or delete them.
const ClientID = "ca4dea00-c11e-4000-8000-0000000000ad"

// clientName is how the audit log shows them.
const clientName = "Cardea administration"

// TokenLife is how long a token works; the script gets the next by itself.
const TokenLife = 10 * time.Minute

// Config is what the edge is built from.
type Config struct {
	DB        *db.DB
	Ring      *jose.Ring
	Pages     *page.Renderer
	Keeper    *passkey.Keeper // for the names of providers and the state of the metadata
	Now       func() time.Time
	PublicURL string
	TenantID  string
	Session   func(*http.Request) (session.Session, error) // Unauthenticated, signInRequired if there is none
	Audience  string                                       // aud of the API's tokens
	Scopes    []string                                     // every delegated permission of the API
	Log       *slog.Logger
}

// Edge serves the pages.
type Edge struct{ Config }

// New returns the edge of c.
func New(c Config) *Edge {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Edge{c}
}

// Mount registers the addresses of the edge.
func (e *Edge) Mount(mux *http.ServeMux) {
	for pattern, h := range map[string]page.Handler{
		"GET /admin":                       e.frame("home"),
		"GET /admin/{$}":                   e.frame("home"),
		"GET /admin/methods/passkey":       e.frame("passkey"),
		"GET /admin/users":                 e.frame("users"),
		"GET /admin/users/{id}":            e.frame("user"),
		"GET /admin/groups":                e.frame("groups"),
		"GET /admin/groups/{id}":           e.frame("group"),
		"GET /admin/logs/sign-ins":         e.frame("signins"),
		"GET /admin/settings/organisation": e.frame("organisation"),
		"GET /admin/":                      e.unknown,
		"POST /admin/token":                e.token,
	} {
		mux.Handle(pattern, e.Pages.Handle(h))
	}
}
