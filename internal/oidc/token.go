package oidc

import (
	"context"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/session"
)

// grants are the values of grant_type (WC-40).
var grants = map[string]func(*Provider, *request, *application.Application, session.Client) (answer, error){
	"authorization_code": (*Provider).redeem,
	"refresh_token":      (*Provider).refresh,
	"client_credentials": (*Provider).ownToken,
	"device_code":        (*Provider).redeemDevice, // as MSAL writes it
	deviceGrant:          (*Provider).redeemDevice,
	onBehalfGrant:        (*Provider).onBehalf,
	"password":           (*Provider).byPassword,
}

// token redeems grants (RFC 6749 §3.2).
func (p *Provider) token(r *request) (answer, error) {
	kind := r.get("grant_type")
	redeem, known := grants[kind]
	switch {
	case kind == "":
		return answer{}, missing("grant_type")
	case !known:
		return answer{}, invalid("grantUnsupported", "The grant_type %q is not supported. The discovery document lists those that are.", kind)
	case !p.offers(kind):
		return answer{}, invalid("grantSwitchedOff", "The grant_type %q is switched off here. Sign people in with a browser, or ask your administrator.", kind)
	}
	if _, err := readWish(r.get("claims")); err != nil {
		return answer{}, err
	}
	app, client, err := p.authenticate(r)
	if err != nil {
		return answer{}, err
	}
	return redeem(p, r, app, client)
}

// offers reports whether a grant that can be switched off is on.
func (p *Provider) offers(kind string) bool {
	switch kind {
	case "password":
		return p.PasswordGrant
	case "device_code", deviceGrant:
		return !p.NoDeviceCode
	}
	return true
}

// redeem exchanges an authorization code.
func (p *Provider) redeem(r *request, app *application.Application, c session.Client) (answer, error) {
	if r.get("code") == "" {
		return answer{}, missing("code")
	}
	red := session.Redemption{Client: c, Code: r.get("code"), RedirectURI: r.get("redirect_uri"), Verifier: r.get("code_verifier")}
	if asked := r.get("scope"); asked != "" { // before the code dies
		sc, err := p.resolve(r, app, asked)
		if err != nil {
			return answer{}, err
		}
		// MSAL for Go asks for offline_access here only.
		red.Refreshes = func(g *session.Grant) { p.refreshes(g, sc) }
	}
	if red.RedirectURI == "" { // left out in both requests (RFC 6749 §4.1.3)
		red.RedirectURI, _ = app.OnlyRedirect()
	}
	g, err := session.RedeemCode(r.Context(), p.DB, r.now, red,
		func(db.Querier, session.Granted) error { return nil }) // authorize wrote the row of this sign-in
	if err != nil {
		return answer{}, err
	}
	// MSAL repeats the scopes and wants them echoed as it writes them here. What
	// was not consented was refused at authorize, and is again.
	return p.answer(r, app, g, r.askedOr(g.Scope))
}

// refresh exchanges a refresh token. It may ask for other scopes than the
// first request did, as in Entra: consent is the administrator's, and per
// application.
func (p *Provider) refresh(r *request, app *application.Application, c session.Client) (answer, error) {
	if r.get("refresh_token") == "" {
		return answer{}, missing("refresh_token")
	}
	if asked := r.get("scope"); asked != "" { // before the token is used up
		if _, err := p.resolve(r, app, asked); err != nil {
			return answer{}, err
		}
	}
	g, err := session.RotateRefresh(r.Context(), p.DB, r.now, session.Rotation{Client: c, Token: r.get("refresh_token")}, func(q db.Querier, g session.Granted) error {
		if err := r.wanted(g); err != nil { // the token stays as it was: it is good for other requests
			return err
		}
		row := p.row(r, app, audit.NonInteractive) // RL-22
		session.Of(&row, g.User)
		row.SessionID, row.IncomingTokenType = g.SessionID, "refreshToken"
		previously(&row, g.Methods)
		return audit.WriteSignIn(r.Context(), q, row)
	})
	if err != nil {
		return answer{}, err
	}
	g.Nonce = "" // OpenID Connect Core §12.2: it belongs to the sign-in
	return p.answer(r, app, g, r.askedOr(g.Scope))
}

// askedOr is the scope of a token request, or else that of the grant.
func (r *request) askedOr(granted string) string {
	if asked := r.get("scope"); asked != "" {
		return asked
	}
	return granted
}

// tokens is the answer of the token endpoint (WC-43).
type tokens struct {
	TokenType    string `json:"token_type"`
	Scope        string `json:"scope,omitempty"`
	ExpiresIn    int64  `json:"expires_in"`
	ExtExpiresIn int64  `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ClientInfo   string `json:"client_info,omitempty"`
}

// answer signs the tokens of a person's grant.
func (p *Provider) answer(r *request, app *application.Application, g session.Granted, asked string) (answer, error) {
	r.userID = g.UserID
	sc, err := p.resolve(r, app, asked)
	if err != nil {
		return answer{}, err
	}
	own, theirs, err := p.admit(r, app, g.UserID, sc)
	if err != nil {
		return answer{}, err
	}
	until := r.now.Add(p.Lives.Access)
	if g.Until > 0 { // PK-152
		until = earlier(until, time.UnixMilli(g.Until))
	}
	out := tokens{TokenType: "Bearer", Scope: sc.echo(), ExpiresIn: life(until, r.now), RefreshToken: g.Refresh}
	out.ExtExpiresIn = out.ExpiresIn
	// Graph checks our tokens itself and takes ES256; other APIs get what
	// their own registration says.
	if out.AccessToken, err = p.Ring.Sign(p.accessAlg(r.Context(), sc.resource, r.now), p.accessToken(r, app, &g, sc, until).with(theirs), r.now); err != nil {
		return answer{}, err
	}
	if sc.openid {
		if out.IDToken, err = p.Ring.Sign(idTokenAlg(app), p.idToken(r, app, &g, sc, until).with(own), r.now); err != nil {
			return answer{}, err
		}
	}
	if r.get("client_info") == "1" || r.Form.Get("client_info") == "1" {
		out.ClientInfo = p.clientInfo(g.UserID)
	}
	return jsonAnswer(out)
}

// ownToken gives an application a token for itself (client_credentials).
func (p *Provider) ownToken(r *request, app *application.Application, c session.Client) (answer, error) {
	if !c.Authenticated {
		return answer{}, invalid("publicClientOnly", "This application has no secret and no certificate, so it gets tokens for people only. Give it one, or sign a person in.")
	}
	sc, err := p.parse(r.get("scope")) // WC-34: OpenID scopes mean nothing here
	if err != nil {
		return answer{}, err
	}
	if !sc.whole || len(sc.names) > 0 {
		return answer{}, invalid("scopeInvalid", "An application asks for all its permissions at once: the scope is %s/.default.", p.Origin)
	}
	sc.names = nil
	if sc.resource == GraphAppID {
		sc.names = expand(app.Cardea.Permissions, p.ApplicationPermissions)
	} else if sc.names, err = p.rolesOn(r, app, &sc); err != nil {
		return answer{}, err
	}
	until := r.now.Add(p.Lives.Access)
	signed, err := p.Ring.Sign(p.accessAlg(r.Context(), sc.resource, r.now), p.applicationToken(r, app, sc, until), r.now)
	if err != nil {
		return answer{}, err
	}
	row := p.row(r, app, audit.ServicePrincipal) // RL-22
	row.ServicePrincipalID, row.ResourceID = app.PrincipalID(), sc.resource
	if err := p.DB.Write(r.Context(), func(q db.Querier) error { return audit.WriteSignIn(r.Context(), q, row) }); err != nil {
		return answer{}, err
	}
	n := life(until, r.now)
	return jsonAnswer(tokens{TokenType: "Bearer", ExpiresIn: n, ExtExpiresIn: n, AccessToken: signed}) // WC-33: no scope
}

// rolesOn are the app roles that app itself has on the API of sc.
func (p *Provider) rolesOn(r *request, app *application.Application, sc *scopes) ([]string, error) {
	api, err := p.findAPI(r, sc)
	if err != nil {
		return nil, err
	}
	roles, ok := app.RolesOn(api.AppID)
	if !ok && api.AppID != app.AppID {
		return nil, invalid("consentMissing", "%s may not call %s. An administrator can grant it by the client id %s.", app.DisplayName, api.DisplayName, api.AppID)
	}
	return roles, nil
}

// revoke ends the refresh tokens of one sign-in at the client's wish
// (RFC 7009). Whatever the token was, the answer is the same.
func (p *Provider) revoke(r *request) (answer, error) {
	app, _, err := p.authenticate(r)
	if err != nil {
		return answer{}, err
	}
	if r.get("token") == "" {
		return answer{}, missing("token")
	}
	err = p.DB.Write(r.Context(), func(q db.Querier) error {
		return session.RevokeRefresh(r.Context(), q, r.now, r.get("token"), app.AppID)
	})
	return answer{}, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// life is expires_in: one second less than the token has, so that nobody sends
// one that is over.
func life(until, now time.Time) int64 { return max(0, int64(until.Sub(now)/time.Second)-1) }

func (p *Provider) accessAlg(ctx context.Context, resource string, now time.Time) string {
	if resource == GraphAppID {
		return "ES256"
	}
	api, err := p.Apps.Find(ctx, resource, now)
	if err != nil {
		return "RS256"
	}
	return idTokenAlg(api)
}

// idTokenAlg is RS256, as in Entra, unless the application takes ES256.
func idTokenAlg(app *application.Application) string {
	if app.Cardea.SigningAlgorithm == "" {
		return "RS256"
	}
	return app.Cardea.SigningAlgorithm
}
