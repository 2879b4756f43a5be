package signin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"cardea/internal/page"
	"cardea/internal/problem"
)

// refusal is the last refusal after proof, as its cookie holds it.
type refusal struct {
	Code    string    `json:"c"`
	Message string    `json:"m"`
	Profile string    `json:"p"`
	Rule    string    `json:"r"`
	At      time.Time `json:"t"`
	ID      string    `json:"i"` // correlation id of the attempt, as in the sign-in log
}

const (
	sealedRefusal = "sign-in refusal"
	refusalLife   = 10 * time.Minute
)

// keepRefusal seals what the page /signin/blocked will show.
func (e *Edge) keepRefusal(v *visit, r *page.Refusal) *http.Cookie {
	text, err := json.Marshal(refusal{r.Problem.Code, r.Problem.Detail, r.Profile, r.Rule, v.now, page.CorrelationID(v.Context())})
	// Browsers drop cookies that are too large; the rule is in the answer itself.
	if err != nil || len(text) > 2500 {
		return page.Forget(blockedCookie)
	}
	return page.Cookie(blockedCookie, base64.RawURLEncoding.EncodeToString(e.ring.Seal(sealedRefusal, text)), refusalLife)
}

func (e *Edge) lastRefusal(r *http.Request) (out refusal, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(page.CookieValue(r, blockedCookie))
	if err != nil {
		return out, false
	}
	text, err := e.ring.Open(sealedRefusal, sealed)
	if err != nil || json.Unmarshal(text, &out) != nil {
		return refusal{}, false
	}
	age := e.Now().Sub(out.At)
	return out, age >= 0 && age <= refusalLife
}

// asRefused gives the page the id of the attempt that it explains: that is the
// one in the sign-in log.
func (e *Edge) asRefused(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if last, ok := e.lastRefusal(r); ok {
			r = r.WithContext(page.WithCorrelationID(r.Context(), last.ID))
		}
		next.ServeHTTP(w, r)
	})
}

// blocked explains the last refusal: the rule, the profile, the way out.
func (e *Edge) blocked(r *http.Request) (page.Answer, error) {
	v, err := e.arrive(r)
	if err != nil {
		return page.Answer{}, err
	}
	last, ok := e.lastRefusal(r)
	if !ok {
		return page.Redirect303(v.to("/signin")), nil
	}
	return page.HTML(page.Blocked{Flow: v.flow, App: v.pending.AppName, Code: last.Code, Message: last.Message, Profile: last.Profile, Rule: last.Rule,
		At: last.At, Other: true}).WithStatus(page.StatusOf(problem.New(problem.Forbidden, last.Code, ""))), nil
}
