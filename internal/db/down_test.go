package db_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"cardea/internal/db"
	"cardea/internal/problem"
)

func TestDown_regression(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // nobody listens there now
	pool, err := sql.Open("pgx", "postgres://cardea@"+address+"/x?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	refused := pool.PingContext(t.Context())
	if refused == nil {
		t.Fatal("somebody answered")
	}
	for _, err := range []error{refused, fmt.Errorf("read: %w", &pgconn.PgError{Code: "57P01"}), &pgconn.PgError{Code: "08006"}} {
		if got := db.Down(err); problem.KindOf(got) != problem.Unavailable || problem.CodeOf(got) != "databaseUnavailable" || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	for _, err := range []error{nil, errors.New("bug"), sql.ErrNoRows, &pgconn.PgError{Code: "42601"}, problem.New(problem.Invalid, "x", "").Because(refused)} {
		if got := db.Down(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
