package odata

import (
	"slices"
	"strings"
)

// Kind is the EDM primitive type of a property.
type Kind uint8

// The kinds, and what their columns hold. No column may be NULL: paging and
// "not" rely on it. What the API calls null is stored as the zero value.
const (
	String         Kind = iota // TEXT; '' is null, always
	Boolean                    // BOOLEAN; false is null if Property.Zero says so
	Int64                      // BIGINT; 0 is null if Property.Zero says so
	DateTimeOffset             // BIGINT, Unix milliseconds; 0 is null if Property.Zero says so
)

// Property says where an API property is stored and what may be asked of it.
type Property struct {
	Column string // a SQL expression written by us, never by a caller; never NULL
	Kind   Kind
	Folded bool     // the column holds strings.ToLower of the value: any letter is compared without case, and an index can be used
	Sort   bool     // $orderby may name it
	Search bool     // $search may name it
	More   []string // operators beyond the usual ones of the kind: "endswith", "contains", "has", "gt" …
	Zero   bool     // the stored zero stands for null
	Items  *Items   // not nil: a collection, the other fields are ignored
}

// Items makes a property a collection. It is reached through any(), all() and
// /$count only, and any() and all() become one subquery, so that all conditions
// of a lambda meet the same item (DO-36).
type Items struct {
	// From is what follows FROM, with a WHERE (at least
	// WHERE TRUE), e.g. "user_values v WHERE v.kind = 'otherMails'". More
	// conditions are put behind it with AND. "" means that the row itself holds the one item,
	// which is there unless all Members are null.
	From string
	// Owner and Row tie the items to the row outside: "v.user_id" and
	// "users.id". Owner is never NULL.
	Owner, Row string
	// Members are what a condition may name: "" is the item itself
	// (x:x eq 'a'), "id" a member of it (x:x/id eq 'a'). Their columns belong
	// to the table of From. Items of items are not supported.
	Members Schema
	All     bool // all() may be used
	Count   bool // …/$count may be compared
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
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return n, p, true
		}
	}
	return name, Property{}, false
}

// names lists what may be found in s, in the order of the alphabet.
func (s Schema) names(which func(Property) bool) []string {
	var out []string
	for n, p := range s {
		if which(p) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// usual are the operators of each kind.
func usual(k Kind) []string {
	switch k {
	case Boolean:
		return []string{"eq", "ne", "in"}
	case String:
		return []string{"eq", "ne", "in", "startswith"}
	default:
		return []string{"eq", "ne", "in", "gt", "ge", "lt", "le"}
	}
}

// allows reports whether op may be applied to p.
func (p Property) allows(op string) bool {
	return slices.Contains(usual(p.Kind), op) || slices.Contains(p.More, op)
}
