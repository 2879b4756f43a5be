package account_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
)

// A key that was prepared is shown on Security info as not active, is activated
// by using it there, and signs in from then on.
func TestActivateOnSecurityInfo(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		key := cardeatest.NewAuthenticator()
		m := h.Prepare(ada, key)
		path := "/security-info/passkeys/" + m.ID + "/activate"
		if p := b.Get("/security-info"); !strings.Contains(p.Body, "Not active yet") || !strings.Contains(p.Body, `href="`+path+`"`) {
			t.Errorf("%s", p.Body)
		}
		if p := b.Get(path); p.Status != 200 || !strings.Contains(p.Body, `data-get="`+path+`"`) || !strings.Contains(p.Body, "Blue key") {
			t.Errorf("%d %s", p.Status, p.Body)
		}
		// Another passkey of the person activates nothing.
		o := h.Options(b, "/signin/again/options", "")
		wrong, err := a.Get(o.PublicKey, house.Origin)
		h.Must(err)
		if r := b.JSON(path, map[string]any{"credential": json.RawMessage(wrong)}); r.Status != 401 || !strings.Contains(r.Body, "passkeyNotUsable") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		before := b.Cookies["__Host-session"]
		r := h.Use(b, key, path, "")
		if r.Status != 200 || !strings.Contains(r.Body, `"next":"/security-info"`) || b.Cookies["__Host-session"] == before {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if p := b.Get("/security-info"); strings.Contains(p.Body, "Not active yet") || !strings.Contains(p.Body, "“Blue key” is active.") || !strings.Contains(p.Body, "Passkey “Blue key” activated") {
			t.Errorf("%s", p.Body)
		}
		if r := b.Get(path); r.To() != "/security-info" {
			t.Errorf("an active one: %d", r.Status)
		}
		if next := h.SignIn(h.Browser(), key, ""); next != "/" {
			t.Error(next)
		}
		// An old proof first signs in again (PK-47); nobody else's key is found.
		other := h.Prepare(h.Person("bo@contoso.com", "Bo"), cardeatest.NewAuthenticator())
		if r := b.Get("/security-info/passkeys/" + other.ID + "/activate"); r.Status != 404 {
			t.Errorf("somebody else's: %d", r.Status)
		}
		h.Forward(6 * time.Minute)
		if r := b.Get(path); !strings.HasPrefix(r.To(), "/signin?next=") {
			t.Errorf("an old proof: %d %s", r.Status, r.To())
		}
	})
}
