package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Write runs f in a transaction and returns when what f did is durable, or
// was undone because f failed.
//
// f may run more than once (a neighbour failed; PostgreSQL saw a serialization
// failure), so it has no effects but through q. On SQLite f runs on the one writer together
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

// Read runs f on a snapshot that holds every write committed before the call.
// It is for the hot path: on SQLite the reads of concurrent requests share one
// connection and one snapshot, because a connection that starts a new snapshot
// after a commit throws its page cache away. f must be short.
func (d *DB) Read(ctx context.Context, f func(q Querier) error) error {
	if d.reader != nil {
		return d.reader.run(ctx, f)
	}
	return f(d)
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

// lane is one SQLite connection that works for many callers: it takes all
// functions that wait and runs them in one transaction. There are two: the
// only connection that changes the database, and one that reads.
type lane struct {
	conn    *sql.Conn
	writes  bool
	stmts   statements
	queue   chan *job
	done    chan struct{}
	changed bool // the job that runs may have changed something
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

func startLane(ctx context.Context, pool *sql.DB, writes bool) (*lane, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	l := &lane{conn: conn, writes: writes, queue: make(chan *job, 1024), done: make(chan struct{})}
	go l.loop()
	return l, nil
}

func (l *lane) stop() error {
	close(l.queue)
	<-l.done
	l.stmts.close()
	return l.conn.Close()
}

func (l *lane) run(ctx context.Context, f func(Querier) error) error {
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	select {
	case l.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-j.done // a job that was taken is always answered
	return j.err
}

func (l *lane) loop() {
	defer close(l.done)
	batch := make([]*job, 0, maxBatch)
	for first := range l.queue {
		batch = append(batch[:0], first)
		// While the last batch was worked on, others queued up: take them
		// along. No timer: an idle server starts at once.
		for len(batch) < maxBatch {
			select {
			case j, ok := <-l.queue:
				if ok {
					batch = append(batch, j)
					continue
				}
			default:
			}
			break
		}
		if l.writes {
			l.commit(batch)
		} else {
			l.look(batch)
		}
		for _, j := range batch {
			close(j.done)
		}
	}
}

// look runs reading jobs on one snapshot. A single one needs no transaction:
// each of its statements sees what was committed when it began.
func (l *lane) look(batch []*job) {
	if len(batch) > 1 {
		if err := l.exec(`BEGIN`); err != nil {
			answerAll(batch, err)
			return
		}
		defer l.exec(`COMMIT`)
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err == nil {
			j.err = guard(j.f, l)
		}
	}
}

// commit runs changing jobs in one transaction. Jobs hardly ever fail after
// they changed something, so they run bare first: a savepoint costs a copy of
// every page that is changed. If one fails all the same, everything is undone
// and runs again, with a savepoint each, so that the one undoes only itself.
func (l *lane) commit(batch []*job) {
	if err := l.exec(`BEGIN IMMEDIATE`); err != nil {
		answerAll(batch, err)
		return
	}
	for _, j := range batch {
		l.changed = false
		if j.err = j.ctx.Err(); j.err == nil {
			j.err = guard(j.f, l)
		}
		if j.err == nil || !l.changed {
			continue
		}
		if err := l.exec(`ROLLBACK`); err != nil {
			answerAll(batch, err)
			return
		}
		if len(batch) > 1 {
			l.commitEach(batch)
		}
		return
	}
	if err := l.exec(`COMMIT`); err != nil {
		answerAll(batch, errors.Join(err, l.exec(`ROLLBACK`)))
	}
}

// commitEach runs jobs in one transaction with a savepoint each.
func (l *lane) commitEach(batch []*job) {
	if err := l.exec(`BEGIN IMMEDIATE`); err != nil {
		answerAll(batch, err)
		return
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		if j.err = l.exec(`SAVEPOINT job`); j.err != nil {
			continue
		}
		if j.err = guard(j.f, l); j.err != nil {
			if err := l.exec(`ROLLBACK TO job`); err != nil {
				answerAll(batch, errors.Join(err, l.exec(`ROLLBACK`)))
				return
			}
		}
		if err := l.exec(`RELEASE job`); err != nil {
			answerAll(batch, errors.Join(err, l.exec(`ROLLBACK`)))
			return
		}
	}
	if err := l.exec(`COMMIT`); err != nil {
		answerAll(batch, errors.Join(err, l.exec(`ROLLBACK`)))
	}
}

// answerAll gives err to every job that has not failed by itself.
func answerAll(batch []*job, err error) {
	for _, j := range batch {
		if j.err == nil {
			j.err = err
		}
	}
}

// guard turns a panic of one job into its error: the lane serves everybody.
func guard(f func(Querier) error, q Querier) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("db: panic in a transaction: %v", p)
		}
	}()
	return f(q)
}

func (l *lane) exec(text string) error {
	_, err := l.ExecContext(context.Background(), text)
	return err
}

// A lane never hands a request's context to SQLite: interrupting a statement
// inside a transaction would undo the work of the others too.

func (l *lane) ExecContext(_ context.Context, text string, args ...any) (sql.Result, error) {
	l.changed = true
	ctx := context.Background()
	s, err := l.stmts.get(ctx, l.conn, text)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (l *lane) QueryContext(_ context.Context, text string, args ...any) (*sql.Rows, error) {
	l.changed = l.changed || !onlyReads(text)
	ctx := context.Background()
	s, err := l.stmts.get(ctx, l.conn, text)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (l *lane) QueryRowContext(_ context.Context, text string, args ...any) *sql.Row {
	l.changed = l.changed || !onlyReads(text)
	ctx := context.Background()
	s, err := l.stmts.get(ctx, l.conn, text)
	if err != nil {
		return l.conn.QueryRowContext(ctx, text, args...)
	}
	return s.QueryRowContext(ctx, args...)
}

// onlyReads reports whether a query is no INSERT, UPDATE or DELETE … RETURNING.
// Where it is not sure it says no.
func onlyReads(text string) bool { return strings.HasPrefix(strings.TrimSpace(text), "SELECT") }
