package throttle

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"cardea/internal/problem"
)

// Cost is what one argon2id hash takes (RFC 9106).
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// Strong is the cost in use: 19 MiB, two passes, one thread. It takes some
// 20 ms of one core, and makes a stolen table expensive to guess from.
var Strong = Cost{Memory: 19 * 1024, Passes: 2, Threads: 1}

// Hasher makes guesses of secrets that people type expensive. It bounds how
// many hashes run at once, so that a flood of guesses costs neither the memory
// of the machine nor all of its cores. A server has exactly one. The zero
// Hasher runs nothing: it is always busy.
type Hasher struct {
	cost  Cost
	run   chan struct{} // one place per hash that runs
	queue chan struct{} // one per caller, running or waiting
}

// NewHasher returns a Hasher that runs at most atOnce hashes at a time; 0 means
// half of the cores, at least one.
func NewHasher(c Cost, atOnce int) *Hasher {
	if atOnce <= 0 {
		atOnce = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return &Hasher{cost: c, run: make(chan struct{}, atOnce), queue: make(chan struct{}, atOnce*50)}
}

// Hash returns the argon2id hash of secret as a PHC string, with a fresh salt.
// It fails with Unavailable when too many wait already.
func (h *Hasher) Hash(ctx context.Context, secret string) (string, error) {
	p := phc{Cost: h.cost, salt: make([]byte, 16)}
	rand.Read(p.salt)
	sum, err := h.sum(ctx, p, 32, secret)
	if err != nil {
		return "", err
	}
	p.sum = sum
	return p.String(), nil
}

// Verify reports whether stored, a PHC string, is the hash of secret. With
// stored "" it takes as long and says no: who asks cannot tell whether there
// was anything to compare with.
func (h *Hasher) Verify(ctx context.Context, stored, secret string) (bool, error) {
	p, known := phc{Cost: h.cost, salt: make([]byte, 16), sum: make([]byte, 32)}, stored != ""
	if known {
		var err error
		if p, err = parsePHC(stored); err != nil {
			return false, err
		}
	}
	sum, err := h.sum(ctx, p, uint32(len(p.sum)), secret)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && known, nil
}

// Outdated reports whether stored was made at another cost than today's. Then
// the owner of a right secret hashes it again.
func (h *Hasher) Outdated(stored string) bool {
	p, err := parsePHC(stored)
	return err != nil || p.Cost != h.cost
}

func (h *Hasher) sum(ctx context.Context, p phc, size uint32, secret string) ([]byte, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, problem.New(problem.Unavailable, "busy", "Too many people sign in at this moment. Try again in a minute.")
	}
	select {
	case h.run <- struct{}{}:
		defer func() { <-h.run }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(secret), p.salt, p.Passes, p.Memory, p.Threads, size), nil
}

// phc is a stored hash: $argon2id$v=19$m=19456,t=2,p=1$salt$sum.
type phc struct {
	Cost
	salt, sum []byte
}

const phcHead = "$argon2id$v=19$"

func (p phc) String() string {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	b64 := base64.RawStdEncoding.Strict()
	return phcHead + "m=" + n(uint64(p.Memory)) + ",t=" + n(uint64(p.Passes)) + ",p=" + n(uint64(p.Threads)) +
		"$" + b64.EncodeToString(p.salt) + "$" + b64.EncodeToString(p.sum)
}

var errPHC = errors.New("throttle: a stored hash is damaged")

// parsePHC reads what String wrote, and nothing else: the bounds keep a
// damaged row from asking for all memory.
func parsePHC(text string) (p phc, err error) {
	rest, ok := strings.CutPrefix(text, phcHead)
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 || len(text) > 512 {
		return p, errPHC
	}
	costs := strings.Split(parts[0], ",")
	if len(costs) != 3 {
		return p, errPHC
	}
	number := func(i int, name string, lowest, highest uint64) uint64 {
		digits, ok := strings.CutPrefix(costs[i], name)
		v, e := strconv.ParseUint(digits, 10, 32)
		if !ok || e != nil || v < lowest || v > highest {
			err = errPHC
		}
		return v
	}
	p.Memory = uint32(number(0, "m=", 8, 1<<18))
	p.Passes = uint32(number(1, "t=", 1, 16))
	p.Threads = uint8(number(2, "p=", 1, 16))
	if err != nil {
		return phc{}, err
	}
	b64 := base64.RawStdEncoding.Strict()
	var e1, e2 error
	p.salt, e1 = b64.DecodeString(parts[1])
	p.sum, e2 = b64.DecodeString(parts[2])
	if e1 != nil || e2 != nil || len(p.salt) < 8 || len(p.sum) < 16 || p.String() != text {
		return phc{}, errPHC
	}
	return p, nil
}
