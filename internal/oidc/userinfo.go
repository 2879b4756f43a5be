package oidc

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cardea/internal/directory"
	"cardea/internal/problem"
)

var errToken = problem.New(problem.Unauthenticated, "tokenBroken", "The access token is not valid here. Get a new one with the scope openid.")

// userinfo answers OpenID Connect Core §5.3. The token is one for Graph, as in
// Entra, with the scope openid; sub is the one of the application's id_tokens.
func (p *Provider) userinfo(r *request) (answer, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		if token = r.PostForm.Get("access_token"); token == "" {
			return answer{}, errToken
		}
	}
	raw, err := p.Ring.Verify(strings.TrimSpace(token), r.now)
	if err != nil {
		return answer{}, err
	}
	var c accessClaims
	if err := json.Unmarshal(raw, &c); err != nil {
		return answer{}, errToken
	}
	scopes := strings.Fields(c.Scope)
	// An id_token has no idtyp, so it does not pass for an access token.
	if c.IDType != "user" || c.Audience != GraphAppID || c.Issuer != p.issuer() || !slices.Contains(scopes, "openid") {
		return answer{}, errToken
	}
	u, err := directory.GetUser(r.Context(), p.DB, c.ObjectID)
	if problem.KindOf(err) == problem.NotFound {
		return answer{}, errToken
	}
	if err != nil {
		return answer{}, err
	}
	if !u.AccountEnabled || time.Unix(c.IssuedAt, 0).Before(u.SessionsValidFrom) {
		return answer{}, errToken
	}
	return jsonAnswer(p.person(c.AppID, u, slices.Contains(scopes, "profile"), slices.Contains(scopes, "email")))
}
