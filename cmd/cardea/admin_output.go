package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gopkg.in/yaml.v3"

	"cardea/internal/bulk"
)

// column is one column of a table: a heading, and the member that it shows,
// e.g. "status/errorCode".
type column struct{ heading, member string }

// print writes rows in the form that -o names.
func (x *call) print(rows []map[string]any, columns ...column) error {
	if x.columns != nil {
		columns = nil
		for _, c := range x.columns {
			columns = append(columns, column{strings.ToUpper(c), c})
		}
	}
	switch x.output {
	case "json":
		return writeJSON(x.out, rows, "  ")
	case "yaml":
		return writeYAML(x.out, rows)
	case "ndjson":
		for _, r := range rows {
			if err := writeJSON(x.out, r, ""); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		w := csv.NewWriter(x.out)
		if err := w.Write(headings(columns)); err != nil {
			return err
		}
		for _, r := range rows {
			if err := w.Write(cells(r, columns, bulk.Cell)); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	}
	if !isTerminal(x.out) { // a pipe: tabs, nothing cut (ux.md §5.1)
		return writeTable(x.out, rows, columns, plain)
	}
	if len(rows) == 0 {
		x.say("Nothing found.")
		return nil
	}
	t := tabwriter.NewWriter(x.out, 2, 4, 3, ' ', 0)
	if err := writeTable(t, rows, columns, local); err != nil {
		return err
	}
	return t.Flush()
}

// printOne writes a single object: as it is, or as a list of its members.
func (x *call) printOne(o map[string]any, columns ...column) error {
	switch x.output {
	case "json":
		return writeJSON(x.out, o, "  ")
	case "yaml":
		return writeYAML(x.out, o)
	}
	return x.print([]map[string]any{o}, columns...)
}

func writeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

// writeYAML writes what writeJSON would write, as YAML.
func writeYAML(w io.Writer, v any) error {
	var plainly any
	d := json.NewDecoder(bytes.NewReader(mustJSON(v)))
	d.UseNumber()
	if err := d.Decode(&plainly); err != nil {
		return err
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	return errors.Join(e.Encode(free(plainly)), e.Close())
}

func writeTable(w io.Writer, rows []map[string]any, columns []column, cell func(string) string) error {
	if _, err := fmt.Fprintln(w, strings.Join(headings(columns), "\t")); err != nil {
		return err
	}
	for _, r := range rows {
		if err := writeTableRow(w, r, columns, cell); err != nil {
			return err
		}
	}
	return nil
}

func writeTableRow(w io.Writer, row map[string]any, columns []column, cell func(string) string) error {
	_, err := fmt.Fprintln(w, strings.Join(cells(row, columns, cell), "\t"))
	return err
}

func headings(columns []column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.heading
	}
	return out
}

func cells(row map[string]any, columns []column, cell func(string) string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = cell(show(member(row, c.member)))
	}
	return out
}

// member follows a path such as status/errorCode.
func member(v any, path string) any {
	for name := range strings.SplitSeq(path, "/") {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = show(p)
		}
		return strings.Join(parts, ";")
	case map[string]any:
		return string(mustJSON(v))
	}
	return fmt.Sprint(v)
}

// plain keeps a row a row: what a name contains must not look like a tab or
// move the cursor.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// local shows times in the zone of the reader.
func local(s string) string {
	if t, err := time.Parse(time.RFC3339, s); err == nil && len(s) >= 20 {
		return t.Local().Format("2006-01-02 15:04:05")
	}
	return plain(s)
}
