package graph

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// directoryRole is Graph's resource: every built-in role exists from the start,
// under its template id (DO-16).
type directoryRole struct {
	ID             string  `json:"id"`
	DeletedAt      *string `json:"deletedDateTime"`
	Description    string  `json:"description"`
	DisplayName    string  `json:"displayName"`
	RoleTemplateID string  `json:"roleTemplateId"`
}

func asRole(r directory.Role) directoryRole {
	return directoryRole{ID: r.ID, Description: r.Description, DisplayName: r.DisplayName, RoleTemplateID: r.ID}
}

func roleOf(id string) (directory.Role, error) {
	r := directory.FindRole(strings.ToLower(id))
	if r.ID == "" {
		return r, problem.New(problem.NotFound, "notFound", "There is no directory role %s.", id)
	}
	return r, nil
}

// role reads the key of the path, also spelled roleTemplateId='…' (WC-10).
func (c *Call) role() (directory.Role, error) {
	id := c.Params["role"]
	if name, v, ok := strings.Cut(id, "="); ok && strings.EqualFold(name, "roleTemplateId") {
		id = v
	}
	return roleOf(id)
}

// roleCollection is a list of all built-in roles, as as shows them.
func roleCollection[T any](path string, s Shape, schema odata.Schema, as func(directory.Role) T) Collection[T] {
	return Collection[T]{
		Path: path, Key: "{role}", Shape: s, Schema: schema, Paging: odata.Paging{Default: 100, Max: 999}, Read: readRoles, FreeCount: true,
		List: func(c *Call, q odata.Query) ([]T, error) {
			found, err := directory.FindRoles(c.Context, c.DB, q)
			out := make([]T, len(found))
			for i, r := range found {
				out[i] = as(r)
			}
			return out, err
		},
		Count: func(c *Call, q odata.Query) (int64, error) { return directory.CountFoundRoles(c.Context, c.DB, q) },
		Get: func(c *Call) (T, error) {
			r, err := c.role()
			return as(r), err
		},
	}
}

func roles() []resource {
	const members = "/directoryRoles/{role}/members"
	shape := Shape{Set: "directoryRoles"}
	templates := roleCollection("/directoryRoleTemplates", Shape{Set: "directoryRoleTemplates"}, directory.RoleSchema, asRole)
	templates.View = func(_ *Call, _ directoryRole, o object) object { // its id is what a role names
		return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.name == "roleTemplateId" })
	}
	return []resource{
		roleCollection("/directoryRoles", shape, directory.RoleSchema, asRole),
		templates,
		route{Method: "POST", Path: "/directoryRoles", Access: writeRoles, Run: func(c *Call) (Answer, error) {
			var in directoryRole
			if err := c.decode(&in); err != nil {
				return Answer{}, err
			}
			r, err := roleOf(in.RoleTemplateID)
			if err != nil {
				return Answer{}, err
			}
			return shape.entity(c, http.StatusCreated, asRole(r))
		}},
		// What the role is assigned to: people, groups, service principals. Members
		// of such a group hold the role too, and are not listed.
		many{Path: members, Access: readRoles, IDs: func(c *Call, after string, limit int) ([]string, error) {
			r, err := c.role()
			if err != nil {
				return nil, err
			}
			return directory.RolePrincipals(c.Context, c.DB, r.ID, after, limit)
		}},
		peopleIn(members+"/user", readRoles, func(c *Call) (directory.Among, error) {
			r, err := c.role()
			return directory.Among{Role: r.ID}, err
		}),
		route{Method: "POST", Path: members + "/$ref", Access: writeRoles, Run: func(c *Call) (Answer, error) {
			id, err := c.reference()
			if err != nil {
				return Answer{}, err
			}
			r, err := c.role()
			if err != nil {
				return Answer{}, err
			}
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error {
				_, err := directory.Assign(c.Context, q, c.Actor, c.Now, directory.Assignment{PrincipalID: id, RoleDefinitionID: r.ID})
				return err
			})
		}},
		route{Method: "DELETE", Path: members + "/{member}/$ref", Access: writeRoles, Run: func(c *Call) (Answer, error) {
			r, err := c.role()
			if err != nil {
				return Answer{}, err
			}
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error { // DO-18
				return directory.UnassignRole(c.Context, q, c.Actor, c.Now, directory.RoleAssignment{UserID: c.Params["member"], RoleID: r.ID})
			})
		}},
		Every[directoryRole]{Path: "/users/{user}/memberOf/directoryRole", Access: readMemberOf, Shape: memberRoles, List: rolesOfUser(directory.AssignedRoles)},
		Every[directoryRole]{Path: "/users/{user}/transitiveMemberOf/directoryRole", Access: readMemberOf, Shape: memberRoles, List: rolesOfUser(directory.RolesOf)},
	}
}

// rolesOfUser lists the roles that a person holds, as find finds them.
func rolesOfUser(find func(context.Context, db.Querier, string) ([]string, error)) func(*Call) ([]directoryRole, error) {
	return func(c *Call) ([]directoryRole, error) {
		u, err := c.user()
		if err != nil {
			return nil, err
		}
		ids, err := find(c.Context, c.DB, u.ID)
		out := make([]directoryRole, len(ids))
		for i, id := range ids {
			out[i] = asRole(directory.FindRole(id))
		}
		return out, err
	}
}
