package scim

import (
	"encoding/json"
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// What a source may say of a person beside the core: how they are reached, where
// they work, whom they report to. A PUT that does not speak of one of these
// leaves it alone, because somebody else may keep it; an empty list or text
// clears it.

type userPhone struct {
	Value   string `json:"value"`
	Type    string `json:"type,omitempty"` // work, mobile, fax; others are left aside
	Primary *truth `json:"primary,omitempty"`
}

type userAddress struct {
	Type     string `json:"type,omitempty"` // work; others are left aside if there is one of work
	Street   string `json:"streetAddress,omitempty"`
	Locality string `json:"locality,omitempty"`
	Region   string `json:"region,omitempty"`
	Postal   string `json:"postalCode,omitempty"`
	Country  string `json:"country,omitempty"`
	Primary  *truth `json:"primary,omitempty"`
}

type enterprise struct {
	Department     string      `json:"department,omitempty"`
	EmployeeNumber *string     `json:"employeeNumber,omitempty"`
	Organization   *string     `json:"organization,omitempty"`
	CostCenter     *string     `json:"costCenter,omitempty"`
	Division       *string     `json:"division,omitempty"`
	Manager        *managerRef `json:"manager,omitempty"`
}

// managerRef names a person by the object id. Some sources send the id alone.
type managerRef struct {
	Value string `json:"value"`
	Ref   string `json:"$ref,omitempty"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *managerRef) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &m.Value)
	}
	type plain managerRef
	return json.Unmarshal(raw, (*plain)(m))
}

// showProfile adds what the profile of p and its manager say.
func (r *userResource) showProfile(p directory.User, manager *managerRef) {
	for _, n := range p.BusinessPhones {
		r.Phones = append(r.Phones, userPhone{Value: n, Type: "work"})
	}
	for kind, n := range map[string]string{"mobile": p.MobilePhone, "fax": p.FaxNumber} {
		if n != "" {
			r.Phones = append(r.Phones, userPhone{Value: n, Type: kind})
		}
	}
	slices.SortStableFunc(r.Phones, func(a, b userPhone) int { return strings.Compare(b.Type, a.Type) }) // work, mobile, fax
	if a := (userAddress{"work", p.StreetAddress, p.City, p.State, p.PostalCode, p.Country, nil}); a != (userAddress{Type: "work"}) {
		r.Addresses = []userAddress{a}
	}
	r.Language = p.PreferredLanguage
	e := enterprise{Department: p.Department, EmployeeNumber: said(p.EmployeeID), Organization: said(p.CompanyName), Manager: manager}
	if d := p.EmployeeOrgData; d != nil {
		e.CostCenter, e.Division = d.CostCenter, d.Division
	}
	if e != (enterprise{}) {
		r.Schemas = append(r.Schemas, enterpriseSchema)
		r.Enterprise = &e
	}
}

func said(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// intoProfile puts what r says into p. whole says that r is a person as it was
// after a PATCH: then what is not there was removed.
func (r *userResource) intoProfile(p *directory.User, whole bool) {
	if r.Phones != nil || whole {
		p.BusinessPhones, p.MobilePhone, p.FaxNumber = nil, "", ""
		for _, n := range r.Phones {
			switch {
			case n.Value == "":
			case strings.EqualFold(n.Type, "work") || n.Type == "":
				p.BusinessPhones = append(p.BusinessPhones, n.Value)
			case strings.EqualFold(n.Type, "mobile") && p.MobilePhone == "":
				p.MobilePhone = n.Value
			case strings.EqualFold(n.Type, "fax") && p.FaxNumber == "":
				p.FaxNumber = n.Value
			}
		}
	}
	if r.Addresses != nil || whole {
		a := r.address()
		p.StreetAddress, p.City, p.State, p.PostalCode, p.Country = a.Street, a.Locality, a.Region, a.Postal, a.Country
	}
	if r.Language != "" || whole {
		p.PreferredLanguage = r.Language
	}
	e := enterprise{}
	if r.Enterprise != nil {
		e = *r.Enterprise
	}
	for _, m := range []struct {
		sent *string
		into *string
	}{{e.EmployeeNumber, &p.EmployeeID}, {e.Organization, &p.CompanyName}} {
		if m.sent != nil || whole {
			*m.into = ""
		}
		if m.sent != nil {
			*m.into = *m.sent
		}
	}
	var org directory.EmployeeOrgData
	if p.EmployeeOrgData != nil {
		org = *p.EmployeeOrgData
	}
	for _, m := range []struct {
		sent *string
		into **string
	}{{e.CostCenter, &org.CostCenter}, {e.Division, &org.Division}} {
		if m.sent != nil || whole {
			*m.into = nil
		}
		if m.sent != nil && *m.sent != "" {
			*m.into = m.sent
		}
	}
	if p.EmployeeOrgData = &org; org == (directory.EmployeeOrgData{}) {
		p.EmployeeOrgData = nil
	}
}

// address is the one that is kept: that of work, else the primary one, else the
// first.
func (r *userResource) address() (best userAddress) {
	rank := -1
	for _, a := range r.Addresses {
		n := 0
		if strings.EqualFold(a.Type, "work") {
			n = 2
		} else if a.Primary != nil && bool(*a.Primary) {
			n = 1
		}
		if n > rank {
			best, rank = a, n
		}
	}
	return best
}

// manager is what r says of the manager: an object id, "" for none; ok is false
// if it says nothing.
func (r *userResource) manager(whole bool) (id string, ok bool) {
	if r.Enterprise == nil || r.Enterprise.Manager == nil {
		return "", whole
	}
	return strings.ToLower(strings.TrimSpace(r.Enterprise.Manager.Value)), true
}

// report sets whom the person u.id reports to.
func (u users) report(q db.Querier, managerID string) error {
	err := directory.SetManager(u.ctx, q, u.actor, u.now, directory.Reporting{UserID: u.id, ManagerID: managerID})
	if problem.KindOf(err) == problem.NotFound {
		return problem.New(problem.Invalid, "invalidValue", "There is no person %s to be the manager. Send the manager first, and then the id that this server gave.", clip(managerID)).On("manager").Because(err)
	}
	return err
}

// managers are the managers of some people, as SCIM names them.
func (u users) managers(q db.Querier, ids []string) (map[string]*managerRef, error) {
	found, err := directory.ManagersOf(u.ctx, q, ids)
	out := map[string]*managerRef{}
	for person, id := range found {
		out[person] = &managerRef{id, u.url("Users", id)}
	}
	return out, err
}
