package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestOneHost: WC-1, authority and Graph stand at the root of one host, and no
// public address has a path; WC-3, the address is a setting, whatever a request
// says of hosts; WC-79, who comes by another name gets JSON, no page.
func TestOneHost(t *testing.T) {
	for set, ok := range map[string]bool{"https://id.example.com": true, "https://id.example.com/": true, "https://id.example.com/idp": false, "http://id.example.com": false, "https://id.example.com?x": false} {
		c := FromEnvironment(func(k string) string { return map[string]string{"CARDEA_PUBLIC_URL": set}[k] })
		if err := c.Check(); (err == nil) != ok {
			t.Errorf("WC-1: %s: %v", set, err)
		}
	}
	s, err := open(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for path, want := range map[string]struct {
		status int
		holds  string
	}{
		"/common/v2.0/.well-known/openid-configuration":                                                                      {200, `"token_endpoint":"http://localhost:8080/`},
		"/common/discovery/instance?authorization_endpoint=http%3A%2F%2Flocalhost:8080%2Fcommon%2Foauth2%2Fv2.0%2Fauthorize": {200, `"tenant_discovery_endpoint":"http://localhost:8080/`},
		"/metadata/endpoints": {200, `"microsoftGraphResourceId":"http://localhost:8080/"`},
		"/v1.0/users":         {401, `"code":"InvalidAuthenticationToken"`},
		"/beta/users":         {401, `"code":"InvalidAuthenticationToken"`},
	} {
		for _, header := range []string{"", "evil.test"} {
			r := httptest.NewRequest("GET", "http://localhost:8080"+path, nil)
			if header != "" {
				r.Header.Set("X-Forwarded-Host", header)
				r.Header.Set("Forwarded", "host="+header+";proto=https")
				r.Header.Set("X-Forwarded-Proto", "https")
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != want.status || !strings.Contains(w.Body.String(), want.holds) || strings.Contains(w.Body.String(), "evil") {
				t.Errorf("WC-1, WC-3: %s with %q: %d %s", path, header, w.Code, w.Body)
			}
		}
	}
	for _, accept := range []string{"", "application/json", "*/*"} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:8080/v1.0/users", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		var e struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 421 || !strings.Contains(e.Error.Message, "http://localhost:8080") {
			t.Errorf("WC-79: %d %s", w.Code, w.Body)
		}
	}
}

// TestWarnsOfAPort: WC-2, app-only Graph PowerShell works on port 443 only.
func TestWarnsOfAPort(t *testing.T) {
	for public, want := range map[string]bool{"https://id.example.com:8443": true, "https://id.example.com": false, "https://id.example.com:443": false} {
		var log bytes.Buffer
		s, err := New(t.Context(), Config{PublicURL: public, Listen: "127.0.0.1:0", DataDir: t.TempDir(), LogFormat: "text"},
			Options{Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		s.warnAtStart(t.Context())
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "public address has a port"); got != want {
			t.Errorf("WC-2: %s: warned: %v", public, got)
		}
	}
}
