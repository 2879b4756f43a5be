package server

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func frontFor(t *testing.T, env map[string]string) *front {
	t.Helper()
	k, err := FromEnvironment(func(k string) string { return env[k] }).check()
	if err != nil {
		t.Fatal(err)
	}
	return newFront(k, prometheus.NewRegistry(), func(*http.Request) error { return nil },
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }))
}

func TestForwardedForIsBelievedFromConfiguredProxiesOnly(t *testing.T) {
	f := frontFor(t, map[string]string{"CARDEA_PUBLIC_URL": "https://id.example.com", "CARDEA_TRUSTED_PROXIES": "10.0.0.0/8"})
	for _, row := range []struct{ peer, header, want string }{
		{"198.51.100.7:1234", "", "198.51.100.7:1234"},
		{"198.51.100.7:1234", "203.0.113.9", "198.51.100.7:1234"},                             // a stranger lies
		{"10.1.2.3:1234", "203.0.113.9", "203.0.113.9:0"},                                     // our proxy tells
		{"10.1.2.3:1234", "192.0.2.66, 203.0.113.9", "203.0.113.9:0"},                         // the left part was written by the browser
		{"10.1.2.3:1234", "203.0.113.9, 10.9.9.9", "203.0.113.9:0"},                           // two proxies of ours
		{"10.1.2.3:1234", "garbage", "10.1.2.3:0"},                                            // nothing to learn
		{"10.1.2.3:1234", "2001:db8::1", "[2001:db8::1]:0"},                                   // IPv6
		{"10.1.2.3:1234", "203.0.113.9, garbage, 10.9.9.9", "10.9.9.9:0"},                     // stops at what it cannot read
		{"10.1.2.3:1234", strings.Repeat("192.0.2.1,", 500) + "203.0.113.9", "203.0.113.9:0"}, // long lists
	} {
		r := httptest.NewRequest("GET", "https://id.example.com/signin", nil)
		r.RemoteAddr = row.peer
		if row.header != "" {
			r.Header.Set("X-Forwarded-For", row.header)
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Body.String() != row.want {
			t.Errorf("peer %s, header %.40q: %s, want %s", row.peer, row.header, w.Body, row.want)
		}
	}
}

func TestOtherHostNamesAreSentToThePublicAddress(t *testing.T) {
	f := frontFor(t, map[string]string{"CARDEA_PUBLIC_URL": "https://id.example.com"})
	r := httptest.NewRequest("GET", "https://evil.example/security-info?x=1", nil)
	r.Header.Set("Accept", "text/html,*/*")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != "https://id.example.com/security-info?x=1" {
		t.Error(w.Code, w.Header())
	}
	r = httptest.NewRequest("POST", "https://evil.example/signin/passkey", strings.NewReader("{}"))
	w = httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if w.Code != http.StatusMisdirectedRequest {
		t.Error("POST to another name:", w.Code)
	}
}

func TestHealthReadyMetrics(t *testing.T) {
	f := frontFor(t, nil)
	get := func(path, peer string) int {
		r := httptest.NewRequest("GET", "http://10.0.0.5:8080"+path, nil) // a probe knows no public name
		r.RemoteAddr = peer
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		return w.Code
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 403} {
		if got := get(path, "198.51.100.1:5"); got != want {
			t.Errorf("%s from afar: %d, want %d", path, got, want)
		}
	}
	if got := get("/metrics", "127.0.0.1:5"); got != 200 {
		t.Error("/metrics from this machine:", got)
	}
	f.ready = func(*http.Request) error { return errors.New("down") }
	if got := get("/readyz", "127.0.0.1:5"); got != 503 {
		t.Error("/readyz without a database:", got)
	}
}
