package signin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cardea/internal/cardeatest/house"
)

// Entra's pages ask addresses of their own which passkeys a name has. There are
// none here, and nothing that is answered before proof names a credential
// (PK-120, PK-173).
func TestNothingNamesACredentialBeforeProof_PK173(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		have, err := h.Keeper.List(t.Context(), h.DB, ada.ID)
		h.Must(err)
		b = h.Browser()
		for _, path := range []string{"/common/GetCredentialType", "/common/fido/get", "/common/SAS/BeginAuth", "/common/login", "/contoso.com/GetCredentialType"} {
			if r := b.JSON(path, map[string]any{"username": "ada@contoso.com", "isFidoSupported": true}); r.Status != 404 && r.Status != 405 {
				t.Errorf("%s: %d", path, r.Status)
			}
		}
		o := h.Options(b, "/signin/passkey/options", "")
		var options map[string]json.RawMessage
		h.Must(json.Unmarshal(o.PublicKey, &options))
		if list, ok := options["allowCredentials"]; ok && string(list) != "[]" {
			t.Errorf("PK-120: %s", list)
		}
		b.Form("/signin", "username", "ada@contoso.com")
		for _, path := range []string{"/signin", "/signin/other", "/signin/password", "/signin/temporary-access-pass", "/signin/help"} {
			if p := b.Get(path); strings.Contains(p.Body, strings.TrimRight(have[0].ID, "012")) {
				t.Errorf("%s names a credential", path)
			}
		}
	})
}
