package passkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"cardea/internal/problem"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

type patchRow struct {
	Rule, Name, After, Body, Profile, Deleted string
	Has, Error, At, Says                      string
	Warns                                     []string
}

// targetsBut knows the targets of testdata/patch.yaml, but for one that was deleted.
func targetsBut(deleted string) func(kind, id string) bool {
	return func(kind, id string) bool {
		switch kind + " " + id {
		case "group engineering", "group office", "user ada", "role administrators":
			return id != deleted
		}
		return false
	}
}

// counter gives GUIDs in a known order.
func counter() func() string {
	n := 0
	return func() string { n++; return fmt.Sprintf("11111111-0000-4000-8000-%012d", n) }
}

// body is the row's body; a row with only a profile sends the default profile
// and that one.
func (row patchRow) body(t *testing.T) []byte {
	if row.Profile == "" {
		return []byte(row.Body)
	}
	return []byte(`{"passkeyProfiles": [` + asJSON(t, Default().PasskeyProfiles[0]) + `, ` + row.Profile + `]}`)
}

// TestPatch runs testdata/patch.yaml: PK-4, PK-11 to PK-36, PK-181.
func TestPatch(t *testing.T) {
	data, err := os.ReadFile("testdata/patch.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Rows, Imports []patchRow }
	if err := yaml.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) < 50 || len(table.Imports) < 5 {
		t.Fatalf("only %d and %d rows were read", len(table.Rows), len(table.Imports))
	}
	named := map[string]Configuration{"": Default()}
	for _, row := range table.Rows {
		t.Run(row.Rule, func(t *testing.T) {
			c, ok := row.run(t, named, Configuration.Patched)
			if ok && row.Name != "" {
				named[row.Name] = c
			}
		})
	}
	for _, row := range table.Imports {
		t.Run("import "+row.Rule, func(t *testing.T) { row.run(t, named, Configuration.Imported) })
	}
}

type change func(Configuration, []byte, func(string, string) bool, func() string) (Configuration, []Warning, error)

func (row patchRow) run(t *testing.T, named map[string]Configuration, do change) (Configuration, bool) {
	start, ok := named[row.After]
	if !ok {
		t.Fatalf("no row is named %q", row.After)
	}
	before := asJSON(t, start)
	got, warnings, err := do(start, row.body(t), targetsBut(row.Deleted), counter())
	if after := asJSON(t, start); after != before {
		t.Errorf("the change wrote to the old document:\n%s", cmp.Diff(before, after))
	}
	if row.Error != "" {
		e, ok := errors.AsType[*problem.Error](err)
		if !ok || e.Kind != problem.Invalid || e.Code != row.Error || e.Target != row.At {
			t.Fatalf("error %v, want %s at %q", err, row.Error, row.At)
		}
		if e.Detail == "" || !strings.Contains(e.Detail, row.Says) {
			t.Errorf("detail %q does not say %q", e.Detail, row.Says)
		}
		if !reflect.DeepEqual(got, Configuration{}) || warnings != nil {
			t.Error("a refused change returns something")
		}
		return got, false
	}
	if err != nil {
		t.Fatal(err)
	}
	if row.Has == "" {
		t.Fatal("the row expects nothing")
	}
	var want, have any
	if err := json.Unmarshal([]byte(row.Has), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(asJSON(t, got)), &have); err != nil {
		t.Fatal(err)
	}
	if at := lacks(have, want, ""); at != "" {
		t.Errorf("at %s: got\n%s\nwant\n%s", at, asJSON(t, got), row.Has)
	}
	var warns []string
	for _, w := range warnings {
		if w.Header() != fmt.Sprintf("299 cardea %q", w.Code+": "+w.Target) || w.Message == "" {
			t.Errorf("warning %+v", w)
		}
		warns = append(warns, w.Code+": "+w.Target)
	}
	if diff := cmp.Diff(row.Warns, warns); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	return got, true
}

// lacks gives the place where have has not what want asks for, "" if there is none.
func lacks(have, want any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return at + "/"
		}
		for k, v := range w {
			if _, ok := h[k]; !ok {
				return at + "/" + k
			}
			if at := lacks(h[k], v, at+"/"+k); at != "" {
				return at
			}
		}
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return at + "/"
		}
		for i := range w {
			if at := lacks(h[i], w[i], fmt.Sprintf("%s/%d", at, i)); at != "" {
				return at
			}
		}
	default:
		if have != want {
			return at + "/"
		}
	}
	return ""
}

// TestDefault fixes the document of a fresh Cardea, member by member (PK §1.3
// to §1.7, PK-9, PK-13).
func TestDefault(t *testing.T) {
	want := `{"id":"Fido2","state":"enabled","isSelfServiceRegistrationAllowed":true,"isAttestationEnforced":false,` +
		`"keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]},` +
		`"defaultPasskeyProfile":"00000000-0000-0000-0000-000000000001","excludeTargets":[],` +
		`"includeTargets":[{"targetType":"group","id":"all_users","isRegistrationRequired":false,"allowedPasskeyProfiles":["00000000-0000-0000-0000-000000000001"]}],` +
		`"passkeyProfiles":[{"id":"00000000-0000-0000-0000-000000000001","name":"Default passkey profile","passkeyTypes":"deviceBound,synced","attestationEnforcement":"disabled",` +
		`"keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]}}]}`
	got, err := json.Marshal(Default())
	if err != nil || string(got) != want {
		t.Errorf("%s\nwant\n%s (%v)", got, want, err)
	}
	if w := Default().Warnings(targetsBut("")); len(w) != 0 {
		t.Errorf("warnings %v", w)
	}
}

func TestDecode(t *testing.T) {
	stored, err := json.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Decode(stored)
	if diff := cmp.Diff(Default(), c); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for name, damaged := range map[string]string{
		"not JSON":           `{"state"`,
		"no default profile": `{"state":"enabled","passkeyProfiles":[]}`,
		"no state":           strings.Replace(string(stored), `"enabled"`, `""`, 1),
		"no types":           strings.Replace(string(stored), `"deviceBound,synced"`, `""`, 1),
		"unknown profile":    strings.Replace(string(stored), `["00000000-0000-0000-0000-000000000001"]`, `["00000000-0000-0000-0000-000000000002"]`, 1),
	} {
		if _, err := Decode([]byte(damaged)); err == nil || problem.KindOf(err) != problem.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyProfilesPatched_PK43_PK44: a policy of thousands of profiles on one
// target is as good as a small one; echoed, it is the same.
func TestManyProfilesPatched_PK43_PK44(t *testing.T) {
	c := Default()
	for i := range 5000 {
		p := profileRow{Types: onlySynced, Allow: &[]string{"X"}}.profile(fmt.Sprintf("P%d", i))
		c.PasskeyProfiles = append(c.PasskeyProfiles, p)
		c.IncludeTargets[0].AllowedPasskeyProfiles = append(c.IncludeTargets[0].AllowedPasskeyProfiles, p.ID)
	}
	got, warnings, err := Default().Patched([]byte(asJSON(t, c)), targetsBut(""), counter())
	if diff := cmp.Diff(c, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if len(warnings) != maxNotes {
		t.Errorf("%d warnings", len(warnings))
	}
}

// TestSnapshotIsACopy: what is done to a document later does not reach the
// snapshot, nor the other way round.
func TestSnapshotIsACopy(t *testing.T) {
	c := Default().Clone()
	s := Compile(c)
	c.PasskeyProfiles[0].PasskeyTypes = onlyDeviceBound
	c.IncludeTargets[0].AllowedPasskeyProfiles[0] = "changed"
	s.Configuration().PasskeyProfiles[0].Name = "changed"
	if diff := cmp.Diff(Default(), s.Configuration()); diff != "" {
		t.Error(diff)
	}
	if d := Allowed(SignIn, Facts{Type: Synced}, nil, adele, s); !d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestTypes_PK81_PK11(t *testing.T) {
	if TypeOf(true) != Synced || TypeOf(false) != DeviceBound {
		t.Error("PK-81")
	}
	for want, s := range map[string]TypeSet{"": SetOf(), "deviceBound": SetOf(DeviceBound), "synced": SetOf(Synced), "deviceBound,synced": SetOf(Synced, DeviceBound)} {
		if s.String() != want || s.Has("") || s.Has("unknownFutureValue") {
			t.Errorf("%q: %q", want, s)
		}
	}
}

func TestCovers_PK181(t *testing.T) {
	list := func(kind EnforcementType, ids ...string) KeyRestrictions {
		return KeyRestrictions{IsEnforced: true, EnforcementType: kind, AaGuids: ids}
	}
	open := Profile{PasskeyTypes: bothTypes, AttestationEnforcement: AttestationDisabled}
	with := func(change func(*Profile)) Profile { p := open; change(&p); return p }
	attested := with(func(p *Profile) { p.AttestationEnforcement = AttestationRegistrationOnly })
	synced := with(func(p *Profile) { p.PasskeyTypes = onlySynced })
	allowX := with(func(p *Profile) { p.KeyRestrictions = list(Allow, modelX) })
	allowXY := with(func(p *Profile) { p.KeyRestrictions = list(Allow, modelX, modelY) })
	blockX := with(func(p *Profile) { p.KeyRestrictions = list(Block, modelX) })
	blockXY := with(func(p *Profile) { p.KeyRestrictions = list(Block, modelX, modelY) })
	blockY := with(func(p *Profile) { p.KeyRestrictions = list(Block, modelY) })
	blockNone := with(func(p *Profile) { p.KeyRestrictions = list(Block) })
	for _, tt := range []struct {
		name           string
		p, q           Profile
		pCoversQ, back bool
	}{
		{"itself", open, open, true, true},
		{"attestation", open, attested, true, false},
		{"types", open, synced, true, false},
		{"crossed", attested, synced, false, false},
		{"allow in open", open, allowX, true, false},
		{"allow in allow", allowXY, allowX, true, false},
		{"block in open", open, blockX, true, false},
		{"block in block", blockX, blockXY, true, false},
		{"blocks apart", blockX, blockY, false, false},
		{"allow in block", blockY, allowX, true, false},
		{"allow against its block", blockX, allowX, false, false},
		{"empty block is open", blockNone, open, true, true},
	} {
		if got, back := tt.p.covers(tt.q), tt.q.covers(tt.p); got != tt.pCoversQ || back != tt.back {
			t.Errorf("%s: %v, back %v", tt.name, got, back)
		}
	}
}

// FuzzPatched: whatever is sent, the answer is either a problem of kind Invalid
// that says something, or a document that survives storing and reading, keeps
// the promises of Configuration, and that its own GET body does not change.
func FuzzPatched(f *testing.F) {
	data, err := os.ReadFile("testdata/patch.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var table struct{ Rows, Imports []patchRow }
	if err := yaml.Unmarshal(data, &table); err != nil {
		f.Fatal(err)
	}
	for _, row := range append(table.Rows, table.Imports...) {
		f.Add([]byte(row.Body))
	}
	f.Add([]byte(`{"passkeyProfiles":[null],"includeTargets":[null]}`))
	f.Add([]byte("{\"keyRestrictions\":{\"isEnforced\":true,\"enforcementType\":\"ALLOW\",\"aaGuids\":null}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, do := range []change{Configuration.Patched, Configuration.Imported} {
			c, _, err := do(Default(), body, targetsBut(""), counter())
			if err != nil {
				e, ok := errors.AsType[*problem.Error](err)
				if !ok || e.Kind != problem.Invalid || e.Detail == "" || e.Code == "" {
					t.Fatalf("error %#v", err)
				}
				continue
			}
			stored, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(stored)
			if err != nil {
				t.Fatalf("%s: %v", stored, err)
			}
			if diff := cmp.Diff(c, again); diff != "" {
				t.Fatalf("stored and read (-was +is):\n%s", diff)
			}
			if d, ok := c.Profile(DefaultProfileID); !ok || c.IsAttestationEnforced != (d.AttestationEnforcement == AttestationRegistrationOnly) || !cmp.Equal(c.KeyRestrictions, d.KeyRestrictions) {
				t.Fatalf("the mirror is wrong: %s", stored)
			}
			if bytes.Contains(stored, []byte("null")) && !bytes.Contains(body, []byte("null")) {
				t.Fatalf("a null that nobody sent: %s", stored)
			}
			echoed, _, err := c.Patched(stored, targetsBut(""), counter())
			if err != nil || !cmp.Equal(c, echoed) {
				t.Fatalf("%s: echo gives %v", stored, err)
			}
			Compile(c)
		}
	})
}
