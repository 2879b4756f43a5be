package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"cardea/internal/problem"
)

// NewID returns a UUIDv7 (RFC 9562 §5.7) of the moment now: ids that are made
// one after the other lie beside one another in an index.
func NewID(now time.Time) string {
	var random [10]byte
	rand.Read(random[:])
	return uuid7(now, random)
}

// FirstID is not above any id that NewID returned at t or later, and above all
// that it returned before: ids select a range of time.
func FirstID(t time.Time) string { return uuid7(t, [10]byte{}) }

func uuid7(t time.Time, random [10]byte) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli())<<16)
	copy(b[6:], random[:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// Time reads a column of Unix milliseconds.
func Time(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// NullTime reads a nullable column of Unix milliseconds; NULL is nil.
func NullTime(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := Time(ms.Int64)
	return &t
}

// Err turns driver errors that mean something to a caller into problems:
// no row is NotFound, a taken unique value is Conflict. what names the thing.
func Err(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return problem.New(problem.NotFound, "notFound", "%s does not exist.", what)
	case isUnique(err):
		return problem.New(problem.Conflict, "alreadyExists", "%s already exists.", what).Because(err)
	}
	return err
}

func isUnique(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505"
}

// Collect scans every row into a T. It takes the two results of QueryContext.
func Collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// Changed reports whether a statement changed exactly what it named; what
// names the thing in the NotFound that it returns otherwise.
func Changed(what string, res sql.Result, err error) error {
	if err != nil {
		return Err(what, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, Err(what, sql.ErrNoRows))
	}
	return nil
}

// Bump raises the version of a cached thing. Whoever holds a copy compares
// its version with the row and loads again.
func Bump(ctx context.Context, q Querier, name string) error {
	_, err := q.ExecContext(ctx, `INSERT INTO versions (name, value) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET value = versions.value + 1`, name)
	return err
}

// Version reads the version of a cached thing; 0 if it never changed.
func Version(ctx context.Context, q Querier, name string) (v int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT coalesce(max(value), 0) FROM versions WHERE name = $1`, name).Scan(&v)
	return v, err
}
