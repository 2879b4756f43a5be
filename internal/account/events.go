package account

import (
	"slices"
	"strings"

	"cardea/internal/audit"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/session"
)

// maxEvents is how many lines of recent activity are shown.
const maxEvents = 10

// dedicated are the activities of Cardea's own, and their codes in the catalogue.
var dedicated = map[string]string{
	"Passkey registered": "passkeyAdded", "Passkey provisioned by admin": "passkeyAdded", "Passkey removed": "passkeyDeleted", "Passkey renamed": "passkeyRenamed", "Activate passkey": "passkeyActivated",
	"Temporary Access Pass created": "passIssued", "Temporary Access Pass used": "passUsed", "Temporary Access Pass removed": "passDeleted",
}

// generic are Graph's activities by the words that follow "User" or "Admin".
var generic = map[string]string{
	"registered software OATH token": "codeAdded", "deleted software OATH token": "codeDeleted",
	"registered password": "passwordChanged", "updated password": "passwordChanged", "deleted password": "passwordDeleted",
}

// events lists what happened lately to the account: its ways to sign in, and
// the sign-ins (UX-M6).
func (e *Edge) events(v *visit, have []passkey.Standing) ([]page.Event, error) {
	names := map[string]string{}
	for _, s := range have {
		names[s.ID] = s.DisplayName
	}
	audits, err := audit.Audits(v.Context(), e.DB, audit.Query{UserID: v.user.ID, Limit: 50})
	if err != nil {
		return nil, err
	}
	var out []page.Event
	for _, a := range audits {
		if ev, ok := changed(a, names); ok {
			out = append(out, ev)
		}
	}
	signIns, err := audit.SignIns(v.Context(), e.DB, audit.Query{UserID: v.user.ID, EventType: audit.Interactive, Limit: 50})
	if err != nil {
		return nil, err
	}
	for _, s := range signIns {
		if ev, ok := entered(s); ok {
			out = append(out, ev)
		}
	}
	slices.SortStableFunc(out, func(a, b page.Event) int { return b.At.Compare(a.At) })
	return out[:min(len(out), maxEvents)], nil
}

// changed reads one audit record; false for what people need not see here.
func changed(a audit.Record, names map[string]string) (page.Event, bool) {
	ev := page.Event{Code: dedicated[a.ActivityDisplayName], At: a.ActivityDateTime}
	_, words, _ := strings.Cut(a.ResultReason, " ")
	switch {
	case a.Result != "success":
		return ev, false
	case ev.Code != "":
	case a.LoggedByService == "Authentication Methods" && generic[words] != "":
		ev.Code = generic[words]
	case a.ResultReason == "Signed out everywhere":
		ev.Code = "signedOutEverywhere"
	default:
		return ev, false
	}
	detail := func(key string) string {
		for _, d := range a.AdditionalDetails {
			if d.Key == key {
				return d.Value
			}
		}
		return ""
	}
	switch ev.Code {
	case "passIssued":
		ev.Name = by(a)
	case "passkeyRenamed":
		ev.Name = detail("newName")
	case "passkeyAdded", "passkeyDeleted", "passkeyActivated":
		if ev.Name = names[detail("credentialId")]; ev.Name == "" {
			ev.Name = detail("provider")
		}
		if ev.Name == "" {
			ev.Name = "…"
		}
	}
	return ev, true
}

// by names who did it.
func by(a audit.Record) string {
	switch {
	case a.InitiatedBy.User != nil:
		return a.InitiatedBy.User.DisplayName
	case a.InitiatedBy.App != nil:
		return a.InitiatedBy.App.DisplayName
	}
	return "Cardea"
}

// entered reads one sign-in that succeeded. One by a pass has its own line.
func entered(s audit.SignIn) (page.Event, bool) {
	n := len(s.AuthenticationDetails)
	if s.Status.ErrorCode != 0 || n == 0 || strings.HasPrefix(s.AuthenticationDetails[n-1].Method, "Temporary Access Pass") {
		return page.Event{}, false
	}
	d, ev := s.AuthenticationDetails[n-1], page.Event{At: s.CreatedDateTime, On: session.Situation{UserAgent: s.UserAgent}.ClientName()}
	switch {
	case d.Method == "Password":
		ev.Code = "signedInPassword"
	case d.Method == "Software OATH token":
		ev.Code = "signedInCode"
	case d.Method == "One-time link":
		ev.Code = "signedInLink"
	case d.MethodDetail != "":
		ev.Code, ev.Name = "signedIn", d.MethodDetail // the passkey's own name
	default:
		ev.Code = "signedInPasskey"
	}
	return ev, true
}
