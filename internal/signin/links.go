package signin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"cardea/internal/accesspass"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// looked opens a link without spending it.
func (e *Edge) looked(v *visit, text, kind string) (accesspass.Link, error) {
	l, err := accesspass.OpenLink(v.Context(), e.DB, session.Claim{Secret: text, At: v.now, Situation: v.situation()})
	if err == nil && l.Kind != kind {
		err = problem.New(problem.Unauthenticated, "linkNotUsable", "This link does not work, or not any more. Ask whoever sent it for a new one.")
	}
	return l, err
}

// askSetUp is the first step of the set-up.
func (e *Edge) askSetUp(r *http.Request) (page.Answer, error) {
	v, err := e.visit(r, "")
	if err != nil {
		return page.Answer{}, err
	}
	text := r.URL.Query().Get("link")
	if _, err := e.looked(v, text, accesspass.SetupLink); err != nil {
		return page.Answer{}, err
	}
	return page.HTML(page.SetupName{Token: text}), nil
}

// setUp names the organisation and its first administrator and spends the link.
func (e *Edge) setUp(r *http.Request) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	view := page.SetupName{Token: form.Get("token"), Organisation: trimmed(form, "organisation"), Person: trimmed(form, "person"), Username: trimmed(form, "username")}
	switch {
	case view.Organisation == "":
		view.Problem = "organisationRequired"
	case view.Person == "":
		view.Problem = "personRequired"
	case session.CleanName(view.Username) == "":
		view.Problem = "usernameInvalid"
	default:
		in, err := accesspass.SetUp(r.Context(), e.DB, session.Claim{Secret: view.Token, At: v.now, Situation: v.situation()},
			accesspass.Founding{Organisation: view.Organisation, Person: view.Person, UserName: view.Username})
		if err == nil {
			if e.Dress != nil {
				if err := e.Dress(r.Context()); err != nil {
					e.Log.ErrorContext(r.Context(), "the pages keep the old name for a moment", "error", err)
				}
			}
			return page.Redirect303("/setup/passkey").WithCookies(signedIn(in.Token)), nil
		}
		if view.Problem = setUpProblem(err); view.Problem == "" {
			return page.Answer{}, err
		}
	}
	return page.HTML(view).WithStatus(http.StatusBadRequest), nil
}

func trimmed(form url.Values, name string) string { return strings.TrimSpace(form.Get(name)) }

// setUpProblem is the field that the directory refused; "" for anything else.
func setUpProblem(err error) string {
	p := problemOf(err)
	switch {
	case p == nil || p.Kind != problem.Invalid:
		return ""
	case p.Target == "userPrincipalName":
		return "usernameInvalid"
	case p.Target == "displayName" && strings.Contains(p.Detail, "organisation"):
		return "organisationRequired"
	case p.Target == "displayName":
		return "personRequired"
	}
	return ""
}

// setUpPasskey is the second step.
func (e *Edge) setUpPasskey(r *http.Request) (page.Answer, error) {
	return e.firstPasskey(r, "setup", "/setup/done")
}

// setUpDone is the last step. Only an administrator whom a passkey proved gets here.
func (e *Edge) setUpDone(r *http.Request) (page.Answer, error) {
	v, err := e.visit(r, "/setup/done")
	if err != nil {
		return page.Answer{}, err
	}
	s, u, err := e.person(v)
	if err != nil || s == nil {
		return page.Redirect303(v.to("/signin")), err
	}
	roles, err := directory.RolesOf(r.Context(), e.DB, u.ID)
	if err != nil || !slices.Contains(roles, directory.GlobalAdministrator) {
		return page.Redirect303("/"), err
	}
	o, err := directory.GetOrganization(r.Context(), e.DB)
	return page.HTML(page.SetupDone{Organisation: o.DisplayName, Person: u.DisplayName, Username: u.UserPrincipalName}), err
}

// greet shows whom an enrolment link is for. Looking does not spend it: mail
// scanners follow links.
func (e *Edge) greet(r *http.Request) (page.Answer, error) {
	v, err := e.visit(r, "")
	if err != nil {
		return page.Answer{}, err
	}
	text := r.URL.Query().Get("link")
	l, err := e.looked(v, text, accesspass.EnrolmentLink)
	if err != nil {
		return page.Answer{}, err
	}
	u, err := directory.GetUser(r.Context(), e.DB, l.UserID)
	return page.HTML(page.Enrol{Token: text, Person: u.DisplayName, Expires: l.ExpiresAt}), err
}

// enrol spends the link.
func (e *Edge) enrol(r *http.Request) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	in, err := accesspass.SignInByLink(r.Context(), e.DB, session.Claim{Secret: form.Get("token"), At: v.now, Situation: v.situation()})
	if err != nil {
		return page.Answer{}, err
	}
	return page.Redirect303("/enrol/passkey").WithCookies(signedIn(in.Token)), nil
}

func (e *Edge) enrolPasskey(r *http.Request) (page.Answer, error) {
	return e.firstPasskey(r, "enrol", "/signin/done")
}

// firstPasskey is the page on which somebody whom a link let in makes a passkey.
func (e *Edge) firstPasskey(r *http.Request, why, next string) (page.Answer, error) {
	v, err := e.visit(r, "")
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil || s == nil || !s.Used(session.MethodLink) {
		return page.Redirect303("/signin"), err
	}
	if made, err := e.madeSince(v, *s); err != nil || made {
		return page.Redirect303(next), err
	}
	if _, waits, err := e.activation(v, *s); err != nil || waits {
		return page.Redirect303("/signin/prompt"), err
	}
	view, offered, err := e.create(v, *s)
	if err != nil || !offered {
		return page.Redirect303("/signin/prompt"), err
	}
	view.Why, view.Routes.Next = why, next
	return page.HTML(view), nil
}

// askSignOut asks before it ends anything: any page can send a browser here.
// Who is signed out already reads that, with the way back.
func (e *Edge) askSignOut(r *http.Request) (page.Answer, error) {
	v, err := e.visit(r, "")
	if err != nil {
		return page.Answer{}, err
	}
	back := r.URL.Query().Get("return")
	app, uri, err := session.OpenReturn(e.ring, back, v.now)
	if problem.KindOf(err) == problem.Invalid {
		back, app, uri, err = "", "", "", nil // the way back is lost; signing out is not
	}
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil {
		return page.Answer{}, err
	}
	if s == nil {
		return page.HTML(page.SignedOut{App: app, Back: uri}).WithCookies(page.Forget(sessionCookie)), nil
	}
	u, err := directory.GetUser(r.Context(), e.DB, s.UserID)
	return page.HTML(page.SignOut{Person: u.DisplayName, App: app, Return: back}), err
}

// signOut ends the session of this browser.
func (e *Edge) signOut(r *http.Request) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil {
		return page.Answer{}, err
	}
	if s != nil {
		if err := e.DB.Write(r.Context(), func(q db.Querier) error { return session.End(r.Context(), q, v.now, s.ID) }); err != nil {
			return page.Answer{}, err
		}
	}
	to := "/signout"
	if back := form.Get("return"); back != "" {
		to += "?return=" + url.QueryEscape(back)
	}
	return page.Redirect303(to).WithCookies(page.Forget(sessionCookie), page.Forget(nameCookie), page.Forget(blockedCookie)), nil
}

// home is where a person starts from.
func (e *Edge) home(r *http.Request) (page.Answer, error) {
	v, err := e.visit(r, "")
	if err != nil {
		return page.Answer{}, err
	}
	s, u, err := e.person(v)
	if err != nil || s == nil {
		return page.Redirect303("/signin"), err
	}
	have, err := e.Keeper.Active(r.Context(), u.ID)
	if err != nil {
		return page.Answer{}, err
	}
	roles, err := directory.RolesOf(r.Context(), e.DB, u.ID)
	if err != nil {
		return page.Answer{}, err
	}
	apps, err := e.apps(r.Context())
	return page.HTML(page.Home{Person: u.DisplayName, Apps: apps, Admin: len(roles) > 0, Passkeys: len(have)}), err
}
