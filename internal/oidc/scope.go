package oidc

import (
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/problem"
)

// scopes is what a scope parameter means.
type scopes struct {
	openid, profile, email, offline bool
	resource                        string   // audience: GraphAppID, or the client id of an API
	names                           []string // permissions for the resource, without prefix
	asked                           string   // as written (WC-32)
	whole                           bool     // .default: everything that was consented
}

// apiPermission is the delegated permission of an API that publishes none.
const apiPermission = application.UserImpersonation

// openIDScopes may stand in consents, as in Entra, and need none.
var openIDScopes = []string{"openid", "profile", "email", "offline_access"}

// split takes one scope value apart: the resource it names, "" if none, and
// the permission. Graph has many names (WC-31).
func (p *Provider) split(value string) (resource, name string) {
	lower := strings.ToLower(value)
	for _, prefix := range []string{"https://graph.microsoft.com/", GraphAppID + "/", strings.ToLower(p.Origin) + "/"} {
		if strings.HasPrefix(lower, prefix) {
			return GraphAppID, strings.TrimLeft(value[len(prefix):], "/")
		}
	}
	i := strings.LastIndexByte(value, '/')
	if i < 0 {
		return "", value
	}
	resource = strings.TrimSuffix(lower[:i], "/")
	if id := strings.TrimPrefix(resource, "api://"); isGUID(id) {
		resource = id // one API under two names is no mixture
	}
	return resource, value[i+1:]
}

// parse reads a scope parameter without asking whether it is allowed.
func (p *Provider) parse(asked string) (scopes, error) {
	s := scopes{asked: asked}
	values := strings.Fields(asked)
	if len(values) > 200 {
		return s, invalid("scopeInvalid", "A request has at most 200 scopes.")
	}
	for _, value := range values {
		resource, name := p.split(value)
		if resource == "" || resource == GraphAppID {
			switch strings.ToLower(name) {
			case "openid":
				s.openid = true
				continue
			case "profile":
				s.profile = true
				continue
			case "email":
				s.email = true
				continue
			case "offline_access":
				s.offline = true
				continue
			}
			resource = GraphAppID
		}
		if name == "" {
			return s, invalid("scopeInvalid", "The scope %q names no permission. Write <resource>/.default or <resource>/<permission>.", value)
		}
		if s.resource != "" && s.resource != resource {
			return s, invalid("scopesMixed", "One token is for one resource. Ask for the scopes of each resource in a request of its own.")
		}
		s.resource = resource
		if name == ".default" {
			s.whole = true
			continue
		}
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
	}
	if s.resource == "" {
		s.resource = GraphAppID // a token that opens userinfo only
	}
	return s, nil
}

// resolve reads the scopes of a request for a person and checks that an
// administrator consented to them for app.
func (p *Provider) resolve(r *request, app *application.Application, asked string) (scopes, error) {
	s, err := p.parse(asked)
	if err != nil {
		return s, err
	}
	if s.resource != GraphAppID {
		return s, p.resolveAPI(r, app, &s)
	}
	own, known, err := p.personal(r, app)
	if err != nil {
		return s, err
	}
	for _, name := range s.names {
		if !app.Grants(name) && known && !slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, name) }) {
			return s, invalid("consentMissing", "%s may not use %s. An administrator can grant it under the application's delegated permissions.", app.DisplayName, name)
		}
	}
	if s.whole {
		for _, name := range slices.Concat(expand(app.Cardea.Scopes, p.DelegatedPermissions), own) {
			if !slices.Contains(openIDScopes, name) && !slices.Contains(s.names, name) { // those are asked for by name
				s.names = append(s.names, name)
			}
		}
	}
	return s, nil
}

// resolveAPI does so for the API of another application, or of app itself. What
// may be asked for are the scopes that the API publishes and user_impersonation,
// the one of an API that publishes none.
func (p *Provider) resolveAPI(r *request, app *application.Application, s *scopes) error {
	api, err := p.findAPI(r, s)
	if err != nil {
		return err
	}
	own := api.AppID == app.AppID
	granted := slices.Clone(app.ScopesOn(api.AppID))
	for _, a := range api.API.PreAuthorizedApplications {
		for _, scope := range api.API.OAuth2PermissionScopes {
			if strings.EqualFold(a.AppID, app.AppID) && containsFold(a.DelegatedPermissionIDs, scope.ID) {
				granted = append(granted, scope.Value)
			}
		}
	}
	known := true
	if app.Personal() {
		if known = r.userID != ""; known {
			more, err := application.PersonalScopes(r.Context(), p.DB, app, r.userID, api.AppID)
			if err != nil {
				return err
			}
			granted = append(granted, more...)
		}
	}
	published := []string{}
	for _, scope := range api.API.OAuth2PermissionScopes {
		if scope.IsEnabled {
			published = append(published, scope.Value)
		}
	}
	if len(published) == 0 || containsFold(granted, apiPermission) {
		published = append(published, apiPermission)
	}
	refused := invalid("consentMissing", "%s may not call %s with this scope. An administrator can grant it under the application's delegated permissions.", app.DisplayName, api.DisplayName)
	for _, name := range s.names {
		switch {
		case !containsFold(published, name):
			return invalid("scopeInvalid", "%s has no scope %q. Ask for one that it publishes, or for .default.", api.DisplayName, name)
		case known && !own && !containsFold(granted, name):
			return refused
		}
	}
	if s.whole {
		for _, name := range published {
			if (own || containsFold(granted, name)) && !containsFold(s.names, name) {
				s.names = append(s.names, name)
			}
		}
		if known && len(s.names) == 0 {
			return refused
		}
	}
	return nil
}

// findAPI resolves the resource of s to its application.
func (p *Provider) findAPI(r *request, s *scopes) (*application.Application, error) {
	api, err := p.Apps.ByResource(r.Context(), s.resource, r.now)
	if problem.CodeOf(err) == "resourceUnknown" {
		return nil, invalid("resourceUnknown", "There is no resource %q here. Graph is %s or %s; other APIs are named by their client id or an identifier URI.", s.resource, "https://graph.microsoft.com", p.Origin)
	}
	if err != nil {
		return nil, err
	}
	s.resource = api.AppID
	return api, nil
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// expand replaces "all" by all.
func expand(granted, all []string) []string {
	if slices.Contains(granted, application.All) && len(all) > 0 {
		return all
	}
	return granted
}

// scp is the claim of that name: permissions, and the OpenID scopes that open
// userinfo.
func (s *scopes) scp() string {
	out := slices.Clone(s.names)
	if s.resource == GraphAppID {
		for _, o := range []struct {
			on   bool
			name string
		}{{s.openid, "openid"}, {s.profile, "profile"}, {s.email, "email"}} {
			if o.on {
				out = append(out, o.name)
			}
		}
	}
	return strings.Join(out, " ")
}

// echo is the scope of the answer: what was asked, as written, and what
// .default stood for (WC-32).
func (s *scopes) echo() string {
	if !s.whole || s.resource != GraphAppID {
		return s.asked
	}
	out := strings.Fields(s.asked)
	for _, n := range s.names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}
