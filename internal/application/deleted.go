package application

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// The kinds of deleted items that are not people or groups.
const (
	KindApplication = "application"
	KindPrincipal   = "servicePrincipal"
)

// Deleted is an application or a service principal among the deleted items; one
// of the two is nil. An application takes its service principal along, and
// brings it back. Directory roles of a service principal are lost, as those of
// people are.
type Deleted struct {
	Application *Application
	Principal   *ServicePrincipal

	id, kind, name string
	content        parked
}

// DeletedSchema says what $filter, $search and $orderby may name on them.
var DeletedSchema = odata.Schema{
	"id":              {Column: "id", Folded: true},
	"appId":           {Column: "app_id", Folded: true},
	"displayName":     {Column: "display_name", Sort: true, Search: true},
	"deletedDateTime": {Column: "deleted_at", Kind: odata.DateTimeOffset, Sort: true},
}

// DeletedPaging is the page size and the usual order of them: by name.
var DeletedPaging = odata.Paging{Default: 100, Max: 999, Order: []odata.Order{{Name: "displayName", Property: DeletedSchema["displayName"]}}}

// ID is the object id of the item.
func (d Deleted) ID() string { return d.id }

// Permissions are the permissions of Microsoft Graph that come back with the
// item: those of the application itself, and those that it has for people.
func (d Deleted) Permissions() (own, delegated []string) {
	mine := d.content.texts("service_principals", "id", func(map[string]cell) bool { return true })
	graph := func(column string) func(map[string]cell) bool {
		return func(row map[string]cell) bool {
			who, _ := row[column].v.(string)
			return row["resource_id"].v == GraphPrincipalID && slices.Contains(mine, who)
		}
	}
	own = d.content.texts("app_role_assignments", "value", graph("principal_id"))
	for _, scope := range d.content.texts("oauth2_permission_grants", "scope", graph("client_id")) {
		delegated = append(delegated, strings.Fields(scope)...)
	}
	return own, delegated
}

const deletedColumns = `id, kind, display_name, item, content, deleted_at`

func scanDeleted(r interface{ Scan(...any) error }, d *Deleted) error {
	var item, content string
	var at int64
	if err := r.Scan(&d.id, &d.kind, &d.name, &item, &content, &at); err != nil {
		return err
	}
	when := db.Time(at)
	var into any
	if d.kind == KindApplication {
		d.Application = new(Application)
		into = d.Application
	} else {
		d.Principal = new(ServicePrincipal)
		into = d.Principal
	}
	if err := json.Unmarshal([]byte(item), into); err != nil {
		return err
	}
	if d.Application != nil {
		d.Application.DeletedDateTime = &when
	} else {
		d.Principal.DeletedDateTime = &when
	}
	return json.Unmarshal([]byte(content), &d.content)
}

// GetDeleted finds a deleted item by its object id.
func GetDeleted(ctx context.Context, q db.Querier, id string) (d Deleted, err error) {
	err = scanDeleted(q.QueryRowContext(ctx, `SELECT `+deletedColumns+` FROM deleted_applications WHERE id = $1`, strings.ToLower(id)), &d)
	return d, db.Err("The deleted item "+clip(id), err)
}

// Parked are the permissions of Microsoft Graph that a deleted service principal
// of an application would bring back: see Permissions.
func Parked(ctx context.Context, q db.Querier, appID string) (own, delegated []string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT `+deletedColumns+` FROM deleted_applications WHERE kind = $1 AND app_id = $2`, KindPrincipal, appID)
	found, err := db.Collect(rows, err, func(r *sql.Rows, d *Deleted) error { return scanDeleted(r, d) })
	for _, d := range found {
		mine, people := d.Permissions()
		own, delegated = append(own, mine...), append(delegated, people...)
	}
	return own, delegated, err
}

// FindDeleted returns one page of the deleted items of a kind, and one more if
// there is a next page.
func FindDeleted(ctx context.Context, q db.Querier, query odata.Query, kind string) ([]Deleted, error) {
	s := new(odata.SQL).Text(`SELECT ` + deletedColumns + ` FROM deleted_applications WHERE kind = `).Arg(kind).Text(` AND `)
	s.Page(query, "id")
	rows, err := q.QueryContext(ctx, s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, d *Deleted) error { return scanDeleted(r, d) })
}

// CountDeleted returns how many FindDeleted finds, on all pages.
func CountDeleted(ctx context.Context, q db.Querier, query odata.Query, kind string) (n int64, err error) {
	s := new(odata.SQL).Text(`SELECT count(*) FROM deleted_applications WHERE kind = `).Arg(kind).Text(` AND `).Conditions(query)
	return n, q.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// bury puts an item among the deleted ones. Its rows go with the caller.
func bury(ctx context.Context, q db.Querier, now time.Time, d Deleted) error {
	item, appID := any(d.Application), ""
	if d.Application != nil {
		appID = d.Application.AppID
	} else {
		item, appID = d.Principal, d.Principal.AppID
	}
	_, err := q.ExecContext(ctx, `INSERT INTO deleted_applications (id, kind, app_id, display_name, item, content, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		d.id, d.kind, appID, d.name, text(item), text(d.content), now.UnixMilli())
	return err
}

// RestoreDeleted brings an item back as it was. A name or an identifier URI that
// was taken meanwhile is Conflict, alreadyExists; so is a service principal in
// whose place there is another.
func RestoreDeleted(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string) (Deleted, error) {
	d, err := GetDeleted(ctx, q, id)
	if err != nil {
		return d, err
	}
	if d.Principal != nil {
		a, err := GetByAppID(ctx, q, d.Principal.AppID)
		if problem.KindOf(err) == problem.NotFound {
			return d, problem.New(problem.Invalid, "applicationUnknown", "The application of this service principal is deleted too. Restore that one: it brings its service principal back, if it had one then.")
		}
		if err != nil {
			return d, err
		}
		if a.principal.id != "" {
			return d, problem.New(problem.Conflict, "alreadyExists", "%s has another service principal by now. Delete that one first.", a.DisplayName)
		}
	}
	err = d.content.unpark(ctx, q)
	if problem.KindOf(err) == problem.Conflict {
		return d, problem.New(problem.Conflict, "alreadyExists", "Another application has the uniqueName or an identifier URI of %s by now. Change it there, then restore.", d.name).Because(err)
	}
	if err != nil {
		return d, err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM deleted_applications WHERE id = $1`, d.id); err != nil {
		return d, err
	}
	if d.Application != nil {
		d.Application.DeletedDateTime = nil
	} else {
		d.Principal.DeletedDateTime = nil
	}
	return d, d.changed(ctx, q, by, now, "Restore", "Update")
}

// PurgeDeleted removes an item for good.
func PurgeDeleted(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string) error {
	d, err := GetDeleted(ctx, q, id)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM deleted_applications WHERE id = $1`, d.id); err != nil {
		return err
	}
	return d.changed(ctx, q, by, now, "Hard Delete", "Delete")
}

// PurgeOld purges up to limit items that were deleted before a time, and
// returns how many.
func PurgeOld(ctx context.Context, q db.Querier, now, before time.Time, limit int) (int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT id FROM deleted_applications WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2`, before.UnixMilli(), limit)
	old, err := db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
	if err != nil {
		return 0, err
	}
	for _, id := range old {
		if err := PurgeDeleted(ctx, q, audit.System("sweep"), now, id); err != nil {
			return 0, err
		}
	}
	return int64(len(old)), nil
}

func (d Deleted) changed(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, verb, operation string) error {
	if err := db.Bump(ctx, q, VersionName); err != nil {
		return err
	}
	what, kind := "application", "App"
	if d.Principal != nil {
		what, kind = "service principal", "ServicePrincipal"
	}
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: verb + " " + what, Category: "ApplicationManagement", OperationType: operation,
		TargetResources: []audit.Target{{ID: d.id, DisplayName: d.name, Type: kind, ModifiedProperties: []audit.Modified{}}}})
}
