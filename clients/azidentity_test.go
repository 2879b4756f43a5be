package clients_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/password"
	"cardea/internal/server"
	"cardea/internal/throttle"
)

// azure are the options of docs/clients.md.
func (s *site) azure() azcore.ClientOptions {
	return azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL + "/"}, Transport: s.Client}
}

// asks takes a token from a credential and calls the API with it.
func (s *site) asks(c azcore.TokenCredential, path string, scopes ...string) map[string]any {
	s.Helper()
	token, err := c.GetToken(s.Context(), policy.TokenRequestOptions{Scopes: scopes, EnableCAE: true}) // WC-82: sends claims, as SDKs of Graph do
	s.Must(err)
	if token.ExpiresOn.Before(time.Now().Add(50 * time.Minute)) {
		s.Errorf("the token ends at %s", token.ExpiresOn)
	}
	status, body := s.get(path, token.Token)
	if status != 200 {
		s.Fatalf("%s: %d %v", path, status, body)
	}
	return body
}

// TestAzidentityWC88 signs in with the credentials of azidentity, each against
// a real server over https.
func TestAzidentityWC88(t *testing.T) {
	s := open(t, func(c *server.Config) { c.PasswordGrant = "yes" })
	job := s.app(application.Application{DisplayName: "Job", Cardea: application.Extra{Permissions: []string{"User.Read.All"}}})
	tool := s.app(application.Application{DisplayName: "Tool", IsFallbackPublicClient: true, Cardea: application.Extra{Scopes: []string{"User.Read"}}})
	// All of it stands before the first request: the server looks for changes once a second.
	api := s.app(application.Application{DisplayName: "Payroll", Cardea: application.Extra{Scopes: []string{"User.Read"}}})
	front := s.app(application.Application{DisplayName: "Front", IsFallbackPublicClient: true, Cardea: application.Extra{Scopes: []string{api.AppID}}})
	secret, apiSecret := s.secret(job), s.secret(api)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	s.Must(err)
	cert, apiCert := s.certificate(job, key), s.certificate(api, key)
	const all = "https://graph.microsoft.com/.default"
	ada := s.person("ada@contoso.test")

	t.Run("secret", func(t *testing.T) {
		for _, tenant := range []string{s.TID, "common", "organizations"} {
			c, err := azidentity.NewClientSecretCredential(tenant, job.AppID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
			s.Must(err)
			s.asks(c, "/v1.0/users", all)
			s.asks(c, "/v1.0/users", s.URL+"/.default")
		}
	})
	t.Run("WC-26 adfs, with instance discovery on", func(t *testing.T) {
		c, err := azidentity.NewClientSecretCredential("adfs", job.AppID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.azure()})
		s.Must(err)
		s.asks(c, "/v1.0/users", all)
	})
	t.Run("certificate WC-37 WC-38", func(t *testing.T) {
		for _, chain := range []bool{false, true} {
			c, err := azidentity.NewClientCertificateCredential(s.TID, job.AppID, []*x509.Certificate{cert}, key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true, SendCertificateChain: chain})
			s.Must(err)
			s.asks(c, "/v1.0/users", all)
		}
	})
	t.Run("device code WC-40", func(t *testing.T) {
		c, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true, TenantID: s.TID, ClientID: tool.AppID,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				if m.VerificationURL != s.URL+"/devicelogin" || m.Message == "" {
					t.Errorf("%+v", m)
				}
				return ada.letIn(m.UserCode)
			}})
		s.Must(err)
		if me := s.asks(c, "/v1.0/me", "https://graph.microsoft.com/User.Read"); me["id"] != ada.ID {
			t.Errorf("me: %v", me)
		}
		if me := s.asks(c, "/v1.0/me", "https://graph.microsoft.com/User.Read"); me["id"] != ada.ID { // from its cache, by client_info (WC-45)
			t.Errorf("me: %v", me)
		}
	})
	t.Run("on behalf of WC-40", func(t *testing.T) {
		caller, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true, TenantID: s.TID, ClientID: front.AppID,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error { return ada.letIn(m.UserCode) }})
		s.Must(err)
		sent, err := caller.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"api://" + api.AppID + "/.default"}})
		s.Must(err)
		c, err := azidentity.NewOnBehalfOfCredentialWithSecret(s.TID, api.AppID, sent.Token, apiSecret, &azidentity.OnBehalfOfCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
		s.Must(err)
		if me := s.asks(c, "/v1.0/me", "https://graph.microsoft.com/User.Read"); me["id"] != ada.ID {
			t.Errorf("me: %v", me)
		}
		c, err = azidentity.NewOnBehalfOfCredentialWithCertificate(s.TID, api.AppID, sent.Token, []*x509.Certificate{apiCert}, key, &azidentity.OnBehalfOfCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
		s.Must(err)
		s.asks(c, "/v1.0/me", "https://graph.microsoft.com/.default")
	})
	t.Run("password WC-40", func(t *testing.T) {
		s.write(func(q db.Querier) error {
			_, err := directory.UpdateMethodPolicy(t.Context(), q, system, s.now(), directory.MethodPassword, func(p *directory.MethodPolicy) error { p.State = "enabled"; return nil })
			return err
		})
		bob := s.person("bob@contoso.test")
		s.Must(password.Set(t.Context(), s.Server.DB, throttle.NewHasher(throttle.Strong, 1), system, password.Change{UserID: bob.ID, New: "four plain words here", At: s.now()}))
		s.forward(2 * time.Second)
		//lint:ignore SA1019 the deprecated credential is what is tested
		c, err := azidentity.NewUsernamePasswordCredential(s.TID, tool.AppID, "bob@contoso.test", "four plain words here", &azidentity.UsernamePasswordCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
		s.Must(err)
		if me := s.asks(c, "/v1.0/me", "https://graph.microsoft.com/User.Read"); me["id"] != bob.ID {
			t.Errorf("me: %v", me)
		}
	})
}
