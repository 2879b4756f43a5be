package page

import (
	"net/http"
	"time"
)

// hostPrefix makes browsers refuse the cookie unless it is Secure, has Path=/
// and no Domain: a neighbouring subdomain cannot plant or read it.
const hostPrefix = "__Host-"

// Cookie returns a cookie for this host only, unreadable for scripts. It is
// sent along when an application sends a person here (SameSite=Lax). life 0
// means until the browser closes. name is without the prefix.
func Cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: hostPrefix + name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Forget returns the cookie that deletes the one that Cookie made.
func Forget(name string) *http.Cookie {
	c := Cookie(name, "", 0)
	c.MaxAge = -1
	return c
}

// CookieValue returns the value of the cookie that Cookie made; "" if absent.
// With several of one name the browser is confused or under attack: then it
// counts as absent.
func CookieValue(r *http.Request, name string) string {
	all := r.CookiesNamed(hostPrefix + name)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}
