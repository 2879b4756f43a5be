package condaccess

import (
	"fmt"
	"slices"
)

// ConditionOutcome says what became of one condition of a policy.
type ConditionOutcome string

const (
	ConditionSatisfied     ConditionOutcome = "satisfied"
	ConditionNotSatisfied  ConditionOutcome = "notSatisfied"
	ConditionNotConfigured ConditionOutcome = "notConfigured"
	ConditionUnsupported   ConditionOutcome = "unsupported"
)

// ConditionResult is a condition of a policy, judged, and why.
type ConditionResult struct {
	Kind    ConditionKind    `json:"kind"`
	Outcome ConditionOutcome `json:"outcome"`
	Include *RuleHit         `json:"include,omitempty"` // what includes the sign-in
	Exclude *RuleHit         `json:"exclude,omitempty"` // what excludes it
	Reason  string           `json:"reason"`
}

// ControlResult is a grant control, judged.
type ControlResult struct {
	Control string  `json:"control"`      // a built-in control, authenticationStrength, termsOfUse or customAuthenticationFactor
	ID      string  `json:"id,omitempty"` // of a strength, terms or a factor
	Outcome Outcome `json:"outcome"`
}

// StrengthResult is a strength, judged.
type StrengthResult struct {
	ID       string          `json:"authenticationStrengthId"`
	Name     string          `json:"displayName"`
	Result   StrengthOutcome `json:"authenticationStrengthResult"`
	Best     Combination     `json:"bestCombination,omitempty"`
	Missing  []string        `json:"missing,omitempty"` // modes of the best combination still to be proved or registered
	Refusals []string        `json:"reasons,omitempty"` // why what is missing cannot be registered
}

// PolicyResult is what one policy says of a sign-in, in full.
type PolicyResult struct {
	ID          string            `json:"id"`
	DisplayName string            `json:"displayName"`
	State       State             `json:"state"`
	Version     int64             `json:"policyVersion"`
	Applied     bool              `json:"applied"`
	Outcome     Outcome           `json:"outcome"`
	Conditions  []ConditionResult `json:"conditions"`
	Operator    Operator          `json:"operator,omitempty"`
	Required    []ControlResult   `json:"required"` // every control
	Satisfied   []ControlResult   `json:"satisfied"`
	Missing     []ControlResult   `json:"missing"` // of an OR policy that is satisfied: none
	Overdue     bool              `json:"signInTooOld,omitempty"`
	Session     []string          `json:"sessionControls"` // those that are on
	Strength    *StrengthResult   `json:"strength,omitempty"`
}

// Policies explains the decision: one result per policy, in the order of their
// ids, disabled ones included (CA-35). The outcomes are those of Evaluate; only
// the words are made here.
func (d Decision) Policies() []PolicyResult {
	if d.pass == nil {
		return []PolicyResult{}
	}
	out, found := make([]PolicyResult, len(d.pass.s.policies)), d.pass.findings()
	for i := range out {
		out[i] = d.pass.explain(i, found)
	}
	return out
}

func (p *pass) explain(i int, found *[kinds][]finding) PolicyResult {
	c := &p.s.policies[i]
	src := c.source
	r := PolicyResult{ID: src.ID, DisplayName: src.DisplayName, State: src.State, Version: src.Version, Applied: p.applied.has(i), Outcome: p.outcomes[i],
		Conditions: make([]ConditionResult, kinds), Required: []ControlResult{}, Satisfied: []ControlResult{}, Missing: []ControlResult{}, Session: src.SessionControls.names()}
	for k := range kinds {
		r.Conditions[k] = p.condition(k, i, found[k])
	}
	if !r.Applied {
		return r
	}
	if len(c.controls) > 0 {
		r.Operator = src.GrantControls.Operator
	}
	for n := range c.controls {
		x := &c.controls[n]
		one := ControlResult{Control: string(x.kind), Outcome: p.control(c, x)}
		switch {
		case x.terms != "":
			one.Control, one.ID = "termsOfUse", x.terms
		case x.factor != "":
			one.Control, one.ID = "customAuthenticationFactor", x.factor
		case x.kind == "":
			one.Control, one.ID = "authenticationStrength", src.GrantControls.AuthStrength.ID
		}
		r.Required = append(r.Required, one)
		if one.Outcome == Satisfied {
			r.Satisfied = append(r.Satisfied, one)
		} else {
			r.Missing = append(r.Missing, one)
		}
		if x.kind == "" && x.terms == "" && x.factor == "" {
			r.Strength = p.strengthResult(c, x)
		}
	}
	if !c.and && len(r.Satisfied) > 0 {
		r.Missing = []ControlResult{}
	}
	r.Overdue = p.overdue(c)
	return r
}

func (p *pass) strengthResult(c *compiled, x *control) *StrengthResult {
	st := p.strength(c, x)
	r := &StrengthResult{ID: c.source.GrantControls.AuthStrength.ID, Result: st.result}
	if x.strength < 0 {
		return r
	}
	s := &p.s.strengths[x.strength]
	r.Name = s.name
	if st.best >= 0 {
		combo := &s.combos[st.best]
		r.Best = combo.text
		for m := combo.modes; m != 0; m &= m - 1 {
			if mode := m & -m; !p.proven(mode, combo.config, c) {
				r.Missing = append(r.Missing, mode.String())
			}
		}
		return r
	}
	for _, d := range Modes {
		why := p.x.Registrable.Refusals[d.mode]
		if why != "" && slices.ContainsFunc(s.combos, func(combo compiledCombo) bool { return combo.modes&d.mode != 0 }) {
			r.Refusals = append(r.Refusals, d.ID+": "+why)
		}
	}
	return r
}

// condition judges condition k of policy i from the sets of the pass.
func (p *pass) condition(k, i int, found []finding) ConditionResult {
	c := &p.s.policies[i]
	r := ConditionResult{Kind: kindNames[k]}
	if k == kUsers && c.workload {
		r.Kind = WorkloadCondition
	}
	switch {
	case p.s.free[k].has(i):
		r.Outcome, r.Reason = ConditionNotConfigured, "The policy does not ask for it."
		return r
	case k == kUnsupported:
		r.Outcome, r.Reason = ConditionUnsupported, fmt.Sprintf("Cardea cannot evaluate %s, so it counts as not met.", c.unsupported)
		return r
	case p.unknown(k):
		r.Outcome, r.Reason = ConditionNotSatisfied, "The policy asks for it, and the request does not say."
		return r
	}
	r.Include, r.Exclude = first(found, i, false), first(found, i, true)
	switch {
	case p.met(k, i/64)&(1<<(i%64)) != 0:
		r.Outcome, r.Reason = ConditionSatisfied, "Included: "+r.Include.words()+"."
	case r.Exclude != nil:
		r.Outcome, r.Reason = ConditionNotSatisfied, "Excluded: "+r.Exclude.words()+"."
	default:
		r.Outcome, r.Reason = ConditionNotSatisfied, "Nothing that the policy includes is there."
	}
	return r
}

var ruleWords = map[Rule]string{
	RuleAllApps: "all applications", RuleOffice365: "Office 365", RuleAppID: "the application", RuleContext: "the authentication context", RuleAllUsers: "everybody",
	RuleGuest: "a guest", RuleGroup: "the group", RuleRole: "the role", RuleUser: "the person", RuleAllPlatforms: "every platform", RulePlatform: "the platform",
	RuleAllLocations: "every location", RuleTrustedLocations: "a trusted location", RuleLocation: "the location", RuleDeviceFilter: "the device matches",
	RuleFilterNotMatched: "the device does not match", RuleInternalGuest: "a guest", RuleAdminPortals: "the administration", RuleDeviceCode: "the flow",
	RuleTransfer: "the flow", RuleInsiderRisk: "the insider risk", RuleServicePrincipal: "the service principal", RuleAllServices: "every service principal",
	RuleClient: "the client type", RuleUserAction: "the action", RuleRisk: "the risk level",
}

func (h *RuleHit) words() string {
	if h.Value == "" {
		return ruleWords[h.Rule]
	}
	return ruleWords[h.Rule] + " " + h.Value
}

// names lists the session controls that are on, as Graph names them.
func (s *SessionControls) names() []string {
	out := []string{}
	if s == nil {
		return out
	}
	for _, m := range []struct {
		set  bool
		name string
	}{
		{s.AppRestrictions != nil && on(s.AppRestrictions.IsEnabled), "applicationEnforcedRestrictions"}, {s.CloudAppSecurity != nil && on(s.CloudAppSecurity.IsEnabled), "cloudAppSecurity"},
		{s.SignInFrequency != nil && on(s.SignInFrequency.IsEnabled), "signInFrequency"}, {s.PersistentBrowser != nil && on(s.PersistentBrowser.IsEnabled), "persistentBrowserSession"},
		{s.ContinuousAccess != nil && s.ContinuousAccess.Mode != nil, "continuousAccessEvaluation"}, {on(s.DisableResilience), "resilienceDefaults"},
		{s.SecureSignIn != nil && on(s.SecureSignIn.IsEnabled), "secureSignInSession"},
	} {
		if m.set {
			out = append(out, m.name)
		}
	}
	return out
}
