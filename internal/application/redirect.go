package application

import (
	"net/url"
	"strings"

	"cardea/internal/problem"
)

// RedirectType says what kind of client listens at a redirect URI.
type RedirectType string

// The types. Only an SPA may redeem codes from a browser (WC-50).
const (
	WebRedirect    RedirectType = "web"
	SPARedirect    RedirectType = "spa"
	PublicRedirect RedirectType = "public"
)

const maxRedirect = 1024 // bytes

// forbidden are schemes that browsers give a meaning of their own.
var forbidden = map[string]bool{"javascript": true, "data": true, "file": true, "blob": true, "about": true, "vbscript": true,
	"view-source": true, "ws": true, "wss": true, "ftp": true, "mailto": true, "tel": true, "sms": true, "filesystem": true, "intent": true}

// CheckRedirect reports why uri may not be registered (blueprint §7): it is
// absolute, without fragment, wildcard, user name, or characters that parsers
// read differently; https, or http to loopback; a public client may have a
// scheme of its own (RFC 8252 §7.1).
func CheckRedirect(uri string, kind RedirectType) *problem.Error {
	refuse := func(format string, args ...any) *problem.Error {
		return problem.New(problem.Invalid, "redirectUriNotAllowed", format, args...)
	}
	if uri == "" || len(uri) > maxRedirect {
		return refuse("A redirect URI has 1 to %d characters.", maxRedirect)
	}
	for _, c := range []byte(uri) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`\"<>^{}|`+"`", c) >= 0 {
			return refuse("%q contains a blank or a character that must be percent-encoded.", uri)
		}
	}
	if strings.ContainsAny(uri, "*#") {
		return refuse("%q contains a wildcard or a fragment. Register every address in full.", uri)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.User != nil || u.Scheme != uri[:len(u.Scheme)] {
		return refuse("%q is not an absolute address in lower-case scheme and without user name. It looks like https://app.example.com/callback.", uri)
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" || strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") != "" {
			return refuse("%q names no host, or one that does not exist: a host has letters, digits, dots and hyphens.", uri)
		}
		return nil
	case "http":
		if loopback(u.Hostname()) {
			return nil
		}
		return refuse("%q is not encrypted. Use https, or http to localhost.", uri)
	}
	if kind != PublicRedirect || forbidden[u.Scheme] {
		return refuse("%q has a scheme that only public clients may use, or none may. Use https.", uri)
	}
	return nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// MatchRedirect reports whether a client that registered one URI may ask for
// another: they are equal byte by byte, or both are http to the same loopback
// name with the same path and query, on any port (RFC 8252 §7.3, WC-42).
func MatchRedirect(registered, asked string) bool {
	if registered == asked {
		return true
	}
	if len(asked) > maxRedirect {
		return false
	}
	host1, rest1, ok1 := splitLoopback(registered)
	host2, rest2, ok2 := splitLoopback(asked)
	return ok1 && ok2 && host1 == host2 && rest1 == rest2
}

// splitLoopback takes http://HOST[:PORT]REST apart; a missing path is "/".
func splitLoopback(uri string) (host, rest string, ok bool) {
	after, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	authority, rest := after[:end], after[end:]
	for _, h := range []string{"localhost", "127.0.0.1", "[::1]"} {
		port, found := strings.CutPrefix(authority, h)
		if !found || !portSuffix(port) {
			continue
		}
		for _, c := range []byte(rest) {
			if c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
				return "", "", false
			}
		}
		if !strings.HasPrefix(rest, "/") {
			rest = "/" + rest
		}
		return h, rest, true
	}
	return "", "", false
}

func portSuffix(s string) bool {
	if s == "" {
		return true
	}
	return s[0] == ':' && len(s) >= 2 && len(s) <= 6 && strings.Trim(s[1:], "0123456789") == ""
}

// Redirect says whether the application may have its answers at uri, and of
// which type the registered address is. The first type that fits counts, in
// the order spa, web, public: the strictest rules first.
func (a *Application) Redirect(uri string) (RedirectType, bool) {
	for _, list := range []struct {
		kind RedirectType
		uris []string
	}{{SPARedirect, a.SPA.RedirectURIs}, {WebRedirect, a.Web.RedirectURIs}, {PublicRedirect, a.PublicClient.RedirectURIs}} {
		for _, r := range list.uris {
			if MatchRedirect(r, uri) {
				return list.kind, true
			}
		}
	}
	return "", false
}

// OnlyRedirect returns the redirect URI of an application that has exactly
// one, for requests that leave it out.
func (a *Application) OnlyRedirect() (string, bool) {
	var only []string
	for _, l := range [][]string{a.SPA.RedirectURIs, a.Web.RedirectURIs, a.PublicClient.RedirectURIs} {
		only = append(only, l...)
	}
	if len(only) != 1 {
		return "", false
	}
	return only[0], true
}

// LogoutRedirect says whether a person may be sent to uri after signing out.
func (a *Application) LogoutRedirect(uri string) bool {
	if _, ok := a.Redirect(uri); ok {
		return true
	}
	for _, r := range a.Cardea.LogoutRedirectURIs {
		if MatchRedirect(r, uri) {
			return true
		}
	}
	return false
}
