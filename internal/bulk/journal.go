package bulk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Step is how far a row is.
type Step string

const (
	Begun   Step = "begun"   // the change may or may not have reached the server; Ref finds it there
	Done    Step = "done"    // nothing is left to do
	Failed  Step = "failed"  // refused; the next run tries again
	Skipped Step = "skipped" // left out, for the reason in Code
)

// Key names a row in a way that survives sorting the file.
type Key [16]byte

// KeyOf makes a key of what makes a row itself, e.g. a person's id and a
// serial number.
func KeyOf(parts ...string) Key {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return Key(h.Sum(nil)[:16])
}

// Run is the first line of a journal: what the run does, where, and with what.
type Run struct {
	Journal string    `json:"journal"` // "cardea/1"
	Kind    string    `json:"kind"`    // e.g. "passkey provision"
	Server  string    `json:"server"`
	Source  string    `json:"source"` // name of the input file
	Begun   time.Time `json:"begun"`
}

const format = "cardea/1"

// Entry is every other line. It holds no secret.
type Entry struct {
	Key     string            `json:"k"`
	Step    Step              `json:"s"`
	Line    int               `json:"line"`
	Ref     string            `json:"ref,omitempty"` // what the server will know it by, e.g. a credential id
	ID      string            `json:"id,omitempty"`  // what was made
	Facts   map[string]string `json:"facts,omitempty"`
	Code    string            `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
	At      time.Time         `json:"at"`
}

// Journal errors that a person can mend.
var (
	ErrThere   = errors.New("there is a journal of an earlier run")
	ErrForeign = errors.New("the journal is not of this command and server")
)

// Journal is the memory of a run. Its methods may be called concurrently.
type Journal struct {
	Resumed bool // it was there before

	lines *Lines
	mu    sync.Mutex
	last  map[Key]mark
}

type mark struct {
	at    int64
	step  Step
	tries uint16
}

// OpenJournal makes the journal of a run at path, or goes on with the one that
// is there if resume says so. Errors: ErrThere, ErrForeign, ErrBusy.
func OpenJournal(path string, run Run, resume bool) (*Journal, error) {
	lines, fresh, err := OpenLines(path)
	if err != nil {
		return nil, err
	}
	j := &Journal{Resumed: !fresh, lines: lines, last: map[Key]mark{}}
	switch {
	case fresh:
		run.Journal = format
		err = j.first(run)
	case !resume:
		err = ErrThere
	default:
		err = j.read(run)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), lines.Close())
	}
	return j, nil
}

func (j *Journal) first(run Run) error {
	raw, err := json.Marshal(run)
	if err == nil {
		_, err = j.lines.Add(raw)
	}
	if err != nil {
		return err
	}
	return j.lines.Sync()
}

func (j *Journal) read(want Run) error {
	n := 0
	return j.lines.Each(func(at int64, line []byte) error {
		if n++; n == 1 {
			var run Run
			if err := json.Unmarshal(line, &run); err != nil || run.Journal != format {
				return fmt.Errorf("%w: it is no journal at all", ErrForeign)
			}
			if run.Kind != want.Kind || run.Server != want.Server {
				return fmt.Errorf("%w: it is of “%s” at %s", ErrForeign, run.Kind, run.Server)
			}
			return nil
		}
		e, k, err := parseEntry(line)
		if err != nil {
			return fmt.Errorf("line %d is damaged: %w", n, err)
		}
		j.note(k, e.Step, at)
		return nil
	})
}

func parseEntry(line []byte) (e Entry, k Key, err error) {
	if err = json.NewDecoder(bytes.NewReader(line)).Decode(&e); err != nil {
		return e, k, err
	}
	raw, err := hex.DecodeString(e.Key)
	if err != nil || len(raw) != len(k) {
		return e, k, errors.New("a key is 32 hexadecimal digits")
	}
	switch e.Step {
	case Begun, Done, Failed, Skipped:
		return e, Key(raw), nil
	}
	return e, k, fmt.Errorf("there is no step %q", e.Step)
}

func (j *Journal) note(k Key, s Step, at int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.last[k]
	m.at, m.step = at, s
	if s == Done || s == Failed {
		m.tries++
	}
	j.last[k] = m
}

// Write adds an entry. What was Begun is on the disk when it returns; the
// other steps follow soon, for they can be found out again.
func (j *Journal) Write(k Key, e Entry) error {
	e.Key = hex.EncodeToString(k[:])
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	at, err := j.lines.Add(raw)
	if err != nil {
		return err
	}
	j.note(k, e.Step, at)
	if e.Step == Begun {
		return j.lines.Sync()
	}
	return nil
}

// Step is how far a row is; "" if it was never begun.
func (j *Journal) Step(k Key) Step {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last[k].step
}

// Last is the newest entry of a row, and how often it was done or refused.
func (j *Journal) Last(k Key) (e Entry, tries int, ok bool, err error) {
	j.mu.Lock()
	m, ok := j.last[k]
	j.mu.Unlock()
	if !ok {
		return e, 0, false, nil
	}
	line, err := j.lines.At(m.at)
	if err != nil {
		return e, 0, false, err
	}
	e, _, err = parseEntry(line)
	return e, int(m.tries), true, err
}

// Close writes what is left.
func (j *Journal) Close() error { return j.lines.Close() }
