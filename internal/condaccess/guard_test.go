package condaccess

import (
	"testing"

	"cardea/internal/passkey"
)

// TestGuard: CA-29, CA-31, CA-32, as a pure function.
func TestGuard(t *testing.T) {
	key := Method{Mode: Fido2, ID: "k", Passkey: Passkey{Type: passkey.Synced}}
	admin := func(id string, enabled bool, from []Platform, methods ...Method) Administrator {
		a := Administrator{UserID: id, UserPrincipalName: id + "@example.com", Enabled: enabled}
		for _, p := range from {
			x := Situation{At: now, UserID: id, Roles: []string{"boss"}, Client: Browser, Platform: p, Target: Target{Apps: []string{"centre"}}, Methods: methods}
			x.Session.AuthAt = now
			x.Registrable = Registrable{Modes: SoftwareOath, Passkeys: []PasskeyClass{{Types: bothTypes}}}
			a.Situations = append(a.Situations, x)
		}
		return a
	}
	both := []Platform{Windows, Linux}
	grace, bob := admin("grace", true, both, key), admin("bob", true, []Platform{Linux}, Method{Mode: Password}, Method{Mode: SoftwareOath})
	asleep, bare, lost := admin("asleep", false, both, key), admin("bare", true, both), admin("lost", true, nil, key)
	snap := func(bodies ...string) *Snapshot {
		var src Source
		for i, b := range bodies {
			p, err := ReadPolicy([]byte(b))
			if err != nil {
				t.Fatal(err)
			}
			p.ID = string(rune('a' + i))
			src.Policies = append(src.Policies, p)
		}
		return Compile(src)
	}
	linux := `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"platforms":{"includePlatforms":["linux"]}},`
	terms := `"grantControls":{"operator":"OR","termsOfUse":["x"]}`
	strong := `"grantControls":{"operator":"OR","authenticationStrength":{"id":"` + StrengthPhishingResistant + `"}}`
	for _, row := range []struct {
		name          string
		before, after *Snapshot
		people        []Administrator
		verdict       GuardVerdict
		able, lost    int
	}{
		{"nothing", snap(), snap(), []Administrator{grace, bob}, GuardPassed, 2, 0},
		{"mfa that all can do", snap(), snap(policyBody("P", "enabled", forAll+","+mfa)), []Administrator{grace, bob}, GuardPassed, 2, 0},
		{"everybody blocked", snap(), snap(policyBody("P", "enabled", forAll+","+block)), []Administrator{grace, bob}, GuardRefused, 0, 2},
		{"one left", snap(), snap(policyBody("P", "enabled", linux+block)), []Administrator{grace, bob}, GuardWarned, 1, 1}, // Grace comes from Windows too
		{"registering does not count", snap(), snap(policyBody("P", "enabled", forAll+","+strong)), []Administrator{bob}, GuardRefused, 0, 1},
		{"passkey for who has one", snap(), snap(policyBody("P", "enabled", forAll+","+strong)), []Administrator{grace, bob}, GuardWarned, 1, 1},
		{"what is no method does not count", snap(), snap(policyBody("P", "enabled", forAll+","+terms)), []Administrator{grace}, GuardRefused, 0, 1},
		{"report-only", snap(), snap(policyBody("P", "enabledForReportingButNotEnforced", forAll+","+block)), []Administrator{grace}, GuardPassed, 1, 0},
		{"disabled", snap(), snap(policyBody("P", "disabled", forAll+","+block)), []Administrator{grace}, GuardPassed, 1, 0},
		{"already lost", snap(policyBody("P", "enabled", forAll+","+block)), snap(policyBody("P", "enabled", forAll+","+block), policyBody("Q", "enabled", forAll+","+block)), []Administrator{grace}, GuardPassed, 0, 0},
		{"given back", snap(policyBody("P", "enabled", forAll+","+block)), snap(), []Administrator{grace}, GuardPassed, 1, 0},
		{"who could not before does not save", snap(), snap(policyBody("P", "enabled", linux+block)), []Administrator{bob, asleep, bare, lost}, GuardRefused, 0, 1},
		{"nobody", snap(), snap(policyBody("P", "enabled", forAll+","+block)), nil, GuardPassed, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := Guard(row.before, row.after, row.people)
			if r.Verdict != row.verdict || len(r.Able) != row.able || len(r.Affected) != row.lost || r.AdministratorsTotal != len(row.people) {
				t.Errorf("%+v", r)
			}
			for _, a := range r.Affected {
				if a.PolicyID != "a" || a.Reason == "" || a.UserPrincipalName == "" || a.Decision == Allow {
					t.Errorf("%+v", a)
				}
			}
		})
	}
}
