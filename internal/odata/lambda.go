package odata

import "strings"

// lambda takes the /any or /all off a path.
func lambda(path string) (collection string, all, ok bool) {
	if c, ok := cutSuffixFold(path, "/any"); ok {
		return c, false, true
	}
	c, ok := cutSuffixFold(path, "/all")
	return c, true, ok
}

// any reads member/any(v: expr), member/all(v: expr) or member/any(), with the
// token at member/any.
func (p *parser) any(path string, all bool, depth int) Expr {
	if p.variable != "" {
		p.fail("any() and all() inside one another are not supported")
		return nil
	}
	name, prop, ok := p.schema.find(path)
	if !ok || prop.Items == nil {
		p.fail("this list cannot be filtered by %q", clip(p.tok))
		return nil
	}
	if all && !prop.Items.All {
		p.fail("%s does not support all(); use any()", name)
		return nil
	}
	e := Any{Name: name, Items: prop.Items, All: all}
	p.next()
	if p.tok != "(" {
		p.fail("( is missing behind %s/any", name)
		return nil
	}
	p.blanks()
	if !all && p.pos < len(p.in) && p.in[p.pos] == ')' {
		p.next()
		p.next()
		return e
	}
	p.collection, p.members, p.variable = name, prop.Items.Members, p.newVariable()
	p.next()
	e.X = p.or(depth + 1)
	p.variable = ""
	p.want(")")
	return e
}

// newVariable reads "v :" behind the parenthesis.
func (p *parser) newVariable() string {
	start := p.pos
	for p.pos < len(p.in) && !blank(p.in[p.pos]) && strings.IndexByte("(),':/", p.in[p.pos]) < 0 {
		p.pos++
	}
	v := p.in[start:p.pos]
	p.blanks()
	if v == "" || p.pos == len(p.in) || p.in[p.pos] != ':' {
		p.fail("any() and all() need a variable and a colon, as in any(x:x eq 'a')")
		return ""
	}
	p.pos++
	return v
}
