package graph

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// graphSchemaText is what Cardea needs of Graph's published description, made
// from it by TestGraphSchema. A line "type user aboutMe proxyAddresses[] …"
// lists the members of a type; "enum builtInControls riskRemediation …" lists
// the values that came to a member after unknownFutureValue, which clients see
// on demand only (DO-42).
//
//go:embed graphschema.txt
var graphSchemaText string

type graphSchema struct {
	types map[string]map[string]bool // members in lower case per type; true for lists
	names map[string]map[string]string
	later map[string][]string // per member: values after unknownFutureValue
	words map[string]bool     // all of those values
}

// graphs description, read once.
var described = sync.OnceValue(func() graphSchema {
	s := graphSchema{types: map[string]map[string]bool{}, names: map[string]map[string]string{}, later: map[string][]string{}, words: map[string]bool{}}
	for line := range strings.Lines(graphSchemaText) {
		f := strings.Fields(line)
		switch {
		case len(f) < 2:
		case f[0] == "type":
			s.types[f[1]], s.names[f[1]] = map[string]bool{}, map[string]string{}
			for _, m := range f[2:] {
				name, list := strings.CutSuffix(m, "[]")
				s.types[f[1]][strings.ToLower(name)] = list
				s.names[f[1]][strings.ToLower(name)] = name
			}
		case f[0] == "enum":
			s.later[f[1]] = f[2:]
			for _, w := range f[2:] {
				s.words[w] = true
			}
		}
	}
	return s
})

// typeOfSet are Graph's types by the name of the set, where it is not the
// Type of the Shape.
var typeOfSet = map[string]string{
	"users": "user", "groups": "group", "organization": "organization", "applications": "application", "servicePrincipals": "servicePrincipal",
	"directoryRoles": "directoryRole", "directoryRoleTemplates": "directoryRoleTemplate", "auditLogs/signIns": "signIn", "auditLogs/directoryAudits": "directoryAudit",
	"roleManagement/directory/roleDefinitions": "unifiedRoleDefinition", "roleManagement/directory/roleAssignments": "unifiedRoleAssignment",
	"oauth2PermissionGrants": "oAuth2PermissionGrant",
}

// kind is Graph's name of the type, "" if it is none of Graph's.
func (s Shape) kind() string {
	if s.Type != "" {
		return s.Type
	}
	return typeOfSet[s.Set]
}

// unstored is a member that Graph's type has and Cardea does not store: null,
// or an empty list (DO-6).
func unstored(kind, name string) (member, bool) {
	list, ok := described().types[kind][strings.ToLower(name)]
	if !ok {
		return member{}, false
	}
	value := json.RawMessage("null")
	if list {
		value = json.RawMessage("[]")
	}
	return member{described().names[kind][strings.ToLower(name)], value}, true
}

// holdsNewValue reports whether any text in a JSON document is a value that
// some enum got after unknownFutureValue. Most documents hold none, and need no
// closer look.
func holdsNewValue(raw []byte) bool {
	words := described().words
	from := -1
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			if from < 0 {
				from = i + 1
				continue
			}
			if n := i - from; n > 0 && n < 200 {
				text := raw[from:i]
				if words[string(text)] {
					return true
				}
				for part := range strings.SplitSeq(string(text), ",") {
					if len(part) < n && words[part] {
						return true
					}
				}
			}
			from = -1
		}
	}
	return false
}

// knownValue is a value of an enum member as clients know it. Flags are names
// with commas between them.
func knownValue(name, value string) string {
	later := described().later[name]
	if later == nil {
		return value
	}
	var out []string
	for part := range strings.SplitSeq(value, ",") {
		if slices.Contains(later, part) {
			part = "unknownFutureValue"
		}
		if !slices.Contains(out, part) {
			out = append(out, part)
		}
	}
	return strings.Join(out, ",")
}
