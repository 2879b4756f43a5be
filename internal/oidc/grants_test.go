package oidc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/oidc"
	"cardea/internal/password"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

const fresh = session.FreshClaims

// chain is an application, and an API that acts for the people who use it.
type chain struct {
	*world
	front, api application.Application
	secret     string
}

func newChain(w *world) *chain {
	w.Helper()
	c := &chain{world: w}
	scope := func(id, value string) application.Scope {
		return application.Scope{ID: "ca4dea00-0000-4000-8000-00000000000" + id, Value: value, Type: "Admin", IsEnabled: true, AdminConsentDisplayName: "x", AdminConsentDescription: "x"}
	}
	c.api = w.app(application.Application{DisplayName: "Payroll", Cardea: application.Extra{Scopes: []string{"User.Read"}, SigningAlgorithm: "RS256"},
		Document: application.Document{IdentifierURIs: []string{"https://contoso.test/payroll"}, API: application.API{OAuth2PermissionScopes: []application.Scope{scope("1", "Pay.Read"), scope("2", "Pay.Write")}}}})
	c.secret = w.secret(c.api)
	c.front = w.app(application.Application{DisplayName: "Wiki", Web: application.Web{RedirectURIs: []string{callback}}})
	w.consent(c.front, c.api, "Pay.Read")
	return c
}

// consent gives a client delegated permissions on an API, for everybody.
func (w *world) consent(client, api application.Application, scope string) {
	w.Helper()
	w.write(func(q db.Querier) error {
		_, err := application.Catalogue{}.Grant(w.Context(), q, system, w.time(), application.Consent{ClientID: client.PrincipalID(), ConsentType: "AllPrincipals", ResourceID: api.PrincipalID(), Scope: scope})
		return err
	})
	w.refresh()
}

// called is the access token that the front sends to the API.
func (c *chain) called(scope string) string {
	c.Helper()
	return c.tokens(c.token(redeem(c.front, c.code(request(c.front, "scope", scope)))))["access_token"].(string)
}

func (c *chain) exchange(assertion string, change ...string) reply {
	c.Helper()
	v := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "requested_token_use": {"on_behalf_of"}, "client_id": {c.api.AppID}, "client_secret": {c.secret},
		"assertion": {assertion}, "scope": {"https://graph.microsoft.com/User.Read openid offline_access profile"}, "client_info": {"1"}}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Del(change[i]); change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	return c.token(v)
}

func TestAPIScopes(t *testing.T) {
	each(t, func(w *world) {
		c := newChain(w)
		w.signIn()
		for _, scope := range []string{"https://contoso.test/payroll/Pay.Read", "api://" + c.api.AppID + "/Pay.Read", c.api.AppID + "/pay.read", c.api.AppID + "/.default", "https://contoso.test/payroll/.default"} {
			got := w.tokens(w.token(redeem(c.front, w.code(request(c.front, "scope", scope+" openid offline_access")))))
			if a := w.claims(got["access_token"]); a["aud"] != c.api.AppID || !strings.EqualFold(a["scp"].(string), "Pay.Read") || got["scope"] != scope+" openid offline_access" {
				t.Errorf("%s: %v, echo %v", scope, a, got["scope"])
			}
		}
		for scope, want := range map[string]string{"Pay.Write": "consent_required", "Pay.Delete": "invalid_scope", "user_impersonation": "invalid_scope"} {
			if a := w.answered(w.authorize(request(c.front, "scope", c.api.AppID+"/"+scope))); a.Get("error") != want {
				t.Errorf("%s: %v, want %s", scope, a, want)
			}
		}
		w.app(application.Application{DisplayName: "Other"})
		if a := w.answered(w.authorize(request(w.wiki(), "scope", c.api.AppID+"/.default"))); a.Get("error") != "consent_required" {
			t.Errorf("nothing granted: %v", a)
		}
		w.change(c.api, func(a *application.Application) {
			a.API.PreAuthorizedApplications = []application.PreAuthorizedApplication{{AppID: c.front.AppID, DelegatedPermissionIDs: []string{a.API.OAuth2PermissionScopes[1].ID}}}
		})
		if w.code(request(c.front, "scope", c.api.AppID+"/Pay.Write")) == "" {
			t.Error("a client that the API trusts beforehand needs no consent")
		}
	})
}

func TestOnBehalfOfWC40(t *testing.T) {
	each(t, func(w *world) {
		c := newChain(w)
		s := w.signIn()
		token := c.called("api://" + c.api.AppID + "/Pay.Read")
		w.pass(time.Minute)
		got := w.tokens(c.exchange(token))
		a := w.claims(got["access_token"])
		for name, want := range map[string]any{"aud": "00000003-0000-0000-c000-000000000000", "appid": c.api.AppID, "oid": w.user.ID, "scp": "User.Read openid profile", "idtyp": "user",
			"appidacr": "1", "sid": s.ID, "auth_time": float64(s.AuthAt.Unix()), "acr": "phr"} {
			if a[name] != want {
				t.Errorf("%s: %v, want %v", name, a[name], want)
			}
		}
		if got["scope"] != "https://graph.microsoft.com/User.Read openid offline_access profile" || got["client_info"] == nil || got["id_token"] == nil {
			t.Errorf("answer: %v", got)
		}
		if row := w.signIns(audit.NonInteractive)[0]; row.AppID != c.api.AppID || row.UserID != w.user.ID || row.ResourceID != "00000003-0000-0000-c000-000000000000" {
			t.Errorf("RL-22: %+v", row)
		}
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {c.api.AppID}, "client_secret": {c.secret}, "refresh_token": {got["refresh_token"].(string)}}
		again := w.tokens(w.token(form))
		form.Set("refresh_token", again["refresh_token"].(string))
		form.Del("client_secret")
		w.fails("refresh without secret", w.token(form), 401, "invalid_client", 7000218)

		w.fails("no assertion", c.exchange(""), 400, "invalid_request", 900144)
		w.fails("not on behalf of", c.exchange(token, "requested_token_use", ""), 400, "invalid_request", 90013)
		w.fails("no secret", c.exchange(token, "client_secret", ""), 401, "invalid_client", 7000218)
		w.fails("no consent", c.exchange(token, "scope", "Mail.Read"), 400, "invalid_grant", 65001)
		w.fails("nonsense", c.exchange("eyJ.x.y"), 400, "invalid_grant", 50013)
		id := w.tokens(w.token(redeem(c.front, w.code(request(c.front, "scope", "openid")))))["id_token"].(string)
		w.fails("an id_token", c.exchange(id), 400, "invalid_grant", 50013)
		graph := w.tokens(w.token(redeem(c.front, w.code(request(c.front, "scope", "openid")))))["access_token"].(string)
		w.fails("meant for Graph", c.exchange(graph), 400, "invalid_grant", 500131)
		own := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.api.AppID}, "client_secret": {c.secret}, "scope": {c.api.AppID + "/.default"}}
		w.fails("an application's own token", c.exchange(w.tokens(w.token(own))["access_token"].(string)), 400, "invalid_grant", 7000114)
		w.tokens(c.exchange(token, "claims", fresh))
		w.pass(session.FreshAge)
		w.fails("WC-82, claims want a newer proof", c.exchange(token, "claims", fresh), 400, "interaction_required", 50076)
	})
}

// TestOnBehalfOfEndsWithThePerson: what the person's own tokens do not survive,
// nobody survives on behalf of the person.
func TestOnBehalfOfEndsWithThePerson(t *testing.T) {
	each(t, func(w *world) {
		c := newChain(w)
		for _, k := range []struct {
			name   string
			end    func(s session.Session)
			number float64
		}{
			{"expired", func(session.Session) { w.pass(2 * time.Hour) }, 500133},
			{"signed out", func(s session.Session) {
				w.write(func(q db.Querier) error { return session.End(t.Context(), q, w.time(), s.ID) })
			}, 50173},
			{"signed out everywhere", func(session.Session) {
				w.pass(time.Second)
				w.write(func(q db.Querier) error { return session.EndAll(t.Context(), q, system, w.time(), w.user.ID) })
				w.pass(time.Second)
			}, 50173},
			{"disabled", func(session.Session) {
				w.write(func(q db.Querier) error {
					_, err := directory.UpdateUser(t.Context(), q, system, w.time(), w.user.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
					return err
				})
			}, 50057},
		} {
			s := w.signIn()
			token := c.called(c.api.AppID + "/.default")
			w.tokens(c.exchange(token))
			k.end(s)
			w.fails(k.name, c.exchange(token), 400, "invalid_grant", k.number)
		}
	})
}

func TestOnBehalfOfAPassPK152(t *testing.T) {
	each(t, func(w *world) {
		c := newChain(w)
		w.signInUntil(w.time().Add(30*time.Minute), session.MethodAccessPass, session.MethodMFA)
		token := c.called(c.api.AppID + "/.default")
		got := w.tokens(c.exchange(token))
		if a := w.claims(got["access_token"]); a["exp"] != float64(w.time().Add(30*time.Minute).Unix()) {
			t.Errorf("exp %v", a["exp"])
		}
		w.write(func(q db.Querier) error { _, err := q.ExecContext(t.Context(), `DELETE FROM sessions`); return err })
		w.fails("its session is gone", c.exchange(token), 400, "invalid_grant", 50173)
	})
}

// typist gives the person a password, and the edge the setting.
func (w *world) typist() application.Application {
	w.Helper()
	h := throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 2)
	w.settings(func(c *oidc.Config) { c.PasswordGrant, c.Hasher = true, h })
	w.passwords("enabled")
	if err := password.Set(w.Context(), w.d, h, system, password.Change{UserID: w.user.ID, New: "four plain words here", At: w.time()}); err != nil {
		w.Fatal(err)
	}
	w.pass(time.Second) // setting it signed the person out
	return w.tool()
}

func (w *world) passwords(state string) {
	w.Helper()
	w.write(func(q db.Querier) error {
		_, err := directory.UpdateMethodPolicy(w.Context(), q, system, w.time(), directory.MethodPassword, func(p *directory.MethodPolicy) error { p.State = state; return nil })
		return err
	})
}

func (w *world) typed(app application.Application, change ...string) reply {
	w.Helper()
	v := url.Values{"grant_type": {"password"}, "client_id": {app.AppID}, "username": {"Ada@contoso.test"}, "password": {"four plain words here"},
		"scope": {"User.Read openid profile offline_access"}, "response_type": {"id_token token"}, "client_info": {"1"}}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Del(change[i]); change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	return w.token(v)
}

func TestPasswordGrantWC40(t *testing.T) {
	each(t, func(w *world) {
		w.fails("off by default", w.typed(w.tool()), 400, "unsupported_grant_type", 70003)
		app := w.typist()
		for _, name := range []string{"Ada@contoso.test", "ada"} {
			got := w.tokens(w.typed(app, "username", name))
			a := w.claims(got["access_token"])
			if amr, _ := json.Marshal(a["amr"]); a["acr"] != "1" || string(amr) != `["pwd"]` || a["oid"] != w.user.ID || got["id_token"] == nil || got["client_info"] == nil || got["scope"] != "User.Read openid profile offline_access" {
				t.Errorf("%s: %v %v", name, a, got)
			}
			form := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}
			w.tokens(w.token(form))
		}
		row := w.signIns(audit.Interactive)[0]
		if row.AuthenticationProtocol != "ropc" || row.ClientAppUsed != "Other clients" || row.AppID != app.AppID || row.UserID != w.user.ID || row.AuthenticationRequirement != "singleFactorAuthentication" {
			t.Errorf("the log: %+v", row)
		}
		for _, c := range []struct {
			name   string
			change []string
			status int
			error  string
			number float64
		}{
			{"wrong password", []string{"password", "another"}, 400, "invalid_grant", 50126},
			{"unknown person", []string{"username", "nobody@contoso.test"}, 400, "invalid_grant", 50126},
			{"no name", []string{"username", ""}, 400, "invalid_request", 900144},
			{"no password", []string{"password", ""}, 400, "invalid_request", 900144},
			{"no scope", []string{"scope", ""}, 400, "invalid_request", 900144},
			{"no consent", []string{"scope", "Mail.Read"}, 400, "invalid_grant", 65001},
			{"a client that may not", []string{"client_id", w.wiki().AppID}, 400, "unauthorized_client", 7000218},
			{"more than one factor", []string{"claims", fresh}, 400, "interaction_required", 50076},
			{"essential acr", []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"mfa"}}}`}, 400, "interaction_required", 50076},
		} {
			w.fails(c.name, w.typed(app, c.change...), c.status, c.error, c.number)
		}
		w.fails("from a page", w.token(url.Values{"grant_type": {"password"}, "client_id": {app.AppID}, "username": {"ada"}, "password": {"four plain words here"}, "scope": {"User.Read"}},
			func(r *http.Request) { r.Header.Set("Origin", "https://wiki.example.com") }), 400, "invalid_request", 9002326)
		must := func(yes bool) {
			w.write(func(q db.Querier) error {
				return password.MustChange(t.Context(), q, actor, w.time(), password.Expiry{UserID: w.user.ID, Must: yes})
			})
		}
		must(true)
		w.fails("a password that has to be changed", w.typed(app), 400, "invalid_grant", 50055)
		must(false)
		w.passwords("disabled")
		w.fails("the policy gives no passwords", w.typed(app), 400, "invalid_grant", 50126)
		w.passwords("enabled")
		for range 10 {
			w.typed(app, "password", "another")
		}
		w.fails("too many guesses", w.typed(app), 429, "temporarily_unavailable", 90055)
	})
}

// TestFreshClaimsWC82: the claims of a 401 lead to a new sign-in, and the token
// that comes from it is good enough (PK-129).
func TestFreshClaimsWC82(t *testing.T) {
	const merged = `{"access_token":{"xms_cc":{"values":["CP1"]},"acrs":{"essential":true,"value":"freshMfa"}},"id_token":{"signin_state":{"values":["kmsi"]}}}`
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		first := w.tokens(w.token(redeem(app, w.code(request(app)))))
		w.pass(session.FreshAge + time.Second)
		refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {first["refresh_token"].(string)}, "claims": {merged}}
		r := w.token(refresh)
		w.fails("refresh with an old proof", r, 400, "interaction_required", 50076)
		if !strings.Contains(r.body, `"claims":"{\"access_token\":{\"acrs\"`) {
			t.Errorf("no claims to ask with: %s", r.body)
		}
		refresh.Set("claims", `{"access_token":{"xms_cc":{"values":["CP1"]},"nbf":{"essential":true,"value":"1"}}}`)
		w.tokens(w.token(refresh)) // the refused request did not use it up, and other claims ask nothing

		v := request(app, "claims", merged)
		if a := w.answered(w.authorize(request(app, "claims", merged, "prompt", "none"))); a.Get("error") != "interaction_required" {
			t.Errorf("WC-54: %v", a)
		}
		at := w.parse(w.authorize(v).location)
		if at.Path != "/signin" {
			t.Fatalf("not asked to sign in again: %s", at)
		}
		back := func() url.Values { return w.parse(w.next(w.get(w.url + "/signin/continue?" + at.RawQuery))).Query() }
		if q := back(); q.Get("error") != "unmet_authentication_requirements" {
			t.Errorf("came back without a new proof: %v", q)
		}
		w.signIn(session.MethodPassword)
		if q := back(); q.Get("error") != "unmet_authentication_requirements" {
			t.Errorf("came back with one factor: %v", q)
		}
		w.signIn()
		got := w.tokens(w.token(redeem(app, back().Get("code"), "claims", merged)))
		if a := w.claims(got["access_token"]); a["auth_time"] != float64(w.time().Unix()) {
			t.Errorf("auth_time %v", a["auth_time"])
		}
		w.tokens(w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}, "claims": {merged}}))
		if w.code(v) == "" { // and nothing is asked twice
			t.Error("a fresh session does")
		}
		w.fails("claims that are no JSON", w.token(redeem(app, "x", "claims", "{")), 400, "invalid_request", 90013)
	})
}

// FuzzClaims: whatever stands in claims, authorize and token answer, and only a
// request that names the value asks for a new sign-in.
func FuzzClaims(f *testing.F) {
	w := newWorld(f, sqliteOnly(f))
	app := w.wiki()
	w.signIn()
	w.pass(time.Hour)
	for _, s := range []string{fresh, `{"access_token":{"acrs":{"values":["c1","freshMfa"]}}}`, `{"access_token":null,"id_token":{"acr":null}}`, `{"id_token":{"acr":{"value":7}}}`, `[]`, `{"access_token":{"acrs":{"value":"fresh\u004dfa"}}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		w.TB = t
		r := w.authorize(request(app, "claims", text, "prompt", "none"))
		a := w.answered(r)
		if a.Get("code") == "" && a.Get("error") == "" {
			t.Fatalf("%q: %d %v", text, r.status, a)
		}
		var any struct {
			AccessToken map[string]json.RawMessage `json:"access_token"`
		}
		if a.Get("error") == "interaction_required" && (json.Unmarshal([]byte(text), &any) != nil || len(any.AccessToken) == 0) {
			t.Fatalf("%q asks for a new sign-in", text)
		}
	})
}
