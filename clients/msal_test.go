package clients_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"cardea/internal/application"
	"cardea/internal/session"
)

// TestMSALPublicWC88: a public client of MSAL for Go, interactively on a
// loopback address, by code with PKCE, and silently afterwards.
func TestMSALPublicWC88(t *testing.T) {
	s := open(t)
	ada := s.person("ada@contoso.test")
	app := s.app(application.Application{DisplayName: "Tool", PublicClient: application.Redirects{RedirectURIs: []string{"http://localhost", "http://localhost/yubienroll-redirect"}},
		Cardea: application.Extra{Scopes: []string{"User.Read", "User.ReadBasic.All"}}})
	client := func(tenant string) public.Client {
		t.Helper()
		c, err := public.New(app.AppID, public.WithAuthority(s.URL+"/"+tenant), public.WithInstanceDiscovery(false), public.WithHTTPClient(s.Client), public.WithClientCapabilities([]string{"CP1"}))
		s.Must(err)
		return c
	}
	scopes := []string{"https://graph.microsoft.com/User.Read"}

	t.Run("interactive WC-42 WC-55", func(t *testing.T) {
		for _, tenant := range []string{s.TID, "organizations", "common"} {
			c := client(tenant)
			got, err := c.AcquireTokenInteractive(t.Context(), scopes, public.WithRedirectURI("http://localhost"), public.WithOpenURL(func(address string) error {
				h, err := s.authorize(ada, address)
				if err != nil {
					return err
				}
				res, err := http.PostForm(h.To, h.Form) // MSAL listens there
				if err != nil {
					return err
				}
				return res.Body.Close()
			}))
			s.Must(err)
			if got.Account.LocalAccountID != ada.ID || got.Account.HomeAccountID != ada.ID+"."+s.TID || got.Account.PreferredUsername != "ada@contoso.test" {
				t.Errorf("WC-45: %+v", got.Account)
			}
			if status, me := s.get("/v1.0/me", got.AccessToken); status != 200 || me["id"] != ada.ID {
				t.Errorf("me: %d %v", status, me)
			}
		}
	})
	t.Run("by code WC-32 WC-42, then silently WC-82", func(t *testing.T) {
		c := client(s.TID)
		const redirect, verifier = "http://localhost:49321/yubienroll-redirect", "the-verifier-of-this-test-has-at-least-43-characters"
		sum := sha256.Sum256([]byte(verifier))
		address, err := c.AuthCodeURL(t.Context(), app.AppID, redirect, scopes)
		s.Must(err)
		h, err := s.authorize(ada, address+"&code_challenge_method=S256&code_challenge="+base64.RawURLEncoding.EncodeToString(sum[:]))
		s.Must(err)
		u, err := url.Parse(h.To)
		s.Must(err)
		if !strings.HasPrefix(h.To, redirect+"?code=") || u.Query().Has("state") {
			t.Fatalf("answered at %q", h.To)
		}
		got, err := c.AcquireTokenByAuthCode(t.Context(), u.Query().Get("code"), redirect, scopes, public.WithChallenge(verifier))
		s.Must(err)
		accounts, err := c.Accounts(t.Context())
		s.Must(err)
		if len(accounts) != 1 {
			t.Fatalf("accounts: %v", accounts)
		}
		again, err := c.AcquireTokenSilent(t.Context(), scopes, public.WithSilentAccount(accounts[0]))
		s.Must(err)
		if again.AccessToken != got.AccessToken {
			t.Error("silently: not the token of the cache")
		}
		// A claims challenge skips the cache: the client refreshes, and the proof is fresh.
		again, err = c.AcquireTokenSilent(t.Context(), scopes, public.WithSilentAccount(accounts[0]), public.WithClaims(session.FreshClaims))
		s.Must(err)
		if again.AccessToken == got.AccessToken {
			t.Error("with claims: the token of the cache")
		}
		again, err = c.AcquireTokenSilent(t.Context(), []string{"User.ReadBasic.All"}, public.WithSilentAccount(accounts[0])) // another scope, another spelling (§4.3)
		s.Must(err)
		if status, _ := s.get("/v1.0/users", again.AccessToken); status != 200 {
			t.Errorf("users: %d", status)
		}
	})
}

// TestMSALConfidentialWC88: a web application with a secret signs a person in.
func TestMSALConfidentialWC88(t *testing.T) {
	s := open(t)
	ada := s.person("ada@contoso.test")
	const redirect = "https://wiki.contoso.test/cb"
	app := s.app(application.Application{DisplayName: "Wiki", Web: application.Web{RedirectURIs: []string{redirect}}, Cardea: application.Extra{Scopes: []string{"User.Read"}}})
	cred, err := confidential.NewCredFromSecret(s.secret(app))
	s.Must(err)
	c, err := confidential.New(s.URL+"/"+s.TID, app.AppID, cred, confidential.WithInstanceDiscovery(false), confidential.WithHTTPClient(s.Client))
	s.Must(err)
	address, err := c.AuthCodeURL(t.Context(), app.AppID, redirect, []string{"User.Read"})
	s.Must(err)
	h, err := s.authorize(ada, address)
	s.Must(err)
	u, err := url.Parse(h.To)
	s.Must(err)
	got, err := c.AcquireTokenByAuthCode(t.Context(), u.Query().Get("code"), redirect, []string{"User.Read"})
	s.Must(err)
	if fmt.Sprint(got.GrantedScopes) == "[]" || len(got.DeclinedScopes) > 0 || got.IDToken.Oid != ada.ID {
		t.Errorf("WC-32: granted %v, declined %v", got.GrantedScopes, got.DeclinedScopes)
	}
	if _, err := c.AcquireTokenByAuthCode(t.Context(), u.Query().Get("code"), redirect, []string{"User.Read"}); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("the code again: %v", err)
	}
}
