package scim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/throttle"
)

// claims is what this edge reads from an access token (WC-47).
type claims struct {
	Audience string   `json:"aud"`
	AppID    string   `json:"appid"`
	IDType   string   `json:"idtyp"`
	Roles    []string `json:"roles"`
}

var errNobody = problem.New(problem.Unauthenticated, "invalidAuthenticationToken",
	"Send an access token of an application, or its client id and client secret: as \"Authorization: Bearer {client id}.{client secret}\", or with Basic authentication.")

// authenticate finds the application that calls and what it may do. Reading
// needs the permission named *.Read.All or more.
func (c *call) authenticate(permission string) error {
	app, granted, err := c.application()
	if err != nil {
		return err
	}
	c.actor = audit.Actor{AppID: app.AppID, AppName: app.DisplayName, IP: c.address(), UserAgent: c.r.UserAgent(), CorrelationID: db.NewID(c.now)}
	c.methods = application.ChangesMethods(granted)
	need := []string{permission, "Directory.ReadWrite.All"}
	if c.r.Method == http.MethodGet {
		need = append(need, strings.Replace(permission, "ReadWrite", "Read", 1), "Directory.Read.All")
	}
	for _, have := range granted {
		if have == application.All || slices.ContainsFunc(need, func(n string) bool { return strings.EqualFold(n, have) }) {
			return nil
		}
	}
	return problem.New(problem.Forbidden, "authorizationRequestDenied", "This application needs the permission %s. Ask an administrator to grant it.", permission)
}

// application proves who calls and returns what it was granted.
func (c *call) application() (*application.Application, []string, error) {
	if id, secret, ok := c.r.BasicAuth(); ok {
		return c.bySecret(id, secret)
	}
	scheme, token, ok := strings.Cut(strings.TrimSpace(c.r.Header.Get("Authorization")), " ")
	if token = strings.TrimSpace(token); !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, nil, errNobody
	}
	if id, secret, ok := strings.Cut(token, "."); ok && !strings.Contains(secret, ".") {
		return c.bySecret(id, secret)
	}
	raw, err := c.Ring.Verify(token, c.now)
	if err != nil {
		return nil, nil, errNobody.Because(err)
	}
	var cl claims
	if err := json.Unmarshal(raw, &cl); err != nil || cl.Audience != c.Audience || cl.IDType != "app" {
		return nil, nil, errNobody.Because(err)
	}
	app, err := c.Applications.Find(c.ctx, cl.AppID, c.now)
	if err != nil {
		return nil, nil, unknown(err)
	}
	var granted []string // what was taken away since the token was made is gone at once
	for _, p := range cl.Roles {
		if slices.Contains(app.Cardea.Permissions, application.All) || slices.Contains(app.Cardea.Permissions, p) {
			granted = append(granted, p)
		}
	}
	return app, granted, nil
}

// bySecret takes a client secret. Guesses are counted per address: a secret
// has 240 random bits, but a stream of wrong ones is somebody who tries.
func (c *call) bySecret(id, secret string) (*application.Application, []string, error) {
	app, err := c.Applications.Find(c.ctx, id, c.now)
	if err == nil {
		if err = app.CheckSecret(secret, c.now); err == nil {
			return app, app.Cardea.Permissions, nil
		}
	}
	if busy := throttle.Try(c.ctx, c.DB, "clientSecret", c.address(), throttle.PerAddress, c.now); busy != nil {
		return nil, nil, busy
	}
	return nil, nil, unknown(err)
}

// unknown hides which of the two was wrong.
func unknown(err error) error {
	if k := problem.KindOf(err); k == problem.Internal || k == problem.Unavailable {
		return err
	}
	return errNobody.Because(err)
}
