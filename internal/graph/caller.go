package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// Audience is the `aud` of access tokens for this API: Graph's own app id,
// however a client named the resource (WC-48).
const Audience = "00000003-0000-0000-c000-000000000000"

// Caller is who a token speaks for, as it stands in the directory now.
type Caller struct {
	App         bool     // an application by itself, without a person
	UserID      string   // "" for an application
	Name, UPN   string   // of the person
	Guest       bool     // the person is a guest
	Scopes      []string // delegated permissions of the token
	Permissions []string // application permissions of the token
	Roles       []string // template ids of the person's directory roles, read now; none without a multifactor proof
	Unproved    []string // the roles, if the proof behind the token is of one factor: they count after a better one
	AppID       string
	AppName     string
	SessionID   string    // the browser session behind the token, "" if none
	IssuedAt    time.Time // of the token
	MFAAt       time.Time // the last multifactor proof behind the token; zero if none

	proof proof
}

// proof is a token whose signature and times were verified, and what it says.
// The requests of one batch have one token: each asks anew what its caller is
// and may, but not whether the signature is good.
type proof struct {
	token  string
	claims []byte
}

// proofOf verifies a token, unless the batch around the request has.
func (a *api) proofOf(ctx context.Context, token string) (proof, error) {
	if b, ok := ctx.Value(inBatch{}).(*batch); ok && b.call.Caller.proof.token == token {
		return b.call.Caller.proof, nil
	}
	raw, err := a.Ring.Verify(token, a.Now())
	return proof{token, raw}, err
}

// claims is what this edge reads from an access token (WC-47).
type claims struct {
	Audience  string   `json:"aud"`
	IssuedAt  int64    `json:"iat"`
	ObjectID  string   `json:"oid"`
	AppID     string   `json:"appid"`
	AppName   string   `json:"app_displayname"`
	IDType    string   `json:"idtyp"`
	Scope     string   `json:"scp"`
	Roles     []string `json:"roles"`
	SessionID string   `json:"sid"`
	AuthTime  int64    `json:"auth_time"`
	Methods   []string `json:"amr"`
}

func unauthenticated(format string, args ...any) *problem.Error {
	return problem.New(problem.Unauthenticated, "invalidAuthenticationToken", format, args...)
}

// token finds the access token of a request: "Bearer x", or the bare x if it
// has the three parts of a JWT (WC-17). Never in the query.
func token(h http.Header) (string, error) {
	sent := strings.TrimSpace(h.Get("Authorization"))
	if sent == "" {
		return "", unauthenticated("No Authorization header. If you use an SDK, add this host to its allowed hosts.")
	}
	if scheme, rest, ok := strings.Cut(sent, " "); ok {
		if !strings.EqualFold(scheme, "Bearer") {
			return "", unauthenticated("The Authorization header must hold a Bearer token.")
		}
		sent = strings.TrimSpace(rest)
	}
	if strings.Count(sent, ".") != 2 {
		return "", unauthenticated("The Authorization header must hold an access token of this server.")
	}
	return sent, nil
}

// authenticate turns a token into a Caller. A person must still exist, be
// enabled, and not have been signed out everywhere since the token was made.
func (a *api) authenticate(ctx context.Context, h http.Header) (*Caller, error) {
	sent, err := token(h)
	if err != nil {
		return nil, err
	}
	proof, err := a.proofOf(ctx, sent)
	if err != nil {
		return nil, unauthenticated("The access token is not valid, or has expired. Get a new one.").Because(err)
	}
	var cl claims
	if err := json.Unmarshal(proof.claims, &cl); err != nil {
		return nil, unauthenticated("The access token is not valid. Get a new one.").Because(err)
	}
	if cl.Audience != Audience {
		return nil, unauthenticated("The access token is for another resource. Ask for the scope %s/.default.", a.PublicURL)
	}
	c := &Caller{App: cl.IDType == "app", AppID: cl.AppID, AppName: cl.AppName, SessionID: cl.SessionID, IssuedAt: time.Unix(cl.IssuedAt, 0), proof: proof}
	if slices.Contains(cl.Methods, session.MethodMFA) && cl.AuthTime > 0 {
		c.MFAAt = time.Unix(cl.AuthTime, 0)
	}
	app, err := a.application(ctx, c.AppID)
	if err != nil {
		return nil, err
	}
	if app != nil {
		c.AppName = app.DisplayName
	}
	if c.App {
		for _, p := range cl.Roles { // what was taken away since the token was made is gone at once
			if app != nil && (slices.Contains(app.Cardea.Permissions, application.All) || containsFold(app.Cardea.Permissions, p)) {
				c.Permissions = append(c.Permissions, p)
			}
		}
		return c, nil
	}
	gone := unauthenticated("The access token is no longer valid. Sign in again.")
	u, err := directory.GetUser(ctx, a.DB, cl.ObjectID)
	if problem.KindOf(err) == problem.NotFound {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	// iat counts whole seconds: a token made in the second of the revocation is void too.
	if !u.AccountEnabled || c.IssuedAt.Before(u.SessionsValidFrom) {
		return nil, gone
	}
	c.UserID, c.Name, c.UPN, c.Guest = u.ID, u.DisplayName, u.UserPrincipalName, u.UserType == "Guest"
	c.Roles, err = directory.RolesOf(ctx, a.DB, u.ID)
	if !slices.Contains(cl.Methods, session.MethodMFA) {
		c.Roles, c.Unproved = nil, c.Roles
	}
	if err != nil {
		return nil, err
	}
	var own []string // what only this person consented to, or somebody did for this person
	if app != nil {
		if own, err = application.PersonalScopes(ctx, a.DB, app, u.ID, Audience); err != nil {
			return nil, err
		}
	}
	for scope := range strings.FieldsSeq(cl.Scope) {
		scope = scope[strings.LastIndexByte(scope, '/')+1:] // "https://host/User.Read" is User.Read (WC-31)
		if app == nil || app.Grants(scope) || containsFold(own, scope) {
			c.Scopes = append(c.Scopes, scope)
		}
	}
	return c, err
}

// application finds the registration behind a token: nil for our own pages.
func (a *api) application(ctx context.Context, appID string) (*application.Application, error) {
	if slices.Contains(a.FirstParty, appID) {
		return nil, nil
	}
	app, err := a.Applications.Find(ctx, appID, a.Now())
	switch problem.CodeOf(err) {
	case "applicationUnknown":
		return nil, unauthenticated("The application of this token does not exist any more. Use another.").Because(err)
	case "applicationDisabled", "servicePrincipalMissing":
		return nil, unauthenticated("The application of this token is disabled. An administrator can enable its service principal.").Because(err)
	}
	return app, err
}

// is reports whether an id or user name in a path is the caller's own.
func (c *Caller) is(idOrName string) bool {
	// Lower case as in directory.GetUser, and no other folding: a name that finds
	// the caller must count as the caller's own (PK-130).
	name := strings.ToLower(idOrName)
	return c.UserID != "" && (name == strings.ToLower(c.UserID) || name == strings.ToLower(c.UPN))
}

// actor is the caller as the audit log names it.
func (c *Caller) actor() audit.Actor {
	manages := writeRoles.allow(c, false) == nil
	// By role, not by scope: a token with less must not open more.
	only := !c.App && holds(c.Roles, writeRoles.Roles) && !holds(c.Roles, []string{directory.GroupsAdministrator, directory.UserAdministrator})
	return audit.Actor{UserID: c.UserID, UserName: c.Name, UserPrincipalName: c.UPN, AppID: c.AppID, AppName: c.AppName, RoleManager: manages, RoleGroupsOnly: only}
}

// reach reports whether the caller may touch methods and sensitive properties
// of the user (DO-21 … DO-23). Applications that may change methods reach
// everyone, unless the server is set to treat them like an Authentication
// Administrator (DO-25). Those that may only change accounts never reach an
// administrator: a password is worth the roles behind it.
func (c *Call) reach(userID string) error { return c.reachIn(c.DB, userID) }

func (c *Call) reachIn(q db.Querier, userID string) error {
	if c.Caller.App && !c.settings.AppsRespectReach && application.ChangesMethods(c.Caller.Permissions) {
		return nil
	}
	return directory.Reach(c.Context, q, c.Caller.Roles, userID)
}
