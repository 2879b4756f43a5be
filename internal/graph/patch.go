package graph

import (
	"encoding/json"
	"reflect"
	"strings"

	"cardea/internal/problem"
)

// patch merges body into item the way Graph does: a property that is absent
// keeps its value, a property that is present is replaced whole, and null
// clears texts and lists (DO-45). A null for a switch, a number or a time says
// nothing: clearing accountEnabled would lock somebody out.
//
// Replaced whole is why each present field is zeroed first. encoding/json
// decodes into the old elements of a slice, so without it an item in a PATCHed
// list would silently inherit what its predecessor at that index said.
//
// A field with the tag patch:"merge" is an object whose members are changed one
// by one, by the same rules, as Entra does for those of applications (DO-51 for
// cardea); null resets it.
func patch[T any](body []byte, item *T) error {
	bad := problem.New(problem.Invalid, "badRequest", "The body must be a JSON object with the members to change.")
	var present map[string]json.RawMessage
	if err := json.Unmarshal(body, &present); err != nil {
		return bad.Because(err)
	}
	zeroPresent(reflect.ValueOf(item).Elem(), present)
	if err := (&Call{Body: body}).decode(item); err != nil {
		return err
	}
	return nil
}

// zeroPresent zeroes the fields of v, a struct, that present names.
func zeroPresent(v reflect.Value, present map[string]json.RawMessage) {
	for _, f := range reflect.VisibleFields(v.Type()) { // those of embedded types too
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		for sent, value := range present { // encoding/json takes names in any case, so this must too
			if !strings.EqualFold(sent, name) {
				continue
			}
			field, null := v.FieldByIndex(f.Index), string(value) == "null"
			if f.Tag.Get("patch") == "merge" {
				var inside map[string]json.RawMessage
				if null {
					field.SetZero()
				} else if json.Unmarshal(value, &inside) == nil { // decoding says what is wrong with it
					zeroPresent(field, inside)
				}
				continue
			}
			kind := f.Type.Kind()
			if clears := kind == reflect.String || kind == reflect.Slice || kind == reflect.Map || kind == reflect.Pointer; clears || !null {
				field.SetZero()
			}
		}
	}
}
