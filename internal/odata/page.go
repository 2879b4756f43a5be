package odata

import "slices"

// Page appends conditions, order and limit for q behind "… WHERE ". key is the
// column of the id, which makes the order total; it follows the direction of
// the last member of the order. Page asks for one row more than q.Top, so that
// the caller learns whether there is a next page.
//
// A page begins behind the last row of the page before, not after a number of
// rows, so that rows which come or go meanwhile move nothing (DO-41).
func (s *SQL) Page(q Query, key string) *SQL {
	order := append(slices.Clone(q.OrderBy), Order{Property: Property{Column: key}})
	if n := len(order); n > 1 {
		order[n-1].Desc = order[n-2].Desc
	}
	s.Conditions(q)
	if len(q.After) == len(order) {
		s.Text(" AND ").behind(order, q.After)
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
	s.Text(" LIMIT ").Arg(q.Top + 1)
	if q.Skip > 0 {
		s.Text(" OFFSET ").Arg(q.Skip)
	}
	return s
}

// behind appends the condition that a row comes behind the one with these
// values.
func (s *SQL) behind(order []Order, values []any) *SQL {
	same := 1 // how many keys at the end share their direction: they are one row value, which an index answers
	for same < len(order) && order[len(order)-same-1].Desc == order[len(order)-1].Desc {
		same++
	}
	first := len(order) - same
	if first > 0 { // a bound that the index of the first key can use, as the OR below cannot
		s.Text("(" + order[0].Property.Column + orBehind(order[0])).Arg(values[0]).Text(" AND (")
	}
	for i := range first + 1 { // equal in all before i, and behind in i
		if i > 0 {
			s.Text(" OR ")
		}
		s.Text("(")
		for j := range i {
			s.Text(order[j].Property.Column + " = ").Arg(values[j]).Text(" AND ")
		}
		if i < first {
			s.Text(order[i].Property.Column + isBehind(order[i])).Arg(values[i])
		} else {
			s.row(order[first:], values[first:])
		}
		s.Text(")")
	}
	if first > 0 {
		s.Text("))")
	}
	return s
}

// row compares keys of one direction as a row value.
func (s *SQL) row(order []Order, values []any) {
	if len(order) == 1 {
		s.Text(order[0].Property.Column + isBehind(order[0])).Arg(values[0])
		return
	}
	s.Text("(")
	for i, o := range order {
		if i > 0 {
			s.Text(", ")
		}
		s.Text(o.Property.Column)
	}
	s.Text(")" + isBehind(order[0]) + "(")
	for i := range order {
		if i > 0 {
			s.Text(", ")
		}
		s.Arg(values[i])
	}
	s.Text(")")
}

func isBehind(o Order) string {
	if o.Desc {
		return " < "
	}
	return " > "
}

func orBehind(o Order) string {
	if o.Desc {
		return " <= "
	}
	return " >= "
}
