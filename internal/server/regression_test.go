package server

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardea/internal/problem"
)

func open(t *testing.T, dir string) (*Server, error) {
	t.Helper()
	return New(t.Context(), Config{PublicURL: "http://localhost:8080", Listen: "127.0.0.1:8080", DataDir: dir, LogFormat: "text"},
		Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

// TestMasterKeyMissing_regression: where the database was made with another
// key no new one is left behind, which would pass for the lost one.
func TestMasterKeyMissing_regression(t *testing.T) {
	dir := t.TempDir()
	s, err := open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "master.key")
	if err := os.Rename(key, key+".kept"); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir); problem.CodeOf(err) != "masterKeyMissing" {
		t.Errorf("%v, want masterKeyMissing", err)
	}
	if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a new master key lies beside a database that it does not open: %v", err)
	}
	if err := os.Rename(key+".kept", key); err != nil {
		t.Fatal(err)
	}
	s, err = open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAPIPaths_regression: whatever stands in a path below /v1.0 or /beta, the
// API answers in JSON; neither the router nor a page does.
func TestAPIPaths_regression(t *testing.T) {
	s, err := open(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, method := range []string{"GET", "POST"} {
		for _, path := range []string{"/v1.0", "/v1.0/", "/v1.0//users", "/v1.0/./users", "/v1.0/../beta/users", "/V1.0/users", "/beta", "/BETA/me", "/v1.0/users//"} {
			r := httptest.NewRequest(method, "http://localhost:8080"+path, nil)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != 401 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") || w.Header().Get("request-id") == "" {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Header().Get("Content-Type"))
			}
		}
	}
}
