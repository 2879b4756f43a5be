package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"cardea/internal/application"
	"cardea/internal/session"
)

// TestRelyingParty goes the whole way with a relying party that nobody here
// wrote: discovery, code with PKCE, id_token, userinfo, refresh, logout.
func TestRelyingParty(t *testing.T) {
	for _, c := range []struct {
		name, alg string
		secret    bool
	}{{"ES256 public client", "ES256", false}, {"RS256 confidential client", "RS256", true}} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(w *world) { relyingParty(w, c.alg, c.secret) })
		})
	}
}

func relyingParty(w *world, alg string, withSecret bool) {
	app := w.app(application.Application{DisplayName: "Wiki", Web: application.Web{RedirectURIs: []string{callback}},
		Cardea: application.Extra{Scopes: []string{"User.Read"}, SigningAlgorithm: alg, LogoutRedirectURIs: []string{"https://wiki.example.com/bye"}}})
	ctx := context.WithValue(w.Context(), oauth2.HTTPClient, &http.Client{Transport: w.client.Transport}) // no cookies: a server
	provider, err := goidc.NewProvider(ctx, w.path("/v2.0"))
	if err != nil {
		w.Fatal(err)
	}
	conf := oauth2.Config{ClientID: app.AppID, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{"openid", "profile", "email", "offline_access", "User.Read"}}
	conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	if withSecret {
		conf.ClientSecret, conf.Endpoint.AuthStyle = w.secret(app), oauth2.AuthStyleInHeader
	}
	pkce := oauth2.GenerateVerifier()
	address := conf.AuthCodeURL("the state", goidc.Nonce("the nonce"), oauth2.S256ChallengeOption(pkce))

	r := w.get(address) // nobody is signed in
	at := w.parse(r.location)
	if r.status != http.StatusFound || at.Path != "/signin" || at.Query().Get("flow") == "" {
		w.Fatalf("not sent to sign in: %d %s", r.status, r.location)
	}
	flow, err := session.OpenFlow(w.ring, at.Query().Get("flow"), w.time())
	if err != nil || flow.AppName != "Wiki" {
		w.Fatalf("flow %+v %v", flow, err)
	}
	w.pass(time.Minute)
	s := w.signIn(session.MethodPasskey, session.MethodMFA, session.MethodHardware)
	back := w.parse(w.next(w.get(w.url + "/signin/continue?flow=" + at.Query().Get("flow"))))
	if got := back.Scheme + "://" + back.Host + back.Path; got != callback {
		w.Fatalf("answered at %s", got)
	}
	if q := back.Query(); q.Get("state") != "the state" || q.Get("iss") != w.path("/v2.0") || q.Get("session_state") != s.ID {
		w.Errorf("answer: %v", q)
	}

	token, err := conf.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(pkce))
	if err != nil {
		w.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	check := provider.VerifierContext(ctx, &goidc.Config{ClientID: app.AppID, SupportedSigningAlgs: []string{alg}, Now: w.time})
	id, err := check.Verify(ctx, raw)
	if err != nil {
		w.Fatal(err)
	}
	var claims struct {
		OID, TID, SID, Ver, ACR, Name, Email string
		AMR                                  []string
		AuthTime                             int64  `json:"auth_time"`
		UserName                             string `json:"preferred_username"`
	}
	if err := id.Claims(&claims); err != nil {
		w.Fatal(err)
	}
	if id.Nonce != "the nonce" || claims.OID != w.user.ID || claims.TID != w.tid || claims.SID != s.ID || claims.Ver != "2.0" || claims.ACR != "phrh" ||
		strings.Join(claims.AMR, " ") != "fido mfa hwk" || claims.AuthTime != w.time().Unix() || claims.UserName != "ada@contoso.test" || claims.Name != "Ada Lovelace" || claims.Email != "ada@mail.contoso.test" {
		w.Errorf("WC-46: %+v %+v", id, claims)
	}

	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		w.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != "ada@mail.contoso.test" {
		w.Errorf("userinfo: %+v", info)
	}

	token.Expiry = time.Now().Add(-time.Hour) // the library's clock: it refreshes
	fresh, err := conf.TokenSource(ctx, token).Token()
	if err != nil {
		w.Fatal(err)
	}
	if fresh.RefreshToken == token.RefreshToken || fresh.AccessToken == token.AccessToken {
		w.Error("the refresh did not rotate")
	}
	again, _ := fresh.Extra("id_token").(string)
	if id2, err := check.Verify(ctx, again); err != nil || id2.Subject != id.Subject || id2.Nonce != "" {
		w.Errorf("refreshed id_token: %+v %v", id2, err)
	}

	var doc struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&doc); err != nil {
		w.Fatal(err)
	}
	out := url.Values{"id_token_hint": {again}, "post_logout_redirect_uri": {"https://wiki.example.com/bye"}, "state": {"s t"}}
	r = w.get(doc.EndSession + "?" + out.Encode())
	if r.location != "https://wiki.example.com/bye?state=s%20t" {
		w.Errorf("logout: %d %q", r.status, r.location)
	}
	fresh.Expiry = time.Now().Add(-time.Hour)
	if _, err := conf.TokenSource(ctx, fresh).Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		w.Errorf("refresh after logout: %v", err)
	}
	if a := w.answered(w.get(address + "&prompt=none")); a.Get("error") != "login_required" {
		w.Errorf("WC-54 after logout: %v", a)
	}
}

// TestSubjectIsPairwise: two applications see two subjects and one oid.
func TestSubjectIsPairwise(t *testing.T) {
	each(t, func(w *world) {
		w.signIn()
		subs := map[any]bool{}
		for range 2 {
			app := w.wiki()
			got := w.claims(w.tokens(w.token(redeem(app, w.code(request(app)))))["id_token"])
			subs[got["sub"]] = true
			if got["oid"] != w.user.ID {
				t.Errorf("oid %v", got["oid"])
			}
		}
		if len(subs) != 2 {
			t.Errorf("subjects: %v", subs)
		}
	})
}
