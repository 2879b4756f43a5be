package graph

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// description is Graph's own description of one version.
type description struct {
	doc   *openapi3.T
	paths []documented
}

type documented struct {
	pattern []string
	item    *openapi3.PathItem
}

var parentheses = regexp.MustCompile(`\(.*\)$`)

// graphs are the descriptions of both versions, read once.
var graphs = sync.OnceValue(func() map[string]description {
	out := map[string]description{}
	for _, version := range []string{"v1.0", "beta"} {
		doc, err := openapi3.NewLoader().LoadFromFile("testdata/graph-" + version + "-subset.yaml")
		if err != nil {
			panic(err)
		}
		out[version] = describe(doc)
	}
	return out
})

// ours are the documents that Cardea serves.
var ours = sync.OnceValue(func() map[string]description {
	out := map[string]description{}
	all := newAPI(Config{})
	for _, version := range []string{"v1.0", "beta"} {
		text, err := all.documents["/"+version+"/openapi.json"]()
		if err != nil {
			panic(err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			panic(err)
		}
		out[version] = describe(doc)
	}
	return out
})

func describe(doc *openapi3.T) description {
	d := description{doc: doc}
	for path, item := range doc.Paths.Map() {
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		for i, s := range segments {
			segments[i] = word(parentheses.ReplaceAllString(s, ""))
		}
		if strings.Contains(path, "='{") { // an alternate key: a name and a key for us
			segments = append(segments, "{key}")
		}
		d.paths = append(d.paths, documented{segments, item})
	}
	braces := func(d documented) int {
		return len(slices.DeleteFunc(slices.Clone(d.pattern), func(s string) bool { return s[0] != '{' }))
	}
	slices.SortFunc(d.paths, func(a, b documented) int { // words before keys
		return (braces(a)-braces(b))*1000 + strings.Compare(strings.Join(a.pattern, "/"), strings.Join(b.pattern, "/"))
	})
	return d
}

// schemaOf is what Graph says the JSON answer to a request looks like; nil where
// the subset does not say.
func schemaOf(of map[string]description, method, target string, status int) (d description, schema *openapi3.SchemaRef) {
	u, err := url.Parse(target)
	if err != nil {
		return d, nil
	}
	version, below, _ := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	d, ok := of[strings.ToLower(version)]
	p, err := parsePath(below)
	if !ok || err != nil {
		return d, nil
	}
	if strings.EqualFold(p.segments[0], "me") {
		p.segments = append([]string{"users", "me"}, p.segments[1:]...)
	}
	if strings.EqualFold(p.segments[0], "authenticationMethodsPolicy") {
		p.segments = append([]string{"policies"}, p.segments...)
	}
	if last := p.segments[len(p.segments)-1]; strings.HasPrefix(last, "cardea.") {
		return d, nil
	}
	for _, candidate := range d.paths {
		if _, ok := p.match(candidate.pattern); !ok {
			continue
		}
		op := candidate.item.GetOperation(method)
		if op == nil {
			continue
		}
		for _, key := range []string{strconv.Itoa(status), strconv.Itoa(status/100) + "XX"} {
			if r := op.Responses.Value(key); r != nil && r.Value.Content["application/json"] != nil {
				return d, r.Value.Content["application/json"].Schema
			}
		}
		return d, nil
	}
	return d, nil
}

// checkAnswer holds a JSON answer against Graph's description, except for the
// known differences.
func (w *world) checkAnswer(method, target string, rec *httptest.ResponseRecorder) {
	w.t.Helper()
	if rec.Body.Len() == 0 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		return
	}
	var body any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		w.t.Errorf("%s %s: %v", method, target, err)
		return
	}
	if _, schema := schemaOf(ours(), method, target, rec.Code); schema != nil {
		if err := schema.Value.VisitJSON(body); err != nil {
			w.t.Errorf("%s %s: the answer is not what openapi.json says: %v", method, target, err)
		}
	}
	d, schema := schemaOf(graphs(), method, target, rec.Code)
	if schema == nil {
		return
	}
	seen := map[string]bool{}
	d.check(schema, body, func(kind, member, what string) {
		if known(kind, member) || seen[kind+" "+member] {
			return
		}
		seen[kind+" "+member] = true
		w.t.Errorf("%s %s: Graph's %s has another %q: %s\nIf that is on purpose, name it in differences_test.go with the reason.", method, target, kind, member, what)
	})
}

// check walks v and reports what does not fit: of which of Graph's types, which
// member, and why. Objects with an @odata.type are held against that type.
func (d description) check(ref *openapi3.SchemaRef, v any, report func(kind, member, what string)) {
	switch v := v.(type) {
	case []any:
		if items := itemsOf(ref); items != nil {
			for _, item := range v {
				d.check(items, item, report)
			}
		}
	case map[string]any:
		if name, ok := v["@odata.type"].(string); ok {
			if strings.HasPrefix(name, "#cardea.") { // a type of ours
				return
			}
			if derived := d.doc.Components.Schemas[strings.TrimPrefix(name, "#")]; derived != nil {
				ref = &openapi3.SchemaRef{Ref: name, Value: derived.Value}
			}
		}
		props := map[string]*openapi3.SchemaRef{}
		properties(ref, props)
		kind := kindOf(ref)
		if len(props) == 0 { // pruned: Graph's subset does not say
			return
		}
		for _, name := range required(ref) {
			if _, ok := v[name]; !ok {
				report(kind, name, "it is missing")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch prop := props[name]; {
			case strings.Contains(name, "@"):
			case prop == nil && free(ref):
			case prop == nil:
				report(kind, name, "Graph has no such member")
			default:
				if what := firstOf(prop.Value.VisitJSON(flat(v[name]), openapi3.MultiErrors())); what != "" {
					report(kind, name, what)
				}
				d.check(prop, v[name], report)
			}
		}
	}
}

// flat is v without what is inside: objects are checked one by one.
func flat(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return map[string]any{}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = flat(v[i])
		}
		return out
	}
	return v
}

// firstOf is the first thing that is wrong, "" for nothing. What is required is
// looked for by check: flat has left it out.
func firstOf(err error) string {
	if err == nil {
		return ""
	}
	all, ok := errors.AsType[openapi3.MultiError](err)
	if !ok {
		all = openapi3.MultiError{err}
	}
	for _, err := range all {
		if nested, ok := err.(openapi3.MultiError); ok {
			if what := firstOf(nested); what != "" {
				return what
			}
			continue
		}
		s, ok := errors.AsType[*openapi3.SchemaError](err)
		if !ok {
			return err.Error()
		}
		if s.SchemaField != "required" {
			return fmt.Sprintf("%.120s (%.120v)", s.Reason, s.Value)
		}
	}
	return ""
}

// properties collects the members of a schema, of what it extends, and of what
// it may be.
func properties(ref *openapi3.SchemaRef, into map[string]*openapi3.SchemaRef) {
	maps.Copy(into, ref.Value.Properties)
	for _, list := range []openapi3.SchemaRefs{ref.Value.AllOf, ref.Value.AnyOf, ref.Value.OneOf} {
		for _, r := range list {
			properties(r, into)
		}
	}
}

// free reports whether a schema says that anything may stand in it.
func free(ref *openapi3.SchemaRef) bool {
	if has := ref.Value.AdditionalProperties.Has; has != nil && *has {
		return true
	}
	return slices.ContainsFunc(ref.Value.AnyOf, free) || slices.ContainsFunc(ref.Value.AllOf, free)
}

func required(ref *openapi3.SchemaRef) []string {
	out := slices.Clone(ref.Value.Required)
	for _, r := range ref.Value.AllOf {
		out = append(out, required(r)...)
	}
	return out
}

func itemsOf(ref *openapi3.SchemaRef) *openapi3.SchemaRef {
	if ref.Value.Items != nil {
		return ref.Value.Items
	}
	for _, list := range []openapi3.SchemaRefs{ref.Value.AllOf, ref.Value.AnyOf, ref.Value.OneOf} {
		for _, r := range list {
			if items := itemsOf(r); items != nil {
				return items
			}
		}
	}
	return nil
}

// kindOf is the name of a type without its namespace.
func kindOf(ref *openapi3.SchemaRef) string {
	if ref.Ref != "" {
		return ref.Ref[strings.LastIndexAny(ref.Ref, "./")+1:]
	}
	for _, list := range []openapi3.SchemaRefs{ref.Value.AnyOf, ref.Value.AllOf, ref.Value.OneOf} {
		for _, r := range list {
			if r.Ref != "" {
				return kindOf(r)
			}
		}
	}
	if ref.Value.Title != "" {
		return ref.Value.Title
	}
	return "answer"
}

var usedDifferences sync.Map // the differences that some answer showed

func known(kind, member string) bool {
	for i, d := range differences {
		if (d.Type == kind || d.Type == "*") && d.Member == member {
			usedDifferences.Store(i, true)
			return true
		}
	}
	return false
}

// TestMain fails the whole run for a difference that no answer shows any more.
func TestMain(m *testing.M) {
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""
	if code == 0 && whole {
		for i, d := range differences {
			if _, used := usedDifferences.Load(i); !used {
				fmt.Printf("differences_test.go: no answer shows the difference %s/%s any more: remove it\n", d.Type, d.Member)
				code = 1
			}
		}
	}
	os.Exit(code)
}
