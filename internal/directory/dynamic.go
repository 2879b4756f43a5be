package directory

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/rule"
)

// Dynamic membership (DO-15). Members of a group with DynamicMembership are
// ordinary rows of group_members, which only this file writes:
//
//   - A change of a person asks, in its own transaction, the rules that use
//     what changed (logPeople).
//   - A change of a rule opens a round (Group.settle), in which SettleDynamic
//     asks everybody, batch by batch. Only Global Administrators are asked at
//     once, so that the guard of the change sees what it does to them.
//
// While the state is Paused nobody is asked; switching it on opens a round.
//
// Order keeps the two from overlooking each other: whoever changes a person
// reads the rules after taking the row of the users' log, and a batch takes
// that row before it reads people. Both take the row of the groups' log first.

// dynamicGroup is a rule in force.
type dynamicGroup struct {
	id, name, text string
	uses           []string
	rule           *rule.Rule
}

// DynamicActor is who changes members of dynamic groups, for the audit log.
var DynamicActor = audit.System("dynamic membership")

func on(err error, target string) error {
	if p, ok := err.(*problem.Error); ok {
		return p.On(target)
	}
	return err
}

// lockGroupLog takes the row of the groups' log for the rest of the transaction.
func lockGroupLog(ctx context.Context, q db.Querier) error {
	_, err := q.ExecContext(ctx, `UPDATE versions SET value = value WHERE name = $1`, versionOf(kindGroup))
	return err
}

// expectDynamic reports whether there are dynamic groups at all, and then takes
// the row of the groups' log.
func expectDynamic(ctx context.Context, q db.Querier) (any bool, err error) {
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM dynamic_groups)`).Scan(&any); err != nil || !any {
		return false, err
	}
	return true, lockGroupLog(ctx, q)
}

// logPeople is logChanges for people who came or changed, and brings them into
// and out of dynamic groups. changed names their members that are new; nil is
// all. people need their Profile.
func logPeople(ctx context.Context, q db.Querier, now time.Time, people []User, changed []string) error {
	log := make([]change, len(people))
	for i, u := range people {
		if log[i] = came(u.ID); changed != nil {
			log[i] = change{id: u.ID, what: changed}
		}
	}
	any, err := expectDynamic(ctx, q)
	if err != nil {
		return err
	}
	if err := logChanges(ctx, q, now, kindUser, log...); err != nil || !any {
		return err
	}
	rules, err := rulesInForce(ctx, q, changed)
	if err != nil || len(rules) == 0 {
		return err
	}
	_, err = ask(ctx, q, now, people, rules)
	return err
}

// rulesInForce returns the rules that use any of the members named; nil is all.
func rulesInForce(ctx context.Context, q db.Querier, members []string) ([]dynamicGroup, error) {
	rows, err := q.QueryContext(ctx, `SELECT g.id, g.display_name, g.rule, d.uses FROM dynamic_groups d JOIN groups g ON g.id = d.group_id
		WHERE g.dynamic AND g.rule_state = 'On' AND g.deleted_at = 0 ORDER BY g.id`)
	all, err := db.Collect(rows, err, scanDynamic)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(g dynamicGroup) bool {
		return members != nil && !slices.ContainsFunc(members, func(m string) bool { return slices.Contains(g.uses, m) })
	})
	for i := range all { // a stored rule that cannot be read stops nobody's change: its round shows it as failed
		if r, err := ParseRule(all[i].text); err == nil {
			all[i].rule = r
		}
	}
	return slices.DeleteFunc(all, func(g dynamicGroup) bool { return g.rule == nil }), nil
}

func scanDynamic(r *sql.Rows, g *dynamicGroup) error {
	var uses string
	err := r.Scan(&g.id, &g.name, &g.text, &uses)
	g.uses = strings.Split(uses, ",")
	return err
}

type settled struct{ added, removed int }

// ask evaluates rules for people and makes their memberships so, each change
// with its audit record.
func ask(ctx context.Context, q db.Querier, now time.Time, people []User, rules []dynamicGroup) (settled, error) {
	type membership struct{ group, member string }
	ids := make([]string, len(people))
	for i, u := range people {
		ids[i] = u.ID
	}
	have, err := byID(ctx, q, `SELECT group_id, member_id FROM group_members WHERE member_id IN `, ids, func(r *sql.Rows, m *membership) error { return r.Scan(&m.group, &m.member) })
	if err != nil {
		return settled{}, err
	}
	in := make(map[membership]bool, len(have))
	for _, m := range have {
		in[m] = true
	}
	var out settled
	for _, g := range rules {
		var come, leave []User
		for i := range people {
			u := &people[i]
			switch is, was := g.rule.Evaluate(about(u)), in[membership{g.id, u.ID}]; {
			case is && !was:
				come = append(come, *u)
			case was && !is:
				leave = append(leave, *u)
			}
		}
		if err := g.put(ctx, q, now, come, "Add"); err != nil {
			return out, err
		}
		if err := g.put(ctx, q, now, leave, "Remove"); err != nil {
			return out, err
		}
		out.added, out.removed = out.added+len(come), out.removed+len(leave)
	}
	return out, nil
}

func (g *dynamicGroup) put(ctx context.Context, q db.Querier, now time.Time, people []User, verb string) error {
	if len(people) == 0 {
		return nil
	}
	members := make([]member, len(people))
	for i, u := range people {
		members[i] = member{u.ID, kindUser}
	}
	write, activity, operation := putMembers, "Add member to group", "Assign"
	if verb == "Remove" {
		write, activity, operation = dropMembers, "Remove member from group", "Unassign"
	}
	if _, err := write(ctx, q, now, g.id, members...); err != nil {
		return err
	}
	target := audit.Target{ID: g.id, DisplayName: g.name, Type: "Group", ModifiedProperties: []audit.Modified{}}
	for _, u := range people {
		if err := audit.Write(ctx, q, DynamicActor, now, audit.Record{ActivityDisplayName: activity, Category: "GroupManagement", OperationType: operation,
			ResultReason: "The membershipRule says so", TargetResources: []audit.Target{u.target(), target}, AdditionalDetails: []audit.KeyValue{{Key: "membershipRule", Value: g.text}}}); err != nil {
			return err
		}
	}
	return nil
}

// settle follows a change of a group: it opens a round if the rule is new or
// was switched on, and ends dynamic membership if that is gone. was is nil for
// a group that came, or came back.
func (g *Group) settle(ctx context.Context, q db.Querier, now time.Time, was *Group) error {
	before := was != nil && was.Is(DynamicMembership)
	if !g.Is(DynamicMembership) {
		if !before {
			return nil
		}
		_, err := q.ExecContext(ctx, `DELETE FROM dynamic_groups WHERE group_id = $1`, g.ID)
		return err
	}
	if before && was.MembershipRule == g.MembershipRule && was.MembershipRuleProcessingState == g.MembershipRuleProcessingState {
		return nil
	}
	r, err := ParseRule(g.MembershipRule)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO dynamic_groups (group_id, uses, started_at) VALUES ($1, $2, $3)
		ON CONFLICT (group_id) DO UPDATE SET uses = excluded.uses, round = dynamic_groups.round + 1, position = '', checked = 0, added = 0, removed = 0, started_at = excluded.started_at, done_at = 0`,
		g.ID, strings.Join(membersUsed(r), ","), now.UnixMilli()); err != nil {
		return err
	}
	if !before { // groups inside were assigned; a rule finds people only
		if err := g.dropInner(ctx, q, now); err != nil {
			return err
		}
	}
	if g.MembershipRuleProcessingState != "On" {
		return nil
	}
	if err := lockGroupLog(ctx, q); err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT `+wholeColumns+` FROM users WHERE deleted_at = 0 AND id IN (`+HoldersSQL("$1")+`)`, GlobalAdministrator)
	administrators, err := collectWhole(rows, err)
	if err != nil {
		return err
	}
	_, err = ask(ctx, q, now, administrators, []dynamicGroup{{id: g.ID, name: g.DisplayName, text: g.MembershipRule, rule: r}})
	return err
}

func (g *Group) dropInner(ctx context.Context, q db.Querier, now time.Time) error {
	rows, err := q.QueryContext(ctx, `SELECT member_id FROM group_members WHERE group_id = $1 AND member_type <> 'user' ORDER BY member_id`, g.ID)
	inner, err := ids(rows, err)
	if err != nil {
		return err
	}
	for _, id := range inner {
		if _, err := dropMembers(ctx, q, now, g.ID, member{id, kindGroup}); err != nil {
			return err
		}
	}
	return nil
}

// settlePerson asks every rule about one person at once: whoever becomes an
// administrator must be where the rules put them before the guard looks.
func settlePerson(ctx context.Context, q db.Querier, now time.Time, id string) error {
	any, err := expectDynamic(ctx, q)
	if err != nil || !any {
		return err
	}
	rules, err := rulesInForce(ctx, q, nil)
	if err != nil {
		return err
	}
	u, err := GetWhole(ctx, q, id)
	if err != nil {
		return err
	}
	_, err = ask(ctx, q, now, []User{u}, rules)
	return err
}
