package odata

import (
	"strings"
	"testing"

	"cardea/internal/problem"
)

func word(name, text string) Expr { return Match{"word", name, schema[name], text} }

// show writes an expression for people.
func show(e Expr) string {
	switch e := e.(type) {
	case Logic:
		if e.Or {
			return "(" + show(e.L) + " | " + show(e.R) + ")"
		}
		return "(" + show(e.L) + " & " + show(e.R) + ")"
	case Match:
		return e.Name[:1] + ":" + e.Text
	}
	return "?"
}

// TestSearch: clauses, operators and words (§5.1).
func TestSearch(t *testing.T) {
	for in, want := range map[string]string{
		`"displayName:Ada"`:        "d:ada",
		`"DISPLAYNAME: ada-love "`: "(d:ada & d:love)",
		`"neil"`:                   "(d:neil | u:neil)",
		`Neil`:                     "(d:neil | u:neil)",
		`"displayName:a" AND "displayName:b" OR "displayName:c"`:   "((d:a & d:b) | d:c)",
		`"displayName:a" or "displayName:b" and "displayName:c"`:   "(d:a | (d:b & d:c))",
		`("displayName:a" OR "displayName:b")AND("displayName:c")`: "((d:a | d:b) & d:c)",
		`"displayName:a"AND"displayName:b"`:                        "(d:a & d:b)",
		`"displayName:say \"x\\y\""`:                               "(d:say & d:x\\y)",
		`"userPrincipalName:o'neil@x.test:1"`:                      "(((( u:o & u:neil) & u:x) & u:test) & u:1)",
	} {
		e, err := ParseSearch(in, schema)
		if want = strings.ReplaceAll(want, "( u", "(u"); err != nil || show(e) != want {
			t.Errorf("%s is %s (%v), want %s", in, show(e), err, want)
		}
	}
	for _, in := range []string{"", " ", `"`, `"displayName:`, `displayName:x`, `"displayName:x" "displayName:y"`, `"accountEnabled:x"`, `"shoe:x"`, `"displayName:"`, `""`, `":x"`, `"-.-"`, `NOT "displayName:x"`, `"displayName:x" AND`,
		`OR`, `("displayName:x"`, `"displayName:x")`, `"displayName:x" XOR "displayName:x"`, "\x00", "\xff", strings.Repeat("(", 40) + "x" + strings.Repeat(")", 40), strings.Repeat(`"x" AND `, 20) + `"x"`,
		`"displayName:1 2 3 4 5 6 7 8 9"`, strings.Repeat("x", 5000)} {
		if e, err := ParseSearch(in, schema); problem.CodeOf(err) != "unsupportedQuery" || e != nil {
			t.Errorf("%s gives %v, %v", clip(in), e, err)
		}
	}
	if _, err := ParseSearch("x", Schema{"id": {Column: "id"}}); problem.CodeOf(err) != "unsupportedQuery" {
		t.Errorf("a list that cannot be searched gives %v", err)
	}
	s := new(SQL).Where(word("displayName", "1_"))
	const begin = `(lower(c_name) LIKE $1 ESCAPE '\' AND (' ' || replace(replace(`
	if !strings.HasPrefix(s.String(), begin) || joined(s.Args) != `%1\_% % 1\_%` {
		t.Errorf("got %s %v", s, s.Args)
	}
}
