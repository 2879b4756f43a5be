package graph

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"cardea/internal/db"
	"cardea/internal/directory"
)

// newcomer is a person to be made, and what belongs to their creation: then runs
// in its transaction. Afterwards made is what was stored.
type newcomer struct {
	directory.Newcomer
	then func(q db.Querier, made directory.User) error
	made directory.User
}

func (n *newcomer) key() string { return strings.ToLower(n.User.UserPrincipalName) }

// welcome stores n, in an import together with the people of the same batch.
func (c *Call) welcome(n *newcomer) error {
	if p, ok := c.Context.Value(inJoint{}).(*partner); ok {
		return p.speak(n)
	}
	return c.write(func(q db.Querier) error { return welcomeAll(c.Context, q, []*newcomer{n}) })
}

// welcomeAll stores all, or fails.
func welcomeAll(ctx context.Context, q db.Querier, all []*newcomer) error {
	in := make([]directory.Newcomer, len(all))
	for i, n := range all {
		in[i] = n.Newcomer
	}
	made, err := directory.CreateUsers(ctx, q, in)
	for i, n := range all {
		if err == nil {
			n.made = made[i]
			err = n.then(q, made[i])
		}
	}
	return err
}

// welcomeEach stores all in their order and returns what went wrong with each. If
// somebody cannot be stored it tries the halves, so that one bad row of twenty
// costs a few commits and not twenty.
func welcomeEach(ctx context.Context, d *db.DB, all []*newcomer) []error {
	err := d.Write(ctx, func(q db.Querier) error { return welcomeAll(ctx, q, all) })
	if err == nil || len(all) == 1 || ctx.Err() != nil {
		return slices.Repeat([]error{err}, len(all))
	}
	half := len(all) / 2
	return append(welcomeEach(ctx, d, all[:half]), welcomeEach(ctx, d, all[half:])...)
}

// joint lets requests that run at the same time store people in one transaction,
// in an order that was agreed before. Each says whom it stores, or nobody; who
// speaks last stores all.
type joint struct {
	store func([]*newcomer) []error

	mu    sync.Mutex
	left  int         // partners that have not spoken
	said  []*newcomer // by partner; nil is nobody
	errs  []error
	ended chan struct{}
}

func newJoint(partners int, store func([]*newcomer) []error) *joint {
	return &joint{store: store, left: partners, said: make([]*newcomer, partners), errs: make([]error, partners), ended: make(chan struct{})}
}

// partner is one request of a joint. It speaks once.
type partner struct {
	*joint
	at    int
	spoke bool
}

// inJoint is the key of a request's *partner in its context.
type inJoint struct{}

// speak says whom the partner stores and waits until that is done or was undone.
func (p *partner) speak(n *newcomer) error {
	p.spoke = true
	p.mu.Lock()
	p.said[p.at] = n
	p.left--
	last := p.left == 0
	p.mu.Unlock()
	if last {
		p.finish()
	}
	if n == nil {
		return nil
	}
	<-p.ended
	return p.errs[p.at]
}

// pass says, at the end of the request, that nobody comes any more.
func (p *partner) pass() {
	if !p.spoke {
		p.speak(nil)
	}
}

func (j *joint) finish() {
	defer close(j.ended)
	var all []*newcomer
	var whose []int
	for at, n := range j.said {
		if n != nil {
			whose = append(whose, at)
		}
	}
	// By name, so that two imports of the same people do not wait for each other
	// in a circle. Of two with one name the one that was listed first stays first.
	slices.SortStableFunc(whose, func(a, b int) int { return strings.Compare(j.said[a].key(), j.said[b].key()) })
	for _, at := range whose {
		all = append(all, j.said[at])
	}
	if len(all) == 0 {
		return
	}
	for _, at := range whose { // what store does not come to say
		j.errs[at] = errBrokeOff
	}
	for i, err := range j.store(all) {
		j.errs[whose[i]] = err
	}
}

// creations is how many items at the beginning of order make people and wait for
// none of one another: an import. They run at the same time and are stored together,
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
	j := newJoint(len(run), func(all []*newcomer) []error { return welcomeEach(b.outer.Context(), b.api.DB, all) })
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
