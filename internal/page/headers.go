package page

import (
	"net/http"
	"net/url"
)

// policy is the Content-Security-Policy of user pages, ux.md §1.3.
const policyBefore = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action "
const policyAfter = "; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// policy returns the Content-Security-Policy of a page whose form posts to
// origin, or to ourselves when origin is "".
func policy(origin string) string {
	if origin == "" {
		origin = "'self'"
	}
	return policyBefore + origin + policyAfter
}

// validOrigin reports whether s is scheme://host[:port] and nothing more, so
// that it cannot smuggle another source or directive into the policy.
func validOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.Scheme+"://"+u.Host != s {
		return false
	}
	for _, c := range []byte(u.Host) {
		ok := c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']' ||
			'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !ok {
			return false
		}
	}
	return true
}

// guard sets the headers that every answer carries, whatever it is.
//
// Cross-Origin-Opener-Policy is left out on purpose: applications sign people
// in through a popup and watch it; severing the opener would break them.
// Referrer-Policy is not no-referrer, because browsers then send "Origin: null"
// with our own forms and the cross-origin check could not tell them apart.
func guard(h http.Header, correlationID string) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), geolocation=(), microphone=()")
	h.Set("X-Correlation-Id", correlationID)
}
