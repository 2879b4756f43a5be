package odata

import "strings"

// any appends one subquery for all conditions of a lambda (DO-36).
func (s *SQL) any(e Any) *SQL {
	there, i := e.Items.there(), e.Items
	switch {
	case e.X == nil:
		return s.Text(there)
	case i.From == "" && e.All:
		return s.Text("(NOT " + there + " OR ").Where(e.X).Text(")")
	case i.From == "":
		return s.Text("(" + there + " AND ").Where(e.X).Text(")")
	case e.All:
		return s.Text("NOT EXISTS (SELECT 1 FROM " + i.tied() + " AND NOT (").Where(e.X).Text("))")
	}
	// An index of the items answers it; SQLite would try an EXISTS on every row.
	return s.Text(i.Row + " IN (SELECT " + i.Owner + " FROM " + i.From + " AND ").Where(e.X).Text(")")
}

// tied is From with the tie to the row outside.
func (i *Items) tied() string { return i.From + " AND " + i.Owner + " = " + i.Row }

// there is the condition that there is at least one item.
func (i *Items) there() string {
	if i.From != "" {
		return "EXISTS (SELECT 1 FROM " + i.tied() + ")"
	}
	var parts []string
	for _, name := range i.Members.names(func(Property) bool { return true }) {
		part := i.Members[name].null("<>")
		if part == always {
			return always
		}
		parts = append(parts, part)
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// number is how many items there are.
func (i *Items) number() string {
	if i.From != "" {
		return "(SELECT count(*) FROM " + i.tied() + ")"
	}
	return "CASE WHEN " + i.there() + " THEN CAST(1 AS BIGINT) ELSE 0 END"
}

// count compares the number of items. What only asks whether there are any
// need not count.
func (s *SQL) count(e Compare) *SQL {
	switch n, isNumber := e.Value.(int64); {
	case !isNumber:
		return s.compare(e)
	case n == 0 && e.Op == "ne", n == 0 && e.Op == "gt", n == 1 && e.Op == "ge":
		return s.Text(e.Property.Items.there())
	case n == 0 && e.Op == "eq", n == 0 && e.Op == "le", n == 1 && e.Op == "lt":
		return s.Text("NOT " + e.Property.Items.there())
	}
	return s.compare(e)
}
