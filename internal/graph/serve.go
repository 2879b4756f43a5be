package graph

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

	keeper           *passkey.Keeper
	applications     *application.Cache
	hasher           *throttle.Hasher
	sendLink         SendLink
	appsRespectReach bool
	keepChanges      time.Duration
	restart          string // where a delta begins again, for the Location of a 410 (DO-65)
	path             string // of the request, escaped, as the client wrote it below the host
	challenge        string // claims to ask for in a 401 (WC-82)
	allowed          string // methods of the path, after a 405
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

// decode reads the JSON body into v.
func (c *Call) decode(v any) error {
	if err := json.Unmarshal(c.Body, v); err != nil {
		if explained, ok := errors.AsType[*problem.Error](err); ok { // a type that reads itself said why
			return explained
		}
		p := problem.New(problem.Invalid, "badRequest", "The body is not the JSON that is expected here.").Because(err)
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && te.Field != "" {
			p = p.On(strings.ReplaceAll(te.Field, ".", "/"))
			p.Detail = "The member " + te.Field + " has the wrong JSON type: " + te.Value + "."
		}
		return p
	}
	return nil
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

// Answer is what a function of a resource gives back.
type Answer struct {
	Status int
	Header http.Header
	Body   any                     // sent as JSON; nil is no body
	Type   string                  // content type of Stream
	Stream func(w io.Writer) error // instead of Body: written as it comes
}

const (
	maxBody  = 4 << 20 // bytes, unpacked too
	jsonType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)

// ServeHTTP is the only place where a request is authorized, answered and
// logged.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := db.Time(a.Now().UnixMilli()) // what is answered is what is stored: whole milliseconds
	c := &Call{Context: r.Context(), DB: a.DB, Ring: a.Ring, Now: now, Host: a.PublicURL, Header: r.Header, keeper: a.Keeper, applications: a.Applications, hasher: a.Hasher, sendLink: a.SendLink, appsRespectReach: a.AppsRespectReach, keepChanges: a.KeepChanges,
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
		err = db.Down(err)
		if k := problem.KindOf(err); (k == problem.Internal || k == problem.Unavailable) && !errors.Is(err, context.Canceled) {
			a.Log.ErrorContext(r.Context(), "graph: request failed", "request-id", c.RequestID, "method", r.Method, "err", err)
		}
		answer = c.failure(err, notFound)
	}
	if err := answer.send(w); err != nil {
		a.Log.DebugContext(r.Context(), "graph: answer not delivered", "request-id", c.RequestID, "err", err)
	}
}

// answer finds the route and runs it. A panic becomes an error like any other.
func (a *api) answer(c *Call, w http.ResponseWriter, r *http.Request) (answer Answer, notFound string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("graph: panic: %v\n%s", p, debug.Stack()) // for the log only
		}
	}()
	caller, err := a.authenticate(r.Context(), r.Header)
	if err != nil {
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
	answer, err = rt.Run(c)
	return answer, rt.NotFound, err
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
	c.Args = p.args
	switch {
	case strings.EqualFold(p.segments[0], "me"):
		if c.Caller.App {
			return route{}, problem.New(problem.Invalid, "badRequest", "/me is for signed-in people. An application names the user: /users/{id}.")
		}
		p.segments = append([]string{"users", c.Caller.UserID}, p.segments[1:]...)
	case strings.EqualFold(p.segments[0], "authenticationMethodsPolicy"): // PK-3
		p.segments = append([]string{"policies"}, p.segments...)
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var others []string
	for _, rt := range a.routes {
		params, ok := p.match(rt.pattern)
		if !ok {
			continue
		}
		if rt.Method != method {
			others = append(others, rt.Method)
			continue
		}
		for _, name := range []string{"user", "group", "role"} { // object ids are GUIDs: their case says nothing
			if v, ok := params[name]; ok {
				params[name] = strings.ToLower(v)
			}
		}
		c.Params = params
		if user, ok := params["user"]; ok && c.Caller.is(user) {
			c.Self, params["user"] = true, c.Caller.UserID
		}
		return rt, nil
	}
	if others != nil {
		c.allowed = strings.Join(others, ", ")
		return route{}, problem.New(problem.Invalid, "methodNotAllowed", "%s is not possible here. Possible: %s.", method, c.allowed)
	}
	return route{}, unknown
}

// readBody reads at most maxBody bytes, unpacked. A JSON string that holds
// JSON is unwrapped once (WC-16).
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var from io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	tooLarge := problem.New(problem.Invalid, "bodyTooLarge", "The body is larger than 4 MiB. Send less at a time.")
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(from)
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, problem.New(problem.Invalid, "badRequest", "The body is not gzip, although Content-Encoding says so.").Because(err)
		}
		from = io.LimitReader(zr, maxBody+1)
	default:
		return nil, problem.New(problem.Invalid, "unsupportedEncoding", "This content encoding is not supported. Send gzip, or send the body as it is.")
	}
	body, err := io.ReadAll(from)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || len(body) > maxBody {
		return nil, tooLarge
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, "badRequest", "The body could not be read to its end. Send it again.").Because(err)
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) > 0 && body[0] == '"' {
		var inner string
		if json.Unmarshal(body, &inner) == nil {
			body = []byte(inner)
		}
	}
	if !db.StorableJSON(body) {
		return nil, problem.New(problem.Invalid, "badRequest", "A text in the body holds the character NUL. Leave it out.")
	}
	return body, nil
}

func (a Answer) send(w http.ResponseWriter) error {
	h := w.Header()
	for name, values := range a.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("OData-Version", "4.0")
	if a.Stream != nil {
		h.Set("Content-Type", a.Type)
		w.WriteHeader(a.Status)
		return a.Stream(w)
	}
	if a.Body == nil {
		w.WriteHeader(a.Status)
		return nil
	}
	body, err := encode(a.Body)
	if err != nil { // our own types: a bug, and never half an answer
		w.WriteHeader(http.StatusInternalServerError)
		return err
	}
	h.Set("Content-Type", jsonType)
	if a.Status >= 400 {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.Status)
	_, err = w.Write(body)
	return err
}

// encode is v as JSON, and a line feed.
func encode(v any) ([]byte, error) {
	if v, ok := v.(interface{ appendJSON([]byte) []byte }); ok {
		return append(v.appendJSON(nil), '\n'), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
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
