// Command clock is `cardea serve` with a clock that a browser test can move:
// each line "forward 11m" on standard input puts it ahead. It is never shipped.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"cardea/internal/server"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cardea-clock:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var ahead atomic.Int64
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			by, err := time.ParseDuration(strings.TrimPrefix(lines.Text(), "forward "))
			if err != nil {
				fmt.Fprintln(os.Stderr, "cardea-clock:", err)
				continue
			}
			fmt.Println("clock:", time.Duration(ahead.Add(int64(by))), "ahead")
		}
	}()
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s, err := server.New(ctx, server.FromEnvironment(os.Getenv), server.Options{Now: now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run(ctx, func() error { return s.Greet(ctx, os.Stdout) })
}
