package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cardea/internal/bulk"
	"cardea/internal/softkey"
)

// provisionFlags are those of one provisioning run.
type provisionFlags struct {
	manyFlags
	authenticator, keys, passphraseFile string
	challenges, imported                string
	validFor                            string
	disabled                            bool
	device                              string
	forcePIN                            bool
}

func provisionCommand(a *admin) *cobra.Command {
	var o provisionFlags
	c := a.verb("provision", "Create passkeys for many people", `  cardea passkey provision --csv people.csv --authenticator software --keys out.keys --dry-run
  cardea passkey provision --csv people.csv --authenticator software --keys out.keys
  cardea passkey provision --csv people.csv --authenticator usb --force-pin-change
  cardea passkey provision --csv people.csv --challenges out.json --valid-for 30d     # for a key vendor
  cardea passkey provision --import responses.json --disabled                         # what the vendor sends back`, 0, func(x *call, _ []string) error {
		return provision(x, &o)
	})
	c.Long = `Create passkeys for many people, from a CSV file with the columns
userPrincipalName (or id), and, if you like, label, serial and group.

The whole file is checked first; if anything is wrong, nothing is changed. The
run remembers what it did in a journal: interrupted by Ctrl-C, a crash or a
power loss it goes on with --resume, without doing anything twice.

Synced passkeys (of a phone or a password manager) cannot be made for somebody
else: they come into being on the person's own device. For these issue
Temporary Access Passes: cardea tap issue --csv people.csv --letters DIR.

docs/provisioning.md is the whole guide.`
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.authenticator, "authenticator", "", "where the passkeys come from: usb (security keys plugged in here), or software (for tests, kiosks, service accounts)")
	f.StringVar(&o.device, "device", "", "with usb: this device instead of the one that is plugged in, e.g. /dev/hidraw3")
	f.BoolVar(&o.forcePIN, "force-pin-change", false, "with usb: each key asks for a new PIN before its owner uses it first")
	f.StringVar(&o.keys, "keys", "", "with software: the sealed file that the private keys go to")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "file with the passphrase of --keys (or CARDEA_KEYFILE_PASSPHRASE, or the terminal)")
	f.StringVar(&o.challenges, "challenges", "", "write creation options for everybody to this file, for a key vendor; registers nothing")
	f.StringVar(&o.validFor, "valid-for", "30d", "with --challenges: how long the vendor has, up to 30d")
	f.StringVar(&o.imported, "import", "", "register the responses in this file instead of reading a CSV file")
	f.BoolVar(&o.disabled, "disabled", false, "register the passkeys as disabled: each works after its owner has activated it")
	return c
}

// provisioning is one run of provision.
type provisioning struct {
	*many
	o      *provisionFlags
	source source
	open   func() (rowReader, error)
}

func provision(x *call, o *provisionFlags) error {
	ways := 0
	for _, w := range []string{o.authenticator, o.challenges, o.imported} {
		if w != "" {
			ways++
		}
	}
	switch {
	case ways != 1:
		return usage{errors.New("give one of --authenticator, --challenges, --import; see cardea passkey provision --help")}
	case o.imported == "" && o.csv == "":
		return usage{errors.New("--csv names the file with the people")}
	case o.imported != "" && o.csv != "":
		return usage{errors.New("--import brings its own people; leave --csv out")}
	case o.authenticator != "" && o.authenticator != "software" && o.authenticator != "usb":
		return usage{fmt.Errorf("there is no authenticator %q; it is usb or software", o.authenticator)}
	case o.authenticator != "usb" && (o.device != "" || o.forcePIN):
		return usage{errors.New("--device and --force-pin-change go with --authenticator usb")}
	case o.authenticator == "software" && o.keys == "" && !x.dryRun:
		return usage{errors.New("--keys names the file that the private keys go to")}
	}
	p := &provisioning{o: o}
	input, kind := o.csv, "passkey provision"
	p.open = func() (rowReader, error) { return openCSV(o.csv, rowColumns) }
	if o.imported != "" {
		input, kind = o.imported, "passkey provision --import"
		p.open = func() (rowReader, error) { return openResponses(o.imported) }
	}
	var err error
	if p.many, err = x.startMany(&o.manyFlags, kind, input); err != nil {
		return err
	}
	check := func(r *manyRow) error {
		if err := checkPerson(r); err != nil {
			return err
		}
		if len([]rune(r.Label)) > 30 {
			return &bulk.Fault{Line: r.Line, Message: fmt.Sprintf("the label %q is longer than 30 characters", r.Label)}
		}
		if p.source != nil {
			return p.source.Check(r)
		}
		return nil
	}
	switch {
	case o.imported != "":
		p.source = responses{}
	case o.authenticator == "usb" && !x.dryRun:
		pin, err := x.keyPIN()
		if err != nil {
			return err
		}
		p.source = &securityKeys{call: x, device: o.device, pin: pin, force: o.forcePIN}
	}
	if err := p.remarks(); err != nil {
		return err
	}
	if err := p.survey(p.open, check, true); err != nil {
		return err
	}
	switch {
	case o.challenges != "":
		return p.writeChallenges()
	case x.dryRun:
		return p.rehearse()
	}
	return p.run()
}

// remarks says which columns are not read, before anything else.
func (p *provisioning) remarks() error {
	in, err := p.open()
	if err != nil {
		return nil // survey says it better
	}
	defer in.Close()
	if c, ok := in.(*csvRows); ok {
		for _, h := range c.Unknown {
			if strings.EqualFold(h, "pin") {
				p.say("The column %q is not read. A PIN does not belong beside a name: delete the column.", h)
			} else {
				p.say("The column %q is not read.", h)
			}
		}
	}
	return nil
}

func fido2(userID string) string {
	return "/v1.0/users/" + userID + "/authentication/fido2Methods"
}

// options asks for creation options; minutes 0 is the server's default.
func (p *provisioning) options(userID string, minutes int) (map[string]any, error) {
	path := fido2(userID) + "/creationOptions"
	if minutes > 0 {
		path += "?challengeTimeoutInMinutes=" + strconv.Itoa(minutes)
	}
	return p.ask("GET", path, nil)
}

// rehearse says for each person what would happen. It asks the server for
// creation options, which has no effect there, and so learns what a real run
// would be refused (PK-138).
func (p *provisioning) rehearse() error {
	out := newOrderly(p.call, column{"LINE", "line"}, column{"USER", "user"}, column{"LABEL", "label"}, column{"HAS", "passkeys"}, column{"WOULD", "would"}, column{"WHY NOT", "reason"})
	end := p.progress()
	err := p.each(p.open, 1, func(manyRow) bool { return true }, func(rows []manyRow) {
		r := rows[0]
		o, err := p.options(r.UserID, 0)
		row := map[string]any{"line": r.Line, "user": r.User, "label": r.Label, "would": "register"}
		e := entry(r, bulk.Done)
		if err != nil {
			e = refused(r, err)
			row["would"], row["reason"] = "be refused", e.Message+" ("+e.Code+")"
			if len(r.Groups) > 0 {
				row["reason"] = row["reason"].(string) + "; joining " + strings.Join(r.Groups, ", ") + " may change that"
			}
		} else if public, ok := o["publicKey"].(map[string]any); ok {
			have, _ := public["excludeCredentials"].([]any)
			row["passkeys"] = len(have)
		}
		p.mu.Lock()
		if p.inARow = 0; e.Step == bulk.Failed {
			p.failed++
		} else {
			p.done++
		}
		p.mu.Unlock()
		if _, away := errors.AsType[awayError](err); away {
			p.halt(err)
			return
		}
		out.put(r.Index, row)
	})
	end()
	if err = errors.Join(err, out.end()); err != nil {
		return err
	}
	p.say("%s would be registered, %s refused. Nothing was changed.", bulk.Thousands(p.done), bulk.Thousands(p.failed))
	return partly(p.failed+len(p.bad), p.failed+p.done+len(p.bad))
}

// run registers a passkey for each row.
func (p *provisioning) run() (err error) {
	if p.source == nil {
		passphrase, err := p.passphrase(p.o.passphraseFile, newFile(p.o.keys))
		if err != nil {
			return err
		}
		if err := p.openJournal(); err != nil {
			return err
		}
		begun, err := p.begun()
		if err == nil {
			p.source, err = openKeys(p.o.keys, passphrase, softkey.UsualCost(), func(id string) bool { return begun[id] })
		}
		if err != nil {
			return errors.Join(err, p.journal.Close())
		}
	} else if err := p.openJournal(); err != nil {
		return err
	}
	p.workers, _ = p.source.Parallel(p.workers)
	for _, r := range p.rows {
		if p.journal.Step(r.key) == bulk.Done {
			p.before++
		}
	}
	if p.before > 0 {
		p.say("%s were done before.", bulk.Thousands(p.before))
	}
	began, end := time.Now(), p.progress()
	failed := p.each(p.open, 1, func(r manyRow) bool { return p.journal.Step(r.Key) != bulk.Done }, func(rows []manyRow) {
		e, err := p.one(rows[0])
		p.ended(rows[0], e, err)
	})
	end()
	return p.conclude(p.open, began, errors.Join(failed, p.source.Close()))
}

func newFile(path string) bool {
	info, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}

// begun are the ids of the credentials whose rows are neither done nor new.
func (p *provisioning) begun() (map[string]bool, error) {
	ids := map[string]bool{}
	for _, r := range p.rows {
		if s := p.journal.Step(r.key); s != bulk.Begun && s != bulk.Failed {
			continue
		}
		e, _, _, err := p.journal.Last(r.key)
		if err != nil {
			return nil, err
		}
		if e.Ref != "" {
			ids[e.Ref] = true
		}
	}
	return ids, nil
}

// one registers a passkey for one row. What an earlier run began it looks for
// at the server first: the answer may have been lost, not the passkey.
func (p *provisioning) one(row manyRow) (bulk.Entry, error) {
	last, _, known, err := p.journal.Last(row.Key)
	if err != nil {
		return last, awayError{err}
	}
	if known && last.Step == bulk.Begun {
		m, err := p.find(row, last.Ref)
		if err != nil {
			return last, err
		}
		if m != nil {
			return registered(row, last.Ref, m), nil
		}
	}
	if err := p.joinGroups(row); err != nil {
		return last, err
	}
	for try := 1; ; try++ {
		e, err := p.register(row, last.Ref)
		if api, ok := errors.AsType[*apiError](err); ok && api.Reason == "challengeExpired" && p.o.imported == "" && try < 3 {
			last.Ref = e.Ref // the worker slept; once more with new options
			continue
		}
		return e, err
	}
}

func (p *provisioning) register(row manyRow, begun string) (bulk.Entry, error) {
	e := entry(row, bulk.Begun)
	o := order{Row: row, Begun: begun, Origin: p.client.server}
	if _, needs := p.source.Parallel(1); needs {
		options, err := p.options(row.UserID, 0)
		if err != nil {
			return e, err
		}
		o.Options = mustJSON(options["publicKey"])
	}
	c, err := p.source.Create(p.stop, o)
	if err != nil {
		return e, err
	}
	e.Ref = c.ID
	if err := p.journal.Write(row.Key, e); err != nil {
		return e, awayError{fmt.Errorf("the journal cannot be written: %w", err)}
	}
	body := map[string]any{"publicKeyCredential": c.Credential}
	if row.Label != "" {
		body["displayName"] = row.Label
	}
	if p.o.disabled {
		body["cardea"] = map[string]any{"state": "disabled"}
	}
	m, err := p.ask("POST", fido2(row.UserID), body)
	if api, ok := errors.AsType[*apiError](err); ok && api.Status == http.StatusConflict {
		// Either the first of several tries arrived, or somebody else has it.
		found, lost := p.find(row, c.ID)
		if lost != nil {
			return e, lost
		}
		if found != nil {
			m, err = found, nil
		}
	}
	if _, away := errors.AsType[awayError](err); away || errors.Is(err, context.Canceled) {
		return e, err // it may be there or not: the next run finds out
	}
	if settled := p.source.Settle(p.call.ctx, c, err); settled != nil {
		err = errors.Join(err, settled)
	}
	if err != nil {
		return e, err
	}
	return registered(row, c.ID, m), nil
}

// find is the person's passkey with a credential id, nil if there is none.
func (p *provisioning) find(row manyRow, credentialID string) (map[string]any, error) {
	path := fido2(row.UserID)
	for path != "" {
		o, err := p.ask("GET", path, nil)
		if err != nil {
			return nil, err
		}
		for _, m := range objects(o) {
			if id := text(m, "id"); len(id) > 1 && (id[:len(id)-1] == credentialID || id == credentialID) { // PK-125: a digit follows
				return m, nil
			}
		}
		path = strings.TrimPrefix(text(o, "@odata.nextLink"), p.client.server)
	}
	return nil, nil
}

func registered(row manyRow, credentialID string, m map[string]any) bulk.Entry {
	e := entry(row, bulk.Done)
	e.Ref, e.ID = credentialID, text(m, "id")
	e.Facts = map[string]string{"aaguid": text(m, "aaGuid"), "attested": text(m, "attestationLevel")}
	return e
}

// plainBase64 brings base64 of any flavour (WC-61) to base64url without
// padding; "" if it is none.
func plainBase64(s string) string {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(s), "="))
	if _, err := base64.RawURLEncoding.DecodeString(s); err != nil {
		return ""
	}
	return s
}
