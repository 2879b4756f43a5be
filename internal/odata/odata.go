// Package odata reads the OData query options that Microsoft Graph clients
// send ($filter, $search, $orderby, $select, $top, $skiptoken, $count) and
// turns them into SQL. It knows no resource: callers pass a Schema.
//
// What a caller sends is bounded before any query runs (DO-28), names only
// members that the Schema lists (DO-29), and reaches SQL as arguments, never
// as text (DO-32).
package odata

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/problem"
)

// Kind is the EDM primitive type of a property.
type Kind uint8

// The kinds, and what their columns hold.
const (
	String         Kind = iota // TEXT NOT NULL; the literal null is ''
	Boolean                    // BOOLEAN
	Int64                      // BIGINT
	DateTimeOffset             // BIGINT, Unix milliseconds
)

// Property says where an API property is stored and what may be asked of it.
type Property struct {
	Column string // a SQL expression written by us, never by a caller
	Kind   Kind
	Folded bool     // the column holds lower case, so literals are lowered and an index can be used
	Sort   bool     // $orderby may name it
	Search bool     // $search may name it
	More   []string // operators beyond the usual ones of the kind: "endswith", "contains"
	Any    bool     // a collection: reached through any(…) only
}

// Schema lists the properties of a collection, under the names of the API.
// A nested member is "status/errorCode".
type Schema map[string]Property

// find looks a name up in any case (DO-27).
func (s Schema) find(name string) (string, Property, bool) {
	if p, ok := s[name]; ok {
		return name, p, true
	}
	for n, p := range s {
		if strings.EqualFold(n, name) {
			return n, p, true
		}
	}
	return name, Property{}, false
}

// Query is a parsed set of query options.
type Query struct {
	Filter  Expr // nil means all
	Search  Expr // nil means all
	OrderBy []Order
	Select  []string // nil means the default set
	Top     int
	After   []any // the last row of the page before: a value per OrderBy, then the key
	Count   bool
}

// Order is one key of $orderby.
type Order struct {
	Name     string
	Property Property
	Desc     bool
}

// Paging says how long pages are.
type Paging struct {
	Default, Max int
	Order        []Order // the order without $orderby; the key always comes last
}

const maxOption = 4096 // bytes of any single option (DO-28)

func bad(code, format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, code, format, args...)
}

// Parse reads v, whose names are lower case and carry their $, against s.
// Options with a $ that are not supported are errors, so that a typo never
// widens what a caller sees; others are ignored (WC-9).
func Parse(v url.Values, s Schema, p Paging) (q Query, err error) {
	q.Top, q.OrderBy = p.Default, p.Order
	token := ""
	for _, name := range slices.Sorted(maps.Keys(v)) {
		val := v.Get(name)
		if len(val) > maxOption {
			return Query{}, bad("unsupportedQuery", "The query option %s is longer than %d bytes. Ask for less at a time.", name, maxOption).On(name)
		}
		switch name {
		case "$filter":
			q.Filter, err = ParseFilter(val, s)
		case "$search":
			q.Search, err = ParseSearch(val, s)
		case "$orderby":
			q.OrderBy, err = parseOrder(val, s)
		case "$select":
			q.Select, err = parseSelect(val)
		case "$top":
			if q.Top, err = strconv.Atoi(val); err != nil || q.Top < 1 || q.Top > p.Max {
				err = bad("invalidPageSize", "Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", clip(val), p.Max).On("$top")
			}
		case "$count":
			q.Count = strings.EqualFold(val, "true")
		case "$skiptoken":
			token = val
		case "$format":
		default:
			if strings.HasPrefix(name, "$") {
				err = bad("unsupportedQuery", "The query option %s is not supported here. Leave it out.", clip(name)).On(clip(name))
			}
		}
		if err != nil {
			return Query{}, err
		}
	}
	if token != "" {
		if q.After, err = readToken(token, q.OrderBy); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

const maxSelect = 100

func parseSelect(in string) ([]string, error) {
	if strings.TrimSpace(in) == "" {
		return nil, nil
	}
	names := strings.Split(in, ",")
	if len(names) > maxSelect {
		return nil, bad("unsupportedQuery", "$select names more than %d members.", maxSelect).On("$select")
	}
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
	}
	return names, nil
}

const maxOrder = 4

func parseOrder(in string, s Schema) ([]Order, error) {
	var out []Order
	for part := range strings.SplitSeq(in, ",") {
		f := strings.Fields(part)
		desc := len(f) == 2 && strings.EqualFold(f[1], "desc")
		if len(f) == 0 || len(f) > 2 || len(f) == 2 && !desc && !strings.EqualFold(f[1], "asc") || len(out) == maxOrder {
			return nil, bad("unsupportedQuery", "$orderby: %q cannot be read. Write a member, then asc or desc.", clip(part)).On("$orderby")
		}
		name, p, ok := s.find(f[0])
		if !ok || !p.Sort {
			return nil, bad("unsupportedQuery", "This list cannot be sorted by %q. %s", clip(f[0]), sortable(s)).On("$orderby")
		}
		out = append(out, Order{name, p, desc})
	}
	return out, nil
}

func sortable(s Schema) string {
	var names []string
	for n, p := range s {
		if p.Sort {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "It has one fixed order."
	}
	return "Use " + strings.Join(names, ", ") + "."
}

// clip cuts text of a caller before it is quoted in a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
