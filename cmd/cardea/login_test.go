package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// typed runs a command in this process and returns what it says.
func typed(t *testing.T, want int, args ...string) (out, errs string) {
	t.Helper()
	var o, e strings.Builder
	if got := run(args, &o, &e); got != want {
		t.Fatalf("cardea %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, want, o.String(), e.String())
	}
	return o.String(), e.String()
}

// nobody sets an environment in which nobody is signed in.
func nobody(t *testing.T, s running) (config string) {
	t.Helper()
	config = t.TempDir()
	for name, v := range map[string]string{"CARDEA_CONFIG_DIR": config, "CARDEA_CA": s.ca, "CARDEA_SERVER": s.address, "CARDEA_CLIENT_ID": "", "CARDEA_CLIENT_SECRET": "", "CARDEA_CLIENT_CERT": ""} {
		t.Setenv(name, v)
	}
	return config
}

var userCode = regexp.MustCompile(`Open  (\S+)  and enter  (\S+)  .*minutes`)

// TestLoginWithCode signs in by device code (RFC 8628): the command prints a
// code, somebody types it in a browser elsewhere and says yes, or no.
func TestLoginWithCode(t *testing.T) {
	s, stop, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	config := nobody(t, s)
	browser := signedIn(t, s)
	for _, c := range []struct {
		answer string
		exit   int
		said   string
	}{{"no", exitFailed, "the server gave no token"}, {"yes", 0, "Signed in to " + s.address + " as ada@contoso.test"}} {
		printed, toTest := io.Pipe()
		code := make(chan int, 1)
		go func() {
			code <- run([]string{"login", "--device-code"}, io.Discard, toTest)
			toTest.Close()
		}()
		buf, seen := make([]byte, 4096), ""
		for !userCode.MatchString(seen) {
			n, err := printed.Read(buf)
			if seen += string(buf[:n]); err != nil {
				t.Fatalf("login ended with %d: %s", <-code, seen)
			}
		}
		var rest sync.WaitGroup
		var later bytes.Buffer
		rest.Go(func() { io.Copy(&later, printed) })
		m := userCode.FindStringSubmatch(seen)
		res, err := browser.PostForm(m[1], url.Values{"user_code": {m[2]}})
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		flow := res.Request.URL.Query().Get("flow")
		if res.Request.URL.Path != "/devicelogin/confirm" || flow == "" {
			t.Fatalf("the code leads to %s", res.Request.URL)
		}
		res, err = browser.PostForm(s.address+"/devicelogin/confirm", url.Values{"flow": {flow}, "answer": {c.answer}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/devicelogin/done" {
			t.Fatalf("the answer leads to %s: %d", res.Request.URL, res.StatusCode)
		}
		if got := <-code; got != c.exit {
			t.Errorf("%s: exit %d, want %d", c.answer, got, c.exit)
		}
		rest.Wait()
		if !strings.Contains(later.String(), c.said) {
			t.Errorf("%s: %s", c.answer, later.String())
		}
	}
	if info, err := os.Stat(filepath.Join(config, "contexts.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the tokens are in %v (%v), want 0600", info.Mode(), err)
	}
	if who, _ := typed(t, 0, "whoami"); !strings.Contains(who, "Global Administrator") {
		t.Errorf("whoami: %s", who)
	}
}

// certificate makes a certificate with its key, as one PEM file.
func certificate(t *testing.T, key crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "robot"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "robot.pem")
	content := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRobotWithCertificate: an application signs in with a certificate (WC-37),
// from the environment and as a saved sign-in.
func TestRobotWithCertificate(t *testing.T) {
	s, stop, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	nobody(t, s)
	app, err := s.BootstrapApp(t.Context(), "Robot", []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{certificate(t, rsaKey), certificate(t, ecKey)}
	t.Setenv("CARDEA_CLIENT_ID", app.ClientID)
	t.Setenv("CARDEA_CLIENT_SECRET", app.ClientSecret)
	for _, f := range files {
		typed(t, 0, "app", "certificate", "Robot", f, "--name", filepath.Base(f))
	}
	if o, _ := typed(t, 0, "app", "get", "Robot", "-o", "json"); strings.Count(o, "AsymmetricX509Cert") != 2 {
		t.Errorf("the second certificate took the place of the first: %s", o)
	}
	t.Setenv("CARDEA_CLIENT_SECRET", "")
	for _, f := range files {
		t.Setenv("CARDEA_CLIENT_CERT", f)
		if who, _ := typed(t, 0, "whoami"); !strings.Contains(who, app.ClientID) {
			t.Errorf("whoami: %s", who)
		}
	}
	stranger := certificate(t, ecdsaKey(t))
	t.Setenv("CARDEA_CLIENT_CERT", stranger)
	if _, said := typed(t, exitSignIn, "whoami"); !strings.Contains(said, "gives no token") {
		t.Errorf("a certificate that nobody knows: %s", said)
	}
	t.Setenv("CARDEA_CLIENT_ID", "")
	t.Setenv("CARDEA_CLIENT_CERT", "")
	typed(t, exitSignIn, "login", "--client-id", app.ClientID, "--cert", stranger)
	typed(t, exitUsage, "login", "--cert", files[0])
	typed(t, exitSignIn, "whoami")
	typed(t, 0, "login", "--client-id", app.ClientID, "--cert", files[1])
	typed(t, 0, "user", "list")
	b, err := openBook()
	if err != nil {
		t.Fatal(err)
	}
	c := b.Contexts[b.Current] // the token has ended: the certificate gives another
	c.Access, c.Expires = "x.y.z", time.Now().Add(-time.Hour)
	b.Contexts[b.Current] = c
	if err := b.save(); err != nil {
		t.Fatal(err)
	}
	if who, _ := typed(t, 0, "whoami"); !strings.Contains(who, app.ClientID) {
		t.Errorf("whoami: %s", who)
	}
	if err := os.Chmod(files[1], 0o640); err != nil {
		t.Fatal(err)
	}
	if _, said := typed(t, exitFailed, "whoami"); !strings.Contains(said, "chmod 600") {
		t.Errorf("a key that others can read was used: %s", said)
	}
	typed(t, 0, "logout")
	typed(t, exitSignIn, "whoami")
}

func ecdsaKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{20}`)

// TestVerbose: --verbose shows each request and its answer in order, and no
// secret: not that of the robot, no token, no pass, no enrolment link.
func TestVerbose(t *testing.T) {
	s, stop, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	nobody(t, s)
	app, err := s.BootstrapApp(t.Context(), "Robot", []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CARDEA_CLIENT_ID", app.ClientID)
	t.Setenv("CARDEA_CLIENT_SECRET", app.ClientSecret)
	typed(t, 0, "user", "create", "ada@contoso.test")
	secret := func(members string, args ...string) {
		t.Helper()
		out, said := typed(t, 0, append(args, "--verbose", "--columns", members)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		value := lines[len(lines)-1]
		if len(value) < 8 {
			t.Fatalf("no secret in %q", out)
		}
		if strings.Contains(said, value) || strings.Contains(said, app.ClientSecret) || jwt.MatchString(said) {
			t.Errorf("cardea %s shows a secret:\n%s", strings.Join(args, " "), said)
		}
		if !strings.Contains(said, hidden) || !strings.Contains(said, `"displayName"`) {
			t.Errorf("what is no secret is not shown:\n%s", said)
		}
		rest := said
		for _, want := range []string{"#1 > POST " + s.address + "/organizations/oauth2/v2.0/token", "client_secret=%28hidden%29", "#1 < 200 OK", "#2 > GET " + s.address + "/v1.0/", "Authorization: " + hidden,
			"#2 < 200 OK", "#3 > POST ", "#3 < 20"} {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Fatalf("%q is missing, or out of order:\n%s", want, said)
			}
			rest = after
		}
	}
	secret("secretText", "app", "secret", "Robot")
	secret("temporaryAccessPass", "tap", "issue", "ada")
	secret("url", "user", "enrol-link", "ada")
}

// TestRedacted: whatever lies around it, the value of a member that opens
// something is hidden, and others are not.
func TestRedacted(t *testing.T) {
	for name, want := range map[string]bool{"access_token": true, "refreshToken": true, "id_token": true, "client_secret": true, "secretText": true, "newPassword": true, "temporaryAccessPass": true,
		"device_code": true, "user_code": true, "code": true, "client_assertion": true, "pin": true, "key": true, "url": true, "challenge": true,
		"displayName": false, "errorCode": false, "error_codes": false, "token_type": false, "client_assertion_type": false, "id": false, "postalCode": false, "keyId": false} {
		v := map[string]any{"value": []any{map[string]any{name: "4711-text"}}}
		if got := !strings.Contains(string(mustJSON(redacted(v))), "4711-text"); got != want {
			t.Errorf("%s: hidden %t, want %t", name, got, want)
		}
		if u, _ := url.Parse("https://x.test/?" + name + "=4711-text"); strings.Contains(redactedURL(u), "4711") == want {
			t.Errorf("%s in an address: %s", name, redactedURL(u))
		}
	}
}
