package passkey_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// TestBackupFlags: PK-80, PK-83, PK-84, PK-85, PK-183.
func TestBackupFlags_PK83_PK84_PK85(t *testing.T) {
	each(t, func(h *house) {
		a := synced(func(a *cardeatest.Authenticator) { a.Flags &^= cardeatest.BackupEligible | cardeatest.BackupState })
		m := h.register(h.ada, a)
		if m.PasskeyType != passkey.DeviceBound {
			h.Fatal(m.PasskeyType)
		}
		typeNow := func() passkey.Type {
			got, err := h.k.Get(h.Context(), h.d, h.ada.ID, m.ID)
			h.must(err)
			return got.PasskeyType
		}
		h.patch(profiles(deviceBoundOnly))
		a.Flags |= cardeatest.BackupEligible
		_, err := h.signIn(a)
		if e := h.refused(err, problem.Forbidden, passkey.CodeKeyDisallowed); len(e.Reasons) != 1 || e.Reasons[0].Code != passkey.TypeNotAllowed {
			h.Errorf("PK-80: %+v", e)
		}
		if typeNow() != passkey.DeviceBound {
			h.Error("PK-83: the refused type was stored")
		}
		h.patch(profiles(anything))
		in, err := h.signIn(a)
		h.must(err)
		if in.Method.PasskeyType != passkey.Synced || typeNow() != passkey.Synced {
			h.Error("PK-83: the new type was not stored")
		}
		a.Flags &^= cardeatest.BackupEligible
		_, err = h.signIn(a)
		h.refused(err, problem.Forbidden, passkey.BackupEligibilityLost)
		a.Flags |= cardeatest.BackupState
		_, err = h.signIn(a)
		h.refused(err, problem.Forbidden, passkey.BackupStateInvalid)
		events := h.audits("Passkey backup eligibility changed")
		var accepted []string
		for _, e := range events {
			accepted = append(accepted, detail(e, "accepted")+" "+detail(e, "reason"))
		}
		slices.Reverse(accepted)
		want := []string{"false passkeyTypeNotAllowed", "true ", "false backupEligibilityLost", "false backupStateInvalid"}
		if !slices.Equal(accepted, want) {
			h.Errorf("events %q, want %q", accepted, want)
		}
	})
}

// TestPolicyAtEverySignIn: tightening stops an existing passkey, loosening
// revives it; enforcing attestation stops nothing; another node sees the
// change at once (PK-58, PK-59, PK-62, PK-63).
func TestPolicyAtEverySignIn_PK58_PK59_PK62_PK63(t *testing.T) {
	each(t, func(h *house) {
		a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid(modelX)))
		h.register(h.ada, a)
		b := synced()
		h.register(h.ada, b)
		other := h.keeper(h.d, h.k.Ring, h.k.TenantID)
		can := func(a *cardeatest.Authenticator, want ...string) {
			h.Helper()
			for _, k := range []*passkey.Keeper{h.k, other} {
				_, err := k.FinishSignIn(h.Context(), h.attempt(a))
				var reasons []string
				if e, ok := errors.AsType[*problem.Error](err); ok {
					for _, r := range e.Reasons {
						reasons = append(reasons, r.Code)
					}
					if len(reasons) == 0 {
						reasons = []string{e.Code}
					}
				} else if err != nil {
					h.Fatal(err)
				}
				if !slices.Equal(reasons, want) {
					h.Errorf("refused %q, want %q", reasons, want)
				}
			}
		}
		can(a)
		can(b)
		h.patch(profiles(onlyX)) // an allow list: the synced one names no model
		can(a)
		can(b, passkey.AAGUIDNotAllowed)
		h.patch(profiles(strings.Replace(onlyX, modelX, modelY, 1)))
		can(a, passkey.AAGUIDNotAllowed)
		h.patch(profiles(strict)) // attestation is enforced now; a was never attested
		can(a)
		can(b, passkey.TypeNotAllowed, passkey.AAGUIDNotAllowed)
		h.patch(profiles(anything))
		can(a)
		can(b)
		h.patch(`{"state": "disabled"}`)
		can(a, passkey.CodeFeatureDisallowed)
		h.patch(`{"state": "enabled", "excludeTargets": [{"id": "` + h.group("outer", h.group("inner", h.ada.ID)) + `"}]}`)
		can(a, passkey.CodeUserGroup) // PK-54, PK-55: excluded through a nested group
		if row := h.signIns()[0]; row.Status.ErrorCode != 500121 || row.Status.AdditionalDetails != "userExcluded" {
			h.Errorf("%+v", row.Status)
		}
	})
}

// TestRefusedByPolicy: the person learns rule, profile and next step; the log
// has the same reasons (PK-122, PK-172, RL-31).
func TestRefusedByPolicy_PK122_PK172_RL31(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		h.register(h.ada, a)
		h.patch(profiles(deviceBoundOnly))
		_, err := h.signIn(a)
		e := h.refused(err, problem.Forbidden, passkey.CodeKeyDisallowed)
		if e.Detail != "Use a security key, or a passkey that is only on this device. Your organisation does not accept synced passkeys here. (Refused by: Security keys only.)" {
			h.Error(e.Detail)
		}
		row := h.signIns()[0]
		if row.Status.ErrorCode != 500121 || row.Status.AdditionalDetails != passkey.TypeNotAllowed || !strings.Contains(row.Status.FailureReason, `Profile "Security keys only"`) ||
			row.Cardea.Outcome != passkey.TypeNotAllowed || row.Cardea.Credential == nil || row.UserID != h.ada.ID {
			h.Errorf("%+v %+v", row.Status, row.Cardea)
		}
	})
}

func TestDisabledUser(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		m := h.register(h.ada, a)
		h.write(func(q db.Querier) error {
			_, err := directory.UpdateUser(h.Context(), q, h.admin, h.at, h.ada.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		_, err := h.signIn(a)
		h.refused(err, problem.Forbidden, "userDisabled")
		if row := h.signIns()[0]; row.Status.ErrorCode != 50057 || row.UserID != h.ada.ID {
			h.Errorf("%+v", row.Status)
		}
		if got, err := h.k.Get(h.Context(), h.d, h.ada.ID, m.ID); err != nil || got.LastUsedDateTime != nil {
			h.Errorf("used %v, %v", got.LastUsedDateTime, err)
		}
	})
}

// TestStepUp: a fresh proof in a session; only with a passkey of the same
// person; the cookie changes.
func TestStepUp(t *testing.T) {
	each(t, func(h *house) {
		a, b := synced(), synced()
		h.register(h.ada, a)
		h.register(h.grace, b)
		in, err := h.signIn(a)
		h.must(err)
		h.later(time.Hour)
		begun, err := h.k.BeginStepUp(h.Context(), in.Session, browser, h.at)
		h.must(err)
		answer := func(a *cardeatest.Authenticator, options []byte) passkey.Attempt {
			credential, err := a.Get(options, origin)
			h.must(err)
			return passkey.Attempt{Credential: credential, Binding: browser, Session: &in.Session, Situation: office, At: h.at}
		}
		var open map[string]any
		h.must(json.Unmarshal(begun.Options, &open))
		if list := open["allowCredentials"].([]any); len(list) != 1 {
			h.Errorf("allowed %v", list)
		}
		delete(open, "allowCredentials")
		anyKey, err := json.Marshal(open)
		h.must(err)
		_, err = h.k.FinishSignIn(h.Context(), answer(b, anyKey))
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable")
		up, err := h.k.FinishSignIn(h.Context(), answer(a, begun.Options))
		h.must(err)
		if up.Session.ID != in.Session.ID || up.Token == in.Token || !up.Session.MFAAt.Equal(h.at) {
			h.Errorf("%+v", up.Session)
		}
		if _, err := session.Find(h.Context(), h.d, in.Token, h.at); problem.CodeOf(err) != "signInRequired" {
			h.Errorf("the old cookie: %v", err)
		}
		if s, err := session.Find(h.Context(), h.d, up.Token, h.at); err != nil || session.Fresh(s, h.at) != nil {
			h.Errorf("the new one: %v", err)
		}
		// A challenge of a step-up opens no session of its own.
		begun, err = h.k.BeginStepUp(h.Context(), in.Session, browser, h.at)
		h.must(err)
		alone := answer(a, begun.Options)
		alone.Session = nil
		_, err = h.k.FinishSignIn(h.Context(), alone)
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable")
		nobody := h.session(h.user("bob@example.com"))
		_, err = h.k.BeginStepUp(h.Context(), nobody, browser, h.at)
		h.refused(err, problem.NotFound, "keyNotFound")
	})
}

// TestNewName: a new user name breaks nothing (PK-133, PK-102).
func TestNewName_PK133(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		h.register(h.ada, a)
		h.write(func(q db.Querier) error {
			_, err := directory.UpdateUser(h.Context(), q, h.admin, h.at, h.ada.ID, func(u *directory.User) error { u.UserPrincipalName = "lovelace@example.com"; return nil })
			return err
		})
		in, err := h.signIn(a)
		h.must(err)
		if in.User.UserPrincipalName != "lovelace@example.com" {
			h.Error(in.User.UserPrincipalName)
		}
	})
}

// TestFloodOfFailures: an address that only fails is refused after a while, and
// then leaves no more rows; a success from it still works.
func TestFloodOfFailures(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		h.register(h.ada, a)
		stranger := synced()
		strangersKey(h, stranger)
		var last error
		for range 101 {
			_, last = h.signIn(stranger)
		}
		h.refused(last, problem.TooMany, "requestThrottled")
		rows := len(h.signIns())
		_, err := h.signIn(stranger)
		h.refused(err, problem.TooMany, "requestThrottled")
		if n := len(h.signIns()); n != rows || rows != 100 {
			h.Errorf("%d rows, then %d", rows, n)
		}
		if _, err := h.signIn(a); err != nil {
			h.Errorf("a good passkey from the same address: %v", err)
		}
	})
}
