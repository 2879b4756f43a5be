package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"cardea/internal/server"
)

// profile runs the server in this process, works it with sign-ins, and writes
// a processor profile. The browsers are in it too: look below signin.
func profile(workers, people int, length time.Duration, dsn, file string) error {
	world, dir, _, err := prepare(people, dsn)
	defer os.RemoveAll(dir)
	if err != nil {
		return err
	}
	s, err := server.New(context.Background(), server.FromEnvironment(os.Getenv), server.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	served := make(chan error, 1)
	go func() { served <- s.Run(ctx, func() error { close(ready); return nil }) }()
	<-ready
	out, err := os.Create(file)
	if err != nil {
		cancel()
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		cancel()
		return err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			b, err := newBrowser(world)
			if err != nil {
				return
			}
			defer b.close()
			for n := i; !stop.Load(); n += workers {
				if signIn(b, world.people[n%len(world.people)]) != nil {
					return
				}
			}
		})
	}
	time.Sleep(length)
	stop.Store(true)
	wg.Wait()
	pprof.StopCPUProfile()
	cancel()
	return <-served
}
