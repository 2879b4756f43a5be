package oidc

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// hint reads an id_token of ours that may have expired, and says who it is
// about and for which application it was.
func (p *Provider) hint(token string) (userID, appID string, err error) {
	broken := invalid("parameterInvalid", "The id_token_hint is not an id_token of this server.")
	raw, err := p.Ring.VerifyExpired(token)
	if err != nil {
		return "", "", broken
	}
	var c accessClaims
	if err := json.Unmarshal(raw, &c); err != nil || c.IDType != "" || c.Issuer != p.issuer() || c.ObjectID == "" {
		return "", "", broken
	}
	return c.ObjectID, c.Audience, nil
}

// logout ends the session of the browser at an application's wish (OpenID
// Connect RP-Initiated Logout 1.0). Only an id_token of the very person who is
// signed in does that without a question: any page can send a browser here.
func (p *Provider) logout(r *request) (answer, error) {
	if r.Method == http.MethodPost { // as in authorize: the cookie does not come with it
		query := r.PostForm.Encode()
		if len(query) > maxQuery {
			return answer{}, problem.New(problem.Invalid, "requestTooLarge", "The request has more than %d bytes. Shorten state.", maxQuery)
		}
		return answer{status: http.StatusSeeOther, to: p.Origin + r.URL.EscapedPath() + "?" + query}, nil
	}
	user, appID := "", r.get("client_id")
	if h := r.get("id_token_hint"); h != "" {
		// A hint that cannot be read is like none: the person is asked.
		if u, a, err := p.hint(h); err == nil && (appID == "" || strings.EqualFold(appID, a)) {
			user, appID = u, a
		}
	}
	app, back, err := p.back(r, appID)
	if err != nil {
		return answer{}, err
	}
	s, err := p.Session(r.Request)
	switch {
	case problem.KindOf(err) == problem.Unauthenticated: // nobody is signed in
		return p.signedOut(app, back), nil
	case err != nil:
		return answer{}, err
	case s.UserID != user:
		to := p.Origin + "/signout"
		if back != "" {
			to += "?return=" + session.SealReturn(p.Ring, app.DisplayName, back, r.now)
		}
		return answer{status: http.StatusSeeOther, to: to}, nil
	}
	if err := p.DB.Write(r.Context(), func(q db.Querier) error { return session.End(r.Context(), q, r.now, s.ID) }); err != nil {
		return answer{}, err
	}
	return p.signedOut(app, back), nil
}

// back returns where the person goes afterwards: an address registered for the
// application, with state, or "".
func (p *Provider) back(r *request, appID string) (*application.Application, string, error) {
	uri := r.get("post_logout_redirect_uri")
	if appID == "" {
		return nil, "", nil // without a client no address is known to be right
	}
	app, err := p.Apps.Find(r.Context(), appID, r.now)
	if problem.CodeOf(err) == "applicationUnknown" {
		return nil, "", nil
	}
	if err != nil || uri == "" || !app.LogoutRedirect(uri) {
		return app, "", err
	}
	if r.form.Has("state") {
		sep := "?"
		if strings.Contains(uri, "?") {
			sep = "&"
		}
		uri += sep + "state=" + strings.ReplaceAll(url.QueryEscape(r.get("state")), "+", "%20")
	}
	return app, uri, nil
}

func (p *Provider) signedOut(app *application.Application, back string) answer {
	a := answer{cookies: []*http.Cookie{page.Forget(p.Cookie)}}
	if back != "" {
		a.to = back
		return a
	}
	v := page.SignedOut{}
	if app != nil {
		v.App = app.DisplayName
	}
	a.view = v
	return a
}
