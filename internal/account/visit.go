package account

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// visit is one request of a signed-in person.
type visit struct {
	*http.Request
	now     time.Time
	session session.Session
	user    directory.User
}

const (
	sessionCookie = "session"
	flashCookie   = "done" // what was just done, for the next page
)

// with finds the session and demands what the handler needs. A person who is
// not there yet goes to sign in and comes back; a script hears why.
func (e *Edge) with(n need, h func(*visit) (page.Answer, error)) page.Handler {
	return func(r *http.Request) (page.Answer, error) {
		v := &visit{Request: r, now: e.Now()}
		err := e.admit(v, n)
		var a page.Answer
		if err == nil {
			a, err = h(v)
		}
		if err == nil || !unproved(err) || byScript(r) {
			return a, err // with an error, its cookies still count
		}
		next := "/security-info" // a form that was sent is lost; its page is one step from there
		if r.Method == http.MethodGet {
			next = r.URL.RequestURI()
		}
		return page.Redirect303("/signin?next=" + url.QueryEscape(next)).WithCookies(e.pendingFlash(r)...), nil
	}
}

// admit finds the session and whose it is.
func (e *Edge) admit(v *visit, n need) (err error) {
	v.session, err = session.Find(v.Context(), e.DB, page.CookieValue(v.Request, sessionCookie), v.now)
	if err == nil && n != anySession && !v.session.Proved() {
		err = problem.New(problem.Unauthenticated, "signInRequired", "Please sign in.")
	}
	if err == nil && n == provedOfLate {
		err = session.Fresh(v.session, v.now)
	}
	if err == nil {
		v.user, err = directory.GetUser(v.Context(), e.DB, v.session.UserID)
	}
	return err
}

// unproved reports that the person has to sign in, or prove it again.
func unproved(err error) bool {
	c := problem.CodeOf(err)
	return c == "signInRequired" || c == "ngcMfaRequired"
}

// byScript reports whether our script asks, which reads JSON.
func byScript(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// pendingFlash drops a notice that would come late.
func (e *Edge) pendingFlash(r *http.Request) []*http.Cookie {
	if page.CookieValue(r, flashCookie) == "" {
		return nil
	}
	return []*http.Cookie{page.Forget(flashCookie)}
}

// situation is for logs. The server has replaced RemoteAddr by what its trusted
// proxies saw.
func (v *visit) situation() session.Situation {
	ip, _, err := net.SplitHostPort(v.RemoteAddr)
	if err != nil {
		ip = v.RemoteAddr
	}
	return session.Situation{IP: ip, UserAgent: v.UserAgent(), CorrelationID: page.CorrelationID(v.Context())}
}

func (v *visit) actor() audit.Actor { return v.situation().Actor(v.user) }

// flash is a notice for the next view of Security info: a code of the
// catalogue and the name in it.
type flash struct {
	Code string `json:"c"`
	Name string `json:"n"`
}

func (f flash) cookie() *http.Cookie {
	text, err := json.Marshal(f)
	if err != nil {
		return page.Forget(flashCookie)
	}
	return page.Cookie(flashCookie, base64.RawURLEncoding.EncodeToString(text), time.Minute)
}

// flashes are the codes that exist: a cookie is input, too.
var flashes = map[string]bool{"passkeyAdded": true, "passkeyRenamed": true, "passkeyActivated": true, "passkeyDeleted": true, "methodDeleted": true,
	"codeAdded": true, "passwordSet": true, "reported": true, "signedOutEverywhere": true}

func (v *visit) flash() (f flash) {
	text, err := base64.RawURLEncoding.DecodeString(page.CookieValue(v.Request, flashCookie))
	if err != nil || json.Unmarshal(text, &f) != nil || !flashes[f.Code] {
		return flash{}
	}
	return f
}

// back is Security info with a notice.
func back(code, name string, cookies ...*http.Cookie) page.Answer {
	return page.Redirect303("/security-info").WithCookies(append(cookies, flash{code, name}.cookie())...)
}
