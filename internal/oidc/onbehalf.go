package oidc

import (
	"encoding/json"
	"strings"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/session"
)

const onBehalfGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// onBehalf gives an API that was called with a person's access token a token
// with which it may act for that person elsewhere, as Entra does.
func (p *Provider) onBehalf(r *request, app *application.Application, c session.Client) (answer, error) {
	switch {
	case r.get("requested_token_use") != "on_behalf_of":
		return answer{}, invalid("parameterInvalid", "With this grant_type requested_token_use must be on_behalf_of.")
	case r.get("assertion") == "":
		return answer{}, missing("assertion")
	case r.get("scope") == "":
		return answer{}, missing("scope")
	case !c.Authenticated: // who holds somebody's token is not the one it was meant for
		return answer{}, problem.New(problem.Unauthenticated, "clientUnauthenticated", "An application that acts for a person must prove itself with its client secret or a client assertion.")
	}
	presented, err := p.presented(r, app)
	if err != nil {
		return answer{}, err
	}
	r.userID = presented.UserID
	sc, err := p.resolve(r, app, r.get("scope"))
	if err != nil {
		return answer{}, err
	}
	g := session.Grant{ClientID: app.AppID, Scope: sc.asked, Secret: true}
	p.refreshes(&g, sc)
	granted, err := session.OnBehalf(r.Context(), p.DB, r.now, presented, g, func(q db.Querier, out session.Granted) error {
		if err := r.wanted(out); err != nil {
			return err
		}
		row := p.row(r, app, audit.NonInteractive) // RL-22
		session.Of(&row, out.User)
		row.SessionID, row.ResourceID = out.SessionID, sc.resource
		previously(&row, out.Methods)
		return audit.WriteSignIn(r.Context(), q, row)
	})
	if err != nil {
		return answer{}, err
	}
	return p.answer(r, app, granted, sc.asked)
}

// presented checks the person's token that app was called with.
func (p *Provider) presented(r *request, app *application.Application) (out session.Presented, err error) {
	raw, err := p.Ring.Verify(r.get("assertion"), r.now)
	if problem.CodeOf(err) == "tokenExpired" {
		return out, invalid("presentedTokenExpired", "The assertion has expired. The caller must send a new access token.")
	}
	refused := invalid("presentedTokenInvalid", "The assertion is not an access token from here. Send the one that the caller sent, without Bearer.")
	if err != nil {
		return out, refused
	}
	var cl accessClaims
	if err := json.Unmarshal(raw, &cl); err != nil || cl.Issuer != p.issuer() || cl.IDType == "" { // an id_token has no idtyp
		return out, refused
	}
	if !strings.EqualFold(cl.Audience, app.AppID) {
		return out, invalid("presentedTokenForOther", "The assertion was not meant for %s: its aud is %q. The caller must ask for a scope of this application.", app.DisplayName, cl.Audience)
	}
	if cl.IDType != "user" {
		return out, invalid("presentedTokenOfApp", "The assertion is an application's own token. Nobody acts for an application: ask for a token with client_credentials.")
	}
	return session.Presented{UserID: cl.ObjectID, SessionID: cl.SessionID, IssuedAt: cl.IssuedAt, AuthAt: cl.AuthTime, Methods: cl.AMR}, nil
}
