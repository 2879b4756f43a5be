package oidc

import (
	"strings"

	"cardea/internal/application"
	"cardea/internal/password"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// byPassword signs in a person who typed a password into an application
// (RFC 6749 §4.3, WC-40). It is off unless a setting turns it on, proves one
// factor, and asks the same rules as the page: the policy, the throttle, the
// sign-in log. response_type, which some clients send along, means nothing here.
func (p *Provider) byPassword(r *request, app *application.Application, c session.Client) (answer, error) {
	switch {
	case r.get("username") == "":
		return answer{}, missing("username")
	case r.get("password") == "":
		return answer{}, missing("password")
	case r.get("scope") == "":
		return answer{}, missing("scope")
	}
	if !c.Authenticated {
		if err := publicFlow(app); err != nil {
			return answer{}, err
		}
	}
	if c.Browser {
		return answer{}, invalid("notSinglePage", "No page in a browser takes passwords for us. Send the person to authorize.")
	}
	sc, err := p.resolve(r, app, r.get("scope"))
	if err != nil {
		return answer{}, err
	}
	w, err := readWish(r.get("claims"))
	if err != nil {
		return answer{}, err
	}
	if w.fresh || w.essential && !meets(acrSingle, w.acr) { // before anything is recorded as a sign-in
		return answer{}, stale()
	}
	name := strings.TrimSpace(r.get("username"))
	if domain := p.Domain(); domain != "" && !strings.Contains(name, "@") {
		name += "@" + domain
	}
	at := r.situation(app)
	at.Protocol, at.ClientApp = "ropc", "Other clients"
	in, err := password.SignIn(r.Context(), p.DB, p.Hasher, session.Claim{UserName: name, Secret: r.get("password"), At: r.now, Situation: at})
	if problem.CodeOf(err) == "signInFailed" {
		return answer{}, problem.New(problem.Invalid, "signInFailed", "The user name or the password is not right, or this person signs in another way.")
	}
	if problem.CodeOf(err) == "passwordMustChange" {
		return answer{}, problem.New(problem.Invalid, "passwordMustChange", "This password has to be changed first. The person signs in at the sign-in page in a browser, which asks for a new one.")
	}
	if err != nil {
		return answer{}, err
	}
	g := session.Grant{ClientID: app.AppID, Scope: sc.asked, Secret: c.Authenticated}
	p.refreshes(&g, sc)
	granted, err := session.ByPassword(r.Context(), p.DB, r.now, in, g)
	if err != nil {
		return answer{}, err
	}
	return p.answer(r, app, granted, sc.asked)
}
