// Cardea is a self-hosted identity provider for passkeys. One binary: the
// server, the commands on the server's own machine, and the admin command
// line, which is a Graph client like any other.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"cardea/internal/problem"
)

// Exit codes (docs/cli.md).
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitInterrupt = 130
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its world as parameters, so that tests type commands too.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := program(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return explain(stderr, err)
}

// program is the whole tree of commands.
func program(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "cardea",
		Short:         "Self-hosted identity provider for a workforce that signs in with passkeys",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.AddGroup(&cobra.Group{ID: "server", Title: "On the server's machine:"}, &cobra.Group{ID: "admin", Title: "Administration, over the API:"})
	for _, c := range serverCommands() {
		c.GroupID = "server"
		root.AddCommand(c)
	}
	a := &admin{}
	for _, c := range adminCommands(a) {
		c.GroupID = "admin"
		root.AddCommand(c)
		complete(a, c)
	}
	root.AddCommand(manCommand())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		for _, shell := range c.Commands() {
			if c.Name() == "completion" && shell.Name() == "powershell" {
				shell.Aliases = []string{"pwsh"}
			}
		}
	}
	exemplify(root)
	return root
}

// usage marks an error in how a command was typed.
type usage struct{ error }

// explain prints err for the person at the keyboard and returns the exit code.
func explain(w io.Writer, err error) int {
	if e, ok := errors.AsType[exit](err); ok {
		return int(e)
	}
	if code, ok := explainAdmin(w, err); ok {
		return code
	}
	if p, ok := errors.AsType[*problem.Error](err); ok {
		fmt.Fprintf(w, "cardea: %s\n        (%s)\n", p.Detail, p.Code)
		if p.Err != nil {
			fmt.Fprintln(w, "        cause:", p.Err)
		}
		return exitFailed
	}
	fmt.Fprintln(w, "cardea:", err)
	if _, ok := errors.AsType[usage](err); ok || strings.HasPrefix(err.Error(), "unknown command") { // cobra has no type for it
		return exitUsage
	}
	return exitFailed
}

// exit ends the program with a code when everything was said already.
type exit int

func (exit) Error() string { return "exit" }
