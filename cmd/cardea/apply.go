package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
)

func applyCommand(a *admin) *cobra.Command {
	c := a.verb("apply DIR|FILE", "Put policies of files in force", `  cardea apply policies/ --dry-run
  cardea apply policies/
  cardea apply policies.yaml --yes       # where nobody can be asked; - reads the standard input`, 1, func(x *call, args []string) error {
		return applyFrom(x, args[0])
	})
	c.Long = `Make the policies of the server be those of YAML files, as cardea export writes
them. First every change is said in words, with the people and passkeys affected;
then it asks. --dry-run stops there and exits as the real run would.

What a file does not say stays as it is. A change that would lock every
administrator out is refused. Applied again, nothing changes.

docs/gitops.md is the whole guide.`
	c.Annotations = map[string]string{bulkVerb: "yes"}
	return c
}

// impactOfAll is what would come of the changes, as the server says.
type impactOfAll struct {
	passkeys map[string]any // cardea.passkeyPolicyImpact
	lockOut  bool
}

func applyFrom(x *call, path string) error {
	docs, faults, err := readPolicies(x, path)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return x.refuse(faults)
	}
	if len(docs) == 0 {
		return usage{fmt.Errorf("%s has no policies; cardea export %s writes them", path, path)}
	}
	return applyDocuments(x, docs)
}

// applyDocuments says what differs from the server, asks, and changes it.
func applyDocuments(x *call, docs []*document) error {
	e := newExchange(x)
	changes, faults, err := e.plan(docs)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return x.refuse(faults)
	}
	if len(changes) == 0 {
		x.say("Nothing to change: %s.", plural(len(docs), "the document is in force as it stands", "%d documents are in force as they stand"))
		return x.printPlan(changes)
	}
	var impact impactOfAll
	for _, c := range changes {
		if c.kind.check == nil {
			continue
		}
		if err := c.kind.check(e, c, &impact); err != nil {
			return fmt.Errorf("%s:%d: %w", c.file, c.line, err)
		}
	}
	if err := x.printPlan(changes); err != nil {
		return err
	}
	x.sayImpact(impact)
	if impact.lockOut {
		return &apiError{Status: 400, Reason: "wouldLockOutAdministrators", Message: "after this no Global Administrator could sign in any more; nothing was changed. Give one a passkey that the policy allows first"}
	}
	if x.dryRun {
		x.say("Nothing was changed.")
		return nil
	}
	word, stop := "yes", show(member(impact.passkeys, "passkeys/stopWorking"))
	question := plural(len(changes), "Change this one document on %s?", "Change these %d documents on %s?", x.client.server)
	if stop != "" && stop != "0" {
		word = stop
	}
	if err := x.confirm(word, "%s", question); err != nil {
		return err
	}
	return e.carryOut(changes)
}

// plural picks the words for one or for many; args follow the number.
func plural(n int, one, many string, args ...any) string {
	if n == 1 {
		return fmt.Sprintf(one, args...)
	}
	return fmt.Sprintf(many, append([]any{n}, args...)...)
}

// refuse prints what is wrong with the files.
func (x *call) refuse(faults []fault) error {
	for _, f := range faults {
		fmt.Fprintln(x.err, plain(f.String()))
	}
	x.say("%s. Nothing was changed.", plural(len(faults), "1 problem", "%d problems"))
	return exit(exitUsage)
}

// readPolicies reads a file, the standard input, or the files of a folder.
func readPolicies(x *call, path string) (docs []*document, faults []fault, err error) {
	files := []string{path}
	if path != "-" {
		info, err := os.Stat(path)
		if err != nil {
			return nil, nil, err
		}
		if info.IsDir() {
			if files, err = policyFiles(path); err != nil {
				return nil, nil, err
			}
		}
	}
	first := map[string]*document{}
	for _, f := range files {
		var raw []byte
		name := f
		if f == "-" {
			name = "(standard input)"
			raw, err = io.ReadAll(io.LimitReader(x.in, maxPolicyFile+1))
		} else {
			raw, err = os.ReadFile(f)
		}
		if err != nil {
			return nil, nil, err
		}
		read, wrong := readDocuments(name, raw)
		faults = append(faults, wrong...)
		for _, d := range read {
			key := d.kind.name + " " + strings.ToLower(d.name)
			if other := first[key]; other != nil {
				faults = append(faults, fault{d.file, d.line, "duplicateDocument", fmt.Sprintf("this stands in %s:%d already", other.file, other.line)})
				continue
			}
			first[key] = d
			docs = append(docs, d)
		}
	}
	return docs, faults, nil
}

// plan finds out what differs from the server, in the order of kinds.
func (e *exchange) plan(docs []*document) (changes []*change, faults []fault, err error) {
	for _, k := range kinds() {
		for _, d := range docs {
			if d.kind.name != k.name {
				continue
			}
			was, err := k.find(e, d.name)
			if _, several := errors.AsType[usage](err); several {
				faults = append(faults, fault{d.file, d.line, "ambiguousName", err.Error()})
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			if k.name == "group" && was.id == "" {
				e.pending[strings.ToLower(d.name)] = true
			}
			wrong, err := e.settle(d)
			if err != nil {
				return nil, nil, err
			}
			if k.name == "fido2" {
				wrong = append(wrong, settleProfiles(e, d, was)...)
			}
			if faults = append(faults, wrong...); len(wrong) > 0 {
				continue
			}
			if k.key != "" && was.id != "" {
				d.value[k.key] = was.value[k.key] // the name found it, in any spelling
			}
			dropNothing(k.fields, d.value, was.value)
			c := &change{document: d, was: was, is: overlay(was.value, d.value)}
			if was.id != "" && reflect.DeepEqual(was.value, c.is) {
				continue
			}
			changes = append(changes, c)
		}
	}
	for _, c := range changes { // when all names are known
		switch {
		case c.was.id == "":
			c.words = append([]string{"is new"}, e.sentences(c.kind.fields[1:], nil, c.is)...)
		case c.kind.words != nil:
			c.words = c.kind.words(e, c)
		default:
			c.words = e.sentences(c.kind.fields, c.was.value, c.is)
		}
	}
	return changes, faults, nil
}

// dropNothing takes members out of is that say nothing where was says nothing
// either: there are two ways to say it.
func dropNothing(fields []field, is, was map[string]any) {
	for _, f := range fields {
		if inner, ok := is[f.name].(map[string]any); ok && f.form == anObject {
			old, _ := was[f.name].(map[string]any)
			dropNothing(f.fields, inner, old)
		}
		if f.sparse && saysNothing(is[f.name]) && saysNothing(was[f.name]) {
			delete(is, f.name)
		}
	}
}

// printPlan prints a line for each thing that changes.
func (x *call) printPlan(changes []*change) error {
	rows := []map[string]any{}
	for _, c := range changes {
		for _, w := range c.words {
			rows = append(rows, map[string]any{"file": c.file, "line": c.line, "kind": c.kind.name, "name": c.name, "policy": c.title(), "change": w})
		}
	}
	if x.output != "table" || x.columns != nil {
		return x.print(rows, column{"POLICY", "policy"}, column{"CHANGE", "change"}, column{"FILE", "file"}, column{"LINE", "line"})
	}
	for _, c := range changes {
		fmt.Fprintf(x.out, "%s (%s)\n", plain(c.title()), plain(c.file))
		for _, w := range c.words {
			fmt.Fprintf(x.out, "  %s\n", plain(w))
		}
	}
	return nil
}

// sayImpact says what would come of the changes for people.
func (x *call) sayImpact(i impactOfAll) {
	if i.passkeys == nil {
		return
	}
	n := func(path string) string { return show(member(i.passkeys, path)) }
	if n("passkeys/stopWorking") != "0" || n("passkeys/startWorking") != "0" {
		x.say("Of %s passkeys %s stop working and %s start; %s people lose all of theirs, %s their last way to sign in.", n("passkeys/total"), n("passkeys/stopWorking"),
			n("passkeys/startWorking"), n("users/loseAllPasskeys"), n("users/loseLastMethod"))
	}
	for _, w := range listOf(i.passkeys["warnings"]) {
		x.say("Warning: %s", text(w, "message"))
	}
}

// carryOut makes the changes one by one. The first that fails ends it: what was
// done before stays, and applying again does the rest.
func (e *exchange) carryOut(changes []*change) error {
	for i, c := range changes {
		if err := c.kind.write(e, c); err != nil {
			err = fmt.Errorf("%s (%s:%d): %w", c.title(), c.file, c.line, err)
			if i == 0 {
				return err
			}
			explainAdmin(e.err, adminError{e.doing, err})
			e.say("%s. Apply again when the reason is gone.", plural(i, "1 document was changed before", "%d documents were changed before"))
			return exit(exitPartly)
		}
		e.say("Changed: %s.", c.title())
	}
	return nil
}
