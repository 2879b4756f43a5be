package odata

// Expr is a node of a parsed $filter or $search. Every expression is true or
// false for a row, never neither: a comparison with null is false but for
// "eq null" and for "ne" a value (DO-33), and "not" is the opposite.
type Expr interface{ expr() }

type (
	// Logic is "L and R" or "L or R".
	Logic struct {
		Or   bool
		L, R Expr
	}
	// Not is "not X".
	Not struct{ X Expr }
	// Compare is "Name Op Value" with eq, ne, gt, ge, lt or le. Value is a
	// string, bool or int64 (Unix milliseconds for times); nil is null. If the
	// property is a collection, it compares the number of its items.
	Compare struct {
		Name     string
		Property Property
		Op       string
		Value    any
	}
	// Match is startswith, endswith or contains, without regard to case. Func
	// "word" is of $search: a word of the member starts with Text.
	Match struct {
		Func     string
		Name     string
		Property Property
		Text     string
	}
	// Has is "Name has 'a, b'": all flags are among those that the column
	// holds, separated by commas (DO-34).
	Has struct {
		Name     string
		Property Property
		Flags    []string
	}
	// In is "Name in (Values)".
	In struct {
		Name     string
		Property Property
		Values   []any
	}
	// Any is "Name/any(x: X)" or "Name/all(x: X)"; a nil X asks whether there
	// are items. The names inside X are those of the items' members.
	Any struct {
		Name  string
		Items *Items
		All   bool
		X     Expr
	}
)

func (Logic) expr()   {}
func (Not) expr()     {}
func (Compare) expr() {}
func (Match) expr()   {}
func (Has) expr()     {}
func (In) expr()      {}
func (Any) expr()     {}

// Names reports whether e says something about the member name, which is
// spelled as in the schema.
func Names(e Expr, name string) bool {
	return some(e, func(e Expr) bool {
		switch e := e.(type) {
		case Compare:
			return e.Name == name
		case Match:
			return e.Name == name
		case Has:
			return e.Name == name
		case In:
			return e.Name == name
		case Any:
			return e.Name == name
		}
		return false
	})
}

// Advanced reports whether Graph would ask for the header of advanced queries
// for this filter (§5.3). Cardea answers without it (DO-38), but does not
// expand beside it.
func Advanced(e Expr) bool {
	return some(e, func(e Expr) bool {
		switch e := e.(type) {
		case Not:
			return true
		case Compare:
			return e.Op == "ne" || e.Property.Items != nil
		case In:
			return e.Property.Items != nil
		case Match:
			return e.Func == "endswith" || e.Func == "contains"
		case Any:
			return Advanced(e.X)
		}
		return false
	})
}

// some reports whether is holds for e or an expression in it, lambdas left
// out.
func some(e Expr, is func(Expr) bool) bool {
	if e == nil {
		return false
	}
	if is(e) {
		return true
	}
	switch e := e.(type) {
	case Logic:
		return some(e.L, is) || some(e.R, is)
	case Not:
		return some(e.X, is)
	}
	return false
}
