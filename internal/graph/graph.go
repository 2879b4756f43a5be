// Package graph serves the REST API that is compatible with Microsoft Graph,
// under /v1.0 and /beta. The admin centre and the command line use it and have
// nothing of their own.
//
// A resource is one file: it lists what can be done (Collection, Singleton,
// Action), with whose permission (Access), and calls the noun. Everything else
// stands here once: paths (path.go), who is calling (caller.go), what the
// caller may do (access.go), bodies, headers and answers (serve.go), errors
// (failure.go). A function of a resource gets a Call and returns an Answer; it
// never sees the ResponseWriter, so it cannot forget to authorize or to hide
// an internal error.
//
// This edge has no rules of its own: nouns decide, here is only spelling.
package graph

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/passkey"
	"cardea/internal/throttle"
)

// Config is what the API needs from the server.
type Config struct {
	DB        *db.DB
	Ring      *jose.Ring
	Now       func() time.Time
	PublicURL string // scheme and host of the server, never taken from requests (WC-3)
	Log       *slog.Logger
	ClientIP  func(*http.Request) string // nil: the peer's address; a server behind proxies sets it

	Keeper       *passkey.Keeper    // the passkeys and their policy
	Applications *application.Cache // who may still use a token
	FirstParty   []string           // client ids of our own pages, which are no registered applications
	Rate         *throttle.Rate     // how fast a caller may ask; nil: as fast as it likes
	Hasher       *throttle.Hasher   // for the codes of Temporary Access Passes
	SendLink     SendLink           // nil: this server cannot send mail

	KeepChanges      time.Duration // how long delta tokens live; 0 is 30 days (DO-65)
	PowerShellPage   int           // page size for Graph PowerShell where it asks for none; 0 is the usual one (WC-85)
	PowerShellLinks  bool          // nextLinks for Graph PowerShell name graph.microsoft.com (WC-86)
	AppsRespectReach bool          // applications change methods only of people without administrator roles (DO-25)
}

// SendLink mails an enrolment link to a person.
type SendLink func(ctx context.Context, to directory.User, url string, expires time.Time) error

// api is a served Config.
type api struct {
	Config
	routes    []route
	documents documents
}

// New returns the API. It answers every path that it Owns.
func New(c Config) http.Handler { return newAPI(c) }

// Owns reports whether a path is the API's, whatever comes below: the server
// asks before its own routes, so that odd slashes and dots get the API's JSON
// and neither a redirect nor a page.
func Owns(path string) bool {
	version, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.EqualFold(version, "v1.0") || strings.EqualFold(version, "beta")
}

func newAPI(c Config) *api {
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.ClientIP == nil {
		c.ClientIP = func(r *http.Request) string {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			if err != nil {
				return r.RemoteAddr
			}
			return host
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Applications == nil {
		c.Applications = application.NewCache(c.DB)
	}
	if c.Hasher == nil {
		c.Hasher = throttle.NewHasher(throttle.Strong, 0)
	}
	if c.KeepChanges == 0 {
		c.KeepChanges = keepChanges
	}
	a := &api{Config: c}
	for _, r := range append(resources(), route{Method: "POST", Path: "/$batch", batch: true}) {
		a.routes = append(a.routes, r.compiled())
	}
	// Words before keys: /users/delta is no user.
	slices.SortStableFunc(a.routes, func(x, y route) int { return strings.Count(x.Path, "{") - strings.Count(y.Path, "{") })
	a.documents = documentsOf(a.routes)
	return a
}
