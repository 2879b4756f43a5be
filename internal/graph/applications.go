package graph

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

var (
	readApplications  = Access{Scopes: []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}
	writeApplications = Access{Scopes: []string{"Application.ReadWrite.All", "Directory.ReadWrite.All"},
		Apps:  []string{"Application.ReadWrite.All"},
		Roles: []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator}}
)

func applicationETag(a application.Application) string { return fmt.Sprintf(`W/"%d"`, a.Version) }

// applicationShape is Graph's application: what is never stored is null.
var applicationShape = Shape{Set: "applications", Nulls: true, Absent: map[string]any{
	"applicationTemplateId": nil, "authenticationBehaviors": nil, "certification": nil, "createdByAppId": nil, "deletedDateTime": nil,
	"disabledByMicrosoftStatus": nil, "isDisabled": nil, "managerApplications": []string{}, "nativeAuthenticationApisEnabled": nil, "publisherDomain": nil,
	"requestSignatureVerification": nil, "servicePrincipalLockConfiguration": nil, "tokenEncryptionKeyId": nil, "verifiedPublisher": nil,
}}

// applications are the OAuth clients. Cardea has no service principals of
// their own: the application is its principal.
func applications() []resource {
	return []resource{
		Collection[application.Application]{
			Path: "/applications", Key: "{application}", Shape: applicationShape,
			Schema: application.Schema, Paging: application.Paging, ETag: applicationETag,
			Read: readApplications, Write: writeApplications,
			List: func(c *Call, q odata.Query) ([]application.Application, error) {
				return application.Find(c.Context, c.DB, q)
			},
			Get:    func(c *Call) (application.Application, error) { return c.application(c.DB) },
			Create: createApplication,
			Update: updateApplication,
			Delete: func(c *Call) error {
				return c.writeApplication(func(q db.Querier) error {
					a, err := c.application(q)
					if err != nil {
						return err
					}
					return application.Delete(c.Context, q, c.Actor, c.Now, a.ID)
				})
			},
		},
		Action[secretRequest, application.PasswordCredential]{Path: "/applications/{application}/addPassword", Access: writeApplications,
			Context: "microsoft.graph.passwordCredential", Do: addPassword},
		route{Method: "POST", Path: "/applications/{application}/removePassword", Access: writeApplications, Run: removePassword},
	}
}

// application reads the key of the path: an object id, or appId='…' (WC-10).
func (c *Call) application(q db.Querier) (application.Application, error) {
	key := c.Params["application"]
	if name, v, ok := strings.Cut(key, "="); ok && strings.EqualFold(name, "appId") {
		return application.GetByAppID(c.Context, q, v)
	}
	return application.Get(c.Context, q, strings.ToLower(key))
}

// writeApplication is write, after which this node's tokens know the change.
func (c *Call) writeApplication(f func(q db.Querier) error) error {
	if err := c.write(f); err != nil {
		return err
	}
	return c.applications.Refresh(c.Context, c.Now)
}

func createApplication(c *Call, a application.Application) (out application.Application, err error) {
	if err := c.mayGrant(nil, a.Cardea.Permissions, a.Cardea.Scopes); err != nil {
		return a, err
	}
	err = c.writeApplication(func(q db.Querier) (err error) {
		out, err = application.Create(c.Context, q, c.Actor, c.Now, a)
		return err
	})
	return out, err
}

func updateApplication(c *Call, change func(*application.Application) error) (out application.Application, err error) {
	err = c.writeApplication(func(q db.Querier) error {
		a, err := c.application(q)
		if err != nil {
			return err
		}
		out, err = application.Update(c.Context, q, c.Actor, c.Now, a.ID, func(a *application.Application) error {
			was, addresses := slices.Concat(a.Cardea.Permissions, []string{"/"}, a.Cardea.Scopes), redirects(a)
			if err := change(a); err != nil {
				return err
			}
			if err := c.mayRedirect(addresses, a); err != nil {
				return err
			}
			return c.mayGrant(was, a.Cardea.Permissions, a.Cardea.Scopes)
		})
		return err
	})
	return out, err
}

// mayGrant reports why the caller may not give an application these
// permissions. Whoever can grant permissions can become anybody, so this needs
// what assigning roles needs; taking nothing new is always fine. was is the
// permissions and the scopes before, with "/" between.
func (c *Call) mayGrant(was, permissions, scopes []string) error {
	now := slices.Concat(permissions, []string{"/"}, scopes)
	if slices.Equal(was, now) || len(now) == 1 {
		return nil
	}
	return grantAccess.allow(c.Caller, false)
}

// mayRedirect reports why the caller may not give an application new addresses.
// Codes go there without a question to whoever is signed in, so that an address
// of an application with administrators' permissions is worth those: it needs
// who may grant them. was is the addresses before.
func (c *Call) mayRedirect(was []string, a *application.Application) error {
	added := func(uri string) bool { return !slices.Contains(was, uri) }
	if !slices.ContainsFunc(redirects(a), added) || !slices.ContainsFunc(a.Cardea.Scopes, administrative) {
		return nil
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

type secretRequest struct {
	PasswordCredential application.PasswordCredential `json:"passwordCredential"`
}

// addPassword makes a client secret, which is shown this once. A secret of an
// application with permissions of its own is worth those permissions: it needs
// who may grant them.
func addPassword(c *Call, in secretRequest) (out application.PasswordCredential, err error) {
	err = c.writeApplication(func(q db.Querier) error {
		a, err := c.application(q)
		if err != nil {
			return err
		}
		if err := c.mayGrant(nil, a.Cardea.Permissions, nil); err != nil {
			return err
		}
		out, err = application.AddSecret(c.Context, q, c.Actor, c.Now, a.ID, in.PasswordCredential)
		return err
	})
	return out, err
}

func removePassword(c *Call) (Answer, error) {
	var in struct {
		KeyID string `json:"keyId"`
	}
	if err := c.decode(&in); err != nil {
		return Answer{}, err
	}
	if in.KeyID == "" {
		return Answer{}, problem.New(problem.Invalid, "requiredParamMissing", "keyId names the secret to remove. GET the application to see its secrets.").On("keyId")
	}
	return Answer{Status: http.StatusNoContent}, c.writeApplication(func(q db.Querier) error {
		a, err := c.application(q)
		if err != nil {
			return err
		}
		return application.RemoveCredential(c.Context, q, c.Actor, c.Now, a.ID, in.KeyID)
	})
}
