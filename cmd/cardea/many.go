package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"cardea/internal/bulk"
)

// bulkVerb marks commands that --timeout does not end: it holds for each
// request, not for the whole.
const bulkVerb = "bulk"

// manyFlags are the flags of every command that works through a file.
type manyFlags struct {
	csv, journal, result string
	resume, skipInvalid  bool
	workers, maxErrors   int
}

func (o *manyFlags) flags(c *cobra.Command) {
	c.Annotations = map[string]string{bulkVerb: "yes"}
	f := c.Flags()
	f.StringVar(&o.csv, "csv", "", "the file with one row a person; its first line names the columns")
	f.BoolVar(&o.resume, "resume", false, "go on where an earlier run of the same file stopped; what is done stays done, what failed is tried again")
	f.BoolVar(&o.skipInvalid, "skip-invalid", false, "do the good rows although others are wrong")
	f.StringVar(&o.journal, "journal", "", "the memory of the run (FILE.journal beside the file, unless given)")
	f.StringVar(&o.result, "result", "", "where the result of each row goes (FILE.result.csv beside the file, unless given)")
	f.IntVar(&o.workers, "workers", 8, "how many requests at a time")
	f.IntVar(&o.maxErrors, "max-errors", 100, "stop after so many failures in a row; 0 never stops")
}

func (o *manyFlags) check(input string) error {
	if o.workers < 1 || o.workers > 64 {
		return usage{errors.New("--workers is between 1 and 64")}
	}
	if o.maxErrors < 0 {
		return usage{errors.New("--max-errors is 0 or more")}
	}
	base := strings.TrimSuffix(input, filepath.Ext(input))
	if o.journal == "" {
		o.journal = base + ".journal"
	}
	if o.result == "" {
		o.result = base + ".result.csv"
	}
	if o.result == input || o.journal == input || o.result == o.journal {
		return usage{errors.New("--journal, --result and the input are three files")}
	}
	return nil
}

// many is a command at work on many rows. Its context is not the one that
// Ctrl-C ends: what is in flight is finished.
type many struct {
	*call
	*manyFlags
	kind    string // names the journal's purpose
	input   string
	stop    context.Context // over when the run shall take no more rows
	halt    context.CancelCauseFunc
	gate    *bulk.Gate
	journal *bulk.Journal
	rows    []planned
	bad     map[int]string // with --skip-invalid: what is wrong with a line

	mu                            sync.Mutex
	done, failed, skipped, inARow int
	before                        int // done by earlier runs
	groups                        map[string]string
}

// startMany prepares a run over input. It must be ended with finish.
func (x *call) startMany(o *manyFlags, kind, input string) (*many, error) {
	if err := o.check(input); err != nil {
		return nil, err
	}
	m := &many{call: x, manyFlags: o, kind: kind, input: input, bad: map[int]string{}, groups: map[string]string{}}
	interrupted := x.ctx
	m.call.ctx = context.WithoutCancel(x.ctx)
	if _, err := x.connect(); err != nil {
		return nil, err
	}
	m.stop, m.halt = context.WithCancelCause(interrupted)
	m.gate = bulk.NewGate(o.workers, time.Now)
	return m, nil
}

// watch tells the person that an interrupt was heard, and lets the next one
// end the program at once: the journal bears that.
func (m *many) watch() (end func()) {
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-m.stop.Done():
			if context.Cause(m.stop) == context.Canceled {
				m.say("\nStopping; what is in flight is finished. Ctrl-C again stops at once.")
				signal.Reset(os.Interrupt, syscall.SIGTERM)
			}
		}
	}()
	return func() { close(ended) }
}

// openJournal begins the run on disk, or goes on with it.
func (m *many) openJournal() (err error) {
	m.journal, err = bulk.OpenJournal(m.manyFlags.journal, bulk.Run{Kind: m.kind, Server: m.client.server, Source: filepath.Base(m.input), Begun: time.Now().UTC()}, m.resume)
	switch {
	case errors.Is(err, bulk.ErrThere):
		return usage{fmt.Errorf("%w. Add --resume to go on with it: what is done stays done. For a new run from the beginning move that file away", err)}
	case errors.Is(err, bulk.ErrForeign):
		return usage{fmt.Errorf("%w. Name another file with --journal", err)}
	}
	return err
}

// awayError ends a run: going on would only make every row fail.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

const (
	triesThrottled = 60 // 429 and 503 with a time to wait
	triesAway      = 9  // no answer, or one of a server in trouble: two minutes
	triesFault     = 3  // 500: maybe this row alone
)

// ask makes a request, waits as long as the server wishes and repeats it. It
// may be called by all workers. After awayError the run is over.
func (m *many) ask(method, path string, body any) (map[string]any, error) {
	o, _, err := m.askOften(method, path, body)
	return o, err
}

// askOften is ask that tells how often it asked: what was asked more than once
// may have been done by the first.
func (m *many) askOften(method, path string, body any) (o map[string]any, times int, err error) {
	for try := 1; ; try++ {
		if err := m.gate.Enter(m.stop); err != nil {
			return nil, try, err
		}
		one := *m.call
		ctx, cancel := context.WithTimeout(m.call.ctx, m.timeout)
		one.ctx = ctx
		o, err = one.send(method, path, body)
		cancel()
		pause, tries := patience(err, try)
		if try >= tries {
			pause = 0
		}
		m.gate.Leave(pause)
		if pause > 0 {
			continue
		}
		if api, ok := errors.AsType[*apiError](err); err != nil && (!ok || api.Status == http.StatusUnauthorized || api.Status == http.StatusServiceUnavailable || api.Status == http.StatusTooManyRequests) {
			return nil, try, awayError{err}
		}
		return o, try, err
	}
}

// patience is how long to wait before the next try, and how many tries there
// are for this kind of error; no pause means that the answer is final.
func patience(err error, try int) (pause time.Duration, tries int) {
	if err == nil {
		return 0, 1
	}
	backoff := min(30*time.Second, 250*time.Millisecond<<min(try, 10))
	api, ok := errors.AsType[*apiError](err)
	_, refused := errors.AsType[*oauth2.RetrieveError](err)
	_, unsigned := errors.AsType[notSignedIn](err)
	_, network := errors.AsType[*url.Error](err)
	switch {
	case refused || unsigned:
		return 0, 1
	case !ok && (network || errors.Is(err, context.DeadlineExceeded)):
		return backoff, triesAway
	case !ok:
		return 0, 1
	case api.Status == http.StatusTooManyRequests, api.Status == http.StatusServiceUnavailable && api.RetryAfter > 0:
		return max(api.RetryAfter, backoff), triesThrottled
	case api.Status == http.StatusServiceUnavailable, api.Status == http.StatusBadGateway, api.Status == http.StatusGatewayTimeout:
		return backoff, triesAway
	case api.Status >= 500:
		return backoff, triesFault
	}
	return 0, 1
}
