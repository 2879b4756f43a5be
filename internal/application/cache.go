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
	byURI   map[string]*Application // identifier URIs
}

const checkEvery = time.Second

// NewCache returns an empty cache over d.
func NewCache(d *db.DB) *Cache { return &Cache{d: d} }

// Find returns the application with a client id. Callers must not change it.
// An unknown one is applicationUnknown; one that nobody may use at present is
// applicationDisabled or servicePrincipalMissing.
func (c *Cache) Find(ctx context.Context, appID string, now time.Time) (*Application, error) {
	s, err := c.current(ctx, now)
	if err != nil {
		return nil, err
	}
	a := s.byAppID[strings.ToLower(appID)]
	if a == nil {
		return nil, problem.New(problem.Invalid, "applicationUnknown", "There is no application with the client id %q here. Check the client id, or ask your administrator to register the application.", clip(appID))
	}
	return a, a.Usable()
}

// ByResource returns the application that a resource of a scope names: by an
// identifier URI, by its client id, or by api:// and its client id. An unknown
// one is resourceUnknown. Microsoft Graph is none of them.
func (c *Cache) ByResource(ctx context.Context, resource string, now time.Time) (*Application, error) {
	s, err := c.current(ctx, now)
	if err != nil {
		return nil, err
	}
	key := identifierKey(resource)
	a := s.byURI[key]
	if a == nil {
		a = s.byAppID[strings.TrimPrefix(key, "api://")]
	}
	if a == nil {
		return nil, problem.New(problem.Invalid, "resourceUnknown", "There is no resource %q here. Name an API by its client id or by one of its identifier URIs.", clip(resource))
	}
	return a, a.Usable()
}

func (c *Cache) current(ctx context.Context, now time.Time) (*snapshot, error) {
	s := c.snap.Load()
	if age := c.age(s, now); age < 0 || age >= checkEvery {
		return c.refresh(ctx, now)
	}
	return s, nil
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
		next.byAppID, next.byURI = old.byAppID, old.byURI
	} else {
		all, err := List(ctx, c.d)
		if err != nil {
			return nil, err
		}
		next.byAppID, next.byURI = make(map[string]*Application, len(all)), map[string]*Application{}
		for i := range all {
			next.byAppID[strings.ToLower(all[i].AppID)] = &all[i]
			for _, uri := range all[i].IdentifierURIs {
				next.byURI[identifierKey(uri)] = &all[i]
			}
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
