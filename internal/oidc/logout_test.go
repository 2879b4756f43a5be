package oidc_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/session"
)

func TestLogout(t *testing.T) {
	const bye = "https://wiki.example.com/bye"
	cases := []struct {
		name       string
		hint       bool // an id_token of the person who is signed in
		form       url.Values
		to         string // where the browser goes; "page": our own page; "ask": /signout
		signedOut  bool
		backSealed string // the address that /signout is told
	}{
		{"hint and registered address", true, url.Values{"post_logout_redirect_uri": {bye}, "state": {"a b"}}, bye + "?state=a%20b", true, ""},
		{"hint and redirect URI, as Entra allows", true, url.Values{"post_logout_redirect_uri": {callback}}, callback, true, ""},
		{"hint and foreign address", true, url.Values{"post_logout_redirect_uri": {"https://evil.example/"}}, "page", true, ""},
		{"hint alone", true, url.Values{}, "page", true, ""},
		{"no hint", false, url.Values{}, "ask", false, ""},
		{"no hint, but the client", false, url.Values{"client_id": {"APP"}, "post_logout_redirect_uri": {bye}}, "ask", false, bye},
		{"no hint, foreign address", false, url.Values{"client_id": {"APP"}, "post_logout_redirect_uri": {"https://evil.example/"}}, "ask", false, ""},
		{"broken hint", false, url.Values{"id_token_hint": {"x.y.z"}, "post_logout_redirect_uri": {bye}}, "ask", false, ""},
		{"hint of another client", true, url.Values{"client_id": {"other"}, "post_logout_redirect_uri": {bye}}, "ask", false, ""},
	}
	each(t, func(w *world) {
		app := w.wiki()
		for _, c := range cases {
			w.signIn()
			tokens := w.tokens(w.token(redeem(app, w.code(request(app)))))
			q := maps.Clone(c.form)
			if q.Get("client_id") == "APP" {
				q.Set("client_id", app.AppID)
			}
			if c.hint {
				q.Set("id_token_hint", tokens["id_token"].(string))
			}
			r := w.get(w.path("/oauth2/v2.0/logout?" + q.Encode()))
			switch c.to {
			case "page":
				if r.status != http.StatusOK || r.location != "" || !strings.Contains(r.body, "signed out") {
					t.Errorf(c.name+": %d %q", r.status, r.location)
				}
			case "ask":
				u := w.parse(r.location)
				_, back, err := session.OpenReturn(w.ring, u.Query().Get("return"), w.time())
				if r.status != http.StatusSeeOther || u.Path != "/signout" || err != nil || back != c.backSealed {
					t.Errorf(c.name+": %d %q, back to %q %v", r.status, r.location, back, err)
				}
			default:
				if r.status != http.StatusFound || r.location != c.to {
					t.Errorf(c.name+": %d %q", r.status, r.location)
				}
			}
			gone := w.answered(w.authorize(request(app, "prompt", "none"))).Get("error") == "login_required"
			refresh := w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {tokens["refresh_token"].(string)}})
			if gone != c.signedOut || (refresh.status != http.StatusOK) != c.signedOut {
				t.Errorf(c.name+": session gone: %v, refresh: %d", gone, refresh.status)
			}
		}
	})
}

func TestLogoutWithoutASession(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		q := url.Values{"client_id": {app.AppID}, "post_logout_redirect_uri": {"https://wiki.example.com/bye"}}
		if r := w.get(w.path("/oauth2/v2.0/logout?" + q.Encode())); r.location != "https://wiki.example.com/bye" {
			t.Errorf("%d %q", r.status, r.location)
		}
		w.signIn()
		r := w.post(w.path("/oauth2/v2.0/logout"), q)
		if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, w.path("/oauth2/v2.0/logout?")) {
			t.Errorf("by post: %d %q", r.status, r.location)
		}
	})
}

// TestAccessTokenIsNoHint: what an API may have seen does not end sessions.
func TestAccessTokenIsNoHint(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		tokens := w.tokens(w.token(redeem(app, w.code(request(app)))))
		r := w.get(w.path("/oauth2/v2.0/logout?id_token_hint=" + tokens["access_token"].(string)))
		if w.parse(r.location).Path != "/signout" {
			t.Errorf("%d %q", r.status, r.location)
		}
	})
}

func TestUserinfo(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		tokens := w.tokens(w.token(redeem(app, w.code(request(app, "scope", "openid profile email User.Read")))))
		ask := func(address, authorization string) reply {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", authorization)
			return w.do(req)
		}
		bearer := "Bearer " + tokens["access_token"].(string)
		want := `{"sub":"` + w.claims(tokens["id_token"])["sub"].(string) + `","preferred_username":"ada@contoso.test","name":"Ada Lovelace","given_name":"Ada","family_name":"Lovelace","email":"ada@mail.contoso.test"}`
		for _, address := range []string{w.url + "/oidc/userinfo", w.path("/openid/userinfo"), w.url + "/common/openid/userinfo"} {
			if r := ask(address, bearer); r.status != http.StatusOK || r.body != want {
				t.Errorf("%s: %d %s\nwant %s", address, r.status, r.body, want)
			}
		}
		if r := w.post(w.url+"/oidc/userinfo", url.Values{"access_token": {tokens["access_token"].(string)}}); r.body != want {
			t.Errorf("in the body: %d %s", r.status, r.body)
		}
		noOpenID := w.tokens(w.token(redeem(app, w.code(request(app, "scope", "User.Read")))))["access_token"].(string)
		for name, authorization := range map[string]string{"nothing": "", "an id_token": "Bearer " + tokens["id_token"].(string), "garbage": "Bearer x.y.z", "without openid": "Bearer " + noOpenID} {
			r := ask(w.url+"/oidc/userinfo", authorization)
			w.fails(name, r, 401, "invalid_token", 50027)
			if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: %v", name, r.header)
			}
		}
		if r := w.get(w.url + "/oidc/userinfo?access_token=" + tokens["access_token"].(string)); r.status != 401 {
			t.Errorf("a token in the address: %d", r.status)
		}
		w.write(func(q db.Querier) error {
			_, err := directory.UpdateUser(t.Context(), q, audit.System("test"), w.time(), w.user.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		w.fails("disabled", ask(w.url+"/oidc/userinfo", bearer), 401, "invalid_token", 50027)
	})
}

func TestRevoke(t *testing.T) {
	each(t, func(w *world) {
		app, other := w.wiki(), w.wiki()
		w.signIn()
		token := w.tokens(w.token(redeem(app, w.code(request(app)))))["refresh_token"].(string)
		revoke := func(client, token string) reply {
			return w.post(w.path("/oauth2/v2.0/revoke"), url.Values{"client_id": {client}, "token": {token}})
		}
		for _, c := range [][2]string{{other.AppID, token}, {app.AppID, "unknown"}} {
			if r := revoke(c[0], c[1]); r.status != http.StatusOK {
				t.Errorf("%v: %d %s", c, r.status, r.body)
			}
		}
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {token}}
		form.Set("refresh_token", w.tokens(w.token(form))["refresh_token"].(string))
		if r := revoke(app.AppID, form.Get("refresh_token")); r.status != http.StatusOK {
			t.Errorf("%d %s", r.status, r.body)
		}
		w.fails("afterwards", w.token(form), 400, "invalid_grant", 50173)
	})
}
