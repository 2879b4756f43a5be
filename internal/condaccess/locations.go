package condaccess

import (
	"context"
	"encoding/json"

	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

func (x *row) location() (NamedLocation, error) {
	l, err := ReadLocation(x.document)
	if err != nil {
		return l, damaged("named location", err)
	}
	l.ID, l.Version = x.id, x.version
	created := db.Time(x.created)
	l.CreatedDateTime, l.ModifiedDateTime, l.DeletedDateTime = &created, optional(x.modified), optional(x.deleted)
	return l, nil
}

// LocationSchema says what $filter and $orderby may name on named locations.
var LocationSchema = odata.Schema{
	"id":               {Column: "id", Folded: true},
	"displayName":      {Column: "display_key", Folded: true, Sort: true, More: []string{"contains", "endswith"}},
	"createdDateTime":  {Column: "created_at", Kind: odata.DateTimeOffset, Sort: true},
	"modifiedDateTime": {Column: "modified_at", Kind: odata.DateTimeOffset, Zero: true, Sort: true},
}

// LocationPaging is the page size and the usual order of locations: by name.
var LocationPaging = odata.Paging{Default: 100, Max: 999, Skip: true, Order: []odata.Order{{Name: "displayName", Property: LocationSchema["displayName"]}}}

// Location returns one location that is in use. An unknown one is NotFound.
func (k *Keeper) Location(ctx context.Context, q db.Querier, id string) (NamedLocation, error) {
	x, err := getRow(ctx, q, sortLocation, id, false)
	if err != nil {
		return NamedLocation{}, err
	}
	return x.location()
}

// DeletedLocation returns one of the deleted locations.
func (k *Keeper) DeletedLocation(ctx context.Context, q db.Querier, id string) (NamedLocation, error) {
	x, err := getRow(ctx, q, sortLocation, id, true)
	if err != nil {
		return NamedLocation{}, err
	}
	return x.location()
}

// FindLocations returns one page of locations, and one more if there is a next
// page.
func (k *Keeper) FindLocations(ctx context.Context, d db.Querier, q odata.Query, a Among) ([]NamedLocation, error) {
	rows, err := findRows(ctx, d, q, a, sortLocation)
	if err != nil {
		return nil, err
	}
	out := make([]NamedLocation, len(rows))
	for i := range rows {
		if out[i], err = rows[i].location(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CountLocations returns how many locations q selects, on all pages.
func (k *Keeper) CountLocations(ctx context.Context, d db.Querier, q odata.Query, a Among) (int64, error) {
	return countRows(ctx, d, q, a, sortLocation)
}

// CreateLocation stores the location of e.Body. A trusted one is judged by the
// lock-out guard.
func (k *Keeper) CreateLocation(ctx context.Context, e Edit) (NamedLocation, Checked, error) {
	l, err := ReadLocation(e.Body)
	if err != nil {
		return l, Checked{}, err
	}
	l.ID = db.NewID(e.At)
	return k.saveLocation(ctx, e, created(l))
}

// UpdateLocation changes a location by the PATCH in e.Body. Errors: those of
// Patched; PreconditionFailed, changed; wouldLockOutAdministrators;
// unsupportedCondition if an enabled policy names it and it could no longer be
// evaluated.
func (k *Keeper) UpdateLocation(ctx context.Context, id string, e Edit) (NamedLocation, Checked, error) {
	return k.saveLocation(ctx, e, edited(e, func(q db.Querier) (NamedLocation, error) { return k.Location(ctx, q, id) },
		func(was NamedLocation) (NamedLocation, error) { return was.Patched(e.Body) }))
}

// RestoreLocation brings a deleted location back.
func (k *Keeper) RestoreLocation(ctx context.Context, id string, e Edit) (NamedLocation, Checked, error) {
	return k.saveLocation(ctx, e, func(q db.Querier) (*NamedLocation, NamedLocation, error) {
		was, err := k.DeletedLocation(ctx, q, id)
		if err != nil {
			return nil, was, err
		}
		next := was
		next.DeletedDateTime = nil
		return &was, next, nil
	})
}

// DeleteLocation puts a location among the deleted items. One that is trusted
// is refused with trustedLocation (CA-81), one that policies name with
// stillReferenced (CA-82).
func (k *Keeper) DeleteLocation(ctx context.Context, id string, e Edit) error {
	return k.removed(ctx, e, sortLocation, id, func(q db.Querier, x row) (any, string, error) {
		was, err := x.location()
		if err != nil {
			return nil, "", err
		}
		if was.IsTrusted {
			return nil, "", problem.New(problem.Invalid, "trustedLocation", "1032: A trusted location cannot be deleted. Set isTrusted to false first.").On("/isTrusted")
		}
		return was, was.DisplayName, k.unused(ctx, q, KindLocation, x)
	})
}

func (k *Keeper) saveLocation(ctx context.Context, e Edit, to step[NamedLocation]) (NamedLocation, Checked, error) {
	return saved(ctx, k, e, to, func(q db.Querier, e Edit, was *NamedLocation, next NamedLocation, c *Checked) (NamedLocation, error) {
		if was != nil {
			if err := k.stillEvaluable(ctx, q, next); err != nil {
				return next, err
			}
		}
		// A new one counts too if it is trusted: policies name it as AllTrusted.
		var err error
		if c.Guard, err = k.guarded(ctx, q, e, func(s *Source) { s.Locations = replaced(s.Locations, next) }); err != nil {
			return next, err
		}
		c.warn(e.Actor.UserID)
		stored := next
		stored.ID, stored.CreatedDateTime, stored.ModifiedDateTime, stored.DeletedDateTime = "", nil, nil, nil
		document, err := json.Marshal(stored)
		if err != nil {
			return next, err
		}
		changed := storing(row{id: next.ID, sort: sortLocation, name: next.DisplayName, state: string(next.Kind), document: document}, was, next)
		if err := changed.save(ctx, q, e); err != nil {
			return next, err
		}
		return k.Location(ctx, q, next.ID)
	})
}

// stillEvaluable refuses to make a location of an enabled policy one that Cardea
// cannot evaluate: the policy would silently stop to apply (CA-8).
func (k *Keeper) stillEvaluable(ctx context.Context, q db.Querier, l NamedLocation) error {
	if l.evaluable() {
		return nil
	}
	by, err := k.using(ctx, q, KindLocation, l.ID)
	if err != nil {
		return err
	}
	for _, p := range by {
		if p.State == Enabled {
			return unsupported("/countryLookupMethod")
		}
	}
	return nil
}
