package account

import (
	"net/http"
	"slices"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/session"
)

func fresh(v *visit) error { return session.Fresh(v.session, v.now) }

// askLost helps to shut out a lost device.
func (e *Edge) askLost(v *visit) (page.Answer, error) {
	all, err := e.Keeper.Standings(v.Context(), v.user.ID)
	view := page.LostDevice{Person: v.user.DisplayName}
	for _, s := range all {
		view.Passkeys = append(view.Passkeys, e.card(v, s))
	}
	return page.HTML(view), err
}

// lost deletes the passkeys that are gone and signs out everywhere else. Signing
// out comes first: it always works, while a last passkey is not deleted.
func (e *Edge) lost(v *visit) (page.Answer, error) {
	form, err := page.ReadForm(v.Request)
	if err != nil {
		return page.Answer{}, err
	}
	var cookies []*http.Cookie
	if form.Get("everywhere") == "yes" {
		if cookies, err = e.endOthers(v); err != nil {
			return page.Answer{}, err
		}
	}
	gone := form["passkey"]
	if len(gone) > e.Keeper.MaxPerUser {
		gone = gone[:e.Keeper.MaxPerUser]
	}
	slices.Sort(gone)
	name := ""
	for _, id := range slices.Compact(gone) {
		m, err := e.Keeper.Get(v.Context(), e.DB, v.user.ID, id)
		if err != nil {
			return page.Answer{}.WithCookies(cookies...), err
		}
		w := passkey.Which{User: v.user, MethodID: id, Actor: v.actor(), At: v.now}
		if err := e.Keeper.Delete(v.Context(), w); err != nil {
			return page.Answer{}.WithCookies(cookies...), err
		}
		e.notify(v, deleted(m))
		name = m.DisplayName
	}
	switch {
	case name != "":
		return back("passkeyDeleted", name, cookies...), nil
	case cookies != nil:
		return back("signedOutEverywhere", "", cookies...), nil
	}
	return page.Redirect303("/security-info"), nil
}

func (e *Edge) askEverywhere(v *visit) (page.Answer, error) {
	return page.HTML(page.SignOutEverywhere{Person: v.user.DisplayName}), nil
}

func (e *Edge) everywhere(v *visit) (page.Answer, error) {
	cookies, err := e.endOthers(v)
	if err != nil {
		return page.Answer{}, err
	}
	return back("signedOutEverywhere", "", cookies...), nil
}

// endOthers signs out everywhere but here and returns the cookie with which
// this browser goes on.
func (e *Edge) endOthers(v *visit) ([]*http.Cookie, error) {
	var token string
	err := e.DB.Write(v.Context(), func(q db.Querier) error {
		var err error
		_, token, err = session.EndOthers(v.Context(), q, v.actor(), v.now, v.session)
		return err
	})
	return []*http.Cookie{page.Cookie(sessionCookie, token, 0)}, err
}

// notMe records for the administrators that a person does not know some of the
// recent activity.
func (e *Edge) notMe(v *visit) (page.Answer, error) {
	err := e.DB.Write(v.Context(), func(q db.Querier) error {
		return audit.Write(v.Context(), q, v.actor(), v.now, audit.Record{ActivityDisplayName: "Person reported unknown activity", Category: "UserManagement",
			LoggedByService: "Cardea", OperationType: "Other", ResultReason: "The person chose “This wasn't me” in Security info.",
			TargetResources: []audit.Target{audit.Person(v.user.ID, v.user.DisplayName, v.user.UserPrincipalName)}})
	})
	if err != nil {
		return page.Answer{}, err
	}
	e.Log.WarnContext(v.Context(), "a person reported activity that they do not know", "user", v.user.UserPrincipalName, "correlationId", page.CorrelationID(v.Context()))
	return back("reported", ""), nil
}
