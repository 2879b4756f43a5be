package session

import "cardea/internal/problem"

// Multifactor refuses a session that is not good enough for administration:
// one of first steps with signInRequired, one of a single factor with
// ngcMfaRequired, both Unauthenticated. How old the proof is does not matter.
func Multifactor(s Session) error {
	if !s.Proved() {
		return problem.New(problem.Unauthenticated, "signInRequired", "Please sign in.")
	}
	if s.MFAAt.IsZero() {
		return problem.New(problem.Unauthenticated, "ngcMfaRequired", "Administration needs a strong sign-in. Sign in again with a passkey.")
	}
	return nil
}
