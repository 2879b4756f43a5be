package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/directory"
)

// exchange is one export or apply: it reads the server, and knows names for ids
// and ids for names.
type exchange struct {
	*call
	names    map[string]map[string]any // id of a target: the target as in a file
	ids      map[string]string         // a target as in a file, by targetKey: its id
	groups   map[string]map[string]any // id of a group that a document names: the group
	pending  map[string]bool           // lower-case names of groups that apply will create
	counted  map[string]string         // id of a target: how many people that are
	profiles map[string]string         // name of a passkey profile: its id
}

func newExchange(x *call) *exchange {
	return &exchange{call: x, names: map[string]map[string]any{}, ids: map[string]string{}, groups: map[string]map[string]any{},
		pending: map[string]bool{}, counted: map[string]string{}, profiles: map[string]string{}}
}

// targetKey tells the people of a target from others, whatever else it says.
func targetKey(t map[string]any) string {
	for _, w := range who {
		if v, there := t[w.name]; there {
			return w.name + " " + strings.ToLower(show(v))
		}
	}
	return ""
}

// groupMembers asks for what a document of a group has; not all of it is in
// Graph's usual answer.
const groupMembers = "?$select=id,displayName,description,isAssignableToRole,membershipRule,membershipRuleProcessingState"

const pendingID = "pending"

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

func (e *exchange) fromObject(fields []field, o map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, f := range fields {
		v, there := o[f.name]
		if !there || v == nil {
			continue
		}
		v, err := e.fromGraph(f, v)
		if err != nil {
			return nil, err
		}
		out[f.name] = v
	}
	return out, nil
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
	case objects_, targets:
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
	case objects_, targets:
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
	out := map[string]any{}
	for _, f := range fields {
		v, there := o[f.name]
		if !there {
			continue
		}
		v, err := e.toGraph(f, v)
		if err != nil {
			return nil, err
		}
		out[f.name] = v
	}
	return out, nil
}

// nameOf names a target of the server. What has no name of its own keeps its id.
func (e *exchange) nameOf(targetType, id string) (map[string]any, error) {
	if t := e.names[id]; t != nil {
		return t, nil
	}
	t, err := e.lookUp(targetType, id)
	if err != nil {
		return nil, err
	}
	e.names[id], e.ids[targetKey(t)] = t, id
	return t, nil
}

func (e *exchange) lookUp(targetType, id string) (map[string]any, error) {
	switch {
	case id == directory.AllUsers:
		return map[string]any{"allUsers": true}, nil
	case targetType == "user":
		u, err := e.get("/v1.0/users/" + id + "?$select=id,userPrincipalName")
		if notFound(err) {
			return map[string]any{"user": id}, nil
		}
		return map[string]any{"user": text(u, "userPrincipalName")}, err
	case directory.RoleName(id) != "":
		return map[string]any{"role": directory.RoleName(id)}, nil
	}
	g, err := e.get("/v1.0/groups/" + id + groupMembers)
	if notFound(err) {
		return map[string]any{"group": id}, nil // deleted: it matches nobody
	}
	if err != nil {
		return nil, err
	}
	name := text(g, "displayName")
	others, err := e.groupsNamed(name)
	if err != nil {
		return nil, err
	}
	if len(others) != 1 || objectID.MatchString(name) {
		return map[string]any{"group": id}, nil
	}
	e.groups[id] = g
	return map[string]any{"group": name}, nil
}

func notFound(err error) bool {
	api, ok := errors.AsType[*apiError](err)
	return ok && api.Status == http.StatusNotFound
}

func (e *exchange) groupsNamed(name string) ([]map[string]any, error) {
	o, err := e.get(query("/v1.0/groups", "$filter", "displayName eq "+quoted(name), "$top", "20"))
	return objects(o), err
}

// findID finds the id of a target of a file, and the target as the server
// spells it. missing says what is wrong with the name.
func (e *exchange) findID(t map[string]any) (id string, canonical map[string]any, missing *fault, err error) {
	if id := e.ids[targetKey(t)]; id != "" && e.names[id] != nil {
		return id, e.names[id], nil, nil
	}
	no := func(code, format string, args ...any) (string, map[string]any, *fault, error) {
		return "", nil, &fault{code: code, message: fmt.Sprintf(format, args...)}, nil
	}
	kind, typed := "group", ""
	switch {
	case t["allUsers"] != nil:
		id, kind = directory.AllUsers, "group"
	case t["role"] != nil:
		typed = show(t["role"])
		o, err := e.get("/v1.0/directoryRoles")
		if err != nil {
			return "", nil, nil, err
		}
		names := []string{}
		for _, r := range objects(o) {
			if names = append(names, text(r, "displayName")); strings.EqualFold(text(r, "displayName"), typed) || text(r, "id") == typed {
				id = text(r, "id")
			}
		}
		if id == "" {
			return no("unknownTarget", "there is no role %q%s", typed, didYouMean(typed, names))
		}
	case t["user"] != nil:
		kind, typed = "user", show(t["user"])
		u, err := e.user(typed)
		if _, several := errors.AsType[usage](err); several {
			return no("ambiguousName", "%v", err)
		}
		if notFound(err) {
			return no("unknownTarget", "there is no user %q", typed)
		}
		if err != nil {
			return "", nil, nil, err
		}
		id = text(u, "id")
	default:
		typed = show(t["group"])
		if e.pending[strings.ToLower(typed)] {
			return pendingID, map[string]any{"group": typed}, nil, nil
		}
		found, err := e.groupCalled(typed)
		if _, several := errors.AsType[usage](err); several {
			return no("ambiguousName", "%v", err)
		}
		if err != nil {
			return "", nil, nil, err
		}
		if found == "" {
			return no("unknownTarget", "there is no group %q; create it, or add a document of kind group", typed)
		}
		id = found
	}
	canonical, err = e.nameOf(kind, id)
	e.ids[targetKey(t)] = id
	return id, canonical, nil, err
}

// groupCalled is the id of a group by name or id, "" if there is none.
func (e *exchange) groupCalled(typed string) (string, error) {
	if objectID.MatchString(typed) {
		g, err := e.get("/v1.0/groups/" + typed)
		if notFound(err) {
			return "", nil
		}
		return text(g, "id"), err
	}
	found, err := e.groupsNamed(typed)
	if err != nil || len(found) == 0 {
		return "", err
	}
	g, err := choose("group", typed, found, "id", "displayName", "description")
	return text(g, "id"), err
}

// settle brings the names in a document to the server's spelling and finds
// what they stand for.
func (e *exchange) settle(d *document) (faults []fault, err error) {
	var walk func(fields []field, o map[string]any, at string) error
	walk = func(fields []field, o map[string]any, at string) error {
		for _, f := range fields {
			at := at + "/" + f.name
			if inner, ok := o[f.name].(map[string]any); ok && f.form == anObject {
				if err := walk(f.fields, inner, at); err != nil {
					return err
				}
			}
			list, _ := o[f.name].([]any)
			if f.form != targets {
				continue
			}
			seen := map[string]int{}
			for i, item := range list {
				t, at := item.(map[string]any), fmt.Sprintf("%s/%d", at, i)
				_, canonical, missing, err := e.findID(t)
				if err != nil {
					return err
				}
				if missing != nil {
					missing.file, missing.line = d.file, d.lineOf(at)
					faults = append(faults, *missing)
					continue
				}
				for _, w := range who {
					delete(t, w.name)
				}
				for name, v := range canonical {
					t[name] = v
				}
				if first, twice := seen[targetKey(t)]; twice {
					faults = append(faults, fault{d.file, d.lineOf(at), "duplicateTarget", fmt.Sprintf("%s stands in %s already, on line %d", whoIs(t), f.name, first)})
				}
				seen[targetKey(t)] = d.lineOf(at)
			}
		}
		return nil
	}
	return faults, walk(d.kind.fields, d.value, "")
}

// whoIs is a target in words.
func whoIs(t map[string]any) string {
	if t["allUsers"] != nil {
		return "all users"
	}
	for _, w := range who[1:] {
		if s := text(t, w.name); s != "" {
			return s
		}
	}
	return "nobody"
}

// peopleCounted is a target in words with the number of its people.
func (e *exchange) peopleCounted(t map[string]any) string {
	id := e.ids[targetKey(t)]
	if t["group"] != nil && (id == pendingID || id == "") {
		return whoIs(t) + " (a new group)"
	}
	path := ""
	switch {
	case t["user"] != nil:
		return whoIs(t)
	case t["allUsers"] != nil:
		path = "/v1.0/users/$count"
	case t["role"] != nil:
		path = "/v1.0/directoryRoles/" + id + "/members?$select=id&$top=999"
	default:
		path = "/v1.0/groups/" + id + "/transitiveMembers/microsoft.graph.user/$count"
	}
	if _, known := e.counted[id]; !known {
		raw, _, err := e.request(http.MethodGet, path, nil, http.Header{"Consistencylevel": {"eventual"}})
		n := strings.TrimPrefix(strings.TrimSpace(string(raw)), "\ufeff")
		if t["role"] != nil && err == nil { // no $count there
			var o map[string]any
			if o, err = decodeObject(raw); err == nil {
				n = strconv.Itoa(len(objects(o)))
			}
		}
		if err != nil {
			n = "" // the plan does without
		}
		e.counted[id] = n
	}
	switch n := e.counted[id]; n {
	case "":
		return whoIs(t)
	case "1":
		return whoIs(t) + " (1 person)"
	default:
		return fmt.Sprintf("%s (%s people)", whoIs(t), n)
	}
}

// newGUID is an id for what the caller may name itself.
func newGUID() string {
	var g [16]byte
	rand.Read(g[:])
	g[6], g[8] = g[6]&0x0f|0x40, g[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
}

// findGroup finds a group by its name.
func findGroup(e *exchange, name string) (thing, error) {
	found, err := e.groupsNamed(name)
	if err != nil || len(found) == 0 {
		return thing{}, err
	}
	g, err := choose("group", name, found, "id", "displayName", "description")
	if err != nil {
		return thing{}, err
	}
	return e.read(kindNamed("group"), "/v1.0/groups/"+text(g, "id")+groupMembers)
}

// namedGroups are the groups that other documents name.
func namedGroups(e *exchange) ([]thing, error) {
	out := []thing{}
	for _, g := range e.groups {
		t, err := e.thing(kindNamed("group"), g, "")
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b thing) int {
		return strings.Compare(text(a.value, "displayName"), text(b.value, "displayName"))
	})
	return out, nil
}

func kindNamed(name string) *kind {
	all := kinds()
	if i := slices.IndexFunc(all, func(k *kind) bool { return k.name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

// writeGroup creates a group or changes one.
func writeGroup(e *exchange, c *change) error {
	body := map[string]any{}
	for name, v := range c.is {
		if !reflect.DeepEqual(c.was.value[name], v) {
			body[name] = v
		}
	}
	if had, has := text(c.was.value, "membershipRule") != "", text(c.is, "membershipRule") != ""; had != has {
		body["groupTypes"] = map[bool][]string{true: {"DynamicMembership"}, false: {}}[has]
		if has && c.is["membershipRuleProcessingState"] == nil {
			body["membershipRuleProcessingState"] = "On"
		}
	}
	if c.was.id != "" {
		return e.patch("/v1.0/groups/"+c.was.id, c.was.etag, body)
	}
	body["mailEnabled"], body["securityEnabled"] = false, true
	g, err := e.send(http.MethodPost, "/v1.0/groups", body)
	if err != nil {
		return err
	}
	t := map[string]any{"group": text(g, "displayName")}
	delete(e.pending, strings.ToLower(text(g, "displayName")))
	e.ids[targetKey(t)], e.names[text(g, "id")] = text(g, "id"), t
	return nil
}
