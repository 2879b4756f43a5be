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
func patch[T any](body []byte, item *T) error {
	bad := problem.New(problem.Invalid, "badRequest", "The body must be a JSON object with the members to change.")
	var present map[string]json.RawMessage
	if err := json.Unmarshal(body, &present); err != nil {
		return bad.Because(err)
	}
	v := reflect.ValueOf(item).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) { // those of embedded types too
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		for sent, value := range present { // encoding/json takes names in any case, so this must too
			if !strings.EqualFold(sent, name) {
				continue
			}
			kind := f.Type.Kind()
			null := string(value) == "null"
			if clears := kind == reflect.String || kind == reflect.Slice || kind == reflect.Map || kind == reflect.Pointer; clears || !null {
				v.FieldByIndex(f.Index).SetZero()
			}
		}
	}
	if err := (&Call{Body: body}).decode(item); err != nil {
		return err
	}
	return nil
}
