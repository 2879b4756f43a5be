package graph

import (
	"encoding/json"
	"strings"

	"cardea/internal/directory"
)

// openAPI is the description of one version in OpenAPI 3.0. Each operation says
// in x-cardea-access what its caller needs.
func openAPI(version string, routes []route) ([]byte, error) {
	k := kindsOf(routes)
	schemas := map[string]any{
		"error": anyOf("object", "properties", map[string]any{"error": anyOf("object", "properties", map[string]any{
			"code": anyOf("string"), "message": anyOf("string"), "innerError": anyOf("object"),
			"details": anyOf("array", "items", anyOf("object"))})}, "required", []string{"error"}),
	}
	for _, of := range k.list {
		members := map[string]any{}
		for _, f := range of.Members {
			members[f.Name] = f.schema()
		}
		schemas["microsoft.graph."+of.Name] = anyOf("object", "properties", members)
	}
	paths := map[string]any{}
	for _, r := range routes {
		item, ok := paths[r.Path].(map[string]any)
		if !ok {
			item = map[string]any{}
			if p := parameters(r.pattern); p != nil {
				item["parameters"] = p
			}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = k.operation(r)
	}
	return json.Marshal(map[string]any{
		"openapi": "3.0.3",
		"info":    map[string]any{"title": "Cardea", "version": version, "description": "Identity and passkeys, compatible with Microsoft Graph. Made from the table of routes."},
		"servers": []any{map[string]any{"url": "/" + version}},
		"paths":   paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{
			"bearer": map[string]any{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}},
		"security": []any{map[string]any{"bearer": []string{}}},
	})
}

// anyOf is a schema of a basic type with further pairs of names and values.
func anyOf(kind string, more ...any) map[string]any {
	s := map[string]any{"type": kind}
	for i := 0; i+1 < len(more); i += 2 {
		s[more[i].(string)] = more[i+1]
	}
	return s
}

func schemaRef(name string) map[string]any {
	return map[string]any{"$ref": "#/components/schemas/" + name}
}

func (f field) schema() map[string]any {
	var s map[string]any
	switch {
	case f.Of != nil:
		s = schemaRef("microsoft.graph." + f.Of.Name)
		if f.Nullable && !f.Many {
			return map[string]any{"nullable": true, "allOf": []any{s}}
		}
	case f.Basic == "Boolean":
		s = anyOf("boolean")
	case f.Basic == "Int64":
		s = anyOf("integer", "format", "int64")
	case f.Basic == "Double":
		s = anyOf("number", "format", "double")
	case f.Basic == "DateTimeOffset":
		s = anyOf("string", "format", "date-time")
	case f.Basic == "Binary":
		s = anyOf("string", "format", "byte")
	case f.Basic == "Untyped":
		s = map[string]any{}
	default:
		s = anyOf("string")
	}
	if f.Many {
		s = anyOf("array", "items", s)
	}
	if f.Nullable {
		s["nullable"] = true
	}
	return s
}

func parameters(pattern []string) []any {
	var out []any
	for _, s := range pattern {
		if strings.HasPrefix(s, "{") {
			out = append(out, map[string]any{"name": strings.Trim(s, "{}"), "in": "path", "required": true, "schema": anyOf("string")})
		}
	}
	return out
}

func (k *kinds) operation(r route) map[string]any {
	op := map[string]any{"operationId": operationID(r), "tags": []string{r.pattern[0]}, "x-cardea-access": access(r.Access)}
	if r.takes != nil || r.Method == "POST" || r.Method == "PATCH" || r.Method == "PUT" {
		op["requestBody"] = map[string]any{"content": jsonContent(answerOf(k.taken(r), false))}
	}
	if r.many {
		var options []any
		for _, name := range []string{"$filter", "$search", "$orderby", "$select", "$expand", "$top", "$count", "$skiptoken", "$format"} {
			options = append(options, map[string]any{"name": name, "in": "query", "schema": anyOf("string")})
		}
		op["parameters"] = options
	}
	done := map[string]any{"description": "What was asked for."}
	switch {
	case strings.HasSuffix(r.Path, "/$count"):
		done["content"] = map[string]any{"text/plain": map[string]any{"schema": anyOf("integer", "format", "int64")}}
	case r.gives != nil:
		done["content"] = jsonContent(answerOf(k.given(r), r.many))
	case r.Method == "GET" || r.batch:
		done["content"] = jsonContent(anyOf("object"))
	}
	op["responses"] = map[string]any{"2XX": done, "4XX": map[string]any{"description": "Why not, by name.", "content": jsonContent(schemaRef("error"))},
		"5XX": map[string]any{"description": "The server could not answer.", "content": jsonContent(schemaRef("error"))}}
	return op
}

// answerOf is the schema of a kind, nil if the table does not say which; a list
// stands in value.
func answerOf(of *kind, many bool) map[string]any {
	s := anyOf("object")
	if of != nil {
		s = schemaRef("microsoft.graph." + of.Name)
	}
	if !many {
		return s
	}
	return anyOf("object", "required", []string{"value"}, "properties", map[string]any{
		"@odata.context": anyOf("string"), "@odata.count": anyOf("integer", "format", "int64"), "@odata.nextLink": anyOf("string"),
		"value": anyOf("array", "items", s)})
}

func jsonContent(schema map[string]any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// operationID is the call as one word: "GET /users/{user}" is "get.users.user".
func operationID(r route) string {
	words := make([]string, len(r.pattern))
	for i, s := range r.pattern {
		words[i] = strings.Trim(s, "{}$")
		if strings.HasPrefix(s, "{") {
			words[i] = "by-" + words[i]
		}
	}
	return strings.ToLower(r.Method) + "." + strings.Join(words, ".")
}

func access(a Access) map[string]any {
	names := make([]string, len(a.Roles))
	for i, id := range a.Roles {
		names[i] = directory.RoleName(id)
	}
	out := map[string]any{"scopes": a.Scopes, "ownObject": a.Own, "roles": names, "applications": a.Apps}
	if a.Apps == nil {
		out["applications"] = a.Scopes
	}
	for name, v := range out {
		if list, ok := v.([]string); ok && len(list) == 0 {
			delete(out, name)
		}
	}
	return out
}
