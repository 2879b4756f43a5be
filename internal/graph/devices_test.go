package graph

import (
	"net/http"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// TestDevices: lists that clients walk, which are empty (§1.3).
func TestDevices(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ada := "/v1.0/users/" + w.ids["ada"]
		for _, target := range []string{"/v1.0/devices", "/beta/devices?$filter=displayName eq 'PC' and accountEnabled eq true&$orderby=displayName&$top=5&$select=id,deviceId", ada + "/ownedDevices", ada + "/registeredDevices"} {
			if got := w.get(target, "reader"); len(got["value"].([]any)) != 0 || got["@odata.nextLink"] != nil {
				t.Errorf("%s: %v", target, got)
			}
		}
		if rec := w.request("GET", "/v1.0/devices/$count", "reader", nil, http.Header{"Consistencylevel": {"eventual"}}); rec.Code != 200 || rec.Body.String() != "0" {
			t.Errorf("$count: %d %s", rec.Code, rec.Body)
		}
		w.do(404, "GET", "/v1.0/devices/01890000-0000-7000-8000-000000000001", "reader", "")
		w.do(404, "GET", "/v1.0/devices(deviceId='01890000-0000-7000-8000-000000000001')", "reader", "")
		w.do(400, "GET", "/v1.0/devices?$filter=shoe eq 1", "reader", "")
		w.do(405, "POST", "/v1.0/devices", "admin", `{}`)
		w.do(403, "GET", "/v1.0/devices", "guest", "")
	})
}
