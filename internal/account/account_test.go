package account_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
)

// Security info shows what a person has, and signals every stored id (PK-174,
// UX-M2, UX-M5).
func TestInfo_PK174_UXM2_UXM5(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		key := cardeatest.NewAuthenticator(cardeatest.SecurityKey([16]byte{0xcb, 0x69, 0x48, 0x1e, 0x8f, 0xf7, 0x40, 0x39, 0x93, 0xec, 0x0a, 0x27, 0x29, 0xa1, 0x54, 0xa8}))
		h.Register(b, key)
		p := b.Get("/security-info")
		for _, want := range []string{"Synced", "Only on this key", "Used for this sign-in", "Not used yet", "Windows, Edge",
			base64.RawURLEncoding.EncodeToString(a.Passkeys()[0].ID), base64.RawURLEncoding.EncodeToString(key.Passkeys()[0].ID), `data-rp="id.contoso.com"`, `data-name="ada@contoso.com"`} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		for _, never := range []string{"Set a password", "Add an authenticator app"} {
			if strings.Contains(p.Body, never) {
				t.Errorf("%q is offered although it is off", never)
			}
		}
		// Refused by today's rules: marked with the way out, and still signalled (UX-M7).
		h.Policy(`{"passkeyProfiles":[{"id":"00000000-0000-0000-0000-000000000001","name":"Default passkey profile","passkeyTypes":"deviceBound","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]}}]}`)
		p = b.Get("/security-info")
		if !strings.Contains(p.Body, "Not accepted any more") || !strings.Contains(p.Body, "Use a security key") || !strings.Contains(p.Body, base64.RawURLEncoding.EncodeToString(a.Passkeys()[0].ID)) {
			t.Errorf("UX-M7: %s", p.Body)
		}
	})
}

// Nobody who is not signed in sees or changes anything; nothing comes from
// another site (R14).
func TestDoors_R14(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		id := passkeyID(t, b)
		gets := []string{"", "/passkeys/add", "/passkeys/" + id + "/rename", "/passkeys/" + id + "/delete", "/methods/pass/delete", "/app-code", "/password", "/lost", "/sign-out-everywhere"}
		posts := append(gets[2:], "/not-me")
		for _, path := range gets {
			if r := h.Browser().Get("/security-info" + path); !strings.HasPrefix(r.To(), "/signin?next=%2Fsecurity-info") {
				t.Errorf("GET %s: %d %s", path, r.Status, r.To())
			}
		}
		for _, path := range posts {
			if r := h.Browser().Form("/security-info" + path); !strings.HasPrefix(r.To(), "/signin?next=") {
				t.Errorf("POST %s: %d %s", path, r.Status, r.To())
			}
			b.From, b.Site = "https://evil.example", "cross-site"
			if r := b.Form("/security-info" + path); r.Status != http.StatusForbidden {
				t.Errorf("POST %s from another site: %d", path, r.Status)
			}
			b.From, b.Site = "", ""
		}
		for _, path := range []string{"/passkeys/options", "/passkeys"} {
			if r := h.Browser().JSON("/security-info"+path, struct{}{}); r.Status != http.StatusUnauthorized || r.Code() != "signInRequired" {
				t.Errorf("%s: %d %s", path, r.Status, r.Body)
			}
			if r := b.Post("/security-info"+path, "text/plain", "{}"); r.Status != http.StatusBadRequest {
				t.Errorf("%s as text: %d", path, r.Status)
			}
		}
		if h.LastSignIn().UserPrincipalName != "ada@contoso.com" || passkeyID(t, b) != id {
			t.Error("something changed")
		}
	})
}

var renameLink = regexp.MustCompile(`/security-info/passkeys/([^/"]+)/rename`)

// passkeyID is the id of the first passkey on the page.
func passkeyID(t *testing.T, b *cardeatest.Browser) string {
	t.Helper()
	m := renameLink.FindStringSubmatch(b.Get("/security-info").Body)
	if m == nil {
		t.Fatal("no passkey on the page")
	}
	return m[1]
}

// Rename by the form and by the script; a name that does not do is explained
// and stays in the field.
func TestRename_PK174(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		path := "/security-info/passkeys/" + passkeyID(t, b) + "/rename"
		if r := b.Form(path, "displayName", " My desk "); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		p := b.Get("/security-info")
		if !strings.Contains(p.Body, "The passkey is now called “My desk”.") || strings.Contains(b.Get("/security-info").Body, "is now called") {
			t.Errorf("the notice shows once: %s", p.Body)
		}
		long := strings.Repeat("x", 31)
		if r := b.Form(path, "displayName", long); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, "Use 1 to 30 characters.") || !strings.Contains(r.Body, long) {
			t.Errorf("%d", r.Status)
		}
		if r := b.JSON(path, map[string]string{"displayName": "Laptop"}); r.Status != 200 || !strings.Contains(r.Body, `"name":"Laptop"`) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.JSON(path, map[string]string{"displayName": long}); r.Status != http.StatusBadRequest {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// Delete asks by name; the last strong way stays, on the page and by the
// address (PK-132, UX-M4).
func TestDelete_PK132_UXM4(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		first := "/security-info/passkeys/" + passkeyID(t, b) + "/delete"
		if r := b.Get(first); r.Status != 200 || !strings.Contains(r.Body, "This is your only way to sign in") || strings.Contains(r.Body, "btn danger") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Form(first); r.Status != http.StatusConflict || !strings.Contains(r.Body, "only way to sign in") {
			t.Errorf("%d", r.Status)
		}
		second := cardeatest.NewAuthenticator()
		m := h.Register(b, second)
		if r := b.Get(first); !strings.Contains(r.Body, "btn danger") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Form(first); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		p := b.Get("/security-info")
		if !strings.Contains(p.Body, "is deleted. If it still appears in your password manager") || strings.Contains(p.Body, base64.RawURLEncoding.EncodeToString(a.Passkeys()[0].ID)) {
			t.Errorf("UX-M5: %s", p.Body)
		}
		if r := b.Form(first); r.Status != http.StatusNotFound {
			t.Errorf("deleted twice: %d", r.Status)
		}
		// Nobody else's, by the address.
		_, bob, _ := h.Settled("bob@contoso.com", "Bob")
		for _, verb := range []string{"delete", "rename"} {
			path := "/security-info/passkeys/" + m.ID + "/" + verb
			if r := bob.Get(path); r.Status != http.StatusNotFound {
				t.Errorf("GET %s of another: %d", verb, r.Status)
			}
			if r := bob.Form(path, "displayName", "Mine"); r.Status != http.StatusNotFound {
				t.Errorf("POST %s of another: %d", verb, r.Status)
			}
		}
		if have, err := h.Keeper.List(t.Context(), h.DB, ada.ID); err != nil || len(have) != 1 || have[0].DisplayName == "Mine" {
			t.Errorf("%+v %v", have, err)
		}
	})
}

// Changes want a strong proof of the last five minutes, and lead back to where
// the person was (PK-47, UX-C5). Looking and renaming do not.
func TestFresh_PK47_UXC5(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		id := passkeyID(t, b)
		h.Forward(6 * time.Minute)
		for path, want := range map[string]string{
			"/security-info/passkeys/add":               "/signin?next=%2Fsecurity-info%2Fpasskeys%2Fadd",
			"/security-info/passkeys/" + id + "/delete": "/signin?next=%2Fsecurity-info%2Fpasskeys%2F" + id + "%2Fdelete",
			"/security-info/lost":                       "/signin?next=%2Fsecurity-info%2Flost",
			"/security-info":                            "",
			"/security-info/sign-out-everywhere":        "",
		} {
			if r := b.Get(path); r.To() != want {
				t.Errorf("%s leads to %q", path, r.To())
			}
		}
		if r := b.JSON("/security-info/passkeys/options", struct{}{}); r.Code() != "ngcMfaRequired" || r.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Form("/security-info/passkeys/" + id + "/delete"); r.To() != "/signin?next=%2Fsecurity-info" {
			t.Errorf("%d %s", r.Status, r.To())
		}
		h.Use(b, a, "/signin/again", "/security-info/lost")
		if r := b.Get("/security-info/lost"); r.Status != 200 {
			t.Errorf("%d %s", r.Status, r.To())
		}
	})
}

// A refused new passkey names rule, profile and way out, and leaves nothing
// behind (UX-C8, PK-172); the state of another session or person does not do.
func TestRegistrationRefused_UXC8_PK172(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace", cardeatest.SecurityKey([16]byte{1}))
		_, bob, _ := h.Settled("bob@contoso.com", "Bob")
		o := h.Options(bob, "/security-info/passkeys/options", "")
		c, err := cardeatest.NewAuthenticator().Create(o.PublicKey, house.Origin)
		h.Must(err)
		if r := b.JSON("/security-info/passkeys", map[string]any{"state": o.State, "credential": json.RawMessage(c)}); r.Code() != "verificationFailed" {
			t.Errorf("another's challenge: %d %s", r.Status, r.Body)
		}
		evil := h.Options(b, "/security-info/passkeys/options", "")
		c, err = cardeatest.NewAuthenticator().Create(evil.PublicKey, "https://evil.example")
		h.Must(err)
		if r := b.JSON("/security-info/passkeys", map[string]any{"state": evil.State, "credential": json.RawMessage(c)}); r.Code() != "verificationFailed" {
			t.Errorf("another origin: %d %s", r.Status, r.Body)
		}
		h.Policy(`{"passkeyProfiles":[{"id":"00000000-0000-0000-0000-000000000001","name":"Default passkey profile","passkeyTypes":"deviceBound","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]}}]}`)
		r := h.TryRegister(b, cardeatest.NewAuthenticator())
		var said struct {
			Error struct{ Code, Message, Profile, Rule string } `json:"error"`
		}
		h.Must(r.Read(&said))
		if e := said.Error; r.Status != 400 || e.Profile != "Default passkey profile" || e.Rule != "passkeyTypeNotAllowed" || !strings.Contains(e.Message, "security key") {
			t.Errorf("%d %+v", r.Status, e)
		}
		if have, err := h.Keeper.List(t.Context(), h.DB, ada.ID); err != nil || len(have) != 1 {
			t.Errorf("%d %v", len(have), err)
		}
		h.Policy(`{"isSelfServiceRegistrationAllowed":false}`)
		if r := b.JSON("/security-info/passkeys/options", struct{}{}); r.Code() != "featureDisallowedByPolicy" || !strings.Contains(r.Body, "help desk") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if p := b.Get("/security-info"); strings.Contains(p.Body, "/security-info/passkeys/add") {
			t.Error("a passkey is offered that nobody could register")
		}
	})
}

// The owner sees the end of a pass and can delete it; a session of it ends too
// (PK-155, PK-152).
func TestPass_PK155(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		other := h.Browser()
		other.Form("/signin/temporary-access-pass", "username", "ada@contoso.com", "secret", h.Pass(ada, false))
		p := b.Get("/security-info")
		m := regexp.MustCompile(`/security-info/methods/pass/delete\?id=([0-9a-f-]+)`).FindStringSubmatch(p.Body)
		if m == nil || !strings.Contains(p.Body, "Ends") {
			t.Fatalf("no pass on the page: %s", p.Body)
		}
		if r := b.Get(m[0]); !strings.Contains(r.Body, "Delete “Temporary access pass”?") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		if r := b.Form("/security-info/methods/pass/delete", "id", "00000000-0000-0000-0000-000000000000"); r.Status != http.StatusNotFound {
			t.Errorf("another id: %d", r.Status)
		}
		if r := b.Form("/security-info/methods/pass/delete", "id", m[1]); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if r := b.Get("/security-info"); !strings.Contains(r.Body, "Temporary access pass is deleted.") {
			t.Errorf("%s", r.Body)
		}
		if _, in := h.Session(other); in {
			t.Error("the session of the pass went on")
		}
		if all, err := accesspass.List(t.Context(), h.DB, h.Now(), ada.ID); err != nil || len(all) != 0 {
			t.Errorf("%v %v", all, err)
		}
	})
}

// Password and app code: set up where a policy allows them, and gone again;
// the last way in stays.
func TestPasswordAndAppCode(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		for _, path := range []string{"/security-info/password"} {
			if r := b.Get(path); r.Status != http.StatusNotFound {
				t.Errorf("%s while off: %d", path, r.Status)
			}
		}
		if r := b.Get("/security-info/app-code"); r.Status != http.StatusBadRequest {
			t.Errorf("app code while off: %d", r.Status)
		}
		h.Enable("Password")
		h.Enable("SoftwareOath")
		for _, bad := range []struct{ secret, says string }{{"tiny", "too short"}, {"passwordpassword", "known ones"}, {strings.Repeat("long word ", 13), "too long"}} {
			if r := b.Form("/security-info/password", "secret", bad.secret); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, bad.says) || strings.Contains(r.Body, bad.secret) {
				t.Errorf("%q: %d", bad.secret, r.Status)
			}
		}
		if r := b.Form("/security-info/password", "secret", "seven purple teapots"); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if r := b.Form("/security-info/password", "current", "wrong", "secret", "nine yellow lanterns"); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, "The current password is not right") {
			t.Errorf("%d", r.Status)
		}
		if r := b.Form("/security-info/password", "current", "seven purple teapots", "secret", "nine yellow lanterns"); r.To() != "/security-info" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		p := b.Get("/security-info/app-code")
		shown := regexp.MustCompile(`id="secret">([A-Z2-7 ]+)<`).FindStringSubmatch(p.Body)
		state := regexp.MustCompile(`name="state" value="([^"]+)"`).FindStringSubmatch(p.Body)
		if shown == nil || state == nil {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		r := b.Form("/security-info/app-code", "state", state[1], "secret", "000000")
		if r.Status != http.StatusBadRequest || !strings.Contains(r.Body, shown[1]) || !strings.Contains(r.Body, "This code is not right") {
			t.Errorf("after a wrong code the same secret is shown: %d", r.Status)
		}
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(shown[1], " ", ""))
		h.Must(err)
		for _, bad := range []string{"", "AAAA", state[1][:len(state[1])-2]} {
			if r := b.Form("/security-info/app-code", "state", bad, "secret", house.TOTP(secret, h.Now())); r.Status != http.StatusBadRequest {
				t.Errorf("state %.8q: %d", bad, r.Status)
			}
		}
		if r := b.Form("/security-info/app-code", "state", state[1], "secret", house.TOTP(secret, h.Now())); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		p = b.Get("/security-info")
		for _, want := range []string{"The authenticator app is set up.", "Can be phished", "Password changed", "Authenticator app added"} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		// Without a passkey that works these are the only way in.
		h.Policy(`{"state":"disabled"}`)
		if r := b.Get("/security-info/methods/password/delete?id="); !strings.Contains(r.Body, "only way to sign in") || strings.Contains(r.Body, "btn danger") {
			t.Errorf("%d", r.Status)
		}
		if r := b.Form("/security-info/methods/password/delete", "id", ""); r.Status != http.StatusConflict {
			t.Errorf("%d", r.Status)
		}
		h.Policy(`{"state":"enabled"}`)
		code := regexp.MustCompile(`/security-info/methods/code/delete\?id=([0-9a-f-]+)`).FindStringSubmatch(p.Body)
		if code == nil {
			t.Fatal("no app code on the page")
		}
		for _, f := range [][2]string{{"password", ""}, {"code", code[1]}} {
			if r := b.Form("/security-info/methods/"+f[0]+"/delete", "id", f[1]); r.To() != "/security-info" {
				t.Errorf("%s: %d %s", f[0], r.Status, r.Body)
			}
		}
		if p := b.Get("/security-info"); strings.Contains(p.Body, "Can be phished") {
			t.Error("they are still there")
		}
		for _, kind := range []string{"passkey", "x"} {
			if r := b.Form("/security-info/methods/"+kind+"/delete", "id", ""); r.Status != http.StatusNotFound {
				t.Errorf("%s: %d", kind, r.Status)
			}
		}
	})
}
