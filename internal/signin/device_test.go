package signin_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// waits registers a command line whose device asks to be let in.
func waits(h *house.House) (app application.Application, codes session.DeviceCodes) {
	h.Helper()
	h.Write(func(q db.Querier) (err error) {
		app, err = application.Create(h.Context(), q, audit.System("test"), h.Now(), application.Application{DisplayName: "Robot console", IsFallbackPublicClient: true})
		if err != nil {
			return err
		}
		codes, err = session.BeginDevice(h.Context(), q, h.Now(), session.Grant{ClientID: app.AppID, Scope: "openid"}, session.Situation{IP: "203.0.113.9", UserAgent: "PowerShell/7 (Windows)"})
		return err
	})
	return app, codes
}

func poll(h *house.House, app application.Application, codes session.DeviceCodes) (session.Granted, string) {
	h.Helper()
	h.Forward(session.DeviceInterval)
	g, err := session.RedeemDevice(h.Context(), h.DB, h.Now(), session.Client{ClientID: app.AppID}, codes.Device, func(session.Granted) error { return nil })
	if err == nil {
		return g, ""
	}
	return g, problem.CodeOf(err)
}

var hiddenFlow = regexp.MustCompile(`name="flow" value="([^"]+)"`)

func flowOf(h *house.House, address string) string {
	h.Helper()
	_, flow, ok := strings.Cut(address, "?flow=")
	if !ok {
		h.Fatalf("no flow in %q", address)
	}
	return flow
}

func TestDeviceSignIn(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, key := h.Settled("ada@contoso.com", "Ada Lovelace")
		app, codes := waits(h)
		h.Forward(session.FreshAge + time.Second) // the proof is old: a click must not do

		if r := b.Get("/devicelogin?user_code=" + codes.User); r.Status != http.StatusOK || !strings.Contains(r.Body, codes.User) {
			t.Fatalf("the address fills the field: %d", r.Status)
		}
		if r := b.Get("/devicelogin?otc=%22%3E%3Cscript%3E"); r.Status != http.StatusOK || strings.Contains(r.Body, "script>\"") {
			t.Errorf("nonsense in the address: %d", r.Status)
		}
		r := b.Form("/devicelogin", "user_code", strings.ToLower(codes.User))
		if r.Status != http.StatusSeeOther || !strings.HasPrefix(r.To(), "/signin?flow=") {
			t.Fatalf("not asked to sign in: %d %q %s", r.Status, r.To(), r.Body)
		}
		flow := flowOf(h, r.To())
		if r := b.Get("/devicelogin/confirm?flow=" + flow); !strings.HasPrefix(r.To(), "/signin?flow=") {
			t.Errorf("asked without a fresh proof: %d %q", r.Status, r.To())
		}
		if _, code := poll(h, app, codes); code != "devicePending" {
			t.Errorf("before the answer: %s", code)
		}
		next := h.SignIn(b, key, flow)
		if next != "/devicelogin/confirm?flow="+flow {
			t.Fatalf("sent to %q", next)
		}
		if row := h.LastSignIn(); row.AuthenticationProtocol != "deviceCode" || row.AppID != app.AppID || row.UserID != ada.ID {
			t.Errorf("sign-in log: %+v", row)
		}
		r = b.Get(next)
		for _, want := range []string{"Robot console", codes.User, "203.0.113.9", "Windows", "Ada Lovelace", "Only continue if you started this"} {
			if !strings.Contains(r.Body, want) {
				t.Errorf("the question does not say %q", want)
			}
		}
		if m := hiddenFlow.FindStringSubmatch(r.Body); m == nil || m[1] != flow {
			t.Fatalf("no flow in %s", r.Body)
		}
		r = b.Form("/devicelogin/confirm", "flow", flow, "answer", "yes")
		if r.Status != http.StatusSeeOther {
			t.Fatalf("answer: %d %s", r.Status, r.Body)
		}
		if r := b.Get(r.To()); !strings.Contains(r.Body, "Your device is signed in") {
			t.Errorf("done: %s", r.Body)
		}
		if g, code := poll(h, app, codes); code != "" || g.UserID != ada.ID {
			t.Errorf("after the answer: %s %+v", code, g)
		}
		if r := b.Form("/devicelogin/confirm", "flow", flow, "answer", "no"); r.Status != http.StatusBadRequest {
			t.Errorf("a second answer: %d", r.Status)
		}
		if r := b.Form("/devicelogin", "user_code", codes.User); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, "There is no such code") {
			t.Errorf("the code once more: %d", r.Status)
		}
	})
}

func TestDeviceRefused(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		app, codes := waits(h)
		h.Forward(time.Second)
		r := b.Form("/devicelogin", "user_code", codes.User) // the proof is of this minute
		if !strings.HasPrefix(r.To(), "/devicelogin/confirm?flow=") {
			t.Fatalf("%d %q", r.Status, r.To())
		}
		flow := flowOf(h, r.To())

		// The address alone is of no use to anybody else, nor in another site's form.
		thief := h.Browser()
		if r := thief.Get("/devicelogin/confirm?flow=" + flow); r.To() != "/devicelogin" {
			t.Errorf("another browser: %d %q", r.Status, r.To())
		}
		if r := thief.Form("/devicelogin/confirm", "flow", flow, "answer", "yes"); r.To() != "/devicelogin" {
			t.Errorf("another browser's answer: %d %q", r.Status, r.To())
		}
		b.From, b.Site = "https://evil.example", "cross-site"
		if r := b.Form("/devicelogin/confirm", "flow", flow, "answer", "yes"); r.Status != http.StatusForbidden {
			t.Errorf("another site's form: %d", r.Status)
		}
		b.From, b.Site = "", ""

		if r := b.Form("/devicelogin/confirm", "flow", flow, "answer", "no"); r.Status != http.StatusSeeOther || !strings.Contains(b.Get(r.To()).Body, "Stopped") {
			t.Errorf("no: %d %s", r.Status, r.Body)
		}
		if _, code := poll(h, app, codes); code != "deviceDeclined" {
			t.Errorf("after no: %s", code)
		}
		if row := h.LastSignIn(); row.Status.ErrorCode != 65004 || row.AuthenticationProtocol != "deviceCode" || row.Status.AdditionalDetails != "deviceDeclined" {
			t.Errorf("sign-in log: %+v", row)
		}
		for _, f := range []string{flowFor(h), "", "/security-info"} { // flows of something else
			if r := b.Form("/devicelogin/confirm", "flow", f, "answer", "yes"); r.To() != "/devicelogin" {
				t.Errorf("flow %q: %d %q", f, r.Status, r.To())
			}
		}
	})
}

func flowFor(h *house.House) string { return flow(h, "Payroll") }

func TestDeviceCodesAreNotGuessed(t *testing.T) {
	house.Each(t, func(h *house.House) {
		_, codes := waits(h)
		b := h.Browser()
		for range 100 {
			if r := b.Form("/devicelogin", "user_code", "BBBB-BBBB"); r.Status != http.StatusBadRequest || !strings.Contains(r.Body, "There is no such code") {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
		if r := b.Form("/devicelogin", "user_code", codes.User); r.Status != http.StatusTooManyRequests || !strings.Contains(r.Body, "Too many tries") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		other := h.Browser()
		other.Address = "198.51.100.200"
		if r := other.Form("/devicelogin", "user_code", codes.User); r.Status != http.StatusSeeOther {
			t.Errorf("another address: %d", r.Status)
		}
		h.Forward(15 * time.Minute)
		if r := b.Form("/devicelogin", "user_code", codes.User); r.Status != http.StatusBadRequest { // its time is over
			t.Errorf("later: %d", r.Status)
		}
	})
}

// TestDeviceSignInByAPass: first steps let no device in; a passkey comes first.
func TestDeviceSignInByAPass(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		u, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		app, codes := waits(h)
		flow := flowOf(h, b.Form("/devicelogin", "user_code", codes.User).To())
		r := b.Form("/signin/temporary-access-pass", "username", u.UserPrincipalName, "secret", h.Pass(u, true), "flow", flow)
		if !strings.HasPrefix(r.To(), "/signin/prompt?flow=") {
			t.Fatalf("%d %q", r.Status, r.To())
		}
		if r := b.Get("/devicelogin/confirm?flow=" + flow); !strings.HasPrefix(r.To(), "/signin?flow=") {
			t.Errorf("first steps: %d %q", r.Status, r.To())
		}
		key := cardeatest.NewAuthenticator()
		h.Register(b, key)
		if next := h.SignIn(b, key, flow); next != "/devicelogin/confirm?flow="+flow {
			t.Fatalf("%q", next)
		}
		if r := b.Form("/devicelogin/confirm", "flow", flow, "answer", "yes"); r.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if g, code := poll(h, app, codes); code != "" || g.UserID != u.ID {
			t.Errorf("%s", code)
		}
	})
}
