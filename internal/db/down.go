package db

import (
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"cardea/internal/problem"
)

// Down turns the error of a database that cannot be reached, that stops or
// starts, or whose disk is full into Unavailable, databaseUnavailable: whoever
// asked may ask again. Other errors stay what they are. Edges call it where
// they answer with an error.
func Down(err error) error {
	if !isDown(err) {
		return err
	}
	p := problem.New(problem.Unavailable, "databaseUnavailable", "This server cannot reach its database at the moment. Try again in a minute.").Because(err)
	p.RetryAfter = 10 * time.Second
	return p
}

func isDown(err error) bool {
	if _, explained := errors.AsType[*problem.Error](err); explained {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || errors.Is(err, driver.ErrBadConn) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "57P01", "57P02", "57P03", "53100", "53200", "53300": // stopping, starting, no disk, memory, connection left
			return true
		}
		return strings.HasPrefix(e.Code, "08") // connection lost
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
	}
	return false
}
