package oidc

import (
	"net/http"
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// entitled is what an application learns about what a person is in it: app
// roles and, if it asks for them, groups and directory roles.
type entitled struct {
	roles []string
	groupClaims
}

// groupClaims: more than 200 groups do not fit; then the token says where to
// ask for them instead, as Entra's does.
type groupClaims struct {
	Groups  []string          `json:"groups,omitempty"`
	WIDs    []string          `json:"wids,omitempty"` // template ids of directory roles
	Names   map[string]string `json:"_claim_names,omitempty"`
	Sources map[string]source `json:"_claim_sources,omitempty"`
}

type source struct {
	Endpoint string `json:"endpoint"`
}

// admit reports why a person gets no token of app for the resource of sc, and
// what the person is in both. app and an API may both want people to be
// assigned to them.
func (p *Provider) admit(r *request, app *application.Application, userID string, sc scopes) (own, theirs entitled, err error) {
	if own, err = p.entitled(r, app, userID); err != nil || sc.resource == GraphAppID {
		return own, theirs, err
	}
	if strings.EqualFold(sc.resource, app.AppID) {
		return own, own, nil
	}
	api, err := p.Apps.ByResource(r.Context(), sc.resource, r.now)
	if err != nil {
		return own, theirs, err
	}
	theirs, err = p.entitled(r, api, userID)
	return own, theirs, err
}

func (p *Provider) entitled(r *request, app *application.Application, userID string) (e entitled, err error) {
	if err := application.Admit(r.Context(), p.DB, app, userID); err != nil {
		return e, err
	}
	if e.roles, err = application.RolesFor(r.Context(), p.DB, app, userID); err != nil {
		return e, err
	}
	g, err := application.GroupsFor(r.Context(), p.DB, app, userID)
	if err != nil {
		return e, err
	}
	e.Groups, e.WIDs = g.IDs, g.Roles
	if g.TooMany {
		e.Names = map[string]string{"groups": "src1"}
		e.Sources = map[string]source{"src1": {p.Origin + "/v1.0/users/" + userID + "/getMemberObjects"}}
	}
	return e, nil
}

// with puts what a person is in an API into an access token for it.
func (c accessClaims) with(e entitled) accessClaims {
	c.Roles, c.groupClaims = append(c.Roles, e.roles...), e.groupClaims
	return c
}

// with puts what a person is in an application into an id_token for it.
func (c idClaims) with(e entitled) idClaims {
	c.Roles, c.groupClaims = e.roles, e.groupClaims
	return c
}

// barred answers an authorization request of a person who is not assigned to
// the application: with a page, because the application can do nothing about
// it, unless it asked for no page. The sign-in log gets a row.
func (p *Provider) barred(r *request, app *application.Application, f session.Flow, s session.Session, cause error) (answer, error) {
	if problem.CodeOf(cause) != "notAssigned" {
		return answer{}, cause
	}
	err := p.DB.Write(r.Context(), func(q db.Querier) error {
		u, err := directory.GetUser(r.Context(), q, s.UserID)
		if err != nil {
			return err
		}
		row := p.row(r, app, audit.NonInteractive)
		session.Of(&row, u)
		said := r.say(cause)
		row.SessionID, row.ClientAppUsed = s.ID, "Browser"
		row.Status = audit.SignInStatus{ErrorCode: said.number, FailureReason: "The person is not assigned to the application.", AdditionalDetails: said.code}
		return audit.WriteSignIn(r.Context(), q, row)
	})
	if err != nil {
		return answer{}, err
	}
	if r.Method == http.MethodGet && slices.Contains(strings.Fields(r.get("prompt")), "none") { // WC-54
		return p.refuse(r, f, cause)
	}
	return answer{}, cause
}

// personal returns what app may do on Graph for the person of the request
// alone. known is false while nobody has signed in yet: then it cannot be
// said, and is looked at again when the person is known.
func (p *Provider) personal(r *request, app *application.Application) (names []string, known bool, err error) {
	if !app.Personal() {
		return nil, true, nil
	}
	if r.userID == "" {
		return nil, false, nil
	}
	names, err = application.PersonalScopes(r.Context(), p.DB, app, r.userID, GraphAppID)
	return names, true, err
}
