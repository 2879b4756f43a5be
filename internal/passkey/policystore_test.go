package passkey_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"

	"github.com/google/go-cmp/cmp"
)

// TestPolicyETag: PK-17.
func TestPolicyETag_PK17(t *testing.T) {
	each(t, func(h *house) {
		c, first, err := h.k.Policy(h.Context(), h.d)
		h.must(err)
		if diff := cmp.Diff(passkey.Default(), c); diff != "" {
			h.Errorf("a fresh policy (-want +got):\n%s", diff)
		}
		e := h.edit(`{"isSelfServiceRegistrationAllowed": false}`)
		e.IfMatch = first
		_, err = h.k.Change(h.Context(), e)
		h.must(err)
		_, second, err := h.k.Policy(h.Context(), h.d)
		h.must(err)
		if second == first {
			h.Error("the ETag did not move")
		}
		_, err = h.k.Change(h.Context(), e)
		h.refused(err, problem.PreconditionFailed, "changed")
		for _, match := range []string{second, "*", ""} {
			e.IfMatch = match
			if match == "*" {
				_, second, _ = h.k.Policy(h.Context(), h.d)
			}
			_, err = h.k.Change(h.Context(), e)
			h.must(err)
		}
	})
}

// TestPolicyAudit: old and new document, impact counts, one event per profile
// (RL-37, reports-and-logs §5), and PK-15: all of it or nothing.
func TestPolicyAudit_RL37(t *testing.T) {
	each(t, func(h *house) {
		h.register(h.ada, synced())
		h.patch(profiles(deviceBoundOnly))
		updates := h.audits("Authentication Methods Policy Update")
		if len(updates) != 1 || detail(updates[0], "passkeysStopWorking") != "1" || detail(updates[0], "usersLoseAllPasskeys") != "1" || detail(updates[0], "cardea.force") != "(none)" {
			h.Fatalf("%+v", updates)
		}
		p := updates[0].TargetResources[0].ModifiedProperties[0]
		if !strings.Contains(p.OldValue, `"Default passkey profile"`) || strings.Contains(p.OldValue, "Security keys only") || !strings.Contains(p.NewValue, "Security keys only") {
			h.Errorf("%+v", p)
		}
		h.later(time.Millisecond)
		h.patch(profiles(strings.Replace(deviceBoundOnly, "Security keys only", "Keys", 1)))
		h.later(time.Millisecond)
		_, err := h.k.Change(h.Context(), passkey.Edit{Reset: true, Actor: h.admin, At: h.at})
		h.must(err)
		for activity, want := range map[string]int{"Passkey profile created": 1, "Passkey profile updated": 1, "Passkey profile deleted": 1,
			"Passkey profile assigned": 3, "Authentication Methods Policy Update": 2, "Authentication Methods Policy Reset": 1} {
			if got := len(h.audits(activity)); got != want {
				h.Errorf("%s: %d records, want %d", activity, got, want)
			}
		}
		before := h.count(`SELECT count(*) FROM directory_audits`)
		_, err = h.k.Change(h.Context(), h.edit(`{"state": "disabled", "includeTargets": [{"id": "no such group"}]}`))
		h.refused(err, problem.Invalid, "unknownTarget")
		if c, _, err := h.k.Policy(h.Context(), h.d); err != nil || c.State != passkey.Enabled || h.count(`SELECT count(*) FROM directory_audits`) != before {
			h.Errorf("a refused change left something: %v %v", c.State, err)
		}
	})
}

// TestTargets: real groups, users and roles; one that is deleted stays (PK-26).
func TestTargets_PK26(t *testing.T) {
	each(t, func(h *house) {
		g := h.group("engineering")
		warnings := h.patch(`{"includeTargets": [{"id": "` + g + `"}, {"id": "` + h.ada.ID + `", "targetType": "user"}, {"id": "` + directory.GlobalAdministrator + `", "targetType": "role"}]}`)
		if len(warnings) != 0 {
			h.Errorf("%+v", warnings)
		}
		h.write(func(q db.Querier) error { return directory.DeleteGroup(h.Context(), q, h.admin, h.at, g) })
		warnings = h.patch(`{"state": "enabled"}`)
		if len(warnings) != 1 || warnings[0].Code != "targetGone" || warnings[0].Target != "includeTargets/"+g {
			h.Errorf("%+v", warnings)
		}
		a := synced()
		h.register(h.grace, a) // through the role
		if _, err := h.signIn(a); err != nil {
			h.Error(err)
		}
		bob := h.user("bob@example.com")
		_, err := h.k.BeginRegistration(h.Context(), h.own(bob))
		h.refused(err, problem.Invalid, passkey.CodeUserGroup)
	})
}

// TestLockOut: PK-42, PK-132, DO-18.
func TestLockOut_PK42_PK132(t *testing.T) {
	each(t, func(h *house) {
		// Nobody is able yet: nothing can be lost.
		h.patch(`{"state": "disabled"}`)
		h.patch(`{"state": "enabled"}`)
		a := synced()
		m := h.register(h.grace, a)
		off := h.edit(`{"state": "disabled"}`)
		_, err := h.k.Change(h.Context(), off)
		h.refused(err, problem.Invalid, "wouldLockOutAdministrators")
		_, err = h.k.Change(h.Context(), h.edit(profiles(deviceBoundOnly)))
		h.refused(err, problem.Invalid, "wouldLockOutAdministrators")
		impact, err := h.k.Preview(h.Context(), off, nil)
		h.must(err)
		if !impact.WouldLockOutAdministrators || impact.AdministratorsLoseLastMethod != 1 {
			h.Errorf("%+v", impact)
		}
		which := passkey.Which{User: h.grace, MethodID: m.ID, Actor: h.admin, At: h.at, Confirmed: true}
		h.refused(h.k.Delete(h.Context(), which), problem.Invalid, "wouldLockOutAdministrators")
		h.refused(h.k.GuardAdministrators(h.Context(), h.d, passkey.Without{UserID: h.grace.ID}), problem.Invalid, "wouldLockOutAdministrators")
		if n := len(h.audits("Override lockout guard")); n != 0 {
			h.Errorf("%d overrides", n)
		}

		// A second administrator without a passkey is no help; with one, yes.
		bob := h.user("bob@example.com")
		h.write(func(q db.Querier) error {
			return directory.AssignRole(h.Context(), q, h.admin, h.at, directory.RoleAssignment{UserID: bob.ID, RoleID: directory.GlobalAdministrator})
		})
		h.refused(h.k.Delete(h.Context(), which), problem.Invalid, "wouldLockOutAdministrators")
		h.register(bob, synced())
		enable := func(on bool) {
			h.write(func(q db.Querier) error {
				_, err := directory.UpdateUser(h.Context(), q, h.admin, h.at, bob.ID, func(u *directory.User) error { u.AccountEnabled = on; return nil })
				return err
			})
		}
		enable(false)
		h.refused(h.k.Delete(h.Context(), which), problem.Invalid, "wouldLockOutAdministrators")
		enable(true)
		h.must(h.k.GuardAdministrators(h.Context(), h.d, passkey.Without{UserID: h.grace.ID}))
		h.must(h.k.Delete(h.Context(), which))

		h.later(time.Second)
		off.Force, off.At = true, h.at
		_, err = h.k.Change(h.Context(), off)
		h.must(err)
		if n := len(h.audits("Override lockout guard")); n != 1 || detail(h.audits("Authentication Methods Policy Update")[0], "cardea.force") != "true" {
			h.Errorf("%d overrides", n)
		}
		// A reset is a change like any other (PK-13), and brings people back.
		_, err = h.k.Change(h.Context(), passkey.Edit{Reset: true, Actor: h.admin, At: h.at})
		h.must(err)
	})
}

// TestOtherMethodsCount: an administrator with password and code is not locked
// out, as long as their policies let them in.
func TestOtherMethodsCount_PK42(t *testing.T) {
	each(t, func(h *house) {
		h.register(h.grace, synced())
		h.write(func(q db.Querier) error {
			if _, err := q.ExecContext(h.Context(), `INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, 'x', 0)`, h.grace.ID); err != nil {
				return err
			}
			_, err := q.ExecContext(h.Context(), `INSERT INTO oath_tokens (id, user_id, display_name, secret, created_at) VALUES ('t', $1, 'Phone', $2, 0)`, h.grace.ID, []byte("x"))
			return err
		})
		off := h.edit(`{"state": "disabled"}`)
		_, err := h.k.Change(h.Context(), off)
		h.refused(err, problem.Invalid, "wouldLockOutAdministrators")
		for _, id := range []string{directory.MethodPassword, directory.MethodCode} {
			h.write(func(q db.Querier) error {
				_, err := directory.UpdateMethodPolicy(h.Context(), q, h.admin, h.at, id, func(p *directory.MethodPolicy) error { p.State = "enabled"; return nil })
				return err
			})
		}
		impact, err := h.k.Preview(h.Context(), off, nil)
		h.must(err)
		if impact.Users.LoseAllPasskeys != 1 || impact.Users.LoseLastMethod != 0 || impact.AdministratorsLoseLastMethod != 0 || impact.WouldLockOutAdministrators {
			h.Errorf("%+v", impact)
		}
		_, err = h.k.Change(h.Context(), off)
		h.must(err)
	})
}

// TestPreview: §2.5 member by member.
func TestPreview_PK37_PK39_PK41(t *testing.T) {
	each(t, func(h *house) {
		keyX, cloud := cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid(modelX))), synced()
		h.register(h.ada, keyX)
		m := h.register(h.ada, cloud)
		bob := h.user("bob@example.com")
		h.register(bob, synced())
		if _, err := h.signIn(cloud); err != nil {
			h.Fatal(err)
		}
		before := h.count(`SELECT count(*) FROM directory_audits`)
		var streamed []string
		impact, err := h.k.Preview(h.Context(), h.edit(profiles(strict)), func(a passkey.Affected) error { streamed = append(streamed, a.MethodID); return nil })
		h.must(err)
		if impact.Passkeys != (passkey.ImpactPasskeys{Total: 3, StopWorking: 2}) || impact.Users != (passkey.ImpactUsers{Total: 2, LoseAllPasskeys: 1, LoseLastMethod: 1, StopWorking: 2}) {
			h.Errorf("%+v", impact)
		}
		if diff := cmp.Diff([]passkey.ReasonCount{{Code: passkey.TypeNotAllowed, Passkeys: 2}}, impact.ByReason); diff != "" {
			h.Error(diff)
		}
		// keyX goes on working, yet could not be registered today.
		if impact.NotAttested == nil || impact.NotAttested.Passkeys != 1 || !strings.HasPrefix(impact.NotAttested.ProfileID, "aaaaaaaa") {
			h.Errorf("PK-39: %+v", impact.NotAttested)
		}
		if len(impact.Affected) != 2 || len(streamed) != 2 || impact.AffectedTruncated {
			h.Fatalf("%+v, streamed %v", impact.Affected, streamed)
		}
		got := impact.Affected[0] // the one that was used comes first
		if got.MethodID != m.ID || got.UserPrincipalName != "Ada@example.com" || got.Before != "allowed" || got.After != "refused" || got.LastUsedDateTime == nil ||
			len(got.Reasons) != 2 || got.Reasons[0].ProfileName != "Strict" {
			h.Errorf("%+v", got)
		}
		if h.count(`SELECT count(*) FROM directory_audits`) != before {
			h.Error("a preview wrote something")
		}
		_, err = h.k.Preview(h.Context(), h.edit(`{"includeTargets": [{"id": "nobody"}]}`), nil)
		h.refused(err, problem.Invalid, "unknownTarget")
		stop := fmt.Errorf("the client went away")
		if _, err = h.k.Preview(h.Context(), h.edit(profiles(strict)), func(passkey.Affected) error { return stop }); err != stop {
			h.Error(err)
		}
		h.patch(profiles(strict))
		// Bob has lost everything already: switching off takes from Ada alone.
		if impact, err = h.k.Preview(h.Context(), h.edit(`{"state": "disabled"}`), nil); err != nil || impact.Passkeys.StopWorking != 1 || impact.Users.LoseAllPasskeys != 1 || impact.ByReason[0].Code != "methodDisabled" {
			h.Errorf("%+v, %v", impact, err)
		}
		// What stopped comes back (PK-62), and the preview says so.
		if impact, err = h.k.Preview(h.Context(), passkey.Edit{Reset: true, At: h.at}, nil); err != nil || impact.Passkeys.StartWorking != 2 || impact.Users.LoseAllPasskeys != 0 || impact.NotAttested != nil {
			h.Errorf("%+v, %v", impact, err)
		}
	})
}

// TestPreviewIsTrue: for random policies, what the preview counts is what then
// really happens at sign-in (PK-37).
func TestPreviewIsTrue_PK37(t *testing.T) {
	each(t, func(h *house) {
		random := rand.New(rand.NewPCG(1, 2))
		groups := []string{h.group("a"), h.group("b")}
		nested := h.group("c", groups[0])
		var keys []*cardeatest.Authenticator
		for i := range 6 {
			u := h.user(fmt.Sprintf("u%d@example.com", i))
			if i < 4 {
				h.write(func(q db.Querier) error {
					return directory.AddMember(h.Context(), q, h.admin, h.at, directory.Membership{GroupID: groups[i%2], MemberID: u.ID})
				})
			}
			for _, a := range []*cardeatest.Authenticator{synced(), cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid([]string{modelX, modelY}[i%2])))} {
				h.register(u, a)
				keys = append(keys, a)
			}
		}
		works := func() (out []bool) {
			for _, a := range keys {
				_, err := h.signIn(a)
				if err != nil && problem.KindOf(err) != problem.Forbidden {
					h.Fatal(err)
				}
				out = append(out, err == nil)
			}
			return out
		}
		was := works()
		targets := []string{groups[0], groups[1], nested, passkey.AllUsers}
		for range 12 {
			h.later(time.Minute)
			random.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
			body := profiles([]string{deviceBoundOnly, anything, onlyX, strict, strings.Replace(onlyX, `"allow"`, `"block"`, 1)}[random.IntN(5)])
			body = strings.Replace(body, passkey.AllUsers, targets[0], 1)
			if random.IntN(3) == 0 {
				body = strings.Replace(body, `{"passkeyProfiles"`, `{"excludeTargets": [{"id": "`+targets[1]+`"}], "passkeyProfiles"`, 1)
			} else {
				body = strings.Replace(body, `{"passkeyProfiles"`, `{"excludeTargets": [], "passkeyProfiles"`, 1)
			}
			impact, err := h.k.Preview(h.Context(), h.edit(body), nil)
			h.must(err)
			h.patch(body)
			is := works()
			stop, start := 0, 0
			for i := range is {
				if was[i] && !is[i] {
					stop++
				}
				if !was[i] && is[i] {
					start++
				}
			}
			if impact.Passkeys != (passkey.ImpactPasskeys{Total: len(keys), StopWorking: stop, StartWorking: start}) {
				h.Fatalf("previewed %+v, but %d stopped and %d started with %s", impact.Passkeys, stop, start, body)
			}
			was = is
		}
	})
}

// TestAffectedIsBounded: PK-38.
func TestAffectedIsBounded_PK38(t *testing.T) {
	each(t, func(h *house) {
		const n = passkey.MaxAffected*2 + 17
		h.write(func(q db.Querier) error {
			for i := range n {
				if _, err := q.ExecContext(h.Context(), `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible,
					backup_state, attested, rp_id, created_at, last_used_at) VALUES ($1, $2, $3, 'p', $4, -7, $5, 0, TRUE, TRUE, FALSE, 'id.example.com', 0, $6)`,
					fmt.Sprint(i), h.ada.ID, fmt.Appendf(nil, "credential %d", i), []byte{1}, zero, int64(i*7919%n)*1000); err != nil {
					return err
				}
			}
			return nil
		})
		streamed := 0
		impact, err := h.k.Preview(h.Context(), h.edit(`{"state": "disabled"}`), func(passkey.Affected) error { streamed++; return nil })
		h.must(err)
		if impact.Passkeys.StopWorking != n || streamed != n || len(impact.Affected) != passkey.MaxAffected || !impact.AffectedTruncated {
			h.Errorf("%+v, %d streamed, %d listed", impact.Passkeys, streamed, len(impact.Affected))
		}
		if !slices.IsSortedFunc(impact.Affected, func(a, b passkey.Affected) int { return b.LastUsedDateTime.Compare(*a.LastUsedDateTime) }) {
			h.Error("not the most recently used first")
		}
		if first, last := impact.Affected[0].LastUsedDateTime, impact.Affected[passkey.MaxAffected-1].LastUsedDateTime; first.UnixMilli() != (n-1)*1000 || last.UnixMilli() != (n-passkey.MaxAffected)*1000 {
			h.Errorf("from %s to %s", first, last)
		}
	})
}
