package graph

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestGraphSchema keeps graphschema.txt what Graph's descriptions say; -update
// rewrites it.
func TestGraphSchema(t *testing.T) {
	types := map[string]map[string]bool{}
	enums := map[string]map[string]bool{}  // values after unknownFutureValue, per member
	before := map[string]map[string]bool{} // values before it
	add := func(into map[string]map[string]bool, key, value string) {
		if into[key] == nil {
			into[key] = map[string]bool{}
		}
		into[key][value] = true
	}
	for _, d := range graphs() {
		for name, ref := range d.doc.Components.Schemas {
			props := map[string]*openapi3.SchemaRef{}
			properties(ref, props)
			for member, p := range props {
				if isEntity(d, ref) && !isEntity(d, p) && !strings.Contains(member, "@") {
					if itemsOf(p) != nil {
						member += "[]"
					}
					add(types, strings.TrimPrefix(name, "microsoft.graph."), member)
				}
				values := enumOf(p)
				at := slices.Index(values, "unknownFutureValue")
				for i, v := range values {
					if at >= 0 && i > at {
						add(enums, member, v)
					} else {
						add(before, member, v)
					}
				}
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(types)) {
		b.WriteString("type " + name + " " + strings.Join(slices.Sorted(maps.Keys(types[name])), " ") + "\n")
	}
	for _, member := range slices.Sorted(maps.Keys(enums)) {
		maps.DeleteFunc(enums[member], func(v string, _ bool) bool { return before[strings.TrimSuffix(member, "[]")][v] }) // one enum of the same name knows it
		if len(enums[member]) > 0 {
			b.WriteString("enum " + strings.TrimSuffix(member, "[]") + " " + strings.Join(slices.Sorted(maps.Keys(enums[member])), " ") + "\n")
		}
	}
	if *update {
		if err := os.WriteFile("graphschema.txt", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if graphSchemaText != b.String() {
		t.Error("graphschema.txt is not what Graph's descriptions say; run: go test ./internal/graph -run GraphSchema -update")
	}
}

// isEntity reports whether a schema is an entity, or a list of entities: as a
// member that is a relationship, and nothing to $select.
func isEntity(d description, ref *openapi3.SchemaRef) bool {
	if strings.HasSuffix(ref.Ref, "microsoft.graph.entity") {
		return true
	}
	if ref.Value == nil {
		return false
	}
	if ref.Value.Items != nil {
		return isEntity(d, ref.Value.Items)
	}
	for _, list := range []openapi3.SchemaRefs{ref.Value.AllOf, ref.Value.AnyOf} {
		if slices.ContainsFunc(list, func(r *openapi3.SchemaRef) bool { return isEntity(d, r) }) {
			return true
		}
	}
	return false
}

// enumOf are the values of a member that is an enum, or a list or flags of one.
func enumOf(ref *openapi3.SchemaRef) (out []string) {
	if ref.Value.Items != nil {
		return enumOf(ref.Value.Items)
	}
	for _, v := range ref.Value.Enum {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	if flags, ok := ref.Value.Extensions["x-enum"].([]any); ok {
		for _, v := range flags {
			if text, ok := v.(string); ok {
				out = append(out, text)
			}
		}
	}
	for _, list := range []openapi3.SchemaRefs{ref.Value.AllOf, ref.Value.AnyOf} {
		for _, r := range list {
			out = append(out, enumOf(r)...)
		}
	}
	return out
}

// TestNewEnumValues: DO-42. Values after unknownFutureValue are shown on demand
// only, in lists and flags too, and nothing else is touched.
func TestNewEnumValues(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"builtInControls", "riskRemediation", "unknownFutureValue"},
		{"builtInControls", "mfa", "mfa"},
		{"displayName", "riskRemediation", "riskRemediation"},
		{"includePlatforms", "linux", "unknownFutureValue"},
		{"includePlatforms", "macOS,linux", "macOS,unknownFutureValue"},
	} {
		if got := knownValue(c.name, c.value); got != c.want {
			t.Errorf("%s %q is shown as %q, want %q", c.name, c.value, got, c.want)
		}
	}
	for raw, want := range map[string]bool{`{"a":"linux"}`: true, `["x",["linux"]]`: true, `{"a":"macOS,linux"}`: true, `{"a":"lin\"ux"}`: false, `{"linux":"a"}`: true, `{"a":"mfa"}`: false, `{}`: false} {
		if holdsNewValue([]byte(raw)) != want {
			t.Errorf("%s: %v", raw, !want)
		}
	}
	in := `{"z":1,"builtInControls":["mfa","riskRemediation"],"cardea":{"x":1},"conditions":{"platforms":{"includePlatforms":["linux"]},"cardea":null}}`
	got, err := rewritten([]byte(in), "", true, true)
	if want := `{"z":1,"builtInControls":["mfa","unknownFutureValue"],"conditions":{"platforms":{"includePlatforms":["unknownFutureValue"]}}}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}
