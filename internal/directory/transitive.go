package directory

import (
	"context"
	"database/sql"
	"slices"

	"cardea/internal/db"
	"cardea/internal/odata"
)

// beginning is a group, and its first member on a page.
type beginning struct{ group, first string }

// beginningsSQL selects the group $1 and the groups inside it that have members
// behind $2, with the first of these, in the order of the latter.
var beginningsSQL = insideSQL("$1") + `SELECT id, first FROM (SELECT id, (SELECT m.member_id FROM group_members m
	WHERE m.group_id = below.id AND m.member_id > $2 ORDER BY m.member_id LIMIT 1) AS first FROM below) AS begun
	WHERE first IS NOT NULL ORDER BY first`

// mostGroups bounds how many groups one statement reads.
const mostGroups = 64

// transitiveIDs returns up to limit ids of members of a group and of the groups
// inside it, behind the id after, in their order.
//
// Sorting all members for each page would make a page of a hundred of an
// organisation of a million as dear as the organisation. But the members of one
// group stand in an index in their order. So groups are read from where they
// begin behind after, those that begin first first, each up to the last id that
// can be on the page, until the next group begins behind that: a look at each
// group, and little more rows than the page has.
func transitiveIDs(ctx context.Context, d db.Querier, groupID, after string, limit int) ([]string, error) {
	rows, err := d.QueryContext(ctx, beginningsSQL, groupID, after)
	groups, err := db.Collect(rows, err, func(r *sql.Rows, b *beginning) error { return r.Scan(&b.group, &b.first) })
	if err != nil {
		return nil, err
	}
	var found []string
	for n := 1; len(groups) > 0 && limit > 0; n = min(2*n, mostGroups) {
		last := ""
		if len(found) == limit {
			last = found[limit-1]
			if groups[0].first > last {
				break
			}
		}
		now := groups[:min(n, len(groups))]
		groups = groups[len(now):]
		s := membersSQL(now, after, last, limit)
		more, err := ids(d.QueryContext(ctx, s.String(), s.Args...))
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
		slices.Sort(found)
		found = slices.Compact(found)
		found = found[:min(limit, len(found))]
	}
	return found, nil
}

// membersSQL selects the members behind after of each of the groups, limit of
// each, none behind last; "" is no bound.
func membersSQL(groups []beginning, after, last string, limit int) *odata.SQL {
	s := new(odata.SQL)
	behind := s.Bind(after)
	most, bound := s.Bind(limit), ""
	if last != "" {
		bound = ` AND member_id <= ` + s.Bind(last)
	}
	for i, g := range groups {
		if i > 0 {
			s.Text(` UNION ALL `)
		}
		s.Text(`SELECT member_id FROM (SELECT member_id FROM group_members WHERE group_id = `).Arg(g.group)
		s.Text(` AND member_id > ` + behind + bound + ` ORDER BY member_id LIMIT ` + most + `) AS members`)
	}
	return s
}
