package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// meaning is how OAuth and Entra name one of our facts.
type meaning struct {
	name   string // error of RFC 6749, OpenID Connect or Entra
	number int    // AADSTS…
}

// meanings is the one table from our codes to theirs.
var meanings = map[string]meaning{
	"applicationUnknown":       {"unauthorized_client", 700016},
	"applicationDisabled":      {"unauthorized_client", 7000112},
	"servicePrincipalMissing":  {"unauthorized_client", 7000229},
	"notAssigned":              {"access_denied", 50105},
	"clientUnauthenticated":    {"invalid_client", 7000218},
	"clientSecretInvalid":      {"invalid_client", 7000215},
	"clientSecretExpired":      {"invalid_client", 7000222},
	"assertionBroken":          {"invalid_client", 700027},
	"certificateExpired":       {"invalid_client", 700027},
	"assertionExpired":         {"invalid_client", 700024},
	"publicClientOnly":         {"unauthorized_client", 700025},
	"requestThrottled":         {"temporarily_unavailable", 90055},
	"requestTooLarge":          {"invalid_request", 90015},
	"methodNotAllowed":         {"invalid_request", 900561},
	"tenantUnknown":            {"invalid_request", 90002},
	"consumersUnsupported":     {"invalid_request", 9002346},
	"parameterMissing":         {"invalid_request", 900144},
	"parameterInvalid":         {"invalid_request", 90013},
	"redirectUriUnknown":       {"invalid_request", 50011},
	"responseTypeUnsupported":  {"unsupported_response_type", 700054},
	"responseModeUnsupported":  {"invalid_request", 70007},
	"requestObjectUnsupported": {"request_not_supported", 90013},
	"promptUnsupported":        {"invalid_request", 90023},
	"pkceRequired":             {"invalid_request", 9002325},
	"pkceUnsupported":          {"invalid_request", 501491},
	"grantUnsupported":         {"unsupported_grant_type", 70003},
	"scopeInvalid":             {"invalid_scope", 70011},
	"scopesMixed":              {"invalid_scope", 28000},
	"resourceUnknown":          {"invalid_resource", 500011},
	"consentMissing":           {"consent_required", 65001},
	"loginRequired":            {"login_required", 50058},
	"acrUnmet":                 {"unmet_authentication_requirements", 50074},
	"acrUnknown":               {"unmet_authentication_requirements", 50074},
	"signInIncomplete":         {"login_required", 50058},
	"flowExpired":              {"login_required", 50089},
	"flowBroken":               {"invalid_request", 90013},
	"instanceUnknown":          {"invalid_instance", 50049},
	"codeUnknown":              {"invalid_grant", 9002313},
	"codeUsed":                 {"invalid_grant", 54005},
	"codeExpired":              {"invalid_grant", 70008},
	"codeOfOtherClient":        {"invalid_grant", 70000},
	"redirectUriDiffers":       {"invalid_grant", 500112},
	"verifierWrong":            {"invalid_grant", 501481},
	"verifierUnexpected":       {"invalid_grant", 501481},
	"notSinglePage":            {"invalid_request", 9002326},
	"refreshUnknown":           {"invalid_grant", 9002313},
	"refreshRevoked":           {"invalid_grant", 50173},
	"refreshReused":            {"invalid_grant", 50173},
	"refreshOfOtherClient":     {"invalid_grant", 70000},
	"refreshExpired":           {"invalid_grant", 700082},
	"grantVoid":                {"invalid_grant", 50173},
	"userDisabled":             {"invalid_grant", 50057},
	"grantSwitchedOff":         {"unsupported_grant_type", 70003},
	"publicFlowNotAllowed":     {"unauthorized_client", 7000218},
	"devicePending":            {"authorization_pending", 70016},
	"deviceTooFast":            {"slow_down", 70016},
	"deviceExpired":            {"expired_token", 70020},
	"deviceDeclined":           {"authorization_declined", 65004},
	"deviceCodeUnknown":        {"bad_verification_code", 70018},
	"deviceCodeUsed":           {"invalid_grant", 54005},
	"presentedTokenInvalid":    {"invalid_grant", 50013},
	"presentedTokenExpired":    {"invalid_grant", 500133},
	"presentedTokenForOther":   {"invalid_grant", 500131},
	"presentedTokenOfApp":      {"invalid_grant", 7000114},
	"ngcMfaRequired":           {"interaction_required", 50076},
	"signInFailed":             {"invalid_grant", 50126},
	"passwordMustChange":       {"invalid_grant", 50055},
	"tokenBroken":              {"invalid_token", 50027},
	"tokenExpired":             {"invalid_token", 50133},
}

// said is an error in the words of the protocol.
type said struct {
	meaning
	status      int
	code        string // ours
	description string
	retryAfter  string
}

// say translates err. Nothing of an internal error is said but that it is ours.
func (r *request) say(err error) said {
	e, known := errors.AsType[*problem.Error](err)
	if !known || e.Kind == problem.Internal {
		return said{meaning{"server_error", 90033}, http.StatusInternalServerError, "systemError", r.describe(90033, "Something failed on our side. Try again; if it goes on, give the correlation id to your administrator."), ""}
	}
	m, listed := meanings[e.Code]
	if !listed {
		m = meaning{"invalid_request", 90013}
		if e.Kind == problem.Unavailable {
			m = meaning{"temporarily_unavailable", 90033}
		}
	}
	s := said{meaning: m, status: http.StatusBadRequest, code: e.Code, description: r.describe(m.number, e.Detail)}
	switch {
	case m.name == "invalid_client", m.name == "invalid_token":
		s.status = http.StatusUnauthorized
	case e.Kind == problem.TooMany:
		s.status = http.StatusTooManyRequests
		s.retryAfter = strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds()))))
	case e.Kind == problem.Unavailable:
		s.status = http.StatusServiceUnavailable
		if e.RetryAfter > 0 {
			s.retryAfter = strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds())))
		}
	case e.Code == "methodNotAllowed":
		s.status = http.StatusMethodNotAllowed
	}
	return s
}

func (r *request) describe(number int, detail string) string {
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, detail, r.trace(), r.correlation, r.stamp())
}

// trace is the same for the whole request: the correlation id may be the
// client's, so it gets one that is surely ours. Both are only for logs.
func (r *request) trace() string { return r.traceID }

func (r *request) stamp() string { return r.now.UTC().Format("2006-01-02 15:04:05Z") }

// fail answers with an error: a page for people, Entra's JSON for programs
// (WC-49).
func (p *Provider) fail(w http.ResponseWriter, r *request, rt route, a answer, err error) {
	s := r.say(err)
	attrs := []any{"correlationId", r.correlation, "traceId", r.trace(), "method", r.Method, "path", r.URL.Path, "code", s.code, "error", err}
	if s.status >= 500 {
		p.Log.ErrorContext(r.Context(), "oidc: request failed", attrs...)
	} else {
		p.Log.InfoContext(r.Context(), "oidc: request refused", attrs...)
	}
	if rt.person {
		p.Pages.Handle(func(*http.Request) (page.Answer, error) { return page.Answer{}.WithCookies(a.cookies...), err }).ServeHTTP(w, p.pageRequest(r))
		return
	}
	name := s.name
	switch name { // at the token endpoint these can only mean: the grant does not do
	case "login_required", "consent_required":
		name = "invalid_grant"
	}
	claims := "" // what the client asks for when it sends the person to sign in again (WC-82)
	if s.code == "ngcMfaRequired" {
		claims = session.FreshClaims
	}
	body, merr := json.Marshal(struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		Codes         []int  `json:"error_codes"`
		Timestamp     string `json:"timestamp"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
		URI           string `json:"error_uri"`
		Claims        string `json:"claims,omitempty"`
	}{name, s.description, []int{s.number}, r.stamp(), r.trace(), r.correlation, p.Origin + "/help/errors/" + s.code, claims})
	if merr != nil {
		body = []byte(`{"error":"server_error"}`)
	}
	out := answer{status: s.status, body: body, header: map[string]string{}}
	if s.retryAfter != "" {
		out.header["Retry-After"] = s.retryAfter
	}
	if s.status == http.StatusUnauthorized {
		scheme := `Basic realm="` + p.Origin + `"` // RFC 6749 §5.2
		if name == "invalid_token" {
			scheme = `Bearer error="invalid_token"` // RFC 6750 §3
		}
		out.header["WWW-Authenticate"] = scheme
	}
	p.write(w, r, out)
}

func invalid(code, format string, args ...any) error {
	return problem.New(problem.Invalid, code, format, args...)
}

func missing(parameter string) error {
	return problem.New(problem.Invalid, "parameterMissing", "The request lacks the parameter %s.", parameter).On(parameter)
}
