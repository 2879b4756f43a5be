package throttle

import (
	"sync"
	"time"
)

// Rate lets each caller ask so many times a second, and twice as many at once
// after a rest. It lives in the memory of one node: it keeps a runaway script
// from taking the server away from everybody else, and guards no secret. The
// nil Rate refuses nobody.
type Rate struct {
	perSecond, burst float64

	mu      sync.Mutex
	buckets map[string]bucket
}

// bucket is what a caller had left at a time.
type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds the memory: callers beyond that many share it in turn.
const maxBuckets = 10_000

// NewRate returns a Rate; 0 per second is nil, no limit.
func NewRate(perSecond int) *Rate {
	if perSecond <= 0 {
		return nil
	}
	return &Rate{perSecond: float64(perSecond), burst: 2 * float64(perSecond), buckets: map[string]bucket{}}
}

// Take counts one request by who at the time now, and returns 0, or how long
// to wait before the next: then the request is refused and not counted.
func (r *Rate) Take(who string, now time.Time) time.Duration {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.buckets[who]
	if !ok {
		r.makeRoom(now)
		b = bucket{r.burst, now}
	}
	b = r.filled(b, now)
	if b.left < 1 {
		r.buckets[who] = b
		return time.Duration((1 - b.left) / r.perSecond * float64(time.Second))
	}
	b.left--
	r.buckets[who] = b
	return 0
}

// filled is b at a later time. A clock that goes back gives nothing.
func (r *Rate) filled(b bucket, now time.Time) bucket {
	if d := now.Sub(b.at); d > 0 {
		b.left, b.at = min(r.burst, b.left+d.Seconds()*r.perSecond), now
	}
	return b
}

// makeRoom forgets who rested long enough to be new again, or else anybody.
func (r *Rate) makeRoom(now time.Time) {
	if len(r.buckets) < maxBuckets {
		return
	}
	for who, b := range r.buckets {
		if r.filled(b, now).left >= r.burst {
			delete(r.buckets, who)
		}
	}
	for who := range r.buckets {
		if len(r.buckets) <= maxBuckets*9/10 { // a tenth at once, so that this is rare
			return
		}
		delete(r.buckets, who)
	}
}
