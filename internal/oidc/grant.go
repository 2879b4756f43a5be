package oidc

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// grant gives the application its code. Everything is looked at once more: an
// hour may have passed since the request. silent: nobody was asked, so the
// sign-in log gets a non-interactive row.
func (p *Provider) grant(r *request, app *application.Application, f session.Flow, s session.Session, silent bool) (answer, error) {
	kind, ok := app.Redirect(f.RedirectURI)
	if !ok {
		return answer{}, invalid("redirectUriUnknown", "The address of %s was taken off the list while you signed in. Go back to the application and try again.", app.DisplayName)
	}
	r.userID = s.UserID
	sc, err := p.resolve(r, app, f.Scope)
	if err != nil {
		return p.refuse(r, f, err)
	}
	if _, _, err := p.admit(r, app, s.UserID, sc); err != nil {
		return p.barred(r, app, f, s, err)
	}
	g := session.GrantOf(s, f)
	g.SPA, g.Secret = kind == application.SPARedirect, confidential(app, f.RedirectURI)
	p.refreshes(&g, sc)
	var code string
	err = p.DB.Write(r.Context(), func(q db.Querier) (err error) {
		if code, err = session.IssueCode(r.Context(), q, r.now, g); err != nil || !silent {
			return err
		}
		u, err := directory.GetUser(r.Context(), q, s.UserID)
		if err != nil {
			return err
		}
		row := p.row(r, app, audit.NonInteractive)
		session.Of(&row, u)
		row.SessionID, row.ResourceID, row.IncomingTokenType = s.ID, sc.resource, "primaryRefreshToken"
		row.ClientAppUsed = "Browser"
		previously(&row, s.Methods)
		return audit.WriteSignIn(r.Context(), q, row)
	})
	if err != nil {
		return answer{}, err
	}
	fields := [][2]string{{"code", code}}
	if f.ClientInfo {
		fields = append(fields, [2]string{"client_info", p.clientInfo(s.UserID)})
	}
	if f.HasState {
		fields = append(fields, [2]string{"state", f.State})
	}
	return p.respond(r, f, append(fields, [2]string{"session_state", s.ID}))
}

// refuse tells the application why it gets nothing (RFC 6749 §4.1.2.1). Our
// own faults are not its business: they stay a page.
func (p *Provider) refuse(r *request, f session.Flow, err error) (answer, error) {
	if k := problem.KindOf(err); k == problem.Internal || k == problem.Unavailable {
		return answer{}, err
	}
	s := r.say(err)
	p.Log.InfoContext(r.Context(), "oidc: authorization refused", "correlationId", r.correlation, "traceId", r.trace(), "appId", f.AppID, "code", s.code)
	fields := [][2]string{{"error", s.name}, {"error_description", s.description}, {"error_uri", p.Origin + "/help/errors/" + s.code}}
	if f.HasState {
		fields = append(fields, [2]string{"state", f.State})
	}
	return p.respond(r, f, fields)
}

// respond sends fields, and the issuer (RFC 9207), to the redirect URI of f in
// the way it asked for.
func (p *Provider) respond(r *request, f session.Flow, fields [][2]string) (answer, error) {
	fields = append(fields, [2]string{"iss", p.issuer()})
	if f.ResponseMode == "form_post" {
		u, err := url.Parse(f.RedirectURI)
		if err != nil {
			return answer{}, err
		}
		return answer{view: page.FormPost{App: f.AppName, Action: f.RedirectURI, Fields: fields}, posting: u.Scheme + "://" + u.Host}, nil
	}
	to := f.RedirectURI + separator(f) + encode(fields)
	if lower := strings.ToLower(r.URL.Path); strings.HasSuffix(strings.TrimSuffix(lower, "/"), "signin/continue") && onWeb(to) {
		// The person may come here by a form of ours, whose form-action browsers
		// check along the whole chain of redirects: the hop to the application
		// is a navigation of its own (ux.md §1.3).
		return answer{view: page.Continue{App: f.AppName, Next: to}}, nil
	}
	return answer{to: to}, nil
}

// onWeb reports whether uri is an address of a server rather than a private
// scheme of an application on a device.
func onWeb(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

// separator is what stands between the redirect URI and the answer.
func separator(f session.Flow) string {
	switch {
	case f.ResponseMode == "fragment":
		return "#"
	case strings.Contains(f.RedirectURI, "?"):
		return "&"
	}
	return "?"
}

// encode writes fields so that readers of forms and readers of URIs see the
// same bytes: everything but unreserved characters is percent-encoded, a blank
// too. It is done by hand because url.URL would encode a fragment twice (WC-52).
func encode(fields [][2]string) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f[0] + "=" + strings.ReplaceAll(url.QueryEscape(f[1]), "+", "%20"))
	}
	return b.String()
}

// clientInfo is WC-45.
func (p *Provider) clientInfo(userID string) string {
	b, err := json.Marshal(struct {
		UID  string `json:"uid"`
		UTID string `json:"utid"`
	}{userID, p.TenantID})
	if err != nil { // two strings always marshal
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// row begins a row of the sign-in log for app.
func (p *Provider) row(r *request, app *application.Application, event string) audit.SignIn {
	row := r.situation(app).Row(r.now)
	row.SignInEventTypes, row.IsInteractive = []string{event}, false
	row.ClientAppUsed = "Mobile Apps and Desktop clients"
	return row
}

// previously notes that nobody was asked: the proofs are those of the session.
func previously(row *audit.SignIn, methods []string) {
	if strength(acrOf(methods)) >= strength(acrMFA) {
		row.AuthenticationRequirement = "multiFactorAuthentication"
	}
	row.AuthenticationDetails = []audit.AuthStep{{DateTime: row.CreatedDateTime, Method: "Previously satisfied", Succeeded: true, Requirement: "Primary authentication"}}
}
