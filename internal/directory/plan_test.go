package directory_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

// spy notes the statements that a function sends.
type spy struct {
	db.Querier
	texts []string
	args  [][]any
}

func (s *spy) note(text string, args []any) {
	s.texts, s.args = append(s.texts, text), append(s.args, args)
}

func (s *spy) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	s.note(text, args)
	return s.Querier.QueryContext(ctx, text, args...)
}

func (s *spy) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	s.note(text, args)
	return s.Querier.QueryRowContext(ctx, text, args...)
}

// read0 reads rows of any kind to their end and returns how many there were.
func read0(rows *sql.Rows, err error) (n int, _ error) {
	_, err = db.Collect(rows, err, func(*sql.Rows, *struct{}) error { n++; return nil })
	return n, err
}

// plans returns what the engine says it does for the statements that were noted.
func (o *office) plans(s *spy) string {
	o.Helper()
	var b strings.Builder
	for i, text := range s.texts {
		explain := `EXPLAIN `
		if o.d.Engine == db.SQLite {
			explain = `EXPLAIN QUERY PLAN `
		}
		rows, err := o.d.QueryContext(o.Context(), explain+text, s.args[i]...)
		lines, err := db.Collect(rows, err, func(r *sql.Rows, line *string) error {
			if o.d.Engine == db.PostgreSQL {
				return r.Scan(line)
			}
			var id, parent, unused int
			return r.Scan(&id, &parent, &unused, line)
		})
		if err != nil {
			o.Fatal(text, err)
		}
		fmt.Fprintf(&b, "%s\n%s\n\n", text, strings.Join(lines, "\n"))
	}
	return b.String()
}

// crowd fills the directory with people in departments and groups, one group
// in ten full of groups, as a large organisation is.
func (o *office) crowd() {
	o.Helper()
	const seq = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) `
	o.do(func(q db.Querier) error {
		for _, text := range []string{
			`INSERT INTO users (id, upn, upn_key, display_name, display_key, mail_key, department_key, user_type_key, enabled, created_at)
				` + seq + `SELECT 'u' || CAST(100000 + i AS TEXT), 'u' || CAST(i AS TEXT), 'u' || CAST(i AS TEXT), 'N', 'n' || CAST(i % 997 AS TEXT), 'm' || CAST(i AS TEXT), 'd' || CAST(i % 50 AS TEXT), 'member', i % 10 > 0, i FROM n`,
			`INSERT INTO groups (id, display_name, display_key, created_at) ` + seq + `SELECT 'g' || CAST(1000 + i AS TEXT), 'G', 'g' || CAST(i AS TEXT), i FROM n WHERE i < 1000`,
			`INSERT INTO group_members (group_id, member_id, member_type) ` + seq + `SELECT 'g' || CAST(1000 + i / 20 AS TEXT), 'u' || CAST(100000 + i AS TEXT), 'user' FROM n`,
			`INSERT INTO group_members (group_id, member_id, member_type) ` + seq + `SELECT 'g' || CAST(1000 + i / 10 * 10 AS TEXT), 'g' || CAST(1000 + i AS TEXT), 'group' FROM n WHERE i < 1000 AND i % 10 > 0`,
			`UPDATE versions SET size_at = -1`, // what the rows above did is in no log
		} {
			if _, err := q.ExecContext(o.Context(), text); err != nil {
				return err
			}
		}
		return nil // SQLite plans without statistics, as in an installation
	})
	if o.d.Engine == db.PostgreSQL { // as autovacuum does
		for _, table := range []string{"users", "groups", "group_members"} {
			if _, err := read0(o.d.QueryContext(o.Context(), `VACUUM ANALYZE `+table)); err != nil {
				o.Fatal(err)
			}
		}
	}
	if err := directory.Recount(o.Context(), o.d); err != nil {
		o.Fatal(err)
	}
}

// TestPlans: what a million people must not make slow asks an index, on both
// engines, and counts are answered by an index alone.
func TestPlans(t *testing.T) {
	each(t, func(o *office) {
		o.crowd()
		query := func(text string) odata.Query {
			v, err := url.ParseQuery(text)
			if err != nil {
				o.Fatal(err)
			}
			q, err := odata.Parse(v, directory.UserSchema, directory.UserPaging)
			if err != nil {
				o.Fatal(err)
			}
			return q
		}
		count := func(filter string, a directory.Among) func(q db.Querier) error {
			return func(q db.Querier) error {
				_, err := directory.CountAmong(o.Context(), q, query("$filter="+filter), a)
				return err
			}
		}
		list := func(options string, a directory.Among) func(q db.Querier) error {
			return func(q db.Querier) error {
				_, err := directory.FindAmong(o.Context(), q, query(options), a)
				return err
			}
		}
		for _, c := range []struct {
			name, index string
			alone       bool // the index answers without the table, on SQLite
			statements  int
			run         func(q db.Querier) error
		}{
			{"$count of a department", "users_by_department", true, 1, count("department eq 'D7'", directory.Among{})},
			{"$count of a beginning of names", "users_by_name", true, 1, count("startswith(displayName,'N12')", directory.Among{})},
			{"$count of the disabled", "users_by_enabled", true, 1, count("accountEnabled eq false", directory.Among{})},
			{"$count of mail addresses", "users_by_mail", true, 1, count("startswith(mail,'m1234')", directory.Among{})},
			{"$count of guests", "users_by_type", true, 1, count("userType eq 'Guest'", directory.Among{})},
			{"list of the disabled, by name", "users_by_enabled", false, 1, list("$filter=accountEnabled eq false", directory.Among{})},
			{"list of a department, by name", "users_by_department", false, 1, list("$filter=department eq 'd7'", directory.Among{})},
			{"page by an OR", "users_by_mail", false, 1, list("$filter=mail eq 'm1' or userPrincipalName eq 'u2'", directory.Among{})},
			{"page of transitive members", "group_members", true, 2, func(q db.Querier) error {
				_, err := directory.MemberIDs(o.Context(), q, directory.MembersOf{GroupID: "g1050", Transitive: true}, "", 15)
				return err
			}},
			{"page behind others", "group_members", true, 3, func(q db.Querier) error {
				_, err := directory.MemberIDs(o.Context(), q, directory.MembersOf{GroupID: "g1050", Transitive: true}, "u101030", 30)
				return err
			}},
			{"$count of all among transitive members", "group_members", true, 1, func(q db.Querier) error {
				_, err := directory.CountMembers(o.Context(), q, directory.MembersOf{GroupID: "g1050", Transitive: true})
				return err
			}},
			{"people among transitive members, by name", "", false, 1, list("$top=5", directory.Among{Group: "g1050", Transitive: true})},
			{"people among direct members, by name", "", false, 1, list("$top=5", directory.Among{Group: "g1050"})},
			{"$count of people among transitive members", "", false, 1, count("accountEnabled eq true", directory.Among{Group: "g1050", Transitive: true})},
			{"$count of groups among transitive members", "group_members_inside", false, 1, func(q db.Querier) error {
				_, err := directory.CountGroupsAmong(o.Context(), q, odata.Query{}, directory.GroupsAmong{Inside: "g1050", Transitive: true})
				return err
			}},
			{"groups around a person", "group_members_by_member", true, 1, func(q db.Querier) error {
				_, err := directory.AroundIDs(o.Context(), q, directory.Around{ID: "u101060", Transitive: true}, "", 100)
				return err
			}},
		} {
			s := &spy{Querier: o.d}
			if err := c.run(s); err != nil {
				o.Fatal(c.name, err)
			}
			plans := o.plans(s)
			if len(s.texts) != c.statements {
				o.Errorf("%s: %d statements, want %d", c.name, len(s.texts), c.statements)
			}
			if !strings.Contains(plans, c.index) {
				o.Errorf("%s does not use %s:\n%s", c.name, c.index, plans)
			}
			if o.d.Engine == db.PostgreSQL && strings.Contains(c.name, " among ") {
				continue // so small a table it may rightly read from end to end
			}
			if strings.Contains(plans, "SCAN users") || strings.Contains(plans, "SCAN m ") || strings.Contains(plans, "SCAN m\n") || strings.Contains(plans, "SCAN group_members") || strings.Contains(plans, "Seq Scan on users") || strings.Contains(plans, "Seq Scan on group_members") {
				o.Errorf("%s reads a table from end to end:\n%s", c.name, plans)
			}
			// PostgreSQL needs pages that are visible to everybody, which the neighbours of a test may prevent.
			if c.alone && o.d.Engine == db.SQLite && !strings.Contains(plans, "USING COVERING INDEX") {
				o.Errorf("%s: the index does not answer alone:\n%s", c.name, plans)
			}
			if !c.alone && strings.HasPrefix(c.name, "list") && (strings.Contains(plans, "TEMP B-TREE") || strings.Contains(plans, "Sort Key")) {
				o.Errorf("%s is sorted:\n%s", c.name, plans)
			}
		}
	})
}
