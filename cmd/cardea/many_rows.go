package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"cardea/internal/bulk"
)

// manyRow is a row of the input, as commands see it.
type manyRow struct {
	Line       int
	Index      int    // among the good rows, from 0
	User       string // as it is written: a user name or an object id
	UserID     string // from the server; "" in an import, where people are new
	Label      string
	Serial     string
	Groups     []string        // names or ids
	Cells      bulk.Row        // the other columns
	Payload    json.RawMessage // of --import: the credential, and its id
	Credential string
	Key        bulk.Key
}

// planned is what is kept of a good row between reading and doing.
type planned struct {
	line int32
	sum  uint32 // of what is written there: the file must not change meanwhile
	user [36]byte
	key  bulk.Key
}

func (r manyRow) sum() uint32 {
	return crc32.ChecksumIEEE(fmt.Appendf(nil, "%q", append(r.Cells.All(), string(r.Payload), r.User, r.Label, r.Serial)))
}

// rowReader reads rows. After a *bulk.Fault it goes on; the end is io.EOF.
type rowReader interface {
	Next() (manyRow, error)
	Close() error
}

// csvRows reads rows from a CSV file.
type csvRows struct {
	f *os.File
	*bulk.Table
}

var rowColumns = []bulk.Column{
	{Name: "userPrincipalName", Also: []string{"user", "upn", "id", "userId", "userName", "objectId"}, Required: true},
	{Name: "label", Also: []string{"displayName", "name", "keyName"}},
	{Name: "serial", Also: []string{"serialNumber"}},
	{Name: "group", Also: []string{"groups"}},
}

func openCSV(path string, columns []bulk.Column) (*csvRows, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t, err := bulk.NewTable(f, columns)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &csvRows{f, t}, nil
}

func (c *csvRows) Close() error { return c.f.Close() }

func (c *csvRows) Next() (manyRow, error) {
	row, err := c.Table.Next()
	out := manyRow{Line: row.Line, User: row.Get("userPrincipalName"), Label: row.Get("label"), Serial: row.Get("serial"), Cells: row}
	for g := range strings.SplitSeq(row.Get("group"), ";") {
		if g = strings.TrimSpace(g); g != "" {
			out.Groups = append(out.Groups, g)
		}
	}
	return out, err
}

const maxRows = 5_000_000 // some 60 bytes each are kept

// survey reads the whole input, has each row checked, finds the people and the
// groups, and reports every problem with its line. Nothing is changed. people
// says whether the rows name people who must exist; keyOf makes a row's key.
func (m *many) survey(open func() (rowReader, error), check func(*manyRow) error, people bool) error {
	in, err := open()
	if err != nil {
		if f, ok := bulk.IsFault(err); ok {
			return usage{fmt.Errorf("%s: %w", m.input, f)}
		}
		return err
	}
	defer in.Close()
	s := surveyor{many: m, seen: map[bulk.Key]int32{}}
	for {
		if m.stop.Err() != nil {
			return m.stop.Err()
		}
		row, err := in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = check(&row)
		}
		if f, ok := bulk.IsFault(err); ok {
			s.faults = append(s.faults, *f)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.input, err)
		}
		if len(m.rows)+len(s.chunk) == maxRows {
			return usage{fmt.Errorf("%s has more than %d rows; split it", m.input, maxRows)}
		}
		if s.chunk = append(s.chunk, row); len(s.chunk) == batchSize*m.workers {
			if err := s.settle(people); err != nil {
				return err
			}
		}
	}
	if err := s.settle(people); err != nil {
		return err
	}
	if s.bad > 0 && !m.skipInvalid {
		m.say("%s rows checked, %s problems. Nothing was changed. Mend them, or do the other rows with --skip-invalid.", bulk.Thousands(len(m.rows)+s.bad), bulk.Thousands(s.bad))
		return exit(exitUsage)
	}
	if len(m.rows) == 0 && s.bad == 0 {
		return usage{fmt.Errorf("%s has no rows", m.input)}
	}
	return nil
}

// surveyor is a survey on its way.
type surveyor struct {
	*many
	chunk  []manyRow
	faults []bulk.Fault
	seen   map[bulk.Key]int32 // line of each person (and key) so far
	bad    int
}

func (s *surveyor) fault(line int, format string, args ...any) {
	s.faults = append(s.faults, bulk.Fault{Line: line, Message: fmt.Sprintf(format, args...)})
}

// settle finds the people and groups of the rows that wait, and prints the
// problems in the order of the file.
func (s *surveyor) settle(people bool) error {
	if people {
		if err := s.findPeople(s.chunk); err != nil {
			return err
		}
	}
	for i := range s.chunk {
		row := &s.chunk[i]
		if people && row.UserID == "" {
			s.fault(row.Line, "there is no user %q", row.User)
			continue
		}
		known := true
		for _, g := range row.Groups {
			id, err := s.groupID(g)
			if err != nil {
				return err
			}
			if id == "" {
				s.fault(row.Line, "there is no group %q, or more than one", g)
				known = false
			}
		}
		row.setKey()
		if first, twice := s.seen[row.Key]; twice {
			s.fault(row.Line, "the same as line %d", first)
			continue
		}
		s.seen[row.Key] = int32(row.Line)
		if row.Serial != "" {
			k := bulk.KeyOf("serial", strings.ToLower(row.Serial))
			if first, twice := s.seen[k]; twice {
				s.fault(row.Line, "the serial number %s is on line %d already", row.Serial, first)
				continue
			}
			s.seen[k] = int32(row.Line)
		}
		if known {
			p := planned{line: int32(row.Line), sum: row.sum(), key: row.Key}
			copy(p.user[:], row.UserID)
			s.rows = append(s.rows, p)
		}
	}
	slices.SortStableFunc(s.faults, func(a, b bulk.Fault) int { return a.Line - b.Line })
	for _, f := range s.faults {
		s.bad++
		fmt.Fprintf(s.err, "%s:%d: %s\n", s.input, f.Line, plain(f.Message))
		if s.skipInvalid {
			s.many.bad[f.Line] = f.Message
		}
	}
	s.chunk, s.faults = s.chunk[:0], s.faults[:0]
	return nil
}

// setKey: a person may get several keys; serial number or label tell them apart.
func (r *manyRow) setKey() {
	who := r.UserID
	if who == "" {
		who = strings.ToLower(r.User)
	}
	switch {
	case r.Credential != "":
		r.Key = bulk.KeyOf(who, "credential", r.Credential)
	case r.Serial != "":
		r.Key = bulk.KeyOf(who, "serial", strings.ToLower(r.Serial))
	default:
		r.Key = bulk.KeyOf(who, "label", r.Label)
	}
}

// findPeople gives each row the object id of its person; it stays "" if there
// is none.
func (m *many) findPeople(rows []manyRow) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for part := range slices.Chunk(rows, batchSize) {
		all.Go(func() {
			subs, who := []*sub{}, map[string]*sub{}
			for _, r := range part {
				if name := strings.ToLower(r.User); who[name] == nil {
					who[name] = &sub{Method: "GET", Path: "/users/" + segment(name) + "?$select=id"}
					subs = append(subs, who[name])
				}
			}
			err := m.batch(subs)
			for i := range part {
				s := who[strings.ToLower(part[i].User)]
				if api, ok := errors.AsType[*apiError](s.Err); s.Err != nil && (!ok || api.Status != 404 && api.Status != 400) && err == nil {
					err = s.Err
				}
				part[i].UserID = text(s.Answer, "id")
			}
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return failed
}

// groupID is the id of a group by name or id, "" if no single one fits.
func (m *many) groupID(typed string) (string, error) {
	m.mu.Lock()
	id, known := m.groups[typed]
	m.mu.Unlock()
	if known {
		return id, nil
	}
	path := query("/v1.0/groups", "$filter", "displayName eq "+quoted(typed), "$select", "id", "$top", "2")
	if objectID.MatchString(typed) {
		path = query("/v1.0/groups", "$filter", "id eq "+quoted(strings.ToLower(typed)), "$select", "id")
	}
	o, err := m.ask("GET", path, nil)
	if err != nil {
		return "", err
	}
	if found := objects(o); len(found) == 1 {
		id = text(found[0], "id")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.groups[typed] = id
	return id, nil
}

// checkPerson is what every command checks of a row.
func checkPerson(r *manyRow) error {
	if !strings.Contains(r.User, "@") && !objectID.MatchString(r.User) {
		return &bulk.Fault{Line: r.Line, Message: fmt.Sprintf("%q is neither a user name like ada@contoso.com nor an object id", r.User)}
	}
	return nil
}
