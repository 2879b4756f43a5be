package oidc

import (
	"encoding/json"
	"net/url"
	"strings"

	"cardea/internal/problem"
)

// issuer is `iss` of every token, whatever the address that it came from (WC-29).
func (p *Provider) issuer() string { return p.Origin + "/" + p.TenantID + "/v2.0" }

// document is the discovery document. It names only what is built.
type document struct {
	Issuer              string   `json:"issuer"`
	Authorization       string   `json:"authorization_endpoint"`
	Token               string   `json:"token_endpoint"`
	Device              string   `json:"device_authorization_endpoint,omitempty"`
	JWKS                string   `json:"jwks_uri"`
	UserInfo            string   `json:"userinfo_endpoint"`
	EndSession          string   `json:"end_session_endpoint"`
	Revocation          string   `json:"revocation_endpoint,omitempty"`
	ResponseTypes       []string `json:"response_types_supported"`
	ResponseModes       []string `json:"response_modes_supported"`
	GrantTypes          []string `json:"grant_types_supported"`
	SubjectTypes        []string `json:"subject_types_supported"`
	IDTokenAlgs         []string `json:"id_token_signing_alg_values_supported"`
	Scopes              []string `json:"scopes_supported"`
	TokenAuth           []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs       []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods    []string `json:"code_challenge_methods_supported"`
	Prompts             []string `json:"prompt_values_supported"`
	ACR                 []string `json:"acr_values_supported"`
	Claims              []string `json:"claims_supported"`
	ClaimsParameter     bool     `json:"claims_parameter_supported"`
	RequestParameter    bool     `json:"request_parameter_supported"`
	RequestURIParameter bool     `json:"request_uri_parameter_supported"`
	IssuerParameter     bool     `json:"authorization_response_iss_parameter_supported"`
	HTTPLogout          bool     `json:"http_logout_supported"`
	FrontchannelLogout  bool     `json:"frontchannel_logout_supported"`
	TenantRegion        *string  `json:"tenant_region_scope"`
	CloudInstance       string   `json:"cloud_instance_name"`
	GraphHost           string   `json:"msgraph_host"`
}

func (p *Provider) document() document {
	base := p.Origin + "/" + p.TenantID
	d := document{
		Issuer: p.issuer(), Authorization: base + "/oauth2/v2.0/authorize", Token: base + "/oauth2/v2.0/token",
		JWKS: base + "/discovery/v2.0/keys", UserInfo: p.Origin + "/oidc/userinfo",
		EndSession: base + "/oauth2/v2.0/logout", Revocation: base + "/oauth2/v2.0/revoke",
		ResponseTypes: []string{"code"}, ResponseModes: []string{"query", "fragment", "form_post"},
		GrantTypes:   []string{"authorization_code", "refresh_token", "client_credentials", onBehalfGrant},
		SubjectTypes: []string{"pairwise"}, IDTokenAlgs: []string{"RS256", "ES256"},
		Scopes:        []string{"openid", "profile", "email", "offline_access"},
		TokenAuth:     []string{"client_secret_post", "client_secret_basic", "private_key_jwt", "none"},
		TokenAuthAlgs: []string{"RS256", "PS256", "ES256"}, ChallengeMethods: []string{"S256"},
		Prompts: []string{"none", "login", "select_account", "consent"}, ACR: []string{acrHardware, acrPhishingResistant, acrMFA},
		Claims: []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "oid", "tid", "sid", "ver",
			"preferred_username", "name", "given_name", "family_name", "email"},
		ClaimsParameter: true, IssuerParameter: true, CloudInstance: p.host, GraphHost: p.host,
	}
	if p.offers(deviceGrant) {
		d.Device, d.GrantTypes = base+"/oauth2/v2.0/devicecode", append(d.GrantTypes, deviceGrant)
	}
	if p.offers("password") {
		d.GrantTypes = append(d.GrantTypes, "password")
	}
	return d
}

// discovery serves WC-20, and the same at the issuer's own path and the root.
func (p *Provider) discovery(r *request) (answer, error) {
	d := p.document()
	if r.tenant == adfs && strings.HasPrefix(strings.ToLower(r.URL.Path), "/adfs/") {
		base := p.Origin + "/adfs"
		d.Issuer, d.Revocation = base, "" // WC-28: on the path that the client was given
		d.Authorization, d.Token, d.EndSession, d.JWKS = base+"/oauth2/authorize", base+"/oauth2/token", base+"/oauth2/logout", base+"/discovery/keys"
		if d.Device != "" {
			d.Device = base + "/oauth2/devicecode"
		}
	}
	return jsonAnswer(d)
}

// discoveryV1 serves WC-21: scripts cut the tenant's id out of userinfo_endpoint.
func (p *Provider) discoveryV1(r *request) (answer, error) {
	d := p.document()
	d.UserInfo = p.Origin + "/" + p.TenantID + "/openid/userinfo"
	return jsonAnswer(d)
}

// keys serves the key set (WC-22). Caches may hold it for an hour at most; a
// new key is published before it signs for less than that, so they are asked
// to look again sooner.
func (p *Provider) keys(r *request) (answer, error) {
	return answer{body: p.Ring.JWKS(), header: map[string]string{"Cache-Control": "public, max-age=300", "Pragma": ""}}, nil
}

// instance serves WC-24: whether an authority is known. Only ours is.
func (p *Provider) instance(r *request) (answer, error) {
	u, err := url.Parse(r.get("authorization_endpoint"))
	if err != nil || !strings.EqualFold(u.Host, p.host) {
		return answer{}, problem.New(problem.Invalid, "instanceUnknown", "Only %s is an authority here. Use it as authority, or switch instance discovery off.", p.Origin)
	}
	type entry struct {
		Network string   `json:"preferred_network"`
		Cache   string   `json:"preferred_cache"`
		Aliases []string `json:"aliases"`
	}
	return jsonAnswer(struct {
		Endpoint string  `json:"tenant_discovery_endpoint"`
		Version  string  `json:"api-version"`
		Metadata []entry `json:"metadata"`
	}{p.issuer() + "/.well-known/openid-configuration", "1.1", []entry{{p.host, p.host, []string{p.host}}}})
}

// realm serves WC-25: the same for every name, so it tells nothing about any.
func (p *Provider) realm(r *request) (answer, error) {
	domain := p.Domain()
	if domain == "" {
		domain = p.host
	}
	return jsonAnswer(map[string]string{"ver": "1.0", "account_type": "Managed", "domain_name": domain, "cloud_instance_name": p.host,
		"cloud_audience_urn": "urn:federation:MicrosoftOnline"})
}

// webfinger serves WC-26: this host is its own trusted realm.
func (p *Provider) webfinger(r *request) (answer, error) {
	const rel = "http://schemas.microsoft.com/rel/trusted-realm"
	return jsonAnswer(map[string]any{"subject": p.Origin, "links": []map[string]string{{"rel": rel, "href": p.Origin}}})
}

// metadata serves WC-27, for Terraform.
func (p *Provider) metadata(r *request) (answer, error) {
	return jsonAnswer(map[string]any{"name": "Cardea", "portal": p.Origin,
		"authentication":  map[string]any{"loginEndpoint": p.Origin, "audiences": []string{p.Origin}, "tenant": "common", "identityProvider": "AAD"},
		"resourceManager": p.Origin + "/", "microsoftGraphResourceId": p.Origin + "/", "suffixes": map[string]string{}})
}

// jsonAnswer is compact JSON without escapes for HTML (WC-44).
func jsonAnswer(v any) (answer, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return answer{}, err
	}
	return answer{body: []byte(strings.TrimSuffix(b.String(), "\n"))}, nil
}
