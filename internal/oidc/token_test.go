package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/session"
)

var actor = audit.System("test")

func sqliteOnly(t testing.TB) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: filepath.Join(t.TempDir(), "test.db"), Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestTokenAnswerWC43WC44WC45WC47(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		s := w.signIn()
		r := w.token(redeem(app, w.code(request(app, "nonce", "n")), "client_info", "1"))
		got := w.tokens(r)
		if strings.ContainsAny(strings.ReplaceAll(r.body, got["scope"].(string), ""), " \n") || !strings.Contains(r.body, `"access_token":"`) {
			t.Errorf("WC-44, not compact: %s", r.body)
		}
		if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("headers: %v", r.header)
		}
		if got["token_type"] != "Bearer" || got["expires_in"] != 3599.0 || got["ext_expires_in"] != 3599.0 || got["scope"] != "openid profile offline_access User.Read" ||
			got["refresh_token"] == "" || got["client_info"] != base64.RawURLEncoding.EncodeToString([]byte(`{"uid":"`+w.user.ID+`","utid":"`+w.tid+`"}`)) {
			t.Errorf("answer: %s", r.body)
		}
		a := w.claims(got["access_token"])
		for name, want := range map[string]any{"aud": "00000003-0000-0000-c000-000000000000", "iss": w.path("/v2.0"), "appid": app.AppID, "azp": app.AppID,
			"appidacr": "0", "tid": w.tid, "oid": w.user.ID, "idtyp": "user", "scp": "User.Read openid profile", "upn": "ada@contoso.test", "unique_name": "ada@contoso.test",
			"app_displayname": "Wiki", "sid": s.ID, "acr": "phr", "exp": float64(w.time().Add(time.Hour).Unix())} {
			if a[name] != want {
				t.Errorf("WC-47 %s: %v, want %v", name, a[name], want)
			}
		}
		if roles, ok := a["roles"].([]any); !ok || len(roles) != 0 {
			t.Errorf("roles: %v", a["roles"])
		}
		rows := w.signIns(audit.NonInteractive)
		if len(rows) != 1 || rows[0].UserID != w.user.ID || rows[0].AppDisplayName != "Wiki" || rows[0].Status.ErrorCode != 0 {
			t.Errorf("RL-22, silent sign-in: %+v", rows)
		}
		w.pass(time.Minute)
		w.tokens(w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}))
		if rows = w.signIns(audit.NonInteractive); len(rows) != 2 || rows[0].IncomingTokenType != "refreshToken" || rows[0].AuthenticationRequirement != "multiFactorAuthentication" {
			t.Errorf("RL-22, refresh: %+v", rows)
		}
	})
}

func TestScopesWC31WC32(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		for _, c := range []struct{ asked, scp, echo string }{
			{"User.Read", "User.Read", ""},
			{"https://graph.microsoft.com/User.Read openid", "User.Read openid", ""},
			{"https://graph.microsoft.com//User.Read", "User.Read", ""},
			{"00000003-0000-0000-c000-000000000000/User.Read", "User.Read", ""},
			{w.url + "/User.Read", "User.Read", ""},
			{w.url + "//Group.Read.All " + w.url + "/User.Read", "Group.Read.All User.Read", ""},
			{"user.read", "user.read", ""},
			{"https://graph.microsoft.com/.default", "User.Read Group.Read.All", "https://graph.microsoft.com/.default User.Read Group.Read.All"},
			{w.url + "//.default openid", "User.Read Group.Read.All openid", w.url + "//.default openid User.Read Group.Read.All"},
			{"openid email", "openid email", ""},
		} {
			got := w.tokens(w.token(redeem(app, w.code(request(app, "scope", c.asked)))))
			if c.echo == "" {
				c.echo = c.asked
			}
			if got["scope"] != c.echo {
				t.Errorf("%q is echoed as %q, want %q", c.asked, got["scope"], c.echo)
			}
			if a := w.claims(got["access_token"]); a["scp"] != c.scp || a["aud"] != "00000003-0000-0000-c000-000000000000" {
				t.Errorf("%q: scp %q aud %v, want %q", c.asked, a["scp"], a["aud"], c.scp)
			}
		}
		// msal-node asks at refresh for another spelling than at sign-in.
		got := w.tokens(w.token(redeem(app, w.code(request(app)))))
		const other = "https://graph.microsoft.com/User.Read openid profile offline_access"
		refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}, "scope": {"Mail.Read"}}
		w.fails("not consented", w.token(refresh), http.StatusBadRequest, "invalid_grant", 65001)
		refresh.Set("scope", other)
		if got := w.tokens(w.token(refresh)); got["scope"] != other { // the refused request did not use the token up
			t.Errorf("echo at refresh: %v", got["scope"])
		}
	})
}

func TestOwnAPI(t *testing.T) {
	each(t, func(w *world) {
		api := w.app(application.Application{DisplayName: "Payroll", Cardea: application.Extra{SigningAlgorithm: "RS256"}})
		app := w.app(application.Application{DisplayName: "Wiki", Web: application.Web{RedirectURIs: []string{callback}}, Cardea: application.Extra{Scopes: []string{api.AppID}}})
		w.signIn()
		for _, scope := range []string{"api://" + api.AppID + "/.default", api.AppID + "/user_impersonation"} {
			a := w.claims(w.tokens(w.token(redeem(app, w.code(request(app, "scope", scope)))))["access_token"])
			if a["aud"] != api.AppID || a["scp"] != "user_impersonation" {
				t.Errorf("%s: %v", scope, a)
			}
		}
		stranger := w.wiki()
		if a := w.answered(w.authorize(request(stranger, "scope", "api://"+api.AppID+"/.default"))); a.Get("error") != "consent_required" {
			t.Errorf("without consent: %v", a)
		}
	})
}

func TestTokenRefusalsWC49(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		for _, c := range []struct {
			name   string
			form   url.Values
			status int
			error  string
			number float64
		}{
			{"nothing", url.Values{}, 400, "invalid_request", 900144},
			{"unknown grant", url.Values{"grant_type": {"password"}, "client_id": {app.AppID}}, 400, "unsupported_grant_type", 70003},
			{"no client", url.Values{"grant_type": {"refresh_token"}}, 400, "invalid_request", 900144},
			{"unknown client", url.Values{"grant_type": {"refresh_token"}, "client_id": {"x"}}, 400, "unauthorized_client", 700016},
			{"no code", redeem(app, ""), 400, "invalid_request", 900144},
			{"unknown code", redeem(app, "nonsense"), 400, "invalid_grant", 9002313},
			{"wrong verifier", redeem(app, w.code(request(app)), "code_verifier", strings.Repeat("x", 50)), 400, "invalid_grant", 501481},
			{"other redirect", redeem(app, w.code(request(app)), "redirect_uri", "http://localhost"), 400, "invalid_grant", 500112},
			{"no refresh token", url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}}, 400, "invalid_request", 900144},
			{"unknown refresh token", url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {"x"}}, 400, "invalid_grant", 9002313},
			{"own token of a public client", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "scope": {w.url + "/.default"}}, 400, "unauthorized_client", 700025},
		} {
			w.fails(c.name, w.token(c.form), c.status, c.error, c.number)
		}
		w.fails("GET", w.get(w.path("/oauth2/v2.0/token?grant_type=client_credentials")), 405, "invalid_request", 900561)
		id := "0f8fad5b-d9cb-469f-a165-70867728950e"
		r := w.post(w.path("/oauth2/v2.0/token?client-request-id="+id), url.Values{"grant_type": {"x"}})
		if !strings.Contains(r.body, `"correlation_id":"`+id+`"`) || r.header.Get("client-request-id") != id {
			t.Errorf("WC-35, correlation id: %s", r.body)
		}
		// A secret in the address is no secret: it is not read there.
		r = w.post(w.path("/oauth2/v2.0/token?grant_type=client_credentials&client_id="+app.AppID), url.Values{})
		w.fails("parameters in the address", r, 400, "invalid_request", 900144)
	})
}

func TestCodeIsRedeemedOnce(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		code := w.code(request(app))
		var won atomic.Int64
		var mu sync.Mutex
		var refresh string
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				r := w.token(redeem(app, code))
				if r.status != http.StatusOK {
					return
				}
				won.Add(1)
				mu.Lock()
				refresh = w.tokens(r)["refresh_token"].(string)
				mu.Unlock()
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of 8 redemptions succeeded", won.Load())
		}
		w.fails("again", w.token(redeem(app, code)), 400, "invalid_grant", 54005)
		w.fails("its refresh token", w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {refresh}}), 400, "invalid_grant", 50173)
	})
}

func TestRefreshReuse(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		form := func(token any) url.Values {
			return url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {token.(string)}}
		}
		first := w.tokens(w.token(redeem(app, w.code(request(app)))))["refresh_token"]
		second := w.tokens(w.token(form(first)))["refresh_token"]
		w.fails("reuse", w.token(form(first)), 400, "invalid_grant", 50173)
		w.fails("newest", w.token(form(second)), 400, "invalid_grant", 50173)
		all, err := audit.Audits(t.Context(), w.d, audit.Query{UserID: w.user.ID})
		if err != nil || !slices.ContainsFunc(all, func(r audit.Record) bool { return r.ActivityDisplayName == "Refresh token reuse detected" }) {
			t.Errorf("audit: %+v %v", all, err)
		}
	})
}

func TestSinglePageApplicationWC50(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		browser := func(r *http.Request) { r.Header.Set("Origin", "https://wiki.example.com") }
		r := w.token(redeem(app, w.code(request(app))), browser)
		w.fails("a web address redeemed by a page", r, 400, "invalid_request", 9002326)
		if r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("CORS: %v", r.header)
		}
		const spa = "https://wiki.example.com/spa"
		got := w.tokens(w.token(redeem(app, w.code(request(app, "redirect_uri", spa)), "redirect_uri", spa), browser))
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}
		w.pass(23 * time.Hour)
		form.Set("refresh_token", w.tokens(w.token(form, browser))["refresh_token"].(string))
		w.pass(time.Hour)
		w.fails("after 24 hours", w.token(form, browser), 400, "invalid_grant", 700082)

		req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.path("/oauth2/v2.0/token"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.do(req); r.status != http.StatusNoContent || r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("preflight: %d %v", r.status, r.header)
		}
	})
}

func TestPassEndsItsTokensPK152(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signInUntil(w.time().Add(30*time.Minute), session.MethodAccessPass, session.MethodMFA)
		got := w.tokens(w.token(redeem(app, w.code(request(app)))))
		a := w.claims(got["access_token"])
		if got["expires_in"] != 1799.0 || a["exp"] != float64(w.time().Add(30*time.Minute).Unix()) || a["acr"] != "mfa" {
			t.Errorf("%v %v", got["expires_in"], a)
		}
		w.pass(30 * time.Minute)
		w.fails("refresh after the pass", w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}), 400, "invalid_grant", 700082)
	})
}

// FuzzToken: whatever is posted, the answer is one JSON object with an error,
// never a token and never a fault of ours.
func FuzzToken(f *testing.F) {
	w := newWorld(f, sqliteOnly(f))
	app := w.wiki()
	f.Add(redeem(app, "0196c0de-0000-7000-8000-000000000000."+strings.Repeat("A", 43)).Encode(), "")
	f.Add("grant_type=client_credentials&client_id="+app.AppID+"&client_assertion=e30.e30.&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "")
	f.Add("grant_type=refresh_token&refresh_token=x&scope=a/b", "Basic "+base64.StdEncoding.EncodeToString([]byte(app.AppID+":%zz")))
	f.Add("%", "Bearer x")
	f.Fuzz(func(t *testing.T, body, authorization string) {
		if strings.ContainsAny(authorization, "\r\n\x00") {
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.path("/oauth2/v2.0/token"), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", authorization)
		res, err := w.client.Do(req)
		if err != nil {
			return // net/http refused to send it
		}
		defer res.Body.Close()
		var e struct{ Error string }
		if err := json.NewDecoder(res.Body).Decode(&e); err != nil || e.Error == "" || res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Fatalf("%q: %d %+v %v", body, res.StatusCode, e, err)
		}
	})
}
