package graph

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// TestWithoutExtensions: DO-50, what is Cardea's own goes on demand, and comes
// only where it has content; WC-86, links that Graph PowerShell moves back to us.
func TestWithoutExtensions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, target := range []string{"/v1.0/organization", "/v1.0/applications/" + w.app.ID, "/v1.0" + configsPath + "/fido2"} {
			if rec := w.request("GET", target, "admin", nil, nil); target != "/v1.0"+configsPath+"/fido2" && !strings.Contains(rec.Body.String(), `"cardea":`) {
				t.Errorf("DO-50: %s has nothing of ours: %s", target, rec.Body)
			}
			rec := w.request("GET", target, "admin", nil, http.Header{"Prefer": {"cardea-extensions=none"}})
			if rec.Code != 200 || strings.Contains(rec.Body.String(), `"cardea"`) || rec.Header().Get("Preference-Applied") != "cardea-extensions=none" {
				t.Errorf("DO-50: %s: %d %q %.300s", target, rec.Code, rec.Header().Get("Preference-Applied"), rec.Body)
			}
		}
		if _, ok := w.get("/v1.0/users/"+w.ids["ada"], "reader")["cardea"]; ok {
			t.Error("DO-50: sent without content")
		}
		for on, host := range map[bool]string{false: "https://id.contoso.test/", true: "https://graph.microsoft.com/"} {
			w.api.PowerShellLinks = on
			for sdk, want := range map[string]string{"graph-powershell/2.30": host, "graph-go/1.89.0": "https://id.contoso.test/"} {
				rec := w.request("GET", "/v1.0/users?$top=2", "reader", nil, http.Header{"Sdkversion": {sdk}})
				var page struct {
					Next string `json:"@odata.nextLink"`
				}
				if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil || !strings.HasPrefix(page.Next, want+"v1.0/users?") {
					t.Errorf("WC-86: %v for %s: %q, want %s", on, sdk, page.Next, want)
				}
			}
		}
	})
}
