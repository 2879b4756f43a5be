package mds

import (
	"strings"
	"unicode"
)

// maxName is the longest name kept, in runes.
const maxName = 200

// displayText makes a foreign string fit to be shown: one line, no control or
// direction-changing characters, at most maxName runes.
func displayText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(clip(strings.Join(strings.Fields(s), " "), maxName))
}

// clip cuts s after n runes.
func clip(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// displayNames keeps the names that are left after cleaning, under their
// language tags in lower case ("en-us").
func displayNames(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for tag, name := range in {
		tag = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"))
		if name = displayText(name); name != "" && tag != "" && len(tag) <= 35 {
			out[tag] = name
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
