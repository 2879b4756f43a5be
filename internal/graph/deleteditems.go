package graph

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/passkey"
)

var (
	readDeleted = Access{Scopes: []string{"User.Read.All", "Group.Read.All", "User.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		Roles: []string{directory.UserAdministrator, directory.GroupsAdministrator, directory.GlobalReader}}
	writeDeleted = Access{Scopes: []string{"User.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"},
		Roles: []string{directory.UserAdministrator, directory.GroupsAdministrator}}

	deletedUsers  = Shape{Set: "directoryObjects", Type: "user", Nulls: true, Default: append(slices.Clone(userShape.Default), "deletedDateTime"), Absent: userShape.Absent}
	deletedGroups = memberGroups
)

// deletedItems are the people and groups that can still be brought back.
func deletedItems() []resource {
	const items, one = "/directory/deletedItems", "/directory/deletedItems/{object}"
	return []resource{
		Collection[directory.User]{Path: items + "/user", Shape: deletedUsers, Schema: directory.UserSchema, Paging: directory.UserPaging, FreeCount: true,
			Read: narrowed(readDeleted, readUsers), View: viewUser,
			List: func(c *Call, q odata.Query) ([]directory.User, error) {
				if err := c.mayFilter(q); err != nil {
					return nil, err
				}
				return directory.FindAmong(c.Context, c.DB, q, directory.Among{Deleted: true})
			},
			Count: func(c *Call, q odata.Query) (int64, error) {
				if err := c.mayFilter(q); err != nil {
					return 0, err
				}
				return directory.CountAmong(c.Context, c.DB, q, directory.Among{Deleted: true})
			}},
		Collection[directory.Group]{Path: items + "/group", Shape: deletedGroups, Schema: directory.GroupSchema, Paging: directory.GroupPaging, FreeCount: true,
			Read: narrowed(readDeleted, readGroups),
			List: func(c *Call, q odata.Query) ([]directory.Group, error) {
				return directory.FindGroupsAmong(c.Context, c.DB, q, directory.GroupsAmong{Deleted: true})
			},
			Count: func(c *Call, q odata.Query) (int64, error) {
				return directory.CountGroupsAmong(c.Context, c.DB, q, directory.GroupsAmong{Deleted: true})
			}},
		route{Method: "GET", Path: one, Access: readDeleted, Run: func(c *Call) (Answer, error) {
			d, err := c.deleted(c.DB, readUsers, readGroups)
			if err != nil {
				return Answer{}, err
			}
			return c.answerDeleted(d)
		}},
		route{Method: "POST", Path: one + "/restore", Access: writeDeleted, Run: restore},
		route{Method: "DELETE", Path: one, Access: writeDeleted, Run: func(c *Call) (Answer, error) {
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error {
				d, err := c.deleted(q, writeUsers, writeGroups)
				if err != nil {
					return err
				}
				return directory.Purge(c.Context, q, c.Actor, c.Now, d.ID())
			})
		}},
	}
}

// narrowed is a with the permissions of b only.
func narrowed(a, b Access) Access {
	a.Scopes, a.Apps = b.Scopes, b.Apps
	return a
}

// deleted finds the deleted item of the path, if the caller may do to its type
// what the access of the type asks for.
func (c *Call) deleted(q db.Querier, person, group Access) (directory.Deleted, error) {
	d, err := directory.GetDeleted(c.Context, q, strings.ToLower(c.Params["object"]))
	if err != nil {
		return d, err
	}
	if d.User == nil {
		return d, group.allow(c.Caller, false)
	}
	return d, person.allow(c.Caller, false)
}

func (c *Call) answerDeleted(d directory.Deleted) (Answer, error) {
	shape, item := deletedGroups, any(d.Group)
	if d.User != nil {
		shape, item = deletedUsers, d.User
	}
	return shape.entity(c, http.StatusOK, item)
}

// restore brings an item back. Whoever restores a person could sign them in
// again, so it asks for the same reach as switching an account on (DO-3). The
// roles that would put the person out of reach are lost with the deletion.
func restore(c *Call) (Answer, error) {
	var in struct {
		NewUserPrincipalName string `json:"newUserPrincipalName"`
	}
	if len(c.Body) > 0 {
		if err := c.decode(&in); err != nil {
			return Answer{}, err
		}
	}
	var d directory.Deleted
	err := c.guarded(func(q db.Querier) error {
		var err error
		if d, err = c.deleted(q, writeUsers, writeGroups); err != nil {
			return err
		}
		d, err = directory.Restore(c.Context, q, c.Actor, c.Now, directory.Restoring{ID: d.ID(), NewUserPrincipalName: in.NewUserPrincipalName})
		if err != nil {
			return err
		}
		if d.User != nil { // as the person is now: in role-assignable groups again
			return c.reachIn(q, d.User.ID)
		}
		return nil
	})
	if err != nil {
		return Answer{}, err
	}
	a, err := c.answerDeleted(d)
	if err == nil && d.User != nil {
		a.Header.Set("Warning", fmt.Sprintf("299 cardea %q", "rolesNotRestored: assign directory roles again where they are needed"))
	}
	return a, err
}

// lockOut refuses to take away the last able Global Administrator (DO-18).
func (c *Call) lockOut(q db.Querier, userID string) error {
	return c.keeper.GuardAdministrators(c.Context, q, passkey.Without{UserID: userID})
}
