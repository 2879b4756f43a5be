package directory_test

import (
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// TestDeletedPersonIsNowhere: a deleted person is found by no read, counts
// nowhere, has no role and frees the user name; restored, the person is back in
// the groups, enabled as before, without the role and signed out.
func TestDeletedPersonIsNowhere(t *testing.T) {
	each(t, func(o *office) {
		ada, bob := o.user("ada"), o.user("bob")
		inner := o.group("inner", ada.ID, bob.ID)
		o.group("outer", inner.ID)
		o.do(func(q db.Querier) error {
			if err := directory.SetManager(o.Context(), q, o.by, o.now, directory.Reporting{UserID: bob.ID, ManagerID: ada.ID}); err != nil {
				return err
			}
			if err := directory.AddOwner(o.Context(), q, o.by, o.now, directory.Owner{GroupID: inner.ID, ID: ada.ID}); err != nil {
				return err
			}
			return directory.AssignRole(o.Context(), q, o.by, o.now, directory.RoleAssignment{UserID: ada.ID, RoleID: directory.GlobalReader})
		})
		o.do(o.deleteUser(ada.ID))
		for _, name := range []string{ada.ID, "ADA@example.com"} {
			if _, err := directory.GetUser(o.Context(), o.d, name); problem.KindOf(err) != problem.NotFound {
				t.Errorf("GetUser(%s): %v", name, err)
			}
			if _, err := directory.GetWhole(o.Context(), o.d, name); problem.KindOf(err) != problem.NotFound {
				t.Errorf("GetWhole(%s): %v", name, err)
			}
		}
		all := odata.Query{Top: 99, OrderBy: directory.UserPaging.Order}
		found, err := directory.FindUsers(o.Context(), o.d, all)
		n, _ := directory.CountFound(o.Context(), o.d, all)
		count, _ := directory.CountUsers(o.Context(), o.d)
		if err != nil || len(found) != 1 || n != 1 || count != 1 {
			t.Errorf("found %d, counted %d and %d (%v), want one", len(found), n, count, err)
		}
		if got := o.memberOf(ada.ID); got != "[]" {
			t.Errorf("in %s", got)
		}
		if in, err := directory.MemberOf(o.Context(), o.d, ada.ID); err != nil || len(in) != 0 {
			t.Errorf("groups and roles: %v, %v", in, err)
		}
		people, _, err := directory.FindMembers(o.Context(), o.d, inner.ID, "", 9)
		if err != nil || len(people) != 1 {
			t.Errorf("members: %v, %v", people, err)
		}
		if owners, err := directory.OwnersOf(o.Context(), o.d, inner.ID, "", 9); err != nil || len(owners) != 0 {
			t.Errorf("owners: %v, %v", owners, err)
		}
		if m, err := directory.ManagerOf(o.Context(), o.d, bob.ID); problem.KindOf(err) != problem.NotFound {
			t.Errorf("manager: %v, %v", m, err)
		}
		o.want("add", o.try(o.add(inner.ID, ada.ID)), "notFound", "")
		o.want("delete twice", o.try(o.deleteUser(ada.ID)), "notFound", "")

		o.user("ada") // the name is free
		o.want("name taken", o.try(o.restore(ada.ID)), "alreadyExists", "userPrincipalName")
		o.do(func(q db.Querier) error {
			d, err := directory.Restore(o.Context(), q, o.by, o.now, directory.Restoring{ID: ada.ID, NewUserPrincipalName: "ada.l@example.com"})
			if err == nil && (d.User == nil || !d.User.AccountEnabled || d.User.DeletedDateTime != nil) {
				t.Errorf("restored: %+v", d.User)
			}
			return err
		})
		back, err := directory.GetWhole(o.Context(), o.d, "ada.l@example.com")
		if err != nil || back.ID != ada.ID || !back.AccountEnabled || !back.SessionsValidFrom.After(ada.CreatedDateTime) {
			t.Errorf("back: %+v, %v", back, err)
		}
		if got := o.memberOf(ada.ID); got != "[inner outer]" {
			t.Errorf("back in %s", got)
		}
		if roles, err := directory.RolesOf(o.Context(), o.d, ada.ID); err != nil || len(roles) != 0 {
			t.Errorf("roles came back: %v, %v", roles, err)
		}
		if m, err := directory.ManagerOf(o.Context(), o.d, bob.ID); err != nil || m.ID != ada.ID {
			t.Errorf("manager: %v, %v", m, err)
		}
	})
}

// TestRestoreInAnyOrder: a membership comes back when both ends are back,
// whichever is first, and never when one of them is gone for good.
func TestRestoreInAnyOrder(t *testing.T) {
	for _, c := range []struct{ name, steps, want string }{
		{"user first", "u g U G", "[g outer]"},
		{"group first", "u g G U", "[g outer]"},
		{"other way", "g u U G", "[g outer]"},
		{"other way, group first", "g u G U", "[g outer]"},
		{"group gone", "u g P U", "[]"},
		{"only the group", "g G", "[g outer]"},
		{"outer too", "u g o U O G", "[g outer]"},
		{"outer too, from outside", "o g u O G U", "[g outer]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(o *office) {
				u := o.user("ada")
				g := o.group("g", u.ID)
				outer := o.group("outer", g.ID)
				for _, step := range c.steps {
					switch step {
					case 'u':
						o.do(o.deleteUser(u.ID))
					case 'U':
						o.do(o.restore(u.ID))
					case 'g':
						o.do(o.deleteGroup(g.ID))
					case 'G':
						o.do(o.restore(g.ID))
					case 'P':
						o.do(o.purge(g.ID))
					case 'o':
						o.do(o.deleteGroup(outer.ID))
					case 'O':
						o.do(o.restore(outer.ID))
					}
				}
				if got := o.memberOf(u.ID); got != c.want {
					t.Errorf("in %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestPurgeLeavesNothing: after a purge no table but the logs names the person.
func TestPurgeLeavesNothing(t *testing.T) {
	each(t, func(o *office) {
		ada, bob := o.user("ada"), o.user("bob")
		g := o.group("g", ada.ID)
		o.do(func(q db.Querier) error {
			_, err := directory.UpdateUser(o.Context(), q, o.by, o.now, ada.ID, func(u *directory.User) error { u.OtherMails = []string{"a@b.example"}; return nil })
			if err != nil {
				return err
			}
			if err := directory.AddOwner(o.Context(), q, o.by, o.now, directory.Owner{GroupID: g.ID, ID: ada.ID}); err != nil {
				return err
			}
			return directory.SetManager(o.Context(), q, o.by, o.now, directory.Reporting{UserID: bob.ID, ManagerID: ada.ID})
		})
		o.want("purge the living", o.try(o.purge(ada.ID)), "notFound", "")
		o.do(o.deleteUser(ada.ID))
		at := o.now
		o.do(func(q db.Querier) error {
			n, err := directory.PurgeOld(o.Context(), q, o.now, at, 10)
			if n != 0 {
				t.Errorf("%d purged before their time", n)
			}
			return err
		})
		o.do(func(q db.Querier) error {
			n, err := directory.PurgeOld(o.Context(), q, o.now, at.Add(time.Millisecond), 10)
			if n != 1 {
				t.Errorf("%d purged, want one", n)
			}
			return err
		})
		for table, columns := range map[string][]string{"users": {"id", "manager_id"}, "user_values": {"user_id"}, "group_members": {"member_id"}, "group_owners": {"owner_id"},
			"parked_members": {"deleted_id", "member_id"}, "role_assignments": {"principal_id"}} {
			for _, c := range columns {
				var n int
				if err := o.d.QueryRowContext(o.Context(), `SELECT count(*) FROM `+table+` WHERE `+c+` = $1`, ada.ID).Scan(&n); err != nil || n != 0 {
					t.Errorf("%s.%s names the purged person %d times (%v)", table, c, n, err)
				}
			}
		}
		o.want("restore", o.try(o.restore(ada.ID)), "notFound", "")
	})
}
