package passkey

import (
	"context"

	"cardea/internal/db"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// MayDelete returns a passkey and says beforehand what Delete would refuse, for
// the page that asks whether to.
func (k *Keeper) MayDelete(ctx context.Context, w Which) (Method, error) {
	m, err := k.Get(ctx, k.DB, w.User.ID, w.MethodID)
	if err != nil {
		return m, err
	}
	if err := k.GuardAdministrators(ctx, k.DB, Without{PasskeyKey: m.Key}); err != nil {
		return m, err
	}
	if w.own() && !w.Confirmed {
		return m, k.guardLast(ctx, k.DB, m)
	}
	return m, nil
}

// GuardPassword refuses with Conflict, lastMethod, to take password or app code
// from somebody who has no passkey that works: without a password they could
// not come in at all, without the code they would not be strong any more (ux
// UX-M4). q is the transaction of the change.
func (k *Keeper) GuardPassword(ctx context.Context, q db.Querier, userID string) error {
	used, err := password.HasUsable(ctx, q, userID)
	if err != nil || !used {
		return err
	}
	c, _, err := readPolicy(ctx, q)
	if err != nil {
		return err
	}
	works, err := k.hasPasskey(ctx, q, Compile(c), userID, "")
	if err != nil || works {
		return err
	}
	return problem.New(problem.Conflict, "lastMethod", "This is your only way to sign in. Create a passkey first, then delete it.")
}
