package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// ErrBusy says that another process has the file open.
var ErrBusy = errors.New("another run has this file open")

// Lines is a file to which lines are appended, readable by its owner only.
// Lines of concurrent callers reach the disk together: one sync serves them
// all. A line that was cut off when a process died is removed at the next
// opening. One process has it at a time.
type Lines struct {
	f *os.File

	mu     sync.Mutex
	wake   *sync.Cond // something to write, or Close
	done   *sync.Cond // something was written, or failed
	buf    []byte
	size   int64 // of the file with buf
	synced int64
	err    error // the first failure; nothing is taken after it
	closed bool
	ended  chan struct{}
}

// OpenLines opens or makes a file. The bool says whether it is new.
func OpenLines(path string) (*Lines, bool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := lock(f); err != nil {
		return nil, false, errors.Join(fmt.Errorf("%s: %w", path, ErrBusy), f.Close())
	}
	size, err := whole(f)
	if err == nil && size == 0 {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	l := &Lines{f: f, size: size, synced: size, ended: make(chan struct{})}
	l.wake, l.done = sync.NewCond(&l.mu), sync.NewCond(&l.mu)
	go l.write()
	return l, size == 0, nil
}

// whole cuts off what follows the last line feed and gives what is left.
func whole(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	end, buf := size, make([]byte, 4096)
	for end > 0 {
		n := min(end, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end = end - n + int64(i) + 1
			break
		}
		end -= n
	}
	if end == size {
		return end, nil
	}
	return end, f.Truncate(end)
}

// syncDir makes a new file survive a power loss. Systems that cannot sync a
// folder do without.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}

func (l *Lines) write() {
	defer close(l.ended)
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.buf) == 0 && !l.closed {
			l.wake.Wait()
		}
		if len(l.buf) == 0 {
			return
		}
		out, upto := l.buf, l.size
		l.buf = nil
		l.mu.Unlock()
		_, err := l.f.WriteAt(out, upto-int64(len(out)))
		if err == nil {
			err = l.f.Sync()
		}
		l.mu.Lock()
		if err != nil {
			l.err = err
			l.done.Broadcast()
			return
		}
		l.synced = upto
		l.done.Broadcast()
	}
}

// Add takes a line, without its line feed, and gives the place where it
// begins. It is on the disk soon; Sync waits for that.
func (l *Lines) Add(line []byte) (at int64, err error) {
	if bytes.IndexByte(line, '\n') >= 0 {
		return 0, errors.New("a line feed within a line")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	if l.closed {
		return 0, os.ErrClosed
	}
	at = l.size
	l.buf = append(append(l.buf, line...), '\n')
	l.size += int64(len(line)) + 1
	l.wake.Signal()
	return at, nil
}

// Sync returns when everything that was added so far is on the disk.
func (l *Lines) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for upto := l.size; l.synced < upto && l.err == nil; {
		l.done.Wait()
	}
	return l.err
}

// At reads the line that begins at a place.
func (l *Lines) At(at int64) ([]byte, error) {
	l.mu.Lock()
	behind := at >= l.synced
	l.mu.Unlock()
	if behind {
		if err := l.Sync(); err != nil {
			return nil, err
		}
	}
	r := bufio.NewReader(io.NewSectionReader(l.f, at, 1<<62))
	line, err := r.ReadBytes('\n')
	return bytes.TrimSuffix(line, []byte("\n")), err
}

// Each reads all lines that are there now, in order. The bytes hold until the
// next one.
func (l *Lines) Each(f func(at int64, line []byte) error) error {
	if err := l.Sync(); err != nil {
		return err
	}
	l.mu.Lock()
	size := l.synced
	l.mu.Unlock()
	s := bufio.NewScanner(io.NewSectionReader(l.f, 0, size))
	s.Buffer(nil, 4<<20)
	for at := int64(0); s.Scan(); at += int64(len(s.Bytes())) + 1 {
		if err := f(at, s.Bytes()); err != nil {
			return err
		}
	}
	return s.Err()
}

// Close writes what is left.
func (l *Lines) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.wake.Signal()
	l.mu.Unlock()
	<-l.ended
	return errors.Join(l.err, l.f.Close())
}
