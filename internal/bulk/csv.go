package bulk

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of a file. A record may run over several lines between quotes.
const (
	MaxRecord  = 64 << 10 // bytes of one record
	MaxColumns = 200
)

// Fault is one mistake in a file. Line counts as an editor does, from 1.
type Fault struct {
	Line    int
	Message string
}

func (f *Fault) Error() string { return fmt.Sprintf("line %d: %s", f.Line, f.Message) }

// Reader reads CSV as spreadsheets write it: a byte order mark, CRLF, quotes,
// and a comma, semicolon or tab between the cells, whichever the first line
// uses most ("sep=;" in the first line says it outright). After a *Fault it
// goes on with the next line, so that one reading finds all of them.
type Reader struct {
	in    *bufio.Reader
	comma byte
	line  int // lines read so far
	begun bool
}

// NewReader reads from in.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, MaxRecord)} }

// Read returns the next record that is not empty, and the line it begins on.
// At the end the error is io.EOF.
func (r *Reader) Read() (cells []string, line int, err error) {
	for {
		if !r.begun {
			if err := r.begin(); err != nil {
				return nil, 0, err
			}
		}
		raw, err := r.next()
		if err != nil {
			return nil, r.line, err
		}
		if len(raw) == 0 {
			continue
		}
		line = r.line
		cells, err = r.record(raw)
		return cells, line, err
	}
}

// begin looks at the first bytes: encoding and separator.
func (r *Reader) begin() error {
	r.begun, r.comma = true, ','
	head, err := r.in.Peek(MaxRecord)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return err
	}
	if bytes.HasPrefix(head, []byte{0xFF, 0xFE}) || bytes.HasPrefix(head, []byte{0xFE, 0xFF}) {
		_, err := io.Copy(io.Discard, r.in) // nothing else in it can be read
		if err != nil {
			return err
		}
		return &Fault{1, "the file is UTF-16; save it as “CSV UTF-8”"}
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		head = head[3:]
		if _, err := r.in.Discard(3); err != nil {
			return err
		}
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	if sep, ok := bytes.CutPrefix(bytes.TrimSuffix(first, []byte("\r")), []byte("sep=")); ok && len(sep) == 1 && bytes.ContainsAny(sep, ",;\t|") {
		r.comma = sep[0]
		_, err := r.next()
		return err
	}
	for len(head) > 0 && len(bytes.TrimRight(first, "\r")) == 0 {
		_, head, _ = bytes.Cut(head, []byte("\n"))
		first, _, _ = bytes.Cut(head, []byte("\n"))
	}
	r.comma = separator(first)
	return nil
}

// separator is the candidate that stands most often outside quotes.
func separator(line []byte) byte {
	best, most, quoted := byte(','), 0, false
	var count [256]int
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			count[c]++
		}
	}
	for _, c := range []byte{',', ';', '\t'} {
		if count[c] > most {
			best, most = c, count[c]
		}
	}
	return best
}

// next is one line without its end. The bytes hold until the next call.
func (r *Reader) next() ([]byte, error) {
	raw, err := r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		r.line++
		at := r.line
		for err == bufio.ErrBufferFull {
			_, err = r.in.ReadSlice('\n')
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		return nil, &Fault{at, fmt.Sprintf("the line is longer than %d KiB; is this a CSV file, and do its lines end with a line feed?", MaxRecord>>10)}
	}
	if err != nil && (err != io.EOF || len(raw) == 0) {
		return nil, err
	}
	r.line++
	raw = bytes.TrimSuffix(raw, []byte("\n"))
	return bytes.TrimSuffix(raw, []byte("\r")), nil
}

// record takes the cells of a line apart. A quoted cell may go on in the lines
// below.
func (r *Reader) record(raw []byte) ([]string, error) {
	at := r.line
	fault := func(format string, args ...any) error { return &Fault{at, fmt.Sprintf(format, args...)} }
	var cells []string
	for size := len(raw); ; {
		if len(cells) == MaxColumns {
			return nil, fault("the line has more than %d cells", MaxColumns)
		}
		if len(raw) == 0 || raw[0] != '"' {
			end := bytes.IndexByte(raw, r.comma)
			cell := raw
			if end >= 0 {
				cell = raw[:end]
			}
			if bytes.IndexByte(cell, '"') >= 0 {
				return nil, fault("cell %d has a quote in the middle; put the whole cell in quotes and double the quote inside", len(cells)+1)
			}
			if !utf8.Valid(cell) {
				return nil, fault("cell %d is not UTF-8; save the file as “CSV UTF-8”", len(cells)+1)
			}
			cells = append(cells, string(cell))
			if end < 0 {
				return cells, nil
			}
			raw = raw[end+1:]
			continue
		}
		var cell strings.Builder
		raw = raw[1:]
		for closed := false; !closed; {
			end := bytes.IndexByte(raw, '"')
			switch {
			case end >= 0 && end+1 < len(raw) && raw[end+1] == '"':
				cell.Write(raw[:end+1])
				raw = raw[end+2:]
			case end >= 0:
				cell.Write(raw[:end])
				raw, closed = raw[end+1:], true
			default:
				cell.Write(raw)
				cell.WriteByte('\n')
				more, err := r.next()
				if err == io.EOF {
					return nil, fault("a quote opens in cell %d and never closes", len(cells)+1)
				}
				if err != nil {
					return nil, err
				}
				if size += len(more) + 1; size > MaxRecord {
					return nil, fault("a quote opens in cell %d and does not close within %d KiB", len(cells)+1, MaxRecord>>10)
				}
				raw = more
			}
		}
		if !utf8.ValidString(cell.String()) {
			return nil, fault("cell %d is not UTF-8; save the file as “CSV UTF-8”", len(cells)+1)
		}
		cells = append(cells, cell.String())
		if len(raw) == 0 {
			return cells, nil
		}
		if raw[0] != r.comma {
			return nil, fault("cell %d goes on after its closing quote", len(cells))
		}
		raw = raw[1:]
	}
}
