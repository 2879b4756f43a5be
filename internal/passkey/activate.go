package passkey

import (
	"bytes"
	"context"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/webauthn"
)

// A passkey may be prepared: an administrator registers it for somebody in the
// state Disabled, and hands the key over or posts it. On its way it opens
// nothing: FinishSignIn refuses it, after the signature, as passkeyDisabled, it
// is no method that counts (GuardAdministrators, Standings), and who finds it
// holds a piece of plastic. It works from the moment at which its owner,
// proved in another way, uses it. (Entra has no such state; passkeys §7.5 is
// overruled by the issue.)

// vouched reports whether the owner of the passkey was proved in another way
// minutes ago, in this browser. First steps suffice: they may register a
// passkey, which is more.
func (p *proof) vouched() bool {
	for _, s := range []*session.Session{p.Session, p.Beside} {
		if s != nil && s.UserID == p.rec.user.ID && session.Fresh(*s, p.At) == nil {
			return true
		}
	}
	return false
}

// activated is the part of enter that makes the passkey work.
func (k *Keeper) activated(ctx context.Context, q db.Querier, v verdict) error {
	return k.enable(ctx, q, Which{User: v.rec.user, Actor: v.Situation.Actor(v.rec.user), At: v.At}, v.rec.Method)
}

// enable makes a prepared passkey work, and records who did it. Somebody who
// was faster is no error.
func (k *Keeper) enable(ctx context.Context, q db.Querier, w Which, m Method) error {
	res, err := q.ExecContext(ctx, `UPDATE passkeys SET disabled = FALSE WHERE id = $1 AND disabled`, m.Key)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	m.Cardea.State = Enabled
	return k.logMethod(ctx, q, w.Actor, w.At, methodChange{user: w.User, verb: "updated", method: m, what: "Activate passkey"})
}

// Prepared lists the passkeys of a person that wait to be activated, and that
// the policy would let in.
func (k *Keeper) Prepared(ctx context.Context, userID string) ([]Method, error) {
	policy, memberOf, err := k.rulesFor(ctx, userID)
	if err != nil {
		return nil, err
	}
	all, err := k.List(ctx, k.DB, userID)
	var out []Method
	for _, m := range all {
		facts := m.Facts()
		facts.Disabled = false
		if m.Cardea.State == Disabled && Allowed(SignIn, facts, memberOf, userID, policy).Allowed {
			out = append(out, m)
		}
	}
	return out, err
}

// Active lists the passkeys of a person that do not wait to be activated,
// whatever the policy says about them today.
func (k *Keeper) Active(ctx context.Context, userID string) ([]Method, error) {
	all, err := k.List(ctx, k.DB, userID)
	var out []Method
	for _, m := range all {
		if m.Cardea.State == Enabled {
			out = append(out, m)
		}
	}
	return out, err
}

// BeginActivation makes the options with which the person of s uses one
// prepared passkey and no other. Errors: keyNotFound, also for one that is
// active already; ngcMfaRequired.
func (k *Keeper) BeginActivation(ctx context.Context, s session.Session, methodID, binding string, now time.Time) (Begun, error) {
	if err := session.Fresh(s, now); err != nil {
		return Begun{}, err
	}
	m, err := k.prepared(ctx, s.UserID, methodID)
	if err != nil {
		return Begun{}, err
	}
	return k.beginAssertion(s.UserID, binding, now, descriptors([]Method{m}))
}

// FinishActivation verifies the answer and activates the passkey; a.Session,
// which is required, is refreshed by it. Errors are those of BeginActivation
// and FinishSignIn, and passkeyNotUsable for the answer of another passkey.
// Where the policy refuses the passkey it stays as it is.
func (k *Keeper) FinishActivation(ctx context.Context, a Attempt, methodID string) (SignedIn, error) {
	if err := session.Fresh(*a.Session, a.At); err != nil {
		return SignedIn{}, err
	}
	m, err := k.prepared(ctx, a.Session.UserID, methodID)
	if err != nil {
		return SignedIn{}, err
	}
	resp, err := webauthn.ParseAssertion(a.Credential)
	if err != nil {
		return SignedIn{}, err
	}
	if !bytes.Equal(resp.CredentialID, m.CredentialID) {
		return SignedIn{}, errNotUsable
	}
	return k.FinishSignIn(ctx, a)
}

func (k *Keeper) prepared(ctx context.Context, userID, methodID string) (Method, error) {
	m, err := k.Get(ctx, k.DB, userID, methodID)
	if err == nil && m.Cardea.State != Disabled {
		err = problem.New(problem.NotFound, "keyNotFound", "This passkey is active already. Use it to sign in.")
	}
	return m, err
}
