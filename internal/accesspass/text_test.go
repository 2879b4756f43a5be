package accesspass

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"cardea/internal/db"
)

// TestNewCode: PK-151, every character of the alphabet appears, each about as
// often. 55,000 draws: a fair count of 1,000 stays within 800 and 1,200 with a
// chance of error below one in a million.
func TestNewCode_PK151(t *testing.T) {
	if len(alphabet) != 55 || strings.ContainsAny(alphabet, "0Oo1Ili") {
		t.Fatalf("alphabet of %d", len(alphabet))
	}
	count := map[rune]int{}
	for range 1250 {
		code := newCode(44)
		if len(code) != 44 || typed(code) != code {
			t.Fatalf("code %q", code)
		}
		for _, r := range code {
			count[r]++
		}
	}
	for _, r := range alphabet {
		if count[r] < 800 || count[r] > 1200 {
			t.Errorf("%q came %d times", r, count[r])
		}
	}
}

// FuzzTyped: what comes out is a possible code or nothing, and reading it
// again changes nothing.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"", "abcdEFGH", " ab cd\tEF\u200bGH\n", "abcdEFG0", "äbcdEFGH", strings.Repeat("x", 49), "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code := typed(s)
		if code == "" {
			return
		}
		if len(code) < 8 || len(code) > longestCode || strings.Trim(code, alphabet) != "" || typed(code) != code {
			t.Fatalf("%q became %q", s, code)
		}
	})
}

func TestTyped(t *testing.T) {
	for in, want := range map[string]string{
		"abcdEFGH": "abcdEFGH", " ab cd\u00a0EF\u200bGH\r\n": "abcdEFGH", "abcdEFG": "", "abcdEFG0": "", "abcdEFGÄ": "",
		strings.Repeat("x", 48): strings.Repeat("x", 48), strings.Repeat("x", 49): "", strings.Repeat(" ", 200) + "abcdEFGH": "",
	} {
		if got := typed(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzParseLink: what is accepted is, but for white space around it, exactly
// the text that IssueLink writes for these two parts.
func FuzzParseLink(f *testing.F) {
	good := db.NewID(time.UnixMilli(1)) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	f.Add(good)
	f.Add(good[:len(good)-1] + "B") // same bytes, other spelling
	f.Add(strings.ToUpper(good))
	f.Add(".")
	f.Fuzz(func(t *testing.T, text string) {
		id, secret, ok := parseLink(text)
		if !ok {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(secret)
		if err != nil || len(raw) != 32 || base64.RawURLEncoding.EncodeToString(raw) != secret || id+"."+secret != strings.TrimSpace(text) || strings.ToLower(id) != id {
			t.Fatalf("%q became %q, %q", text, id, secret)
		}
	})
}
