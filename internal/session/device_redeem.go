package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/db"
)

// RedeemDevice exchanges a device code for the grant that the person gave, once:
// an approved code dies before it is looked at, like an authorization code, and
// one that comes again revokes the refresh family it gave. Until the person
// answers it is devicePending, or deviceTooFast for an application that does
// not wait; then there are deviceDeclined, deviceExpired, deviceCodeUsed and
// deviceCodeUnknown. check runs before the transaction commits: its error
// leaves the code as it was.
func RedeemDevice(ctx context.Context, d *db.DB, now time.Time, c Client, code string, check func(Granted) error) (Granted, error) {
	id, secret, ok := splitToken(code)
	if !ok {
		return Granted{}, errGrant("deviceCodeUnknown", "The device code is not one of ours, or was cut off.")
	}
	var out Granted
	var refused error
	err := d.Write(ctx, func(q db.Querier) error {
		out, refused = Granted{}, nil // a retry starts again
		var text string
		var expires int64
		err := q.QueryRowContext(ctx, `UPDATE device_codes SET used_at = $1 WHERE id = $2 AND secret_hash = $3 AND state = 'approved' AND used_at IS NULL
			RETURNING grant_json, expires_at`, now.UnixMilli(), id, hashOf(secret)).Scan(&text, &expires)
		if err == sql.ErrNoRows {
			refused, err = waiting(ctx, q, now, c, [2]string{id, secret})
			return err
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &out.Grant); err != nil {
			return err
		}
		if refused = out.fits(c, "codeOfOtherClient"); refused != nil {
			return nil
		}
		if expires <= now.UnixMilli() {
			refused = errDeviceExpired()
			return nil
		}
		if out.User, refused, err = alive(ctx, q, out.Grant, now); refused != nil || err != nil {
			return err
		}
		if out.RefreshLife > 0 {
			if out.FamilyID, out.Refresh, err = IssueRefresh(ctx, q, now, out.Grant); err != nil {
				return err
			}
			if _, err := q.ExecContext(ctx, `UPDATE device_codes SET family_id = $1 WHERE id = $2`, out.FamilyID, id); err != nil {
				return err
			}
		}
		return check(out)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Granted{}, err
	}
	return out, nil
}

func errDeviceExpired() error {
	return errGrant("deviceExpired", "Nobody let the device sign in within %d minutes. Start again for a new code.", DeviceLife/time.Minute)
}

// waiting answers for a device code that could not be taken, and notes that the
// application asked.
func waiting(ctx context.Context, q db.Querier, now time.Time, c Client, code [2]string) (refused, err error) {
	var client, state, family string
	var expires, polled int64
	var used sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT client_id, state, expires_at, polled_at, used_at, family_id FROM device_codes WHERE id = $1 AND secret_hash = $2`, code[0], hashOf(code[1])).
		Scan(&client, &state, &expires, &polled, &used, &family)
	switch {
	case err == sql.ErrNoRows:
		return errGrant("deviceCodeUnknown", "The device code is not known. It may have expired long ago; start again for a new one."), nil
	case err != nil:
		return nil, err
	case !strings.EqualFold(client, c.ClientID):
		return errGrant("codeOfOtherClient", "It was issued to another application."), nil
	case used.Valid && family != "":
		return errGrant("deviceCodeUsed", "The device code was used before, so the tokens it gave are revoked. Start again for a new one."),
			reuse(ctx, q, now, family, "codeReused", "Device code reuse detected")
	case used.Valid:
		return errGrant("deviceCodeUsed", "The device code was used before. Start again for a new one."), nil
	case state == DeviceDeclined:
		return errGrant("deviceDeclined", "The person did not let the device sign in."), nil
	case expires <= now.UnixMilli():
		return errDeviceExpired(), nil
	}
	if _, err := q.ExecContext(ctx, `UPDATE device_codes SET polled_at = $1 WHERE id = $2`, now.UnixMilli(), code[0]); err != nil {
		return nil, err
	}
	if now.Sub(time.UnixMilli(polled)) < DeviceInterval-pollMargin {
		return errGrant("deviceTooFast", "Nobody has let the device sign in yet. Ask every %d seconds, not more often.", DeviceInterval/time.Second), nil
	}
	return errGrant("devicePending", "Nobody has let the device sign in yet. Ask again in %d seconds.", DeviceInterval/time.Second), nil
}
