// Package netrange answers which of many address ranges an IP address lies in.
//
// Ranges are written as CIDR blocks or as a lowest and a highest address, IPv4
// or IPv6, and may overlap. A Builder collects them, each under the number of
// its owner; the Table that it builds is immutable and answers with all owners
// at once, in one walk down a prefix trie and without allocating.
//
// An IPv4 address written inside IPv6 (::ffff:192.0.2.1) is the IPv4 address
// (CA-80), in ranges as in questions. Zones are ignored.
package netrange

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// Parse reads a CIDR block such as 192.0.2.0/24 or 2001:db8::/32. Bits behind
// the prefix are cleared. The whole address space (/0) is refused.
func Parse(cidr string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(cidr))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a range like 192.0.2.0/24 or 2001:db8::/32", clip(cidr))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("%q is every address there is", clip(cidr))
	}
	return p.Masked(), nil
}

// ParseAddr reads one address. It has no zone and is IPv4 if it can be.
func ParseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", clip(s))
	}
	return Canonical(a), nil
}

// Canonical is the address that questions and ranges are compared by.
func Canonical(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// Between returns the fewest CIDR blocks that together hold the addresses from
// low to high, both included. They must be of one family, in order, and not be
// the whole address space.
func Between(low, high netip.Addr) ([]netip.Prefix, error) {
	low, high = Canonical(low), Canonical(high)
	switch {
	case !low.IsValid() || !high.IsValid() || low.BitLen() != high.BitLen():
		return nil, fmt.Errorf("both ends of a range must be IPv4, or both IPv6")
	case high.Less(low):
		return nil, fmt.Errorf("the lower end %s lies above the upper end %s", low, high)
	}
	var out []netip.Prefix
	for {
		// The widest block that begins at low and does not reach beyond high.
		n := low.BitLen()
		for n > 0 {
			p := netip.PrefixFrom(low, n-1)
			if p.Masked().Addr() != low || high.Less(last(p)) {
				break
			}
			n--
		}
		if n == 0 {
			return nil, fmt.Errorf("the range %s to %s is every address there is", low, high)
		}
		p := netip.PrefixFrom(low, n)
		out = append(out, p)
		if end := last(p); end == high {
			return out, nil
		} else {
			low = end.Next()
		}
	}
}

// last is the highest address of a block.
func last(p netip.Prefix) netip.Addr {
	k := keyOf(p.Addr())
	m := mask(p.Bits() + 128 - p.Addr().BitLen())
	k.hi, k.lo = k.hi|^m.hi, k.lo|^m.lo
	return k.addr(p.Addr().Is4())
}

// Builder collects ranges. The zero Builder is empty.
type Builder struct {
	owners  int
	entries []entry
}

type entry struct {
	prefix netip.Prefix
	owner  int
}

// Add puts a block under the number of its owner, from 0. Blocks that are not
// valid are left out.
func (b *Builder) Add(p netip.Prefix, owner int) {
	if !p.IsValid() {
		return
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	b.owners = max(b.owners, owner+1)
	b.entries = append(b.entries, entry{p.Masked(), owner})
}

// Table holds ranges for look-ups. The zero Table holds none.
type Table struct {
	four, six int32 // roots of the two tries, -1 if empty
	nodes     []node
	sets      [][]uint64
}

// node is a prefix at which ranges end or at which two branches part. Its set
// holds the owners of all ranges that contain the whole prefix, so that the
// longest prefix of an address knows everything.
type node struct {
	key  key
	bits int // of the 128; an IPv4 prefix has 96 more
	kids [2]int32
	set  int32
}

// key is an address as 128 bits; IPv4 lies in the last 32.
type key struct{ hi, lo uint64 }

func keyOf(a netip.Addr) key {
	if a.Is4() {
		b := a.As4()
		return key{0, uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])}
	}
	b := a.As16()
	var k key
	for i := range 8 {
		k.hi = k.hi<<8 | uint64(b[i])
		k.lo = k.lo<<8 | uint64(b[i+8])
	}
	return k
}

func (k key) addr(four bool) netip.Addr {
	if four {
		return netip.AddrFrom4([4]byte{byte(k.lo >> 24), byte(k.lo >> 16), byte(k.lo >> 8), byte(k.lo)})
	}
	var b [16]byte
	for i := range 8 {
		b[7-i], b[15-i] = byte(k.hi>>(8*i)), byte(k.lo>>(8*i))
	}
	return netip.AddrFrom16(b)
}

func (k key) bit(i int) int {
	if i < 64 {
		return int(k.hi >> (63 - i) & 1)
	}
	return int(k.lo >> (127 - i) & 1)
}

// mask has the first n of 128 bits set.
func mask(n int) key {
	switch {
	case n <= 0:
		return key{}
	case n < 64:
		return key{^uint64(0) << (64 - n), 0}
	case n == 64:
		return key{^uint64(0), 0}
	case n >= 128:
		return key{^uint64(0), ^uint64(0)}
	}
	return key{^uint64(0), ^uint64(0) << (128 - n)}
}

// common counts the bits that a and b share from the front, at most n.
func common(a, b key, n int) int {
	c := bits.LeadingZeros64(a.hi ^ b.hi)
	if c == 64 {
		c += bits.LeadingZeros64(a.lo ^ b.lo)
	}
	return min(c, n)
}

// Build makes the table. The Builder may go on collecting for another one.
func (b *Builder) Build() *Table {
	t := &Table{four: -1, six: -1}
	// Shorter prefixes first: whatever contains a prefix is there before it.
	sorted := slices.Clone(b.entries)
	slices.SortStableFunc(sorted, func(x, y entry) int { return x.prefix.Bits() - y.prefix.Bits() })
	width := (b.owners + 63) / 64
	own := map[int32][]uint64{} // node: the owners of ranges that end there
	for _, e := range sorted {
		root, n := &t.six, e.prefix.Bits()
		if e.prefix.Addr().Is4() {
			root, n = &t.four, n+96
		}
		at := t.insert(root, keyOf(e.prefix.Addr()), n)
		if own[at] == nil {
			own[at] = make([]uint64, width)
		}
		own[at][e.owner/64] |= 1 << (e.owner % 64)
	}
	known := map[string]int32{}
	none := make([]uint64, width)
	t.inherit(t.four, none, own, known)
	t.inherit(t.six, none, own, known)
	return t
}

// insert returns the node of a prefix, which it makes if it has to.
func (t *Table) insert(root *int32, k key, n int) int32 {
	from, side := int32(-1), 0 // the link that leads to at
	at := *root
	link := func(to int32) {
		if from < 0 {
			*root = to
		} else {
			t.nodes[from].kids[side] = to
		}
	}
	add := func(k key, n int) int32 {
		t.nodes = append(t.nodes, node{key: k, bits: n, kids: [2]int32{-1, -1}, set: -1})
		return int32(len(t.nodes) - 1)
	}
	for at >= 0 {
		here := t.nodes[at]
		c := common(k, here.key, min(n, here.bits))
		switch {
		case c == here.bits && c == n:
			return at
		case c == here.bits: // here contains the prefix: go down
			from, side = at, k.bit(c)
			at = here.kids[side]
		case c == n: // the prefix contains here
			made := add(k, n)
			t.nodes[made].kids[here.key.bit(c)] = at
			link(made)
			return made
		default: // they part behind c bits
			m := mask(c)
			fork := add(key{k.hi & m.hi, k.lo & m.lo}, c)
			made := add(k, n)
			t.nodes[fork].kids[here.key.bit(c)], t.nodes[fork].kids[k.bit(c)] = at, made
			link(fork)
			return made
		}
	}
	made := add(k, n)
	link(made)
	return made
}

// inherit gives each node below at the owners of all that contain it. Equal
// sets are stored once. The depth is at most 128.
func (t *Table) inherit(at int32, above []uint64, own map[int32][]uint64, known map[string]int32) {
	if at < 0 {
		return
	}
	mine := slices.Clone(above)
	for i, w := range own[at] {
		mine[i] |= w
	}
	name := fmt.Sprint(mine)
	if _, ok := known[name]; !ok {
		known[name] = int32(len(t.sets))
		t.sets = append(t.sets, mine)
	}
	t.nodes[at].set = known[name]
	for _, kid := range t.nodes[at].kids {
		t.inherit(kid, mine, own, known)
	}
}

// Find returns the owners of all ranges that contain a, as a set of bits:
// owner n is bit n%64 of word n/64. Nil means none. Callers must not change it.
func (t *Table) Find(a netip.Addr) []uint64 {
	if t == nil || len(t.nodes) == 0 || !a.IsValid() {
		return nil
	}
	a = Canonical(a)
	at := t.six
	if a.Is4() {
		at = t.four
	}
	k, found := keyOf(a), int32(-1)
	for at >= 0 {
		n := &t.nodes[at]
		if common(k, n.key, n.bits) < n.bits {
			break
		}
		found = n.set
		if n.bits == 128 {
			break
		}
		at = n.kids[k.bit(n.bits)]
	}
	if found < 0 {
		return nil
	}
	return t.sets[found]
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
