package console

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"cardea/internal/jose"
	"cardea/internal/page"
)

// claims are those of an access token of a person (wire-compatibility WC-47).
type claims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	AMR       []string `json:"amr"`
	AuthTime  int64    `json:"auth_time"`
	AppName   string   `json:"app_displayname"`
	AppID     string   `json:"appid"`
	AppIDACR  string   `json:"appidacr"`
	Party     string   `json:"azp"`
	IDType    string   `json:"idtyp"`
	Name      string   `json:"name"`
	ObjectID  string   `json:"oid"`
	Roles     []string `json:"roles"`
	Scope     string   `json:"scp"`
	SessionID string   `json:"sid"`
	Subject   string   `json:"sub"`
	TenantID  string   `json:"tid"`
	UPN       string   `json:"upn"`
	TokenID   string   `json:"uti"`
	Version   string   `json:"ver"`
}

// granted is the answer of POST /admin/token.
type granted struct {
	AccessToken string    `json:"accessToken"`
	Expires     time.Time `json:"expiresDateTime"`
}

// token turns the browser's session into a short access token. page.Handle has
// refused requests from other sites; the content type, which others cannot send
// unasked, is the second lock.
func (e *Edge) token(r *http.Request) (page.Answer, error) {
	if err := page.ReadJSON(r, &struct{}{}); err != nil {
		return page.Answer{}, err
	}
	s, u, _, err := e.admit(r)
	if err != nil {
		return page.Answer{}, err
	}
	now := e.Now()
	until := now.Add(TokenLife)
	if s.ExpiresAt.Before(until) {
		until = s.ExpiresAt
	}
	var unique [12]byte
	rand.Read(unique[:])
	// MFAAt, not AuthAt: the API reads auth_time as the time of the proof that amr names.
	token, err := e.Ring.Sign(jose.ES256, claims{Audience: e.Audience, Issuer: e.PublicURL + "/" + e.TenantID + "/v2.0",
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: until.Unix(), AMR: s.Methods, AuthTime: s.MFAAt.Unix(),
		AppName: clientName, AppID: ClientID, AppIDACR: "0", Party: ClientID, IDType: "user", Name: u.DisplayName, ObjectID: u.ID,
		Roles: []string{}, Scope: strings.Join(e.Scopes, " "), SessionID: s.ID, Subject: u.ID, TenantID: e.TenantID,
		UPN: u.UserPrincipalName, TokenID: base64.RawURLEncoding.EncodeToString(unique[:]), Version: "2.0"}, now)
	if err != nil {
		return page.Answer{}, err
	}
	return page.JSON(granted{token, time.Unix(until.Unix(), 0).UTC()}), nil
}
