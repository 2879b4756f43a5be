package application

import (
	"context"
	"database/sql"

	"cardea/internal/db"
	"cardea/internal/odata"
)

// Schema says what $filter, $search and $orderby may name on applications.
var Schema = odata.Schema{
	"id":              {Column: "id", Folded: true},
	"appId":           {Column: "app_id", Folded: true},
	"displayName":     {Column: "display_name", Sort: true, Search: true},
	"createdDateTime": {Column: "created_at", Kind: odata.DateTimeOffset},
	"uniqueName":      {Column: "unique_name", Folded: true},
	"tags":            {Items: tagsOf("applications")},
	"identifierUris": {Items: &odata.Items{From: "application_identifiers i WHERE TRUE", Owner: "i.application_id", Row: "applications.id",
		Members: odata.Schema{"": {Column: "i.uri_key", Folded: true}}}},
}

// tagsOf is the collection of tags of the rows of a table.
func tagsOf(table string) *odata.Items {
	return &odata.Items{From: "application_tags t WHERE TRUE", Owner: "t.object_id", Row: table + ".id", Members: odata.Schema{"": {Column: "t.tag"}}}
}

// tag stores the tags of an object where $filter finds them.
func tag(ctx context.Context, q db.Querier, objectID string, tags []string) error {
	if _, err := q.ExecContext(ctx, `DELETE FROM application_tags WHERE object_id = $1`, objectID); err != nil {
		return err
	}
	for _, t := range tags {
		if _, err := q.ExecContext(ctx, `INSERT INTO application_tags (object_id, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING`, objectID, t); err != nil {
			return err
		}
	}
	return nil
}

// Count returns how many applications q selects, on all pages.
func Count(ctx context.Context, d db.Querier, q odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM applications WHERE `).Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// Paging is the page size and the usual order of applications: by name.
var Paging = odata.Paging{Default: 100, Max: 999, Order: []odata.Order{{Name: "displayName", Property: Schema["displayName"]}}}

// Find returns one page of applications, and one more if there is a next page.
func Find(ctx context.Context, d db.Querier, q odata.Query) ([]Application, error) {
	s := new(odata.SQL).Text(`SELECT `+columns+` FROM applications WHERE `).Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	all, err := db.Collect(rows, err, func(r *sql.Rows, a *Application) error { return scan(r, a) })
	if err != nil {
		return nil, err
	}
	return all, attach(ctx, d, all)
}
