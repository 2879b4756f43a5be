package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// read reads the one object of a kind.
func (e *exchange) read(k *kind, path string) (thing, error) {
	raw, h, err := e.request(http.MethodGet, path, nil, nil)
	if err != nil {
		return thing{}, err
	}
	o, err := decodeObject(raw)
	if err != nil {
		return thing{}, err
	}
	return e.thing(k, o, h.Get("ETag"))
}

// thing is a Graph object as in a file.
func (e *exchange) thing(k *kind, o map[string]any, etag string) (thing, error) {
	v, err := e.fromObject(k.fields, o)
	if etag == "" {
		etag = text(o, "@odata.etag")
	}
	return thing{id: text(o, "id"), etag: etag, raw: o, value: v}, err
}

// patch changes an object that is still as it was read.
func (e *exchange) patch(path, etag string, body map[string]any) error {
	header := http.Header{}
	if etag != "" {
		header.Set("If-Match", etag)
	}
	_, h, err := e.request(http.MethodPatch, path, mustJSON(body), header)
	if err == nil {
		e.warn(h)
	}
	return err
}

// warn says what the server remarks about a change.
func (x *call) warn(h http.Header) {
	for _, w := range h.Values("Warning") {
		x.say("Warning: %s", strings.Trim(strings.TrimPrefix(w, "299 cardea "), `"`))
	}
}

// object is o with the fields that a file has, each by the way of to.
func object(fields []field, o map[string]any, to func(field, any) (any, error)) (map[string]any, error) {
	out := map[string]any{}
	for _, f := range fields {
		v, there := o[f.name]
		if !there {
			continue
		}
		v, err := to(f, v)
		if err != nil {
			return nil, err
		}
		out[f.name] = v
	}
	return out, nil
}

// fromObject leaves out what is null: in a file an absent member says the same.
func (e *exchange) fromObject(fields []field, o map[string]any) (map[string]any, error) {
	o = maps.Clone(o)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return object(fields, o, e.fromGraph)
}

// fromGraph is a value of the API as it is in a file.
func (e *exchange) fromGraph(f field, v any) (any, error) {
	switch f.form {
	case anObject:
		o, _ := v.(map[string]any)
		return e.fromObject(f.fields, o)
	case typeList:
		out := []any{}
		for part := range strings.SplitSeq(show(v), ",") {
			out = append(out, strings.TrimSpace(part))
		}
		return out, nil
	case manyObjects, targets:
		out := []any{}
		list, _ := v.([]any)
		for _, item := range list {
			o, _ := item.(map[string]any)
			one, err := e.fromObject(f.fields, o)
			if err != nil {
				return nil, err
			}
			for _, inner := range f.fields {
				if inner.sparse && saysNothing(one[inner.name]) {
					delete(one, inner.name)
				}
			}
			if f.form == targets {
				t, err := e.nameOf(text(o, "targetType"), text(o, "id"))
				if err != nil {
					return nil, err
				}
				for name, v := range t {
					one[name] = v
				}
			}
			out = append(out, one)
		}
		return out, nil
	case profileRef:
		out := []any{}
		list, _ := v.([]any)
		for _, id := range list {
			name := show(id)
			for n, known := range e.profiles {
				if known == name {
					name = n
				}
			}
			out = append(out, name)
		}
		return out, nil
	}
	return plainNumbers(v), nil
}

// plainNumbers makes the numbers of JSON those of YAML.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainNumbers(v[name])
		}
	}
	return v
}

// toGraph is a value of a file as the API takes it. Every name in it is known.
func (e *exchange) toGraph(f field, v any) (any, error) {
	switch f.form {
	case anObject:
		o, _ := v.(map[string]any)
		return e.toObject(f.fields, o)
	case typeList:
		parts := []string{}
		list, _ := v.([]any)
		for _, item := range list {
			parts = append(parts, show(item))
		}
		return strings.Join(parts, ","), nil
	case profileRef:
		out := []any{}
		list, _ := v.([]any)
		for _, name := range list {
			out = append(out, e.profiles[show(name)])
		}
		return out, nil
	case manyObjects, targets:
		out := []any{}
		list, _ := v.([]any)
		for _, item := range list {
			o, _ := item.(map[string]any)
			one, err := e.toObject(f.fields, o)
			if err != nil {
				return nil, err
			}
			if f.form == targets {
				id := e.ids[targetKey(o)]
				if id == "" || id == pendingID {
					return nil, fmt.Errorf("there is no %s any more", targetKey(o))
				}
				one["targetType"], one["id"] = "group", id
				if o["user"] != nil {
					one["targetType"] = "user"
				}
			}
			out = append(out, one)
		}
		return out, nil
	}
	return v, nil
}

func (e *exchange) toObject(fields []field, o map[string]any) (map[string]any, error) {
	return object(fields, o, e.toGraph)
}
