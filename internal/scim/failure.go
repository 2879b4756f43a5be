package scim

import (
	"errors"
	"net/http"
	"strconv"

	"cardea/internal/problem"
)

// statuses is the whole mapping from kinds of problems to SCIM's answers
// (RFC 7644 §3.12).
var statuses = map[problem.Kind]struct {
	status int
	typ    string
}{
	problem.Internal: {500, ""}, problem.Invalid: {400, "invalidValue"}, problem.Unauthenticated: {401, ""}, problem.Forbidden: {403, ""},
	problem.NotFound: {404, ""}, problem.Conflict: {409, "uniqueness"}, problem.PreconditionFailed: {412, ""}, problem.TooMany: {429, ""}, problem.Unavailable: {503, ""},
}

// types are the codes that have a name of their own in SCIM.
var types = map[string]string{"badRequest": "invalidSyntax", "invalidFilter": "invalidFilter", "invalidPath": "invalidPath", "noTarget": "noTarget", "mutability": "mutability", "alreadyExists": "uniqueness"}

type failureBody struct {
	Schemas []string `json:"schemas"`
	Status  string   `json:"status"`
	Type    string   `json:"scimType,omitempty"`
	Detail  string   `json:"detail"`
	Code    string   `json:"cardeaCode"` // the entry of docs/errors.md
}

// failure turns an error into the answer. Nothing but problems shows its text.
func (c *call) failure(w http.ResponseWriter, err error) answer {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Kind == problem.Internal {
		c.Log.ErrorContext(c.ctx, "scim: request failed", "method", c.r.Method, "err", err)
		p = problem.New(problem.Internal, "systemError", "Something went wrong on our side. Try again; if it stays, tell whoever runs this server.")
	}
	s := statuses[p.Kind]
	switch p.Code {
	case "methodNotAllowed":
		s.status, s.typ = http.StatusMethodNotAllowed, ""
	case "bodyTooLarge":
		s.status, s.typ = http.StatusRequestEntityTooLarge, ""
	}
	if t, ok := types[p.Code]; ok {
		s.typ = t
	}
	switch p.Kind {
	case problem.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="scim", Basic realm="scim"`)
	case problem.TooMany, problem.Unavailable:
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(p.RetryAfter.Seconds()))))
	}
	detail := p.Detail
	if p.Target != "" {
		detail = p.Target + ": " + detail
	}
	return answer{status: s.status, body: failureBody{[]string{"urn:ietf:params:scim:api:messages:2.0:Error"}, strconv.Itoa(s.status), s.typ, detail, p.Code}}
}
