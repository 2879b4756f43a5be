package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
)

// Exit codes of the administration commands (ux.md §5.1).
const (
	exitPartly    = 3
	exitSignIn    = 4
	exitForbidden = 5
	exitNotFound  = 6
	exitConflict  = 7
)

// admin is one administration command as it was typed: the global flags, and
// the client that they lead to. It talks to the API like any other client.
type admin struct {
	contextName, server, ca string
	output                  string
	columns                 []string
	limit                   int
	all, quiet, yes         bool
	noInput, dryRun         bool
	verbose                 bool
	timeout                 time.Duration

	doing string // the command's path, for errors
}

// adminCommands are the nouns that talk to a server's API.
func adminCommands(a *admin) []*cobra.Command {
	list := []*cobra.Command{
		userCommand(a), groupCommand(a), roleCommand(a), appCommand(a), passkeyCommand(a), profileCommand(a), tapCommand(a), policyCommand(a),
		logCommand(a, "signin", "Sign-ins: who came in, who did not, and why", signInLog), logCommand(a, "audit", "Audits: who changed what", auditLog),
		bothLogs(a), exportCommand(a), applyCommand(a), apiCommand(a), loginCommand(a), logoutCommand(a), whoamiCommand(a), contextCommand(a),
	}
	for _, c := range list {
		a.flags(c)
	}
	return list
}

// outputs are the forms that -o names.
var outputs = []string{"table", "json", "ndjson", "csv", "yaml"}

func (a *admin) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&a.contextName, "context", "", "use this saved sign-in instead of the current one")
	f.StringVar(&a.server, "server", "", "address of the server, e.g. https://id.contoso.com (or CARDEA_SERVER)")
	f.StringVar(&a.ca, "ca", "", "PEM file with the authority to trust, for servers with their own (or CARDEA_CA)")
	f.StringVarP(&a.output, "output", "o", "table", "table, json, ndjson, csv or yaml")
	f.StringSliceVar(&a.columns, "columns", nil, "show these members instead of the usual columns")
	f.IntVar(&a.limit, "limit", 100, "show at most so many rows")
	f.BoolVar(&a.all, "all", false, "show all rows")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but data")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "show every request and its answer on the standard error, without secrets")
	f.BoolVar(&a.yes, "yes", false, "do not ask before something is deleted")
	f.BoolVar(&a.noInput, "no-input", false, "never ask; fail instead")
	f.BoolVar(&a.dryRun, "dry-run", false, "say what would happen and change nothing")
	f.DurationVar(&a.timeout, "timeout", 30*time.Second, "give up after")
	c.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		a.doing = cmd.CommandPath()
		if slices.Contains(outputs, a.output) {
			return nil
		}
		return usage{fmt.Errorf("-o is table, json, ndjson, csv or yaml, not %q", a.output)}
	}
}

// verb makes a command below a noun. args is how many arguments it takes; -1
// means any number.
func (a *admin) verb(use, short, example string, args int, run func(x *call, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Example: example,
		Args: func(_ *cobra.Command, given []string) error {
			if args >= 0 && len(given) != args {
				return usage{fmt.Errorf("write: %s", use)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, given []string) error {
			ctx, cancel := cmd.Context(), context.CancelFunc(func() {})
			if !strings.HasPrefix(use, "tail") && use != "login" && cmd.Annotations[bulkVerb] == "" {
				ctx, cancel = context.WithTimeout(ctx, a.timeout)
			}
			defer cancel()
			err := run(&call{admin: a, ctx: ctx, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), in: cmd.InOrStdin()}, given)
			if err != nil {
				if _, ok := errors.AsType[usage](err); !ok {
					if _, ok := errors.AsType[exit](err); !ok {
						return adminError{a.doing, err}
					}
				}
			}
			return err
		}}
}

// noun groups verbs.
func noun(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage{fmt.Errorf("there is no %q here; see cardea %s --help", args[0], use)}
		}
		return cmd.Help()
	}}
	c.AddCommand(verbs...)
	return c
}

// call is one running command.
type call struct {
	*admin
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	err    io.Writer
	client *client
}

// say writes a remark for the person, never data.
func (x *call) say(format string, args ...any) {
	if !x.quiet {
		fmt.Fprintf(x.err, format+"\n", args...)
	}
}

// confirm asks before something is lost. word is what has to be typed.
func (x *call) confirm(word, format string, args ...any) error {
	if x.yes {
		return nil
	}
	if x.noInput || !isTerminal(x.in) {
		return usage{fmt.Errorf("this needs a confirmation: add --yes")}
	}
	fmt.Fprintf(x.err, format+" Type %s: ", append(args, word)...)
	line, err := x.typed()
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if strings.TrimSpace(line) != word {
		return usage{errors.Join(errors.New("not confirmed; nothing was changed"), ignoreEOF(err))}
	}
	return nil
}

// typed is the next line that the person types. An interrupt ends the waiting.
func (x *call) typed() (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(x.in).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-x.ctx.Done():
		return "", x.ctx.Err()
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// adminError is an error of a command that talked to a server.
type adminError struct {
	doing string
	err   error
}

func (e adminError) Error() string { return e.doing + ": " + e.err.Error() }
func (e adminError) Unwrap() error { return e.err }

// notSignedIn says that there is nothing to sign in with.
type notSignedIn struct{ server string }

func (notSignedIn) Error() string { return "nobody is signed in" }

// explainAdmin prints an error in four lines: what, why, what to do next, and
// the request id; it returns the exit code.
func explainAdmin(w io.Writer, err error) (int, bool) {
	e, ok := errors.AsType[adminError](err)
	if !ok {
		return 0, false
	}
	why, next, id, code := e.err.Error(), "", "", exitFailed
	api, isAPI := errors.AsType[*apiError](err)
	_, unsigned := errors.AsType[notSignedIn](err)
	grant, isGrant := errors.AsType[*oauth2.RetrieveError](err)
	lost, isLost := errors.AsType[*url.Error](err)
	switch {
	case isAPI:
		id = api.RequestID
		if api.Reason != "" {
			why += " (" + api.Reason + ")"
		}
		for _, d := range api.Details {
			if d.Message != "" && d.Message != api.Message {
				why += "\n        " + d.Message + " (" + d.Code + ")"
			}
		}
		code, next = api.exit()
	case unsigned:
		code, next = exitSignIn, "cardea login --server https://your-server"
	case isGrant:
		why = fmt.Sprintf("the server gives no token: %s (%s)", grant.ErrorDescription, grant.ErrorCode)
		code, next = exitSignIn, "cardea login, or check CARDEA_CLIENT_ID and CARDEA_CLIENT_SECRET or CARDEA_CLIENT_CERT"
	case errors.Is(err, context.DeadlineExceeded):
		why = "no answer in time"
		next = "is the server up? Try again, or give it more time with --timeout"
	case errors.Is(err, context.Canceled):
		why = "interrupted"
		code, next = exitInterrupt, "run the same command again"
	case isLost:
		for inner := lost; inner != nil; inner, _ = errors.AsType[*url.Error](inner.Err) {
			why = inner.Err.Error()
		}
		next = "is the server up, and is this its address? A server with its own authority needs --ca FILE"
	}
	fmt.Fprintf(w, "cardea: %s failed\n", e.doing)
	fmt.Fprintf(w, "   why: %s\n", why)
	if next != "" {
		fmt.Fprintf(w, "  next: %s\n", next)
	}
	if id != "" {
		fmt.Fprintf(w, "    id: %s\n", id)
	}
	return code, true
}

// text reads a string member of a Graph object.
func text(o map[string]any, name string) string { s, _ := o[name].(string); return s }

// mustJSON marshals what this program made itself.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
