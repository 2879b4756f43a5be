package graph

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

var (
	readApplications = Access{Scopes: []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		Apps: []string{"Application.Read.All", ownedOnly, "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}
	writeApplications = Access{Scopes: []string{"Application.ReadWrite.All", "Directory.ReadWrite.All"},
		Apps:  []string{ownedOnly, "Application.ReadWrite.All"}, // with the former: see mayManage
		Roles: []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator}}
)

// ownedOnly lets an application make others and manage those that it owns.
const ownedOnly = "Application.ReadWrite.OwnedBy"

// mayManage refuses an application that may manage what it owns only, if it
// does not own the object.
func (c *Call) mayManage(q db.Querier, objectID string) error {
	if !c.onlyOwned() {
		return nil
	}
	me, err := c.applications.Find(c.Context, c.Caller.AppID, c.Now)
	if err != nil {
		return err
	}
	owners, err := application.Owners(c.Context, q, objectID)
	if err != nil || slices.ContainsFunc(owners, func(o application.Owner) bool { return o.ID == me.PrincipalID() }) {
		return err
	}
	return denied("This application may change only applications that it owns. Make its service principal an owner, or grant it the permission Application.ReadWrite.All.")
}

func (c *Call) onlyOwned() bool {
	return c.Caller.App && !c.Caller.hasPermission([]string{"Application.ReadWrite.All"})
}

// ownMade makes such an application an owner of what it has just made.
func (c *Call) ownMade(q db.Querier, target audit.Target) error {
	if !c.onlyOwned() || c.mayManage(q, target.ID) == nil {
		return nil
	}
	me, err := c.applications.Find(c.Context, c.Caller.AppID, c.Now)
	if err != nil {
		return err
	}
	return c.catalogue().AddOwner(c.Context, q, c.Actor, c.Now, application.Owned{Target: target, Owner: me.PrincipalID()})
}

func applicationETag(a application.Application) string { return fmt.Sprintf(`W/"%d"`, a.Version) }

// applicationShape is Graph's application: what is never stored is null.
var applicationShape = Shape{Set: "applications", Nulls: true, Absent: map[string]any{
	"applicationTemplateId": nil, "authenticationBehaviors": nil, "certification": nil, "createdByAppId": nil, "deletedDateTime": nil,
	"disabledByMicrosoftStatus": nil, "isDisabled": nil, "managerApplications": []string{}, "nativeAuthenticationApisEnabled": nil, "publisherDomain": nil,
	"requestSignatureVerification": nil, "servicePrincipalLockConfiguration": nil, "tokenEncryptionKeyId": nil, "verifiedPublisher": nil,
}}

// applications are the OAuth clients, and the APIs that they may call.
func applications() []resource {
	out := []resource{
		Collection[application.Application]{
			Path: "/applications", Key: "{application}", Shape: applicationShape,
			Schema: application.Schema, Paging: application.Paging, ETag: applicationETag,
			Read: readApplications, Write: writeApplications,
			List: func(c *Call, q odata.Query) ([]application.Application, error) {
				return application.Find(c.Context, c.DB, q)
			},
			Count:  func(c *Call, q odata.Query) (int64, error) { return application.Count(c.Context, c.DB, q) },
			Get:    func(c *Call) (application.Application, error) { return c.application(c.DB) },
			Create: createApplication,
			Update: updateApplication,
			Delete: func(c *Call) error {
				return c.writeApplication(func(q db.Querier) error {
					a, err := c.application(q)
					if err == nil {
						err = c.mayManage(q, a.ID)
					}
					if err != nil {
						return err
					}
					return application.Delete(c.Context, q, c.Actor, c.Now, a.ID)
				})
			},
		},
	}
	out = append(out, keysOf("/applications/{application}", applicationKeys)...)
	return append(out, ownersOf("/applications/{application}", func(c *Call, q db.Querier) (audit.Target, error) {
		a, err := c.application(q)
		return a.Target(), err
	})...)
}

// application reads the key of the path: an object id, appId='…' or
// uniqueName='…' (WC-10).
func (c *Call) application(q db.Querier) (application.Application, error) {
	key := c.Params["application"]
	name, v, ok := strings.Cut(key, "=")
	switch {
	case ok && strings.EqualFold(name, "appId"):
		return application.GetByAppID(c.Context, q, v)
	case ok && strings.EqualFold(name, "uniqueName"):
		return application.GetByUniqueName(c.Context, q, v)
	}
	return application.Get(c.Context, q, strings.ToLower(key))
}

// catalogue lists the permissions that the routes ask for: what Microsoft
// Graph has to grant here.
func (c *Call) catalogue() application.Catalogue {
	return application.Catalogue{Application: ApplicationPermissions(), Delegated: DelegatedPermissions()}
}

// writeApplication is write, after which this node's tokens know the change.
func (c *Call) writeApplication(f func(q db.Querier) error) error {
	if err := c.write(f); err != nil {
		return err
	}
	return c.applications.Refresh(c.Context, c.Now)
}

func createApplication(c *Call, a application.Application) (out application.Application, err error) {
	if err := c.mayGrant(application.Application{}, a); err != nil {
		return a, err
	}
	err = c.writeApplication(func(q db.Querier) (err error) {
		if out, err = application.Create(c.Context, q, c.Actor, c.Now, a); err != nil {
			return err
		}
		if err := c.bindOwners(q, out.Target()); err != nil {
			return err
		}
		return c.ownMade(q, out.Target())
	})
	return out, err
}

func updateApplication(c *Call, change func(*application.Application) error) (out application.Application, err error) {
	err = c.writeApplication(func(q db.Querier) error {
		a, err := c.application(q)
		if err == nil {
			err = c.mayManage(q, a.ID)
		}
		if err != nil {
			return err
		}
		out, err = application.Update(c.Context, q, c.Actor, c.Now, a.ID, func(a *application.Application) error {
			was := *a
			if err := change(a); err != nil {
				return err
			}
			if err := c.mayRedirect(q, &was, a); err != nil {
				return err
			}
			if addsKeys(was.KeyCredentials, a.KeyCredentials) {
				if err := c.mayProve(q, was); err != nil {
					return err
				}
			}
			return c.mayGrant(was, *a)
		})
		return err
	})
	return out, err
}

// mayGrant reports why the caller may not give an application the permissions
// that is has and was has not. Whoever can grant permissions can become
// anybody, so this needs what assigning roles needs; taking nothing new is
// always fine.
func (c *Call) mayGrant(was, is application.Application) error {
	added := func(was, is []string) bool {
		return slices.ContainsFunc(is, func(name string) bool { return !containsFold(was, name) })
	}
	if added(was.Cardea.Permissions, is.Cardea.Permissions) || added(was.Cardea.Scopes, is.Cardea.Scopes) {
		return grantAccess.allow(c.Caller, false)
	}
	return nil
}

// mayProve reports why the caller may not give an application something to
// prove itself with: a secret of an application with permissions of its own is
// worth those permissions, so that it needs who may grant them. Those that a
// deleted service principal would bring back count too.
func (c *Call) mayProve(q db.Querier, a application.Application) error {
	parked, _, err := application.Parked(c.Context, q, a.AppID)
	if err != nil || len(a.Cardea.Permissions)+len(parked) == 0 {
		return err
	}
	return grantAccess.allow(c.Caller, false)
}

func addsKeys(was, is []application.KeyCredential) bool {
	return slices.ContainsFunc(is, func(k application.KeyCredential) bool {
		return k.Key != nil && !slices.ContainsFunc(was, func(w application.KeyCredential) bool { return strings.EqualFold(w.KeyID, k.KeyID) })
	})
}

// mayRedirect reports why the caller may not give an application new addresses.
// Codes go there without a question to whoever is signed in, so that an address
// of an application with administrators' permissions, be it for one person
// alone, is worth those: it needs who may grant them.
func (c *Call) mayRedirect(q db.Querier, was, is *application.Application) error {
	have := redirects(was)
	if !slices.ContainsFunc(redirects(is), func(uri string) bool { return !slices.Contains(have, uri) }) {
		return nil
	}
	scopes, err := application.EveryScope(c.Context, q, was)
	if err != nil {
		return err
	}
	_, parked, err := application.Parked(c.Context, q, was.AppID)
	if err != nil || !slices.ContainsFunc(slices.Concat(scopes, parked, is.Cardea.Scopes), administrative) {
		return err
	}
	return grantAccess.allow(c.Caller, false)
}

func redirects(a *application.Application) []string {
	return slices.Concat(a.Web.RedirectURIs, a.SPA.RedirectURIs, a.PublicClient.RedirectURIs)
}

// administrative reports whether a delegated permission opens anything that
// wants a role as well.
func administrative(scope string) bool {
	return scope == application.All || containsFold(grantAccess.Scopes, scope) || slices.ContainsFunc(accesses(), func(a Access) bool {
		return a.Roles != nil && containsFold(a.Scopes, scope)
	})
}

var grantAccess = Access{
	Scopes: []string{"AppRoleAssignment.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "Application.ReadWrite.All"},
	Apps:   []string{"AppRoleAssignment.ReadWrite.All", "RoleManagement.ReadWrite.Directory"},
	Roles:  []string{directory.PrivilegedRoleAdministrator},
}

// ownersOf are the routes of the people and applications that answer for an
// application. Owning gives no right to people: roles do.
func ownersOf(path string, of func(*Call, db.Querier) (audit.Target, error)) []resource {
	change := func(c *Call, owner string, f func(q db.Querier, o application.Owned) error) (Answer, error) {
		return Answer{Status: http.StatusNoContent}, c.write(func(q db.Querier) error {
			target, err := of(c, q)
			if err == nil {
				err = c.mayManage(q, target.ID)
			}
			if err != nil {
				return err
			}
			return f(q, application.Owned{Target: target, Owner: owner})
		})
	}
	list := func(one func(c *Call, o application.Owner) (object, error)) func(c *Call) (Answer, error) {
		return func(c *Call) (Answer, error) {
			target, err := of(c, c.DB)
			if err != nil {
				return Answer{}, err
			}
			owners, err := application.Owners(c.Context, c.DB, target.ID)
			if err != nil {
				return Answer{}, err
			}
			p := page{Context: c.Base + "/$metadata#directoryObjects" + selected(selection(c.Query)), Value: []object{}}
			for _, owner := range owners {
				o, err := one(c, owner)
				if err != nil {
					return Answer{}, err
				}
				p.Value = append(p.Value, o)
			}
			return Answer{Status: http.StatusOK, Body: p}, nil
		}
	}
	return []resource{
		route{Method: "GET", Path: path + "/owners", Access: readApplications, Run: list(ownerObject)},
		route{Method: "GET", Path: path + "/owners/$ref", Access: readApplications, Run: list(func(c *Call, o application.Owner) (object, error) {
			return object{}.with("@odata.id", c.Base+"/directoryObjects/"+o.ID), nil
		})},
		route{Method: "POST", Path: path + "/owners/$ref", Access: writeApplications, Run: func(c *Call) (Answer, error) {
			id, err := c.reference()
			if err != nil {
				return Answer{}, err
			}
			return change(c, id, func(q db.Querier, o application.Owned) error {
				return c.catalogue().AddOwner(c.Context, q, c.Actor, c.Now, o)
			})
		}},
		route{Method: "DELETE", Path: path + "/owners/{owner}/$ref", Access: writeApplications, Run: func(c *Call) (Answer, error) {
			return change(c, c.Params["owner"], func(q db.Querier, o application.Owned) error {
				return c.catalogue().RemoveOwner(c.Context, q, c.Actor, c.Now, o)
			})
		}},
	}
}

// ownerObject shows an owner: a person as far as the caller may see people, or
// a service principal.
func ownerObject(c *Call, o application.Owner) (object, error) {
	shape, item := principalShape, any(nil)
	shape.Type = "servicePrincipal"
	if o.Type == "User" {
		u, err := directory.GetUser(c.Context, c.DB, o.ID)
		if err != nil {
			return nil, err
		}
		shape, item = memberUsers, u
		if !c.Caller.App && !c.Caller.hasScope(readUsers.Scopes) || c.basically() {
			shape.Default = basic
		}
	} else {
		p, err := c.catalogue().GetPrincipal(c.Context, c.DB, o.ID)
		if err != nil {
			return nil, err
		}
		item = p
	}
	full, err := toObject(item)
	if err != nil {
		return nil, err
	}
	sel := selectFor(shape, full, selection(c.Query))
	if shape.Type == "user" && slices.Equal(shape.Default, basic) {
		sel = slices.DeleteFunc(sel, func(n string) bool { return !containsFold(basic, n) })
		if len(sel) == 0 && selection(c.Query) != nil {
			sel = []string{"id"}
		}
	}
	return shape.project(full, sel)
}

// bindOwners adds the owners that owners@odata.bind names; the same one twice
// is one.
func (c *Call) bindOwners(q db.Querier, target audit.Target) error {
	seen := map[string]bool{}
	return c.bound("owners@odata.bind", func(id string) error {
		if seen[id] {
			return nil
		}
		seen[id] = true
		return c.catalogue().AddOwner(c.Context, q, c.Actor, c.Now, application.Owned{Target: target, Owner: id})
	})
}
