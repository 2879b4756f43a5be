package passkey

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"cardea/internal/problem"
)

const maxProfileName = 128 // characters (PK-19)

// check reports the first rule that c breaks, as a change from was. A target
// that was there before may have ceased to exist (PK-26).
func (c Configuration) check(was Configuration, known func(targetType, id string) bool) error {
	if c.State != Enabled && c.State != Disabled {
		return invalidValue("/state", "%q is not allowed here. Use enabled or disabled.", clip(string(c.State), 60))
	}
	if err := c.checkProfiles(); err != nil {
		return err
	}
	if err := c.checkAssignments(was); err != nil {
		return err
	}
	return c.checkTargets(was, known)
}

func (c Configuration) checkProfiles() error {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, p := range c.PasskeyProfiles {
		at := fmt.Sprintf("/passkeyProfiles/%d", i)
		if _, ok := parseGUID(p.ID); !ok {
			return invalidValue(at+"/id", "%q is not a GUID. Leave the id out to get a new one.", clip(p.ID, 60))
		}
		if ids[p.ID] {
			return problem.New(problem.Invalid, "duplicateProfile", "Two profiles have the id %s. Leave the id of the new one out.", p.ID).On(at + "/id")
		}
		ids[p.ID] = true
		if p.ID == DefaultProfileID && p.Name != DefaultProfileName {
			return problem.New(problem.Invalid, "defaultProfileFixed", "The default profile cannot be renamed. Send the name %q, or make a new profile.", DefaultProfileName).On(at + "/name")
		}
		if n := utf8.RuneCountInString(p.Name); n < 1 || n > maxProfileName || strings.ContainsFunc(p.Name, unicode.IsControl) {
			return problem.New(problem.Invalid, "profileNameInvalid", "The name of a profile has 1 to %d characters in one line. Choose another.", maxProfileName).On(at + "/name")
		}
		if folded := strings.ToLower(p.Name); names[folded] {
			return problem.New(problem.Invalid, "profileNameTaken", "Another profile is called %q. Upper and lower case do not count; choose another name.", p.Name).On(at + "/name")
		} else {
			names[folded] = true
		}
		if err := p.check(at); err != nil {
			return err
		}
	}
	if !ids[DefaultProfileID] {
		return problem.New(problem.Invalid, "defaultProfileFixed", "The default profile (%s) cannot be deleted. Send it with passkeyProfiles; it need not be assigned to anybody.", DefaultProfileID).On("/passkeyProfiles")
	}
	return nil
}

func (p Profile) check(at string) error {
	if p.PasskeyTypes&bothTypes == 0 || p.PasskeyTypes&^bothTypes != 0 {
		return invalidValue(at+"/passkeyTypes", "A profile allows deviceBound, synced, or both. Name at least one.")
	}
	if e := p.AttestationEnforcement; e != AttestationDisabled && e != AttestationRegistrationOnly {
		return invalidValue(at+"/attestationEnforcement", "%q is not allowed here. Use disabled or registrationOnly.", clip(string(e), 60))
	}
	k := p.KeyRestrictions
	if k.EnforcementType != Allow && k.EnforcementType != Block {
		return invalidValue(at+"/keyRestrictions/enforcementType", "%q is not allowed here. Use allow or block.", clip(string(k.EnforcementType), 60))
	}
	for i, s := range k.AaGuids {
		pointer := fmt.Sprintf("%s/keyRestrictions/aaGuids/%d", at, i)
		a, ok := ParseAAGUID(s)
		if !ok {
			return problem.New(problem.Invalid, "aaguidInvalid", "%q is not an AAGUID. Write it like 90a3ccdf-635c-4729-a248-9b709135078f.", clip(s, 60)).On(pointer)
		}
		if a.IsZero() && k.EnforcementType == Allow {
			return problem.New(problem.Invalid, "zeroAaguidInAllowList", "The all-zero AAGUID means that a passkey does not name its model, so it can never match an allow list. Remove it.").On(pointer)
		}
	}
	return nil
}

// checkAssignments finds targets that name profiles which are not there.
func (c Configuration) checkAssignments(was Configuration) error {
	now, before := c.byID(), was.byID()
	gone := map[string][]string{} // deleted profile: targets that still name it
	for i, t := range c.IncludeTargets {
		at := fmt.Sprintf("/includeTargets/%d/allowedPasskeyProfiles", i)
		if len(t.AllowedPasskeyProfiles) == 0 {
			return missing(at)
		}
		for j, id := range t.AllowedPasskeyProfiles {
			if now[id] != nil {
				continue
			}
			if before[id] == nil {
				return problem.New(problem.Invalid, "unknownProfile", "There is no passkey profile %q. Create it in the same request, or name another.", clip(id, 60)).On(fmt.Sprintf("%s/%d", at, j))
			}
			gone[id] = append(gone[id], t.ID)
		}
	}
	for _, p := range was.PasskeyProfiles {
		if targets := gone[p.ID]; len(targets) > 0 {
			return problem.New(problem.Invalid, "profileInUse", "Profile %q cannot be deleted while it is assigned to %s. Unassign it there, in the same request if you like.", p.Name, strings.Join(targets, ", ")).On("/passkeyProfiles")
		}
	}
	return nil
}

func (c Configuration) checkTargets(was Configuration, known func(targetType, id string) bool) error {
	before := map[ExcludeTarget]bool{}
	for _, t := range was.allTargets() {
		before[t] = true
	}
	included := make([]ExcludeTarget, len(c.IncludeTargets))
	for i, t := range c.IncludeTargets {
		included[i] = ExcludeTarget{t.TargetType, t.ID}
	}
	lists := []struct {
		name    string
		targets []ExcludeTarget
	}{{"includeTargets", included}, {"excludeTargets", c.ExcludeTargets}}
	for _, list := range lists {
		seen := map[string]bool{}
		for i, t := range list.targets {
			at := fmt.Sprintf("/%s/%d", list.name, i)
			switch {
			case t.ID == "":
				return missing(at + "/id")
			case t.TargetType != TargetUser && t.TargetType != TargetGroup:
				return invalidValue(at+"/targetType", "%q is not allowed here. Use group or user.", clip(t.TargetType, 60))
			case seen[t.ID]:
				return problem.New(problem.Invalid, "duplicateTarget", "%q is in %s twice. Send it once, with all its profiles.", clip(t.ID, 60), list.name).On(at + "/id")
			case !before[t] && !exists(t, known):
				return problem.New(problem.Invalid, "unknownTarget", "There is no %s %q. Use the object id of a group, or %s.", t.TargetType, clip(t.ID, 60), AllUsers).On(at + "/id")
			}
			seen[t.ID] = true
		}
	}
	return nil
}

// byID finds profiles without walking the list: there may be thousands (PK-43).
func (c Configuration) byID() map[string]*Profile {
	m := make(map[string]*Profile, len(c.PasskeyProfiles))
	for i := range c.PasskeyProfiles {
		m[c.PasskeyProfiles[i].ID] = &c.PasskeyProfiles[i]
	}
	return m
}

// allTargets lists who is included and who is excluded.
func (c Configuration) allTargets() []ExcludeTarget {
	all := make([]ExcludeTarget, 0, len(c.IncludeTargets)+len(c.ExcludeTargets))
	for _, t := range c.IncludeTargets {
		all = append(all, ExcludeTarget{t.TargetType, t.ID})
	}
	return append(all, c.ExcludeTargets...)
}

func exists(t ExcludeTarget, known func(targetType, id string) bool) bool {
	return t.ID == AllUsers || known(t.TargetType, t.ID) || t.TargetType == TargetGroup && known(targetRole, t.ID)
}
