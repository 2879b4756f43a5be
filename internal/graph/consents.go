package graph

import (
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

var (
	readConsents = Access{Scopes: []string{"Directory.Read.All", "DelegatedPermissionGrant.ReadWrite.All", "Application.Read.All", "Application.ReadWrite.All", "Directory.ReadWrite.All"},
		Own: []string{"User.Read"}}
	writeConsents = Access{Scopes: []string{"DelegatedPermissionGrant.ReadWrite.All"},
		Roles: []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator, directory.PrivilegedRoleAdministrator}}
	// consentAccess is grantAccess for what an application may do for people.
	consentAccess = Access{Scopes: append([]string{"DelegatedPermissionGrant.ReadWrite.All"}, grantAccess.Scopes...),
		Apps: append([]string{"DelegatedPermissionGrant.ReadWrite.All"}, grantAccess.Apps...), Roles: grantAccess.Roles}
)

// consents are the delegated permissions of applications, for everybody or for
// one person.
func consents() []resource {
	shape := Shape{Set: "oauth2PermissionGrants", Absent: map[string]any{"expiryTime": nil, "startTime": nil}}
	list := func(path string, of func(c *Call) (application.ConsentsOf, error)) Collection[application.Consent] {
		return Collection[application.Consent]{Path: path, Shape: shape, Schema: application.ConsentSchema, Paging: application.ConsentPaging, Read: readConsents,
			List: func(c *Call, q odata.Query) ([]application.Consent, error) {
				some, err := of(c)
				if err != nil {
					return nil, err
				}
				return application.FindConsents(c.Context, c.DB, q, some)
			}}
	}
	all := list("/oauth2PermissionGrants", func(*Call) (application.ConsentsOf, error) { return application.ConsentsOf{}, nil })
	all.Key, all.Write = "{consent}", writeConsents
	all.Get = func(c *Call) (application.Consent, error) {
		return application.GetConsent(c.Context, c.DB, c.Params["consent"])
	}
	all.Create = func(c *Call, in application.Consent) (out application.Consent, err error) {
		if err := c.mayConsent(application.Consent{ResourceID: in.ResourceID}, in); err != nil {
			return in, err
		}
		err = c.writeApplication(func(q db.Querier) (err error) {
			out, err = c.catalogue().Grant(c.Context, q, c.Actor, c.Now, in)
			return err
		})
		return out, err
	}
	all.Update = func(c *Call, change func(*application.Consent) error) (out application.Consent, err error) {
		err = c.writeApplication(func(q db.Querier) (err error) {
			out, err = c.catalogue().UpdateConsent(c.Context, q, c.Actor, c.Now, c.Params["consent"], func(is *application.Consent) error {
				was := *is
				if err := change(is); err != nil {
					return err
				}
				return c.mayConsent(was, *is)
			})
			return err
		})
		return out, err
	}
	all.Delete = func(c *Call) error {
		return c.writeApplication(func(q db.Querier) error {
			return c.catalogue().Withdraw(c.Context, q, c.Actor, c.Now, c.Params["consent"])
		})
	}
	return []resource{
		all,
		list("/servicePrincipals/{principal}/oauth2PermissionGrants", func(c *Call) (application.ConsentsOf, error) {
			p, err := c.principal(c.DB)
			return application.ConsentsOf{Client: p.ID}, err
		}),
		list("/users/{user}/oauth2PermissionGrants", func(c *Call) (application.ConsentsOf, error) {
			u, err := c.user()
			return application.ConsentsOf{Person: u.ID}, err
		}),
	}
}

// mayConsent: a scope of Graph that was not there before needs who may grant
// permissions; less, and other APIs' scopes, do not.
func (c *Call) mayConsent(was, is application.Consent) error {
	had := strings.Fields(was.Scope)
	more := slices.ContainsFunc(strings.Fields(is.Scope), func(s string) bool { return !containsFold(had, s) })
	if !more || !strings.EqualFold(was.ResourceID, application.GraphPrincipalID) {
		return nil
	}
	return consentAccess.allow(c.Caller, false)
}
