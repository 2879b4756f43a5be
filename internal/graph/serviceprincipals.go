package graph

import (
	"fmt"
	"strings"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

func principalETag(p application.ServicePrincipal) string { return fmt.Sprintf(`W/"%d"`, p.Version) }

// principalShape is Graph's servicePrincipal: what is never stored is null.
var principalShape = Shape{Set: "servicePrincipals", Nulls: true, Absent: map[string]any{
	"addIns": []string{}, "applicationTemplateId": nil, "createdByAppId": nil, "customSecurityAttributes": nil, "deletedDateTime": nil,
	"disabledByMicrosoftStatus": nil, "isDisabled": nil, "resourceSpecificApplicationPermissions": []string{}, "tokenEncryptionKeyId": nil, "verifiedPublisher": nil,
}}

// servicePrincipals say what applications may do here, and who may use them.
func servicePrincipals() []resource {
	const one = "/servicePrincipals/{principal}"
	out := []resource{
		Collection[application.ServicePrincipal]{
			Path: "/servicePrincipals", Key: "{principal}", Shape: principalShape,
			Schema: application.PrincipalSchema, Paging: application.PrincipalPaging, ETag: principalETag,
			Read: readApplications, Write: writeApplications, View: viewPrincipal,
			List: func(c *Call, q odata.Query) ([]application.ServicePrincipal, error) {
				return c.catalogue().FindPrincipals(c.Context, c.DB, q)
			},
			Count:  func(c *Call, q odata.Query) (int64, error) { return application.CountPrincipals(c.Context, c.DB, q) },
			Get:    func(c *Call) (application.ServicePrincipal, error) { return c.principal(c.DB) },
			Create: createPrincipal,
			Update: updatePrincipal,
			Delete: func(c *Call) error {
				return c.writeApplication(func(q db.Querier) error {
					p, err := c.principal(q)
					if err == nil {
						err = c.mayManage(q, p.ID)
					}
					if err != nil {
						return err
					}
					return c.catalogue().DeletePrincipal(c.Context, q, c.Actor, c.Now, p.ID)
				})
			},
		},
		Every[directory.Group]{Path: one + "/memberOf", Access: readApplications, Shape: memberGroups, List: groupsOfPrincipal(false)},
		Every[directory.Group]{Path: one + "/transitiveMemberOf", Access: readApplications, Shape: memberGroups, List: groupsOfPrincipal(true)},
	}
	out = append(out, keysOf(one, principalKeys())...)
	return append(out, ownersOf(one, func(c *Call, q db.Querier) (audit.Target, error) {
		p, err := c.principal(q)
		return p.Target(), err
	})...)
}

// viewPrincipal adds whose application it is: there is one organisation.
func viewPrincipal(c *Call, _ application.ServicePrincipal, o object) object {
	org, err := directory.GetOrganization(c.Context, c.DB)
	if err != nil {
		return o
	}
	return append(o, object{}.with("appOwnerOrganizationId", org.ID)...)
}

// principal reads the key of the path: an object id, or appId='…' (WC-10).
func (c *Call) principal(q db.Querier) (application.ServicePrincipal, error) {
	key := c.Params["principal"]
	if name, v, ok := strings.Cut(key, "="); ok && strings.EqualFold(name, "appId") {
		return c.catalogue().GetPrincipalByAppID(c.Context, q, v)
	}
	return c.catalogue().GetPrincipal(c.Context, q, key)
}

// createPrincipal: one is enabled unless the body says otherwise.
func createPrincipal(c *Call, p application.ServicePrincipal) (out application.ServicePrincipal, err error) {
	var enabled struct {
		Value *bool `json:"accountEnabled"`
	}
	if err := c.decode(&enabled); err != nil {
		return p, err
	}
	p.AccountEnabled = enabled.Value == nil || *enabled.Value
	err = c.writeApplication(func(q db.Querier) error {
		if c.onlyOwned() {
			a, err := application.GetByAppID(c.Context, q, p.AppID)
			if err == nil {
				err = c.mayManage(q, a.ID)
			}
			if err != nil {
				return err
			}
		}
		made, err := c.catalogue().CreatePrincipal(c.Context, q, c.Actor, c.Now, p)
		if err != nil {
			return err
		}
		out = made
		if err := c.bindOwners(q, out.Target()); err != nil {
			return err
		}
		return c.ownMade(q, out.Target())
	})
	return out, err
}

func updatePrincipal(c *Call, change func(*application.ServicePrincipal) error) (out application.ServicePrincipal, err error) {
	err = c.writeApplication(func(q db.Querier) error {
		p, err := c.principal(q)
		if err == nil {
			err = c.mayManage(q, p.ID)
		}
		if err != nil {
			return err
		}
		out, err = c.catalogue().UpdatePrincipal(c.Context, q, c.Actor, c.Now, p.ID, func(p *application.ServicePrincipal) error {
			was := p.KeyCredentials
			if err := change(p); err != nil {
				return err
			}
			if !addsKeys(was, p.KeyCredentials) {
				return nil
			}
			a, err := p.Application(c.Context, q)
			if err != nil {
				return err
			}
			return c.mayProve(q, a)
		})
		return err
	})
	return out, err
}

func groupsOfPrincipal(transitive bool) func(c *Call) ([]directory.Group, error) {
	return func(c *Call) ([]directory.Group, error) {
		p, err := c.principal(c.DB)
		if err != nil {
			return nil, err
		}
		return directory.GroupsOf(c.Context, c.DB, p.ID, transitive)
	}
}

func principalKeys() keyHolder {
	return keyHolder{
		find: func(c *Call, q db.Querier) (application.Application, string, error) {
			p, err := c.principal(q)
			if err == nil {
				err = c.mayManage(q, p.ID)
			}
			if err != nil {
				return application.Application{}, "", err
			}
			a, err := p.Application(c.Context, q)
			return a, p.ID, err
		},
		addSecret: func(c *Call, q db.Querier, id string, in application.PasswordCredential) (application.PasswordCredential, error) {
			return c.catalogue().AddPrincipalSecret(c.Context, q, c.Actor, c.Now, id, in)
		},
		addKey: func(c *Call, q db.Querier, id string, in application.KeyCredential) (application.KeyCredential, error) {
			return c.catalogue().AddPrincipalCertificate(c.Context, q, c.Actor, c.Now, id, in)
		},
		remove: func(c *Call, q db.Querier, id, keyID string) error {
			return c.catalogue().RemovePrincipalCredential(c.Context, q, c.Actor, c.Now, id, keyID)
		},
	}
}
