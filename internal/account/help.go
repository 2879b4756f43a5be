package account

import (
	"net/http"

	"cardea/docs"
	"cardea/internal/page"
)

// topics says which help a page leads to, by the page's name, which is the
// last part of its "Help" link.
var topics = map[string]string{
	"": "index", "index": "index", "topic": "index", "error": "index",
	"signin": "signin", "other": "signin", "entry": "signin", "blocked": "signin", "help": "signin", "signout": "signin", "signedout": "signin",
	"continue": "signin", "formpost": "signin", "devicecode": "signin", "deviceconfirm": "signin", "devicedone": "signin",
	"passkey": "passkey", "create": "passkey",
	"account": "account", "securityinfo": "account", "rename": "account", "delete": "account", "deletemethod": "account", "addcode": "account",
	"setpassword": "account", "lost": "account", "everywhere": "account", "home": "account",
	"setup": "setup", "setupdone": "setup", "enrol": "setup",
}

// help is a page of help. It needs no session.
func (e *Edge) help(r *http.Request) (page.Answer, error) {
	topic, ok := topics[r.PathValue("topic")]
	if !ok {
		return page.Answer{}, notFound()
	}
	return page.HTML(page.Help{Topic: topic}), nil
}

// code explains an error code.
func (e *Edge) code(r *http.Request) (page.Answer, error) {
	code := r.PathValue("code")
	text, ok := docs.Help(code)
	if !ok {
		return page.Answer{}, notFound()
	}
	return page.HTML(page.Help{Code: code, Text: text}), nil
}
