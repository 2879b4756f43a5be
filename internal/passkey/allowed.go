package passkey

// Operation is what a passkey is wanted for.
type Operation uint8

const (
	Register  Operation = iota // by the person, for the person; zero because it is the strictest
	Provision                  // by an administrator, for somebody else
	SignIn                     // prove who one is
)

// Facts is what the policy looks at. At sign-in, Type comes from the flags of
// the assertion in hand, not from the record (PK-83). The zero value is allowed
// by nothing.
type Facts struct {
	Type    Type
	AAGUID  AAGUID
	Trusted bool   // the attestation is trusted in the sense of PK §5.3; see Trusted
	Cause   string // a code saying why not, e.g. "attestationNone"; for words only

	Disabled bool // prepared for its owner, who has yet to activate it; asked at sign-in only
}

// Applicability says whether any profile applies to a person, and if not why.
type Applicability string

const (
	Applies         Applicability = "applies"
	MethodDisabled  Applicability = "methodDisabled"
	UserExcluded    Applicability = "userExcluded"
	UserNotTargeted Applicability = "userNotTargeted"
	// SelfServiceOff is found in decisions about Register only: profiles apply,
	// but people may not register passkeys themselves (PK-61).
	SelfServiceOff Applicability = "selfServiceDisabled"
	// NotActivated is found in decisions about SignIn only: the passkey is
	// prepared and waits for its owner, whatever the profiles say.
	NotActivated Applicability = "passkeyDisabled"
)

// The ways in which a passkey fails a profile.
const (
	TypeNotAllowed      = "passkeyTypeNotAllowed"
	AAGUIDNotAllowed    = "aaguidNotAllowed"
	AAGUIDBlocked       = "aaguidBlocked"
	AttestationRequired = "attestationRequired"
)

// ProfileRef names a profile.
type ProfileRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Reason is one failure of one profile. A profile may have several.
type Reason struct {
	ProfileID   string `json:"profileId"`
	ProfileName string `json:"profileName"`
	Code        string `json:"code"`
	Cause       string `json:"cause,omitempty"` // with attestationRequired: Facts.Cause

	types TypeSet // what the profile allows, for the advice
}

// Decision is the answer of Allowed. By names the profile that allowed;
// Reasons holds every failure of every profile that applies, in the order of
// the document, if none did. Reasons is empty if no profile was asked, that is
// unless State is Applies.
type Decision struct {
	Allowed bool          `json:"allowed"`
	State   Applicability `json:"state"`
	By      ProfileRef    `json:"by,omitzero"`
	Reasons []Reason      `json:"reasons,omitempty"`

	facts Facts
}

// setWords is the size of a profileSet that lives on the stack: 256 profiles.
const setWords = 4

// Allowed decides whether a person may use a passkey for op (PK §4.1).
//
// memberOf holds the ids of all groups the person is in, directly or through
// other groups, and the template ids of the person's directory roles. Allowed
// does no I/O and reads no clock (PK-50), and allocates nothing if the answer
// is yes and there are at most 256 profiles.
func Allowed(op Operation, pk Facts, memberOf []string, userID string, s *Snapshot) Decision {
	d := Decision{facts: pk}
	if op == SignIn && pk.Disabled {
		d.State = NotActivated
		return d
	}
	var small [setWords]uint64
	mine := s.emptySet(&small)
	if d.State = s.applicable(memberOf, userID, mine); d.State != Applies {
		return d
	}
	if op == Register && !s.selfService {
		d.State = SelfServiceOff
		return d
	}
	for i := range s.profiles {
		if p := &s.profiles[i]; mine.has(i) && p.accepts(op, pk) {
			d.Allowed, d.By = true, p.ref
			return d
		}
	}
	for i := range s.profiles {
		if mine.has(i) {
			d.Reasons = s.profiles[i].failures(d.Reasons, op, pk)
		}
	}
	return d
}

// emptySet uses small if the snapshot's profiles fit, so that the usual
// decision needs no memory of its own.
func (s *Snapshot) emptySet(small *[setWords]uint64) profileSet {
	switch {
	case s == nil:
		return nil
	case s.width <= setWords:
		return small[:s.width]
	}
	return make(profileSet, s.width)
}

// NeedsAttestation reports whether every profile that could accept the passkey
// enforces attestation, so that the ceremony has to require a statement that
// verifies instead of recording what there is (WA-31). It is false if no
// profile could accept it: then Allowed says why.
func NeedsAttestation(pk Facts, memberOf []string, userID string, s *Snapshot) bool {
	var small [setWords]uint64
	mine := s.emptySet(&small)
	if s.applicable(memberOf, userID, mine) != Applies {
		return false
	}
	could := false
	for i := range s.profiles {
		if p := &s.profiles[i]; mine.has(i) && p.types.Has(pk.Type) && p.listFailure(pk.AAGUID) == "" {
			if !p.attested {
				return false
			}
			could = true
		}
	}
	return could
}

func (p *profile) accepts(op Operation, pk Facts) bool {
	return p.types.Has(pk.Type) && p.listFailure(pk.AAGUID) == "" && !p.lacksAttestation(op, pk)
}

// failures appends every failure of p, in the order of PK §4.1.
func (p *profile) failures(to []Reason, op Operation, pk Facts) []Reason {
	r := Reason{ProfileID: p.ref.ID, ProfileName: p.ref.Name, types: p.types}
	if !p.types.Has(pk.Type) {
		r.Code = TypeNotAllowed
		to = append(to, r)
	}
	if code := p.listFailure(pk.AAGUID); code != "" {
		r.Code = code
		to = append(to, r)
	}
	if p.lacksAttestation(op, pk) {
		r.Code, r.Cause = AttestationRequired, pk.Cause
		to = append(to, r)
	}
	return to
}

// listFailure is "" if the list of p lets the model pass. A passkey that does
// not name its model fails every allow list (PK-53).
func (p *profile) listFailure(a AAGUID) string {
	switch p.list {
	case Allow:
		if a.IsZero() || !p.listed[a] {
			return AAGUIDNotAllowed
		}
	case Block:
		if p.listed[a] {
			return AAGUIDBlocked
		}
	}
	return ""
}

// lacksAttestation is never true at sign-in (PK-59).
func (p *profile) lacksAttestation(op Operation, pk Facts) bool {
	return op != SignIn && p.attested && !pk.Trusted
}

// Eligible decides whether any passkey could be wanted of this person for op,
// before there is one: what Allowed says about the person alone (PK-138).
// By stays empty.
func Eligible(op Operation, memberOf []string, userID string, s *Snapshot) Decision {
	var small [setWords]uint64
	state := s.applicable(memberOf, userID, s.emptySet(&small))
	if state == Applies && op == Register && !s.selfService {
		state = SelfServiceOff
	}
	return Decision{Allowed: state == Applies, State: state}
}
