package condaccess

// State says whether a policy counts, is only tried out, or rests.
type State string

const (
	Enabled    State = "enabled"
	Disabled   State = "disabled"
	ReportOnly State = "enabledForReportingButNotEnforced"
)

func (State) members() []string {
	return []string{string(Enabled), string(Disabled), string(ReportOnly)}
}

// ClientApp is the sort of program somebody signs in with.
type ClientApp string

const (
	AllClients          ClientApp = "all"
	Browser             ClientApp = "browser"
	MobileAndDesktop    ClientApp = "mobileAppsAndDesktopClients"
	ExchangeActiveSync  ClientApp = "exchangeActiveSync" // never occurs here
	EasSupported        ClientApp = "easSupported"       // never occurs here
	OtherClients        ClientApp = "other"              // password grant, LDAP bind, basic authentication
	numberOfClientKinds           = 6
)

func (ClientApp) members() []string {
	return []string{string(AllClients), string(Browser), string(MobileAndDesktop), string(ExchangeActiveSync), string(EasSupported), string(OtherClients)}
}

// Platform is an operating system; "" in a Situation means unknown.
type Platform string

const (
	AllPlatforms Platform = "all"
	Android      Platform = "android"
	IOS          Platform = "iOS"
	Windows      Platform = "windows"
	WindowsPhone Platform = "windowsPhone"
	MacOS        Platform = "macOS"
	Linux        Platform = "linux"
)

func (Platform) members() []string {
	return []string{string(Android), string(IOS), string(Windows), string(WindowsPhone), string(MacOS), string(AllPlatforms), string(Linux)}
}

// RiskLevel is what a risk provider says; without one it is RiskNone.
type RiskLevel string

const (
	RiskLow    RiskLevel = "low"
	RiskMedium RiskLevel = "medium"
	RiskHigh   RiskLevel = "high"
	RiskHidden RiskLevel = "hidden"
	RiskNone   RiskLevel = "none"
)

func (RiskLevel) members() []string {
	return []string{string(RiskLow), string(RiskMedium), string(RiskHigh), string(RiskHidden), string(RiskNone)}
}

// InsiderRisk is a set of levels, joined by commas.
type InsiderRisk string

func (InsiderRisk) flagNames() []string { return []string{"minor", "moderate", "elevated"} }

// TransferMethods is a set of ways to carry a sign-in to another device.
type TransferMethods string

// The flows, as members of TransferMethods and in a Situation. "" is neither.
const (
	DeviceCodeFlow         = "deviceCodeFlow"
	AuthenticationTransfer = "authenticationTransfer" // never occurs here
)

func (TransferMethods) flagNames() []string {
	return []string{"none", DeviceCodeFlow, AuthenticationTransfer}
}

// GuestTypes is a set of kinds of guests.
type GuestTypes string

// The kinds of guests. Only InternalGuest occurs here: a person of this
// organisation whose userType is Guest.
const (
	InternalGuest        = "internalGuest"
	CollaborationGuest   = "b2bCollaborationGuest"
	CollaborationMember  = "b2bCollaborationMember"
	DirectConnectUser    = "b2bDirectConnectUser"
	OtherExternalUser    = "otherExternalUser"
	ServiceProviderGuest = "serviceProvider"
)

func (GuestTypes) flagNames() []string {
	return []string{"none", InternalGuest, CollaborationGuest, CollaborationMember, DirectConnectUser, OtherExternalUser, ServiceProviderGuest}
}

// FilterMode says whether a rule names what is meant, or what is left out.
type FilterMode string

const (
	Include FilterMode = "include"
	Exclude FilterMode = "exclude"
)

func (FilterMode) members() []string { return []string{string(Include), string(Exclude)} }

// Control is a built-in grant control.
type Control string

const (
	Block                Control = "block"
	RequireMFA           Control = "mfa"
	CompliantDevice      Control = "compliantDevice"
	DomainJoinedDevice   Control = "domainJoinedDevice"
	ApprovedApplication  Control = "approvedApplication"  // never satisfied here
	CompliantApplication Control = "compliantApplication" // never satisfied here
	PasswordChange       Control = "passwordChange"
	RiskRemediation      Control = "riskRemediation" // never satisfied here
)

func (Control) members() []string {
	return []string{string(Block), string(RequireMFA), string(CompliantDevice), string(DomainJoinedDevice), string(ApprovedApplication), string(CompliantApplication), string(PasswordChange), string(RiskRemediation)}
}

// Operator says whether all controls are needed, or one of them.
type Operator string

const (
	And Operator = "AND"
	Or  Operator = "OR"
)

func (Operator) members() []string { return []string{string(And), string(Or)} }

// FrequencyType is the unit of a sign-in frequency.
type FrequencyType string

const (
	Days  FrequencyType = "days"
	Hours FrequencyType = "hours"
)

func (FrequencyType) members() []string { return []string{string(Days), string(Hours)} }

// FrequencyInterval says whether a proof lasts some time, or one sign-in.
type FrequencyInterval string

const (
	TimeBased FrequencyInterval = "timeBased"
	EveryTime FrequencyInterval = "everyTime"
)

func (FrequencyInterval) members() []string {
	return []string{string(TimeBased), string(EveryTime)}
}

// FrequencyAuthentication says which proofs have to be fresh.
type FrequencyAuthentication string

const (
	AllFactors   FrequencyAuthentication = "primaryAndSecondaryAuthentication"
	SecondFactor FrequencyAuthentication = "secondaryAuthentication"
)

func (FrequencyAuthentication) members() []string {
	return []string{string(AllFactors), string(SecondFactor)}
}

// BrowserMode says whether a browser session outlives the browser.
type BrowserMode string

const (
	BrowserAlways BrowserMode = "always"
	BrowserNever  BrowserMode = "never"
)

func (BrowserMode) members() []string { return []string{string(BrowserAlways), string(BrowserNever)} }

// ContinuousMode is how strictly tokens follow events.
type ContinuousMode string

// StrictLocation is the one mode that has an effect here: at token refresh.
const StrictLocation ContinuousMode = "strictLocation"

func (ContinuousMode) members() []string {
	return []string{"strictEnforcement", "disabled", string(StrictLocation)}
}

// CloudAppMode has no effect here.
type CloudAppMode string

func (CloudAppMode) members() []string {
	return []string{"mcasConfigured", "monitorOnly", "blockDownloads"}
}

// UserAction is something that a person does, in place of opening an application.
type UserAction string

const (
	RegisterSecurityInfo UserAction = "urn:user:registersecurityinfo"
	RegisterDevice       UserAction = "urn:user:registerdevice"
	AccountRecovery      UserAction = "urn:user:accountrecovery" // stored, not evaluable here (CA-8)
)

func (UserAction) members() []string {
	return []string{string(RegisterSecurityInfo), string(RegisterDevice), string(AccountRecovery)}
}

// MembershipKind says which foreign organisations are meant.
type MembershipKind string

const (
	AllTenants        MembershipKind = "all"
	EnumeratedTenants MembershipKind = "enumerated"
)

func (MembershipKind) members() []string {
	return []string{string(AllTenants), string(EnumeratedTenants)}
}

// Words in lists of ids.
const (
	All                   = "All"
	None                  = "None"
	GuestsOrExternalUsers = "GuestsOrExternalUsers"
	Office365             = "Office365"
	AdminPortals          = "MicrosoftAdminPortals"
	AllAgentResources     = "AllAgentIdResources" // stored, not evaluable here (CA-8)
	AllTrusted            = "AllTrusted"
	TrustedIPs            = "00000000-0000-0000-0000-000000000000" // Entra's MFA trusted IPs: there are none here
	InMyTenant            = "ServicePrincipalsInMyTenant"
)
