package application

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Owner is somebody who answers for an application. It is a note for people:
// owning gives no right.
type Owner struct {
	ID   string
	Type string // User, ServicePrincipal
}

const maxOwners = 100

// Owners returns the owners of an application or a service principal, in the
// order of their ids.
func Owners(ctx context.Context, q db.Querier, objectID string) ([]Owner, error) {
	rows, err := q.QueryContext(ctx, `SELECT owner_id, owner_type FROM application_owners o WHERE object_id = $1
		AND (EXISTS (SELECT 1 FROM users WHERE id = o.owner_id AND deleted_at = 0) OR EXISTS (SELECT 1 FROM service_principals WHERE id = o.owner_id)) ORDER BY owner_id`, objectID)
	return db.Collect(rows, err, func(r *sql.Rows, o *Owner) error { return r.Scan(&o.ID, &o.Type) })
}

// AddOwner names an owner of the application or service principal of.
func (k Catalogue) AddOwner(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, of Owned) error {
	who, err := k.principalOf(ctx, q, strings.ToLower(of.Owner))
	if err != nil || who.Type == "Group" {
		return problem.New(problem.Invalid, "principalUnknown", "There is no user and no service principal %q. An owner is one of them.", clip(of.Owner)).On("@odata.id")
	}
	have, err := Owners(ctx, q, of.Target.ID)
	if err != nil {
		return err
	}
	if len(have) >= maxOwners {
		return refuse("owners", "There are at most %d owners.", maxOwners)
	}
	kind := who.Type
	if _, err := q.ExecContext(ctx, `INSERT INTO application_owners (object_id, owner_id, owner_type, created_at) VALUES ($1, $2, $3, $4)`, of.Target.ID, who.ID, kind, now.UnixMilli()); err != nil {
		err = db.Err("This owner", err)
		if problem.KindOf(err) == problem.Conflict { // Graph answers 400, not 409
			return problem.New(problem.Invalid, "alreadyExists", "One or more added object references already exist for the following modified properties: 'owners'.").Because(err)
		}
		return err
	}
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: "Add owner to " + of.what(), Category: "ApplicationManagement", OperationType: "Assign", TargetResources: []audit.Target{who, of.Target}})
}

// RemoveOwner takes an owner away.
func (k Catalogue) RemoveOwner(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, of Owned) error {
	res, err := q.ExecContext(ctx, `DELETE FROM application_owners WHERE object_id = $1 AND owner_id = $2`, of.Target.ID, strings.ToLower(of.Owner))
	if err := db.Changed("This owner", res, err); err != nil {
		return err
	}
	who := audit.Target{ID: strings.ToLower(of.Owner), Type: "Other", ModifiedProperties: []audit.Modified{}}
	if found, err := k.principalOf(ctx, q, who.ID); err == nil {
		who = found
	}
	return audit.Write(ctx, q, by, now, audit.Record{ActivityDisplayName: "Remove owner from " + of.what(), Category: "ApplicationManagement", OperationType: "Unassign", TargetResources: []audit.Target{who, of.Target}})
}

// Owned names an object and an owner of it.
type Owned struct {
	Target audit.Target // as Application.Target and ServicePrincipal.Target give it
	Owner  string
}

func (o Owned) what() string {
	if o.Target.Type == "App" {
		return "application"
	}
	return "service principal"
}

// Target is a as the audit log names it.
func (a *Application) Target() audit.Target { return a.target() }

// Target is p as the audit log names it.
func (p *ServicePrincipal) Target() audit.Target { return p.target() }
