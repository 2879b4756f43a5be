package signin

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// Signing in a device that has no browser. The person types the code that the
// device shows, proves who they are, reads which application asks and from
// where, and says yes or no. Attackers send such codes to people, so nothing is
// decided by opening an address: every step is a form, the proof is a fresh one,
// and only the browser in which the code was typed may answer.

// userCodeGuess is the kind of these guesses for the throttle.
const userCodeGuess = "userCode"

// deviceOff refuses where the flow is switched off.
func (e *Edge) deviceOff() error {
	if !e.NoDeviceCode {
		return nil
	}
	return problem.New(problem.NotFound, "deviceSignInOff", "Signing in with a code from another device is switched off here. If somebody sent you a code, tell your help desk.")
}

// deviceCode asks for the code. An address may fill the field, under either
// name; it looks nothing up.
func (e *Edge) deviceCode(r *http.Request) (page.Answer, error) {
	if err := e.deviceOff(); err != nil {
		return page.Answer{}, err
	}
	q, code := r.URL.Query(), ""
	for _, name := range []string{"user_code", "otc"} {
		if c := session.CleanUserCode(q.Get(name)); c != "" {
			code = session.ShowUserCode(c)
		}
	}
	return page.HTML(page.DeviceCode{Code: code}), nil
}

// deviceTyped takes the code and sends the person to prove who they are, if
// that is not just done.
func (e *Edge) deviceTyped(r *http.Request) (page.Answer, error) {
	if err := e.deviceOff(); err != nil {
		return page.Answer{}, err
	}
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	again := func(err error, what string) (page.Answer, error) {
		return page.HTML(page.DeviceCode{Code: clip(form.Get("user_code")), Problem: what}).WithStatus(page.StatusOf(err)), nil
	}
	from := "address " + session.Network(v.situation().IP)
	if err := throttle.Try(r.Context(), e.DB, userCodeGuess, from, throttle.PerAddress, v.now); problem.KindOf(err) == problem.TooMany {
		return again(err, "tooManyAttempts")
	} else if err != nil {
		return page.Answer{}, err
	}
	code := session.CleanUserCode(form.Get("user_code"))
	d, err := session.FindDevice(r.Context(), e.DB, v.now, code)
	if problem.CodeOf(err) == "userCodeInvalid" {
		return again(err, "userCodeInvalid")
	}
	if err != nil {
		return page.Answer{}, err
	}
	app, err := application.GetByAppID(r.Context(), e.DB, d.ClientID)
	if problem.KindOf(err) == problem.NotFound {
		return again(problem.New(problem.Invalid, "userCodeInvalid", ""), "userCodeInvalid")
	}
	if err != nil {
		return page.Answer{}, err
	}
	if err := e.DB.Write(r.Context(), func(q db.Querier) error { return throttle.Uncount(r.Context(), q, userCodeGuess, from) }); err != nil {
		return page.Answer{}, err
	}
	browser, cookies := v.browser()
	f := session.Flow{At: v.now, AppID: app.AppID, AppName: app.DisplayName, MaxAge: -1, Device: d.ID, UserCode: code, Browser: known(browser),
		CorrelationID: page.CorrelationID(r.Context())}
	v.flow, v.pending = session.SealFlow(e.ring, f), f
	s, err := e.session(v)
	if err != nil {
		return page.Answer{}, err
	}
	if s == nil || !session.MayAnswer(*s, f) {
		return page.Redirect303(v.to("/signin")).WithCookies(cookies...), nil
	}
	return page.Redirect303(v.destination()).WithCookies(cookies...), nil
}

// known is what a flow knows a browser by: whoever sees the flow learns nothing
// of its cookie.
func known(browser string) string {
	sum := sha256.Sum256([]byte("device sign-in|" + browser))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// device is the visit of a page that follows the code: whose flow it is, and
// who is signed in. Otherwise to says where to go.
func (e *Edge) device(r *http.Request, flow string) (v *visit, s *session.Session, u directory.User, to string, err error) {
	if err := e.deviceOff(); err != nil {
		return nil, nil, u, "", err
	}
	if v, err = e.visit(r, flow); err != nil {
		return v, nil, u, "", err
	}
	if v.pending.Device == "" || v.pending.Browser != known(page.CookieValue(r, browserCookie)) {
		return v, nil, u, "/devicelogin", nil
	}
	if s, u, err = e.person(v); err != nil {
		return v, nil, u, "", err
	}
	if s == nil || !session.MayAnswer(*s, v.pending) {
		return v, nil, u, v.to("/signin"), nil
	}
	return v, s, u, "", nil
}

// deviceAsk names the application and warns (RFC 8628 §5.4).
func (e *Edge) deviceAsk(r *http.Request) (page.Answer, error) {
	v, _, u, to, err := e.device(r, r.URL.Query().Get("flow"))
	if err != nil || to != "" {
		return page.Redirect303(to), err
	}
	d, err := session.GetDevice(r.Context(), e.DB, v.now, v.pending.Device)
	if problem.CodeOf(err) == "userCodeInvalid" || err == nil && d.State != session.DevicePending {
		return page.HTML(page.DeviceCode{Problem: "userCodeInvalid"}).WithStatus(http.StatusBadRequest), nil
	}
	if err != nil {
		return page.Answer{}, err
	}
	place := d.IP
	if d.Client != "" {
		place = d.Client + ", " + d.IP
	}
	return page.HTML(page.DeviceConfirm{Flow: v.flow, Person: u.DisplayName, App: v.pending.AppName, Place: place,
		Code: session.ShowUserCode(v.pending.UserCode), At: d.At}), nil
}

// deviceAnswer takes the answer.
func (e *Edge) deviceAnswer(r *http.Request) (page.Answer, error) {
	form, err := page.ReadForm(r)
	if err != nil {
		return page.Answer{}, err
	}
	v, s, u, to, err := e.device(r, form.Get("flow"))
	if err != nil || to != "" {
		return page.Redirect303(to), err
	}
	approve := form.Get("answer") == "yes" // anything else is a no
	err = e.DB.Write(r.Context(), func(q db.Querier) error {
		return session.AnswerDevice(r.Context(), q, v.now, session.DeviceAnswer{Flow: v.pending, Session: *s, User: u, Situation: v.situation(), Approve: approve})
	})
	if problem.CodeOf(err) == "userCodeInvalid" {
		return page.HTML(page.DeviceCode{Problem: "userCodeInvalid"}).WithStatus(http.StatusBadRequest), nil
	}
	return page.Redirect303("/devicelogin/done?flow=" + url.QueryEscape(v.flow)), err
}

// deviceDone says what became of it.
func (e *Edge) deviceDone(r *http.Request) (page.Answer, error) {
	v, _, _, to, err := e.device(r, r.URL.Query().Get("flow"))
	if err != nil || to != "" {
		return page.Redirect303(to), err
	}
	d, err := session.GetDevice(r.Context(), e.DB, v.now, v.pending.Device)
	if problem.CodeOf(err) == "userCodeInvalid" || err == nil && d.State == session.DevicePending {
		return page.Redirect303("/devicelogin"), nil
	}
	return page.HTML(page.DeviceDone{App: v.pending.AppName, Refused: d.State == session.DeviceDeclined}), err
}
