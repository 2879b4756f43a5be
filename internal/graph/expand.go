package graph

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"cardea/internal/odata"
	"cardea/internal/problem"
)

// Expansion is a relationship that $expand brings along with each item (§5.1):
// a list of at most maxExpand objects without a nextLink, or one object.
type Expansion[T any] struct {
	Access Access // who may read the relationship; the zero Access: whoever reads the item
	Single bool   // one object, such as manager, and not a list; none is null
	List   func(*Call, T) ([]Related, error)
}

// maxExpand is how many objects $expand shows of a relationship. Who wants all
// reads the relationship itself.
const maxExpand = 20

// Related is an object on the far side of a relationship, and how it looks.
type Related struct {
	shape Shape
	full  object
}

// related is what the List of an Expansion returns for items of one kind; view
// as in Collection. A relationship that does not exist has no items.
func related[U any](c *Call, s Shape, view func(*Call, U, object) object, items []U, err error) ([]Related, error) {
	if problem.KindOf(err) == problem.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]Related, 0, min(len(items), maxExpand))
	for _, item := range items[:min(len(items), maxExpand)] {
		full, err := toObject(item)
		if err != nil {
			return nil, err
		}
		if view != nil {
			full = view(c, item, full)
		}
		out = append(out, Related{s, full})
	}
	return out, nil
}

// paging is the Paging with the names that $expand may use.
func (cl Collection[T]) paging() odata.Paging {
	p := cl.Paging
	if cl.Expand != nil {
		p.Expand = slices.Sorted(maps.Keys(cl.Expand))
	}
	return p
}

// mayExpand refuses a relationship that the caller may not read.
func (cl Collection[T]) mayExpand(c *Call, e *odata.Expand) error {
	if e == nil {
		return nil
	}
	a := cl.Expand[e.Name].Access
	if a.Scopes == nil && a.Apps == nil {
		return nil
	}
	return a.allow(c.Caller, c.Self)
}

// expanded is o, which shows item, with the relationship that e asks for.
func (cl Collection[T]) expanded(c *Call, o object, item T, e *odata.Expand) (object, error) {
	if e == nil || cl.Expand[e.Name].List == nil {
		return o, nil
	}
	x := cl.Expand[e.Name]
	found, err := x.List(c, item)
	if err != nil {
		return nil, err
	}
	values := []object{}
	for _, r := range found[:min(len(found), maxExpand)] {
		shown, err := r.shape.project(r.full, selectFor(r.shape, r.full, e.Select))
		if err != nil {
			return nil, err
		}
		values = append(values, shown)
	}
	var value any = values
	end := ""
	if x.Single {
		value, end = nil, "/$entity"
		if len(values) > 0 {
			value = values[0]
		}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	full, err := toObject(item)
	if err != nil {
		return nil, err
	}
	id, _ := full.value("id").(string)
	context, err := json.Marshal(c.Base + "/$metadata#" + c.fill(cl.Shape.Set) + "('" + strings.ReplaceAll(id, "'", "''") + "')/" + e.Name + selected(e.Select) + end)
	if err != nil {
		return nil, err
	}
	return append(slices.Clip(o), member{e.Name + "@odata.context", context}, member{e.Name, raw}), nil
}

// chosen is how @odata.context names what an answer holds: members, and the
// relationship with its own.
func chosen(sel []string, e *odata.Expand) string {
	if e != nil {
		inner := selected(e.Select)
		if inner == "" {
			inner = "()"
		}
		sel = append(slices.Clone(sel), e.Name+inner)
	}
	return selected(sel)
}
