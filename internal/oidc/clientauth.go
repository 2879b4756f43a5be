package oidc

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// maxAssertionLife bounds how far ahead an assertion may expire.
const maxAssertionLife = 24 * time.Hour

// authenticate finds the client of a request and checks what it proves itself
// with. A client that sends nothing is not authenticated; whether that is
// enough is for the grant to say.
//
// A failure is counted, and written to the sign-in log while it is below the
// limit: nobody fills the log by guessing. Successes cost no write, and no
// limit locks the right secret out, because 240 random bits are not guessed.
func (p *Provider) authenticate(r *request) (*application.Application, session.Client, error) {
	id, secret, assertion, err := p.credentials(r)
	if err != nil {
		return nil, session.Client{}, err
	}
	app, err := p.Apps.Find(r.Context(), id, r.now)
	if err != nil {
		return nil, session.Client{}, p.count(r, id, nil, err)
	}
	c := session.Client{ClientID: app.AppID, Browser: r.Header.Get("Origin") != ""}
	switch {
	case assertion != "":
		err = p.checkAssertion(r, app, assertion)
	case secret != "":
		err = app.CheckSecret(secret, r.now)
	default:
		return app, c, nil
	}
	if err != nil {
		return nil, session.Client{}, p.count(r, app.AppID, app, err)
	}
	c.Authenticated = true
	return app, c, nil
}

// credentials reads them from body or header (WC-36, WC-37), never from the
// address. Two ways at once are refused (RFC 6749 §2.3).
func (p *Provider) credentials(r *request) (id, secret, assertion string, err error) {
	id, secret, assertion = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), r.PostForm.Get("client_assertion")
	ways := 0
	if user, password, ok := r.BasicAuth(); ok {
		// RFC 6749 §2.3.1: both are form-encoded before they are joined. Who
		// forgot that has no % in either.
		u, err1 := url.QueryUnescape(user)
		s, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || id != "" && !strings.EqualFold(id, u) {
			return "", "", "", problem.New(problem.Unauthenticated, "clientUnauthenticated", "The Basic header does not hold the client id and the client secret.")
		}
		if secret != "" {
			ways++
		}
		id, secret = u, s
	}
	if secret != "" {
		ways++
	}
	if assertion != "" {
		ways++
		if t := r.PostForm.Get("client_assertion_type"); t != assertionType {
			return "", "", "", invalid("parameterInvalid", "The client_assertion_type must be %s.", assertionType)
		}
		if id == "" { // RFC 7523 §3: the assertion names the client
			if a, err := jose.ParseAssertion(assertion); err == nil {
				var c struct{ Sub string }
				if json.Unmarshal(a.Claims, &c) == nil {
					id = c.Sub
				}
			}
		}
	}
	if ways > 1 {
		return "", "", "", invalid("parameterInvalid", "The client proves itself in several ways at once. Send one: a secret, or an assertion.")
	}
	if id == "" {
		return "", "", "", missing("client_id")
	}
	return id, secret, assertion, nil
}

// checkAssertion checks a JWT of the client (WC-37, RFC 7523 §3).
func (p *Provider) checkAssertion(r *request, app *application.Application, text string) error {
	a, err := jose.ParseAssertion(text)
	if err != nil {
		return err
	}
	if _, err := a.Verify(app.Certificates(r.now), r.now); err != nil {
		return err
	}
	var c struct {
		Iss, Sub string
		Aud      audience
		Exp, Nbf float64
	}
	if err := json.Unmarshal(a.Claims, &c); err != nil {
		return problem.New(problem.Unauthenticated, "assertionBroken", "The claims of the client assertion cannot be read.")
	}
	if !strings.EqualFold(c.Iss, app.AppID) || !strings.EqualFold(c.Sub, app.AppID) {
		return problem.New(problem.Unauthenticated, "assertionBroken", "In the client assertion iss and sub must both be the client id.")
	}
	if !slices.ContainsFunc(c.Aud, p.isAudience) {
		return problem.New(problem.Unauthenticated, "assertionBroken", "The aud of the client assertion must be the token endpoint of the discovery document.")
	}
	exp, nbf := unix(c.Exp), unix(c.Nbf)
	if !r.now.Before(exp.Add(jose.Skew)) || nbf.After(r.now.Add(jose.Skew)) || exp.Sub(r.now) > maxAssertionLife {
		return problem.New(problem.Unauthenticated, "assertionExpired", "The client assertion is not valid now. Check the client's clock, and let it expire within a day.")
	}
	return nil
}

// isAudience accepts the token endpoint under every name of the tenant, the
// authority, and the issuer.
func (p *Provider) isAudience(aud string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(aud, "/")), strings.ToLower(p.Origin)+"/")
	if !ok {
		return strings.EqualFold(strings.TrimSuffix(aud, "/"), p.Origin)
	}
	tenant, path, _ := strings.Cut(rest, "/")
	if p.checkTenant(tenant) != nil {
		return false
	}
	return slices.Contains([]string{"", "v2.0", "oauth2/v2.0/token", "oauth2/token"}, path)
}

// audience is a string or a list of strings.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	err := json.Unmarshal(b, &many)
	*a = many
	return err
}

// unix reads a NumericDate; what no clock shows is the year 0 or 9999.
func unix(seconds float64) time.Time {
	return time.Unix(int64(max(-62e9, min(250e9, seconds))), 0)
}

// count counts a failed authentication and returns cause, or TooMany.
func (p *Provider) count(r *request, id string, app *application.Application, cause error) error {
	if k := problem.KindOf(cause); k == problem.Internal || k == problem.Unavailable {
		return cause
	}
	network := session.Network(r.ip())
	err := throttle.Try(r.Context(), p.DB, "clientSecret", "address "+network, throttle.PerAddress, r.now)
	if err == nil {
		err = throttle.Try(r.Context(), p.DB, "clientSecret", strings.ToLower(id)+" "+network, throttle.PerAccount, r.now)
	}
	if err != nil {
		return err
	}
	if app == nil {
		return cause
	}
	row := p.row(r, app, audit.ServicePrincipal)
	row.ServicePrincipalID = app.PrincipalID()
	s := r.say(cause)
	row.Status = audit.SignInStatus{ErrorCode: s.number, FailureReason: "The application could not prove itself.", AdditionalDetails: s.code}
	if err := p.DB.Write(r.Context(), func(q db.Querier) error { return audit.WriteSignIn(r.Context(), q, row) }); err != nil {
		return err
	}
	return cause
}
