package clients_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/server"
	"cardea/internal/throttle"
)

// site is a server at https://localhost on a free port, as people reach it.
type site struct {
	testing.TB
	Server *server.Server
	URL    string
	TID    string
	Client *http.Client // trusts the certificate of the site
	pool   *x509.CertPool
	ahead  atomic.Int64 // nanoseconds that the site's clock is ahead
	stands atomic.Int64 // when its clock stopped, in Unix nanoseconds; 0 while it runs
}

// now is the site's clock.
func (s *site) now() time.Time {
	t := time.Now()
	if at := s.stands.Load(); at != 0 {
		t = time.Unix(0, at)
	}
	return t.Add(time.Duration(s.ahead.Load()))
}

// stop stops it: from now on only forward moves it.
func (s *site) stop() { s.stands.Store(time.Now().UnixNano()) }

// forward moves it. The server looks for changed applications once a second,
// and tokens of the second in which a person was signed out are void.
func (s *site) forward(by time.Duration) { s.ahead.Add(int64(by)) }

var system = audit.System("test")

// open starts a site. change edits its settings.
func open(t testing.TB, change ...func(*server.Config)) *site {
	t.Helper()
	s := &site{TB: t, pool: x509.NewCertPool()}
	var handler http.Handler
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{s.certify()}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	s.Must(err)
	s.URL = "https://localhost:" + port
	c := server.Config{PublicURL: s.URL, Listen: "127.0.0.1:" + port, DataDir: t.TempDir(), LogFormat: "text"}
	for _, f := range change {
		f(&c)
	}
	s.Server, err = server.New(t.Context(), c, server.Options{Now: s.now, Log: slog.New(slog.DiscardHandler)})
	s.Must(err)
	t.Cleanup(func() { s.Must(s.Server.Close()) })
	handler, s.TID = s.Server.Handler(), s.Server.TenantID()
	s.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}}}
	t.Cleanup(s.Client.CloseIdleConnections)
	return s
}

// Must ends the test on an error.
func (s *site) Must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// certify makes the certificate of localhost, and its key.
func (s *site) certify() tls.Certificate {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.Must(err)
	der := s.selfSigned(key, "localhost")
	cert, err := x509.ParseCertificate(der)
	s.Must(err)
	s.pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *site) selfSigned(key crypto.Signer, name string) []byte {
	s.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	s.Must(err)
	return der
}

func (s *site) write(f func(q db.Querier) error) {
	s.Helper()
	s.Must(s.Server.DB.Write(s.Context(), f))
}

// app registers an application.
func (s *site) app(a application.Application) application.Application {
	s.Helper()
	s.write(func(q db.Querier) (err error) {
		a, err = application.Create(s.Context(), q, system, s.now(), a)
		return err
	})
	return a
}

func (s *site) secret(a application.Application) string {
	s.Helper()
	var c application.PasswordCredential
	s.write(func(q db.Querier) (err error) {
		c, err = application.AddSecret(s.Context(), q, system, s.now(), a.ID, application.PasswordCredential{})
		return err
	})
	return c.SecretText
}

func (s *site) certificate(a application.Application, key crypto.Signer) *x509.Certificate {
	s.Helper()
	der := s.selfSigned(key, "job")
	s.write(func(q db.Querier) error {
		_, err := application.AddCertificate(s.Context(), q, system, s.now(), a.ID, application.KeyCredential{Key: der})
		return err
	})
	c, err := x509.ParseCertificate(der)
	s.Must(err)
	return c
}

// person is somebody with a passkey, and the browser in which it was made.
type person struct {
	directory.User
	browser *cardeatest.Browser
	key     *cardeatest.Authenticator
}

// person makes somebody who came with a pass, registered a passkey and signed
// in with it.
func (s *site) person(userName string, roles ...string) *person {
	s.Helper()
	p := &person{browser: cardeatest.NewBrowser(s.Server.Handler(), s.URL), key: cardeatest.NewAuthenticator()}
	s.write(func(q db.Querier) (err error) {
		if p.User, err = directory.CreateUser(s.Context(), q, system, s.now(), directory.User{UserPrincipalName: userName, DisplayName: "Ada Lovelace", AccountEnabled: true}); err != nil {
			return err
		}
		for _, r := range roles {
			if err := directory.AssignRole(s.Context(), q, system, s.now(), directory.RoleAssignment{UserID: p.ID, RoleID: r}); err != nil {
				return err
			}
		}
		return nil
	})
	pass, err := accesspass.Create(s.Context(), s.Server.DB, throttle.NewHasher(throttle.Strong, 1), system, accesspass.Order{UserID: p.ID, At: s.now()})
	s.Must(err)
	if r := p.browser.Form("/signin/temporary-access-pass", "username", userName, "secret", *pass.TemporaryAccessPass); r.Status != http.StatusSeeOther {
		s.Fatalf("pass: %d %s", r.Status, r.Body)
	}
	o := s.options(p, "/security-info/passkeys/options", "")
	made, err := p.key.Create(o.PublicKey, s.URL)
	s.Must(err)
	if r := p.browser.JSON("/security-info/passkeys", map[string]any{"state": o.State, "credential": json.RawMessage(made)}); r.Status != http.StatusCreated {
		s.Fatalf("registration: %d %s", r.Status, r.Body)
	}
	s.signIn(p, "")
	return p
}

type options struct {
	PublicKey json.RawMessage `json:"publicKey"`
	State     string          `json:"state"`
}

func (s *site) options(p *person, path, flow string) (o options) {
	s.Helper()
	r := p.browser.JSON(path, map[string]string{"flow": flow})
	if r.Status != http.StatusOK {
		s.Fatalf("%s: %d %s", path, r.Status, r.Body)
	}
	s.Must(r.Read(&o))
	return o
}

// signIn proves the passkey and returns where the browser goes next.
func (s *site) signIn(p *person, flow string) string {
	s.Helper()
	o := s.options(p, "/signin/passkey/options", flow)
	c, err := p.key.Get(o.PublicKey, s.URL)
	s.Must(err)
	r := p.browser.JSON("/signin/passkey", map[string]any{"state": o.State, "credential": json.RawMessage(c)})
	var out struct {
		Next string `json:"next"`
	}
	if r.Status != http.StatusOK {
		s.Fatalf("sign-in: %d %s", r.Status, r.Body)
	}
	s.Must(r.Read(&out))
	return out.Next
}

// letIn types the code of a device and says yes.
func (p *person) letIn(userCode string) error {
	r := p.browser.Form("/devicelogin", "user_code", userCode)
	_, flow, ok := strings.Cut(r.To(), "/devicelogin/confirm?flow=")
	if !ok {
		return fmt.Errorf("the code %q: %d %q", userCode, r.Status, r.To())
	}
	if r = p.browser.Form("/devicelogin/confirm", "flow", flow, "answer", "yes"); r.Status != http.StatusSeeOther {
		return fmt.Errorf("yes: %d %s", r.Status, r.Body)
	}
	return nil
}

var (
	goTo  = regexp.MustCompile(`data-go="([^"]*)"`)
	post  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	field = regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// handed is the answer to an application as a browser delivers it: an address,
// and a form if it is to be posted there.
type handed struct {
	To   string
	Form url.Values
}

// authorize opens an authorization request in the person's browser and signs in
// again if that is asked.
func (s *site) authorize(p *person, address string) (handed, error) {
	path, ok := strings.CutPrefix(address, s.URL)
	if !ok {
		return handed{}, fmt.Errorf("%q is not at %s", address, s.URL)
	}
	r := p.browser.Get(path)
	_, flow, asked := strings.Cut(r.To(), s.URL+"/signin?flow=")
	if asked {
		r = p.browser.Get(s.signIn(p, flow))
	}
	if r.To() != "" {
		return handed{To: r.To()}, nil
	}
	if m := goTo.FindStringSubmatch(r.Body); m != nil {
		return handed{To: html.UnescapeString(m[1])}, nil
	}
	m := post.FindStringSubmatch(r.Body)
	if m == nil {
		return handed{}, fmt.Errorf("no way to the application: %d %s", r.Status, r.Body)
	}
	h := handed{To: html.UnescapeString(m[1]), Form: url.Values{}}
	for _, f := range field.FindAllStringSubmatch(r.Body, -1) {
		h.Form.Set(f[1], html.UnescapeString(f[2]))
	}
	return h, nil
}

// get asks the API with an access token.
func (s *site) get(path, token string) (status int, body map[string]any) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.URL+path, nil)
	s.Must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := s.Client.Do(req)
	s.Must(err)
	defer res.Body.Close()
	s.Must(json.NewDecoder(res.Body).Decode(&body))
	return res.StatusCode, body
}
