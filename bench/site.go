package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"cardea/internal/server"
)

// options are the flags that several parts read.
type options struct {
	workers     int
	length      time.Duration
	dsn, binary string
	profile     string // file; "" is a server in a process of its own, and figures
	only        string // measure what is called so; "" is everything
}

func (o options) machine() string {
	engine := "SQLite, synchronous=FULL"
	if o.dsn != "" {
		engine = "PostgreSQL"
	}
	return fmt.Sprintf("%s, %d cores, %s", engine, runtime.NumCPU(), runtime.Version())
}

// site is a server at work on data of its own, and a client with every
// permission.
type site struct {
	dir, log string
	process  *process // nil: the server is in this process, under the profiler
	app      server.BootstrappedApp
	api      *apiClient
	end      func() error
}

// open makes a database, lets fill put something into it, and starts the server.
func open(o options, fill func(context.Context, *server.Server) error) (s *site, err error) {
	s = &site{end: func() error { return nil }}
	if s.dir, err = os.MkdirTemp("", "cardea-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	for k, v := range map[string]string{"CARDEA_DATA_DIR": s.dir, "CARDEA_LISTEN": "127.0.0.1:" + port, "CARDEA_DATABASE_URL": o.dsn, "CARDEA_METADATA_URL": ""} {
		os.Setenv(k, v)
	}
	ctx := context.Background()
	built, err := server.New(ctx, server.FromEnvironment(os.Getenv), server.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Offline: true})
	if err != nil {
		return nil, err
	}
	if s.app, err = built.BootstrapApp(ctx, "Bench", []string{"all"}); err == nil {
		err = fill(ctx, built)
	}
	if err = errors.Join(err, built.Close()); err != nil {
		return nil, err
	}
	s.log = filepath.Join(s.dir, "log")
	if o.profile != "" {
		s.end, err = inside(o.profile)
	} else if s.process, err = start(o.binary, s.log, port); err == nil {
		s.end = func() error { s.process.stop(); return nil }
	}
	if err != nil {
		return nil, err
	}
	s.api = &apiClient{base: "http://localhost:" + port, workers: min(o.workers, 8), length: o.length, only: o.only, cpu: s.cpu}
	s.api.token, err = s.api.login(s.app.ClientID, s.app.ClientSecret)
	return s, err
}

func (s *site) close() {
	if err := s.end(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.RemoveAll(s.dir)
}

// peak is the most memory that the server has had.
func (s *site) peak() string {
	if s.process == nil {
		return "not measured"
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.cmd.Process.Pid))
	if err != nil {
		return "unknown"
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

// inside runs the server in this process and profiles it until end is called.
func inside(file string) (end func() error, err error) {
	s, err := server.New(context.Background(), server.FromEnvironment(os.Getenv), server.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, served := make(chan struct{}), make(chan error, 1)
	go func() { served <- s.Run(ctx, func() error { close(ready); return nil }) }()
	select {
	case <-ready:
	case err := <-served:
		cancel()
		return nil, errors.Join(err, s.Close())
	}
	out, err := os.Create(file)
	if err == nil {
		err = pprof.StartCPUProfile(out)
	}
	return func() error {
		pprof.StopCPUProfile()
		cancel()
		return errors.Join(<-served, out.Close(), s.Close())
	}, err
}
