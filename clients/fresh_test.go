package clients_test

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"cardea/internal/application"
)

// TestClaimsChallengeWC82PK129 goes the whole way of a client whose sign-in is
// too old for what it wants: 401 with claims, silently refused, interactively
// answered, and then the API says yes.
func TestClaimsChallengeWC82PK129(t *testing.T) {
	s := open(t)
	app := s.app(application.Application{DisplayName: "Tool", PublicClient: application.Redirects{RedirectURIs: []string{"http://localhost"}},
		Cardea: application.Extra{Scopes: []string{"UserAuthMethod-Passkey.ReadWrite"}}})
	ada := s.person("ada@contoso.test")
	c, err := public.New(app.AppID, public.WithAuthority(s.URL+"/"+s.TID), public.WithInstanceDiscovery(false), public.WithHTTPClient(s.Client), public.WithClientCapabilities([]string{"CP1"}))
	s.Must(err)
	scopes := []string{s.URL + "/UserAuthMethod-Passkey.ReadWrite"}
	asked := 0
	interactive := func(claims ...public.AcquireInteractiveOption) public.AuthResult {
		t.Helper()
		got, err := c.AcquireTokenInteractive(t.Context(), scopes, append(claims, public.WithRedirectURI("http://localhost"), public.WithOpenURL(func(address string) error {
			asked++
			h, err := s.authorize(ada, address)
			if err != nil {
				return err
			}
			res, err := http.PostForm(h.To, h.Form)
			if err != nil {
				return err
			}
			return res.Body.Close()
		}))...)
		s.Must(err)
		return got
	}
	const path = "/v1.0/me/authentication/fido2Methods/creationOptions"
	call := func(token string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		s.Must(err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := s.Client.Do(req)
		s.Must(err)
		s.Must(res.Body.Close())
		return res.StatusCode, res.Header.Get("WWW-Authenticate")
	}
	got := interactive()
	if status, challenge := call(got.AccessToken); status != http.StatusOK {
		t.Fatalf("with a fresh sign-in: %d %s", status, challenge)
	}
	s.forward(11 * time.Minute)
	status, challenge := call(got.AccessToken)
	m := regexp.MustCompile(`error="insufficient_claims", claims="([^"]+)"`).FindStringSubmatch(challenge)
	if status != http.StatusUnauthorized || m == nil {
		t.Fatalf("after 11 minutes: %d %s", status, challenge)
	}
	claims, err := base64.StdEncoding.DecodeString(m[1])
	s.Must(err)
	_, err = c.AcquireTokenSilent(t.Context(), scopes, public.WithSilentAccount(got.Account), public.WithClaims(string(claims)))
	if err == nil || !strings.Contains(err.Error(), "interaction_required") {
		t.Fatalf("silently: %v", err)
	}
	again := interactive(public.WithClaims(string(claims)))
	if status, challenge := call(again.AccessToken); status != http.StatusOK || asked != 2 {
		t.Errorf("after signing in again: %d %s, asked %d times", status, challenge, asked)
	}
}
