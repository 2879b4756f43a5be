package passkey

import "cardea/internal/problem"

// Signs are the parts of authenticator data that may change from one use of a
// passkey to the next.
type Signs struct {
	BackupEligible, BackupState bool
	SignCount                   uint32
}

// Codes of Judge, also the codes of its events.
const (
	BackupStateInvalid       = "backupStateInvalid"
	BackupEligibilityLost    = "backupEligibilityLost"
	BackupEligibilityChanged = "backupEligibilityChanged"
	SignCounterRegression    = "signCounterRegression"
)

// Judgement is what the signs of one assertion mean, before policy is asked.
type Judgement struct {
	Type    Type   // evaluate the passkey as this (PK-83)
	Refusal string // a code; "" if policy may decide

	stored, received Signs
}

// Judge compares the signs of an assertion, whose signature verified, with the
// record. It refuses, first rule first:
//
//	backupStateInvalid     backed up, yet not eligible (PK-85)
//	backupEligibilityLost  synced before, device-bound now (PK-84)
//	signCounterRegression  the counter of a device-bound passkey did not rise (PK-87)
//
// The counter is judged by the type in the record: a copied key could claim to
// be synced by now, just to get around the rule.
func Judge(stored, received Signs) Judgement {
	j := Judgement{Type: TypeOf(received.BackupEligible), stored: stored, received: received}
	switch {
	case received.BackupState && !received.BackupEligible:
		j.Refusal = BackupStateInvalid
	case stored.BackupEligible && !received.BackupEligible:
		j.Refusal = BackupEligibilityLost
	case !stored.BackupEligible && j.counterWentBack():
		j.Refusal = SignCounterRegression
	}
	return j
}

// counterWentBack is WebAuthn L3 §7.2 step 22: not above the stored value,
// unless the passkey does not count.
func (j Judgement) counterWentBack() bool {
	return (j.stored.SignCount != 0 || j.received.SignCount != 0) && j.received.SignCount <= j.stored.SignCount
}

// Event is something about a passkey that goes into the audit log even if the
// sign-in is refused (PK-183).
type Event struct {
	Code             string // BackupEligibilityChanged or SignCounterRegression
	Stored, Received Signs
	Accepted         bool
	Reason           string // why the sign-in was refused; "" if accepted
}

// Outcome is the end of a sign-in, as far as the passkey is concerned.
type Outcome struct {
	Accepted bool
	Code     string // why not: a code of Judge, or Decision.Code
	Signs    Signs  // what the record must hold from now on
	Type     Type   // likewise
	Events   []Event
}

// Conclude joins j with the decision of the policy about the same assertion
// (Facts.Type = j.Type, operation SignIn). The decision does not matter if j
// refuses already. A refusal leaves the record as it is.
func (j Judgement) Conclude(d Decision) Outcome {
	o := Outcome{Code: j.Refusal, Signs: j.stored, Type: TypeOf(j.stored.BackupEligible)}
	reason := j.Refusal
	if reason == "" && !d.Allowed {
		o.Code, reason = d.Code(), d.Why()
	}
	if reason == "" {
		o.Accepted, o.Signs, o.Type = true, j.received, j.Type
	}
	event := func(code string) {
		o.Events = append(o.Events, Event{Code: code, Stored: j.stored, Received: j.received, Accepted: o.Accepted, Reason: reason})
	}
	if j.stored.BackupEligible != j.received.BackupEligible {
		event(BackupEligibilityChanged)
	}
	if j.counterWentBack() {
		event(SignCounterRegression)
	}
	return o
}

// Problem is j's refusal for the person, who has proved to hold the key, or nil.
func (j Judgement) Problem() *problem.Error {
	const other = " Use another passkey or another way to sign in, then remove this passkey and create a new one."
	switch j.Refusal {
	case BackupStateInvalid:
		return problem.New(problem.Invalid, j.Refusal, "The passkey contradicts itself: it says that it is kept in a password manager, and that it cannot be."+other)
	case BackupEligibilityLost:
		return problem.New(problem.Invalid, j.Refusal, "This passkey was synced and now says that it is only on one device."+other)
	case SignCounterRegression:
		return problem.New(problem.Invalid, j.Refusal, "This passkey may have been copied: its use counter did not go up."+other+" Tell your help desk.")
	}
	return nil
}
