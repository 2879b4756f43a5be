package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// words is the catalogue of all texts of the user pages: key to text. A text
// may hold {name} in braces, filled by text.
type words map[string]string

// parseWords reads "key = text" lines; "#" starts a comment line. A text that
// is too long for one line goes on in lines that start with a blank. A key
// that comes twice, or a line without "=", is an error.
func parseWords(src string) (words, error) {
	w, last := words{}, ""
	for i, line := range strings.Split(src, "\n") {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
			last = ""
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, fmt.Errorf("words line %d goes on from nothing", i+1)
			}
			w[last] += " " + trimmed
		default:
			key, text, ok := strings.Cut(line, "=")
			key, text = strings.TrimSpace(key), strings.TrimSpace(text)
			if _, twice := w[key]; !ok || key == "" || text == "" || twice {
				return nil, fmt.Errorf("words line %d: want a new key, =, and a text", i+1)
			}
			w[key], last = text, key
		}
	}
	return w, nil
}

// text returns the text of key with its variables filled from name, value
// pairs. A missing key is shown in brackets; a test keeps that from happening.
func (w words) text(key string, pairs ...string) string {
	t, ok := w[key]
	if !ok {
		return "[" + key + "]"
	}
	if len(pairs) == 0 {
		return t
	}
	braced := slices.Clone(pairs)
	for i := 0; i+1 < len(braced); i += 2 {
		braced[i] = "{" + braced[i] + "}"
	}
	if len(braced)%2 == 1 {
		braced = braced[:len(braced)-1]
	}
	return strings.NewReplacer(braced...).Replace(t)
}

// under returns the keys below prefix, without it, sorted.
func (w words) under(prefix string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(w)) {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			keys = append(keys, rest)
		}
	}
	return keys
}
