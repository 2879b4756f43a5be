package odata

import (
	"strings"
	"unicode/utf8"
)

// lexer cuts a $filter into tokens: ( ) , strings with their quotes, and words
// (names, paths, operators, numbers, times). The first error sticks; after it
// there is nothing but the end.
type lexer struct {
	in    string
	start int    // where tok begins,
	pos   int    // and what is behind it
	tok   string // "" at the end
	err   error
}

func (l *lexer) fail(format string, args ...any) {
	if l.err == nil {
		l.err = bad("unsupportedQuery", "$filter: "+format+".", args...).On("$filter")
	}
	l.stop()
}

func (l *lexer) stop() { l.tok, l.start, l.pos = "", len(l.in), len(l.in) }

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (l *lexer) blanks() {
	for l.pos < len(l.in) && blank(l.in[l.pos]) {
		l.pos++
	}
}

// next moves on to the next token.
func (l *lexer) next() {
	l.blanks()
	l.start = l.pos
	if l.pos == len(l.in) {
		l.tok = ""
		return
	}
	switch l.in[l.pos] {
	case '(', ')', ',':
		l.pos++
	case '\'':
		l.quoted()
	default:
		for l.pos < len(l.in) && !blank(l.in[l.pos]) && strings.IndexByte("(),'", l.in[l.pos]) < 0 {
			l.pos++
		}
	}
	if l.err != nil {
		return
	}
	l.tok = l.in[l.start:l.pos]
	if l.pos < len(l.in) && l.in[l.pos] == '\'' && hasPrefixFold(l.tok, "microsoft.graph.") {
		l.next() // microsoft.graph.someEnum'value' is 'value' (DO-31)
	}
}

// quoted moves behind the string that begins at pos.
func (l *lexer) quoted() {
	for l.pos++; l.pos < len(l.in); l.pos++ {
		if l.in[l.pos] != '\'' {
			continue
		}
		l.pos++
		if l.pos == len(l.in) || l.in[l.pos] != '\'' { // else a quote written twice
			return
		}
	}
	l.fail("a string is not closed; a quote inside a string is written twice")
}

// take returns the token and moves on.
func (l *lexer) take() string { t := l.tok; l.next(); return t }

// is reports whether the token is the word w, in any case (DO-30).
func (l *lexer) is(w string) bool { return strings.EqualFold(l.tok, w) }

// want moves behind the token tok.
func (l *lexer) want(tok string) {
	switch {
	case l.err != nil:
	case l.tok == tok:
		l.next()
	case l.tok == "":
		l.fail("%q is missing at the end", tok)
	default:
		l.fail("%q is missing before %q", tok, clip(l.tok))
	}
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// text reports whether s can be stored as text: PostgreSQL knows no NUL and
// nothing but UTF-8.
func text(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
