package condaccess

// strengthState is the result of a strength, and the best way to it.
type strengthState struct {
	done      bool
	result    StrengthOutcome
	best      int // index of the best combination; -1 if there is none
	reg, chal int // of it: methods to register, methods to prove
}

// strength is the result of the strength behind a control (§7.4).
func (p *pass) strength(c *compiled, x *control) strengthState {
	if x.strength < 0 {
		return strengthState{result: CannotSatisfyStrength, best: -1} // one that does not exist any more
	}
	var st strengthState
	if c.timed { // old proofs do not count for this policy
		st = p.bestOf(&p.s.strengths[x.strength], c)
	} else {
		memo := &p.strengths[x.strength]
		if !memo.done {
			*memo = p.bestOf(&p.s.strengths[x.strength], c)
		}
		st = *memo
	}
	// CA-44, CA-45: so that a first passkey can be made. A person who has a
	// fitting method must use it (CA-46).
	if x.kind == "" && c.allApps && p.x.Target.Action == RegisterSecurityInfo && (p.skips || st.result >= SingleRegistrationRequired) {
		st.result = SkippedForProofUp
	}
	return st
}

// bestOf looks for the combination with the fewest registrations, then the
// fewest challenges, then the first (CA-50).
func (p *pass) bestOf(s *compiledStrength, c *compiled) strengthState {
	st := strengthState{done: true, result: CannotSatisfyStrength, best: -1}
	without := false // one would do, were it not for the configurations
	for i := range s.combos {
		combo := &s.combos[i]
		reg, chal, feasible := p.combination(combo, combo.config, c)
		if !feasible {
			if combo.config != nil {
				_, _, loose := p.combination(combo, nil, c)
				without = without || loose
			}
			continue
		}
		if st.best < 0 || reg < st.reg || reg == st.reg && chal < st.chal {
			st.best, st.reg, st.chal = i, reg, chal
		}
	}
	switch {
	case st.best < 0:
		if without {
			st.result = CannotSatisfyDueToConfiguration
		}
	case st.reg > 1:
		st.result = MultipleRegistrationsRequired
	case st.reg == 1:
		st.result = SingleRegistrationRequired
	case st.chal > 1:
		st.result = MultipleChallengesRequired
	case st.chal == 1:
		st.result = SingleChallengeRequired
	default:
		st.result = StrengthSatisfied
	}
	return st
}

// combination counts what is missing of a combination. feasible reports whether
// every missing mode can be registered now.
func (p *pass) combination(combo *compiledCombo, f *compiledConfig, c *compiled) (reg, chal int, feasible bool) {
	feasible = true
	for m := combo.modes; m != 0; m &= m - 1 {
		mode := m & -m
		switch {
		case p.proven(mode, f, c):
		case p.registered(mode, f):
			chal++
		default:
			reg++
			feasible = feasible && p.registrable(mode, f)
		}
	}
	return reg, chal, feasible
}

// proven reports whether the session has proved a mode with a method that meets
// f (CA-54, CA-91).
func (p *pass) proven(mode Mode, f *compiledConfig, c *compiled) bool {
	for i := range p.x.Session.Proofs {
		x := &p.x.Session.Proofs[i]
		if x.Mode == mode && p.proves(x, c) && (mode != Fido2 || f.accepts(x.Passkey)) {
			return true
		}
	}
	return false
}

func (p *pass) registered(mode Mode, f *compiledConfig) bool {
	for i := range p.x.Methods {
		m := &p.x.Methods[i]
		if m.Mode == mode && p.counts(m) && (mode != Fido2 || f.accepts(m.Passkey)) {
			return true
		}
	}
	return false
}

func (p *pass) registrable(mode Mode, f *compiledConfig) bool {
	if mode != Fido2 {
		return p.x.Registrable.Modes&mode&provable != 0
	}
	for _, k := range p.x.Registrable.Passkeys {
		if f.couldBe(k) {
			return true
		}
	}
	return false
}
