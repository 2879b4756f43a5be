package directory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cardea/internal/db"
)

// The log of changes. Each change of a person, a group or a membership gets the
// next number of its kind in the transaction that makes it. The numbers are
// taken from a row of versions, which PostgreSQL locks until the transaction
// ends and of which SQLite has one writer: so numbers are committed in their
// order, and whoever has read up to n will never see a number below n appear
// (DO-61). That is why it is written last.

// The kinds of things that change.
const (
	kindUser  = "user"
	kindGroup = "group"
)

// everything in change.what: the object came, or came back, with all it has.
const everything = "*"

// change is one row of the log. Without Member it is about the object itself.
type change struct {
	id, member, memberType string
	what                   []string // names of the members that changed; nil is the object's end
	living                 int64    // how many living objects there are more: 1 it came or came back, -1 it went
}

// came is the change of an object that is there now with all it has.
func came(id string) change { return change{id: id, what: []string{everything}, living: 1} }

func versionOf(kind string) string { return "directory." + kind }

const logChunk = 100 // rows of one statement

// logChanges numbers and stores changes of one kind, and keeps the number of
// the living (size.go).
func logChanges(ctx context.Context, q db.Querier, now time.Time, kind string, all ...change) error {
	if len(all) == 0 {
		return nil
	}
	var last, living int64
	for _, c := range all {
		living += c.living
	}
	err := q.QueryRowContext(ctx, `INSERT INTO versions (name, value) VALUES ($1, CAST($2 AS BIGINT))
		ON CONFLICT (name) DO UPDATE SET value = versions.value + excluded.value, size = versions.size + CAST($3 AS BIGINT),
		size_at = CASE WHEN versions.size_at = versions.value THEN versions.value + excluded.value ELSE versions.size_at END RETURNING value`,
		versionOf(kind), int64(len(all)), living).Scan(&last)
	if err != nil {
		return err
	}
	seq := last - int64(len(all))
	for chunk := range slices.Chunk(all, logChunk) {
		var text strings.Builder
		text.WriteString(`INSERT INTO directory_changes (kind, seq, id, member_id, member_type, what, at) VALUES `)
		args := make([]any, 0, 7*len(chunk))
		for i, c := range chunk {
			if i > 0 {
				text.WriteString(", ")
			}
			seq++
			text.WriteString("(" + placeholders(len(args)+1, 7) + ")")
			args = append(args, kind, seq, c.id, c.member, c.memberType, strings.Join(c.what, ","), now.UnixMilli())
		}
		if _, err := q.ExecContext(ctx, text.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// DeleteOldChanges forgets up to limit changes of before, and returns how many.
// A delta token from before the oldest that is left finds nothing to continue
// from (syncStateNotFound, DO-65).
func DeleteOldChanges(ctx context.Context, q db.Querier, before time.Time, limit int) (n int64, err error) {
	for _, kind := range []string{kindUser, kindGroup} {
		// The numbers are in the order of time but for the clocks of several
		// nodes: what is younger than its neighbours stays, and those behind it too.
		res, err := q.ExecContext(ctx, `DELETE FROM directory_changes WHERE kind = $1 AND seq IN
			(SELECT seq FROM directory_changes WHERE kind = $1 ORDER BY seq LIMIT $2)
			AND seq < coalesce((SELECT min(seq) FROM (SELECT seq, at FROM directory_changes WHERE kind = $1 ORDER BY seq LIMIT $2) AS oldest WHERE at >= $3), seq + 1)`,
			kind, limit, before.UnixMilli())
		if err != nil {
			return n, err
		}
		gone, err := res.RowsAffected()
		if n += gone; err != nil {
			return n, err
		}
	}
	return n, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
