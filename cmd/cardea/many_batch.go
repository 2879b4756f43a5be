package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// batchSize is Graph's bound on the requests of one $batch.
const batchSize = 20

// sub is one request of a batch, and its answer.
type sub struct {
	Method, Path string // below the version, e.g. /users/ada@contoso.test
	Body         any
	Answer       map[string]any
	Again        bool  // asked more than once: an earlier try may have done it
	Err          error // nil, *apiError, or what ended the run
}

// batch makes up to batchSize requests in one. Those that the server puts off
// are repeated. It returns an error only if the run has to end.
func (m *many) batch(subs []*sub) error {
	left := subs
	for try := 1; len(left) > 0; try++ {
		if err := m.batchOnce(left); err != nil {
			return err
		}
		var again []*sub
		var worst error
		for _, s := range left {
			if pause, tries := patience(s.Err, try); pause > 0 && try < tries {
				s.Again = true
				again, worst = append(again, s), longer(worst, s.Err)
			}
		}
		if len(again) > 0 {
			if err := m.gate.Enter(m.stop); err != nil {
				return err
			}
			pause, _ := patience(worst, try)
			m.gate.Leave(pause)
		}
		left = again
	}
	return nil
}

// longer is the error with the longer time to wait.
func longer(a, b error) error {
	x, ok := a.(*apiError)
	if y, is := b.(*apiError); !ok || is && y.RetryAfter > x.RetryAfter {
		return b
	}
	return a
}

type subAnswer struct {
	ID      string
	Status  int
	Headers map[string]string
	Body    map[string]any
}

// batchOnce fills in the answers.
func (m *many) batchOnce(subs []*sub) error {
	type request struct {
		ID      string            `json:"id"`
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers,omitempty"`
		Body    any               `json:"body,omitempty"`
	}
	var all []request
	for i, s := range subs {
		r := request{ID: strconv.Itoa(i), Method: s.Method, URL: s.Path, Body: s.Body}
		if s.Body != nil {
			r.Headers = map[string]string{"Content-Type": "application/json"}
		}
		all = append(all, r)
		s.Answer, s.Err = nil, &apiError{Status: http.StatusBadGateway, Message: "the answer to a batch lacks one of its requests"}
	}
	o, times, err := m.askOften("POST", "/v1.0/$batch", map[string]any{"requests": all})
	if err != nil {
		return err
	}
	var got struct{ Responses []subAnswer }
	if err := json.Unmarshal(mustJSON(o), &got); err != nil {
		return err
	}
	for _, s := range subs {
		s.Again = s.Again || times > 1
	}
	for _, a := range got.Responses {
		if i, err := strconv.Atoi(a.ID); err == nil && i >= 0 && i < len(subs) {
			subs[i].take(a)
		}
	}
	return nil
}

// take reads the answer to s.
func (s *sub) take(a subAnswer) {
	if a.Status < 400 {
		s.Answer, s.Err = a.Body, nil
		return
	}
	h := http.Header{}
	for k, v := range a.Headers {
		h.Set(k, v)
	}
	s.Err = decodeError(&http.Response{StatusCode: a.Status, Status: strconv.Itoa(a.Status) + " " + http.StatusText(a.Status), Header: h}, mustJSON(a.Body))
}

// segment escapes a name for a path inside a batch or outside of one.
func segment(name string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F", "#", "%23", " ", "%20", "+", "%2B", "'", "%27").Replace(name)
}
