package bulk

import (
	"regexp"
	"strings"
)

// Cell is a text as a cell of CSV: spreadsheets take neither it, nor what stands
// behind a mark that some of them read as the end of a cell, for a formula (RL-41).
func Cell(s string) string {
	s = inner.ReplaceAllString(s, "$1'$2")
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

var inner = regexp.MustCompile(`([;\t\r\n] *)([=+@-])`)
