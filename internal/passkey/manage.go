package passkey

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// Which names a passkey, and who acts on it.
type Which struct {
	User     directory.User
	MethodID string // Graph's id
	Actor    audit.Actor
	At       time.Time
	// Confirmed: the person knows that it is the last strong way to sign in.
	// Asked of a person who deletes an own passkey, not of an administrator.
	Confirmed bool
}

func (w *Which) own() bool { return w.Actor.UserID == w.User.ID }

// Rename gives a passkey another name (PK-131). Errors: keyNotFound, badRequest.
func (k *Keeper) Rename(ctx context.Context, w Which, name string) (Method, error) {
	var m Method
	err := k.DB.Write(ctx, func(q db.Querier) error {
		var err error
		if m, err = k.Get(ctx, q, w.User.ID, w.MethodID); err != nil {
			return err
		}
		return k.rename(ctx, q, w, &m, name)
	})
	return m, err
}

func (k *Keeper) rename(ctx context.Context, q db.Querier, w Which, m *Method, name string) (err error) {
	was := m.DisplayName
	if m.DisplayName, err = DisplayName(name, k.Name(m.Facts().AAGUID)); err != nil || m.DisplayName == was {
		return err
	}
	if _, err := q.ExecContext(ctx, `UPDATE passkeys SET display_name = $1 WHERE id = $2`, m.DisplayName, m.Key); err != nil {
		return err
	}
	return k.logMethod(ctx, q, w.Actor, w.At, methodChange{user: w.User, verb: "updated", method: *m,
		more: []audit.KeyValue{{Key: "oldName", Value: was}, {Key: "newName", Value: m.DisplayName}}})
}

// Update renames a passkey, or activates one in place of its owner, who cannot
// do so here: the owner proves to hold it. An active passkey stays active;
// whoever wants to stop one deletes it. Errors: those of Rename; Invalid,
// passkeyActive; Forbidden, authorizationRequestDenied.
func (k *Keeper) Update(ctx context.Context, w Which, p MethodPatch) (Method, error) {
	var m Method
	err := k.DB.Write(ctx, func(q db.Querier) error {
		var err error
		if m, err = k.Get(ctx, q, w.User.ID, w.MethodID); err != nil {
			return err
		}
		switch waits := m.Cardea.State == Disabled; {
		case p.State == Disabled && !waits:
			return problem.New(problem.Invalid, "passkeyActive", "This passkey is in use and cannot go back to the state disabled. To stop it, delete it.").On("/cardea/state")
		case p.State == Enabled && waits && w.own():
			return problem.New(problem.Forbidden, "authorizationRequestDenied", "The own passkey is activated by using it: sign in, open Security info, and choose Activate.")
		case p.State == Enabled && waits:
			if err := k.enable(ctx, q, w, m); err != nil {
				return err
			}
			m.Cardea.State = Enabled
		}
		if p.DisplayName == nil {
			return nil
		}
		return k.rename(ctx, q, w, &m, *p.DisplayName)
	})
	return m, err
}

// Delete removes a passkey. Errors: keyNotFound; wouldLockOutAdministrators
// (PK-132); and, for a person who deletes the last strong way of their own,
// Conflict, lastMethod, unless Confirmed (ux UX-M4). Sessions that it proved go
// on: who wants to end them signs out everywhere.
func (k *Keeper) Delete(ctx context.Context, w Which) error {
	return k.DB.Write(ctx, func(q db.Querier) error {
		m, err := k.Get(ctx, q, w.User.ID, w.MethodID)
		if err != nil {
			return err
		}
		if err := k.GuardAdministrators(ctx, q, Without{PasskeyKey: m.Key}); err != nil {
			return err
		}
		if w.own() && !w.Confirmed {
			if err := k.guardLast(ctx, q, m); err != nil {
				return err
			}
		}
		res, err := q.ExecContext(ctx, `DELETE FROM passkeys WHERE id = $1`, m.Key)
		if err := db.Changed(m.what(), res, err); err != nil {
			return err
		}
		return k.logMethod(ctx, q, w.Actor, w.At, methodChange{user: w.User, verb: "deleted", method: m})
	})
}

// guardLast refuses to take the last passkey that works from somebody who has
// no password and code either.
func (k *Keeper) guardLast(ctx context.Context, q db.Querier, m Method) error {
	c, _, err := readPolicy(ctx, q)
	if err != nil {
		return err
	}
	policy := Compile(c)
	works, err := k.hasPasskey(ctx, q, policy, m.UserID, "")
	if err != nil || !works { // what does not work today is no loss
		return err
	}
	if works, err = k.hasPasskey(ctx, q, policy, m.UserID, m.Key); err != nil || works {
		return err
	}
	if other, err := hasOtherMFA(ctx, q, m.UserID); err != nil || other {
		return err
	}
	return problem.New(problem.Conflict, "lastMethod", "This is your only way to sign in. Create another passkey first, then delete this one.")
}

// Offer says which passkeys a person could register, for the words before the
// dialog opens (PK-175) and the hints to the browser (ux UX-X3).
type Offer struct {
	Types TypeSet  // of all profiles together
	Any   bool     // some profile takes any provider
	Names []string // else: providers and models that are listed, by name
}

// Offer reads what the profiles of a person accept. A person whom passkeys are
// not for gets the refusal of BeginRegistration.
func (k *Keeper) Offer(ctx context.Context, r Registration) (Offer, error) {
	policy, memberOf, err := k.rulesFor(ctx, r.User.ID)
	if err != nil {
		return Offer{}, err
	}
	if d := Eligible(r.operation(), memberOf, r.User.ID, policy); !d.Allowed {
		return Offer{}, r.refusal(d)
	}
	var o Offer
	_, profiles := policy.Effective(memberOf, r.User.ID)
	seen := map[string]bool{}
	for _, e := range profiles {
		p, _ := policy.config.Profile(e.ID)
		o.Types |= p.PasskeyTypes
		if !p.KeyRestrictions.IsEnforced || p.KeyRestrictions.EnforcementType == Block {
			o.Any = true
			continue
		}
		for _, id := range p.KeyRestrictions.AaGuids {
			a, _ := ParseAAGUID(id)
			name := k.Name(a)
			if name == "" {
				name = id
			}
			if !seen[name] {
				seen[name] = true
				o.Names = append(o.Names, name)
			}
		}
	}
	return o, nil
}
