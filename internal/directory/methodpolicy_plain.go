package directory

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
)

// GetMethodPolicy returns the policy of a method that has no settings of its
// own: MethodCode or MethodPassword. Both are off until somebody turns them on.
func GetMethodPolicy(ctx context.Context, q db.Querier, id string) (MethodPolicy, error) {
	p := DefaultMethodPolicy(id, "disabled")
	v, err := LoadMethodPolicy(ctx, q, id, &p)
	p.Version = v
	return p, err
}

// UpdateMethodPolicy applies change to such a policy. change may look at
// Version and refuse (If-Match).
func UpdateMethodPolicy(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string, change func(*MethodPolicy) error) (MethodPolicy, error) {
	was, err := GetMethodPolicy(ctx, q, id)
	if err != nil {
		return was, err
	}
	p, err := GetMethodPolicy(ctx, q, id) // a second copy: change may write into its lists
	if err != nil {
		return p, err
	}
	if err := change(&p); err != nil {
		return p, err
	}
	if err := p.Check(ctx, q, was); err != nil {
		return p, err
	}
	err = SaveMethodPolicy(ctx, q, a, now, MethodPolicyChange{ID: id, Before: was, After: p, Version: was.Version})
	p.Version++
	return p, err
}

// ResetMethodPolicy switches such a method off and forgets its targets.
func ResetMethodPolicy(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	was, err := GetMethodPolicy(ctx, q, id)
	if err != nil {
		return err
	}
	return SaveMethodPolicy(ctx, q, a, now, MethodPolicyChange{ID: id, Before: was, After: DefaultMethodPolicy(id, "disabled"), Version: was.Version, Reset: true})
}
