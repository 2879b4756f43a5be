package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardea/internal/bulk"
)

// importable are the columns of user import that are members of a user as they
// are. Lists are separated by semicolons within a cell.
var importable = []struct {
	name string
	kind string // text, bool, list
	also []string
}{
	{"displayName", "text", []string{"name", "fullName"}}, {"givenName", "text", []string{"firstName"}}, {"surname", "text", []string{"lastName", "familyName"}},
	{"mail", "text", []string{"email", "e-mail", "mailAddress"}}, {"department", "text", nil}, {"jobTitle", "text", []string{"title"}},
	{"userType", "text", nil}, {"accountEnabled", "bool", []string{"enabled"}},
	{"mobilePhone", "text", []string{"mobile"}}, {"businessPhones", "list", []string{"phone"}}, {"officeLocation", "text", []string{"office"}},
	{"preferredLanguage", "text", []string{"language"}}, {"usageLocation", "text", nil}, {"companyName", "text", []string{"company"}},
	{"city", "text", nil}, {"state", "text", nil}, {"country", "text", nil}, {"postalCode", "text", nil}, {"streetAddress", "text", nil},
	{"employeeId", "text", nil}, {"employeeType", "text", nil}, {"otherMails", "list", nil},
}

// importFlags are those of user import.
type importFlags struct {
	manyFlags
	update bool
	rename map[string]string
	ignore []string
}

func importCommand(a *admin) *cobra.Command {
	var o importFlags
	c := a.verb("import", "Create people from a CSV file, or bring them up to date", `  cardea user import --csv people.csv --dry-run
  cardea user import --csv people.csv
  cardea user import --csv people.csv --update`, 0, func(x *call, _ []string) error {
		if o.csv == "" {
			return usage{errors.New("--csv names the file with the people")}
		}
		return importUsers(x, &o)
	})
	names := []string{}
	for _, m := range importable {
		names = append(names, m.name)
	}
	c.Long = "Create people from a CSV file. The column userPrincipalName is needed; others are\nthe members of a user: " + strings.Join(names, ", ") +
		",\nand group (names, separated by semicolons): the person becomes a member.\n\nWithout --update a person who exists is a failure. With --update what differs is\nchanged; an empty cell changes nothing, and the cell \"-\" empties the member."
	o.flags(c)
	c.Flags().BoolVar(&o.update, "update", false, "change people who exist")
	c.Flags().StringToStringVar(&o.rename, "map", nil, "a column of the file is this member: --map Abteilung=department")
	c.Flags().StringSliceVar(&o.ignore, "ignore", nil, "columns that are not read")
	return c
}

// columns are the columns of the file, with the headings that --map gives.
func (o *importFlags) columns() ([]bulk.Column, error) {
	all := []bulk.Column{{Name: "userPrincipalName", Also: []string{"user", "upn", "userName"}, Required: true}, {Name: "group", Also: []string{"groups"}}}
	for _, m := range importable {
		all = append(all, bulk.Column{Name: m.name, Also: slices.Clone(m.also)})
	}
	for heading, member := range o.rename {
		i := slices.IndexFunc(all, func(c bulk.Column) bool { return strings.EqualFold(c.Name, member) })
		if i < 0 {
			return nil, usage{fmt.Errorf("--map: there is no member %q; see cardea user import --help", member)}
		}
		all[i].Also = append(all[i].Also, heading)
	}
	return all, nil
}

// importing is one run of user import.
type importing struct {
	*many
	o *importFlags
}

func importUsers(x *call, o *importFlags) error {
	columns, err := o.columns()
	if err != nil {
		return err
	}
	open := func() (rowReader, error) {
		c, err := openCSV(o.csv, columns)
		if err != nil {
			return nil, err
		}
		unknown := slices.DeleteFunc(slices.Clone(c.Unknown), func(h string) bool {
			return slices.ContainsFunc(o.ignore, func(i string) bool { return strings.EqualFold(i, h) })
		})
		if len(unknown) > 0 { // a typing error would lose data in silence
			return nil, errors.Join(&bulk.Fault{Line: 1, Message: fmt.Sprintf("no member of a user is called %s; use --map or --ignore", strings.Join(unknown, ", "))}, c.Close())
		}
		return c, nil
	}
	m, err := x.startMany(&o.manyFlags, "user import", o.csv)
	if err != nil {
		return err
	}
	in := &importing{m, o}
	if err := in.survey(open, in.check, false); err != nil {
		return err
	}
	if x.dryRun {
		return in.rehearse(open)
	}
	if err := in.openJournal(); err != nil {
		return err
	}
	for _, r := range in.rows {
		if in.journal.Step(r.key) == bulk.Done {
			in.before++
		}
	}
	if in.before > 0 {
		in.say("%s were done before.", bulk.Thousands(in.before))
	}
	began, end := time.Now(), in.progress()
	run := in.each(open, batchSize, func(r manyRow) bool { return in.journal.Step(r.Key) != bulk.Done }, in.do)
	end()
	return in.conclude(open, began, run)
}

// check is what can be said about a row without the server.
func (in *importing) check(r *manyRow) error {
	fault := func(format string, args ...any) error {
		return &bulk.Fault{Line: r.Line, Message: fmt.Sprintf(format, args...)}
	}
	local, domain, ok := strings.Cut(r.User, "@")
	if !ok || local == "" || domain == "" || strings.ContainsAny(r.User, " \t\"(),:;<>[]\\") {
		return fault("%q is no user name; it looks like ada@contoso.com", r.User)
	}
	_, err := body(*r)
	if err != nil {
		return fault("%v", err)
	}
	return nil
}

// body is what a row says of a person. Empty cells say nothing, "-" empties.
func body(r manyRow) (map[string]any, error) {
	out := map[string]any{}
	for _, m := range importable {
		cell := r.Cells.Get(m.name)
		if cell == "" {
			continue
		}
		switch m.kind {
		case "text":
			if cell == "-" {
				cell = ""
			}
			out[m.name] = cell
		case "list":
			list := []any{}
			for part := range strings.SplitSeq(cell, ";") {
				if part = strings.TrimSpace(part); part != "" && cell != "-" {
					list = append(list, part)
				}
			}
			out[m.name] = list
		case "bool":
			switch strings.ToLower(cell) {
			case "true", "yes", "1":
				out[m.name] = true
			case "false", "no", "0":
				out[m.name] = false
			default:
				return nil, fmt.Errorf("%s is true or false, not %q", m.name, cell)
			}
		}
	}
	return out, nil
}

// plan is one row on its way.
type plan struct {
	row    manyRow
	begun  bool // by an earlier run: it may exist because of that
	exists bool
	body   map[string]any // what is sent; empty: nothing differs
	was    map[string]any
	err    error
}

// look reads the people of rows as they are, and makes the plans.
func (in *importing) look(rows []manyRow) ([]*plan, error) {
	members := []string{"id", "userPrincipalName"}
	for _, m := range importable {
		members = append(members, m.name)
	}
	plans, subs := make([]*plan, len(rows)), make([]*sub, len(rows))
	for i, r := range rows {
		b, err := body(r)
		if err != nil {
			return nil, err
		}
		plans[i] = &plan{row: r, body: b}
		subs[i] = &sub{Method: "GET", Path: "/users/" + segment(strings.ToLower(r.User)) + "?$select=" + strings.Join(members, ",")}
	}
	if err := in.batch(subs); err != nil {
		return nil, err
	}
	for i, p := range plans {
		api, ok := errors.AsType[*apiError](subs[i].Err)
		switch {
		case subs[i].Err == nil:
			p.exists, p.was, p.row.UserID = true, subs[i].Answer, text(subs[i].Answer, "id")
			for name, v := range p.body {
				if same(p.was[name], v) {
					delete(p.body, name)
				}
			}
		case ok && api.Status == 404:
			in.asNew(p)
		default:
			p.err = subs[i].Err
		}
	}
	return plans, nil
}

// asNew fills in what a new person needs.
func (in *importing) asNew(p *plan) {
	p.body["userPrincipalName"] = p.row.User
	if s, _ := p.body["displayName"].(string); s == "" {
		p.body["displayName"] = strings.TrimSpace(p.row.Cells.Get("givenName") + " " + p.row.Cells.Get("surname"))
		if p.body["displayName"] == "" {
			p.body["displayName"] = p.row.User
		}
	}
	for name, v := range p.body {
		if v == "" {
			delete(p.body, name)
		}
	}
}

func same(was, want any) bool {
	if was == nil {
		was = ""
		if _, list := want.([]any); list {
			was = []any{}
		}
	}
	return reflect.DeepEqual(was, want)
}

var errExists = &apiError{Status: 409, Reason: "alreadyExists", Message: "a person with this user name exists; --update brings such people up to date"}

// do creates or changes the people of up to batchSize rows: one batch that
// says who exists, where that matters, and one that writes.
func (in *importing) do(rows []manyRow) {
	plans, err := in.plans(rows)
	if err != nil {
		for _, r := range rows {
			in.ended(r, bulk.Entry{}, err)
		}
		return
	}
	subs, whose := []*sub{}, []*plan{}
	for _, p := range plans {
		if p.err != nil {
			continue
		}
		if !p.begun {
			if p.err = in.journal.Write(p.row.Key, entry(p.row, bulk.Begun)); p.err != nil {
				p.err = awayError{p.err}
				continue
			}
		}
		switch {
		case !p.exists:
			subs, whose = append(subs, &sub{Method: "POST", Path: "/users", Body: p.body}), append(whose, p)
		case len(p.body) > 0:
			subs, whose = append(subs, &sub{Method: "PATCH", Path: "/users/" + p.row.UserID, Body: p.body}), append(whose, p)
		}
	}
	if len(subs) > 0 {
		if err := in.batch(subs); err != nil {
			for _, p := range plans {
				in.ended(p.row, bulk.Entry{}, err)
			}
			return
		}
	}
	for i, s := range subs {
		p := whose[i]
		if p.err = s.Err; p.err == nil && !p.exists {
			p.row.UserID = text(s.Answer, "id")
		} else if p.err != nil && !p.exists && s.Again {
			p.err = in.recover(p, s.Err)
		}
	}
	for _, p := range plans {
		if p.err == nil {
			p.err = in.joinGroups(p.row)
		}
		e := entry(p.row, bulk.Done)
		e.ID = p.row.UserID
		switch {
		case !p.exists:
			e.Message = "created"
		case len(p.body) > 0:
			e.Message = "changed"
		default:
			e.Message = "unchanged"
		}
		in.ended(p.row, e, p.err)
	}
}

// recover looks for a person whose creation was asked for twice: the second
// answer says "exists" because of the first.
func (in *importing) recover(p *plan, refused error) error {
	found, err := in.look([]manyRow{p.row})
	if err != nil {
		return err
	}
	if f := found[0]; f.exists && len(f.body) == 0 {
		p.row.UserID = f.row.UserID
		return nil
	}
	return refused
}

// plans decides for each row between creating and changing. Without --update
// only rows that an earlier run began are looked up: the others must be new,
// and the server says if they are not.
func (in *importing) plans(rows []manyRow) ([]*plan, error) {
	var plans []*plan
	var look []manyRow
	for _, r := range rows {
		begun := in.journal.Step(r.Key) == bulk.Begun
		if begun || in.o.update {
			look = append(look, r)
			continue
		}
		b, err := body(r)
		p := &plan{row: r, body: b, err: err}
		in.asNew(p)
		plans = append(plans, p)
	}
	if len(look) == 0 {
		return plans, nil
	}
	looked, err := in.look(look)
	if err != nil {
		return nil, err
	}
	for _, p := range looked {
		p.begun = in.journal.Step(p.row.Key) == bulk.Begun
		if p.exists && !in.o.update && !p.begun {
			p.err = errExists
		}
	}
	return append(plans, looked...), nil
}

// rehearse says what a run would do, member by member.
func (in *importing) rehearse(open func() (rowReader, error)) error {
	out := newOrderly(in.call, column{"LINE", "line"}, column{"USER", "user"}, column{"WOULD", "would"}, column{"CHANGE", "change"})
	end := in.progress()
	err := in.each(open, batchSize, func(manyRow) bool { return true }, func(rows []manyRow) {
		plans, err := in.look(rows)
		if err != nil {
			in.halt(err)
			return
		}
		for _, p := range plans {
			row := map[string]any{"line": p.row.Line, "user": p.row.User}
			bad := 0
			switch {
			case p.err != nil:
				row["would"], row["change"], bad = "fail", p.err.Error(), 1
			case p.exists && !in.o.update:
				row["would"], row["change"], bad = "fail", errExists.Message, 1
			case !p.exists:
				row["would"], row["change"] = "create", changes(nil, p.body)
			case len(p.body) == 0:
				row["would"] = "leave"
			default:
				row["would"], row["change"] = "change", changes(p.was, p.body)
			}
			if len(p.row.Groups) > 0 && bad == 0 {
				row["change"] = strings.TrimSpace(text(row, "change") + " group: " + strings.Join(p.row.Groups, ", "))
			}
			in.mu.Lock()
			in.failed, in.done = in.failed+bad, in.done+1-bad
			in.mu.Unlock()
			out.put(p.row.Index, row)
		}
	})
	end()
	if err = errors.Join(err, out.end()); err != nil {
		return err
	}
	in.say("%s rows would be done, %s would fail. Nothing was changed.", bulk.Thousands(in.done), bulk.Thousands(in.failed))
	return partly(in.failed+len(in.bad), in.done+in.failed+len(in.bad))
}

// changes is a diff in one line.
func changes(was, now map[string]any) string {
	parts := []string{}
	for _, m := range importable {
		v, ok := now[m.name]
		switch {
		case !ok:
		case was == nil:
			parts = append(parts, fmt.Sprintf("%s: %q", m.name, show(v)))
		default:
			parts = append(parts, fmt.Sprintf("%s: %q → %q", m.name, show(was[m.name]), show(v)))
		}
	}
	return strings.Join(parts, "  ")
}
