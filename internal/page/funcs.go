package page

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// funcs are the functions of the templates.
func (s *Renderer) funcs() template.FuncMap {
	return template.FuncMap{
		// t is a text of the catalogue, its variables in name, value pairs.
		"t": func(key string, pairs ...any) string {
			all := make([]string, len(pairs))
			for i, p := range pairs {
				all[i] = fmt.Sprint(p)
			}
			return s.words.text(key, all...)
		},

		// c is a text of the administration pages' catalogue.
		"c": func(key string) string { return s.console.text(key) },
		// json is a value for the script, in an attribute.
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},

		// day and moment are times the script turns into the person's own zone.
		"day":     func(t time.Time) template.HTML { return stamp(t, "day", "2 January 2006") },
		"moment":  func(t time.Time) template.HTML { return stamp(t, "moment", "2 January 2006, 15:04 UTC") },
		"link":    link,
		"initial": initial,
		"join":    strings.Join,
		// otpauth lets the one foreign scheme through that authenticator apps use.
		"otpauth": func(uri string) (template.URL, error) {
			if !strings.HasPrefix(uri, "otpauth://totp/") {
				return "", fmt.Errorf("no otpauth address")
			}
			return template.URL(uri), nil
		},
	}
}

// stamp is safe as HTML: it consists of digits, month names and our own tags.
func stamp(t time.Time, style, layout string) template.HTML {
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `" data-as="` + style + `">` + t.Format(layout) + `</time>`)
}

// link adds the flow, the pending sign-in, to one of our own addresses.
func link(path, flow string) string {
	if flow == "" {
		return path
	}
	return path + "?flow=" + url.QueryEscape(flow)
}

// initial is the letter on a tile.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(strings.TrimSpace(name))
	if r == utf8.RuneError {
		return "?"
	}
	return string(unicode.ToUpper(r))
}
