package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
)

func TestClientCredentialsWC33WC34WC36(t *testing.T) {
	each(t, func(w *world) {
		app := w.app(application.Application{DisplayName: "Job", Cardea: application.Extra{Permissions: []string{"User.Read.All"}}})
		secret := w.secret(app)
		form := func(change ...string) url.Values {
			v := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {secret}, "scope": {"https://graph.microsoft.com/.default openid offline_access profile"}}
			for i := 0; i+1 < len(change); i += 2 {
				if v.Del(change[i]); change[i+1] != "" {
					v.Set(change[i], change[i+1])
				}
			}
			return v
		}
		r := w.token(form())
		got := w.tokens(r)
		if len(got) != 4 || got["access_token"] == "" || got["expires_in"] != 3599.0 {
			t.Errorf("WC-33: %s", r.body)
		}
		a := w.claims(got["access_token"])
		if a["idtyp"] != "app" || a["oid"] != app.PrincipalID() || a["appid"] != app.AppID || a["aud"] != "00000003-0000-0000-c000-000000000000" || a["appidacr"] != "1" || a["scp"] != nil {
			t.Errorf("WC-47: %v", a)
		}
		if roles, _ := json.Marshal(a["roles"]); string(roles) != `["User.Read.All"]` {
			t.Errorf("roles %s", roles)
		}
		basic := func(id, secret string) func(*http.Request) {
			return func(r *http.Request) { r.SetBasicAuth(id, secret) }
		}
		w.tokens(w.token(form("client_id", "", "client_secret", ""), basic(app.AppID, secret)))
		for _, tenant := range []string{"common", "organizations", "contoso.test", "CONTOSO.TEST", strings.ToUpper(w.tid)} {
			w.tokens(w.post(w.url+"/"+tenant+"/oauth2/v2.0/token", form()))
		}
		w.tokens(w.post(w.url+"/adfs/oauth2/token", form("scope", w.url+"//.default")))
		w.fails("no .default", w.token(form("scope", "User.Read.All")), 400, "invalid_scope", 70011)
		w.fails("no scope", w.token(form("scope", "")), 400, "invalid_scope", 70011)
		w.fails("no secret", w.token(form("client_secret", "")), 400, "unauthorized_client", 700025)
		w.fails("wrong secret", w.token(form("client_secret", "wrong")), 401, "invalid_client", 7000215)
		w.fails("wrong secret, Basic", w.token(form("client_id", "", "client_secret", ""), basic(app.AppID, "wrong")), 401, "invalid_client", 7000215)
		w.fails("both ways", w.token(form(), basic(app.AppID, secret)), 400, "invalid_request", 90013)
		w.fails("tenant", w.post(w.url+"/fabrikam.test/oauth2/v2.0/token", form()), 400, "invalid_request", 90002)
		w.fails("consumers", w.post(w.url+"/consumers/oauth2/v2.0/token", form()), 400, "invalid_request", 9002346)
		rows := w.signIns(audit.ServicePrincipal)
		good := 0
		for _, row := range rows {
			if row.AppID != app.AppID || row.ServicePrincipalID != app.PrincipalID() {
				t.Errorf("row: %+v", row)
			}
			if row.Status.ErrorCode == 0 {
				good++
			}
		}
		if good != 8 || len(rows) != 10 {
			t.Errorf("RL-22: %d rows, %d of them successes", len(rows), good)
		}
	})
}

func TestAllPermissionsAreExpanded(t *testing.T) {
	each(t, func(w *world) {
		app := w.app(application.Application{DisplayName: "Job", Cardea: application.Extra{Permissions: []string{application.All}}})
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {w.secret(app)}, "scope": {w.url + "/.default"}}
		roles, _ := json.Marshal(w.claims(w.tokens(w.token(form))["access_token"])["roles"])
		if string(roles) != `["User.Read.All","Group.Read.All"]` {
			t.Errorf("roles %s", roles)
		}
	})
}

func TestWrongSecretsAreThrottled(t *testing.T) {
	each(t, func(w *world) {
		app := w.app(application.Application{DisplayName: "Job"})
		secret := w.secret(app)
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "client_secret": {"wrong"}, "scope": {w.url + "/.default"}}
		for range 10 {
			w.fails("wrong", w.token(form), 401, "invalid_client", 7000215)
		}
		r := w.token(form)
		w.fails("once more", r, 429, "temporarily_unavailable", 90055)
		if r.header.Get("Retry-After") == "" {
			t.Error("WC-81: no Retry-After")
		}
		form.Set("client_secret", secret)
		w.tokens(w.token(form)) // nobody locks the right secret out
		if n := len(w.signIns(audit.ServicePrincipal)); n != 11 {
			t.Errorf("%d rows: refused guesses fill the log", n)
		}
	})
}

func TestConfidentialClientMustProveItself(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		secret := w.secret(app)
		w.signIn()
		v := request(app, "code_challenge", "", "code_challenge_method", "") // PKCE is optional for who has a secret
		w.fails("without", w.token(redeem(app, w.code(v), "code_verifier", "")), 401, "invalid_client", 7000218)
		got := w.tokens(w.token(redeem(app, w.code(v), "code_verifier", "", "client_secret", secret)))
		refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}, "client_secret": {secret}}
		got = w.tokens(w.token(refresh))
		refresh.Set("refresh_token", got["refresh_token"].(string))
		refresh.Del("client_secret")
		w.fails("refresh without", w.token(refresh), 401, "invalid_client", 7000218)
		// The same application on a device has no secret, and needs PKCE.
		if a := w.answered(w.authorize(request(app, "code_challenge", "", "code_challenge_method", "", "redirect_uri", "com.example.wiki://auth"))); a.Get("error") != "invalid_request" {
			t.Errorf("native without PKCE: %v", a)
		}
		w.tokens(w.token(redeem(app, w.code(request(app, "redirect_uri", "com.example.wiki://auth")), "redirect_uri", "com.example.wiki://auth")))
	})
}

func TestAssertionsWC37(t *testing.T) {
	each(t, func(w *world) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "job"}, NotBefore: w.time().Add(-time.Hour), NotAfter: w.time().Add(240 * time.Hour)}
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
		sum := sha1.Sum(der)
		sign := func(claims map[string]any) string {
			t.Helper()
			body, err := json.Marshal(claims)
			if err != nil {
				t.Fatal(err)
			}
			enc := base64.RawURLEncoding.EncodeToString
			input := enc([]byte(`{"alg":"ES256","kid":"`+base64.URLEncoding.EncodeToString(sum[:])+`"}`)) + "." + enc(body)
			digest := sha256.Sum256([]byte(input))
			sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256) // in ASN.1, as one client sends it (WC-39)
			if err != nil {
				t.Fatal(err)
			}
			return input + "." + enc(sig)
		}
		good := func(aud any) map[string]any {
			return map[string]any{"iss": app.AppID, "sub": app.AppID, "aud": aud, "exp": w.time().Add(10 * time.Minute).Unix(), "nbf": w.time().Unix(), "jti": "1"}
		}
		with := func(claims map[string]any, name string, v any) map[string]any { claims[name] = v; return claims }
		send := func(claims map[string]any) reply {
			return w.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {app.AppID}, "scope": {w.url + "/.default"}, "client_assertion": {sign(claims)},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
		}
		for _, aud := range []any{w.path("/oauth2/v2.0/token"), w.url + "/common/oauth2/v2.0/token", w.url + "/contoso.test/oauth2/v2.0/token", w.path(""), w.path("/v2.0"), w.url,
			w.url + "/adfs/oauth2/token", []string{"other", w.path("/oauth2/v2.0/token")}} {
			if r := send(good(aud)); r.status != http.StatusOK {
				t.Errorf("aud %v: %s", aud, r.body)
			}
		}
		for name, claims := range map[string]map[string]any{
			"aud of another host":   good("https://login.microsoftonline.com/common/oauth2/v2.0/token"),
			"aud of another tenant": good(w.url + "/fabrikam.test/v2.0"),
			"no aud":                good(nil),
			"iss":                   with(good(w.url), "iss", "other"),
			"sub":                   with(good(w.url), "sub", "other"),
		} {
			w.fails(name, send(claims), 401, "invalid_client", 700027)
		}
		w.fails("expired", send(with(good(w.url), "exp", w.time().Add(-2*time.Minute).Unix())), 401, "invalid_client", 700024)
		w.fails("no exp", send(with(good(w.url), "exp", nil)), 401, "invalid_client", 700024)
		w.fails("for ever", send(with(good(w.url), "exp", 1e18)), 401, "invalid_client", 700024)
		w.fails("not yet", send(with(good(w.url), "nbf", w.time().Add(time.Hour).Unix())), 401, "invalid_client", 700024)
	})
}
