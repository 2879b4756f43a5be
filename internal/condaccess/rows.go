package condaccess

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// Sorts of objects in ca_objects.
const (
	sortPolicy   = "policy"
	sortLocation = "location"
	sortStrength = "strength"
	sortContext  = "context"
)

// nouns names them in messages, audited in the audit log.
var (
	nouns   = map[string]string{sortPolicy: "Conditional Access policy", sortLocation: "named location", sortStrength: "authentication strength", sortContext: "authentication context"}
	audited = map[string]string{sortPolicy: "Conditional Access policy", sortLocation: "named location", sortContext: "AuthenticationContextClassReference", sortStrength: "Authentication Strength Policy"}
)

// row is an object as it is stored.
type row struct {
	id, sort, name, state      string
	document                   []byte
	created, modified, deleted int64
	version                    int64
}

const rowColumns = `id, sort, state, document, created_at, modified_at, deleted_at, version`

func scanRow(r interface{ Scan(...any) error }, x *row) error {
	return r.Scan(&x.id, &x.sort, &x.state, &x.document, &x.created, &x.modified, &x.deleted, &x.version)
}

func optional(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := db.Time(ms)
	return &t
}

// getRow finds an object that is in use, or one that is deleted.
func getRow(ctx context.Context, q db.Querier, sort, id string, deleted bool) (x row, err error) {
	text := `SELECT ` + rowColumns + ` FROM ca_objects WHERE id = $1 AND sort = $2 AND deleted_at = 0`
	if deleted {
		text = `SELECT ` + rowColumns + ` FROM ca_objects WHERE id = $1 AND sort = $2 AND deleted_at > 0`
	}
	err = db.Err("The "+nouns[sort]+" "+escape(id), scanRow(q.QueryRowContext(ctx, text, strings.ToLower(id), sort), &x))
	return x, err
}

// allRows reads the objects of one sort that are in use, in the order of ids.
func allRows(ctx context.Context, q db.Querier, sort string) ([]row, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+rowColumns+` FROM ca_objects WHERE sort = $1 AND deleted_at = 0 ORDER BY id`, sort)
	return db.Collect(rows, err, func(r *sql.Rows, x *row) error { return scanRow(r, x) })
}

// findRows returns one page of objects, and one more if there is a next page.
func findRows(ctx context.Context, d db.Querier, q odata.Query, a Among, sort string) ([]row, error) {
	s := new(odata.SQL).Text(`SELECT ` + rowColumns + ` FROM ca_objects WHERE `)
	a.conditions(s, sort)
	s.Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, x *row) error { return scanRow(r, x) })
}

func countRows(ctx context.Context, d db.Querier, q odata.Query, a Among, sort string) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM ca_objects WHERE `)
	a.conditions(s, sort)
	s.Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// Among narrows a list; the zero value is what is in use.
type Among struct {
	Deleted bool // the deleted items instead
}

func (a Among) conditions(s *odata.SQL, sort string) {
	s.Text(`sort = `).Arg(sort)
	if a.Deleted {
		s.Text(` AND deleted_at > 0 AND `)
	} else {
		s.Text(` AND deleted_at = 0 AND `)
	}
}

// change is one change of one object on its way into the database: row, version
// and audit record.
type change struct {
	row
	verb   string // Add, Update, Delete, Restore
	before any    // nil if there was nothing
	after  any    // nil if there is nothing any more
}

// save writes c in the transaction q. c.row is what is to be stored; its version
// and times are set here.
func (c *change) save(ctx context.Context, q db.Querier, e Edit) error {
	now := e.At.UnixMilli()
	var err error
	switch c.verb {
	case "Add":
		c.created = now
		// An id that was there before goes on counting: versions are named by sign-ins.
		err = c.bump(q.QueryRowContext(ctx, `INSERT INTO ca_objects (id, sort, display_key, state, document, created_at, version)
			SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT), 1 + coalesce(max(version), 0) FROM ca_versions WHERE object_id = $1 RETURNING version`,
			c.id, c.sort, strings.ToLower(c.name), c.state, string(c.document), now))
	case "Update":
		c.modified = now
		err = c.bump(q.QueryRowContext(ctx, `UPDATE ca_objects SET display_key = $1, state = $2, document = $3, modified_at = $4, version = version + 1 WHERE id = $5 AND deleted_at = 0 RETURNING version`,
			strings.ToLower(c.name), c.state, string(c.document), now, c.id))
	case "Restore":
		c.modified, c.deleted = now, 0
		err = c.bump(q.QueryRowContext(ctx, `UPDATE ca_objects SET display_key = $1, state = $2, document = $3, modified_at = $4, deleted_at = 0, version = version + 1 WHERE id = $5 AND deleted_at > 0 RETURNING version`,
			strings.ToLower(c.name), c.state, string(c.document), now, c.id))
	case "Delete":
		c.deleted = now
		err = c.bump(q.QueryRowContext(ctx, `UPDATE ca_objects SET deleted_at = $1, version = version + 1 WHERE id = $2 AND deleted_at = 0 RETURNING version`, now, c.id))
	}
	if err != nil {
		return db.Err("The "+nouns[c.sort]+" "+c.id, err)
	}
	text := string(c.document)
	if c.verb == "Delete" {
		text = ""
	}
	actor, name := e.Actor.UserID, e.Actor.UserName
	if actor == "" {
		actor, name = e.Actor.AppID, e.Actor.AppName
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO ca_versions (object_id, version, document, created_at, actor_id, actor_name, correlation_id) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		c.id, c.version, text, now, actor, name, e.Actor.CorrelationID); err != nil {
		return err
	}
	return c.record(ctx, q, e)
}

func (c *change) bump(r *sql.Row) error { return r.Scan(&c.version) }

// record writes the audit record (reports-and-logs §5).
func (c *change) record(ctx context.Context, q db.Querier, e Edit) error {
	t := audit.Target{ID: c.id, DisplayName: c.name, Type: "Policy", ModifiedProperties: []audit.Modified{audit.Change(nouns[c.sort], c.before, c.after)}}
	r := audit.Record{Category: "Policy", LoggedByService: "Conditional Access", OperationType: c.verb, TargetResources: []audit.Target{t},
		AdditionalDetails: []audit.KeyValue{{Key: "version", Value: fmt.Sprint(c.version)}}}
	switch {
	case c.sort == sortStrength:
		verb := map[string]string{"Add": "Create", "Update": "Update", "Delete": "Delete"}[c.verb]
		r.ActivityDisplayName, r.LoggedByService, r.Category = "Authentication Strength Policy "+verb, "Authentication Methods", "ApplicationManagement"
	case c.verb == "Restore":
		r.ActivityDisplayName, r.LoggedByService, r.OperationType = "Restore "+audited[c.sort], "Cardea", "Update"
	default:
		r.ActivityDisplayName = c.verb + " " + audited[c.sort]
	}
	return audit.Write(ctx, q, e.Actor, e.At, r)
}

// Version is one state that an object had (CA-20).
type Version struct {
	Version         int64           `json:"version"`
	CreatedDateTime time.Time       `json:"createdDateTime"`
	ActorID         string          `json:"actorId"`
	ActorName       string          `json:"actorDisplayName"`
	CorrelationID   string          `json:"correlationId"`
	Document        json.RawMessage `json:"document"` // null if this change deleted it
}

// Versions lists the states of an object, newest first.
func (k *Keeper) Versions(ctx context.Context, q db.Querier, id string) ([]Version, error) {
	rows, err := q.QueryContext(ctx, `SELECT version, created_at, actor_id, actor_name, correlation_id, document FROM ca_versions WHERE object_id = $1 ORDER BY version DESC`, strings.ToLower(id))
	return db.Collect(rows, err, func(r *sql.Rows, v *Version) error {
		var at int64
		var text string
		err := r.Scan(&v.Version, &at, &v.ActorID, &v.ActorName, &v.CorrelationID, &text)
		v.CreatedDateTime, v.Document = db.Time(at), json.RawMessage(text)
		if text == "" {
			v.Document = json.RawMessage("null")
		}
		return err
	})
}

// PurgeOld removes for good up to limit objects that were deleted before a
// time, with their versions, and returns how many (CA-19).
func PurgeOld(ctx context.Context, q db.Querier, now, before time.Time, limit int) (int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+rowColumns+` FROM ca_objects WHERE deleted_at > 0 AND deleted_at < $1 ORDER BY id LIMIT $2`, before.UnixMilli(), limit)
	old, err := db.Collect(rows, err, func(r *sql.Rows, x *row) error { return scanRow(r, x) })
	if err != nil {
		return 0, err
	}
	for _, x := range old {
		for _, text := range []string{`DELETE FROM ca_versions WHERE object_id = $1`, `DELETE FROM ca_objects WHERE id = $1`} {
			if _, err := q.ExecContext(ctx, text, x.id); err != nil {
				return 0, err
			}
		}
		if err := audit.Write(ctx, q, audit.System("sweep"), now, audit.Record{ActivityDisplayName: "Hard Delete " + audited[x.sort], Category: "Policy", LoggedByService: "Cardea", OperationType: "Delete",
			TargetResources: []audit.Target{{ID: x.id, Type: "Policy", ModifiedProperties: []audit.Modified{}}}}); err != nil {
			return 0, err
		}
	}
	return int64(len(old)), nil
}

// referenced refuses to delete what policies name (CA-82, CA-93).
func referenced(what string, by []Policy) error {
	if len(by) == 0 {
		return nil
	}
	names := make([]string, 0, 3)
	for i, p := range by {
		if i == 3 {
			names = append(names, "…")
			break
		}
		names = append(names, p.DisplayName)
	}
	return problem.New(problem.Invalid, "stillReferenced", "1091: %d policies use this %s (%s). Change them first.", len(by), what, strings.Join(names, ", "))
}
