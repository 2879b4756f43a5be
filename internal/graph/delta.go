package graph

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// keepChanges is how long delta tokens live where the configuration says
// nothing (DO-65).
const keepChanges = 30 * 24 * time.Hour

const maxDeltaIDs = 50 // ids in the filter of a delta (DO-59)

// deltaOf is one entity set that can be followed.
type deltaOf struct {
	kind   string // of directory.Deltas
	shape  Shape
	sample any // an empty item, for the names that it always has
}

var (
	userDelta  = deltaOf{"user", userShape, directory.User{}}
	groupDelta = deltaOf{"group", groupShape, directory.Group{}}
)

// deltaToken is the content of $skiptoken and $deltatoken. It is not secret:
// who invents one learns nothing that the same call does not tell.
type deltaToken struct {
	Kind   string          `json:"k"`
	Select []string        `json:"s,omitempty"`
	State  directory.Delta `json:"d"`
}

// deltaPage is Graph's answer to a delta call.
type deltaPage struct {
	Context string   `json:"@odata.context"`
	Next    string   `json:"@odata.nextLink,omitempty"`
	Delta   string   `json:"@odata.deltaLink,omitempty"`
	Value   []object `json:"value"`
}

func (p deltaPage) appendJSON(b []byte) []byte {
	b = slices.Grow(b, 1024*len(p.Value))
	b = appendText(append(b, `{"@odata.context":`...), p.Context)
	if p.Next != "" {
		b = appendText(append(b, `,"@odata.nextLink":`...), p.Next)
	}
	if p.Delta != "" {
		b = appendText(append(b, `,"@odata.deltaLink":`...), p.Delta)
	}
	return append(appendObjects(append(b, `,"value":`...), p.Value), '}')
}

// serve answers /users/delta and /groups/delta (DO-59 … DO-65).
func (d deltaOf) serve(c *Call) (Answer, error) {
	t, fresh, err := d.asked(c)
	if err != nil {
		return Answer{}, err
	}
	k := directory.Deltas{Kind: d.kind, Keep: c.settings.KeepChanges, Members: t.Select == nil || containsFold(t.Select, "members")}
	c.restart = d.restart(c, t)
	switch {
	case fresh == "latest":
		if t.State, err = k.Begin(c.Context, c.DB, c.Now, true); err != nil {
			return Answer{}, err
		}
	case fresh == "all":
		ids := t.State.IDs
		t.State, err = k.Begin(c.Context, c.DB, c.Now, false)
		t.State.IDs = ids
	default:
		err = k.Check(c.Context, c.DB, c.Now, t.State)
	}
	if err != nil {
		return Answer{}, err
	}
	if fresh == "" && c.Query.Has("$deltatoken") { // the next round
		if t.State, err = k.Again(c.Context, c.DB, c.Now, t.State); err != nil {
			return Answer{}, err
		}
	}
	p := deltaPage{Context: c.Base + "/$metadata#" + d.shape.Set + selected(t.Select), Value: []object{}}
	items, done := []directory.DeltaItem(nil), fresh == "latest"
	if !done {
		if items, t.State, done, err = k.Next(c.Context, c.DB, t.State); err != nil {
			return Answer{}, err
		}
	}
	minimal := c.prefers("return=minimal")
	for _, i := range items {
		if !d.wanted(i, t.Select) {
			continue
		}
		o, err := d.render(c, i, t.Select, minimal)
		if err != nil {
			return Answer{}, err
		}
		p.Value = append(p.Value, o)
	}
	if link := c.Host + c.path + "?"; done {
		p.Delta = link + "$deltatoken=" + t.text()
	} else {
		p.Next = link + "$skiptoken=" + t.text()
	}
	a := Answer{Status: http.StatusOK, Header: http.Header{}, Body: p}
	if minimal {
		a.Header.Set("Preference-Applied", "return=minimal")
	}
	return a, nil
}

// asked reads the query. fresh is "all" or "latest" where a client begins.
func (d deltaOf) asked(c *Call) (t deltaToken, fresh string, err error) {
	token := c.Query.Get("$skiptoken")
	if v := c.Query.Get("$deltatoken"); v != "" {
		token = v
	}
	t = deltaToken{Kind: d.kind}
	for name := range c.Query {
		switch name {
		case "$select", "$filter", "$skiptoken", "$deltatoken":
		default:
			if strings.HasPrefix(name, "$") {
				return t, "", problem.New(problem.Invalid, "unsupportedQuery", "The query option %s is not supported with delta. Leave it out.", clipped(name)).On(clipped(name))
			}
		}
	}
	fresh = "all"
	if strings.EqualFold(token, "latest") {
		fresh, token = "latest", ""
	}
	if token != "" { // what was asked first is in the token
		fresh = ""
		if t, err = readDeltaToken(token); err == nil && t.Kind != d.kind {
			err = errDeltaToken
		}
		if err != nil {
			return t, "", err
		}
	} else {
		t.Select = selection(c.Query)
		if t.State.IDs, err = deltaIDs(c.Query); err != nil {
			return t, "", err
		}
	}
	return t, fresh, d.checkNames(t.Select)
}

// checkNames refuses what the type does not have, even if no item comes.
func (d deltaOf) checkNames(sel []string) error {
	full, err := toObject(d.sample)
	if err == nil && sel != nil {
		_, err = d.shape.project(full, d.properties(sel))
	}
	return err
}

// properties are the names in $select that are no relationships.
func (d deltaOf) properties(sel []string) []string {
	if sel == nil {
		return nil
	}
	out := []string{"id"}
	for _, n := range sel {
		if !strings.EqualFold(n, "id") && !(strings.EqualFold(n, "members") && d.kind == "group") && !strings.EqualFold(n, "manager") {
			out = append(out, n)
		}
	}
	return out
}

// wanted reports whether an item says something about what the client selected.
func (d deltaOf) wanted(i directory.DeltaItem, sel []string) bool {
	if sel == nil || i.Whole || i.Removed != "" || len(i.Members) > 0 {
		return true
	}
	return slices.ContainsFunc(i.Changed, func(name string) bool { return containsFold(sel, name) })
}

// removedBecause is the value of @removed (DO-62).
type removedBecause struct {
	Reason string `json:"reason"`
}

type deltaMember struct {
	Type    string          `json:"@odata.type"`
	ID      string          `json:"id"`
	Removed *removedBecause `json:"@removed,omitempty"`
}

func (d deltaOf) render(c *Call, i directory.DeltaItem, sel []string, minimal bool) (object, error) {
	if i.Removed != "" {
		return toObject(struct {
			ID      string         `json:"id"`
			Removed removedBecause `json:"@removed"`
		}{i.ID, removedBecause{i.Removed}})
	}
	var full object
	var err error
	if i.User != nil {
		if full, err = toObject(*i.User); err == nil {
			full = viewUser(c, *i.User, full)
		}
	} else {
		full, err = toObject(*i.Group)
	}
	if err != nil {
		return nil, err
	}
	names := d.properties(sel)
	if minimal && !i.Whole { // DO-64
		if names == nil {
			names = d.shape.Default
		}
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n != "id" && !containsFold(i.Changed, n) })
	}
	o, err := d.shape.project(full, names)
	if err != nil || len(i.Members) == 0 {
		return o, err
	}
	members := make([]deltaMember, len(i.Members))
	for n, m := range i.Members {
		if members[n] = (deltaMember{Type: "#microsoft.graph." + m.Type, ID: m.ID}); m.Gone {
			members[n].Removed = &removedBecause{"deleted"}
		}
	}
	raw, err := json.Marshal(members)
	return append(o, member{"members@delta", raw}), err
}

// restart is where a client begins again (DO-65).
func (d deltaOf) restart(c *Call, t deltaToken) string {
	if t.Select == nil {
		return c.Host + c.path
	}
	return c.Host + c.path + "?$select=" + url.QueryEscape(strings.Join(t.Select, ","))
}

var errDeltaToken = problem.New(problem.Invalid, "invalidDeltaToken", "This token is not one of ours, or belongs to another list. Start again without it.").On("$deltatoken")

func (t deltaToken) text() string {
	raw, err := json.Marshal(t)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readDeltaToken reads what text made. Numbers and ids that were never ours
// are left to Deltas.Check, or find nothing.
func readDeltaToken(in string) (t deltaToken, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(in)
	if err != nil || len(in) > maxDeltaToken {
		return t, errDeltaToken
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	s := &t.State
	if err := d.Decode(&t); err != nil || s.From < 0 || s.To < 0 || s.At < 0 || len(s.IDs) > maxDeltaIDs || len(t.Select) > 100 {
		return deltaToken{}, errDeltaToken
	}
	for _, text := range append([]string{s.After, s.Whole, s.Member}, s.IDs...) {
		if text != "" && !isGUID(text) {
			return deltaToken{}, errDeltaToken
		}
	}
	return t, nil
}

const maxDeltaToken = 8192

// deltaIDs reads a filter that names objects: id eq 'a' or id eq 'b'.
func deltaIDs(v url.Values) ([]string, error) {
	if !v.Has("$filter") {
		return nil, nil
	}
	only := problem.New(problem.Invalid, "unsupportedQuery", "With delta, $filter names up to %d objects: id eq 'a' or id eq 'b'.", maxDeltaIDs).On("$filter")
	e, err := odata.ParseFilter(v.Get("$filter"), odata.Schema{"id": {Column: "id", Folded: true}})
	if err != nil {
		return nil, err
	}
	var ids []string
	ok := true
	add := func(v any) {
		id, _ := v.(string)
		ids = append(ids, strings.ToLower(id))
		ok = ok && isGUID(id)
	}
	var walk func(e odata.Expr)
	walk = func(e odata.Expr) {
		switch e := e.(type) {
		case odata.Logic:
			ok = ok && e.Or
			walk(e.L)
			walk(e.R)
		case odata.Compare:
			ok = ok && e.Op == "eq"
			add(e.Value)
		case odata.In:
			for _, v := range e.Values {
				add(v)
			}
		default:
			ok = false
		}
	}
	walk(e)
	slices.Sort(ids)
	if ids = slices.Compact(ids); !ok || len(ids) > maxDeltaIDs {
		return nil, only
	}
	return ids, nil
}
