package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// sampleArguments are the names that examples use.
var sampleArguments = map[string]string{"USER": "ada", "GROUP": "Engineering", "APP": "Wiki", "ROLE": `"Reports Reader"`, "PROFILE": `"Security keys"`,
	"NAME": "contoso", "ID": "ID", "FILE": "cardea.backup", "POLICY": "fido2", "DIR": "man/"}

// exemplify gives every command an example, since help begins with one.
func exemplify(c *cobra.Command) {
	for _, inner := range c.Commands() {
		exemplify(inner)
	}
	if c.Example != "" || !c.HasParent() {
		return
	}
	words := strings.Fields(c.Use)
	line := "  " + c.CommandPath()
	for _, w := range words[1:] {
		if s := sampleArguments[w]; s != "" {
			w = s
		}
		line += " " + w
	}
	if c.HasAvailableSubCommands() {
		line += " " + c.Commands()[0].Name() + " --help"
	} else if c.Flags().Lookup("user") != nil && (c.Parent().Name() == "passkey" || c.Parent().Name() == "role") {
		line += " --user ada"
	}
	c.Example = line
}

// manCommand writes the manual. It is made of the same texts as --help.
func manCommand() *cobra.Command {
	c := &cobra.Command{Use: "man DIR", Short: "Write manual pages, one for each command", Args: oneArgument("the folder for the pages"),
		Example: "  cardea man ~/.local/share/man/man1"}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return err
		}
		return writeManual(c.Root(), args[0])
	}
	return c
}

func writeManual(c *cobra.Command, dir string) error {
	for _, inner := range c.Commands() {
		if inner.IsAvailableCommand() && inner.Name() != "help" {
			if err := writeManual(inner, dir); err != nil {
				return err
			}
		}
	}
	var b strings.Builder
	manualPage(&b, c)
	return os.WriteFile(filepath.Join(dir, pageName(c)+".1"), []byte(b.String()), 0o644)
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manualPage writes a page in the man macros of roff.
func manualPage(w io.Writer, c *cobra.Command) {
	section := func(name string) { fmt.Fprintf(w, ".SH %s\n", name) }
	fmt.Fprintf(w, ".TH %q 1 \"\" \"Cardea\" \"Cardea\"\n", strings.ToUpper(pageName(c)))
	section("NAME")
	fmt.Fprintf(w, "%s \\- %s\n", roff(pageName(c)), roff(c.Short))
	section("SYNOPSIS")
	fmt.Fprintf(w, ".B %s\n", roff(c.CommandPath()))
	if words := strings.Fields(c.Use); len(words) > 1 {
		fmt.Fprintf(w, "%s\n", roff(strings.Join(words[1:], " ")))
	}
	fmt.Fprint(w, "[flags]\n")
	section("DESCRIPTION")
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		fmt.Fprintf(w, ".PP\n%s\n", roff(paragraph))
	}
	if c.Example != "" {
		section("EXAMPLES")
		fmt.Fprintf(w, ".nf\n%s\n.fi\n", roff(c.Example))
	}
	flags := func(name string, set *pflag.FlagSet) {
		if !set.HasAvailableFlags() {
			return
		}
		section(name)
		set.VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			short := ""
			if f.Shorthand != "" {
				short = "-" + f.Shorthand + ", "
			}
			kind, about := pflag.UnquoteUsage(f)
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(short+"--"+f.Name+" "+kind)), roff(about))
		})
	}
	flags("FLAGS", c.NonInheritedFlags())
	flags("FLAGS OF ALL SUCH COMMANDS", c.InheritedFlags())
	section("SEE ALSO")
	also := []string{}
	if c.HasParent() {
		also = append(also, pageName(c.Parent()))
	}
	for _, inner := range c.Commands() {
		if inner.IsAvailableCommand() && inner.Name() != "help" {
			also = append(also, pageName(inner))
		}
	}
	for i, page := range also {
		also[i] = ".BR " + roff(page) + " (1)"
	}
	fmt.Fprintln(w, strings.Join(also, ",\n"))
}

// roff escapes what troff would take for a command, and letters that old ones
// do not read.
func roff(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r > '~':
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// complete lets the shell complete names of people, groups and so on, by asking
// the server for what begins so.
func complete(a *admin, c *cobra.Command) {
	for _, inner := range c.Commands() {
		complete(a, inner)
	}
	words := strings.Fields(c.Use)
	noun := ""
	if len(words) > 1 {
		noun = strings.Trim(words[1], "…")
	}
	if c.HasParent() && c.Parent().Name() == "context" && noun == "NAME" {
		noun = "CONTEXT"
	}
	if _, ok := completions[noun]; ok && c.ValidArgsFunction == nil {
		c.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 && !strings.HasSuffix(words[1], "…") {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.namesOf(cmd, noun, begun)
		}
	}
	for flag, noun := range map[string]string{"user": "USER", "group": "GROUP", "app": "APP", "role": "ROLE", "add": "USER", "remove": "USER", "context": "CONTEXT"} {
		if c.LocalFlags().Lookup(flag) != nil {
			// Only a flag that does not exist is an error.
			_ = c.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
				return a.namesOf(cmd, noun, begun)
			})
		}
	}
	if c.PersistentFlags().Lookup("output") != nil {
		_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	}
}

// completions say where names come from, and which member is the name.
var completions = map[string]struct{ path, member string }{
	"USER": {"/v1.0/users?$select=userPrincipalName,displayName", "userPrincipalName"}, "GROUP": {"/v1.0/groups?$select=displayName", "displayName"},
	"APP": {"/v1.0/applications?$select=displayName", "displayName"}, "ROLE": {"/v1.0/directoryRoles", "displayName"}, "PROFILE": {}, "CONTEXT": {}, "POLICY": {},
}

// namesOf lists up to 50 names that begin so. Whatever goes wrong, the shell
// only has nothing to offer; nobody waits for that longer than three seconds,
// unless --timeout says so.
func (a *admin) namesOf(cmd *cobra.Command, noun, begun string) ([]string, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	patience := 3 * time.Second
	if cmd.Flags().Changed("timeout") {
		patience = a.timeout
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	quiet := *a
	quiet.quiet, quiet.limit, quiet.all, quiet.verbose = true, 50, false, false
	x := &call{admin: &quiet, ctx: ctx, out: io.Discard, err: io.Discard, in: strings.NewReader("")}
	names := []string{}
	switch source := completions[noun]; noun {
	case "CONTEXT":
		b, err := openBook()
		if err != nil {
			return nil, none
		}
		for n := range b.Contexts {
			names = append(names, n)
		}
	case "POLICY":
		for _, k := range kinds() {
			if k.key == "" {
				names = append(names, k.name)
			}
		}
	case "PROFILE":
		p, err := x.passkeyPolicy()
		if err != nil {
			return nil, none
		}
		for _, q := range p.PasskeyProfiles {
			names = append(names, q.Name)
		}
	case "ROLE":
		o, err := x.get(source.path)
		if err != nil {
			return nil, none
		}
		for _, r := range objects(o) {
			names = append(names, text(r, source.member))
		}
	default:
		filter := ""
		if begun != "" {
			filter = "startswith(" + source.member + "," + quoted(begun) + ")"
		}
		rows, err := x.list(query(source.path, "$filter", filter, "$top", "50"))
		if err != nil {
			return nil, none
		}
		for _, r := range rows {
			names = append(names, text(r, source.member))
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		return !strings.HasPrefix(strings.ToLower(n), strings.ToLower(begun)) || plain(n) != n
	})
	slices.Sort(names)
	return names, none
}
