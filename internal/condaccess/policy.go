package condaccess

import "time"

// Policy is Graph's conditionalAccessPolicy. Every value that this package
// hands out is valid and has no nil list; treat it as immutable.
type Policy struct {
	ID               string           `json:"id"`
	DeletedDateTime  *time.Time       `json:"deletedDateTime"`
	DisplayName      string           `json:"displayName"`
	Description      *string          `json:"description,omitempty"`
	TemplateID       *string          `json:"templateId"`
	State            State            `json:"state"`
	CreatedDateTime  *time.Time       `json:"createdDateTime"`
	ModifiedDateTime *time.Time       `json:"modifiedDateTime"` // nil until the first change
	Conditions       Conditions       `json:"conditions"`
	GrantControls    *GrantControls   `json:"grantControls"`
	SessionControls  *SessionControls `json:"sessionControls"`
	PartialStrategy  Raw              `json:"partialEnablementStrategy,omitempty"` // CA-13
	Version          int64            `json:"-"`                                   // counts the changes, from 1
}

// Conditions say when a policy applies: all of them must hold (CA-39). What is
// nil or empty always holds. Members of type Raw are stored and returned, and
// never hold (CA-8).
type Conditions struct {
	Users              *Users              `json:"users"`
	Applications       *Applications       `json:"applications"`
	ClientApplications *ClientApplications `json:"clientApplications"`
	ClientAppTypes     []ClientApp         `json:"clientAppTypes"`
	Platforms          *Platforms          `json:"platforms"`
	Locations          *Locations          `json:"locations"`
	SignInRisk         []RiskLevel         `json:"signInRiskLevels"`
	UserRisk           []RiskLevel         `json:"userRiskLevels"`
	ServiceRisk        []RiskLevel         `json:"servicePrincipalRiskLevels"`
	InsiderRisk        *InsiderRisk        `json:"insiderRiskLevels"`
	Flows              *Flows              `json:"authenticationFlows"`
	Devices            *Devices            `json:"devices"`
	AgentRisk          Raw                 `json:"agentIdRiskLevels,omitempty"`
	Agents             Raw                 `json:"agents,omitempty"`
	AgentContext       Raw                 `json:"agentContext,omitempty"`
	DeviceStates       Raw                 `json:"deviceStates,omitempty"`
	Clients            Raw                 `json:"clients,omitempty"`
	Times              Raw                 `json:"times,omitempty"`
}

// Users are people: by id, by group with groups inside, by role template id,
// as guests.
type Users struct {
	IncludeUsers  []string `json:"includeUsers"` // ids, All, None, GuestsOrExternalUsers
	ExcludeUsers  []string `json:"excludeUsers"`
	IncludeGroups []string `json:"includeGroups"`
	ExcludeGroups []string `json:"excludeGroups"`
	IncludeRoles  []string `json:"includeRoles"`
	ExcludeRoles  []string `json:"excludeRoles"`
	IncludeGuests *Guests  `json:"includeGuestsOrExternalUsers"`
	ExcludeGuests *Guests  `json:"excludeGuestsOrExternalUsers"`
}

// Guests are guests of some kinds, from some organisations.
type Guests struct {
	Types   GuestTypes       `json:"guestOrExternalUserTypes"`
	Tenants *ExternalTenants `json:"externalTenants"`
}

// ExternalTenants names the organisations that guests come from.
type ExternalTenants struct {
	ODataType string         `json:"@odata.type"`
	Kind      MembershipKind `json:"membershipKind"`
	Members   []string       `json:"members,omitempty"` // of EnumeratedTenants
}

// Applications are what a person wants to reach: applications, or actions, or
// authentication contexts; one kind per policy.
type Applications struct {
	IncludeApplications []string     `json:"includeApplications"` // client ids, All, None, Office365, MicrosoftAdminPortals
	ExcludeApplications []string     `json:"excludeApplications"`
	IncludeUserActions  []UserAction `json:"includeUserActions"`
	IncludeContexts     []string     `json:"includeAuthenticationContextClassReferences"` // c1 … c99
	ApplicationFilter   *Filter      `json:"applicationFilter"`                           // CA-8: there are no custom security attributes
	NetworkAccess       Raw          `json:"networkAccess,omitempty"`
	GlobalSecureAccess  Raw          `json:"globalSecureAccess,omitempty"`
}

// ClientApplications are applications that come without a person.
type ClientApplications struct {
	IncludeServicePrincipals []string `json:"includeServicePrincipals"` // ids, ServicePrincipalsInMyTenant
	ExcludeServicePrincipals []string `json:"excludeServicePrincipals"`
	ServicePrincipalFilter   *Filter  `json:"servicePrincipalFilter"` // CA-8
	IncludeAgents            Raw      `json:"includeAgentIdServicePrincipals,omitempty"`
	ExcludeAgents            Raw      `json:"excludeAgentIdServicePrincipals,omitempty"`
	AgentFilter              Raw      `json:"agentIdServicePrincipalFilter,omitempty"`
}

// Platforms are operating systems.
type Platforms struct {
	IncludePlatforms []Platform `json:"includePlatforms"`
	ExcludePlatforms []Platform `json:"excludePlatforms"`
}

// Locations are ids of named locations, All, AllTrusted or TrustedIPs.
type Locations struct {
	IncludeLocations []string `json:"includeLocations"`
	ExcludeLocations []string `json:"excludeLocations"`
}

// Flows are protocols that carry a sign-in to another device.
type Flows struct {
	TransferMethods TransferMethods `json:"transferMethods"`
}

// Devices are devices by their attributes.
type Devices struct {
	DeviceFilter  *Filter `json:"deviceFilter"`
	Include       Raw     `json:"includeDevices,omitempty"`
	Exclude       Raw     `json:"excludeDevices,omitempty"`
	IncludeStates Raw     `json:"includeDeviceStates,omitempty"`
	ExcludeStates Raw     `json:"excludeDeviceStates,omitempty"`
}

// Filter is a rule about attributes (package rule).
type Filter struct {
	Mode FilterMode `json:"mode"`
	Rule string     `json:"rule"`
}

// GrantControls are what has to be proved before access is granted.
type GrantControls struct {
	Operator     Operator     `json:"operator"`
	BuiltIn      []Control    `json:"builtInControls"`
	Custom       []string     `json:"customAuthenticationFactors"`
	TermsOfUse   []string     `json:"termsOfUse"`
	AuthStrength *StrengthRef `json:"authenticationStrength"`
}

// SessionControls say how long a session lasts that was granted. Only
// SignInFrequency, PersistentBrowser and strictLocation have an effect here.
type SessionControls struct {
	DisableResilience *bool              `json:"disableResilienceDefaults"`
	AppRestrictions   *SessionSwitch     `json:"applicationEnforcedRestrictions"`
	CloudAppSecurity  *CloudAppSecurity  `json:"cloudAppSecurity"`
	SignInFrequency   *SignInFrequency   `json:"signInFrequency"`
	PersistentBrowser *PersistentBrowser `json:"persistentBrowser"`
	SecureSignIn      *SessionSwitch     `json:"secureSignInSession"`
	ContinuousAccess  *ContinuousAccess  `json:"continuousAccessEvaluation,omitempty"`
	FilteringProfile  Raw                `json:"globalSecureAccessFilteringProfile,omitempty"`
	NetworkAccess     Raw                `json:"networkAccessSecurity,omitempty"`
}

// SessionSwitch is a session control that is on or off.
type SessionSwitch struct {
	IsEnabled *bool `json:"isEnabled"`
}

// CloudAppSecurity has no effect here.
type CloudAppSecurity struct {
	IsEnabled *bool         `json:"isEnabled"`
	Mode      *CloudAppMode `json:"cloudAppSecurityType"`
}

// SignInFrequency says how old a proof may be. With EveryTime, Type and Value
// are nil.
type SignInFrequency struct {
	IsEnabled          *bool                    `json:"isEnabled"`
	Type               *FrequencyType           `json:"type"`
	Value              *int                     `json:"value"`
	AuthenticationType *FrequencyAuthentication `json:"authenticationType"` // nil means AllFactors
	Interval           *FrequencyInterval       `json:"frequencyInterval"`  // nil means TimeBased
}

// PersistentBrowser says whether the session outlives the browser.
type PersistentBrowser struct {
	IsEnabled *bool        `json:"isEnabled"`
	Mode      *BrowserMode `json:"mode"`
}

// ContinuousAccess is beta's continuousAccessEvaluation.
type ContinuousAccess struct {
	Mode *ContinuousMode `json:"mode"`
}

// on reads a nullable switch; null is off.
func on(b *bool) bool { return b != nil && *b }

// workload reports whether the policy is about applications without a person.
func (p *Policy) workload() bool {
	c := p.Conditions.ClientApplications
	return c != nil && len(c.IncludeServicePrincipals) > 0
}

// period is how long a proof counts; 0 means one sign-in only. ok is false if
// the control is off.
func (f *SignInFrequency) period() (d time.Duration, ok bool) {
	if f == nil || !on(f.IsEnabled) {
		return 0, false
	}
	if f.Interval != nil && *f.Interval == EveryTime {
		return 0, true
	}
	unit := time.Hour
	if f.Type != nil && *f.Type == Days {
		unit = 24 * time.Hour
	}
	if f.Value == nil {
		return 0, true
	}
	return time.Duration(*f.Value) * unit, true
}

// secondOnly reports whether only the second factor has to be fresh.
func (f *SignInFrequency) secondOnly() bool {
	return f.AuthenticationType != nil && *f.AuthenticationType == SecondFactor
}
