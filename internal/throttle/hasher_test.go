package throttle

import (
	"context"
	"strings"
	"testing"

	"cardea/internal/problem"
)

var cheap = Cost{Memory: 8, Passes: 1, Threads: 1}

// The argon2id vector of the reference implementation's test suite: version
// 19, two passes, 256 KiB, one thread.
func TestHasherVector(t *testing.T) {
	const stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	h := NewHasher(cheap, 1)
	if ok, err := h.Verify(t.Context(), stored, "password"); !ok || err != nil {
		t.Errorf("the right secret: %v, %v", ok, err)
	}
	if ok, err := h.Verify(t.Context(), stored, "Password"); ok || err != nil {
		t.Errorf("a wrong secret: %v, %v", ok, err)
	}
}

func TestHasher(t *testing.T) {
	h := NewHasher(Strong, 0)
	a, err := h.Hash(t.Context(), "correct horse")
	if err != nil || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", a, err)
	}
	b, _ := h.Hash(t.Context(), "correct horse")
	if a == b {
		t.Error("two hashes of one secret share their salt")
	}
	if ok, err := h.Verify(t.Context(), a, "correct horse"); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if ok, err := h.Verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("nothing stored must never match: %v, %v", ok, err)
	}
	if _, err := h.Verify(t.Context(), a[:len(a)-1]+"!", "correct horse"); problem.KindOf(err) != problem.Internal || err == nil {
		t.Errorf("a damaged row: %v", err)
	}
	if h.Outdated(a) || !NewHasher(cheap, 1).Outdated(a) {
		t.Error("Outdated compares the cost")
	}
}

// A flood is answered Unavailable, and waiting ends with the caller.
func TestHasherBounds(t *testing.T) {
	h := NewHasher(cheap, 1)
	h.run <- struct{}{} // somebody hashes
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); err != context.Canceled {
		t.Errorf("a caller who left: %v", err)
	}
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	if _, err := h.Hash(t.Context(), "x"); problem.KindOf(err) != problem.Unavailable {
		t.Errorf("beyond the queue: %v", err)
	}
}

// FuzzPHC: a text that parses writes itself back, and never asks for more
// than the bounds.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$$$")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePHC(text)
		if err != nil {
			return
		}
		if p.String() != text || p.Memory > 1<<18 || p.Passes > 16 || p.Threads == 0 || len(p.sum) > 512 {
			t.Fatalf("%q parsed to %+v", text, p)
		}
	})
}
