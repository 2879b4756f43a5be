package condaccess

import "time"

// Verdict is what becomes of a sign-in.
type Verdict string

const (
	Allow     Verdict = "allow"
	Challenge Verdict = "challenge" // with methods that the person has
	Register  Verdict = "register"  // something that the person can register now
	Refuse    Verdict = "block"
)

// Outcome is what one policy says of a sign-in, or of its controls. The order
// is that of strictness.
type Outcome uint8

const (
	NotEnabled Outcome = iota
	NotApplied
	Satisfied
	ChallengeRequired
	RegistrationRequired
	CannotSatisfy
	Blocked
)

var outcomeNames = [...]string{"notEnabled", "notApplied", "satisfied", "challengeRequired", "registrationRequired", "cannotSatisfy", "blocked"}

func (o Outcome) String() string { return outcomeNames[o] }

// MarshalText writes the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(outcomeNames[o]), nil }

// verdict joins the outcomes of all policies.
func (o Outcome) verdict() Verdict {
	switch o {
	case ChallengeRequired:
		return Challenge
	case RegistrationRequired:
		return Register
	case CannotSatisfy, Blocked:
		return Refuse
	}
	return Allow
}

// Results of a policy in the sign-in log (appliedConditionalAccessPolicies).
const (
	ResultSuccess               = "success"
	ResultFailure               = "failure"
	ResultNotApplied            = "notApplied"
	ResultNotEnabled            = "notEnabled"
	ResultReportOnlySuccess     = "reportOnlySuccess"
	ResultReportOnlyFailure     = "reportOnlyFailure"
	ResultReportOnlyNotApplied  = "reportOnlyNotApplied"
	ResultReportOnlyInterrupted = "reportOnlyInterrupted"
)

// Result is the word of the sign-in log for an outcome. succeeded says how the
// attempt ended: what an enabled policy asked for was done, or not.
func (o Outcome) Result(s State, succeeded bool) string {
	if s == Disabled || o == NotEnabled {
		return ResultNotEnabled
	}
	if s == ReportOnly {
		switch o {
		case NotApplied:
			return ResultReportOnlyNotApplied
		case Satisfied:
			return ResultReportOnlySuccess
		case ChallengeRequired, RegistrationRequired:
			return ResultReportOnlyInterrupted
		}
		return ResultReportOnlyFailure
	}
	switch o {
	case NotApplied:
		return ResultNotApplied
	case Satisfied:
		return ResultSuccess
	case ChallengeRequired, RegistrationRequired:
		if succeeded {
			return ResultSuccess
		}
	}
	return ResultFailure
}

// StrengthOutcome is Graph's authenticationStrengthResult.
type StrengthOutcome uint8

const (
	StrengthNotSet StrengthOutcome = iota
	SkippedForProofUp
	StrengthSatisfied
	SingleChallengeRequired
	MultipleChallengesRequired
	SingleRegistrationRequired
	MultipleRegistrationsRequired
	CannotSatisfyDueToConfiguration
	CannotSatisfyStrength
)

var strengthNames = [...]string{"notSet", "skippedForProofUp", "satisfied", "singleChallengeRequired", "multipleChallengesRequired", "singleRegistrationRequired",
	"multipleRegistrationsRequired", "cannotSatisfyDueToCombinationConfiguration", "cannotSatisfy"}

func (r StrengthOutcome) String() string { return strengthNames[r] }

// MarshalText writes the name.
func (r StrengthOutcome) MarshalText() ([]byte, error) { return []byte(strengthNames[r]), nil }

func (r StrengthOutcome) outcome() Outcome {
	switch r {
	case SingleChallengeRequired, MultipleChallengesRequired:
		return ChallengeRequired
	case SingleRegistrationRequired, MultipleRegistrationsRequired:
		return RegistrationRequired
	case CannotSatisfyDueToConfiguration, CannotSatisfyStrength:
		return CannotSatisfy
	}
	return Satisfied
}

// Decision is the answer of Evaluate.
type Decision struct {
	Verdict Verdict
	Outcome Outcome        // the strictest of the enabled policies that apply; Satisfied if none applies
	Next    []Step         // what to ask for, best first; with Refuse only what comes before the refusal
	Session SessionDemands // what the session must keep to once it is granted

	pass *pass
}

// SessionDemands joins the session controls of the enabled policies that apply.
type SessionDemands struct {
	Timed          bool          // there is a sign-in frequency
	Every          bool          // everyTime, which is shorter than any Frequency
	Frequency      time.Duration // the shortest
	Browser        BrowserMode   // "", always, or never, which wins
	StrictLocation bool          // tokens count only where the sign-in would
}

// join adds the controls of one policy (CA-7).
func (d *SessionDemands) join(c *compiled) {
	if c.timed {
		if c.period == 0 {
			d.Every, d.Frequency = true, 0
		} else if !d.Every && (!d.Timed || c.period < d.Frequency) {
			d.Frequency = c.period
		}
		d.Timed = true
	}
	if c.browser == BrowserNever || d.Browser == "" {
		d.Browser = c.browser
	}
	d.StrictLocation = d.StrictLocation || c.strict
}
