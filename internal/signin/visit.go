package signin

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// visit is one request and what the browser brought along.
type visit struct {
	*http.Request
	now     time.Time
	flow    string       // as it came: a sealed request, a path of ours, or ""
	pending session.Flow // what flow holds; zero if the person came by themselves
	expired bool         // flow was sealed too long ago; it is "" then
}

// visit reads the request r. A flow that is damaged is an error; an old one is
// not, because what was typed must not be lost with it.
func (e *Edge) visit(r *http.Request, flow string) (*visit, error) {
	v := &visit{Request: r, now: e.Now(), flow: flow}
	if strings.HasPrefix(flow, "/") {
		if !page.OwnPath(flow) {
			v.flow = ""
		}
		return v, nil
	}
	var err error
	v.pending, err = session.OpenFlow(e.ring, flow, v.now)
	if problem.CodeOf(err) == "flowExpired" {
		v.flow, v.expired = "", true
		return v, nil
	}
	return v, err
}

// arrive is visit for a page: the flow stands in the address. "next", a path of
// ours, is its other name.
func (e *Edge) arrive(r *http.Request) (*visit, error) {
	q := r.URL.Query()
	if next := q.Get("next"); next != "" && page.OwnPath(next) {
		return e.visit(r, next)
	}
	return e.visit(r, q.Get("flow"))
}

// post is visit for a form.
func (e *Edge) post(r *http.Request) (*visit, url.Values, error) {
	form, err := page.ReadForm(r)
	if err != nil {
		return nil, nil, err
	}
	v, err := e.visit(r, form.Get("flow"))
	return v, form, err
}

// destination is where the person goes once everything is proved.
func (v *visit) destination() string {
	switch {
	case v.flow == "":
		return "/"
	case strings.HasPrefix(v.flow, "/"):
		return v.flow
	case v.pending.Device != "":
		return v.to("/devicelogin/confirm")
	}
	return v.to("/signin/continue")
}

// to is one of our addresses with the flow.
func (v *visit) to(path string) string {
	if v.flow == "" {
		return path
	}
	return path + "?flow=" + url.QueryEscape(v.flow)
}

// situation is for the sign-in log. The server has replaced RemoteAddr by what
// its trusted proxies saw.
func (v *visit) situation() session.Situation {
	ip, _, err := net.SplitHostPort(v.RemoteAddr)
	if err != nil {
		ip = v.RemoteAddr
	}
	s := session.Situation{IP: ip, UserAgent: v.UserAgent(), AppID: v.pending.AppID, AppName: v.pending.AppName, CorrelationID: page.CorrelationID(v.Context())}
	switch {
	case v.pending.Device != "":
		s.Protocol = "deviceCode"
	case s.AppID != "":
		s.Protocol = "oAuth2"
	}
	return s
}

// session finds who is signed in; nil if nobody is.
func (e *Edge) session(v *visit) (*session.Session, error) {
	s, err := session.Find(v.Context(), e.DB, page.CookieValue(v.Request, sessionCookie), v.now)
	if problem.KindOf(err) == problem.Unauthenticated {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// signedIn is the cookie of a new session. It goes when the browser closes; the
// session itself ends by its own time.
func signedIn(token string) *http.Cookie { return page.Cookie(sessionCookie, token, 0) }

// browser returns what binds challenges to this browser, and the cookie to set
// if it has none yet.
func (v *visit) browser() (string, []*http.Cookie) {
	if b := page.CookieValue(v.Request, browserCookie); b != "" {
		return b, nil
	}
	var raw [24]byte
	rand.Read(raw[:])
	b := base64.RawURLEncoding.EncodeToString(raw[:])
	return b, []*http.Cookie{page.Cookie(browserCookie, b, 0)}
}
