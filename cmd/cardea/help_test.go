package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// each calls f for every command of the program but cobra's own.
func each(c *cobra.Command, f func(*cobra.Command)) {
	for _, inner := range c.Commands() {
		if inner.Name() == "help" || inner.Name() == "completion" {
			continue
		}
		f(inner)
		each(inner, f)
	}
}

// TestEveryCommandHasAnExample: --help of every command begins with what it is
// for and has an example that names it, with flags that exist.
func TestEveryCommandHasAnExample(t *testing.T) {
	n := 0
	each(program(io.Discard, io.Discard), func(c *cobra.Command) {
		n++
		if c.Short == "" || !strings.Contains(c.Example, "  cardea "+strings.TrimPrefix(c.CommandPath(), "cardea ")) && !strings.Contains(c.Example, "cardea ") {
			t.Errorf("%s has no example: %q", c.CommandPath(), c.Example)
		}
		if c.HasAvailableSubCommands() && !c.Runnable() {
			return
		}
		for _, line := range strings.Split(c.Example, "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), c.CommandPath()+" ") {
				continue
			}
			line, _, _ = strings.Cut(line, " #")
			for _, word := range strings.Fields(line) {
				name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
				if strings.HasPrefix(word, "--") && name != "help" && c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
					t.Errorf("the example of %s uses --%s, which does not exist", c.CommandPath(), name)
				}
			}
		}
	})
	if n < 70 {
		t.Errorf("only %d commands were looked at", n)
	}
}

// TestManual writes the manual: a page for each command, with its flags, and
// nothing that roff would take for a command of its own.
func TestManual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if code := run([]string{"man", dir}, io.Discard, io.Discard); code != 0 {
		t.Fatalf("exit %d", code)
	}
	each(program(io.Discard, io.Discard), func(c *cobra.Command) {
		raw, err := os.ReadFile(filepath.Join(dir, pageName(c)+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		page := string(raw)
		for _, want := range []string{".TH ", ".SH NAME\n", ".SH EXAMPLES\n", ".SH SEE ALSO\n"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %q", pageName(c), want)
			}
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(page, roff("--"+f.Name)) {
				t.Errorf("%s does not have --%s", pageName(c), f.Name)
			}
		})
		if i := strings.IndexFunc(page, func(r rune) bool { return r > '~' }); i >= 0 {
			t.Errorf("%s has a letter that old programs do not read: %q", pageName(c), page[i:i+4])
		}
		for line := range strings.SplitSeq(page, "\n") {
			macro, _, _ := strings.Cut(line, " ")
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !strings.Contains(" .TH .SH .B .PP .TP .nf .fi .BR ", " "+macro+" ") {
				t.Errorf("%s: roff would take %q for a command", pageName(c), line)
			}
		}
	})
}

// TestCompletion: scripts for four shells, and names that the server knows.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell", "pwsh"} {
		var out strings.Builder
		if code := run([]string{"completion", shell}, &out, io.Discard); code != 0 || len(out.String()) < 1000 {
			t.Errorf("%s: exit %d, %d bytes", shell, code, len(out.String()))
		}
	}
	s, stop, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	nobody(t, s)
	app, err := s.BootstrapApp(t.Context(), "Robot", []string{"all"})
	if err != nil {
		t.Fatal(err)
	}
	offered := func(args ...string) string {
		t.Helper()
		out, _ := typed(t, 0, append([]string{"__complete"}, args...)...)
		return out
	}
	if got := offered("user", "get", "a"); got != ":4\n" {
		t.Errorf("nobody is signed in, and there is %q", got)
	}
	t.Setenv("CARDEA_CLIENT_ID", app.ClientID)
	t.Setenv("CARDEA_CLIENT_SECRET", app.ClientSecret)
	typed(t, 0, "user", "create", "ada@contoso.test")
	typed(t, 0, "user", "create", "alan@contoso.test")
	typed(t, 0, "group", "create", "Sales and service")
	for _, c := range []struct{ args, want string }{
		{"user get a", "ada@contoso.test\nalan@contoso.test\n:4\n"},
		{"user get al", "alan@contoso.test\n:4\n"},
		{"user get ada x", ":4\n"},
		{"tap issue ada al", "alan@contoso.test\n:4\n"},
		{"group get Sal", "Sales and service\n:4\n"},
		{"profile assign Default --group S", "Sales and service\n:4\n"},
		{"profile get D", "Default passkey profile\n:4\n"},
		{"role holders Global", "Global Administrator\nGlobal Reader\n:4\n"},
		{"app get R", "Robot\n:4\n"},
		{"policy get soft", "softwareOath\n:4\n"},
		{"user list -o y", "table\njson\nndjson\ncsv\nyaml\n:4\n"},
	} {
		args := slices.Insert(strings.Split(c.args, " "), 2, "--timeout", "2m") // a slow machine offers the same
		if got := offered(args...); got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
}
