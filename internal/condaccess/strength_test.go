package condaccess

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBuiltInStrengths: the tables of §12.
func TestBuiltInStrengths(t *testing.T) {
	all := BuiltInStrengths()
	if len(all) != 3 || len(all[0].AllowedCombinations) != 19 || len(all[1].AllowedCombinations) != 4 || len(all[2].AllowedCombinations) != 3 {
		t.Errorf("%+v", all)
	}
	if len(Combinations) != 22 || slices.Contains(Combinations, "password,x509CertificateMultiFactor") || !slices.Contains(Combinations, "email") {
		t.Errorf("%d combinations: %v", len(Combinations), Combinations)
	}
	if len(Modes) != 17 {
		t.Errorf("%d modes", len(Modes))
	}
	for _, s := range all {
		if s.CreatedDateTime.Format("2006-01-02T15:04:05Z") != "2021-12-01T08:00:00Z" || s.RequirementsSatisfied != ForMFA || s.PolicyType != BuiltIn {
			t.Errorf("%+v", s)
		}
		for _, c := range s.AllowedCombinations {
			if c.modes().String() != string(c) {
				t.Errorf("%s is written %s (CA-85)", c, c.modes())
			}
		}
		_, err := s.Patched([]byte(`{"displayName":"x"}`))
		refused(t, err, "builtInStrength", "", "")
		_, err = s.WithCombinations([]Combination{"fido2"})
		refused(t, err, "builtInStrength", "", "")
		_, err = s.WithConfiguration(Configuration{})
		refused(t, err, "builtInStrength", "", "")
		_, _, err = s.WithoutConfiguration("x")
		refused(t, err, "builtInStrength", "", "")
	}
}

func TestStrengths(t *testing.T) {
	fido := func(rest string) string {
		return `"allowedCombinations":["fido2"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"]` + rest + `}]`
	}
	for _, row := range []struct{ name, body, has, code, at string }{
		{"CA-85 order and blanks", `"allowedCombinations":["softwareOath , password","fido2"]`, `{"allowedCombinations":["password,softwareOath","fido2"],"requirementsSatisfied":"mfa","policyType":"custom","combinationConfigurations":[]}`, "", ""},
		{"CA-85 any case", `"allowedCombinations":["FIDO2"]`, `{"allowedCombinations":["fido2"]}`, "", ""},
		{"CA-85 twice in one", `"allowedCombinations":["password,password"]`, "", "invalidMember", "/allowedCombinations/0"},
		{"CA-85 twice in the list", `"allowedCombinations":["password,sms","sms,password"]`, "", "invalidMember", "/allowedCombinations/1"},
		{"one factor", `"allowedCombinations":["fido2","password"]`, `{"requirementsSatisfied":"none"}`, "", ""},
		{"no combination", `"allowedCombinations":[]`, "", "emptyPolicy", "/allowedCombinations"},
		{"unknown mode", `"allowedCombinations":["fido2","pigeon"]`, "", "invalidMember", "/allowedCombinations/1"},
		{"no such combination", `"allowedCombinations":["sms,voice"]`, "", "invalidMember", "/allowedCombinations/0"},
		{"hidden mode", `"allowedCombinations":["unknownFutureValue"]`, "", "invalidMember", "/allowedCombinations/0"},
		{"read-only members", `"allowedCombinations":["fido2"],"policyType":"builtIn","requirementsSatisfied":"none","id":"x","createdDateTime":"2021-12-01T08:00:00Z"`, `{"policyType":"custom","requirementsSatisfied":"mfa","id":""}`, "", ""},
		{"unknown member", `"allowedCombinations":["fido2"],"colour":1`, "", "invalidMember", "/colour"},
		{"models", fido(`,"allowedAAGUIDs":["90A3CCDF-635C-4729-A248-9B709135078F"]`), `{"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","allowedAAGUIDs":["90a3ccdf-635c-4729-a248-9b709135078f"],"appliesToCombinations":["fido2"],"id":""}]}`, "", ""},
		{"no model", fido(`,"allowedAAGUIDs":["x"]`), "", "invalidMember", "/combinationConfigurations/0/allowedAAGUIDs/0"},
		{"CA-87 nothing", fido(``), "", "invalidMember", "/combinationConfigurations/0/allowedAAGUIDs"},
		{"CA-87 both types", fido(`,"cardea":{"allowedPasskeyTypes":"synced,deviceBound"}`), "", "invalidMember", "/combinationConfigurations/0/allowedAAGUIDs"},
		{"CA-86 device-bound", fido(`,"allowedAAGUIDs":[],"cardea":{"allowedPasskeyTypes":"deviceBound","requireAttested":true}`), `{"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","id":"","appliesToCombinations":["fido2"],"allowedAAGUIDs":[],"cardea":{"allowedPasskeyTypes":"deviceBound","requireAttested":true}}]}`, "", ""},
		{"CA-86 attested of both", fido(`,"cardea":{"requireAttested":true}`), `{"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","id":"","appliesToCombinations":["fido2"],"allowedAAGUIDs":[],"cardea":{"allowedPasskeyTypes":"deviceBound,synced","requireAttested":true}}]}`, "", ""},
		{"CA-86 unknown type", fido(`,"cardea":{"allowedPasskeyTypes":"floating"}`), "", "invalidMember", "/combinationConfigurations/0/cardea/allowedPasskeyTypes"},
		{"CA-86 unknown member", fido(`,"cardea":{"colour":1}`), "", "invalidMember", "/combinationConfigurations/0/cardea/colour"},
		{"CA-90", `"allowedCombinations":["fido2"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"cardea":{"requireAttested":true}},{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"cardea":{"requireAttested":true}}]`, "", "invalidMember", "/combinationConfigurations/1/appliesToCombinations/0"},
		{"configures what is not allowed", `"allowedCombinations":["password,softwareOath"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"cardea":{"requireAttested":true}}]`, "", "invalidMember", "/combinationConfigurations/0/appliesToCombinations/0"},
		{"configures nothing", `"allowedCombinations":["fido2"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":[],"cardea":{"requireAttested":true}}]`, "", "invalidMember", "/combinationConfigurations/0/appliesToCombinations"},
		{"configures another method", `"allowedCombinations":["password,sms"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["password,sms"],"cardea":{"requireAttested":true}}]`, "", "invalidMember", "/combinationConfigurations/0/appliesToCombinations/0"},
		{"certificates", `"allowedCombinations":["x509CertificateMultiFactor"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration","appliesToCombinations":["x509CertificateMultiFactor"],"allowedIssuerSkis":["aa"],"allowedPolicyOIDs":["1.2"]}]`, `{"combinationConfigurations":[{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration","id":"","appliesToCombinations":["x509CertificateMultiFactor"],"allowedIssuerSkis":["aa"],"allowedPolicyOIDs":["1.2"]}]}`, "", ""},
		{"certificates without restriction", `"allowedCombinations":["x509CertificateMultiFactor"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration","appliesToCombinations":["x509CertificateMultiFactor"]}]`, "", "invalidMember", "/combinationConfigurations/0/allowedIssuerSkis"},
		{"certificates with models", `"allowedCombinations":["x509CertificateMultiFactor"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration","appliesToCombinations":["x509CertificateMultiFactor"],"allowedAAGUIDs":["90a3ccdf-635c-4729-a248-9b709135078f"]}]`, "", "invalidMember", "/combinationConfigurations/0"},
		{"configuration without type", `"allowedCombinations":["fido2"],"combinationConfigurations":[{"appliesToCombinations":["fido2"]}]`, "", "invalidMember", "/combinationConfigurations/0/@odata.type"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := ReadStrength([]byte(`{"displayName":"S",` + row.body + `}`))
			if row.code != "" {
				refused(t, err, row.code, row.at, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want tree
			if err := json.Unmarshal([]byte(row.has), &want); err != nil {
				t.Fatal(err)
			}
			contains(t, "", want, plain(t, s))
			got, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ReadStrength(got); err != nil || !cmp.Equal(plain(t, s), plain(t, again)) {
				t.Errorf("POST of GET: %v", err)
			}
			if same, err := s.Patched(got); err != nil || !cmp.Equal(plain(t, s), plain(t, same)) {
				t.Errorf("PATCH of GET: %v", err)
			}
		})
	}
}

// TestStrengthChanges: combinations change in one way only; configurations that
// lose theirs go too; a client that does not know cardea leaves it (CA-88).
func TestStrengthChanges(t *testing.T) {
	s, err := ReadStrength([]byte(`{"displayName":"S","allowedCombinations":["fido2","password,softwareOath"],"combinationConfigurations":[{"id":"c","@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":[],"cardea":{"allowedPasskeyTypes":"deviceBound","requireAttested":true}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if next, err := s.Patched([]byte(`{"displayName":"T","allowedCombinations":["softwareOath,password","fido2"]}`)); err != nil || next.DisplayName != "T" || next.AllowedCombinations[0] != "fido2" {
		t.Errorf("the same list: %+v %v", next, err)
	}
	_, err = s.Patched([]byte(`{"allowedCombinations":["fido2"]}`))
	refused(t, err, "readOnlyMember", "/allowedCombinations", "")

	c := s.CombinationConfigurations[0]
	changed, err := c.Patched([]byte(`{"allowedAAGUIDs":["` + models["X"] + `"]}`))
	if err != nil || changed.Restriction == nil || !changed.Restriction.RequireAttested || len(changed.AAGUIDs) != 1 || changed.ID != "c" {
		t.Errorf("CA-88: %+v %v", changed, err)
	}
	_, err = c.Patched([]byte(`{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration"}`))
	refused(t, err, "readOnlyMember", "/@odata.type", "")
	if next, err := s.WithConfiguration(changed); err != nil || len(next.CombinationConfigurations) != 1 || len(s.CombinationConfigurations[0].AAGUIDs) != 0 {
		t.Errorf("%+v %v", next, err)
	}
	changed.ID = "d"
	_, err = s.WithConfiguration(changed)
	refused(t, err, "invalidMember", "/combinationConfigurations/1/appliesToCombinations/0", "")

	list, err := ReadCombinations([]byte(`{"allowedCombinations":["password, softwareOath"]}`))
	if err != nil {
		t.Fatal(err)
	}
	if next, err := s.WithCombinations(list); err != nil || len(next.CombinationConfigurations) != 0 || len(next.AllowedCombinations) != 1 {
		t.Errorf("%+v %v", next, err)
	}
	if next, ok, err := s.WithoutConfiguration("C"); err != nil || !ok || len(next.CombinationConfigurations) != 0 {
		t.Errorf("%+v %v %v", next, ok, err)
	}
	if _, ok, _ := s.WithoutConfiguration("z"); ok {
		t.Error("removed what is not there")
	}
}

func TestStrengthWarnings(t *testing.T) {
	for _, row := range []struct{ cardea, models, want string }{
		{`{"allowedPasskeyTypes":"synced","requireAttested":true}`, ``, "neverSatisfiable"}, // CA-89
		{`{"allowedPasskeyTypes":"deviceBound"}`, ``, "selfReported"},
		{`{"allowedPasskeyTypes":"deviceBound"}`, `"` + models["X"] + `"`, ""},
		{`{"allowedPasskeyTypes":"deviceBound","requireAttested":true}`, ``, ""},
		{`{"allowedPasskeyTypes":"synced"}`, ``, ""},
	} {
		s, err := ReadStrength([]byte(`{"displayName":"S","allowedCombinations":["fido2"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":[` + row.models + `],"cardea":` + row.cardea + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, w := range s.Warnings() {
			got += w.Code
		}
		if got != row.want {
			t.Errorf("%s %s: %q, want %q", row.cardea, row.models, got, row.want)
		}
	}
}
