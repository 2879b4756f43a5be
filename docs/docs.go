// Package docs embeds the pages that the server shows at /help.
package docs

import (
	_ "embed"
	"strings"
)

// Errors is docs/errors.md: one section "## code" per error code.
//
//go:embed errors.md
var Errors string

// Help returns the help for an error code as paragraphs of plain text, and
// false if there is none.
func Help(code string) ([]string, bool) {
	if code == "" || strings.ContainsAny(code, "\r\n") {
		return nil, false
	}
	_, after, ok := strings.Cut(Errors, "\n## "+code+"\n")
	if !ok {
		return nil, false
	}
	section, _, _ := strings.Cut(after, "\n## ")
	var out []string
	for p := range strings.SplitSeq(section, "\n\n") {
		if p = strings.TrimSpace(strings.ReplaceAll(p, "\n", " ")); p != "" {
			out = append(out, strings.ReplaceAll(p, "`", ""))
		}
	}
	return out, true
}
