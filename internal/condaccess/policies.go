package condaccess

import (
	"context"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/odata"
)

func (x *row) policy() (Policy, error) {
	p, err := decodePolicy(x.document)
	p.ID, p.State, p.Version = x.id, State(x.state), x.version
	created := db.Time(x.created)
	p.CreatedDateTime, p.ModifiedDateTime, p.DeletedDateTime = &created, optional(x.modified), optional(x.deleted)
	return p, err
}

// PolicySchema says what $filter and $orderby may name on policies.
var PolicySchema = odata.Schema{
	"id":               {Column: "id", Folded: true},
	"displayName":      {Column: "display_key", Folded: true, Sort: true, More: []string{"contains", "endswith"}},
	"state":            {Column: "state"},
	"createdDateTime":  {Column: "created_at", Kind: odata.DateTimeOffset, Sort: true},
	"modifiedDateTime": {Column: "modified_at", Kind: odata.DateTimeOffset, Zero: true, Sort: true},
}

// PolicyPaging is the page size and the usual order of policies: by name.
var PolicyPaging = odata.Paging{Default: 100, Max: 999, Skip: true, Order: []odata.Order{{Name: "displayName", Property: PolicySchema["displayName"]}}}

// Policy returns one policy that is in use, with the strength it demands in
// full. An unknown one is NotFound.
func (k *Keeper) Policy(ctx context.Context, q db.Querier, id string) (Policy, error) {
	return k.policy(ctx, q, id, false)
}

// DeletedPolicy returns one of the deleted policies.
func (k *Keeper) DeletedPolicy(ctx context.Context, q db.Querier, id string) (Policy, error) {
	return k.policy(ctx, q, id, true)
}

func (k *Keeper) policy(ctx context.Context, q db.Querier, id string, deleted bool) (Policy, error) {
	x, err := getRow(ctx, q, sortPolicy, id, deleted)
	if err != nil {
		return Policy{}, err
	}
	p, err := x.policy()
	if err != nil {
		return p, err
	}
	list, err := k.resolved(ctx, q, []Policy{p})
	if err != nil {
		return p, err
	}
	return list[0], nil
}

// resolved puts the strengths that policies demand into them.
func (k *Keeper) resolved(ctx context.Context, q db.Querier, list []Policy) ([]Policy, error) {
	known := map[string]*Strength{}
	for i := range list {
		g := list[i].GrantControls
		if g == nil || g.AuthStrength == nil {
			continue
		}
		if len(known) == 0 {
			all, err := k.Strengths(ctx, q)
			if err != nil {
				return nil, err
			}
			for j := range all {
				known[all[j].ID] = &all[j]
			}
		}
		g.AuthStrength.Strength = known[g.AuthStrength.ID]
	}
	return list, nil
}

// FindPolicies returns one page of policies, and one more if there is a next
// page.
func (k *Keeper) FindPolicies(ctx context.Context, d db.Querier, q odata.Query, a Among) ([]Policy, error) {
	rows, err := findRows(ctx, d, q, a, sortPolicy)
	if err != nil {
		return nil, err
	}
	return k.policiesOf(ctx, d, rows)
}

func (k *Keeper) policiesOf(ctx context.Context, q db.Querier, rows []row) ([]Policy, error) {
	list := make([]Policy, len(rows))
	for i := range rows {
		var err error
		if list[i], err = rows[i].policy(); err != nil {
			return nil, err
		}
	}
	return k.resolved(ctx, q, list)
}

// CountPolicies returns how many policies q selects, on all pages.
func (k *Keeper) CountPolicies(ctx context.Context, d db.Querier, q odata.Query, a Among) (int64, error) {
	return countRows(ctx, d, q, a, sortPolicy)
}

// CreatePolicy stores the policy of e.Body.
//
// Errors: those of ReadPolicy and Check; wouldLockOutAdministrators (CA-29).
func (k *Keeper) CreatePolicy(ctx context.Context, e Edit) (Policy, Checked, error) {
	p, err := ReadPolicy(e.Body)
	if err != nil {
		return p, Checked{}, err
	}
	p.ID = db.NewID(e.At)
	return k.savePolicy(ctx, e, created(p))
}

// UpdatePolicy changes a policy by the PATCH in e.Body. Errors: those of
// Patched and Check; PreconditionFailed, changed; wouldLockOutAdministrators.
func (k *Keeper) UpdatePolicy(ctx context.Context, id string, e Edit) (Policy, Checked, error) {
	return k.savePolicy(ctx, e, edited(e, func(q db.Querier) (Policy, error) { return k.Policy(ctx, q, id) },
		func(was Policy) (Policy, error) { return was.Patched(e.Body) }))
}

// RestorePolicy brings a deleted policy back. One that was enabled comes back
// in report-only (CA-19): what it would do may have changed meanwhile.
func (k *Keeper) RestorePolicy(ctx context.Context, id string, e Edit) (Policy, Checked, error) {
	return k.savePolicy(ctx, e, func(q db.Querier) (*Policy, Policy, error) {
		was, err := k.DeletedPolicy(ctx, q, id)
		if err != nil {
			return nil, was, err
		}
		next := was
		if next.State == Enabled {
			next.State = ReportOnly
		}
		next.DeletedDateTime = nil
		return &was, next, nil
	})
}

// DeletePolicy puts a policy among the deleted items.
func (k *Keeper) DeletePolicy(ctx context.Context, id string, e Edit) error {
	return k.removed(ctx, e, sortPolicy, id, func(_ db.Querier, x row) (any, string, error) {
		was, err := x.policy()
		return was, was.DisplayName, err
	})
}

// refreshed makes a change count in this process before its author hears of it.
func (k *Keeper) refreshed(ctx context.Context, err error) error {
	if err == nil {
		_, err = k.Snapshot(ctx)
	}
	return err
}

// savePolicy is what creating, changing and restoring share.
func (k *Keeper) savePolicy(ctx context.Context, e Edit, to step[Policy]) (Policy, Checked, error) {
	return saved(ctx, k, e, to, func(q db.Querier, e Edit, was *Policy, next Policy, c *Checked) (Policy, error) {
		w, err := k.world(ctx, q, was)
		if err != nil {
			return next, err
		}
		if err := w.check(&next); err != nil {
			return next, err
		}
		if c.Warnings, err = w.warnings(&next); err != nil {
			return next, err
		}
		if next.State == Enabled { // CA-32
			if c.Guard, err = k.guarded(ctx, q, e, func(s *Source) { s.Policies = replaced(s.Policies, next) }); err != nil {
				return next, err
			}
			c.warn(e.Actor.UserID)
		}
		if err := storePolicy(ctx, q, was, next, e); err != nil {
			return next, err
		}
		return k.Policy(ctx, q, next.ID)
	})
}

// CheckPolicy says what the guard thinks of a policy without saving it (CA-33).
// A draft without id is a new policy.
func (k *Keeper) CheckPolicy(ctx context.Context, draft Policy, e Edit) (GuardResult, error) {
	before, err := k.source(ctx, k.DB)
	if err != nil {
		return GuardResult{}, err
	}
	if e, err = k.prepared(ctx, e); err != nil {
		return GuardResult{}, err
	}
	people, err := k.administrators(ctx, k.DB, e)
	if err != nil {
		return GuardResult{}, err
	}
	after := before
	after.Policies = replaced(before.Policies, draft)
	return Guard(Compile(before), Compile(after), people), nil
}

func storePolicy(ctx context.Context, q db.Querier, was *Policy, next Policy, e Edit) error {
	document, err := encodePolicy(next)
	if err != nil {
		return err
	}
	c := storing(row{id: next.ID, sort: sortPolicy, name: next.DisplayName, state: string(next.State), document: document}, was, next)
	if err := c.save(ctx, q, e); err != nil {
		return err
	}
	if was == nil || was.State == next.State {
		return nil
	}
	t := audit.Target{ID: next.ID, DisplayName: next.DisplayName, Type: "Policy", ModifiedProperties: []audit.Modified{audit.Change("state", was.State, next.State)}}
	return audit.Write(ctx, q, e.Actor, e.At, audit.Record{ActivityDisplayName: "Conditional Access policy state changed", Category: "Policy", LoggedByService: "Cardea", OperationType: "Update", TargetResources: []audit.Target{t}})
}

// using lists the policies in use that name an id of a kind.
func (k *Keeper) using(ctx context.Context, q db.Querier, kind Kind, id string) ([]Policy, error) {
	rows, err := allRows(ctx, q, sortPolicy)
	if err != nil {
		return nil, err
	}
	var out []Policy
	for _, x := range rows {
		p, err := x.policy()
		if err != nil {
			return nil, err
		}
		for _, r := range p.References() {
			if r.Kind == kind && r.ID == id {
				out = append(out, p)
				break
			}
		}
	}
	return k.resolved(ctx, q, out)
}
