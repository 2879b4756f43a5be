package directory

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/rule"
)

// SettleDynamic does one batch of the oldest open round: it asks the next
// limit people whether they belong to the group. It reports whether there is
// more to do. Nodes may call it at the same time: they take turns, and a batch
// whose rule was changed meanwhile is rolled back.
func SettleDynamic(ctx context.Context, d *db.DB, now time.Time, limit int) (more bool, err error) {
	const open = ` FROM dynamic_groups d JOIN groups g ON g.id = d.group_id WHERE d.done_at = 0 AND g.dynamic AND g.rule_state = 'On' AND g.deleted_at = 0`
	if err := d.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1`+open+`)`).Scan(&more); err != nil || !more {
		return false, err
	}
	return more, d.Write(ctx, func(q db.Querier) error {
		if err := lockGroupLog(ctx, q); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `UPDATE versions SET value = value WHERE name = $1`, versionOf(kindUser)); err != nil {
			return err
		}
		var g dynamicGroup
		var position string
		var round int64
		err := q.QueryRowContext(ctx, `SELECT g.id, g.display_name, g.rule, d.position, d.round`+open+` ORDER BY d.started_at, d.group_id LIMIT 1`).Scan(&g.id, &g.name, &g.text, &position, &round)
		if err = db.Err("", err); problem.KindOf(err) == problem.NotFound {
			return nil // another node was faster
		}
		if err != nil {
			return err
		}
		if g.rule, err = ParseRule(g.text); err != nil {
			_, err := q.ExecContext(ctx, `UPDATE dynamic_groups SET done_at = $1 WHERE group_id = $2 AND round = $3`, now.UnixMilli(), g.id, round)
			return err
		}
		rows, err := q.QueryContext(ctx, `SELECT `+wholeColumns+` FROM users WHERE deleted_at = 0 AND id > $1 ORDER BY id LIMIT $2`, position, limit)
		people, err := collectWhole(rows, err)
		if err != nil {
			return err
		}
		did, err := ask(ctx, q, now, people, []dynamicGroup{g})
		if err != nil {
			return err
		}
		done := int64(0)
		if len(people) < limit {
			done = now.UnixMilli()
		}
		if len(people) > 0 {
			position = people[len(people)-1].ID
		}
		res, err := q.ExecContext(ctx, `UPDATE dynamic_groups SET position = $1, checked = checked + $2, added = added + $3, removed = removed + $4, done_at = $5 WHERE group_id = $6 AND round = $7`,
			position, len(people), did.added, did.removed, done, g.id, round)
		return db.Changed("This round", res, err)
	})
}

// Processing says how far the members of a dynamic group follow its rule.
type Processing struct {
	Status    string     `json:"status"` // notStarted, running, succeeded, paused, failed
	Checked   int64      `json:"usersChecked"`
	Total     int64      `json:"usersTotal"`
	Added     int64      `json:"added"`
	Removed   int64      `json:"removed"`
	Started   time.Time  `json:"startedDateTime"`
	Completed *time.Time `json:"completedDateTime"`
}

// GetProcessing returns the state of the present round of a dynamic group.
func GetProcessing(ctx context.Context, q db.Querier, groupID string) (Processing, error) {
	g, err := GetGroup(ctx, q, groupID)
	if err != nil {
		return Processing{}, err
	}
	if !g.Is(DynamicMembership) {
		return Processing{}, problem.New(problem.Invalid, "membershipAssigned", "The members of this group are assigned: there is no rule to follow.")
	}
	var p Processing
	var started, done int64
	err = q.QueryRowContext(ctx, `SELECT checked, added, removed, started_at, done_at, (SELECT count(*) FROM users WHERE deleted_at = 0) FROM dynamic_groups WHERE group_id = $1`, g.ID).
		Scan(&p.Checked, &p.Added, &p.Removed, &started, &done, &p.Total)
	if err != nil {
		return p, db.Err("The membership processing of the group "+groupID, err)
	}
	p.Started = db.Time(started)
	if done > 0 {
		p.Completed = db.NullTime(sql.NullInt64{Int64: done, Valid: true})
	}
	_, broken := ParseRule(g.MembershipRule)
	switch {
	case broken != nil:
		p.Status = "failed"
	case g.MembershipRuleProcessingState != "On":
		p.Status = "paused"
	case done > 0:
		p.Status = "succeeded"
	case p.Checked > 0:
		p.Status = "running"
	default:
		p.Status = "notStarted"
	}
	return p, nil
}

// ExplainRule says what each part of a rule makes of a person.
func ExplainRule(ctx context.Context, q db.Querier, text, userID string) (rule.Outcome, error) {
	r, err := ParseRule(text)
	if err != nil {
		return rule.Outcome{}, err
	}
	u, err := GetWhole(ctx, q, userID)
	if err != nil {
		return rule.Outcome{}, err
	}
	return r.Explain(about(&u)), nil
}
