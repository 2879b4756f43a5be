package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"cardea/internal/directory"
)

// exchange is one export or apply: it reads the server, and knows names for ids
// and ids for names.
type exchange struct {
	*call
	apps     bool                      // applications are exported too
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
