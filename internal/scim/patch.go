package scim

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cardea/internal/problem"
)

// operation is one step of a PATCH (RFC 7644 §3.5.2).
type operation struct {
	Op    string          `json:"op"` // add, replace, remove, in any case
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

const maxOperations = 1000

// operations reads the body of a PATCH.
func (c *call) operations() ([]operation, error) {
	var body struct {
		Operations []operation `json:"Operations"`
	}
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	if n := len(body.Operations); n == 0 || n > maxOperations {
		return nil, problem.New(problem.Invalid, "badRequest", "A PATCH has 1 to %d Operations.", maxOperations)
	}
	for i := range body.Operations {
		op := &body.Operations[i]
		op.Op = strings.ToLower(op.Op)
		if op.Op != "add" && op.Op != "replace" && op.Op != "remove" {
			return nil, problem.New(problem.Invalid, "badRequest", "%q is no operation: there are add, replace and remove.", clip(op.Op))
		}
		if op.Op == "remove" && op.Path == "" {
			return nil, problem.New(problem.Invalid, "noTarget", "A remove needs a path.")
		}
	}
	return body.Operations, nil
}

// place is a parsed path: attr, attr.sub, attr[filter], attr[filter].sub, each
// perhaps with a schema in front.
type place struct {
	schema    string // of an extension, or ""
	attribute string
	filter    string
	sub       string
}

var pathShape = regexp.MustCompile(`^(?:(urn:[A-Za-z0-9:.\-]+?):)?([A-Za-z$][A-Za-z0-9_\-$]*)(?:\[([^\[\]]{1,1000})\])?(?:\.([A-Za-z$][A-Za-z0-9_\-$]*))?$`)

func parsePath(in string) (p place, err error) {
	if strings.EqualFold(in, enterpriseSchema) {
		return place{schema: enterpriseSchema}, nil
	}
	m := pathShape.FindStringSubmatch(in)
	if m == nil || len(in) > maxFilter {
		return p, problem.New(problem.Invalid, "invalidPath", `The path %q cannot be read. Paths look like name.givenName or emails[type eq "work"].value.`, clip(in))
	}
	p = place{m[1], m[2], m[3], m[4]}
	if strings.EqualFold(p.schema, userSchema) || strings.EqualFold(p.schema, groupSchema) {
		p.schema = ""
	}
	return p, nil
}

// apply changes a resource step by step: it becomes plain JSON, is changed,
// and is read again, so that what a step says is checked as a whole resource is.
// Attributes that the resource has no place for are left aside, as RFC 7644
// §3.3 allows.
func apply[T any](ops []operation, r *T) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	for _, op := range ops {
		if err := op.apply(all); err != nil {
			return err
		}
	}
	if raw, err = json.Marshal(all); err != nil {
		return err
	}
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		return problem.New(problem.Invalid, "badRequest", "After this PATCH the resource would not be valid: an attribute has the wrong JSON type.").Because(err)
	}
	*r = out
	return nil
}

func (op operation) apply(all map[string]any) error {
	var value any
	if len(op.Value) > 0 {
		if err := json.Unmarshal(op.Value, &value); err != nil {
			return problem.New(problem.Invalid, "badRequest", "The value of an operation is not JSON.").Because(err)
		}
	}
	if op.Path == "" { // the attributes are in the value; their names may be paths
		members, ok := value.(map[string]any)
		if !ok {
			return problem.New(problem.Invalid, "badRequest", "An operation without a path has an object as its value.")
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			p, err := parsePath(name)
			if err != nil {
				return err
			}
			if err := p.set(all, members[name], op.Op); err != nil {
				return err
			}
		}
		return nil
	}
	p, err := parsePath(op.Path)
	if err != nil {
		return err
	}
	if strings.EqualFold(p.attribute, "id") || strings.EqualFold(p.attribute, "meta") || strings.EqualFold(p.attribute, "schemas") && op.Op == "remove" {
		return problem.New(problem.Invalid, "mutability", "%s cannot be changed.", p.attribute)
	}
	return p.set(all, value, op.Op)
}

// key is how in spells a name, which compares in any case.
func key(in map[string]any, name string) string {
	for k := range in {
		if strings.EqualFold(k, name) {
			return k
		}
	}
	return name
}

func (p place) set(all map[string]any, value any, op string) error {
	at := all
	if p.schema != "" || p.attribute == "" {
		name := key(all, p.schema)
		if p.attribute == "" {
			return put(all, name, value, op)
		}
		inner, ok := all[name].(map[string]any)
		if !ok {
			if op == "remove" {
				return nil
			}
			inner = map[string]any{}
			all[name] = inner
		}
		at = inner
	}
	name := key(at, p.attribute)
	if p.filter != "" {
		return p.items(at, name, value, op)
	}
	if p.sub == "" {
		return put(at, name, value, op)
	}
	if items, ok := at[name].([]any); ok { // emails.value: of each item
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				if err := put(m, key(m, p.sub), value, op); err != nil {
					return err
				}
			}
		}
		return nil
	}
	inner, ok := at[name].(map[string]any)
	if !ok {
		if op == "remove" {
			return nil
		}
		inner = map[string]any{}
		at[name] = inner
	}
	return put(inner, key(inner, p.sub), value, op)
}

// put sets, merges or removes one attribute.
func put(in map[string]any, name string, value any, op string) error {
	switch was := in[name].(type) {
	case []any:
		if op == "add" {
			more, ok := value.([]any)
			if !ok {
				more = []any{value}
			}
			in[name] = append(was, more...)
			return nil
		}
	case map[string]any:
		if m, ok := value.(map[string]any); ok && op != "remove" { // complex attributes merge
			for k, v := range m {
				was[key(was, k)] = v
			}
			return nil
		}
	}
	if op == "remove" || value == nil {
		delete(in, name)
		return nil
	}
	in[name] = value
	return nil
}

// items changes those items of a list that a filter such as type eq "work"
// names. A replace or an add that finds none makes one.
func (p place) items(at map[string]any, name string, value any, op string) error {
	want, err := equalities(p.filter)
	if err != nil {
		return err
	}
	list, _ := at[name].([]any)
	kept, found := []any{}, false
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok || !matches(m, want) {
			kept = append(kept, item)
			continue
		}
		found = true
		switch {
		case op == "remove" && p.sub == "":
			continue
		case p.sub != "":
			if err := put(m, key(m, p.sub), value, op); err != nil {
				return err
			}
		default:
			if v, ok := value.(map[string]any); ok {
				maps.Copy(m, v)
			}
		}
		kept = append(kept, m)
	}
	if !found && op != "remove" {
		m := map[string]any{}
		for k, v := range want {
			m[k] = v
		}
		if v, ok := value.(map[string]any); ok && p.sub == "" {
			maps.Copy(m, v)
		} else if p.sub != "" {
			m[p.sub] = value
		}
		kept = append(kept, m)
	}
	at[name] = kept
	return nil
}

var equality = regexp.MustCompile(`^\s*([A-Za-z]+)\s+(?i:eq)\s+("(?:[^"\\]|\\.)*"|true|false|True|False)\s*$`)

// equalities reads the filter of a path: comparisons by eq, with "and".
func equalities(in string) (map[string]any, error) {
	out := map[string]any{}
	for part := range strings.SplitSeq(in, " and ") {
		m := equality.FindStringSubmatch(part)
		if m == nil {
			return nil, problem.New(problem.Invalid, "invalidPath", `The filter %q of a path cannot be read. It compares with eq, as in type eq "work".`, clip(in))
		}
		var v any
		if err := json.Unmarshal([]byte(strings.ToLower(m[2][:1])+m[2][1:]), &v); err != nil {
			return nil, problem.New(problem.Invalid, "invalidPath", "The filter %q of a path cannot be read.", clip(in))
		}
		out[m[1]] = v
	}
	return out, nil
}

func matches(item, want map[string]any) bool {
	for k, v := range want {
		have := item[key(item, k)]
		if a, ok := have.(string); ok {
			if b, ok := v.(string); !ok || !strings.EqualFold(a, b) {
				return false
			}
			continue
		}
		if have == nil && v == false { // primary is false where it is not said
			continue
		}
		if have != v {
			return false
		}
	}
	return true
}
