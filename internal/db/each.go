package db

import (
	"context"
	"fmt"
)

// WriteEach is Write for several functions at once, in their order and in one
// transaction: one commit for all of them. Each has a savepoint, so one that
// fails undoes only itself. It returns the error of each.
func (d *DB) WriteEach(ctx context.Context, all []func(q Querier) error) []error {
	errs := make([]error, len(all))
	err := d.Write(ctx, func(q Querier) error {
		for i, f := range all {
			var err error
			if errs[i], err = apart(ctx, q, f); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range errs {
		if err != nil { // whatever they did is undone
			errs[i] = err
		}
	}
	return errs
}

// apart runs f in a savepoint and undoes it if it fails. failed is of f, err of
// the transaction: nothing more can be done in it.
func apart(ctx context.Context, q Querier, f func(Querier) error) (failed, err error) {
	exec := func(text string) error {
		if err == nil {
			_, err = q.ExecContext(ctx, text)
		}
		return err
	}
	if exec(`SAVEPOINT apart`) != nil {
		return nil, err
	}
	if failed = guard(f, q); failed != nil {
		if retryable(failed) { // of the whole transaction
			return nil, failed
		}
		exec(`ROLLBACK TO apart`)
	}
	if exec(`RELEASE apart`); err != nil {
		err = fmt.Errorf("db: savepoint: %w", err)
	}
	return failed, err
}
