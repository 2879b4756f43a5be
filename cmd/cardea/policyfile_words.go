package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// sentences says a change member by member.
func (e *exchange) sentences(fields []field, was, is map[string]any) (out []string) {
	for _, f := range fields {
		before, after := was[f.name], is[f.name]
		if reflect.DeepEqual(before, after) {
			continue
		}
		switch f.form {
		case anObject:
			o, _ := before.(map[string]any)
			n, _ := after.(map[string]any)
			for _, s := range e.sentences(f.fields, o, n) {
				out = append(out, f.called()+": "+s)
			}
		case aFlag:
			out = append(out, fmt.Sprintf("%s: %s → %s", f.called(), orNothing(before), orNothing(after)))
		case targets:
			out = append(out, e.targetSentences(f, before, after)...)
		default:
			if f.name == "state" && before != nil && (after == "enabled" || after == "disabled") {
				out = append(out, map[any]string{"enabled": "is switched on", "disabled": "is switched off"}[after])
				continue
			}
			out = append(out, fmt.Sprintf("%s: %s → %s", f.called(), orNothing(before), orNothing(after)))
		}
	}
	return out
}

func orNothing(v any) string {
	if s := show(v); s != "" {
		return s
	}
	return "nothing"
}

// targetSentences says who comes and who goes.
func (e *exchange) targetSentences(f field, before, after any) (out []string) {
	was, is := byPeople(before), byPeople(after)
	var more, less []string
	for _, t := range listOf(after) {
		if old, there := was[targetKey(t)]; !there {
			more = append(more, e.peopleCounted(t))
		} else {
			for _, s := range e.sentences(f.fields, old, t) {
				out = append(out, whoIs(t)+": "+s)
			}
		}
	}
	for _, t := range listOf(before) {
		if _, there := is[targetKey(t)]; !there {
			less = append(less, e.peopleCounted(t))
		}
	}
	if more != nil {
		out = append(out, f.more+": "+strings.Join(more, ", "))
	}
	if less != nil {
		out = append(out, f.less+": "+strings.Join(less, ", "))
	}
	if out == nil {
		out = append(out, f.name+": another order")
	}
	return out
}

func listOf(v any) []map[string]any {
	list, _ := v.([]any)
	out := []map[string]any{}
	for _, item := range list {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

func byPeople(v any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, t := range listOf(v) {
		out[targetKey(t)] = t
	}
	return out
}

// gained lists what is in b and not in a.
func gained(a, b any) (out []string) {
	was, _ := a.([]any)
	is, _ := b.([]any)
	for _, v := range is {
		if !slices.Contains(was, v) {
			out = append(out, show(v))
		}
	}
	return out
}
