package condaccess

import (
	"context"
	"time"

	"cardea/internal/db"
)

// kept is what policies, locations and strengths have in common.
type kept interface {
	identity() (id string, version int64, deleted *time.Time)
}

func (p Policy) identity() (string, int64, *time.Time) { return p.ID, p.Version, p.DeletedDateTime }
func (l NamedLocation) identity() (string, int64, *time.Time) {
	return l.ID, l.Version, l.DeletedDateTime
}
func (s Strength) identity() (string, int64, *time.Time) { return s.ID, s.Version, nil }

// step reads what an object was, nil if there was none, and makes what it is to
// be.
type step[T kept] func(q db.Querier) (was *T, next T, err error)

// created is the step to a new object.
func created[T kept](next T) step[T] {
	return func(db.Querier) (*T, T, error) { return nil, next, nil }
}

// edited is the step from the object that read finds, if it is the one that e
// has seen, by way of change.
func edited[T kept](e Edit, read func(db.Querier) (T, error), change func(T) (T, error)) step[T] {
	return func(q db.Querier) (*T, T, error) {
		was, err := read(q)
		if err != nil {
			return nil, was, err
		}
		_, version, _ := was.identity()
		if err := e.expect(version); err != nil {
			return nil, was, err
		}
		next, err := change(was)
		return &was, next, err
	}
}

// saved takes a step in one transaction; keep judges and stores its outcome and
// reads it back.
func saved[T kept](ctx context.Context, k *Keeper, e Edit, to step[T], keep func(q db.Querier, e Edit, was *T, next T, c *Checked) (T, error)) (out T, checked Checked, err error) {
	if e, err = k.prepared(ctx, e); err != nil {
		return out, checked, err
	}
	err = k.DB.Write(ctx, func(q db.Querier) error {
		checked = Checked{Warnings: []Warning{}}
		if err := begin(ctx, q); err != nil {
			return err
		}
		was, next, err := to(q)
		if err != nil {
			return err
		}
		out, err = keep(q, e, was, next, &checked)
		return err
	})
	return out, checked, k.refreshed(ctx, err)
}

// storing is the change that puts next, as the row x, in the place of was.
func storing[T kept](x row, was *T, next T) change {
	c := change{row: x, verb: "Add", after: next}
	if was == nil {
		return c
	}
	c.verb, c.before = "Update", *was
	if _, _, deleted := (*was).identity(); deleted != nil {
		c.verb = "Restore"
	}
	return c
}

// guarded asks the guard about the step from what is stored to that with change.
func (k *Keeper) guarded(ctx context.Context, q db.Querier, e Edit, change func(*Source)) (GuardResult, error) {
	before, err := k.source(ctx, q)
	if err != nil {
		return GuardResult{}, err
	}
	after := before
	change(&after)
	return k.guard(ctx, q, before, after, e)
}

// replaced is list with next in the place of what has its id.
func replaced[T kept](list []T, next T) []T {
	id, _, _ := next.identity()
	out := make([]T, 0, len(list)+1)
	for _, old := range list {
		if was, _, _ := old.identity(); was != id {
			out = append(out, old)
		}
	}
	return append(out, next)
}

// removed deletes an object; release says what it was and its name, or why it
// has to stay.
func (k *Keeper) removed(ctx context.Context, e Edit, sort, id string, release func(q db.Querier, x row) (was any, name string, err error)) error {
	err := k.DB.Write(ctx, func(q db.Querier) error {
		if err := begin(ctx, q); err != nil {
			return err
		}
		x, err := getRow(ctx, q, sort, id, false)
		if err != nil {
			return err
		}
		if err := e.expect(x.version); err != nil {
			return err
		}
		c := change{row: x, verb: "Delete"}
		if c.before, c.name, err = release(q, x); err != nil {
			return err
		}
		return c.save(ctx, q, e)
	})
	return k.refreshed(ctx, err)
}

// unused refuses to let go of what policies name (CA-82, CA-93).
func (k *Keeper) unused(ctx context.Context, q db.Querier, kind Kind, x row) error {
	by, err := k.using(ctx, q, kind, x.id)
	if err != nil {
		return err
	}
	return referenced(nouns[x.sort], by)
}
