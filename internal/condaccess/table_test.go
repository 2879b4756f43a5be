package condaccess

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"cardea/internal/passkey"

	"gopkg.in/yaml.v3"
)

// now is when the tables happen.
var now = time.Date(2026, 10, 4, 12, 0, 0, 0, time.UTC)

// apps are the applications of the tables: the other things may be called what
// they like, client ids have to be GUIDs.
var apps = map[string]string{
	"mail": "aaaaaaaa-0000-4000-8000-000000000001", "wiki": "aaaaaaaa-0000-4000-8000-000000000002", "office": "aaaaaaaa-0000-4000-8000-000000000003",
	"centre": "aaaaaaaa-0000-4000-8000-000000000004", "account": "aaaaaaaa-0000-4000-8000-000000000005",
}

// named puts the names of applications in the place of their ids.
func named(s string) string {
	for name, id := range apps {
		s = strings.ReplaceAll(s, id, name)
	}
	return s
}

var locations = func() []NamedLocation {
	return []NamedLocation{
		{Kind: IPLocation, ID: "headquarters", DisplayName: "headquarters", IsTrusted: true, IPRanges: []IPRange{{CIDR: "203.0.113.0/24"}}},
		{Kind: IPLocation, ID: "desk", DisplayName: "desk", IPRanges: []IPRange{{CIDR: "203.0.113.7/32"}}},
		{Kind: IPLocation, ID: "lab", DisplayName: "lab", IPRanges: []IPRange{{CIDR: "2001:db8::/64"}, {Lower: "198.51.100.3", Upper: "198.51.100.9"}}},
		{Kind: CountryLocation, ID: "alps", DisplayName: "alps", Countries: []string{"CH", "AT"}, Lookup: ByAddress},
		{Kind: CountryLocation, ID: "anywhere odd", DisplayName: "odd", IncludeUnknown: true, Lookup: ByAddress},
		{Kind: CountryLocation, ID: "gps", DisplayName: "gps", Countries: []string{"CH"}, Lookup: ByGPS},
		{Kind: CompliantNetwork, ID: "compliant", DisplayName: "compliant"},
	}
}()

// tree is YAML that is turned into JSON.
type tree = map[string]any

// over is b laid over a, object by object.
func over(a, b tree) tree {
	out := tree{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		x, ok := v.(tree)
		y, was := out[k].(tree)
		if ok && was {
			out[k] = over(y, x)
		} else {
			out[k] = v
		}
	}
	return out
}

// body is the JSON of a policy of a table.
func body(t testing.TB, name string, parts ...tree) []byte {
	t.Helper()
	all := tree{"displayName": name}
	for _, p := range parts {
		all = over(all, p)
	}
	if g, ok := all["grantControls"].(tree); ok && g["authenticationStrength"] != nil {
		if _, own := parts[len(parts)-1]["grantControls"].(tree)["builtInControls"]; !own {
			delete(g, "builtInControls")
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for name, id := range apps {
		s = strings.ReplaceAll(s, `"`+name+`"`, `"`+id+`"`)
	}
	return []byte(s)
}

func policy(t testing.TB, name string, parts ...tree) Policy {
	t.Helper()
	b := body(t, name, parts...)
	p, err := ReadPolicy(b)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b)
	}
	p.ID = name
	return p
}

// signIn is a sign-in of a table.
type signIn struct {
	User, Guest, Tenant                *string
	ServicePrincipal                   *string `yaml:"servicePrincipal"`
	Groups, Roles                      *[]string
	App, Action, Context               *string
	Client, Platform, Address, Country *string
	SignInRisk                         *string `yaml:"signInRisk"`
	UserRisk                           *string `yaml:"userRisk"`
	ServiceRisk                        *string `yaml:"serviceRisk"`
	InsiderRisk                        *string `yaml:"insiderRisk"`
	Flow                               *string
	Device                             map[string]any
	Unknown                            []ConditionKind

	Methods     []method // registered
	Proved      []method // in this session
	Registrable *registrable
	External    bool
	Changed     bool `yaml:"passwordChanged"`
	Terms       []string
	Factors     []string
	SignedIn    *time.Duration `yaml:"signedIn"` // ago
	Multifactor *time.Duration
	Began       time.Duration
	Disabled    bool `yaml:"includeDisabled"`
}

type method struct {
	Mode     string
	ID       string
	Type     passkey.Type
	Model    string
	Attested bool
	Here     bool          `yaml:"onThisDevice"`
	Ago      time.Duration // since it was proved
	Presence bool          `yaml:"withoutUserVerification"`
}

type registrable struct {
	Modes    string
	Passkeys []struct {
		Types    passkey.TypeSet
		Attested bool
		Models   *[]string
		Blocked  []string
	}
	Refusals map[string]string
}

var models = map[string]string{"X": "90a3ccdf-635c-4729-a248-9b709135078f", "Y": "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"}

func model(name string) passkey.AAGUID {
	a, _ := passkey.ParseAAGUID(models[name])
	return a
}

func (m method) method(t testing.TB) Method {
	var mode Mode
	if err := mode.UnmarshalText([]byte(m.Mode)); err != nil {
		t.Fatal(err)
	}
	return Method{Mode: mode, ID: m.ID, Passkey: Passkey{Type: m.Type, AAGUID: model(m.Model), Attested: m.Attested, OnThisDevice: m.Here}}
}

func text[T ~string](to *T, from *string) {
	if from != nil {
		*to = T(*from)
	}
}

// add lays s over the situation x.
func (s *signIn) add(t testing.TB, x *Situation) {
	t.Helper()
	text(&x.UserID, s.User)
	text(&x.GuestType, s.Guest)
	text(&x.HomeTenant, s.Tenant)
	text(&x.ServicePrincipal, s.ServicePrincipal)
	text(&x.Target.Action, s.Action)
	text(&x.Target.Context, s.Context)
	text(&x.Client, s.Client)
	text(&x.Platform, s.Platform)
	text(&x.Country, s.Country)
	text(&x.Risk.SignIn, s.SignInRisk)
	text(&x.Risk.User, s.UserRisk)
	text(&x.Risk.Service, s.ServiceRisk)
	text(&x.Risk.Insider, s.InsiderRisk)
	text(&x.Flow, s.Flow)
	if s.Groups != nil {
		x.Groups = *s.Groups
	}
	if s.Roles != nil {
		x.Roles = *s.Roles
	}
	if s.App != nil {
		x.Target.Apps = []string{apps[*s.App]}
	}
	if s.Address != nil {
		x.Address, _ = netip.ParseAddr(*s.Address)
	}
	if s.Device != nil {
		x.Device = &Device{Attributes: s.Device}
	}
	x.Unknown, x.IncludeDisabled = append(x.Unknown, s.Unknown...), x.IncludeDisabled || s.Disabled
	for _, m := range s.Methods {
		x.Methods = append(x.Methods, m.method(t))
	}
	for _, m := range s.Proved {
		x.Session.Proofs = append(x.Session.Proofs, Proof{Method: m.method(t), At: x.At.Add(-m.Ago), UserVerified: !m.Presence})
	}
	x.Session.External, x.Session.PasswordChanged = x.Session.External || s.External, x.Session.PasswordChanged || s.Changed
	x.Session.Terms, x.Session.Factors = append(x.Session.Terms, s.Terms...), append(x.Session.Factors, s.Factors...)
	if s.SignedIn != nil {
		x.Session.AuthAt = x.At.Add(-*s.SignedIn)
	}
	if s.Multifactor != nil {
		x.Session.MFAAt = x.At.Add(-*s.Multifactor)
	}
	x.Began = x.At.Add(-s.Began)
	if r := s.Registrable; r != nil {
		x.Registrable = r.registrable(t)
	}
}

func (r *registrable) registrable(t testing.TB) (out Registrable) {
	if r.Modes != "" {
		if err := out.Modes.UnmarshalText([]byte(r.Modes)); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range r.Passkeys {
		c := PasskeyClass{Types: k.Types, Attested: k.Attested, Listed: k.Models != nil}
		if k.Models != nil {
			for _, m := range *k.Models {
				c.AAGUIDs = append(c.AAGUIDs, model(m))
			}
		}
		for _, m := range k.Blocked {
			c.Blocked = append(c.Blocked, model(m))
		}
		out.Passkeys = append(out.Passkeys, c)
	}
	out.Refusals = map[Mode]string{}
	for name, why := range r.Refusals {
		var m Mode
		if err := m.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		out.Refusals[m] = why
	}
	return out
}

func situation(t testing.TB, parts ...signIn) Situation {
	x := Situation{At: now}
	x.Session.AuthAt = now
	for i := range parts {
		parts[i].add(t, &x)
	}
	return x
}

func readTable(t testing.TB, file string, into any) {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestConditions runs testdata/conditions.yaml.
func TestConditions(t *testing.T) {
	var table struct {
		Usual tree
		Ada   signIn
		Rows  []struct {
			Rule      string
			Policy    tree
			SignIn    signIn `yaml:"signIn"`
			Applies   bool
			Because   ConditionKind
			Condition ConditionKind
			Outcome   ConditionOutcome
			Include   string
			Exclude   string
		}
	}
	readTable(t, "conditions.yaml", &table)
	if len(table.Rows) < 100 {
		t.Fatalf("only %d rows were read", len(table.Rows))
	}
	for _, row := range table.Rows {
		t.Run(row.Rule, func(t *testing.T) {
			p := policy(t, "P", table.Usual, row.Policy)
			s := Compile(Source{Policies: []Policy{p}, Locations: locations, Office365: []string{apps["office"]}, AdminPortals: []string{apps["centre"]}})
			got := Evaluate(s, situation(t, table.Ada, row.SignIn)).Policies()[0]
			if got.Applied != row.Applies {
				t.Errorf("applied: %v, want %v\n%+v", got.Applied, row.Applies, got.Conditions)
			}
			if (got.Outcome != NotApplied) != row.Applies {
				t.Errorf("outcome: %v", got.Outcome)
			}
			kind := row.Because
			if kind == "" {
				kind = row.Condition
			}
			for _, c := range got.Conditions {
				if failed := c.Outcome == ConditionNotSatisfied || c.Outcome == ConditionUnsupported; failed != (c.Kind == row.Because) {
					t.Errorf("%s: %s (%s)", c.Kind, c.Outcome, c.Reason)
				}
				if c.Reason == "" {
					t.Errorf("%s has no reason", c.Kind)
				}
				if c.Kind != kind || kind == "" {
					continue
				}
				if row.Outcome != "" && c.Outcome != row.Outcome {
					t.Errorf("%s: %s, want %s", c.Kind, c.Outcome, row.Outcome)
				}
				if row.Include != "" && hitText(c.Include) != row.Include {
					t.Errorf("included by %q, want %q", hitText(c.Include), row.Include)
				}
				if row.Exclude != "" && hitText(c.Exclude) != row.Exclude {
					t.Errorf("excluded by %q, want %q", hitText(c.Exclude), row.Exclude)
				}
			}
		})
	}
}

func hitText(h *RuleHit) string {
	if h == nil {
		return ""
	}
	return strings.TrimSpace(string(h.Rule) + " " + named(h.Value))
}
