// Package server builds every part of Cardea and mounts every edge. It is what
// `cardea serve` runs and what tests start. The clock comes in here: no other
// package reads the time by itself.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/demo"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/mail"
	"cardea/internal/mds"
	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/sweep"
	"cardea/internal/throttle"
	"cardea/internal/webauthn"
)

// Options are what a Config cannot say in text.
type Options struct {
	Now     func() time.Time // the clock; time.Now but in tests
	Log     *slog.Logger
	Offline bool // for commands beside a running server: opens the data and serves nothing
}

// Server is a Cardea with its database open.
type Server struct {
	DB     *db.DB
	Keeper *passkey.Keeper

	k        checked
	now      func() time.Time
	log      *slog.Logger
	ring     *jose.Ring
	pages    *page.Renderer
	mail     *mail.Sender
	apps     *application.Cache
	hasher   *throttle.Hasher
	tenantID string
	brand    brand
	company  demo.Company // demo only
	handler  http.Handler
	work     sync.WaitGroup // background loops
	stop     context.CancelFunc
}

// New checks the settings, opens and migrates the database, makes what a first
// start needs (organisation, keys, the application of the command line), and
// builds the edges. Nothing listens yet: see Run and Handler.
func New(ctx context.Context, c Config, o Options) (*Server, error) {
	k, err := c.check()
	if err != nil {
		return nil, err
	}
	if err := prepareDataDir(k.DataDir); err != nil {
		return nil, err
	}
	s := &Server{k: k, now: o.Now, log: o.Log}
	_, absent := os.Stat(k.MasterKeyFile)
	master, err := jose.LoadMaster(k.MasterKeyFile)
	if err != nil {
		return nil, err
	}
	if s.DB, err = db.Open(ctx, db.Options{DSN: k.dsn(), Volatile: k.Demo}); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	err = s.build(ctx, master, o.Offline)
	if problem.CodeOf(err) == "masterKeyOther" && errors.Is(absent, fs.ErrNotExist) {
		// The key made just now opens nothing. Left there it would pass for the lost one.
		err = errors.Join(problem.New(problem.Invalid, "masterKeyMissing", "There is no master key at %s, but the database was made with one. Put the file back from its backup.", k.MasterKeyFile),
			os.Remove(k.MasterKeyFile))
	}
	if err != nil {
		return nil, errors.Join(err, s.DB.Close())
	}
	return s, nil
}

func (s *Server) build(ctx context.Context, master jose.Master, offline bool) error {
	now := s.now()
	org, err := directory.EnsureOrganization(ctx, s.DB, now)
	if err != nil {
		return err
	}
	s.tenantID = org.ID
	if s.ring, err = jose.OpenRing(ctx, s.DB, master, now); err != nil {
		return err
	}
	if err := application.EnsureBuiltIn(ctx, s.DB, now); err != nil {
		return err
	}
	s.apps, s.hasher = application.NewCache(s.DB), throttle.NewHasher(throttle.Strong, 0)
	s.Keeper = &passkey.Keeper{DB: s.DB, Ring: s.ring, TenantID: org.ID,
		RP: webauthn.RelyingParty{ID: s.k.rpID, Name: "Cardea", Origins: []string{s.k.PublicURL}}}
	if err := passkey.Open(ctx, s.Keeper, now); err != nil {
		return err
	}
	if offline {
		return nil
	}
	if s.k.Demo {
		if err := s.seed(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	s.warnAtStart(ctx)
	if s.mail, err = mail.Open(s.k.SMTP, s.k.MailFrom, s.log); err != nil {
		return err
	}
	if s.pages, err = page.New(page.Config{Origin: s.k.PublicURL, Demo: s.k.Demo, Now: s.now, Log: s.log}, page.Brand{}); err != nil {
		return err
	}
	if err := s.brand.refresh(ctx, s.DB, s.pages); err != nil {
		return err
	}
	edges, err := s.edges()
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.measure(reg)
	s.handler = newFront(s.k, reg, func(r *http.Request) error { return s.DB.Ping(r.Context()) }, edges)
	return nil
}

// Handler answers every request of the server.
func (s *Server) Handler() http.Handler { return s.handler }

// TenantID is the id of the organisation.
func (s *Server) TenantID() string { return s.tenantID }

// Run listens, calls ready, and serves until ctx ends; then it finishes the
// requests that run, for at most ten seconds.
func (s *Server) Run(ctx context.Context, ready func() error) error {
	tlsConfig, err := s.k.tlsConfig()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.k.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", s.k.Listen, err)
	}
	h := &http.Server{Handler: s.handler, TLSConfig: tlsConfig, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() {
		if tlsConfig != nil {
			failed <- h.ServeTLS(l, "", "")
			return
		}
		failed <- h.Serve(l)
	}()
	s.StartWork(ctx)
	if err := ready(); err != nil {
		return errors.Join(err, h.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.log.Info("stopping")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := h.Shutdown(last); err != nil {
		return errors.Join(err, h.Close())
	}
	return nil
}

// StartWork starts what runs beside requests: keys, brand and metadata of
// other nodes, and the sweep. Close ends it.
func (s *Server) StartWork(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.every(ctx, 5*time.Second, "refresh", func(ctx context.Context) error {
		return errors.Join(s.ring.Reload(ctx, s.now()), s.brand.refresh(ctx, s.DB, s.pages), s.Keeper.Metadata.Refresh(ctx))
	})
	s.every(ctx, 5*time.Second, "dynamic membership", s.settleDynamic)
	keep := sweep.Default
	keep.Deleted, keep.Changes = s.k.deleted, s.k.delta
	s.every(ctx, time.Hour, "sweep", func(ctx context.Context) error {
		n, err := sweep.Once(ctx, s.DB, keep, s.now())
		if n > 0 {
			s.log.Info("sweep: deleted what expired", "rows", n)
		}
		return err
	})
	if s.k.MetadataURL != "" {
		s.work.Go(func() {
			if err := s.fetchMetadata(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("metadata: fetching ended", "error", err)
			}
		})
	}
}

// settleDynamic asks people about rules that changed, batch by batch, so that
// sign-ins never wait long behind it (DO-15).
func (s *Server) settleDynamic(ctx context.Context) error {
	for batches := 0; ; batches++ {
		more, err := directory.SettleDynamic(ctx, s.DB, s.now(), 200)
		if err != nil || !more || ctx.Err() != nil {
			if batches > 0 {
				s.log.Info("dynamic membership: people asked about changed rules", "batches", batches)
			}
			return err
		}
	}
}

func (s *Server) every(ctx context.Context, interval time.Duration, what string, f func(context.Context) error) {
	s.work.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				s.log.Error(what+" failed", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// fetchMetadata runs mds.Fetcher until ctx ends (WA-58, WA-60). On PostgreSQL
// every node asks; the number rises only once, so the first one that stores it
// wins and the others see "unchanged".
func (s *Server) fetchMetadata(ctx context.Context) error {
	roots, err := s.metadataRoots()
	if err != nil {
		return err
	}
	f := mds.Fetcher{Client: mds.NewClient(nil), URL: s.k.MetadataURL, Roots: roots, Now: s.now, After: time.After}
	return f.Run(ctx, func(context.Context) (mds.State, error) {
		st := s.Keeper.Metadata.State()
		st.Ready = true
		return st, nil
	}, func(ctx context.Context, r mds.Result, err error) error {
		if err != nil {
			s.log.Warn("metadata: cannot be fetched; the copy in use stays", "error", err)
			s.Keeper.Metadata.Failed(err, s.now())
			return nil
		}
		return s.Keeper.Metadata.Save(ctx, audit.System("metadata fetcher, terms accepted by "+s.k.MetadataTerms), s.now(), r)
	})
}

// Close ends the background work and closes the database.
func (s *Server) Close() error {
	if s.stop != nil {
		s.stop()
	}
	s.work.Wait()
	if s.mail != nil {
		s.mail.Close()
	}
	return s.DB.Close()
}
