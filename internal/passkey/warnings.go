package passkey

import (
	"fmt"
	"slices"
)

// Warning is something about a valid document that its author may not expect.
type Warning struct {
	Code    string `json:"code"`
	Target  string `json:"target"` // "passkeyProfiles/<id>", "includeTargets/<id>", "excludeTargets/<id>"
	Message string `json:"message"`
}

// Header is the value of the HTTP header Warning (PK-29). It is plain ASCII
// without quotes inside: the codes and targets of a document are.
func (w Warning) Header() string { return fmt.Sprintf(`299 cardea "%s: %s"`, w.Code, w.Target) }

// Warnings lists what is surprising about c. known is as in Patched.
func (c Configuration) Warnings(known func(targetType, id string) bool) []Warning {
	ws := []Warning{}
	for _, p := range c.PasskeyProfiles {
		at := "passkeyProfiles/" + p.ID
		if p.PasskeyTypes.Has(Synced) && p.AttestationEnforcement == AttestationRegistrationOnly { // PK-27
			ws = append(ws, Warning{"syncedNeverPassesAttestation", at,
				fmt.Sprintf("Profile %q allows synced passkeys and enforces attestation. Synced passkeys carry none, so no new one can be registered through this profile; existing ones keep working. Switch attestation off, or remove synced.", p.Name)})
		}
		if k := p.KeyRestrictions; k.IsEnforced && k.EnforcementType == Allow && len(k.AaGuids) == 0 { // PK-28
			ws = append(ws, Warning{"emptyAllowList", at,
				fmt.Sprintf("Profile %q allows no model at all, so no passkey satisfies it. Add AAGUIDs, or switch the list off.", p.Name)})
		}
	}
	for _, t := range c.IncludeTargets {
		if !exists(ExcludeTarget{t.TargetType, t.ID}, known) {
			ws = append(ws, gone("includeTargets/", t.TargetType, t.ID))
		}
	}
	for _, t := range c.ExcludeTargets {
		if !exists(t, known) {
			ws = append(ws, gone("excludeTargets/", t.TargetType, t.ID))
		}
	}
	return append(ws, c.widened()...)
}

func gone(list, kind, id string) Warning { // PK-26
	return Warning{"targetGone", list + id, fmt.Sprintf("The %s %s was deleted and matches nobody. Remove it from the policy.", kind, id)}
}

// Bounds of widened: its notes are a service to people, who read no more of
// them, and each becomes a header.
const (
	maxComparisons = 20_000
	maxNotes       = 20
)

// widened finds, per target, each strict profile that a more permissive one
// joins, through the same target or through all users (PK-181), up to the bounds
// above.
func (c Configuration) widened() (ws []Warning) {
	profiles := c.byID()
	var everybody []string
	for _, t := range c.IncludeTargets {
		if t.ID == AllUsers {
			everybody = t.AllowedPasskeyProfiles
		}
	}
	left := maxComparisons
	for _, t := range c.IncludeTargets {
		beside := t.AllowedPasskeyProfiles
		if t.ID != AllUsers {
			beside = slices.Concat(beside, everybody)
		}
		for _, id := range t.AllowedPasskeyProfiles {
			strict := profiles[id]
			for _, other := range beside {
				if left--; left < 0 || len(ws) == maxNotes {
					return ws
				}
				if open := profiles[other]; open.covers(*strict) && !strict.covers(*open) {
					ws = append(ws, Warning{"profileWidened", "includeTargets/" + t.ID,
						fmt.Sprintf("Everything that profile %q allows is allowed here, although %q is stricter: profiles are alternatives. Unassign the open one where the strict one shall hold.", open.Name, strict.Name)})
					break // one note per strict profile
				}
			}
		}
	}
	return ws
}

// covers reports whether p allows every passkey that q allows.
func (p Profile) covers(q Profile) bool {
	if q.PasskeyTypes&^p.PasskeyTypes != 0 {
		return false
	}
	if p.AttestationEnforcement == AttestationRegistrationOnly && q.AttestationEnforcement != AttestationRegistrationOnly {
		return false
	}
	return p.KeyRestrictions.covers(q.KeyRestrictions)
}

func (k KeyRestrictions) covers(q KeyRestrictions) bool {
	mine, theirs := listed(k), listed(q)
	switch {
	case !k.IsEnforced:
		return true
	case q.IsEnforced && q.EnforcementType == Allow: // a finite list: look at each of its models
		for a := range theirs {
			if mine[a] != (k.EnforcementType == Allow) {
				return false
			}
		}
		return true
	case k.EnforcementType == Allow: // finite against infinite
		return false
	}
	// p blocks: then q must block all of it too, if it is to allow no more.
	for a := range mine {
		if !q.IsEnforced || !theirs[a] {
			return false
		}
	}
	return true
}

func listed(k KeyRestrictions) map[string]bool {
	set := make(map[string]bool, len(k.AaGuids))
	for _, a := range k.AaGuids {
		set[a] = true
	}
	return set
}
