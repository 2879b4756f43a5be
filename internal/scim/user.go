package scim

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// userResource is SCIM's User as far as the directory has a place for it.
type userResource struct {
	Schemas     []string      `json:"schemas"`
	ID          string        `json:"id,omitempty"`
	ExternalID  string        `json:"externalId,omitempty"`
	UserName    string        `json:"userName"`
	Name        *userName     `json:"name,omitempty"`
	DisplayName string        `json:"displayName,omitempty"`
	Title       string        `json:"title,omitempty"`
	UserType    string        `json:"userType,omitempty"`
	Active      *truth        `json:"active,omitempty"`
	Emails      []userMail    `json:"emails,omitempty"`
	Phones      []userPhone   `json:"phoneNumbers,omitempty"`
	Addresses   []userAddress `json:"addresses,omitempty"`
	Language    string        `json:"preferredLanguage,omitempty"`
	Enterprise  *enterprise   `json:"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,omitempty"`
	Meta        *meta         `json:"meta,omitempty"`
}

type userName struct {
	Formatted string `json:"formatted,omitempty"`
	Family    string `json:"familyName,omitempty"`
	Given     string `json:"givenName,omitempty"`
}

type userMail struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"`
	Primary *truth `json:"primary,omitempty"`
}

type meta struct {
	Type     string `json:"resourceType"`
	Created  string `json:"created,omitempty"`
	Location string `json:"location"`
	Version  string `json:"version,omitempty"`
}

// truth reads true and "True", because some sources send texts.
type truth bool

// UnmarshalJSON implements json.Unmarshaler.
func (t *truth) UnmarshalJSON(raw []byte) error {
	v, err := strconv.ParseBool(strings.ToLower(strings.Trim(string(raw), `"`)))
	*t = truth(v)
	if err != nil {
		return problem.New(problem.Invalid, "badRequest", "active is true or false.")
	}
	return nil
}

// userNames is what a filter may name.
var userNames = attributes{"id": "id", "username": "userPrincipalName", "externalid": "externalId", "displayname": "displayName", "name.givenname": "givenName",
	"name.familyname": "surname", "title": "jobTitle", "usertype": "userType", "active": "accountEnabled", "emails": "mail", "department": "department", "meta.created": "createdDateTime",
	"employeenumber": "employeeId", "organization": "companyName"}

// withExternal is a directory schema with the external name of the rows of a table.
func withExternal(s odata.Schema, table string) odata.Schema {
	out := odata.Schema{"externalId": {Column: `coalesce((SELECT x.external_id FROM external_ids x WHERE x.object_id = ` + table + `.id), '')`}}
	for n, p := range s {
		out[n] = p
	}
	return out
}

// users is the resource type User.
type users struct{ *call }

func (users) permission() string { return "User.ReadWrite.All" }

// show is a person, read as a whole, as SCIM says it.
func (u users) show(p directory.User, external string, manager *managerRef) userResource {
	active := truth(p.AccountEnabled)
	r := userResource{Schemas: []string{userSchema}, ID: p.ID, ExternalID: external, UserName: p.UserPrincipalName, DisplayName: p.DisplayName, Title: p.JobTitle,
		UserType: p.UserType, Active: &active, Meta: &meta{"User", p.CreatedDateTime.UTC().Format("2006-01-02T15:04:05.000Z"), u.url("Users", p.ID), `W/"` + strconv.FormatInt(p.Version, 10) + `"`}}
	if p.GivenName != "" || p.Surname != "" {
		r.Name = &userName{strings.TrimSpace(p.GivenName + " " + p.Surname), p.Surname, p.GivenName}
	}
	if p.Mail != "" {
		yes := truth(true)
		r.Emails = []userMail{{p.Mail, "work", &yes}}
	}
	r.showProfile(p, manager)
	return r
}

// into puts what r says into p. What r leaves out is cleared: r is the whole
// person. Only active keeps its value, or somebody would be locked out by an
// attribute that a source does not send; and what intoProfile says.
func (r *userResource) into(p *directory.User) error {
	if r.UserName == "" {
		return problem.New(problem.Invalid, "requiredParamMissing", "A person needs a userName, such as ada@example.com.").On("userName")
	}
	p.UserPrincipalName, p.DisplayName, p.JobTitle = r.UserName, r.DisplayName, r.Title
	p.GivenName, p.Surname = "", ""
	if r.Name != nil {
		p.GivenName, p.Surname = r.Name.Given, r.Name.Family
	}
	if p.DisplayName == "" && r.Name != nil {
		if p.DisplayName = r.Name.Formatted; p.DisplayName == "" {
			p.DisplayName = strings.TrimSpace(p.GivenName + " " + p.Surname)
		}
	}
	if p.DisplayName == "" {
		p.DisplayName = r.UserName
	}
	if strings.EqualFold(r.UserType, "Guest") { // other values are the source's own kinds of staff
		p.UserType = "Guest"
	} else {
		p.UserType = "Member"
	}
	if r.Active != nil {
		p.AccountEnabled = bool(*r.Active)
	}
	p.Mail = r.mail()
	p.Department = ""
	if r.Enterprise != nil {
		p.Department = r.Enterprise.Department
	}
	return nil
}

// mail is the address to write to: the primary one, else the one of work, else
// the first.
func (r *userResource) mail() string {
	best, rank := "", -1
	for _, m := range r.Emails {
		n := 0
		if m.Primary != nil && bool(*m.Primary) {
			n = 2
		} else if strings.EqualFold(m.Type, "work") {
			n = 1
		}
		if m.Value != "" && n > rank {
			best, rank = m.Value, n
		}
	}
	return best
}

func (u users) list() (answer, error) {
	var managers map[string]*managerRef // of the page
	return list(u.call, paged[directory.User]{
		names: userNames, schema: withExternal(directory.UserSchema, "users"), kind: "user",
		find: func(q odata.Query) ([]directory.User, error) {
			found, err := directory.FindUsers(u.ctx, u.DB, q)
			if err != nil {
				return nil, err
			}
			ids := make([]string, len(found))
			for i, p := range found {
				ids[i] = p.ID
			}
			managers, err = u.managers(u.DB, ids)
			return found, err
		},
		count: func(q odata.Query) (int64, error) { return directory.CountFound(u.ctx, u.DB, q) },
		id:    func(p directory.User) string { return p.ID },
		show:  func(p directory.User, external string) (any, error) { return u.show(p, external, managers[p.ID]), nil },
	})
}

func (u users) one(q db.Querier, status int) (answer, error) {
	p, err := directory.GetWhole(u.ctx, q, u.id)
	if err != nil {
		return answer{}, err
	}
	external, err := directory.ExternalOf(u.ctx, q, []string{p.ID})
	if err != nil {
		return answer{}, err
	}
	managers, err := u.managers(q, []string{p.ID})
	if err != nil {
		return answer{}, err
	}
	body, err := u.chosen(u.show(p, external[p.ID], managers[p.ID]))
	return answer{status: status, body: body, location: u.url("Users", p.ID)}, err
}

func (u users) read() (answer, error) { return u.one(u.DB, http.StatusOK) }

func (u users) create() (a answer, err error) {
	var r userResource
	if err := u.decode(&r); err != nil {
		return a, err
	}
	p := directory.User{AccountEnabled: true}
	if err := r.into(&p); err != nil {
		return a, err
	}
	r.intoProfile(&p, true)
	err = u.DB.Write(u.ctx, func(q db.Querier) error {
		made, err := directory.CreateUser(u.ctx, q, u.actor, u.now, p)
		if err != nil {
			return err
		}
		u.id = made.ID
		if err := directory.SetExternal(u.ctx, q, directory.External{Kind: "user", ObjectID: made.ID, ID: r.ExternalID}); err != nil {
			return err
		}
		if manager, _ := r.manager(true); manager != "" {
			if err := u.report(q, manager); err != nil {
				return err
			}
		}
		a, err = u.one(q, http.StatusCreated)
		return err
	})
	return a, err
}

func (u users) replace() (answer, error) {
	var r userResource
	if err := u.decode(&r); err != nil {
		return answer{}, err
	}
	return u.update(func(*userResource) error { return nil }, &r)
}

func (u users) patch() (answer, error) {
	ops, err := u.operations()
	if err != nil {
		return answer{}, err
	}
	return u.update(func(r *userResource) error { return apply(ops, r) }, nil)
}

// reach is the rule of the API for applications: they reach everybody, unless
// the server's setting holds them to people without administrator roles.
func (u users) reach(q db.Querier) error {
	if !u.RespectReach {
		return nil
	}
	return directory.Reach(u.ctx, q, nil, u.id)
}

// sensitive is the rule for names, addresses, switching off and deletion: as in
// the API, an application that may not change methods does not reach
// administrators with them. All else of an administrator it keeps in step.
func (u users) sensitive(q db.Querier) error {
	if u.methods {
		return nil
	}
	return directory.Reach(u.ctx, q, nil, u.id)
}

// update changes a person: to whole if it is there, else by change of what
// the person is now.
func (u users) update(change func(*userResource) error, whole *userResource) (a answer, err error) {
	err = u.write(func(q db.Querier) error {
		if err := u.reach(q); err != nil {
			return err
		}
		known, err := directory.ExternalOf(u.ctx, q, []string{u.id})
		if err != nil {
			return err
		}
		external := known[u.id]
		managers, err := u.managers(q, []string{u.id})
		if err != nil {
			return err
		}
		manager, says := "", false
		if _, err = directory.UpdateUser(u.ctx, q, u.actor, u.now, u.id, func(p *directory.User) error {
			was, name, mail := p.AccountEnabled, p.UserPrincipalName, p.Mail
			r := whole
			if r == nil {
				shown := u.show(*p, external, managers[u.id])
				r = &shown
			}
			if err := change(r); err != nil {
				return err
			}
			external = r.ExternalID
			if err := r.into(p); err != nil {
				return err
			}
			r.intoProfile(p, whole == nil)
			manager, says = r.manager(whole == nil)
			if was != p.AccountEnabled || name != p.UserPrincipalName || mail != p.Mail {
				if err := u.sensitive(q); err != nil {
					return err
				}
			}
			if was && !p.AccountEnabled { // DO-18
				return u.Keeper.GuardAdministrators(u.ctx, q, passkey.Without{UserID: p.ID})
			}
			return nil
		}); err != nil {
			return err
		}
		if err := directory.SetExternal(u.ctx, q, directory.External{Kind: "user", ObjectID: u.id, ID: external}); err != nil {
			return err
		}
		if says {
			if err := u.report(q, manager); err != nil {
				return err
			}
		}
		a, err = u.one(q, http.StatusOK)
		return err
	})
	return a, err
}

func (u users) remove() (answer, error) {
	return answer{status: http.StatusNoContent}, u.DB.Write(u.ctx, func(q db.Querier) error {
		p, err := directory.GetUser(u.ctx, q, u.id)
		if err != nil {
			return err
		}
		if err := cmp.Or(u.reach(q), u.sensitive(q)); err != nil {
			return err
		}
		if err := u.Keeper.GuardAdministrators(u.ctx, q, passkey.Without{UserID: p.ID}); err != nil {
			return err
		}
		return directory.DeleteUser(u.ctx, q, u.actor, u.now, p.ID)
	})
}
