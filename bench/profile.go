package main

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// profile runs the server in this process, works it with sign-ins, and writes
// a processor profile. The browsers are in it too: look below signin.
func profile(people int, o options) error {
	world, dir, _, err := prepare(people, o.dsn)
	defer os.RemoveAll(dir)
	if err != nil {
		return err
	}
	end, err := inside(o.profile)
	if err != nil {
		return err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range o.workers {
		wg.Go(func() {
			b, err := newBrowser(world)
			if err != nil {
				return
			}
			defer b.close()
			for n := i; !stop.Load(); n += o.workers {
				if signIn(b, world.people[n%len(world.people)]) != nil {
					return
				}
			}
		})
	}
	time.Sleep(o.length)
	stop.Store(true)
	wg.Wait()
	return end()
}
