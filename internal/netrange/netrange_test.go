package netrange

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"192.0.2.77/24", "192.0.2.0/24"},
		{"192.0.2.1/32", "192.0.2.1/32"},
		{"10.0.0.0/1", "0.0.0.0/1"},
		{"2001:db8::1/32", "2001:db8::/32"},
		{"2001:DB8::/128", "2001:db8::/128"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"}, // CA-80
		{" 192.0.2.0/24 ", "192.0.2.0/24"},
	} {
		if p, err := Parse(row.in); err != nil || p.String() != row.want {
			t.Errorf("%s: %v, %v, want %s", row.in, p, err, row.want)
		}
	}
	for _, in := range []string{"", "0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "192.0.2.0", "192.0.2.0/33", "192.0.2/24", "192.0.2.0/-1", "192.0.2.0/024", "fe80::1%eth0/64", "x/8"} {
		if p, err := Parse(in); err == nil {
			t.Errorf("%q was read as %v", in, p)
		}
	}
}

func TestBetween(t *testing.T) {
	for _, row := range []struct{ low, high, want string }{
		{"192.0.2.1", "192.0.2.1", "192.0.2.1/32"},
		{"192.0.2.0", "192.0.2.255", "192.0.2.0/24"},
		{"192.0.2.1", "192.0.2.6", "192.0.2.1/32 192.0.2.2/31 192.0.2.4/31 192.0.2.6/32"},
		{"0.0.0.1", "255.255.255.255", "0.0.0.1/32 0.0.0.2/31 0.0.0.4/30 0.0.0.8/29 0.0.0.16/28 0.0.0.32/27 0.0.0.64/26 0.0.0.128/25 0.0.1.0/24 0.0.2.0/23 0.0.4.0/22 0.0.8.0/21 0.0.16.0/20 0.0.32.0/19 0.0.64.0/18 0.0.128.0/17 0.1.0.0/16 0.2.0.0/15 0.4.0.0/14 0.8.0.0/13 0.16.0.0/12 0.32.0.0/11 0.64.0.0/10 0.128.0.0/9 1.0.0.0/8 2.0.0.0/7 4.0.0.0/6 8.0.0.0/5 16.0.0.0/4 32.0.0.0/3 64.0.0.0/2 128.0.0.0/1"},
		{"2001:db8::", "2001:db8::ffff", "2001:db8::/112"},
	} {
		got, err := Between(netip.MustParseAddr(row.low), netip.MustParseAddr(row.high))
		if err != nil || words(got) != row.want {
			t.Errorf("%s to %s: %s, %v", row.low, row.high, words(got), err)
		}
	}
	for _, row := range [][2]string{{"0.0.0.0", "255.255.255.255"}, {"192.0.2.2", "192.0.2.1"}, {"192.0.2.2", "2001:db8::1"}, {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}} {
		if got, err := Between(netip.MustParseAddr(row[0]), netip.MustParseAddr(row[1])); err == nil {
			t.Errorf("%v: %v", row, got)
		}
	}
}

func words(ps []netip.Prefix) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return strings.Join(out, " ")
}

// TestOverlap: an address lies in every range that contains it, not only in the
// smallest (CA-80).
func TestOverlap(t *testing.T) {
	var b Builder
	for i, cidr := range []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "2001:db8::/32", "2001:db8:1::/48", "192.0.2.0/24"} {
		p, err := Parse(cidr)
		if err != nil {
			t.Fatal(err)
		}
		b.Add(p, i)
	}
	table := b.Build()
	for _, row := range []struct {
		addr string
		want uint64
	}{
		{"10.1.2.3", 0b1111}, {"10.1.2.4", 0b111}, {"10.1.3.1", 0b11}, {"10.9.9.9", 0b1}, {"11.0.0.0", 0}, {"::ffff:10.1.2.3", 0b1111},
		{"2001:db8:1::5", 0b110000}, {"2001:db8:2::5", 0b10000}, {"2001:db9::", 0}, {"::10.1.2.3", 0}, {"192.0.2.255", 0b1000000}, {"fe80::1%eth0", 0},
	} {
		var got uint64
		if set := table.Find(netip.MustParseAddr(row.addr)); set != nil {
			got = set[0]
		}
		if got != row.want {
			t.Errorf("%s: %b, want %b", row.addr, got, row.want)
		}
	}
	if table.Find(netip.Addr{}) != nil || (*Table)(nil).Find(netip.MustParseAddr("10.1.2.3")) != nil || new(Builder).Build().Find(netip.MustParseAddr("10.1.2.3")) != nil {
		t.Error("found something where nothing is")
	}
}

// TestAgainstTheObvious compares the trie with looking at every range.
func TestAgainstTheObvious(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few distinct bytes, so that ranges overlap and neighbours meet.
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 127, 128, 255}), 16, 16).Draw(t, "bytes")
			if rapid.Bool().Draw(t, "four") {
				return netip.AddrFrom4([4]byte(b))
			}
			return netip.AddrFrom16([16]byte(b))
		})
		var b Builder
		type owned struct {
			p     netip.Prefix
			owner int
		}
		var all []owned
		for range rapid.IntRange(0, 40).Draw(t, "ranges") {
			a, owner := Canonical(addr.Draw(t, "address")), rapid.IntRange(0, 70).Draw(t, "owner")
			p := netip.PrefixFrom(a, rapid.IntRange(1, a.BitLen()).Draw(t, "bits")).Masked()
			b.Add(p, owner)
			all = append(all, owned{p, owner})
		}
		table := b.Build()
		for range 20 {
			a := addr.Draw(t, "asked")
			want := map[int]bool{}
			for _, o := range all {
				if o.p.Contains(Canonical(a)) {
					want[o.owner] = true
				}
			}
			set := table.Find(a)
			for owner := range 71 {
				got := owner/64 < len(set) && set[owner/64]>>(owner%64)&1 == 1
				if got != want[owner] {
					t.Fatalf("%v owner %d: %v", a, owner, got)
				}
			}
		}
	})
}

func TestFindAllocatesNothing(t *testing.T) {
	var b Builder
	for i := range 2000 {
		b.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(10 + i%7), byte(i), byte(i >> 3), 0}), 8+i%17), i%100)
	}
	table, a := b.Build(), netip.MustParseAddr("::ffff:10.3.4.5")
	if n := testing.AllocsPerRun(100, func() { table.Find(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: what is read is canonical, is a part of the address space, and is
// read as itself again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"192.0.2.0/24", "2001:db8::/32", "::ffff:1.2.3.4/100", "0.0.0.0/0", "1.2.3.4", "fe80::%1/64", "::1/128", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil || again != p || p.Bits() == 0 || p.Masked() != p || p.Addr().Is4In6() && p.Bits() >= 96 {
			t.Errorf("%q: %v, then %v, %v", s, p, again, err)
		}
	})
}

// FuzzBetween: the blocks hold both ends, neither neighbour, and do not overlap.
func FuzzBetween(f *testing.F) {
	f.Add(uint32(0), uint32(1))
	f.Add(uint32(5), uint32(1<<31))
	f.Add(uint32(0), ^uint32(0))
	f.Fuzz(func(t *testing.T, x, y uint32) {
		addr := func(n uint32) netip.Addr {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], n)
			return netip.AddrFrom4(b)
		}
		ps, err := Between(addr(x), addr(y))
		if (err != nil) != (x > y || x == 0 && y == ^uint32(0)) {
			t.Fatalf("%d to %d: %v", x, y, err)
		}
		if err != nil {
			return
		}
		holds := func(a netip.Addr) bool {
			return slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(a) })
		}
		if !holds(addr(x)) || !holds(addr(y)) || !holds(addr(x+(y-x)/2)) || x > 0 && holds(addr(x-1)) || y < ^uint32(0) && holds(addr(y+1)) || len(ps) > 62 {
			t.Errorf("%d to %d: %v", x, y, ps)
		}
		for i := 1; i < len(ps); i++ {
			if ps[i].Overlaps(ps[i-1]) {
				t.Errorf("%v overlap", ps)
			}
		}
	})
}
