package condaccess

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/passkey"

	"github.com/google/go-cmp/cmp"
)

// customStrengths are those that the tables name.
func customStrengths(t testing.TB) []Strength {
	var out []Strength
	for id, body := range map[string]string{
		"keys":         `{"allowedCombinations":["fido2"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":[],"cardea":{"allowedPasskeyTypes":"deviceBound","requireAttested":true}}]}`,
		"model X":      `{"allowedCombinations":["fido2"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":["` + models["X"] + `"]}]}`,
		"codes":        `{"allowedCombinations":["password, softwareOath"]}`,
		"passes":       `{"allowedCombinations":["temporaryAccessPassOneTime","fido2"]}`,
		"sms":          `{"allowedCombinations":["password,sms"]}`,
		"certificates": `{"allowedCombinations":["x509CertificateMultiFactor"],"combinationConfigurations":[{"@odata.type":"#microsoft.graph.x509CertificateCombinationConfiguration","appliesToCombinations":["x509CertificateMultiFactor"],"allowedIssuerSkis":["aa"]}]}`,
	} {
		s, err := ReadStrength([]byte(`{"displayName":"` + id + `",` + body[1:]))
		if err != nil {
			t.Fatal(id, err)
		}
		s.ID = id
		out = append(out, s)
	}
	return out
}

type decisionRow struct {
	Rule     string
	Policies map[string]tree
	SignIn   signIn `yaml:"signIn"`
	Verdict  Verdict
	Says     map[string]string
	Strength map[string]string
	Results  map[string]string
	Reasons  map[string][]string
	Next     []string
	Session  *struct {
		Frequency time.Duration
		Every     bool
		Browser   BrowserMode
		Strict    bool
	}
}

// TestDecisions runs testdata/decisions.yaml.
func TestDecisions(t *testing.T) {
	var table struct {
		Usual tree
		Ada   signIn
		Rows  []decisionRow
	}
	readTable(t, "decisions.yaml", &table)
	if len(table.Rows) < 80 {
		t.Fatalf("only %d rows were read", len(table.Rows))
	}
	strengths := customStrengths(t)
	for _, row := range table.Rows {
		t.Run(row.Rule, func(t *testing.T) {
			src := Source{Locations: locations, Strengths: strengths}
			for _, name := range slices.Sorted(maps.Keys(row.Policies)) {
				src.Policies = append(src.Policies, policy(t, name, table.Usual, row.Policies[name]))
			}
			d := Evaluate(Compile(src), situation(t, table.Ada, row.SignIn))
			row.check(t, d)
			if len(row.Next) == 0 && len(d.Next) > 0 && d.Verdict == Refuse {
				t.Errorf("asks %v before a refusal", steps(d))
			}
			slices.Reverse(src.Policies) // CA-34
			if diff := cmp.Diff(shown(d), shown(Evaluate(Compile(src), situation(t, table.Ada, row.SignIn)))); diff != "" {
				t.Errorf("the order of the policies matters:\n%s", diff)
			}
		})
	}
}

// shown is all that anybody can see of a decision.
func shown(d Decision) any {
	policies := d.Policies()
	d.pass = nil
	type seen struct {
		Verdict  Verdict
		Outcome  Outcome
		Next     []string
		Session  SessionDemands
		Policies []PolicyResult
	}
	return seen{d.Verdict, d.Outcome, steps(d), d.Session, policies}
}

func (row *decisionRow) check(t *testing.T, d Decision) {
	t.Helper()
	if d.Verdict != row.Verdict {
		t.Errorf("verdict %s, want %s", d.Verdict, row.Verdict)
	}
	says, strength, results, reasons := map[string]string{}, map[string]string{}, map[string]string{}, map[string][]string{}
	for _, p := range d.Policies() {
		says[p.ID], results[p.ID] = p.Outcome.String(), p.Outcome.Result(p.State, d.Verdict != Refuse)
		if p.Strength != nil {
			strength[p.ID], reasons[p.ID] = p.Strength.Result.String(), p.Strength.Refusals
		}
	}
	for _, c := range []struct {
		what      string
		got, want any
		skip      bool
	}{
		{"says", says, row.Says, row.Says == nil}, {"strength", strength, row.Strength, row.Strength == nil},
		{"results", results, row.Results, row.Results == nil}, {"reasons", reasons, row.Reasons, row.Reasons == nil},
		{"next", steps(d), row.Next, row.Next == nil},
	} {
		if !c.skip && !cmp.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if s := row.Session; s != nil {
		want := SessionDemands{Timed: s.Every || s.Frequency > 0, Every: s.Every, Frequency: s.Frequency, Browser: s.Browser, StrictLocation: s.Strict}
		if d.Session != want {
			t.Errorf("session: %+v, want %+v", d.Session, want)
		}
	}
}

// steps writes what is asked for in short.
func steps(d Decision) []string {
	out := []string{}
	for _, s := range d.Next {
		words := append([]string{string(s.Kind)}, s.Modes...)
		words = append(append(words, s.Passkeys...), s.IDs...)
		if k := s.Create; k != nil {
			words = append(words, k.Types.String())
			if k.Attested {
				words = append(words, "attested")
			}
			for _, a := range k.AAGUIDs {
				for name := range models {
					if m, _ := passkey.ParseAAGUID(a); m == model(name) {
						words = append(words, name)
					}
				}
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}
