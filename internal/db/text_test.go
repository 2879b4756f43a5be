package db_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cardea/internal/db"
)

func TestStorable(t *testing.T) {
	for s, want := range map[string]bool{"": true, "Ada Ω 𝄞": true, "a\x00b": false, "\xff": false, "\xed\xa0\x80": false} {
		if db.Storable(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
	for s, want := range map[string]bool{`{}`: true, `"\u0001"`: true, `"\u0000"`: false, `"\\u0000"`: true, `"\\\u0000"`: false, `"\u000`: true, `\`: true, `"x\`: true} {
		if db.StorableJSON([]byte(s)) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

// FuzzStorableJSON: what passes decodes to no text with a NUL, and what decodes
// to one does not pass.
func FuzzStorableJSON(f *testing.F) {
	for _, s := range []string{`"a"`, `"\u0000"`, `"\\u0000"`, `"\\\u0000"`, `"\u00000000"`, `"\n\u0000"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s string
		if json.Unmarshal(b, &s) == nil && db.StorableJSON(b) == (strings.IndexByte(s, 0) >= 0) {
			t.Errorf("%q is %q, storable %v", b, s, db.StorableJSON(b))
		}
	})
}
