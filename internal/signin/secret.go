package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"cardea/internal/accesspass"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/page"
	"cardea/internal/password"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// entry is the form for one secret.
func (e *Edge) entry(way string) page.Handler {
	return func(r *http.Request) (page.Answer, error) {
		v, err := e.arrive(r)
		if err != nil {
			return page.Answer{}, err
		}
		return page.HTML(page.Entry{Flow: v.flow, App: v.pending.AppName, Way: way, Username: remembered(r)}), nil
	}
}

// claim reads who says who they are, and the secret. The name is kept as it was
// typed; one without a domain means that of the organisation.
func (e *Edge) claim(v *visit, form url.Values) (session.Claim, error) {
	c := session.Claim{UserName: strings.TrimSpace(form.Get("username")), Secret: form.Get("secret"), At: v.now, Situation: v.situation()}
	if c.UserName == "" || strings.Contains(c.UserName, "@") {
		return c, nil
	}
	o, err := directory.GetOrganization(v.Context(), e.DB)
	if err == nil && o.Domain != "" {
		c.UserName += "@" + o.Domain
	}
	return c, err
}

// again shows the form once more with what is wrong; other errors become pages
// of their own. What was typed stays, but for the secret.
func again(v *visit, view page.Entry, err error) (page.Answer, error) {
	view.Flow, view.App = v.flow, v.pending.AppName
	switch {
	case problem.KindOf(err) == problem.TooMany:
		view.Problem = "tooManyAttempts"
	case problem.CodeOf(err) == "signInFailed", problem.CodeOf(err) == "codeInvalid", problem.CodeOf(err) == "pageExpired":
		view.Problem = problem.CodeOf(err)
	default:
		return page.Answer{}, err
	}
	return page.HTML(view).WithStatus(page.StatusOf(err)), nil
}

var errExpired = problem.New(problem.Invalid, "pageExpired", "This page was open for a while. Please try again.")

// pass takes a Temporary Access Pass. An old page spends nothing.
func (e *Edge) pass(r *http.Request) (page.Answer, error) {
	return e.enter(r, page.Entry{Way: "pass"}, func(ctx context.Context, c session.Claim) (session.SignedIn, error) {
		return accesspass.SignIn(ctx, e.DB, e.Hasher, c)
	})
}

// password takes a password: one factor. Who has an app code is asked for it.
func (e *Edge) password(r *http.Request) (page.Answer, error) {
	return e.enter(r, page.Entry{Way: "password"}, func(ctx context.Context, c session.Claim) (session.SignedIn, error) {
		return password.SignIn(ctx, e.DB, e.Hasher, c)
	})
}

func (e *Edge) enter(r *http.Request, view page.Entry, prove func(context.Context, session.Claim) (session.SignedIn, error)) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	view.Username = clip(strings.TrimSpace(form.Get("username")))
	if v.expired {
		return again(v, view, errExpired)
	}
	c, err := e.claim(v, form)
	if err != nil {
		return page.Answer{}, err
	}
	in, err := prove(r.Context(), c)
	if due, ok := errors.AsType[*password.Due](err); ok {
		return e.askNewPassword(v, c.UserName, due.Renewal)
	}
	if err != nil {
		return again(v, view, err)
	}
	return e.entered(v, in)
}

// entered goes on with a new session.
func (e *Edge) entered(v *visit, in session.SignedIn) (page.Answer, error) {
	to := v.to("/signin/prompt")
	if in.Session.MFAAt.IsZero() {
		var err error
		if to, err = e.second(v, in.User.ID); err != nil {
			return page.Answer{}, err
		}
	}
	return page.Redirect303(to).WithCookies(signedIn(in.Token), remember(in.User.UserPrincipalName)), nil
}

// second is where somebody with one factor goes on.
func (e *Edge) second(v *visit, userID string) (string, error) {
	has, err := oath.HasUsable(v.Context(), e.DB, userID)
	if err != nil || !has {
		return v.destination(), err
	}
	return v.to("/signin/app-code"), nil
}

// askCode asks a signed-in person for an app code. A code alone proves nobody:
// for everybody else the password comes first, whoever they are.
func (e *Edge) askCode(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	s, u, err := e.person(v)
	if err != nil || s == nil {
		return page.Redirect303(v.to("/signin/password")), err
	}
	return page.HTML(page.Entry{Flow: v.flow, App: v.pending.AppName, Way: "code", Username: u.UserPrincipalName, Second: true}), nil
}

// code takes the app code as the second factor of the session.
func (e *Edge) code(r *http.Request) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	s, u, err := e.person(v)
	if err != nil || s == nil {
		return page.Redirect303(v.to("/signin/password")), err
	}
	view := page.Entry{Way: "code", Username: u.UserPrincipalName, Second: true}
	if v.expired {
		return again(v, view, errExpired)
	}
	in, err := oath.StepUp(r.Context(), e.DB, e.ring, *s, session.Claim{Secret: form.Get("secret"), At: v.now, Situation: v.situation()})
	if err != nil {
		return again(v, view, err)
	}
	return page.Redirect303(v.to("/signin/prompt")).WithCookies(signedIn(in.Token)), nil
}

// person is the session of v and whose it is. First steps are nobody's yet.
func (e *Edge) person(v *visit) (*session.Session, directory.User, error) {
	s, err := e.session(v)
	if err != nil || s == nil || s.FirstSteps() {
		return nil, directory.User{}, err
	}
	u, err := directory.GetUser(v.Context(), e.DB, s.UserID)
	return s, u, err
}
