package session

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
)

// EndOthers signs the person of s out everywhere but here. Signing out voids
// every session that began until now, so s goes on under a new id: the caller
// hands the browser the new token.
func EndOthers(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, s Session) (Session, string, error) {
	if err := EndAll(ctx, q, a, now, s.UserID); err != nil {
		return Session{}, "", err
	}
	// The moment after the one until which sessions are void.
	return Start(ctx, q, now.Truncate(time.Millisecond).Add(time.Millisecond), s)
}
