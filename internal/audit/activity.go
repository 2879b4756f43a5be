package audit

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/db"
)

// Activity is Graph's signInActivity: the last sign-ins of a person. It is read
// from the sign-in log, and for what the log has forgotten from a row that
// DeleteOldSignIns keeps, so that a sign-in itself writes nothing for it.
type Activity struct {
	LastSignInDateTime                *time.Time `json:"lastSignInDateTime"` // interactive, successful or not
	LastSignInRequestID               string     `json:"lastSignInRequestId,omitempty"`
	LastNonInteractiveSignInDateTime  *time.Time `json:"lastNonInteractiveSignInDateTime"`
	LastNonInteractiveSignInRequestID string     `json:"lastNonInteractiveSignInRequestId,omitempty"`
	LastSuccessfulSignInDateTime      *time.Time `json:"lastSuccessfulSignInDateTime"` // of either kind
	LastSuccessfulSignInRequestID     string     `json:"lastSuccessfulSignInRequestId,omitempty"`
}

// LastSignInSQL is the time of the last interactive sign-in of the user whose
// id is in the column users.id; 0 if there was none.
const LastSignInSQL = `(SELECT coalesce(max(t), 0) FROM (SELECT s.created_at AS t FROM sign_ins s WHERE s.user_id = users.id AND s.event_type = '` + Interactive + `'
	UNION ALL SELECT a.at FROM sign_in_activity a WHERE a.user_id = users.id AND a.kind = '` + Interactive + `') last)`

// successful is the third kind of sign_in_activity, beside two event types.
const successful = "successful"

// ActivityOf returns the last sign-ins of a person; nil if there are none.
func ActivityOf(ctx context.Context, q db.Querier, userID string) (*Activity, error) {
	const last = `SELECT * FROM (SELECT created_at, id, CAST($2 AS TEXT) FROM sign_ins WHERE user_id = $1 AND event_type = $2 ORDER BY created_at DESC LIMIT 1) AS one`
	rows, err := q.QueryContext(ctx, last+` UNION ALL SELECT * FROM (SELECT created_at, id, CAST($3 AS TEXT) FROM sign_ins WHERE user_id = $1 AND event_type = $3 ORDER BY created_at DESC LIMIT 1) AS two
		UNION ALL SELECT * FROM (SELECT created_at, id, CAST($4 AS TEXT) FROM sign_ins WHERE user_id = $1 AND error_code = 0 ORDER BY created_at DESC LIMIT 1) AS three
		UNION ALL SELECT at, sign_in_id, kind FROM sign_in_activity WHERE user_id = $1`, userID, Interactive, NonInteractive, successful)
	var a Activity
	seen, err := db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var at int64
		var id, kind string
		if err := r.Scan(&at, &id, &kind); err != nil {
			return err
		}
		a.add(kind, db.Time(at), id)
		return nil
	})
	if err != nil || len(seen) == 0 {
		return nil, err
	}
	return &a, nil
}

func (a *Activity) add(kind string, at time.Time, id string) {
	t, r := &a.LastSignInDateTime, &a.LastSignInRequestID
	switch kind {
	case NonInteractive:
		t, r = &a.LastNonInteractiveSignInDateTime, &a.LastNonInteractiveSignInRequestID
	case successful:
		t, r = &a.LastSuccessfulSignInDateTime, &a.LastSuccessfulSignInRequestID
	}
	if *t == nil || (*t).Before(at) {
		*t, *r = &at, id
	}
}

// DeleteOldSignIns forgets up to limit sign-ins from before a time, and returns
// how many. When each person signed in last is kept.
func DeleteOldSignIns(ctx context.Context, q db.Querier, before time.Time, limit int) (int64, error) {
	type row struct {
		id, user, event string
		at              int64
		code            int64
	}
	rows, err := q.QueryContext(ctx, `DELETE FROM sign_ins WHERE id IN (SELECT id FROM sign_ins WHERE id < $1 ORDER BY id LIMIT $2) RETURNING id, created_at, user_id, event_type, error_code`, db.FirstID(before), limit)
	gone, err := db.Collect(rows, err, func(r *sql.Rows, x *row) error { return r.Scan(&x.id, &x.at, &x.user, &x.event, &x.code) })
	if err != nil {
		return 0, err
	}
	newest := map[[2]string]row{}
	keep := func(kind string, x row) {
		if have, ok := newest[[2]string{x.user, kind}]; !ok || have.at < x.at {
			newest[[2]string{x.user, kind}] = x
		}
	}
	for _, x := range gone {
		if x.user == "" || x.event != Interactive && x.event != NonInteractive {
			continue
		}
		keep(x.event, x)
		if x.code == 0 {
			keep(successful, x)
		}
	}
	for of, x := range newest {
		if _, err := q.ExecContext(ctx, `INSERT INTO sign_in_activity (user_id, kind, at, sign_in_id) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT)
			WHERE EXISTS (SELECT 1 FROM users WHERE id = $1)
			ON CONFLICT (user_id, kind) DO UPDATE SET at = excluded.at, sign_in_id = excluded.sign_in_id WHERE excluded.at > sign_in_activity.at`, of[0], of[1], x.at, x.id); err != nil {
			return 0, err
		}
	}
	return int64(len(gone)), nil
}
