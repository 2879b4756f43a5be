package scim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

const groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"

// groupResource is SCIM's Group.
type groupResource struct {
	Schemas     []string    `json:"schemas"`
	ID          string      `json:"id,omitempty"`
	ExternalID  string      `json:"externalId,omitempty"`
	DisplayName string      `json:"displayName"`
	Members     []memberRef `json:"members,omitempty"`
	Meta        *meta       `json:"meta,omitempty"`
}

type memberRef struct {
	Value   string `json:"value"`
	Ref     string `json:"$ref,omitempty"`
	Display string `json:"display,omitempty"`
	Type    string `json:"type,omitempty"`
}

var groupNames = attributes{"id": "id", "displayname": "displayName", "externalid": "externalId", "meta.created": "createdDateTime"}

// maxShown is how many members a group shows and how many a PUT may name. Who
// has more uses PATCH, and reads members through the Graph API.
const maxShown = 10_000

// groups is the resource type Group.
type groups struct{ *call }

func (groups) permission() string { return "Group.ReadWrite.All" }

func (g groups) show(q db.Querier, x directory.Group, external string) (groupResource, error) {
	r := groupResource{Schemas: []string{groupSchema}, ID: x.ID, ExternalID: external, DisplayName: x.DisplayName,
		Meta: &meta{"Group", x.CreatedDateTime.UTC().Format("2006-01-02T15:04:05.000Z"), g.url("Groups", x.ID), `W/"` + strconv.FormatInt(x.Version, 10) + `"`}}
	if lists(g.r.FormValue("excludedAttributes"), "members") || g.r.FormValue("attributes") != "" && !lists(g.r.FormValue("attributes"), "members") {
		return r, nil // sources ask so for large groups
	}
	people, inner, err := directory.FindMembers(g.ctx, q, x.ID, "", maxShown)
	if err != nil {
		return r, err
	}
	for _, p := range people {
		r.Members = append(r.Members, memberRef{p.ID, g.url("Users", p.ID), p.DisplayName, "User"})
	}
	for _, i := range inner {
		r.Members = append(r.Members, memberRef{i.ID, g.url("Groups", i.ID), i.DisplayName, "Group"})
	}
	return r, nil
}

func (g groups) list() (answer, error) {
	return list(g.call, paged[directory.Group]{
		names: groupNames, schema: withExternal(directory.GroupSchema, "groups"), kind: "group",
		find:  func(q odata.Query) ([]directory.Group, error) { return directory.FindGroups(g.ctx, g.DB, q) },
		count: func(q odata.Query) (int64, error) { return directory.CountFoundGroups(g.ctx, g.DB, q) },
		id:    func(x directory.Group) string { return x.ID },
		show:  func(x directory.Group, external string) (any, error) { return g.show(g.DB, x, external) },
	})
}

func (g groups) one(q db.Querier, status int) (answer, error) {
	x, err := directory.GetGroup(g.ctx, q, g.id)
	if err != nil {
		return answer{}, err
	}
	external, err := directory.ExternalOf(g.ctx, q, []string{x.ID})
	if err != nil {
		return answer{}, err
	}
	r, err := g.show(q, x, external[x.ID])
	if err != nil {
		return answer{}, err
	}
	body, err := g.chosen(r)
	return answer{status: status, body: body, location: g.url("Groups", x.ID)}, err
}

func (g groups) read() (answer, error) { return g.one(g.DB, http.StatusOK) }

func (g groups) create() (a answer, err error) {
	var r groupResource
	if err := g.decode(&r); err != nil {
		return a, err
	}
	err = g.write(func(q db.Querier) error {
		made, err := directory.CreateGroup(g.ctx, q, g.actor, g.now, directory.Group{DisplayName: r.DisplayName})
		if err != nil {
			return err
		}
		g.id = made.ID
		if err := directory.SetExternal(g.ctx, q, directory.External{Kind: "group", ObjectID: made.ID, ID: r.ExternalID}); err != nil {
			return err
		}
		if err := g.add(q, r.Members); err != nil {
			return err
		}
		a, err = g.one(q, http.StatusCreated)
		return err
	})
	return a, err
}

func (g groups) replace() (a answer, err error) {
	var r groupResource
	if err := g.decode(&r); err != nil {
		return a, err
	}
	err = g.write(func(q db.Querier) error {
		if err := g.rename(q, &r.DisplayName, &r.ExternalID); err != nil {
			return err
		}
		if err := g.exactly(q, r.Members); err != nil {
			return err
		}
		a, err = g.one(q, http.StatusOK)
		return err
	})
	return a, err
}

// patch changes names and members. It never reads all members, which may be
// hundreds of thousands.
func (g groups) patch() (answer, error) {
	ops, err := g.operations()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, g.write(func(q db.Querier) error {
		if _, err := directory.GetGroup(g.ctx, q, g.id); err != nil {
			return err
		}
		for _, op := range ops {
			if err := g.step(q, op); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g groups) step(q db.Querier, op operation) error {
	if op.Path == "" {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(op.Value, &members); err != nil {
			return problem.New(problem.Invalid, "badRequest", "An operation without a path has an object as its value.").Because(err)
		}
		for name, value := range members {
			if err := g.step(q, operation{op.Op, name, value}); err != nil {
				return err
			}
		}
		return nil
	}
	p, err := parsePath(op.Path)
	if err != nil {
		return err
	}
	switch strings.ToLower(p.attribute) {
	case "members":
		return g.members(q, op, p)
	case "displayname", "externalid":
		var text string
		if op.Op != "remove" {
			if err := json.Unmarshal(op.Value, &text); err != nil {
				return problem.New(problem.Invalid, "badRequest", "%s is a text.", p.attribute).Because(err)
			}
		}
		if strings.EqualFold(p.attribute, "displayName") {
			return g.rename(q, &text, nil)
		}
		return g.rename(q, nil, &text)
	case "id", "meta":
		// Some sources send the id along with what they change.
		var text string
		if json.Unmarshal(op.Value, &text) == nil && strings.EqualFold(text, g.id) {
			return nil
		}
		return problem.New(problem.Invalid, "mutability", "%s cannot be changed.", p.attribute)
	}
	return nil // no place for it (RFC 7644 §3.3)
}

func (g groups) members(q db.Querier, op operation, p place) error {
	if p.filter != "" { // members[value eq "id"]
		want, err := equalities(p.filter)
		if err != nil {
			return err
		}
		id, ok := want[key(want, "value")].(string)
		if !ok || op.Op != "remove" || len(want) != 1 {
			return problem.New(problem.Invalid, "invalidPath", `Members are removed by members[value eq "id"], and added by the path members.`)
		}
		return g.drop(q, id)
	}
	if op.Op == "remove" && len(op.Value) == 0 {
		return g.exactly(q, nil)
	}
	var refs []memberRef
	if err := json.Unmarshal(op.Value, &refs); err != nil {
		var one memberRef
		if json.Unmarshal(op.Value, &one) != nil {
			return problem.New(problem.Invalid, "badRequest", `The members are a list such as [{"value": "id"}].`).Because(err)
		}
		refs = []memberRef{one}
	}
	switch op.Op {
	case "add":
		return g.add(q, refs)
	case "replace":
		return g.exactly(q, refs)
	}
	for _, r := range refs {
		if err := g.drop(q, r.Value); err != nil {
			return err
		}
	}
	return nil
}

func (g groups) rename(q db.Querier, name, external *string) error {
	// Also without a new name: the group says who may change it.
	_, err := directory.UpdateGroup(g.ctx, q, g.actor, g.now, g.id, func(x *directory.Group) error {
		if name != nil {
			x.DisplayName = *name
		}
		return nil
	})
	if err != nil || external == nil {
		return err
	}
	return directory.SetExternal(g.ctx, q, directory.External{Kind: "group", ObjectID: g.id, ID: *external})
}

// add puts members into the group; one that is there already stays.
func (g groups) add(q db.Querier, refs []memberRef) error {
	for _, r := range refs {
		in, err := directory.IsMember(g.ctx, q, g.membership(r.Value)) // a refused insert would end the transaction
		if err != nil || in {
			if err != nil {
				return err
			}
			continue
		}
		if err := directory.AddMember(g.ctx, q, g.actor, g.now, g.membership(r.Value)); err != nil {
			return missing(err)
		}
	}
	return nil
}

// drop takes a member out; one that is not there is gone already.
func (g groups) drop(q db.Querier, id string) error {
	err := directory.RemoveMember(g.ctx, q, g.actor, g.now, g.membership(id))
	if problem.KindOf(err) == problem.NotFound {
		return nil
	}
	return err
}

func (g groups) membership(id string) directory.Membership {
	return directory.Membership{GroupID: g.id, MemberID: strings.ToLower(id)}
}

// missing says that a member does not exist: 400, because 404 would be about
// the group.
func missing(err error) error {
	if problem.KindOf(err) == problem.NotFound {
		return problem.New(problem.Invalid, "invalidValue", "A member does not exist here. Create people before their groups.").On("members").Because(err)
	}
	return err
}

// exactly makes refs the group's only members.
func (g groups) exactly(q db.Querier, refs []memberRef) error {
	if len(refs) > maxShown {
		return problem.New(problem.Invalid, "invalidValue", "A PUT may name %d members. Use PATCH for more.", maxShown).On("members")
	}
	want := map[string]bool{}
	for _, r := range refs {
		want[strings.ToLower(r.Value)] = true
	}
	for after := ""; ; {
		people, inner, err := directory.FindMembers(g.ctx, q, g.id, after, 500)
		if err != nil {
			return err
		}
		var ids []string
		for _, p := range people {
			ids = append(ids, p.ID)
		}
		for _, x := range inner {
			ids = append(ids, x.ID)
		}
		if len(ids) == 0 {
			break
		}
		for _, id := range ids {
			after = max(after, id)
			if want[id] {
				delete(want, id)
			} else if err := g.drop(q, id); err != nil {
				return err
			}
		}
	}
	for _, r := range refs { // in the order they came in
		if id := strings.ToLower(r.Value); want[id] {
			delete(want, id)
			if err := g.add(q, []memberRef{{Value: id}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g groups) remove() (answer, error) {
	return answer{status: http.StatusNoContent}, g.write(func(q db.Querier) error {
		return directory.DeleteGroup(g.ctx, q, g.actor, g.now, g.id)
	})
}
