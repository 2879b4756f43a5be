package odata

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Expr is a node of a parsed $filter or $search.
type Expr interface{ expr() }

type (
	// Logic is "L and R" or "L or R".
	Logic struct {
		Or   bool
		L, R Expr
	}
	// Not is "not X".
	Not struct{ X Expr }
	// Compare is "Property Op Value"; a nil Value is the literal null.
	Compare struct {
		Property Property
		Op       string
		Value    any
	}
	// Match is startswith, endswith or contains, in any case.
	Match struct {
		Func     string
		Property Property
		Text     string
	}
	// In is "Property in (Values)".
	In struct {
		Property Property
		Values   []any
	}
)

func (Logic) expr()   {}
func (Not) expr()     {}
func (Compare) expr() {}
func (Match) expr()   {}
func (In) expr()      {}

// The bounds of DO-28.
const (
	maxDepth       = 16
	maxComparisons = 100
	maxIn          = 100
)

// ParseFilter parses a $filter expression over the properties of s.
func ParseFilter(in string, s Schema) (Expr, error) {
	if len(in) > maxOption {
		return nil, bad("unsupportedQuery", "$filter is longer than %d bytes.", maxOption).On("$filter")
	}
	p := &parser{in: in, schema: s}
	p.next()
	e := p.or(0)
	if p.err == nil && p.tok != "" {
		p.fail("unexpected %q", clip(p.tok))
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

// parser is a recursive-descent parser with one token of lookahead. The first
// error sticks and every method becomes a no-op after it.
type parser struct {
	in          string
	pos         int    // behind tok
	tok         string // "" at the end; string literals keep their quotes
	schema      Schema
	comparisons int
	variable    string // inside any(…): the variable, and
	collection  string // the member it runs over
	err         error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = bad("unsupportedQuery", "$filter: "+format+".", args...).On("$filter")
	}
	p.tok, p.pos = "", len(p.in)
}

func (p *parser) next() {
	for p.pos < len(p.in) && p.in[p.pos] == ' ' {
		p.pos++
	}
	start := p.pos
	if start == len(p.in) {
		p.tok = ""
		return
	}
	switch c := p.in[start]; c {
	case '(', ')', ',':
		p.pos++
	case '\'':
		for p.pos++; ; p.pos++ {
			if p.pos >= len(p.in) {
				p.fail("a string is not closed; a quote inside a string is written twice")
				return
			}
			if p.in[p.pos] == '\'' {
				if strings.HasPrefix(p.in[p.pos:], "''") {
					p.pos++
					continue
				}
				break
			}
		}
		p.pos++
	default:
		for p.pos < len(p.in) && !strings.ContainsRune(" (),'", rune(p.in[p.pos])) {
			p.pos++
		}
	}
	p.tok = p.in[start:p.pos]
	if p.pos < len(p.in) && p.in[p.pos] == '\'' && strings.HasPrefix(strings.ToLower(p.tok), "microsoft.graph.") {
		p.next() // microsoft.graph.someEnum'value' is 'value' (DO-31)
	}
}

// is reports whether the token is the word w, in any case (DO-30).
func (p *parser) is(w string) bool { return strings.EqualFold(p.tok, w) }

func (p *parser) want(tok string) {
	if p.tok != tok {
		p.fail("%q is missing, there is %q", tok, clip(p.tok))
		return
	}
	p.next()
}

func (p *parser) or(depth int) Expr {
	e := p.and(depth)
	for p.is("or") {
		p.next()
		e = Logic{true, e, p.and(depth)}
	}
	return e
}

func (p *parser) and(depth int) Expr {
	e := p.unary(depth)
	for p.is("and") {
		p.next()
		e = Logic{false, e, p.unary(depth)}
	}
	return e
}

func (p *parser) unary(depth int) Expr {
	if depth > maxDepth {
		p.fail("it nests deeper than %d", maxDepth)
		return nil
	}
	switch {
	case p.is("not"):
		p.next()
		return Not{p.unary(depth + 1)}
	case p.tok == "(":
		p.next()
		e := p.or(depth + 1)
		p.want(")")
		return e
	}
	if p.comparisons++; p.comparisons > maxComparisons {
		p.fail("it has more than %d comparisons", maxComparisons)
		return nil
	}
	switch {
	case p.is("startswith"), p.is("endswith"), p.is("contains"):
		return p.match()
	case len(p.tok) > 4 && strings.EqualFold(p.tok[len(p.tok)-4:], "/any"):
		return p.any(depth)
	}
	return p.compare()
}

// any reads member/any(v: expr). The columns behind such members hold one
// value, so the expression about the variable is one about the member.
func (p *parser) any(depth int) Expr {
	if p.variable != "" {
		p.fail("any() inside any() is not supported")
		return nil
	}
	p.collection = p.tok[:len(p.tok)-4]
	p.next()
	p.want("(")
	name, _, ok := strings.Cut(p.tok, ":")
	if !ok || name == "" {
		p.fail("any() needs a variable and a colon, as in any(t: t eq 'x')")
		return nil
	}
	p.pos -= len(p.tok) - len(name) - 1 // go on behind the colon
	p.variable = name
	p.next()
	e := p.or(depth + 1)
	p.want(")")
	p.variable, p.collection = "", ""
	return e
}

func (p *parser) match() Expr {
	f := strings.ToLower(p.tok)
	p.next()
	p.want("(")
	name, prop := p.property()
	p.allow(name, prop, f)
	p.want(",")
	v := p.value(p.take(), name, String)
	p.want(")")
	text, ok := v.(string)
	if !ok {
		p.fail("%s needs a string", f)
	}
	return Match{f, prop, text}
}

var flipped = map[string]string{"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}

func (p *parser) compare() Expr {
	first := p.tok
	if _, _, ok := p.schema.find(p.path(first)); !ok && literal(first) { // 'x' eq displayName
		p.next()
		op := flipped[strings.ToLower(p.tok)]
		if op == "" {
			p.fail("unknown operator %q", clip(p.tok))
			return nil
		}
		p.next()
		name, prop := p.property()
		p.allow(name, prop, op)
		return Compare{prop, op, p.value(first, name, prop.Kind)}
	}
	name, prop := p.property()
	op := strings.ToLower(p.take())
	p.allow(name, prop, op)
	if op != "in" {
		return Compare{prop, op, p.value(p.take(), name, prop.Kind)}
	}
	in := In{Property: prop}
	p.want("(")
	for p.err == nil {
		in.Values = append(in.Values, p.value(p.take(), name, prop.Kind))
		if len(in.Values) > maxIn {
			p.fail("in (…) lists more than %d values", maxIn)
		}
		if p.tok != "," {
			break
		}
		p.next()
	}
	p.want(")")
	return in
}

// take returns the token and moves on.
func (p *parser) take() string { t := p.tok; p.next(); return t }

func literal(tok string) bool {
	return tok != "" && (tok[0] == '\'' || tok[0] >= '0' && tok[0] <= '9' || tok[0] == '-') ||
		strings.EqualFold(tok, "true") || strings.EqualFold(tok, "false") || strings.EqualFold(tok, "null")
}

// path replaces the variable of any(…) by the member that it runs over.
func (p *parser) path(tok string) string {
	if p.variable == "" {
		return tok
	}
	if tok == p.variable {
		return p.collection
	}
	if rest, ok := strings.CutPrefix(tok, p.variable+"/"); ok {
		return p.collection + "/" + rest
	}
	return tok
}

func (p *parser) property() (string, Property) {
	sent := p.path(p.tok)
	name, prop, ok := p.schema.find(sent)
	if !ok || prop.Any != (p.variable != "" && sent != p.tok) {
		p.fail("this list cannot be filtered by %q", clip(sent))
	}
	p.next()
	return name, prop
}

var usual = map[Kind][]string{
	String:         {"eq", "ne", "in", "startswith"},
	Boolean:        {"eq", "ne"},
	Int64:          {"eq", "ne", "gt", "ge", "lt", "le", "in"},
	DateTimeOffset: {"eq", "ne", "gt", "ge", "lt", "le"},
}

func (p *parser) allow(name string, prop Property, op string) {
	if p.err == nil && !slices.Contains(usual[prop.Kind], op) && !slices.Contains(prop.More, op) {
		p.fail("%s does not support the operator %q", name, clip(op))
	}
}

// value reads a literal of kind k as the type the column is stored in.
func (p *parser) value(tok, name string, k Kind) any {
	if p.err != nil {
		return nil
	}
	quoted := len(tok) >= 2 && tok[0] == '\''
	text := tok
	if quoted {
		text = strings.ReplaceAll(tok[1:len(tok)-1], "''", "'")
	} else if strings.EqualFold(tok, "null") {
		return nil
	}
	switch k {
	case String:
		if quoted || isGUID(text) {
			return text
		}
	case Boolean:
		if strings.EqualFold(text, "true") || strings.EqualFold(text, "false") {
			return strings.EqualFold(text, "true")
		}
	case Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && !quoted {
			return n
		}
	case DateTimeOffset:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02"} {
			if t, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
				return t.UnixMilli()
			}
		}
	}
	p.fail("%q is no value for %s", clip(tok), name)
	return nil
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}

// Names reports whether e says something about the column of p.
func Names(e Expr, p Property) bool {
	switch e := e.(type) {
	case Logic:
		return Names(e.L, p) || Names(e.R, p)
	case Not:
		return Names(e.X, p)
	case Compare:
		return e.Property.Column == p.Column
	case Match:
		return e.Property.Column == p.Column
	case In:
		return e.Property.Column == p.Column
	}
	return false
}
