package audit

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"cardea/internal/db"
)

// Query selects rows of a log, newest first. Zero members select everything.
type Query struct {
	Since, Until time.Time // created in [Since, Until)
	UserID       string    // sign-ins: the person; audits: the target
	EventType    string    // sign-ins only
	Failed       bool      // only what did not succeed
	Before       string    // id of the last row of the page before
	Limit        int       // 0 is 100; at most 1000
}

// where collects conditions and their arguments.
type where struct {
	conds []string
	args  []any
}

func (w *where) add(cond string, arg any) {
	w.args = append(w.args, arg)
	w.conds = append(w.conds, strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(w.args))))
}

// page returns the SQL after the table's name. Ids are UUIDv7, so their order
// is the order of time, and a page goes on after an id.
func (w *where) page(q Query) string {
	if !q.Since.IsZero() {
		w.add("id >= ?", db.FirstID(q.Since))
	}
	if !q.Until.IsZero() {
		w.add("id < ?", db.FirstID(q.Until))
	}
	if q.Before != "" {
		w.add("id < ?", q.Before)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	w.args = append(w.args, min(limit, 1000))
	text := ""
	if len(w.conds) > 0 {
		text = " WHERE " + strings.Join(w.conds, " AND ")
	}
	return text + " ORDER BY id DESC LIMIT $" + strconv.Itoa(len(w.args))
}

// SignIns returns sign-ins, newest first.
func SignIns(ctx context.Context, d db.Querier, q Query) ([]SignIn, error) {
	var w where
	if q.UserID != "" {
		w.add("user_id = ?", q.UserID)
	}
	if q.EventType != "" {
		w.add("event_type = ?", q.EventType)
	}
	if q.Failed {
		w.add("error_code <> ?", 0)
	}
	text := `SELECT record FROM sign_ins` + w.page(q)
	rows, err := d.QueryContext(ctx, text, w.args...)
	return db.Collect(rows, err, scanJSON[SignIn])
}

// Audits returns directory audits, newest first.
func Audits(ctx context.Context, d db.Querier, q Query) ([]Record, error) {
	var w where
	if q.UserID != "" {
		w.add("target_id = ?", q.UserID)
	}
	if q.Failed {
		w.add("result <> ?", "success")
	}
	text := `SELECT record FROM directory_audits` + w.page(q)
	rows, err := d.QueryContext(ctx, text, w.args...)
	return db.Collect(rows, err, scanJSON[Record])
}

// GetSignIn returns one sign-in.
func GetSignIn(ctx context.Context, d db.Querier, id string) (s SignIn, err error) {
	return s, one(ctx, d, `SELECT record FROM sign_ins WHERE id = $1`, id, &s)
}

// GetAudit returns one directory audit.
func GetAudit(ctx context.Context, d db.Querier, id string) (r Record, err error) {
	return r, one(ctx, d, `SELECT record FROM directory_audits WHERE id = $1`, id, &r)
}

func one(ctx context.Context, d db.Querier, text, id string, into any) error {
	var raw string
	if err := d.QueryRowContext(ctx, text, id).Scan(&raw); err != nil {
		return db.Err("The entry "+id, err)
	}
	return json.Unmarshal([]byte(raw), into)
}

func scanJSON[T any](r *sql.Rows, v *T) error {
	var raw string
	if err := r.Scan(&raw); err != nil {
		return err
	}
	return json.Unmarshal([]byte(raw), v)
}

// Counted is one daily counter.
type Counted struct {
	Kind, Key string
	Count     int64
}

// Today returns the counters of now's UTC day.
func Today(ctx context.Context, d db.Querier, now time.Time) ([]Counted, error) {
	rows, err := d.QueryContext(ctx, `SELECT kind, key, count FROM daily_counters WHERE day = $1 ORDER BY kind, key`, now.UnixMilli()/86_400_000)
	return db.Collect(rows, err, func(r *sql.Rows, c *Counted) error { return r.Scan(&c.Kind, &c.Key, &c.Count) })
}
