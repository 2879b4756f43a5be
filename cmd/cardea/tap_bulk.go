package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cardea/internal/bulk"
)

// passOrder is what tap issue is asked for, beside the people.
type passOrder struct {
	manyFlags
	minutes  int
	lifetime time.Duration
	once     *bool
	start    string
	letters  string // folder
	mail     bool
}

// check brings --lifetime and --minutes together.
func (o *passOrder) check() error {
	if o.lifetime != 0 {
		if o.minutes != 0 || o.lifetime < time.Minute || o.lifetime%time.Minute != 0 {
			return usage{errors.New("give --lifetime in whole minutes, such as 8h, and not --minutes too")}
		}
		o.minutes = int(o.lifetime / time.Minute)
	}
	switch {
	case (o.letters != "" || o.mail) && o.csv == "":
		return usage{errors.New("--letters and --mail go with --csv")}
	case o.letters != "" && o.mail:
		return usage{errors.New("a letter holds a pass, a mail holds a link: give one of --letters, --mail")}
	case o.mail && (o.once != nil || o.start != ""):
		return usage{errors.New("--mail sends links, which work once and at once: leave --once and --start out")}
	}
	return nil
}

func (o *passOrder) body() map[string]any {
	body := map[string]any{}
	if o.minutes > 0 {
		body["lifetimeInMinutes"] = o.minutes
	}
	if o.once != nil {
		body["isUsableOnce"] = *o.once
	}
	if o.start != "" {
		body["startDateTime"] = o.start
	}
	return body
}

func passesOf(userID string) string {
	return "/v1.0/users/" + userID + "/authentication/temporaryAccessPassMethods"
}

// passes issues a pass or a link for everybody in a file. An interrupted row
// is simply done again: a new pass ends the older one (PK-147).
type passes struct {
	*many
	o       *passOrder
	out     *orderly
	letters *letters
}

func issuePasses(x *call, o *passOrder) error {
	kind := "tap issue"
	if o.mail {
		kind = "tap issue --mail"
	}
	m, err := x.startMany(&o.manyFlags, kind, o.csv)
	if err != nil {
		return err
	}
	p := &passes{many: m, o: o}
	open := func() (rowReader, error) { return openCSV(o.csv, rowColumns[:1]) }
	if err := p.survey(open, checkPerson, true); err != nil {
		return err
	}
	p.out = newOrderly(x, column{"USER", "user"}, column{"PASS", "temporaryAccessPass"}, column{"FROM", "startDateTime"}, column{"MINUTES", "lifetimeInMinutes"}, column{"ONCE", "isUsableOnce"})
	if x.dryRun {
		what := map[bool]string{false: "a pass; an older one would end", true: "a link by mail"}[o.mail]
		x.say("%s people would get %s. Nothing was changed.", bulk.Thousands(len(p.rows)), what)
		return partly(len(p.bad), len(p.rows)+len(p.bad))
	}
	if err := p.openJournal(); err != nil {
		return err
	}
	if o.letters != "" {
		if p.letters, err = p.openLetters(); err != nil {
			return errors.Join(err, p.journal.Close())
		}
	}
	for _, r := range p.rows {
		if p.journal.Step(r.key) == bulk.Done {
			p.before++
		}
	}
	if p.before > 0 {
		p.say("%s were done before; their passes are not shown again.", bulk.Thousands(p.before))
	}
	began, end := time.Now(), p.progress()
	run := p.each(open, 1, func(r manyRow) bool {
		if p.journal.Step(r.Key) != bulk.Done {
			return true
		}
		p.out.put(r.Index, nil)
		return false
	}, func(rows []manyRow) {
		e, shown, err := p.one(rows[0])
		if p.letters != nil {
			shown = nil
		}
		p.out.put(rows[0].Index, shown)
		p.ended(rows[0], e, err)
	})
	end()
	run = errors.Join(run, p.out.end())
	if p.letters != nil {
		if err := p.letters.close(); err != nil {
			return errors.Join(err, p.journal.Close())
		}
		p.say("The letters are in %s: print it, hand the letters out, delete it. Each holds a code that signs its reader in.", p.letters.path)
	}
	return p.conclude(open, began, run)
}

func (p *passes) one(row manyRow) (e bulk.Entry, shown map[string]any, err error) {
	e = entry(row, bulk.Begun)
	if err := p.journal.Write(row.Key, e); err != nil {
		return e, nil, awayError{err}
	}
	if p.o.mail {
		_, err := p.ask("POST", "/v1.0/users/"+row.UserID+"/cardea.issueEnrolmentLink", map[string]any{"lifetimeInMinutes": p.o.minutes, "sendMail": true})
		return entry(row, bulk.Done), nil, err
	}
	var u map[string]any
	if p.letters != nil {
		if u, err = p.ask("GET", "/v1.0/users/"+row.UserID+"?$select=displayName,userPrincipalName", nil); err != nil {
			return e, nil, err
		}
	}
	pass, err := p.ask("POST", passesOf(row.UserID), p.o.body())
	if err != nil {
		return e, nil, err
	}
	if p.letters != nil { // on the disk before the row is done
		if err := p.letters.add(row.Line, u, pass); err != nil {
			return e, nil, awayError{fmt.Errorf("the letter cannot be written: %w", err)}
		}
	}
	e = entry(row, bulk.Done)
	e.ID, pass["user"] = text(pass, "id"), row.User
	return e, pass, nil
}

// openLetters opens the file of the letters, which must be of this run.
func (p *passes) openLetters() (*letters, error) {
	if err := os.MkdirAll(p.o.letters, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(p.o.letters, "letters.html")
	if _, err := os.Stat(path); err == nil && !p.journal.Resumed {
		return nil, usage{fmt.Errorf("%s has letters of another run: move it away, or name another folder", path)}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	org, err := p.ask("GET", "/v1.0/organization", nil)
	if err != nil {
		return nil, err
	}
	name := ""
	if o := objects(org); len(o) > 0 {
		name = text(o[0], "displayName")
	}
	return openLetters(path, name, p.client.server)
}
