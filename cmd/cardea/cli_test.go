package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"cardea/internal/audit"
	"cardea/internal/ctap/ctaptest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/server"
	"cardea/internal/session"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cardea": main})
}

// TestScripts types the commands of testdata/script at a real server of their
// own, as a robot with every permission.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		s, stop, err := start(e.WorkDir)
		if err != nil {
			return err
		}
		e.Defer(stop)
		app, err := s.BootstrapApp(context.Background(), "Automation", []string{"all"})
		if err != nil {
			return err
		}
		l, err := net.Listen("unix", filepath.Join(e.WorkDir, "usb")) // a security key in software
		if err != nil {
			return err
		}
		e.Defer(func() { l.Close() })
		key := &ctaptest.Key{}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go key.Serve(c)
			}
		}()
		e.Setenv("CARDEA_SERVER", s.address)
		e.Setenv("CARDEA_CA", s.ca)
		e.Setenv("CARDEA_CLIENT_ID", app.ClientID)
		e.Setenv("CARDEA_CLIENT_SECRET", app.ClientSecret)
		e.Setenv("CARDEA_CONFIG_DIR", filepath.Join(e.WorkDir, "config"))
		return nil
	}})
}

type running struct {
	*server.Server
	address, ca string
}

// start runs a server with its own authority, as serve does, in dir.
func start(dir string) (running, func(), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return running{}, nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	data := filepath.Join(dir, "data")
	address := fmt.Sprintf("https://localhost:%d", port)
	ctx, cancel := context.WithCancel(context.Background())
	fail := func(err error) (running, func(), error) { cancel(); return running{}, nil, err }
	cfg := server.FromEnvironment(func(string) string { return "" })
	cfg.DataDir, cfg.Listen, cfg.PublicURL, cfg.TLS = data, fmt.Sprintf("127.0.0.1:%d", port), address, "self-signed"
	s, err := server.New(ctx, cfg, server.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fail(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func() error { close(ready); return nil }) }()
	select {
	case <-ready:
	case err := <-ended:
		return fail(err)
	}
	ca, err := filepath.Glob(filepath.Join(data, "*ca*.pem"))
	if err != nil || len(ca) == 0 {
		return fail(fmt.Errorf("no authority in %s: %v", data, err))
	}
	return running{s, address, ca[0]}, func() { cancel(); <-ended; s.Close() }, nil
}

var address = regexp.MustCompile(`https://localhost:\S+/authorize\?\S+`)

// TestLogin signs in as a person does: the command prints an address, a
// browser with a session opens it and comes back, and the tokens are saved for
// their owner only, renewed, and forgotten.
func TestLogin(t *testing.T) {
	s, stop, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	config := t.TempDir()
	for name, v := range map[string]string{"CARDEA_CONFIG_DIR": config, "CARDEA_CA": s.ca, "CARDEA_SERVER": "", "CARDEA_CLIENT_ID": "", "CARDEA_CLIENT_SECRET": ""} {
		t.Setenv(name, v)
	}
	browser := signedIn(t, s)

	printed, toTest := io.Pipe()
	defer printed.Close()
	code := make(chan int, 1)
	go func() { code <- run([]string{"login", "--server", s.address}, io.Discard, toTest); toTest.Close() }()
	buf, seen := make([]byte, 4096), ""
	for !address.MatchString(seen) || !strings.Contains(seen, "Waiting") {
		n, err := printed.Read(buf)
		if seen += string(buf[:n]); err != nil {
			t.Fatalf("login ended with %d: %s", <-code, seen)
		}
	}
	var rest sync.WaitGroup
	rest.Go(func() { io.Copy(io.Discard, printed) })
	res, err := browser.Get(address.FindString(seen))
	if err != nil {
		t.Fatal(err)
	}
	back, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 200 || !strings.Contains(string(back), "signed in") {
		t.Fatalf("the browser ended at %s: %d %s", res.Request.URL, res.StatusCode, back)
	}
	if got := <-code; got != 0 {
		t.Fatalf("login: exit %d", got)
	}
	rest.Wait()

	file := filepath.Join(config, "contexts.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the tokens are in %v (%v), want 0600", info.Mode(), err)
	}
	command := func(want int, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if got := run(args, &out, &errs); got != want {
			t.Fatalf("cardea %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	if who := command(0, "whoami"); !strings.Contains(who, "ada@contoso.test") || !strings.Contains(who, "Global Administrator") {
		t.Errorf("whoami: %s", who)
	}
	b, err := openBook()
	if err != nil {
		t.Fatal(err)
	}
	old := b.Contexts[b.Current]
	stale := old
	stale.Access, stale.Expires = "x.y.z", time.Now().Add(-time.Hour)
	b.Contexts[b.Current] = stale
	if err := b.save(); err != nil {
		t.Fatal(err)
	}
	command(0, "user", "list")
	if b, err = openBook(); err != nil || b.Contexts[b.Current].Refresh == old.Refresh || b.Contexts[b.Current].Access == "x.y.z" {
		t.Errorf("an expired token was not renewed and saved: %v", err)
	}
	if list := command(0, "context", "list"); !strings.Contains(list, s.address) {
		t.Errorf("context list: %s", list)
	}
	command(0, "logout")
	if said := command(4, "user", "list"); !strings.Contains(said, "next: cardea login") {
		t.Errorf("after logout: %s", said)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if said := command(1, "user", "list"); !strings.Contains(said, "chmod 600") {
		t.Errorf("a file that others can read was used: %s", said)
	}
}

// signedIn is a browser in which an administrator has signed in.
func signedIn(t *testing.T, s running) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var cookie string
	err = s.DB.Write(t.Context(), func(q db.Querier) error {
		now := time.Now()
		u, err := directory.CreateUser(t.Context(), q, audit.System("test"), now, directory.User{UserPrincipalName: "ada@contoso.test", DisplayName: "Ada", AccountEnabled: true})
		if err != nil {
			return err
		}
		if err := directory.AssignRole(t.Context(), q, audit.System("test"), now, directory.RoleAssignment{UserID: u.ID, RoleID: directory.GlobalAdministrator}); err != nil {
			return err
		}
		_, cookie, err = session.Start(t.Context(), q, now, session.Session{UserID: u.ID, MFAAt: now, Methods: []string{session.MethodPasskey, session.MethodMFA}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(at, []*http.Cookie{page.Cookie("session", cookie, time.Hour)})
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// TestTail: a tail prints what is there and what comes, each entry once, until
// it is interrupted.
func TestTail(t *testing.T) {
	s, stop, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	app, err := s.BootstrapApp(t.Context(), "Automation", []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{"CARDEA_CONFIG_DIR": t.TempDir(), "CARDEA_CA": s.ca, "CARDEA_SERVER": s.address, "CARDEA_CLIENT_ID": app.ClientID, "CARDEA_CLIENT_SECRET": app.ClientSecret} {
		t.Setenv(name, v)
	}
	create := func(name string) {
		t.Helper()
		if code := run([]string{"group", "create", name, "-q"}, io.Discard, io.Discard); code != 0 {
			t.Fatalf("group create: exit %d", code)
		}
	}
	create("first")
	out, to := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run([]string{"audit", "tail", "--since", "1h", "--every", "1s", "--filter", "activityDisplayName eq 'Add group'"}, to, io.Discard)
		to.Close()
	}()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	next := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), `"displayName":"`+want+`"`) {
			t.Fatalf("got %q, want the entry of %s", lines.Text(), want)
		}
	}
	next("first")
	create("second")
	next("second")
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitInterrupt {
		t.Errorf("exit %d, want %d", got, exitInterrupt)
	}
	if lines.Scan() {
		t.Errorf("one more line: %s", lines.Text())
	}
}

// FuzzServer: what cleanServer accepts is a scheme and a host and nothing
// else, encrypted unless it stays on this machine.
func FuzzServer(f *testing.F) {
	for _, s := range []string{"id.contoso.com", "https://user:pw@id.contoso.com/x?y#z", "http://localhost:8080", "http://id.contoso.com", "ftp://x", "https://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out, err := cleanServer(in)
		if err != nil {
			return
		}
		u, err := url.Parse(out)
		if err != nil || u.Host == "" || u.User != nil || u.Path+u.RawQuery+u.Fragment != "" || u.Scheme != "https" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			t.Fatalf("%q became %q (%v)", in, out, err)
		}
	})
}

// TestSince reads spans and dates.
func TestSince(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{"": {}, "90m": now.Add(-90 * time.Minute), "7d": now.AddDate(0, 0, -7), "2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "2026-01-31T01:00:00Z": time.Date(2026, 1, 31, 1, 0, 0, 0, time.UTC)} {
		if got, err := since(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"yesterday", "-3h", "0", "7 d"} {
		if got, err := since(bad, now); err == nil {
			t.Errorf("%q is accepted: %v", bad, got)
		}
	}
}
