package application_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cardea/internal/application"
	"cardea/internal/odata"
)

func query(top int) odata.Query { return odata.Query{Top: top} }

// FuzzIdentifier: an identifier URI that is accepted has no blank and no
// fragment, so that a scope can follow it, and never names Graph.
func FuzzIdentifier(f *testing.F) {
	for _, s := range []string{"api://x", "https://graph.microsoft.com", "https://GRAPH.microsoft.com./x", "urn:a:b", "api:// x", "api://00000003-0000-0000-c000-000000000000/y", "https://a@graph.microsoft.com", "https://x#y", "https://x?y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		a := application.Application{DisplayName: "x", SignInAudience: "AzureADMyOrg", Document: application.Document{IdentifierURIs: []string{uri}}}
		if a.Check() != nil {
			return
		}
		lower := strings.ToLower(uri)
		if strings.ContainsAny(uri, " \t\n#?*") || !strings.Contains(uri, ":") || strings.HasPrefix(lower, "https://graph.microsoft.com/") || lower == "https://graph.microsoft.com" || strings.HasPrefix(lower, "api://00000003-0000-0000-c000-000000000000") {
			t.Fatalf("%q is accepted", uri)
		}
	})
}

// FuzzExtra: what is read from the member cardea is read again the same, and
// members that it does not have are refused (DO-51).
func FuzzExtra(f *testing.F) {
	for _, s := range []string{`{}`, `{"applicationPermissions":["a"]}`, `{"DelegatedPermissions":null}`, `{"shoe":1}`, `[]`, `{"postLogoutRedirectUris":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again application.Extra
		if json.Unmarshal(b, &e) != nil {
			return
		}
		var sent map[string]json.RawMessage
		if json.Unmarshal(b, &sent) == nil && len(sent) > 0 {
			known := 0
			for name := range sent {
				switch strings.ToLower(name) {
				case "postlogoutredirecturis", "idtokensigningalgorithm", "applicationpermissions", "delegatedpermissions":
					known++
				}
			}
			if known != len(sent) {
				t.Fatalf("%s is accepted", b)
			}
		}
		out, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || text(t, again) != string(out) {
			t.Fatalf("%s came back as %s, %v", out, text(t, again), err)
		}
	})
}
