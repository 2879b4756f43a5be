package condaccess

import (
	"cmp"
	"slices"

	"cardea/internal/passkey"
)

// StepKind is what a person is asked to do.
type StepKind string

const (
	ProveMethod    StepKind = "proveMethod"
	RegisterMethod StepKind = "registerMethod"
	SignInAgain    StepKind = "signInAgain" // with any method that signs in: the last sign-in is too old
	ChangePassword StepKind = "changePassword"
	AcceptTerms    StepKind = "acceptTerms"
	SatisfyFactor  StepKind = "satisfyFactor"
)

// Step is one thing to ask for. After it the situation has changed: evaluate
// again rather than work a list of steps off.
type Step struct {
	Kind     StepKind `json:"kind"`
	Rank     int      `json:"rank"`
	Policies []string `json:"policies"`            // ids of the policies that ask
	Strength []string `json:"strengths,omitempty"` // ids of the strengths that ask (CA-55)
	Modes    []string `json:"modes,omitempty"`     // methods of which one is to be proved or registered, the best first
	Passkeys []string `json:"passkeys,omitempty"`  // of mode fido2: ids of the registered passkeys that fit, the best first
	Create   *NewKey  `json:"create,omitempty"`    // of a passkey to register: what it has to be
	IDs      []string `json:"ids,omitempty"`       // of terms or factors
}

// NewKey is what a new passkey has to be to satisfy the strengths of a step.
type NewKey struct {
	Types    passkey.TypeSet  `json:"passkeyTypes"`
	Attested bool             `json:"attested"`
	AAGUIDs  []string         `json:"aaguids"` // empty means any
	models   []passkey.AAGUID // the same
}

// ask is one unmet control of one policy.
type ask struct {
	policy  *compiled
	control *control // nil: the sign-in is too old
	outcome Outcome
	rank    int
}

// asks lists what the enabled policies that apply still want from the person,
// and the lowest rank of what they cannot get; of an OR policy only the best.
func (p *pass) asks() (list []ask, wall int) {
	wall = rankFactor + 1
	for i := range p.s.policies {
		if !p.applied.has(i) || !p.s.enabled.has(i) || p.outcomes[i] <= Satisfied {
			continue
		}
		c := &p.s.policies[i]
		var open []ask
		for n := range c.controls {
			x := &c.controls[n]
			if o := p.control(c, x); o > Satisfied {
				open = append(open, ask{c, x, o, x.rank})
			}
		}
		if !c.and && len(open) > 0 {
			slices.SortStableFunc(open, func(a, b ask) int {
				return cmp.Or(cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.rank, b.rank))
			})
			open = open[:1]
			if len(c.controls) > 0 && p.satisfiedOne(c) {
				open = nil
			}
		}
		if p.overdue(c) && !slices.ContainsFunc(open, func(a ask) bool { return a.rank == rankStrength }) {
			open = append(open, ask{policy: c, outcome: ChallengeRequired, rank: rankStrength})
		}
		for _, a := range open {
			if a.outcome >= CannotSatisfy {
				wall = min(wall, a.rank)
			} else {
				list = append(list, a)
			}
		}
	}
	return list, wall
}

// satisfiedOne reports whether a control of c is satisfied.
func (p *pass) satisfiedOne(c *compiled) bool {
	return slices.ContainsFunc(c.controls, func(x control) bool { return p.control(c, &x) == Satisfied })
}

// steps turns what is unmet into what to ask for, by rank. Before a refusal
// only what ranks before it is asked.
func (p *pass) steps(worst Outcome) []Step {
	list, wall := p.asks()
	if worst < CannotSatisfy {
		wall = rankFactor + 1
	}
	out := []Step{}
	add := func(s Step, ok bool) {
		if ok && s.Rank < wall {
			out = append(out, s)
		}
	}
	add(p.proveStep(list))
	add(p.registerStep(list))
	for _, k := range []struct {
		kind StepKind
		is   func(ask) bool
		id   func(ask) string
	}{
		{SignInAgain, func(a ask) bool { return a.control == nil }, nil},
		{ChangePassword, func(a ask) bool { return a.control != nil && a.control.kind == PasswordChange }, nil},
		{AcceptTerms, func(a ask) bool { return a.control != nil && a.control.terms != "" }, func(a ask) string { return a.control.terms }},
		{SatisfyFactor, func(a ask) bool { return a.control != nil && a.control.factor != "" }, func(a ask) string { return a.control.factor }},
	} {
		s := Step{Kind: k.kind}
		for _, a := range list {
			if !k.is(a) {
				continue
			}
			s.Rank, s.Policies = a.rank, with(s.Policies, a.policy.source.ID)
			if k.id != nil {
				s.IDs = with(s.IDs, k.id(a))
			}
		}
		slices.Sort(s.IDs)
		add(s, len(s.Policies) > 0)
	}
	slices.SortStableFunc(out, func(a, b Step) int { return cmp.Compare(a.Rank, b.Rank) })
	return out
}

func with(list []string, one string) []string {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

// tally counts for how many strengths something would do.
type tally map[string]int

// best lists what was counted, the most useful first, ties in the order given.
func (t tally) best(order []string) []string {
	var out []string
	for _, name := range order {
		if t[name] > 0 {
			out = append(out, name)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(t[b], t[a]) })
	return out
}

// preferred is the order in which methods are offered where several do.
var preferred = []string{"fido2", "softwareOath", "temporaryAccessPassMultiUse", "temporaryAccessPassOneTime", "password"}

// ways calls f with each feasible combination that leads to what a asks for
// with the fewest registrations.
func (p *pass) ways(a ask, f func(*compiledCombo)) {
	st := p.strength(a.policy, a.control)
	for i := range p.s.strengths[a.control.strength].combos {
		combo := &p.s.strengths[a.control.strength].combos[i]
		if reg, _, feasible := p.combination(combo, combo.config, a.policy); feasible && reg == st.reg {
			f(combo)
		}
	}
}

// wants reports whether a is about a strength and has this outcome.
func (a ask) wants(o Outcome) bool {
	return a.control != nil && a.control.strength >= 0 && a.outcome == o
}

// proveStep joins the strengths that registered methods can meet (CA-55).
func (p *pass) proveStep(list []ask) (Step, bool) {
	s := Step{Kind: ProveMethod, Rank: rankStrength}
	modes, keys := tally{}, tally{}
	for _, a := range list {
		if !a.wants(ChallengeRequired) {
			continue
		}
		s.Policies, s.Strength = with(s.Policies, a.policy.source.ID), with(s.Strength, p.s.strengths[a.control.strength].id)
		mine, myKeys := map[string]bool{}, map[string]bool{}
		p.ways(a, func(combo *compiledCombo) {
			for m := combo.modes; m != 0; m &= m - 1 {
				mode := m & -m
				if p.proven(mode, combo.config, a.policy) {
					continue
				}
				mine[mode.String()] = true
				for i := range p.x.Methods {
					if k := &p.x.Methods[i]; mode == Fido2 && k.Mode == Fido2 && p.counts(k) && combo.config.accepts(k.Passkey) {
						myKeys[k.ID] = true
					}
				}
			}
		})
		for name := range mine {
			modes[name]++
		}
		for id := range myKeys {
			keys[id]++
		}
	}
	s.Modes, s.Passkeys = modes.best(preferred), keys.best(p.keyIDs())
	return s, len(s.Modes) > 0
}

// keyIDs lists the registered passkeys, in the order of their ids.
func (p *pass) keyIDs() []string {
	var out []string
	for i := range p.x.Methods {
		if p.x.Methods[i].Mode == Fido2 {
			out = append(out, p.x.Methods[i].ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// registerStep joins the strengths for which something has to be registered:
// one method at a time (CA-47), one that meets as many of them as possible.
func (p *pass) registerStep(list []ask) (Step, bool) {
	s := Step{Kind: RegisterMethod, Rank: rankStrength}
	modes := tally{}
	for _, a := range list {
		if !a.wants(RegistrationRequired) {
			continue
		}
		s.Policies, s.Strength = with(s.Policies, a.policy.source.ID), with(s.Strength, p.s.strengths[a.control.strength].id)
		mine := map[string]bool{}
		p.ways(a, func(combo *compiledCombo) {
			for m := combo.modes; m != 0; m &= m - 1 {
				mode := m & -m
				if p.proven(mode, combo.config, a.policy) || p.registered(mode, combo.config) {
					continue
				}
				mine[mode.String()] = true
				if mode == Fido2 {
					s.Create = s.Create.and(combo.config)
				}
			}
		})
		for name := range mine {
			modes[name]++
		}
	}
	s.Modes = modes.best(preferred)
	return s, len(s.Modes) > 0
}

// and narrows k so that the key meets f too. What no one key could meet leaves
// k as it is: the next evaluation asks for another.
func (k *NewKey) and(f *compiledConfig) *NewKey {
	if f == nil {
		f = &compiledConfig{types: bothTypes}
	}
	next := &NewKey{Types: f.types, Attested: f.attested, AAGUIDs: []string{}}
	for a := range f.aaguids {
		next.models = append(next.models, a)
	}
	if k != nil {
		next.Types, next.Attested = next.Types&k.Types, next.Attested || k.Attested
		switch {
		case len(next.models) == 0:
			next.models = k.models
		case len(k.models) > 0:
			next.models = slices.DeleteFunc(next.models, func(a passkey.AAGUID) bool { return !slices.Contains(k.models, a) })
			if len(next.models) == 0 {
				return k
			}
		}
		if next.Types == 0 || next.Attested && !next.Types.Has(passkey.DeviceBound) {
			return k
		}
	}
	for _, a := range next.models {
		next.AAGUIDs = append(next.AAGUIDs, a.String())
	}
	slices.Sort(next.AAGUIDs)
	return next
}
