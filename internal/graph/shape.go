package graph

import (
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

// project picks members: the selected ones, or the default set. An unknown
// name is refused, one of Graph's that Cardea does not store is null (DO-6).
func (s Shape) project(full object, sel []string) (object, error) {
	names := sel
	if names == nil {
		names = s.Default
	}
	out := make(object, 0, max(len(names), len(full))+1)
	if s.Type != "" {
		out = append(out, text("@odata.type", "#microsoft.graph."+s.Type))
	}
	if names == nil || slices.Contains(names, "*") {
		return s.nulled(append(out, full...)), nil
	}
	for _, n := range names {
		m, ok := s.find(full, n)
		if !ok {
			return nil, problem.New(problem.Invalid, "unknownMember", "There is no member %q here. Look at the names in $select.", n).On("$select")
		}
		if !slices.ContainsFunc(out, func(have member) bool { return have.name == m.name }) {
			out = append(out, m)
		}
	}
	return s.nulled(out), nil
}

// nulled writes null for empty strings, where the shape wants it, into o.
func (s Shape) nulled(o object) object {
	if s.Nulls {
		for i := range o {
			if string(o[i].value) == `""` {
				o[i].value = null
			}
		}
	}
	return o
}

// find is a member that an item has, or that its type has in Graph. A name in
// another case will do; nearly all come in ours.
func (s Shape) find(full object, name string) (member, bool) {
	for _, m := range full {
		if m.name == name {
			return m, true
		}
	}
	if v, ok := s.Absent[name]; ok {
		return lacking(name, v), true
	}
	for _, m := range full {
		if strings.EqualFold(m.name, name) {
			return m, true
		}
	}
	for n, v := range s.Absent {
		if strings.EqualFold(n, name) {
			return lacking(n, v), true
		}
	}
	return unstored(s.kind(), name)
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

// appendJSON writes p as encoding/json would: a page of a thousand people goes
// through here, and reflection would take longer than the database.
func (p page) appendJSON(b []byte) []byte {
	b = slices.Grow(b, 1024*len(p.Value))
	b = appendText(append(b, `{"@odata.context":`...), p.Context)
	if p.Count != nil {
		b = strconv.AppendInt(append(b, `,"@odata.count":`...), *p.Count, 10)
	}
	if p.Next != "" {
		b = appendText(append(b, `,"@odata.nextLink":`...), p.Next)
	}
	return append(appendObjects(append(b, `,"value":`...), p.Value), '}')
}

// nextLink is the same request with another $skiptoken: absolute, on our
// public URL, with all other options (WC-69).
func (c *Call) nextLink(token string) string {
	var b strings.Builder
	host := c.Host
	if c.settings.PowerShellLinks && c.powerShell() {
		host = "https://graph.microsoft.com"
	}
	b.WriteString(host + c.path + "?")
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
