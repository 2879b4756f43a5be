package oidc_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"cardea/internal/oidc"
)

func (w *world) json(address string) map[string]any {
	w.Helper()
	r := w.get(address)
	var out map[string]any
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK {
		w.Fatalf("%s: %d %s", address, r.status, r.body)
	}
	if r.header.Get("Access-Control-Allow-Origin") != "*" {
		w.Errorf("WC-50: %s has no CORS", address)
	}
	return out
}

func TestDiscoveryWC20WC21WC22WC28WC30(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	const doc = "/.well-known/openid-configuration"
	want := w.json(w.path("/v2.0" + doc))
	if want["issuer"] != w.path("/v2.0") || want["userinfo_endpoint"] != w.url+"/oidc/userinfo" {
		t.Errorf("document: %v", want)
	}
	for _, name := range []string{"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint", "response_types_supported",
		"response_modes_supported", "subject_types_supported", "id_token_signing_alg_values_supported", "scopes_supported", "token_endpoint_auth_methods_supported"} {
		if want[name] == nil {
			t.Errorf("WC-30: no %s", name)
		}
	}
	for _, address := range []string{w.url + "/common/v2.0" + doc, w.url + "/organizations/v2.0" + doc + "/", w.url + "/Contoso.Test/V2.0" + doc + "?", w.url + doc} {
		if got := w.json(address); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", address, got)
		}
	}
	v1 := w.json(w.url + "/contoso.test" + doc)
	if parts := strings.Split(v1["userinfo_endpoint"].(string), "/"); len(parts) < 4 || parts[3] != w.tid {
		t.Errorf("WC-21: %v", v1["userinfo_endpoint"])
	}
	fs := w.json(w.url + "/adfs" + doc)
	if fs["issuer"] != w.url+"/adfs" || fs["token_endpoint"] != w.url+"/adfs/oauth2/token" || fs["authorization_endpoint"] != w.url+"/adfs/oauth2/authorize" {
		t.Errorf("WC-26: %v", fs)
	}
	for _, d := range []map[string]any{want, v1, fs} {
		keys := w.json(d["jwks_uri"].(string))
		if len(keys["keys"].([]any)) != 2 {
			t.Errorf("keys: %v", keys)
		}
	}
	w.fails("consumers", w.get(w.url+"/consumers/v2.0"+doc), 400, "invalid_request", 9002346)
	w.fails("unknown tenant", w.get(w.url+"/fabrikam.test/v2.0"+doc), 400, "invalid_request", 90002)
}

func TestInstanceAndFriendsWC24WC25WC26WC27(t *testing.T) {
	w := newWorld(t, sqliteOnly(t))
	got := w.json(w.url + "/common/discovery/instance?api-version=1.1&authorization_endpoint=" + url.QueryEscape(w.path("/oauth2/v2.0/authorize")))
	if got["tenant_discovery_endpoint"] != w.path("/v2.0/.well-known/openid-configuration") || len(got["metadata"].([]any)) != 1 {
		t.Errorf("WC-24: %v", got)
	}
	w.fails("foreign authority", w.get(w.url+"/common/discovery/instance?authorization_endpoint=https%3A%2F%2Flogin.example%2Fx"), 400, "invalid_instance", 50049)
	a, b := w.json(w.url+"/common/UserRealm/ada@contoso.test?api-version=1.0"), w.json(w.url+"/common/userrealm/nobody@nowhere.test")
	if !reflect.DeepEqual(a, b) || a["account_type"] != "Managed" || a["domain_name"] != "contoso.test" {
		t.Errorf("WC-25: %v, %v", a, b)
	}
	if got := w.json(w.url + "/.well-known/webfinger?rel=http://schemas.microsoft.com/rel/trusted-realm&resource=" + w.url); got["subject"] != w.url {
		t.Errorf("WC-26: %v", got)
	}
	got = w.json(w.url + "/metadata/endpoints?api-version=2022-09-01")
	login := got["authentication"].(map[string]any)["loginEndpoint"]
	if got["name"] == "" || got["resourceManager"] != w.url+"/" || got["microsoftGraphResourceId"] != w.url+"/" || login != w.url {
		t.Errorf("WC-27: %v", got)
	}
}

func TestOwns(t *testing.T) {
	p := &oidc.Provider{}
	for path, want := range map[string]bool{
		"/common/oauth2/v2.0/token": true, "/x/OAuth2/V2.0/Authorize/": true, "/signin/continue": true, "/oidc/userinfo": true,
		"/signin": false, "/signin/other": false, "/v1.0/users": false, "/beta/users/1/authentication/fido2Methods": false, "/": false, "": false,
		"//oauth2/v2.0/token": false, "/a/b/oauth2/v2.0/token": false, "/assets/a.css": false, "/security-info": false,
	} {
		if got := p.Owns(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}
