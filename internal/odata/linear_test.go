package odata

import (
	"runtime"
	"strings"
	"testing"
)

// allocated is how many bytes a call of f takes.
func allocated(f func()) uint64 {
	const runs = 20
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// TestParsingIsLinear: whatever a caller sends takes no more memory than 64
// times its length and what one refusal takes (DO-37).
func TestParsingIsLinear(t *testing.T) {
	tight := Schema{"a": {Column: "a", Kind: Int64, More: []string{"has"}}, "s": {Column: "s", More: []string{"has", "contains"}}, "c": {Items: &Items{From: "c WHERE TRUE", Owner: "c.a", Row: "a", Members: Schema{"": {Column: "c.x"}}, Count: true}}}
	fill := func(s string) string { return strings.Repeat(s, maxOption/len(s)) }
	for name, in := range map[string]string{
		"comparisons": fill("a eq 1or(") + "", "one hundred comparisons": strings.Repeat("a eq 1 or ", 99) + "a eq 1", "short ones": strings.Repeat("a in(1)or ", 99) + "a eq 1",
		"values": "a in(" + strings.Repeat("1,", 99) + "1)", "too many values": "a in(" + fill("1,")[:4000], "lists": strings.Repeat("a in(1,2,3,4,5,6,7,8,9)or ", 90) + "a eq 1", "parentheses": fill("("), "nots": fill("not "),
		"quotes": "s eq '" + fill("''")[:4000] + "'", "words": fill("and "), "flags": "s has '" + fill("x,")[:4000] + "'", "lambdas": strings.Repeat("c/any(x:x eq 'a')or ", 99) + "a eq 1", "counts": strings.Repeat("c/$count eq 7or ", 99) + "a eq 1",
		"one name": fill("x"), "bytes": fill("\xff"), "functions": strings.Repeat("contains(s,'x')or ", 99) + "a eq 1",
	} {
		got := allocated(func() { ParseFilter(in, tight) })
		if limit := uint64(64*len(in) + 2048); got > limit {
			t.Errorf("%s: %d bytes of $filter take %d bytes of memory, more than %d", name, len(in), got, limit)
		}
	}
	searchable := Schema{"a": {Column: "a", Search: true}}
	for name, in := range map[string]string{"clauses": fill(`"a:x"AND`), "parentheses": fill("("), "one clause": `"a:` + fill("xx ")[:4000] + `"`, "escapes": `"` + fill(`\"`)[:4000] + `"`, "words": strings.Repeat(`"a:1 2 3 4"OR`, 19) + "x"} {
		got := allocated(func() { ParseSearch(in, searchable) })
		if limit := uint64(64*len(in) + 2048); got > limit {
			t.Errorf("%s: %d bytes of $search take %d bytes of memory, more than %d", name, len(in), got, limit)
		}
	}
}

// BenchmarkParseFilter: the longest filters that are let in.
func BenchmarkParseFilter(b *testing.B) {
	in := strings.Repeat("startswith(displayName,'abcdefghijk') or ", 99) + "displayName eq 'x'"
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := ParseFilter(in, schema); err != nil {
			b.Fatal(err)
		}
	}
}
