package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

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
	inOrder(out)
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

// inOrder puts documents in the order of their names, so that a file is the same
// whenever it is written.
func inOrder(list []thing) {
	slices.SortFunc(list, func(a, b thing) int {
		return strings.Compare(text(a.value, "displayName"), text(b.value, "displayName"))
	})
}
