package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardea/internal/bulk"
)

// groupRows are rows of a person and groups; the same person may have several.
type groupRows struct{ rowReader }

func (g groupRows) Next() (manyRow, error) {
	row, err := g.rowReader.Next()
	row.Label = strings.ToLower(strings.Join(row.Groups, ";")) // tells the rows of a person apart
	return row, err
}

func groupImport(a *admin) *cobra.Command {
	var o manyFlags
	c := a.verb("import", "Make the people of a CSV file members of groups", `  cardea group import --csv members.csv --dry-run
  cardea group import --csv members.csv`, 0, func(x *call, _ []string) error {
		if o.csv == "" {
			return usage{errors.New("--csv names the file with the columns user and group")}
		}
		return importMembers(x, &o)
	})
	c.Long = `Make people members of groups, from a CSV file with the columns user (a user name
or id) and group (names or ids; several with semicolons). The groups must exist.
Who is a member already stays one; nobody is taken out.`
	o.flags(c)
	return c
}

func importMembers(x *call, o *manyFlags) error {
	open := func() (rowReader, error) {
		c, err := openCSV(o.csv, rowColumns)
		if err != nil {
			return nil, err
		}
		return groupRows{c}, nil
	}
	m, err := x.startMany(o, "group import", o.csv)
	if err != nil {
		return err
	}
	check := func(r *manyRow) error {
		if len(r.Groups) == 0 {
			return &bulk.Fault{Line: r.Line, Message: "the cell group is empty"}
		}
		return checkPerson(r)
	}
	if err := m.survey(open, check, true); err != nil {
		return err
	}
	if x.dryRun {
		rows := []map[string]any{}
		err := m.again(open, func(r manyRow, invalid string) error {
			if invalid == "" {
				rows = append(rows, map[string]any{"line": r.Line, "user": r.User, "group": strings.Join(r.Groups, ";")})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := x.print(rows, column{"LINE", "line"}, column{"USER", "user"}, column{"WOULD JOIN", "group"}); err != nil {
			return err
		}
		x.say("Nothing was changed.")
		return partly(len(m.bad), len(m.bad)+len(rows))
	}
	if err := m.openJournal(); err != nil {
		return err
	}
	for _, r := range m.rows {
		if m.journal.Step(r.key) == bulk.Done {
			m.before++
		}
	}
	began, end := time.Now(), m.progress()
	run := m.each(open, 1, func(r manyRow) bool { return m.journal.Step(r.Key) != bulk.Done }, func(rows []manyRow) {
		m.ended(rows[0], entry(rows[0], bulk.Done), m.joinGroups(rows[0]))
	})
	end()
	return m.conclude(open, began, run)
}
