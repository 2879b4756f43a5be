package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// unicodeLower makes SQLite's lower() work on all letters, as PostgreSQL's
// does; by itself it knows A to Z. An index must not be built on it, or other
// programs would read the index wrongly: what is looked up has a column that
// Go lowered (docs/sql.md).
var unicodeLower = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("lower", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		switch v := args[0].(type) {
		case string:
			return strings.ToLower(v), nil
		case []byte:
			return strings.ToLower(string(v)), nil
		}
		return args[0], nil
	})
})

var createTable = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// bytewise makes the texts of a PostgreSQL database compare by their bytes, as
// on SQLite, whatever locale it was created with: pages, ranges of prefixes
// and indexes rely on it. A database of the locale C or C.UTF-8 is left as it
// is. Of the collations that compare bytes it takes one whose lower() knows
// all letters, if the server has one.
func bytewise(ctx context.Context, q Querier, names []string) error {
	var linguistic bool
	if err := q.QueryRowContext(ctx, `SELECT 'a' < 'B'`).Scan(&linguistic); err != nil || !linguistic {
		return err
	}
	var collation string
	if err := q.QueryRowContext(ctx, `SELECT coalesce(max(collname), 'C') FROM pg_collation
		WHERE collname IN ('pg_c_utf8', 'C.utf8', 'C.UTF-8') AND collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))`).Scan(&collation); err != nil {
		return err
	}
	ours := map[string]bool{} // the schema may be shared with strangers
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range createTable.FindAllSubmatch(text, -1) {
			ours[string(m[1])] = true
		}
	}
	rows, err := q.QueryContext(ctx, `SELECT c.relname, string_agg('ALTER COLUMN ' || quote_ident(a.attname) || ' TYPE TEXT COLLATE ' || quote_ident($1), ', ')
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_collation k ON k.oid = a.attcollation
		WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND k.collname = 'default' AND a.atttypid = CAST('text' AS regtype)
		GROUP BY c.relname ORDER BY c.relname`, collation)
	type table struct{ name, change string }
	tables, err := Collect(rows, err, func(r *sql.Rows, t *table) error { return r.Scan(&t.name, &t.change) })
	if err != nil {
		return err
	}
	for _, t := range tables {
		if !ours[t.name] {
			continue
		}
		if _, err := q.ExecContext(ctx, `ALTER TABLE "`+t.name+`" `+t.change); err != nil {
			return fmt.Errorf("collation of table %s (drop views on it, start once, create them again): %w", t.name, err)
		}
	}
	return nil
}
