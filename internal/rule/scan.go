package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	end tokenKind = iota
	word
	quoted
	mark // ( ) [ ] ,
)

type token struct {
	kind     tokenKind
	text     string // of quoted: without quotes and escapes
	from, to int    // bytes of the rule
}

// scan reads the token behind the byte at, which is at most len(in).
func scan(in string, at int) (token, error) {
	for at < len(in) {
		r, size := utf8.DecodeRuneInString(in[at:])
		if !unicode.IsSpace(r) {
			break
		}
		at += size
	}
	if at == len(in) {
		return token{end, "", at, at}, nil
	}
	switch c := in[at]; {
	case strings.IndexByte("()[],", c) >= 0:
		return token{mark, in[at : at+1], at, at + 1}, nil
	case c == '"' || c == '\'':
		return scanText(in, at)
	}
	stop := at
	for stop < len(in) && inWord(in[stop]) {
		stop++
	}
	if stop == at {
		r, _ := utf8.DecodeRuneInString(in[at:])
		return token{}, invalid(in, at, "The character %q has no meaning here; text belongs in double quotes.", r)
	}
	return token{word, in[at:stop], at, stop}, nil
}

func inWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// scanText reads a text in quotes. A quote inside is written `" in double
// quotes, as in PowerShell, and ” in single ones.
func scanText(in string, at int) (token, error) {
	quote := in[at]
	var b strings.Builder
	for i := at + 1; i < len(in); i++ {
		c := in[i]
		switch {
		case c == '`' && i+1 < len(in) && (in[i+1] == '"' || in[i+1] == '`'):
			i++
			b.WriteByte(in[i])
		case c != quote:
			b.WriteByte(c)
		case quote == '\'' && i+1 < len(in) && in[i+1] == '\'':
			i++
			b.WriteByte('\'')
		default:
			return token{quoted, b.String(), at, i + 1}, nil
		}
	}
	return token{}, invalid(in, at, "The text that begins here has no closing quote.")
}
