package signin_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/db"
	"cardea/internal/directory"
)

// A passkey signs in without a user name, on the button and by autofill alike:
// the options name nobody, and a typed name changes nothing (PK-120, PK-167).
func TestPasskeySignIn_PK120_PK167(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		u, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		b := h.Browser()
		if r := b.Get("/signin"); r.Status != 200 || !strings.Contains(r.Body, `data-get="/signin/passkey"`) || b.Cookies["__Host-browser"] == "" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		b.Form("/signin", "username", "ada@contoso.com")
		o := h.Options(b, "/signin/passkey/options", "")
		var options struct {
			Allow            []any  `json:"allowCredentials"`
			UserVerification string `json:"userVerification"`
		}
		h.Must(json.Unmarshal(o.PublicKey, &options))
		if len(options.Allow) != 0 || options.UserVerification != "required" || o.State == "" {
			t.Errorf("%s", o.PublicKey)
		}
		if next := h.SignIn(b, a, ""); next != "/" {
			t.Errorf("next %q", next)
		}
		s, ok := h.Session(b)
		if !ok || s.UserID != u.ID || !s.Proved() || s.Client != "Windows, Edge" || s.IP != "192.0.2.7" {
			t.Errorf("%+v, %v", s, ok)
		}
		if r := b.Get("/"); r.Status != 200 || !strings.Contains(r.Body, "Hello, Ada Lovelace") {
			t.Errorf("home: %d", r.Status)
		}
		if r := b.Get("/signin"); r.To() != "/" {
			t.Errorf("signed in already: %d %s", r.Status, r.To())
		}
	})
}

// Where the person goes afterwards is bound to the challenge, and is a page of
// ours or the application's sealed request.
func TestNext(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		sealed := flow(h, "Payroll")
		for flow, want := range map[string]string{"": "/", "/security-info": "/security-info", sealed: "/signin/continue?flow=" + sealed, "//evil.example": "/", "/\\evil.example": "/"} {
			if next := h.SignIn(h.Browser(), a, flow); next != want {
				t.Errorf("%q leads to %q, want %q", flow, next, want)
			}
		}
		if r := h.Browser().Get("/signin?flow=" + sealed); !strings.Contains(r.Body, "to continue to Payroll") {
			t.Errorf("%d: the application is not named", r.Status)
		}
		if row := h.LastSignIn(); row.Status.ErrorCode != 0 {
			t.Errorf("%+v", row.Status)
		}
		b := h.Browser()
		o := h.Options(b, "/signin/passkey/options", "")
		c, err := a.Get(o.PublicKey, house.Origin)
		h.Must(err)
		if r := b.JSON("/signin/passkey", map[string]any{"state": o.State + "/security-info", "credential": json.RawMessage(c)}); r.Code() != "passkeyNotUsable" {
			t.Errorf("another destination was put in: %d %s", r.Status, r.Body)
		}
		for _, broken := range []string{"x", strings.Repeat("A", 300), sealed[:len(sealed)-2]} {
			if r := b.Get("/signin?flow=" + broken); r.Status != http.StatusBadRequest {
				t.Errorf("broken flow: %d", r.Status)
			}
		}
	})
}

// silence is an answer before proof, without what differs between any two.
func silence(t *testing.T, r cardeatest.Reply) string {
	t.Helper()
	head := maps.Clone(map[string][]string(r.Header))
	id := r.Header.Get("X-Correlation-Id")
	if len(id) != 36 || r.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("headers: %v", r.Header)
	}
	delete(head, "X-Correlation-Id")
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	return string(rune(r.Status)) + string(text) + strings.ReplaceAll(r.Body, id, "")
}

// Unknown passkey, wrong signature, wrong handle, spent challenge, another
// browser's challenge, wrong origin, a disabled person's wrong signature: one
// answer, byte for byte (PK-119, PK-121), and the truth in the log (PK-123).
func TestSilence_PK119_PK121_PK123(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		off, _, hers := h.Settled("off@contoso.com", "Off Duty")
		h.Write(func(q db.Querier) error {
			_, err := directory.UpdateUser(h.Context(), q, h.Admin, h.Now(), off.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		flip := func(sig []byte) []byte { sig[len(sig)-1] ^= 1; return sig }
		stranger := a.Clone()
		_, err := stranger.Create([]byte(`{"rp":{"id":"id.contoso.com"},"user":{"id":"`+strings.Repeat("A", 43)+`"},"challenge":"AAAA","pubKeyCredParams":[{"alg":-7}]}`), house.Origin)
		h.Must(err)
		type row struct {
			name   string
			device *cardeatest.Authenticator
			origin string
			edit   func(o *house.Begun, b **cardeatest.Browser)
			code   int
			fact   string
		}
		forged, forgedOff, noHandle := a.Clone(), hers.Clone(), a.Clone()
		forged.EditSignature, forgedOff.EditSignature, noHandle.OmitHandle = flip, flip, true
		seen := map[string]string{}
		for _, c := range []row{
			{"unknown passkey", stranger, house.Origin, nil, 135010, "credentialUnknown"},
			{"wrong signature", forged, house.Origin, nil, 500121, ""},
			{"disabled person, wrong signature", forgedOff, house.Origin, nil, 500121, ""},
			{"no handle", noHandle, house.Origin, nil, 500121, ""},
			{"wrong origin", a, "https://id.contoso.com.evil.example", nil, 500121, "originMismatch"},
			{"state of another browser", a, house.Origin, func(_ *house.Begun, b **cardeatest.Browser) { *b = h.Browser(); (*b).Get("/signin") }, 0, ""},
			{"browser without its cookie", a, house.Origin, func(_ *house.Begun, b **cardeatest.Browser) { *b = h.Browser() }, 0, ""},
		} {
			b := h.Browser()
			b.Get("/signin")
			o := h.Options(b, "/signin/passkey/options", "")
			if c.edit != nil {
				c.edit(&o, &b)
			}
			cred, err := c.device.Get(o.PublicKey, c.origin)
			h.Must(err)
			r := b.JSON("/signin/passkey", map[string]any{"state": o.State, "credential": json.RawMessage(cred)})
			seen[silence(t, r)] += c.name + "; "
			if _, in := h.Session(b); in || r.Code() != "passkeyNotUsable" || r.Status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", c.name, r.Status, r.Body)
			}
			if last := h.LastSignIn(); c.code != 0 && (last.Status.ErrorCode != c.code || c.fact != "" && last.Status.AdditionalDetails != c.fact) {
				t.Errorf("%s: the log says %+v", c.name, last.Status)
			}
		}
		b := h.Browser()
		b.Get("/signin")
		o := h.Options(b, "/signin/passkey/options", "")
		cred, err := a.Get(o.PublicKey, house.Origin)
		h.Must(err)
		body := map[string]any{"state": o.State, "credential": json.RawMessage(cred)}
		if r := b.JSON("/signin/passkey", body); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		delete(b.Cookies, "__Host-session")
		h.Forward(time.Second)
		seen[silence(t, b.JSON("/signin/passkey", body))] += "spent; "
		if len(seen) != 1 {
			t.Errorf("the answers differ: %q", seen)
		}
		if last := h.LastSignIn(); last.Status.AdditionalDetails != "challengeSpent" {
			t.Errorf("%+v", last.Status)
		}
	})
}

// A page that was open too long may say so: it is about no person (PK-121,
// UX-E9). New options then do.
func TestExpired_PK121_UXE9(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		b := h.Browser()
		o := h.Options(b, "/signin/passkey/options", "")
		h.Forward(11 * time.Minute)
		c, err := a.Get(o.PublicKey, house.Origin)
		h.Must(err)
		if r := b.JSON("/signin/passkey", map[string]any{"state": o.State, "credential": json.RawMessage(c)}); r.Status != 400 || r.Code() != "challengeExpired" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		h.SignIn(b, a, "")
	})
}

// Two finishes of one challenge give one session (PK-118: all or nothing).
func TestParallel_PK118(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		b := h.Browser()
		o := h.Options(b, "/signin/passkey/options", "")
		c, err := a.Get(o.PublicKey, house.Origin)
		h.Must(err)
		var wait sync.WaitGroup
		status := make([]int, 6)
		for i := range status {
			twin := h.Browser()
			twin.Cookies = maps.Clone(b.Cookies)
			wait.Go(func() {
				status[i] = twin.JSON("/signin/passkey", map[string]any{"state": o.State, "credential": json.RawMessage(c)}).Status
			})
		}
		wait.Wait()
		n := 0
		for _, s := range status {
			if s == 200 {
				n++
			} else if s != 401 {
				t.Errorf("status %d", s)
			}
		}
		if n != 1 {
			t.Errorf("%d sessions: %v", n, status)
		}
	})
}

// After proof the person hears rule, profile and way out (PK-117, PK-122,
// PK-172), on a page with the id that stands in the log (UX-E8).
func TestRefusedAfterProof_PK117_PK122_PK172(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		h.Policy(`{"passkeyProfiles":[{"id":"00000000-0000-0000-0000-000000000001","name":"Default passkey profile","passkeyTypes":"deviceBound","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]}}]}`)
		b := h.Browser()
		r := h.Use(b, a, "/signin/passkey", "")
		var said struct {
			Error struct{ Code, Message, Profile, Rule, Help, CorrelationID string } `json:"error"`
		}
		h.Must(r.Read(&said))
		if e := said.Error; r.Status != 403 || e.Profile != "Default passkey profile" || e.Rule != "passkeyTypeNotAllowed" || !strings.Contains(e.Message, "Use a security key") || e.Help != "/help/errors/"+e.Code {
			t.Errorf("%d %+v", r.Status, e)
		}
		if _, in := h.Session(b); in {
			t.Error("a session was opened")
		}
		last := h.LastSignIn()
		if last.Status.ErrorCode != 500121 || last.Status.AdditionalDetails != "passkeyTypeNotAllowed" || last.CorrelationID != said.Error.CorrelationID {
			t.Errorf("%+v", last)
		}
		p := b.Get("/signin/blocked?flow=")
		for _, want := range []string{"Default passkey profile", "passkeyTypeNotAllowed", "Use a security key", last.CorrelationID, `data-copy="facts"`, "/signin/other"} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("the page does not say %q", want)
			}
		}
		if r := h.Browser().Get("/signin/blocked"); r.To() != "/signin" {
			t.Errorf("nothing was refused there: %d %s", r.Status, r.To())
		}
		forged := h.Browser()
		forged.Cookies["__Host-blocked"] = "AAAA" + b.Cookies["__Host-blocked"]
		if r := forged.Get("/signin/blocked"); r.To() != "/signin" {
			t.Errorf("a forged refusal was shown: %d", r.Status)
		}
		h.Forward(11 * time.Minute)
		if r := b.Get("/signin/blocked"); r.To() != "/signin" {
			t.Errorf("an old refusal was shown: %d", r.Status)
		}
	})
}

// A disabled person is told so only after proof.
func TestDisabled_PK122(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		u, old, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		h.Write(func(q db.Querier) error {
			_, err := directory.UpdateUser(h.Context(), q, h.Admin, h.Now(), u.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		if _, in := h.Session(old); in {
			t.Error("the session went on")
		}
		b := h.Browser()
		if r := h.Use(b, a, "/signin/passkey", ""); r.Status != 403 || r.Code() != "userDisabled" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Get("/signin/blocked"); !strings.Contains(r.Body, "switched off") {
			t.Errorf("%d", r.Status)
		}
	})
}

// Nothing unsafe comes from another site, and nothing but JSON is read (R14).
func TestOtherSites_R14(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		for _, path := range []string{"/signin", "/signin/passkey", "/signin/passkey/options", "/signin/again", "/signin/temporary-access-pass", "/signin/password", "/signin/app-code",
			"/signout", "/setup", "/enrol", "/signin/report", "/signin/prompt/skip", "/signin/prompt/problem"} {
			b.From, b.Site = "https://evil.example", "cross-site"
			for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json"} {
				if r := b.Post(path, kind, "{}"); r.Status != http.StatusForbidden {
					t.Errorf("%s from another site as %s: %d", path, kind, r.Status)
				}
			}
			b.From, b.Site = "", ""
			if r := b.Post(path, "text/plain", "{}"); r.Status != http.StatusBadRequest {
				t.Errorf("%s as text: %d", path, r.Status)
			}
		}
		if _, in := h.Session(b); !in {
			t.Error("signed out by another site")
		}
		for _, body := range []string{"", "{", `{"flow":1}`, `{"other":""}`, `{}{}`, `[]`, "{\"flow\":\"" + strings.Repeat("x", 70<<10) + "\"}"} {
			if r := b.Post("/signin/passkey/options", "application/json", body); r.Status != http.StatusBadRequest {
				t.Errorf("%.20q: %d", body, r.Status)
			}
		}
	})
}

// "Again" accepts the signed-in person's passkeys only, keeps the session and
// changes its token (UX-S8, PK-47).
func TestAgain_UXS8_PK47(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		_, _, bobs := h.Settled("bob@contoso.com", "Bob")
		before, token := mustSession(h, b), b.Cookies["__Host-session"]
		h.Forward(20 * time.Minute)
		r := b.Get("/signin?next=/security-info/passkeys/add")
		if !strings.Contains(r.Body, "Ada Lovelace, please use your passkey once more") || !strings.Contains(r.Body, `data-get="/signin/again"`) {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		o := h.Options(b, "/signin/again/options", "/security-info/passkeys/add")
		if n := strings.Count(string(o.PublicKey), `"type":"public-key"`); n != 1 {
			t.Errorf("%d passkeys in %s", n, o.PublicKey)
		}
		if _, err := bobs.Get(o.PublicKey, house.Origin); err == nil {
			t.Error("the list lets another person's passkey in")
		}
		// A client that ignores the list: Bob's passkey, and Ada's session.
		free := h.Options(b, "/signin/passkey/options", "/security-info/passkeys/add")
		c, err := bobs.Get(free.PublicKey, house.Origin)
		h.Must(err)
		if r := b.JSON("/signin/again", map[string]any{"state": free.State, "credential": json.RawMessage(c)}); r.Code() != "passkeyNotUsable" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		reply := h.Use(b, a, "/signin/again", "/security-info/passkeys/add")
		if reply.Status != 200 || !strings.Contains(reply.Body, `"/security-info/passkeys/add"`) {
			t.Fatalf("%d %s", reply.Status, reply.Body)
		}
		after := mustSession(h, b)
		if after.ID != before.ID || !after.Strong(h.Now(), time.Second) || b.Cookies["__Host-session"] == token {
			t.Errorf("before %+v, after %+v", before, after)
		}
		if r := b.Get("/security-info/passkeys/add"); r.Status != 200 {
			t.Errorf("%d", r.Status)
		}
	})
}

// A failed ceremony is counted by name and kind, and says nothing about
// anybody (UX-E7).
func TestReport_UXE7(t *testing.T) {
	house.Each(t, func(h *house.House) {
		b := h.Browser()
		if r := b.JSON("/signin/report", map[string]string{"kind": "get", "name": "NotAllowedError"}); r.Status != http.StatusNoContent || r.Body != "" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		var n int64
		h.Must(h.DB.QueryRowContext(t.Context(), `SELECT count FROM daily_counters WHERE kind = 'ceremonyFailed' AND key = 'get|NotAllowedError|Windows, Edge'`).Scan(&n))
		if n != 1 {
			t.Errorf("counted %d", n)
		}
		for _, bad := range []string{"", "a b", "ä", strings.Repeat("x", 41), "a|b"} {
			if r := b.JSON("/signin/report", map[string]string{"kind": "get", "name": bad}); r.Status != http.StatusBadRequest {
				t.Errorf("%q: %d", bad, r.Status)
			}
		}
		rows, err := audit.SignIns(t.Context(), h.DB, audit.Query{})
		if err != nil || len(rows) != 0 {
			t.Errorf("UX-S5: a closed prompt is no failed attempt: %v %v", rows, err)
		}
	})
}

// Every cookie is for this host alone and out of reach of scripts.
func TestCookies(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, _, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		b := h.Browser()
		for _, r := range []cardeatest.Reply{b.Get("/signin"), b.Form("/signin", "username", "ada"), h.Use(b, a, "/signin/passkey", "")} {
			for _, c := range r.Header["Set-Cookie"] {
				if !regexp.MustCompile(`^__Host-\w+=[^;]*; Path=/; (Max-Age=\d+; )?HttpOnly; Secure; SameSite=Lax$`).MatchString(c) {
					t.Errorf("cookie %q", c)
				}
			}
		}
	})
}
