package graph

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"cardea/internal/db"
)

// joint lets requests that run at the same time write in one transaction, in an
// order that was agreed before. Each says what it writes, or that it writes
// nothing; who speaks last writes for all.
type joint struct {
	write func(all []func(q db.Querier) error) []error

	mu    sync.Mutex
	left  int                        // partners that have not spoken
	said  []func(q db.Querier) error // by partner; nil is nothing
	errs  []error
	ended chan struct{}
}

func newJoint(partners int, write func(all []func(q db.Querier) error) []error) *joint {
	return &joint{write: write, left: partners, said: make([]func(q db.Querier) error, partners), errs: make([]error, partners), ended: make(chan struct{})}
}

// partner is one request of a joint. Only its first write is with the others.
type partner struct {
	*joint
	at    int
	spoke bool
}

// inJoint is the key of a request's *partner in its context.
type inJoint struct{}

// speak says what the partner writes and, if that is anything, waits until it is
// written or was undone.
func (p *partner) speak(f func(q db.Querier) error) error {
	p.spoke = true
	p.mu.Lock()
	p.said[p.at] = f
	p.left--
	last := p.left == 0
	p.mu.Unlock()
	if last {
		p.finish()
	}
	if f == nil {
		return nil
	}
	<-p.ended
	return p.errs[p.at]
}

// pass says, at the end of the request, that nothing comes any more.
func (p *partner) pass() {
	if !p.spoke {
		p.speak(nil)
	}
}

func (j *joint) finish() {
	defer close(j.ended)
	var all []func(q db.Querier) error
	var whose []int
	for at, f := range j.said {
		if f != nil {
			all, whose = append(all, f), append(whose, at)
		}
	}
	if len(all) == 0 {
		return
	}
	for i, err := range j.write(all) {
		j.errs[whose[i]] = err
	}
}

// creations is how many items at the beginning of order make people and wait for
// none of one another: an import. They run at the same time and write together,
// in their order, so that nobody sees a difference but the clock.
func (b *batch) creations(order []int) int {
	version := strings.TrimPrefix(b.call.Base, b.call.Host+"/")
	among := map[string]bool{}
	for n, i := range order {
		it := b.items[i]
		path, query, err := batchTarget(it.URL, version)
		_, set, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if err != nil || query != "" || !strings.EqualFold(it.Method, http.MethodPost) || !strings.EqualFold(set, "users") ||
			slices.ContainsFunc(it.DependsOn, func(id batchID) bool { return among[id.key()] }) {
			return n
		}
		among[it.ID.key()] = true
	}
	return len(order)
}

// together runs items as partners. What they depend on has run.
func (b *batch) together(items []int) {
	var run []int
	for _, i := range items {
		if err := b.dependency(b.items[i]); err != nil {
			b.out[i] = b.refused(b.items[i], err)
			continue
		}
		run = append(run, i)
	}
	j := newJoint(len(run), func(all []func(q db.Querier) error) []error { return b.api.DB.WriteEach(b.outer.Context(), all) })
	var group sync.WaitGroup
	for at, i := range run {
		group.Go(func() {
			p := &partner{joint: j, at: at}
			defer p.pass()
			b.out[i] = b.one(context.WithValue(b.outer.Context(), inJoint{}, p), b.items[i])
		})
	}
	group.Wait()
}
