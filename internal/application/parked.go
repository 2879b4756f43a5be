package application

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/db"
)

// parked are rows by table: what an application or a service principal was made
// of, while it is among the deleted items.
type parked map[string][]map[string]cell

// cell is one value of a row, as both engines give and take it.
type cell struct{ v any } // nil, string, int64, bool, []byte

// MarshalJSON implements json.Marshaler.
func (c cell) MarshalJSON() ([]byte, error) {
	if b, ok := c.v.([]byte); ok {
		return json.Marshal(map[string]string{"base64": base64.StdEncoding.EncodeToString(b)})
	}
	return json.Marshal(c.v)
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *cell) UnmarshalJSON(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&c.v); err != nil {
		return err
	}
	var err error
	switch v := c.v.(type) {
	case json.Number:
		c.v, err = v.Int64()
	case map[string]any:
		text, _ := v["base64"].(string)
		c.v, err = base64.StdEncoding.DecodeString(text)
	}
	return err
}

// tables are where an application ($1) and its service principal ($2) have rows,
// in the order in which those can be made again. Both ids are there for an
// application; a service principal by itself has the first one empty.
var tables = []struct {
	name, whose string
	back        string // what must exist for a row to come back; the columns are named a.column
}{
	{"applications", `id = $1 AND $2 = $2`, ""},
	{"application_secrets", `application_id = $1 AND $2 = $2`, ""},
	{"application_certificates", `application_id = $1 AND $2 = $2`, ""},
	{"application_identifiers", `application_id = $1 AND $2 = $2`, ""},
	{"service_principals", `$1 = $1 AND id = $2`, ""},
	{"app_role_assignments", `$1 = $1 AND (principal_id = $2 OR resource_id = $2)`,
		`EXISTS (SELECT 1 FROM service_principals WHERE id = a.resource_id) AND (EXISTS (SELECT 1 FROM users WHERE id = a.principal_id) OR EXISTS (SELECT 1 FROM groups WHERE id = a.principal_id)
		OR EXISTS (SELECT 1 FROM service_principals WHERE id = a.principal_id))`},
	{"oauth2_permission_grants", `$1 = $1 AND (client_id = $2 OR resource_id = $2)`,
		`EXISTS (SELECT 1 FROM service_principals WHERE id = a.client_id) AND EXISTS (SELECT 1 FROM service_principals WHERE id = a.resource_id)
		AND (a.principal_id = '' OR EXISTS (SELECT 1 FROM users WHERE id = a.principal_id))`},
	{"application_owners", `object_id = $1 OR object_id = $2 OR owner_id = $2`,
		`(EXISTS (SELECT 1 FROM applications WHERE id = a.object_id) OR EXISTS (SELECT 1 FROM service_principals WHERE id = a.object_id))
		AND (EXISTS (SELECT 1 FROM users WHERE id = a.owner_id) OR EXISTS (SELECT 1 FROM service_principals WHERE id = a.owner_id))`},
	{"application_tags", `object_id = $1 OR object_id = $2`, ""},
	{"group_owners", `$1 = $1 AND owner_id = $2`, `EXISTS (SELECT 1 FROM groups WHERE id = a.group_id)`},
}

// ofPrincipalOnly narrows the rows of an application to what is listed on its
// service principal.
var ofPrincipalOnly = []string{"application_secrets", "application_certificates"}

// park reads the rows of an application with its service principal, or with
// applicationID only the credentials of that one if alone is set.
func park(ctx context.Context, q db.Querier, applicationID, principalID string, alone bool) (parked, error) {
	out := parked{}
	for _, t := range tables {
		where, first := t.whose, applicationID
		switch {
		case alone && slices.Contains(ofPrincipalOnly, t.name):
			where += ` AND of_principal`
		case alone:
			first = ""
		}
		rows, err := rowsOf(ctx, q, `SELECT * FROM `+t.name+` WHERE (`+where+`) AND $1 = $1 AND $2 = $2`, first, principalID)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			out[t.name] = rows
		}
	}
	return out, nil
}

func rowsOf(ctx context.Context, q db.Querier, text string, args ...any) (out []map[string]cell, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, into := make([]any, len(kinds)), make([]any, len(kinds))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]cell{}
		for i, k := range kinds {
			if n, ok := values[i].(int64); ok && strings.HasPrefix(k.DatabaseTypeName(), "BOOL") {
				values[i] = n != 0
			}
			row[k.Name()] = cell{values[i]}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// unpark makes the rows again. A row that refers to something that is gone for
// good stays away. An error of a unique name is Conflict.
func (p parked) unpark(ctx context.Context, q db.Querier) error {
	for _, t := range tables {
		for _, row := range p[t.name] {
			var columns, shown []string
			var args []any
			for name, c := range row {
				columns, args = append(columns, name), append(args, c.v)
				shown = append(shown, "$"+strconv.Itoa(len(args)))
			}
			// VALUES in a FROM clause has no types on PostgreSQL, so what must exist
			// is asked for first.
			if t.back != "" {
				there, err := exists(ctx, q, t.back, row)
				if err != nil {
					return err
				}
				if !there {
					continue
				}
			}
			text := `INSERT INTO ` + t.name + ` (` + strings.Join(columns, ", ") + `) VALUES (` + strings.Join(shown, ", ") + `)`
			if t.back != "" || t.name == "application_tags" {
				text += ` ON CONFLICT DO NOTHING`
			}
			if _, err := q.ExecContext(ctx, text, args...); err != nil {
				return db.Err("An application with this name of its own, identifier URI or client id", err)
			}
		}
	}
	return nil
}

// exists asks a condition about the columns of a row, which it names a.column.
func exists(ctx context.Context, q db.Querier, condition string, row map[string]cell) (there bool, err error) {
	var args []any
	for name, c := range row {
		if !strings.Contains(condition, "a."+name) {
			continue
		}
		args = append(args, c.v)
		condition = strings.ReplaceAll(condition, "a."+name, "CAST($"+strconv.Itoa(len(args))+" AS TEXT)")
	}
	return there, q.QueryRowContext(ctx, `SELECT `+condition, args...).Scan(&there)
}

// text of a column of all rows of a table that match.
func (p parked) texts(table, column string, matches func(row map[string]cell) bool) (out []string) {
	for _, row := range p[table] {
		if text, ok := row[column].v.(string); ok && matches(row) {
			out = append(out, text)
		}
	}
	return out
}
