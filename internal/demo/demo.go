// Package demo invents an organisation worth looking at: Contoso, 5,000 people
// in departments and groups, passkeys from many providers, passes, a month of
// sign-ins. Seed fills an empty database with it in a second or two.
//
// Everything is made up from a fixed random source, so two demos look alike.
// Nobody can sign in with the invented methods: the public keys are real, their
// private keys were thrown away.
package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
)

// Domain of the invented people's user names.
const Domain = "contoso.com"

// Company is what Seed made, as far as the caller needs it.
type Company struct {
	Owner    directory.User // the visitor: a Global Administrator under the default profile
	Seller   directory.User // somebody of Sales without any method yet
	Admin    directory.User // an administrator of IT, held to attested security keys
	People   int
	Passkeys int
	SignIns  int
}

// seeder carries what the steps share.
type seeder struct {
	q       db.Querier
	now     time.Time
	rnd     *rand.Rand
	actor   audit.Actor
	groups  map[string]directory.Group
	persons []person
}

// person is an invented employee with the department they work in.
type person struct {
	directory.User
	dept     department
	passkeys []made
}

// Seed invents the company in an empty database. The passkey policy is the
// caller's to set: see Policy.
func Seed(ctx context.Context, d *db.DB, now time.Time) (Company, error) {
	var c Company
	err := d.Write(ctx, func(q db.Querier) error {
		s := &seeder{q: q, now: now, rnd: rand.New(rand.NewPCG(2026, 3)), actor: audit.System("demo"), groups: map[string]directory.Group{}}
		if _, err := directory.UpdateOrganization(ctx, q, s.actor, now, func(o *directory.Organization) error {
			o.DisplayName, o.Domain, o.Color = "Contoso", Domain, "#1f5c54"
			o.HelpText = "IT Service Desk, +1 555 0100, Monday to Friday 8:00–18:00"
			return nil
		}); err != nil {
			return err
		}
		if err := s.makeGroups(ctx); err != nil {
			return err
		}
		if err := s.makePeople(ctx); err != nil {
			return err
		}
		if err := s.makeAdministrators(ctx, &c); err != nil {
			return err
		}
		n, err := s.makeMethods(ctx)
		if err != nil {
			return err
		}
		c.People, c.Passkeys = len(s.persons), n
		c.SignIns, err = s.makeSignIns(ctx)
		return err
	})
	return c, err
}

// names of the groups that hold other groups, and what they hold.
var nested = map[string][]string{
	"All employees": {"Engineering", "Sales", "Operations", "Finance", "Marketing", "Human Resources", "Legal", "Frontline"},
	"Office":        {"Engineering", "Sales", "Operations", "Finance", "Marketing", "Human Resources", "Legal"},
}

func (s *seeder) makeGroups(ctx context.Context) error {
	for _, g := range []directory.Group{
		{DisplayName: "All employees", Description: "Everybody on the payroll, through the groups of the departments"},
		{DisplayName: "Office", Description: "Everybody with a desk"},
		{DisplayName: "IT admins", Description: "Separate accounts for administration; held to attested security keys"},
		{DisplayName: "Break-glass", Description: "Two emergency accounts; their keys lie in two safes"},
		{DisplayName: "Contractors", Description: "People from other companies"},
		{DisplayName: "Demo visitors", Description: "You"},
	} {
		if err := s.group(ctx, g); err != nil {
			return err
		}
	}
	for _, d := range departments {
		if err := s.group(ctx, directory.Group{DisplayName: d.name, Description: "The department " + d.name}); err != nil {
			return err
		}
	}
	for _, outer := range []string{"All employees", "Office"} {
		for _, inner := range nested[outer] {
			if err := s.join(ctx, outer, s.groups[inner].ID, "group"); err != nil {
				return err
			}
		}
	}
	_, err := directory.UpdateOrganization(ctx, s.q, s.actor, s.now, func(o *directory.Organization) error {
		o.BreakGlassGroup = s.groups["Break-glass"].ID
		return nil
	})
	return err
}

func (s *seeder) group(ctx context.Context, g directory.Group) error {
	g, err := directory.CreateGroup(ctx, s.q, s.actor, s.now.AddDate(-1, 0, 0), g)
	s.groups[g.DisplayName] = g
	return err
}

func (s *seeder) join(ctx context.Context, group, member, kind string) error {
	return directory.InventMember(ctx, s.q, s.now, directory.Membership{GroupID: s.groups[group].ID, MemberID: member}, kind)
}

func (s *seeder) makePeople(ctx context.Context) error {
	taken := map[string]int{}
	for _, dept := range departments {
		for range dept.people {
			first, last := firstNames[s.rnd.IntN(len(firstNames))], lastNames[s.rnd.IntN(len(lastNames))]
			name := strings.ToLower(first + "." + last)
			taken[name]++
			if n := taken[name]; n > 1 {
				name = fmt.Sprintf("%s%d", name, n)
			}
			u := directory.User{UserPrincipalName: name + "@" + Domain, DisplayName: first + " " + last, GivenName: first, Surname: last,
				Mail: name + "@" + Domain, Department: dept.name, JobTitle: dept.title, UserType: "Member", AccountEnabled: s.rnd.IntN(100) > 1}
			u, err := s.user(ctx, u)
			if err != nil {
				return err
			}
			if err := s.join(ctx, dept.name, u.ID, "user"); err != nil {
				return err
			}
			s.persons = append(s.persons, person{User: u, dept: dept})
		}
	}
	for i := range 30 {
		first, last := firstNames[(i*7)%len(firstNames)], lastNames[(i*11)%len(lastNames)]
		u, err := s.user(ctx, directory.User{UserPrincipalName: fmt.Sprintf("%s.%s.ext%d@%s", strings.ToLower(first), strings.ToLower(last), i, Domain),
			DisplayName: first + " " + last + " (external)", UserType: "Guest", AccountEnabled: true, Department: "Contractors"})
		if err != nil {
			return err
		}
		if err := s.join(ctx, "Contractors", u.ID, "user"); err != nil {
			return err
		}
		s.persons = append(s.persons, person{User: u, dept: department{name: "Contractors", passkeys: 35}})
	}
	return nil
}

// user stores an invented person as if hired some time in the last years.
func (s *seeder) user(ctx context.Context, u directory.User) (directory.User, error) {
	u.CreatedDateTime = s.now.Add(-time.Duration(s.rnd.IntN(900*24)) * time.Hour)
	return directory.Invent(ctx, s.q, s.now, u)
}

func (s *seeder) makeAdministrators(ctx context.Context, c *Company) error {
	roles := []string{directory.GlobalAdministrator, directory.GlobalAdministrator, directory.AuthenticationPolicyAdministrator, directory.PrivilegedAuthenticationAdministrator,
		directory.AuthenticationAdministrator, directory.AuthenticationAdministrator, directory.UserAdministrator, directory.SecurityReader, directory.GlobalReader, directory.ReportsReader}
	for i := range 24 {
		p := s.persons[i*37]
		u, err := s.user(ctx, directory.User{UserPrincipalName: "adm." + p.UserPrincipalName, DisplayName: p.DisplayName + " (admin)", UserType: "Member",
			AccountEnabled: true, Department: "IT", JobTitle: "Administrator"})
		if err != nil {
			return err
		}
		if i == 0 {
			c.Admin = u
		}
		if err := s.join(ctx, "IT admins", u.ID, "user"); err != nil {
			return err
		}
		if err := directory.AssignRole(ctx, s.q, s.actor, s.now.AddDate(0, -6, 0), directory.RoleAssignment{UserID: u.ID, RoleID: roles[i%len(roles)]}); err != nil {
			return err
		}
		s.persons = append(s.persons, person{User: u, dept: department{name: "IT", passkeys: 100}})
	}
	for i := range 2 {
		u, err := s.user(ctx, directory.User{UserPrincipalName: fmt.Sprintf("break-glass-%d@%s", i+1, Domain), DisplayName: fmt.Sprintf("Emergency account %d", i+1), UserType: "Member", AccountEnabled: true})
		if err != nil {
			return err
		}
		if err := s.join(ctx, "Break-glass", u.ID, "user"); err != nil {
			return err
		}
		if err := directory.AssignRole(ctx, s.q, s.actor, s.now.AddDate(-1, 0, 0), directory.RoleAssignment{UserID: u.ID, RoleID: directory.GlobalAdministrator}); err != nil {
			return err
		}
	}
	var err error
	if c.Owner, err = s.user(ctx, directory.User{UserPrincipalName: "you@" + Domain, DisplayName: "Demo Visitor", GivenName: "Demo", Surname: "Visitor", UserType: "Member", AccountEnabled: true, Department: "IT"}); err != nil {
		return err
	}
	if err := s.join(ctx, "Demo visitors", c.Owner.ID, "user"); err != nil {
		return err
	}
	if err := directory.AssignRole(ctx, s.q, s.actor, s.now, directory.RoleAssignment{UserID: c.Owner.ID, RoleID: directory.GlobalAdministrator}); err != nil {
		return err
	}
	c.Seller, err = s.user(ctx, directory.User{UserPrincipalName: "sam.seller@" + Domain, DisplayName: "Sam Seller", GivenName: "Sam", Surname: "Seller", UserType: "Member", AccountEnabled: true, Department: "Sales", JobTitle: "Account Manager"})
	if err != nil {
		return err
	}
	return s.join(ctx, "Sales", c.Seller.ID, "user")
}

// Policy returns the body of a PATCH on the passkey configuration with the two
// profiles that the demo shows. groupID finds a group by its name.
func Policy(groupID func(name string) string, providers []string) string {
	quoted := `"` + strings.Join(providers, `","`) + `"`
	const admins, everyone = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"
	target := func(group, profile string) string {
		return fmt.Sprintf(`{"targetType":"group","id":%q,"allowedPasskeyProfiles":[%q]}`, groupID(group), profile)
	}
	return `{"passkeyProfiles":[
	{"id":"00000000-0000-0000-0000-000000000001","name":"Default passkey profile","passkeyTypes":"deviceBound,synced","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]}},
	{"id":"` + admins + `","name":"Administrators: attested security keys","passkeyTypes":"deviceBound","attestationEnforcement":"registrationOnly","keyRestrictions":{"isEnforced":false,"enforcementType":"block","aaGuids":[]}},
	{"id":"` + everyone + `","name":"Everyone: known providers","passkeyTypes":"deviceBound,synced","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":true,"enforcementType":"allow","aaGuids":[` + quoted + `]}}],
	"includeTargets":[` + strings.Join([]string{target("IT admins", admins), target("All employees", everyone), target("Contractors", everyone),
		target("Break-glass", "00000000-0000-0000-0000-000000000001"), target("Demo visitors", "00000000-0000-0000-0000-000000000001")}, ",") + `]}`
}

// GroupID returns the id of the group called name, "" if there is none.
func GroupID(ctx context.Context, d db.Querier, name string) string {
	groups, err := directory.ListGroups(ctx, d, name, directory.Group{}, 10)
	if err != nil {
		return ""
	}
	for _, g := range groups {
		if g.DisplayName == name {
			return g.ID
		}
	}
	return ""
}
