package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/server"
)

// invent fills the directory with people and a hundredth as many groups: every
// group has 100 people, and one group in a hundred holds the hundred behind it,
// so that asking for its transitive members means 10,000 people. The rows are
// what the API would have written, without their audit records; making a
// million people through the API is another measurement (docs/speed.md).
func invent(ctx context.Context, d *db.DB, people int) error {
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($1 AS BIGINT))`
	const digits = `CAST(i + 100000000000 AS TEXT)` // twelve of them
	const last = `'p' || substr(` + digits + `, 5)`
	const user, group = `'01990000-0000-7000-8000-' || ` + digits, `'01990000-0000-7000-9000-' || `
	groups := people / 100
	for _, s := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO users (id, upn, upn_key, display_name, display_key, mail, mail_key, department, department_key, user_type_key, created_at) ` + numbers + `
			SELECT ` + user + `, ` + last + ` || '@contoso.com', ` + last + ` || '@contoso.com', 'Person ' || substr(` + digits + `, 5), 'person ' || substr(` + digits + `, 5),
			` + last + ` || '@contoso.com', ` + last + ` || '@contoso.com', 'D' || CAST(i % 500 AS TEXT), 'd' || CAST(i % 500 AS TEXT), 'member', 1760000000000 + i FROM n`, []any{people}},
		{`INSERT INTO groups (id, display_name, display_key, created_at) ` + numbers + `
			SELECT ` + group + digits + `, 'Group ' || ` + digits + `, 'group ' || ` + digits + `, 1760000000000 + i FROM n`, []any{groups}},
		{`INSERT INTO group_members (group_id, member_id, member_type) ` + numbers + `
			SELECT ` + group + `CAST(i / 100 + 100000000000 AS TEXT), ` + user + `, 'user' FROM n`, []any{groups * 100}},
		{`INSERT INTO group_members (group_id, member_id, member_type) ` + numbers + `
			SELECT ` + group + `CAST(i / 100 * 100 + 100000000000 AS TEXT), ` + group + digits + `, 'group' FROM n WHERE i % 100 > 0`, []any{groups}},
	} {
		if err := d.Write(ctx, func(q db.Querier) error { _, err := q.ExecContext(ctx, s.text, s.args...); return err }); err != nil {
			return err
		}
	}
	if err := settle(ctx, d); err != nil {
		return err
	}
	return directory.Recount(ctx, d)
}

// settle does what autovacuum would have done by the time that an installation
// has so many people: PostgreSQL plans by it.
func settle(ctx context.Context, d *db.DB) error {
	if d.Engine == db.PostgreSQL {
		for _, table := range []string{"users", "groups", "group_members"} {
			rows, err := d.QueryContext(ctx, `VACUUM ANALYZE `+table)
			if err != nil {
				return err
			}
			rows.Close()
		}
	}
	// No log of changes knows these people: their number is not kept yet.
	return d.Write(ctx, func(q db.Querier) error {
		_, err := q.ExecContext(ctx, `UPDATE versions SET size_at = -1 WHERE name LIKE 'directory.%'`)
		return err
	})
}

// measureDirectory measures what clients ask of a directory of n people, over HTTP,
// by a client with an access token.
func measureDirectory(n int, o options) error {
	began := time.Now()
	s, err := open(o, func(ctx context.Context, s *server.Server) error { return invent(ctx, s.DB, n) })
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("%d people, %d groups made in %.0f s\n%s, %d clients on this machine too\n\n", n, n/100, time.Since(began).Seconds(), o.machine(), s.api.workers)
	c := s.api
	const person, top = "/v1.0/users/01990000-0000-7000-8000-", "/v1.0/groups/01990000-0000-7000-9000-100000000000"
	c.floor = c.measure("floor: GET one person by id", person+"100000000007")
	c.measure("page of 100, startswith(displayName)", "/v1.0/users?$filter=startswith(displayName,'person 000012')")
	c.measure("page of 100, department eq, by name", "/v1.0/users?$filter=department+eq+'D77'&$orderby=displayName")
	c.measure("page of 100, mail eq or upn eq", "/v1.0/users?$filter=mail+eq+'p00000042@contoso.com'+or+userPrincipalName+eq+'p00000043@contoso.com'")
	c.measure("page of 999, deep in the list", c.deep("/v1.0/users?$top=999", 3))
	c.measure("page of 999, two members selected", c.deep("/v1.0/users?$top=999&$select=id,displayName", 3))
	c.measure("$search of a word", `/v1.0/users?$search="displayName:00000042"&$top=10`)
	c.measure("$count of everybody", "/v1.0/users/$count")
	c.measure("$count of a department (1 in 500)", "/v1.0/users/$count?$filter=department+eq+'D77'")
	c.measure("$count of the disabled (none)", "/v1.0/users/$count?$filter=accountEnabled+eq+false")
	c.measure("$count of all members by userType", "/v1.0/users/$count?$filter=userType+eq+'Member'")
	c.measure("transitive members of 10,000, page", top+"/transitiveMembers?$top=100")
	c.measure("the same, deep in it", c.deep(top+"/transitiveMembers?$top=100", 30))
	c.measure("transitive members of 10,000, $count", top+"/transitiveMembers/$count")
	c.measure("transitive members, people by name", top+"/transitiveMembers/microsoft.graph.user?$top=100")
	c.measure("transitiveMemberOf of a person", person+"100000000123/transitiveMemberOf?$count=true")
	c.measure("delta, first page (500)", "/v1.0/users/delta")
	c.measure("delta, page behind others", c.deep("/v1.0/users/delta", 3))
	c.measure("delta of groups and members, first page", "/v1.0/groups/delta")
	if link := c.latest(); link != "" {
		c.measure("delta, nothing changed", link)
		for i := range 100 {
			if _, err := c.send(http.DefaultClient, "PATCH", fmt.Sprintf("%s1%011d", person, i), map[string]any{"jobTitle": fmt.Sprint("Engineer ", time.Now().UnixNano())}); err != nil {
				return err
			}
		}
		c.measure("delta, 100 people changed", link)
	}
	fmt.Printf("\nServer's memory: %s at most\n", s.peak())
	return c.failed
}
