package passkey

import (
	"context"
	"database/sql"
	"slices"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// Without is what somebody is about to take away. Zero members take nothing.
type Without struct {
	UserID     string // this person is disabled, deleted, or loses the role
	PasskeyKey string // this passkey is deleted
}

// GuardAdministrators refuses with Invalid, wouldLockOutAdministrators, what
// would leave no enabled Global Administrator with a working passkey or
// another working multifactor method (PK-42, PK-132, DO-18). A Temporary Access
// Pass does not count: it ends. Where nobody was able before, nothing is lost
// and nothing is refused. q is the transaction of the change.
func (k *Keeper) GuardAdministrators(ctx context.Context, q db.Querier, w Without) error {
	c, _, err := readPolicy(ctx, q)
	if err != nil {
		return err
	}
	policy := Compile(c)
	if err := k.oneByOne(ctx, q); err != nil {
		return err
	}
	able, err := k.ableAdministrators(ctx, q, policy, w)
	if err != nil || able > 0 {
		return err
	}
	if able, err = k.ableAdministrators(ctx, q, policy, Without{}); err != nil || able == 0 {
		return err
	}
	return errLockOut
}

// Guard runs change, which may take away anything, and refuses it like
// GuardAdministrators if no Global Administrator could sign in afterwards. It
// is for changes whose effect only the database can tell: members of groups,
// policies of other methods.
func (k *Keeper) Guard(ctx context.Context, q db.Querier, change func() error) error {
	if err := k.oneByOne(ctx, q); err != nil {
		return err
	}
	able := func() (int, error) {
		c, _, err := readPolicy(ctx, q)
		if err != nil {
			return 0, err
		}
		return k.ableAdministrators(ctx, q, Compile(c), Without{})
	}
	before, err := able()
	if err != nil {
		return err
	}
	if err := change(); err != nil || before == 0 {
		return err
	}
	if after, err := able(); err != nil || after > 0 {
		return err
	}
	return errLockOut
}

// GuardPerson is Guard for a change of one person, by object id or user name.
// Only for a Global Administrator is there anything to guard.
func (k *Keeper) GuardPerson(ctx context.Context, q db.Querier, person string, change func() error) error {
	u, err := directory.GetUser(ctx, q, person)
	if problem.KindOf(err) == problem.NotFound {
		return change()
	}
	if err != nil {
		return err
	}
	roles, err := directory.RolesOf(ctx, q, u.ID)
	if err != nil {
		return err
	}
	if !slices.Contains(roles, directory.GlobalAdministrator) {
		return change()
	}
	return k.Guard(ctx, q, change)
}

// oneByOne makes transactions that guard wait for one another, so that two
// administrators who remove each other at the same moment do not both succeed.
// Setting a column to itself locks the rows on PostgreSQL; SQLite has one
// writer anyway. A look beforehand locks nothing.
func (k *Keeper) oneByOne(ctx context.Context, q db.Querier) error {
	if _, looks := q.(*db.DB); looks {
		return nil
	}
	_, err := q.ExecContext(ctx, `UPDATE role_assignments SET role_id = role_id WHERE role_id = $1`, directory.GlobalAdministrator)
	return err
}

var errLockOut = problem.New(problem.Invalid, "wouldLockOutAdministrators",
	"After this no Global Administrator could sign in any more. Give another Global Administrator a passkey that the policy allows first.")

func isLockOut(err error) bool { return problem.CodeOf(err) == errLockOut.Code }

// guardPolicy is GuardAdministrators for a change of the policy. forced reports
// that only force let it pass.
func (k *Keeper) guardPolicy(ctx context.Context, q db.Querier, before, after *Snapshot, force bool) (forced bool, err error) {
	if err := k.oneByOne(ctx, q); err != nil {
		return false, err
	}
	able, err := k.ableAdministrators(ctx, q, after, Without{})
	if err != nil || able > 0 {
		return false, err
	}
	if able, err = k.ableAdministrators(ctx, q, before, Without{}); err != nil || able == 0 {
		return false, err
	}
	if force {
		return true, nil
	}
	return false, errLockOut
}

// ableAdministrators counts the enabled Global Administrators who can sign in
// with a passkey or with password and code, up to one: nobody needs more.
func (k *Keeper) ableAdministrators(ctx context.Context, q db.Querier, policy *Snapshot, w Without) (int, error) {
	rows, err := q.QueryContext(ctx, `SELECT id FROM users WHERE id IN (`+directory.HoldersSQL("$1")+`) AND enabled AND id <> $2 ORDER BY id`, directory.GlobalAdministrator, w.UserID)
	people, err := db.Collect(rows, err, scanText)
	if err != nil {
		return 0, err
	}
	for _, id := range people {
		works, err := k.hasPasskey(ctx, q, policy, id, w.PasskeyKey)
		if err == nil && !works {
			works, err = hasOtherMFA(ctx, q, id)
		}
		if err != nil {
			return 0, err
		}
		if works {
			return 1, nil
		}
	}
	return 0, nil
}

// hasPasskey reports whether the policy lets the person sign in with any
// passkey of this site but the one named.
func (k *Keeper) hasPasskey(ctx context.Context, q db.Querier, policy *Snapshot, userID, exceptKey string) (bool, error) {
	memberOf, err := directory.MemberOf(ctx, q, userID)
	if err != nil {
		return false, err
	}
	rows, err := q.QueryContext(ctx, `SELECT aaguid, backup_eligible, disabled FROM passkeys WHERE user_id = $1 AND id <> $2 AND rp_id = $3`, userID, exceptKey, k.RP.ID)
	facts, err := db.Collect(rows, err, scanFacts)
	if err != nil {
		return false, err
	}
	for _, pk := range facts {
		if Allowed(SignIn, pk, memberOf, userID, policy).Allowed {
			return true, nil
		}
	}
	return false, nil
}

func scanFacts(r *sql.Rows, pk *Facts) error {
	var aaguid string
	var eligible bool
	err := r.Scan(&aaguid, &eligible, &pk.Disabled)
	pk.AAGUID, _ = ParseAAGUID(aaguid)
	pk.Type = TypeOf(eligible)
	return err
}

// hasOtherMFA reports whether password and code together still work.
func hasOtherMFA(ctx context.Context, q db.Querier, userID string) (bool, error) {
	yes, err := password.HasUsable(ctx, q, userID)
	if err != nil || !yes {
		return false, err
	}
	return oath.HasUsable(ctx, q, userID)
}
