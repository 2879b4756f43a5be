package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"cardea/internal/bulk"
)

var (
	errChanged = errors.New("the input was changed while it was read; nothing more was done")
	errTooMany = errors.New("too many failures in a row")
)

// each reads the input again and calls work for chunks of the good rows that
// want says yes to, with as many workers as there are. It returns when all are
// done or what is in flight is finished.
func (m *many) each(open func() (rowReader, error), chunk int, want func(manyRow) bool, work func([]manyRow)) error {
	defer m.watch()()
	feed := make(chan []manyRow)
	var all sync.WaitGroup
	for range m.workers {
		all.Go(func() {
			for rows := range feed {
				work(rows)
			}
		})
	}
	err := m.feed(open, chunk, want, feed)
	close(feed)
	all.Wait()
	return err
}

func (m *many) feed(open func() (rowReader, error), chunk int, want func(manyRow) bool, feed chan<- []manyRow) error {
	var waiting []manyRow
	send := func() error {
		if len(waiting) == 0 {
			return nil
		}
		if m.stop.Err() != nil { // before the select, which picks by chance
			return context.Cause(m.stop)
		}
		select {
		case feed <- waiting:
			waiting = nil
			return nil
		case <-m.stop.Done():
			return context.Cause(m.stop)
		}
	}
	err := m.again(open, func(row manyRow, invalid string) error {
		if invalid != "" || !want(row) {
			return nil
		}
		if waiting = append(waiting, row); len(waiting) < chunk {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	return send()
}

// again reads the input another time and gives each row its person and key.
// invalid says what is wrong with a row, if anything.
func (m *many) again(open func() (rowReader, error), each func(row manyRow, invalid string) error) error {
	in, err := open()
	if err != nil {
		return err
	}
	defer in.Close()
	at := 0
	for {
		row, err := in.Next()
		if err == io.EOF {
			if at != len(m.rows) {
				return errChanged
			}
			return nil
		}
		if f, ok := bulk.IsFault(err); ok {
			row.Line = f.Line
		} else if err != nil {
			return err
		}
		if said, bad := m.bad[row.Line]; bad {
			if err := each(row, said); err != nil {
				return err
			}
			continue
		}
		if at == len(m.rows) || m.rows[at].line != int32(row.Line) || m.rows[at].sum != row.sum() {
			return errChanged
		}
		row.UserID, row.Key = strings.Trim(string(m.rows[at].user[:]), "\x00"), m.rows[at].key
		row.Index = at
		at++
		if err := each(row, ""); err != nil {
			return err
		}
	}
}

// entry is the end of a row in the journal, before it is written.
func entry(row manyRow, step bulk.Step) bulk.Entry {
	return bulk.Entry{Line: row.Line, Step: step, At: time.Now().UTC()}
}

// refused is the entry of a row that the server or a source refused. It is no
// entry at all if the run has to end: then the row stays as it was.
func refused(row manyRow, err error) bulk.Entry {
	e := entry(row, bulk.Failed)
	e.Code, e.Message = "localFailure", err.Error()
	if api, ok := errors.AsType[*apiError](err); ok {
		e.Message = api.Message
		if e.Code = api.Reason; e.Code == "" {
			e.Code = api.Code
		}
		for _, d := range api.Details { // "verificationFailed" says less than "originMismatch"
			if d.Code != "" && d.Code != e.Code {
				e.Message += " [" + d.Code + "]"
			}
		}
	}
	return e
}

// ended takes the end of a row: into the journal, the count, and the person's
// eyes. After an error that no other row would survive it halts the run.
func (m *many) ended(row manyRow, e bulk.Entry, err error) {
	if _, away := errors.AsType[awayError](err); away || errors.Is(err, context.Canceled) {
		if away {
			m.halt(err)
		}
		return
	}
	if err != nil {
		ref := e.Ref // another try may use what was made for this one
		e = refused(row, err)
		e.Ref = ref
	}
	if m.journal != nil {
		if err := m.journal.Write(row.Key, e); err != nil {
			m.halt(fmt.Errorf("the journal cannot be written: %w", err))
			return
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Step {
	case bulk.Done:
		m.done, m.inARow = m.done+1, 0
	case bulk.Skipped:
		m.skipped++
	case bulk.Failed:
		m.failed, m.inARow = m.failed+1, m.inARow+1
		if m.failed <= 20 {
			fmt.Fprintf(m.err, "\r%s:%d: %s: %s (%s)\n", m.input, row.Line, plain(row.User), plain(e.Message), e.Code)
		} else if m.failed == 21 {
			m.say("More rows failed; the result file names them all.")
		}
		if m.maxErrors > 0 && m.inARow == m.maxErrors {
			m.halt(errTooMany)
		}
	}
}

// progress shows how far the run is, until the function it returns is called:
// one line that renews itself on a terminal, a line now and then elsewhere.
func (m *many) progress() (end func()) {
	if m.quiet {
		return func() {}
	}
	every, erase, after := 5*time.Second, "", "\n"
	if isTerminal(m.err) {
		every, erase, after = 200*time.Millisecond, "\r\x1b[K", ""
	}
	meter := bulk.Meter{Total: len(m.rows), Start: time.Now(), Before: m.before}
	show := func() {
		m.mu.Lock()
		line := meter.Line(time.Now(), m.before+m.done+m.failed+m.skipped, m.failed)
		m.mu.Unlock()
		if n := m.gate.Waits(); n > 0 {
			line += fmt.Sprintf("  the server asked %d times to wait", n)
		}
		fmt.Fprint(m.err, erase+line+after)
	}
	ended, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				show()
			case <-ended:
				fmt.Fprint(m.err, erase)
				return
			}
		}
	}()
	return func() { close(ended); <-over }
}

// conclude writes the result file, says how it went and how to go on, and
// gives the exit code.
func (m *many) conclude(open func() (rowReader, error), began time.Time, run error) error {
	tally, err := m.writeResult(open)
	if err = errors.Join(err, m.journal.Close()); err != nil {
		return err
	}
	open1 := tally.total - tally.ok - tally.failed - tally.skipped
	m.say("%s ok, %s failed, %s skipped, %s not begun in %s.   Result: %s", bulk.Thousands(tally.ok), bulk.Thousands(tally.failed), bulk.Thousands(tally.skipped),
		bulk.Thousands(open1), time.Since(began).Round(time.Second/10), m.result)
	if open1 > 0 || tally.failed > 0 {
		m.say("Continue: the same command with --resume (journal: %s)", m.manyFlags.journal)
	}
	switch {
	case errors.Is(run, context.Canceled):
		return exit(exitInterrupt)
	case errors.Is(run, errTooMany):
		m.say("Stopped after %d failures in a row. Look at the reasons first; --max-errors 0 goes on regardless.", m.maxErrors)
	case run != nil:
		return run
	}
	if tally.ok == tally.total {
		return nil
	}
	if tally.ok == 0 {
		return exit(exitFailed)
	}
	return exit(exitPartly)
}

type tally struct{ total, ok, failed, skipped int }

var resultHeadings = []string{"line", "user", "userId", "label", "serial", "status", "id", "aaguid", "attested", "code", "message", "attempts", "finished"}

// writeResult writes one row for each row of the input, in its order, from
// what the journal knows. It replaces an older result in one step.
func (m *many) writeResult(open func() (rowReader, error)) (t tally, err error) {
	f, err := os.CreateTemp(filepath.Dir(m.result), ".result-*") // 0600
	if err != nil {
		return t, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), m.result)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := csv.NewWriter(f)
	if err := w.Write(resultHeadings); err != nil {
		return t, err
	}
	err = m.again(open, func(row manyRow, invalid string) error {
		t.total++
		status, e, tries := "not_started", bulk.Entry{}, 0
		if invalid != "" {
			status, e.Code, e.Message, t.skipped = "skipped", "invalidRow", invalid, t.skipped+1
		} else {
			var ok bool
			var err error
			if e, tries, ok, err = m.journal.Last(row.Key); err != nil {
				return err
			}
			switch {
			case !ok:
			case e.Step == bulk.Done:
				status, t.ok = "ok", t.ok+1
			case e.Step == bulk.Failed:
				status, t.failed = "failed", t.failed+1
			case e.Step == bulk.Skipped:
				status, t.skipped = "skipped", t.skipped+1
			case e.Step == bulk.Begun:
				status = "unknown" // --resume finds out
			}
		}
		finished := ""
		if !e.At.IsZero() && status != "unknown" {
			finished = e.At.Format(time.RFC3339)
		}
		cells := []string{strconv.Itoa(row.Line), row.User, row.UserID, row.Label, row.Serial, status, e.ID, e.Facts["aaguid"], e.Facts["attested"], e.Code, e.Message, strconv.Itoa(tries), finished}
		for i := range cells {
			cells[i] = bulk.Cell(cells[i])
		}
		return w.Write(cells)
	})
	w.Flush()
	return t, errors.Join(err, w.Error())
}

// joinGroups makes the person of a row a member of the row's groups. Who is one
// already stays one.
func (m *many) joinGroups(row manyRow) error {
	for _, g := range row.Groups {
		id, err := m.groupID(g)
		if err != nil {
			return err
		}
		_, err = m.ask("POST", "/v1.0/groups/"+id+"/members/$ref", map[string]any{"@odata.id": m.client.server + "/v1.0/directoryObjects/" + row.UserID})
		if err != nil && !isMember(err) {
			return err
		}
	}
	return nil
}

func isMember(err error) bool {
	api, ok := errors.AsType[*apiError](err)
	return ok && api.Status == 400 && (api.Reason == "alreadyExists" || strings.Contains(api.Message, "already exist"))
}
