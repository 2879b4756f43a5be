package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"

	"github.com/google/go-cmp/cmp"
)

// TestRegister_RL32_PK143: what is stored, and what the audit log says.
func TestRegister_RL32_PK143(t *testing.T) {
	each(t, func(h *house) {
		a := synced(func(a *cardeatest.Authenticator) { a.AAGUID = guid("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4") })
		m := h.register(h.ada, a)
		google := "Google Password Manager"
		want := passkey.Method{ID: passkey.MethodID(a.Passkeys()[0].ID), DisplayName: google, CreatedDateTime: h.at, AaGuid: "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", Model: &google,
			AttestationCertificates: []string{}, AttestationLevel: passkey.NotAttested, PasskeyType: passkey.Synced, Cardea: passkey.MethodExtra{State: passkey.Enabled},
			Key: m.Key, UserID: h.ada.ID, CredentialID: a.Passkeys()[0].ID, Transports: []string{"hybrid", "internal"}, Attachment: "platform", BackedUp: true}
		if diff := cmp.Diff(want, m); diff != "" {
			h.Errorf("(-want +got):\n%s", diff)
		}
		listed, err := h.k.List(h.Context(), h.d, h.ada.ID)
		h.must(err)
		if diff := cmp.Diff([]passkey.Method{want}, listed); diff != "" {
			h.Errorf("listed (-want +got):\n%s", diff)
		}
		generic, ours := h.audits("User registered security info"), h.audits("Passkey registered")
		if len(generic) != 1 || len(ours) != 1 || generic[0].CorrelationID != "c-own" || ours[0].CorrelationID != "c-own" ||
			generic[0].ResultReason != "User registered Fido Authentication Method" || generic[0].Result != "success" {
			h.Fatalf("%+v\n%+v", generic, ours)
		}
		for key, want := range map[string]string{"credentialId": m.ID, "aaGuid": m.AaGuid, "provider": google, "passkeyType": "synced",
			"attestationLevel": "notAttested", "profileId": passkey.DefaultProfileID, "profileName": passkey.DefaultProfileName} {
			if got := detail(ours[0], key); got != want {
				h.Errorf("%s is %q, want %q", key, got, want)
			}
		}
	})
}

// TestProvision: by an administrator, with the lenient origins of PK-115, and
// the audit records of PK-137.
func TestProvision_PK115_PK137(t *testing.T) {
	each(t, func(h *house) {
		r := h.provision(h.ada)
		begun, err := h.k.BeginRegistration(h.Context(), r)
		h.must(err)
		if n := len(h.audits("Get passkey creation options")); n != 1 || !begun.ExpiresAt.Equal(h.at.Add(5*time.Minute)) {
			h.Errorf("%d records, until %s", n, begun.ExpiresAt)
		}
		for _, from := range []string{"https://id.example.com", "https://id.example.com/"} {
			a := synced()
			credential, err := a.Create(begun.Options, from)
			h.must(err)
			done, err := h.k.FinishRegistration(h.Context(), r, graphBody(h, credential, `"displayName": "Blue key", `))
			h.must(err)
			if done.Method.DisplayName != "Blue key" {
				h.Errorf("name %q", done.Method.DisplayName)
			}
		}
		if n := len(h.audits("Passkey provisioned by admin")); n != 2 || len(h.audits("Admin registered security info")) != 2 {
			h.Errorf("%d records", n)
		}
		// Our own pages accept neither.
		own := h.own(h.ada)
		begun, err = h.k.BeginRegistration(h.Context(), own)
		h.must(err)
		credential, err := synced().Create(begun.Options, origin+"/")
		h.must(err)
		answer, err := passkey.ReadAnswer(credential, "")
		h.must(err)
		_, err = h.k.FinishRegistration(h.Context(), own, answer)
		if e := h.refused(err, problem.Invalid, "verificationFailed"); e.Reasons[0].Code != "originMismatch" {
			h.Errorf("reasons %+v", e.Reasons)
		}
	})
}

// graphBody turns toJSON() into the body of Graph's POST.
func graphBody(h *house, credential []byte, more string) passkey.Answer {
	h.Helper()
	var c struct {
		ID       string `json:"id"`
		Response struct {
			ClientDataJSON    string `json:"clientDataJSON"`
			AttestationObject string `json:"attestationObject"`
		} `json:"response"`
	}
	h.must(json.Unmarshal(credential, &c))
	a, err := passkey.ReadProvisioned([]byte(`{` + more + `"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "publicKeyCredential": {"id": "` + c.ID + `", "rawId": "x",
		"response": {"clientDataJSON": "` + c.Response.ClientDataJSON + `", "attestationObject": "` + c.Response.AttestationObject + `"}, "clientExtensionResults": null}}`))
	h.must(err)
	return a
}

// TestProvisioningChallenge: any number of uses until it expires, for one
// person only, by any node; the same response twice is 409 (PK-107 to PK-109,
// PK-112, PK-142, WA-26).
func TestProvisioningChallenge_PK107_PK108_PK109_WA26(t *testing.T) {
	each(t, func(h *house) {
		r := h.provision(h.ada)
		r.Life = 30 * 24 * time.Hour
		begun, err := h.k.BeginRegistration(h.Context(), r)
		h.must(err)
		if n := h.count(`SELECT count(*) FROM spent_challenges`); n != 0 {
			h.Errorf("%d rows of state", n)
		}
		first, second := synced(), synced()
		answers := make([]passkey.Answer, 0, 2)
		for _, a := range []*cardeatest.Authenticator{first, second} {
			credential, err := a.Create(begun.Options, origin)
			h.must(err)
			answers = append(answers, graphBody(h, credential, ""))
		}
		h.later(29 * 24 * time.Hour)
		r.At = h.at
		_, err = h.k.FinishRegistration(h.Context(), r, answers[0])
		h.must(err)
		other := h.keeper(h.d, h.k.Ring, h.k.TenantID)
		_, err = other.FinishRegistration(h.Context(), r, answers[1])
		h.must(err)
		_, err = h.k.FinishRegistration(h.Context(), r, answers[1])
		h.refused(err, problem.Conflict, "credentialAlreadyRegistered")

		bob := h.provision(h.user("bob@example.com"))
		_, err = h.k.FinishRegistration(h.Context(), bob, answers[0])
		if e := h.refused(err, problem.Invalid, "verificationFailed"); e.Reasons[0].Code != "challengeUnknown" {
			h.Errorf("for another user: %+v", e.Reasons)
		}
		h.later(25 * time.Hour)
		r.At = h.at
		_, err = h.k.FinishRegistration(h.Context(), r, answers[0])
		h.refused(err, problem.Invalid, "challengeExpired")
		if n := h.count(`SELECT count(*) FROM passkeys`); n != 2 {
			h.Errorf("%d passkeys", n)
		}
		if n := len(h.audits("Passkey registration failed")); n != 3 {
			h.Errorf("%d failures are in the log (RL-35)", n)
		}
	})
}

// TestPurposes_PK110: no challenge of one kind is accepted for another, and one
// of our pages only in its session (WA-23).
func TestPurposes_PK110_WA23(t *testing.T) {
	each(t, func(h *house) {
		own, tool := h.own(h.ada), h.provision(h.ada)
		onPage, err := h.k.BeginRegistration(h.Context(), own)
		h.must(err)
		byTool, err := h.k.BeginRegistration(h.Context(), tool)
		h.must(err)
		signIn, err := h.k.BeginSignIn(browser, h.at)
		h.must(err)
		otherSession := h.own(h.ada)
		stolen := h.own(h.grace)
		stolen.User = h.ada
		for _, tt := range []struct {
			name    string
			r       passkey.Registration
			options []byte
		}{
			{"page's at the API", tool, onPage.Options},
			{"tool's on the page", own, byTool.Options},
			{"sign-in's", own, withChallenge(h, onPage.Options, signIn.Options)},
			{"another session", otherSession, onPage.Options},
			{"session of somebody else", stolen, onPage.Options},
			{"made up", own, withChallenge(h, onPage.Options, []byte(`{"challenge": "`+base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("A", 48)))+`"}`))},
		} {
			_, err := h.finish(tt.r, synced(), passkey.Begun{Options: tt.options})
			if e := h.refused(err, problem.Invalid, "verificationFailed"); e.Reasons[0].Code != "challengeUnknown" {
				h.Errorf("%s: %+v", tt.name, e.Reasons)
			}
		}
		if _, err := h.finish(own, synced(), onPage); err != nil {
			h.Errorf("the right one: %v", err)
		}
	})
}

// withChallenge puts the challenge of one set of options into another.
func withChallenge(h *house, options, from []byte) []byte {
	h.Helper()
	var into map[string]any
	var other struct {
		Challenge string `json:"challenge"`
	}
	h.must(json.Unmarshal(options, &into))
	h.must(json.Unmarshal(from, &other))
	into["challenge"] = other.Challenge
	out, err := json.Marshal(into)
	h.must(err)
	return out
}

// TestOptions_PK102_PK111: what the browser gets.
func TestOptions_PK102_PK111(t *testing.T) {
	each(t, func(h *house) {
		h.register(h.ada, synced())
		begun, err := h.k.BeginRegistration(h.Context(), h.provision(h.ada))
		h.must(err)
		var o struct {
			Challenge string `json:"challenge"`
			User      struct {
				ID, Name, DisplayName string
			} `json:"user"`
			Exclude []struct{ ID string } `json:"excludeCredentials"`
		}
		h.must(json.Unmarshal(begun.Options, &o))
		if len(o.Challenge)%4 != 0 || strings.Trim(o.Challenge, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
			h.Errorf("challenge %s", o.Challenge)
		}
		if handle, err := base64.RawURLEncoding.DecodeString(o.User.ID); err != nil || len(handle) != 51 || o.User.Name != "Ada@example.com" || o.User.DisplayName != "Ada" {
			h.Errorf("user %+v, %v", o.User, err)
		}
		if len(o.Exclude) != 1 {
			h.Errorf("excluded %+v", o.Exclude)
		}
	})
}

// TestFresh: PK-47, PK-48, PK-129, PK-153, PK-176.
func TestFresh_PK47_PK129(t *testing.T) {
	each(t, func(h *house) {
		s := session.Session{ID: "s", UserID: h.ada.ID, MFAAt: h.at, CreatedAt: h.at, ExpiresAt: h.at.Add(time.Hour), Methods: []string{session.MethodPasskey, session.MethodMFA}}
		tap, plain := s, s
		tap.Methods = []string{session.MethodAccessPass, session.MethodMFA}
		plain.MFAAt, plain.Methods = time.Time{}, []string{session.MethodPassword}
		for _, tt := range []struct {
			name string
			r    passkey.Registration
			age  time.Duration
			ok   bool
		}{
			{"PK-47 5 minutes", passkey.Registration{Session: &s}, 5 * time.Minute, true},
			{"PK-47 longer", passkey.Registration{Session: &s}, 5*time.Minute + time.Second, false},
			{"PK-153 after a pass", passkey.Registration{Session: &tap}, 10 * time.Minute, true},
			{"PK-153 after a pass, longer", passkey.Registration{Session: &tap}, 10*time.Minute + time.Second, false},
			{"PK-176 one factor", passkey.Registration{Session: &plain}, 0, false},
			{"PK-129 own call", passkey.Registration{Own: true, MFAAt: h.at}, 10 * time.Minute, true},
			{"PK-129 own call, longer", passkey.Registration{Own: true, MFAAt: h.at}, 10*time.Minute + time.Second, false},
			{"PK-129 own call, one factor", passkey.Registration{Own: true}, 0, false},
			{"for somebody else", passkey.Registration{Actor: h.admin}, time.Hour, true},
		} {
			tt.r.User, tt.r.At = h.ada, h.at.Add(tt.age)
			_, err := h.k.BeginRegistration(h.Context(), tt.r)
			if tt.ok && err != nil {
				h.Errorf("%s: %v", tt.name, err)
			}
			if !tt.ok {
				h.refused(err, problem.Unauthenticated, "ngcMfaRequired")
			}
		}
	})
}

// TestFreshAtTheEnd: the proof behind an own call must be of now when the answer
// arrives, however long the challenge lives; on our own pages the dialog may
// take its time (PK-47, PK-48, PK-129).
func TestFreshAtTheEnd_PK48_PK129(t *testing.T) {
	each(t, func(h *house) {
		me := passkey.Registration{User: h.ada, Actor: audit.Actor{UserID: h.ada.ID}, Own: true, MFAAt: h.at, At: h.at, Life: 24 * time.Hour}
		begun, err := h.k.BeginRegistration(h.Context(), me)
		h.must(err)
		a := synced()
		credential, err := a.Create(begun.Options, origin)
		h.must(err)
		answer, err := passkey.ReadAnswer(credential, "")
		h.must(err)
		late := me
		late.At = h.at.Add(11 * time.Minute)
		_, err = h.k.FinishRegistration(h.Context(), late, answer)
		h.refused(err, problem.Unauthenticated, "ngcMfaRequired")
		if n := h.count(`SELECT count(*) FROM passkeys`); n != 0 {
			h.Errorf("PK-114: %d passkeys", n)
		}
		one := late
		one.MFAAt = time.Time{} // a token that comes from a password
		_, err = h.k.FinishRegistration(h.Context(), one, answer)
		h.refused(err, problem.Unauthenticated, "ngcMfaRequired")
		late.MFAAt = late.At.Add(-time.Minute) // signed in again; the challenge still lives
		if _, err = h.k.FinishRegistration(h.Context(), late, answer); err != nil {
			h.Error(err)
		}

		s := session.Session{ID: "s", UserID: h.ada.ID, MFAAt: h.at, CreatedAt: h.at, ExpiresAt: h.at.Add(time.Hour), Methods: []string{session.MethodPasskey, session.MethodMFA}}
		own := passkey.Registration{User: h.ada, Actor: audit.Actor{UserID: h.ada.ID}, Session: &s, At: h.at.Add(5 * time.Minute)}
		begun, err = h.k.BeginRegistration(h.Context(), own)
		h.must(err)
		own.At = h.at.Add(14 * time.Minute)
		if _, err := h.finish(own, synced(), begun); err != nil {
			h.Errorf("the dialog took nine minutes: %v", err)
		}
		weak := s
		weak.MFAAt = time.Time{}
		own.Session = &weak
		_, err = h.finish(own, synced(), begun)
		h.refused(err, problem.Unauthenticated, "ngcMfaRequired")
	})
}

// TestSelfServiceOff: PK-60, PK-61, PK-138.
func TestSelfServiceOff_PK60_PK61_PK138(t *testing.T) {
	each(t, func(h *house) {
		h.patch(`{"isSelfServiceRegistrationAllowed": false}`)
		_, err := h.k.BeginRegistration(h.Context(), h.own(h.ada))
		h.refused(err, problem.Invalid, passkey.CodeFeatureDisallowed)
		me := passkey.Registration{User: h.ada, Own: true, MFAAt: h.at, At: h.at}
		_, err = h.k.BeginRegistration(h.Context(), me)
		h.refused(err, problem.Invalid, passkey.CodeFeatureDisallowed)
		_, err = h.create(h.provision(h.ada), synced())
		h.must(err)

		h.patch(`{"excludeTargets": [{"id": "` + h.ada.ID + `", "targetType": "user"}]}`)
		_, err = h.k.BeginRegistration(h.Context(), h.provision(h.ada))
		h.refused(err, problem.Invalid, passkey.CodeUserGroup)
		h.patch(`{"state": "disabled", "excludeTargets": []}`)
		_, err = h.k.BeginRegistration(h.Context(), h.provision(h.ada))
		h.refused(err, problem.Invalid, passkey.CodeFeatureDisallowed)
	})
}

// TestPolicyAtPost_PK113: the policy counts when the answer arrives.
func TestPolicyAtPost_PK113(t *testing.T) {
	each(t, func(h *house) {
		r := h.own(h.ada)
		begun, err := h.k.BeginRegistration(h.Context(), r)
		h.must(err)
		h.patch(profiles(deviceBoundOnly))
		_, err = h.finish(r, synced(), begun)
		e := h.refused(err, problem.Invalid, passkey.CodeKeyDisallowed)
		if len(e.Reasons) != 1 || e.Reasons[0].Code != passkey.TypeNotAllowed || !strings.HasPrefix(e.Detail, "Use a security key") || !strings.Contains(e.Detail, "Security keys only") {
			h.Errorf("%+v", e)
		}
		// PK-144: an administrator reads rule, profile and next step.
		_, err = h.create(h.provision(h.ada), synced())
		if e := h.refused(err, problem.Invalid, passkey.CodeKeyDisallowed); !strings.Contains(e.Detail, `Profile "Security keys only" does not allow synced passkeys.`) {
			h.Errorf("%q", e.Detail)
		}
		failed := h.audits("Passkey registration failed")
		if len(failed) != 2 || failed[0].Result != "failure" || detail(failed[0], "reason") != passkey.CodeKeyDisallowed || detail(failed[0], "passkeyType") != "synced" {
			h.Errorf("%+v", failed)
		}
		if n := h.count(`SELECT count(*) FROM passkeys`); n != 0 {
			h.Errorf("%d passkeys (PK-114)", n)
		}
	})
}

func TestTooMany_PK45(t *testing.T) {
	each(t, func(h *house) {
		h.k.MaxPerUser = 2
		h.register(h.ada, synced())
		r := h.own(h.ada)
		begun, err := h.k.BeginRegistration(h.Context(), r)
		h.must(err)
		h.register(h.ada, synced())
		_, err = h.finish(r, synced(), begun)
		h.refused(err, problem.Invalid, "tooManyPasskeys")
		_, err = h.k.BeginRegistration(h.Context(), r)
		h.refused(err, problem.Invalid, "tooManyPasskeys")
	})
}

// TestName: given, blank, too long (PK-46).
func TestName_PK46(t *testing.T) {
	each(t, func(h *house) {
		r := h.provision(h.ada)
		for _, tt := range []struct{ given, want string }{{" Work phone ", "Work phone"}, {"", "Passkey"}, {strings.Repeat("x", 31), ""}} {
			begun, err := h.k.BeginRegistration(h.Context(), r)
			h.must(err)
			credential, err := synced().Create(begun.Options, origin)
			h.must(err)
			answer, err := passkey.ReadAnswer(credential, tt.given)
			h.must(err)
			done, err := h.k.FinishRegistration(h.Context(), r, answer)
			if tt.want == "" {
				h.refused(err, problem.Invalid, "badRequest")
			} else if err != nil || done.Method.DisplayName != tt.want {
				h.Errorf("%q: %q, %v", tt.given, done.Method.DisplayName, err)
			}
		}
	})
}

func TestProvisioningLife_PK49(t *testing.T) {
	for minutes, want := range map[float64]time.Duration{5: 5 * time.Minute, 7.5: 450 * time.Second, 43200: 720 * time.Hour} {
		if got, err := passkey.ProvisioningLife(minutes); got != want || err != nil {
			t.Errorf("%v: %v, %v", minutes, got, err)
		}
	}
	var none float64
	for _, minutes := range []float64{0, 4.99, 43201, -5, none / none} {
		if got, err := passkey.ProvisioningLife(minutes); problem.CodeOf(err) != "badRequest" {
			t.Errorf("%v: %v, %v", minutes, got, err)
		}
	}
}

// TestReadProvisioned_WC61: base64 in any flavour, and what is missing.
func TestReadProvisioned_WC61_PK139(t *testing.T) {
	each(t, func(h *house) {
		for name, encode := range map[string]func([]byte) string{
			"base64url": base64.RawURLEncoding.EncodeToString, "base64url padded": base64.URLEncoding.EncodeToString,
			"base64": base64.StdEncoding.EncodeToString, "base64 raw": base64.RawStdEncoding.EncodeToString, "UrlTokenEncode": passkey.MethodID,
		} {
			for size := 16; size < 20; size++ { // every remainder
				r := h.provision(h.ada)
				begun, err := h.k.BeginRegistration(h.Context(), r)
				h.must(err)
				a := synced()
				a.CredentialID = []byte(strings.Repeat("\xfb\xff", 10)[:size-2] + string([]byte{byte(len(name)), byte(size)}))
				credential, err := a.Create(begun.Options, origin)
				h.must(err)
				sent := graphBody(h, credential, "").Response
				answer, err := passkey.ReadProvisioned([]byte(`{"publicKeyCredential": {"id": "` + encode(sent.CredentialID) + `", "response": {"clientDataJSON": "` +
					encode(sent.ClientDataJSON) + `", "attestationObject": "` + encode(sent.AttestationObject) + `"}}}`))
				h.must(err)
				if _, err := h.k.FinishRegistration(h.Context(), r, answer); err != nil {
					h.Errorf("%s, %d bytes: %v", name, size, err)
				}
			}
		}
	})
	for body, want := range map[string]string{
		`{`: "badRequest", `{}`: "requiredParamMissing", `{"publicKeyCredential": {"id": "AAAA"}}`: "requiredParamMissing",
		`{"publicKeyCredential": {"response": {}}}`:                                                                "requiredParamMissing",
		`{"publicKeyCredential": {"id": "AAAA", "response": {"attestationObject": "AAAA"}}}`:                       "requiredParamMissing",
		`{"publicKeyCredential": {"id": "AAAA", "response": {"clientDataJSON": "e30", "attestationObject": "%"}}}`: "badRequest",
		`{"publicKeyCredential": {"id": "!", "response": {"clientDataJSON": "e30", "attestationObject": "oA"}}}`:   "badRequest",
		`{"displayName": "` + strings.Repeat("x", 200_000) + `"}`:                                                  "badRequest",
	} {
		if _, err := passkey.ReadProvisioned([]byte(body)); problem.CodeOf(err) != want {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}
