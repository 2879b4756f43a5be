package passkey

import (
	"fmt"
	"slices"
)

// Patched returns c with the change that body, the body of a PATCH, describes,
// and the warnings about the result. All of it is valid, or there is an error
// of kind Invalid that points at the member (PK-15).
//
// known reports whether a target exists; it is asked with TargetUser, with
// TargetGroup and, if there is no such group, with "role" and a role template
// id. newID gives a random GUID for a profile that has no id yet (PK-16).
func (c Configuration) Patched(body []byte, known func(targetType, id string) bool, newID func() string) (Configuration, []Warning, error) {
	b, err := readBody(body)
	if err != nil {
		return Configuration{}, nil, err
	}
	next, err := c.changed(b, newID)
	if err != nil {
		return Configuration{}, nil, err
	}
	if err := next.check(c, known); err != nil {
		return Configuration{}, nil, err
	}
	return next, next.Warnings(known), nil
}

// changed applies b to c without looking at the sense of the whole.
func (c Configuration) changed(b changeBody, newID func() string) (next Configuration, err error) {
	next = c.Clone()
	if b.State != nil {
		if next.State, err = spelled("/state", *b.State, Enabled, Disabled); err != nil {
			return next, err
		}
	}
	if b.IsSelfServiceRegistrationAllowed != nil {
		next.IsSelfServiceRegistrationAllowed = *b.IsSelfServiceRegistrationAllowed
	}
	if err := next.changeProfiles(b, newID); err != nil {
		return next, err
	}
	if err := next.changeTargets(b); err != nil {
		return next, err
	}
	return next.settled(), nil
}

// changeProfiles replaces the profiles, or lets the deprecated members write to
// the default profile. If both are there, the profiles win (PK-33).
func (c *Configuration) changeProfiles(b changeBody, newID func() string) error {
	var legacy KeyRestrictions
	if b.KeyRestrictions != nil {
		var err error
		if legacy, err = b.KeyRestrictions.restrictions("/keyRestrictions"); err != nil {
			return err
		}
	}
	if b.PasskeyProfiles != nil && !b.legacyShaped() {
		c.PasskeyProfiles = make([]Profile, 0, len(*b.PasskeyProfiles))
		for i, pb := range *b.PasskeyProfiles {
			p, err := pb.profile(fmt.Sprintf("/passkeyProfiles/%d", i), newID)
			if err != nil {
				return err
			}
			c.PasskeyProfiles = append(c.PasskeyProfiles, p)
		}
		return nil
	}
	for i := range c.PasskeyProfiles {
		p := &c.PasskeyProfiles[i]
		if p.ID != DefaultProfileID {
			continue
		}
		if b.KeyRestrictions != nil {
			p.KeyRestrictions = legacy
		}
		if b.IsAttestationEnforced != nil {
			p.AttestationEnforcement = enforcement(*b.IsAttestationEnforced)
		}
	}
	return nil
}

func enforcement(on bool) AttestationEnforcement {
	if on {
		return AttestationRegistrationOnly
	}
	return AttestationDisabled
}

// changeTargets replaces each list that b has. A target of a legacy-shaped body
// keeps the profiles it had, or gets the default profile (PK-34).
func (c *Configuration) changeTargets(b changeBody) error {
	if b.ExcludeTargets != nil {
		c.ExcludeTargets = make([]ExcludeTarget, 0, len(*b.ExcludeTargets))
		for i, tb := range *b.ExcludeTargets {
			kind, id, err := tb.kindAndID(fmt.Sprintf("/excludeTargets/%d", i))
			if err != nil {
				return err
			}
			c.ExcludeTargets = append(c.ExcludeTargets, ExcludeTarget{TargetType: kind, ID: id})
		}
	}
	if b.IncludeTargets == nil {
		return nil
	}
	had := make(map[string][]string, len(c.IncludeTargets))
	for _, t := range c.IncludeTargets {
		had[t.ID] = t.AllowedPasskeyProfiles
	}
	c.IncludeTargets = make([]Target, 0, len(*b.IncludeTargets))
	legacy := b.legacyShaped()
	for i, tb := range *b.IncludeTargets {
		at := fmt.Sprintf("/includeTargets/%d", i)
		kind, id, err := tb.kindAndID(at)
		if err != nil {
			return err
		}
		t := Target{TargetType: kind, ID: id, IsRegistrationRequired: tb.IsRegistrationRequired != nil && *tb.IsRegistrationRequired}
		switch profiles, existed := had[id]; {
		case tb.AllowedPasskeyProfiles != nil && len(*tb.AllowedPasskeyProfiles) > 0:
			t.AllowedPasskeyProfiles = profileIDs(*tb.AllowedPasskeyProfiles)
		case !legacy:
			return missing(at + "/allowedPasskeyProfiles") // PK-23
		case existed:
			t.AllowedPasskeyProfiles = slices.Clone(profiles)
		default:
			t.AllowedPasskeyProfiles = []string{DefaultProfileID}
		}
		c.IncludeTargets = append(c.IncludeTargets, t)
	}
	return nil
}

// profileIDs lower-cases ids and keeps each once.
func profileIDs(sent []string) []string {
	ids, seen := make([]string, 0, len(sent)), make(map[string]bool, len(sent))
	for _, s := range sent {
		if id := canonicalGUID(s); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
