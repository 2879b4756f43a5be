package passkey

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A small world: few models, groups and profiles, so that every relation
// between them turns up.
var worldModels = []string{modelX, modelY, zero}

func drawProfile(t *rapid.T, i int) Profile {
	p := Profile{
		ID: fmt.Sprintf("22222222-0000-4000-8000-%012d", i), Name: fmt.Sprintf("P%d", i),
		PasskeyTypes:           rapid.SampledFrom([]TypeSet{onlyDeviceBound, onlySynced, bothTypes}).Draw(t, "types"),
		AttestationEnforcement: enforcement(rapid.Bool().Draw(t, "attestation")),
	}
	k := KeyRestrictions{IsEnforced: rapid.Bool().Draw(t, "enforced"), EnforcementType: rapid.SampledFrom([]EnforcementType{Allow, Block}).Draw(t, "sense")}
	for _, m := range worldModels {
		if rapid.Bool().Draw(t, "lists") && (m != zero || k.EnforcementType == Block) {
			k.AaGuids = append(k.AaGuids, m)
		}
	}
	p.KeyRestrictions = k
	return p
}

var worldTargets = []Target{
	{TargetType: TargetGroup, ID: "a"}, {TargetType: TargetGroup, ID: "b"}, {TargetType: TargetGroup, ID: AllUsers}, {TargetType: TargetUser, ID: adele},
}

func drawConfiguration(t *rapid.T) Configuration {
	c := Default()
	c.IncludeTargets = nil
	for i := range rapid.IntRange(0, 4).Draw(t, "profiles") {
		c.PasskeyProfiles = append(c.PasskeyProfiles, drawProfile(t, i))
	}
	c.State = rapid.SampledFrom([]State{Enabled, Enabled, Enabled, Disabled}).Draw(t, "state")
	c.IsSelfServiceRegistrationAllowed = rapid.Bool().Draw(t, "self-service")
	for _, target := range worldTargets {
		for _, p := range c.PasskeyProfiles {
			if rapid.Bool().Draw(t, "assigned") {
				target.AllowedPasskeyProfiles = append(target.AllowedPasskeyProfiles, p.ID)
			}
		}
		if len(target.AllowedPasskeyProfiles) > 0 {
			c.IncludeTargets = append(c.IncludeTargets, target)
		}
		if rapid.IntRange(0, 5).Draw(t, "excluded") == 0 {
			c.ExcludeTargets = append(c.ExcludeTargets, ExcludeTarget{target.TargetType, target.ID})
		}
	}
	return c.settled()
}

type question struct {
	op       Operation
	pk       Facts
	memberOf []string
}

func drawQuestion(t *rapid.T) question {
	a, _ := ParseAAGUID(rapid.SampledFrom(worldModels).Draw(t, "model"))
	q := question{
		op: rapid.SampledFrom([]Operation{Register, Provision, SignIn}).Draw(t, "operation"),
		pk: Facts{Type: rapid.SampledFrom([]Type{DeviceBound, Synced}).Draw(t, "type"), AAGUID: a, Trusted: rapid.Bool().Draw(t, "trusted")},
	}
	for _, g := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "member of "+g) {
			q.memberOf = append(q.memberOf, g)
		}
	}
	return q
}

func (q question) ask(c Configuration) Decision {
	return Allowed(q.op, q.pk, q.memberOf, adele, Compile(c))
}

// profilesOf says, slowly and from the document, which profiles apply (PK §4.1).
func (q question) profilesOf(c Configuration) (ids []string, excluded bool) {
	in := func(kind, id string) bool {
		return id == AllUsers || kind == TargetUser && id == adele || kind == TargetGroup && slices.Contains(q.memberOf, id)
	}
	for _, x := range c.ExcludeTargets {
		excluded = excluded || in(x.TargetType, x.ID)
	}
	for _, t := range c.IncludeTargets {
		if in(t.TargetType, t.ID) {
			ids = append(ids, t.AllowedPasskeyProfiles...)
		}
	}
	return ids, excluded
}

// meets says whether p alone is satisfied, in the words of PK §4.1.
func (q question) meets(p Profile) bool {
	k := p.KeyRestrictions
	listed := slices.Contains(k.AaGuids, q.pk.AAGUID.String())
	switch {
	case !slices.Contains([]string{"deviceBound,synced", string(q.pk.Type)}, p.PasskeyTypes.String()):
		return false
	case k.IsEnforced && k.EnforcementType == Allow && (q.pk.AAGUID.IsZero() || !listed):
		return false
	case k.IsEnforced && k.EnforcementType == Block && listed:
		return false
	case q.op != SignIn && p.AttestationEnforcement == AttestationRegistrationOnly && !q.pk.Trusted:
		return false
	}
	return true
}

// TestAllowedIsTheSpec: the compiled evaluation agrees with the algorithm of
// PK §4.1 written out over the document, in every world. That includes PK-51
// (one whole profile), PK-52, PK-54 (exclusion wins) and PK-61.
func TestAllowedIsTheSpec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, q := drawConfiguration(t), drawQuestion(t)
		d := q.ask(c)
		ids, excluded := q.profilesOf(c)
		by := slices.IndexFunc(c.PasskeyProfiles, func(p Profile) bool { return slices.Contains(ids, p.ID) && q.meets(p) })
		want := by >= 0 && !excluded && c.State == Enabled && (q.op != Register || c.IsSelfServiceRegistrationAllowed)
		if d.Allowed != want {
			t.Fatalf("allowed %v, the specification says %v: %+v", d.Allowed, want, d)
		}
		switch {
		case want && d.By.ID != c.PasskeyProfiles[by].ID:
			t.Fatalf("allowed by %s, want %s", d.By.Name, c.PasskeyProfiles[by].Name)
		case excluded && c.State == Enabled && d.State != UserExcluded:
			t.Fatalf("PK-54: %+v", d)
		case d.Allowed != (d.By != ProfileRef{}) || d.Allowed != (d.Code() == "") || d.Allowed && len(d.Reasons) > 0:
			t.Fatalf("contradicts itself: %+v", d)
		}
	})
}

// TestReasonsAreComplete: a refusal on the merits names every profile that
// applies, and no other (PK-57).
func TestReasonsAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, q := drawConfiguration(t), drawQuestion(t)
		d := q.ask(c)
		if d.Allowed || d.State != Applies {
			return
		}
		ids, _ := q.profilesOf(c)
		var named []string
		for _, r := range d.Reasons {
			named = append(named, r.ProfileID)
		}
		for _, list := range []*[]string{&ids, &named} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
		if !slices.Equal(ids, named) {
			t.Fatalf("%v apply, %v are named", ids, named)
		}
	})
}

// TestAddingAProfile_PK56: a further profile for a person, through any target,
// never refuses what was allowed.
func TestAddingAProfile_PK56(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, q := drawConfiguration(t), drawQuestion(t)
		before := q.ask(c)
		wider := c.Clone()
		extra := drawProfile(t, 99)
		wider.PasskeyProfiles = slices.Insert(wider.PasskeyProfiles, rapid.IntRange(0, len(wider.PasskeyProfiles)).Draw(t, "place"), extra)
		target := rapid.SampledFrom(worldTargets).Draw(t, "target")
		i := slices.IndexFunc(wider.IncludeTargets, func(o Target) bool { return o.ID == target.ID })
		if i < 0 {
			wider.IncludeTargets = append(wider.IncludeTargets, target)
			i = len(wider.IncludeTargets) - 1
		}
		wider.IncludeTargets[i].AllowedPasskeyProfiles = append(wider.IncludeTargets[i].AllowedPasskeyProfiles, extra.ID)
		if after := q.ask(wider.settled()); before.Allowed && !after.Allowed {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	})
}

// TestOrder_PK56: the order of profiles, targets and memberships changes which
// profile is named, never the outcome.
func TestOrder_PK56(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, q := drawConfiguration(t), drawQuestion(t)
		before := q.ask(c)
		other := c.Clone()
		other.PasskeyProfiles = rapid.Permutation(other.PasskeyProfiles).Draw(t, "profiles")
		other.IncludeTargets = rapid.Permutation(other.IncludeTargets).Draw(t, "targets")
		other.ExcludeTargets = rapid.Permutation(other.ExcludeTargets).Draw(t, "exclusions")
		if len(q.memberOf) > 0 {
			q.memberOf = rapid.Permutation(q.memberOf).Draw(t, "memberships")
		}
		after := q.ask(other.settled())
		if before.Allowed != after.Allowed || before.State != after.State || before.Code() != after.Code() || len(before.Reasons) != len(after.Reasons) {
			t.Fatalf("before %+v, after %+v", before, after)
		}
	})
}

// TestExclusionWins_PK54: excluding a person refuses everything, whatever
// includes them.
func TestExclusionWins_PK54(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, q := drawConfiguration(t), drawQuestion(t)
		through := []ExcludeTarget{{TargetUser, adele}, {TargetGroup, AllUsers}}
		for _, g := range q.memberOf {
			through = append(through, ExcludeTarget{TargetGroup, g})
		}
		c.ExcludeTargets = append(c.ExcludeTargets, rapid.SampledFrom(through).Draw(t, "exclusion"))
		if d := q.ask(c); d.Allowed {
			t.Fatalf("%+v", d)
		}
	})
}

// TestEffectiveAgrees: what cardea.effectivePolicy shows is what Allowed asks (PK-65).
func TestEffectiveAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, q := drawConfiguration(t), drawQuestion(t)
		q.op = SignIn
		d := q.ask(c)
		state, profiles := Compile(c).Effective(q.memberOf, adele)
		if state != d.State {
			t.Fatalf("%s, but %+v", state, d)
		}
		fits := slices.ContainsFunc(profiles, func(e EffectiveProfile) bool { p, _ := c.Profile(e.ID); return q.meets(p) })
		if fits != d.Allowed {
			t.Fatalf("%v, but %+v", profiles, d)
		}
		for _, e := range profiles {
			if len(e.Through) == 0 {
				t.Fatalf("%s applies through nothing", e.Name)
			}
		}
	})
}

// TestCoversIsTrue_PK181: where a profile is said to cover another, it allows
// every passkey that the other allows.
func TestCoversIsTrue_PK181(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q, ask := drawProfile(t, 1), drawProfile(t, 2), drawQuestion(t)
		if p.covers(q) && ask.meets(q) && !ask.meets(p) {
			t.Fatalf("%+v covers %+v, but not for %+v", p, q, ask)
		}
	})
}
