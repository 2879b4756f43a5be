package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

var null = json.RawMessage("null")

// toObject takes the members of v, which must be a JSON object or null, apart.
func toObject(v any) (object, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return split(raw)
}

// split takes an object that encoding/json wrote apart: no blanks, and nothing
// that is not JSON. The values stay where they are.
func split(raw []byte) (object, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	if len(raw) < 2 || raw[0] != '{' {
		return nil, fmt.Errorf("graph: %.40q is no JSON object", raw)
	}
	all := string(raw) // one copy, of which all names are parts
	o := make(object, 0, strings.Count(all, `":`))
	for at := 1; raw[at] != '}'; {
		if raw[at] == ',' {
			at++
		}
		end := behindText(raw, at)
		name := all[at+1 : end-1]
		if strings.IndexByte(name, '\\') >= 0 {
			if err := json.Unmarshal(raw[at:end], &name); err != nil {
				return nil, err
			}
		}
		at = end + 1 // behind the colon
		end = behindValue(raw, at)
		o = append(o, member{name, raw[at:end:end]})
		at = end
	}
	return o, nil
}

// behindText is the place behind the string that starts at a place.
func behindText(raw []byte, at int) int {
	for at++; raw[at] != '"'; at++ {
		if raw[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// behindValue is the place behind the value that starts at a place.
func behindValue(raw []byte, at int) int {
	for depth := 0; ; {
		switch raw[at] {
		case '"':
			if at = behindText(raw, at); depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 { // the end of the object that a number stands in
				return at
			}
			if depth == 0 {
				return at + 1
			}
		case ',':
			if depth == 0 {
				return at
			}
		}
		at++
	}
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) { return o.appendJSON(nil), nil }

func (o object) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendName(b, m.name)
		b = append(append(b, ':'), m.value...)
	}
	return append(b, '}')
}

// appendObjects writes a list; nil is null.
func appendObjects(b []byte, all []object) []byte {
	if all == nil {
		return append(b, null...)
	}
	b = append(b, '[')
	for i, o := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = o.appendJSON(b)
	}
	return append(b, ']')
}

// appendName writes a name, which hardly ever holds what must be escaped.
func appendName(b []byte, name string) []byte {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, err := json.Marshal(name)
			if err != nil { // a string always encodes
				return append(b, `""`...)
			}
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), name...), '"')
}

// appendText writes a string as answers hold it: < and & stay as they are.
func appendText(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always encodes
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// text is a member that holds a string.
func text(name, value string) member {
	return member{name, appendName(nil, value)}
}

// lacking is a member that the item does not have.
func lacking(name string, v any) member {
	if v == nil {
		return member{name, null}
	}
	raw, err := json.Marshal(v)
	if err != nil { // our own tables: always encode
		raw = null
	}
	return member{name, raw}
}

// value is a member as encoding/json reads it; nil if there is none.
func (o object) value(name string) (v any) {
	for _, m := range o {
		if m.name == name {
			d := json.NewDecoder(bytes.NewReader(m.value))
			d.UseNumber()
			if d.Decode(&v) != nil {
				return nil
			}
		}
	}
	return v
}

// with puts a member in front.
func (o object) with(name string, v any) object {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = []byte("null")
	}
	return append(object{{name, raw}}, o...)
}
