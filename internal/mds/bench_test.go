package mds

import (
	"fmt"
	"strings"
	"testing"

	"cardea/internal/mds/mdstest"
)

// large is a BLOB of the size of the real one: 334 entries, 10 kB of icon each.
func large(b *testing.B) (*mdstest.Authority, []byte) {
	a := authority(b, mdstest.Config{})
	root := testRoot(b, "A")
	entries := make([]mdstest.Entry, 334)
	for i := range entries {
		entries[i] = mdstest.SecurityKey(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i+1), fmt.Sprintf("Key %d", i), root, root).
			Set("icon", "data:image/png;base64,"+strings.Repeat("A", 10_000))
	}
	return a, must(a.SignBLOB(1, entries...))(b)
}

func BenchmarkVerify(b *testing.B) {
	a, blob := large(b)
	b.SetBytes(int64(len(blob)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Verify(blob, a.Roots(), today, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	a, blob := large(b)
	m, _, err := Verify(blob, a.Roots(), today, 0)
	if err != nil {
		b.Fatal(err)
	}
	data := must(m.Encode(testKey))(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, testKey); err != nil {
			b.Fatal(err)
		}
	}
}
