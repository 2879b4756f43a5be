package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/oidc"
	"cardea/internal/page"
	"cardea/internal/session"
)

const (
	callback = "https://wiki.example.com/cb"
	verifier = "the-verifier-of-this-test-has-at-least-43-characters"
)

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// world is an edge over a real database, with one person, one organisation and
// a browser.
type world struct {
	testing.TB
	d      *db.DB
	ring   *jose.Ring
	apps   *application.Cache
	user   directory.User
	tid    string
	url    string
	now    atomic.Pointer[time.Time]
	client *http.Client // keeps cookies, follows nothing
	edge   http.Handler
}

func each(t *testing.T, f func(w *world)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(newWorld(t, d)) })
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{TB: t, d: d}
	w.at(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := jose.LoadMaster(filepath.Join(t.TempDir(), "master.key"))
	must(err)
	w.ring, err = jose.OpenRing(t.Context(), d, m, w.time())
	must(err)
	org, err := directory.EnsureOrganization(t.Context(), d, w.time())
	must(err)
	w.tid, w.apps = org.ID, application.NewCache(d)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.edge.ServeHTTP(rw, r) }))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	pages, err := page.New(page.Config{Origin: w.url, Now: w.time, Log: quiet}, page.Brand{Organisation: "Contoso"})
	must(err)
	w.edge, err = oidc.New(oidc.Config{DB: d, Ring: w.ring, Apps: w.apps, Pages: pages, Origin: w.url, TenantID: w.tid, Domain: func() string { return "contoso.test" },
		Now: w.time, Log: quiet, Cookie: "session", ApplicationPermissions: []string{"User.Read.All", "Group.Read.All"}, DelegatedPermissions: []string{"User.Read", "User.ReadBasic.All"},
		Session: func(r *http.Request) (session.Session, error) {
			return session.Find(r.Context(), d, page.CookieValue(r, "session"), w.time())
		}})
	must(err)
	jar, err := cookiejar.New(nil)
	must(err)
	w.client = srv.Client()
	w.client.Jar = jar
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.write(func(q db.Querier) (err error) {
		w.user, err = directory.CreateUser(t.Context(), q, audit.System("test"), w.time(), directory.User{UserPrincipalName: "ada@contoso.test", DisplayName: "Ada Lovelace",
			GivenName: "Ada", Surname: "Lovelace", Mail: "ada@mail.contoso.test", AccountEnabled: true})
		return err
	})
	return w
}

func (w *world) at(t time.Time)          { w.now.Store(&t) }
func (w *world) time() time.Time         { return *w.now.Load() }
func (w *world) pass(d time.Duration)    { w.at(w.time().Add(d)) }
func (w *world) path(rest string) string { return w.url + "/" + w.tid + rest }

func (w *world) write(f func(q db.Querier) error) {
	w.Helper()
	if err := w.d.Write(w.Context(), f); err != nil {
		w.Fatal(err)
	}
}

func (w *world) app(a application.Application) application.Application {
	w.Helper()
	w.write(func(q db.Querier) (err error) {
		a, err = application.Create(w.Context(), q, audit.System("test"), w.time(), a)
		return err
	})
	w.refresh()
	return a
}

func (w *world) refresh() {
	w.Helper()
	if err := w.apps.Refresh(w.Context(), w.time()); err != nil {
		w.Fatal(err)
	}
}

func (w *world) secret(a application.Application) string {
	w.Helper()
	var c application.PasswordCredential
	w.write(func(q db.Querier) (err error) {
		c, err = application.AddSecret(w.Context(), q, audit.System("test"), w.time(), a.ID, application.PasswordCredential{})
		return err
	})
	w.refresh()
	return c.SecretText
}

// wiki is a public client with a web address.
func (w *world) wiki() application.Application {
	w.Helper()
	return w.app(application.Application{DisplayName: "Wiki", Web: application.Web{RedirectURIs: []string{callback}},
		SPA:          application.Redirects{RedirectURIs: []string{"https://wiki.example.com/spa"}},
		PublicClient: application.Redirects{RedirectURIs: []string{"http://localhost", "com.example.wiki://auth"}},
		Cardea:       application.Extra{Scopes: []string{"User.Read", "Group.Read.All"}, LogoutRedirectURIs: []string{"https://wiki.example.com/bye"}}})
}

// signIn is what the sign-in edge does once the person is proved: a session in
// the browser.
func (w *world) signIn(methods ...string) session.Session {
	w.Helper()
	return w.signInUntil(time.Time{}, methods...)
}

func (w *world) signInUntil(end time.Time, methods ...string) session.Session {
	w.Helper()
	if methods == nil {
		methods = []string{session.MethodPasskey, session.MethodMFA}
	}
	var s session.Session
	var token string
	w.write(func(q db.Querier) (err error) {
		s, token, err = session.Start(w.Context(), q, w.time(), session.Session{UserID: w.user.ID, Methods: methods, ExpiresAt: end})
		return err
	})
	w.client.Jar.SetCookies(w.parse(w.url), []*http.Cookie{page.Cookie("session", token, 0)})
	return s
}

func (w *world) signOut() {
	w.client.Jar.SetCookies(w.parse(w.url), []*http.Cookie{page.Forget("session")})
}

func (w *world) parse(s string) *url.URL {
	w.Helper()
	u, err := url.Parse(s)
	if err != nil {
		w.Fatal(err)
	}
	return u
}

type reply struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (w *world) do(req *http.Request) reply {
	w.Helper()
	res, err := w.client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return reply{res.StatusCode, res.Header.Get("Location"), res.Header, string(b)}
}

func (w *world) get(address string) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, address, nil)
	if err != nil {
		w.Fatal(err)
	}
	return w.do(req)
}

func (w *world) post(address string, form url.Values, change ...func(*http.Request)) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range change {
		c(req)
	}
	return w.do(req)
}

// request is an authorization request that a satisfied session answers with a code.
func request(a application.Application, change ...string) url.Values {
	v := url.Values{"client_id": {a.AppID}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid profile offline_access User.Read"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}, "state": {"xyz"}}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Del(change[i]); change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	return v
}

func (w *world) authorize(v url.Values) reply {
	w.Helper()
	return w.get(w.path("/oauth2/v2.0/authorize?" + v.Encode()))
}

// answered reads the parameters that an application got at its address.
func (w *world) answered(r reply) url.Values {
	w.Helper()
	u := w.parse(r.location)
	if r.location == "" || u.Host == w.parse(w.url).Host {
		w.Fatalf("no answer to the application: %d %q %s", r.status, r.location, r.body)
	}
	raw := u.RawQuery
	if u.Fragment != "" {
		raw = u.EscapedFragment()
	}
	v, err := url.ParseQuery(raw)
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// code signs in silently and returns the code.
func (w *world) code(v url.Values) string {
	w.Helper()
	a := w.answered(w.authorize(v))
	if a.Get("code") == "" {
		w.Fatalf("no code: %v", a)
	}
	return a.Get("code")
}

func redeem(a application.Application, code string, change ...string) url.Values {
	v := url.Values{"grant_type": {"authorization_code"}, "client_id": {a.AppID}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Del(change[i]); change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	return v
}

func (w *world) token(v url.Values, change ...func(*http.Request)) reply {
	w.Helper()
	return w.post(w.path("/oauth2/v2.0/token"), v, change...)
}

func (w *world) tokens(r reply) map[string]any {
	w.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK {
		w.Fatalf("%d %s", r.status, r.body)
	}
	return out
}

func (w *world) claims(token any) map[string]any {
	w.Helper()
	text, _ := token.(string)
	raw, err := w.ring.Verify(text, w.time())
	if err != nil {
		w.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		w.Fatal(err)
	}
	return out
}

// fails expects Entra's error body (WC-49).
func (w *world) fails(what string, r reply, status int, name string, number float64) {
	w.Helper()
	var e struct {
		Error, Error_description, Timestamp, Trace_id, Correlation_id, Error_uri string
		Error_codes                                                              []float64
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		w.Fatalf("%s: %d %s", what, r.status, r.body)
	}
	if r.status != status || e.Error != name || len(e.Error_codes) != 1 || e.Error_codes[0] != number {
		w.Errorf("%s: %d %s, want %d %s %v", what, r.status, r.body, status, name, number)
	}
	if !strings.HasPrefix(e.Error_description, "AADSTS") || e.Trace_id == "" || e.Correlation_id == "" || e.Timestamp == "" || e.Error_uri == "" {
		w.Errorf("%s: incomplete: %s", what, r.body)
	}
}

var goTo = regexp.MustCompile(`data-go="([^"]*)"`)

// next is the address to which the Continue page leads.
func (w *world) next(r reply) string {
	w.Helper()
	m := goTo.FindStringSubmatch(r.body)
	if r.status != http.StatusOK || m == nil {
		w.Fatalf("no page that continues: %d %q %s", r.status, r.location, r.body)
	}
	return html.UnescapeString(m[1])
}

func (w *world) signIns(event string) []audit.SignIn {
	w.Helper()
	all, err := audit.SignIns(w.Context(), w.d, audit.Query{EventType: event})
	if err != nil {
		w.Fatal(err)
	}
	return all
}
