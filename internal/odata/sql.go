package odata

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SQL is a query under construction: text that we wrote and arguments that
// callers sent. The two never mix.
type SQL struct {
	b    strings.Builder
	Args []any
}

func (s *SQL) String() string { return s.b.String() }

// Text appends SQL text.
func (s *SQL) Text(t string) *SQL { s.b.WriteString(t); return s }

// Bind adds the argument v and returns its placeholder, for a text that needs
// it elsewhere than at its end. "$1" is what PostgreSQL and SQLite share.
func (s *SQL) Bind(v any) string {
	s.Args = append(s.Args, v)
	return "$" + strconv.Itoa(len(s.Args))
}

// Arg appends a placeholder for v.
func (s *SQL) Arg(v any) *SQL { return s.Text(s.Bind(v)) }

const (
	always = "1 = 1"
	never  = "1 = 0"
)

// Where appends e as a boolean SQL expression that is never NULL; nil is true.
func (s *SQL) Where(e Expr) *SQL {
	switch e := e.(type) {
	case nil:
		return s.Text(always)
	case Logic:
		op := " AND "
		if e.Or {
			op = " OR "
		}
		return s.Text("(").Where(e.L).Text(op).Where(e.R).Text(")")
	case Not:
		return s.Text("NOT (").Where(e.X).Text(")")
	case Compare:
		if e.Property.Items != nil {
			return s.count(e)
		}
		return s.compare(e)
	case Match:
		return s.match(e)
	case Has:
		return s.has(e)
	case In:
		return s.in(e)
	case Any:
		return s.any(e)
	}
	panic(fmt.Sprintf("odata: unknown expression %T", e))
}

// Conditions appends the conditions of q without its page.
func (s *SQL) Conditions(q Query) *SQL {
	return s.Where(q.Filter).Text(" AND ").Where(q.Search)
}

// column is how p is compared: strings without regard to case (DO-30).
func column(p Property) string {
	if p.Items != nil {
		return p.Items.number()
	}
	if p.Kind == String && !p.Folded {
		return "lower(" + p.Column + ")"
	}
	return p.Column
}

// zero is what stands for null in the column of p, nil if nothing does.
func (p Property) zero() any {
	switch {
	case p.Items != nil:
		return nil
	case p.Kind == String:
		return ""
	case !p.Zero:
		return nil
	case p.Kind == Boolean:
		return false
	}
	return int64(0)
}

// null is the condition that p is null: its text ends in is, "=" or "<>".
func (p Property) null(is string) string {
	switch p.zero() {
	case "":
		return p.Column + " " + is + " ''"
	case false:
		return p.Column + " " + is + " FALSE"
	case int64(0):
		return p.Column + " " + is + " 0"
	}
	if is == "=" {
		return never
	}
	return always
}

func sqlOp(op string) string {
	switch op {
	case "eq":
		return " = "
	case "ne":
		return " <> "
	case "gt":
		return " > "
	case "ge":
		return " >= "
	case "lt":
		return " < "
	case "le":
		return " <= "
	}
	panic("odata: unknown operator " + op)
}

// compare: a string without letters is null, because the columns cannot tell
// them apart.
func (s *SQL) compare(e Compare) *SQL {
	p, v := e.Property, e.Value
	if t, ok := v.(string); ok {
		v = strings.ToLower(t)
	}
	zero := p.zero()
	switch equal := e.Op == "eq" || e.Op == "ne"; {
	case v == nil && e.Op == "eq", v == "" && e.Op == "eq":
		return s.Text(p.null("="))
	case v == nil && e.Op == "ne", v == "" && e.Op == "ne":
		return s.Text(p.null("<>"))
	case v == nil: // nothing is before or behind null
		return s.Text(never)
	case equal && v == zero: // a value that cannot be stored: equal to none
		if e.Op == "eq" {
			return s.Text(never)
		}
		return s.Text(always)
	case !equal && zero != nil && zeroMeets(e.Op, v): // null would pass as the smallest value
		s.Text("(" + p.null("<>") + " AND ")
		return s.Text(column(p) + sqlOp(e.Op)).Arg(v).Text(")")
	}
	return s.Text(column(p) + sqlOp(e.Op)).Arg(v)
}

// zeroMeets reports whether "zero op v" holds.
func zeroMeets(op string, v any) bool {
	switch v := v.(type) {
	case string:
		return op == "lt" && v != "" || op == "le" || op == "ge" && v == ""
	case int64:
		return op == "lt" && 0 < v || op == "le" && 0 <= v || op == "gt" && 0 > v || op == "ge" && 0 >= v
	}
	return false
}

// escape makes text match only itself in LIKE.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

func (s *SQL) like(what, pattern string) *SQL {
	return s.Text(what + " LIKE ").Arg(pattern).Text(` ESCAPE '\'`)
}

func (s *SQL) match(e Match) *SQL {
	p, text := e.Property, strings.ToLower(e.Text)
	if text == "" { // every text begins and ends with it; null does not
		return s.Text(p.null("<>"))
	}
	switch e.Func {
	case "startswith": // a range, which both engines look up in an index; LIKE would be one on neither
		s.Text("(" + column(p) + " >= ").Arg(text)
		if end, ok := behind(text); ok {
			s.Text(" AND " + column(p) + " < ").Arg(end)
		}
		return s.Text(")")
	case "endswith":
		return s.like(column(p), "%"+escape(text))
	case "contains":
		return s.like(column(p), "%"+escape(text)+"%")
	case "word": // the first half spares most rows the second
		s.Text("(").like(column(p), "%"+escape(text)+"%")
		return s.Text(" AND ").like(words(column(p)), "% "+escape(text)+"%").Text(")")
	}
	panic("odata: unknown function " + e.Func)
}

// behind returns the first text, in the order of bytes, behind all that begin
// with prefix; false if there is none.
func behind(prefix string) (string, bool) {
	for prefix != "" {
		r, n := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-n]
		if r++; r == 0xD800 {
			r = 0xE000 // there are no characters between
		}
		if r <= utf8.MaxRune {
			return prefix + string(r), true
		}
	}
	return "", false
}

// words is the text of a column with a blank before each word.
func words(column string) string {
	for _, r := range separators {
		if r != ' ' {
			column = "replace(" + column + ", '" + strings.ReplaceAll(string(r), "'", "''") + "', ' ')"
		}
	}
	return "(' ' || " + column + ")"
}

func (s *SQL) has(e Has) *SQL {
	s.Text("(")
	for i, f := range e.Flags {
		if i > 0 {
			s.Text(" AND ")
		}
		s.like("(',' || "+column(e.Property)+" || ',')", "%,"+escape(strings.ToLower(f))+",%")
	}
	return s.Text(")")
}

func (s *SQL) in(e In) *SQL {
	p := e.Property
	zero := p.zero()
	var args []any
	for _, v := range e.Values {
		if t, ok := v.(string); ok {
			v = strings.ToLower(t)
		}
		switch {
		case v == nil:
			v = zero
		case v == zero && v != "": // as in compare
			continue
		}
		if v != nil {
			args = append(args, v)
		}
	}
	if len(args) == 0 {
		return s.Text(never)
	}
	s.Text(column(p) + " IN (")
	for i, v := range args {
		if i > 0 {
			s.Text(", ")
		}
		s.Arg(v)
	}
	return s.Text(")")
}
