package mds

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	defaultInterval = 24 * time.Hour
	firstRetry      = time.Minute
	lastRetry       = 6 * time.Hour
	idleWait        = time.Minute
)

// State is what the caller has stored about metadata, read before every fetch.
type State struct {
	Ready     bool      // fetching is on (WA-65) and this node holds the lease (WA-60)
	ETag      string    // "" if the stored copy cannot be read: then it is fetched anew
	Number    int64     // 0: none
	CheckedAt time.Time // last successful check; zero: never
}

// Run keeps metadata fresh until ctx ends, and returns ctx's error. It asks load
// what is stored, fetches if that is older than Interval, and hands the outcome
// to store: a Result, or an error to be shown (WA-63) that replaces nothing.
// Failures, of load and store too, are retried after growing waits: one minute,
// two, four, up to six hours. All waits vary by a tenth, so that many
// installations do not call at once.
//
// Run works in the caller's goroutine. Nothing may wait for it at start (WA-58).
func (f *Fetcher) Run(ctx context.Context, load func(context.Context) (State, error), store func(context.Context, Result, error) error) error {
	failures := 0
	for {
		wait, ok := f.step(ctx, load, store)
		if ok {
			failures = 0
		} else {
			failures++
			wait = retryWait(failures)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.after(f.jitter(wait)):
		}
	}
}

// step does what is due and says how long to wait for the next time.
func (f *Fetcher) step(ctx context.Context, load func(context.Context) (State, error), store func(context.Context, Result, error) error) (wait time.Duration, ok bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	s, err := load(ctx)
	if err != nil {
		return 0, false
	}
	if !s.Ready {
		return idleWait, true
	}
	interval := f.Interval
	if interval <= 0 {
		interval = defaultInterval
	}
	// A check in the future means that the clock was set back: do not trust it.
	if age := f.Now().Sub(s.CheckedAt); !s.CheckedAt.IsZero() && age >= 0 && age < interval {
		// Look again soon enough to notice an upload, a lost lease or the
		// switch being turned, which all move what load says.
		return min(interval-age, time.Hour), true
	}
	r, fetchErr := f.Fetch(ctx, s.ETag, s.Number)
	if fetchErr != nil && ctx.Err() != nil {
		return 0, false // shutting down is not an outage
	}
	if err := store(ctx, r, fetchErr); err != nil || fetchErr != nil {
		return 0, false
	}
	return min(interval, time.Hour), true
}

// retryWait doubles from one minute to six hours.
func retryWait(failures int) time.Duration {
	return min(firstRetry<<min(failures-1, 20), lastRetry)
}

func (f *Fetcher) after(d time.Duration) <-chan time.Time {
	if f.After != nil {
		return f.After(d)
	}
	return time.After(d)
}

// jitter lengthens a wait by up to a tenth.
func (f *Fetcher) jitter(d time.Duration) time.Duration {
	if f.Jitter != nil {
		return f.Jitter(d)
	}
	return d + rand.N(d/10+1)
}
