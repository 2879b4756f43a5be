package graph

import (
	"strings"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

var (
	readAssignments = Access{Scopes: []string{"Application.Read.All", "AppRoleAssignment.ReadWrite.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		Own: []string{"User.Read"}}
	writeAssignments = Access{Scopes: []string{"AppRoleAssignment.ReadWrite.All"},
		Roles: []string{directory.ApplicationAdministrator, directory.CloudApplicationAdministrator, directory.PrivilegedRoleAdministrator}}
)

// appRoles are the assignments of app roles, seen from four sides.
func appRoles() []resource {
	user := func(c *Call, q db.Querier) (application.Side, error) {
		u, err := directory.GetUser(c.Context, q, c.Params["user"])
		return application.Side{Principal: u.ID}, err
	}
	group := func(c *Call, q db.Querier) (application.Side, error) {
		g, err := directory.GetGroup(c.Context, q, c.Params["group"])
		return application.Side{Principal: g.ID}, err
	}
	client := func(c *Call, q db.Querier) (application.Side, error) {
		p, err := c.principal(q)
		return application.Side{Principal: p.ID}, err
	}
	api := func(c *Call, q db.Querier) (application.Side, error) {
		p, err := c.principal(q)
		return application.Side{Resource: p.ID}, err
	}
	return []resource{
		assignments("/users/{user}/appRoleAssignments", user),
		assignments("/groups/{group}/appRoleAssignments", group),
		assignments("/servicePrincipals/{principal}/appRoleAssignments", client),
		assignments("/servicePrincipals/{principal}/appRoleAssignedTo", api),
	}
}

func assignments(path string, of func(c *Call, q db.Querier) (application.Side, error)) resource {
	return Collection[application.Assignment]{
		Path: path, Key: "{assignment}", Shape: Shape{Set: "appRoleAssignments", Absent: map[string]any{"deletedDateTime": nil}},
		Schema: application.AssignmentSchema, Paging: application.AssignmentPaging,
		Read: readAssignments, Write: writeAssignments, FreeCount: true,
		List: func(c *Call, q odata.Query) ([]application.Assignment, error) {
			side, err := of(c, c.DB)
			if err != nil {
				return nil, err
			}
			return application.FindAssignments(c.Context, c.DB, q, side)
		},
		Count: func(c *Call, q odata.Query) (int64, error) {
			side, err := of(c, c.DB)
			if err != nil {
				return 0, err
			}
			return application.CountAssignments(c.Context, c.DB, q, side)
		},
		Get: func(c *Call) (a application.Assignment, err error) {
			side, err := of(c, c.DB)
			if err != nil {
				return a, err
			}
			return application.GetAssignment(c.Context, c.DB, side, c.Params["assignment"])
		},
		Create: func(c *Call, a application.Assignment) (out application.Assignment, err error) {
			err = c.writeApplication(func(q db.Querier) error {
				side, err := of(c, q)
				if err != nil {
					return err
				}
				if a, err = within(side, a); err != nil {
					return err
				}
				if err := c.mayAssign(a); err != nil {
					return err
				}
				out, err = c.catalogue().Assign(c.Context, q, c.Actor, c.Now, a)
				return err
			})
			return out, err
		},
		Delete: func(c *Call) error {
			return c.writeApplication(func(q db.Querier) error {
				side, err := of(c, q)
				if err != nil {
					return err
				}
				return c.catalogue().Unassign(c.Context, q, c.Actor, c.Now, side, c.Params["assignment"])
			})
		},
	}
}

// within fills what the path says into a body that leaves it out; a body that
// says something else is refused.
func within(side application.Side, a application.Assignment) (application.Assignment, error) {
	for _, m := range []struct {
		path, target string
		body         *string
	}{{side.Principal, "principalId", &a.PrincipalID}, {side.Resource, "resourceId", &a.ResourceID}} {
		if m.path == "" {
			continue
		}
		if *m.body != "" && !strings.EqualFold(*m.body, m.path) {
			return a, problem.New(problem.Invalid, "invalidValue", "%s is not what the path names. Send the same id, or leave it out.", m.target).On(m.target)
		}
		*m.body = m.path
	}
	if a.AppRoleID == "" {
		return a, problem.New(problem.Invalid, "requiredParamMissing", "appRoleId names the role. The id of all zeros is access without a role.").On("appRoleId")
	}
	return a, nil
}

// mayAssign: a role of Graph is a permission, which needs who may grant them.
// Roles of other applications are those of whoever administers applications.
func (c *Call) mayAssign(a application.Assignment) error {
	if strings.EqualFold(a.ResourceID, application.GraphPrincipalID) {
		return grantAccess.allow(c.Caller, false)
	}
	return nil
}
