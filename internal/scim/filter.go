package scim

import (
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/odata"
	"cardea/internal/problem"
)

// The bounds of DO-28 hold for SCIM's filters too.
const (
	maxFilter      = 4096 // bytes
	maxDepth       = 16
	maxComparisons = 100
)

// attributes says what a filter may name, in lower case, and where it is in
// the directory's own schema. "externalid" is looked up before.
type attributes map[string]string

// parseFilter reads a filter of RFC 7644 §3.4.2.2 as an expression over the
// schema. Attribute names and operators have any case. A value path such as
// emails[type eq "work" and value eq "a"] is read as its conditions together;
// "type" says nothing here, where there is one value of a kind.
func parseFilter(in string, names attributes, s odata.Schema) (odata.Expr, error) {
	if len(in) > maxFilter {
		return nil, badFilter("it is longer than %d bytes", maxFilter)
	}
	p := &parser{in: in, names: names, schema: s}
	p.next()
	e := p.or(0)
	if p.err == nil && p.tok != "" {
		p.fail("%q is not expected", clip(p.tok))
	}
	return e, p.err
}

func badFilter(format string, args ...any) error {
	return problem.New(problem.Invalid, "invalidFilter", "This filter cannot be read: "+format+`. Write it like userName eq "ada@example.com".`, args...)
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// parser reads with one token ahead. The first error sticks.
type parser struct {
	in          string
	tok         string // "" at the end; strings keep their quotes
	names       attributes
	schema      odata.Schema
	prefix      string // inside […]: the attribute in front, with a dot
	comparisons int
	err         error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = badFilter(format, args...)
	}
	p.tok, p.in = "", ""
}

func (p *parser) next() {
	p.in = strings.TrimLeft(p.in, " ")
	if p.in == "" {
		p.tok = ""
		return
	}
	n := 1
	switch p.in[0] {
	case '(', ')', '[', ']':
	case '"':
		for n < len(p.in) && p.in[n] != '"' {
			if p.in[n] == '\\' {
				n++
			}
			n++
		}
		if n++; n > len(p.in) {
			p.fail("a string is not closed")
			return
		}
	default:
		for n < len(p.in) && !strings.ContainsRune(` ()[]"`, rune(p.in[n])) {
			n++
		}
	}
	p.tok, p.in = p.in[:n], p.in[n:]
}

func (p *parser) is(w string) bool { return strings.EqualFold(p.tok, w) }

func (p *parser) want(tok string) {
	if p.tok != tok {
		p.fail("%q is missing", tok)
		return
	}
	p.next()
}

func (p *parser) or(depth int) odata.Expr {
	e := p.and(depth)
	for p.is("or") {
		p.next()
		e = odata.Logic{Or: true, L: e, R: p.and(depth)}
	}
	return e
}

func (p *parser) and(depth int) odata.Expr {
	e := p.unary(depth)
	for p.is("and") {
		p.next()
		e = odata.Logic{L: e, R: p.unary(depth)}
	}
	return e
}

func (p *parser) unary(depth int) odata.Expr {
	if depth > maxDepth {
		p.fail("it nests deeper than %d", maxDepth)
		return nil
	}
	if p.is("not") {
		p.next()
		if p.tok != "(" {
			p.fail("not is followed by parentheses")
			return nil
		}
		return odata.Not{X: p.unary(depth + 1)}
	}
	if p.tok == "(" {
		p.next()
		e := p.or(depth + 1)
		p.want(")")
		return e
	}
	if p.comparisons++; p.comparisons > maxComparisons {
		p.fail("it has more than %d comparisons", maxComparisons)
		return nil
	}
	name := p.tok
	p.next()
	if p.tok == "[" {
		return p.values(name, depth)
	}
	return p.compare(name)
}

// values reads emails[…]: the conditions inside are about parts of emails.
func (p *parser) values(name string, depth int) odata.Expr {
	if p.prefix != "" {
		p.fail("[ inside [ has no meaning")
		return nil
	}
	p.next()
	p.prefix = name + "."
	e := p.or(depth + 1)
	p.prefix = ""
	p.want("]")
	return e
}

// always and never hold for every row and for none: ids are never null.
func (p *parser) constant(truth bool) odata.Expr {
	op := "ne"
	if !truth {
		op = "eq"
	}
	return odata.Compare{Name: "id", Property: p.schema["id"], Op: op}
}

func (p *parser) compare(sent string) odata.Expr {
	sent = p.prefix + sent
	op := strings.ToLower(p.tok)
	p.next()
	var value any
	if op != "pr" && p.err == nil {
		if err := json.Unmarshal([]byte(p.tok), &value); err != nil {
			p.fail("%q is no value: texts stand in quotes", clip(p.tok))
			return nil
		}
		p.next()
	}
	if p.err != nil {
		return nil
	}
	attribute := plain(sent)
	if attribute == "schemas" || strings.HasSuffix(attribute, ".type") || strings.HasSuffix(attribute, ".primary") {
		return p.constant(true) // there is one of each kind
	}
	member, ok := p.names[attribute]
	if !ok {
		p.fail("%q cannot be filtered by", clip(sent))
		return nil
	}
	return p.condition(op, member, value)
}

func (p *parser) condition(op, member string, value any) odata.Expr {
	prop := p.schema[member]
	if op == "pr" {
		return odata.Compare{Name: member, Property: prop, Op: "ne"}
	}
	switch v := value.(type) {
	case string:
		switch prop.Kind {
		case odata.DateTimeOffset:
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				p.fail("%q is no time", clip(v))
				return nil
			}
			value = t.UnixMilli()
		case odata.Boolean: // what some clients send
			if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
				p.fail("%q is not true or false", clip(v))
				return nil
			}
			value = strings.EqualFold(v, "true")
		}
	case bool:
		if prop.Kind != odata.Boolean {
			p.fail("%s is no switch", member)
			return nil
		}
	case nil:
	default:
		p.fail("%s is a text", member)
		return nil
	}
	switch op {
	case "eq", "ne":
		return odata.Compare{Name: member, Property: prop, Op: op, Value: value}
	case "gt", "ge", "lt", "le":
		if prop.Kind == odata.DateTimeOffset && value != nil {
			return odata.Compare{Name: member, Property: prop, Op: op, Value: value}
		}
	case "co", "sw", "ew":
		if text, ok := value.(string); ok && prop.Kind == odata.String {
			return odata.Match{Func: map[string]string{"co": "contains", "sw": "startswith", "ew": "endswith"}[op], Name: member, Property: prop, Text: text}
		}
	}
	p.fail("%s does not support the operator %q", member, clip(op))
	return nil
}

// plain is an attribute in lower case, without the schema in front and without
// the ".value" of what has one value.
func plain(name string) string {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "urn:") {
		i := strings.LastIndexByte(name, ':')
		name = name[i+1:]
	}
	return strings.TrimSuffix(name, ".value")
}
