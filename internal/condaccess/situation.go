package condaccess

import (
	"net/netip"
	"time"

	"cardea/internal/passkey"
)

// Situation is everything that Evaluate may know about one sign-in: the signals
// of the specification. The zero value of a member is the safe one: unknown,
// unproven, not there. Evaluate keeps no clock, so At and the times of the
// proofs say what is old.
type Situation struct {
	At    time.Time // now
	Began time.Time // when this sign-in began: with everyTime, proofs from before do not count

	UserID     string   // "" for an application that comes without a person
	GuestType  string   // one kind of GuestTypes; "" for a member
	HomeTenant string   // of a guest from another organisation
	Groups     []string // transitive, lower-case ids
	Roles      []string // template ids of the active tenant-wide built-in roles

	ServicePrincipal string // of an application that comes without a person

	Target   Target
	Client   ClientApp // "" meets every condition: better one policy too many than one too few
	Flow     string    // DeviceCodeFlow, AuthenticationTransfer or ""
	Platform Platform  // "" if unknown
	Address  netip.Addr
	Country  string // ISO 3166-1 alpha-2, upper case; "" if unknown
	Risk     Risk
	Device   *Device // nil: no device has proved its identity

	Session     Proved
	Methods     []Method // registered, and allowed for this person now (CA-51)
	Registrable Registrable

	Unknown         []ConditionKind // What-If: not given, so not met wherever a policy asks (CA-68)
	IncludeDisabled bool            // What-If: say of disabled policies too what they would do
}

// Target is what the person wants. An action or a context may stand beside an
// application.
type Target struct {
	Apps    []string // client ids, lower case; of the account portal with RegisterSecurityInfo (CA-43)
	Action  UserAction
	Context string // c1 … c99
}

// Risk is what a risk provider says; "" means RiskNone.
type Risk struct {
	SignIn, User, Service RiskLevel
	Insider               string // minor, moderate, elevated or ""
}

// Device is a device whose identity is proved to Cardea. Attributes are named
// as in DeviceAttributes and hold the values of package rule.
type Device struct {
	Attributes map[string]any
}

func (d *Device) compliant() bool {
	if d == nil {
		return false
	}
	yes, _ := d.Attributes["device.isCompliant"].(bool)
	return yes
}

func (d *Device) domainJoined() bool {
	if d == nil {
		return false
	}
	return d.Attributes["device.trustType"] == "ServerAd" || d.Attributes["device.trustType"] == "ServerAD"
}

func (d *Device) attribute(name string) any {
	if d == nil {
		return nil
	}
	return d.Attributes[name]
}

// Proved is what the session has proved so far.
type Proved struct {
	AuthAt          time.Time // the last interactive proof
	MFAAt           time.Time // the last multifactor proof; zero if none
	Proofs          []Proof   // those that the methods policy still allows (CA-51)
	External        bool      // an external method was proved: counts for mfa, never for a strength (CA-6)
	PasswordChanged bool      // in this sign-in
	Terms           []string  // accepted terms of use
	Factors         []string  // satisfied custom factors
}

// Method is a registered way to sign in.
type Method struct {
	Mode    Mode   // one mode
	ID      string // of a passkey: passkey.Method.Key
	Passkey Passkey
}

// Passkey is what strengths ask about a passkey (CA-91).
type Passkey struct {
	Type         passkey.Type
	AAGUID       passkey.AAGUID
	Attested     bool
	OnThisDevice bool // it lives on the device that is being registered (CA-5)
}

// Proof is the use of a method.
type Proof struct {
	Method
	At           time.Time
	UserVerified bool // of a passkey: in this assertion (CA-53)
}

// Registrable says what the person could register now (CA-52).
type Registrable struct {
	Modes    Mode            // others than passkeys
	Passkeys []PasskeyClass  // one per profile that allows it; none: no passkey can be registered
	Refusals map[Mode]string // why not: methodNotAllowed, selfServiceOff, noBootstrapFactor
}

// PasskeyClass is passkeys that a profile lets the person register.
type PasskeyClass struct {
	Types    passkey.TypeSet
	Attested bool // only attested ones
	Listed   bool // only the models in AAGUIDs
	AAGUIDs  []passkey.AAGUID
	Blocked  []passkey.AAGUID
}

// ConditionKind names a condition of a policy.
type ConditionKind string

// The conditions, in the order in which What-If names the first unmet one.
const (
	UsersCondition       ConditionKind = "users"
	WorkloadCondition    ConditionKind = "workloadIdentities" // in the place of users
	TargetCondition      ConditionKind = "target"
	ClientCondition      ConditionKind = "clientAppTypes"
	PlatformCondition    ConditionKind = "platforms"
	LocationCondition    ConditionKind = "locations"
	DeviceCondition      ConditionKind = "devices"
	SignInRiskCondition  ConditionKind = "signInRisk"
	UserRiskCondition    ConditionKind = "userRisk"
	ServiceRiskCondition ConditionKind = "servicePrincipalRisk"
	InsiderRiskCondition ConditionKind = "insiderRisk"
	FlowCondition        ConditionKind = "authenticationFlows"
	UnsupportedCondition ConditionKind = "unsupported"
)

// The conditions as indexes.
const (
	kUsers = iota
	kTarget
	kClient
	kPlatform
	kLocation
	kDevice
	kSignInRisk
	kUserRisk
	kServiceRisk
	kInsiderRisk
	kFlow
	kUnsupported
	kinds
)

var kindNames = [kinds]ConditionKind{UsersCondition, TargetCondition, ClientCondition, PlatformCondition, LocationCondition, DeviceCondition,
	SignInRiskCondition, UserRiskCondition, ServiceRiskCondition, InsiderRiskCondition, FlowCondition, UnsupportedCondition}
