package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"cardea/internal/server"
)

// serverCommands run on the server's machine, on its database directly.
func serverCommands() []*cobra.Command {
	return []*cobra.Command{serveCommand(), demoCommand(), bootstrapCommand(), backupCommand(), restoreCommand(), configCommand(), keyCommand(), metadataCommand(), versionCommand()}
}

// settings adds a flag per setting; the environment gives the defaults.
func settings(c *cobra.Command) *server.Config {
	cfg := server.FromEnvironment(os.Getenv)
	for _, s := range server.Settings {
		at := s.At(&cfg)
		if s.Secret { // a secret on the command line is visible to every process
			continue
		}
		c.Flags().StringVar(at, s.Flag(), *at, s.Help)
	}
	c.Args = noArguments
	return &cfg
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage{fmt.Errorf("%s takes no argument %q; see cardea %s --help", c.Name(), args[0], c.Name())}
	}
	return nil
}

func logger(cfg *server.Config, w io.Writer) *slog.Logger {
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

func serveCommand() *cobra.Command {
	c := &cobra.Command{Use: "serve", Short: "Start the server"}
	cfg := settings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		relaxCollector()
		s, err := server.New(c.Context(), *cfg, server.Options{Now: time.Now, Log: logger(cfg, c.ErrOrStderr())})
		if err != nil {
			return err
		}
		defer s.Close()
		return s.Run(c.Context(), func() error { return s.Greet(c.Context(), c.OutOrStdout()) })
	}
	return c
}

// relaxCollector lets the heap grow further between collections. A server
// holds some ten megabytes; at Go's default it would collect them many times a
// second under load. GOGC in the environment wins.
func relaxCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

func demoCommand() *cobra.Command {
	c := &cobra.Command{Use: "demo", Short: "Start a server with an invented organisation of 5,000 people, on loopback, for a look"}
	cfg := settings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := os.MkdirTemp("", "cardea-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		cfg.DataDir, cfg.DatabaseURL, cfg.MasterKeyFile, cfg.Demo = dir, "", "", true
		s, err := server.New(c.Context(), *cfg, server.Options{Now: time.Now, Log: logger(cfg, c.ErrOrStderr())})
		if err != nil {
			return err
		}
		defer s.Close()
		return s.Run(c.Context(), func() error { return s.GreetDemo(c.Context(), c.OutOrStdout()) })
	}
	return c
}

func versionCommand() *cobra.Command {
	c := &cobra.Command{Use: "version", Short: "Say which build this is", Args: noArguments}
	c.RunE = func(c *cobra.Command, _ []string) error {
		info, ok := debug.ReadBuildInfo()
		if !ok {
			return errors.New("this build carries no information about itself")
		}
		revision := "unknown revision"
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				revision += ", with changes"
			}
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "cardea %s (%s), %s\n", info.Main.Version, revision, info.GoVersion)
		return err
	}
	return c
}

func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show the settings in force and check them"}
	cfg := settings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		for _, s := range server.Settings {
			value, from := *s.At(cfg), "default"
			switch f := c.Flags().Lookup(s.Flag()); {
			case f != nil && f.Changed:
				from = "flag"
			case os.Getenv(s.Env) != "":
				from = "environment"
			}
			if s.Secret && value != "" {
				value = "(set)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Env, value, from)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return cfg.Check()
	}
	return c
}

func bootstrapCommand() *cobra.Command {
	c := &cobra.Command{Use: "bootstrap", Short: "Print a new set-up link; see also bootstrap app",
		Long: "Prints a new one-time link that makes the first administrator. Older links die. Once an administrator has a passkey there is no such link any more: use a Temporary Access Pass."}
	cfg := settings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		o, err := offline(c, cfg)
		if err != nil {
			return err
		}
		defer o.Close()
		return o.Greet(c.Context(), c.OutOrStdout())
	}
	c.AddCommand(bootstrapAppCommand())
	return c
}

func bootstrapAppCommand() *cobra.Command {
	c := &cobra.Command{Use: "app", Short: "Register an application for automation and print its credentials once"}
	cfg := settings(c)
	name := c.Flags().String("name", "Automation", "display name of the application")
	permission := c.Flags().StringSlice("permission", []string{"all"}, "application permissions, comma separated; all is every one")
	output := c.Flags().String("output", "text", "text or json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *output != "text" && *output != "json" {
			return usage{fmt.Errorf("--output is text or json, not %q", *output)}
		}
		o, err := offline(c, cfg)
		if err != nil {
			return err
		}
		defer o.Close()
		app, err := o.BootstrapApp(c.Context(), *name, *permission)
		if err != nil {
			return err
		}
		if *output == "json" {
			return json.NewEncoder(c.OutOrStdout()).Encode(app)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "Tenant id         %s\nClient id         %s\nClient secret     %s\nPublic client id  %s\nThe secret is shown once.\n", app.TenantID, app.ClientID, app.ClientSecret, app.PublicClientID)
		return err
	}
	return c
}

// offline opens the server's database without serving: commands work beside a
// running server, because both databases allow several processes.
func offline(c *cobra.Command, cfg *server.Config) (*server.Server, error) {
	return server.New(c.Context(), *cfg, server.Options{Now: time.Now, Log: logger(cfg, c.ErrOrStderr()), Offline: true})
}

func backupCommand() *cobra.Command {
	c := &cobra.Command{Use: "backup FILE", Short: "Write a consistent copy of the SQLite database while the server runs"}
	cfg := settings(c)
	c.Args = oneArgument("the file to write")
	c.RunE = func(c *cobra.Command, args []string) error {
		o, err := offline(c, cfg)
		if err != nil {
			return err
		}
		defer o.Close()
		if err := o.Backup(c.Context(), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "Wrote %s. Keep a copy of the master key apart from it: neither is of use without the other.\n", args[0])
		return nil
	}
	return c
}

func restoreCommand() *cobra.Command {
	c := &cobra.Command{Use: "restore FILE", Short: "Replace the SQLite database by a backup; the server must be stopped"}
	cfg := settings(c)
	yes := c.Flags().Bool("yes", false, "replace an existing database without asking")
	marks := c.Flags().Bool("mark", false, "restore nothing: after pg_restore, tell clients that follow changes (delta) to start again")
	c.Args = func(c *cobra.Command, args []string) error {
		if *marks && len(args) == 0 {
			return nil
		}
		return oneArgument("the backup to restore")(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if *marks {
			return server.Restored(c.Context(), *cfg)
		}
		kept, err := server.Restore(c.Context(), *cfg, args[0], *yes)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "Restored.")
		if kept != "" {
			fmt.Fprintf(c.OutOrStdout(), "The database that was there is now %s.\n", kept)
		}
		return nil
	}
	return c
}

func oneArgument(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage{fmt.Errorf("%s takes one argument: %s", c.Name(), what)}
		}
		return nil
	}
}

func keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Signing and sealing keys: list, rotate"}
	list := &cobra.Command{Use: "list", Short: "List the keys"}
	listCfg := settings(list)
	list.RunE = func(c *cobra.Command, _ []string) error {
		o, err := offline(c, listCfg)
		if err != nil {
			return err
		}
		defer o.Close()
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tUSE\tALGORITHM\tACTIVE SINCE\tRETIRED")
		for _, k := range o.Keys() {
			retired := "-"
			if k.RetiredAt != nil {
				retired = k.RetiredAt.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Use, k.Algorithm, k.ActiveAt.Format(time.RFC3339), retired)
		}
		return w.Flush()
	}
	rotate := &cobra.Command{Use: "rotate", Short: "Make new keys; they are published at once and used ten minutes later"}
	rotateCfg := settings(rotate)
	now := rotate.Flags().Bool("now", false, "use the new keys at once and forget the old signing keys, after a theft: tokens that are out end, clients fetch the key set anew")
	rotate.RunE = func(c *cobra.Command, _ []string) error {
		o, err := offline(c, rotateCfg)
		if err != nil {
			return err
		}
		defer o.Close()
		keys, err := o.RotateKeys(c.Context(), *now)
		if err != nil {
			return err
		}
		for _, k := range keys {
			fmt.Fprintf(c.OutOrStdout(), "%s  %s %s, in use from %s\n", k.ID, k.Use, k.Algorithm, k.ActiveAt.Format(time.RFC3339))
		}
		return nil
	}
	c.AddCommand(list, rotate)
	return c
}

func metadataCommand() *cobra.Command {
	c := &cobra.Command{Use: "metadata", Short: "FIDO metadata for attestation: status, upload"}
	status := &cobra.Command{Use: "status", Short: "Say which metadata is in use"}
	statusCfg := settings(status)
	status.RunE = func(c *cobra.Command, _ []string) error {
		o, err := offline(c, statusCfg)
		if err != nil {
			return err
		}
		defer o.Close()
		return o.MetadataStatus(c.Context(), c.OutOrStdout())
	}
	upload := &cobra.Command{Use: "upload FILE", Short: "Use a metadata file (BLOB) that was downloaded elsewhere, or an entry of your own (JSON)"}
	uploadCfg := settings(upload)
	upload.Args = oneArgument("the file")
	upload.RunE = func(c *cobra.Command, args []string) error {
		o, err := offline(c, uploadCfg)
		if err != nil {
			return err
		}
		defer o.Close()
		data, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		if err := o.UploadMetadata(c.Context(), data); err != nil {
			return err
		}
		return o.MetadataStatus(c.Context(), c.OutOrStdout())
	}
	c.AddCommand(status, upload)
	return c
}
