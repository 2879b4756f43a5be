package audit

import (
	"context"

	"cardea/internal/db"
	"cardea/internal/odata"
)

// SignInSchema says what $filter may name on sign-ins (reports-and-logs §4.3),
// as far as columns exist for it.
var SignInSchema = odata.Schema{
	"id":                {Column: "id", Folded: true},
	"createdDateTime":   {Column: "created_at", Kind: odata.DateTimeOffset, Sort: true},
	"userId":            {Column: "user_id", Folded: true},
	"userPrincipalName": {Column: "upn", Folded: true},
	"appId":             {Column: "app_id", Folded: true},
	"status/errorCode":  {Column: "error_code", Kind: odata.Int64},
	"signInEventTypes":  {Items: &odata.Items{Members: odata.Schema{"": {Column: "event_type"}}}},
}

// AuditSchema says what $filter may name on directory audits (reports-and-logs §5).
var AuditSchema = odata.Schema{
	"id":                    {Column: "id", Folded: true},
	"activityDateTime":      {Column: "created_at", Kind: odata.DateTimeOffset, Sort: true},
	"activityDisplayName":   {Column: "activity"},
	"category":              {Column: "category"},
	"loggedByService":       {Column: "service"},
	"result":                {Column: "result"},
	"initiatedBy/user/id":   {Column: "actor_id", Folded: true},
	"initiatedBy/app/appId": {Column: "actor_id", Folded: true},
	"targetResources":       {Items: &odata.Items{Members: odata.Schema{"id": {Column: "target_id", Folded: true}}}},
}

// The page size and the order of the logs: newest first.
var (
	SignInPaging = odata.Paging{Default: 1000, Max: 1000, Order: []odata.Order{{Name: "createdDateTime", Property: SignInSchema["createdDateTime"], Desc: true}}}
	AuditPaging  = odata.Paging{Default: 1000, Max: 1000, Order: []odata.Order{{Name: "activityDateTime", Property: AuditSchema["activityDateTime"], Desc: true}}}
)

// FindSignIns returns one page of sign-ins, and one more if there is a next
// page. A filter that says nothing about the kind of sign-in means those of
// people (RL-20).
func FindSignIns(ctx context.Context, d db.Querier, q odata.Query) ([]SignIn, error) {
	s := new(odata.SQL).Text(`SELECT record FROM sign_ins WHERE `).Page(ofPeople(q), "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, scanJSON[SignIn])
}

// CountSignIns returns how many sign-ins q selects, on all pages.
func CountSignIns(ctx context.Context, d db.Querier, q odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM sign_ins WHERE `).Conditions(ofPeople(q))
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

func ofPeople(q odata.Query) odata.Query {
	if odata.Names(q.Filter, "signInEventTypes") {
		return q
	}
	people := odata.Compare{Property: odata.Property{Column: "event_type"}, Op: "eq", Value: Interactive}
	if q.Filter == nil {
		q.Filter = people
	} else {
		q.Filter = odata.Logic{L: q.Filter, R: people}
	}
	return q
}

// FindAudits returns one page of directory audits, and one more if there is a
// next page.
func FindAudits(ctx context.Context, d db.Querier, q odata.Query) ([]Record, error) {
	s := new(odata.SQL).Text(`SELECT record FROM directory_audits WHERE `).Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, scanJSON[Record])
}

// CountAudits returns how many directory audits q selects, on all pages.
func CountAudits(ctx context.Context, d db.Querier, q odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM directory_audits WHERE `).Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}
