package passkey_test

import (
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// prepare registers a passkey for somebody in the state disabled.
func (h *house) prepare(u directory.User, a *cardeatest.Authenticator) passkey.Method {
	h.Helper()
	r := h.provision(u)
	begun, err := h.k.BeginRegistration(h.Context(), r)
	h.must(err)
	credential, err := a.Create(begun.Options, origin)
	h.must(err)
	answer, err := passkey.ReadAnswer(credential, "")
	h.must(err)
	answer.State = passkey.Disabled
	done, err := h.k.FinishRegistration(h.Context(), r, answer)
	h.must(err)
	return done.Method
}

// state is what the table says about a passkey.
func (h *house) state(u directory.User, id string) passkey.State {
	h.Helper()
	m, err := h.k.Get(h.Context(), h.d, u.ID, id)
	h.must(err)
	return m.Cardea.State
}

// A prepared passkey opens nothing and counts for nothing until it is
// activated (issue 3, "pre-registered keys in a disabled state").
func TestPreparedPasskeyOpensNothing(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		m := h.prepare(h.ada, a)
		if m.Cardea.State != passkey.Disabled || h.state(h.ada, m.ID) != passkey.Disabled {
			h.Fatalf("%+v", m)
		}
		if r := h.audits("Passkey provisioned by admin"); len(r) != 1 || detail(r[0], "state") != "disabled" {
			h.Errorf("%+v", r)
		}

		// Signed well, and refused by name; PK-106: the challenge is spent.
		attempt := h.attempt(a)
		_, err := h.k.FinishSignIn(h.Context(), attempt)
		if e := h.refused(err, problem.Forbidden, "passkeyDisabled"); e.Detail != (passkey.Decision{State: passkey.NotActivated}).Advice() {
			h.Errorf("advice: %s", e.Detail)
		}
		row := h.signIns()[0]
		if row.Status.ErrorCode != 500121 || row.Status.AdditionalDetails != "passkeyDisabled" || row.UserID != h.ada.ID || row.SessionID != "" {
			h.Errorf("PK-123: %+v", row.Status)
		}
		if n := h.count(`SELECT count(*) FROM sessions`); n != 0 {
			h.Errorf("%d sessions", n)
		}
		if used, err := h.k.Get(h.Context(), h.d, h.ada.ID, m.ID); err != nil || used.LastUsedDateTime != nil {
			h.Errorf("a refusal counts as use: %+v", used)
		}
		_, err = h.k.FinishSignIn(h.Context(), attempt)
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable") // PK-105

		// PK-121: a wrong signature hears what a stranger's passkey hears.
		forged := h.attempt(a)
		forged.Binding = "another browser"
		_, err = h.k.FinishSignIn(h.Context(), forged)
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable")

		standings, err := h.k.Standings(h.Context(), h.ada.ID)
		h.must(err)
		effective, err := h.k.Effective(h.Context(), h.ada.ID)
		h.must(err)
		if len(standings) != 1 || standings[0].Decision.Allowed || standings[0].Decision.Why() != "passkeyDisabled" || effective.Methods[0].Allowed {
			h.Errorf("PK-64: %+v %+v", standings, effective)
		}
		// It is excluded from a second registration all the same (PK-109).
		begun, err := h.k.BeginRegistration(h.Context(), h.provision(h.ada))
		h.must(err)
		if _, err := a.Create(begun.Options, origin); err == nil {
			h.Error("the authenticator was not told that it is registered")
		}
	})
}

// A prepared passkey saves no administrator from a lock-out (PK-42), and does
// not show in a preview as one that stops working.
func TestPreparedPasskeyIsNoWayIn_PK42(t *testing.T) {
	each(t, func(h *house) {
		h.prepare(h.grace, synced())
		other := h.user("hopper@example.com")
		h.write(func(q db.Querier) error {
			return directory.AssignRole(h.Context(), q, h.admin, h.at, directory.RoleAssignment{UserID: other.ID, RoleID: directory.GlobalAdministrator})
		})
		m := h.register(other, synced())
		w := passkey.Which{User: other, MethodID: m.ID, Actor: h.admin, At: h.at}
		h.refused(h.k.Delete(h.Context(), w), problem.Invalid, "wouldLockOutAdministrators")
		i, err := h.k.Preview(h.Context(), h.edit(`{"state": "disabled"}`), nil)
		h.must(err)
		if i.Passkeys.Total != 2 || i.Passkeys.StopWorking != 1 || !i.WouldLockOutAdministrators {
			h.Errorf("%+v", i)
		}
	})
}

// The owner activates by use: with a session of the same person that was
// strong minutes ago, in whatever way, and with no other.
func TestActivateByUse(t *testing.T) {
	each(t, func(h *house) {
		password := func(u directory.User) *session.Session {
			var s session.Session
			h.write(func(q db.Querier) (err error) {
				s, _, err = session.Start(h.Context(), q, h.at, session.Session{UserID: u.ID, Methods: []string{session.MethodPassword}})
				return err
			})
			return &s
		}
		fresh := func(u directory.User) *session.Session { s := h.session(u); return &s }
		for name, c := range map[string]struct {
			beside func() *session.Session
			later  time.Duration
			want   passkey.State
		}{
			"nobody is signed in":     {func() *session.Session { return nil }, 0, passkey.Disabled},
			"a password alone":        {func() *session.Session { return password(h.ada) }, 0, passkey.Disabled},
			"somebody else's session": {func() *session.Session { return fresh(h.grace) }, 0, passkey.Disabled},
			"a proof that is too old": {func() *session.Session { return fresh(h.ada) }, 11 * time.Minute, passkey.Disabled},
			"a Temporary Access Pass": {func() *session.Session { return fresh(h.ada) }, 9 * time.Minute, passkey.Enabled},
			"a link of first steps": {func() *session.Session {
				s := fresh(h.ada)
				s.Methods = []string{session.MethodLink, session.MethodMFA}
				return s
			}, 0, passkey.Enabled},
			"a passkey used just before": {func() *session.Session {
				in, err := h.signIn(func() *cardeatest.Authenticator { a := synced(); h.register(h.ada, a); return a }())
				h.must(err)
				return &in.Session
			}, 4 * time.Minute, passkey.Enabled},
		} {
			a := h.key(modelX)
			m := h.prepare(h.ada, a)
			beside := c.beside()
			h.later(c.later)
			attempt := h.attempt(a)
			attempt.Beside = beside
			in, err := h.k.FinishSignIn(h.Context(), attempt)
			if got := h.state(h.ada, m.ID); got != c.want || (err == nil) != (c.want == passkey.Enabled) || in.Activated != (err == nil) {
				h.Errorf("%s: %s, %v", name, got, err)
			}
			records := h.audits("Activate passkey")
			if c.want == passkey.Enabled {
				if len(records) == 0 || detail(records[0], "credentialId") != m.ID || records[0].InitiatedBy.User.ID != h.ada.ID {
					h.Errorf("%s: not recorded: %+v", name, records)
				}
				if _, err := h.signIn(a); err != nil {
					h.Errorf("%s: afterwards %v", name, err)
				}
			} else if _, err := h.signIn(a); problem.CodeOf(err) != "passkeyDisabled" {
				h.Errorf("%s: afterwards %v", name, err)
			}
		}
	})
}

// What the policy refuses is not activated, and says so (PK-57, PK-58).
func TestActivateAsksThePolicy_PK58(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		m := h.prepare(h.ada, a)
		h.patch(profiles(deviceBoundOnly))
		s := h.session(h.ada)
		attempt := h.attempt(a)
		attempt.Beside = &s
		_, err := h.k.FinishSignIn(h.Context(), attempt)
		h.refused(err, problem.Forbidden, "keyDisallowedByPolicy")
		if h.state(h.ada, m.ID) != passkey.Disabled || len(h.audits("Activate passkey")) != 0 {
			h.Error("activated all the same")
		}
	})
}

// On Security info the person uses the one passkey that the page names.
func TestFinishActivation(t *testing.T) {
	each(t, func(h *house) {
		a, other := synced(), synced()
		m := h.prepare(h.ada, a)
		h.register(h.ada, other)
		s := h.session(h.ada)
		begin := func() passkey.Begun {
			h.later(time.Millisecond)
			b, err := h.k.BeginActivation(h.Context(), s, m.ID, browser, h.at)
			h.must(err)
			return b
		}
		begun := begin()
		if _, err := other.Get(begun.Options, origin); err == nil {
			h.Error("the options allow another passkey")
		}
		// A client that does not care for the list is refused.
		free, err := h.k.BeginStepUp(h.Context(), s, browser, h.at)
		h.must(err)
		wrong, err := other.Get(free.Options, origin)
		h.must(err)
		_, err = h.k.FinishActivation(h.Context(), passkey.Attempt{Credential: wrong, Binding: browser, Session: &s, Situation: office, At: h.at}, m.ID)
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable")
		credential, err := a.Get(begun.Options, origin)
		h.must(err)
		in, err := h.k.FinishActivation(h.Context(), passkey.Attempt{Credential: credential, Binding: browser, Session: &s, Situation: office, At: h.at}, m.ID)
		h.must(err)
		if !in.Activated || in.Session.ID != s.ID || h.state(h.ada, m.ID) != passkey.Enabled {
			h.Errorf("%+v", in)
		}
		_, err = h.k.BeginActivation(h.Context(), s, m.ID, browser, h.at)
		h.refused(err, problem.NotFound, "keyNotFound")
		h.later(11 * time.Minute)
		_, err = h.k.BeginActivation(h.Context(), s, m.ID, browser, h.at)
		h.refused(err, problem.Unauthenticated, "ngcMfaRequired")
	})
}

// An administrator may activate in the owner's place; the owner may not
// without using the passkey, and nobody puts an active one back.
func TestUpdateState_PK131(t *testing.T) {
	each(t, func(h *house) {
		m := h.prepare(h.ada, synced())
		own := passkey.Which{User: h.ada, MethodID: m.ID, Actor: h.own(h.ada).Actor, At: h.at}
		_, err := h.k.Update(h.Context(), own, passkey.MethodPatch{State: passkey.Enabled})
		h.refused(err, problem.Forbidden, "authorizationRequestDenied")
		admin := own
		admin.Actor = h.admin
		name := "Blue key"
		got, err := h.k.Update(h.Context(), admin, passkey.MethodPatch{State: passkey.Enabled, DisplayName: &name})
		h.must(err)
		if got.Cardea.State != passkey.Enabled || got.DisplayName != name || h.state(h.ada, m.ID) != passkey.Enabled || len(h.audits("Activate passkey")) != 1 || len(h.audits("Passkey renamed")) != 1 {
			h.Errorf("%+v", got)
		}
		_, err = h.k.Update(h.Context(), admin, passkey.MethodPatch{State: passkey.Enabled}) // twice is no error
		h.must(err)
		_, err = h.k.Update(h.Context(), admin, passkey.MethodPatch{State: passkey.Disabled})
		h.refused(err, problem.Invalid, "passkeyActive")
		if len(h.audits("Activate passkey")) != 1 {
			h.Error("activated twice")
		}
		// Nobody prepares for himself.
		r := h.own(h.ada)
		begun, err := h.k.BeginRegistration(h.Context(), r)
		h.must(err)
		credential, err := synced().Create(begun.Options, origin)
		h.must(err)
		answer, err := passkey.ReadAnswer(credential, "")
		h.must(err)
		answer.State = passkey.Disabled
		_, err = h.k.FinishRegistration(h.Context(), r, answer)
		h.refused(err, problem.Invalid, "badRequest")
	})
}

// TestReadMethodPatch: PK-131, DO-51.
func TestReadMethodPatch_PK131_DO51(t *testing.T) {
	for body, want := range map[string]string{
		`{"displayName": "x"}`: "x|", `{"displayname": "x", "@odata.type": "#microsoft.graph.fido2AuthenticationMethod"}`: "x|",
		`{"cardea": {"state": "ENABLED"}}`: "|enabled", `{"cardea": {"state": "disabled"}, "displayName": null}`: "|disabled",
		`{"cardea": null}`: "|enabled", `{"displayName": "x", "cardea": {}}`: "x|", `{"displayName": "x", "cardea": {"state": null}}`: "x|",
		`{}`: "requiredParamMissing", `{"displayName": null}`: "requiredParamMissing", `{"cardea": {}}`: "requiredParamMissing",
		`{"displayName": 5}`: "badRequest", `{"displayName": "x", "aaGuid": "y"}`: "badRequest", `null`: "badRequest", `[]`: "badRequest", `"x"`: "badRequest", ``: "badRequest",
		`{"cardea": "enabled"}`: "badRequest", `{"cardea": {"state": 1}}`: "badRequest", `{"cardea": {"State": "enabled"}}`: "badRequest", `{"cardea": {"more": 1}}`: "badRequest",
		`{"cardea": {"state": "sleeping"}}`: "invalidValue",
	} {
		p, err := passkey.ReadMethodPatch([]byte(body))
		got := ""
		if err != nil {
			got = problem.CodeOf(err)
		} else {
			if p.DisplayName != nil {
				got = *p.DisplayName
			}
			got += "|" + string(p.State)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
