// Package house is a test kit: the pages for people on a real database, with
// everything behind them, as a server mounts them.
package house

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/account"
	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/mail"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/signin"
	"cardea/internal/throttle"
	"cardea/internal/webauthn"
)

// Origin is the public address of every House.
const Origin = "https://id.contoso.com"

// House is an organisation, its pages, and its first administrator.
type House struct {
	testing.TB
	DB      *db.DB
	Ring    *jose.Ring
	Keeper  *passkey.Keeper
	Handler http.Handler
	Grace   directory.User // Global Administrator, without any way to sign in
	Admin   audit.Actor    // Grace

	mu  sync.Mutex
	now time.Time
}

// Each runs f on both engines.
func Each(t *testing.T, f func(h *House)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(Open(t, d, nil)) })
}

// Open opens a House on d. sender may be nil.
func Open(t testing.TB, d *db.DB, sender *mail.Sender) *House {
	t.Helper()
	h := &House{TB: t, DB: d, now: time.Date(2026, 11, 24, 10, 31, 0, 0, time.UTC)}
	org, err := directory.EnsureOrganization(t.Context(), d, h.Now())
	h.Must(err)
	master, err := jose.NewMaster(bytes.Repeat([]byte{7}, 32))
	h.Must(err)
	h.Ring, err = jose.OpenRing(t.Context(), d, master, h.Now())
	h.Must(err)
	h.Keeper = &passkey.Keeper{DB: d, Ring: h.Ring, TenantID: org.ID, RP: webauthn.RelyingParty{ID: "id.contoso.com", Name: "Contoso", Origins: []string{Origin}}}
	h.Must(passkey.Open(t.Context(), h.Keeper, h.Now()))
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	pages, err := page.New(page.Config{Origin: Origin, Now: h.Now, Log: quiet}, page.Brand{Organisation: "Contoso"})
	h.Must(err)
	hasher := throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 4)
	mux := http.NewServeMux()
	signin.New(signin.Config{DB: d, Ring: h.Ring, Pages: pages, Keeper: h.Keeper, Hasher: hasher, Now: h.Now, PublicURL: Origin, TenantID: org.ID, Log: quiet}).Mount(mux)
	account.New(account.Config{DB: d, Ring: h.Ring, Pages: pages, Keeper: h.Keeper, Hasher: hasher, Mail: sender, Now: h.Now, PublicURL: Origin, TenantID: org.ID, Log: quiet}).Mount(mux)
	h.Handler = mux
	return h
}

// Now is the clock of the house.
func (h *House) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// Forward moves the clock.
func (h *House) Forward(by time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(by)
}

// Must ends the test on an error.
func (h *House) Must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// Write runs f in a transaction.
func (h *House) Write(f func(q db.Querier) error) { h.Helper(); h.Must(h.DB.Write(h.Context(), f)) }

// Person makes a person.
func (h *House) Person(userName, name string) (u directory.User) {
	h.Helper()
	h.Write(func(q db.Querier) (err error) {
		u, err = directory.CreateUser(h.Context(), q, audit.System("test"), h.Now(), directory.User{UserPrincipalName: userName, DisplayName: name, AccountEnabled: true})
		return err
	})
	return u
}

// Administrate makes Grace, who issues passes and links.
func (h *House) Administrate() *House {
	h.Helper()
	h.Grace = h.Person("grace@contoso.com", "Grace Hopper")
	h.Admin = audit.Actor{UserID: h.Grace.ID, UserName: h.Grace.DisplayName, UserPrincipalName: h.Grace.UserPrincipalName}
	h.Write(func(q db.Querier) error {
		return directory.AssignRole(h.Context(), q, audit.System("test"), h.Now(), directory.RoleAssignment{UserID: h.Grace.ID, RoleID: directory.GlobalAdministrator})
	})
	return h
}

// Pass issues a Temporary Access Pass for an hour and returns its code.
func (h *House) Pass(u directory.User, once bool) string {
	h.Helper()
	p, err := accesspass.Create(h.Context(), h.DB, throttle.NewHasher(throttle.Cost{Memory: 8, Passes: 1, Threads: 1}, 1), h.Admin, accesspass.Order{IsUsableOnce: &once, UserID: u.ID, At: h.Now()})
	h.Must(err)
	return *p.TemporaryAccessPass
}

// Link issues a link and returns its text.
func (h *House) Link(kind, userID string) (text string) {
	h.Helper()
	h.Write(func(q db.Querier) (err error) {
		_, text, err = accesspass.IssueLink(h.Context(), q, h.Admin, h.Now(), accesspass.LinkOrder{Kind: kind, UserID: userID})
		return err
	})
	return text
}

// Browser opens a new browser.
func (h *House) Browser() *cardeatest.Browser { return cardeatest.NewBrowser(h.Handler, Origin) }

// Begun is what the options addresses answer.
type Begun struct {
	PublicKey json.RawMessage `json:"publicKey"`
	State     string          `json:"state"`
}

// Options asks for options, as the script does. It takes a second: rows of logs
// are in the order of time.
func (h *House) Options(b *cardeatest.Browser, path, flow string) (o Begun) {
	h.Helper()
	h.Forward(time.Second)
	r := b.JSON(path, map[string]string{"flow": flow})
	if r.Status != http.StatusOK {
		h.Fatalf("%s: %d %s", path, r.Status, r.Body)
	}
	h.Must(r.Read(&o))
	return o
}

// Made is what a registration answers.
type Made struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// TryRegister makes a passkey and returns whatever the site says.
func (h *House) TryRegister(b *cardeatest.Browser, a *cardeatest.Authenticator) cardeatest.Reply {
	h.Helper()
	o := h.Options(b, "/security-info/passkeys/options", "")
	c, err := a.Create(o.PublicKey, Origin)
	h.Must(err)
	return b.JSON("/security-info/passkeys", map[string]any{"state": o.State, "credential": json.RawMessage(c)})
}

// Register makes a passkey.
func (h *House) Register(b *cardeatest.Browser, a *cardeatest.Authenticator) (m Made) {
	h.Helper()
	r := h.TryRegister(b, a)
	if r.Status != http.StatusCreated {
		h.Fatalf("registration: %d %s", r.Status, r.Body)
	}
	h.Must(r.Read(&m))
	return m
}

// Use answers a ceremony at path ("/signin/passkey" or "/signin/again").
func (h *House) Use(b *cardeatest.Browser, a *cardeatest.Authenticator, path, flow string) cardeatest.Reply {
	h.Helper()
	o := h.Options(b, path+"/options", flow)
	c, err := a.Get(o.PublicKey, Origin)
	h.Must(err)
	return b.JSON(path, map[string]any{"state": o.State, "credential": json.RawMessage(c)})
}

// Prepare registers a passkey for somebody, as an administrator does, in the
// state disabled.
func (h *House) Prepare(u directory.User, a *cardeatest.Authenticator) passkey.Method {
	h.Helper()
	r := passkey.Registration{User: u, Actor: h.Admin, At: h.Now()}
	begun, err := h.Keeper.BeginRegistration(h.Context(), r)
	h.Must(err)
	c, err := a.Create(begun.Options, Origin)
	h.Must(err)
	answer, err := passkey.ReadAnswer(c, "Blue key")
	h.Must(err)
	answer.State = passkey.Disabled
	done, err := h.Keeper.FinishRegistration(h.Context(), r, answer)
	h.Must(err)
	return done.Method
}

// SignIn signs in with a passkey and returns where the browser goes next.
func (h *House) SignIn(b *cardeatest.Browser, a *cardeatest.Authenticator, flow string) string {
	h.Helper()
	r := h.Use(b, a, "/signin/passkey", flow)
	var out struct {
		Next string `json:"next"`
	}
	if r.Status != http.StatusOK {
		h.Fatalf("sign-in: %d %s", r.Status, r.Body)
	}
	h.Must(r.Read(&out))
	return out.Next
}

// Settled is a person who came with a pass, made a passkey and signed in with
// it in a browser of their own.
func (h *House) Settled(userName, name string, change ...func(*cardeatest.Authenticator)) (directory.User, *cardeatest.Browser, *cardeatest.Authenticator) {
	h.Helper()
	u, b, a := h.Person(userName, name), h.Browser(), cardeatest.NewAuthenticator(change...)
	if r := b.Form("/signin/temporary-access-pass", "username", userName, "secret", h.Pass(u, true)); r.Status != http.StatusSeeOther {
		h.Fatalf("pass: %d %s", r.Status, r.Body)
	}
	h.Register(b, a)
	h.SignIn(b, a, "")
	return u, b, a
}

// Session is the session of a browser; false if nobody is signed in there.
func (h *House) Session(b *cardeatest.Browser) (session.Session, bool) {
	h.Helper()
	s, err := session.Find(h.Context(), h.DB, b.Cookies["__Host-session"], h.Now())
	if problem.KindOf(err) == problem.Unauthenticated {
		return s, false
	}
	h.Must(err)
	return s, true
}

// LastSignIn is the newest row of the sign-in log.
func (h *House) LastSignIn() audit.SignIn {
	h.Helper()
	rows, err := audit.SignIns(h.Context(), h.DB, audit.Query{Limit: 1})
	h.Must(err)
	if len(rows) == 0 {
		h.Fatal("the sign-in log is empty")
	}
	return rows[0]
}

// Policy changes the passkey policy.
func (h *House) Policy(body string) {
	h.Helper()
	_, err := h.Keeper.Change(h.Context(), passkey.Edit{Actor: h.Admin, At: h.Now(), Body: []byte(body), Force: true})
	h.Must(err)
}

// Enable switches a method on for everybody ("Password", "SoftwareOath").
func (h *House) Enable(method string) {
	h.Helper()
	h.Write(func(q db.Querier) error {
		_, err := directory.UpdateMethodPolicy(h.Context(), q, h.Admin, h.Now(), method, func(p *directory.MethodPolicy) error { p.State = "enabled"; return nil })
		return err
	})
}
