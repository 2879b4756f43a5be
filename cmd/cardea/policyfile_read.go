package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"cardea/internal/mds"
)

// document is one document of a file.
type document struct {
	kind  *kind
	name  string // of one of many
	file  string
	line  int
	value map[string]any
	lines map[string]int // JSON pointer of a member: its line
}

// fault is a mistake in a file.
type fault struct {
	file    string
	line    int
	code    string
	message string
}

func (f fault) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.file, f.line, f.message, f.code)
}

// lineOf is the line of a member, or of the nearest one around it.
func (d *document) lineOf(at string) int {
	for at != "" {
		if n := d.lines[at]; n > 0 {
			return n
		}
		at = at[:max(0, strings.LastIndexByte(at, '/'))]
	}
	return d.line
}

// Bounds of a file. Those of the server are narrower.
const (
	maxPolicyFile = 8 << 20
	maxFreeDepth  = 20
)

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// readDocuments reads the documents of a file and every mistake in it.
func readDocuments(file string, raw []byte) (docs []*document, faults []fault) {
	if len(raw) > maxPolicyFile {
		return nil, []fault{{file, 1, "tooLarge", fmt.Sprintf("a file has at most %d MiB", maxPolicyFile>>20)}}
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, faults
		}
		if err != nil {
			line, said := 1, strings.TrimPrefix(err.Error(), "yaml: ")
			if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
				line, _ = strconv.Atoi(m[1])
				said = m[2]
			}
			return docs, append(faults, fault{file, line, "yamlSyntax", said})
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) != 1 || n.Content[0].ShortTag() == "!!null" {
			continue // only comments
		}
		r := reader{document: &document{file: file, line: n.Content[0].Line, lines: map[string]int{}}}
		if r.read(n.Content[0]) {
			docs = append(docs, r.document)
		}
		faults = append(faults, r.faults...)
	}
}

// reader reads one document.
type reader struct {
	*document
	faults []fault
}

func (r *reader) fault(n *yaml.Node, code, format string, args ...any) {
	r.faults = append(r.faults, fault{r.file, n.Line, code, fmt.Sprintf(format, args...)})
}

func (r *reader) read(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "wrongType", "a document has members, beginning with kind")
		return false
	}
	at := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			at = i
			break
		}
	}
	names := []string{}
	for _, k := range kinds() {
		names = append(names, k.name)
		if at >= 0 && n.Content[at+1].Value == k.name {
			r.kind = k
		}
	}
	switch {
	case at < 0:
		r.fault(n, "requiredParamMissing", "kind is missing; it is one of %s", strings.Join(names, ", "))
		return false
	case r.kind == nil:
		said := n.Content[at+1].Value
		r.fault(n.Content[at+1], "unknownKind", "there is no kind %q%s; it is one of %s", said, didYouMean(said, names), strings.Join(names, ", "))
		return false
	}
	rest := *n
	rest.Content = append(slices.Clone(n.Content[:at]), n.Content[at+2:]...)
	before := len(r.faults)
	r.value, _ = r.object(r.kind.fields, &rest, "", false).(map[string]any)
	if r.kind.key != "" {
		if r.name, _ = r.value[r.kind.key].(string); r.name == "" {
			r.fault(n, "requiredParamMissing", "%s is missing: it says which %s is meant", r.kind.key, r.kind.name)
		}
	}
	return len(r.faults) == before
}

// object reads a mapping. whole: members that are needed must be there.
func (r *reader) object(fields []field, n *yaml.Node, at string, whole bool) any {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "wrongType", "this has to be an object: lines of name: value")
		return nil
	}
	out := map[string]any{}
	names := []string{}
	for _, f := range fields {
		names = append(names, f.name)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, ok := fieldNamed(fields, key.Value)
		if !ok || key.Kind != yaml.ScalarNode {
			r.fault(key, "unknownMember", "there is no member %q here%s; there is %s", key.Value, didYouMean(key.Value, names), strings.Join(names, ", "))
			continue
		}
		if _, twice := out[f.name]; twice {
			r.fault(key, "duplicateMember", "%s stands here twice", f.name)
			continue
		}
		r.lines[at+"/"+f.name] = key.Line
		out[f.name] = r.one(f, value, at+"/"+f.name)
	}
	for _, f := range fields {
		if _, there := out[f.name]; whole && f.needed && !there {
			r.fault(n, "requiredParamMissing", "%s is missing here", f.name)
		}
	}
	return out
}

var shapes = map[form]string{aText: "a text", aFlag: "true or false", aNumber: "a whole number"}

// one reads the value of a member.
func (r *reader) one(f field, n *yaml.Node, at string) any {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.fault(n, "wrongType", "anchors and aliases are not read; write the value out")
		return nil
	}
	switch f.form {
	case aText, aFlag, aNumber:
		v, ok := scalarOf(f.form, n)
		if !ok {
			r.fault(n, "wrongType", "%s is %s", f.name, shapes[f.form])
			return nil
		}
		if s, _ := v.(string); len(f.values) > 0 && !slices.Contains(f.values, s) {
			r.fault(n, "invalidValue", "%s is %s, not %q%s", f.name, strings.Join(f.values, " or "), s, didYouMean(s, f.values))
		}
		return v
	case anObject:
		return r.object(f.fields, n, at, false)
	case anything:
		return r.free(n, 0)
	}
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "wrongType", "%s is a list", f.name)
		return nil
	}
	list := []any{}
	for i, item := range n.Content {
		at := fmt.Sprintf("%s/%d", at, i)
		r.lines[at] = item.Line
		if item.Kind == yaml.AliasNode || item.Anchor != "" {
			r.fault(item, "wrongType", "anchors and aliases are not read; write the value out")
			continue
		}
		switch f.form {
		case manyObjects:
			list = append(list, r.object(f.fields, item, at, true))
		case targets:
			list = append(list, r.target(f, item, at))
		default:
			list = append(list, r.word(f, item)...)
		}
	}
	return list
}

// word reads an item of a list of texts. A provider may be several models.
func (r *reader) word(f field, n *yaml.Node) []any {
	v, ok := scalarOf(aText, n)
	s, _ := v.(string)
	switch {
	case !ok:
		r.fault(n, "wrongType", "%s is a list of texts", f.name)
	case f.form == typeList && !slices.Contains(f.values, s):
		r.fault(n, "invalidValue", "%s are %s, not %q%s", f.name, strings.Join(f.values, " and "), s, didYouMean(s, f.values))
	case f.form == modelList:
		ids := aaguids([]string{s})
		if ids == nil {
			names := []string{}
			for _, p := range mds.Providers() {
				names = append(names, p.Name)
			}
			r.fault(n, "aaguidInvalid", "%q is neither an AAGUID nor a provider%s", s, didYouMean(s, names))
		}
		out := []any{}
		for _, id := range ids {
			out = append(out, id)
		}
		return out
	}
	return []any{s}
}

// who are the ways to name people. Exactly one stands in a target.
var who = []field{
	{name: "allUsers", form: aFlag}, {name: "group"}, {name: "role"}, {name: "user"},
}

func (r *reader) target(f field, n *yaml.Node, at string) any {
	o, _ := r.object(append(slices.Clone(who), f.fields...), n, at, true).(map[string]any)
	if o == nil {
		return nil
	}
	said := 0
	for _, w := range who {
		if v, there := o[w.name]; there {
			if said++; v == false || v == "" {
				r.fault(n, "invalidValue", "%s: name somebody, or leave the line out", w.name)
			}
		}
	}
	if said != 1 {
		r.fault(n, "invalidValue", "say who: one of allUsers: true, group, role, user")
	}
	for _, f := range f.fields {
		if f.sparse && saysNothing(o[f.name]) {
			delete(o, f.name) // so that two ways to say it are one
		}
	}
	return o
}

func scalarOf(f form, n *yaml.Node) (any, bool) {
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode || tag == "!!null" || tag == "!!binary" {
		return nil, false
	}
	switch f {
	case aFlag:
		return n.Value == "true", tag == "!!bool" && (n.Value == "true" || n.Value == "false")
	case aNumber:
		v, err := strconv.ParseInt(n.Value, 10, 64)
		return v, tag == "!!int" && err == nil
	}
	return n.Value, true
}

// free reads a value that has no rules.
func (r *reader) free(n *yaml.Node, depth int) any {
	bad := func() any {
		r.fault(n, "wrongType", "this cannot be said in JSON, or lies too deep")
		return nil
	}
	if depth > maxFreeDepth || n.Kind == yaml.AliasNode || n.Anchor != "" {
		return bad()
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Kind != yaml.ScalarNode {
				return bad()
			}
			out[n.Content[i].Value] = r.free(n.Content[i+1], depth+1)
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range n.Content {
			out = append(out, r.free(item, depth+1))
		}
		return out
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		if v, ok := scalarOf(aFlag, n); ok {
			return v
		}
	case "!!int":
		if v, ok := scalarOf(aNumber, n); ok {
			return v
		}
	case "!!str":
		return n.Value
	}
	return bad()
}

// didYouMean finds the name that was probably meant.
func didYouMean(typed string, names []string) string {
	best, near := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(typed), strings.ToLower(n)); d < near {
			best, near = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance counts the letters that have to change between two words, up to
// something large for long ones.
func distance(a, b string) int {
	if len(a) > 60 || len(b) > 60 {
		return 60
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
