package condaccess

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// Kinds of strengths, and what they stand for.
const (
	BuiltIn = "builtIn"
	Custom  = "custom"
	ForMFA  = "mfa"
	ForNone = "none"
)

// Ids of the built-in strengths.
const (
	StrengthMFA               = "00000000-0000-0000-0000-000000000002"
	StrengthPasswordless      = "00000000-0000-0000-0000-000000000003"
	StrengthPhishingResistant = "00000000-0000-0000-0000-000000000004"
)

// Strength is Graph's authenticationStrengthPolicy: the combinations of methods
// of which one has to be proved.
type Strength struct {
	ID                        string          `json:"id"`
	CreatedDateTime           *time.Time      `json:"createdDateTime"`
	ModifiedDateTime          *time.Time      `json:"modifiedDateTime"`
	DisplayName               string          `json:"displayName"`
	Description               *string         `json:"description"`
	PolicyType                string          `json:"policyType"`            // BuiltIn or Custom
	RequirementsSatisfied     string          `json:"requirementsSatisfied"` // ForMFA if every combination is, else ForNone
	AllowedCombinations       []Combination   `json:"allowedCombinations"`
	CombinationConfigurations []Configuration `json:"combinationConfigurations"`
	Version                   int64           `json:"-"`
}

// Configuration narrows combinations of a strength: Graph's
// fido2CombinationConfiguration or x509CertificateCombinationConfiguration.
type Configuration struct {
	ODataType   string        `json:"@odata.type"`
	ID          string        `json:"id"`
	AppliesTo   []Combination `json:"appliesToCombinations"`
	AAGUIDs     []string      `json:"allowedAAGUIDs"`    // fido2; empty means any (CA-87)
	IssuerSKIs  []string      `json:"allowedIssuerSkis"` // x509
	PolicyOIDs  []string      `json:"allowedPolicyOIDs"` // x509
	Restriction *Restriction  `json:"cardea"`            // fido2
}

// Restriction is Cardea's own part of a configuration (CA-86): where the key
// may live, and whether its model must be proved.
type Restriction struct {
	AllowedPasskeyTypes passkey.TypeSet `json:"allowedPasskeyTypes"`
	RequireAttested     bool            `json:"requireAttested"`
}

const (
	fido2Configuration = graphType + "fido2CombinationConfiguration"
	x509Configuration  = graphType + "x509CertificateCombinationConfiguration"
)

var bothTypes = passkey.SetOf(passkey.DeviceBound, passkey.Synced)

// MarshalJSON writes the members of the type.
func (c Configuration) MarshalJSON() ([]byte, error) {
	o := object{"@odata.type": c.ODataType, "id": c.ID, "appliesToCombinations": c.AppliesTo}
	if c.ODataType == x509Configuration {
		o["allowedIssuerSkis"], o["allowedPolicyOIDs"] = c.IssuerSKIs, c.PolicyOIDs
	} else {
		o["allowedAAGUIDs"] = c.AAGUIDs
		if c.Restriction != nil {
			o["cardea"] = c.Restriction
		}
	}
	return json.Marshal(o)
}

func (r *Restriction) bind(x any, at string) error {
	o, ok := x.(object)
	if !ok {
		return wrong(at, "This member is a JSON object.")
	}
	r.AllowedPasskeyTypes = bothTypes
	for name, value := range o {
		here := at + "/" + escape(name)
		switch name {
		case "allowedPasskeyTypes":
			text, isText := value.(string)
			if value == nil {
				continue
			}
			if !isText || r.AllowedPasskeyTypes.UnmarshalText([]byte(text)) != nil {
				return wrong(here, "Write deviceBound, synced, or deviceBound,synced.")
			}
		case "requireAttested":
			if err := bind(reflect.ValueOf(&r.RequireAttested).Elem(), value, here); err != nil {
				return err
			}
		default:
			if !strings.Contains(name, "@") {
				return wrong(here, "There is no member %q here. Possible are allowedPasskeyTypes and requireAttested.", escape(name))
			}
		}
	}
	return nil
}

// restricts reports whether r shuts any passkey out.
func (r *Restriction) restricts() bool {
	return r != nil && (r.AllowedPasskeyTypes != bothTypes || r.RequireAttested)
}

func (c *Configuration) bind(x any, at string) error {
	type plain Configuration
	if err := bind(reflect.ValueOf((*plain)(c)).Elem(), x, at); err != nil {
		return err
	}
	name := strings.TrimPrefix(c.ODataType, "#")
	switch {
	case strings.EqualFold("#"+name, fido2Configuration):
		c.ODataType = fido2Configuration
		if len(c.IssuerSKIs)+len(c.PolicyOIDs) > 0 {
			return wrong(at, "allowedIssuerSkis and allowedPolicyOIDs belong to %s.", x509Configuration)
		}
	case strings.EqualFold("#"+name, x509Configuration):
		c.ODataType = x509Configuration
		if len(c.AAGUIDs) > 0 || c.Restriction != nil {
			return wrong(at, "allowedAAGUIDs and cardea belong to %s.", fido2Configuration)
		}
	default:
		return wrong(at+"/@odata.type", "Say what this configures: %s or %s.", fido2Configuration, x509Configuration)
	}
	for i, s := range c.AAGUIDs {
		a, ok := passkey.ParseAAGUID(strings.TrimSpace(s))
		if !ok {
			return wrong(fmt.Sprintf("%s/allowedAAGUIDs/%d", at, i), "%q is not an AAGUID. Write it like 90a3ccdf-635c-4729-a248-9b709135078f.", escape(s))
		}
		c.AAGUIDs[i] = a.String()
	}
	c.ID = canonicalID(c.ID)
	return nil
}

// ReadStrength reads the body of a POST.
func ReadStrength(body []byte) (Strength, error) {
	o, err := readObject(body)
	if err != nil {
		return Strength{}, err
	}
	return strengthOf(withoutExtra(o), "")
}

// Patched returns s with the change that the body of a PATCH describes. Its
// combinations cannot be changed so, see WithCombinations; its configurations
// are a list and so replaced whole.
func (s Strength) Patched(body []byte) (Strength, error) {
	if err := s.custom(); err != nil {
		return s, err
	}
	change, err := readObject(body)
	if err != nil {
		return s, err
	}
	cur, err := treeOf(s)
	if err != nil {
		return s, err
	}
	if err := readOnly(cur, change); err != nil {
		return s, err
	}
	next, err := strengthOf(merge(cur, withoutExtra(change)), s.ID)
	if err != nil {
		return s, err
	}
	if !sameCombinations(next.AllowedCombinations, s.AllowedCombinations) {
		return s, problem.New(problem.Invalid, "readOnlyMember", "1001: allowedCombinations is changed by POST …/updateAllowedCombinations only. Leave it out here.").On("/allowedCombinations")
	}
	next.AllowedCombinations = s.AllowedCombinations
	return next.as(s), nil
}

// WithCombinations returns s with other combinations. A configuration that
// applies to none of them any more is left out.
func (s Strength) WithCombinations(list []Combination) (Strength, error) {
	if err := s.custom(); err != nil {
		return s, err
	}
	next := s
	next.AllowedCombinations = slices.Clone(list)
	next.CombinationConfigurations = []Configuration{}
	for _, c := range s.CombinationConfigurations {
		c.AppliesTo = slices.DeleteFunc(slices.Clone(c.AppliesTo), func(one Combination) bool { return !slices.Contains(list, one) })
		if len(c.AppliesTo) > 0 {
			next.CombinationConfigurations = append(next.CombinationConfigurations, c)
		}
	}
	return next, next.valid()
}

// ReadCombinations reads the body {"allowedCombinations": […]}.
func ReadCombinations(body []byte) ([]Combination, error) {
	o, err := readObject(body)
	if err != nil {
		return nil, err
	}
	var w struct {
		AllowedCombinations []Combination `json:"allowedCombinations"`
	}
	err = bind(reflect.ValueOf(&w).Elem(), o, "")
	return w.AllowedCombinations, err
}

// ReadConfiguration reads the body of a POST of a combination configuration.
func ReadConfiguration(body []byte) (c Configuration, err error) {
	o, err := readObject(body)
	if err != nil {
		return c, err
	}
	return c, c.bind(any(o), "")
}

// Patched returns c with the change that the body of a PATCH describes. A
// client that does not know the member cardea leaves it as it is (CA-88).
func (c Configuration) Patched(body []byte) (Configuration, error) {
	change, err := readObject(body)
	if err != nil {
		return c, err
	}
	cur, err := treeOf(c)
	if err != nil {
		return c, err
	}
	if err := readOnly(cur, change); err != nil {
		return c, err
	}
	kind, sent := change["@odata.type"].(string)
	if sent && !strings.EqualFold(kind, c.ODataType) {
		return c, problem.New(problem.Invalid, "readOnlyMember", "1001: The type of a configuration cannot be changed. Create another one.").On("/@odata.type")
	}
	delete(change, "@odata.type")
	var next Configuration
	if err := next.bind(any(merge(cur, change)), ""); err != nil {
		return c, err
	}
	next.ID = c.ID
	return next, nil
}

// WithConfiguration returns s with c in the place of the configuration with its
// id, or added.
func (s Strength) WithConfiguration(c Configuration) (Strength, error) {
	if err := s.custom(); err != nil {
		return s, err
	}
	next := s
	next.CombinationConfigurations = slices.Clone(s.CombinationConfigurations)
	if i := s.configuration(c.ID); i >= 0 {
		next.CombinationConfigurations[i] = c
	} else {
		next.CombinationConfigurations = append(next.CombinationConfigurations, c)
	}
	return next, next.valid()
}

// WithoutConfiguration returns s without the configuration with an id; ok is
// false if there is none.
func (s Strength) WithoutConfiguration(id string) (next Strength, ok bool, err error) {
	i := s.configuration(id)
	if err := s.custom(); err != nil || i < 0 {
		return s, false, err
	}
	next = s
	next.CombinationConfigurations = slices.Delete(slices.Clone(s.CombinationConfigurations), i, i+1)
	return next, true, nil
}

func (s *Strength) configuration(id string) int {
	return slices.IndexFunc(s.CombinationConfigurations, func(c Configuration) bool { return strings.EqualFold(c.ID, id) })
}

func (s *Strength) custom() error {
	if s.PolicyType == BuiltIn {
		return problem.New(problem.Invalid, "builtInStrength", "1032: %s is a built-in authentication strength, which cannot be changed or deleted. Create a custom one with the combinations that you want.", s.DisplayName)
	}
	return nil
}

func (s Strength) as(old Strength) Strength {
	s.ID, s.Version = old.ID, old.Version
	s.CreatedDateTime, s.ModifiedDateTime = old.CreatedDateTime, old.ModifiedDateTime
	return s
}

func strengthOf(o object, id string) (Strength, error) {
	var s Strength
	if err := bind(reflect.ValueOf(&s).Elem(), o, ""); err != nil {
		return s, err
	}
	s.ID, s.PolicyType = id, Custom // both are read-only
	return s, s.valid()
}

func decodeStrength(document []byte) (Strength, error) {
	o, err := readObject(document)
	if err == nil {
		var s Strength
		if err = bind(reflect.ValueOf(&s).Elem(), o, ""); err == nil {
			return s, nil
		}
	}
	return Strength{}, fmt.Errorf("stored authentication strength: %v", err)
}

func (s *Strength) valid() error {
	fillAll(reflect.ValueOf(s))
	if strings.TrimSpace(s.DisplayName) == "" {
		return problem.New(problem.Invalid, "emptyPolicy", "1032: The authentication strength has no displayName. Give it one.").On("/displayName")
	}
	if len(s.AllowedCombinations) == 0 {
		return problem.New(problem.Invalid, "emptyPolicy", "1032: The authentication strength allows no combination, so nobody could satisfy it. Name at least one in allowedCombinations.").On("/allowedCombinations")
	}
	seen := map[Combination]bool{}
	s.RequirementsSatisfied = ForMFA
	for i, c := range s.AllowedCombinations {
		if seen[c] {
			return wrong(fmt.Sprintf("/allowedCombinations/%d", i), "%s is there twice. Name it once.", c)
		}
		seen[c] = true
		if slices.Contains(singleFactors, c) {
			s.RequirementsSatisfied = ForNone
		}
	}
	configured := map[Combination]bool{}
	for i := range s.CombinationConfigurations {
		c := &s.CombinationConfigurations[i]
		if err := c.valid(seen, configured, fmt.Sprintf("/combinationConfigurations/%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// valid checks c within its strength: what it applies to must be allowed, and
// configured by no other (CA-90).
func (c *Configuration) valid(allowed, configured map[Combination]bool, at string) error {
	if len(c.AppliesTo) == 0 {
		return wrong(at+"/appliesToCombinations", "Name the combinations that this configures.")
	}
	want := modeFido2
	if c.ODataType == x509Configuration {
		want = modeX509Single | modeX509Multi
	}
	for i, one := range c.AppliesTo {
		here := fmt.Sprintf("%s/appliesToCombinations/%d", at, i)
		switch {
		case one.modes()&want == 0:
			return wrong(here, "%s has nothing that a %s could configure.", one, strings.TrimPrefix(c.ODataType, graphType))
		case !allowed[one]:
			return wrong(here, "%s is not among allowedCombinations. Add it there, or leave it out here.", one)
		case configured[one]:
			return wrong(here, "%s is configured twice. One configuration per combination is possible.", one)
		}
		configured[one] = true
	}
	switch {
	case c.ODataType == fido2Configuration && len(c.AAGUIDs) == 0 && !c.Restriction.restricts():
		return wrong(at+"/allowedAAGUIDs", "This restricts nothing. Name AAGUIDs, or restrict allowedPasskeyTypes or requireAttested in the member cardea.")
	case c.ODataType == x509Configuration && len(c.IssuerSKIs)+len(c.PolicyOIDs) == 0:
		return wrong(at+"/allowedIssuerSkis", "This restricts nothing. Name issuers or policies.")
	}
	return nil
}

// StrengthRef is the strength that a policy demands. Bodies name it by {id} or
// by the full object, of which only the id counts; answers hold the full object
// once Resolve found it.
type StrengthRef struct {
	ID       string
	Strength *Strength
}

// MarshalJSON writes the strength, or its id as long as it is not resolved.
func (r StrengthRef) MarshalJSON() ([]byte, error) {
	if r.Strength != nil {
		return json.Marshal(r.Strength)
	}
	return json.Marshal(object{"id": r.ID})
}

func (r *StrengthRef) bind(x any, at string) error {
	o, ok := x.(object)
	id, isText := o["id"].(string)
	if !ok || !isText || id == "" {
		return wrong(at, "Name the authentication strength by its id: {\"id\": \"…\"}.")
	}
	r.ID, r.Strength = canonicalID(id), nil
	return nil
}
