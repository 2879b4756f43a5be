package accesspass_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

func TestCreate_PK145_PK146_PK147_PK148(t *testing.T) {
	each(t, func(o office) {
		p, code := o.issue(accesspass.Order{})
		if len(code) != 8 || p.LifetimeInMinutes != 60 || p.IsUsableOnce || !p.IsUsable || p.MethodUsabilityReason != accesspass.EnabledByPolicy || !p.StartDateTime.Equal(noon) {
			o.Errorf("PK-146 defaults: %+v, code of %d", p, len(code))
		}
		for _, c := range []struct {
			name   string
			order  accesspass.Order
			target string
		}{
			{"PK-146 below the policy", accesspass.Order{LifetimeInMinutes: ptr(int64(59))}, "lifetimeInMinutes"},
			{"PK-146 above the policy", accesspass.Order{LifetimeInMinutes: ptr(int64(481))}, "lifetimeInMinutes"},
			{"PK-146 negative", accesspass.Order{LifetimeInMinutes: ptr(int64(-1))}, "lifetimeInMinutes"},
			{"a start beyond a year", accesspass.Order{StartDateTime: ptr(noon.AddDate(2, 0, 0))}, "startDateTime"},
		} {
			c.order.UserID, c.order.At = o.ada.ID, noon
			_, err := accesspass.Create(o.Context(), o.d, o.h, o.admin, c.order)
			o.is(err, problem.Invalid, "invalidValue")
			if e, ok := err.(*problem.Error); !ok || e.Target != c.target {
				o.Errorf("%s: %v", c.name, err)
			}
		}

		// PK-145: never again with its code.
		all, err := accesspass.List(o.Context(), o.d, noon, o.ada.ID)
		if err != nil || len(all) != 1 || all[0].TemporaryAccessPass != nil || all[0].ID != p.ID {
			o.Fatalf("PK-145 list: %+v, %v", all, err)
		}
		one, err := accesspass.Get(o.Context(), o.d, noon, accesspass.Which{UserID: o.ada.ID, ID: p.ID})
		if err != nil || one.TemporaryAccessPass != nil {
			o.Errorf("PK-145 get: %+v, %v", one, err)
		}
		_, err = accesspass.Get(o.Context(), o.d, noon, accesspass.Which{UserID: o.bob.ID, ID: p.ID})
		o.is(err, problem.NotFound, "notFound")

		// PK-147: a new one replaces the old.
		newer, fresh := o.issue(accesspass.Order{StartDateTime: ptr(noon.Add(-time.Hour)), LifetimeInMinutes: ptr(int64(120)), IsUsableOnce: ptr(true)})
		if !newer.StartDateTime.Equal(noon) || !newer.IsUsableOnce || newer.ID == p.ID {
			o.Errorf("PK-147: %+v", newer)
		}
		_, err = o.signIn("ada@example.com", code, noon)
		o.is(err, problem.Unauthenticated, "signInFailed")
		if _, err = o.signIn("ada@example.com", fresh, noon); err != nil {
			o.Errorf("PK-147: %v", err)
		}

		// PK-148: a policy of one-time passes.
		o.policy(func(p *accesspass.Policy) { p.IsUsableOnce, p.DefaultLength = true, 20 })
		_, err = accesspass.Create(o.Context(), o.d, o.h, o.admin, accesspass.Order{UserID: o.ada.ID, At: noon, IsUsableOnce: ptr(false)})
		o.is(err, problem.Invalid, "invalidValue")
		if p, code := o.issue(accesspass.Order{}); !p.IsUsableOnce || len(code) != 20 {
			o.Errorf("PK-148: %+v, code of %d", p, len(code))
		}
	})
}

// TestPolicy: the table of passkeys.md §8.2.
func TestPolicy_PK146(t *testing.T) {
	each(t, func(o office) {
		if p, err := accesspass.GetPolicy(o.Context(), o.d); err != nil || p.State != "enabled" || p.MinimumLifetimeInMinutes != 60 || p.MaximumLifetimeInMinutes != 480 ||
			p.DefaultLifetimeInMinutes != 60 || p.DefaultLength != 8 || p.IsUsableOnce || p.ID != "TemporaryAccessPass" {
			o.Errorf("defaults: %+v, %v", p, err)
		}
		for target, change := range map[string]func(p *accesspass.Policy){
			"minimumLifetimeInMinutes": func(p *accesspass.Policy) { p.MinimumLifetimeInMinutes = 9 },
			"maximumLifetimeInMinutes": func(p *accesspass.Policy) { p.MaximumLifetimeInMinutes = 43201 },
			"defaultLifetimeInMinutes": func(p *accesspass.Policy) { p.DefaultLifetimeInMinutes = 500 },
			"defaultLength":            func(p *accesspass.Policy) { p.DefaultLength = 49 },
			"state":                    func(p *accesspass.Policy) { p.State = "maybe" },
		} {
			err := o.d.Write(o.Context(), func(q db.Querier) error {
				_, err := accesspass.UpdatePolicy(o.Context(), q, o.admin, noon, func(p *accesspass.Policy) error { change(p); return nil })
				return err
			})
			if e, ok := err.(*problem.Error); !ok || e.Kind != problem.Invalid || e.Target != target {
				o.Errorf("%s: %v", target, err)
			}
		}
		o.policy(func(p *accesspass.Policy) { p.MinimumLifetimeInMinutes, p.MaximumLifetimeInMinutes = 10, 43200 })
		if p, _ := o.issue(accesspass.Order{LifetimeInMinutes: ptr(int64(43200))}); p.LifetimeInMinutes != 43200 {
			o.Errorf("%+v", p)
		}
		o.write(func(q db.Querier) error { return accesspass.ResetPolicy(o.Context(), q, o.admin, noon) })
		if p, err := accesspass.GetPolicy(o.Context(), o.d); err != nil || p.MaximumLifetimeInMinutes != 480 || p.Version != 2 {
			o.Errorf("after a reset: %+v, %v", p, err)
		}
		if got := o.activities("TemporaryAccessPass"); !slices.Equal(got, []string{"Authentication Methods Policy Reset", "Authentication Methods Policy Update"}) {
			o.Errorf("audit: %q", got)
		}
	})
}

// TestNobodyForHimself: not even with every right.
func TestNobodyForHimself_PK150_DO24(t *testing.T) {
	each(t, func(o office) {
		_, err := accesspass.Create(o.Context(), o.d, o.h, o.admin, accesspass.Order{UserID: o.administra.ID, At: noon})
		o.is(err, problem.Forbidden, "authorizationRequestDenied")
		_, err = accesspass.Create(o.Context(), o.d, o.h, o.admin, accesspass.Order{UserID: strings.ToUpper(o.administra.UserPrincipalName), At: noon})
		o.is(err, problem.Forbidden, "authorizationRequestDenied")
		err = o.d.Write(o.Context(), func(q db.Querier) error {
			_, _, err := accesspass.IssueLink(o.Context(), q, o.admin, noon, accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: o.administra.ID})
			return err
		})
		o.is(err, problem.Forbidden, "authorizationRequestDenied")
	})
}

// TestUsability: every methodUsabilityReason, and what sign-in makes of it:
// one answer outside, the truth in the log.
func TestUsability_PK149_PK119(t *testing.T) {
	each(t, func(o office) {
		excludeAda := func(p *accesspass.Policy) {
			p.ExcludeTargets = []directory.ExcludeMethodTarget{{TargetType: "user", ID: o.ada.ID}}
		}
		for _, c := range []struct {
			name, reason, fact string
			order              accesspass.Order
			policy             func(p *accesspass.Policy)
			at                 time.Time
		}{
			{"usable", accesspass.EnabledByPolicy, "", accesspass.Order{}, nil, noon},
			{"usable in its last millisecond", accesspass.EnabledByPolicy, "", accesspass.Order{}, nil, noon.Add(time.Hour - time.Millisecond)},
			{"expired", accesspass.Expired, "expired", accesspass.Order{}, nil, noon.Add(time.Hour)},
			{"not yet valid", accesspass.NotYetValid, "notYetValid", accesspass.Order{StartDateTime: ptr(noon.Add(time.Hour))}, nil, noon},
			{"PK-149 excluded", accesspass.DisabledByPolicy, "userExcluded", accesspass.Order{}, excludeAda, noon},
			{"PK-149 not targeted", accesspass.DisabledByPolicy, "userNotTargeted", accesspass.Order{}, func(p *accesspass.Policy) { p.IncludeTargets = nil }, noon},
			{"PK-149 off", accesspass.DisabledByPolicy, "methodDisabled", accesspass.Order{}, func(p *accesspass.Policy) { p.State = "disabled" }, noon},
		} {
			o.policy(func(p *accesspass.Policy) {
				v := p.Version
				*p = accesspass.DefaultPolicy()
				p.Version = v
				if c.policy != nil {
					c.policy(p)
				}
			})
			p, code := o.issue(c.order) // PK-149: made for anyone
			got, err := accesspass.Get(o.Context(), o.d, c.at, accesspass.Which{UserID: o.ada.ID, ID: p.ID})
			if err != nil || got.MethodUsabilityReason != c.reason || got.IsUsable != (c.fact == "") {
				o.Errorf("%s: %+v, %v", c.name, got, err)
			}
			if usable, err := accesspass.HasUsable(o.Context(), o.d, c.at, o.ada.ID); err != nil || usable != got.IsUsable {
				o.Errorf("%s: HasUsable %v, %v", c.name, usable, err)
			}
			_, err = o.signIn("ada@example.com", code, c.at)
			if c.fact == "" {
				if err != nil {
					o.Errorf("%s: %v", c.name, err)
				}
				continue
			}
			o.is(err, problem.Unauthenticated, "signInFailed")
			if row := o.last(); row.Status.ErrorCode != 500121 || row.Status.AdditionalDetails != c.fact || row.UserID != o.ada.ID {
				o.Errorf("%s: the log says %+v", c.name, row.Status)
			}
		}
	})
}

// TestOwner: the owner sees the end of the pass and deletes it (PK-155), and
// with it go the sessions that it opened (PK-152).
func TestDelete_PK152_PK155(t *testing.T) {
	each(t, func(o office) {
		p, code := o.issue(accesspass.Order{})
		in, err := o.signIn("ada@example.com", code, noon)
		if err != nil {
			o.Fatal(err)
		}
		if p.End() != noon.Add(time.Hour) {
			o.Errorf("PK-155: ends %v", p.End())
		}
		owner := audit.Actor{UserID: o.ada.ID}
		err = o.d.Write(o.Context(), func(q db.Querier) error {
			return accesspass.Delete(o.Context(), q, owner, noon, accesspass.Which{UserID: o.ada.ID, ID: "another"})
		})
		o.is(err, problem.NotFound, "notFound")
		o.write(func(q db.Querier) error {
			return accesspass.Delete(o.Context(), q, owner, noon.Add(time.Minute), accesspass.Which{UserID: o.ada.ID, ID: p.ID})
		})
		_, err = session.Find(o.Context(), o.d, in.Token, noon.Add(2*time.Minute))
		o.is(err, problem.Unauthenticated, "signInRequired")
		_, err = o.signIn("ada@example.com", code, noon.Add(2*time.Minute))
		o.is(err, problem.Unauthenticated, "signInFailed")
		want := []string{"Temporary Access Pass removed", "User deleted security info", "Temporary Access Pass used", "Temporary Access Pass created", "Admin registered security info"}
		got := o.activities(o.ada.ID)
		slices.Sort(want)
		if got = slices.DeleteFunc(got, func(s string) bool { return s == "Add user" }); !slices.Equal(got, want) {
			o.Errorf("RL-32 audit: %q", got)
		}
		o.issue(accesspass.Order{At: noon.Add(3 * time.Minute)})
		if got := o.activities(o.ada.ID); !slices.Contains(got, "Admin registered security info") {
			o.Errorf("audit: %q", got)
		}
	})
}

// TestCode: stored only as a slow hash, without look-alikes, evenly drawn.
func TestCode_PK151(t *testing.T) {
	each(t, func(o office) {
		seen := map[string]bool{}
		for range 20 {
			_, code := o.issue(accesspass.Order{})
			if strings.ContainsAny(code, "0Oo1Ili+/") || seen[code] {
				o.Errorf("code %q", code)
			}
			seen[code] = true
			var hash []byte
			if err := o.d.QueryRowContext(o.Context(), `SELECT code_hash FROM access_passes`).Scan(&hash); err != nil || strings.Contains(string(hash), code) || !strings.HasPrefix(string(hash), "$argon2id$") {
				o.Errorf("stored %q, %v", hash, err)
			}
		}
		logs, err := audit.Audits(o.Context(), o.d, audit.Query{})
		if err != nil {
			o.Fatal(err)
		}
		for _, r := range logs {
			for _, kv := range r.AdditionalDetails {
				if seen[kv.Value] {
					o.Errorf("RL-26: a code stands in the audit log: %+v", r)
				}
			}
		}
	})
}
