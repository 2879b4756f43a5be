package server

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// front is what every request passes first: the true address of the browser,
// the right host, and the three addresses for machines.
type front struct {
	k        checked
	ready    func(*http.Request) error
	metrics  http.Handler
	requests *prometheus.CounterVec
	next     http.Handler
}

func newFront(k checked, reg *prometheus.Registry, ready func(*http.Request) error, next http.Handler) *front {
	f := &front{k: k, ready: ready, next: next, metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cardea_http_requests_total", Help: "Requests by first path segment and status class."}, []string{"area", "status"})}
	reg.MustRegister(f.requests)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz": // the process runs
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
		return
	case "/readyz": // the process can serve
		if f.ready(r) != nil {
			answer(w, http.StatusServiceUnavailable, map[string]string{"status": "database not reachable"})
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "ready"})
		return
	case "/metrics":
		if !f.mayReadMetrics(r) {
			answer(w, http.StatusForbidden, map[string]string{"error": "Metrics are for this machine. CARDEA_METRICS_FROM allows others."})
			return
		}
		f.metrics.ServeHTTP(w, r)
		return
	}
	f.trueAddress(r)
	if f.k.url.Scheme == "https" {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	if !strings.EqualFold(r.Host, f.k.url.Host) {
		f.wrongHost(w, r)
		return
	}
	s := &statusWriter{ResponseWriter: w}
	f.next.ServeHTTP(s, r)
	f.requests.WithLabelValues(area(r.URL.Path), class(s.status)).Inc()
}

// wrongHost sends a browser that came by another name to the public address:
// passkeys belong to that name and work under no other. It also ends DNS
// rebinding. Programs get an answer that they can show.
func (f *front) wrongHost(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, f.k.PublicURL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		return
	}
	answer(w, http.StatusMisdirectedRequest, map[string]any{"error": map[string]string{"code": "wrongHost",
		"message": "This server is " + f.k.PublicURL + ". Use that address; a proxy in front must pass the Host header on."}})
}

// trueAddress replaces r.RemoteAddr by what the nearest trusted proxy saw. It
// walks X-Forwarded-For from the right and stops at the first address that is
// no proxy of ours; what stands left of it anybody may have written.
func (f *front) trueAddress(r *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !within(f.k.proxies, addr) {
		r.Header.Del("X-Forwarded-For")
		return
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = a.Unmap()
		if !within(f.k.proxies, addr) {
			break
		}
	}
	r.RemoteAddr = net.JoinHostPort(addr.String(), "0")
}

func (f *front) mayReadMetrics(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	// A proxy on this machine is loopback too, but what it forwards is not ours.
	return err == nil && r.Header.Get("X-Forwarded-For") == "" && (addr.IsLoopback() || within(f.k.metrics, addr))
}

func within(ranges []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// area is a label with few values, whatever strangers ask for.
func area(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "signin", "signout", "security-info", "setup", "enrol", "admin", "assets", "help", "v1.0", "beta", "scim", "":
		return first
	}
	if strings.Contains(path, "/oauth2/") || strings.Contains(path, "/.well-known/") || strings.Contains(path, "/discovery/") {
		return "oidc"
	}
	return "other"
}

// statusWriter remembers the status for the metrics.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(code int) {
	if s.status == 0 {
		s.status = code
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer below (streams flush).
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func class(status int) string {
	switch {
	case status >= 500:
		return "5xx"
	case status >= 400:
		return "4xx"
	case status >= 300:
		return "3xx"
	}
	return "2xx"
}
