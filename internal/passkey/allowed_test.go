package passkey

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"cardea/internal/problem"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

const (
	modelX = "90a3ccdf-635c-4729-a248-9b709135078f"
	modelY = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"
	zero   = "00000000-0000-0000-0000-000000000000"
	adele  = "5f0c3f6e-1111-4222-8333-0123456789ab"
)

var models = map[string]string{"X": modelX, "Y": modelY, "zero": zero}

// model gives the AAGUID that a table calls X, Y or zero.
func model(t testing.TB, name string) AAGUID {
	a, ok := ParseAAGUID(models[name])
	if !ok {
		t.Fatalf("no model %q", name)
	}
	return a
}

// profileID makes a GUID out of the name of a profile in a table.
func profileID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return AAGUID(sum[:16]).String()
}

type profileRow struct {
	Types       TypeSet
	Attestation bool
	Allow       *[]string
	Block       *[]string
}

func (r profileRow) profile(name string) Profile {
	p := Profile{ID: profileID(name), Name: name, PasskeyTypes: r.Types, AttestationEnforcement: enforcement(r.Attestation)}
	p.KeyRestrictions.EnforcementType = Block
	for kind, list := range map[EnforcementType]*[]string{Allow: r.Allow, Block: r.Block} {
		if list != nil {
			p.KeyRestrictions = KeyRestrictions{IsEnforced: true, EnforcementType: kind}
			for _, m := range *list {
				p.KeyRestrictions.AaGuids = append(p.KeyRestrictions.AaGuids, models[m])
			}
		}
	}
	return p
}

type allowedRow struct {
	Rule            string
	Profiles        []string
	ExcludedThrough string `yaml:"excludedThrough"`
	Off             bool
	SelfServiceOff  bool   `yaml:"selfServiceOff"`
	AlsoByName      string `yaml:"alsoByName"`
	AlsoEverybody   string `yaml:"alsoEverybody"`
	Passkey         struct {
		Type    Type
		Model   string
		Trusted bool
		Cause   string
	}
	Op      string
	Allowed string
	State   Applicability
	Refused map[string][]string
	Code    string
}

// document builds a policy in which each profile of all has a group of its own.
func document(t testing.TB, all map[string]Profile) Configuration {
	c := Default()
	c.IncludeTargets = nil
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c.PasskeyProfiles = append(c.PasskeyProfiles, all[name])
		c.IncludeTargets = append(c.IncludeTargets, Target{TargetType: TargetGroup, ID: "group " + name, AllowedPasskeyProfiles: []string{all[name].ID}})
	}
	return c.settled()
}

var operations = map[string]Operation{"register": Register, "provision": Provision, "signIn": SignIn}

// TestAllowed runs testdata/allowed.yaml: PK-50 to PK-61 and the worked
// examples PK-66 to PK-80.
func TestAllowed(t *testing.T) {
	data, err := os.ReadFile("testdata/allowed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Profiles map[string]profileRow
		Rows     []allowedRow
	}
	if err := yaml.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) < 30 {
		t.Fatalf("only %d rows were read", len(table.Rows))
	}
	all := map[string]Profile{}
	for name, r := range table.Profiles {
		all[name] = r.profile(name)
	}
	for _, row := range table.Rows {
		t.Run(row.Rule, func(t *testing.T) { row.run(t, all) })
	}
}

func (row allowedRow) run(t *testing.T, all map[string]Profile) {
	c := document(t, all)
	memberOf := []string{"some other group"}
	for _, name := range row.Profiles {
		memberOf = append(memberOf, "group "+name)
	}
	switch row.ExcludedThrough {
	case "":
	case "the user":
		c.ExcludeTargets = append(c.ExcludeTargets, ExcludeTarget{TargetUser, adele})
	case AllUsers:
		c.ExcludeTargets = append(c.ExcludeTargets, ExcludeTarget{TargetGroup, AllUsers})
	default:
		c.ExcludeTargets = append(c.ExcludeTargets, ExcludeTarget{TargetGroup, row.ExcludedThrough})
		memberOf = append(memberOf, row.ExcludedThrough)
	}
	if row.AlsoByName != "" {
		c.IncludeTargets = append(c.IncludeTargets, Target{TargetType: TargetUser, ID: adele, AllowedPasskeyProfiles: []string{all[row.AlsoByName].ID}})
	}
	if row.AlsoEverybody != "" {
		c.IncludeTargets = append(c.IncludeTargets, Target{TargetType: TargetGroup, ID: AllUsers, AllowedPasskeyProfiles: []string{all[row.AlsoEverybody].ID}})
	}
	if row.Off {
		c.State = Disabled
	}
	c.IsSelfServiceRegistrationAllowed = !row.SelfServiceOff
	op, ok := operations[row.Op]
	if !ok {
		t.Fatalf("no operation %q", row.Op)
	}
	pk := Facts{Type: row.Passkey.Type, AAGUID: model(t, row.Passkey.Model), Trusted: row.Passkey.Trusted, Cause: row.Passkey.Cause}
	d := Allowed(op, pk, memberOf, adele, Compile(c))

	want := Decision{State: Applies}
	switch {
	case row.Allowed != "":
		want.Allowed, want.By = true, ProfileRef{all[row.Allowed].ID, row.Allowed}
	case row.State != "":
		want.State = row.State
	default:
		for _, p := range c.PasskeyProfiles {
			for _, code := range row.Refused[p.Name] {
				r := Reason{ProfileID: p.ID, ProfileName: p.Name, Code: code}
				if code == AttestationRequired {
					r.Cause = row.Passkey.Cause
				}
				want.Reasons = append(want.Reasons, r)
			}
		}
		if len(want.Reasons) == 0 {
			t.Fatal("the row expects nothing")
		}
	}
	if diff := cmp.Diff(asJSON(t, want), asJSON(t, d)); diff != "" {
		t.Errorf("decision (-want +got):\n%s", diff)
	}
	if d.Code() != row.Code {
		t.Errorf("code %q, want %q", d.Code(), row.Code)
	}
	row.checkWords(t, d)
}

// checkWords holds for every row: a refusal names its profiles and a next step
// for both audiences, and people never read an administrator's word (PK-144,
// PK-122, PK-172).
func (row allowedRow) checkWords(t *testing.T, d Decision) {
	e, advice := d.Problem(), d.Advice()
	if d.Allowed {
		if e != nil || advice != "" || d.Why() != "" {
			t.Errorf("an allowed passkey comes with %v, %q, %q", e, advice, d.Why())
		}
		return
	}
	if e.Kind != problem.Invalid || e.Code != row.Code || e.Detail == "" || len(e.Reasons) != len(d.Reasons) {
		t.Errorf("problem %+v", e)
	}
	for _, r := range e.Reasons {
		if !strings.HasPrefix(r.Target, "passkeyProfiles/") || r.Message == "" {
			t.Errorf("reason %+v", r)
		}
	}
	for name := range row.Refused {
		if !strings.Contains(e.Detail, fmt.Sprintf("%q", name)) || !strings.Contains(advice, name) {
			t.Errorf("profile %q is not named in %q or %q", name, e.Detail, advice)
		}
	}
	for _, word := range []string{"attest", "aaguid", "fido", "webauthn", "device-bound", "resident", "token"} {
		if strings.Contains(strings.ToLower(advice), word) {
			t.Errorf("people read %q in %q", word, advice)
		}
	}
	if !strings.HasPrefix(advice, "Use ") && !strings.HasPrefix(advice, "Ask ") {
		t.Errorf("advice does not begin with the next step: %q", advice)
	}
}

func asJSON(t testing.TB, v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWords fixes the text of the refusals that people meet most (PK-144, PK-172).
func TestWords(t *testing.T) {
	keys := profileRow{Types: onlyDeviceBound, Attestation: true, Allow: &[]string{"X"}}
	only := profileRow{Types: onlyDeviceBound, Attestation: true}
	synced := profileRow{Types: onlySynced}
	for _, tt := range []struct {
		name            string
		profile         profileRow
		op              Operation
		pk              Facts
		problem, advice string
	}{
		{"synced at a security key profile", keys, SignIn, Facts{Type: Synced, AAGUID: model(t, "X")},
			`This passkey is not allowed. Profile "P" does not allow synced passkeys. Use a security key or another device-bound passkey, or change the profile.`,
			`Use a security key, or a passkey that is only on this device. Your organisation does not accept synced passkeys here. (Refused by: P.)`},
		{"device-bound at a synced profile", synced, SignIn, Facts{Type: DeviceBound, AAGUID: model(t, "X")},
			`This passkey is not allowed. Profile "P" does not allow passkeys that are only on one device (device-bound). Use a synced passkey, kept in a password manager, or change the profile.`,
			`Use a synced passkey, kept in your password manager. Your organisation does not accept passkeys that are only on one device here. (Refused by: P.)`},
		{"other model", keys, SignIn, Facts{Type: DeviceBound, AAGUID: model(t, "Y")},
			`This passkey is not allowed. Profile "P" does not list this model (AAGUID ` + modelY + `). Use a security key or password manager that a profile lists, or change the profile.`,
			`Use a security key or password manager that your organisation accepts, or ask your help desk which ones they are. This one is not on the list. (Refused by: P.)`},
		{"PK-98 no metadata", only, Register, Facts{Type: DeviceBound, AAGUID: model(t, "X"), Cause: CauseMetadataMissing},
			`This passkey is not allowed. Profile "P" demands attestation: this server has no FIDO metadata to check it with. Load the FIDO metadata under Authentication methods, then try again.`,
			`Ask your help desk to finish the set-up for security keys. New passkeys cannot be checked at the moment. (Refused by: P.)`},
		{"PK-92 compromised", only, Provision, Facts{Type: DeviceBound, AAGUID: model(t, "X"), Cause: CauseCompromised},
			`This passkey is not allowed. Profile "P" demands attestation: the FIDO metadata reports this model as compromised. Use a security key whose model is certified, or change the profile.`,
			`Use a security key that your organisation has approved. This passkey cannot prove which model it is. (Refused by: P.)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Compile(document(t, map[string]Profile{"P": tt.profile.profile("P")}))
			d := Allowed(tt.op, tt.pk, []string{"group P"}, adele, s)
			if got := d.Problem().Detail; got != tt.problem {
				t.Errorf("problem\n%s, want\n%s", got, tt.problem)
			}
			if got := d.Advice(); got != tt.advice {
				t.Errorf("advice\n%s, want\n%s", got, tt.advice)
			}
		})
	}
}

// TestManyReasons: a message stays readable, the reasons stay complete.
func TestManyReasons(t *testing.T) {
	all := map[string]Profile{}
	var memberOf []string
	for _, name := range []string{"P1", "P2", "P3", "P4", "P5"} {
		all[name] = profileRow{Types: onlyDeviceBound}.profile(name)
		memberOf = append(memberOf, "group "+name)
	}
	d := Allowed(SignIn, Facts{Type: Synced}, memberOf, adele, Compile(document(t, all)))
	e := d.Problem()
	if len(e.Reasons) != 5 || !strings.Contains(e.Detail, "There are 2 more reasons") || strings.Contains(e.Detail, "P4") {
		t.Errorf("%d reasons, %q", len(e.Reasons), e.Detail)
	}
	if !strings.Contains(d.Advice(), "P1, P2, P3, …") {
		t.Errorf("advice %q", d.Advice())
	}
}

// TestRoleTarget: a directory role is targeted by its template id, which the
// caller puts among the memberships.
func TestRoleTarget(t *testing.T) {
	const role = "62e90394-69f5-4237-9190-012177145e10"
	c := Default()
	c.IncludeTargets = []Target{{TargetType: TargetGroup, ID: role, AllowedPasskeyProfiles: []string{DefaultProfileID}}}
	s := Compile(c)
	if d := Allowed(SignIn, Facts{Type: Synced}, []string{role}, adele, s); !d.Allowed {
		t.Error("the holder of the role is refused")
	}
	if d := Allowed(SignIn, Facts{Type: Synced}, nil, adele, s); d.State != UserNotTargeted {
		t.Errorf("without the role: %s", d.State)
	}
	// A user target is not met by a group with the same id, nor the reverse.
	if d := Allowed(SignIn, Facts{Type: Synced}, nil, role, s); d.State != UserNotTargeted {
		t.Errorf("a user whose id is the target's: %s", d.State)
	}
}

func TestEffective_PK65(t *testing.T) {
	all := map[string]Profile{"A": profileRow{Types: bothTypes}.profile("A"), "B": profileRow{Types: onlySynced}.profile("B"), "C": profileRow{Types: onlySynced}.profile("C")}
	c := document(t, all)
	c.IncludeTargets = append(c.IncludeTargets, Target{TargetType: TargetGroup, ID: AllUsers, AllowedPasskeyProfiles: []string{all["B"].ID}})
	s := Compile(c)
	state, got := s.Effective([]string{"group B", "group A"}, adele)
	want := []EffectiveProfile{
		{all["A"].ID, "A", []TargetRef{{TargetGroup, "group A"}}},
		{all["B"].ID, "B", []TargetRef{{TargetGroup, "group B"}, {TargetGroup, AllUsers}}},
	}
	if diff := cmp.Diff(want, got); state != Applies || diff != "" {
		t.Errorf("%s (-want +got):\n%s", state, diff)
	}
	c.State = Disabled
	if state, got := Compile(c).Effective(nil, adele); state != MethodDisabled || asJSON(t, got) != "[]" {
		t.Errorf("disabled: %s %v", state, got)
	}
	var none *Snapshot
	if state, _ := none.Effective(nil, adele); state != MethodDisabled {
		t.Errorf("no snapshot: %s", state)
	}
	if d := Allowed(SignIn, Facts{Type: Synced}, nil, adele, none); d.Allowed || d.State != MethodDisabled {
		t.Errorf("no snapshot: %+v", d)
	}
}

func TestEligible_PK138(t *testing.T) {
	off, self := Default(), Default()
	off.State, self.IsSelfServiceRegistrationAllowed = Disabled, false
	out := Default()
	out.ExcludeTargets = []ExcludeTarget{{TargetUser, adele}}
	nobody := Default()
	nobody.IncludeTargets = nil
	for _, tt := range []struct {
		name string
		op   Operation
		c    Configuration
		code string
	}{
		{"usual", Register, Default(), ""},
		{"disabled", Provision, off, CodeFeatureDisallowed},
		{"PK-61 self-service", Register, self, CodeFeatureDisallowed},
		{"PK-60 provisioning", Provision, self, ""},
		{"excluded", Provision, out, CodeUserGroup},
		{"not targeted", Provision, nobody, CodeUserGroup},
	} {
		d := Eligible(tt.op, nil, adele, Compile(tt.c))
		if d.Code() != tt.code || d.Allowed != (tt.code == "") {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

func TestNeedsAttestation_WA31(t *testing.T) {
	all := map[string]Profile{
		"S": profileRow{Types: onlyDeviceBound, Attestation: true, Allow: &[]string{"X"}}.profile("S"),
		"D": profileRow{Types: bothTypes}.profile("D"),
		"N": profileRow{Types: onlySynced}.profile("N"),
	}
	s := Compile(document(t, all))
	x := Facts{Type: DeviceBound, AAGUID: model(t, "X")}
	for _, tt := range []struct {
		name   string
		groups []string
		pk     Facts
		want   bool
	}{
		{"only the strict profile fits", []string{"group S", "group N"}, x, true},
		{"an open profile fits too", []string{"group S", "group D"}, x, false},
		{"no profile fits", []string{"group S"}, Facts{Type: DeviceBound, AAGUID: model(t, "Y")}, false},
		{"no profile applies", nil, x, false},
	} {
		if got := NeedsAttestation(tt.pk, tt.groups, adele, s); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestAllowedAllocatesNothing: the hot path of every sign-in.
func TestAllowedAllocatesNothing(t *testing.T) {
	all := map[string]Profile{}
	var memberOf []string
	for i := range 60 {
		name := fmt.Sprintf("P%02d", i)
		p := profileRow{Types: onlyDeviceBound, Allow: &[]string{"X"}}.profile(name)
		p.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i+10)
		all[name] = p
		memberOf = append(memberOf, "group "+name)
	}
	s := Compile(document(t, all))
	pk := Facts{Type: DeviceBound, AAGUID: model(t, "X")}
	if n := testing.AllocsPerRun(100, func() {
		if !Allowed(SignIn, pk, memberOf, adele, s).Allowed {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestManyProfiles_PK43: there is no limit; beyond 256 profiles the answer is the same.
func TestManyProfiles_PK43(t *testing.T) {
	all := map[string]Profile{}
	for i := range 400 {
		name := fmt.Sprintf("P%03d", i)
		p := profileRow{Types: onlySynced}.profile(name)
		p.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i+10)
		all[name] = p
	}
	s := Compile(document(t, all))
	if d := Allowed(SignIn, Facts{Type: Synced}, []string{"group P399"}, adele, s); d.By.Name != "P399" {
		t.Errorf("%+v", d)
	}
	if d := Allowed(SignIn, Facts{Type: DeviceBound}, []string{"group P399", "group P000"}, adele, s); len(d.Reasons) != 2 {
		t.Errorf("%+v", d)
	}
}

func BenchmarkAllowed(b *testing.B) {
	all := map[string]Profile{"S": profileRow{Types: onlyDeviceBound, Allow: &[]string{"X"}}.profile("S"), "N": profileRow{Types: onlySynced}.profile("N")}
	s := Compile(document(b, all))
	memberOf := []string{"group S", "group N"}
	for i := range 40 {
		memberOf = append(memberOf, fmt.Sprintf("5f0c3f6e-1111-4222-8333-%012d", i))
	}
	pk := Facts{Type: DeviceBound, AAGUID: model(b, "X")}
	b.ReportAllocs()
	for b.Loop() {
		if !Allowed(SignIn, pk, memberOf, adele, s).Allowed {
			b.Fatal("refused")
		}
	}
}
