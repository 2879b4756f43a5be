package page

import (
	"net/http"
	"strings"
)

// Handler answers one request. It returns what to say and never writes itself.
//
// With an error the answer's cookies are still set (an expired session is
// cleared together with its refusal); everything else of the answer is dropped.
type Handler func(*http.Request) (Answer, error)

// Answer is what a Handler says. The zero Answer is 204, no content.
type Answer struct {
	status     int
	view       View
	value      any
	to         string
	formAction string
	cookies    []*http.Cookie
}

// HTML answers 200 with a page.
func HTML(v View) Answer { return Answer{status: http.StatusOK, view: v} }

// JSON answers 200 with a value. The value must not hold secrets of others: it
// is sent as it is.
func JSON(v any) Answer { return Answer{status: http.StatusOK, value: v} }

// Redirect303 sends the browser to one of our own pages with GET. The address
// is a path with an optional query; anything else is a bug and becomes an
// internal error, so a redirect to a stranger cannot be built from input.
func Redirect303(path string) Answer { return Answer{status: http.StatusSeeOther, to: path} }

// WithStatus changes the status of an HTML or JSON answer.
func (a Answer) WithStatus(status int) Answer { a.status = status; return a }

// WithCookies adds cookies. Build them with Cookie and Forget.
func (a Answer) WithCookies(c ...*http.Cookie) Answer {
	a.cookies = append(a.cookies[:len(a.cookies):len(a.cookies)], c...)
	return a
}

// PostingTo lets the page's form post to origin ("https://app.example") and to
// nothing else. It is for response_mode=form_post; the caller has checked that
// the origin is that of a registered redirect URI.
func (a Answer) PostingTo(origin string) Answer { a.formAction = origin; return a }

// OwnPath reports whether path leads to this very server: it starts with one
// slash, and nothing in it can make a browser read a host out of it.
func OwnPath(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	for _, c := range []byte(path) {
		// Browsers read a backslash as a slash and drop tabs and line ends.
		if c <= ' ' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}
