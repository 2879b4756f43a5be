package signin

import (
	"context"
	"net/http"
	"strings"

	"cardea/docs"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// start is the sign-in page. Who is signed in already goes on, unless the
// sign-in is not good enough for where they want to go.
func (e *Edge) start(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	_, cookies := v.browser()
	view := page.SignIn{Flow: v.flow, App: v.pending.AppName}
	if strings.Contains(v.pending.LoginHint, "@") {
		view.Username = v.pending.LoginHint
	}
	if v.expired {
		view.Problem = "pageExpired"
	}
	s, err := e.session(v)
	if err != nil {
		return page.Answer{}, err
	}
	if s == nil || v.expired {
		return page.HTML(view).WithCookies(cookies...), nil
	}
	if s.FirstSteps() {
		to, err := e.firstSteps(v, *s)
		if err != nil || to != "" {
			return page.Redirect303(to), err
		}
		return page.HTML(view).WithCookies(cookies...), nil
	}
	u, err := directory.GetUser(r.Context(), e.DB, s.UserID)
	if err != nil {
		return page.Answer{}, err
	}
	switch {
	case v.pending.AppID == "" && !v.wantsMore(*s):
		return page.Redirect303(v.destination()), nil
	case v.otherPerson(u):
	default:
		view.StepUp = u.DisplayName
	}
	return page.HTML(view).WithCookies(cookies...), nil
}

// wantsMore reports that the page of ours where the person goes wants a better
// proof than s has: Security info one of the last minutes, administration a
// strong one.
func (v *visit) wantsMore(s session.Session) bool {
	switch {
	case strings.HasPrefix(v.flow, "/security-info"):
		return session.Fresh(s, v.now) != nil
	case strings.HasPrefix(v.flow, "/admin"):
		return session.Multifactor(s) != nil
	}
	return false
}

// otherPerson reports that the application wants the person chosen anew, or
// expects somebody else than u.
func (v *visit) otherPerson(u directory.User) bool {
	f := v.pending
	hinted := strings.Contains(f.LoginHint, "@") && !strings.EqualFold(f.LoginHint, u.UserPrincipalName) && !strings.EqualFold(f.LoginHint, u.Mail)
	return f.Prompt == "select_account" || f.HintUserID != "" && f.HintUserID != u.ID || hinted
}

// named takes a user name and shows the ways to prove it, the same for every
// name (PK-168). Nothing is looked up.
func (e *Edge) named(r *http.Request) (page.Answer, error) {
	v, form, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	typed := strings.TrimSpace(form.Get("username"))
	if v.expired || typed == "" {
		view := page.SignIn{Flow: v.flow, App: v.pending.AppName, Username: typed, Problem: "usernameRequired"}
		if v.expired {
			view.Problem = "pageExpired"
		}
		return page.HTML(view).WithStatus(http.StatusBadRequest), nil
	}
	return page.Redirect303(v.to("/signin/other")).WithCookies(remember(typed)), nil
}

// other offers the other ways. Who steps up sees what they have.
func (e *Edge) other(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	_, cookies := v.browser()
	view := page.OtherWays{Flow: v.flow, App: v.pending.AppName, Username: remembered(r)}
	s, u, err := e.person(v)
	if err != nil {
		return page.Answer{}, err
	}
	if s != nil && !v.otherPerson(u) {
		view.Username = u.UserPrincipalName
		if view.Ways, err = e.waysOf(r.Context(), u.ID); err != nil {
			return page.Answer{}, err
		}
	}
	return page.HTML(view).WithCookies(cookies...), nil
}

// waysOf lists what a proved person has for a second proof, in the order of
// PK-169. Everybody may have been given a pass.
func (e *Edge) waysOf(ctx context.Context, userID string) ([]string, error) {
	ways := []string{"pass"}
	have, err := e.Keeper.List(ctx, e.DB, userID)
	if err != nil {
		return nil, err
	}
	if len(have) > 0 {
		ways = append(ways, "passkey")
	}
	code, err := oath.HasUsable(ctx, e.DB, userID)
	if code {
		ways = append(ways, "code")
	}
	return ways, err
}

func (e *Edge) help(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	return page.HTML(page.CannotSignIn{Flow: v.flow, App: v.pending.AppName}), nil
}

// failed explains a code that a link or an application names.
func (e *Edge) failed(r *http.Request) (page.Answer, error) {
	code := r.URL.Query().Get("code")
	text, ok := docs.Help(code)
	if !ok || len(text) == 0 {
		return page.Answer{}, problem.New(problem.NotFound, "notFound", "There is no such page. Go to the start and try again from there.")
	}
	return page.HTML(page.Error{Kind: problem.Invalid, Code: code, Message: text[0], At: e.Now()}), nil
}

// remember keeps the typed name for the pages that follow, until the browser
// closes. It stays out of addresses, which end in logs.
func remember(typed string) *http.Cookie {
	return page.Cookie(nameCookie, escape(clip(typed)), 0)
}

func remembered(r *http.Request) string {
	return clip(unescape(page.CookieValue(r, nameCookie)))
}
