package application

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// Cache answers look-ups by client id from memory. It is safe for concurrent
// use. It asks the database at most once a second whether anything changed, so
// a change on another node is seen within that time.
type Cache struct {
	d    *db.DB
	load sync.Mutex
	snap atomic.Pointer[snapshot]
}

type snapshot struct {
	version int64
	checked time.Time
	byAppID map[string]*Application
}

const checkEvery = time.Second

// NewCache returns an empty cache over d.
func NewCache(d *db.DB) *Cache { return &Cache{d: d} }

// Find returns the application with a client id. Callers must not change it.
// An unknown one is applicationUnknown.
func (c *Cache) Find(ctx context.Context, appID string, now time.Time) (*Application, error) {
	s := c.snap.Load()
	if age := c.age(s, now); age < 0 || age >= checkEvery {
		var err error
		if s, err = c.refresh(ctx, now); err != nil {
			return nil, err
		}
	}
	if a := s.byAppID[strings.ToLower(appID)]; a != nil {
		return a, nil
	}
	return nil, problem.New(problem.Invalid, "applicationUnknown", "There is no application with the client id %q here. Check the client id, or ask your administrator to register the application.", clip(appID))
}

// Refresh forgets when it last looked: the next Find sees every change that is
// committed by now. Edges call it after they changed an application.
func (c *Cache) Refresh(ctx context.Context, now time.Time) error {
	_, err := c.refresh(ctx, now)
	return err
}

func (c *Cache) age(s *snapshot, now time.Time) time.Duration {
	if s == nil {
		return -1
	}
	return now.Sub(s.checked)
}

func (c *Cache) refresh(ctx context.Context, now time.Time) (*snapshot, error) {
	c.load.Lock()
	defer c.load.Unlock()
	// The version is read before the rows: a change in between is read twice
	// rather than never.
	v, err := db.Version(ctx, c.d, VersionName)
	if err != nil {
		return nil, err
	}
	next := &snapshot{version: v, checked: now}
	if old := c.snap.Load(); old != nil && old.version == v {
		next.byAppID = old.byAppID
	} else {
		all, err := List(ctx, c.d)
		if err != nil {
			return nil, err
		}
		next.byAppID = make(map[string]*Application, len(all))
		for i := range all {
			next.byAppID[strings.ToLower(all[i].AppID)] = &all[i]
		}
	}
	c.snap.Store(next)
	return next, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
