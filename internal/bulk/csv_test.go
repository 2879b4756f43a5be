package bulk_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cardea/internal/bulk"
)

// readAll gives all records, their lines and the faults.
func readAll(t testing.TB, in io.Reader) (records [][]string, lines []int, faults []string) {
	t.Helper()
	r := bulk.NewReader(in)
	for {
		cells, line, err := r.Read()
		if err == io.EOF {
			return records, lines, faults
		}
		if f, ok := bulk.IsFault(err); ok {
			faults = append(faults, f.Error())
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		records, lines = append(records, cells), append(lines, line)
	}
}

// TestReader: what spreadsheets write is read, and what is wrong has its line.
func TestReader(t *testing.T) {
	for name, c := range map[string]struct{ in, want, faults string }{
		"comma":                {"user,label\na,b\n", `[user label] [a b]`, ""},
		"semicolon":            {"user;label\na;b,c\n", `[user label] [a b,c]`, ""},
		"tab":                  {"user\tlabel\na\tb\n", `[user label] [a b]`, ""},
		"sep=":                 {"sep=;\r\nuser;a,b,c\r\n", `[user a,b,c]`, ""},
		"BOM and CRLF":         {"\ufeffuser,label\r\na,b\r\n", `[user label] [a b]`, ""},
		"separator in quotes":  {"\"a;b;c\",x\n1,2\n", `[a;b;c x] [1 2]`, ""},
		"quotes":               {"a,b\n\"x \"\"y\"\"\",\"1\n2\"\n", "[a b] [x \"y\" 1\n2]", ""},
		"empty lines":          {"\n\r\na\n\nb", `[a] [b]`, ""},
		"no end of line":       {"a,b\n1,", `[a b] [1 ]`, ""},
		"quote in the middle":  {"a\nx\"y\nb\n", `[a] [b]`, "line 2: cell 1 has a quote"},
		"after the quote":      {"a\n\"x\"y\nb\n", `[a] [b]`, "line 2: cell 1 goes on after"},
		"quote never closes":   {"a\n\"x\nb\n", `[a]`, "line 2: a quote opens in cell 1 and never closes"},
		"UTF-16":               {"\xff\xfea\x00", ``, "line 1: the file is UTF-16"},
		"Latin-1":              {"a\nM\xfcller\nb\n", `[a] [b]`, "line 2: cell 1 is not UTF-8"},
		"too many cells":       {"a\n" + strings.Repeat(",", 200) + "\nb\n", `[a] [b]`, "line 2: the line has more than 200 cells"},
		"line without an end":  {"a\n" + strings.Repeat("x", 70<<10) + "\nb\n", `[a] [b]`, "line 2: the line is longer than 64 KiB"},
		"quoted without bound": {"a\n\"" + strings.Repeat("x\n", 40<<10) + "\"\n", "", "line 2: a quote opens in cell 1 and does not close"},
	} {
		t.Run(name, func(t *testing.T) {
			records, _, faults := readAll(t, strings.NewReader(c.in))
			if got := strings.Trim(fmt.Sprint(records), "[]"); c.want != "" && got != strings.Trim(c.want, "[]") {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if c.faults == "" && faults != nil || c.faults != "" && (faults == nil || !strings.HasPrefix(faults[0], c.faults)) {
				t.Errorf("faults %q, want %q", faults, c.faults)
			}
		})
	}
}

// TestTable: headings in any spelling; every fault of a file in one reading.
func TestTable(t *testing.T) {
	columns := []bulk.Column{{Name: "userPrincipalName", Also: []string{"user", "upn"}, Required: true}, {Name: "label", Also: []string{"display name"}}}
	table, err := bulk.NewTable(strings.NewReader("USER;Display_Name;Notes\n ada@x.test ; key ;n\n;two;\n;;\na;b;c;d\nb;;;\n"), columns)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(table.Unknown, []string{"Notes"}) || table.Has("serial") {
		t.Errorf("unknown columns: %q", table.Unknown)
	}
	var got []string
	for {
		row, err := table.Next()
		if err == io.EOF {
			break
		}
		got = append(got, fmt.Sprintf("%d %s/%s %v", row.Line, row.Get("userPrincipalName"), row.Get("label"), err))
	}
	want := []string{"2 ada@x.test/key <nil>", "3 /two line 3: userPrincipalName is empty", "5 a/b line 5: 4 cells, but only 3 columns have a heading", "6 b/ <nil>"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for in, want := range map[string]string{
		"":                  "the file is empty",
		"label\nx\n":        "the column userPrincipalName is missing",
		"ada@x.test,key\n":  "it seems to hold a person",
		"user,UPN\n":        "mean the same",
		"user,\"label\nx\n": "never closes",
	} {
		if _, err := bulk.NewTable(strings.NewReader(in), columns); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// endless is a file of so many rows that is never in memory.
type endless struct {
	rows, at int
	rest     []byte
}

func (e *endless) Read(p []byte) (int, error) {
	for ; len(e.rest) < len(p) && e.at <= e.rows; e.at++ {
		if e.at == 0 {
			e.rest = append(e.rest, "user,label\n"...)
		} else {
			e.rest = fmt.Appendf(e.rest, "person%08d@contoso.test,Security key\n", e.at)
		}
	}
	if len(e.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.rest)
	e.rest = append(e.rest[:0], e.rest[n:]...)
	return n, nil
}

// TestTableStreams reads 1,200,000 rows without keeping them.
func TestTableStreams(t *testing.T) {
	const rows = 1_200_000
	table, err := bulk.NewTable(&endless{rows: rows}, []bulk.Column{{Name: "user", Required: true}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		if _, err := table.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if n != rows || m.HeapAlloc > 64<<20 {
		t.Errorf("%d rows, %d MiB on the heap", n, m.HeapAlloc>>20)
	}
	runtime.KeepAlive(table)
}

// FuzzReader: within the bounds, and in UTF-8, it reads what encoding/csv reads
// and refuses what that refuses; lines only rise; nothing panics.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a;b\r\n\"x\"\"y\";2\r\n", "\ufeffa\tb\n\"1\n2\"\t3", "a\n\"x", "a\"b\n", "\"a\"b\n", "sep=;\na;b", "\xff\xfe", "a\r\rb\n", "\n\n,\n", "\"\r\n\"", "\"a\r\"\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		records, lines, faults := readAll(t, strings.NewReader(in))
		for i := 1; i < len(lines); i++ {
			if lines[i] <= lines[i-1] {
				t.Fatalf("line %d after %d", lines[i], lines[i-1])
			}
		}
		if strings.HasPrefix(strings.TrimPrefix(in, "\ufeff"), "sep=") || strings.ToValidUTF8(in, "") != in || len(in) > 10_000 {
			return
		}
		var other [][]string
		var refused error
		for _, comma := range ",;\t" { // one of them is the one that was found
			r := csv.NewReader(strings.NewReader(strings.TrimPrefix(in, "\ufeff")))
			r.Comma, r.FieldsPerRecord = comma, -1
			other, refused = r.ReadAll()
			if (refused != nil) == (faults != nil) && (faults != nil || fmt.Sprintf("%q", other) == fmt.Sprintf("%q", records)) {
				return
			}
		}
		for _, r := range records {
			if len(r) > 150 {
				return
			}
		}
		if faults != nil && strings.Contains(faults[0], "cells") {
			return
		}
		t.Fatalf("%q: %q %q; encoding/csv: %q %v", in, records, faults, other, refused)
	})
}
