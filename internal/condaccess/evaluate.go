package condaccess

import (
	"slices"
	"time"
)

// pass is one evaluation: what each fact of the situation includes and
// excludes, which policies apply, and what each of them says. Decision and
// explanation read the same pass.
type pass struct {
	s         *Snapshot
	x         Situation
	in, out   [kinds]polset
	applied   polset
	outcomes  []Outcome
	strengths []strengthState // of those that were asked, without a limit of age
	skips     bool            // strengths of All-applications policies are skipped (CA-44)
}

// Evaluate judges one situation by all policies at once: enabled, report-only
// and disabled ones (conditional-access §7). It reads no clock and does no I/O.
// The order of policies does not matter (CA-34); only enabled ones change the
// verdict (CA-36).
//
// What a policy says in detail is worked out when it is asked for: see
// Decision.Policies. What it needs of x it keeps, so lists of x must not change
// afterwards.
func Evaluate(s *Snapshot, x Situation) Decision {
	if s == nil || len(s.policies) == 0 {
		return Decision{Verdict: Allow, Outcome: Satisfied}
	}
	p := &pass{s: s, x: x}
	p.conditions()
	return p.decide()
}

// conditions fills in and out, then finds the policies that apply.
func (p *pass) conditions() {
	words := len(p.s.enabled)
	slab := make(polset, (2*kinds+1)*words)
	cut := func() polset {
		b := slab[:words:words]
		slab = slab[words:]
		return b
	}
	for k := range kinds {
		p.in[k], p.out[k] = cut(), cut()
		p.hits(k, func(_ Rule, _ string, h *hit) {
			p.in[k].or(h.in)
			p.out[k].or(h.out)
		})
	}
	p.applied = cut()
	for i := range p.applied {
		met := ^uint64(0)
		for k := range kinds {
			met &= p.met(k, i)
		}
		if !p.x.IncludeDisabled {
			met &^= p.s.disabled[i]
		}
		p.applied[i] = met
	}
	if n := len(p.s.policies); n%64 != 0 { // numbers beyond the last policy
		p.applied[words-1] &= 1<<(n%64) - 1
	}
}

// met is word i of the policies whose condition k holds: it is not configured,
// or something includes and nothing excludes (CA-40). What the situation leaves
// open holds only where it is not configured (CA-68).
func (p *pass) met(k, i int) uint64 {
	if len(p.x.Unknown) > 0 && p.unknown(k) {
		return p.s.free[k][i]
	}
	return p.s.free[k][i] | p.in[k][i]&^p.out[k][i]
}

func (p *pass) unknown(k int) bool {
	return slices.Contains(p.x.Unknown, kindNames[k]) || k == kUsers && slices.Contains(p.x.Unknown, WorkloadCondition)
}

// decide asks the policies that apply.
func (p *pass) decide() Decision {
	p.strengths = make([]strengthState, len(p.s.strengths))
	p.outcomes = make([]Outcome, len(p.s.policies))
	for i := range p.applied {
		if p.applied[i]&p.s.proofUp[i]&p.s.enabled[i] != 0 && p.x.Target.Action == RegisterSecurityInfo {
			p.skips = true
		}
	}
	d := Decision{Outcome: Satisfied, pass: p}
	for i := range p.s.policies {
		switch {
		case p.applied.has(i):
			c := &p.s.policies[i]
			p.outcomes[i] = p.judge(c)
			if p.s.enabled.has(i) {
				d.Outcome = max(d.Outcome, p.outcomes[i])
				d.Session.join(c)
			}
		case p.s.disabled.has(i) && !p.x.IncludeDisabled:
			p.outcomes[i] = NotEnabled
		default:
			p.outcomes[i] = NotApplied
		}
	}
	d.Verdict = d.Outcome.verdict()
	if d.Outcome > Satisfied && d.Outcome < Blocked {
		d.Next = p.steps(d.Outcome)
	}
	return d
}

// judge is the outcome of a policy that applies: of all its controls, or of the
// best, and of its sign-in frequency.
func (p *pass) judge(c *compiled) Outcome {
	all, best := Satisfied, Blocked
	for i := range c.controls {
		o := p.control(c, &c.controls[i])
		all, best = max(all, o), min(best, o)
	}
	out := all
	if len(c.controls) > 0 && !c.and {
		out = best
	}
	if p.overdue(c) {
		out = max(out, ChallengeRequired)
	}
	return out
}

// control is the outcome of one control of a policy.
func (p *pass) control(c *compiled, x *control) Outcome {
	met := false
	switch x.kind {
	case Block:
		return Blocked
	case RequireMFA:
		if p.x.Session.External {
			return Satisfied // CA-6
		}
		return p.strength(c, x).result.outcome()
	case CompliantDevice:
		met = p.x.Device.compliant()
	case DomainJoinedDevice:
		met = p.x.Device.domainJoined()
	case ApprovedApplication, CompliantApplication, RiskRemediation:
	case PasswordChange:
		return asked(p.x.Session.PasswordChanged)
	default:
		switch {
		case x.terms != "":
			return asked(slices.Contains(p.x.Session.Terms, x.terms))
		case x.factor != "":
			return asked(slices.Contains(p.x.Session.Factors, x.factor))
		}
		return p.strength(c, x).result.outcome()
	}
	if met {
		return Satisfied
	}
	return CannotSatisfy
}

func asked(met bool) Outcome {
	if met {
		return Satisfied
	}
	return ChallengeRequired
}

// everyTimeGrace is how long a proof still counts as one of this sign-in, so
// that nobody is asked twice within moments. Entra's is the same.
const everyTimeGrace = 5 * time.Minute

// limit is the moment before which proofs are too old for a policy; zero means
// that none is.
func (p *pass) limit(c *compiled) time.Time {
	switch {
	case !c.timed:
		return time.Time{}
	case c.period > 0:
		return p.x.At.Add(-c.period)
	}
	since := p.x.At.Add(-everyTimeGrace)
	if !p.x.Began.IsZero() && p.x.Began.Before(since) {
		return p.x.Began
	}
	return since
}

// overdue reports whether the sign-in as such is older than a policy allows.
// Old proofs of methods do not count for its strength either: see strength.
func (p *pass) overdue(c *compiled) bool {
	if !c.timed || c.workload {
		return false
	}
	last := p.x.Session.AuthAt
	if c.second && !p.x.Session.MFAAt.IsZero() {
		last = p.x.Session.MFAAt
	}
	return last.Before(p.limit(c))
}
