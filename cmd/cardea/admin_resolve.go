package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

var objectID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// choose makes a name one object. None is an error of the server's kind; more
// than one lists the candidates and is wrong usage.
func choose(kind, typed string, found []map[string]any, show ...string) (map[string]any, error) {
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, &apiError{Status: 404, Message: fmt.Sprintf("there is no %s %q", kind, typed), Reason: "notFound"}
	}
	lines := make([]string, len(found))
	for i, f := range found {
		parts := make([]string, len(show))
		for j, m := range show {
			parts[j] = plain(text(f, m))
		}
		lines[i] = "  " + strings.Join(parts, "  ")
	}
	return nil, usage{fmt.Errorf("%q could be any of these; write the id\n%s", typed, strings.Join(lines, "\n"))}
}

// user finds a person by object id, user name, its part before the @, or display name.
func (x *call) user(typed string) (map[string]any, error) {
	const sel = "?$select=id,displayName,userPrincipalName,accountEnabled"
	if objectID.MatchString(typed) || strings.Contains(typed, "@") {
		return x.get("/v1.0/users/" + url.PathEscape(typed) + sel)
	}
	o, err := x.get(query("/v1.0/users"+sel, "$filter", "displayName eq "+quoted(typed)+" or startswith(userPrincipalName,"+quoted(typed+"@")+")", "$top", "20"))
	if err != nil {
		return nil, err
	}
	return choose("user", typed, objects(o), "id", "userPrincipalName", "displayName")
}

func objects(o map[string]any) []map[string]any {
	items, _ := o["value"].([]any)
	var out []map[string]any
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func (x *call) group(typed string) (map[string]any, error) {
	if objectID.MatchString(typed) {
		return x.get("/v1.0/groups/" + typed)
	}
	o, err := x.get(query("/v1.0/groups", "$filter", "displayName eq "+quoted(typed), "$top", "20"))
	if err != nil {
		return nil, err
	}
	return choose("group", typed, objects(o), "id", "displayName", "description")
}

func (x *call) app(typed string) (map[string]any, error) {
	filter := "displayName eq " + quoted(typed)
	if objectID.MatchString(typed) {
		filter = "id eq " + quoted(typed) + " or appId eq " + quoted(typed)
	}
	o, err := x.get(query("/v1.0/applications", "$filter", filter, "$top", "20"))
	if err != nil {
		return nil, err
	}
	return choose("application", typed, objects(o), "appId", "displayName")
}

func (x *call) role(typed string) (map[string]any, error) {
	o, err := x.get("/v1.0/directoryRoles")
	if err != nil {
		return nil, err
	}
	var exact, begins []map[string]any
	for _, r := range objects(o) {
		name := strings.ToLower(text(r, "displayName"))
		switch t := strings.ToLower(typed); {
		case name == t || text(r, "id") == t:
			exact = append(exact, r)
		case strings.HasPrefix(name, t):
			begins = append(begins, r)
		}
	}
	if exact != nil {
		begins = exact
	}
	return choose("role", typed, begins, "id", "displayName")
}
