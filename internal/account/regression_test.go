package account_test

import (
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
)

// TestFirstStepsRename_regression: who came by a link names the passkey that
// they just made, and no other of the person's.
func TestFirstStepsRename_regression(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		old := "/security-info/passkeys/" + passkeyID(t, b) + "/rename"
		h.Forward(time.Hour)
		thief := h.Browser()
		if r := thief.Form("/enrol", "token", h.Link(accesspass.EnrolmentLink, ada.ID)); r.To() != "/enrol/passkey" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if r := thief.JSON(old, map[string]string{"displayName": "Mine"}); r.Status != 401 {
			t.Errorf("by the script: %d %s", r.Status, r.Body)
		}
		if r := thief.Form(old, "displayName", "Mine"); r.Status != 303 || r.To() == "/security-info" {
			t.Errorf("by the form: %d %s", r.Status, r.To())
		}
		made := h.Register(thief, cardeatest.NewAuthenticator())
		if r := thief.JSON("/security-info/passkeys/"+made.ID+"/rename", map[string]string{"displayName": "Desk"}); r.Status != 200 {
			t.Errorf("the new one: %d %s", r.Status, r.Body)
		}
	})
}
