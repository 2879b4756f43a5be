package directory

import (
	"fmt"
	"slices"

	"cardea/internal/rule"
)

// attribute is what a membership rule calls a member of a user. Where Entra's
// name and Graph's differ, both may be used.
type attribute struct {
	kind   rule.Kind
	member string // the top-level member whose change may change it
	value  func(u *User) any
}

// userAttributes are all that rules may name (DO-15).
var userAttributes = func() map[string]attribute {
	text := func(member string, value func(u *User) string) attribute {
		return attribute{rule.Text, member, func(u *User) any { return value(u) }}
	}
	list := func(member string, value func(u *User) []string) attribute {
		return attribute{rule.Texts, member, func(u *User) any { return value(u) }}
	}
	id := text("id", func(u *User) string { return u.ID })
	phones := list("businessPhones", func(u *User) []string { return u.BusinessPhones })
	mobile := text("mobilePhone", func(u *User) string { return u.MobilePhone })
	office := text("officeLocation", func(u *User) string { return u.OfficeLocation })
	nickname := text("mailNickname", func(u *User) string { return u.MailNickname })
	synced := attribute{rule.Boolean, "onPremisesSyncEnabled", func(u *User) any {
		if u.OnPremisesSyncEnabled == nil {
			return nil
		}
		return *u.OnPremisesSyncEnabled
	}}
	all := map[string]attribute{
		"user.objectId": id, "user.id": id,
		"user.accountEnabled":               {rule.Boolean, "accountEnabled", func(u *User) any { return u.AccountEnabled }},
		"user.userPrincipalName":            text("userPrincipalName", func(u *User) string { return u.UserPrincipalName }),
		"user.displayName":                  text("displayName", func(u *User) string { return u.DisplayName }),
		"user.givenName":                    text("givenName", func(u *User) string { return u.GivenName }),
		"user.surname":                      text("surname", func(u *User) string { return u.Surname }),
		"user.mail":                         text("mail", func(u *User) string { return u.Mail }),
		"user.userType":                     text("userType", func(u *User) string { return u.UserType }),
		"user.department":                   text("department", func(u *User) string { return u.Department }),
		"user.jobTitle":                     text("jobTitle", func(u *User) string { return u.JobTitle }),
		"user.companyName":                  text("companyName", func(u *User) string { return u.CompanyName }),
		"user.employeeId":                   text("employeeId", func(u *User) string { return u.EmployeeID }),
		"user.employeeType":                 text("employeeType", func(u *User) string { return u.EmployeeType }),
		"user.city":                         text("city", func(u *User) string { return u.City }),
		"user.state":                        text("state", func(u *User) string { return u.State }),
		"user.country":                      text("country", func(u *User) string { return u.Country }),
		"user.streetAddress":                text("streetAddress", func(u *User) string { return u.StreetAddress }),
		"user.postalCode":                   text("postalCode", func(u *User) string { return u.PostalCode }),
		"user.usageLocation":                text("usageLocation", func(u *User) string { return u.UsageLocation }),
		"user.preferredLanguage":            text("preferredLanguage", func(u *User) string { return u.PreferredLanguage }),
		"user.physicalDeliveryOfficeName":   office,
		"user.officeLocation":               office,
		"user.mobile":                       mobile,
		"user.mobilePhone":                  mobile,
		"user.telephoneNumber":              phones,
		"user.businessPhones":               phones,
		"user.mailNickName":                 nickname,
		"user.facsimileTelephoneNumber":     text("faxNumber", func(u *User) string { return u.FaxNumber }),
		"user.otherMails":                   list("otherMails", func(u *User) []string { return u.OtherMails }),
		"user.proxyAddresses":               list("proxyAddresses", func(u *User) []string { return u.ProxyAddresses }),
		"user.passwordPolicies":             text("passwordPolicies", func(u *User) string { return u.PasswordPolicies }),
		"user.dirSyncEnabled":               synced,
		"user.onPremisesSyncEnabled":        synced,
		"user.onPremisesSecurityIdentifier": text("onPremisesSecurityIdentifier", func(u *User) string { return u.OnPremisesSecurityIdentifier }),
	}
	for n := range 15 {
		name := fmt.Sprintf("extensionAttribute%d", n+1)
		all["user."+name] = text("onPremisesExtensionAttributes", func(u *User) string {
			if v := u.OnPremisesExtensionAttributes[name]; v != nil {
				return *v
			}
			return ""
		})
	}
	return all
}()

var ruleAttributes = func() rule.Attributes {
	out := rule.Attributes{}
	for name, a := range userAttributes {
		out[name] = a.kind
	}
	return out
}()

// ParseRule reads a membership rule. Errors are invalidRule, on membershipRule.
func ParseRule(text string) (*rule.Rule, error) {
	r, err := rule.Parse(text, ruleAttributes)
	return r, on(err, "membershipRule")
}

// about gives a rule the attributes of u, which needs its Profile.
func about(u *User) rule.Get { return func(name string) any { return userAttributes[name].value(u) } }

// membersUsed are the members of a user that a rule asks for, sorted.
func membersUsed(r *rule.Rule) []string {
	var out []string
	for _, name := range r.Attributes() {
		out = append(out, userAttributes[name].member)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
