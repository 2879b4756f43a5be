package graph

import (
	"slices"
	"strings"

	"cardea/internal/directory"
	"cardea/internal/problem"
)

const maxChecked = 20 // ids in one check (directory-and-odata §10)

type idList struct {
	Value []string `json:"value"`
}

// memberChecks are the four questions about membership. Each is asked of a
// person, of /me, of a group, or of either by its id alone, and follows groups
// inside groups.
func memberChecks() []resource {
	var out []resource
	for _, of := range []struct {
		path, key string
		access    Access
	}{{"/users/{user}", "user", readMemberOf}, {"/groups/{group}", "group", readGroups}, {"/directoryObjects/{object}", "object", readDirectory}} {
		add := func(name string, do func(c *Call, p directory.Principal, in memberQuestion) ([]string, error)) {
			out = append(out, Action[memberQuestion, idList]{Path: of.path + "/" + name, Access: of.access, Context: "Collection(Edm.String)",
				Do: func(c *Call, in memberQuestion) (idList, error) {
					p, err := directory.GetPrincipal(c.Context, c.DB, c.Params[of.key])
					if err == nil && of.key != "object" && p.Type != of.key {
						err = problem.New(problem.NotFound, "notFound", "The %s %s does not exist.", of.key, c.Params[of.key])
					}
					if err != nil {
						return idList{}, err
					}
					ids, err := do(c, p, in)
					return idList{append([]string{}, ids...)}, err
				}})
		}
		add("checkMemberGroups", func(c *Call, p directory.Principal, in memberQuestion) ([]string, error) {
			return c.among("groupIds", in.GroupIDs, p, memberQuestion{})
		})
		add("checkMemberObjects", func(c *Call, p directory.Principal, in memberQuestion) ([]string, error) {
			return c.among("ids", in.IDs, p, memberQuestion{roles: true})
		})
		add("getMemberGroups", func(c *Call, p directory.Principal, in memberQuestion) ([]string, error) { return c.memberships(p, in) })
		add("getMemberObjects", func(c *Call, p directory.Principal, in memberQuestion) ([]string, error) {
			in.roles = !in.SecurityEnabledOnly // roles are no security groups
			return c.memberships(p, in)
		})
	}
	return out
}

// memberQuestion is the body of all four.
type memberQuestion struct {
	GroupIDs            []string `json:"groupIds"`
	IDs                 []string `json:"ids"`
	SecurityEnabledOnly bool     `json:"securityEnabledOnly"`
	roles               bool
}

func (c *Call) memberships(p directory.Principal, in memberQuestion) ([]string, error) {
	ids, err := directory.GroupIDsOf(c.Context, c.DB, p.ID, in.SecurityEnabledOnly)
	if err != nil || !in.roles {
		return ids, err
	}
	roles, err := directory.RolesOf(c.Context, c.DB, p.ID)
	return append(ids, roles...), err
}

// among returns those of the ids that p is a member of.
func (c *Call) among(name string, ids []string, p directory.Principal, in memberQuestion) ([]string, error) {
	if err := idsWithin(name, ids, maxChecked); err != nil {
		return nil, err
	}
	all, err := c.memberships(p, in)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, id := range ids {
		if id = strings.ToLower(id); slices.Contains(all, id) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}
