package graph

import (
	"net/http"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

// memberships are the relationships of groups: who is in them, what they are in,
// and who looks after them.
func memberships() []resource {
	const group = "/groups/{group}"
	out := []resource{
		route{Method: "POST", Path: group + "/members/$ref", Access: writeMembers, Run: func(c *Call) (Answer, error) {
			id, err := c.reference()
			if err != nil {
				return Answer{}, err
			}
			return Answer{Status: http.StatusNoContent}, c.changeGroup(func(q db.Querier, g directory.Group) error {
				return directory.AddMember(c.Context, q, c.Actor, c.Now, directory.Membership{GroupID: g.ID, MemberID: id})
			})
		}},
		route{Method: "DELETE", Path: group + "/members/{member}/$ref", Access: writeMembers, Run: func(c *Call) (Answer, error) {
			return Answer{Status: http.StatusNoContent}, c.changeGroup(func(q db.Querier, g directory.Group) error {
				return directory.RemoveMember(c.Context, q, c.Actor, c.Now, directory.Membership{GroupID: g.ID, MemberID: strings.ToLower(c.Params["member"])})
			})
		}},
		route{Method: "POST", Path: group + "/owners/$ref", Access: writeGroups, Run: func(c *Call) (Answer, error) {
			id, err := c.reference()
			if err != nil {
				return Answer{}, err
			}
			return Answer{Status: http.StatusNoContent}, c.changeGroup(func(q db.Querier, g directory.Group) error {
				return directory.AddOwner(c.Context, q, c.Actor, c.Now, directory.Owner{GroupID: g.ID, ID: id})
			})
		}},
		route{Method: "DELETE", Path: group + "/owners/{owner}/$ref", Access: writeGroups, Run: func(c *Call) (Answer, error) {
			return Answer{Status: http.StatusNoContent}, c.changeGroup(func(q db.Querier, g directory.Group) error {
				return directory.RemoveOwner(c.Context, q, c.Actor, c.Now, directory.Owner{GroupID: g.ID, ID: strings.ToLower(c.Params["owner"])})
			})
		}},
		many{Path: group + "/owners", Access: readGroups, IDs: func(c *Call, after string, limit int) ([]string, error) {
			g, err := c.group(c.DB)
			if err != nil {
				return nil, err
			}
			owners, err := directory.OwnersOf(c.Context, c.DB, g.ID, after, limit)
			ids := make([]string, len(owners))
			for i, o := range owners {
				ids[i] = o.ID
			}
			return ids, err
		}},
	}
	for _, transitive := range []bool{false, true} {
		path := group + "/" + deep("members", transitive)
		of := func(c *Call) (directory.MembersOf, error) {
			g, err := c.group(c.DB)
			return directory.MembersOf{GroupID: g.ID, Transitive: transitive}, err
		}
		out = append(out,
			many{Path: path, Access: readGroups,
				IDs: func(c *Call, after string, limit int) ([]string, error) {
					m, err := of(c)
					if err != nil {
						return nil, err
					}
					return directory.MemberIDs(c.Context, c.DB, m, after, limit)
				},
				Count: func(c *Call) (int64, error) {
					m, err := of(c)
					if err != nil {
						return 0, err
					}
					return directory.CountMembers(c.Context, c.DB, m)
				}},
			peopleIn(path+"/user", readGroups, func(c *Call) (directory.Among, error) {
				m, err := of(c)
				return directory.Among{Group: m.GroupID, Transitive: transitive}, err
			}),
			groupsIn(path+"/group", readGroups, func(c *Call) (directory.GroupsAmong, error) {
				m, err := of(c)
				return directory.GroupsAmong{Inside: m.GroupID, Transitive: transitive}, err
			}))
	}
	for _, transitive := range []bool{false, true} {
		out = append(out, memberOf(group+"/"+deep("memberOf", transitive), readGroups, transitive, func(c *Call) (string, error) {
			g, err := c.group(c.DB)
			return g.ID, err
		})...)
	}
	return out
}

// deep is the name of a relationship, or of what it is through others too.
func deep(name string, transitive bool) string {
	if !transitive {
		return name
	}
	return "transitive" + strings.ToUpper(name[:1]) + name[1:]
}

// changeGroup runs a change of the group that the path names, after which some
// Global Administrator must still be able to sign in: policies ask for groups.
func (c *Call) changeGroup(change func(db.Querier, directory.Group) error) error {
	return c.guarded(func(q db.Querier) error {
		g, err := c.group(q)
		if err != nil {
			return err
		}
		return change(q, g)
	})
}

// memberOf are the lists of what a person or a group is in: groups, and the
// roles that it holds.
func memberOf(path string, a Access, transitive bool, who func(*Call) (string, error)) []resource {
	return []resource{
		many{Path: path, Access: a,
			IDs: func(c *Call, after string, limit int) ([]string, error) {
				id, err := who(c)
				if err != nil {
					return nil, err
				}
				return directory.AroundIDs(c.Context, c.DB, directory.Around{ID: id, Transitive: transitive}, after, limit)
			},
			Count: func(c *Call) (int64, error) {
				id, err := who(c)
				if err != nil {
					return 0, err
				}
				return directory.CountAround(c.Context, c.DB, directory.Around{ID: id, Transitive: transitive})
			}},
		groupsIn(path+"/group", a, func(c *Call) (directory.GroupsAmong, error) {
			id, err := who(c)
			return directory.GroupsAmong{Member: id, Transitive: transitive}, err
		}),
	}
}

// many is a list of things of several types, in the order of their ids, with
// its $count and, for objects that $ref can name, its $ref.
type many struct {
	Path   string
	Access Access
	IDs    func(c *Call, after string, limit int) ([]string, error)
	Count  func(*Call) (int64, error) // nil: by counting IDs
}

func (m many) list() []route {
	return []route{
		{Method: "GET", Path: m.Path, Access: m.Access, Run: func(c *Call) (Answer, error) {
			a, err := c.mixed(func(after string, limit int) ([]string, error) { return m.IDs(c, after, limit) })
			if p, ok := a.Body.(page); ok && err == nil && strings.EqualFold(c.Query.Get("$count"), "true") && !c.Query.Has("$skiptoken") {
				n, err := m.count(c)
				if err != nil {
					return Answer{}, err
				}
				p.Count = &n
				a.Body = p
			}
			return a, err
		}},
		{Method: "GET", Path: m.Path + "/$count", Access: m.Access, Run: func(c *Call) (Answer, error) {
			n, err := m.count(c)
			return digits(n), err
		}},
		{Method: "GET", Path: m.Path + "/$ref", Access: m.Access, Run: m.refs},
	}
}

func (m many) count(c *Call) (int64, error) {
	if m.Count != nil {
		return m.Count(c)
	}
	ids, err := m.IDs(c, "", 1000)
	return int64(len(ids)), err
}

// refs lists addresses instead of objects.
func (m many) refs(c *Call) (Answer, error) {
	q, err := odata.Parse(c.Query, nil, odata.Paging{Default: 100, Max: 999})
	if err != nil {
		return Answer{}, err
	}
	after := ""
	if q.After != nil {
		after, _ = q.After[0].(string)
	}
	ids, err := m.IDs(c, after, q.Top+1)
	if err != nil {
		return Answer{}, err
	}
	p := page{Context: c.Base + "/$metadata#Collection($ref)", Value: []object{}}
	if len(ids) > q.Top {
		ids = ids[:q.Top]
		p.Next = c.nextLink(q.Token(nil, ids[q.Top-1]))
	}
	for _, id := range ids {
		p.Value = append(p.Value, object(nil).with("@odata.id", c.Base+"/directoryObjects/"+id))
	}
	return Answer{Status: http.StatusOK, Body: p}, nil
}

// peopleIn is a list of the users that some path narrows: it pages, filters
// and counts like /users.
func peopleIn(path string, a Access, among func(*Call) (directory.Among, error)) resource {
	return Collection[directory.User]{Path: path, Shape: memberUsers, Schema: directory.UserSchema, Paging: directory.UserPaging, Read: a, View: viewUser, FreeCount: true,
		List: func(c *Call, q odata.Query) ([]directory.User, error) {
			some, err := among(c)
			if err == nil {
				err = c.mayFilter(q)
			}
			if err != nil {
				return nil, err
			}
			return directory.FindAmong(c.Context, c.DB, q, some)
		},
		Count: func(c *Call, q odata.Query) (int64, error) {
			some, err := among(c)
			if err == nil {
				err = c.mayFilter(q)
			}
			if err != nil {
				return 0, err
			}
			return directory.CountAmong(c.Context, c.DB, q, some)
		},
	}
}

// groupsIn is peopleIn for groups.
func groupsIn(path string, a Access, among func(*Call) (directory.GroupsAmong, error)) resource {
	return Collection[directory.Group]{Path: path, Shape: memberGroups, Schema: directory.GroupSchema, Paging: directory.GroupPaging, Read: a, FreeCount: true,
		List: func(c *Call, q odata.Query) ([]directory.Group, error) {
			some, err := among(c)
			if err != nil {
				return nil, err
			}
			return directory.FindGroupsAmong(c.Context, c.DB, q, some)
		},
		Count: func(c *Call, q odata.Query) (int64, error) {
			some, err := among(c)
			if err != nil {
				return 0, err
			}
			return directory.CountGroupsAmong(c.Context, c.DB, q, some)
		},
	}
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
