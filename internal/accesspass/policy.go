package accesspass

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// Policy is Graph's temporaryAccessPassAuthenticationMethodConfiguration.
type Policy struct {
	directory.MethodPolicy
	MinimumLifetimeInMinutes int64 `json:"minimumLifetimeInMinutes"`
	MaximumLifetimeInMinutes int64 `json:"maximumLifetimeInMinutes"`
	DefaultLifetimeInMinutes int64 `json:"defaultLifetimeInMinutes"`
	DefaultLength            int64 `json:"defaultLength"`
	IsUsableOnce             bool  `json:"isUsableOnce"` // true: every pass works once (PK-148)
}

// Lifetimes that any policy may allow, in minutes (PK-146).
const (
	ShortestLifetime = 10
	LongestLifetime  = 43200
)

// DefaultPolicy is on for everybody: the pass is the way in and the way back.
func DefaultPolicy() Policy {
	return Policy{MethodPolicy: directory.DefaultMethodPolicy(directory.MethodAccessPass, "enabled"),
		MinimumLifetimeInMinutes: 60, MaximumLifetimeInMinutes: 480, DefaultLifetimeInMinutes: 60, DefaultLength: 8}
}

// GetPolicy returns the policy as it is now.
func GetPolicy(ctx context.Context, q db.Querier) (Policy, error) {
	p := DefaultPolicy()
	v, err := directory.LoadMethodPolicy(ctx, q, p.ID, &p)
	p.Version = v
	return p, err
}

// UpdatePolicy applies change to the stored policy. change may look at Version
// and refuse (If-Match). Passes that exist keep their times.
func UpdatePolicy(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, change func(*Policy) error) (Policy, error) {
	was, err := GetPolicy(ctx, q)
	if err != nil {
		return was, err
	}
	p, err := GetPolicy(ctx, q) // a second copy: change may write into its lists
	if err != nil {
		return p, err
	}
	if err := change(&p); err != nil {
		return p, err
	}
	if err := p.Check(ctx, q, was); err != nil {
		return p, err
	}
	err = directory.SaveMethodPolicy(ctx, q, a, now, directory.MethodPolicyChange{ID: p.ID, Before: was, After: p, Version: was.Version})
	p.Version++
	return p, err
}

// ResetPolicy goes back to the defaults.
func ResetPolicy(ctx context.Context, q db.Querier, a audit.Actor, now time.Time) error {
	was, err := GetPolicy(ctx, q)
	if err != nil {
		return err
	}
	return directory.SaveMethodPolicy(ctx, q, a, now, directory.MethodPolicyChange{ID: was.ID, Before: was, After: DefaultPolicy(), Version: was.Version, Reset: true})
}

// Check refuses what passkeys.md §8.2 does not allow.
func (p *Policy) Check(ctx context.Context, q db.Querier, was Policy) error {
	for _, r := range []struct {
		name            string
		value, low, top int64
	}{
		{"minimumLifetimeInMinutes", p.MinimumLifetimeInMinutes, ShortestLifetime, LongestLifetime},
		{"maximumLifetimeInMinutes", p.MaximumLifetimeInMinutes, ShortestLifetime, LongestLifetime},
		{"defaultLength", p.DefaultLength, 8, 48},
	} {
		if r.value < r.low || r.value > r.top {
			return problem.New(problem.Invalid, "invalidValue", "%s is between %d and %d, not %d.", r.name, r.low, r.top, r.value).On(r.name)
		}
	}
	if p.MinimumLifetimeInMinutes > p.MaximumLifetimeInMinutes {
		return problem.New(problem.Invalid, "invalidValue", "The shortest lifetime, %d minutes, is longer than the longest, %d.",
			p.MinimumLifetimeInMinutes, p.MaximumLifetimeInMinutes).On("minimumLifetimeInMinutes")
	}
	if p.DefaultLifetimeInMinutes < p.MinimumLifetimeInMinutes || p.DefaultLifetimeInMinutes > p.MaximumLifetimeInMinutes {
		return problem.New(problem.Invalid, "invalidValue", "defaultLifetimeInMinutes is between the minimum, %d, and the maximum, %d.",
			p.MinimumLifetimeInMinutes, p.MaximumLifetimeInMinutes).On("defaultLifetimeInMinutes")
	}
	return p.MethodPolicy.Check(ctx, q, was.MethodPolicy)
}

// pass turns an order into a pass, or says which rule it breaks.
func (p *Policy) pass(o Order) (Pass, error) {
	minutes, once, start := p.DefaultLifetimeInMinutes, p.IsUsableOnce, o.At
	if o.LifetimeInMinutes != nil {
		minutes = *o.LifetimeInMinutes
	}
	if minutes < ShortestLifetime || minutes > LongestLifetime || minutes < p.MinimumLifetimeInMinutes || minutes > p.MaximumLifetimeInMinutes {
		return Pass{}, problem.New(problem.Invalid, "invalidValue", "The policy allows a lifetime of %d to %d minutes, not %d. Choose another, or change the policy of the Temporary Access Pass.",
			p.MinimumLifetimeInMinutes, p.MaximumLifetimeInMinutes, minutes).On("lifetimeInMinutes")
	}
	if o.IsUsableOnce != nil {
		if !*o.IsUsableOnce && p.IsUsableOnce {
			return Pass{}, problem.New(problem.Invalid, "invalidValue", "The policy allows only passes that work once. Leave isUsableOnce out, or change the policy of the Temporary Access Pass.").On("isUsableOnce")
		}
		once = *o.IsUsableOnce
	}
	if o.StartDateTime != nil && o.StartDateTime.After(o.At) {
		if start = *o.StartDateTime; start.Sub(o.At) > 366*24*time.Hour {
			return Pass{}, problem.New(problem.Invalid, "invalidValue", "A pass starts within a year from now. Choose an earlier date.").On("startDateTime")
		}
	}
	// Whole milliseconds are what is stored.
	return Pass{StartDateTime: start.UTC().Truncate(time.Millisecond), LifetimeInMinutes: minutes, IsUsableOnce: once}, nil
}
