package condaccess

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"cardea/internal/problem"
	"cardea/internal/rule"

	"github.com/google/go-cmp/cmp"
)

const wholePolicy = `{"id":"75d01079-0000-4000-8000-78fdd7c641f2","deletedDateTime":null,"displayName":"Admins need a passkey","templateId":null,
 "state":"enabledForReportingButNotEnforced","createdDateTime":"2026-10-04T15:53:14.1790576Z","modifiedDateTime":null,
 "conditions":{"clientAppTypes":["all"],"signInRiskLevels":[],"userRiskLevels":[],"servicePrincipalRiskLevels":[],
  "insiderRiskLevels":null,"authenticationFlows":null,"devices":null,"platforms":null,"locations":null,"clientApplications":null,
  "applications":{"includeApplications":["All"],"excludeApplications":[],"includeUserActions":[],
   "includeAuthenticationContextClassReferences":[],"applicationFilter":null},
  "users":{"includeUsers":[],"excludeUsers":[],"includeGroups":[],"excludeGroups":["b"],
   "includeRoles":["62e90394-69f5-4237-9190-012177145e10"],"excludeRoles":[],
   "includeGuestsOrExternalUsers":null,"excludeGuestsOrExternalUsers":null}},
 "grantControls":{"operator":"OR","builtInControls":[],"customAuthenticationFactors":[],"termsOfUse":[],
  "authenticationStrength@odata.context":"https://x/$metadata#y",
  "authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004","displayName":"Phishing-resistant MFA"}},
 "sessionControls":null}`

// explained: an error about a body is one for its sender, and says where.
func explained(t *testing.T, err error) {
	t.Helper()
	e, ok := err.(*problem.Error)
	if !ok || e.Kind != problem.Invalid || e.Code == "" || e.Detail == "" {
		t.Errorf("%#v", err)
	}
}

// FuzzPolicy: whatever is read can be written, read again as the same, patched
// with itself, stored and compiled; whatever is refused is explained.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(wholePolicy))
	f.Add([]byte(`{"displayName":"x","state":"ENABLED","conditions":{"users":{"includeUsers":["all"]},"applications":{"includeUserActions":["urn:user:registerdevice"]},"times":{"a":[1e400,{"b":null}]}},"grantControls":{"builtInControls":["MFA"]}}`))
	f.Add([]byte(`{"displayName":"x","state":"disabled","conditions":{"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"none, internalGuest"}},"applications":{"includeAuthenticationContextClassReferences":["C1"]},"locations":{"includeLocations":["/a/b/All"]},"devices":{"deviceFilter":{"mode":"include","rule":"device.model -eq \"x\""}}},"sessionControls":{"signInFrequency":{"isEnabled":true,"value":4,"type":"hours"}}}`))
	f.Add([]byte(`{"a@odata.bind":1}`))
	f.Add([]byte(`{"grantControls":{"authenticationStrength@odata.bind":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := ReadPolicy(body)
		if err != nil {
			explained(t, err)
			return
		}
		lossless(t, p)
		p.ID = "p"
		d := Evaluate(Compile(Source{Policies: []Policy{p}}), Situation{At: now, UserID: "ada", Target: Target{Apps: []string{"mail"}}})
		if len(d.Policies()) != 1 {
			t.Error("no explanation")
		}
	})
}

// FuzzPatch: a PATCH gives a valid policy that reads back the same, or is
// explained; and doing it again changes nothing more.
func FuzzPatch(f *testing.F) {
	for _, s := range []string{`{}`, `{"state":"enabled"}`, `{"conditions":{"users":null}}`, `{"grantControls":{"authenticationStrength":null,"builtInControls":["block"]}}`, `{"id":"x"}`, `{"conditions":{"users":{"excludeUsers":["x"]}},"@odata.type":"#y"}`, wholePolicy} {
		f.Add([]byte(s))
	}
	p, err := ReadPolicy([]byte(wholePolicy))
	if err != nil {
		f.Fatal(err)
	}
	p.ID = "75d01079-0000-4000-8000-78fdd7c641f2"
	f.Fuzz(func(t *testing.T, body []byte) {
		once, err := p.Patched(body)
		if err != nil {
			explained(t, err)
			return
		}
		lossless(t, once)
		if twice, err := once.Patched(body); err != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("%v\n%s", err, cmp.Diff(plain(t, once), plain(t, twice)))
		}
	})
}

// FuzzLocation: what is read reads back the same, and each of its ranges holds
// the addresses at both its ends.
func FuzzLocation(f *testing.F) {
	for _, s := range []string{
		`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"x","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"192.0.2.1/24"},{"lowerAddress":"::1","upperAddress":"::9"}]}`,
		`{"@odata.type":"microsoft.graph.countryNamedLocation","displayName":"x","countriesAndRegions":["ch"],"includeUnknownCountriesAndRegions":true}`,
		`{"@odata.type":"#microsoft.graph.compliantNetworkNamedLocation","displayName":"x","compliantNetworkType":"allTenantCompliantNetworks"}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := ReadLocation(body)
		if err != nil {
			explained(t, err)
			return
		}
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadLocation(b)
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Fatalf("%v\n%s", err, cmp.Diff(plain(t, l), plain(t, again)))
		}
		if same, err := l.Patched(b); err != nil || !reflect.DeepEqual(l, same) {
			t.Fatalf("%v", err)
		}
		l.ID = "l"
		s := Compile(Source{Locations: []NamedLocation{l}})
		for _, r := range l.IPRanges {
			ps, err := r.Prefixes()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range ps {
				if s.ranges.Find(p.Addr()) == nil {
					t.Errorf("%v is not found", p)
				}
			}
		}
	})
}

// FuzzStrength: what is read reads back the same.
func FuzzStrength(f *testing.F) {
	for _, s := range []string{
		`{"displayName":"x","allowedCombinations":["fido2","softwareOath, password"],"combinationConfigurations@odata.context":"x","combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":["90A3CCDF-635C-4729-A248-9B709135078F"],"cardea":{"allowedPasskeyTypes":"synced , deviceBound"}}]}`,
		`{"displayName":"x","allowedCombinations":["x509CertificateMultiFactor"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration","appliesToCombinations":["x509CertificateMultiFactor"],"allowedPolicyOIDs":["1.2"]}]}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := ReadStrength(body)
		if err != nil {
			explained(t, err)
			return
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadStrength(b)
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%v\n%s", err, cmp.Diff(plain(t, s), plain(t, again)))
		}
		for _, c := range s.AllowedCombinations {
			if c.modes() == 0 || strings.Contains(string(c), " ") || c.modes().String() != string(c) {
				t.Errorf("combination %q", c)
			}
		}
	})
}

// FuzzDeviceFilter: a filter that is accepted decides every device one way: of
// a policy that includes by it and one that excludes by it, exactly one applies.
func FuzzDeviceFilter(f *testing.F) {
	for _, s := range []string{`device.trustType -ne "ServerAD" -or device.isCompliant -ne True`, `device.extensionAttribute1 -startsWith "SAW"`, `device.physicalIds -contains "x"`, `-not (device.model -in ["a"])`, `device.model`} {
		f.Add(s, "a", true)
	}
	f.Fuzz(func(t *testing.T, text, value string, compliant bool) {
		r, err := rule.Parse(text, DeviceAttributes)
		if err != nil {
			return
		}
		device := &Device{Attributes: map[string]any{"device.model": value, "device.trustType": value, "device.isCompliant": compliant, "device.physicalIds": []string{value}}}
		for _, dev := range []*Device{nil, device} {
			var applied []bool
			for _, mode := range []FilterMode{Include, Exclude} {
				p := Policy{ID: "p", State: Enabled, Conditions: Conditions{Users: &Users{IncludeUsers: []string{All}}, Applications: &Applications{IncludeApplications: []string{All}},
					Devices: &Devices{DeviceFilter: &Filter{Mode: mode, Rule: text}}}, GrantControls: &GrantControls{Operator: Or, BuiltIn: []Control{Block}}}
				p.settle()
				d := Evaluate(Compile(Source{Policies: []Policy{p}}), Situation{At: now, UserID: "ada", Target: Target{Apps: []string{"mail"}}, Device: dev})
				applied = append(applied, d.Policies()[0].Applied)
			}
			if applied[0] == applied[1] || applied[0] != r.Evaluate(dev.attribute) {
				t.Errorf("%q: include %v, exclude %v", text, applied[0], applied[1])
			}
		}
	})
}
