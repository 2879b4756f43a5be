package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
)

// The rules of wire-compatibility.md that no other test names.

func TestDiscoveryOfDevicesWC26WC30(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	const doc = "/.well-known/openid-configuration"
	for address, want := range map[string]string{w.path("/v2.0" + doc): w.path("/oauth2/v2.0/devicecode"), w.url + "/common/v2.0" + doc: w.path("/oauth2/v2.0/devicecode"),
		w.url + "/organizations" + doc: w.path("/oauth2/v2.0/devicecode"), w.url + "/adfs" + doc: w.url + "/adfs/oauth2/devicecode"} {
		if got := w.json(address)["device_authorization_endpoint"]; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	for _, tenant := range []string{"common", "organizations", "contoso.test", w.tid} { // WC-28
		if got := w.json(w.url + "/" + tenant + "/v2.0" + doc)["issuer"]; got != w.path("/v2.0") {
			t.Errorf("issuer under %s: %v", tenant, got)
		}
	}
}

// TestTokensSayTheirIssuerWC29: iss is the same wherever the token was asked for.
func TestTokensSayTheirIssuerWC29(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		for _, endpoint := range []string{w.url + "/common/oauth2/v2.0/token", w.url + "/contoso.test/oauth2/v2.0/token", w.url + "/adfs/oauth2/token"} {
			got := w.tokens(w.post(endpoint, redeem(app, w.code(request(app)))))
			for _, name := range []string{"access_token", "id_token"} {
				if c := w.claims(got[name]); c["iss"] != w.path("/v2.0") || c["tid"] != w.tid {
					t.Errorf("%s of %s: %v", name, endpoint, c["iss"])
				}
			}
		}
	})
}

func TestHEAD(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	app := w.wiki()
	w.signIn()
	for address, status := range map[string]int{w.path("/v2.0/.well-known/openid-configuration"): 200, w.path("/discovery/v2.0/keys"): 200,
		w.path("/oauth2/v2.0/authorize?" + request(app).Encode()): 302, w.path("/oauth2/v2.0/token"): 405} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.do(req); r.status != status || r.body != "" {
			t.Errorf("%s: %d %q", address, r.status, r.body)
		}
	}
}

// TestParametersWC35: the first of two counts, unknown ones are nothing, and
// telemetry in the address of a token request does no harm.
func TestParametersWC35(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		v := request(app)
		v.Add("scope", "Mail.Read")
		v.Set("x-client-SKU", "msal.js.node")
		v.Set("clidata", "1")
		form := redeem(app, w.code(v))
		form.Add("client_id", "somebody")
		form.Set("x-client-current-telemetry", "5|871,0,,,|,")
		form.Set("X-AnchorMailbox", "Oid:x@y")
		got := w.tokens(w.post(w.path("/oauth2/v2.0/token?client-request-id=x&scope=Mail.Read"), form))
		if got["scope"] != "openid profile offline_access User.Read" {
			t.Errorf("scope %v", got["scope"])
		}
	})
}

// TestOfflineAccessAtRedemption: MSAL for Go asks for offline_access only when
// it redeems its code.
func TestOfflineAccessAtRedemption(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		bare := func(redirect string) string {
			return w.code(request(app, "scope", "User.Read", "redirect_uri", redirect))
		}
		got := w.tokens(w.token(redeem(app, bare(callback))))
		if got["refresh_token"] != nil || got["id_token"] != nil {
			t.Errorf("nobody asked: %v", got)
		}
		got = w.tokens(w.token(redeem(app, bare(callback), "scope", "User.Read openid offline_access profile")))
		if got["id_token"] == nil || got["scope"] != "User.Read openid offline_access profile" {
			t.Errorf("answer: %v", got)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}
		w.pass(80 * 24 * time.Hour)
		w.tokens(w.token(refresh))
		w.signIn()
		const spa = "https://wiki.example.com/spa"
		got = w.tokens(w.token(redeem(app, bare(spa), "redirect_uri", spa, "scope", "User.Read offline_access")))
		refresh.Set("refresh_token", got["refresh_token"].(string))
		w.pass(24 * time.Hour)
		w.fails("WC-50, a page's token ends after a day", w.token(refresh), 400, "invalid_grant", 700082)
	})
}

// TestIDTokenWC46: aud is a string, times are whole numbers, nonce is what came.
func TestIDTokenWC46(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		nonce := "Zm9v+/= %3D\"<é>"
		id := w.tokens(w.token(redeem(app, w.code(request(app, "nonce", nonce)))))["id_token"].(string)
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(id, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var c map[string]json.RawMessage
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"exp", "iat", "nbf", "auth_time"} {
			if strings.Trim(string(c[name]), "0123456789") != "" || len(c[name]) == 0 {
				t.Errorf("%s: %s", name, c[name])
			}
		}
		if string(c["aud"]) != `"`+app.AppID+`"` || string(c["ver"]) != `"2.0"` || w.claims(id)["nonce"] != nonce {
			t.Errorf("claims: %s", raw)
		}
	})
}

// TestAnswerInFragmentWC53: what msal-browser reads out of the address.
func TestAnswerInFragmentWC53(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	app := w.wiki()
	s := w.signIn()
	r := w.authorize(request(app, "redirect_uri", "https://wiki.example.com/spa", "response_mode", "fragment", "client_info", "1", "clidata", "1", "pocd", "1"))
	_, fragment, _ := strings.Cut(r.location, "#")
	v, err := url.ParseQuery(fragment)
	if err != nil || v.Get("code") == "" || v.Get("client_info") == "" || v.Get("state") != "xyz" || v.Get("session_state") != s.ID {
		t.Errorf("%q %v", r.location, err)
	}
}

// TestPromptNoneWC54: whatever is wrong with the person or the request, the
// answer goes to the application.
func TestPromptNoneWC54(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	app := w.wiki()
	none := func(change ...string) string {
		t.Helper()
		r := w.authorize(request(app, append(change, "prompt", "none")...))
		if r.status != http.StatusFound {
			t.Errorf("%v: %d", change, r.status)
		}
		return w.answered(r).Get("error")
	}
	if got := none(); got != "login_required" {
		t.Errorf("nobody is signed in: %s", got)
	}
	w.signIn()
	for _, c := range [][]string{{"scope", "Mail.Read"}, {"max_age", "x"}, {"claims", "{"}, {"response_type", "token"}, {"login_hint", "bob@contoso.test"}} {
		if none(c...) == "" {
			t.Errorf("%v: a code", c)
		}
	}
	if got := none(); got != "" {
		t.Errorf("somebody is signed in: %s", got)
	}
}

// TestProvisioningToolsWC42WC84: the client that Graph PowerShell brings along,
// and the address of YubiEnroll, on any port.
func TestProvisioningToolsWC42WC84(t *testing.T) {
	each(t, func(w *world) {
		if err := application.EnsureBuiltIn(t.Context(), w.d, w.time()); err != nil {
			t.Fatal(err)
		}
		tool := w.app(application.Application{DisplayName: "YubiEnroll", PublicClient: application.Redirects{RedirectURIs: []string{"http://localhost/yubienroll-redirect"}},
			Cardea: application.Extra{Scopes: []string{"User.Read", "User.ReadBasic.All"}}})
		w.signIn()
		for _, c := range []struct{ appID, redirect, scope string }{
			{application.GraphPowerShellAppID, "http://localhost:51234", "User.Read openid profile offline_access"},
			{application.GraphPowerShellAppID, "http://localhost", "User.Read"},
			{tool.AppID, "http://localhost:8123/yubienroll-redirect", w.url + "/User.ReadBasic.All offline_access openid profile"},
		} {
			app := application.Application{AppID: c.appID}
			got := w.tokens(w.token(redeem(app, w.code(request(app, "redirect_uri", c.redirect, "scope", c.scope)), "redirect_uri", c.redirect)))
			if got["scope"] != c.scope {
				t.Errorf("%s: %v", c.redirect, got["scope"])
			}
		}
		for _, redirect := range []string{"http://localhost:8123/other", "http://localhost:8123/yubienroll-redirect/x", "https://localhost:8123/yubienroll-redirect", "http://127.0.0.1:8123/yubienroll-redirect"} {
			if r := w.authorize(request(tool, "redirect_uri", redirect)); r.status != 400 || r.location != "" {
				t.Errorf("%s: %d", redirect, r.status)
			}
		}
	})
}

// TestAssertionMayComeAgain: msal-node sends one assertion for as long as it
// lives, ten minutes, with every request. So its jti is no ticket for one ride.
func TestAssertionMayComeAgain(t *testing.T) {
	each(t, func(w *world) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: w.time().Add(-time.Hour), NotAfter: w.time().Add(240 * time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		app := w.app(application.Application{DisplayName: "Job"})
		w.write(func(q db.Querier) error {
			_, err := application.AddCertificate(t.Context(), q, actor, w.time(), app.ID, application.KeyCredential{Key: der})
			return err
		})
		w.refresh()
		two := sha256.Sum256(der)
		body, err := json.Marshal(map[string]any{"iss": app.AppID, "sub": app.AppID, "aud": w.path("/oauth2/v2.0/token"), "exp": w.time().Add(10 * time.Minute).Unix(), "jti": "1"})
		if err != nil {
			t.Fatal(err)
		}
		enc := base64.RawURLEncoding.EncodeToString
		input := enc([]byte(`{"alg":"ES256","x5t#S256":"`+base64.StdEncoding.EncodeToString(two[:])+`"}`)) + "." + enc(body)
		digest := sha256.Sum256([]byte(input))
		sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "scope": {w.url + "/.default"}, "client_assertion": {input + "." + enc(sig)},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
		for range 3 {
			w.tokens(w.token(form))
			w.pass(3 * time.Minute)
		}
		w.pass(3 * time.Minute)
		w.fails("after its time", w.token(form), 401, "invalid_client", 700024)
	})
}
