package rule

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cardea/internal/problem"
)

// The bounds of a rule (DO-15).
const (
	MaxLength = 3072 // characters
	MaxDepth  = 16   // parentheses, -not, -any and -all inside one another
)

// operators maps each operator to what it tests; a name that begins with ! is
// the opposite. They are written with or without their dash, in any case.
var operators = map[string]string{
	"eq": "eq", "ne": "!eq", "in": "in", "notin": "!in", "contains": "contains", "notcontains": "!contains",
	"match": "match", "notmatch": "!match", "startswith": "startswith", "notstartswith": "!startswith",
	"endswith": "endswith",
}

// Parse reads a rule that may name the known attributes. Its errors are
// Invalid, invalidRule, and name the character at which the rule goes wrong.
func Parse(text string, known Attributes) (*Rule, error) {
	if !utf8.ValidString(text) {
		return nil, problem.New(problem.Invalid, "invalidRule", "The rule is not valid UTF-8 text.")
	}
	if n := utf8.RuneCountInString(text); n > MaxLength {
		return nil, problem.New(problem.Invalid, "invalidRule", "The rule has %d characters. At most %d are possible: use -in with a list, or several groups.", n, MaxLength)
	}
	p := &parser{in: text, known: known, uses: map[string]bool{}}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.t.kind == end {
		return nil, problem.New(problem.Invalid, "invalidRule", `The rule is empty. Write one such as user.department -eq "Sales".`)
	}
	root, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if p.t.kind != end {
		return nil, p.wrong("Expected -and, -or or the end of the rule, found %s.", p.found())
	}
	return &Rule{text: text, root: root, uses: slices.Sorted(maps.Keys(p.uses))}, nil
}

func invalid(in string, at int, format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, "invalidRule", "At character %d of the rule: "+format, append([]any{utf8.RuneCountInString(in[:at]) + 1}, args...)...)
}

type parser struct {
	in     string
	known  Attributes
	uses   map[string]bool
	t      token // the token in hand
	last   int   // end of the token before it
	inside bool  // between the parentheses of -any or -all
}

func (p *parser) next() (err error) {
	p.last = p.t.to
	p.t, err = scan(p.in, p.t.to)
	return err
}

func (p *parser) wrong(format string, args ...any) error {
	return invalid(p.in, p.t.from, format, args...)
}

func (p *parser) found() string {
	if p.t.kind == end {
		return "the end of the rule"
	}
	return clip(p.in[p.t.from:p.t.to])
}

// keyword returns the word in hand in lower case and without its dash, "" if
// there is no word.
func (p *parser) keyword() string {
	if p.t.kind != word {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(p.t.text, "-"))
}

func (p *parser) expect(m string) error {
	if p.t.kind != mark || p.t.text != m {
		return p.wrong("Expected %s, found %s.", m, p.found())
	}
	return p.next()
}

// either reads parts joined by -or, which binds least.
func (p *parser) either(depth int) (*node, error) { return p.chain("or", or, depth, p.both) }

func (p *parser) both(depth int) (*node, error) { return p.chain("and", and, depth, p.unary) }

func (p *parser) chain(key string, op operation, depth int, part func(int) (*node, error)) (*node, error) {
	from := p.t.from
	first, err := part(depth)
	if err != nil || p.keyword() != key {
		return first, err
	}
	n := &node{op: op, parts: []*node{first}}
	for p.keyword() == key {
		if err := p.next(); err != nil {
			return nil, err
		}
		one, err := part(depth)
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, one)
	}
	n.text = p.in[from:p.last]
	return n, nil
}

func (p *parser) unary(depth int) (*node, error) {
	from := p.t.from
	if depth > MaxDepth {
		return nil, p.wrong("The rule is nested more than %d deep. Write it flatter.", MaxDepth)
	}
	switch {
	case p.keyword() == "not":
		if err := p.next(); err != nil {
			return nil, err
		}
		inner, err := p.unary(depth + 1)
		if err != nil {
			return nil, err
		}
		return &node{op: not, parts: []*node{inner}, text: p.in[from:p.last]}, nil
	case p.t.kind == mark && p.t.text == "(":
		return p.parentheses(depth)
	}
	return p.clause(depth)
}

func (p *parser) parentheses(depth int) (*node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	n, err := p.either(depth + 1)
	if err != nil {
		return nil, err
	}
	return n, p.expect(")")
}

// clause reads attribute operator value, or attribute -any ( … ).
func (p *parser) clause(depth int) (*node, error) {
	n, from := &node{}, p.t.from
	var err error
	if n.attribute, n.kind, err = p.attribute(); err != nil {
		return nil, err
	}
	key := p.keyword()
	if key == "any" || key == "all" {
		if n.kind != Texts {
			return nil, p.wrong("%s holds one value; -any and -all are for lists.", n.attribute)
		}
		n.op = anyItem
		if key == "all" {
			n.op = allItems
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		p.inside = true
		inner, err := p.parentheses(depth)
		p.inside = false
		if err != nil {
			return nil, err
		}
		n.parts, n.text = []*node{inner}, p.in[from:p.last]
		return n, nil
	}
	test, ok := operators[key]
	if !ok {
		return nil, p.wrong("Expected an operator such as -eq behind %s, found %s.", n.attribute, p.found())
	}
	n.test, n.negative = strings.TrimPrefix(test, "!"), test[0] == '!'
	if !suits(n.kind, n.test) {
		return nil, p.wrong("%s cannot be compared with -%s. %s", n.attribute, key, suitable(n.kind))
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.value(n); err != nil {
		return nil, err
	}
	n.text = p.in[from:p.last]
	return n, nil
}

func suits(k Kind, test string) bool {
	return k == Text || test == "eq" || k == Texts && test == "contains"
}

func suitable(k Kind) string {
	if k == Boolean {
		return "Use -eq or -ne with true, false or null."
	}
	return "It is a list: use -any, -all, -contains, -notContains, or -eq null."
}

func (p *parser) attribute() (string, Kind, error) {
	if p.t.kind != word {
		return "", 0, p.wrong("Expected an attribute, found %s.", p.found())
	}
	if p.inside {
		if p.t.text != item {
			return "", 0, p.wrong("Between the parentheses of -any and -all the only name is _, the item. Found %s.", p.found())
		}
		return item, Text, p.next()
	}
	for name, kind := range p.known {
		if strings.EqualFold(name, p.t.text) {
			p.uses[name] = true
			return name, kind, p.next()
		}
	}
	return "", 0, p.wrong("There is no attribute %s here. Possible are %s.", p.found(), strings.Join(slices.Sorted(maps.Keys(p.known)), ", "))
}

// value reads the literal that suits n and steps over it.
func (p *parser) value(n *node) error {
	low := p.keyword()
	null := p.t.kind == word && low == "null"
	switch {
	case n.test == "in":
		return p.list(n)
	case null && n.test == "eq":
		n.value.null = true
		return p.next()
	case null:
		return p.wrong("null goes with -eq and -ne only.")
	case n.kind == Boolean:
		if p.t.kind == quoted { // Entra's own templates write "True" as well
			low = strings.ToLower(p.t.text)
		}
		if low != "true" && low != "false" {
			return p.wrong("%s is true or false, found %s.", n.attribute, p.found())
		}
		n.value.flag = low == "true"
		return p.next()
	case n.kind == Texts && n.test == "eq":
		return p.wrong("%s is a list: only null can stand here. %s", n.attribute, suitable(Texts))
	case p.t.kind != quoted:
		return p.wrong("Expected a text in double quotes, found %s.", p.found())
	}
	n.value.text = strings.ToLower(p.t.text)
	if n.test == "match" {
		re, err := regexp.Compile("(?i)" + p.t.text)
		if err != nil {
			return p.wrong("This is not a regular expression of RE2: %s.", clip(err.Error()))
		}
		n.value.pattern = re
	}
	return p.next()
}

func (p *parser) list(n *node) error {
	if err := p.expect("["); err != nil {
		return err
	}
	for {
		if p.t.kind != quoted {
			return p.wrong(`Expected a text in double quotes: a list is written ["a","b"]. Found %s.`, p.found())
		}
		n.value.list = append(n.value.list, strings.ToLower(p.t.text))
		if err := p.next(); err != nil {
			return err
		}
		if p.t.kind == mark && p.t.text == "," {
			if err := p.next(); err != nil {
				return err
			}
			continue
		}
		return p.expect("]")
	}
}

// clip cuts text of a person before it is quoted in a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
