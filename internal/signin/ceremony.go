package signin

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// begun is the answer to a request for options.
type begun struct {
	PublicKey json.RawMessage `json:"publicKey"`
	State     string          `json:"state"`
}

// asked is a request for options.
type asked struct {
	Flow string `json:"flow"`
}

// answered is what a passkey answered.
type answered struct {
	State      string          `json:"state"`
	Credential json.RawMessage `json:"credential"`
}

// binding ties a challenge to this browser and to where the person is going:
// no answer opens another page than the one it was made for.
func binding(browser, flow string) string { return browser + "\x00" + flow }

// state is what goes out with the options and comes back with the answer: the
// challenge, and the flow.
func state(b passkey.Begun, flow string) string { return b.State + "." + flow }

// options makes the options of a sign-in by anybody (PK-120).
func (e *Edge) options(r *http.Request) (page.Answer, error) {
	v, err := e.asks(r)
	if err != nil {
		return page.Answer{}, err
	}
	browser, cookies := v.browser()
	b, err := e.Keeper.BeginSignIn(binding(browser, v.flow), v.now)
	return page.JSON(begun{b.Options, state(b, v.flow)}).WithCookies(cookies...), err
}

// optionsAgain makes the options with which a signed-in person proves a
// passkey once more (UX-S8). A session that ends soon, of a pass or a link,
// shall not be prolonged: there the passkey signs in anew.
func (e *Edge) optionsAgain(r *http.Request) (page.Answer, error) {
	v, err := e.asks(r)
	if err != nil {
		return page.Answer{}, err
	}
	browser, cookies := v.browser()
	s, err := e.session(v)
	if err != nil {
		return page.Answer{}, err
	}
	var b passkey.Begun
	if s == nil || borrowed(*s) {
		b, err = e.Keeper.BeginSignIn(binding(browser, v.flow), v.now)
	} else {
		b, err = e.Keeper.BeginStepUp(r.Context(), *s, binding(browser, v.flow), v.now)
	}
	return page.JSON(begun{b.Options, state(b, v.flow)}).WithCookies(cookies...), err
}

// borrowed reports that a pass or a link opened s.
func borrowed(s session.Session) bool {
	return s.Used(session.MethodAccessPass) || s.Used(session.MethodLink)
}

func (e *Edge) asks(r *http.Request) (*visit, error) {
	var in asked
	if err := page.ReadJSON(r, &in); err != nil {
		return nil, err
	}
	return e.visit(r, in.Flow)
}

// finish signs in with a passkey.
func (e *Edge) finish(r *http.Request) (page.Answer, error) { return e.prove(r, false) }

// finishAgain refreshes the session, or signs in anew where optionsAgain did.
func (e *Edge) finishAgain(r *http.Request) (page.Answer, error) { return e.prove(r, true) }

func (e *Edge) prove(r *http.Request, again bool) (page.Answer, error) {
	var in answered
	if err := page.ReadJSON(r, &in); err != nil {
		return page.Answer{}, err
	}
	_, flow, _ := strings.Cut(in.State, ".")
	v, err := e.visit(r, flow)
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil {
		return page.Answer{}, err
	}
	a := passkey.Attempt{Credential: in.Credential, Binding: binding(page.CookieValue(r, browserCookie), flow), Beside: s, Situation: v.situation(), At: v.now}
	if again && s != nil && !borrowed(*s) {
		a.Session = s
	}
	done, err := e.Keeper.FinishSignIn(r.Context(), a)
	if err != nil {
		return e.refused(v, err)
	}
	if s != nil && s.FirstSteps() {
		// Nothing hangs on it, and its cookie is gone.
		if err := e.DB.Write(r.Context(), func(q db.Querier) error { return session.End(r.Context(), q, v.now, s.ID) }); err != nil {
			return page.Answer{}, err
		}
	}
	return page.JSON(struct {
		Next string `json:"next"`
	}{v.destination()}).WithCookies(signedIn(done.Token), remember(done.User.UserPrincipalName), page.Forget(blockedCookie)), nil
}

// refused passes err on. After proof it may say more (PK-122): the answer names
// rule and profile, and a sealed cookie holds it all for the page that explains.
func (e *Edge) refused(v *visit, err error) (page.Answer, error) {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok || p.Kind != problem.Forbidden {
		return page.Answer{}, err
	}
	policy, failed := e.Keeper.Snapshot(v.Context())
	if failed != nil {
		return page.Answer{}, failed
	}
	refusal := &page.Refusal{Problem: p, Rule: p.Code}
	if len(p.Reasons) > 0 {
		refusal.Rule = p.Reasons[0].Code
		if id, ok := strings.CutPrefix(p.Reasons[0].Target, "passkeyProfiles/"); ok {
			profile, _ := policy.Configuration().Profile(id)
			refusal.Profile = profile.Name
		}
	}
	return page.Answer{}.WithCookies(e.keepRefusal(v, refusal)), refusal
}

// report counts a ceremony that failed in the browser (UX-E7). It says nothing
// about a person.
func (e *Edge) report(r *http.Request) (page.Answer, error) {
	var in struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
		Flow string `json:"flow"`
	}
	if err := page.ReadJSON(r, &in); err != nil {
		return page.Answer{}, err
	}
	if !word(in.Kind) || !word(in.Name) {
		return page.Answer{}, problem.New(problem.Invalid, "requestInvalid", "The report could not be read.")
	}
	v, err := e.visit(r, in.Flow)
	if err != nil {
		return page.Answer{}, err
	}
	s := v.situation()
	if err := throttle.Try(r.Context(), e.DB, "report", "address "+session.Network(s.IP), throttle.PerAddress, v.now); err != nil {
		return page.Answer{}, err
	}
	e.Log.InfoContext(r.Context(), "a passkey ceremony failed in the browser", "correlationId", s.CorrelationID, "kind", in.Kind, "name", in.Name, "client", s.ClientName())
	return page.Answer{}, e.DB.Write(r.Context(), func(q db.Querier) error {
		return audit.Count(r.Context(), q, v.now, "ceremonyFailed", in.Kind+"|"+in.Name+"|"+s.ClientName())
	})
}

// word is a short name as browsers give them: the counters have few keys.
func word(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
