package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardea/internal/audit"
	"cardea/internal/demo"
	"cardea/internal/passkey"
)

// measure registers what the server says about itself at /metrics.
func (s *Server) measure(reg *prometheus.Registry) {
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("cardea_metadata_number", "Serial number of the FIDO metadata in use; 0 without any.", func() float64 { return float64(s.Keeper.Metadata.Number()) })
	gauge("cardea_metadata_age_seconds", "Seconds since the FIDO metadata was last checked; -1 without any.", func() float64 {
		st := s.Keeper.Metadata.Status()
		if st.Number == 0 {
			return -1
		}
		return s.now().Sub(st.CheckedAt).Seconds()
	})
	reg.MustRegister(signInCollector{s})
}

// signInCollector reads today's sign-ins from the daily counters, which every
// node shares, so the figures of several nodes must not be added up.
type signInCollector struct{ s *Server }

var signInsToday = prometheus.NewDesc("cardea_sign_ins_today", "Sign-ins of this UTC day by kind, and by method and outcome; from the database, the same on every node.", []string{"kind", "key"}, nil)

// Describe implements prometheus.Collector.
func (c signInCollector) Describe(ch chan<- *prometheus.Desc) { ch <- signInsToday }

// Collect implements prometheus.Collector.
func (c signInCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	counts, err := audit.Today(ctx, c.s.DB, c.s.now())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(signInsToday, err)
		return
	}
	for _, n := range counts {
		ch <- prometheus.MustNewConstMetric(signInsToday, prometheus.GaugeValue, float64(n.Count), n.Kind, n.Key)
	}
}

// warnAtStart says what an operator should know before the first request.
func (s *Server) warnAtStart(ctx context.Context) {
	if p := s.k.url.Port(); p != "" && s.k.url.Hostname() != "localhost" {
		s.log.Warn("the public address has a port: some clients of the Graph API work on port 443 only", "port", p)
	}
	others, err := s.Keeper.OtherRelyingParties(ctx)
	if err != nil {
		s.log.Error("cannot look for passkeys of other relying parties", "error", err)
	}
	for _, id := range others {
		s.log.Warn("stored passkeys belong to another relying party id and work no more", "theirs", id, "ours", s.k.rpID)
	}
}

// seed invents the demo's company and sets its two profiles.
func (s *Server) seed(ctx context.Context) (err error) {
	if s.company, err = demo.Seed(ctx, s.DB, s.now()); err != nil {
		return err
	}
	body := demo.Policy(func(name string) string { return demo.GroupID(ctx, s.DB, name) }, demo.AllowedProviders())
	_, err = s.Keeper.Change(ctx, passkey.Edit{Body: []byte(body), Force: true, Actor: audit.System("demo"), At: s.now()})
	return err
}
