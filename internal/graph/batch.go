package graph

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// $batch carries up to 20 requests in one (directory-and-odata §7). Every item
// goes the whole way of a request: it is authorized, throttled and written to
// the audit log by itself, under a request id of its own.
//
// Items run as if one after the other, in the order of the list once what they
// depend on stands before them. Only reads that stand together run at the same
// time, and creations of people (joint.go), so that nobody sees a difference.

const (
	maxBatch    = 20
	batchAtOnce = 4        // reads of one batch that run at the same time
	maxAnswers  = 16 << 20 // bytes of all answers of a batch together
)

type batchRequest struct {
	Requests []batchItem `json:"requests"`
}

type batchItem struct {
	ID        batchID           `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []batchID         `json:"dependsOn"`
}

// batchID is a text; scripts also send whole numbers. Case says nothing (DO-54).
type batchID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *batchID) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] >= '0' && raw[0] <= '9' {
		*id = batchID(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(id))
}

func (id batchID) key() string { return strings.ToLower(string(id)) }

type batchAnswer struct {
	ID      batchID           `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

func badBatch(format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, "badBatch", format, args...)
}

// inBatch is the key of an item's *batch in its context. An item cannot be a
// batch itself (DO-58).
type inBatch struct{}

// batch answers a $batch whose body is in c; r is the request that brought it.
func (a *api) batch(c *Call, r *http.Request) (Answer, error) {
	if r.Context().Value(inBatch{}) != nil {
		return Answer{}, badBatch("A batch cannot hold another batch. Send its requests by themselves.")
	}
	var in batchRequest
	if err := c.decode(&in); err != nil {
		return Answer{}, err
	}
	order, err := batchOrder(in.Requests)
	if err != nil {
		return Answer{}, err
	}
	out := make([]batchAnswer, len(in.Requests))
	b := batch{api: a, call: c, outer: r, items: in.Requests, out: out}
	b.left.Store(maxAnswers)
	b.run(order)
	return Answer{Status: http.StatusOK, Body: struct {
		Responses []batchAnswer `json:"responses"`
	}{out}}, nil
}

// batchOrder checks a batch as a whole (DO-54, DO-56) and says in which order
// its items run: as listed, but behind what they depend on.
func batchOrder(items []batchItem) ([]int, error) {
	if len(items) == 0 || len(items) > maxBatch {
		return nil, badBatch("A batch holds between 1 and %d requests; this one holds %d. Send several batches.", maxBatch, len(items)).On("requests")
	}
	at := map[string]int{}
	for i, it := range items {
		switch _, taken := at[it.ID.key()]; {
		case it.ID == "":
			return nil, badBatch("Each request of a batch needs an id, a text that no other has.").On("requests/id")
		case taken:
			return nil, badBatch("The id %q comes twice. Each request of a batch needs its own; upper and lower case do not tell them apart.", it.ID).On("requests/id")
		case it.Method == "" || it.URL == "":
			return nil, badBatch("The request %q needs a method and a url.", it.ID).On("requests")
		}
		if _, _, err := batchTarget(it.URL, ""); err != nil {
			return nil, err
		}
		at[it.ID.key()] = i
	}
	var order []int
	placed := make([]bool, len(items))
	ready := func(i int) bool {
		return !placed[i] && !slices.ContainsFunc(items[i].DependsOn, func(id batchID) bool { return !placed[at[id.key()]] })
	}
	for _, it := range items {
		for _, id := range it.DependsOn {
			if _, ok := at[id.key()]; !ok {
				return nil, badBatch("The request %q depends on %q, which is not in the batch.", it.ID, id).On("requests/dependsOn")
			}
		}
	}
	for len(order) < len(items) {
		i := slices.IndexFunc(items, func(it batchItem) bool { return ready(at[it.ID.key()]) })
		if i < 0 {
			return nil, badBatch("The requests of this batch depend on one another in a circle.").On("requests/dependsOn")
		}
		placed[i] = true
		order = append(order, i)
	}
	return order, nil
}

var absolute = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*:)?//|\\`)

// batchTarget reads the url of an item: relative, with or without a version and
// a slash in front (DO-54). version is that of the batch.
func batchTarget(in, version string) (path, query string, err error) {
	path, query, _ = strings.Cut(in, "?")
	if absolute.MatchString(path) {
		return "", "", badBatch("The url of a request of a batch is relative, such as /users; %q is not.", clipped(in)).On("requests/url")
	}
	path = strings.TrimPrefix(path, "/")
	if !Owns(path) {
		path = version + "/" + path
	}
	return "/" + path, query, nil
}

// batch is one batch while it runs.
type batch struct {
	api   *api
	call  *Call
	outer *http.Request
	items []batchItem
	out   []batchAnswer
	left  atomic.Int64 // bytes that may still be answered
}

func (b *batch) run(order []int) {
	var group sync.WaitGroup // the reads that run now
	running := map[string]bool{}
	places := make(chan struct{}, batchAtOnce)
	wait := func() { group.Wait(); clear(running) }
	for len(order) > 0 {
		if n := b.creations(order); n > 1 {
			wait()
			b.together(order[:n])
			order = order[n:]
			continue
		}
		i := order[0]
		order = order[1:]
		it := b.items[i]
		reads := strings.EqualFold(it.Method, http.MethodGet)
		if !reads || slices.ContainsFunc(it.DependsOn, func(id batchID) bool { return running[id.key()] }) {
			wait()
		}
		if err := b.dependency(it); err != nil {
			b.out[i] = b.refused(it, err)
			continue
		}
		if !reads {
			b.out[i] = b.one(b.outer.Context(), it)
			continue
		}
		running[it.ID.key()] = true
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			b.out[i] = b.one(b.outer.Context(), it)
		})
	}
	group.Wait()
}

// dependency is 424 if anything that it needs did not succeed (DO-56). All of
// that has run.
func (b *batch) dependency(it batchItem) error {
	for _, id := range it.DependsOn {
		for j, other := range b.items {
			if other.ID.key() == id.key() && b.out[j].Status >= 400 {
				return problem.New(problem.Invalid, "failedDependency", "This request was not run: %q, on which it depends, failed.", other.ID)
			}
		}
	}
	return nil
}

// refused is the answer to an item that was not run.
func (b *batch) refused(it batchItem, err error) batchAnswer {
	rec := newRecorder(nil)
	c := &Call{Now: b.call.Now, Host: b.call.Host, RequestID: db.NewID(b.call.Now), ClientRequestID: b.call.ClientRequestID}
	rec.header.Set("request-id", c.RequestID)
	_ = c.failure(err, "").send(rec) // into memory: cannot fail
	return rec.answer(it.ID)
}

// ofBatch are the headers of a $batch that are about itself; an item has its own.
var ofBatch = []string{"Accept", "Accept-Encoding", "Content-Encoding", "Content-Length", "Content-Type", "Transfer-Encoding", "ConsistencyLevel", "Prefer", "If-Match", "If-None-Match"}

// notOfItems are headers that an item cannot bring: who asks, and from where,
// is said by the batch.
var notOfItems = regexp.MustCompile(`(?i)^(authorization|cookie|host|connection|forwarded|x-forwarded-.*|x-real-ip|content-encoding|content-length|transfer-encoding)$`)

var errBrokeOff = errors.New("graph: an answer broke off")

// serve runs an item and reports whether its answer broke off: a stream that
// fails half way panics, which ends a connection elsewhere and would end the
// program here.
func (b *batch) serve(rec *recorder, r *http.Request) (broke bool) {
	defer func() {
		if p := recover(); p != nil {
			broke = true
			if p != http.ErrAbortHandler {
				b.api.Log.ErrorContext(r.Context(), "graph: panic in a batch", "panic", p, "stack", string(debug.Stack()))
			}
		}
	}()
	b.api.ServeHTTP(rec, r)
	return false
}

// one runs an item as a request of its own.
func (b *batch) one(ctx context.Context, it batchItem) batchAnswer {
	version := strings.TrimPrefix(b.call.Base, b.call.Host+"/")
	path, query, err := batchTarget(it.URL, version)
	if err != nil {
		return b.refused(it, err)
	}
	header := b.outer.Header.Clone()
	for _, name := range ofBatch {
		header.Del(name)
	}
	for name, value := range it.Headers {
		if !notOfItems.MatchString(name) {
			header.Set(name, value)
		}
	}
	body, err := it.content()
	if err != nil {
		return b.refused(it, err)
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return b.refused(it, errBadPath)
	}
	r := (&http.Request{Method: strings.ToUpper(it.Method), URL: &url.URL{Path: plain, RawPath: path, RawQuery: query}, Header: header, Host: b.outer.Host, RemoteAddr: b.outer.RemoteAddr,
		ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}).WithContext(context.WithValue(ctx, inBatch{}, b))
	rec := newRecorder(&b.left)
	broke := b.serve(rec, r)
	if broke && !rec.full {
		return b.refused(it, errBrokeOff)
	}
	if rec.full {
		return b.refused(it, problem.New(problem.Invalid, "answerTooLarge", "The answers of this batch are larger than %d MiB together. Send this request by itself, or ask for less with $select and $top.", maxAnswers>>20))
	}
	return rec.answer(it.ID)
}

// content is the body of an item: JSON as it stands, anything else in base64
// (DO-55).
func (it batchItem) content() ([]byte, error) {
	if len(it.Body) == 0 || string(it.Body) == "null" {
		return nil, nil
	}
	kind := ""
	for name, value := range it.Headers {
		if strings.EqualFold(name, "Content-Type") {
			kind = value
		}
	}
	if kind == "" {
		return nil, problem.New(problem.Invalid, "badRequest", "A request of a batch that has a body needs the header Content-Type in its headers.").On("headers/Content-Type")
	}
	if isJSON(kind) {
		return it.Body, nil
	}
	var text string
	if err := json.Unmarshal(it.Body, &text); err == nil {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			return raw, nil
		}
	}
	return nil, problem.New(problem.Invalid, "badRequest", "A body that is not JSON stands in a batch as a text in base64.").On("body")
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// recorder is the ResponseWriter of an item.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	left   *atomic.Int64 // nil: as much as it likes
	full   bool
}

func newRecorder(left *atomic.Int64) *recorder { return &recorder{header: http.Header{}, left: left} }

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.left != nil && r.left.Add(-int64(len(p))) < 0 {
		r.full = true
		return 0, io.ErrShortWrite
	}
	return r.body.Write(p)
}

// ofConnection are headers that make sense on a real answer only.
var ofConnection = regexp.MustCompile(`^(Access-Control-.*|X-Content-Type-Options|Vary)$`)

// answer is what was recorded, as it stands in a batch: JSON as it is, and the
// digits of a /$count as a number, which is how Graph's clients read them; all
// else in base64.
func (r *recorder) answer(id batchID) batchAnswer {
	out := batchAnswer{ID: id, Status: r.status, Headers: map[string]string{}}
	for name, values := range r.header {
		if !ofConnection.MatchString(name) {
			out.Headers[name] = strings.Join(values, ", ")
		}
	}
	body := bytes.TrimSpace(r.body.Bytes())
	kind := r.header.Get("Content-Type")
	switch {
	case len(body) == 0:
	case (isJSON(kind) || strings.HasPrefix(kind, "text/plain")) && json.Valid(body):
		out.Body = body
	default:
		text := base64.StdEncoding.EncodeToString(r.body.Bytes())
		out.Body, _ = json.Marshal(text) // a text always encodes
	}
	return out
}
