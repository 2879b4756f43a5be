package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardea/internal/bulk"
)

var run = bulk.Run{Kind: "passkey provision", Server: "https://id.contoso.test", Source: "people.csv"}

func open(t *testing.T, path string, resume bool) *bulk.Journal {
	t.Helper()
	j, err := bulk.OpenJournal(path, run, resume)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// TestJournal: what is written is there after a crash, torn lines and all; only
// the same command at the same server goes on with it, one process at a time.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "people.journal")
	j := open(t, path, true) // --resume with nothing to resume begins
	if j.Resumed {
		t.Error("a new journal says it was resumed")
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			k := bulk.KeyOf(fmt.Sprint(i))
			if err := j.Write(k, bulk.Entry{Line: i, Step: bulk.Begun, Ref: fmt.Sprint("ref", i)}); err != nil {
				t.Error(err)
			}
			if i%2 == 0 {
				if err := j.Write(k, bulk.Entry{Line: i, Step: bulk.Done, ID: fmt.Sprint("id", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if _, err := bulk.OpenJournal(path, run, true); !errors.Is(err, bulk.ErrBusy) {
		t.Errorf("a second process: %v", err)
	}
	if e, tries, ok, err := j.Last(bulk.KeyOf("4")); err != nil || !ok || e.ID != "id4" || tries != 1 {
		t.Errorf("the last of 4 is %+v, %d, %v, %v", e, tries, ok, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the journal has %v (%v), want 0600", info.Mode(), err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `{"k":"00112233445566778899aabbccddeeff","s":"do`) // killed while writing
	f.Close()
	if _, err := bulk.OpenJournal(path, run, false); !errors.Is(err, bulk.ErrThere) {
		t.Errorf("without --resume: %v", err)
	}
	other := run
	other.Server = "https://id.fabrikam.test"
	if _, err := bulk.OpenJournal(path, other, true); !errors.Is(err, bulk.ErrForeign) {
		t.Errorf("another server: %v", err)
	}
	j = open(t, path, true)
	for i := range 50 {
		e, _, ok, err := j.Last(bulk.KeyOf(fmt.Sprint(i)))
		want := bulk.Begun
		if i%2 == 0 {
			want = bulk.Done
		}
		if err != nil || !ok || e.Step != want || e.Line != i || j.Step(bulk.KeyOf(fmt.Sprint(i))) != want {
			t.Fatalf("%d is %+v, %v, %v, want %s", i, e, ok, err, want)
		}
	}
	if s := j.Step(bulk.KeyOf("50")); s != "" {
		t.Errorf("a row that was never there is %q", s)
	}
	if err := j.Write(bulk.KeyOf("1"), bulk.Entry{Step: bulk.Failed, Code: "tooManyPasskeys"}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if raw, err := os.ReadFile(path); err != nil || strings.Contains(string(raw), "00112233") || !strings.HasSuffix(string(raw), "}\n") {
		t.Errorf("the torn line is still there, or the end is not whole: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"journal":"cardea/1","kind":"passkey provision","server":"https://id.contoso.test"}`+"\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bulk.OpenJournal(path, run, true); err == nil || !strings.Contains(err.Error(), "line 2 is damaged") {
		t.Errorf("a damaged line: %v", err)
	}
}

// FuzzJournal: whatever is in the file, it is refused or opened, and what is
// written afterwards is read back.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"journal":"cardea/1","kind":"passkey provision","server":"https://id.contoso.test"}` + "\n" + `{"k":"00112233445566778899aabbccddeeff","s":"done"}` + "\n{"))
	f.Add([]byte("x"))
	f.Add([]byte("{}\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := bulk.OpenJournal(path, run, true)
		if err != nil {
			return
		}
		defer j.Close()
		if err := j.Write(bulk.Key{1}, bulk.Entry{Step: bulk.Begun, Ref: "r"}); err != nil {
			t.Fatal(err)
		}
		j.Close()
		again := open(t, path, true)
		if e, _, ok, err := again.Last(bulk.Key{1}); err != nil || !ok || e.Ref != "r" {
			t.Fatalf("%+v %v %v", e, ok, err)
		}
	})
}

// TestGate: never more inside than allowed, everybody waits as long as the
// server asks, fewer go on, and all are back in the end.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := bulk.NewGate(8, time.Now)
		var mu sync.Mutex
		inside, most, entered, refused := 0, 0, 0, false
		begin := time.Now()
		var early int
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for {
					if err := g.Enter(t.Context()); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					entered++
					inside++
					most = max(most, inside)
					mine := entered
					if refused && time.Since(begin) < 30*time.Second {
						early++
					}
					mu.Unlock()
					time.Sleep(time.Millisecond)
					mu.Lock()
					inside--
					pause := time.Duration(0)
					if mine == 1 {
						pause, refused = 30*time.Second, true
					}
					over := mine >= 2000
					mu.Unlock()
					g.Leave(pause)
					if over {
						return
					}
				}
			})
		}
		all.Wait()
		if most != 8 || early > 0 || g.Waits() != 1 {
			t.Errorf("at most %d inside, %d too early, %d waits", most, early, g.Waits())
		}
		if spent := time.Since(begin); spent < 30*time.Second || spent > 31*time.Second {
			t.Errorf("it took %v", spent)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 8 {
			if err := g.Enter(ctx); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := g.Enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupted wait: %v", err)
		}
	})
}

// TestMeter says what people read.
func TestMeter(t *testing.T) {
	start := time.Unix(0, 0)
	for _, c := range []struct {
		m            bulk.Meter
		after        time.Duration
		done, failed int
		want         string
	}{
		{bulk.Meter{Total: 5000, Start: start}, 0, 0, 0, "0/5,000  0 %"},
		{bulk.Meter{Total: 5000, Start: start}, 4 * time.Second, 1250, 3, "1,250/5,000  25 %  312/s  about 12 s left  3 failed"},
		{bulk.Meter{Total: 100, Start: start, Before: 40}, 10 * time.Second, 50, 0, "50/100  50 %  1.0/s  about 50 s left"},
		{bulk.Meter{Total: 1000000, Start: start}, time.Minute, 6000, 0, "6,000/1,000,000  0 %  100/s  about 2.8 h left"},
		{bulk.Meter{Total: 10, Start: start}, time.Minute, 10, 0, "10/10  100 %  0.2/s"},
	} {
		if got := c.m.Line(start.Add(c.after), c.done, c.failed); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
