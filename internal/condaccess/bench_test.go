package condaccess

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"cardea/internal/passkey"
)

// crowd is a large organisation: policies of every sort, and a person in groups.
func crowd(policies, groups int) (*Snapshot, Situation) {
	var src Source
	for i := range 40 {
		l := NamedLocation{Kind: IPLocation, ID: fmt.Sprintf("10000000-0000-4000-8000-%012d", i), DisplayName: "L", IsTrusted: i%2 == 0}
		for j := range 50 {
			l.IPRanges = append(l.IPRanges, IPRange{CIDR: fmt.Sprintf("10.%d.%d.0/24", i, j)})
		}
		src.Locations = append(src.Locations, l)
	}
	for i := range policies {
		p := Policy{ID: fmt.Sprintf("20000000-0000-4000-8000-%012d", i), DisplayName: "P", State: []State{Enabled, ReportOnly, Enabled, Disabled}[i%4],
			GrantControls: &GrantControls{Operator: Or, BuiltIn: []Control{RequireMFA}}}
		c := &p.Conditions
		c.Users = &Users{IncludeUsers: []string{All}, ExcludeGroups: []string{"break glass"}}
		if i%3 == 0 {
			c.Users.IncludeUsers, c.Users.IncludeGroups = nil, []string{fmt.Sprintf("group %d", i%100), "another"}
		}
		c.Applications = &Applications{IncludeApplications: []string{All}}
		switch i % 5 {
		case 1:
			c.Platforms = &Platforms{IncludePlatforms: []Platform{AllPlatforms}, ExcludePlatforms: []Platform{Linux}}
		case 2:
			c.Locations = &Locations{IncludeLocations: []string{All}, ExcludeLocations: []string{AllTrusted}}
		case 3:
			p.GrantControls = &GrantControls{Operator: Or, AuthStrength: &StrengthRef{ID: StrengthPhishingResistant}}
		case 4:
			c.Devices = &Devices{DeviceFilter: &Filter{Mode: Include, Rule: `device.trustType -ne "ServerAD" -or device.isCompliant -ne True`}}
		}
		src.Policies = append(src.Policies, p)
	}
	x := Situation{At: time.Unix(1_800_000_000, 0), UserID: "ada", Target: Target{Apps: []string{"mail"}}, Client: Browser, Platform: Windows, Address: netip.MustParseAddr("10.3.7.9"),
		Methods: []Method{{Mode: Fido2, ID: "k", Passkey: Passkey{Type: passkey.Synced}}}, Roles: []string{"role 1", "role 2"}}
	x.Session.Proofs = []Proof{{Method: x.Methods[0], At: x.At, UserVerified: true}}
	x.Session.AuthAt, x.Session.MFAAt = x.At, x.At
	for i := range groups {
		x.Groups = append(x.Groups, fmt.Sprintf("group %d", i*2))
	}
	return Compile(src), x
}

func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []struct{ policies, groups int }{{0, 50}, {20, 50}, {200, 50}, {1000, 200}} { // CA-42
		s, x := crowd(n.policies, n.groups)
		b.Run(fmt.Sprintf("policies=%d/groups=%d", n.policies, n.groups), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := Evaluate(s, x); d.Verdict != Allow {
					b.Fatal(d.Verdict)
				}
			}
		})
	}
	s, x := crowd(200, 50)
	b.Run("explained", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(Evaluate(s, x).Policies()) != 200 {
				b.Fatal()
			}
		}
	})
}

// TestNoAllocationPerPolicy: ten times the policies cost not one allocation
// more.
func TestNoAllocationPerPolicy(t *testing.T) {
	count := func(policies int) float64 {
		s, x := crowd(policies, 50)
		return testing.AllocsPerRun(20, func() { Evaluate(s, x) })
	}
	if few, many := count(60), count(600); few != many {
		t.Errorf("%v allocations with 60 policies, %v with 600", few, many)
	}
}
