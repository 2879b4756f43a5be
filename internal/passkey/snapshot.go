package passkey

import "math/bits"

// Snapshot is a Configuration made ready for questions: immutable, shared by
// all requests, replaced as a whole when the policy changes. A nil Snapshot
// answers every question with methodDisabled.
type Snapshot struct {
	enabled     bool
	selfService bool
	profiles    []profile // in the order of the document
	width       int       // words of a profileSet
	everyone    profileSet
	groups      map[string]profileSet // group id or role template id: its profiles
	users       map[string]profileSet
	outAll      bool
	outGroups   map[string]bool
	outUsers    map[string]bool
	config      Configuration
}

// profile is a Profile with its list as a set.
type profile struct {
	ref      ProfileRef
	types    TypeSet
	attested bool // attestation is enforced at registration
	listed   map[AAGUID]bool
	list     EnforcementType // "" if not enforced
}

// profileSet is a set of indexes into Snapshot.profiles, one bit each.
type profileSet []uint64

func (s profileSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s profileSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s profileSet) join(t profileSet) {
	for i, w := range t {
		s[i] |= w
	}
}

func (s profileSet) len() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Compile makes a snapshot of c, which must be a document of this package.
func Compile(c Configuration) *Snapshot {
	c = c.Clone()
	s := &Snapshot{
		enabled: c.State == Enabled, selfService: c.IsSelfServiceRegistrationAllowed, config: c,
		width: (len(c.PasskeyProfiles) + 63) / 64, groups: map[string]profileSet{}, users: map[string]profileSet{},
		outGroups: map[string]bool{}, outUsers: map[string]bool{},
	}
	index := make(map[string]int, len(c.PasskeyProfiles))
	for i, p := range c.PasskeyProfiles {
		index[p.ID] = i
		s.profiles = append(s.profiles, compileProfile(p))
	}
	s.everyone = make(profileSet, s.width)
	for _, t := range c.IncludeTargets {
		set := make(profileSet, s.width)
		for _, id := range t.AllowedPasskeyProfiles {
			if i, ok := index[id]; ok {
				set.add(i)
			}
		}
		switch {
		case t.ID == AllUsers:
			s.everyone = set
		case t.TargetType == TargetUser:
			s.users[t.ID] = set
		default:
			s.groups[t.ID] = set
		}
	}
	for _, t := range c.ExcludeTargets {
		switch {
		case t.ID == AllUsers:
			s.outAll = true
		case t.TargetType == TargetUser:
			s.outUsers[t.ID] = true
		default:
			s.outGroups[t.ID] = true
		}
	}
	return s
}

func compileProfile(p Profile) profile {
	out := profile{ref: ProfileRef{p.ID, p.Name}, types: p.PasskeyTypes, attested: p.AttestationEnforcement == AttestationRegistrationOnly}
	if !p.KeyRestrictions.IsEnforced {
		return out
	}
	out.list = p.KeyRestrictions.EnforcementType
	out.listed = make(map[AAGUID]bool, len(p.KeyRestrictions.AaGuids))
	for _, text := range p.KeyRestrictions.AaGuids {
		if a, ok := ParseAAGUID(text); ok {
			out.listed[a] = true
		}
	}
	return out
}

// Configuration returns the document that s was made of.
func (s *Snapshot) Configuration() Configuration { return s.config.Clone() }

// applicable collects the profiles of a person into set, which is empty and
// s.width long, and says why there are none (PK §4.1).
func (s *Snapshot) applicable(memberOf []string, userID string, set profileSet) Applicability {
	switch {
	case s == nil || !s.enabled:
		return MethodDisabled
	case s.excludes(memberOf, userID):
		return UserExcluded
	}
	set.join(s.everyone)
	set.join(s.users[userID])
	if len(s.groups) > 0 {
		for _, id := range memberOf {
			set.join(s.groups[id])
		}
	}
	if set.len() == 0 {
		return UserNotTargeted
	}
	return Applies
}

func (s *Snapshot) excludes(memberOf []string, userID string) bool {
	if s.outAll || s.outUsers[userID] {
		return true
	}
	if len(s.outGroups) > 0 {
		for _, id := range memberOf {
			if s.outGroups[id] {
				return true
			}
		}
	}
	return false
}

// TargetRef names a target in an answer.
type TargetRef struct {
	TargetType string `json:"targetType"`
	ID         string `json:"id"`
}

// EffectiveProfile is a profile that applies to a person, and why.
type EffectiveProfile struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Through []TargetRef `json:"through"`
}

// Effective lists the profiles that apply to a person and through which
// targets, in the order of the document (PK-65). The list is empty unless the
// state is Applies.
func (s *Snapshot) Effective(memberOf []string, userID string) (Applicability, []EffectiveProfile) {
	list := []EffectiveProfile{}
	if s == nil {
		return MethodDisabled, list
	}
	set := make(profileSet, s.width)
	state := s.applicable(memberOf, userID, set)
	if state != Applies {
		return state, list
	}
	mine := make(map[string]bool, len(memberOf))
	for _, id := range memberOf {
		mine[id] = true
	}
	through := map[string][]TargetRef{}
	for _, t := range s.config.IncludeTargets {
		if t.ID == AllUsers || t.TargetType == TargetUser && t.ID == userID || t.TargetType == TargetGroup && mine[t.ID] {
			for _, id := range t.AllowedPasskeyProfiles {
				through[id] = append(through[id], TargetRef{t.TargetType, t.ID})
			}
		}
	}
	for i, p := range s.profiles {
		if set.has(i) {
			list = append(list, EffectiveProfile{ID: p.ref.ID, Name: p.ref.Name, Through: through[p.ref.ID]})
		}
	}
	return Applies, list
}
