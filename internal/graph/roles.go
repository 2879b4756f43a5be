package graph

import (
	"net/http"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// directoryRole is Graph's resource: every built-in role exists from the start,
// under its template id (DO-16).
type directoryRole struct {
	ID             string  `json:"id"`
	DeletedAt      *string `json:"deletedDateTime"`
	Description    *string `json:"description"`
	DisplayName    string  `json:"displayName"`
	RoleTemplateID string  `json:"roleTemplateId"`
}

func roleOf(id string) (directoryRole, error) {
	name := directory.RoleName(id)
	if name == "" {
		return directoryRole{}, problem.New(problem.NotFound, "notFound", "There is no directory role %s.", id)
	}
	return directoryRole{ID: id, DisplayName: name, RoleTemplateID: id}, nil
}

func allRoles(*Call) ([]directoryRole, error) {
	out := make([]directoryRole, 0, len(directory.Roles))
	for _, r := range directory.Roles {
		out = append(out, directoryRole{ID: r.ID, DisplayName: r.DisplayName, RoleTemplateID: r.ID})
	}
	return out, nil
}

// role reads the key of the path, also spelled roleTemplateId='…' (WC-10).
func (c *Call) role() (directoryRole, error) {
	id := c.Params["role"]
	if name, v, ok := strings.Cut(id, "="); ok && strings.EqualFold(name, "roleTemplateId") {
		id = v
	}
	return roleOf(id)
}

func roles() []resource {
	const members = "/directoryRoles/{role}/members"
	shape := Shape{Set: "directoryRoles"}
	return []resource{
		Every[directoryRole]{Path: "/directoryRoles", Access: readRoles, Shape: shape, List: allRoles},
		Every[directoryRole]{Path: "/directoryRoleTemplates", Access: readRoles, Shape: Shape{Set: "directoryRoleTemplates"}, List: allRoles},
		route{Method: "POST", Path: "/directoryRoles", Access: writeRoles, Run: func(c *Call) (Answer, error) {
			var in directoryRole
			if err := c.decode(&in); err != nil {
				return Answer{}, err
			}
			r, err := roleOf(strings.ToLower(in.RoleTemplateID))
			if err != nil {
				return Answer{}, err
			}
			return shape.entity(c, http.StatusCreated, r)
		}},
		route{Method: "GET", Path: "/directoryRoles/{role}", Access: readRoles, Run: func(c *Call) (Answer, error) {
			r, err := c.role()
			if err != nil {
				return Answer{}, err
			}
			return shape.entity(c, http.StatusOK, r)
		}},
		peopleIn(members, readRoles, func(c *Call) (directory.Among, error) {
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
			return Answer{Status: http.StatusNoContent}, c.write(func(q db.Querier) error {
				return directory.AssignRole(c.Context, q, c.Actor, c.Now, directory.RoleAssignment{UserID: id, RoleID: r.ID})
			})
		}},
		route{Method: "DELETE", Path: members + "/{member}/$ref", Access: writeRoles, Run: func(c *Call) (Answer, error) {
			r, err := c.role()
			if err != nil {
				return Answer{}, err
			}
			user := strings.ToLower(c.Params["member"])                                       // an object id or a user name
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error { // DO-18
				return directory.UnassignRole(c.Context, q, c.Actor, c.Now, directory.RoleAssignment{UserID: user, RoleID: r.ID})
			})
		}},
		Every[directoryRole]{Path: "/users/{user}/memberOf/directoryRole", Access: readMemberOf, Shape: Shape{Set: "directoryObjects", Type: "directoryRole"}, List: rolesOfUser},
		Every[directoryRole]{Path: "/users/{user}/transitiveMemberOf/directoryRole", Access: readMemberOf, Shape: Shape{Set: "directoryObjects", Type: "directoryRole"}, List: rolesOfUser},
	}
}

func rolesOfUser(c *Call) ([]directoryRole, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	ids, err := directory.RolesOf(c.Context, c.DB, u.ID)
	if err != nil {
		return nil, err
	}
	out := []directoryRole{}
	for _, id := range ids {
		r, err := roleOf(id)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
