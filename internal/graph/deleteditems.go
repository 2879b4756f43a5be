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

// Who may see and bring back what: each type of item asks for its own
// permissions, and a call of any item for those of some type.
var (
	readDeletedUsers        = Access{Scopes: readUsers.Scopes, Apps: readUsers.Apps, Roles: append([]string{directory.UserAdministrator, directory.GroupsAdministrator, directory.GlobalReader}, restorers...)}
	readDeletedGroups       = Access{Scopes: readGroups.Scopes, Apps: readGroups.Apps, Roles: []string{directory.UserAdministrator, directory.GroupsAdministrator, directory.GlobalReader}}
	readDeletedApplications = Access{Scopes: readApplications.Scopes, Roles: append([]string{directory.GlobalReader}, writeApplications.Roles...)}

	readDeleted = Access{Scopes: []string{"User.Read.All", "Group.Read.All", "User.ReadWrite.All", "Group.ReadWrite.All", "Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		Roles: append(slices.Clone(readDeletedUsers.Roles), writeApplications.Roles...)}
	writeDeleted = Access{Scopes: []string{"User.ReadWrite.All", "Group.ReadWrite.All", "Application.ReadWrite.All", "Directory.ReadWrite.All"},
		Roles: slices.Concat([]string{directory.UserAdministrator, directory.GroupsAdministrator}, writeApplications.Roles, restorers)}
	restorers = []string{directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator} // of people (directory-and-odata §4.2)

	// No application owns what is deleted: OwnedBy does not reach it.
	writeDeletedApplications = Access{Scopes: writeApplications.Scopes, Apps: []string{"Application.ReadWrite.All"}, Roles: writeApplications.Roles}

	deletedUsers        = Shape{Set: "directoryObjects", Type: "user", Nulls: true, Default: append(slices.Clone(userShape.Default), "deletedDateTime"), Absent: userShape.Absent}
	deletedGroups       = memberGroups
	deletedApplications = Shape{Set: "directoryObjects", Type: "application", Nulls: true, Absent: applicationShape.Absent}
	deletedPrincipals   = Shape{Set: "directoryObjects", Type: "servicePrincipal", Nulls: true, Absent: principalShape.Absent}
)

const deletedItemsPath = "/directory/deletedItems"

// deletedItems are the things that can still be brought back.
func deletedItems() []resource {
	const one = deletedItemsPath + "/{object}"
	return []resource{
		Collection[directory.User]{Path: deletedItemsPath + "/user", Shape: deletedUsers, Schema: directory.UserSchema, Paging: directory.UserPaging, FreeCount: true,
			Read: readDeletedUsers, View: viewUser,
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
		Collection[directory.Group]{Path: deletedItemsPath + "/group", Shape: deletedGroups, Schema: directory.GroupSchema, Paging: directory.GroupPaging, FreeCount: true,
			Read: readDeletedGroups,
			List: func(c *Call, q odata.Query) ([]directory.Group, error) {
				return directory.FindGroupsAmong(c.Context, c.DB, q, directory.GroupsAmong{Deleted: true})
			},
			Count: func(c *Call, q odata.Query) (int64, error) {
				return directory.CountGroupsAmong(c.Context, c.DB, q, directory.GroupsAmong{Deleted: true})
			}},
		deletedOf(application.KindApplication, deletedApplications, func(d application.Deleted) application.Application { return *d.Application }),
		deletedOf(application.KindPrincipal, deletedPrincipals, func(d application.Deleted) application.ServicePrincipal { return *d.Principal }),
		route{Method: "GET", Path: one, Access: readDeleted, Run: func(c *Call) (Answer, error) {
			d, err := c.deleted(c.DB, deletedAccess{readDeletedUsers, readDeletedGroups, readDeletedApplications})
			if err != nil {
				return Answer{}, err
			}
			return c.answerDeleted(d)
		}},
		route{Method: "POST", Path: one + "/restore", Access: writeDeleted, Run: restore},
		route{Method: "DELETE", Path: one, Access: writeDeleted, Run: func(c *Call) (Answer, error) {
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error {
				d, err := c.deleted(q, deletedAccess{writeUsers, writeGroups, writeDeletedApplications})
				if err != nil {
					return err
				}
				if d.app != nil {
					return application.PurgeDeleted(c.Context, q, c.Actor, c.Now, d.app.ID())
				}
				return directory.Purge(c.Context, q, c.Actor, c.Now, d.ID())
			})
		}},
	}
}

// deletedOf lists the deleted applications, or service principals.
func deletedOf[T any](kind string, s Shape, item func(application.Deleted) T) resource {
	return Collection[T]{Path: deletedItemsPath + "/" + kind, Shape: s, Schema: application.DeletedSchema, Paging: application.DeletedPaging, FreeCount: true, Read: readDeletedApplications,
		List: func(c *Call, q odata.Query) ([]T, error) {
			found, err := application.FindDeleted(c.Context, c.DB, q, kind)
			out := make([]T, len(found))
			for i, d := range found {
				out[i] = item(d)
			}
			return out, err
		},
		Count: func(c *Call, q odata.Query) (int64, error) {
			return application.CountDeleted(c.Context, c.DB, q, kind)
		}}
}

// deletedItem is a deleted thing of any type: app, or else one of directory's.
type deletedItem struct {
	directory.Deleted
	app *application.Deleted
}

type deletedAccess struct{ person, group, app Access }

// deleted finds the deleted item of the path, if the caller may do to its type
// what the access of the type asks for.
func (c *Call) deleted(q db.Querier, may deletedAccess) (d deletedItem, err error) {
	id := strings.ToLower(c.Params["object"])
	d.Deleted, err = directory.GetDeleted(c.Context, q, id)
	switch {
	case problem.KindOf(err) == problem.NotFound:
		app, err := application.GetDeleted(c.Context, q, id)
		if err != nil {
			return d, err
		}
		d.app = &app
		return d, may.app.allow(c.Caller, false)
	case err != nil:
		return d, err
	case d.User == nil:
		return d, may.group.allow(c.Caller, false)
	}
	return d, may.person.allow(c.Caller, false)
}

func (c *Call) answerDeleted(d deletedItem) (Answer, error) {
	switch {
	case d.app != nil && d.app.Application != nil:
		return deletedApplications.entity(c, http.StatusOK, d.app.Application)
	case d.app != nil:
		return deletedPrincipals.entity(c, http.StatusOK, d.app.Principal)
	case d.User != nil:
		full, err := toObject(d.User)
		if err != nil {
			return Answer{}, err
		}
		return deletedUsers.entity(c, http.StatusOK, viewUser(c, *d.User, full))
	}
	return deletedGroups.entity(c, http.StatusOK, d.Group)
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
	var d deletedItem
	err := c.guarded(func(q db.Querier) error {
		var err error
		if d, err = c.deleted(q, deletedAccess{writeUsers, writeGroups, writeDeletedApplications}); err != nil {
			return err
		}
		if d.app != nil {
			return c.restoreApplication(q, d.app)
		}
		d.Deleted, err = directory.Restore(c.Context, q, c.Actor, c.Now, directory.Restoring{ID: d.ID(), NewUserPrincipalName: in.NewUserPrincipalName})
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
	if d.app != nil {
		if err := c.applications.Refresh(c.Context, c.Now); err != nil {
			return Answer{}, err
		}
	}
	a, err := c.answerDeleted(d)
	if err == nil && d.User != nil {
		a.Header.Set("Warning", fmt.Sprintf("299 cardea %q", "rolesNotRestored: assign directory roles again where they are needed"))
	}
	return a, err
}

// restoreApplication: what comes back with permissions, and with secrets that
// somebody may know, needs who may grant those: else a deletion would not be
// the end of an application that went astray.
func (c *Call) restoreApplication(q db.Querier, d *application.Deleted) error {
	own, delegated := d.Permissions()
	if len(own) > 0 || slices.ContainsFunc(delegated, administrative) {
		if err := grantAccess.allow(c.Caller, false); err != nil {
			return err
		}
	}
	back, err := application.RestoreDeleted(c.Context, q, c.Actor, c.Now, d.ID())
	*d = back
	return err
}
