package graph

import (
	"net/http"
	"slices"
	"strings"

	"cardea/internal/application"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

const maxByIDs = 1000 // ids in one getByIds (directory-and-odata §10)

// directoryObjects finds things of any type by their ids.
func directoryObjects() []resource {
	return []resource{
		route{Method: "GET", Path: "/directoryObjects/{object}", Access: readDirectory, Run: func(c *Call) (Answer, error) {
			id := strings.ToLower(c.Params["object"])
			found, err := c.objects([]string{id}, selection(c.Query))
			if err != nil {
				return Answer{}, err
			}
			if len(found) == 0 {
				return Answer{}, problem.New(problem.NotFound, "notFound", "There is no object %s in the directory.", id)
			}
			return Answer{Status: http.StatusOK, Body: found[0].with("@odata.context", c.Base+"/$metadata#directoryObjects/$entity")}, nil
		}},
		route{Method: "POST", Path: "/directoryObjects/getByIds", Access: readDirectory, Run: getByIDs},
	}
}

func getByIDs(c *Call) (Answer, error) {
	var in struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := c.decode(&in); err != nil {
		return Answer{}, err
	}
	if err := idsWithin("ids", in.IDs, maxByIDs); err != nil {
		return Answer{}, err
	}
	for i := range in.IDs {
		in.IDs[i] = strings.ToLower(in.IDs[i])
	}
	slices.Sort(in.IDs)
	found, err := c.objects(slices.Compact(in.IDs), selection(c.Query))
	if err != nil {
		return Answer{}, err
	}
	if len(in.Types) > 0 && !containsFold(in.Types, "directoryObject") {
		found = slices.DeleteFunc(found, func(o object) bool {
			kind, _ := o.value("@odata.type").(string)
			return !containsFold(in.Types, word(strings.TrimPrefix(kind, "#")))
		})
	}
	return Answer{Status: http.StatusOK, Body: page{Context: c.Base + "/$metadata#directoryObjects" + selected(selection(c.Query)), Value: append([]object{}, found...)}}, nil
}

func idsWithin(name string, ids []string, most int) error {
	if len(ids) == 0 {
		return problem.New(problem.Invalid, "invalidValue", "%s lists at least one id.", name).On(name)
	}
	if len(ids) > most {
		return problem.New(problem.Invalid, "tooManyIds", "%s lists at most %d ids. Send several requests.", name, most).On(name)
	}
	return nil
}

// objects returns what the ids name, in their order, each with its
// @odata.type; ids of nothing are left out. A name in sel that a type does not
// have is left out of its objects.
func (c *Call) objects(ids, sel []string) ([]object, error) {
	found, err := c.named(ids)
	if err != nil {
		return nil, err
	}
	out := make([]object, len(found))
	for i, r := range found {
		if out[i], err = r.shape.project(r.full, selectFor(r.shape, r.full, sel)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// named is objects before anything is selected.
func (c *Call) named(ids []string) ([]Related, error) {
	byID := map[string]Related{}
	put := func(id string, s Shape, item any, view func(object) object) error {
		full, err := toObject(item)
		if err == nil && view != nil {
			full = view(full)
		}
		byID[id] = Related{s, full}
		return err
	}
	people, err := directory.UsersByID(c.Context, c.DB, ids)
	for i := 0; err == nil && i < len(people); i++ {
		err = put(people[i].ID, memberUsers, people[i], func(o object) object { return viewUser(c, people[i], o) })
	}
	if err != nil {
		return nil, err
	}
	groups, err := directory.GroupsByID(c.Context, c.DB, ids)
	for i := 0; err == nil && i < len(groups); i++ {
		err = put(groups[i].ID, memberGroups, groups[i], nil)
	}
	if err != nil {
		return nil, err
	}
	services, err := directory.ServicePrincipalsAmong(c.Context, c.DB, ids)
	for i := 0; err == nil && i < len(services); i++ {
		var p application.ServicePrincipal
		if p, err = c.catalogue().GetPrincipal(c.Context, c.DB, services[i]); err == nil {
			err = put(p.ID, memberServices, p, nil)
		}
	}
	if err != nil {
		return nil, err
	}
	var out []Related
	for _, id := range ids {
		if r := directory.FindRole(id); r.ID != "" {
			if err := put(id, memberRoles, asRole(r), nil); err != nil {
				return nil, err
			}
		}
		if r, ok := byID[id]; ok {
			out = append(out, r)
		}
	}
	return out, nil
}

var (
	memberRoles    = Shape{Set: "directoryObjects", Type: "directoryRole"}
	memberServices = Shape{Set: "directoryObjects", Type: "servicePrincipal", Nulls: true, Absent: principalShape.Absent}
)

// mixed answers a page of things of several types in the order of their ids;
// ids returns up to limit of them behind after.
func (c *Call) mixed(ids func(after string, limit int) ([]string, error)) (Answer, error) {
	q, err := odata.Parse(c.Query, nil, odata.Paging{Default: 100, Max: 999})
	if err != nil {
		return Answer{}, err
	}
	after := ""
	if q.After != nil {
		after, _ = q.After[0].(string)
	}
	found, err := ids(after, q.Top+1)
	if err != nil {
		return Answer{}, err
	}
	p := page{Context: c.Base + "/$metadata#directoryObjects" + selected(q.Select)}
	if len(found) > q.Top {
		found = found[:q.Top]
		p.Next = c.nextLink(q.Token(nil, found[q.Top-1]))
	}
	objects, err := c.objects(found, q.Select)
	p.Value = append([]object{}, objects...)
	return Answer{Status: http.StatusOK, Body: p}, err
}
