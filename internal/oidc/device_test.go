package oidc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/oidc"
	"cardea/internal/session"
)

// tool is a command line: a public client of devices.
func (w *world) tool() application.Application {
	w.Helper()
	return w.app(application.Application{DisplayName: "Tool", IsFallbackPublicClient: true, Cardea: application.Extra{Scopes: []string{"User.Read", "Group.Read.All"}}})
}

type waiting struct {
	UserCode   string `json:"user_code"`
	DeviceCode string `json:"device_code"`
	Address    string `json:"verification_uri"`
	Message    string
	ExpiresIn  float64 `json:"expires_in"`
	Interval   float64
}

func (w *world) device(address string, form url.Values) (out waiting) {
	w.Helper()
	r := w.post(address, form)
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK {
		w.Fatalf("%s: %d %s", address, r.status, r.body)
	}
	return out
}

// say answers for the person as the sign-in edge does.
func (w *world) say(d waiting, s session.Session, yes bool) {
	w.Helper()
	found, err := session.FindDevice(w.Context(), w.d, w.time(), session.CleanUserCode(d.UserCode))
	if err != nil {
		w.Fatal(err)
	}
	w.write(func(q db.Querier) error {
		return session.AnswerDevice(w.Context(), q, w.time(), session.DeviceAnswer{Session: s, User: w.user, Approve: yes, Flow: session.Flow{At: w.time(), Device: found.ID}})
	})
}

// settings edits the edge's configuration.
func (w *world) settings(f func(*oidc.Config)) {
	w.Helper()
	c := w.edge.(*oidc.Provider).Config
	f(&c)
	edge, err := oidc.New(c)
	if err != nil {
		w.Fatal(err)
	}
	w.edge = edge
}

func TestDeviceCodeWC40WC41(t *testing.T) {
	each(t, func(w *world) {
		app := w.tool()
		for i, address := range []string{w.path("/oauth2/v2.0/devicecode"), w.url + "/common/oauth2/v2.0/devicecode", w.url + "/organizations/oauth2/v2.0/devicecode",
			w.url + "/contoso.test/oauth2/v2.0/devicecode", w.url + "/adfs/oauth2/devicecode"} {
			const scope = "https://graph.microsoft.com/User.Read openid offline_access"
			d := w.device(address, url.Values{"client_id": {app.AppID}, "scope": {scope}})
			if d.Address != w.url+"/devicelogin" || d.ExpiresIn != 900 || d.Interval != 5 || !strings.Contains(d.Message, d.UserCode) || !strings.Contains(d.Message, d.Address) {
				t.Errorf("%s: %+v", address, d)
			}
			endpoint := strings.Replace(address, "devicecode", "token", 1)
			form := url.Values{"client_id": {app.AppID}, "client_info": {"1"}, "grant_type": {"device_code"}, "device_code": {d.DeviceCode}, "scope": {scope}}
			if i%2 == 1 { // Python: both names, the other grant type, no scope
				form = url.Values{"client_id": {app.AppID}, "client_info": {"1"}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.DeviceCode}, "code": {d.DeviceCode}}
			}
			w.fails("pending", w.post(endpoint, form), 400, "authorization_pending", 70016)
			w.fails("too fast", w.post(endpoint, form), 400, "slow_down", 70016)
			w.pass(5 * time.Second)
			w.say(d, w.signIn(), true)
			got := w.tokens(w.post(endpoint, form))
			if got["scope"] != scope || got["refresh_token"] == "" || got["id_token"] == "" || got["client_info"] == "" {
				t.Errorf("WC-43: %v", got)
			}
			if a := w.claims(got["access_token"]); a["scp"] != "User.Read openid" || a["oid"] != w.user.ID || a["appidacr"] != "0" || a["acr"] != "phr" {
				t.Errorf("WC-47: %v", a)
			}
			w.fails("again", w.post(endpoint, form), 400, "invalid_grant", 54005)
		}
	})
}

func TestDeviceCodeRefusals(t *testing.T) {
	each(t, func(w *world) {
		app, web := w.tool(), w.wiki()
		begin := func(change ...string) url.Values {
			v := url.Values{"client_id": {app.AppID}, "scope": {"User.Read"}}
			for i := 0; i+1 < len(change); i += 2 {
				v.Set(change[i], change[i+1])
			}
			return v
		}
		ask := func(d waiting) reply {
			return w.token(url.Values{"client_id": {app.AppID}, "grant_type": {"device_code"}, "device_code": {d.DeviceCode}})
		}
		address := w.path("/oauth2/v2.0/devicecode")
		w.fails("not a public client", w.post(address, begin("client_id", web.AppID)), 400, "unauthorized_client", 7000218)
		w.fails("unknown", w.post(address, begin("client_id", "x")), 400, "unauthorized_client", 700016)
		w.fails("no scope", w.post(address, begin("scope", "")), 400, "invalid_request", 900144)
		w.fails("no consent", w.post(address, begin("scope", "Mail.Read")), 400, "invalid_grant", 65001)
		w.fails("GET", w.get(address), 405, "invalid_request", 900561)
		w.fails("consumers", w.post(w.url+"/consumers/oauth2/v2.0/devicecode", begin()), 400, "invalid_request", 9002346)
		w.fails("no code", ask(waiting{}), 400, "invalid_request", 900144)
		w.fails("unknown code", ask(waiting{DeviceCode: "x"}), 400, "bad_verification_code", 70018)
		d := w.device(address, begin())
		w.say(d, w.signIn(), false)
		w.fails("declined", ask(d), 400, "authorization_declined", 65004)
		d = w.device(address, begin())
		w.pass(15 * time.Minute)
		w.fails("expired", ask(d), 400, "expired_token", 70020)
		for range 100 { // a new quarter of an hour has begun
			w.device(address, begin())
		}
		r := w.post(address, begin())
		w.fails("a flood", r, 429, "temporarily_unavailable", 90055)

		w.settings(func(c *oidc.Config) { c.NoDeviceCode = true })
		w.fails("switched off", w.post(address, begin()), 400, "unsupported_grant_type", 70003)
		w.fails("switched off, poll", ask(d), 400, "unsupported_grant_type", 70003)
		if doc := w.json(w.path("/v2.0/.well-known/openid-configuration")); doc["device_authorization_endpoint"] != nil {
			t.Error("discovery names what is off")
		}
	})
}

func TestDeviceAuthLeadsToThePage(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	for query, want := range map[string]string{"": "", "?otc=bcdfghjk": "?user_code=BCDF-GHJK", "?user_code=BCDF-GHJK": "?user_code=BCDF-GHJK", "?otc=%3Cscript%3E": ""} {
		if r := w.get(w.url + "/common/oauth2/deviceauth" + query); r.location != w.url+"/devicelogin"+want {
			t.Errorf("%s: %d %q", query, r.status, r.location)
		}
	}
}

// TestDeviceFlowIsNoAuthorization: the sealed request of a device gives no code
// to an application, and leads to the page that asks.
func TestDeviceFlowIsNoAuthorization(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	app := w.tool()
	w.signIn()
	flow := session.SealFlow(w.ring, session.Flow{At: w.time(), AppID: app.AppID, AppName: "Tool", Device: "d", MaxAge: -1})
	if r := w.get(w.url + "/signin/continue?flow=" + flow); r.location != w.url+"/devicelogin/confirm?flow="+flow {
		t.Errorf("%d %q", r.status, r.location)
	}
}
