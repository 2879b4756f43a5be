package oidc

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"cardea/internal/application"
	"cardea/internal/directory"
	"cardea/internal/session"
)

// idClaims are the claims of an id_token (WC-46).
type idClaims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	ACR       string   `json:"acr"`
	AMR       []string `json:"amr"`
	AuthTime  int64    `json:"auth_time"`
	Nonce     string   `json:"nonce,omitempty"`
	ObjectID  string   `json:"oid"`
	SessionID string   `json:"sid"`
	TenantID  string   `json:"tid"`
	TokenID   string   `json:"uti"`
	Version   string   `json:"ver"`
	Roles     []string `json:"roles,omitempty"` // app roles of the person in the application
	groupClaims
	personClaims
}

// personClaims are what userinfo says as well.
type personClaims struct {
	Subject   string `json:"sub"`
	UserName  string `json:"preferred_username,omitempty"` // profile
	Name      string `json:"name,omitempty"`
	GivenName string `json:"given_name,omitempty"`
	Surname   string `json:"family_name,omitempty"`
	Mail      string `json:"email,omitempty"` // email
}

// accessClaims are the claims of an access token (WC-47).
type accessClaims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	AppName   string   `json:"app_displayname"`
	AppID     string   `json:"appid"`
	AppIDACR  string   `json:"appidacr"` // 0 public client, 1 it proved itself
	Party     string   `json:"azp"`
	IDType    string   `json:"idtyp"` // user or app
	Name      string   `json:"name,omitempty"`
	ObjectID  string   `json:"oid"`
	Roles     []string `json:"roles"`
	Scope     string   `json:"scp,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	Subject   string   `json:"sub"`
	TenantID  string   `json:"tid"`
	Unique    string   `json:"unique_name,omitempty"`
	UPN       string   `json:"upn,omitempty"`
	TokenID   string   `json:"uti"`
	Version   string   `json:"ver"`
	groupClaims
}

// subject is the pairwise `sub` of a person at an application: two
// applications cannot tell that they know the same person by it. oid is for
// those that must.
func (p *Provider) subject(appID, userID string) string {
	sum := sha256.Sum256([]byte("cardea sub|" + strings.ToLower(p.TenantID) + "|" + strings.ToLower(appID) + "|" + strings.ToLower(userID)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *Provider) person(app string, u directory.User, profile, email bool) personClaims {
	c := personClaims{Subject: p.subject(app, u.ID)}
	if profile {
		c.UserName, c.Name, c.GivenName, c.Surname = u.UserPrincipalName, u.DisplayName, u.GivenName, u.Surname
	}
	if email {
		c.Mail = u.Mail
	}
	return c
}

func (p *Provider) idToken(r *request, app *application.Application, g *session.Granted, sc scopes, until time.Time) idClaims {
	return idClaims{Audience: app.AppID, Issuer: p.issuer(), IssuedAt: r.now.Unix(), NotBefore: r.now.Unix(), Expires: until.Unix(),
		ACR: acrOf(g.Methods), AMR: g.Methods, AuthTime: g.AuthAt / 1000, Nonce: g.Nonce, ObjectID: g.UserID, SessionID: g.SessionID,
		TenantID: p.TenantID, TokenID: tokenID(), Version: "2.0", personClaims: p.person(app.AppID, g.User, sc.profile, sc.email)}
}

func (p *Provider) accessToken(r *request, app *application.Application, g *session.Granted, sc scopes, until time.Time) accessClaims {
	c := p.accessBase(r, app, sc, until)
	c.IDType, c.ObjectID, c.Subject, c.Scope, c.SessionID = "user", g.UserID, p.subject(sc.resource, g.UserID), sc.scp(), g.SessionID
	c.ACR, c.AMR, c.AuthTime = acrOf(g.Methods), g.Methods, g.AuthAt/1000
	c.Name, c.UPN, c.Unique = g.User.DisplayName, g.User.UserPrincipalName, g.User.UserPrincipalName
	if g.Secret {
		c.AppIDACR = "1"
	}
	return c
}

func (p *Provider) applicationToken(r *request, app *application.Application, sc scopes, until time.Time) accessClaims {
	c := p.accessBase(r, app, sc, until)
	c.IDType, c.ObjectID, c.Subject, c.AppIDACR = "app", app.PrincipalID(), app.PrincipalID(), "1"
	c.Roles = append(c.Roles, sc.names...)
	return c
}

func (p *Provider) accessBase(r *request, app *application.Application, sc scopes, until time.Time) accessClaims {
	return accessClaims{Audience: sc.resource, Issuer: p.issuer(), IssuedAt: r.now.Unix(), NotBefore: r.now.Unix(), Expires: until.Unix(),
		AppName: app.DisplayName, AppID: app.AppID, Party: app.AppID, AppIDACR: "0", Roles: []string{}, TenantID: p.TenantID, TokenID: tokenID(), Version: "2.0"}
}

// tokenID tells tokens of the same second apart.
func tokenID() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
