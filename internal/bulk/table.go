package bulk

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Column is a column that a command knows. Headings are compared without case,
// blanks, dots, hyphens and underscores.
type Column struct {
	Name     string
	Also     []string // other headings for it
	Required bool     // the file must have it and every row must fill it
}

// Table is a CSV file with headings.
type Table struct {
	Unknown []string // headings that no Column fits, as they are written

	r      *Reader
	at     map[string]int // cell of a Column by name
	width  int
	needed []string
}

// Row is one row of a table.
type Row struct {
	Line  int
	cells []string
	t     *Table
}

// Get is a cell without blanks around it; "" if the file has no such column.
func (r Row) Get(name string) string {
	if i, ok := r.t.at[name]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// All are the cells as they are written, those without a heading too.
func (r Row) All() []string { return slices.Clone(r.cells) }

// NewTable reads the headings. A *Fault says what they lack.
func NewTable(in io.Reader, columns []Column) (*Table, error) {
	t := &Table{r: NewReader(in), at: map[string]int{}}
	heads, line, err := t.r.Read()
	if err == io.EOF {
		return nil, &Fault{1, "the file is empty; its first line names the columns: " + names(columns)}
	}
	if err != nil {
		return nil, err
	}
	t.width = len(heads)
	for i, h := range heads {
		c := slices.IndexFunc(columns, func(c Column) bool {
			return fold(h) == fold(c.Name) || slices.ContainsFunc(c.Also, func(a string) bool { return fold(h) == fold(a) })
		})
		switch {
		case c < 0 && strings.TrimSpace(h) != "":
			t.Unknown = append(t.Unknown, strings.TrimSpace(h))
		case c < 0:
		default:
			if _, twice := t.at[columns[c].Name]; twice {
				return nil, &Fault{line, fmt.Sprintf("the columns %q and %q mean the same; keep one", heads[t.at[columns[c].Name]], h)}
			}
			t.at[columns[c].Name] = i
		}
	}
	for _, c := range columns {
		if !c.Required {
			continue
		}
		t.needed = append(t.needed, c.Name)
		if !t.Has(c.Name) {
			said := "the column " + c.Name + " is missing; the first line names the columns: " + names(columns)
			if slices.ContainsFunc(heads, func(h string) bool { return strings.Contains(h, "@") }) {
				said = "the first line must name the columns (" + names(columns) + "); it seems to hold a person"
			}
			return nil, &Fault{line, said}
		}
	}
	return t, nil
}

// Has reports whether the file has a column.
func (t *Table) Has(name string) bool { _, ok := t.at[name]; return ok }

// Next is the next row that has anything in it. After a *Fault it can be called
// again; at the end the error is io.EOF. A row whose only fault is an empty
// required cell is returned beside the fault.
func (t *Table) Next() (Row, error) {
	for {
		cells, line, err := t.r.Read()
		if err != nil {
			return Row{Line: line, t: t}, err
		}
		row := Row{line, cells, t}
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue
		}
		if len(cells) > t.width && slices.ContainsFunc(cells[t.width:], func(c string) bool { return c != "" }) {
			return row, &Fault{line, fmt.Sprintf("%d cells, but only %d columns have a heading", len(cells), t.width)}
		}
		for _, name := range t.needed {
			if row.Get(name) == "" {
				return row, &Fault{line, name + " is empty"}
			}
		}
		return row, nil
	}
}

// IsFault reports whether err is a mistake in the file, after which reading
// goes on.
func IsFault(err error) (*Fault, bool) { return errors.AsType[*Fault](err) }

func fold(s string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "", ".", "", "\u00a0", "").Replace(strings.ToLower(s))
}

func names(columns []Column) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return strings.Join(out, ", ")
}
