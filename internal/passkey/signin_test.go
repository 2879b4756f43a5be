package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
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
			if e.Detail != "This passkey could not be used. Try another passkey, or another way to sign in." || e.Reasons != nil || e.Target != "" {
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
