package account

import (
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// askActivate is the page on which a person uses a prepared passkey.
func (e *Edge) askActivate(v *visit) (page.Answer, error) {
	m, err := e.Keeper.Get(v.Context(), e.DB, v.user.ID, v.PathValue("id"))
	if err != nil {
		return page.Answer{}, err
	}
	if m.Cardea.State != passkey.Disabled {
		return page.Redirect303("/security-info"), nil
	}
	return page.HTML(page.Activate{Name: m.DisplayName, Get: "/security-info/passkeys/" + m.ID + "/activate", Own: true, Else: "/security-info"}), nil
}

// activation binds the challenge to the session: nothing else may use it.
func (v *visit) activation() string { return "activation\x00" + v.session.ID }

func (e *Edge) activationOptions(v *visit) (page.Answer, error) {
	b, err := e.Keeper.BeginActivation(v.Context(), v.session, v.PathValue("id"), v.activation(), v.now)
	return begun(b), err
}

// activate takes the answer of the passkey.
func (e *Edge) activate(v *visit) (page.Answer, error) {
	in, err := readAnswer(v)
	if err != nil {
		return page.Answer{}, err
	}
	done, err := e.Keeper.FinishActivation(v.Context(), passkey.Attempt{Credential: in.Credential, Binding: v.activation(), Session: &v.session,
		Situation: v.situation(), At: v.now}, v.PathValue("id"))
	if problem.KindOf(err) == problem.Forbidden {
		return page.Answer{}, e.explained(v, err)
	}
	if err != nil {
		return page.Answer{}, err
	}
	e.notify(v, activated(done.Method))
	return page.JSON(struct {
		Next string `json:"next"`
	}{"/security-info"}).WithCookies(page.Cookie(sessionCookie, done.Token, 0), flash{"passkeyActivated", done.Method.DisplayName}.cookie()), nil
}
