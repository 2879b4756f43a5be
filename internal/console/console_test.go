package console_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/console"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/graph"
	"cardea/internal/page"
	"cardea/internal/session"
)

// open adds the administration pages and the API to a house.
func open(h *house.House) *house.House {
	h.Administrate()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	pages, err := page.New(page.Config{Origin: house.Origin, Now: h.Now, Log: quiet}, page.Brand{Organisation: "Contoso"})
	h.Must(err)
	mux := http.NewServeMux()
	api := graph.New(graph.Config{DB: h.DB, Ring: h.Ring, Now: h.Now, PublicURL: house.Origin, Log: quiet, Keeper: h.Keeper, FirstParty: []string{console.ClientID}})
	mux.Handle("/v1.0/", api)
	mux.Handle("/beta/", api)
	console.New(console.Config{DB: h.DB, Ring: h.Ring, Pages: pages, Keeper: h.Keeper, Now: h.Now, PublicURL: house.Origin, TenantID: h.Keeper.TenantID,
		Session: func(r *http.Request) (session.Session, error) {
			return session.Find(r.Context(), h.DB, page.CookieValue(r, "session"), h.Now())
		}, Audience: graph.Audience, Scopes: graph.DelegatedPermissions(), Log: quiet}).Mount(mux)
	mux.Handle("/", h.Handler)
	h.Handler = mux
	return h
}

func assign(h *house.House, u directory.User, role string) {
	h.Helper()
	h.Write(func(q db.Querier) error {
		return directory.AssignRole(h.Context(), q, h.Admin, h.Now(), directory.RoleAssignment{UserID: u.ID, RoleID: role})
	})
}

// administrator is somebody with a passkey, a session and a role.
func administrator(h *house.House, role string) (directory.User, *cardeatest.Browser) {
	h.Helper()
	u, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
	assign(h, u, role)
	return u, b
}

// started is a browser with a session that was made by hand.
func started(h *house.House, s session.Session) *cardeatest.Browser {
	h.Helper()
	b := h.Browser()
	h.Write(func(q db.Querier) error {
		_, token, err := session.Start(h.Context(), q, h.Now(), s)
		b.Cookies["__Host-session"] = token
		return err
	})
	return b
}

type granted struct {
	AccessToken string    `json:"accessToken"`
	Expires     time.Time `json:"expiresDateTime"`
}

func token(h *house.House, b *cardeatest.Browser) (g granted) {
	h.Helper()
	r := b.JSON("/admin/token", struct{}{})
	if r.Status != http.StatusOK {
		h.Fatalf("token: %d %s", r.Status, r.Body)
	}
	h.Must(r.Read(&g))
	return g
}

// call asks the API.
func call(h *house.House, token, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, house.Origin+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	return w
}

// TestTokenIsForAdministratorsWithAStrongSignIn walks through everybody else.
func TestTokenIsForAdministratorsWithAStrongSignIn(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		u, own := administrator(h, directory.AuthenticationAdministrator)
		_, plain, _ := h.Settled("sam@contoso.com", "Sam Seller")
		password := started(h, session.Session{UserID: u.ID, Methods: []string{session.MethodPassword}})
		first := started(h, session.Session{UserID: u.ID, Methods: []string{session.MethodAccessPass, session.MethodMFA}, MFAAt: h.Now(), ExpiresAt: h.Now().Add(session.FreshFirstAge)})
		link := started(h, session.Session{UserID: u.ID, Methods: []string{session.MethodLink, session.MethodMFA}, MFAAt: h.Now()})
		over := started(h, session.Session{UserID: u.ID, Methods: []string{session.MethodPasskey, session.MethodMFA}, MFAAt: h.Now(), ExpiresAt: h.Now()})
		forged := h.Browser()
		forged.Cookies["__Host-session"] = strings.Replace(own.Cookies["__Host-session"], ".", ".A", 1)[:80]
		for _, row := range []struct {
			who    string
			b      *cardeatest.Browser
			status int
			code   string
		}{
			{"an administrator with a passkey", own, 200, ""},
			{"nobody", h.Browser(), 401, "signInRequired"},
			{"a person without a role", plain, 403, "authorizationRequestDenied"},
			{"a password alone", password, 401, "ngcMfaRequired"},
			{"first steps of a pass that works once", first, 401, "signInRequired"},
			{"first steps of a link", link, 401, "signInRequired"},
			{"a session that is over", over, 401, "signInRequired"},
			{"a forged session", forged, 401, "signInRequired"},
		} {
			r := row.b.JSON("/admin/token", struct{}{})
			if r.Status != row.status || r.Code() != row.code {
				h.Errorf("%s: %d %s, want %d %s", row.who, r.Status, r.Body, row.status, row.code)
			}
			if row.status != 200 && strings.Contains(r.Body, "accessToken") {
				h.Errorf("%s got a token", row.who)
			}
			if r.Header.Get("Cache-Control") != "no-store" {
				h.Errorf("%s: the answer may be kept: %s", row.who, r.Header.Get("Cache-Control"))
			}
		}
	})
}

// TestTokenWantsOurOwnScript: R14, another site gets nothing out of a cookie.
func TestTokenWantsOurOwnScript(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		_, b := administrator(h, directory.GlobalAdministrator)
		for _, row := range []struct{ site, from, contentType, body, code string }{
			{"cross-site", "https://evil.example", "application/json", "{}", "crossOriginRequest"},
			{"same-site", "https://other.contoso.com", "application/json", "{}", "crossOriginRequest"},
			{"", "", "application/x-www-form-urlencoded", "", "contentTypeInvalid"},
			{"", "", "text/plain", "{}", "contentTypeInvalid"},
			{"", "", "application/json", "", "requestInvalid"},
			{"", "", "application/json", `{"scope":"all"}`, "requestInvalid"},
			{"", "", "application/json", `{}{}`, "requestInvalid"},
		} {
			b.Site, b.From = row.site, row.from
			r := b.Post("/admin/token", row.contentType, row.body)
			if r.Status/100 != 4 || strings.Contains(r.Body, "accessToken") || !strings.Contains(r.Body, row.code) {
				h.Errorf("%+v: %d %.200s", row, r.Status, r.Body)
			}
		}
		b.Site, b.From = "", ""
		if r := b.Get("/admin/token"); r.Status != http.StatusNotFound {
			h.Errorf("GET: %d", r.Status)
		}
	})
}

func TestTokenLivesTenMinutesAndNotLongerThanItsSession(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		u, b := administrator(h, directory.GlobalAdministrator)
		g := token(h, b)
		if want := h.Now().Add(10 * time.Minute).Truncate(time.Second); console.TokenLife != 10*time.Minute || !g.Expires.Equal(want) {
			h.Errorf("expires %s, want %s", g.Expires, want)
		}
		if w := call(h, g.AccessToken, "GET", "/beta/organization", ""); w.Code != 200 {
			h.Errorf("fresh: %d %s", w.Code, w.Body)
		}
		h.Forward(10*time.Minute + time.Second)
		if w := call(h, g.AccessToken, "GET", "/beta/organization", ""); w.Code != 401 {
			h.Errorf("after ten minutes: %d", w.Code)
		}
		if again := token(h, b); again.AccessToken == g.AccessToken {
			h.Error("the same token again")
		}
		ends := h.Now().Add(3 * time.Minute).Truncate(time.Second)
		short := started(h, session.Session{UserID: u.ID, Methods: []string{session.MethodPasskey, session.MethodMFA}, MFAAt: h.Now(), ExpiresAt: ends})
		if g := token(h, short); !g.Expires.Equal(ends) {
			h.Errorf("a session that ends at %s gave a token until %s", ends, g.Expires)
		}
	})
}

// TestTokenSaysWhatWasProved: its claims are those of WC-47, and auth_time is
// the multifactor proof, not a later visit.
func TestTokenSaysWhatWasProved(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		u, b := administrator(h, directory.GlobalAdministrator)
		s, _ := h.Session(b)
		h.Forward(time.Hour)
		g := token(h, b)
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(g.AccessToken, ".")[1])
		h.Must(err)
		var c struct {
			Aud, Iss, AppID, OID, SID, Scp, IDTyp, Ver, TID string
			AMR                                             []string
			AuthTime                                        int64 `json:"auth_time"`
			Exp, Iat                                        int64
		}
		h.Must(json.Unmarshal(raw, &c))
		if c.Aud != graph.Audience || c.AppID != console.ClientID || c.OID != u.ID || c.SID != s.ID || c.IDTyp != "user" || c.Ver != "2.0" ||
			c.TID != h.Keeper.TenantID || c.Iss != house.Origin+"/"+h.Keeper.TenantID+"/v2.0" {
			h.Errorf("claims %s", raw)
		}
		if c.AuthTime != s.MFAAt.Unix() || !slices.Contains(c.AMR, session.MethodMFA) || c.Iat != h.Now().Unix() || c.Exp-c.Iat != 600 {
			h.Errorf("proof %s", raw)
		}
		if have := strings.Fields(c.Scp); !slices.Equal(have, graph.DelegatedPermissions()) {
			h.Errorf("scopes %v", have)
		}
	})
}

// TestRightsAreTheRolesOfTheMoment: the token opens what the person's roles
// allow when it is used, and nothing else.
func TestRightsAreTheRolesOfTheMoment(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		u, b := administrator(h, directory.AuthenticationAdministrator)
		sam := h.Person("sam@contoso.com", "Sam Seller")
		g := token(h, b)
		pass := "/beta/users/" + sam.ID + "/authentication/temporaryAccessPassMethods"
		if w := call(h, g.AccessToken, "POST", pass, "{}"); w.Code != 201 {
			h.Errorf("a pass for somebody: %d %s", w.Code, w.Body)
		}
		if w := call(h, g.AccessToken, "PATCH", "/beta/organization", `{"displayName":"X"}`); w.Code != 403 {
			h.Errorf("another role's act: %d", w.Code)
		}
		if w := call(h, g.AccessToken, "POST", "/beta/users/"+h.Grace.ID+"/authentication/temporaryAccessPassMethods", "{}"); w.Code != 403 {
			h.Errorf("a pass for a Global Administrator: %d", w.Code)
		}
		h.Write(func(q db.Querier) error {
			return directory.UnassignRole(h.Context(), q, h.Admin, h.Now(), directory.RoleAssignment{UserID: u.ID, RoleID: directory.AuthenticationAdministrator})
		})
		if w := call(h, g.AccessToken, "POST", pass, "{}"); w.Code != 403 {
			h.Errorf("after the role was taken away: %d", w.Code)
		}
		if r := b.JSON("/admin/token", struct{}{}); r.Status != 403 {
			h.Errorf("a new token without a role: %d", r.Status)
		}
		assign(h, u, directory.AuthenticationAdministrator)
		h.Forward(time.Second)
		h.Write(func(q db.Querier) error { return session.EndAll(h.Context(), q, h.Admin, h.Now(), u.ID) })
		if w := call(h, g.AccessToken, "POST", pass, "{}"); w.Code != 401 {
			h.Errorf("after signing out everywhere: %d", w.Code)
		}
	})
}

// TestFrames: an administrator gets every page, everybody else the way in or
// a refusal, and what is embedded are names only.
func TestFrames(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		_, b := administrator(h, directory.GlobalReader)
		paths := []string{"/admin", "/admin/", "/admin/methods/passkey?profile=x", "/admin/users?q=a%20b", "/admin/users/" + h.Grace.ID, "/admin/groups", "/admin/groups/x", "/admin/logs/sign-ins?result=failed", "/admin/settings/organisation"}
		for _, path := range paths {
			r := b.Get(path)
			if r.Status != 200 || !strings.Contains(r.Header.Get("Content-Security-Policy"), "trusted-types 'none'") || r.Header.Get("Cache-Control") != "no-store" {
				h.Errorf("%s: %d %v", path, r.Status, r.Header)
			}
			if strings.Contains(r.Body, "accessToken") || strings.Contains(r.Body, h.Grace.UserPrincipalName) {
				h.Errorf("%s carries more than names of providers", path)
			}
			if r := h.Browser().Get(path); r.Status != http.StatusSeeOther || !strings.HasPrefix(r.To(), "/signin?next=%2Fadmin") {
				h.Errorf("%s for nobody: %d %s", path, r.Status, r.To())
			}
		}
		if r := h.Browser().Get("/admin/users?q=a%20b"); r.To() != "/signin?next=%2Fadmin%2Fusers%3Fq%3Da%2520b" {
			h.Errorf("the way back is lost: %s", r.To())
		}
		if r := b.Get("/admin/methods/passkey"); !strings.Contains(r.Body, "Bitwarden") || !strings.Contains(r.Body, "d548826e-79b4-db40-a3d8-11116f7e8349") {
			h.Error("PK-100: providers have no names")
		}
		_, plain, _ := h.Settled("sam@contoso.com", "Sam Seller")
		if r := plain.Get("/admin"); r.Status != 403 || strings.Contains(r.Body, "adminscript") {
			h.Errorf("a person without a role: %d", r.Status)
		}
		if r := b.Get("/admin/nothing"); r.Status != 404 {
			h.Errorf("unknown: %d", r.Status)
		}
	})
}

// TestASingleFactorIsAskedForMore: the way back to administration asks for a
// passkey instead of going round in a circle.
func TestASingleFactorIsAskedForMore(t *testing.T) {
	house.Each(t, func(h *house.House) {
		open(h)
		u, _ := administrator(h, directory.GlobalAdministrator)
		b := started(h, session.Session{UserID: u.ID, Methods: []string{session.MethodPassword}})
		r := b.Get("/admin/users")
		if r.Status != http.StatusSeeOther || r.To() != "/signin?next=%2Fadmin%2Fusers" {
			h.Fatalf("%d %s", r.Status, r.To())
		}
		if r = b.Get(r.To()); r.Status != 200 || !strings.Contains(r.Body, "/signin/again") {
			h.Errorf("no proof is asked for: %d %s", r.Status, r.To())
		}
	})
}
