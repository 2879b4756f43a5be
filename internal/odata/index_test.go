package odata

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// people are 50,000 rows with the indexes that docs/sql.md asks for.
const people = `CREATE TABLE odata_people (id TEXT NOT NULL PRIMARY KEY, name_key TEXT NOT NULL, mail_key TEXT NOT NULL, department TEXT NOT NULL, created_at BIGINT NOT NULL);
	CREATE TABLE odata_values (user_id TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL);
	WITH RECURSIVE seq (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM seq WHERE i < 50000)
	INSERT INTO odata_people (id, name_key, mail_key, department, created_at)
	SELECT 'id-' || CAST(i AS TEXT), CAST(i % 977 AS TEXT) || ' person', CAST(i AS TEXT) || '@x.test', 'Dept ' || CAST(i % 50 AS TEXT), i FROM seq;
	INSERT INTO odata_values (user_id, kind, key) SELECT id, 'otherMails', mail_key FROM odata_people;
	CREATE INDEX odata_people_by_name ON odata_people (name_key, id);
	CREATE INDEX odata_people_by_mail ON odata_people (mail_key);
	CREATE INDEX odata_people_by_creation ON odata_people (created_at, id);
	CREATE INDEX odata_values_by_key ON odata_values (kind, key, user_id);
	CREATE INDEX odata_values_by_user ON odata_values (user_id, kind);`

var peopleSchema = Schema{
	"displayName":     {Column: "name_key", Folded: true, Sort: true, Search: true},
	"mail":            {Column: "mail_key", Folded: true},
	"department":      {Column: "department"},
	"createdDateTime": {Column: "created_at", Kind: DateTimeOffset, Sort: true},
	"otherMails":      {Items: &Items{From: "odata_values v WHERE v.kind = 'otherMails'", Owner: "v.user_id", Row: "odata_people.id", Members: Schema{"": {Column: "v.key", Folded: true}}, Count: true}},
}

// TestIndexes: what a million users must not make slow asks an index, on both
// engines.
func TestIndexes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := d.Write(t.Context(), func(q db.Querier) error {
			if _, err := q.ExecContext(t.Context(), people); err != nil {
				return err
			}
			if d.Engine == db.SQLite { // it plans without statistics, as in an installation
				return nil
			}
			_, err := q.ExecContext(t.Context(), `ANALYZE`) // as autovacuum does
			return err
		}); err != nil {
			t.Fatal(err)
		}
		explain, scan := `EXPLAIN QUERY PLAN `, "SCAN odata_people"
		if d.Engine == db.PostgreSQL {
			explain, scan = `EXPLAIN `, "Seq Scan on odata_people"
		}
		paging := Paging{Default: 100, Max: 999, Order: []Order{{Name: "displayName", Property: peopleSchema["displayName"]}}}
		member := func(name string) any {
			return map[string]any{"displayName": "500 person", "createdDateTime": "1970-01-01T00:00:25Z"}[name]
		}
		for _, c := range []struct {
			query, index string
			next         bool // the second page
		}{
			{"$filter=startswith(displayName,'12')", "odata_people_by_name", false},
			{"$filter=startswith(mail,'12345')", "odata_people_by_mail", false},
			{"$filter=startswith(displayName,'123') or startswith(mail,'12345')", "odata_people_by_mail", false},
			{"$filter=displayName eq '12 person'", "odata_people_by_name", false},
			{"$filter=mail in ('12345@x.test','1@x.test')", "odata_people_by_mail", false},
			{"$filter=mail eq '12345@x.test' and department eq 'dept 1'", "odata_people_by_mail", false},
			{"$filter=createdDateTime ge 1970-01-01T00:00:49Z and createdDateTime lt 1970-01-01T00:00:49.100Z", "odata_people_by_creation", false},
			{"$filter=otherMails/any(x:x eq '12345@x.test')", "odata_values_by_key", false},
			{"$filter=otherMails/any(x:startswith(x,'12345'))", "odata_values_by_key", false},
			{"$filter=otherMails/any(x:x eq '12345@x.test') or mail eq '12345@x.test'", "odata_values_by_key", false},
			{"", "odata_people_by_name", true},
			{"$orderby=displayName desc", "odata_people_by_name", true},
			{"$orderby=createdDateTime", "odata_people_by_creation", true},
		} {
			v, err := url.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			q, err := Parse(v, peopleSchema, paging)
			if err == nil && c.next {
				v.Set("$skiptoken", q.Token(member, "id-500"))
				q, err = Parse(v, peopleSchema, paging)
			}
			if err != nil {
				t.Fatal(c.query, err)
			}
			s := new(SQL).Text(`SELECT id, name_key, created_at, department FROM odata_people WHERE `).Page(q, "id")
			plan := plan(t, d, explain+s.String(), s.Args)
			if !strings.Contains(plan, c.index) || strings.Contains(plan, scan) && !strings.Contains(c.query, " or ") {
				t.Errorf("%s (next page: %v): %s\nis planned as\n%s", c.query, c.next, s, plan)
			}
			if c.next && (strings.Contains(plan, "Sort") || strings.Contains(plan, "TEMP B-TREE")) {
				t.Errorf("%s: the next page sorts\n%s", c.query, plan)
			}
		}
	})
}

// plan returns what the engine says it will do, a line each.
func plan(t *testing.T, d *db.DB, query string, args []any) string {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), query, args...)
	lines, err := db.Collect(rows, err, func(r *sql.Rows, line *string) error {
		if d.Engine == db.PostgreSQL {
			return r.Scan(line)
		}
		var id, parent, unused int
		return r.Scan(&id, &parent, &unused, line)
	})
	if err != nil {
		t.Fatal(query, err)
	}
	return strings.Join(lines, "\n") + "\n"
}
