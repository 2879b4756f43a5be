package throttle

import (
	"context"

	"cardea/internal/db"
)

// Uncount takes back the count of one try that turned out right, in the
// caller's transaction. It is for addresses: an office that comes to work
// behind one address must not run into its limit, and somebody with a right
// secret of their own must not wipe out the count of their wrong guesses,
// as Forget would.
func Uncount(ctx context.Context, q db.Querier, kind, who string) error {
	_, err := q.ExecContext(ctx, `UPDATE attempts SET count = count - 1 WHERE key = $1 AND count > 0`, key(kind, who))
	return err
}
