package bulk

import (
	"context"
	"sync"
	"time"
)

// Gate lets a bounded number of workers through. When the server asks for
// patience everybody waits that long, and only half as many go on afterwards;
// each round of successes lets one more through again.
type Gate struct {
	now     func() time.Time
	most    int
	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever somebody may go on
	inside  int
	allowed int
	good    int // successes since allowed last changed
	until   time.Time
	waits   int
}

// NewGate makes a gate for so many workers. now is the clock.
func NewGate(workers int, now func() time.Time) *Gate {
	return &Gate{now: now, most: workers, allowed: workers, changed: make(chan struct{})}
}

// Enter takes a place; ctx ends the waiting for one, if there has to be any.
// Every Enter without error needs one Leave.
func (g *Gate) Enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		pause := g.until.Sub(g.now())
		if pause <= 0 && g.inside < g.allowed {
			g.inside++
			g.mu.Unlock()
			return nil
		}
		changed := g.changed
		g.mu.Unlock()
		var over <-chan time.Time
		if pause > 0 {
			t := time.NewTimer(pause)
			defer t.Stop()
			over = t.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-over:
		}
	}
}

// Leave gives the place back. A pause above zero is how long the server asked
// everybody to wait.
func (g *Gate) Leave(pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if pause > 0 {
		if until := g.now().Add(pause); until.After(g.until) {
			// Those who were inside at the same time are told the same; it counts once.
			if !g.until.After(g.now()) {
				g.allowed, g.good, g.waits = max(1, g.allowed/2), 0, g.waits+1
			}
			g.until = until
		}
	} else if g.good++; g.good >= 20*g.allowed && g.allowed < g.most {
		g.allowed, g.good = g.allowed+1, 0
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// Waits is how often the server asked for patience.
func (g *Gate) Waits() int { g.mu.Lock(); defer g.mu.Unlock(); return g.waits }
