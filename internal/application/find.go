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
