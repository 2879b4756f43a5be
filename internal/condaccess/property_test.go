package condaccess

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"cardea/internal/passkey"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A small world: few people, groups and places, so that every relation between
// them turns up.

func some[T any](t *rapid.T, label string, from ...T) []T {
	var out []T
	for _, x := range from {
		if rapid.IntRange(0, 2).Draw(t, label) == 0 {
			out = append(out, x)
		}
	}
	return out
}

func oneIn(t *rapid.T, n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }

func drawPolicy(t *rapid.T, id string) Policy {
	p := Policy{ID: id, DisplayName: id, State: rapid.SampledFrom([]State{Enabled, Enabled, Enabled, ReportOnly, ReportOnly, Disabled}).Draw(t, "state")}
	c := &p.Conditions
	c.Users = &Users{
		IncludeUsers: append(some(t, "user", "ada", "bob", GuestsOrExternalUsers), rapid.SampledFrom([]string{All, All, None}).Draw(t, "everybody")), ExcludeUsers: some(t, "not user", "ada"),
		IncludeGroups: some(t, "group", "staff", "sales"), ExcludeGroups: some(t, "not group", "staff", "sales"), IncludeRoles: some(t, "role", "boss"), ExcludeRoles: some(t, "not role", "boss"),
	}
	c.Applications = &Applications{}
	switch rapid.IntRange(0, 6).Draw(t, "target") {
	case 0:
		c.Applications.IncludeUserActions = []UserAction{rapid.SampledFrom([]UserAction{RegisterSecurityInfo, RegisterDevice}).Draw(t, "action")}
	case 1:
		c.Applications.IncludeContexts = []string{"c1"}
	default:
		c.Applications.IncludeApplications = append(some(t, "app", apps["mail"], apps["account"]), rapid.SampledFrom([]string{All, None, Office365}).Draw(t, "apps"))
		c.Applications.ExcludeApplications = some(t, "not app", apps["mail"])
	}
	if oneIn(t, 4, "client") {
		c.ClientAppTypes = []ClientApp{rapid.SampledFrom([]ClientApp{Browser, OtherClients}).Draw(t, "client type")}
	}
	if oneIn(t, 4, "platforms") {
		c.Platforms = &Platforms{IncludePlatforms: []Platform{rapid.SampledFrom([]Platform{AllPlatforms, Windows}).Draw(t, "platform")}, ExcludePlatforms: some(t, "not platform", Windows)}
	}
	if oneIn(t, 4, "locations") {
		c.Locations = &Locations{IncludeLocations: []string{rapid.SampledFrom([]string{All, AllTrusted, "desk", "gps", "alps"}).Draw(t, "location")}, ExcludeLocations: some(t, "not location", AllTrusted, "headquarters")}
	}
	if oneIn(t, 4, "risk") {
		c.SignInRisk = []RiskLevel{RiskHigh}
	}
	if oneIn(t, 4, "flow") {
		f := Flows{TransferMethods: DeviceCodeFlow}
		c.Flows = &f
	}
	if oneIn(t, 4, "device") {
		c.Devices = &Devices{DeviceFilter: &Filter{Mode: rapid.SampledFrom([]FilterMode{Include, Exclude}).Draw(t, "mode"), Rule: `device.isCompliant -eq True`}}
	}
	g := &GrantControls{Operator: rapid.SampledFrom([]Operator{And, Or}).Draw(t, "operator")}
	switch rapid.IntRange(0, 3).Draw(t, "grant") {
	case 0:
		g.BuiltIn = []Control{Block}
	case 1:
		g.BuiltIn = append([]Control{RequireMFA}, some(t, "control", CompliantDevice, PasswordChange)...)
	case 2:
		g.AuthStrength = &StrengthRef{ID: rapid.SampledFrom([]string{StrengthPhishingResistant, "keys", "codes", "passes", "model X", "gone"}).Draw(t, "strength")}
		g.BuiltIn = some(t, "control", CompliantDevice)
	case 3:
		g.TermsOfUse = []string{"rules"}
	}
	p.GrantControls = g
	if oneIn(t, 4, "session") {
		yes, unit, n, every := true, Hours, 1, EveryTime
		f := &SignInFrequency{IsEnabled: &yes, Type: &unit, Value: &n}
		if rapid.Bool().Draw(t, "every") {
			f = &SignInFrequency{IsEnabled: &yes, Interval: &every}
		}
		p.SessionControls = &SessionControls{SignInFrequency: f}
	}
	p.settle()
	return p
}

func drawPolicies(t *rapid.T, most int) []Policy {
	var list []Policy
	for i := range rapid.IntRange(0, most).Draw(t, "policies") {
		list = append(list, drawPolicy(t, fmt.Sprintf("p%02d", i)))
	}
	return list
}

func drawMethod(t *rapid.T, i int) Method {
	m := Method{Mode: rapid.SampledFrom([]Mode{Fido2, Fido2, Password, SoftwareOath, AccessPassOnce, modeSMS}).Draw(t, "mode"), ID: fmt.Sprintf("m%d", i)}
	if m.Mode == Fido2 {
		m.Passkey = Passkey{Type: rapid.SampledFrom([]passkey.Type{passkey.Synced, passkey.DeviceBound}).Draw(t, "type"), AAGUID: model(rapid.SampledFrom([]string{"X", "Y"}).Draw(t, "model")), Attested: rapid.Bool().Draw(t, "attested"),
			OnThisDevice: rapid.Bool().Draw(t, "here")}
	}
	return m
}

func drawSituation(t *rapid.T) Situation {
	x := Situation{At: now, UserID: rapid.SampledFrom([]string{"ada", "bob"}).Draw(t, "person"), Groups: some(t, "in group", "staff", "sales", "other"), Roles: some(t, "has role", "boss"),
		Target: Target{Apps: []string{rapid.SampledFrom([]string{apps["mail"], apps["account"], apps["office"]}).Draw(t, "wants")}}, Client: rapid.SampledFrom([]ClientApp{Browser, OtherClients, ""}).Draw(t, "client"),
		Platform: rapid.SampledFrom([]Platform{Windows, Linux, ""}).Draw(t, "system"), Country: rapid.SampledFrom([]string{"CH", "FR", ""}).Draw(t, "country")}
	x.Began = now.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "began")) * time.Minute)
	x.GuestType = rapid.SampledFrom([]string{"", InternalGuest}).Draw(t, "guest")
	x.Address, _ = netip.ParseAddr(rapid.SampledFrom([]string{"203.0.113.7", "203.0.113.8", "192.0.2.1", ""}).Draw(t, "address"))
	x.Target.Action = rapid.SampledFrom([]UserAction{"", "", RegisterSecurityInfo, RegisterDevice}).Draw(t, "does")
	x.Target.Context = rapid.SampledFrom([]string{"", "c1"}).Draw(t, "context")
	x.Risk.SignIn = rapid.SampledFrom([]RiskLevel{"", RiskHigh}).Draw(t, "risk")
	x.Flow = rapid.SampledFrom([]string{"", DeviceCodeFlow}).Draw(t, "flow")
	if rapid.Bool().Draw(t, "has device") {
		x.Device = &Device{Attributes: map[string]any{"device.isCompliant": rapid.Bool().Draw(t, "compliant")}}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "methods") {
		x.Methods = append(x.Methods, drawMethod(t, i))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "proofs") {
		x.Session.Proofs = append(x.Session.Proofs, Proof{Method: drawMethod(t, i), At: now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "ago")) * time.Minute), UserVerified: rapid.Bool().Draw(t, "verified")})
	}
	x.Session.AuthAt = now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "signed in")) * time.Minute)
	x.Session.Terms = some(t, "accepted", "rules")
	x.Session.PasswordChanged = rapid.Bool().Draw(t, "changed")
	if rapid.Bool().Draw(t, "may register") {
		x.Registrable = Registrable{Modes: SoftwareOath, Passkeys: []PasskeyClass{{Types: bothTypes}}}
	}
	return x
}

func ask4(t rapid.TB, list []Policy, x Situation, strengths []Strength) Decision {
	return Evaluate(Compile(Source{Policies: list, Locations: locations, Strengths: strengths, Office365: []string{apps["office"]}}), x)
}

// demandsProofUp: the one way in which another policy may weaken the answer (CA-44).
func demandsProofUp(p Policy) bool {
	return p.GrantControls.AuthStrength != nil && slices.Contains(p.Conditions.Applications.IncludeUserActions, RegisterSecurityInfo)
}

func TestProperties(t *testing.T) {
	strengths := customStrengths(t)
	ask := func(t rapid.TB, list []Policy, x Situation) Decision { return ask4(t, list, x, strengths) }

	t.Run("CA-37 another enabled policy never widens access", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 5), drawSituation(t)
			more := drawPolicy(t, "more")
			before, after := ask(t, list, x), ask(t, append(slices.Clone(list), more), x)
			if demandsProofUp(more) && x.Target.Action == RegisterSecurityInfo {
				return
			}
			if after.Outcome < before.Outcome {
				t.Fatalf("%v before, %v after %+v", before.Outcome, after.Outcome, more)
			}
		})
	})
	t.Run("CA-36 report-only and disabled policies change nothing", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 6), drawSituation(t)
			enabled := slices.DeleteFunc(slices.Clone(list), func(p Policy) bool { return p.State != Enabled })
			a, b := ask(t, list, x), ask(t, enabled, x)
			if a.Verdict != b.Verdict || a.Outcome != b.Outcome || a.Session != b.Session || !reflect.DeepEqual(a.Next, b.Next) {
				t.Fatalf("%+v with, %+v without", a, b)
			}
		})
	})
	t.Run("CA-38 report-only says what enabled would say", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 4), drawSituation(t)
			p := drawPolicy(t, "tried")
			p.State = ReportOnly
			on := p
			on.State = Enabled
			tried, real := ask(t, append(slices.Clone(list), p), x).Policies(), ask(t, append(slices.Clone(list), on), x).Policies()
			a, b := tried[len(list)], real[len(list)]
			b.State = ReportOnly
			if diff := cmp.Diff(a, b); diff != "" {
				t.Fatal(diff)
			}
		})
	})
	t.Run("CA-34 order is irrelevant", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 6), drawSituation(t)
			mixed := rapid.Permutation(list).Draw(t, "order")
			a, err := json.Marshal([]any{shown(ask(t, list, x)), ask(t, list, x).Next})
			if err != nil {
				t.Fatal(err)
			}
			b, _ := json.Marshal([]any{shown(ask(t, mixed, x)), ask(t, mixed, x).Next})
			if string(a) != string(b) {
				t.Fatal(cmp.Diff(string(a), string(b)))
			}
		})
	})
	t.Run("CA-41 who is excluded by all is let in", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 6), drawSituation(t)
			for i := range list {
				list[i].Conditions.Users.ExcludeGroups = append(list[i].Conditions.Users.ExcludeGroups, "break glass")
			}
			x.Groups = append(x.Groups, "break glass")
			if d := ask(t, list, x); d.Verdict != Allow || len(d.Next) > 0 {
				t.Fatalf("%+v", d)
			}
		})
	})
	t.Run("CA-24 a policy never blocks whom it excludes", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 6), drawSituation(t)
			x.Groups = append(x.Groups, "break glass")
			p := drawPolicy(t, "excludes")
			p.Conditions.Users.ExcludeGroups = append(p.Conditions.Users.ExcludeGroups, "break glass")
			with, without := ask(t, append(slices.Clone(list), p), x), ask(t, list, x)
			if with.Verdict != without.Verdict || with.Outcome != without.Outcome {
				t.Fatalf("%v with, %v without", with.Outcome, without.Outcome)
			}
		})
	})
	t.Run("CA-35 the explanation agrees with the decision", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 6), drawSituation(t)
			agrees(t, list, ask(t, list, x))
		})
	})
	t.Run("doing what is asked leads to an end", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			list, x := drawPolicies(t, 5), drawSituation(t)
			x.Session.AuthAt = now
			for range 20 {
				d := ask(t, list, x)
				if d.Verdict == Allow || len(d.Next) == 0 {
					if d.Verdict == Challenge || d.Verdict == Register {
						t.Fatalf("%s, and nothing to ask for", d.Verdict)
					}
					return
				}
				obey(t, &x, d.Next[0])
			}
			t.Fatal("asked and asked")
		})
	})
}

// agrees: outcome and verdict follow from the parts that the explanation shows.
func agrees(t *rapid.T, list []Policy, d Decision) {
	all := d.Policies()
	if len(all) != len(list) {
		t.Fatalf("%d results for %d policies", len(all), len(list))
	}
	worst := Satisfied
	for _, p := range all {
		if len(p.Conditions) != kinds {
			t.Fatalf("%d conditions", len(p.Conditions))
		}
		failed := slices.ContainsFunc(p.Conditions, func(c ConditionResult) bool {
			return c.Outcome == ConditionNotSatisfied || c.Outcome == ConditionUnsupported
		})
		if p.State == Disabled {
			if p.Outcome != NotEnabled || p.Applied {
				t.Fatalf("%+v", p)
			}
			continue
		}
		if p.Applied == failed || p.Applied != (p.Outcome >= Satisfied) {
			t.Fatalf("%+v", p)
		}
		if !p.Applied {
			continue
		}
		out := Satisfied
		for i, c := range p.Required {
			if p.Operator == And || i == 0 {
				out = max(out, c.Outcome)
			} else {
				out = min(out, c.Outcome)
			}
		}
		if p.Overdue {
			out = max(out, ChallengeRequired)
		}
		if out != p.Outcome {
			t.Fatalf("outcome %v from %+v", out, p)
		}
		if p.State == Enabled {
			worst = max(worst, out)
		}
	}
	if d.Outcome != worst || d.Verdict != worst.verdict() {
		t.Fatalf("%v, want %v", d.Outcome, worst)
	}
}

// obey does what a step asks, as a person would.
func obey(t *rapid.T, x *Situation, s Step) {
	prove := func(m Method) {
		x.Session.Proofs, x.Session.AuthAt = append(x.Session.Proofs, Proof{Method: m, At: now, UserVerified: true}), now
	}
	switch s.Kind {
	case SignInAgain:
		x.Session.AuthAt = now
	case ChangePassword:
		x.Session.PasswordChanged = true
	case AcceptTerms:
		x.Session.Terms = append(x.Session.Terms, s.IDs...)
	case ProveMethod:
		for _, m := range x.Methods {
			if m.Mode.String() == s.Modes[0] && (m.Mode != Fido2 || m.ID == s.Passkeys[0]) {
				prove(m)
				return
			}
		}
		t.Fatalf("asked to prove what is not there: %+v", s)
	case RegisterMethod:
		var mode Mode
		if err := mode.UnmarshalText([]byte(s.Modes[0])); err != nil {
			t.Fatal(err)
		}
		m := Method{Mode: mode, ID: fmt.Sprintf("new%d", len(x.Methods))}
		if mode == Fido2 {
			m.Passkey = Passkey{Type: passkey.DeviceBound, Attested: true}
			if !s.Create.Types.Has(passkey.DeviceBound) {
				m.Passkey = Passkey{Type: passkey.Synced}
			}
			if len(s.Create.AAGUIDs) > 0 {
				m.Passkey.AAGUID, _ = passkey.ParseAAGUID(s.Create.AAGUIDs[0])
			}
		}
		x.Methods = append(x.Methods, m)
		prove(m)
	default:
		t.Fatalf("%+v", s)
	}
}
