package odata

import (
	"fmt"
	"strconv"
	"strings"
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

var sqlOp = map[string]string{"eq": " = ", "ne": " <> ", "gt": " > ", "ge": " >= ", "lt": " < ", "le": " <= "}

// column is how p is compared: strings without regard to case (DO-30).
func column(p Property) string {
	if p.Kind == String && !p.Folded {
		return "lower(" + p.Column + ")"
	}
	return p.Column
}

func operand(p Property, v any) any {
	if text, ok := v.(string); ok {
		return strings.ToLower(text)
	}
	if v == nil && p.Kind == String {
		return "" // our columns are NOT NULL: what Graph calls null is empty
	}
	return v
}

// Where appends e as a boolean SQL expression; nil is true.
func (s *SQL) Where(e Expr) *SQL {
	switch e := e.(type) {
	case nil:
		return s.Text("1 = 1")
	case Logic:
		op := " AND "
		if e.Or {
			op = " OR "
		}
		return s.Text("(").Where(e.L).Text(op).Where(e.R).Text(")")
	case Not:
		return s.Text("NOT (").Where(e.X).Text(")")
	case Compare:
		v := operand(e.Property, e.Value)
		if v == nil { // never null: equal to nothing, different from everything (DO-33)
			if e.Op == "ne" {
				return s.Text("1 = 1")
			}
			return s.Text("1 = 0")
		}
		return s.Text(column(e.Property) + sqlOp[e.Op]).Arg(v)
	case Match:
		esc := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(e.Text))
		pat := map[string]string{"startswith": esc + "%", "endswith": "%" + esc, "contains": "%" + esc + "%"}[e.Func]
		return s.Text(column(e.Property) + " LIKE ").Arg(pat).Text(` ESCAPE '\'`)
	case In:
		s.Text(column(e.Property) + " IN (")
		first := true
		for _, v := range e.Values {
			if v = operand(e.Property, v); v == nil {
				continue
			}
			if !first {
				s.Text(", ")
			}
			first = false
			s.Arg(v)
		}
		if first {
			s.Text("NULL") // nothing but null: true for no row
		}
		return s.Text(")")
	}
	panic(fmt.Sprintf("odata: unknown expression %T", e))
}

// Conditions appends the conditions of q without its page.
func (s *SQL) Conditions(q Query) *SQL {
	return s.Where(q.Filter).Text(" AND ").Where(q.Search)
}

// Page appends conditions, order and limit for q behind "… WHERE ". key is the
// column of the id, which makes the order total; it follows the direction of
// the last member of the order. Page asks for one row more than q.Top, so that
// the caller learns whether there is a next page.
func (s *SQL) Page(q Query, key string) *SQL {
	order := append(append([]Order(nil), q.OrderBy...), Order{Property: Property{Column: key}})
	if n := len(order); n > 1 {
		order[n-1].Desc = order[n-2].Desc
	}
	s.Conditions(q)
	if len(q.After) == len(order) {
		s.Text(" AND (")
		for i := range order { // behind in i and equal in all before
			if i > 0 {
				s.Text(" OR ")
			}
			s.Text("(")
			for j := range i {
				s.Text(order[j].Property.Column + " = ").Arg(q.After[j]).Text(" AND ")
			}
			op := " > "
			if order[i].Desc {
				op = " < "
			}
			s.Text(order[i].Property.Column + op).Arg(q.After[i]).Text(")")
		}
		s.Text(")")
	}
	s.Text(" ORDER BY ")
	for i, o := range order {
		if i > 0 {
			s.Text(", ")
		}
		s.Text(o.Property.Column)
		if o.Desc {
			s.Text(" DESC")
		}
	}
	return s.Text(" LIMIT ").Arg(q.Top + 1)
}
