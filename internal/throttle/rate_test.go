package throttle

import (
	"fmt"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	r := NewRate(10)
	for i := range 20 { // twice as many at once
		if wait := r.Take("a", now); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := r.Take("a", now); wait != 100*time.Millisecond {
		t.Errorf("the twenty-first waits %v, want 100ms", wait)
	}
	if r.Take("b", now) != 0 {
		t.Error("one caller's requests count for another")
	}
	if r.Take("a", now.Add(-time.Hour)) == 0 {
		t.Error("a clock that goes back gives more")
	}
	if r.Take("a", now.Add(100*time.Millisecond)) != 0 || r.Take("a", now.Add(100*time.Millisecond)) == 0 {
		t.Error("after 100ms there is one more, and one only")
	}
	n := 0
	for r.Take("a", now.Add(time.Hour)) == 0 {
		n++
	}
	if n != 20 {
		t.Errorf("after an hour %d at once, want 20", n)
	}
	if (*Rate)(nil).Take("a", now) != 0 || NewRate(0) != nil {
		t.Error("0 is no limit")
	}
}

// The memory stays bounded, whoever asks.
func TestRateIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	r := NewRate(1)
	for i := range 3 * maxBuckets {
		r.Take(fmt.Sprint(i), now)
	}
	if len(r.buckets) > maxBuckets {
		t.Errorf("%d callers are remembered", len(r.buckets))
	}
	later := now.Add(time.Hour)
	for i := range 2 * maxBuckets {
		r.Take(fmt.Sprint("new", i), later.Add(time.Duration(i)*time.Hour))
	}
	if len(r.buckets) > maxBuckets {
		t.Errorf("%d callers are remembered", len(r.buckets))
	}
}
