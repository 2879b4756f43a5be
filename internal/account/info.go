package account

import (
	"encoding/base64"
	"slices"

	"cardea/internal/accesspass"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// info is Security info.
func (e *Edge) info(v *visit) (page.Answer, error) {
	handle, err := passkey.UserHandle(e.TenantID, v.user.ID)
	if err != nil {
		return page.Answer{}, err
	}
	f := v.flash()
	view := page.SecurityInfo{Person: v.user.DisplayName, Username: v.user.UserPrincipalName, RPID: e.Keeper.RP.ID,
		UserID: base64.RawURLEncoding.EncodeToString(handle), Flash: f.Code, FlashSubject: f.Name}
	all, err := e.Keeper.Standings(v.Context(), v.user.ID)
	if err != nil {
		return page.Answer{}, err
	}
	for _, s := range all {
		view.AllIDs = append(view.AllIDs, base64.RawURLEncoding.EncodeToString(s.CredentialID))
		view.Passkeys = append(view.Passkeys, e.card(v, s))
	}
	if view.MayCreate, err = e.mayCreate(v); err != nil {
		return page.Answer{}, err
	}
	if err := e.others(v, &view); err != nil {
		return page.Answer{}, err
	}
	if view.Events, err = e.events(v, all); err != nil {
		return page.Answer{}, err
	}
	return page.HTML(view).WithCookies(e.pendingFlash(v.Request)...), nil
}

// card describes one passkey (UX-M2).
func (e *Edge) card(v *visit, s passkey.Standing) page.PasskeyCard {
	c := page.PasskeyCard{ID: s.ID, Name: s.DisplayName, Provider: e.Keeper.Name(s.Facts().AAGUID), Synced: s.PasskeyType == passkey.Synced,
		Created: s.CreatedDateTime, LastOn: s.LastUsedOn, InUse: s.Key == v.session.PasskeyID, Prepared: s.Cardea.State == passkey.Disabled}
	if !c.Prepared {
		c.Refused = s.Decision.Advice()
	}
	c.Key = !c.Synced && (s.Attachment == "cross-platform" || slices.Contains(s.Transports, "usb") || slices.Contains(s.Transports, "nfc"))
	if s.LastUsedDateTime != nil {
		c.LastUsed = *s.LastUsedDateTime
	}
	return c
}

func (e *Edge) registration(v *visit) passkey.Registration {
	return passkey.Registration{User: v.user, Actor: v.actor(), At: v.now, Session: &v.session}
}

// mayCreate reports whether any passkey of the person could be accepted.
func (e *Edge) mayCreate(v *visit) (bool, error) {
	_, err := e.Keeper.Offer(v.Context(), e.registration(v))
	if problem.KindOf(err) == problem.Invalid {
		return false, nil
	}
	return err == nil, err
}

// others fills in the other ways: the pass, app codes, the password.
func (e *Edge) others(v *visit, view *page.SecurityInfo) error {
	ctx, id := v.Context(), v.user.ID
	passes, err := accesspass.List(ctx, e.DB, v.now, id)
	if err != nil {
		return err
	}
	for _, p := range passes {
		if p.MethodUsabilityReason == accesspass.Expired || p.MethodUsabilityReason == accesspass.OneTimeUsed {
			continue
		}
		c := page.MethodCard{Kind: "pass", ID: p.ID, Added: p.CreatedDateTime, Expires: p.End(), OneTime: p.IsUsableOnce}
		if p.UsedAt != nil {
			c.LastUsed = *p.UsedAt
		}
		view.Others = append(view.Others, c)
	}
	codes, err := oath.List(ctx, e.DB, id)
	if err != nil {
		return err
	}
	for _, t := range codes {
		c := page.MethodCard{Kind: "code", ID: t.ID, Added: t.CreatedDateTime}
		if t.LastUsedDateTime != nil {
			c.LastUsed = *t.LastUsedDateTime
		}
		view.Others = append(view.Others, c)
	}
	changed, err := password.ChangedAt(ctx, e.DB, id)
	if err != nil {
		return err
	}
	if changed != nil {
		view.Others = append(view.Others, page.MethodCard{Kind: "password", Added: *changed})
	}
	if view.MayAddCode, err = e.allows(v, directory.MethodCode); err != nil {
		return err
	}
	if changed == nil {
		view.MaySetPass, err = e.allows(v, directory.MethodPassword)
	}
	return err
}

// allows reports whether the policy of a method includes the person.
func (e *Edge) allows(v *visit, method string) (bool, error) {
	policy, err := directory.GetMethodPolicy(v.Context(), e.DB, method)
	if err != nil {
		return false, err
	}
	refusal, err := policy.RefusalFor(v.Context(), e.DB, v.user.ID)
	return refusal == "", err
}
