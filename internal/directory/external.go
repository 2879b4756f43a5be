package directory

import (
	"context"
	"database/sql"
	"errors"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// External is the name by which another system, such as a human resources
// system, knows a person or a group (SCIM's externalId). What is deleted keeps
// its name aside, where it is in nobody's way, and has it again when restored,
// unless somebody else got it meanwhile.
type External struct {
	Kind     string // user or group
	ObjectID string
	ID       string // "" takes the name away
}

// SetExternal gives an object its external name. A name that another object of
// the kind has is a Conflict. The change is part of the caller's change, which
// writes the audit record.
func SetExternal(ctx context.Context, q db.Querier, e External) error {
	if len(e.ID) > 256 {
		return problem.New(problem.Invalid, "invalidValue", "An externalId has at most 256 characters.").On("externalId")
	}
	if e.ID == "" {
		_, err := q.ExecContext(ctx, `DELETE FROM external_ids WHERE object_id = $1`, e.ObjectID)
		return err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO external_ids (object_id, kind, external_id) VALUES ($1, $2, $3)
		ON CONFLICT (object_id) DO UPDATE SET external_id = excluded.external_id`, e.ObjectID, e.Kind, e.ID)
	return db.Err("The externalId "+e.ID, err)
}

// ExternalOf returns the external names of some objects, by object id.
func ExternalOf(ctx context.Context, q db.Querier, objectIDs []string) (map[string]string, error) {
	return pairs(ctx, q, `SELECT object_id, external_id FROM external_ids WHERE object_id IN `, objectIDs)
}

// ManagersOf returns the object ids of the managers of some people, by theirs.
func ManagersOf(ctx context.Context, q db.Querier, userIDs []string) (map[string]string, error) {
	return pairs(ctx, q, `SELECT u.id, m.id FROM users u JOIN users m ON m.id = u.manager_id AND m.deleted_at = 0 WHERE u.id IN `, userIDs)
}

// pairs reads two columns for some ids; text ends where the list of them goes.
func pairs(ctx context.Context, q db.Querier, text string, objectIDs []string) (map[string]string, error) {
	out := map[string]string{}
	for len(objectIDs) > 0 {
		n := min(len(objectIDs), 500)
		list, args := "", make([]any, n)
		for i, id := range objectIDs[:n] {
			if i > 0 {
				list += ", "
			}
			list += placeholder(i + 1)
			args[i] = id
		}
		objectIDs = objectIDs[n:]
		rows, err := q.QueryContext(ctx, text+`(`+list+`)`, args...)
		if _, err := db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
			var id, value string
			if err := r.Scan(&id, &value); err != nil {
				return err
			}
			out[id] = value
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ByExternal returns the id of the object with an external name, "" if there
// is none.
func ByExternal(ctx context.Context, q db.Querier, kind, externalID string) (id string, err error) {
	err = q.QueryRowContext(ctx, `SELECT object_id FROM external_ids WHERE kind = $1 AND external_id = $2`, kind, externalID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// IsMember reports whether somebody or something is directly in a group.
func IsMember(ctx context.Context, q db.Querier, m Membership) (yes bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM group_members WHERE group_id = $1 AND member_id = $2)`, m.GroupID, m.MemberID).Scan(&yes)
	return yes, err
}
