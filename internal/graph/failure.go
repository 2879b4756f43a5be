package graph

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"cardea/internal/problem"
)

// statuses is the whole mapping from kinds of problems to Graph's answers
// (directory-and-odata §9). NotFound has another code per area: see route.
var statuses = map[problem.Kind]struct {
	Status int
	Code   string
}{
	problem.Internal:           {500, "UnknownError"},
	problem.Invalid:            {400, "Request_BadRequest"},
	problem.Unauthenticated:    {401, "InvalidAuthenticationToken"},
	problem.Forbidden:          {403, "Authorization_RequestDenied"},
	problem.NotFound:           {404, "Request_ResourceNotFound"},
	problem.Conflict:           {409, "Request_MultipleObjectsWithSameKeyValue"},
	problem.PreconditionFailed: {412, "PreconditionFailed"},
	problem.TooMany:            {429, "TooManyRequests"},
	problem.Unavailable:        {503, "serviceNotAvailable"},
}

// special holds the codes whose status or name does not follow from the kind.
var special = map[string]struct {
	Status int
	Code   string
}{
	"unsupportedQuery":    {400, "Request_UnsupportedQuery"},
	"methodNotAllowed":    {405, "methodNotAllowed"},
	"syncStateNotFound":   {410, "syncStateNotFound"},
	"resyncRequired":      {410, "resyncRequired"},
	"urlTooLong":          {414, "RequestUriTooLong"},
	"failedDependency":    {424, "FailedDependency"},
	"bodyTooLarge":        {413, "RequestEntityTooLarge"},
	"unsupportedEncoding": {415, "UnsupportedMediaType"},
	"notSupported":        {501, "notSupported"},
}

type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Code    string           `json:"code"`
	Message string           `json:"message"`
	Target  string           `json:"target,omitempty"`
	Details []problem.Reason `json:"details,omitempty"`
	Inner   innerError       `json:"innerError"`
}

// innerError: Code is the precise reason (PK-144). Date has no zone and
// exactly 19 characters (WC-71).
type innerError struct {
	Code            string `json:"code"`
	Date            string `json:"date"`
	RequestID       string `json:"request-id"`
	ClientRequestID string `json:"client-request-id"`
}

// failure turns an error into the answer. notFound is the area's own code for
// what does not exist. Nothing but problems ever shows its text.
func (c *Call) failure(err error, notFound string) Answer {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Kind == problem.Internal {
		p = problem.New(problem.Internal, "systemError", "Something went wrong on our side. Try again; if it stays, give the request id to whoever runs this server.")
	}
	s := statuses[p.Kind]
	if p.Kind == problem.NotFound && notFound != "" {
		s.Code = notFound
	}
	if x, ok := special[p.Code]; ok {
		s = x
	}
	details := p.Reasons
	if len(details) == 0 && p.Target != "" { // DO-67
		details = []problem.Reason{{Code: p.Code, Target: p.Target, Message: p.Detail}}
	}
	client := c.ClientRequestID
	if client == "" {
		client = c.RequestID
	}
	a := Answer{Status: s.Status, Header: http.Header{}, Body: errorBody{errorObject{
		Code: s.Code, Message: p.Detail, Target: p.Target, Details: details,
		Inner: innerError{Code: p.Code, Date: c.Now.UTC().Format("2006-01-02T15:04:05"), RequestID: c.RequestID, ClientRequestID: client},
	}}}
	if s.Status == http.StatusGone {
		a.Header.Set("Location", c.restart)
	}
	if c.allowed != "" {
		a.Header.Set("Allow", c.allowed)
	}
	switch p.Kind {
	case problem.Unauthenticated:
		challenge := `Bearer realm="", authorization_uri="` + c.Host + `/common/oauth2/v2.0/authorize"`
		if c.challenge != "" {
			challenge += `, error="insufficient_claims", claims="` + c.challenge + `"`
		}
		a.Header.Set("WWW-Authenticate", challenge)
	case problem.TooMany, problem.Unavailable:
		a.Header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(p.RetryAfter.Seconds())))))
	}
	return a
}

var (
	noMail = problem.New(problem.Invalid, "mailNotConfigured", "This server cannot send mail. Hand the link over yourself, or configure mail.").On("sendMail")
	// A person's mail address may be missing although the user name looks like one.
	noAddress = problem.New(problem.Invalid, "noMailAddress", "This person has no mail address in the directory. Hand the link over yourself, or set mail.").On("sendMail")
)
