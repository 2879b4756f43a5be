package signin

import (
	"strings"

	"cardea/internal/page"
	"cardea/internal/session"
)

// activation is the page for somebody who was just proved and for whom a
// passkey was prepared; false if there is nothing to activate, or the person
// does not have it at hand. The ceremony is that of /signin/again: whoever
// answers with the prepared passkey activates it (passkey.FinishSignIn).
func (e *Edge) activation(v *visit, s session.Session) (view page.Activate, waits bool, err error) {
	if v.URL.Query().Get("new") != "" || session.Fresh(s, v.now) != nil || !s.FirstSteps() && page.CookieValue(v.Request, laterCookie) == s.UserID {
		return view, false, nil
	}
	prepared, err := e.Keeper.Prepared(v.Context(), s.UserID)
	if err != nil || len(prepared) == 0 {
		return view, false, err
	}
	another := v.to("/signin/prompt")
	if strings.Contains(another, "?") {
		another += "&new=1"
	} else {
		another += "?new=1"
	}
	return page.Activate{Flow: v.flow, App: v.pending.AppName, Name: prepared[0].DisplayName, Get: "/signin/again", Else: another, MaySkip: !s.FirstSteps()}, true, nil
}
