package graph

import (
	"fmt"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// groupAbsent is what Graph's group has and this group lacks.
var groupAbsent = map[string]any{
	// Stored, and left out of the JSON where empty.
	"deletedDateTime": nil, "uniqueName": nil, "securityIdentifier": nil, "mail": nil, "visibility": nil, "classification": nil, "theme": nil,
	"preferredLanguage": nil, "preferredDataLocation": nil, "proxyAddresses": []string{}, "resourceBehaviorOptions": []string{},
	"resourceProvisioningOptions": []string{}, "expirationDateTime": nil, "onPremisesSyncEnabled": nil,
	// Graph's, and nothing to Cardea (DO-6).
	"accessType": nil, "allowExternalSenders": nil, "assignedLabels": []string{}, "assignedLicenses": []string{}, "autoSubscribeNewMembers": nil,
	"hasMembersWithLicenseErrors": nil, "hideFromAddressLists": nil, "hideFromOutlookClients": nil, "infoCatalogs": []string{}, "isArchived": nil, "isFavorite": nil,
	"isManagementRestricted": nil, "isSubscribedByMail": nil, "licenseProcessingState": nil, "onPremisesDomainName": nil, "onPremisesExtensionAttributes": nil,
	"onPremisesLastSyncDateTime": nil, "onPremisesNetBiosName": nil, "onPremisesProvisioningErrors": []string{}, "onPremisesSamAccountName": nil,
	"onPremisesSecurityIdentifier": nil, "organizationId": nil, "renewedDateTime": nil, "serviceProvisioningErrors": []string{}, "unseenConversationsCount": nil,
	"unseenCount": nil, "unseenMessagesCount": nil, "welcomeMessageEnabled": nil,
}

var groupDefault = []string{"id", "createdDateTime", "deletedDateTime", "description", "displayName", "groupTypes", "isAssignableToRole",
	"mail", "mailEnabled", "mailNickname", "membershipRule", "securityEnabled", "visibility"}

var (
	groupShape   = Shape{Set: "groups", Nulls: true, Default: groupDefault, Absent: groupAbsent}
	memberGroups = Shape{Set: "directoryObjects", Type: "group", Nulls: true, Default: groupDefault, Absent: groupAbsent}
	memberUsers  = Shape{Set: "directoryObjects", Type: "user", Nulls: true, Default: userShape.Default, Absent: userShape.Absent}
)

func groupETag(g directory.Group) string { return fmt.Sprintf(`W/"%d"`, g.Version) }

func groups() []resource {
	return []resource{
		route{Method: "GET", Path: "/groups/delta", Access: readGroups, Run: groupDelta.serve},
		Collection[directory.Group]{
			Path: "/groups", Key: "{group}", Shape: groupShape, Schema: directory.GroupSchema, Paging: directory.GroupPaging,
			Read: readGroups, Write: writeGroups, ETag: groupETag,
			List: func(c *Call, q odata.Query) ([]directory.Group, error) {
				return directory.FindGroups(c.Context, c.DB, q)
			},
			Count:  func(c *Call, q odata.Query) (int64, error) { return directory.CountFoundGroups(c.Context, c.DB, q) },
			Get:    func(c *Call) (directory.Group, error) { return c.group(c.DB) },
			Create: createGroup,
			Update: updateGroup,
			Delete: func(c *Call) error {
				return c.guarded(func(q db.Querier) error {
					g, err := c.group(q)
					if err != nil {
						return err
					}
					return directory.DeleteGroup(c.Context, q, c.Actor, c.Now, g.ID)
				})
			},
			Expand: expandGroup,
		},
	}
}

// group reads the group that the path names: by its id, or by its uniqueName,
// groups(uniqueName='…').
func (c *Call) group(q db.Querier) (directory.Group, error) {
	if name, ok := alternate(c.Params["group"], "uniqueName"); ok {
		return directory.GroupByUniqueName(c.Context, q, name)
	}
	return directory.GetGroup(c.Context, q, c.Params["group"])
}

// alternate reads a key such as uniqueName=x.
func alternate(key, name string) (string, bool) {
	have, value, ok := strings.Cut(key, "=")
	return value, ok && strings.EqualFold(have, name)
}

// createGroup stores a group with the owners and members that the body binds.
func createGroup(c *Call, g directory.Group) (out directory.Group, err error) {
	if g.Cardea != nil { // groups of Cardea's own are made by Cardea (DO-14)
		return g, problem.New(problem.Invalid, "propertyReadOnly", "Only Cardea itself makes groups that it keeps. Leave cardea out.").On("cardea")
	}
	err = c.guarded(func(q db.Querier) (err error) {
		if out, err = directory.CreateGroup(c.Context, q, c.Actor, c.Now, g); err != nil {
			return err
		}
		return c.bind(q, out.ID)
	})
	return out, err
}

func updateGroup(c *Call, change func(*directory.Group) error) (out directory.Group, err error) {
	err = c.guarded(func(q db.Querier) (err error) {
		g, err := c.group(q)
		if err != nil {
			return err
		}
		if out, err = directory.UpdateGroup(c.Context, q, c.Actor, c.Now, g.ID, change); err != nil {
			return err
		}
		return c.bind(q, out.ID)
	})
	return out, err
}

// bind adds what members@odata.bind and owners@odata.bind name. Terraform names
// itself as owner.
func (c *Call) bind(q db.Querier, groupID string) error {
	err := c.bound("members@odata.bind", func(id string) error {
		return directory.AddMember(c.Context, q, c.Actor, c.Now, directory.Membership{GroupID: groupID, MemberID: id})
	})
	if err != nil {
		return err
	}
	return c.bound("owners@odata.bind", func(id string) error {
		return directory.AddOwner(c.Context, q, c.Actor, c.Now, directory.Owner{GroupID: groupID, ID: id})
	})
}

// reference is an object of which only the id is shown.
type reference struct {
	ID string `json:"id"`
}

// expandGroup are the relationships of a group that $expand may name.
var expandGroup = map[string]Expansion[directory.Group]{
	"members": {List: func(c *Call, g directory.Group) ([]Related, error) {
		people, inner, err := directory.FindMembers(c.Context, c.DB, g.ID, "", maxExpand)
		out, err := related(c, memberUsers, viewUser, people, err)
		if err != nil {
			return nil, err
		}
		groups, err := related(c, memberGroups, nil, inner, nil)
		return append(out, groups...), err
	}},
	"owners": {List: func(c *Call, g directory.Group) ([]Related, error) {
		found, err := directory.OwnersOf(c.Context, c.DB, g.ID, "", maxExpand)
		var out []Related
		for _, o := range found {
			if err != nil {
				return nil, err
			}
			var one []Related
			if o.Principal {
				one, err = related(c, Shape{Type: "servicePrincipal"}, nil, []reference{{o.ID}}, nil)
			} else {
				u, getErr := directory.GetWhole(c.Context, c.DB, o.ID)
				one, err = related(c, memberUsers, viewUser, []directory.User{u}, getErr)
			}
			out = append(out, one...)
		}
		return out, err
	}},
}
