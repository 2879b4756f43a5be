package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"

	"cardea/internal/mds"
)

// writeDocument is a document as export writes it: the same value gives the
// same bytes.
func writeDocument(k *kind, value map[string]any) ([]byte, error) {
	top := &yaml.Node{Kind: yaml.MappingNode}
	key := plainText("kind")
	key.HeadComment = k.title + ". Written by cardea export; cardea apply puts it in force."
	top.Content = append(top.Content, key, plainText(k.name))
	top.Content = append(top.Content, membersOf(k.fields, value)...)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(top); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func membersOf(fields []field, value map[string]any) (out []*yaml.Node) {
	for _, f := range fields {
		v, there := value[f.name]
		if !there || f.sparse && saysNothing(v) {
			continue
		}
		key, n := plainText(f.name), nodeOf(f, v)
		if f.sparse && n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			continue // an object of nothing but silence
		}
		key.HeadComment = f.note
		out = append(out, key, n)
	}
	return out
}

func saysNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func nodeOf(f field, v any) *yaml.Node {
	switch f.form {
	case anObject:
		o, _ := v.(map[string]any)
		return mapping(membersOf(f.fields, o))
	case manyObjects, targets, texts, modelList, typeList, profileRef:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		list, _ := v.([]any)
		for _, item := range list {
			switch o, _ := item.(map[string]any); f.form {
			case manyObjects:
				n.Content = append(n.Content, mapping(membersOf(f.fields, o)))
			case targets:
				n.Content = append(n.Content, mapping(membersOf(append(slices.Clone(who), f.fields...), o)))
			default:
				s := free(item)
				if f.form == modelList {
					s.LineComment = modelName(show(item))
				}
				n.Content = append(n.Content, s)
			}
		}
		if len(n.Content) == 0 || f.form == typeList || f.form == profileRef {
			n.Style = yaml.FlowStyle
		}
		return n
	}
	return free(v)
}

func mapping(content []*yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Content: content}
	if len(content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// modelName is the provider of an AAGUID, "" if it is not well known.
func modelName(aaguid string) string {
	a, err := mds.ParseAAGUID(aaguid)
	if err != nil {
		return ""
	}
	for _, p := range mds.Providers() {
		for _, m := range p.Members {
			if m.AAGUID == a {
				return p.Name
			}
		}
	}
	return ""
}

// free writes any value.
func free(v any) *yaml.Node {
	switch v := v.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case string:
		return plainText(v)
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			n.Content = append(n.Content, free(item))
		}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
		return n
	case map[string]any:
		n := mapping(nil)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, plainText(name), free(v[name]))
		}
		if len(v) > 0 {
			n.Style = 0
		}
		return n
	}
	s := fmt.Sprint(v) // a number
	tag := "!!int"
	if strings.ContainsAny(s, ".eE") {
		tag = "!!float"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: s}
}

// plainText is a text without quotes where YAML needs none.
func plainText(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(s) != s {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
