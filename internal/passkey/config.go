package passkey

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Fixed names of the policy document.
const (
	ConfigurationID    = "Fido2"
	ODataType          = "#microsoft.graph.fido2AuthenticationMethodConfiguration"
	AllUsers           = "all_users"
	DefaultProfileID   = "00000000-0000-0000-0000-000000000001"
	DefaultProfileName = "Default passkey profile"
)

// State says whether a method is on.
type State string

const (
	Enabled  State = "enabled"
	Disabled State = "disabled"
)

// Target types. There is none of its own for directory roles: a role is
// targeted as a group whose id is the role's template id.
const (
	TargetUser  = "user"
	TargetGroup = "group"
	targetRole  = "role" // accepted in requests, written back as group
)

// AttestationEnforcement says whether a profile demands attestation. It is
// asked at registration only (PK-59).
type AttestationEnforcement string

const (
	AttestationDisabled         AttestationEnforcement = "disabled"
	AttestationRegistrationOnly AttestationEnforcement = "registrationOnly"
)

// EnforcementType is the sense of a list of AAGUIDs.
type EnforcementType string

const (
	Allow EnforcementType = "allow"
	Block EnforcementType = "block"
)

// Configuration is the policy document, the Graph resource
// fido2AuthenticationMethodConfiguration. Every value that this package hands
// out is valid, has no nil list, and shows the default profile in its two
// deprecated members (PK-31). Treat it as immutable: it may share its lists.
type Configuration struct {
	ID                               string          `json:"id"`
	State                            State           `json:"state"`
	IsSelfServiceRegistrationAllowed bool            `json:"isSelfServiceRegistrationAllowed"`
	IsAttestationEnforced            bool            `json:"isAttestationEnforced"` // deprecated mirror of the default profile
	KeyRestrictions                  KeyRestrictions `json:"keyRestrictions"`       // deprecated mirror of the default profile
	DefaultPasskeyProfile            string          `json:"defaultPasskeyProfile"`
	ExcludeTargets                   []ExcludeTarget `json:"excludeTargets"`
	IncludeTargets                   []Target        `json:"includeTargets"`
	PasskeyProfiles                  []Profile       `json:"passkeyProfiles"`
}

// Target is people who may use passkeys, and through which profiles. ID is the
// object id of a group or user, a role template id, or AllUsers.
type Target struct {
	TargetType             string   `json:"targetType"`
	ID                     string   `json:"id"`
	IsRegistrationRequired bool     `json:"isRegistrationRequired"` // stored and echoed, no effect
	AllowedPasskeyProfiles []string `json:"allowedPasskeyProfiles"` // profile ids, at least one
}

// ExcludeTarget is people who may not use passkeys, whatever includes them.
type ExcludeTarget struct {
	TargetType string `json:"targetType"`
	ID         string `json:"id"`
}

// Profile is a set of demands on a passkey; it is met whole or not at all.
type Profile struct {
	ID                     string                 `json:"id"`
	Name                   string                 `json:"name"`
	PasskeyTypes           TypeSet                `json:"passkeyTypes"`
	AttestationEnforcement AttestationEnforcement `json:"attestationEnforcement"`
	KeyRestrictions        KeyRestrictions        `json:"keyRestrictions"`
}

// KeyRestrictions is a list of models. The list is kept while IsEnforced is
// false (PK-12).
type KeyRestrictions struct {
	IsEnforced      bool            `json:"isEnforced"`
	EnforcementType EnforcementType `json:"enforcementType"`
	AaGuids         []string        `json:"aaGuids"` // lower case, each once
}

// Default is the document of a fresh Cardea, and after a reset (PK §1.7, PK-13).
func Default() Configuration {
	return Configuration{
		State:                            Enabled,
		IsSelfServiceRegistrationAllowed: true,
		IncludeTargets:                   []Target{{TargetType: TargetGroup, ID: AllUsers, AllowedPasskeyProfiles: []string{DefaultProfileID}}},
		PasskeyProfiles: []Profile{{
			ID: DefaultProfileID, Name: DefaultProfileName, PasskeyTypes: bothTypes,
			AttestationEnforcement: AttestationDisabled,
			KeyRestrictions:        KeyRestrictions{EnforcementType: Block},
		}},
	}.settled()
}

// Decode reads a document that this package wrote. An error means that the
// stored document was damaged, and is not the fault of a caller.
func Decode(stored []byte) (Configuration, error) {
	var c Configuration
	// %v, not %w: the fault must not look like that of the caller, who sent nothing.
	if err := json.Unmarshal(stored, &c); err != nil {
		return Configuration{}, fmt.Errorf("stored passkey policy: %v", err)
	}
	if err := c.check(c, everythingKnown); err != nil {
		return Configuration{}, fmt.Errorf("stored passkey policy: %v", err)
	}
	return c.settled(), nil
}

func everythingKnown(string, string) bool { return true }

// Clone returns a copy that shares nothing with c.
func (c Configuration) Clone() Configuration {
	c.ExcludeTargets = slices.Clone(c.ExcludeTargets)
	c.IncludeTargets = slices.Clone(c.IncludeTargets)
	for i := range c.IncludeTargets {
		t := &c.IncludeTargets[i]
		t.AllowedPasskeyProfiles = slices.Clone(t.AllowedPasskeyProfiles)
	}
	c.PasskeyProfiles = slices.Clone(c.PasskeyProfiles)
	for i := range c.PasskeyProfiles {
		k := &c.PasskeyProfiles[i].KeyRestrictions
		k.AaGuids = slices.Clone(k.AaGuids)
	}
	return c.settled()
}

// Profile returns the profile with this id.
func (c Configuration) Profile(id string) (Profile, bool) {
	i := slices.IndexFunc(c.PasskeyProfiles, func(p Profile) bool { return p.ID == id })
	if i < 0 {
		return Profile{}, false
	}
	return c.PasskeyProfiles[i], true
}

// settled fixes what never varies, fills nil lists and copies the default
// profile into the deprecated members (PK-31). It writes to the lists of c.
func (c Configuration) settled() Configuration {
	c.ID, c.DefaultPasskeyProfile = ConfigurationID, DefaultProfileID
	c.ExcludeTargets, c.IncludeTargets = filled(c.ExcludeTargets), filled(c.IncludeTargets)
	c.PasskeyProfiles = filled(c.PasskeyProfiles)
	for i := range c.IncludeTargets {
		t := &c.IncludeTargets[i]
		t.AllowedPasskeyProfiles = filled(t.AllowedPasskeyProfiles)
	}
	for i := range c.PasskeyProfiles {
		k := &c.PasskeyProfiles[i].KeyRestrictions
		k.AaGuids = filled(k.AaGuids)
	}
	if p, ok := c.Profile(DefaultProfileID); ok {
		c.IsAttestationEnforced = p.AttestationEnforcement == AttestationRegistrationOnly
		c.KeyRestrictions = p.KeyRestrictions
	}
	return c
}

func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
