package condaccess

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/directory"
	"cardea/internal/problem"

	"github.com/google/go-cmp/cmp"
)

// world is what the tables know to exist.
func world(breakGlass string) World {
	return World{
		Known: func(k Kind, id string) bool {
			switch k {
			case KindUser:
				return id == "ada"
			case KindGroup:
				return id == "staff"
			case KindRole:
				return directory.RoleName(id) != ""
			case KindStrength:
				return id == "keys" || strings.HasPrefix(id, "00000000-")
			case KindServicePrincipal:
				return id == "robot"
			case KindApplication:
				return id == apps["mail"]
			}
			return false
		},
		Location: func(id string) *NamedLocation {
			if i := slices.IndexFunc(locations, func(l NamedLocation) bool { return l.ID == id }); i >= 0 {
				return &locations[i]
			}
			return nil
		},
		BreakGlass: breakGlass,
	}
}

// TestWriting runs testdata/writing.yaml.
func TestWriting(t *testing.T) {
	var table struct {
		Usual tree
		Rows  []struct {
			Rule       string
			Body       tree
			Error      string
			At         string
			Says       string
			Has        tree
			Warns      *[]string
			BreakGlass string `yaml:"breakGlass"`
		}
	}
	readTable(t, "writing.yaml", &table)
	if len(table.Rows) < 100 {
		t.Fatalf("only %d rows were read", len(table.Rows))
	}
	for _, row := range table.Rows {
		t.Run(row.Rule, func(t *testing.T) {
			sent := over(table.Usual, row.Body)
			b, err := json.Marshal(sent)
			if err != nil {
				t.Fatal(err)
			}
			for name, id := range apps {
				b = []byte(strings.ReplaceAll(string(b), `"`+name+`"`, `"`+id+`"`))
			}
			w := world(row.BreakGlass)
			p, err := ReadPolicy(b)
			if err == nil {
				err = p.Check(w)
			}
			if row.Error != "" {
				refused(t, err, row.Error, row.At, row.Says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Has != nil {
				contains(t, "", row.Has, plain(t, p))
			}
			if row.Warns != nil {
				got := []string{}
				for _, warn := range p.Warnings(w) {
					got = append(got, warn.Code+" "+warn.Target)
					if !strings.HasPrefix(warn.Header(), `299 cardea "`+warn.Code) || warn.Message == "" {
						t.Errorf("header %s, message %q", warn.Header(), warn.Message)
					}
				}
				if !slices.Equal(got, *row.Warns) {
					t.Errorf("warns %q, want %q", got, *row.Warns)
				}
			}
			lossless(t, p)
		})
	}
}

func refused(t testing.TB, err error, code, at, says string) {
	t.Helper()
	e, ok := err.(*problem.Error)
	if !ok || e.Kind != problem.Invalid || e.Code != code || e.Target != at || !strings.Contains(e.Detail, says) {
		t.Errorf("%#v, want %s at %s", err, code, at)
		return
	}
	if e.Detail == "" || e.Detail[0] < '1' || e.Detail[0] > '9' {
		t.Errorf("the message has no number: %q", e.Detail)
	}
}

// plain is v as JSON decodes it.
func plain(t testing.TB, v any) tree {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out tree
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// contains: objects may have more members than want, lists must be the same.
func contains(t testing.TB, at string, want, got any) {
	t.Helper()
	w, ok := want.(tree)
	if !ok {
		b, _ := json.Marshal(want)
		g, _ := json.Marshal(got)
		if string(b) != string(g) {
			t.Errorf("%s: %s, want %s", at, g, b)
		}
		return
	}
	g, ok := got.(tree)
	if !ok {
		t.Errorf("%s: %v, want an object", at, got)
		return
	}
	for name, x := range w {
		if _, ok := g[name]; !ok {
			t.Errorf("%s has no %s", at, name)
		}
		contains(t, at+"/"+name, x, g[name])
	}
}

// lossless: what GET writes is a valid POST and PATCH, and reads back the same
// (CA-11); so does what is stored.
func lossless(t testing.TB, p Policy) {
	t.Helper()
	then := time.Date(2026, 10, 4, 15, 53, 14, 179057600, time.UTC)
	p.ID, p.CreatedDateTime, p.Version = "75d01079-0000-4000-8000-78fdd7c641f2", &then, 3
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadPolicy(got)
	if err != nil {
		t.Fatalf("GET cannot be posted: %v\n%s", err, got)
	}
	want := plain(t, p)
	for name, x := range map[string]any{"id": "", "createdDateTime": nil} {
		want[name] = x
	}
	if diff := cmp.Diff(want, plain(t, again)); diff != "" {
		t.Errorf("POST of GET:\n%s", diff)
	}
	patched, err := p.Patched(got)
	if err != nil {
		t.Fatalf("GET cannot be patched: %v\n%s", err, got)
	}
	if !reflect.DeepEqual(p, patched) {
		t.Errorf("PATCH of GET:\n%s", cmp.Diff(plain(t, p), plain(t, patched)))
	}
	if nothing, err := p.Patched([]byte(`{}`)); err != nil || !reflect.DeepEqual(p, nothing) {
		t.Errorf("PATCH of nothing: %v", err)
	}
	stored, err := encodePolicy(p)
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodePolicy(stored)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p, back.as(p)) {
		t.Errorf("stored:\n%s", cmp.Diff(plain(t, p), plain(t, back.as(p))))
	}
}

// TestPatch: CA-15, CA-11.
func TestPatch(t *testing.T) {
	base := `{"displayName":"P","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["ada"],"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest","externalTenants":{"membershipKind":"enumerated","members":["x"]}}},"applications":{"includeApplications":["All"]},"platforms":{"includePlatforms":["all"]}},
		"grantControls":{"operator":"AND","builtInControls":["mfa","compliantDevice"]},"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":4},"persistentBrowser":{"isEnabled":true,"mode":"never"}}}`
	p, err := ReadPolicy([]byte(base))
	if err != nil {
		t.Fatal(err)
	}
	made := time.Date(2026, 10, 4, 15, 53, 14, 0, time.UTC)
	p.ID, p.CreatedDateTime = "75d01079-0000-4000-8000-78fdd7c641f2", &made
	for _, row := range []struct{ name, body, has, code, at string }{
		{"members merge", `{"conditions":{"users":{"excludeGroups":["staff"]}}}`, `{"conditions":{"users":{"includeUsers":["All"],"excludeUsers":["ada"],"excludeGroups":["staff"]},"platforms":{"includePlatforms":["all"]}}}`, "", ""},
		{"lists are replaced whole", `{"conditions":{"users":{"excludeUsers":["bob"]}}}`, `{"conditions":{"users":{"excludeUsers":["bob"]}}}`, "", ""},
		{"null clears a condition", `{"conditions":{"platforms":null}}`, `{"conditions":{"platforms":null}}`, "", ""},
		{"null clears a list", `{"conditions":{"users":{"excludeUsers":null}}}`, `{"conditions":{"users":{"excludeUsers":[]}}}`, "", ""},
		{"null clears the frequency", `{"sessionControls":{"signInFrequency":null}}`, `{"sessionControls":{"signInFrequency":null,"persistentBrowser":{"mode":"never"}}}`, "", ""},
		{"null clears session controls", `{"sessionControls":null}`, `{"sessionControls":null}`, "", ""},
		{"another sort of tenants", `{"conditions":{"users":{"includeGuestsOrExternalUsers":{"externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}}}}}`, `{"conditions":{"users":{"includeGuestsOrExternalUsers":{"externalTenants":{"membershipKind":"all"}}}}}`, "", ""},
		{"state", `{"state":"enabledForReportingButNotEnforced"}`, `{"state":"enabledForReportingButNotEnforced"}`, "", ""},
		{"everyTime replaces the number", `{"sessionControls":{"signInFrequency":{"frequencyInterval":"everyTime","type":null,"value":null}}}`, `{"sessionControls":{"signInFrequency":{"frequencyInterval":"everyTime","value":null}}}`, "", ""},
		{"everyTime beside the number", `{"sessionControls":{"signInFrequency":{"frequencyInterval":"everyTime"}}}`, ``, "invalidMember", "/sessionControls/signInFrequency/value"},
		{"id as it is", `{"id":"75D01079-0000-4000-8000-78fdd7c641f2","createdDateTime":"2026-10-04T15:53:14.000Z","modifiedDateTime":null}`, `{"displayName":"P"}`, "", ""},
		{"id changed", `{"id":"85d01079-0000-4000-8000-78fdd7c641f2"}`, ``, "readOnlyMember", "/id"},
		{"date changed", `{"createdDateTime":"2026-10-04T15:53:15Z"}`, ``, "readOnlyMember", "/createdDateTime"},
		{"date invented", `{"modifiedDateTime":"2026-10-04T15:53:15Z"}`, ``, "readOnlyMember", "/modifiedDateTime"},
		{"nonsense", `{"state":`, ``, "invalidMember", ""},
		{"more than one object", `{} {}`, ``, "invalidMember", ""},
		{"a list", `[]`, ``, "invalidMember", ""},
		{"null", `null`, ``, "invalidMember", ""},
		{"whole sense", `{"grantControls":{"builtInControls":["block","mfa"]}}`, ``, "blockNotAlone", "/grantControls/builtInControls"},
		{"nothing left", `{"grantControls":null,"sessionControls":null}`, ``, "missingControls", "/grantControls"},
	} {
		t.Run(row.name, func(t *testing.T) {
			before := plain(t, p)
			got, err := p.Patched([]byte(row.body))
			if diff := cmp.Diff(before, plain(t, p)); diff != "" {
				t.Errorf("the policy itself was changed:\n%s", diff)
			}
			if row.code != "" {
				refused(t, err, row.code, row.at, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want tree
			if err := json.Unmarshal([]byte(row.has), &want); err != nil {
				t.Fatal(err)
			}
			contains(t, "", want, plain(t, got))
			lossless(t, got)
		})
	}
}
