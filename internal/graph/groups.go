package graph

import (
	"fmt"
	"net/http"
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
	const members = "/groups/{group}/members"
	return []resource{
		Collection[directory.Group]{
			Path: "/groups", Key: "{group}", Shape: groupShape, Schema: directory.GroupSchema, Paging: directory.GroupPaging,
			Read: readGroups, Write: writeGroups, ETag: groupETag,
			List: func(c *Call, q odata.Query) ([]directory.Group, error) {
				return directory.FindGroups(c.Context, c.DB, q)
			},
			Count: func(c *Call, q odata.Query) (int64, error) { return directory.CountFoundGroups(c.Context, c.DB, q) },
			Get:   func(c *Call) (directory.Group, error) { return directory.GetGroup(c.Context, c.DB, c.Params["group"]) },
			Create: func(c *Call, g directory.Group) (out directory.Group, err error) {
				err = c.write(func(q db.Querier) (err error) {
					if out, err = directory.CreateGroup(c.Context, q, c.Actor, c.Now, g); err != nil {
						return err
					}
					return c.bindMembers(q, out.ID)
				})
				return out, err
			},
			Update: func(c *Call, change func(*directory.Group) error) (out directory.Group, err error) {
				err = c.guarded(func(q db.Querier) (err error) {
					if out, err = directory.UpdateGroup(c.Context, q, c.Actor, c.Now, c.Params["group"], change); err != nil {
						return err
					}
					return c.bindMembers(q, out.ID)
				})
				return out, err
			},
			Delete: func(c *Call) error {
				return c.guarded(func(q db.Querier) error {
					return directory.DeleteGroup(c.Context, q, c.Actor, c.Now, c.Params["group"])
				})
			},
			Expand: expandGroup,
		},
		route{Method: "GET", Path: members, Access: readGroups, Run: listMembers},
		peopleIn(members+"/user", readGroups, membersOf(false)),
		peopleIn("/groups/{group}/transitiveMembers", readGroups, membersOf(true)),
		peopleIn("/groups/{group}/transitiveMembers/user", readGroups, membersOf(true)),
		Every[directory.Group]{Path: "/groups/{group}/memberOf", Access: readGroups, Shape: memberGroups, List: func(c *Call) ([]directory.Group, error) {
			return directory.GroupsOf(c.Context, c.DB, c.Params["group"], false)
		}},
		route{Method: "POST", Path: members + "/$ref", Access: writeMembers, Run: func(c *Call) (Answer, error) {
			id, err := c.reference()
			if err != nil {
				return Answer{}, err
			}
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error {
				return directory.AddMember(c.Context, q, c.Actor, c.Now, directory.Membership{GroupID: c.Params["group"], MemberID: id})
			})
		}},
		route{Method: "DELETE", Path: members + "/{member}/$ref", Access: writeMembers, Run: func(c *Call) (Answer, error) {
			return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error {
				return directory.RemoveMember(c.Context, q, c.Actor, c.Now, directory.Membership{GroupID: c.Params["group"], MemberID: strings.ToLower(c.Params["member"])})
			})
		}},
	}
}

// peopleIn is a list of the users that some path narrows: it pages, filters
// and counts like /users.
func peopleIn(path string, a Access, among func(*Call) (directory.Among, error)) resource {
	return Collection[directory.User]{Path: path, Shape: memberUsers, Schema: directory.UserSchema, Paging: directory.UserPaging, Read: a,
		List: func(c *Call, q odata.Query) ([]directory.User, error) {
			some, err := among(c)
			if err != nil {
				return nil, err
			}
			return directory.FindAmong(c.Context, c.DB, q, some)
		},
		Count: func(c *Call, q odata.Query) (int64, error) {
			some, err := among(c)
			if err != nil {
				return 0, err
			}
			return directory.CountAmong(c.Context, c.DB, q, some)
		},
	}
}

func membersOf(transitive bool) func(c *Call) (directory.Among, error) {
	return func(c *Call) (directory.Among, error) {
		g, err := directory.GetGroup(c.Context, c.DB, c.Params["group"])
		return directory.Among{Group: g.ID, Transitive: transitive}, err
	}
}

// listMembers lists people and groups together, each with its @odata.type, in
// the order of their ids.
func listMembers(c *Call) (Answer, error) {
	g, err := directory.GetGroup(c.Context, c.DB, c.Params["group"])
	if err != nil {
		return Answer{}, err
	}
	q, err := odata.Parse(c.Query, nil, odata.Paging{Default: 100, Max: 999})
	if err != nil {
		return Answer{}, err
	}
	after := ""
	if q.After != nil {
		after, _ = q.After[0].(string)
	}
	people, inner, err := directory.FindMembers(c.Context, c.DB, g.ID, after, q.Top+1)
	if err != nil {
		return Answer{}, err
	}
	p := page{Context: c.Base + "/$metadata#directoryObjects" + selected(q.Select), Value: []object{}}
	for last := ""; len(people)+len(inner) > 0; {
		if len(p.Value) == q.Top {
			p.Next = c.nextLink(q.Token(nil, last))
			break
		}
		shape, item := memberGroups, any(nil)
		if len(inner) == 0 || len(people) > 0 && people[0].ID < inner[0].ID {
			shape, item, last, people = memberUsers, people[0], people[0].ID, people[1:]
		} else {
			item, last, inner = inner[0], inner[0].ID, inner[1:]
		}
		full, err := toObject(item)
		if err != nil {
			return Answer{}, err
		}
		o, err := shape.project(full, selectFor(shape, full, q.Select))
		if err != nil {
			return Answer{}, err
		}
		p.Value = append(p.Value, o)
	}
	return Answer{Status: http.StatusOK, Body: p}, nil
}

// selectFor keeps the names that this type has: $select on a mixed list names
// members of several types.
func selectFor(s Shape, full object, sel []string) []string {
	if sel == nil {
		return nil
	}
	mine := []string{}
	for _, n := range sel {
		if _, ok := s.find(full, n); ok {
			mine = append(mine, n)
		}
	}
	return mine
}

// reference reads {"@odata.id": "https://…/directoryObjects/ID"}. Only the end
// of the address counts; its host and version may be anybody's (DO-7).
func (c *Call) reference() (string, error) {
	var body struct {
		ID string `json:"@odata.id"`
	}
	if err := c.decode(&body); err != nil {
		return "", err
	}
	return referenced(body.ID)
}

var referable = []string{"directoryObjects", "users", "groups", "servicePrincipals", "devices"}

func referenced(address string) (string, error) {
	bad := problem.New(problem.Invalid, "badReference", "@odata.id must be an address that ends in directoryObjects/ and an object id.").On("@odata.id")
	if i := strings.Index(address, "://"); i >= 0 {
		address = address[i+3:]
	}
	p, err := parsePath(address)
	if n := len(p.segments); err == nil && n >= 2 && containsFold(referable, p.segments[n-2]) {
		return strings.ToLower(p.segments[n-1]), nil
	}
	return "", bad
}

func tooManyReferences(member string) error {
	return problem.New(problem.Invalid, "tooManyReferences", "One request can add at most %d references. Send several.", maxBind).On(member)
}

const maxBind = 20 // references in one request (directory-and-odata §10)

// bindMembers adds the members that members@odata.bind names.
func (c *Call) bindMembers(q db.Querier, groupID string) error {
	var body struct {
		Members []string `json:"members@odata.bind"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	if len(body.Members) > maxBind {
		return tooManyReferences("members@odata.bind")
	}
	for _, address := range body.Members {
		id, err := referenced(address)
		if err != nil {
			return err
		}
		if err := directory.AddMember(c.Context, q, c.Actor, c.Now, directory.Membership{GroupID: groupID, MemberID: id}); err != nil {
			return err
		}
	}
	return nil
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
