// Package odata reads the OData query options that Microsoft Graph clients
// send ($filter, $search, $orderby, $select, $expand, $top, $skip, $skiptoken,
// $count, $format) and turns them into SQL. It knows no resource: callers pass
// a Schema.
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

// Query is a parsed set of query options.
type Query struct {
	Filter  Expr // nil means all
	Search  Expr // nil means all
	OrderBy []Order
	Select  []string // nil means the default set
	Expand  *Expand  // nil means none
	Top     int
	Skip    int    // rows to leave out before the first page
	After   []any  // the last row of the page before: a value per OrderBy, then the key
	Count   bool   // $count=true
	Format  string // "json", "csv" or "" where the caller did not say
	bound   string // what a $skiptoken of this query is bound to
}

// Names reports whether q asks something about the member name: by $filter,
// $search or $orderby, or by a $skiptoken, which holds the values of the order.
func (q Query) Names(name string) bool {
	return Names(q.Filter, name) || Names(q.Search, name) ||
		slices.ContainsFunc(q.OrderBy, func(o Order) bool { return o.Name == name })
}

// Order is one key of $orderby.
type Order struct {
	Name     string
	Property Property
	Desc     bool
}

// Paging says how long the pages of a list are, and what else than its Schema
// it offers.
type Paging struct {
	Default, Max int
	Order        []Order  // the order without $orderby; the key always comes last
	Skip         bool     // $skip may be sent
	Expand       []string // the relationships that $expand may name
}

const maxOption = 4096 // bytes of any single option (DO-28)

func bad(code, format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, code, format, args...)
}

// Parse reads v, whose names are lower case and carry their $, against s.
// Options with a $ that are not supported are errors, so that a typo never
// widens what a caller sees; others are ignored (WC-9).
func Parse(v url.Values, s Schema, p Paging) (Query, error) {
	q := Query{Top: p.Default, OrderBy: p.Order, bound: bind(v)}
	token := ""
	for _, name := range slices.Sorted(maps.Keys(v)) {
		val := v.Get(name)
		err := oneOf(name, v[name])
		switch {
		case err != nil:
		case name == "$skiptoken":
			token = val
		default:
			err = q.option(name, val, s, p)
		}
		if err != nil {
			return Query{}, err
		}
	}
	if err := q.together(v); err != nil {
		return Query{}, err
	}
	if token != "" {
		after, err := readToken(token, q)
		if err != nil {
			return Query{}, err
		}
		q.After, q.Skip = after, 0 // what was to be skipped lies before the first page
	}
	return q, nil
}

// oneOf refuses what no option may be: long, unreadable, or sent twice with
// two meanings.
func oneOf(name string, sent []string) error {
	for _, val := range sent {
		switch {
		case len(val) > maxOption:
			return bad("unsupportedQuery", "The query option %s is longer than %d bytes. Ask for less at a time.", clip(name), maxOption).On(clip(name))
		case strings.HasPrefix(name, "$") && val != sent[0]:
			return bad("unsupportedQuery", "The query option %s is sent twice. Send it once.", clip(name)).On(clip(name))
		case strings.HasPrefix(name, "$") && !text(val):
			return bad("unsupportedQuery", "The query option %s is no text: it holds a zero byte, or bytes that are not UTF-8.", clip(name)).On(clip(name))
		}
	}
	return nil
}

// option reads one option but $skiptoken into q.
func (q *Query) option(name, val string, s Schema, p Paging) (err error) {
	switch name {
	case "$filter":
		q.Filter, err = ParseFilter(val, s)
	case "$search":
		q.Search, err = ParseSearch(val, s)
	case "$orderby":
		q.OrderBy, err = parseOrder(val, s)
	case "$select":
		q.Select, err = parseSelect(val, name)
	case "$expand":
		q.Expand, err = parseExpand(val, p.Expand)
	case "$top":
		if q.Top, err = strconv.Atoi(val); err != nil || q.Top < 1 || q.Top > p.Max {
			return bad("invalidPageSize", "Invalid page size specified: '%s'. Must be between 1 and %d inclusive.", clip(val), p.Max).On(name)
		}
	case "$skip":
		if !p.Skip {
			return bad("unsupportedQuery", "This list does not support $skip. Follow @odata.nextLink.").On(name)
		}
		if q.Skip, err = strconv.Atoi(val); err != nil || q.Skip < 0 || q.Skip > maxSkip {
			return bad("unsupportedQuery", "$skip must be a number from 0 to %d, not '%s'.", maxSkip, clip(val)).On(name)
		}
	case "$count":
		if q.Count = strings.EqualFold(val, "true"); !q.Count && !strings.EqualFold(val, "false") {
			return bad("unsupportedQuery", "$count must be true or false, not '%s'.", clip(val)).On(name)
		}
	case "$format":
		q.Format, err = parseFormat(val)
	default:
		if strings.HasPrefix(name, "$") {
			return bad("unsupportedQuery", "The query option %s is not supported here. Leave it out.", clip(name)).On(clip(name))
		}
	}
	return err
}

const maxSkip = 1_000_000

// together refuses options that exclude one another: $expand and what §5.3
// calls advanced queries.
func (q *Query) together(v url.Values) error {
	if q.Expand == nil {
		return nil
	}
	with := ""
	switch {
	case q.Search != nil:
		with = "$search"
	case Advanced(q.Filter):
		with = "ne, not, endswith, contains or /$count in $filter"
	case q.Filter != nil && v.Has("$orderby"):
		with = "$filter together with $orderby"
	default:
		return nil
	}
	return bad("unsupportedQuery", "$expand cannot be used with %s. Read the list without $expand, then the related objects.", with).On("$expand")
}

func parseFormat(val string) (string, error) {
	kind, _, _ := strings.Cut(strings.ToLower(val), ";")
	switch strings.TrimSpace(kind) {
	case "json", "application/json":
		return "json", nil
	case "csv", "text/csv":
		return "csv", nil
	}
	return "", bad("unsupportedQuery", "$format must be json or csv, not '%s'.", clip(val)).On("$format")
}

const maxSelect = 100

func parseSelect(in, option string) ([]string, error) {
	if strings.TrimSpace(in) == "" {
		return nil, nil
	}
	names := strings.Split(in, ",")
	if len(names) > maxSelect {
		return nil, bad("unsupportedQuery", "%s names more than %d members.", option, maxSelect).On(option)
	}
	for i, n := range names {
		if names[i] = strings.TrimSpace(n); names[i] == "" {
			return nil, bad("unsupportedQuery", "%s has an empty name. Write names with one comma between them.", option).On(option)
		}
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
		if !ok || !p.Sort || p.Items != nil {
			return nil, bad("unsupportedQuery", "This list cannot be sorted by %q. %s", clip(f[0]), sortable(s)).On("$orderby")
		}
		if slices.ContainsFunc(out, func(o Order) bool { return o.Name == name }) {
			return nil, bad("unsupportedQuery", "$orderby names %s twice. Name it once.", name).On("$orderby")
		}
		out = append(out, Order{name, p, desc})
	}
	return out, nil
}

func sortable(s Schema) string {
	names := s.names(func(p Property) bool { return p.Sort && p.Items == nil })
	if len(names) == 0 {
		return "It has one fixed order."
	}
	return "Use " + strings.Join(names, ", ") + "."
}

// clip cuts text of a caller before it is quoted in a message.
func clip(s string) string {
	n := 0
	for i := range s {
		if n++; n > 60 {
			return s[:i] + "…"
		}
	}
	return s
}
