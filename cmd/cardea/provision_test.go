package main

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/db/dbtest"
	"cardea/internal/server"
)

// front is a proxy between the command and a real server, at the server's
// public address. It can refuse what comes, lose answers, and count.
type front struct {
	address string
	writes  string       // end of the paths that count
	posts   atomic.Int64 // how many were seen
	handler http.Handler // for browsers in a test
	ahead   atomic.Int64 // how far the server's clock is before ours, in nanoseconds

	// before and after are called around a write, with its number from 1. A
	// false ends the exchange without an answer.
	before, after func(n int64, w http.ResponseWriter) bool
}

// behind starts a server on an empty database with a front before it, and sets
// the environment of a robot with every permission.
func behind(t *testing.T, dsn string) (*front, *server.Server, []string) {
	t.Helper()
	outer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := inner.Addr().String()
	inner.Close()
	f := &front{writes: "/fido2Methods", address: fmt.Sprintf("http://localhost:%d", outer.Addr().(*net.TCPAddr).Port)}
	cfg := server.FromEnvironment(func(string) string { return "" })
	cfg.DataDir, cfg.Listen, cfg.PublicURL = filepath.Join(t.TempDir(), "data"), listen, f.address
	if strings.HasPrefix(dsn, "postgres") {
		cfg.DatabaseURL = dsn
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.New(ctx, cfg, server.Options{Now: func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func() error { close(ready); return nil }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: listen})
	proxy.Director = func(r *http.Request) { r.URL.Scheme, r.URL.Host = "http", listen } // the Host header stays
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, f.writes) {
			proxy.ServeHTTP(w, r)
			return
		}
		n := f.posts.Add(1)
		if f.before != nil && !f.before(n, w) {
			return
		}
		proxy.ServeHTTP(losable{w, func() bool { return f.after == nil || f.after(n, w) }}, r)
	})
	hs := &http.Server{Handler: f.handler}
	go hs.Serve(outer)
	t.Cleanup(func() { hs.Close(); cancel(); <-ended; s.Close() })
	app, err := s.BootstrapApp(t.Context(), "Automation", []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	return f, s, append(os.Environ(), "CARDEA_SERVER="+f.address, "CARDEA_CLIENT_ID="+app.ClientID, "CARDEA_CLIENT_SECRET="+app.ClientSecret,
		"CARDEA_CONFIG_DIR="+t.TempDir(), "CARDEA_KEYFILE_PASSPHRASE=correct horse battery", "CARDEA_CA=")
}

// losable asks before the answer's first byte whether the client shall have it.
type losable struct {
	http.ResponseWriter
	may func() bool
}

func (l losable) WriteHeader(status int) {
	if !l.may() {
		panic(http.ErrAbortHandler) // the connection breaks; the server has done its work
	}
	l.ResponseWriter.WriteHeader(status)
}

// cardea runs the command as a process of its own and returns what it says.
func cardea(t *testing.T, env []string, dir string, args ...string) (said string, code int) {
	t.Helper()
	c := command(env, dir, args...)
	out, err := c.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func command(env []string, dir string, args ...string) *exec.Cmd {
	c := exec.Command("cardea", args...)
	c.Env, c.Dir = env, dir
	return c
}

// people writes a file to import and one to provision.
func people(t *testing.T, dir string, n int) {
	t.Helper()
	var users, keys strings.Builder
	users.WriteString("userPrincipalName,displayName\n")
	keys.WriteString("userPrincipalName,label,serial\n")
	for i := range n {
		fmt.Fprintf(&users, "p%04d@contoso.test,Person %d\n", i, i)
		fmt.Fprintf(&keys, "p%04d@contoso.test,Key %d,%d\n", i, i, 1000+i)
	}
	for name, s := range map[string]string{"users.csv": users.String(), "people.csv": keys.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// count asks the database, not the API that the command used.
func count(t *testing.T, s *server.Server, query string) (n int) {
	t.Helper()
	if err := s.DB.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// results reads a result file: how many rows have each status.
func results(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, r := range rows[1:] {
		got[r[5]]++
	}
	return got
}

var provisionArgs = []string{"passkey", "provision", "--csv", "people.csv", "--authenticator", "software", "--keys", "out.keys", "--resume", "--timeout", "10s"}

// TestProvision: a whole run on both engines, with a server that asks twice
// for patience and loses answers: everybody has one passkey in the end, whose
// key is in the file.
func TestProvision(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			f, s, env := behind(t, dsn(t))
			dir := t.TempDir()
			people(t, dir, 60)
			if said, code := cardea(t, env, dir, "user", "import", "--csv", "users.csv"); code != 0 {
				t.Fatalf("import: exit %d: %s", code, said)
			}
			f.posts.Store(0)
			f.before = func(n int64, w http.ResponseWriter) bool {
				if n != 20 && n != 40 {
					return true
				}
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(map[int64]int{20: 429, 40: 503}[n])
				io.WriteString(w, `{"error":{"code":"TooManyRequests","message":"slow down"}}`)
				return false
			}
			f.after = func(n int64, _ http.ResponseWriter) bool { return n%10 != 3 }
			said, code := cardea(t, env, dir, provisionArgs...)
			if code != 0 || !strings.Contains(said, "60 ok, 0 failed") {
				t.Fatalf("provision: exit %d: %s", code, said)
			}
			if n, p := count(t, s, `SELECT count(*) FROM passkeys`), count(t, s, `SELECT count(DISTINCT user_id) FROM passkeys`); n != 60 || p != 60 {
				t.Errorf("%d passkeys of %d people, want 60 and 60", n, p)
			}
			if said, code := cardea(t, env, dir, "passkey", "keyfile", "list", "out.keys"); code != 0 || strings.Count(said, "\n") != 61 {
				t.Errorf("the key file: exit %d: %s", code, said)
			}
			if got := results(t, filepath.Join(dir, "people.result.csv")); got["ok"] != 60 {
				t.Errorf("results: %v", got)
			}
		})
	}
}

// TestProvisionSurvivesKills kills the command before a write reaches the
// server, and after the server has committed but before the answer arrives,
// again and again. In the end everybody has exactly one passkey, and the file
// has its key and no other.
func TestProvisionSurvivesKills(t *testing.T) {
	f, s, env := behind(t, "")
	dir := t.TempDir()
	people(t, dir, 40)
	if said, code := cardea(t, env, dir, "user", "import", "--csv", "users.csv"); code != 0 {
		t.Fatalf("import: exit %d: %s", code, said)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	const kills = 8
	for round := range kills {
		c := command(env, dir, provisionArgs...)
		stop := f.posts.Load() + 1 + chance.Int64N(5)
		kill := func(n int64, _ http.ResponseWriter) bool {
			if n < stop {
				return true
			}
			c.Process.Kill()
			return false
		}
		f.before, f.after = nil, nil
		if round%2 == 0 {
			f.before = kill
		} else {
			f.after = kill
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
			t.Fatalf("round %d: it was not killed: %v", round, err)
		}
	}
	f.before, f.after = nil, nil
	said, code := cardea(t, env, dir, provisionArgs...)
	if code != 0 {
		t.Fatalf("the last run: exit %d: %s", code, said)
	}
	if n, p := count(t, s, `SELECT count(*) FROM passkeys`), count(t, s, `SELECT count(DISTINCT user_id) FROM passkeys`); n != 40 || p != 40 {
		t.Errorf("%d passkeys of %d people, want 40 and 40", n, p)
	}
	listed, _ := cardea(t, env, dir, "passkey", "keyfile", "list", "out.keys", "--columns", "credentialId")
	for _, id := range strings.Fields(listed)[1:] {
		var n int
		if err := s.DB.QueryRowContext(t.Context(), `SELECT count(*) FROM passkeys WHERE credential_id = $1`, unb64(t, id)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Logf("the file holds a key that was never used: %s", id) // killed between key and journal
		}
	}
	if got := results(t, filepath.Join(dir, "people.result.csv")); got["ok"] != 40 {
		t.Errorf("results: %v", got)
	}
	if before := f.posts.Load(); true {
		if said, code := cardea(t, env, dir, provisionArgs...); code != 0 || f.posts.Load() != before {
			t.Errorf("another run registers again: exit %d: %s", code, said)
		}
	}
}

// TestImportSurvivesKills is the same for people.
func TestImportSurvivesKills(t *testing.T) {
	f, s, env := behind(t, "")
	dir := t.TempDir()
	people(t, dir, 200)
	f.writes = "/$batch"
	args := []string{"user", "import", "--csv", "users.csv", "--resume", "--workers", "2", "--timeout", "10s"}
	for round := range 4 {
		c := command(env, dir, args...)
		stop := f.posts.Load() + 2
		kill := func(n int64, _ http.ResponseWriter) bool {
			if n < stop {
				return true
			}
			c.Process.Kill()
			return false
		}
		f.before, f.after = nil, nil
		if round%2 == 0 {
			f.after = kill
		} else {
			f.before = kill
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != -1 {
			t.Fatalf("round %d: it was not killed: %v", round, err)
		}
	}
	f.before = nil
	f.after = func(n int64, _ http.ResponseWriter) bool { return n%3 != 0 } // and some answers are lost
	said, code := cardea(t, env, dir, args...)
	if code != 0 {
		t.Fatalf("the last run: exit %d: %s", code, said)
	}
	if n := count(t, s, `SELECT count(*) FROM users WHERE upn_key LIKE 'p0%'`); n != 200 {
		t.Errorf("%d people, want 200", n)
	}
	if got := results(t, filepath.Join(dir, "users.result.csv")); got["ok"] != 200 {
		t.Errorf("results: %v", got)
	}
}

// TestInterrupt: Ctrl-C finishes what is in flight and says how to go on.
func TestInterrupt(t *testing.T) {
	f, s, env := behind(t, "")
	dir := t.TempDir()
	people(t, dir, 40)
	if said, code := cardea(t, env, dir, "user", "import", "--csv", "users.csv"); code != 0 {
		t.Fatalf("import: exit %d: %s", code, said)
	}
	f.posts.Store(0)
	c := command(env, dir, provisionArgs...)
	f.before = func(n int64, _ http.ResponseWriter) bool {
		if n == 10 {
			c.Process.Signal(os.Interrupt)
		}
		return true
	}
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	err := c.Run()
	if c.ProcessState.ExitCode() != exitInterrupt || !strings.Contains(said.String(), "Continue: the same command with --resume") {
		t.Fatalf("%v: %s", err, said.String())
	}
	got := results(t, filepath.Join(dir, "people.result.csv"))
	if n := count(t, s, `SELECT count(*) FROM passkeys`); n != got["ok"] || got["ok"] < 10 || got["ok"]+got["not_started"] != 40 {
		t.Errorf("%d passkeys; results: %v", n, got)
	}
	f.before = nil
	if said, code := cardea(t, env, dir, provisionArgs...); code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	if n := count(t, s, `SELECT count(*) FROM passkeys`); n != 40 {
		t.Errorf("%d passkeys, want 40", n)
	}
}

func unb64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
