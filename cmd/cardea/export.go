package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func exportCommand(a *admin) *cobra.Command {
	var apps bool
	c := a.verb("export DIR|FILE", "Write the policies as files", `  cardea export policies/          # a file for each
  cardea export policies.yaml      # all in one; - writes to the standard output`, 1, func(x *call, args []string) error {
		return exportTo(x, args[0], apps)
	})
	c.Long = `Write the policies as YAML files, for review and version control: the policy of
authentication methods with the registration campaign, passkeys with their
profiles, Temporary Access Passes, app codes, passwords, and the groups that they
name (without members). The same policies give the same bytes.

docs/gitops.md is the whole guide.`
	c.Flags().BoolVar(&apps, "apps", false, "applications too, without their secrets and certificates")
	c.Annotations = map[string]string{bulkVerb: "yes"}
	return c
}

// isFile reports whether a path names a file of all documents, and not a folder.
func isFile(path string) bool {
	if info, err := os.Stat(path); err == nil {
		return !info.IsDir()
	}
	return path == "-" || isYAML(path)
}

func isYAML(path string) bool {
	return strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml")
}

// exported is a document on its way to a file.
type exported struct {
	path string
	text []byte
}

func exportTo(x *call, path string, apps bool) error {
	e := newExchange(x)
	e.apps = apps
	docs, err := e.export()
	if err != nil {
		return err
	}
	if isFile(path) {
		parts := [][]byte{}
		for _, d := range docs {
			parts = append(parts, d.text)
		}
		all := bytes.Join(parts, []byte("---\n"))
		if path == "-" {
			_, err := x.out.Write(all)
			return err
		}
		if x.dryRun {
			x.say("Would write %d documents to %s.", len(docs), path)
			return nil
		}
		if err := replaceFile(path, all); err != nil {
			return err
		}
		x.say("Wrote %d documents to %s.   Next: cardea apply %s --dry-run", len(docs), path, path)
		return nil
	}
	mine := map[string]bool{}
	for _, d := range docs {
		to := filepath.Join(path, d.path)
		mine[to] = true
		if x.dryRun {
			x.say("Would write %s.", to)
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := replaceFile(to, d.text); err != nil {
			return err
		}
	}
	there, err := policyFiles(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range there {
		if !mine[f] {
			x.say("%s is not of this export; cardea apply reads it too. Delete it if its policy is gone.", f)
		}
	}
	if !x.dryRun {
		x.say("Wrote %d files to %s.   Next: cardea apply %s --dry-run", len(docs), path, path)
	}
	return nil
}

// export reads every kind. Groups come last, when it is known which are named,
// and stand first.
func (e *exchange) export() (docs []exported, err error) {
	taken := map[string]bool{}
	for _, k := range slices.Backward(kinds()) {
		all, err := k.all(e)
		if err != nil {
			return nil, err
		}
		mine := []exported{}
		for _, t := range all {
			text, err := writeDocument(k, t.value)
			if err != nil {
				return nil, err
			}
			mine = append(mine, exported{k.fileName(show(t.value[k.key]), taken), text})
		}
		docs = append(mine, docs...)
	}
	return docs, nil
}

// replaceFile writes a file in one step.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".cardea-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// policyFiles lists the YAML files below a folder, in the order of their names.
// Hidden ones are somebody else's.
func policyFiles(dir string) (out []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && isYAML(path):
			out = append(out, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return out, nil
}
