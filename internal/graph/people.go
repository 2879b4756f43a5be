package graph

import (
	"net/http"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

// people are the relationships of users: what they are in, whom they report to,
// and what they own.
func people() []resource {
	const user, manager = "/users/{user}", "/users/{user}/manager"
	out := []resource{
		route{Method: "GET", Path: manager, Access: readUsers, Run: func(c *Call) (Answer, error) {
			m, err := c.manager()
			if err != nil {
				return Answer{}, err
			}
			full, err := toObject(m)
			if err != nil {
				return Answer{}, err
			}
			a, err := memberUsers.entity(c, http.StatusOK, viewUser(c, m, full))
			return a, err
		}},
		route{Method: "GET", Path: manager + "/$ref", Access: readUsers, Run: func(c *Call) (Answer, error) {
			m, err := c.manager()
			return Answer{Status: http.StatusOK, Body: object(nil).with("@odata.id", c.Base+"/directoryObjects/"+m.ID).with("@odata.context", c.Base+"/$metadata#$ref")}, err
		}},
		route{Method: "PUT", Path: manager + "/$ref", Access: writeManager, Run: func(c *Call) (Answer, error) {
			id, err := c.reference()
			if err != nil {
				return Answer{}, err
			}
			return c.report(id)
		}},
		route{Method: "DELETE", Path: manager + "/$ref", Access: writeManager, Run: func(c *Call) (Answer, error) { return c.report("") }},
		peopleIn(user+"/directReports", readUsers, func(c *Call) (directory.Among, error) {
			u, err := c.user()
			return directory.Among{Manager: u.ID}, err
		}),
		groupsIn(user+"/ownedObjects", readMemberOf, func(c *Call) (directory.GroupsAmong, error) {
			u, err := c.user()
			return directory.GroupsAmong{Owner: u.ID}, err
		}),
		groupsIn(user+"/ownedObjects/group", readMemberOf, func(c *Call) (directory.GroupsAmong, error) {
			u, err := c.user()
			return directory.GroupsAmong{Owner: u.ID}, err
		}),
		Collection[struct{}]{Path: user + "/ownedDevices", Shape: Shape{Set: "directoryObjects"}, Read: readMemberOf, List: none, Count: noneCounted, FreeCount: true},
		Collection[struct{}]{Path: user + "/registeredDevices", Shape: Shape{Set: "directoryObjects"}, Read: readMemberOf, List: none, Count: noneCounted, FreeCount: true},
	}
	who := func(c *Call) (string, error) {
		u, err := c.user()
		return u.ID, err
	}
	out = append(out, memberOf(user+"/memberOf", readMemberOf, false, who)...)
	return append(out, memberOf(user+"/transitiveMemberOf", readMemberOf, true, who)...)
}

// Cardea keeps no devices: the lists are there, for clients that walk them.
func none(c *Call, _ odata.Query) ([]struct{}, error) {
	_, err := c.user()
	return nil, err
}

func noneCounted(c *Call, _ odata.Query) (int64, error) {
	_, err := c.user()
	return 0, err
}

// writeManager: a person may not choose their own manager.
var writeManager = Access{Scopes: writeUsers.Scopes, Roles: append([]string{directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator}, writeUsers.Roles...)}

func (c *Call) manager() (directory.User, error) {
	u, err := c.user()
	if err != nil {
		return u, err
	}
	return directory.ManagerOf(c.Context, c.DB, u.ID)
}

func (c *Call) report(managerID string) (Answer, error) {
	return Answer{Status: http.StatusNoContent}, c.write(func(q db.Querier) error {
		return directory.SetManager(c.Context, q, c.Actor, c.Now, directory.Reporting{UserID: c.Params["user"], ManagerID: managerID})
	})
}
