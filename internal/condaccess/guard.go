package condaccess

import (
	"fmt"
	"slices"

	"cardea/internal/problem"
)

// Administrator is a Global Administrator, and the situations from which this
// person usually comes: one per platform, client and place. Their sessions have
// proved nothing; Methods are what counts today.
type Administrator struct {
	UserID, UserPrincipalName string
	Enabled                   bool
	Situations                []Situation
}

// GuardVerdict is what the lock-out guard thinks of a change.
type GuardVerdict string

const (
	GuardPassed  GuardVerdict = "passed"
	GuardWarned  GuardVerdict = "warned"  // somebody loses access, not everybody (CA-31)
	GuardRefused GuardVerdict = "refused" // nobody would be left (CA-29)
)

// GuardResult says who could still administer after a change.
type GuardResult struct {
	Verdict             GuardVerdict `json:"verdict"`
	AdministratorsTotal int          `json:"administratorsTotal"`
	Able                []string     `json:"able"` // user ids, after the change
	Affected            []Affected   `json:"affected"`
}

// Affected is an administrator who could sign in before the change and could
// not after it.
type Affected struct {
	UserID            string  `json:"userId"`
	UserPrincipalName string  `json:"userPrincipalName"`
	Decision          Verdict `json:"decision"`
	PolicyID          string  `json:"policyId"`
	Reason            string  `json:"reason"`
}

// Guard compares who is able before and after a change of policies, strengths
// or locations (§6). Where nobody was able before, nothing is lost: it warns.
// Policies that are not enabled play no part (CA-32).
func Guard(before, after *Snapshot, people []Administrator) GuardResult {
	r := GuardResult{Verdict: GuardPassed, AdministratorsTotal: len(people), Able: []string{}, Affected: []Affected{}}
	had := 0
	for i := range people {
		a := &people[i]
		was := a.able(before)
		if was {
			had++
		}
		if a.able(after) {
			r.Able = append(r.Able, a.UserID)
		} else if was {
			r.Affected = append(r.Affected, a.lost(after))
		}
	}
	switch {
	case len(r.Affected) == 0:
	case len(r.Able) == 0 && had > 0:
		r.Verdict = GuardRefused
	default:
		r.Verdict = GuardWarned
	}
	return r
}

// able reports whether a way in is left, with methods that the person has.
// Having to register one first does not count: that may be the thief's passkey.
func (a *Administrator) able(s *Snapshot) bool {
	return a.Enabled && slices.ContainsFunc(a.Situations, func(x Situation) bool {
		if len(x.Methods) == 0 {
			return false
		}
		d := Evaluate(s, x)
		return d.Verdict == Allow || d.Verdict == Challenge && !slices.ContainsFunc(d.Next, func(st Step) bool { return st.Kind != ProveMethod && st.Kind != SignInAgain })
	})
}

// lost says why, for the first of the usual situations.
func (a *Administrator) lost(s *Snapshot) Affected {
	out := Affected{UserID: a.UserID, UserPrincipalName: a.UserPrincipalName, Decision: Refuse}
	if len(a.Situations) == 0 {
		return out
	}
	d := Evaluate(s, a.Situations[0])
	out.Decision = d.Verdict
	for _, p := range d.Policies() {
		if p.State == Enabled && p.Outcome == d.Outcome {
			out.PolicyID, out.Reason = p.ID, fmt.Sprintf("%s: %s", p.Outcome, p.DisplayName)
			if p.Strength != nil {
				out.Reason = fmt.Sprintf("%s (%s)", out.Reason, p.Strength.Name)
			}
			break
		}
	}
	return out
}

// err is the refusal of a change that the guard refuses (CA-29).
func (r *GuardResult) err() error {
	names := ""
	for i, a := range r.Affected {
		if i == 3 {
			names += " and others"
			break
		}
		if i > 0 {
			names += ", "
		}
		names += a.UserPrincipalName
	}
	return problem.New(problem.Invalid, "wouldLockOutAdministrators", "1090: After this no Global Administrator could sign in any more (%s). Exclude the group of emergency accounts, or save it in report-only first.", names)
}
