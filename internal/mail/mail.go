// Package mail sends outgoing mail through the organisation's SMTP server.
//
// Messages are handed to a queue that one goroutine empties, so that nobody
// waits for a mail server while signing in. A message is tried three times;
// what could not be sent is logged with its recipient and subject. The queue
// is in memory: it is for notices ("a passkey was added") and links that can
// be issued again, not for anything that must never be lost.
package mail

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"cardea/internal/problem"
)

// Message is a plain-text mail to one person.
type Message struct{ To, Subject, Body string }

// Sender is the queue and its SMTP server. A Sender without a server refuses
// every message with mailNotConfigured.
type Sender struct {
	server *url.URL
	from   string
	log    *slog.Logger
	queue  chan Message
	done   chan struct{}
	roots  *tls.Config // nil: the system's
}

// Open starts a Sender. server is smtp://user:password@host:587 (STARTTLS is
// used, and demanded unless the host is loopback) or smtps://…:465; "" sends nothing.
func Open(server, from string, log *slog.Logger) (*Sender, error) {
	s := &Sender{from: from, log: log, queue: make(chan Message, 1000), done: make(chan struct{})}
	if server != "" {
		u, err := url.Parse(server)
		if err != nil {
			return nil, err
		}
		s.server = u
	}
	go s.loop()
	return s, nil
}

// Configured reports whether there is a mail server.
func (s *Sender) Configured() bool { return s.server != nil }

// Send queues m.
func (s *Sender) Send(m Message) error {
	if s.server == nil {
		return problem.New(problem.Unavailable, "mailNotConfigured", "This server sends no mail. Set CARDEA_SMTP and CARDEA_MAIL_FROM, or hand the link over yourself.")
	}
	select {
	case s.queue <- m:
		return nil
	default:
		return problem.New(problem.Unavailable, "mailQueueFull", "Too much mail is waiting. Try again in a few minutes.")
	}
}

// Close sends what is queued, for at most ten seconds.
func (s *Sender) Close() {
	close(s.queue)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		s.log.Warn("mail: not everything was sent before the server stopped", "left", len(s.queue))
	}
}

func (s *Sender) loop() {
	defer close(s.done)
	for m := range s.queue {
		var err error
		for try := range 3 {
			if try > 0 {
				time.Sleep(time.Duration(try) * 2 * time.Second)
			}
			if err = s.deliver(m); err == nil {
				break
			}
		}
		if err != nil {
			s.log.Error("mail: could not be sent", "to", m.To, "subject", m.Subject, "error", err)
		}
	}
}

func (s *Sender) deliver(m Message) error {
	msg := gomail.NewMsg()
	if err := msg.From(s.from); err != nil {
		return err
	}
	if err := msg.To(m.To); err != nil {
		return err
	}
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, m.Body)
	host := s.server.Hostname()
	opts := []gomail.Option{gomail.WithTimeout(20 * time.Second)}
	if p, err := strconv.Atoi(s.server.Port()); err == nil {
		opts = append(opts, gomail.WithPort(p))
	}
	switch {
	case s.server.Scheme == "smtps":
		opts = append(opts, gomail.WithSSL())
	case host == "localhost" || host == "127.0.0.1":
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.roots != nil {
		opts = append(opts, gomail.WithTLSConfig(s.roots))
	}
	if u := s.server.User; u != nil {
		password, _ := u.Password()
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.Username()), gomail.WithPassword(password))
	}
	c, err := gomail.NewClient(host, opts...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return c.DialAndSendWithContext(ctx, msg)
}
