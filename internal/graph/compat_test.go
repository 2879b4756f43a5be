package graph

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"cardea/internal/directory"
)

const compatPath = "../../docs/graph-compat.md"

// TestCompatibilityTable keeps docs/graph-compat.md what the route table says:
// every call with what it needs. -update rewrites it.
func TestCompatibilityTable(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# The API

Cardea's API is compatible with Microsoft Graph for what it covers, under ` + "`/v1.0` and `/beta`" + ` alike. This table is
generated from the program (` + "`go test ./internal/graph -update`" + `): every call, and what the caller needs.

- An application needs one of the permissions. A person needs one of them as a scope of the token, and one of the roles
  (a Global Administrator has them all). With a scope of the column "own", people reach their own object without a role;
  ` + "`/me`" + ` stands for it in every path.
- Roles "–": every member of the organisation. Names with ` + "`cardea.`" + ` are our own.
- People with administrator roles are out of reach of Authentication and User Administrators where methods, user name,
  password or the switch of the account are concerned.
- Programs read the same table, without a token: OData's ` + "`/v1.0/$metadata`" + ` and OpenAPI's ` + "`/v1.0/openapi.json`" + `, and both
  below ` + "`/beta`" + `. What a call needs stands there as ` + "`x-cardea-access`" + `.

| Call | Permissions, least first | Own object | Roles |
|---|---|---|---|
`)
	for _, r := range resources() {
		permissions := r.Access.Scopes
		if r.Access.Apps != nil {
			permissions = append([]string{}, r.Access.Scopes...)
			for _, p := range r.Access.Apps {
				if !containsFold(permissions, p) {
					permissions = append(permissions, p)
				}
			}
		}
		names := []string{}
		for _, id := range r.Access.Roles {
			names = append(names, directory.RoleName(id))
		}
		roles := strings.Join(names, ", ")
		if roles == "" {
			roles = "–"
			if r.Access.Guests {
				roles = "– (guests too)"
			}
		}
		fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", r.Method, r.Path, strings.Join(permissions, ", "), strings.Join(r.Access.Own, ", "), roles)
	}
	b.WriteString(`
## Differences from Graph's description

Tests hold every JSON answer against the published description of Microsoft Graph. These members differ from it on purpose;
everything else fits.

| Type | Member | Why |
|---|---|---|
`)
	for _, d := range differences {
		kind := "`" + d.Type + "`"
		if d.Type == "*" {
			kind = "any"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", kind, d.Member, d.Reason)
	}
	if *update {
		if err := os.WriteFile(compatPath, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(compatPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Errorf("%s is not what the route table says; run: go test ./internal/graph -run CompatibilityTable -update", compatPath)
	}
}
