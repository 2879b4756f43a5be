// Package db opens the database, migrates it, and runs reads and writes.
// SQLite and PostgreSQL get the same SQL text: docs/sql.md names the common
// subset and the differences that bite.
//
// Reads go to the *DB itself. Every change goes through Write, which on SQLite
// runs the functions of concurrent requests in one transaction and commits
// once (see group.go), so that one fsync serves many sign-ins. Nobody gets an
// answer before the commit is durable. The hot path reads through Read, which
// lets concurrent reads share a snapshot.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the PostgreSQL driver
)

// Querier is what a query needs: a *DB, or the transaction of a Write.
type Querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// Engine names the database behind a DB.
type Engine string

// The two engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgresql"
)

// Options say how to open a database.
type Options struct {
	DSN      string // "postgres://…", or the path of a SQLite file
	Volatile bool   // SQLite without fsync: for demos and tests, loses acknowledged writes with the power
}

// DB is an open, migrated database.
type DB struct {
	Engine Engine
	pool   *sql.DB
	stmts  statements
	writer *lane // SQLite only
	reader *lane // SQLite only
}

// Open connects and migrates.
func Open(ctx context.Context, o Options) (*DB, error) {
	if strings.HasPrefix(o.DSN, "postgres://") || strings.HasPrefix(o.DSN, "postgresql://") {
		return openPostgreSQL(ctx, o)
	}
	return openSQLite(ctx, o)
}

func openPostgreSQL(ctx context.Context, o Options) (*DB, error) {
	pool, err := sql.Open("pgx", o.DSN)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	pool.SetMaxOpenConns(8 * runtime.GOMAXPROCS(0))
	pool.SetMaxIdleConns(8 * runtime.GOMAXPROCS(0))
	pool.SetConnMaxIdleTime(5 * time.Minute)
	d := &DB{Engine: PostgreSQL, pool: pool}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return d, nil
}

func openSQLite(ctx context.Context, o Options) (*DB, error) {
	sync := "FULL" // an acknowledged write survives power loss
	if o.Volatile {
		sync = "OFF"
	}
	// The file is for its owner only, wherever it lies; SQLite gives its
	// companions (-wal, -shm) the same mode.
	f, err := os.OpenFile(o.DSN, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	dsn := "file:" + o.DSN + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-16000)" +
		// A checkpoint per 32 MiB: a page that changes with every batch is copied
		// to the file once and not a hundred times.
		"&_pragma=wal_autocheckpoint(8000)&_pragma=synchronous(" + sync + ")"
	if err := unicodeLower(); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	// Readers beyond the cores only add caches; the two lanes have theirs.
	pool.SetMaxOpenConns(2*runtime.GOMAXPROCS(0) + 2)
	pool.SetMaxIdleConns(2*runtime.GOMAXPROCS(0) + 2)
	d := &DB{Engine: SQLite, pool: pool}
	if err := d.migrate(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	if d.writer, err = startLane(ctx, pool, true); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	if d.reader, err = startLane(ctx, pool, false); err != nil {
		return nil, errors.Join(err, d.writer.stop(), pool.Close())
	}
	return d, nil
}

// Close waits for running writes and closes the database.
func (d *DB) Close() error {
	var err error
	if d.writer != nil {
		err = errors.Join(d.reader.stop(), d.writer.stop())
	}
	d.stmts.close()
	return errors.Join(err, d.pool.Close())
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	return d.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
}

// ExecContext refuses: a change outside Write would not be grouped, and on
// SQLite it would wait for the writer. Use Write.
func (d *DB) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errors.New("db: changes go through Write")
}

// QueryContext reads.
func (d *DB) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if d.Engine == PostgreSQL { // pgx keeps prepared statements itself
		return d.pool.QueryContext(ctx, text, args...)
	}
	s, err := d.stmts.get(ctx, d.pool, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext reads at most one row.
func (d *DB) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if d.Engine == PostgreSQL {
		return d.pool.QueryRowContext(ctx, text, args...)
	}
	s, err := d.stmts.get(ctx, d.pool, text)
	if err != nil {
		return d.pool.QueryRowContext(ctx, text, args...) // reports the same fault in its Scan
	}
	return s.QueryRowContext(ctx, args...)
}

// Backup writes a consistent copy of a SQLite database to path while the
// server goes on working. PostgreSQL has its own tools (docs/operate.md).
func (d *DB) Backup(ctx context.Context, path string) error {
	if d.Engine != SQLite {
		return errors.New("db: back up PostgreSQL with pg_dump or its own base backup")
	}
	_, err := d.pool.ExecContext(ctx, `VACUUM INTO $1`, path)
	return err
}

// preparer is a *sql.DB or a *sql.Conn.
type preparer interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// statements keeps prepared statements by their text. Texts are ours and few;
// the bound only guards against a generator of texts ($filter).
type statements struct {
	mu   sync.RWMutex
	kept map[string]*sql.Stmt
}

const maxStatements = 400

func (s *statements) get(ctx context.Context, p preparer, text string) (*sql.Stmt, error) {
	s.mu.RLock()
	st := s.kept[text]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.kept[text]; st != nil {
		return st, nil
	}
	st, err := p.PrepareContext(context.WithoutCancel(ctx), text)
	if err != nil {
		return nil, err
	}
	if s.kept == nil {
		s.kept = map[string]*sql.Stmt{}
	}
	if len(s.kept) >= maxStatements { // forget one; closing waits for its readers
		for k, old := range s.kept {
			delete(s.kept, k)
			go old.Close()
			break
		}
	}
	s.kept[text] = st
	return st, nil
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, st := range s.kept {
		st.Close()
		delete(s.kept, k)
	}
}
