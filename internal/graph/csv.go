package graph

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/bulk"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// $format=csv: a list as a table for spreadsheets (RFC 4180), the whole of it
// or the first $top rows, written as it is read. The first row has the names of
// the members: those of $select, or the default set.

var noCSV = problem.New(problem.Invalid, "unsupportedQuery", "There is no CSV of this. Leave $format out, or ask for a list, without $expand.").On("$format")

// wantsCSV reports whether the query asks for CSV.
func (c *Call) wantsCSV() bool {
	q, err := odata.Parse(map[string][]string{"$format": c.Query["$format"]}, nil, odata.Paging{})
	return len(c.Query["$format"]) > 0 && err == nil && q.Format == "csv"
}

func (cl Collection[T]) serveCSV(c *Call, q odata.Query) (Answer, error) {
	if q.Expand != nil {
		return Answer{}, noCSV
	}
	paging := cl.paging()
	_, bounded := c.Query["$top"]
	if !bounded {
		q.Top = paging.Max
	}
	names := cl.Shape.columns(q.Select, reflect.TypeFor[T]())
	return asCSV(c.path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write(names); err != nil {
			return err
		}
		for {
			items, err := cl.List(c, q)
			if err != nil {
				return err
			}
			token := ""
			for i, item := range items[:min(len(items), q.Top)] {
				full, err := toObject(item)
				if err != nil {
					return err
				}
				if i == q.Top-1 && len(items) > q.Top {
					key, _ := full.value("id").(string)
					token = q.Token(full.value, key)
				}
				if cl.View != nil {
					full = cl.View(c, item, full)
				}
				if err := cl.Shape.row(out, full, names); err != nil {
					return err
				}
			}
			if token == "" || bounded {
				out.Flush()
				return out.Error()
			}
			next := maps.Clone(c.Query)
			next.Set("$skiptoken", token)
			top := q.Top
			if q, err = odata.Parse(next, cl.Schema, paging); err != nil {
				return err
			}
			q.Top = top
		}
	}), nil
}

// asCSV is the answer with a table, named after the last word of the path.
func asCSV(path string, write func(io.Writer) error) Answer {
	name := word(parenthesised(path[strings.LastIndexByte(path, '/')+1:]))
	return Answer{Status: http.StatusOK, Type: "text/csv; charset=utf-8", Stream: write,
		Header: http.Header{"Content-Disposition": {`attachment; filename="` + printableName(name) + `.csv"`}}}
}

func parenthesised(segment string) string {
	name, _, _ := strings.Cut(segment, "(")
	return name
}

// printableName keeps what is harmless in the name of a file.
func printableName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, s)
}

// columns are the members that a table of items of type t shows.
func (s Shape) columns(sel []string, t reflect.Type) []string {
	names := sel
	if names == nil {
		names = s.Default
	}
	if names != nil && !slices.Contains(names, "*") {
		return names
	}
	names = nil
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// row writes one item. A name that the type does not have is refused like in
// $select.
func (s Shape) row(out *csv.Writer, full object, names []string) error {
	shown, err := Shape{Absent: s.Absent, Set: s.Set, Type: s.Type, Nulls: s.Nulls}.project(full, names)
	if err != nil {
		return err
	}
	cells := make([]string, len(names))
	for i, name := range names {
		for _, m := range shown {
			if strings.EqualFold(m.name, name) {
				cells[i] = cell(m.value)
			}
		}
	}
	return out.Write(cells)
}

// cell is a JSON value as a cell: a text as it is, but never a formula; a list
// of texts with semicolons; anything else in JSON.
func cell(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return bulk.Cell(v)
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			text, ok := v[i].(string)
			if !ok {
				return string(raw)
			}
			texts[i] = text
		}
		return bulk.Cell(strings.Join(texts, "; "))
	case bool:
		return strconv.FormatBool(v)
	}
	return string(raw)
}
