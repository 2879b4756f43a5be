package session

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"cardea/internal/db"
)

// Presented is an access token that a person's application sent to an API, and
// that the API shows to act for the person elsewhere (on-behalf-of). The edge
// has checked its signature, its time, and that it was meant for this API.
type Presented struct {
	UserID, SessionID string
	IssuedAt, AuthAt  int64 // Unix seconds
	Methods           []string
}

// OnBehalf begins the grant of an API for the person of p: g says what is asked
// for and by whom. It is void whenever the grant behind p is: a person who
// signed out, was switched off or was signed out everywhere is nobody to act
// for, and what came from a Temporary Access Pass ends with it (PK-152).
//
// also runs in the same transaction and writes the row of the sign-in log.
func OnBehalf(ctx context.Context, d *db.DB, now time.Time, p Presented, g Grant, also func(db.Querier, Granted) error) (Granted, error) {
	// A token is younger than its session, so its own time is safe to compare
	// with "signed out everywhere", and seconds round to the safe side.
	g.UserID, g.SessionID, g.Methods, g.AuthAt, g.BeganAt = p.UserID, p.SessionID, p.Methods, p.AuthAt*1000, p.IssuedAt*1000
	var out Granted
	var refused error
	err := d.Write(ctx, func(q db.Querier) (err error) {
		out, refused = Granted{Grant: g}, nil
		if slices.Contains(g.Methods, MethodAccessPass) {
			err := q.QueryRowContext(ctx, `SELECT expires_at FROM sessions WHERE id = $1`, g.SessionID).Scan(&out.Until)
			if err == sql.ErrNoRows {
				refused = errGrant("grantVoid", "The Temporary Access Pass behind this sign-in has ended. Sign in again.")
				return nil
			}
			if err != nil {
				return err
			}
		}
		if out.User, refused, err = alive(ctx, q, out.Grant, now); refused != nil || err != nil {
			return err
		}
		if out.RefreshLife > 0 {
			if out.FamilyID, out.Refresh, err = IssueRefresh(ctx, q, now, out.Grant); err != nil {
				return err
			}
		}
		return also(q, out)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Granted{}, err
	}
	return out, nil
}

// ByPassword begins the grant of an application to which a person typed a
// password (the resource owner password grant). The session that the password
// opened stands behind it, so that a changed password ends it.
func ByPassword(ctx context.Context, d *db.DB, now time.Time, in SignedIn, g Grant) (Granted, error) {
	given := GrantOf(in.Session, Flow{AppID: g.ClientID, Scope: g.Scope})
	given.Secret, given.RefreshLife, given.Sliding = g.Secret, g.RefreshLife, g.Sliding
	out := Granted{Grant: given, User: in.User}
	if out.RefreshLife == 0 {
		return out, nil
	}
	err := d.Write(ctx, func(q db.Querier) (err error) {
		out.FamilyID, out.Refresh, err = IssueRefresh(ctx, q, now, given)
		return err
	})
	return out, err
}
