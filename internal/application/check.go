package application

import (
	"net/url"
	"slices"
	"strings"

	"cardea/internal/problem"
)

const (
	maxDocument    = 256 << 10 // bytes of JSON
	maxPermissions = 1200      // app roles and scopes together, as in Entra
	maxIdentifiers = 50
	maxTags        = 100
)

func refuse(target, format string, args ...any) error {
	return problem.New(problem.Invalid, "invalidValue", format, args...).On(target)
}

// Check reports the first rule that a breaks.
func (a *Application) Check() error {
	if a.DisplayName == "" || len(a.DisplayName) > 256 {
		return refuse("displayName", "An application's name has 1 to 256 characters.")
	}
	if a.SignInAudience != "AzureADMyOrg" {
		return refuse("signInAudience", "Only the people of this organisation sign in here: use AzureADMyOrg.")
	}
	if alg := a.Cardea.SigningAlgorithm; alg != "" && alg != "ES256" && alg != "RS256" {
		return refuse("cardea/idTokenSigningAlgorithm", "Tokens are signed with ES256 or RS256.")
	}
	if err := a.checkAddresses(); err != nil {
		return err
	}
	for _, name := range slices.Concat(a.Cardea.Permissions, a.Cardea.Scopes) {
		if !permissionShape(name) {
			return refuse("cardea", "%q is not the name of a permission. Names look like User.Read.All.", name)
		}
	}
	return a.Document.check()
}

func (a *Application) checkAddresses() error {
	n := 0
	for _, list := range []struct {
		target string
		kind   RedirectType
		uris   []string
	}{
		{"web/redirectUris", WebRedirect, a.Web.RedirectURIs}, {"spa/redirectUris", SPARedirect, a.SPA.RedirectURIs},
		{"publicClient/redirectUris", PublicRedirect, a.PublicClient.RedirectURIs}, {"cardea/postLogoutRedirectUris", WebRedirect, a.Cardea.LogoutRedirectURIs},
	} {
		n += len(list.uris)
		for _, uri := range list.uris {
			if err := CheckRedirect(uri, list.kind); err != nil {
				return err.On(list.target)
			}
		}
	}
	if n > 256 {
		return refuse("web/redirectUris", "An application has at most 256 addresses.")
	}
	for target, uri := range map[string]Text{"web/homePageUrl": a.Web.HomePageURL, "web/logoutUrl": a.Web.LogoutURL} {
		if uri != "" {
			if err := CheckRedirect(string(uri), WebRedirect); err != nil {
				return err.On(target)
			}
		}
	}
	return nil
}

func permissionShape(s string) bool {
	return s != "" && len(s) <= 120 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

func (d *Document) check() error {
	if len(text(d)) > maxDocument {
		return refuse("", "This application has more than 256 KiB of settings. Shorten them.")
	}
	if len(d.Description) > 1024 || len(d.Notes) > 1024 || len(d.ServiceManagementReference) > 256 || len(d.UniqueName) > 120 {
		return refuse("description", "Description and notes have at most 1024 characters, serviceManagementReference 256, uniqueName 120.")
	}
	for part := range strings.SplitSeq(d.GroupMembershipClaims, ",") {
		if !slices.Contains([]string{"", "None", "All", "SecurityGroup", "ApplicationGroup", "DirectoryRole"}, strings.TrimSpace(part)) {
			return refuse("groupMembershipClaims", "%q is not known. Use None, All, SecurityGroup, ApplicationGroup or DirectoryRole, with commas between.", part)
		}
	}
	if v := d.API.RequestedAccessTokenVersion; v != nil && *v != 1 && *v != 2 {
		return refuse("api/requestedAccessTokenVersion", "The version is 1, 2 or null.")
	}
	if len(d.Tags) > maxTags || slices.ContainsFunc(d.Tags, func(t string) bool { return t == "" || len(t) > 256 }) {
		return refuse("tags", "There are at most %d tags of 1 to 256 characters.", maxTags)
	}
	if len(d.IdentifierURIs) > maxIdentifiers {
		return refuse("identifierUris", "There are at most %d identifier URIs.", maxIdentifiers)
	}
	for _, uri := range d.IdentifierURIs {
		if err := checkIdentifier(uri); err != nil {
			return err
		}
	}
	return d.checkPermissions()
}

// checkPermissions: ids are unique over roles and scopes, values within each,
// because assignments name the one and tokens the other.
func (d *Document) checkPermissions() error {
	ids := map[string]bool{}
	if len(d.AppRoles)+len(d.API.OAuth2PermissionScopes) > maxPermissions {
		return refuse("appRoles", "An application has at most %d app roles and scopes.", maxPermissions)
	}
	values := map[string]bool{}
	one := func(target, id, value string) error {
		switch {
		case !isGUID(id) || id == NoRole:
			return refuse(target, "%q is not an id. Each role and scope needs a GUID of its own.", id)
		case ids[strings.ToLower(id)]:
			return problem.New(problem.Invalid, "duplicateValue", "The id %s is there twice. Each role and scope needs a GUID of its own.", id).On(target)
		case len(value) > 250 || strings.HasPrefix(value, ".") || strings.Trim(value, valueCharacters) != "":
			return refuse(target, "%q cannot be a value: it has at most 250 letters, digits and :!#$%%&'()*+,-./:;<=>?@[]^_{|}~, without blanks, and does not begin with a dot.", value)
		case value != "" && values[strings.ToLower(value)]:
			return problem.New(problem.Invalid, "duplicateValue", "The value %q is there twice. Give each role and scope another.", value).On(target)
		}
		ids[strings.ToLower(id)] = true
		values[strings.ToLower(value)] = true
		return nil
	}
	for _, r := range d.AppRoles {
		if err := one("appRoles", r.ID, string(r.Value)); err != nil {
			return err
		}
		if len(r.AllowedMemberTypes) == 0 || slices.ContainsFunc(r.AllowedMemberTypes, func(t string) bool { return t != "User" && t != "Application" }) {
			return refuse("appRoles/allowedMemberTypes", "An app role is for User, for Application, or for both.")
		}
	}
	clear(values)
	for _, s := range d.API.OAuth2PermissionScopes {
		if err := one("api/oauth2PermissionScopes", s.ID, s.Value); err != nil {
			return err
		}
		if s.Value == "" || s.Type != "" && s.Type != "User" && s.Type != "Admin" {
			return refuse("api/oauth2PermissionScopes", "A scope has a value, and is of type User or Admin.")
		}
		if slices.Contains([]string{"openid", "profile", "email", "offline_access"}, strings.ToLower(s.Value)) {
			return refuse("api/oauth2PermissionScopes", "%q has a meaning of its own. Give the scope another value.", s.Value)
		}
	}
	return nil
}

const valueCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:!#$%&'()*+,-./;<=>?@[]^_{|}~`"

// checkIdentifier: an identifier URI stands in front of scopes, so it has no
// blanks; no application may pose as Graph.
func checkIdentifier(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" || len(uri) > 255:
		return refuse("identifierUris", "%q is not an address of at most 255 characters. Identifier URIs look like api://CLIENT-ID or https://api.example.com.", uri)
	case strings.ContainsFunc(uri, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("*#?\"<>\\", c) }), u.User != nil:
		return refuse("identifierUris", "%q has a blank, a wildcard, a query or a fragment. Leave it out.", uri)
	case strings.EqualFold(strings.TrimRight(u.Hostname(), "."), "graph.microsoft.com"), strings.EqualFold(u.Hostname(), GraphAppID):
		return refuse("identifierUris", "%q is the name of Microsoft Graph. Choose a name of your own.", uri)
	}
	return nil
}

// identifierKey is how identifier URIs compare.
func identifierKey(uri string) string { return strings.TrimRight(strings.ToLower(uri), "/") }

func isGUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		strings.Trim(strings.ToLower(s), "0123456789abcdef-") == ""
}
