package condaccess

import (
	"slices"
	"strings"
)

// AppliedPolicy is Graph's appliedConditionalAccessPolicy: what the sign-in log
// shows of one policy, the same on v1.0 and beta (§9).
type AppliedPolicy struct {
	ID                          string           `json:"id"`
	DisplayName                 string           `json:"displayName"`
	EnforcedGrantControls       []string         `json:"enforcedGrantControls"`
	EnforcedSessionControls     []string         `json:"enforcedSessionControls"`
	Result                      string           `json:"result"`
	AuthenticationStrength      *AppliedStrength `json:"authenticationStrength"`
	ConditionsSatisfied         string           `json:"conditionsSatisfied"`    // flags
	ConditionsNotSatisfied      string           `json:"conditionsNotSatisfied"` // flags
	IncludeRulesSatisfied       []RuleSatisfied  `json:"includeRulesSatisfied"`
	ExcludeRulesSatisfied       []RuleSatisfied  `json:"excludeRulesSatisfied"`
	SessionControlsNotSatisfied []string         `json:"sessionControlsNotSatisfied"`
	Cardea                      AppliedExtra     `json:"cardea"`
}

// AppliedStrength is Graph's authenticationStrength.
type AppliedStrength struct {
	ID          string `json:"authenticationStrengthId"`
	DisplayName string `json:"displayName"`
	Result      string `json:"authenticationStrengthResult"`
}

// RuleSatisfied is Graph's conditionalAccessRuleSatisfied.
type RuleSatisfied struct {
	Condition string `json:"conditionalAccessCondition"`
	Rule      string `json:"ruleSatisfied"`
}

// AppliedExtra is the `cardea` member: it always tells the truth (CA-61, CA-62).
type AppliedExtra struct {
	Outcome    Outcome           `json:"outcome"`
	Conditions []ConditionResult `json:"conditions"`
	Required   []ControlResult   `json:"required"`
	Satisfied  []ControlResult   `json:"satisfied"`
	Missing    []ControlResult   `json:"missing"`
	Version    int64             `json:"policyVersion"`
}

const unknownValue = "unknownFutureValue"

// logConditions are Graph's names of conditions, in the order of their numbers;
// those behind unknownValue are for clients that ask for them.
var logConditions = []struct {
	name string
	kind ConditionKind
}{
	{"application", TargetCondition}, {"users", UsersCondition}, {"devicePlatform", PlatformCondition}, {"location", LocationCondition}, {"clientType", ClientCondition},
	{"signInRisk", SignInRiskCondition}, {"userRisk", UserRiskCondition}, {"deviceState", DeviceCondition}, {unknownValue, ""},
	{"servicePrincipals", WorkloadCondition}, {"servicePrincipalRisk", ServiceRiskCondition}, {"authenticationFlows", FlowCondition}, {"insiderRisk", InsiderRiskCondition},
}

// logRules are Graph's names of rules, in the order of their numbers, as far as
// they occur here.
var logRules = []string{string(RuleAllApps), string(RuleOffice365), string(RuleAppID), string(RuleContext), string(RuleAllUsers), string(RuleGuest), string(RuleGroup), string(RuleRole), string(RuleUser),
	string(RuleAllPlatforms), string(RulePlatform), string(RuleAllLocations), string(RuleTrustedLocations), string(RuleLocation), string(RuleDeviceFilter), unknownValue,
	string(RuleFilterNotMatched), string(RuleInternalGuest), string(RuleAdminPortals), string(RuleDeviceCode), string(RuleTransfer), string(RuleInsiderRisk)}

// Log is what the sign-in log shows of r. succeeded says how the attempt ended.
func (r PolicyResult) Log(succeeded bool) AppliedPolicy {
	a := AppliedPolicy{ID: r.ID, DisplayName: r.DisplayName, EnforcedGrantControls: []string{}, EnforcedSessionControls: []string{}, Result: r.Outcome.Result(r.State, succeeded),
		IncludeRulesSatisfied: []RuleSatisfied{}, ExcludeRulesSatisfied: []RuleSatisfied{}, SessionControlsNotSatisfied: []string{},
		Cardea: AppliedExtra{r.Outcome, r.Conditions, r.Required, r.Satisfied, r.Missing, r.Version}}
	var met, unmet []string
	for _, name := range logConditions {
		for _, c := range r.Conditions {
			if c.Kind != name.kind || r.State == Disabled {
				continue
			}
			switch c.Outcome {
			case ConditionSatisfied:
				met = append(met, name.name)
			case ConditionNotSatisfied:
				unmet = append(unmet, name.name)
			}
			a.IncludeRulesSatisfied = logRule(a.IncludeRulesSatisfied, name.name, c.Include)
			a.ExcludeRulesSatisfied = logRule(a.ExcludeRulesSatisfied, name.name, c.Exclude)
		}
	}
	a.ConditionsSatisfied, a.ConditionsNotSatisfied = orNone(met), orNone(unmet)
	if !r.Applied || r.State == Disabled {
		return a
	}
	for _, c := range r.Required {
		a.EnforcedGrantControls = append(a.EnforcedGrantControls, c.Control)
	}
	a.EnforcedSessionControls = append(a.EnforcedSessionControls, r.Session...)
	if r.Overdue {
		a.SessionControlsNotSatisfied = append(a.SessionControlsNotSatisfied, "signInFrequency")
	}
	if s := r.Strength; s != nil {
		a.AuthenticationStrength = &AppliedStrength{s.ID, s.Name, s.Result.String()}
	}
	return a
}

// logRule adds a hit under the name that Graph has for it: actions count as
// appId (CA-64), and what has no name is left to the member cardea.
func logRule(to []RuleSatisfied, condition string, h *RuleHit) []RuleSatisfied {
	if h == nil {
		return to
	}
	name := string(h.Rule)
	if h.Rule == RuleUserAction {
		name = string(RuleAppID)
	}
	if !slices.Contains(logRules, name) {
		return to
	}
	return append(to, RuleSatisfied{condition, name})
}

func orNone(flags []string) string {
	if len(flags) == 0 {
		return "none"
	}
	return strings.Join(flags, ",")
}

// Plain is a for a client that did not ask for members behind
// unknownFutureValue (CA-61).
func (a AppliedPolicy) Plain() AppliedPolicy {
	if strings.HasPrefix(a.Result, "reportOnly") {
		a.Result = unknownValue
	}
	a.ConditionsSatisfied, a.ConditionsNotSatisfied = plainFlags(a.ConditionsSatisfied), plainFlags(a.ConditionsNotSatisfied)
	a.IncludeRulesSatisfied, a.ExcludeRulesSatisfied = plainRules(a.IncludeRulesSatisfied), plainRules(a.ExcludeRulesSatisfied)
	return a
}

func plainFlags(flags string) string {
	var out []string
	for name := range strings.SplitSeq(flags, ",") {
		out = with(out, plainCondition(name))
	}
	return strings.Join(out, ",")
}

func plainCondition(name string) string {
	behind := false
	for _, c := range logConditions {
		if c.name == name && behind {
			return unknownValue
		}
		behind = behind || c.name == unknownValue
	}
	return name
}

func plainRules(list []RuleSatisfied) []RuleSatisfied {
	out := make([]RuleSatisfied, len(list))
	for i, r := range list {
		out[i] = RuleSatisfied{plainCondition(r.Condition), r.Rule}
		if slices.Index(logRules, r.Rule) > slices.Index(logRules, unknownValue) {
			out[i].Rule = unknownValue
		}
	}
	return out
}

// Status is the conditionalAccessStatus of a sign-in: failure if an enabled
// policy that applied failed, success if one applied and none failed, else
// notApplied. Report-only policies play no part (CA-63).
func Status(all []PolicyResult, succeeded bool) string {
	status := ResultNotApplied
	for _, r := range all {
		if r.State != Enabled || !r.Applied {
			continue
		}
		if r.Outcome.Result(Enabled, succeeded) == ResultFailure {
			return ResultFailure
		}
		status = ResultSuccess
	}
	return status
}

// Analysis is What-If's analysisReasons of r: notSet if it applies, else the
// first condition that is not met (CA-67). target is what the request asked for.
func (r PolicyResult) Analysis(target Target) string {
	switch {
	case r.State == Disabled:
		return "policyNotEnabled"
	case r.Applied:
		return "notSet"
	}
	for _, c := range r.Conditions {
		if c.Outcome != ConditionNotSatisfied && c.Outcome != ConditionUnsupported {
			continue
		}
		if c.Kind != TargetCondition {
			return analysisReasons[c.Kind]
		}
		switch {
		case target.Action != "":
			return "userActions"
		case target.Context != "" && len(target.Apps) == 0:
			return "authenticationContext"
		}
		return "application"
	}
	return "notSet"
}

// An unsupported condition makes the policy one that Entra would call invalid;
// servicePrincipalRisk has no word of its own.
var analysisReasons = map[ConditionKind]string{UsersCondition: "users", WorkloadCondition: "workloadIdentities", ClientCondition: "clientApps", PlatformCondition: "devicePlatform",
	LocationCondition: "location", DeviceCondition: "devices", SignInRiskCondition: "signInRisk", UserRiskCondition: "userRisk", ServiceRiskCondition: "workloadIdentities",
	InsiderRiskCondition: "insiderRisk", FlowCondition: "authenticationFlow", UnsupportedCondition: "invalidCondition"}
