// Package account is the edge at which people look after their own ways to
// sign in: Security info, and the help pages.
//
// The life of a request. The session of the cookie is found; without one, or
// with first steps only, the person signs in and comes back. What adds or takes
// a way to sign in wants a strong proof of the last minutes (session.Fresh):
// the person proves it and comes back, no form is a dead end (UX-C5). After a
// change the person gets a mail, if the server sends any.
//
// What it promises: everybody sees and changes their own things only; forms
// answer with pages of ours; a GET changes nothing but the notice it shows.
// What it does not do: the rules are those of passkey, password, oath and
// accesspass.
package account

import (
	"log/slog"
	"net/http"
	"time"

	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/mail"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/throttle"
)

// Config is what the edge is built from.
type Config struct {
	DB        *db.DB
	Ring      *jose.Ring
	Pages     *page.Renderer
	Keeper    *passkey.Keeper
	Hasher    *throttle.Hasher
	Mail      *mail.Sender // nil sends nothing
	Now       func() time.Time
	PublicURL string
	TenantID  string
	Log       *slog.Logger
}

// Edge serves the pages.
type Edge struct{ Config }

// New returns the edge of c.
func New(c Config) *Edge {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Edge{c}
}

// need is what a handler wants of the session.
type need uint8

const (
	anySession   need = iota // first steps too: they register a passkey
	proved                   // a sign-in
	provedOfLate             // a strong one of the last minutes
)

// Mount registers the addresses of the edge.
func (e *Edge) Mount(mux *http.ServeMux) {
	for pattern, h := range map[string]struct {
		need   need
		handle func(*visit) (page.Answer, error)
	}{
		"GET /security-info":                                 {proved, e.info},
		"GET /security-info/passkeys/add":                    {provedOfLate, e.add},
		"POST /security-info/passkeys/options":               {anySession, e.options},
		"POST /security-info/passkeys":                       {anySession, e.register},
		"GET /security-info/passkeys/{id}/activate":          {provedOfLate, e.askActivate},
		"POST /security-info/passkeys/{id}/activate/options": {proved, e.activationOptions},
		"POST /security-info/passkeys/{id}/activate":         {proved, e.activate},
		"GET /security-info/passkeys/{id}/rename":            {proved, e.askRename},
		"POST /security-info/passkeys/{id}/rename":           {anySession, e.rename},
		"GET /security-info/passkeys/{id}/delete":            {provedOfLate, e.askDelete},
		"POST /security-info/passkeys/{id}/delete":           {provedOfLate, e.delete},
		"GET /security-info/methods/{kind}/delete":           {provedOfLate, e.askDeleteMethod},
		"POST /security-info/methods/{kind}/delete":          {provedOfLate, e.deleteMethod},
		"GET /security-info/app-code":                        {provedOfLate, e.askAppCode},
		"POST /security-info/app-code":                       {provedOfLate, e.addAppCode},
		"GET /security-info/password":                        {proved, e.askPassword},
		"POST /security-info/password":                       {proved, e.setPassword},
		"GET /security-info/lost":                            {provedOfLate, e.askLost},
		"POST /security-info/lost":                           {provedOfLate, e.lost},
		"GET /security-info/sign-out-everywhere":             {proved, e.askEverywhere},
		"POST /security-info/sign-out-everywhere":            {proved, e.everywhere},
		"POST /security-info/not-me":                         {proved, e.notMe},
	} {
		mux.Handle(pattern, e.Pages.Handle(e.with(h.need, h.handle)))
	}
	mux.Handle("GET /help", e.Pages.Handle(e.help))
	mux.Handle("GET /help/{topic}", e.Pages.Handle(e.help))
	mux.Handle("GET /help/errors/{code}", e.Pages.Handle(e.code))
}
