package signin_test

import (
	"net/http"
	"strings"
	"testing"

	"cardea/internal/accesspass"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/passkey"
)

// A prepared key alone opens nothing, and the page says what to do; after a
// Temporary Access Pass it is offered, activated by use, and signs in.
func TestActivateAfterAPass(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		h.Policy(`{"isSelfServiceRegistrationAllowed": false}`) // keys come from administrators only (PK-60)
		for _, once := range []bool{true, false} {
			name := map[bool]string{true: "ada@contoso.com", false: "bo@contoso.com"}[once]
			u, b, key := h.Person(name, "Ada Lovelace"), h.Browser(), cardeatest.NewAuthenticator()
			m := h.Prepare(u, key)
			r := h.Use(b, key, "/signin/passkey", "")
			if r.Status != http.StatusForbidden || !strings.Contains(r.Body, `"passkeyDisabled"`) {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			if p := b.Get("/signin/blocked"); !strings.Contains(p.Body, "Temporary Access Pass") || !strings.Contains(p.Body, "/signin/other") {
				t.Errorf("PK-172: %s", p.Body)
			}
			if row := h.LastSignIn(); row.Status.AdditionalDetails != "passkeyDisabled" {
				t.Errorf("%+v", row.Status)
			}
			if _, in := h.Session(b); in {
				t.Fatal("signed in")
			}
			if r := b.Form("/signin/temporary-access-pass", "username", name, "secret", h.Pass(u, once), "flow", "/security-info"); r.To() != "/signin/prompt?flow=%2Fsecurity-info" {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			p := b.Get("/signin/prompt?flow=%2Fsecurity-info")
			if p.Status != 200 || !strings.Contains(p.Body, "Activate your security key") || !strings.Contains(p.Body, "Blue key") || strings.Contains(p.Body, "/signin/prompt/skip") == once {
				t.Fatalf("once %v: %d %s", once, p.Status, p.Body)
			}
			if r := h.Use(b, key, "/signin/again", "/security-info"); r.Status != 200 || !strings.Contains(r.Body, `"next":"/security-info"`) {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			s, in := h.Session(b)
			if got, err := h.Keeper.Get(t.Context(), h.DB, u.ID, m.ID); !in || s.FirstSteps() || s.PasskeyID != m.Key || err != nil || got.Cardea.State != passkey.Enabled {
				t.Errorf("%+v %+v %v", s, got, err)
			}
			h.SignIn(h.Browser(), key, "")
		}
	})
}

// An enrolment link leads to the prepared key first; who does not have it at
// hand makes another passkey.
func TestActivateAfterALink(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b := h.Person("ada@contoso.com", "Ada Lovelace"), h.Browser()
		h.Prepare(ada, cardeatest.NewAuthenticator())
		b.Form("/enrol", "token", h.Link(accesspass.EnrolmentLink, ada.ID))
		if r := b.Get("/enrol/passkey"); r.To() != "/signin/prompt" {
			t.Fatalf("%d %s", r.Status, r.To())
		}
		if p := b.Get("/signin/prompt"); !strings.Contains(p.Body, `href="/signin/prompt?new=1"`) {
			t.Fatalf("%s", p.Body)
		}
		if p := b.Get("/signin/prompt?new=1"); !strings.Contains(p.Body, `id="create"`) {
			t.Errorf("%s", p.Body)
		}
		a := cardeatest.NewAuthenticator()
		h.Register(b, a)
		h.SignIn(b, a, "")
	})
}

// Somebody else's session vouches for nobody.
func TestActivateNotForOthers(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		key := cardeatest.NewAuthenticator()
		h.Prepare(h.Person("bo@contoso.com", "Bo"), key)
		if r := h.Use(b, key, "/signin/passkey", ""); r.Status != http.StatusForbidden || !strings.Contains(r.Body, "passkeyDisabled") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
