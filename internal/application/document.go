package application

// Document is what an application has beside the columns that are searched.
// What Cardea acts on says so; the rest is kept as it was sent, because the
// tools that sent it compare.
type Document struct {
	Description                string                   `json:"description"`
	IdentifierURIs             []string                 `json:"identifierUris"` // name the application as an API in scopes
	API                        API                      `json:"api" patch:"merge"`
	AppRoles                   []AppRole                `json:"appRoles"`              // acted on: claim roles
	GroupMembershipClaims      string                   `json:"groupMembershipClaims"` // acted on: claim groups
	OptionalClaims             *OptionalClaims          `json:"optionalClaims"`
	RequiredResourceAccess     []RequiredResourceAccess `json:"requiredResourceAccess"`
	Info                       Info                     `json:"info" patch:"merge"`
	Tags                       []string                 `json:"tags"`
	Notes                      string                   `json:"notes"`
	ServiceManagementReference string                   `json:"serviceManagementReference"`
	UniqueName                 string                   `json:"uniqueName"` // set once, unique
	DefaultRedirectURI         string                   `json:"defaultRedirectUri"`
	SAMLMetadataURL            string                   `json:"samlMetadataUrl"`
	IsDeviceOnlyAuthSupported  bool                     `json:"isDeviceOnlyAuthSupported"`
	OAuth2RequirePostResponse  bool                     `json:"oauth2RequirePostResponse"`
	AddIns                     []AddIn                  `json:"addIns"`
	Parental                   *Parental                `json:"parentalControlSettings"`
}

// Text is null on the wire when it is empty.
type Text string

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return []byte(text(string(t))), nil
}

// API is Graph's apiApplication. Cardea acts on its scopes.
type API struct {
	AcceptMappedClaims          *bool                      `json:"acceptMappedClaims"`
	KnownClientApplications     []string                   `json:"knownClientApplications"`
	OAuth2PermissionScopes      []Scope                    `json:"oauth2PermissionScopes"`
	PreAuthorizedApplications   []PreAuthorizedApplication `json:"preAuthorizedApplications"`
	RequestedAccessTokenVersion *int                       `json:"requestedAccessTokenVersion"`
}

// Scope is Graph's permissionScope: what other applications may ask to do here
// for a person.
type Scope struct {
	ID                      string `json:"id"`
	Value                   string `json:"value"`
	Type                    string `json:"type"` // User or Admin: who may consent in Entra; here administrators do
	IsEnabled               bool   `json:"isEnabled"`
	AdminConsentDisplayName Text   `json:"adminConsentDisplayName"`
	AdminConsentDescription Text   `json:"adminConsentDescription"`
	UserConsentDisplayName  Text   `json:"userConsentDisplayName"`
	UserConsentDescription  Text   `json:"userConsentDescription"`
}

// AppRole is a role that people, groups and applications get in an application.
type AppRole struct {
	ID                 string   `json:"id"`
	Value              Text     `json:"value"` // what stands in the claim roles
	DisplayName        Text     `json:"displayName"`
	Description        Text     `json:"description"`
	AllowedMemberTypes []string `json:"allowedMemberTypes"` // User, Application
	IsEnabled          bool     `json:"isEnabled"`
	Origin             string   `json:"origin"` // Application
}

// PreAuthorizedApplication is a client that needs no consent for some scopes.
type PreAuthorizedApplication struct {
	AppID                  string   `json:"appId"`
	DelegatedPermissionIDs []string `json:"delegatedPermissionIds"`
}

// RequiredResourceAccess lists what an application wants; it grants nothing.
type RequiredResourceAccess struct {
	ResourceAppID  string           `json:"resourceAppId"`
	ResourceAccess []ResourceAccess `json:"resourceAccess"`
}

// ResourceAccess is a Role or a Scope of the resource.
type ResourceAccess struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// OptionalClaims is kept, not acted on.
type OptionalClaims struct {
	IDToken     []OptionalClaim `json:"idToken"`
	AccessToken []OptionalClaim `json:"accessToken"`
	SAML2Token  []OptionalClaim `json:"saml2Token"`
}

// OptionalClaim is Graph's optionalClaim.
type OptionalClaim struct {
	Name                 string   `json:"name"`
	Source               Text     `json:"source"`
	Essential            bool     `json:"essential"`
	AdditionalProperties []string `json:"additionalProperties"`
}

// Info is Graph's informationalUrl.
type Info struct {
	LogoURL             Text `json:"logoUrl"`
	MarketingURL        Text `json:"marketingUrl"`
	PrivacyStatementURL Text `json:"privacyStatementUrl"`
	SupportURL          Text `json:"supportUrl"`
	TermsOfServiceURL   Text `json:"termsOfServiceUrl"`
}

// ImplicitGrant is kept; Cardea has no implicit grant.
type ImplicitGrant struct {
	EnableAccessTokenIssuance bool `json:"enableAccessTokenIssuance"`
	EnableIDTokenIssuance     bool `json:"enableIdTokenIssuance"`
}

// RedirectSetting is Graph's redirectUriSettings.
type RedirectSetting struct {
	URI   string `json:"uri"`
	Index *int   `json:"index"`
}

// AddIn is Graph's addIn.
type AddIn struct {
	ID         string     `json:"id"`
	Type       string     `json:"type"`
	Properties []KeyValue `json:"properties"`
}

// KeyValue is Graph's keyValue.
type KeyValue struct {
	Key   string `json:"key"`
	Value Text   `json:"value"`
}

// Parental is Graph's parentalControlSettings.
type Parental struct {
	CountriesBlockedForMinors []string `json:"countriesBlockedForMinors"`
	LegalAgeGroupRule         string   `json:"legalAgeGroupRule"`
}

// whole fills what JSON left out, so that lists are never null on the wire.
func (d *Document) whole() {
	d.IdentifierURIs, d.Tags, d.AddIns = list(d.IdentifierURIs), list(d.Tags), list(d.AddIns)
	d.AppRoles, d.RequiredResourceAccess = list(d.AppRoles), list(d.RequiredResourceAccess)
	d.API.KnownClientApplications, d.API.OAuth2PermissionScopes = list(d.API.KnownClientApplications), list(d.API.OAuth2PermissionScopes)
	d.API.PreAuthorizedApplications = list(d.API.PreAuthorizedApplications)
	for i := range d.AppRoles {
		d.AppRoles[i].AllowedMemberTypes, d.AppRoles[i].Origin = list(d.AppRoles[i].AllowedMemberTypes), "Application"
	}
	for i := range d.API.PreAuthorizedApplications {
		p := &d.API.PreAuthorizedApplications[i]
		p.DelegatedPermissionIDs = list(p.DelegatedPermissionIDs)
	}
	for i := range d.RequiredResourceAccess {
		r := &d.RequiredResourceAccess[i]
		r.ResourceAccess = list(r.ResourceAccess)
	}
	for i := range d.AddIns {
		d.AddIns[i].Properties = list(d.AddIns[i].Properties)
	}
	if o := d.OptionalClaims; o != nil {
		o.IDToken, o.AccessToken, o.SAML2Token = list(o.IDToken), list(o.AccessToken), list(o.SAML2Token)
		for _, claims := range [][]OptionalClaim{o.IDToken, o.AccessToken, o.SAML2Token} {
			for i := range claims {
				claims[i].AdditionalProperties = list(claims[i].AdditionalProperties)
			}
		}
	}
	if d.Parental != nil {
		d.Parental.CountriesBlockedForMinors = list(d.Parental.CountriesBlockedForMinors)
	}
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
