// Package oidc is the edge at which applications sign people in: an OpenID
// Connect provider and OAuth 2.1 authorization server at Entra's v2.0 URLs.
//
// The life of a sign-in. An application sends the browser to authorize. If the
// browser has a session that satisfies the request, the answer is a code; if
// not, the request is sealed and the person goes to /signin and comes back to
// /signin/continue, where it is decided again. The application redeems the
// code at token, once, and refreshes from then on. docs/flows/token.md tells
// it with reasons.
//
// What it promises: handlers return values, and only serve (below) writes;
// nothing is sent to an address that is not registered; every error has a
// code, a correlation id and a next step. What it does not do: it signs nobody
// in, and holds no rules about codes, tokens or applications; those are in
// session and application.
package oidc

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// GraphAppID is the audience of access tokens for the Graph API, however the
// resource was named (WC-48).
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// Config is what the edge is built from.
type Config struct {
	DB       *db.DB
	Ring     *jose.Ring
	Apps     *application.Cache
	Pages    *page.Renderer
	Origin   string        // "https://id.contoso.com", never taken from a request (WC-3)
	TenantID string        // the organisation's id
	Domain   func() string // the organisation's domain; "" if none yet
	Now      func() time.Time
	Log      *slog.Logger

	// Session finds the browser session of a request; Unauthenticated if none.
	Session func(*http.Request) (session.Session, error)
	// Cookie is the name (without prefix) of the session's cookie, which logout deletes.
	Cookie string

	// What the permission "all" of an application stands for, by Graph's names.
	ApplicationPermissions, DelegatedPermissions []string

	Lives Lives

	// Switches. The zero values are the defaults.
	NoDeviceCode  bool             // no sign-in for devices without a browser
	PasswordGrant bool             // applications may ask people for passwords (WC-40)
	Hasher        *throttle.Hasher // of passwords; needed with PasswordGrant
}

// Lives are the lifetimes of tokens; zero members get the usual values.
type Lives struct {
	Access  time.Duration // access and id tokens: 1 hour
	Refresh time.Duration // since the last use: 90 days
	SPA     time.Duration // refresh tokens of single-page applications, in all: 24 hours (WC-50)
}

// Provider serves the edge.
type Provider struct {
	Config
	host string
}

// New returns the edge of c.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.Origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != c.Origin {
		return nil, fmt.Errorf("oidc: %q is no origin", c.Origin)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Lives.Access == 0 {
		c.Lives.Access = time.Hour
	}
	if c.Lives.Refresh == 0 {
		c.Lives.Refresh = 90 * 24 * time.Hour
	}
	if c.Lives.SPA == 0 {
		c.Lives.SPA = 24 * time.Hour
	}
	return &Provider{Config: c, host: u.Host}, nil
}

// maxForm bounds the body of a request, in bytes; maxQuery what stands in the
// address.
const (
	maxForm  = 64 << 10
	maxQuery = 8 << 10
	maxFlow  = 3 * maxQuery // of a sealed request
)

// request is what a handler gets.
type request struct {
	*http.Request
	now         time.Time
	tenant      string     // the first path segment, valid
	rest        string     // the last path segment, where the route has a wildcard
	form        url.Values // parameters of the body, or of the address; first values count (WC-35)
	correlation string
	traceID     string // ours alone, in errors and logs
	userID      string // whose token it becomes, once that is known
}

func (r *request) get(name string) string { return r.form.Get(name) }

// ip is the address of the client. The server has replaced RemoteAddr by what
// its trusted proxies saw.
func (r *request) ip() string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (r *request) situation(app *application.Application) session.Situation {
	return session.Situation{IP: r.ip(), UserAgent: r.UserAgent(), AppID: app.AppID, AppName: app.DisplayName, CorrelationID: r.correlation, Protocol: "oAuth2"}
}

// answer is what a handler says. Exactly one of body, to and view is set.
type answer struct {
	status  int
	body    []byte // JSON
	to      string // an absolute address that was validated, or a path of ours
	view    page.View
	posting string // the origin a form of the view posts to
	header  map[string]string
	cookies []*http.Cookie
}

type handler func(*request) (answer, error)

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, tenant, rest, ok := match(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	p.serve(w, r, rt, tenant, rest)
}

// Owns reports whether path belongs to this edge. The server asks before its
// own routes: tenants are a first path segment of any name, so these routes
// cannot stand in one ServeMux with others.
func (p *Provider) Owns(path string) bool { _, _, _, ok := match(path); return ok }

// serve is the one place that answers: parameters, tenant, handler, error.
func (p *Provider) serve(w http.ResponseWriter, raw *http.Request, rt route, tenant, rest string) {
	r := &request{Request: raw, now: p.Now(), tenant: tenant, rest: rest, correlation: correlationOf(raw), traceID: newGUID()}
	if rt.cors {
		w.Header().Set("Access-Control-Allow-Origin", "*") // never with credentials, so any origin may (WC-50)
		if raw.Method == http.MethodOptions {
			h := w.Header()
			h.Set("Access-Control-Allow-Methods", rt.methods+", OPTIONS")
			h.Set("Access-Control-Allow-Headers", "*, Authorization")
			h.Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if !rt.allows(raw.Method) {
		w.Header().Set("Allow", rt.methods)
		p.fail(w, r, rt, answer{}, problem.New(problem.Invalid, "methodNotAllowed", "This address answers to %s.", rt.methods))
		return
	}
	a, err := p.call(w, r, rt)
	if err != nil {
		p.fail(w, r, rt, a, db.Down(err))
		return
	}
	p.write(w, r, a)
}

func (p *Provider) call(w http.ResponseWriter, r *request, rt route) (a answer, err error) {
	defer func() {
		if c := recover(); c != nil {
			a, err = answer{}, fmt.Errorf("panic: %v\n%s", c, debug.Stack())
		}
	}()
	limit := maxQuery
	if rt.flow {
		limit = maxFlow
	}
	if len(r.URL.RawQuery) > limit {
		return answer{}, problem.New(problem.Invalid, "requestTooLarge", "The request has more than %d bytes in its address. Send it with POST, or shorten state.", limit)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return answer{}, problem.New(problem.Invalid, "parameterInvalid", "The parameters cannot be read. They are application/x-www-form-urlencoded, and at most %d bytes.", maxForm).Because(err)
	}
	// Secrets never come from the address; some clients put harmless
	// parameters there (WC-35), so it counts only where there is no body.
	r.form = r.PostForm
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		r.form = r.Form
	}
	if rt.tenant {
		if err := p.checkTenant(r.tenant); err != nil {
			return answer{}, err
		}
	}
	return rt.handle(p, r)
}

// checkTenant accepts the tenant's id and domain, common and organizations.
func (p *Provider) checkTenant(t string) error {
	domain := p.Domain()
	switch {
	case strings.EqualFold(t, p.TenantID), strings.EqualFold(t, "common"), strings.EqualFold(t, "organizations"), strings.EqualFold(t, adfs), domain != "" && strings.EqualFold(t, domain):
		return nil
	case strings.EqualFold(t, "consumers"):
		return problem.New(problem.Invalid, "consumersUnsupported", "Personal accounts do not exist here. Use the tenant id %s or common in place of consumers.", p.TenantID)
	}
	return problem.New(problem.Invalid, "tenantUnknown", "There is no tenant of this name here. Use the tenant id %s, or common.", p.TenantID)
}

func (p *Provider) write(w http.ResponseWriter, r *request, a answer) {
	h := w.Header()
	if a.view != nil {
		p.render(w, r, a)
		return
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("client-request-id", r.correlation)
	for _, c := range a.cookies {
		http.SetCookie(w, c)
	}
	if a.body != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	if a.to != "" {
		h.Set("Location", a.to)
		if a.status == 0 {
			a.status = http.StatusFound
		}
	}
	for k, v := range a.header {
		if h.Set(k, v); v == "" {
			h.Del(k)
		}
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// render shows a page. Authorize is meant to be posted to from other sites;
// page's guard against that is for our own forms, so it sees a GET.
func (p *Provider) render(w http.ResponseWriter, r *request, a answer) {
	p.Pages.Handle(func(*http.Request) (page.Answer, error) {
		out := page.HTML(a.view).WithCookies(a.cookies...)
		if a.posting != "" {
			out = out.PostingTo(a.posting)
		}
		return out, nil
	}).ServeHTTP(w, p.pageRequest(r))
}

func (p *Provider) pageRequest(r *request) *http.Request {
	get := r.WithContext(page.WithCorrelationID(context.WithoutCancel(r.Context()), r.correlation))
	get.Method = http.MethodGet
	get.Header = get.Header.Clone()
	get.Header.Set("Accept", "text/html")
	get.Header.Del("Content-Type")
	return get
}

// correlationOf takes the client's own id if it is a GUID (WC-15), so that both
// sides can find the request in their logs.
func correlationOf(r *http.Request) string {
	if id := page.CorrelationID(r.Context()); id != "" {
		return id
	}
	for _, id := range []string{r.Header.Get("client-request-id"), r.URL.Query().Get("client-request-id")} {
		if isGUID(id) {
			return strings.ToLower(id)
		}
	}
	return newGUID()
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
				return false
			}
		}
	}
	return true
}

func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
