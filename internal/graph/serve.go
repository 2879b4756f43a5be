package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/throttle"
)

// Call is one authorized request, as functions of resources see it.
type Call struct {
	Context context.Context
	DB      *db.DB
	Ring    *jose.Ring
	Now     time.Time
	Caller  *Caller
	Actor   audit.Actor       // the caller, for the audit log
	Self    bool              // {user} in the path is the caller
	Host    string            // public URL without a path
	Base    string            // public URL with the version, e.g. https://id.example.com/v1.0
	Params  map[string]string // what stands in braces in the route's path
	Args    map[string]string // arguments in parentheses; names in lower case
	Query   url.Values        // query options; names in lower case, with their $
	Header  http.Header       // of the request
	Body    []byte            // unpacked

	RequestID, ClientRequestID string

	keeper       *passkey.Keeper
	applications *application.Cache
	hasher       *throttle.Hasher
	sendLink     SendLink
	settings     *Config
	restart      string // where a delta begins again, for the Location of a 410 (DO-65)
	path         string // of the request, escaped, as the client wrote it below the host
	challenge    string // claims to ask for in a 401 (WC-82)
	allowed      string // methods of the path, after a 405
}

// write runs f in one transaction.
func (c *Call) write(f func(q db.Querier) error) error { return c.DB.Write(c.Context, f) }

// guarded is write for a change after which some Global Administrator must
// still be able to sign in (PK-42, DO-18).
func (c *Call) guarded(f func(q db.Querier) error) error {
	return c.write(func(q db.Querier) error {
		return c.keeper.Guard(c.Context, q, func() error { return f(q) })
	})
}

// guardedPerson is guarded for a change of {user}: a rule may take an
// administrator out of the groups that a policy is for.
func (c *Call) guardedPerson(f func(q db.Querier) error) error {
	return c.write(func(q db.Querier) error {
		return c.keeper.GuardPerson(c.Context, q, c.Params["user"], func() error { return f(q) })
	})
}

// prefers reports whether a Prefer header asks for what.
func (c *Call) prefers(what string) bool {
	for _, line := range c.Header.Values("Prefer") {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), what) {
				return true
			}
		}
	}
	return false
}

// ServeHTTP is the only place where a request is authorized, answered and
// logged.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := db.Time(a.Now().UnixMilli()) // what is answered is what is stored: whole milliseconds
	c := &Call{Context: r.Context(), DB: a.DB, Ring: a.Ring, Now: now, Host: a.PublicURL, Header: r.Header, keeper: a.Keeper, applications: a.Applications, hasher: a.Hasher, sendLink: a.SendLink, settings: &a.Config,
		RequestID: db.NewID(now), ClientRequestID: printable(r.Header.Get("client-request-id"))}
	h := w.Header()
	h.Set("request-id", c.RequestID)
	if c.ClientRequestID != "" {
		h.Set("client-request-id", c.ClientRequestID)
	}
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Cardea"}}`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// Access goes by token, never by cookie: any page may ask (WC-51).
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "request-id, client-request-id, retry-after, location, etag, warning, preference-applied")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, PUT, DELETE")
		h.Set("Access-Control-Allow-Headers", "authorization, client-request-id, sdkversion, content-type, consistencylevel, prefer, if-match, accept")
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer, notFound, err := a.answer(c, w, r)
	if err != nil {
		answer = a.failed(c, r, err, notFound)
	}
	if answer.Stream != nil {
		l := &late{to: w, answer: answer}
		err := answer.Stream(l)
		if err == nil {
			l.start()
			return
		}
		answer = a.failed(c, r, err, notFound)
		if l.started { // half is sent: only a broken connection says that something is missing
			panic(http.ErrAbortHandler)
		}
	}
	if err := answer.send(w); err != nil {
		a.Log.DebugContext(r.Context(), "graph: answer not delivered", "request-id", c.RequestID, "err", err)
	}
}

// failed is the answer to err, which is logged if it is ours to mend.
func (a *api) failed(c *Call, r *http.Request, err error, notFound string) Answer {
	err = db.Down(err)
	if k := problem.KindOf(err); (k == problem.Internal || k == problem.Unavailable) && !errors.Is(err, context.Canceled) {
		a.Log.ErrorContext(r.Context(), "graph: request failed", "request-id", c.RequestID, "method", r.Method, "err", err)
	}
	return c.failure(err, notFound)
}

// maxURL is the longest path with query, in bytes (directory-and-odata §10).
const maxURL = 16 << 10

// answer finds the route and runs it. A panic becomes an error like any other.
func (a *api) answer(c *Call, w http.ResponseWriter, r *http.Request) (answer Answer, notFound string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("graph: panic: %v\n%s", p, debug.Stack()) // for the log only
		}
	}()
	if len(r.URL.EscapedPath())+len(r.URL.RawQuery) > maxURL {
		return answer, "", problem.New(problem.Invalid, "urlTooLong", "The address is longer than 16 KiB. Ask for less at a time.")
	}
	if d, ok := a.documents.find(r); ok {
		return d, "", nil
	}
	caller, err := a.authenticate(r.Context(), r.Header)
	if err != nil {
		return answer, "", err
	}
	if err := a.throttled(caller, c.Now); err != nil {
		return answer, "", err
	}
	c.Caller, c.Actor = caller, caller.actor()
	c.Actor.IP, c.Actor.UserAgent, c.Actor.CorrelationID = a.ClientIP(r), r.UserAgent(), c.RequestID
	if isGUID(c.ClientRequestID) {
		c.Actor.CorrelationID = c.ClientRequestID
	}
	rt, err := a.route(c, r)
	if err != nil {
		return answer, "ResourceNotFound", err
	}
	if !rt.batch {
		if err := rt.Access.allow(caller, c.Self); err != nil {
			return answer, "", c.freshly(err)
		}
	}
	if c.Body, err = readBody(w, r); err != nil {
		return answer, "", err
	}
	if rt.batch {
		answer, err = a.batch(c, r)
		return answer, "", err
	}
	if answer, err = rt.Run(c); err == nil {
		err = c.dress(&answer)
	}
	if err == nil && answer.Stream == nil && c.wantsCSV() && r.Method == http.MethodGet {
		err = noCSV
	}
	return answer, rt.NotFound, err
}

// found keeps what the path of the route said.
func (c *Call) found(params, args map[string]string) {
	for _, name := range []string{"user", "group", "role"} { // object ids are GUIDs: their case says nothing
		if v, ok := params[name]; ok {
			params[name] = strings.ToLower(v)
		}
	}
	c.Params, c.Args = params, c.resolved(args)
	if user, ok := params["user"]; ok && c.Caller.is(user) {
		c.Self, params["user"] = true, c.Caller.UserID
	}
}

// throttled refuses callers who ask faster than they may (DO-47, WC-81): each
// person with each application, and each application by itself.
func (a *api) throttled(caller *Caller, now time.Time) error {
	wait := a.Rate.Take(caller.AppID+"/"+caller.UserID, now)
	if wait <= 0 {
		return nil
	}
	p := problem.New(problem.TooMany, "tooManyRequests", "Too many requests. Wait as long as Retry-After says, then go on more slowly.")
	p.RetryAfter = wait
	return p
}

// route finds what the path and the method mean.
func (a *api) route(c *Call, r *http.Request) (route, error) {
	version, below, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	version = strings.ToLower(version)
	unknown := problem.New(problem.NotFound, "unknownPath", "There is no resource at this path. The paths begin with /v1.0 or /beta.")
	if version != "v1.0" && version != "beta" || below == "" {
		return route{}, unknown
	}
	c.Base, c.path = c.Host+"/"+version, "/"+version+"/"+strings.TrimSuffix(below, "/")
	p, err := parsePath(below)
	if err != nil {
		return route{}, err
	}
	if c.Query, err = parseQuery(r.URL.RawQuery, version == "beta"); err != nil {
		return route{}, err
	}
	if err := knownOptions(c.Query); err != nil {
		return route{}, err
	}
	switch {
	case strings.EqualFold(p.segments[0], "me"):
		if c.Caller.App {
			return route{}, problem.New(problem.Invalid, "badRequest", "/me is for signed-in people. An application names the user: /users/{id}.")
		}
		p = p.behind(1, "users", c.Caller.UserID)
	case strings.EqualFold(p.segments[0], "authenticationMethodsPolicy"): // PK-3
		p = p.behind(0, "policies")
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var others []string
	for _, form := range p.forms() {
		for _, rt := range a.routes {
			params, ok := form.match(rt.pattern)
			if !ok || rt.beta && version != "beta" {
				continue
			}
			if rt.Method != method {
				others = append(others, rt.Method)
				continue
			}
			c.found(params, form.args)
			return rt, nil
		}
	}
	if others != nil {
		c.allowed = strings.Join(others, ", ")
		return route{}, problem.New(problem.Invalid, "methodNotAllowed", "%s is not possible here. Possible: %s.", method, c.allowed)
	}
	return route{}, unknown
}

// printable keeps a client's request id only if it is short and harmless in
// headers and logs.
func printable(s string) string {
	if len(s) > 128 {
		return ""
	}
	for _, c := range []byte(s) {
		if c < '!' || c > '~' || c == '"' || c == '<' {
			return ""
		}
	}
	return s
}

func isGUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		strings.Trim(strings.ToLower(s), "0123456789abcdef-") == ""
}
