package oidc_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/application"
)

// The rules of wire-compatibility.md §1.4 … §1.8, each row with its id.

// TestAddresses: WC-20 … WC-23, every tenant's spelling, in any case, with and
// without a slash at the end.
func TestAddresses(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	for _, c := range []struct {
		rule, method, path string
		status             int
		holds              string
	}{
		{"WC-20", "GET", "/v2.0/.well-known/openid-configuration", 200, `"issuer":"` + w.path("/v2.0") + `"`},
		{"WC-21", "GET", "/.well-known/openid-configuration", 200, `"userinfo_endpoint":"` + w.path("/openid/userinfo") + `"`},
		{"WC-22", "GET", "/discovery/v2.0/keys", 200, `"keys":[`},
		{"WC-23 authorize", "GET", "/oauth2/v2.0/authorize", 400, "<html"},
		{"WC-23 token", "POST", "/oauth2/v2.0/token", 400, `"error":"invalid_request"`},
		{"WC-23 devicecode", "POST", "/oauth2/v2.0/devicecode", 400, `"error":"`},
		{"WC-23 logout", "GET", "/oauth2/v2.0/logout", 0, ""},
	} {
		for _, tenant := range []string{w.tid, strings.ToUpper(w.tid), "contoso.test", "common", "organizations"} {
			for _, path := range []string{c.path, c.path + "/", c.path + "?", strings.ToUpper(c.path)} {
				req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+"/"+tenant+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r := w.do(req)
				if c.status != 0 && r.status != c.status || c.status == 0 && (r.status == 404 || r.status >= 500) || !strings.Contains(r.body, c.holds) {
					t.Errorf("%s: %s /%s%s: %d %.300s", c.rule, c.method, tenant, path, r.status, r.body)
				}
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+"/consumers"+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.do(req); r.status != 400 || r.body == "" {
			t.Errorf("%s: consumers get a polite refusal: %d %.200s", c.rule, r.status, r.body)
		}
	}
}

// TestClientCredentials: WC-29, WC-33, WC-34, WC-36, WC-44, WC-47, WC-48.
func TestClientCredentials(t *testing.T) {
	each(t, func(w *world) {
		app := w.app(application.Application{DisplayName: "Job", Cardea: application.Extra{Permissions: []string{"User.Read.All"}}})
		secret := w.secret(app)
		inBody := url.Values{"client_id": {app.AppID}, "client_secret": {secret}}
		basic := func(r *http.Request) { r.SetBasicAuth(app.AppID, url.QueryEscape(secret)) }
		for _, c := range []struct {
			rule, scope string
			form        url.Values
			change      []func(*http.Request)
		}{
			{"WC-36, secret in the body", "https://graph.microsoft.com/.default", inBody, nil},
			{"WC-36, Basic", "https://graph.microsoft.com/.default", url.Values{}, []func(*http.Request){basic}},
			{"WC-34, MSAL for Go adds scopes", "https://graph.microsoft.com/.default openid offline_access profile", inBody, nil},
			{"WC-48, however the resource is named", "00000003-0000-0000-c000-000000000000/.default", inBody, nil},
			{"WC-48, our host", w.url + "/.default", inBody, nil},
			{"WC-31, WC-48, two slashes", w.url + "//.default", inBody, nil},
			{"WC-31, WC-48, two slashes", "https://graph.microsoft.com//.default", inBody, nil},
		} {
			form := url.Values{"grant_type": {"client_credentials"}, "scope": {c.scope}}
			for name, v := range c.form {
				form[name] = v
			}
			r := w.token(form, c.change...)
			got := w.tokens(r)
			if _, sent := got["scope"]; sent || got["refresh_token"] != nil || got["id_token"] != nil {
				t.Errorf("WC-33, %s: %s", c.rule, r.body)
			}
			if !strings.Contains(r.body, `"access_token":"`) || strings.ContainsAny(r.body, " \n\t") {
				t.Errorf("WC-44, %s: %s", c.rule, r.body)
			}
			a := w.claims(got["access_token"])
			if a["aud"] != "00000003-0000-0000-c000-000000000000" {
				t.Errorf("WC-48, %s: aud %v", c.rule, a["aud"])
			}
			if a["iss"] != w.path("/v2.0") {
				t.Errorf("WC-29, %s: iss %v", c.rule, a["iss"])
			}
			if roles, _ := a["roles"].([]any); len(roles) != 1 || roles[0] != "User.Read.All" || a["idtyp"] != "app" || strings.Count(got["access_token"].(string), ".") != 2 {
				t.Errorf("WC-47, %s: %v", c.rule, a)
			}
		}
	})
}

// TestEcho: WC-32, whatever spelling a person's client asks for comes back
// letter by letter, in every flow.
func TestEcho(t *testing.T) {
	each(t, func(w *world) {
		app, tool := w.wiki(), w.tool()
		s := w.signIn()
		for _, scope := range []string{"User.Read", "https://graph.microsoft.com/User.Read openid profile offline_access", w.url + "/user.read offline_access", "00000003-0000-0000-c000-000000000000//User.Read", "https://graph.microsoft.com/.default openid"} {
			holds := func(flow string, got map[string]any) {
				t.Helper()
				back := strings.Fields(got["scope"].(string))
				for want := range strings.FieldsSeq(scope) {
					if found := strings.Contains(" "+strings.Join(back, " ")+" ", " "+want+" "); !found {
						t.Errorf("WC-32, %s: %q is not in %q", flow, want, got["scope"])
					}
				}
				if a := w.claims(got["access_token"]); a["iss"] != w.path("/v2.0") || a["aud"] != "00000003-0000-0000-c000-000000000000" {
					t.Errorf("WC-29, WC-48, %s: %v %v", flow, a["iss"], a["aud"])
				}
			}
			got := w.tokens(w.token(redeem(app, w.code(request(app, "scope", scope+" offline_access")))))
			holds("code", got)
			holds("refresh", w.tokens(w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}, "scope": {scope}})))
			d := w.device(w.path("/oauth2/v2.0/devicecode"), url.Values{"client_id": {tool.AppID}, "scope": {scope}})
			w.say(d, s, true)
			// WC-41: Python sends both names, and no scope: then those of the request count.
			holds("WC-41, device", w.tokens(w.token(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {tool.AppID}, "device_code": {d.DeviceCode}, "code": {d.DeviceCode}})))
		}
	})
}

// TestState: WC-52, state comes back byte for byte, in the query and in the
// fragment, whatever it holds; WC-55, it may be missing.
func TestState(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	app := w.wiki()
	w.signIn()
	msal := base64.StdEncoding.EncodeToString([]byte(`{"id":"0","meta":{"interactionType":"redirect"}}`)) + "|user state"
	for _, state := range []string{msal, "a%3Db", "a=b&c=d", "ü ☃", "x+y z", `"><script>`, "%"} {
		for _, mode := range []string{"query", "fragment"} {
			r := w.authorize(request(app, "state", state, "response_mode", mode, "redirect_uri", "https://wiki.example.com/spa"))
			at := strings.IndexAny(r.location, "?#")
			if at < 0 {
				t.Fatalf("WC-52: %d %s", r.status, r.body)
			}
			// As clients read it: cut at & and =, decoded once.
			got := ""
			for pair := range strings.SplitSeq(r.location[at+1:], "&") {
				if v, ok := strings.CutPrefix(pair, "state="); ok {
					var err error
					if got, err = url.QueryUnescape(v); err != nil {
						t.Errorf("WC-52: %q: %v", v, err)
					}
				}
			}
			if got != state {
				t.Errorf("WC-52: %s: %q came back as %q", mode, state, got)
			}
		}
		if r := w.authorize(request(app, "state", state, "response_mode", "form_post")); r.status != 200 || r.location != "" {
			t.Errorf("WC-53: form_post: %d %q", r.status, r.location)
		}
	}
	if a := w.answered(w.authorize(request(app, "state", "", "nonce", "", "response_mode", ""))); a.Get("code") == "" || a.Has("state") {
		t.Errorf("WC-55: %v", a)
	}
}

// TestGraphPowerShell: WC-84, its client exists in a fresh Cardea with its own
// id, is public, and comes back to any port of this machine.
func TestGraphPowerShell(t *testing.T) {
	each(t, func(w *world) {
		if err := application.EnsureBuiltIn(t.Context(), w.d, w.time()); err != nil {
			t.Fatal(err)
		}
		w.signIn()
		app := application.Application{AppID: "14d82eec-204b-4c2f-b7e8-296a70dab67e"}
		for _, redirect := range []string{"http://localhost", "http://localhost:51234", "http://localhost:80"} {
			got := w.tokens(w.token(redeem(app, w.code(request(app, "redirect_uri", redirect, "scope", "User.Read openid")), "redirect_uri", redirect)))
			if got["scope"] != "User.Read openid" {
				t.Errorf("WC-84: %s: %v", redirect, got["scope"])
			}
		}
	})
}
