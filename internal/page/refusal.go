package page

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"cardea/internal/problem"
)

// statuses is the one table from kinds to HTTP statuses of the user pages.
var statuses = map[problem.Kind]int{
	problem.Internal:           http.StatusInternalServerError,
	problem.Invalid:            http.StatusBadRequest,
	problem.Unauthenticated:    http.StatusUnauthorized,
	problem.Forbidden:          http.StatusForbidden,
	problem.NotFound:           http.StatusNotFound,
	problem.Conflict:           http.StatusConflict,
	problem.PreconditionFailed: http.StatusPreconditionFailed,
	problem.TooMany:            http.StatusTooManyRequests,
	problem.Unavailable:        http.StatusServiceUnavailable,
}

// StatusOf returns the status of err on the user pages.
func StatusOf(err error) int { return statuses[problem.KindOf(err)] }

// Refusal is a refusal by policy that may be explained, because the person has
// proved who they are (PK-122). Before proof return the *problem.Error alone.
type Refusal struct {
	Problem *problem.Error
	Profile string // display name of the passkey profile, or of the policy
	Rule    string // the rule that was not met, a lowerCamel fact
}

func (r *Refusal) Error() string { return r.Problem.Error() }
func (r *Refusal) Unwrap() error { return r.Problem }

// refusalBody is the JSON of a refusal: {"error": {…}}.
type refusalBody struct {
	Error refusalJSON `json:"error"`
}

type refusalJSON struct {
	Code          string `json:"code"`
	Message       string `json:"message"`
	Help          string `json:"help"`
	CorrelationID string `json:"correlationId"`
	Profile       string `json:"profile,omitempty"`
	Rule          string `json:"rule,omitempty"`
}

// explain returns what may be said about err. Nothing of an internal error is
// said but that it is ours.
func (s *Renderer) explain(err error, correlationID string) refusalJSON {
	out := refusalJSON{Code: problem.CodeOf(err), CorrelationID: correlationID}
	e, known := errors.AsType[*problem.Error](err)
	switch {
	case known && e.Kind != problem.Internal && e.Detail != "":
		out.Message = e.Detail
	case known && e.Kind != problem.Internal:
		out.Message = s.words.text("error.unexplained")
	default:
		out.Code = "systemError"
		out.Message = s.words.text("error.internal")
	}
	out.Help = "/help/errors/" + out.Code
	if r, ok := errors.AsType[*Refusal](err); ok {
		out.Profile, out.Rule = r.Profile, r.Rule
	}
	return out
}

// retryAfter returns the seconds of a Retry-After header, rounded up; "" if err
// has none.
func retryAfter(err error) string {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.RetryAfter <= 0 {
		return ""
	}
	return strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds())))
}

// wantsJSON reports whether the caller is our script rather than a person who
// looks at a page.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return mediaType(r) == "application/json" || strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
