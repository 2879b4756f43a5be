package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/problem"
)

// Shape says how items of a type look on the wire. The items themselves are
// domain types with Graph's names; the shape adds what Graph's type has and
// Cardea does not store.
type Shape struct {
	Set     string         // what @odata.context names; {user} and the like are filled in
	Type    string         // e.g. "user": sent as @odata.type where items of several types mix
	Default []string       // members without $select; nil is all
	Absent  map[string]any // members that are never stored, and their value (DO-6)
	Nulls   bool           // an empty string is sent as null
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// toObject takes the members of v, which must be a JSON object, apart.
func toObject(v any) (object, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var o object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var m member
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		m.name, _ = name.(string)
		o = append(o, m)
	}
	return o, nil
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
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

// project picks members: the selected ones, or the default set. An unknown
// name is refused, one of Graph's that Cardea does not store is null (DO-6).
func (s Shape) project(full object, sel []string) (object, error) {
	if s.Nulls {
		full = slices.Clone(full)
		for i := range full {
			if string(full[i].value) == `""` {
				full[i].value = json.RawMessage("null")
			}
		}
	}
	names := sel
	if names == nil {
		names = s.Default
	}
	if names == nil || slices.Contains(names, "*") {
		return s.typed(full), nil
	}
	var out object
	for _, n := range names {
		m, ok := s.find(full, n)
		if !ok {
			return nil, problem.New(problem.Invalid, "unknownMember", "There is no member %q here. Look at the names in $select.", n).On("$select")
		}
		if !slices.ContainsFunc(out, func(have member) bool { return have.name == m.name }) {
			out = append(out, m)
		}
	}
	return s.typed(out), nil
}

func (s Shape) typed(o object) object {
	if s.Type == "" {
		return o
	}
	return o.with("@odata.type", "#microsoft.graph."+s.Type)
}

func (s Shape) find(full object, name string) (member, bool) {
	for _, m := range full {
		if strings.EqualFold(m.name, name) {
			return m, true
		}
	}
	for n, v := range s.Absent {
		if strings.EqualFold(n, name) {
			raw, err := json.Marshal(v)
			return member{n, raw}, err == nil
		}
	}
	return member{}, false
}

// entity answers one item.
func (s Shape) entity(c *Call, status int, item any) (Answer, error) {
	full, err := toObject(item)
	if err != nil {
		return Answer{}, err
	}
	sel := selection(c.Query)
	o, err := s.project(full, sel)
	if err != nil {
		return Answer{}, err
	}
	context := c.Base + "/$metadata#" + c.fill(s.Set) + selected(sel) + "/$entity"
	return Answer{Status: status, Header: http.Header{}, Body: o.with("@odata.context", context)}, nil
}

func selection(q url.Values) []string {
	if strings.TrimSpace(q.Get("$select")) == "" {
		return nil
	}
	names := strings.Split(q.Get("$select"), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

func selected(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "(" + strings.Join(names, ",") + ")"
}

// fill puts the path's keys into a context such as users('{user}')/memberOf.
func (c *Call) fill(context string) string {
	for name, v := range c.Params {
		context = strings.ReplaceAll(context, "{"+name+"}", strings.ReplaceAll(v, "'", "''"))
	}
	return context
}

type page struct {
	Context string   `json:"@odata.context"`
	Count   *int64   `json:"@odata.count,omitempty"`
	Next    string   `json:"@odata.nextLink,omitempty"`
	Value   []object `json:"value"`
}

// nextLink is the same request with another $skiptoken: absolute, on our
// public URL, with all other options (WC-69).
func (c *Call) nextLink(token string) string {
	var b strings.Builder
	b.WriteString(c.Host + c.path + "?")
	for _, name := range slices.Sorted(maps.Keys(c.Query)) {
		if name != "$skiptoken" {
			b.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(c.Query.Get(name)) + "&")
		}
	}
	return strings.ReplaceAll(b.String(), "%24", "$") + "$skiptoken=" + token
}

func digits(n int64) Answer {
	return Answer{Status: http.StatusOK, Type: "text/plain", Stream: func(w io.Writer) error {
		_, err := io.WriteString(w, strconv.FormatInt(n, 10))
		return err
	}}
}
