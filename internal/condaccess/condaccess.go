// Package condaccess decides who may reach what, from where, with which proof:
// Conditional Access.
//
// An administrator writes policies (Policy), the named locations and the
// authentication strengths that policies name. ReadPolicy and Patched give a
// valid document or say with a JSON pointer what is wrong; what GET returns can
// be sent back by POST or PATCH without loss (CA-11). Compile makes a Snapshot
// of all of them, and Evaluate asks the snapshot about one Situation: one
// sign-in of one person, one token refresh, one registration.
//
// The answer is a Decision: allow, challenge, register or block, what to ask
// for next, and what the session must keep to. Decision.Policies explains it
// policy by policy, condition by condition. Sign-in, What-If, the sign-in log,
// the lock-out guard and replay all read this one value.
//
// Promises:
//   - Evaluate reads no clock and no database; the same snapshot and situation
//     give the same answer, in whatever order policies were made (CA-34).
//   - Report-only and disabled policies never change the answer (CA-36).
//   - Conditions are joined by AND, exclusion beats inclusion, every enabled
//     policy that applies must be met (CA-39, CA-40). Another enabled policy
//     never weakens the answer (CA-37), with the one exception of CA-44.
//   - Nobody is special: emergency accounts are safe because policies exclude
//     their group, and for no other reason (CA-24).
//   - What cannot be evaluated here counts as not met, and cannot be enabled
//     (CA-8). A signal that is missing is unknown, never what somebody wishes.
//
// It does not verify proofs (package passkey and its neighbours), and it does
// not find out facts about a sign-in: whoever asks brings them.
package condaccess
