package oidc

import (
	"net/url"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// deviceAnswer is the answer of the device authorization endpoint (RFC 8628
// §3.2), with Entra's message, which clients print.
type deviceAnswer struct {
	UserCode   string `json:"user_code"`
	DeviceCode string `json:"device_code"`
	Address    string `json:"verification_uri"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
	Message    string `json:"message"`
}

// device begins a sign-in for an application without a browser. There is no
// address with the code in it: whoever is to type a code looks at the device.
func (p *Provider) device(r *request) (answer, error) {
	if !p.offers(deviceGrant) {
		return answer{}, invalid("grantSwitchedOff", "Signing in with a code on another device is switched off here. Sign people in with a browser, or ask your administrator.")
	}
	app, _, err := p.authenticate(r)
	if err != nil {
		return answer{}, err
	}
	if err := publicFlow(app); err != nil {
		return answer{}, err
	}
	if r.get("scope") == "" {
		return answer{}, missing("scope")
	}
	if !db.Storable(r.get("scope")) {
		return answer{}, invalid("parameterInvalid", "The parameter scope is not UTF-8.")
	}
	sc, err := p.resolve(r, app, r.get("scope"))
	if err != nil {
		return answer{}, err
	}
	// Anybody may ask, so nobody fills the table.
	if err := throttle.Try(r.Context(), p.DB, "deviceCode", "address "+session.Network(r.ip()), throttle.PerAddress, r.now); err != nil {
		return answer{}, err
	}
	g := session.Grant{ClientID: app.AppID, Scope: sc.asked}
	p.refreshes(&g, sc)
	var codes session.DeviceCodes
	err = p.DB.Write(r.Context(), func(q db.Querier) (err error) {
		codes, err = session.BeginDevice(r.Context(), q, r.now, g, r.situation(app))
		return err
	})
	if err != nil {
		return answer{}, err
	}
	page := p.Origin + "/devicelogin"
	return jsonAnswer(deviceAnswer{codes.User, codes.Device, page, int64(session.DeviceLife / time.Second), int64(session.DeviceInterval / time.Second),
		"To sign in, open " + page + " in a browser and enter the code " + codes.User + ". Only continue if you started this yourself."})
}

// publicFlow refuses flows in which nothing but the client id says who asks,
// unless the application's registration allows them, as in Entra.
func publicFlow(app *application.Application) error {
	if app.IsFallbackPublicClient {
		return nil
	}
	return invalid("publicFlowNotAllowed", "%s may not sign people in this way. An administrator can allow it: set isFallbackPublicClient of the application.", app.DisplayName)
}

// refreshes gives g the life of its refresh tokens, if it has any.
func (p *Provider) refreshes(g *session.Grant, sc scopes) {
	if !sc.offline {
		return
	}
	g.RefreshLife, g.Sliding = p.Lives.Refresh, true
	if g.SPA {
		g.RefreshLife, g.Sliding = p.Lives.SPA, false
	}
}

// redeemDevice answers an application that waits. Some send the code under two
// names, and no scope: then those of the device request count (WC-41).
func (p *Provider) redeemDevice(r *request, app *application.Application, c session.Client) (answer, error) {
	code := r.get("device_code")
	if code == "" {
		code = r.get("code")
	}
	if code == "" {
		return answer{}, missing("device_code")
	}
	if err := publicFlow(app); err != nil {
		return answer{}, err
	}
	if asked := r.get("scope"); asked != "" { // before the code dies
		if _, err := p.resolve(r, app, asked); err != nil {
			return answer{}, err
		}
	}
	g, err := session.RedeemDevice(r.Context(), p.DB, r.now, c, code, r.wanted) // the person's answer wrote the row of this sign-in
	if err != nil {
		return answer{}, err
	}
	return p.answer(r, app, g, r.askedOr(g.Scope))
}

// deviceAuth is Entra's other address of the page for people. A code in the
// address, under either name, only fills the field.
func (p *Provider) deviceAuth(r *request) (answer, error) {
	to := p.Origin + "/devicelogin"
	for _, name := range []string{"user_code", "otc"} {
		if code := session.CleanUserCode(r.get(name)); code != "" {
			return answer{to: to + "?user_code=" + url.QueryEscape(session.ShowUserCode(code))}, nil
		}
	}
	return answer{to: to}, nil
}
