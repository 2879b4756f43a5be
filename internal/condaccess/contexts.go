package condaccess

import (
	"context"
	"database/sql"
	"encoding/json"
	"reflect"
	"strings"

	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

func scanID(r *sql.Rows, id *string) error { return r.Scan(id) }

// Context is Graph's authenticationContextClassReference: a name for a demand
// that an application makes of a session. There are c1 to c99.
type Context struct {
	ID          string  `json:"id"`
	DisplayName *string `json:"displayName"`
	Description *string `json:"description"`
	IsAvailable *bool   `json:"isAvailable"`
	Version     int64   `json:"-"`
}

func (x *row) context() (Context, error) {
	o, err := readObject(x.document)
	var c Context
	if err == nil {
		err = bind(reflect.ValueOf(&c).Elem(), o, "")
	}
	if err != nil {
		return c, damaged("authentication context", err)
	}
	c.ID, c.Version = x.id, x.version
	return c, nil
}

// ContextSchema says what $filter and $orderby may name on authentication
// contexts.
var ContextSchema = odata.Schema{
	"id":          {Column: "id", Folded: true},
	"displayName": {Column: "display_key", Folded: true, Sort: true},
}

// ContextPaging is the page size of authentication contexts.
var ContextPaging = odata.Paging{Default: 100, Max: 999, Skip: true}

// Context returns one authentication context. An unknown one is NotFound.
func (k *Keeper) Context(ctx context.Context, q db.Querier, id string) (Context, error) {
	x, err := getRow(ctx, q, sortContext, id, false)
	if err != nil {
		return Context{}, err
	}
	return x.context()
}

// FindContexts returns one page of authentication contexts, and one more if
// there is a next page.
func (k *Keeper) FindContexts(ctx context.Context, d db.Querier, q odata.Query) ([]Context, error) {
	rows, err := findRows(ctx, d, q, Among{}, sortContext)
	if err != nil {
		return nil, err
	}
	out := make([]Context, len(rows))
	for i := range rows {
		if out[i], err = rows[i].context(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CountContexts returns how many authentication contexts q selects.
func (k *Keeper) CountContexts(ctx context.Context, d db.Querier, q odata.Query) (int64, error) {
	return countRows(ctx, d, q, Among{}, sortContext)
}

// PutContext changes an authentication context by the PATCH in e.Body, and
// creates it where it does not exist.
func (k *Keeper) PutContext(ctx context.Context, id string, e Edit) (out Context, err error) {
	id = strings.ToLower(id)
	if !contextID.MatchString(id) {
		return out, problem.New(problem.NotFound, "notFound", "There is no authentication context %s. They are c1 to c99.", escape(id))
	}
	sent, err := readObject(e.Body)
	if err != nil {
		return out, err
	}
	if err := readOnly(object{"id": id}, sent); err != nil {
		return out, err
	}
	err = k.DB.Write(ctx, func(q db.Querier) error {
		if err := db.Bump(ctx, q, VersionName); err != nil {
			return err
		}
		c := change{row: row{id: id, sort: sortContext}, verb: "Update"}
		x, err := getRow(ctx, q, sortContext, id, false)
		cur := object{}
		switch {
		case err == nil:
			if err := e.expect(x.version); err != nil {
				return err
			}
			was, err := x.context()
			if err != nil {
				return err
			}
			if cur, err = treeOf(was); err != nil {
				return err
			}
			c.before = was
		case problem.KindOf(err) != problem.NotFound:
			return err
		default:
			if err := e.expect(0); err != nil {
				return err
			}
			c.verb = "Add"
			if _, err := getRow(ctx, q, sortContext, id, true); err == nil {
				c.verb = "Restore" // under the same name, with what is sent now
			} else if problem.KindOf(err) != problem.NotFound {
				return err
			}
		}
		var next Context
		if err := bind(reflect.ValueOf(&next).Elem(), merge(cur, withoutExtra(sent)), ""); err != nil {
			return err
		}
		next.ID = id
		if next.DisplayName != nil {
			c.name = *next.DisplayName
		}
		if c.document, err = json.Marshal(next); err != nil {
			return err
		}
		c.after = next
		if err := c.save(ctx, q, e); err != nil {
			return err
		}
		out, err = k.Context(ctx, q, id)
		return err
	})
	return out, err
}

// DeleteContext removes an authentication context. One that policies name is
// refused with stillReferenced.
func (k *Keeper) DeleteContext(ctx context.Context, id string, e Edit) error {
	return k.removed(ctx, e, sortContext, id, func(q db.Querier, x row) (any, string, error) {
		was, err := x.context()
		if err != nil {
			return nil, "", err
		}
		name := ""
		if was.DisplayName != nil {
			name = *was.DisplayName
		}
		return was, name, k.unused(ctx, q, KindContext, x)
	})
}
