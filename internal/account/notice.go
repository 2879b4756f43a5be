package account

import (
	"fmt"

	"cardea/internal/mail"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// notice is a mail about a change: what happened, in one sentence.
type notice struct{ subject, what string }

func added(m passkey.Method) notice {
	return notice{"A passkey was added to your account", fmt.Sprintf("The passkey “%s” was added to your account.", m.DisplayName)}
}

func deleted(m passkey.Method) notice {
	return notice{"A passkey of your account was deleted", fmt.Sprintf("The passkey “%s” was deleted. Nobody can sign in with it any more.", m.DisplayName)}
}

func activated(m passkey.Method) notice {
	return notice{"A passkey of your account was activated", fmt.Sprintf("The passkey “%s”, which was prepared for you, was activated. It can be used to sign in from now on.", m.DisplayName)}
}

// notify mails the person about a change that is done (UX-M6). It never fails
// the change: what cannot be sent is logged, and a server without mail sends
// nothing.
func (e *Edge) notify(v *visit, n notice) {
	to := v.user.Mail
	if to == "" {
		to = v.user.UserPrincipalName
	}
	if e.Mail == nil {
		return
	}
	s := v.situation()
	on := s.ClientName()
	if on == "" {
		on = "an unknown browser"
	}
	err := e.Mail.Send(mail.Message{To: to, Subject: n.subject, Body: fmt.Sprintf(`Hello %s,

%s

When: %s UTC
On: %s
Address: %s

If that was you, there is nothing to do. If not, open %s/security-info,
delete what you do not know, sign out everywhere, and call your help desk.
`, v.user.DisplayName, n.what, v.now.UTC().Format("2 January 2006, 15:04"), on, s.IP, e.PublicURL)})
	if err != nil && problem.CodeOf(err) != "mailNotConfigured" {
		e.Log.WarnContext(v.Context(), "a notice could not be sent", "correlationId", s.CorrelationID, "error", err)
	}
}
