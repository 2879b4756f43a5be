package main

import (
	"encoding/csv"
	"slices"
	"sync"

	"cardea/internal/bulk"
)

// orderly prints rows one by one in the order of the input, although workers
// finish them in any. It keeps no more than what has to wait for an earlier
// row.
type orderly struct {
	x       *call
	columns []column

	mu      sync.Mutex
	next    int
	waiting map[int]map[string]any
	begun   bool
	err     error
}

func newOrderly(x *call, columns ...column) *orderly {
	return &orderly{x: x, columns: columns, waiting: map[int]map[string]any{}}
}

// put takes the row with this index; nil prints nothing.
func (o *orderly) put(index int, row map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[index] = row
	for {
		row, ok := o.waiting[o.next]
		if !ok {
			return
		}
		delete(o.waiting, o.next)
		o.next++
		o.print(row)
	}
}

func (o *orderly) print(row map[string]any) {
	if row == nil || o.err != nil {
		return
	}
	switch o.x.output {
	case "json", "ndjson": // a list without an end that is known
		o.err = writeJSON(o.x.out, row, "")
	case "csv":
		w := csv.NewWriter(o.x.out)
		if !o.begun {
			o.err = w.Write(headings(o.columns))
		}
		if o.err == nil {
			o.err = w.Write(cells(row, o.columns, bulk.Cell))
		}
		if w.Flush(); o.err == nil {
			o.err = w.Error()
		}
	default:
		if !o.begun {
			o.err = writeTable(o.x.out, nil, o.columns, plain)
		}
		if o.err == nil {
			o.err = writeTableRow(o.x.out, row, o.columns, plain)
		}
	}
	o.begun = true
}

// end prints what still waits, after an interrupted run.
func (o *orderly) end() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	left := []int{}
	for i := range o.waiting {
		left = append(left, i)
	}
	slices.Sort(left)
	for _, i := range left {
		o.print(o.waiting[i])
	}
	return o.err
}
