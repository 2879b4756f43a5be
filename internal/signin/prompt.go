package signin

import (
	"encoding/base64"
	"net/http"
	"time"

	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// later is how long "Not now" lasts in this browser (UX-C9).
const later = 24 * time.Hour

// prompt asks for a passkey between the proof and the application (PK-177).
// Whoever cannot register one, or need not be asked, goes straight on.
func (e *Edge) prompt(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil || s == nil {
		return page.Redirect303(v.to("/signin")), err
	}
	if view, waits, err := e.activation(v, *s); err != nil || waits {
		return page.HTML(view), err
	}
	view, offered, err := e.create(v, *s)
	if err != nil {
		return page.Answer{}, err
	}
	view.App, view.Flow, view.SkipsLeft, view.Routes.Next = v.pending.AppName, v.flow, -1, v.destination()
	switch first := s.FirstSteps(); {
	case first && !offered:
		// Nothing else comes of this session: say why, and whom to ask.
		_, err := e.Keeper.Offer(r.Context(), passkey.Registration{User: directory.User{ID: s.UserID}, Session: s, At: v.now})
		return page.Answer{}, err
	case first:
		view.Why, view.SkipsLeft, view.Routes.Next = "pass", 0, v.to("/signin/done")
		if s.Used(session.MethodLink) {
			view.Why = "enrol"
		}
		if made, err := e.madeSince(v, *s); err != nil || made {
			return page.Redirect303(v.to("/signin/done")), err
		}
	case !offered || session.Fresh(*s, v.now) != nil || page.CookieValue(r, laterCookie) == s.UserID:
		return page.Redirect303(v.destination()), nil
	case s.Used(session.MethodAccessPass):
		view.Why = "pass"
	case view.Existing > 0: // somebody with a passkey who came with a code: no reason to ask
		return page.Redirect303(v.destination()), nil
	default:
		view.Why = "prompt"
	}
	return page.HTML(view), nil
}

// create begins the page that makes a passkey. offered is false if no passkey
// of this person could be registered.
func (e *Edge) create(v *visit, s session.Session) (view page.Create, offered bool, err error) {
	u, err := directory.GetUser(v.Context(), e.DB, s.UserID)
	if err != nil {
		return view, false, err
	}
	offer, err := e.Keeper.Offer(v.Context(), passkey.Registration{User: u, Session: &s, At: v.now})
	if problem.KindOf(err) == problem.Invalid {
		return view, false, nil
	}
	if err != nil {
		return view, false, err
	}
	have, err := e.Keeper.Active(v.Context(), u.ID)
	if err != nil {
		return view, false, err
	}
	handle, err := passkey.UserHandle(e.TenantID, u.ID)
	if err != nil {
		return view, false, err
	}
	view = page.Create{Person: u.DisplayName, UserID: base64.RawURLEncoding.EncodeToString(handle), Existing: len(have),
		Routes: page.CreateRoutes{Options: "/security-info/passkeys/options", Finish: "/security-info/passkeys", Try: "/signin/again"}}
	view.Hint = "client-device"
	if !offer.Any {
		view.Providers = offer.Names
	}
	if !offer.Types.Has(passkey.Synced) {
		view.Hint, view.KeysOnly = "security-key", !offer.Any
	}
	return view, true, nil
}

// madeSince reports whether the person has a passkey that is younger than s.
func (e *Edge) madeSince(v *visit, s session.Session) (bool, error) {
	all, err := e.Keeper.Active(v.Context(), s.UserID)
	if err != nil {
		return false, err
	}
	for _, m := range all {
		if !m.CreatedDateTime.Before(s.CreatedAt.Truncate(time.Millisecond)) {
			return true, nil
		}
	}
	return false, nil
}

// firstSteps is where a session of first steps has to go; "" if it has done its
// work and the new passkey has to sign in.
func (e *Edge) firstSteps(v *visit, s session.Session) (string, error) {
	made, err := e.madeSince(v, s)
	if err != nil || made {
		return "", err
	}
	return v.to("/signin/prompt"), nil
}

// skip is "Not now" (PK-164). It lasts a day in this browser.
func (e *Edge) skip(r *http.Request) (page.Answer, error) {
	v, _, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil || s == nil {
		return page.Redirect303(v.to("/signin")), err
	}
	return page.Redirect303(v.destination()).WithCookies(page.Cookie(laterCookie, s.UserID, later)), nil
}

// stuck is "I have a problem": help, and the way on stays open (PK-165).
func (e *Edge) stuck(r *http.Request) (page.Answer, error) {
	v, _, err := e.post(r)
	if err != nil {
		return page.Answer{}, err
	}
	return page.Redirect303(v.to("/signin/help")), nil
}

// done follows the new passkey of first steps. Only a session that the passkey
// proved goes on; without "Try it now" it signs in now.
func (e *Edge) done(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	s, err := e.session(v)
	if err != nil || s == nil || s.FirstSteps() {
		return page.Redirect303(v.to("/signin")), err
	}
	return page.Redirect303(v.destination()), nil
}
