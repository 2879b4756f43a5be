package signin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// renewal is what the page for a new password holds, sealed: the proof of the
// old one, and the browser that brought it.
type renewal struct {
	password.Renewal
	Browser string `json:"b"`
}

const sealedRenewal = "password renewal"

// askNewPassword is the answer to a right password that has to be changed.
func (e *Edge) askNewPassword(v *visit, username string, r password.Renewal) (page.Answer, error) {
	browser, cookies := v.browser()
	text, err := json.Marshal(renewal{r, browser})
	if err != nil {
		return page.Answer{}, err
	}
	proof := base64.RawURLEncoding.EncodeToString(e.ring.Seal(sealedRenewal, text))
	return page.HTML(page.NewPassword{Flow: v.flow, App: v.pending.AppName, Username: username, Proof: proof, MinLength: password.MinLength}).WithCookies(cookies...), nil
}

// newPassword takes the new password and signs in with it.
func (e *Edge) newPassword(r *http.Request) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	proof := form.Get("proof")
	proved, ok := e.openRenewal(v, proof)
	if !ok || v.expired {
		return again(v, page.Entry{Way: "password", Username: remembered(r)}, errExpired)
	}
	in, err := password.Renew(r.Context(), e.DB, e.Hasher, password.Chosen{Renewal: proved, New: form.Get("secret"), At: v.now, Situation: v.situation()})
	if err == nil {
		return e.entered(v, in)
	}
	p, _ := errors.AsType[*problem.Error](err)
	switch {
	case problem.CodeOf(err) == errExpired.Code:
		return again(v, page.Entry{Way: "password", Username: remembered(r)}, errExpired)
	case p == nil || p.Kind != problem.Invalid || p.Target != "password":
		return page.Answer{}, err
	}
	u, err := directory.GetUser(r.Context(), e.DB, proved.UserID)
	if err != nil {
		return page.Answer{}, err
	}
	return page.HTML(page.NewPassword{Flow: v.flow, App: v.pending.AppName, Username: u.UserPrincipalName, Proof: proof, MinLength: password.MinLength, Problem: p.Code}).
		WithStatus(http.StatusBadRequest), nil
}

// openRenewal reads what askNewPassword sealed, for the same browser.
func (e *Edge) openRenewal(v *visit, proof string) (password.Renewal, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(proof)
	if err != nil {
		return password.Renewal{}, false
	}
	text, err := e.ring.Open(sealedRenewal, sealed)
	var r renewal
	if err != nil || json.Unmarshal(text, &r) != nil || r.Browser == "" || r.Browser != page.CookieValue(v.Request, browserCookie) {
		return password.Renewal{}, false
	}
	return r.Renewal, true
}

// lostNewPassword: the page of an answer was loaded again. The proof is gone,
// so the old password comes first once more.
func (e *Edge) lostNewPassword(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	return page.Redirect303(v.to("/signin/password")), nil
}
