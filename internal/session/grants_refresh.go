package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// IssueRefresh starts a refresh family for g and returns its first token.
func IssueRefresh(ctx context.Context, q db.Querier, now time.Time, g Grant) (familyID, token string, err error) {
	text, err := json.Marshal(g)
	if err != nil {
		return "", "", err
	}
	familyID = db.NewID(now)
	id := db.NewID(now)
	secret, hash := newSecret()
	if _, err = q.ExecContext(ctx, `INSERT INTO refresh_families (id, user_id, client_id, session_id, grant_json, current_id, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, familyID, g.UserID, g.ClientID, g.SessionID, string(text), id, now.UnixMilli(), g.refreshEnd(now)); err != nil {
		return "", "", err
	}
	return familyID, id + "." + secret, insertToken(ctx, q, now, id, familyID, hash)
}

// refreshEnd is when a token that is issued now ends, in Unix milliseconds.
func (g *Grant) refreshEnd(now time.Time) int64 {
	end := now.Add(g.RefreshLife).UnixMilli()
	if g.Until > 0 {
		end = min(end, g.Until)
	}
	return end
}

func insertToken(ctx context.Context, q db.Querier, now time.Time, id, family string, hash []byte) error {
	_, err := q.ExecContext(ctx, `INSERT INTO refresh_tokens (id, family_id, secret_hash, created_at) VALUES ($1, $2, $3, $4)`, id, family, hash, now.UnixMilli())
	return err
}

// Rotation is what a client shows to refresh.
type Rotation struct {
	Client
	Token string
}

// RotateRefresh exchanges a refresh token for a new one. Each works once; one
// that comes again, or from another client, revokes the whole family and is
// recorded as "Refresh token reuse detected": nobody can tell which of the two
// holders is the thief (RFC 9700 §4.14.2).
//
// also runs in the same transaction and writes the row of the sign-in log. A
// refusal is an Invalid problem, and commits.
func RotateRefresh(ctx context.Context, d *db.DB, now time.Time, r Rotation, also func(db.Querier, Granted) error) (Granted, error) {
	id, secret, ok := splitToken(r.Token)
	if !ok {
		return Granted{}, errGrant("refreshUnknown", "The refresh token is not one of ours, or was cut off. Sign in again.")
	}
	var out Granted
	var refused error
	err := d.Write(ctx, func(q db.Querier) error {
		out, refused = Granted{}, nil
		var err error
		err = q.QueryRowContext(ctx, `UPDATE refresh_tokens SET used_at = $1 WHERE id = $2 AND secret_hash = $3 AND used_at IS NULL RETURNING family_id`,
			now.UnixMilli(), id, hashOf(secret)).Scan(&out.FamilyID)
		first := err == nil
		if err == sql.ErrNoRows {
			err = q.QueryRowContext(ctx, `SELECT family_id FROM refresh_tokens WHERE id = $1 AND secret_hash = $2`, id, hashOf(secret)).Scan(&out.FamilyID)
		}
		if err == sql.ErrNoRows {
			refused = errGrant("refreshUnknown", "The refresh token is not known. Sign in again.")
			return nil
		}
		if err != nil {
			return err
		}
		f, err := readFamily(ctx, q, out.FamilyID)
		if err != nil {
			return err
		}
		out.Grant = f.grant
		switch {
		case f.revoked:
			refused = errGrant("refreshRevoked", "The refresh token was revoked. Sign in again.")
			return nil
		case f.grant.fits(r.Client, "refreshOfOtherClient") != nil: // a thief has no secret
			refused = f.grant.fits(r.Client, "refreshOfOtherClient")
			return reuse(ctx, q, now, out.FamilyID, problem.CodeOf(refused), "Refresh token reuse detected")
		case f.expires <= now.UnixMilli():
			refused = errGrant("refreshExpired", "The refresh token has expired. Sign in again.")
			return nil
		}
		if out.User, refused, err = alive(ctx, q, out.Grant, now); err != nil {
			return err
		}
		if refused != nil {
			_, err = revokeFamily(ctx, q, now, out.FamilyID, "void")
			return err
		}
		if !first {
			refused = errGrant("refreshReused", "The refresh token was used before, so all tokens of this sign-in were revoked. Sign in again.")
			return reuse(ctx, q, now, out.FamilyID, "refreshReused", "Refresh token reuse detected")
		}
		next := db.NewID(now)
		nextSecret, nextHash := newSecret()
		if err := insertToken(ctx, q, now, next, out.FamilyID, nextHash); err != nil {
			return err
		}
		end := f.expires
		if out.Sliding {
			end = out.refreshEnd(now)
		}
		if _, err := q.ExecContext(ctx, `UPDATE refresh_families SET current_id = $1, expires_at = $2 WHERE id = $3`, next, end, out.FamilyID); err != nil {
			return err
		}
		out.Refresh = next + "." + nextSecret
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

type family struct {
	grant   Grant
	expires int64
	revoked bool
}

// readFamily locks the family's row where the engine can, so that a rotation
// and a revocation never pass one another.
func readFamily(ctx context.Context, q db.Querier, id string) (f family, err error) {
	// Setting a column to itself takes the row's lock on PostgreSQL; SQLite has
	// one writer anyway.
	var text string
	var revoked sql.NullInt64
	if err = q.QueryRowContext(ctx, `UPDATE refresh_families SET current_id = current_id WHERE id = $1 RETURNING grant_json, expires_at, revoked_at`, id).
		Scan(&text, &f.expires, &revoked); err != nil {
		return f, err
	}
	f.revoked = revoked.Valid
	return f, json.Unmarshal([]byte(text), &f.grant)
}

// RevokeFamily ends a refresh family; reason is a lowerCamel fact.
func RevokeFamily(ctx context.Context, q db.Querier, now time.Time, familyID, reason string) error {
	_, err := revokeFamily(ctx, q, now, familyID, reason)
	return err
}

func revokeFamily(ctx context.Context, q db.Querier, now time.Time, id, reason string) (changed bool, err error) {
	res, err := q.ExecContext(ctx, `UPDATE refresh_families SET revoked_at = $1, reason = $2 WHERE id = $3 AND revoked_at IS NULL`, now.UnixMilli(), reason, id)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// RevokeRefresh ends the family of a refresh token at its client's own wish
// (RFC 7009). Unknown tokens and those of other clients change nothing.
func RevokeRefresh(ctx context.Context, q db.Querier, now time.Time, token, clientID string) error {
	id, secret, ok := splitToken(token)
	if !ok {
		return nil
	}
	_, err := q.ExecContext(ctx, `UPDATE refresh_families SET revoked_at = $1, reason = 'revokedByClient' WHERE revoked_at IS NULL AND lower(client_id) = $2
		AND id = (SELECT family_id FROM refresh_tokens WHERE id = $3 AND secret_hash = $4)`, now.UnixMilli(), strings.ToLower(clientID), id, hashOf(secret))
	return err
}

// How long what is over is kept, so that its reuse is still noticed and
// recorded. Later it is refused as unknown.
const (
	keptGrant = 24 * time.Hour     // codes and families, after their end
	keptToken = 7 * 24 * time.Hour // refresh tokens, after they were used
)

// DeleteExpiredGrants deletes up to limit codes of both kinds, refresh families and used
// refresh tokens each that can do nothing any more, and says how many. As long
// as it is limit or more there may be others.
func DeleteExpiredGrants(ctx context.Context, q db.Querier, now time.Time, limit int) (n int64, err error) {
	ended, used := now.Add(-keptGrant).UnixMilli(), now.Add(-keptToken)
	for _, j := range []struct {
		table, where string
		args         []any
	}{
		{"authorization_codes", "expires_at < $2", []any{limit, ended}},
		{"device_codes", "expires_at < $2", []any{limit, ended}},
		{"refresh_families", "expires_at < $2", []any{limit, ended}},
		// Ids begin with their time: the primary key finds what is old enough.
		{"refresh_tokens", "id < $2 AND used_at < $3", []any{limit, db.FirstID(used), used.UnixMilli()}},
	} {
		res, err := q.ExecContext(ctx, `DELETE FROM `+j.table+` WHERE id IN (SELECT id FROM `+j.table+` WHERE `+j.where+` LIMIT $1)`, j.args...)
		if err != nil {
			return n, err
		}
		one, err := res.RowsAffected()
		if err != nil {
			return n, err
		}
		n += one
	}
	return n, nil
}
