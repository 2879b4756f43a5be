package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// TestSignIn: the session, the stored passkey and the sign-in log, all of one
// write (PK-118, RL-25, RL-30).
func TestSignIn_PK118_RL30(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		m := h.register(h.ada, a)
		h.later(time.Hour)
		in, err := h.signIn(a)
		h.must(err)
		if in.User.ID != h.ada.ID || in.Method.Key != m.Key || !in.Decision.Allowed || in.Decision.By.ID != passkey.DefaultProfileID {
			h.Errorf("%+v", in)
		}
		s, err := session.Find(h.Context(), h.d, in.Token, h.at)
		h.must(err)
		if s.UserID != h.ada.ID || !slices.Equal(s.Methods, []string{"fido", "mfa"}) || !s.MFAAt.Equal(h.at) || s.PasskeyID != m.Key || s.Client != "Windows, Edge" {
			h.Errorf("session %+v", s)
		}
		got, err := h.k.Get(h.Context(), h.d, h.ada.ID, m.ID)
		h.must(err)
		if got.LastUsedDateTime == nil || !got.LastUsedDateTime.Equal(h.at) || got.LastUsedOn != "Windows, Edge" {
			h.Errorf("last used %v on %q", got.LastUsedDateTime, got.LastUsedOn)
		}
		rows := h.signIns()
		if len(rows) != 1 {
			h.Fatalf("%d rows", len(rows))
		}
		row := rows[0]
		if row.ID != s.SignInID || row.UserID != h.ada.ID || row.UserPrincipalName != "ada@example.com" || row.Status.ErrorCode != 0 || row.AppID != "app" ||
			row.AuthenticationRequirement != "multiFactorAuthentication" || !slices.Equal(row.AuthenticationMethodsUsed, []string{"FIDO"}) ||
			len(row.AuthenticationDetails) != 1 || row.AuthenticationDetails[0].Method != "Passkey (synced)" || row.SessionID != s.ID {
			h.Errorf("row %+v", row)
		}
		want := audit.Credential{ID: m.ID, AAGUID: zero, PasskeyType: "synced", AttestationLevel: "notAttested", UserVerified: true}
		if row.Cardea == nil || row.Cardea.Outcome != "success" || *row.Cardea.Credential != want {
			h.Errorf("cardea %+v", row.Cardea)
		}
		if n := h.count(`SELECT count(*) FROM spent_challenges`); n != 1 {
			h.Errorf("%d spent challenges", n)
		}
	})
}

// TestOptionsBeforeSignIn: no list, and no write (PK-120).
func TestOptionsBeforeSignIn_PK120(t *testing.T) {
	each(t, func(h *house) {
		h.register(h.ada, synced())
		begun, err := h.k.BeginSignIn(browser, h.at)
		h.must(err)
		var o struct {
			Allow            []any  `json:"allowCredentials"`
			RPID             string `json:"rpId"`
			UserVerification string `json:"userVerification"`
		}
		h.must(json.Unmarshal(begun.Options, &o))
		if len(o.Allow) != 0 || o.RPID != "id.example.com" || o.UserVerification != "required" || !begun.ExpiresAt.Equal(h.at.Add(10*time.Minute)) {
			h.Errorf("%s until %s", begun.Options, begun.ExpiresAt)
		}
		if n := h.count(`SELECT count(*) FROM spent_challenges`); n != 0 {
			h.Errorf("%d rows", n)
		}
	})
}

// TestSilence: before proof there is one answer, byte for byte; the log knows
// the truth (PK-119, PK-121, PK-123).
func TestSilence_PK119_PK121_PK123(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		h.register(h.ada, a)
		b := synced()
		h.register(h.user("bob@example.com"), b)
		spent := h.attempt(a)
		if _, err := h.k.FinishSignIn(h.Context(), spent); err != nil {
			h.Fatal(err)
		}
		otherBrowser, otherSession := h.attempt(a), h.attempt(a)
		otherBrowser.Binding = "cookie of another browser"
		s := h.session(h.ada)
		otherSession.Session = &s
		edit := func(from *cardeatest.Authenticator, change func(*cardeatest.Authenticator)) passkey.Attempt {
			c := from.Clone()
			change(c)
			return h.attempt(c)
		}
		stranger := synced()
		strangersKey(h, stranger)
		for _, tt := range []struct {
			name string
			a    passkey.Attempt
			code int // of the log; 0: no row, since no challenge of ours was answered
			fact string
		}{
			{"unknown passkey", h.attempt(stranger), 135010, "credentialUnknown"},
			{"wrong signature", edit(a, func(c *cardeatest.Authenticator) {
				c.EditSignature = func(sig []byte) []byte { sig[len(sig)-1] ^= 1; return sig }
			}), 500121, "signatureInvalid"},
			{"handle of somebody else (WA-83 row 13)", withHandle(h, h.attempt(a), b.Passkeys()[0].UserHandle), 500121, "userHandleMismatch"},
			{"no handle", edit(a, func(c *cardeatest.Authenticator) { c.OmitHandle = true }), 500121, "userHandleMissing"},
			{"no user verification", edit(a, func(c *cardeatest.Authenticator) { c.Flags &^= cardeatest.UserVerified }), 500121, "userNotVerified"},
			{"wrong origin", edit(a, func(c *cardeatest.Authenticator) {
				c.EditClientData = func(m map[string]any) { m["origin"] = "https://id.example.com.evil.test" }
			}), 500121, "originMismatch"},
			{"spent challenge (WA-83 row 12)", spent, 500121, "challengeSpent"},
			{"another browser (WA-83 row 12)", otherBrowser, 0, ""},
			{"challenge of nobody in a step-up", otherSession, 0, ""},
		} {
			before := len(h.signIns())
			h.later(time.Millisecond)
			tt.a.At = h.at
			_, err := h.k.FinishSignIn(h.Context(), tt.a)
			e := h.refused(err, problem.Unauthenticated, "passkeyNotUsable")
			if e.Detail != "That passkey did not work. Try again, or use another way to sign in." || e.Reasons != nil || e.Target != "" {
				h.Errorf("%s: %+v", tt.name, e)
			}
			rows := h.signIns()
			if tt.code == 0 {
				if len(rows) != before {
					h.Errorf("%s: a row was written", tt.name)
				}
				continue
			}
			if len(rows) != before+1 || rows[0].Status.ErrorCode != tt.code || rows[0].Status.AdditionalDetails != tt.fact {
				h.Errorf("%s: %+v", tt.name, rows[0].Status)
			}
		}
		if n := h.count(`SELECT count(*) FROM sessions WHERE user_id <> $1`, s.UserID); n != 1 {
			h.Errorf("%d sessions of others than Ada: only Bob's of his registration is expected", n)
		}
	})
}

// strangersKey gives a an own passkey of this site that nobody registered.
func strangersKey(h *house, a *cardeatest.Authenticator) {
	h.Helper()
	begun, err := h.k.BeginRegistration(h.Context(), h.own(h.ada))
	h.must(err)
	_, err = a.Create(begun.Options, origin)
	h.must(err)
}

// withHandle replaces the user handle of an answer.
func withHandle(h *house, a passkey.Attempt, handle []byte) passkey.Attempt {
	h.Helper()
	var m map[string]any
	h.must(json.Unmarshal(a.Credential, &m))
	m["response"].(map[string]any)["userHandle"] = base64.RawURLEncoding.EncodeToString(handle)
	var err error
	a.Credential, err = json.Marshal(m)
	h.must(err)
	return a
}

// TestNothingSpentBeforeProof: a failure before the signature verified spends
// nothing (PK-106).
func TestNothingSpentBeforeProof_PK106(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		m := h.register(h.ada, a)
		begun, err := h.k.BeginSignIn(browser, h.at)
		h.must(err)
		answer := func(a *cardeatest.Authenticator) passkey.Attempt {
			credential, err := a.Get(begun.Options, origin)
			h.must(err)
			return passkey.Attempt{Credential: credential, Binding: browser, Situation: office, At: h.at}
		}
		forger := a.Clone()
		forger.EditSignature = func(sig []byte) []byte { sig[len(sig)-1] ^= 1; return sig }
		good, bad := answer(a), answer(forger)
		_, err = h.k.FinishSignIn(h.Context(), bad)
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable")
		if n := h.count(`SELECT count(*) FROM spent_challenges`); n != 0 {
			h.Errorf("%d spent", n)
		}
		in, err := h.k.FinishSignIn(h.Context(), good)
		h.must(err)
		if in.Method.Key != m.Key {
			h.Error("another passkey")
		}
	})
}

// TestExpired: said apart, because it is about no person (PK-121, WA-25).
func TestExpired_WA83row12(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		h.register(h.ada, a)
		attempt := h.attempt(a)
		attempt.At = h.at.Add(passkey.ChallengeLife)
		_, err := h.k.FinishSignIn(h.Context(), attempt)
		h.refused(err, problem.Invalid, "challengeExpired")
		attempt.At = attempt.At.Add(-time.Millisecond)
		_, err = h.k.FinishSignIn(h.Context(), attempt)
		h.must(err)
		_, err = h.k.FinishSignIn(h.Context(), passkey.Attempt{Credential: []byte("{"), Binding: browser, At: h.at})
		h.refused(err, problem.Invalid, "responseMalformed")
	})
}

// TestParallelFinish: two at once with one answer give exactly one session
// (PK-105, WA-24).
func TestParallelFinish_PK105_WA24(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		h.register(h.ada, a)
		before := h.count(`SELECT count(*) FROM sessions`)
		attempt := h.attempt(a)
		won, lost := race(h, 8, func(int) error { _, err := h.k.FinishSignIn(h.Context(), attempt); return err })
		if won != 1 || lost["passkeyNotUsable"] != 7 {
			h.Errorf("%d succeeded, failures %v", won, lost)
		}
		if n := h.count(`SELECT count(*) FROM sessions`) - before; n != 1 {
			h.Errorf("%d sessions", n)
		}
		spent := 0
		for _, r := range h.signIns() {
			if r.Status.AdditionalDetails == "challengeSpent" {
				spent++
			}
		}
		if spent != 7 {
			h.Errorf("%d rows say challengeSpent", spent)
		}
	})
}

// race runs f n times at once and counts the outcomes by code.
func race(h *house, n int, f func(i int) error) (won int, lost map[string]int) {
	h.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	lost = map[string]int{}
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			lost[problem.CodeOf(err)]++
		}
	}
	return won, lost
}

// TestParallelCounters: two sign-ins of a security key with one counter value
// cannot both pass; those of a synced passkey all do (PK-87, PK-88, WA-44).
func TestParallelCounters_PK87_WA44(t *testing.T) {
	each(t, func(h *house) {
		five := uint32(5)
		bound := cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid(modelX)))
		h.register(h.ada, bound)
		bound.Counter = &five
		attempts := make([]passkey.Attempt, 6)
		for i := range attempts {
			attempts[i] = h.attempt(bound)
		}
		won, lost := race(h, len(attempts), func(i int) error { _, err := h.k.FinishSignIn(h.Context(), attempts[i]); return err })
		if won != 1 || lost[passkey.SignCounterRegression] != 5 {
			h.Errorf("%d succeeded, failures %v", won, lost)
		}
		if n := len(h.audits("Passkey sign counter went back")); n != 5 {
			h.Errorf("%d events", n)
		}
		cloud := synced()
		h.register(h.ada, cloud)
		cloud.Counter = &five
		for i := range attempts {
			attempts[i] = h.attempt(cloud)
		}
		if won, lost := race(h, len(attempts), func(i int) error { _, err := h.k.FinishSignIn(h.Context(), attempts[i]); return err }); won != len(attempts) {
			h.Errorf("synced: failures %v", lost)
		}
	})
}

// TestCounter: refused with the event, the stored value stays (PK-87, PK-89, PK-183).
func TestCounterWentBack_PK87_PK89_PK183(t *testing.T) {
	each(t, func(h *house) {
		a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid(modelX)))
		m := h.register(h.ada, a)
		if _, err := h.signIn(a); err != nil {
			h.Fatal(err)
		}
		stored := h.count(`SELECT sign_count FROM passkeys`)
		one := uint32(1)
		a.Counter = &one
		_, err := h.signIn(a)
		h.refused(err, problem.Forbidden, passkey.SignCounterRegression)
		if n := h.count(`SELECT sign_count FROM passkeys`); n != stored || stored < 2 {
			h.Errorf("stored %d, before %d", n, stored)
		}
		events := h.audits("Passkey sign counter went back")
		if len(events) != 1 || events[0].Result != "failure" || detail(events[0], "stored") != "2" || detail(events[0], "received") != "1" || detail(events[0], "credentialId") != m.ID || detail(events[0], "accepted") != "false" {
			h.Errorf("%+v", events)
		}
		if row := h.signIns()[0]; row.Status.ErrorCode != 500121 || row.Status.AdditionalDetails != passkey.SignCounterRegression || detail(events[0], "signInId") != row.ID {
			h.Errorf("%+v", row.Status)
		}
		// PK-106: after proof the challenge is spent, refused or not.
		if n := h.count(`SELECT count(*) FROM spent_challenges`); n != 2 {
			h.Errorf("%d spent", n)
		}
	})
}

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
