package graph

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestOpenAPIIsTheRouteTable: the served document is valid OpenAPI, and has
// every call of the table and nothing else.
func TestOpenAPIIsTheRouteTable(t *testing.T) {
	all := newAPI(Config{Now: time.Now})
	for _, version := range []string{"v1.0", "beta"} {
		text := served(t, all, "/"+version+"/openapi.json", "application/json")
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(context.Background()); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		calls := map[string]bool{}
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				calls[method+" "+path] = true
				if len(op.Extensions) == 0 {
					t.Errorf("%s %s says nothing about access", method, path)
				}
			}
		}
		for _, r := range all.routes {
			call := r.Method + " " + r.Path
			if want := !r.beta || version == "beta"; calls[call] != want {
				t.Errorf("%s: %s is in the document: %v", version, call, calls[call])
			}
			delete(calls, call)
		}
		for call := range calls {
			t.Errorf("%s: no route does %s", version, call)
		}
	}
}

// TestMetadata: $metadata is public well-formed CSDL, its types resolve, and
// the sets that people ask for are in it.
func TestMetadata(t *testing.T) {
	all := newAPI(Config{Now: time.Now})
	for _, version := range []string{"v1.0", "Beta"} {
		var doc struct {
			Schemas []struct {
				EntityType, ComplexType []struct {
					Name                         string `xml:",attr"`
					Property, NavigationProperty []struct {
						Name string `xml:",attr"`
						Type string `xml:",attr"`
					}
				}
				Action, Function []struct {
					Name      string `xml:",attr"`
					Parameter []struct {
						Name string `xml:",attr"`
						Type string `xml:",attr"`
					}
					ReturnType struct {
						Type string `xml:",attr"`
					}
				}
				EntityContainer struct {
					EntitySet []struct {
						Name       string `xml:",attr"`
						EntityType string `xml:",attr"`
					}
					Singleton []struct {
						Name string `xml:",attr"`
						Type string `xml:",attr"`
					}
				}
			} `xml:"DataServices>Schema"`
		}
		if err := xml.Unmarshal(served(t, all, "/"+version+"/$metadata", "application/xml"), &doc); err != nil {
			t.Fatal(err)
		}
		if len(doc.Schemas) != 2 || len(doc.Schemas[1].Action) == 0 {
			t.Fatalf("%d schemas", len(doc.Schemas))
		}
		graphs, own := doc.Schemas[0], doc.Schemas[1]
		types := map[string]bool{}
		for _, of := range append(graphs.EntityType, graphs.ComplexType...) {
			if types[of.Name] {
				t.Errorf("%s twice", of.Name)
			}
			types[of.Name] = true
		}
		resolves := func(where, name string) {
			t.Helper()
			name = strings.TrimSuffix(strings.TrimPrefix(name, "Collection("), ")")
			if own, ok := strings.CutPrefix(name, "microsoft.graph."); ok && !types[own] || !ok && !strings.HasPrefix(name, "Edm.") {
				t.Errorf("%s: no type %q", where, name)
			}
		}
		ways := map[string]string{}
		for _, of := range append(graphs.EntityType, graphs.ComplexType...) {
			seen := map[string]bool{}
			for _, p := range append(of.Property, of.NavigationProperty...) {
				resolves(of.Name+"."+p.Name, p.Type)
				if seen[p.Name] {
					t.Errorf("%s has %s twice", of.Name, p.Name)
				}
				seen[p.Name], ways[of.Name+"."+p.Name] = true, p.Type
			}
		}
		for _, c := range slices.Concat(graphs.Action, graphs.Function, own.Action, own.Function) {
			if strings.Contains(c.Name, ".") {
				t.Errorf("%s is no name", c.Name)
			}
			for _, p := range c.Parameter {
				resolves(c.Name+" "+p.Name, p.Type)
			}
			if c.ReturnType.Type != "" {
				resolves(c.Name, c.ReturnType.Type)
			}
		}
		sets := map[string]string{}
		for _, s := range graphs.EntityContainer.EntitySet {
			resolves(s.Name, s.EntityType)
			sets[s.Name] = s.EntityType
		}
		for _, s := range graphs.EntityContainer.Singleton {
			resolves(s.Name, s.Type)
			sets[s.Name] = s.Type
		}
		for _, r := range all.routes { // every root of the table
			if root := r.pattern[0]; !strings.HasPrefix(root, "$") && (!r.beta || version == "Beta") && sets[root] == "" {
				t.Errorf("%s: no set or singleton %q", version, root)
			}
		}
		for name, want := range map[string]string{"users": "microsoft.graph.user", "groups": "microsoft.graph.group", "applications": "microsoft.graph.application", "directoryRoleTemplates": "microsoft.graph.directoryRoleTemplate"} {
			if sets[name] != want {
				t.Errorf("%s is of type %q", name, sets[name])
			}
		}
		for name, want := range map[string]string{"user.displayName": "Edm.String", "user.accountEnabled": "Edm.Boolean", "user.createdDateTime": "Edm.DateTimeOffset", "authentication.phoneMethods": "Collection(microsoft.graph.phoneAuthenticationMethod)", "group.members": "Collection(microsoft.graph.directoryObject)", "rbacApplication.roleAssignments": "Collection(microsoft.graph.unifiedRoleAssignment)", "authentication.fido2Methods": "Collection(microsoft.graph.fido2AuthenticationMethod)"} {
			if ways[name] != want {
				t.Errorf("%s is of type %q, want %q", name, ways[name], want)
			}
		}
	}
}

// served asks for a document without a token.
func served(t *testing.T, a *api, path, kind string) []byte {
	t.Helper()
	rec := httptest.NewRecorder()
	a.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != kind || rec.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%s: %d %v", path, rec.Code, rec.Header())
	}
	return rec.Body.Bytes()
}
