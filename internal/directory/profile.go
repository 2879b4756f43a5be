package directory

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"cardea/internal/problem"
)

// Profile is what Graph's user has beyond User's own members. It is stored as
// one JSON text; what $filter may name has key columns beside it.
type Profile struct {
	Contact
	Employment
	OnPremises
}

// Contact says how a person is reached, and where.
type Contact struct {
	BusinessPhones    []string   `json:"businessPhones,omitempty"`
	MobilePhone       string     `json:"mobilePhone,omitempty"`
	FaxNumber         string     `json:"faxNumber,omitempty"`
	MailNickname      string     `json:"mailNickname,omitempty"`
	OtherMails        []string   `json:"otherMails,omitempty"`
	ProxyAddresses    []string   `json:"proxyAddresses,omitempty"`
	Identities        []Identity `json:"identities,omitempty"`
	OfficeLocation    string     `json:"officeLocation,omitempty"`
	StreetAddress     string     `json:"streetAddress,omitempty"`
	PostalCode        string     `json:"postalCode,omitempty"`
	City              string     `json:"city,omitempty"`
	State             string     `json:"state,omitempty"`
	Country           string     `json:"country,omitempty"`
	UsageLocation     string     `json:"usageLocation,omitempty"`
	PreferredLanguage string     `json:"preferredLanguage,omitempty"`
	ShowInAddressList *bool      `json:"showInAddressList,omitempty"`
}

// Identity is Graph's objectIdentity: another name to know the person by.
type Identity struct {
	SignInType       string `json:"signInType"`
	Issuer           string `json:"issuer"`
	IssuerAssignedID string `json:"issuerAssignedId"`
}

// Employment says what a person does here, and what the law says of their age.
type Employment struct {
	CompanyName                     string           `json:"companyName,omitempty"`
	EmployeeID                      string           `json:"employeeId,omitempty"`
	EmployeeType                    string           `json:"employeeType,omitempty"`
	EmployeeHireDate                *time.Time       `json:"employeeHireDate,omitempty"`
	EmployeeLeaveDateTime           *time.Time       `json:"employeeLeaveDateTime,omitempty"`
	EmployeeOrgData                 *EmployeeOrgData `json:"employeeOrgData,omitempty"`
	PasswordPolicies                string           `json:"passwordPolicies,omitempty"`
	AgeGroup                        string           `json:"ageGroup,omitempty"`
	ConsentProvidedForMinor         string           `json:"consentProvidedForMinor,omitempty"`
	ExternalUserState               string           `json:"externalUserState,omitempty"`
	ExternalUserStateChangeDateTime *time.Time       `json:"externalUserStateChangeDateTime,omitempty"`
}

// EmployeeOrgData is Graph's employeeOrgData.
type EmployeeOrgData struct {
	CostCenter *string `json:"costCenter"`
	Division   *string `json:"division"`
}

// OnPremises is what a synchronisation with another directory leaves here.
// Cardea reads none of it.
type OnPremises struct {
	OnPremisesSyncEnabled         *bool              `json:"onPremisesSyncEnabled,omitempty"`
	OnPremisesLastSyncDateTime    *time.Time         `json:"onPremisesLastSyncDateTime,omitempty"`
	OnPremisesImmutableID         string             `json:"onPremisesImmutableId,omitempty"`
	OnPremisesSamAccountName      string             `json:"onPremisesSamAccountName,omitempty"`
	OnPremisesUserPrincipalName   string             `json:"onPremisesUserPrincipalName,omitempty"`
	OnPremisesDistinguishedName   string             `json:"onPremisesDistinguishedName,omitempty"`
	OnPremisesDomainName          string             `json:"onPremisesDomainName,omitempty"`
	OnPremisesSecurityIdentifier  string             `json:"onPremisesSecurityIdentifier,omitempty"`
	OnPremisesExtensionAttributes map[string]*string `json:"onPremisesExtensionAttributes,omitempty"` // extensionAttribute1 … 15
}

var (
	countryCode        = regexp.MustCompile(`^[A-Za-z]{2}$`)
	extensionAttribute = regexp.MustCompile(`^extensionAttribute([1-9]|1[0-5])$`)
)

const maxList = 250 // entries of otherMails, proxyAddresses and identities

// limits are the longest values, in bytes; generous where Graph's own limit
// would refuse what other directories hold.
func (u *User) limits() []limit {
	return []limit{
		{"givenName", u.GivenName, 64}, {"surname", u.Surname, 64}, {"mail", u.Mail, 256}, {"department", u.Department, 128}, {"jobTitle", u.JobTitle, 128},
		{"mobilePhone", u.MobilePhone, 64}, {"faxNumber", u.FaxNumber, 64}, {"mailNickname", u.MailNickname, 64}, {"officeLocation", u.OfficeLocation, 128},
		{"streetAddress", u.StreetAddress, 1024}, {"postalCode", u.PostalCode, 40}, {"city", u.City, 128}, {"state", u.State, 128}, {"country", u.Country, 128},
		{"preferredLanguage", u.PreferredLanguage, 64}, {"companyName", u.CompanyName, 128}, {"employeeId", u.EmployeeID, 128}, {"employeeType", u.EmployeeType, 128},
		{"passwordPolicies", u.PasswordPolicies, 128}, {"externalUserState", u.ExternalUserState, 64},
		{"onPremisesImmutableId", u.OnPremisesImmutableID, 256}, {"onPremisesSamAccountName", u.OnPremisesSamAccountName, 256},
		{"onPremisesUserPrincipalName", u.OnPremisesUserPrincipalName, 256}, {"onPremisesDistinguishedName", u.OnPremisesDistinguishedName, 1024},
		{"onPremisesDomainName", u.OnPremisesDomainName, 256}, {"onPremisesSecurityIdentifier", u.OnPremisesSecurityIdentifier, 256},
	}
}

type limit struct {
	name, value string
	most        int // bytes
}

func tooLong(limits []limit) error {
	for _, l := range limits {
		if len(l.value) > l.most {
			return invalid(l.name, "%s has at most %d bytes here.", l.name, l.most)
		}
	}
	return nil
}

func invalid(name, format string, args ...any) error {
	return problem.New(problem.Invalid, "invalidValue", format, args...).On(name)
}

// enumerated checks an enumeration of Graph; "" is null.
func enumerated(name, value string, allowed ...string) error {
	if value != "" && !slices.Contains(allowed, value) {
		return invalid(name, "%s is one of %s, or null.", name, strings.Join(allowed, ", "))
	}
	return nil
}

// check reports the first rule that the profile breaks.
func (p *Profile) check() error {
	if p.UsageLocation != "" && !countryCode.MatchString(p.UsageLocation) {
		return invalid("usageLocation", "usageLocation is a country code of two letters, such as DE.")
	}
	for _, list := range []struct {
		name   string
		values []string
		most   int
	}{{"businessPhones", p.BusinessPhones, 20}, {"otherMails", p.OtherMails, maxList}, {"proxyAddresses", p.ProxyAddresses, maxList}} {
		if len(list.values) > list.most {
			return invalid(list.name, "%s has at most %d entries.", list.name, list.most)
		}
		for _, v := range list.values {
			if v == "" || len(v) > 256 {
				return invalid(list.name, "Each entry of %s has 1 to 256 bytes.", list.name)
			}
		}
	}
	if len(p.Identities) > maxList {
		return invalid("identities", "identities has at most %d entries.", maxList)
	}
	for _, i := range p.Identities {
		if i.SignInType == "" || i.Issuer == "" || len(i.SignInType) > 64 || len(i.Issuer) > 512 || len(i.IssuerAssignedID) > 512 {
			return invalid("identities", "Each identity has a signInType, an issuer and an issuerAssignedId, of at most 64, 512 and 512 bytes.")
		}
	}
	for name, v := range p.OnPremisesExtensionAttributes {
		if !extensionAttribute.MatchString(name) || v != nil && len(*v) > 1024 {
			return invalid("onPremisesExtensionAttributes", "There are extensionAttribute1 to extensionAttribute15, of at most 1,024 bytes each.")
		}
	}
	for _, policy := range strings.FieldsFunc(p.PasswordPolicies, func(r rune) bool { return r == ',' || r == ' ' }) {
		if err := enumerated("passwordPolicies", policy, "None", "DisableStrongPassword", "DisablePasswordExpiration"); err != nil {
			return err
		}
	}
	if err := enumerated("ageGroup", p.AgeGroup, "Minor", "NotAdult", "Adult"); err != nil {
		return err
	}
	return enumerated("consentProvidedForMinor", p.ConsentProvidedForMinor, "Granted", "Denied", "NotRequired")
}

// value is a row of user_values.
type value struct{ kind, key, issuer, signInType string }

// values are the lists of p that $filter may ask about.
func (p *Profile) values() []value {
	var out []value
	for _, v := range p.OtherMails {
		out = append(out, value{kind: "otherMails", key: fold(v)})
	}
	for _, v := range p.ProxyAddresses {
		out = append(out, value{kind: "proxyAddresses", key: fold(v)})
	}
	for _, i := range p.Identities {
		out = append(out, value{"identities", fold(i.IssuerAssignedID), fold(i.Issuer), fold(i.SignInType)})
	}
	return out
}
