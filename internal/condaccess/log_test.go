package condaccess

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func logged(t *testing.T, state State, x Situation, rest string) (PolicyResult, AppliedPolicy) {
	t.Helper()
	p, err := ReadPolicy([]byte(policyBody("P", string(state), rest)))
	if err != nil {
		t.Fatal(err)
	}
	p.ID, p.Version = "p", 7
	s := Compile(Source{Policies: []Policy{p}, Locations: locations, AdminPortals: []string{apps["centre"]}})
	r := Evaluate(s, x).Policies()[0]
	return r, r.Log(false)
}

func TestLog(t *testing.T) {
	x := Situation{At: now, UserID: "ada", GuestType: InternalGuest, Groups: []string{"staff"}, Target: Target{Apps: []string{apps["centre"]}}, Client: Browser, Platform: Windows, Flow: DeviceCodeFlow}
	_, a := logged(t, ReportOnly, x, `"conditions":{"users":{"includeUsers":["GuestsOrExternalUsers"],"excludeGroups":["staff"]},"applications":{"includeApplications":["MicrosoftAdminPortals"]},"platforms":{"includePlatforms":["linux"]},"authenticationFlows":{"transferMethods":"deviceCodeFlow"},"clientAppTypes":["browser"]},`+block)
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var got tree
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	extra := got["cardea"].(tree)
	if len(extra["conditions"].([]any)) != kinds || extra["outcome"] != "notApplied" || extra["policyVersion"] != 7.0 {
		t.Errorf("%v", extra)
	}
	delete(got, "cardea")
	want := tree{"id": "p", "displayName": "P", "enforcedGrantControls": []any{}, "enforcedSessionControls": []any{}, "result": "reportOnlyNotApplied", "authenticationStrength": nil,
		"conditionsSatisfied": "application,clientType,authenticationFlows", "conditionsNotSatisfied": "users,devicePlatform",
		"includeRulesSatisfied": []any{tree{"conditionalAccessCondition": "application", "ruleSatisfied": "microsoftAdminPortals"}, tree{"conditionalAccessCondition": "users", "ruleSatisfied": "internalGuest"},
			tree{"conditionalAccessCondition": "authenticationFlows", "ruleSatisfied": "deviceCodeFlow"}},
		"excludeRulesSatisfied": []any{tree{"conditionalAccessCondition": "users", "ruleSatisfied": "groupId"}}, "sessionControlsNotSatisfied": []any{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// CA-61: without the header, what is behind unknownFutureValue is hidden.
	p := a.Plain()
	if p.Result != unknownValue || p.ConditionsSatisfied != "application,clientType,unknownFutureValue" || p.ConditionsNotSatisfied != "users,devicePlatform" ||
		p.IncludeRulesSatisfied[0].Rule != unknownValue || p.IncludeRulesSatisfied[2] != (RuleSatisfied{unknownValue, unknownValue}) || p.ExcludeRulesSatisfied[0].Rule != "groupId" || p.Cardea.Outcome != NotApplied {
		t.Errorf("%+v", p)
	}
	if a.Result != "reportOnlyNotApplied" || a.IncludeRulesSatisfied[0].Rule != "microsoftAdminPortals" {
		t.Error("the original was changed")
	}
}

// TestLogApplied: CA-62, and what is on show of an applied policy.
func TestLogApplied(t *testing.T) {
	x := Situation{At: now, UserID: "ada", Target: Target{Action: RegisterSecurityInfo}}
	r, a := logged(t, Enabled, x, `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeUserActions":["urn:user:registersecurityinfo"]}},"grantControls":{"operator":"OR","authenticationStrength":{"id":"`+StrengthMFA+`"}},"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":1},"persistentBrowser":{"isEnabled":true,"mode":"never"}}`)
	if a.Result != ResultFailure || a.Cardea.Outcome != CannotSatisfy || a.AuthenticationStrength == nil || a.AuthenticationStrength.Result != "cannotSatisfy" || a.AuthenticationStrength.DisplayName != "Multifactor authentication" ||
		strings.Join(a.EnforcedGrantControls, ",") != "authenticationStrength" || strings.Join(a.EnforcedSessionControls, ",") != "signInFrequency,persistentBrowserSession" ||
		strings.Join(a.SessionControlsNotSatisfied, ",") != "signInFrequency" {
		t.Errorf("%+v", a)
	}
	if a.IncludeRulesSatisfied[0] != (RuleSatisfied{"application", "appId"}) { // CA-64
		t.Errorf("%+v", a.IncludeRulesSatisfied)
	}
	if Status([]PolicyResult{r}, false) != ResultFailure { // CA-63
		t.Error("no failure")
	}
	r.State = ReportOnly
	if s := Status([]PolicyResult{r}, false); s != ResultNotApplied {
		t.Errorf("report-only: %s", s)
	}
	r.State, r.Outcome = Enabled, ChallengeRequired
	if Status([]PolicyResult{r}, true) != ResultSuccess || Status([]PolicyResult{r}, false) != ResultFailure || Status(nil, true) != ResultNotApplied {
		t.Error("challenge")
	}
}

// TestAnalysis: CA-66, CA-67.
func TestAnalysis(t *testing.T) {
	ada := Situation{At: now, UserID: "ada", Target: Target{Apps: []string{apps["mail"]}}, Client: Browser, Platform: Windows}
	action := ada
	action.Target = Target{Action: RegisterDevice}
	context := ada
	context.Target = Target{Context: "c9"}
	const users, everything = `"users":{"includeUsers":["All"]}`, `"applications":{"includeApplications":["All"]}`
	for _, row := range []struct {
		state      State
		x          Situation
		conditions string
		want       string
	}{
		{Enabled, ada, users + `,` + everything, "notSet"},
		{ReportOnly, ada, users + `,` + everything, "notSet"},
		{Disabled, ada, users + `,` + everything, "policyNotEnabled"},
		{Enabled, ada, `"users":{"includeUsers":["bob"]},"platforms":{"includePlatforms":["linux"]},` + everything, "users"},
		{Enabled, ada, `"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["robot"]},` + everything, "workloadIdentities"},
		{Enabled, ada, users + `,"applications":{"includeApplications":["None"]}`, "application"},
		{Enabled, action, users + `,` + everything, "userActions"},
		{Enabled, context, users + `,` + everything, "authenticationContext"},
		{Enabled, ada, users + `,"clientAppTypes":["other"],` + everything, "clientApps"},
		{Enabled, ada, users + `,"platforms":{"includePlatforms":["linux"]},` + everything, "devicePlatform"},
		{Enabled, ada, users + `,"locations":{"includeLocations":["AllTrusted"]},` + everything, "location"},
		{Enabled, ada, users + `,"devices":{"deviceFilter":{"mode":"include","rule":"device.isCompliant -eq True"}},` + everything, "devices"},
		{Enabled, ada, users + `,"signInRiskLevels":["high"],` + everything, "signInRisk"},
		{Enabled, ada, users + `,"userRiskLevels":["high"],` + everything, "userRisk"},
		{Enabled, ada, users + `,"servicePrincipalRiskLevels":["high"],` + everything, "workloadIdentities"},
		{Enabled, ada, users + `,"insiderRiskLevels":"minor",` + everything, "insiderRisk"},
		{Enabled, ada, users + `,"authenticationFlows":{"transferMethods":"deviceCodeFlow"},` + everything, "authenticationFlow"},
		{ReportOnly, ada, users + `,"times":{"x":1},` + everything, "invalidCondition"},
	} {
		r, _ := logged(t, row.state, row.x, `"conditions":{`+row.conditions+`},`+mfa)
		if got := r.Analysis(row.x.Target); got != row.want {
			t.Errorf("%s: %s, want %s", row.conditions, got, row.want)
		}
	}
}
