// Package rule reads the rules that say by attributes who is meant: the
// membership rules of dynamic groups and the device filters of Conditional
// Access (directory-and-odata §1.2).
//
//	(user.userType -eq "Guest") -or (user.department -in ["IT","Support"])
//	-not device.isCompliant -eq true
//	user.otherMails -any (_ -endsWith "@contoso.com")
//
// It knows no objects: callers list the attributes that a rule may name. A
// parsed Rule is immutable and safe for concurrent use. Rules come from
// people: length and depth are bounded, patterns are RE2, and evaluating takes
// time linear in rule and values.
//
// Comparison ignores case, as in Entra. An attribute without a value is null;
// an empty text is null too. Null equals null and "", and no other positive
// operator is true of it; each negative operator is the opposite of its
// positive one, so it is true of null.
package rule

import (
	"regexp"
	"slices"
	"strings"
)

// Kind is what an attribute holds.
type Kind uint8

// The kinds, and the Go values that stand for them; nil is null for any kind.
const (
	Text    Kind = iota // string
	Boolean             // bool
	Texts               // []string
)

// Attributes lists what a rule may name, e.g. "user.department": Text.
type Attributes map[string]Kind

// Get returns the value of an attribute, spelled as in Attributes.
type Get func(attribute string) any

// Rule is a parsed rule.
type Rule struct {
	text string
	root *node
	uses []string
}

// String is the rule as it was written.
func (r *Rule) String() string { return r.text }

// Attributes returns the attributes that the rule names, sorted, each once:
// only a change of one of them can change what Evaluate says.
func (r *Rule) Attributes() []string { return slices.Clone(r.uses) }

// Evaluate reports whether the rule is true of the object behind get.
func (r *Rule) Evaluate(get Get) bool { return r.root.evaluate(get) }

// Outcome is what one part of a rule said about one object.
type Outcome struct {
	Expression string    // the part, as written
	Result     bool      // of the part
	Attribute  string    // of a comparison; "" for -and, -or and -not
	Value      any       // the attribute's value: string, bool, []string, or nil
	Parts      []Outcome // of -and, -or and -not
}

// Explain evaluates every part of the rule, also those that Evaluate need not
// look at. Its Result is Evaluate's.
func (r *Rule) Explain(get Get) Outcome { return r.root.explain(get) }

type operation uint8

const (
	compare operation = iota
	not
	and
	or
	anyItem
	allItems
)

// node is a part of a rule. In a part about the items of a list the attribute
// is "_", the item.
type node struct {
	text      string
	op        operation
	parts     []*node // of not, and, or; the one condition of anyItem and allItems
	attribute string
	kind      Kind
	test      string // compare: eq, in, contains, match, startswith, endswith
	negative  bool   // compare: the opposite of test
	value     literal
}

// literal is the right side of a comparison; texts are in lower case.
type literal struct {
	null    bool
	flag    bool
	text    string
	list    []string
	pattern *regexp.Regexp
}

const item = "_"

func (n *node) evaluate(get Get) bool {
	switch n.op {
	case not:
		return !n.parts[0].evaluate(get)
	case and:
		return !slices.ContainsFunc(n.parts, func(p *node) bool { return !p.evaluate(get) })
	case or:
		return slices.ContainsFunc(n.parts, func(p *node) bool { return p.evaluate(get) })
	}
	return n.holds(get(n.attribute))
}

func (n *node) explain(get Get) Outcome {
	o := Outcome{Expression: n.text}
	switch n.op {
	case not, and, or:
		for _, p := range n.parts {
			o.Parts = append(o.Parts, p.explain(get))
		}
		isTrue := func(p Outcome) bool { return p.Result }
		isFalse := func(p Outcome) bool { return !p.Result }
		switch n.op {
		case not:
			o.Result = !o.Parts[0].Result
		case and:
			o.Result = !slices.ContainsFunc(o.Parts, isFalse)
		default:
			o.Result = slices.ContainsFunc(o.Parts, isTrue)
		}
		return o
	}
	o.Attribute, o.Value = n.attribute, get(n.attribute)
	o.Result = n.holds(o.Value)
	return o
}

// holds judges a comparison, or a condition about the items of a list. -all is
// true of an empty list, as it is the opposite of -any with the opposite
// condition.
func (n *node) holds(v any) bool {
	switch n.op {
	case anyItem, allItems:
		list, _ := v.([]string)
		for _, one := range list {
			if n.parts[0].evaluate(func(string) any { return one }) == (n.op == anyItem) {
				return n.op == anyItem
			}
		}
		return n.op == allItems
	}
	return n.positive(v) != n.negative
}

func (n *node) positive(v any) bool {
	switch n.kind {
	case Boolean:
		b, ok := v.(bool)
		return !ok && n.value.null || ok && !n.value.null && b == n.value.flag
	case Texts:
		list, _ := v.([]string)
		if n.value.null {
			return len(list) == 0
		}
		return slices.ContainsFunc(list, func(s string) bool { return strings.ToLower(s) == n.value.text })
	}
	s, _ := v.(string)
	low := strings.ToLower(s)
	switch n.test {
	case "eq":
		return low == n.value.text // of null the text is ""
	case "in":
		return slices.Contains(n.value.list, low)
	}
	if s == "" {
		return false
	}
	switch n.test {
	case "contains":
		return strings.Contains(low, n.value.text)
	case "startswith":
		return strings.HasPrefix(low, n.value.text)
	case "endswith":
		return strings.HasSuffix(low, n.value.text)
	}
	return n.value.pattern.MatchString(s)
}
