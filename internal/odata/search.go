package odata

import "strings"

// ParseSearch parses $search: clauses in quotes, each "member:text" or just
// "text", with AND and OR between them (AND binds closer) and parentheses. A
// clause without a member asks every member that s lets be searched; a single
// word needs no quotes then.
//
// Graph cuts text into words and finds those that begin with what is asked
// for, in any order. So does Cardea: every word of a clause must begin a word
// of the member, where words end at blanks and at - . _ @ ' " ( ) / , & : +.
// Graph also cuts HelloWorld1 in three; Cardea does not.
func ParseSearch(in string, s Schema) (Expr, error) {
	p := &searcher{in: in, schema: s}
	if len(in) > maxOption || !text(in) {
		return nil, p.failed().err
	}
	e := p.or(0)
	if p.blanks(); p.err == nil && p.pos < len(p.in) {
		p.failed()
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

type searcher struct {
	in      string
	pos     int
	clauses int
	schema  Schema
	err     error
}

func (p *searcher) fail(format string, args ...any) *searcher {
	if p.err == nil {
		p.err = bad("unsupportedQuery", format, args...).On("$search")
	}
	p.pos = len(p.in)
	return p
}

func (p *searcher) failed() *searcher {
	return p.fail(`$search cannot be read. Write it like "displayName:ada" OR "mail:ada".`)
}

func (p *searcher) blanks() {
	for p.pos < len(p.in) && blank(p.in[p.pos]) {
		p.pos++
	}
}

// word moves behind the operator w and reports whether it was there.
func (p *searcher) word(w string) bool {
	p.blanks()
	end := p.pos + len(w)
	if !hasPrefixFold(p.in[p.pos:], w) || end < len(p.in) && !blank(p.in[end]) && p.in[end] != '"' && p.in[end] != '(' {
		return false
	}
	p.pos = end
	return true
}

func (p *searcher) or(depth int) Expr {
	e := p.and(depth)
	for p.word("OR") {
		e = Logic{true, e, p.and(depth)}
	}
	return e
}

func (p *searcher) and(depth int) Expr {
	e := p.clause(depth)
	for p.word("AND") {
		e = Logic{false, e, p.clause(depth)}
	}
	return e
}

func (p *searcher) clause(depth int) Expr {
	p.blanks()
	if p.clauses++; p.clauses > maxClauses || depth > maxDepth {
		p.fail("$search has more than %d clauses, or nests deeper than %d. Ask for less at a time.", maxClauses, maxDepth)
	}
	switch {
	case p.pos == len(p.in):
		p.failed()
	case p.in[p.pos] == '(':
		p.pos++
		e := p.or(depth + 1)
		if p.blanks(); p.pos == len(p.in) || p.in[p.pos] != ')' {
			p.failed()
			return nil
		}
		p.pos++
		return e
	case p.in[p.pos] == '"':
		return p.find(p.quoted())
	default:
		start := p.pos
		for p.pos < len(p.in) && !blank(p.in[p.pos]) && strings.IndexByte(`()":`, p.in[p.pos]) < 0 {
			p.pos++
		}
		w := p.in[start:p.pos]
		if w == "" || strings.EqualFold(w, "and") || strings.EqualFold(w, "or") || strings.EqualFold(w, "not") || p.pos < len(p.in) && p.in[p.pos] == ':' {
			p.failed()
			return nil
		}
		return p.find("", w)
	}
	return nil
}

const maxClauses = 20

// quoted reads "member:text"; a backslash stands before a quote or a backslash
// that belongs to the text.
func (p *searcher) quoted() (member, text string) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.in) && p.in[p.pos] != '"'; p.pos++ {
		if p.in[p.pos] == '\\' && p.pos+1 < len(p.in) {
			p.pos++
		}
		b.WriteByte(p.in[p.pos])
	}
	if p.pos == len(p.in) {
		p.failed()
		return "", ""
	}
	p.pos++
	member, text, named := strings.Cut(b.String(), ":")
	if !named {
		return "", member
	}
	if member = strings.TrimSpace(member); member == "" {
		p.failed()
	}
	return member, text
}

// find looks for text in one member, or in all if member is "".
func (p *searcher) find(member, text string) Expr {
	if p.err != nil {
		return nil
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(separators, r) })
	if len(words) == 0 || len(words) > maxWords {
		p.fail("$search: %q has no word to look for, or more than %d.", clip(text), maxWords)
		return nil
	}
	var e Expr
	for _, name := range p.schema.names(func(p Property) bool { return p.Search }) {
		if member == "" || strings.EqualFold(name, member) {
			e = join(true, e, begins(name, p.schema[name], words))
		}
	}
	if e == nil && member == "" {
		p.fail("This list cannot be searched. Use $filter.")
	} else if e == nil {
		p.fail("This list cannot be searched by %q.", clip(member))
	}
	return e
}

// separators end words, for $search. Tabs and the like are not worth a
// replace() on every row.
const (
	separators = ` -._@'"()/,&:+`
	maxWords   = 8
)

func begins(name string, p Property, words []string) (e Expr) {
	for _, w := range words {
		e = join(false, e, Match{"word", name, p, w})
	}
	return e
}

func join(or bool, l, r Expr) Expr {
	if l == nil {
		return r
	}
	return Logic{or, l, r}
}
