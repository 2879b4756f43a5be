package main

import (
	"context"
	"database/sql"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"cardea/internal/server"
	"cardea/internal/session"
	"cardea/internal/webauthn"

	"cardea/internal/cardeatest"
)

// TestNothingAcknowledgedIsLost kills the server in the middle of sign-ins and
// registrations, again and again. Whatever a browser was told has happened must
// be there after the restart, and the database must be whole.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills a server")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "cardea")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/cardea").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CARDEA_DATA_DIR", dir)
	t.Setenv("CARDEA_LISTEN", "127.0.0.1:"+port)
	t.Setenv("CARDEA_PUBLIC_URL", "")
	t.Setenv("CARDEA_DATABASE_URL", "")
	w, err := populate(t.Context(), 40, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var tokens, passkeys []string
	for round := range 4 {
		s, err := start(binary, filepath.Join(dir, "log"), port)
		if err != nil {
			t.Fatal(err)
		}
		newTokens, newPasskeys := untilKilled(t, w, s)
		tokens, passkeys = append(tokens, newTokens...), append(passkeys, newPasskeys...)
		t.Logf("round %d: %d sign-ins and %d registrations were acknowledged before the kill", round+1, len(newTokens), len(newPasskeys))
		verify(t, filepath.Join(dir, "cardea.db"), tokens, passkeys)
	}
}

// untilKilled works the server and kills it (SIGKILL) once enough was
// acknowledged, while requests are under way.
func untilKilled(t *testing.T, w *world, s *process) (tokens, passkeys []string) {
	const enough = 150
	var mu sync.Mutex
	var n atomic.Int64
	var wg sync.WaitGroup
	killed := make(chan struct{})
	note := func(list *[]string, what string) {
		mu.Lock()
		*list = append(*list, what)
		mu.Unlock()
		if n.Add(1) == enough {
			s.cmd.Process.Kill()
			s.cmd.Wait()
			close(killed)
		}
	}
	for i := range 8 {
		wg.Go(func() {
			b, err := newBrowser(w)
			if err != nil {
				return
			}
			defer b.close()
			for k := i; ; k += 8 {
				if err := signIn(b, w.people[k%len(w.people)]); err != nil {
					select {
					case <-killed:
					default:
						if n.Load() < enough {
							t.Errorf("a sign-in failed before the kill: %v", err)
						}
					}
					return
				}
				_, token, _ := strings.Cut(b.session, "=")
				note(&tokens, token)
				if k%3 != 0 {
					continue
				}
				id, err := register(b, w.origin)
				if err != nil {
					if n.Load() < enough {
						t.Errorf("a registration failed before the kill: %v", err)
					}
					return
				}
				note(&passkeys, id)
			}
		})
	}
	wg.Wait()
	select {
	case <-killed:
	case <-time.After(time.Minute):
		t.Fatal("the server was never killed")
	}
	return tokens, passkeys
}

// register makes one more passkey for whoever is signed in and returns its
// credential id once the server has acknowledged it.
func register(b *browser, origin string) (string, error) {
	options, _, err := b.do("POST", "/security-info/passkeys/options", "application/json", "{}")
	if err != nil {
		return "", err
	}
	state, err := member(options, "state")
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(options, `"publicKey":`)
	publicKey := after[:strings.LastIndex(after, `,"state"`)]
	made, err := cardeatest.NewAuthenticator().Create([]byte(publicKey), origin)
	if err != nil {
		return "", err
	}
	resp, err := webauthn.ParseRegistration(made)
	if err != nil {
		return "", err
	}
	_, _, err = b.do("POST", "/security-info/passkeys", "application/json", `{"state":"`+state+`","credential":`+string(made)+`}`)
	return string(resp.CredentialID), err
}

// verify opens what the killed server left behind.
func verify(t *testing.T, path string, tokens, passkeys []string) {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	var verdict string
	if err := raw.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatal("the database is damaged:", verdict, err)
	}
	raw.Close()
	cfg := server.FromEnvironment(func(k string) string {
		if k == "CARDEA_DATA_DIR" {
			return filepath.Dir(path)
		}
		return ""
	})
	s, err := server.New(context.Background(), cfg, server.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, token := range tokens {
		found, err := session.Find(t.Context(), s.DB, token, time.Now())
		if err != nil {
			t.Fatalf("an acknowledged session is lost: %v", err)
		}
		var rows int
		if err := s.DB.QueryRowContext(t.Context(), `SELECT count(*) FROM sign_ins WHERE id = $1`, found.SignInID).Scan(&rows); err != nil || rows != 1 {
			t.Fatalf("a session without its row in the sign-in log (%d): %v", rows, err)
		}
	}
	for _, id := range passkeys {
		var rows int
		if err := s.DB.QueryRowContext(t.Context(), `SELECT count(*) FROM passkeys WHERE credential_id = $1`, []byte(id)).Scan(&rows); err != nil || rows != 1 {
			t.Fatalf("an acknowledged passkey is lost (%d): %v", rows, err)
		}
	}
}
