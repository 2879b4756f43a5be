// Package scim serves SCIM 2.0 (RFC 7643, RFC 7644) under /scim/v2, so that a
// human resources system or another directory keeps people and groups in step.
//
// A source of people creates them, changes them as they change there, puts
// them into groups, and deactivates or deletes them when they leave. Every
// request becomes the same change of the directory that the Graph API makes,
// with the same rules, audit records and guards; this edge has no rules of its
// own, only spelling: SCIM's resources (user.go, group.go), its filter
// (filter.go) and its PATCH (patch.go).
//
// A source is an application with the permission User.ReadWrite.All for
// people and Group.ReadWrite.All for groups. It proves itself by an access
// token, or, where it can only keep one fixed text, by the bearer token
// "{client id}.{client secret}" or by Basic authentication with the same two.
//
// What it does not do: bulk, sorting, ETags, /Me, passwords, .search.
package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// Config is what this edge needs from the server.
type Config struct {
	DB           *db.DB
	Ring         *jose.Ring
	Applications *application.Cache
	Keeper       *passkey.Keeper // guards the last administrator
	Now          func() time.Time
	PublicURL    string // scheme and host
	Audience     string // `aud` of access tokens for the API
	Log          *slog.Logger
	RespectReach bool // sources change only people without administrator roles (DO-25)
}

// Path is where the edge is mounted.
const Path = "/scim/v2"

type edge struct{ Config }

// New returns the edge: it answers every path below Path.
func New(c Config) http.Handler { return edge{c} }

const maxBody = 1 << 20 // bytes

// call is one authorized request.
type call struct {
	edge
	ctx   context.Context
	now   time.Time
	actor audit.Actor
	r     *http.Request
	body  []byte
	id    string // of the resource in the path, "" for the collection

	methods bool // the source may change how people sign in too
}

// answer is a status and the body, nil for none.
type answer struct {
	status   int
	body     any
	location string
}

func (e edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{edge: e, ctx: r.Context(), now: db.Time(e.Now().UnixMilli()), r: r}
	a, err := c.serve(w)
	if err != nil {
		a = c.failure(w, db.Down(err))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/scim+json; charset=utf-8")
	w.WriteHeader(a.status)
	json.NewEncoder(w).Encode(a.body) // a client that went away needs no answer
}

func (c *call) serve(w http.ResponseWriter) (a answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("scim: panic: %v\n%s", p, debug.Stack())
		}
	}()
	rest := strings.TrimSuffix(strings.TrimPrefix(c.r.URL.Path[min(len(Path), len(c.r.URL.Path)):], "/"), "/")
	kind, id, _ := strings.Cut(rest, "/")
	c.id = strings.ToLower(id)
	if a, ok := c.discovery(kind, id); ok { // RFC 7644 §4: may be read by anybody
		return a, nil
	}
	var res resource
	switch {
	case strings.EqualFold(kind, "Users"):
		res = users{c}
	case strings.EqualFold(kind, "Groups"):
		res = groups{c}
	}
	if res == nil || strings.Contains(id, "/") {
		return a, problem.New(problem.NotFound, "unknownPath", "SCIM serves /Users, /Groups, /ServiceProviderConfig, /ResourceTypes and /Schemas under "+Path+".")
	}
	if strings.Contains(c.id, "@") { // the directory would take a user name; SCIM's ids are object ids
		return a, problem.New(problem.NotFound, "notFound", "There is no resource with the id %s. Look it up by a filter.", clip(c.id))
	}
	if err := c.authenticate(res.permission()); err != nil {
		return a, err
	}
	if c.body, err = io.ReadAll(http.MaxBytesReader(w, c.r.Body, maxBody)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return a, problem.New(problem.Invalid, "bodyTooLarge", "The body is larger than 1 MiB. Send less at a time.")
		}
		return a, problem.New(problem.Invalid, "badRequest", "The body could not be read to its end. Send it again.").Because(err)
	}
	if !db.StorableJSON(c.body) {
		return a, problem.New(problem.Invalid, "badRequest", "A text in the body holds the character NUL. Leave it out.")
	}
	switch method := c.r.Method; {
	case method == http.MethodGet && id == "":
		return res.list()
	case method == http.MethodPost && id == "":
		return res.create()
	case method == http.MethodGet && id != "":
		return res.read()
	case method == http.MethodPut && id != "":
		return res.replace()
	case method == http.MethodPatch && id != "":
		return res.patch()
	case method == http.MethodDelete && id != "":
		return res.remove()
	}
	return a, problem.New(problem.Invalid, "methodNotAllowed", "%s is not possible here.", c.r.Method)
}

// resource is a resource type: what SCIM does with it.
type resource interface {
	permission() string
	reader
	writer
}

type reader interface {
	list() (answer, error)
	read() (answer, error)
}

type writer interface {
	create() (answer, error)
	replace() (answer, error)
	patch() (answer, error)
	remove() (answer, error)
}

// write runs f in one transaction, after which some Global Administrator must
// still be able to sign in (PK-42, DO-18).
func (c *call) write(f func(q db.Querier) error) error {
	return c.DB.Write(c.ctx, func(q db.Querier) error {
		return c.Keeper.Guard(c.ctx, q, func() error { return f(q) })
	})
}

func (c *call) url(kind, id string) string { return c.PublicURL + Path + "/" + kind + "/" + id }

// decode reads the JSON body.
func (c *call) decode(v any) error {
	if err := json.Unmarshal(c.body, v); err != nil {
		p := problem.New(problem.Invalid, "badRequest", "The body is not the JSON that is expected here.").Because(err)
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && te.Field != "" {
			p.Detail = "The attribute " + te.Field + " has the wrong JSON type: " + te.Value + "."
		}
		return p
	}
	return nil
}

func (c *call) address() string {
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	if err != nil {
		return c.r.RemoteAddr
	}
	return host
}
