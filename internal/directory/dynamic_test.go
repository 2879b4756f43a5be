package directory_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// rule makes a dynamic group.
func (o *office) rule(name, text string) (g directory.Group) {
	o.Helper()
	o.do(func(q db.Querier) (err error) {
		g, err = directory.CreateGroup(o.Context(), q, audit.System("test"), o.now, directory.Group{DisplayName: name, GroupTypes: []string{directory.DynamicMembership}, MembershipRule: text})
		return err
	})
	return g
}

// settle finishes all open rounds, a few people at a time.
func (o *office) settle() (batches int) {
	o.Helper()
	for {
		more, err := directory.SettleDynamic(o.Context(), o.d, o.now, 2)
		if err != nil {
			o.Fatal(err)
		}
		if !more {
			return batches
		}
		batches++
	}
}

func (o *office) change(id string, f func(u *directory.User)) {
	o.Helper()
	o.do(func(q db.Querier) error {
		_, err := directory.UpdateUser(o.Context(), q, audit.System("test"), o.now, id, func(u *directory.User) error { f(u); return nil })
		return err
	})
}

func (o *office) alter(id string, f func(g *directory.Group)) {
	o.Helper()
	o.do(func(q db.Querier) error {
		_, err := directory.UpdateGroup(o.Context(), q, audit.System("test"), o.now, id, func(g *directory.Group) error { f(g); return nil })
		return err
	})
}

// members are the names of who is in a group.
func (o *office) members(id string) string {
	o.Helper()
	rows, err := o.d.QueryContext(o.Context(), `SELECT u.display_name FROM group_members m JOIN users u ON u.id = m.member_id WHERE m.group_id = $1 ORDER BY u.display_name`, id)
	names, err := db.Collect(rows, err, func(r *sql.Rows, name *string) error { return r.Scan(name) })
	if err != nil {
		o.Fatal(err)
	}
	return strings.Join(names, " ")
}

func (o *office) mustHave(id, want string) {
	o.Helper()
	if got := o.members(id); got != want {
		o.Errorf("members: %q, want %q", got, want)
	}
}

// TestDynamicMembers_DO15: a change of a person counts at once, a change of a
// rule after its round, and each membership has its record.
func TestDynamicMembers_DO15(t *testing.T) {
	each(t, func(o *office) {
		ada, bob, eve := o.user("ada"), o.user("bob"), o.user("eve")
		o.change(ada.ID, func(u *directory.User) { u.Department = "IT" })
		o.change(bob.ID, func(u *directory.User) { u.Department, u.OtherMails = "HR", []string{"bob@fabrikam.test"} })
		g := o.rule("IT", `user.department -eq "it"`)
		o.mustHave(g.ID, "")
		if n := o.settle(); n < 2 {
			t.Errorf("%d batches: people were not asked in bounded batches", n)
		}
		o.mustHave(g.ID, "ada")
		p, err := directory.GetProcessing(t.Context(), o.d, g.ID)
		if err != nil || p.Status != "succeeded" || p.Added != 1 || p.Checked != p.Total || p.Total != 3 || p.Completed == nil {
			t.Errorf("processing: %+v %v", p, err)
		}

		o.change(eve.ID, func(u *directory.User) { u.Department = "IT" }) // at once
		o.change(ada.ID, func(u *directory.User) { u.Department = "Sales" })
		o.mustHave(g.ID, "eve")
		o.change(eve.ID, func(u *directory.User) { u.JobTitle = "Engineer" }) // not asked for
		o.mustHave(g.ID, "eve")
		o.do(func(q db.Querier) error {
			_, err := directory.CreateUser(t.Context(), q, audit.System("test"), o.now, directory.User{UserPrincipalName: "kim@contoso.test", DisplayName: "kim", Department: "IT", AccountEnabled: true})
			return err
		})
		o.mustHave(g.ID, "eve kim")

		o.do(o.deleteUser(eve.ID))
		o.mustHave(g.ID, "kim")
		o.do(o.restore(eve.ID))
		o.mustHave(g.ID, "eve kim")

		o.alter(g.ID, func(g *directory.Group) { g.MembershipRule = `user.otherMails -any (_ -endsWith "@fabrikam.test")` })
		o.mustHave(g.ID, "eve kim")
		if p, err := directory.GetProcessing(t.Context(), o.d, g.ID); err != nil || p.Status != "notStarted" {
			t.Errorf("a new rule opens a round: %+v %v", p, err)
		}
		o.settle()
		o.mustHave(g.ID, "bob")

		var records int
		if err := o.d.QueryRowContext(t.Context(), `SELECT count(*) FROM directory_audits WHERE activity IN ('Add member to group', 'Remove member from group') AND record LIKE '%Cardea dynamic membership%' AND record LIKE '%membershipRule%'`).Scan(&records); err != nil || records != 8 {
			t.Errorf("%d audit records (%v), want one for each of 8 changes", records, err)
		}
	})
}

// TestDynamicGroupsAreNotWritten_DO10, and rules are checked where they are set.
func TestDynamicGroupsAreNotWritten_DO10(t *testing.T) {
	each(t, func(o *office) {
		ada := o.user("ada")
		g := o.rule("IT", `user.department -eq "IT"`)
		o.want("a member by hand", o.try(o.add(g.ID, ada.ID)), "membershipDynamic", "members")
		o.want("no member by hand", o.try(o.remove(g.ID, ada.ID)), "membershipDynamic", "members")
		for _, text := range []string{`user.department -eq`, `user.salary -eq "1"`, `device.model -eq "x"`} {
			err := o.try(func(q db.Querier) error {
				_, err := directory.UpdateGroup(t.Context(), q, audit.System("test"), o.now, g.ID, func(g *directory.Group) error { g.MembershipRule = text; return nil })
				return err
			})
			o.want(text, err, "invalidRule", "membershipRule")
		}
	})
}

// TestDynamicPaused: a paused group stays as it is; switched on, it catches up.
func TestDynamicPaused(t *testing.T) {
	each(t, func(o *office) {
		ada := o.user("ada")
		g := o.rule("IT", `user.department -eq "IT"`)
		o.alter(g.ID, func(g *directory.Group) { g.MembershipRuleProcessingState = "Paused" })
		o.change(ada.ID, func(u *directory.User) { u.Department = "IT" })
		if n := o.settle(); n != 0 {
			t.Errorf("%d batches while paused", n)
		}
		o.mustHave(g.ID, "")
		if p, err := directory.GetProcessing(t.Context(), o.d, g.ID); err != nil || p.Status != "paused" {
			t.Errorf("processing: %+v %v", p, err)
		}
		o.alter(g.ID, func(g *directory.Group) { g.MembershipRuleProcessingState = "On" })
		o.settle()
		o.mustHave(g.ID, "ada")
	})
}

// TestDynamicAndAssigned: from assigned to dynamic the rule decides and groups
// inside leave; from dynamic to assigned the members stay.
func TestDynamicAndAssigned(t *testing.T) {
	each(t, func(o *office) {
		ada, bob := o.user("ada"), o.user("bob")
		o.change(ada.ID, func(u *directory.User) { u.Department = "IT" })
		inner := o.group("inner")
		g := o.group("mixed", bob.ID, inner.ID)
		o.alter(g.ID, func(g *directory.Group) {
			g.GroupTypes, g.MembershipRule = []string{directory.DynamicMembership}, `user.department -eq "IT"`
		})
		o.settle()
		o.mustHave(g.ID, "ada")
		if got := o.memberOf(inner.ID); got != "[]" {
			t.Error("a group is still inside:", got)
		}
		o.alter(g.ID, func(g *directory.Group) { g.GroupTypes = nil })
		o.mustHave(g.ID, "ada")
		o.change(ada.ID, func(u *directory.User) { u.Department = "HR" })
		o.mustHave(g.ID, "ada")
		if err := o.try(o.add(g.ID, bob.ID)); err != nil {
			t.Error(err)
		}
	})
}

// TestDynamicGroupDeletedAndRestored catches up with what it missed.
func TestDynamicGroupDeletedAndRestored(t *testing.T) {
	each(t, func(o *office) {
		ada, bob := o.user("ada"), o.user("bob")
		g := o.rule("IT", `user.department -eq "IT"`)
		o.change(ada.ID, func(u *directory.User) { u.Department = "IT" })
		o.mustHave(g.ID, "ada")
		o.do(o.deleteGroup(g.ID))
		o.change(ada.ID, func(u *directory.User) { u.Department = "HR" })
		o.change(bob.ID, func(u *directory.User) { u.Department = "IT" })
		o.do(o.restore(g.ID))
		o.settle()
		o.mustHave(g.ID, "bob")
	})
}

// TestDynamicRace: people who change while a round runs end up where the rule
// puts them, whoever comes first.
func TestDynamicRace(t *testing.T) {
	each(t, func(o *office) {
		var people []string
		for i := range 40 {
			people = append(people, o.user(fmt.Sprintf("person%02d", i)).ID)
		}
		g := o.rule("IT", `user.department -eq "IT"`)
		var work sync.WaitGroup
		fail := make(chan error, 8)
		for part := range 4 {
			work.Go(func() {
				for i := part; i < len(people); i += 4 {
					err := o.d.Write(t.Context(), func(q db.Querier) error {
						_, err := directory.UpdateUser(t.Context(), q, audit.System("test"), o.now, people[i], func(u *directory.User) error {
							if i%2 == 0 {
								u.Department = "IT"
							}
							u.JobTitle = "changed"
							return nil
						})
						return err
					})
					if err != nil {
						fail <- err
						return
					}
				}
			})
		}
		for range 2 {
			work.Go(func() {
				for {
					more, err := directory.SettleDynamic(context.WithoutCancel(t.Context()), o.d, o.now, 3)
					if err != nil && problem.KindOf(err) != problem.NotFound {
						fail <- err
					}
					if !more {
						return
					}
				}
			})
		}
		work.Wait()
		close(fail)
		for err := range fail {
			t.Error(err)
		}
		o.settle()
		if n := len(strings.Fields(o.members(g.ID))); n != 20 {
			t.Errorf("%d members, want 20", n)
		}
	})
}
