package oidc

import (
	"encoding/json"
	"slices"
	"time"

	"cardea/internal/problem"
	"cardea/internal/session"
)

// wish is what is understood of a claims parameter (OpenID Connect Core §5.5):
// an acr of the id_token, and session.FreshClaims. auth_time is always there.
// The rest, such as xms_cc, nbf and signin_state, is ignored (WC-82).
type wish struct {
	acr       []string
	essential bool // refuse rather than answer with less than acr
	fresh     bool
}

// asked is one member of a claims request.
type asked struct {
	Essential bool     `json:"essential"`
	Value     string   `json:"value"`
	Values    []string `json:"values"`
}

func (a *asked) all() []string {
	if a == nil {
		return nil
	}
	if a.Value == "" {
		return a.Values
	}
	return append(a.Values, a.Value)
}

func readWish(text string) (w wish, err error) {
	if text == "" {
		return w, nil
	}
	if len(text) > 4096 {
		return w, invalid("parameterInvalid", "The parameter claims is longer than 4096 bytes.")
	}
	var c struct {
		IDToken struct {
			ACR *asked `json:"acr"`
		} `json:"id_token"`
		AccessToken struct {
			ACRS *asked `json:"acrs"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return w, invalid("parameterInvalid", "The parameter claims is not the JSON of OpenID Connect Core §5.5.")
	}
	w.fresh = slices.Contains(c.AccessToken.ACRS.all(), session.FreshACRS)
	w.acr = c.IDToken.ACR.all()
	if len(w.acr) > 10 {
		return w, invalid("parameterInvalid", "acr has at most 10 values.")
	}
	w.essential = len(w.acr) > 0 && c.IDToken.ACR.Essential // without a value any acr will do, and there always is one
	return w, nil
}

// stale asks for a new sign-in: the proof there is does not meet a claims
// request, and only the person can give a better one.
func stale() error {
	return problem.New(problem.Unauthenticated, "ngcMfaRequired", "This needs a sign-in of the last minutes with two factors, such as a passkey. Sign in again.")
}

// wanted checks a grant that needs no new sign-in against the claims parameter.
func (r *request) wanted(g session.Granted) error {
	w, err := readWish(r.get("claims"))
	if err != nil {
		return err
	}
	if w.fresh && !session.MeetsFresh(g.Methods, time.UnixMilli(g.AuthAt), r.now) {
		return stale()
	}
	return nil
}
