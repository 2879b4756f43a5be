package mds

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/mds/mdstest"
)

// service is a metadata service on a loopback address: the BLOB over TLS, the
// revocation lists over plain http, as in the world.
type service struct {
	*mdstest.Authority
	tls, plain *httptest.Server

	mu       sync.Mutex
	blob     []byte
	revoked  []*x509.Certificate
	requests []*http.Request
	answer   http.HandlerFunc // instead of the BLOB, if set
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{}
	var inner http.Handler
	s.plain = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(w, r) }))
	s.tls = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.tls.Close)
	t.Cleanup(s.plain.Close)
	s.Authority = authority(t, mdstest.Config{CRLBase: s.plain.URL})
	inner = s.Handler(
		func() []byte { s.mu.Lock(); defer s.mu.Unlock(); return s.blob },
		func() []*x509.Certificate { s.mu.Lock(); defer s.mu.Unlock(); return s.revoked })
	return s
}

func (s *service) publish(t testing.TB, no int64, entries ...mdstest.Entry) {
	t.Helper()
	blob := must(s.SignBLOB(no, entries...))(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blob = blob
}

func (s *service) fetcher() *Fetcher {
	return &Fetcher{Client: s.tls.Client(), URL: s.tls.URL + "/", Roots: s.Roots(), Now: func() time.Time { return today }}
}

func TestFetchWA60(t *testing.T) {
	s := newService(t)
	s.publish(t, 7, mdstest.SecurityKey(keyA, "Key"))
	f := s.fetcher()
	first, err := f.Fetch(t.Context(), "", 0)
	if err != nil || first.Metadata.Number != 7 || first.Unchanged || first.ETag == "" || len(first.Warnings) != 0 {
		t.Fatalf("%v, %+v", err, first)
	}
	second, err := f.Fetch(t.Context(), first.ETag, 7)
	if err != nil || !second.Unchanged || second.Metadata != nil || second.ETag != first.ETag {
		t.Fatalf("not modified: %v, %+v", err, second)
	}
	if got := s.requests[1].Header.Get("If-None-Match"); got != first.ETag {
		t.Errorf("If-None-Match %q", got)
	}
	s.publish(t, 7, mdstest.SecurityKey(keyB, "Key"))
	third, err := f.Fetch(t.Context(), first.ETag, 7)
	if err != nil || !third.Unchanged || third.Metadata == nil {
		t.Fatalf("WA-55 equal number: %v, %+v", err, third)
	}
	s.publish(t, 6)
	_, err = f.Fetch(t.Context(), first.ETag, 7)
	wantCode(t, err, CodeOlder)
}

func TestFetchRefusesWA60(t *testing.T) {
	s := newService(t)
	s.publish(t, 7)
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, row := range []struct {
		name   string
		url    string
		answer http.HandlerFunc
		code   string
	}{
		{name: "plain http", url: plain.URL, code: CodeUnavailable},
		{name: "a file", url: "file:///etc/passwd", code: CodeUnavailable},
		{name: "no host", url: "https:///x", code: CodeUnavailable},
		{name: "a password in the address", url: strings.Replace(s.tls.URL, "https://", "https://u:p@", 1), code: CodeUnavailable},
		{name: "redirect to plain http", answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) }, code: CodeUnavailable},
		{name: "redirect without end", answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, code: CodeUnavailable},
		{name: "server error", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, code: CodeUnavailable},
		{name: "not modified without having asked", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, code: CodeUnavailable},
		{name: "connection breaks", answer: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, code: CodeUnavailable},
		{name: "larger than 32 MB", answer: func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for range 33 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}, code: CodeUnavailable},
		{name: "a web page", answer: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>Sign in to the guest network</html>"))
		}, code: CodeMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.mu.Lock()
			s.answer = row.answer
			s.mu.Unlock()
			f := s.fetcher()
			if row.url != "" {
				f.URL = row.url
			}
			r, err := f.Fetch(t.Context(), "", 0)
			wantCode(t, err, row.code)
			if r.Metadata != nil {
				t.Error("metadata beside an error")
			}
		})
	}
}

func TestFetchFollowsHTTPSRedirect(t *testing.T) {
	s := newService(t)
	s.publish(t, 7)
	moved := httptest.NewTLSServer(http.RedirectHandler(s.tls.URL+"/", http.StatusFound))
	defer moved.Close()
	f := s.fetcher()
	f.URL = moved.URL
	// Both servers of httptest use one certificate, so one client trusts both.
	if r, err := f.Fetch(t.Context(), "", 0); err != nil || r.Metadata.Number != 7 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestAcceptChecksRevocationWA54(t *testing.T) {
	s := newService(t)
	blob := must(s.SignBLOB(7))(t)
	f := s.fetcher()
	if r, err := f.Accept(t.Context(), blob, 0); err != nil || len(r.Warnings) != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	for name, cert := range map[string]*x509.Certificate{"leaf": s.Leaf, "intermediate": s.Intermediate} {
		s.mu.Lock()
		s.revoked = []*x509.Certificate{cert}
		s.mu.Unlock()
		t.Run(name, func(t *testing.T) {
			_, err := f.Accept(t.Context(), blob, 0)
			wantCode(t, err, CodeRevoked)
			// Revocation comes before the number.
			_, err = f.Accept(t.Context(), blob, 99)
			wantCode(t, err, CodeRevoked)
		})
	}
	s.plain.Close()
	r, err := f.Accept(t.Context(), blob, 0)
	if err != nil || len(r.Warnings) != 2 || r.Warnings[0].Code != WarnRevocationUnknown {
		t.Errorf("unreachable lists: %v, %+v", err, r)
	}
}

func TestListsAreFetchedOnlyAfterTheSignatureWA54(t *testing.T) {
	s := newService(t)
	var asked atomic.Int32
	s.plain.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(http.StatusNotFound) })
	f := s.fetcher()
	blob := must(s.SignBLOB(7))(t)
	parts := strings.Split(string(blob), ".")
	forged := must(s.SignBLOB(8))(t)
	mixed := []byte(parts[0] + "." + strings.Split(string(forged), ".")[1] + "." + parts[2])
	_, err := f.Accept(t.Context(), mixed, 0)
	wantCode(t, err, CodeUntrusted)
	f.Roots = nil
	_, err = f.Accept(t.Context(), blob, 0)
	wantCode(t, err, CodeUntrusted)
	if n := asked.Load(); n != 0 {
		t.Fatalf("%d requests to addresses from an unverified certificate", n)
	}
	f.Roots = s.Roots()
	if _, err := f.Accept(t.Context(), blob, 0); err != nil || asked.Load() != 2 {
		t.Errorf("%v, %d requests", err, asked.Load())
	}
}

// TestUploadCannotRollBackWA61 is the roll-back of §6.4 row 14.
func TestUploadCannotRollBackWA61(t *testing.T) {
	s := newService(t)
	old := must(s.SignBLOB(7, mdstest.SecurityKey(keyA, "Key")))(t)
	s.publish(t, 8, mdstest.SecurityKey(keyA, "Key").Report(mdstest.Status("REVOKED", "2026-01-01")))
	f := s.fetcher()
	now, err := f.Fetch(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Accept(t.Context(), old, now.Metadata.Number)
	wantCode(t, err, CodeOlder)
	if r.Metadata != nil {
		t.Error("the older metadata came out beside the error")
	}
}

func TestFetchConvenience(t *testing.T) {
	s := newService(t)
	text := `{"` + keyA + `": {"friendlyNames": {"en": "Key"}}}`
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write([]byte(text))
	}
	f := s.fetcher()
	c, tag, err := f.FetchConvenience(t.Context(), s.tls.URL, "")
	if err != nil || tag != `"1"` || c.Name(id(keyA), "en") != "Key" {
		t.Fatalf("%v, %q, %+v", err, tag, c)
	}
	c, tag, err = f.FetchConvenience(t.Context(), s.tls.URL, tag)
	if err != nil || c != nil || tag != `"1"` {
		t.Errorf("not modified: %v, %q, %+v", err, tag, c)
	}
	text = "hello"
	_, _, err = f.FetchConvenience(t.Context(), s.tls.URL, "")
	wantCode(t, err, CodeNamesMalformed)
	_, _, err = f.FetchConvenience(t.Context(), s.plain.URL, "")
	wantCode(t, err, CodeUnavailable)
}

func TestClientUsesTheConfiguredProxyWA60(t *testing.T) {
	proxy := must(url.Parse("http://proxy.example:3128"))(t)
	tr := NewClient(proxy).Transport.(*http.Transport)
	got, err := tr.Proxy(httptest.NewRequest(http.MethodGet, DefaultURL, nil))
	if err != nil || got.String() != proxy.String() {
		t.Errorf("%v, %v", got, err)
	}
}

// world drives Run without a clock: each wait moves its own time and is noted.
type world struct {
	f      *Fetcher
	now    time.Time
	waits  []time.Duration
	loads  int
	stored []error
	got    []Result
}

// run lets Run make n waits.
func (w *world) run(t *testing.T, n int, load func() (State, error), store func(Result, error) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.f.Now = func() time.Time { return w.now }
	w.f.Jitter = func(d time.Duration) time.Duration { return d }
	w.f.After = func(d time.Duration) <-chan time.Time {
		w.waits = append(w.waits, d)
		w.now = w.now.Add(d)
		c := make(chan time.Time, 1)
		if len(w.waits) >= n {
			cancel()
		} else {
			c <- w.now
		}
		return c
	}
	err := w.f.Run(ctx,
		func(context.Context) (State, error) { w.loads++; return load() },
		func(_ context.Context, r Result, err error) error {
			w.got, w.stored = append(w.got, r), append(w.stored, err)
			return store(r, err)
		})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestRunFetchesDailyPK97(t *testing.T) {
	s := newService(t)
	s.publish(t, 7)
	w := &world{f: s.fetcher(), now: today}
	state := State{Ready: true}
	w.run(t, 49, func() (State, error) { return state, nil }, func(r Result, err error) error {
		if r.Metadata != nil {
			state.Number = r.Metadata.Number
		}
		state.ETag, state.CheckedAt = r.ETag, w.now
		return err
	})
	// At once, after one day, after two; looking every hour.
	if len(w.got) != 3 || w.got[0].Metadata == nil || !w.got[1].Unchanged || !w.got[2].Unchanged {
		t.Errorf("%d fetches in two days: %+v", len(w.got), w.got)
	}
	if slices.ContainsFunc(w.waits, func(d time.Duration) bool { return d != time.Hour }) {
		t.Errorf("waits %v", w.waits)
	}
}

func TestRunStartsWithFreshMetadataPK97(t *testing.T) {
	s := newService(t)
	w := &world{f: s.fetcher(), now: today}
	w.run(t, 3, func() (State, error) {
		return State{Ready: true, Number: 7, CheckedAt: today.Add(-20 * time.Hour)}, nil
	}, func(Result, error) error { return nil })
	if len(w.got) != 0 || len(s.requests) != 0 {
		t.Errorf("fetched although it is not older than a day: %v", w.got)
	}
}

func TestRunRetriesWithGrowingWaitsWA60(t *testing.T) {
	s := newService(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	w := &world{f: s.fetcher(), now: today}
	w.run(t, 11, func() (State, error) { return State{Ready: true, CheckedAt: today.AddDate(0, 0, -2)}, nil },
		func(_ Result, err error) error { return nil })
	m := time.Minute
	if want := []time.Duration{m, 2 * m, 4 * m, 8 * m, 16 * m, 32 * m, 64 * m, 128 * m, 256 * m, 6 * time.Hour, 6 * time.Hour}; !slices.Equal(w.waits, want) {
		t.Errorf("waits %v", w.waits)
	}
	for _, err := range w.stored {
		wantCode(t, err, CodeUnavailable)
	}
}

func TestRunRecovers(t *testing.T) {
	s := newService(t)
	s.publish(t, 7)
	w := &world{f: s.fetcher(), now: today}
	var loadErr, storeErr error = errors.New("database is away"), errors.New("disk is full")
	w.run(t, 4, func() (State, error) {
		if w.loads > 2 {
			loadErr = nil
		}
		return State{Ready: true}, loadErr
	}, func(Result, error) error {
		err := storeErr
		storeErr = nil
		return err
	})
	if want := []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, time.Hour}; !slices.Equal(w.waits, want) {
		t.Errorf("waits %v, want two failed loads, a failed store, success", w.waits)
	}
}

func TestRunDoesNothingWhenNotReadyWA65(t *testing.T) {
	s := newService(t)
	w := &world{f: s.fetcher(), now: today}
	w.run(t, 5, func() (State, error) { return State{}, nil }, func(Result, error) error { return nil })
	if len(s.requests) != 0 || len(w.got) != 0 || w.loads != 5 {
		t.Errorf("%d requests, %d results, %d loads", len(s.requests), len(w.got), w.loads)
	}
}

// TestRunEndsWhileFetchingWA58: a server that never answers holds up neither
// the start (Run is the caller's goroutine) nor the end.
func TestRunEndsWhileFetchingWA58(t *testing.T) {
	s := newService(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	s.answer = func(http.ResponseWriter, *http.Request) {
		cancel() // the request has arrived; now the server is told to stop
		<-release
	}
	f := s.fetcher()
	stored := 0
	err := f.Run(ctx, func(context.Context) (State, error) { return State{Ready: true}, nil },
		func(context.Context, Result, error) error { stored++; return nil })
	if !errors.Is(err, context.Canceled) || stored != 0 {
		t.Errorf("%v; %d outcomes stored: the end of a server is not an outage", err, stored)
	}
}

func TestJitterWA60(t *testing.T) {
	f := &Fetcher{}
	different := map[time.Duration]bool{}
	for range 50 {
		d := f.jitter(time.Hour)
		if d < time.Hour || d > time.Hour+6*time.Minute {
			t.Fatalf("%v", d)
		}
		different[d] = true
	}
	if len(different) < 2 {
		t.Error("every node waits for the same time")
	}
}
