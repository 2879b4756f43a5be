package odata

import (
	"slices"
	"strings"
)

// The bounds of DO-28.
const (
	maxDepth       = 16
	maxComparisons = 100
	maxIn          = 100
)

// ParseFilter parses a $filter expression over the properties of s
// (directory-and-odata §5.2).
func ParseFilter(in string, s Schema) (Expr, error) {
	if len(in) > maxOption {
		return nil, bad("unsupportedQuery", "$filter is longer than %d bytes.", maxOption).On("$filter")
	}
	p := &parser{lexer: lexer{in: in}, schema: s}
	if !text(in) {
		p.fail("it is no text: it holds a zero byte, or bytes that are not UTF-8")
	}
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

// parser is a recursive-descent parser with one token of lookahead. After the
// first error every method is a no-op.
type parser struct {
	lexer
	schema      Schema
	comparisons int
	variable    string // inside any(…) and all(…): the name of the item,
	collection  string // the collection that it runs over,
	members     Schema // and what an item has
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
	if f := strings.ToLower(clip(p.tok)); f == "startswith" || f == "endswith" || f == "contains" {
		return p.match(f)
	}
	if name, all, ok := lambda(p.tok); ok {
		return p.any(name, all, depth)
	}
	return p.compare()
}

func (p *parser) match(f string) Expr {
	p.next()
	p.want("(")
	name, prop := p.property()
	p.allow(name, prop, f)
	p.want(",")
	text, ok := p.value(p.take(), name, String).(string)
	p.want(")")
	if !ok {
		p.fail("%s needs a string", f)
	}
	return Match{f, name, prop, text}
}

// flipped is the operator for the operands the other way round; "" if there is
// none.
func flipped(op string) string {
	switch op {
	case "eq", "ne":
		return op
	case "gt", "ge":
		return "l" + op[1:]
	case "lt", "le":
		return "g" + op[1:]
	}
	return ""
}

func (p *parser) compare() Expr {
	if _, _, ok := p.resolve(p.tok); !ok && literal(p.tok) { // 'x' eq displayName
		first := p.take()
		sent := p.take()
		op := flipped(strings.ToLower(clip(sent)))
		if op == "" {
			p.fail("%q cannot stand behind a value", clip(sent))
		}
		name, prop := p.property()
		p.allow(name, prop, op)
		return Compare{name, prop, op, p.value(first, name, prop.Kind)}
	}
	name, prop := p.property()
	op := strings.ToLower(clip(p.take()))
	p.allow(name, prop, op)
	switch {
	case op == "in":
		return p.list(name, prop)
	case op == "has":
		return p.has(name, prop)
	case flipped(op) == "": // a function's name between its operands
		p.fail("%q is no operator", op)
	}
	return Compare{name, prop, op, p.value(p.take(), name, prop.Kind)}
}

func (p *parser) list(name string, prop Property) Expr {
	in := In{Name: name, Property: prop}
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

// has reads flags: 'a, b' or microsoft.graph.x'a,b'.
func (p *parser) has(name string, prop Property) Expr {
	sent, _ := p.value(p.take(), name, String).(string)
	h := Has{Name: name, Property: prop}
	for f := range strings.SplitSeq(sent, ",") {
		if f = strings.TrimSpace(f); f != "" && !slices.Contains(h.Flags, f) {
			h.Flags = append(h.Flags, f)
		}
		if len(h.Flags) > maxFlags {
			p.fail("has lists more than %d flags", maxFlags)
			return nil
		}
	}
	if len(h.Flags) == 0 {
		p.fail("has needs one or more names, as in %s has 'a,b'", name)
	}
	return h
}

const maxFlags = 16

// resolve finds the property that a path names, here or in the item of the
// lambda around: there, nothing but the item can be named.
func (p *parser) resolve(path string) (string, Property, bool) {
	if p.variable == "" {
		if rest, ok := cutSuffixFold(path, "/$count"); ok {
			name, prop, found := p.schema.find(rest)
			if found && prop.Items != nil && prop.Items.Count {
				return name, Property{Kind: Int64, Items: prop.Items}, true
			}
			return path, Property{}, false
		}
		name, prop, ok := p.schema.find(path)
		return name, prop, ok && prop.Items == nil
	}
	rest, ok := strings.CutPrefix(path, p.variable)
	if !ok || rest != "" && rest[0] != '/' {
		return path, Property{}, false
	}
	name, prop, ok := p.members.find(strings.TrimPrefix(rest, "/"))
	return name, prop, ok && prop.Items == nil && (rest == "") == (name == "")
}

func (p *parser) property() (string, Property) {
	name, prop, ok := p.resolve(p.tok)
	if !ok {
		p.unknown()
	}
	p.next()
	return name, prop
}

// unknown says what is wrong with the path at hand.
func (p *parser) unknown() {
	if p.variable != "" {
		p.fail("inside %s/any(…), %q cannot be used; name what %s has", p.collection, clip(p.tok), clip(p.variable))
		return
	}
	if name, prop, ok := p.schema.find(p.tok); ok && prop.Items != nil {
		p.fail("%s is a collection: ask for its items, as in %s/any(x:x eq 'a')", name, name)
		return
	}
	p.fail("this list cannot be filtered by %q", clip(p.tok))
}

func (p *parser) allow(name string, prop Property, op string) {
	if p.err == nil && !prop.allows(op) {
		p.fail("%s does not support the operator %q", called(name, p.variable), clip(op))
	}
}

// called names a member for a message: the item itself has no name.
func called(name, variable string) string {
	if name == "" {
		return clip(variable)
	}
	return name
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if n := len(s) - len(suffix); n >= 0 && strings.EqualFold(s[n:], suffix) {
		return s[:n], true
	}
	return s, false
}
