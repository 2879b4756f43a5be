package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"

	"cardea/internal/db"
	"cardea/internal/problem"
)

type correlationKey struct{}

// WithCorrelationID gives the context an id that Handle then uses; without one
// Handle makes its own.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID returns the id of the request: on the page, in the log, in the
// sign-in record, so that a person can read it to the help desk.
func CorrelationID(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}

// newID returns a random UUID (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Handle makes h a http.Handler: correlation id, cross-origin check (R14), body
// limit, panic to internal error, answer or error written whole.
func (s *Renderer) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if CorrelationID(r.Context()) == "" {
			r = r.WithContext(WithCorrelationID(r.Context(), newID()))
		}
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		answer, err := s.call(h, r)
		if err == nil {
			err = s.write(w, r, answer)
		}
		if err != nil {
			s.writeError(w, r, answer, err)
		}
	})
}

func (s *Renderer) call(h Handler, r *http.Request) (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = Answer{}, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := s.origins.Check(r); err != nil {
		return Answer{}, problem.New(problem.Forbidden, "crossOriginRequest",
			"This request came from another site, so nothing was changed. Open the page from its own address and try again.").Because(err)
	}
	return h(r)
}

// write sends a. Nothing is written when it returns an error.
func (s *Renderer) write(w http.ResponseWriter, r *http.Request, a Answer) error {
	id := CorrelationID(r.Context())
	h := http.Header{}
	var body []byte
	switch {
	case a.to != "":
		if !OwnPath(a.to) {
			return fmt.Errorf("redirect to %q, which is no page of ours", a.to)
		}
		h.Set("Location", a.to)
	case a.view != nil:
		if a.formAction != "" && !validOrigin(a.formAction) {
			return fmt.Errorf("form-action %q is no origin", a.formAction)
		}
		var buf bytes.Buffer
		if err := s.Render(&buf, a.view, id); err != nil {
			return err
		}
		body = buf.Bytes()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy(a.formAction))
	case a.value != nil:
		b, err := marshal(a.value)
		if err != nil {
			return err
		}
		body = b
		h.Set("Content-Type", "application/json")
	default:
		a.status = http.StatusNoContent
	}
	send(w, h, a, id, body)
	return nil
}

// writeError sends err as a page or as JSON, and logs what is not said.
func (s *Renderer) writeError(w http.ResponseWriter, r *http.Request, a Answer, err error) {
	err = db.Down(err)
	id, status := CorrelationID(r.Context()), StatusOf(err)
	said := s.explain(err, id)
	if status >= 500 {
		s.log.ErrorContext(r.Context(), "request failed", "correlationId", id, "method", r.Method, "path", r.URL.Path, "error", err)
	} else {
		s.log.InfoContext(r.Context(), "request refused", "correlationId", id, "method", r.Method, "path", r.URL.Path, "code", said.Code, "error", err)
	}
	h := http.Header{}
	if after := retryAfter(err); after != "" {
		h.Set("Retry-After", after)
	}
	out := Answer{status: status, cookies: a.cookies}
	var buf bytes.Buffer
	html := !wantsJSON(r)
	if html && s.Render(&buf, Error{Kind: problem.KindOf(err), Code: said.Code, Message: said.Message, Profile: said.Profile,
		Rule: said.Rule, At: s.now()}, id) == nil {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy(""))
		send(w, h, out, id, buf.Bytes())
		return
	}
	body, merr := marshal(refusalBody{said})
	if merr != nil {
		body = nil
	}
	h.Set("Content-Type", "application/json")
	send(w, h, out, id, body)
}

func send(w http.ResponseWriter, own http.Header, a Answer, id string, body []byte) {
	h := w.Header()
	guard(h, id)
	h.Set("Cache-Control", "no-store")
	for k, v := range own {
		h[k] = v
	}
	for _, c := range a.cookies {
		http.SetCookie(w, c)
	}
	w.WriteHeader(a.status)
	w.Write(body)
}
