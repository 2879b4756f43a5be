package db

import (
	"strings"
	"unicode/utf8"
)

// Storable reports whether both engines can keep s, and compare with it, as
// text: UTF-8 without NUL. PostgreSQL fails on anything else, SQLite stores
// what later readers cannot. Edges ask before they hand on what strangers wrote.
func Storable(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// StorableJSON reports whether no string in a JSON text stands for one with a
// NUL. Broken UTF-8 is no matter here: decoding replaces it.
func StorableJSON(text []byte) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++ // what is escaped, so that an escaped backslash begins nothing
		if text[i] == 'u' && i+4 < len(text) && string(text[i+1:i+5]) == "0000" {
			return false
		}
	}
	return true
}
