package oidc

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"cardea/internal/application"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// authorize takes an authorization request (OpenID Connect Core §3.1.2).
func (p *Provider) authorize(r *request) (answer, error) {
	if r.Method == http.MethodPost {
		// Cookies with SameSite=Lax do not come with a post from another site,
		// so the person would look signed out. The same request as GET has them.
		query := r.PostForm.Encode()
		if len(query) > maxQuery {
			return answer{}, problem.New(problem.Invalid, "requestTooLarge", "The request has more than %d bytes. Shorten state or claims.", maxQuery)
		}
		return answer{status: http.StatusSeeOther, to: p.Origin + r.URL.EscapedPath() + "?" + query}, nil
	}
	app, f, err := p.client(r)
	if err != nil {
		return answer{}, err // a page of ours: there is no address that may be trusted
	}
	none, err := r.read(&f, app)
	if hint := r.get("id_token_hint"); hint != "" && err == nil {
		f.HintUserID, _, err = p.hint(hint)
	}
	if err == nil {
		_, err = p.resolve(r, app, f.Scope)
	}
	if err != nil {
		return p.refuse(r, f, err)
	}
	s, err := p.Session(r.Request)
	if err != nil && problem.KindOf(err) != problem.Unauthenticated {
		return answer{}, err
	}
	why := unsatisfied(f, s, err == nil, false)
	if why == nil {
		if why, err = p.otherPerson(r, f, s); err != nil {
			return answer{}, err
		}
	}
	if why == nil {
		return p.grant(r, app, f, s, true)
	}
	if none { // WC-54: never a page
		return p.refuse(r, f, why)
	}
	return answer{to: p.Origin + "/signin?flow=" + session.SealFlow(p.Ring, f)}, nil
}

// proceed is where the person comes back to after signing in. It decides again
// and never sends anybody to sign in a second time.
func (p *Provider) proceed(r *request) (answer, error) {
	f, err := session.OpenFlow(p.Ring, r.get("flow"), r.now)
	if err != nil {
		return answer{}, err
	}
	if f.AppID == "" {
		return answer{to: p.Origin + "/security-info"}, nil // who came by themselves
	}
	if f.Device != "" { // there is no address to answer at
		return answer{to: p.Origin + "/devicelogin/confirm?flow=" + url.QueryEscape(r.get("flow"))}, nil
	}
	r.correlation = f.CorrelationID
	app, err := p.Apps.Find(r.Context(), f.AppID, r.now)
	if err != nil {
		return answer{}, err
	}
	s, err := p.Session(r.Request)
	if problem.KindOf(err) == problem.Unauthenticated {
		return answer{}, problem.New(problem.Unauthenticated, "signInIncomplete", "Your browser did not keep the sign-in. Allow cookies for this site, go back to %s, and try again.", app.DisplayName)
	}
	if err != nil {
		return answer{}, err
	}
	if why := unsatisfied(f, s, true, true); why != nil {
		return p.refuse(r, f, why)
	}
	// Who opened the link again without signing in was not asked either.
	return p.grant(r, app, f, s, s.AuthAt.Before(f.At))
}

// client reads who asks and where the answer goes. Until both are known to
// belong together nothing is sent anywhere (RFC 9700 §4.1).
func (p *Provider) client(r *request) (*application.Application, session.Flow, error) {
	f := session.Flow{At: r.now, MaxAge: -1, ResponseMode: "query", CorrelationID: r.correlation}
	if f.AppID = r.get("client_id"); f.AppID == "" {
		return nil, f, missing("client_id")
	}
	app, err := p.Apps.Find(r.Context(), f.AppID, r.now)
	if err != nil {
		return nil, f, err
	}
	f.AppID, f.AppName, f.RedirectURI = app.AppID, app.DisplayName, r.get("redirect_uri")
	if f.RedirectURI == "" {
		only, ok := app.OnlyRedirect()
		if !ok {
			return nil, f, missing("redirect_uri")
		}
		f.RedirectURI = only
	}
	if _, ok := app.Redirect(f.RedirectURI); !ok {
		return nil, f, invalid("redirectUriUnknown", "%s asked to get its answer at an address that is not registered for it. Its administrator must register exactly the redirect URI that it sends.", app.DisplayName)
	}
	f.State, f.HasState = r.get("state"), r.form.Has("state")
	if mode := r.get("response_mode"); mode == "fragment" || mode == "form_post" && onWeb(f.RedirectURI) {
		f.ResponseMode = mode // a form cannot be posted to a private scheme
	}
	return app, f, nil
}

// read reads the rest of the request into f. Its errors go to the application.
func (r *request) read(f *session.Flow, app *application.Application) (none bool, err error) {
	for _, name := range []string{"nonce", "scope", "login_hint", "acr_values", "code_challenge", "prompt", "claims"} {
		if !utf8.ValidString(r.get(name)) || len(r.get(name)) > 4096 {
			return none, invalid("parameterInvalid", "The parameter %s is not UTF-8, or is longer than 4096 bytes.", name)
		}
	}
	var prompts []string
	for v := range strings.FieldsSeq(r.get("prompt")) {
		switch v {
		case "none":
			none = true
		case "login", "select_account":
			f.Prompt = v
		case "consent", "create": // administrators consent and create; there is nothing to ask
		default:
			return false, invalid("promptUnsupported", "The prompt %q is not known. Use none, login or select_account.", v)
		}
		prompts = append(prompts, v)
	}
	if none && len(prompts) > 1 {
		return none, invalid("promptUnsupported", "The prompt none stands alone.")
	}
	if r.form.Has("request") || r.form.Has("request_uri") {
		return none, invalid("requestObjectUnsupported", "Request objects are not supported. Send the parameters themselves.")
	}
	switch r.get("response_type") {
	case "code":
	case "":
		return none, missing("response_type")
	default:
		return none, invalid("responseTypeUnsupported", "The response_type %q is not supported. Use code, with PKCE.", r.get("response_type"))
	}
	if mode := r.get("response_mode"); mode != "" && mode != f.ResponseMode {
		return none, invalid("responseModeUnsupported", "The response_mode %q is not supported. Use query, fragment or form_post.", mode)
	}
	if f.Scope = strings.Join(strings.Fields(r.get("scope")), " "); f.Scope == "" {
		return none, missing("scope")
	}
	if err := r.readChallenge(f, app); err != nil {
		return none, err
	}
	if age := r.get("max_age"); age != "" {
		if f.MaxAge, err = strconv.ParseInt(age, 10, 32); err != nil || f.MaxAge < 0 {
			return none, invalid("parameterInvalid", "max_age is a number of seconds, not %q.", age)
		}
	}
	f.Nonce, f.LoginHint, f.ClientInfo = r.get("nonce"), r.get("login_hint"), r.get("client_info") == "1"
	f.ACR = strings.Fields(r.get("acr_values"))
	if len(f.ACR) > 10 {
		return none, invalid("parameterInvalid", "acr_values has at most 10 values.")
	}
	return none, r.readClaims(f)
}

// readChallenge reads PKCE (RFC 7636). Who cannot keep a secret needs it;
// "plain" protects nothing and is refused.
func (r *request) readChallenge(f *session.Flow, app *application.Application) error {
	f.Challenge = r.get("code_challenge")
	method := r.get("code_challenge_method")
	switch {
	case f.Challenge == "" && method != "":
		return missing("code_challenge")
	case f.Challenge == "" && !confidential(app, f.RedirectURI):
		return invalid("pkceRequired", "This application has no secret, so it must use PKCE: send code_challenge, and code_challenge_method=S256.")
	case f.Challenge == "":
		return nil
	case method != "S256":
		return invalid("pkceUnsupported", "The code_challenge_method must be S256.")
	case len(f.Challenge) != 43 || strings.Trim(f.Challenge, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "":
		return invalid("pkceUnsupported", "The code_challenge is the base64url of a SHA-256: 43 characters, without padding.")
	}
	return nil
}

// confidential reports whether answers at redirectURI are redeemed by a server
// that must prove itself.
func confidential(app *application.Application, redirectURI string) bool {
	kind, _ := app.Redirect(redirectURI)
	return kind == application.WebRedirect && !app.Public()
}

// readClaims reads the claims parameter into f.
func (r *request) readClaims(f *session.Flow) error {
	w, err := readWish(r.get("claims"))
	if err != nil {
		return err
	}
	if f.Fresh = w.fresh; len(w.acr) > 0 {
		f.ACR, f.ACREssential = w.acr, w.essential
	}
	if f.ACREssential && !meets(acrHardware, f.ACR) {
		return invalid("acrUnknown", "None of the acr values is known here. Use phrh, phr or mfa.")
	}
	return nil
}

// unsatisfied says why the session s, if there is one, does not do for f; nil
// means it does. back: the person comes from signing in for this very flow.
func unsatisfied(f session.Flow, s session.Session, signedIn, back bool) error {
	if !signedIn || !s.Proved() {
		return problem.New(problem.Unauthenticated, "loginRequired", "Nobody is signed in in this browser.")
	}
	fresh := !s.AuthAt.Before(f.At) // proved again after the application asked
	again := problem.New(problem.Unauthenticated, "loginRequired", "The application wants the person to sign in again.")
	switch {
	case f.Prompt == "login" && !(back && fresh), f.Prompt == "select_account" && !back:
		return again
	case f.MaxAge >= 0 && !(back && fresh) && f.At.Sub(s.AuthAt).Seconds() >= float64(f.MaxAge):
		return again
	}
	if f.HintUserID != "" && f.HintUserID != s.UserID { // also when coming back: never a token about another person
		return problem.New(problem.Unauthenticated, "loginRequired", "Somebody else is signed in in this browser.")
	}
	if f.Fresh && !session.MeetsFresh(s.Methods, s.AuthAt, f.At) {
		if back {
			return problem.New(problem.Unauthenticated, "acrUnmet", "The application needs a fresh sign-in with two factors, such as a passkey. This one was not.")
		}
		return stale()
	}
	if have := acrOf(s.Methods); !meets(have, f.ACR) && (f.ACREssential || !back) {
		return problem.New(problem.Unauthenticated, "acrUnmet", "The sign-in is not as strong as the application needs.")
	}
	return nil
}

// otherPerson reports that the application expects somebody else than who is
// signed in: then the person chooses.
func (p *Provider) otherPerson(r *request, f session.Flow, s session.Session) (why, err error) {
	if !strings.Contains(f.LoginHint, "@") { // a hint in another form is for Entra's eyes only
		return nil, nil
	}
	u, err := directory.GetUser(r.Context(), p.DB, s.UserID)
	if err != nil || strings.EqualFold(u.UserPrincipalName, f.LoginHint) || strings.EqualFold(u.Mail, f.LoginHint) {
		return nil, err
	}
	return problem.New(problem.Unauthenticated, "loginRequired", "Somebody else is signed in in this browser."), nil
}
