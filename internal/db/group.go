package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Write runs f in a transaction and returns when what f did is durable, or
// was undone because f failed.
//
// f may run more than once (PostgreSQL retries serialization failures), so it
// has no effects but through q. On SQLite f runs on the one writer together
// with the functions of other requests: it must be short, and it must not
// call Write, wait for the network, or read through the *DB.
func (d *DB) Write(ctx context.Context, f func(q Querier) error) error {
	if d.writer != nil {
		return d.writer.run(ctx, f)
	}
	var err error
	for try := range 6 {
		if err = d.transaction(ctx, f); !retryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(1+rand.IntN(10<<try)) * time.Millisecond):
		}
	}
	return err
}

func (d *DB) transaction(ctx context.Context, f func(Querier) error) error {
	tx, err := d.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// retryable reports whether the transaction was undone for a reason that the
// next try may not meet: a serialization failure, a deadlock, or a primary
// that stepped down before it committed anything.
func retryable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "40001", "40P01", // serialization_failure, deadlock_detected
		"25006", "57P01", "57P02", "57P03": // read only, shutting down, starting
		return true
	}
	return false
}

// writer is the one connection that changes a SQLite database.
type writer struct {
	conn  *sql.Conn
	stmts statements
	queue chan *job
	done  chan struct{}
}

type job struct {
	ctx  context.Context
	f    func(Querier) error
	err  error
	done chan struct{}
}

// maxBatch bounds how many functions share a transaction, and with it how long
// the first of them waits.
const maxBatch = 128

func startWriter(ctx context.Context, pool *sql.DB) (*writer, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: conn, queue: make(chan *job, 1024), done: make(chan struct{})}
	go w.loop()
	return w, nil
}

func (w *writer) stop() error {
	close(w.queue)
	<-w.done
	w.stmts.close()
	return w.conn.Close()
}

func (w *writer) run(ctx context.Context, f func(Querier) error) error {
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case w.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-j.done // a job that was taken is always answered
	return j.err
}

func (w *writer) loop() {
	defer close(w.done)
	batch := make([]*job, 0, maxBatch)
	for first := range w.queue {
		batch = append(batch[:0], first)
		// While the last commit waited for the disk, others queued up: take
		// them along. No timer: an idle server commits at once.
		for len(batch) < maxBatch {
			select {
			case j, ok := <-w.queue:
				if ok {
					batch = append(batch, j)
					continue
				}
			default:
			}
			break
		}
		w.commit(batch)
		for _, j := range batch {
			close(j.done)
		}
	}
}

// commit runs the jobs in one transaction, a savepoint each, so that a job
// that fails undoes only itself.
func (w *writer) commit(batch []*job) {
	ctx := context.Background()
	exec := func(text string) error { _, err := w.ExecContext(ctx, text); return err }
	fail := func(err error) {
		for _, j := range batch {
			if j.err == nil {
				j.err = err
			}
		}
	}
	if err := exec(`BEGIN IMMEDIATE`); err != nil {
		fail(err)
		return
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if j.err = exec(`SAVEPOINT job`); j.err != nil {
			continue
		}
		if j.err = guard(j.f, w); j.err != nil {
			if err := exec(`ROLLBACK TO job`); err != nil {
				fail(errors.Join(err, exec(`ROLLBACK`)))
				return
			}
		}
		if err := exec(`RELEASE job`); err != nil {
			fail(errors.Join(err, exec(`ROLLBACK`)))
			return
		}
	}
	if err := exec(`COMMIT`); err != nil {
		fail(errors.Join(err, exec(`ROLLBACK`)))
	}
}

// guard turns a panic of one job into its error: the writer serves everybody.
func guard(f func(Querier) error, q Querier) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("db: panic in a write: %v", p)
		}
	}()
	return f(q)
}

// The writer never hands a request's context to SQLite: interrupting a
// statement inside a transaction would undo the work of the others too.

func (w *writer) ExecContext(_ context.Context, text string, args ...any) (sql.Result, error) {
	ctx := context.Background()
	s, err := w.stmts.get(ctx, w.conn, text)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (w *writer) QueryContext(_ context.Context, text string, args ...any) (*sql.Rows, error) {
	ctx := context.Background()
	s, err := w.stmts.get(ctx, w.conn, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (w *writer) QueryRowContext(_ context.Context, text string, args ...any) *sql.Row {
	ctx := context.Background()
	s, err := w.stmts.get(ctx, w.conn, text)
	if err != nil {
		return w.conn.QueryRowContext(ctx, text, args...)
	}
	return s.QueryRowContext(ctx, args...)
}
