package directory_test

import (
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

func TestMethodPolicyRefusal_PK54(t *testing.T) {
	group := func(id string) directory.MethodTarget { return directory.MethodTarget{TargetType: "group", ID: id} }
	for _, c := range []struct {
		name     string
		state    string
		in       []directory.MethodTarget
		out      []directory.ExcludeMethodTarget
		memberOf []string
		want     string
	}{
		{"everybody", "enabled", []directory.MethodTarget{group(directory.AllUsers)}, nil, nil, ""},
		{"off", "disabled", []directory.MethodTarget{group(directory.AllUsers)}, nil, nil, "methodDisabled"},
		{"in the group", "enabled", []directory.MethodTarget{group("g")}, nil, []string{"g"}, ""},
		{"not in the group", "enabled", []directory.MethodTarget{group("g")}, nil, []string{"h"}, "userNotTargeted"},
		{"nobody", "enabled", nil, nil, []string{"g"}, "userNotTargeted"},
		{"named", "enabled", []directory.MethodTarget{{TargetType: "user", ID: "u"}}, nil, nil, ""},
		{"exclusion wins", "enabled", []directory.MethodTarget{group("g"), {TargetType: "user", ID: "u"}}, []directory.ExcludeMethodTarget{{TargetType: "group", ID: "h"}}, []string{"g", "h"}, "userExcluded"},
		{"all excluded", "enabled", []directory.MethodTarget{group("g")}, []directory.ExcludeMethodTarget{{TargetType: "group", ID: directory.AllUsers}}, []string{"g"}, "userExcluded"},
	} {
		p := directory.MethodPolicy{State: c.state, IncludeTargets: c.in, ExcludeTargets: c.out}
		if got := p.Refusal(c.memberOf, "u"); got != c.want || p.Applies(c.memberOf, "u") != (c.want == "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestMethodPolicyStore: targets must exist (PK-26), a change raises versions
// and leaves its two documents in the audit log (RL-37), and of two changes
// from one state the second is refused (PK-17).
func TestMethodPolicyStore_PK17_PK26_RL37(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
		load := func() directory.MethodPolicy {
			t.Helper()
			p := directory.DefaultMethodPolicy("SoftwareOath", "disabled")
			v, err := directory.LoadMethodPolicy(ctx, d, p.ID, &p)
			if err != nil {
				t.Fatal(err)
			}
			p.Version = v
			return p
		}
		save := func(was, p directory.MethodPolicy) error {
			return d.Write(ctx, func(q db.Querier) error {
				if err := p.Check(ctx, q, was); err != nil {
					return err
				}
				return directory.SaveMethodPolicy(ctx, q, audit.System("test"), now, directory.MethodPolicyChange{ID: p.ID, Before: was, After: p, Version: was.Version})
			})
		}
		if p := load(); p.State != "disabled" || p.Version != 0 {
			t.Fatalf("defaults: %+v", p)
		}
		was := load()
		p := was
		p.IncludeTargets = []directory.MethodTarget{{TargetType: "group", ID: "nobody"}}
		if err := save(was, p); problem.CodeOf(err) != "unknownTarget" {
			t.Fatalf("PK-26, unknown group: %v", err)
		}
		p.IncludeTargets = []directory.MethodTarget{{ID: directory.GlobalAdministrator, TargetType: "role"}, {ID: directory.GlobalAdministrator}}
		if err := save(was, p); problem.CodeOf(err) != "duplicateTarget" {
			t.Fatalf("PK-26, duplicate: %v", err)
		}
		p.State = "on"
		if err := save(was, p); problem.CodeOf(err) != "invalidValue" {
			t.Fatalf("state: %v", err)
		}
		p.State, p.IncludeTargets = "enabled", []directory.MethodTarget{{ID: directory.GlobalAdministrator, TargetType: "role"}, {ID: directory.AllUsers, TargetType: "user"}}
		if err := save(was, p); err != nil {
			t.Fatal(err)
		}
		got := load()
		if got.Version != 1 || got.IncludeTargets[0].TargetType != "group" || got.IncludeTargets[1].TargetType != "group" {
			t.Fatalf("stored: %+v", got)
		}
		if err := save(was, p); problem.KindOf(err) != problem.PreconditionFailed {
			t.Fatalf("second change from the defaults: %v", err)
		}
		was = got
		got.State = "disabled"
		if err := save(was, got); err != nil {
			t.Fatal(err)
		}
		if err := save(was, got); problem.KindOf(err) != problem.PreconditionFailed {
			t.Fatalf("second change from version 1: %v", err)
		}
		if v, err := db.Version(ctx, d, directory.MethodPoliciesVersion); err != nil || v != 2 {
			t.Fatalf("version row %d, %v", v, err)
		}
		log, err := audit.Audits(ctx, d, audit.Query{UserID: "SoftwareOath"})
		if err != nil || len(log) != 2 || log[0].TargetResources[0].ModifiedProperties[0].OldValue == "" {
			t.Fatalf("audit: %+v, %v", log, err)
		}
	})
}
