package odata

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// truth is a filter in OData's letters, and what it means, said in Go.
type truth struct {
	text string
	of   func(row) bool
}

// gen writes random filters.
type gen struct{ *rand.Rand }

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// anyCase spells a word in some case (DO-30).
func (g gen) anyCase(w string) string {
	switch g.IntN(4) {
	case 0:
		return strings.ToUpper(w)
	case 1:
		return strings.ToUpper(w[:1]) + w[1:]
	}
	return w
}

// recased is s, or s in another case.
func (g gen) recased(s string) string {
	switch g.IntN(4) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	}
	return s
}

func (g gen) expr(depth int) truth {
	if depth > 0 {
		switch g.IntN(5) {
		case 0, 1:
			l, r, and := g.expr(depth-1), g.expr(depth-1), g.IntN(2) == 0
			op := "or"
			if and {
				op = "and"
			}
			return truth{"(" + l.text + ") " + g.anyCase(op) + "(" + r.text + ")", func(x row) bool {
				if and {
					return l.of(x) && r.of(x)
				}
				return l.of(x) || r.of(x)
			}}
		case 2:
			e := g.expr(depth - 1)
			return truth{g.anyCase("not") + " (" + e.text + ")", func(x row) bool { return !e.of(x) }}
		}
	}
	switch g.IntN(12) {
	case 0, 1:
		return g.string("name", func(x row) string { return x.name }, true)
	case 2, 3:
		return g.string("KEY", func(x row) string { return x.name }, true)
	case 4:
		return g.boolean("on", func(x row) bool { return x.on }, false)
	case 5:
		return g.boolean("synced", func(x row) bool { return x.synced }, true)
	case 6:
		return g.number("n", func(x row) int64 { return x.n }, false, func(n int64) string { return strconv.FormatInt(n, 10) }, []int64{-2, -1, 0, 1, 2, 3, 1 << 40})
	case 7:
		return g.number("at", func(x row) int64 { return x.at }, true, func(n int64) string { return time.UnixMilli(n).UTC().Format(time.RFC3339Nano) },
			[]int64{-1000, 0, 1, 1767312000000, 1767312000001, 2 * 1767312000000})
	case 8:
		return g.has()
	case 9:
		return g.items("kinds", func(x row) []account {
			if x.kind == "" {
				return nil
			}
			return []account{{x.kind, x.kind}}
		}, true)
	case 10:
		return g.items("mails", func(x row) (out []account) {
			for _, m := range x.mails {
				out = append(out, account{m, m})
			}
			return out
		}, true)
	}
	return g.items("accounts", func(x row) []account { return x.accounts }, false)
}

// string asks about a text. Null is not before, behind or like anything.
func (g gen) string(name string, get func(row) string, ordered bool) truth {
	v := g.recased(pick(g.Rand, texts))
	fold := strings.ToLower(v)
	switch g.IntN(7) {
	case 0:
		return truth{g.anyCase("startswith") + "(" + name + "," + quote(v) + ")", func(x row) bool { return get(x) != "" && strings.HasPrefix(strings.ToLower(get(x)), fold) }}
	case 1:
		return truth{g.anyCase("endswith") + "( " + name + " , " + quote(v) + " )", func(x row) bool { return get(x) != "" && strings.HasSuffix(strings.ToLower(get(x)), fold) }}
	case 2:
		if ordered {
			v = pick(g.Rand, texts)
			fold = strings.ToLower(v)
			return truth{g.anyCase("contains") + "(" + name + "," + quote(v) + ")", func(x row) bool { return get(x) != "" && strings.Contains(strings.ToLower(get(x)), fold) }}
		}
	case 3:
		values, text := []string{fold}, []string{quote(v)}
		for range g.IntN(3) {
			w := pick(g.Rand, texts)
			values, text = append(values, strings.ToLower(w)), append(text, quote(w))
		}
		if g.IntN(3) == 0 {
			values, text = append(values, ""), append(text, "null")
		}
		return truth{name + " " + g.anyCase("in") + " (" + strings.Join(text, ", ") + ")", func(x row) bool { return slices.Contains(values, strings.ToLower(get(x))) }}
	case 4:
		if ordered {
			op := pick(g.Rand, []string{"gt", "ge", "lt", "le"})
			return g.compare(name, op, quote(v), func(x row) bool { return get(x) != "" && ordering(op, strings.Compare(strings.ToLower(get(x)), fold)) })
		}
	case 5:
		op := pick(g.Rand, []string{"eq", "ne"})
		return g.compare(name, op, "null", func(x row) bool { return (get(x) == "") == (op == "eq") })
	}
	op := pick(g.Rand, []string{"eq", "ne"})
	return g.compare(name, op, quote(v), func(x row) bool { return (strings.ToLower(get(x)) == fold) == (op == "eq") })
}

// compare writes the operands in either order.
func (g gen) compare(name, op, value string, of func(row) bool) truth {
	if g.IntN(4) == 0 {
		return truth{value + " " + g.anyCase(flipped(op)) + " " + name, of}
	}
	return truth{name + " " + g.anyCase(op) + " " + value, of}
}

func ordering(op string, c int) bool {
	switch op {
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	case "eq":
		return c == 0
	}
	return c != 0
}

func (g gen) boolean(name string, get func(row) bool, zero bool) truth {
	op := pick(g.Rand, []string{"eq", "ne"})
	if g.IntN(3) == 0 {
		return g.compare(name, op, "null", func(x row) bool { return (zero && !get(x)) == (op == "eq") })
	}
	v := g.IntN(2) == 0
	return g.compare(name, op, strconv.FormatBool(v), func(x row) bool {
		null := zero && !get(x)
		return (!null && get(x) == v) == (op == "eq")
	})
}

func (g gen) number(name string, get func(row) int64, zero bool, write func(int64) string, from []int64) truth {
	isNull := func(x row) bool { return zero && get(x) == 0 }
	op := pick(g.Rand, []string{"eq", "ne", "gt", "ge", "lt", "le"})
	switch g.IntN(5) {
	case 0:
		return g.compare(name, op, "null", func(x row) bool { return op == "eq" && isNull(x) || op == "ne" && !isNull(x) })
	case 1:
		values, text, null := []int64{}, []string{}, g.IntN(2) == 0
		for range 1 + g.IntN(3) {
			v := pick(g.Rand, from)
			values, text = append(values, v), append(text, write(v))
		}
		if null {
			text = append(text, "null")
		}
		return truth{name + " in (" + strings.Join(text, ",") + ")", func(x row) bool {
			if isNull(x) {
				return null
			}
			return slices.Contains(values, get(x))
		}}
	}
	v := pick(g.Rand, from)
	return g.compare(name, op, write(v), func(x row) bool {
		if isNull(x) {
			return op == "ne"
		}
		return ordering(op, int(min(1, max(-1, get(x)-v))))
	})
}

func (g gen) has() truth {
	var want []string
	for _, f := range append(flags, "none", "as", "a%") {
		if g.IntN(3) == 0 {
			want = append(want, f)
		}
	}
	if want == nil {
		want = []string{"sms"}
	}
	return truth{"flags " + g.anyCase("has") + " " + quote(g.recased(strings.Join(want, ", "))), func(x row) bool {
		for _, f := range want {
			if !slices.Contains(x.flags, f) {
				return false
			}
		}
		return true
	}}
}

// items asks about a collection: x:x for simple items, x:x/issuer and
// x:x/value for complex ones. All conditions meet the same item (DO-36).
func (g gen) items(name string, get func(row) []account, simple bool) truth {
	switch g.IntN(4) {
	case 0:
		op, n := pick(g.Rand, []string{"eq", "ne", "gt", "ge", "lt", "le"}), int64(g.IntN(4)-1)
		return g.compare(name+"/$count", op, strconv.FormatInt(n, 10), func(x row) bool { return ordering(op, int(min(1, max(-1, int64(len(get(x)))-n)))) })
	case 1:
		return truth{name + "/" + g.anyCase("any") + "()", func(x row) bool { return len(get(x)) > 0 }}
	}
	v := pick(g.Rand, []string{"x", "long_one", "name"})
	first, second := v, v
	if !simple {
		first, second = v+"/issuer", v+"/VALUE"
	}
	a := g.string(first, func(x row) string { return x.accounts[0].issuer }, false)
	b := g.string(second, func(x row) string { return x.accounts[0].value }, false)
	if strings.Contains(strings.ToLower(a.text+b.text), "endswith") && !simple { // only simple items list it
		return g.items(name, get, simple)
	}
	and, all := g.IntN(2) == 0, g.IntN(3) == 0
	join, word := " or ", "any"
	if and {
		join = " and "
	}
	if all {
		word = "all"
	}
	return truth{name + "/" + g.anyCase(word) + "(" + v + ":" + a.text + join + "not (" + b.text + "))", func(x row) bool {
		for _, item := range get(x) {
			one := row{accounts: []account{item}}
			holds := a.of(one) || !b.of(one)
			if and {
				holds = a.of(one) && !b.of(one)
			}
			if holds != all {
				return !all
			}
		}
		return all
	}}
}

// TestFilterMeansWhatItSays: random filters find in both databases exactly the
// rows for which the same filter, said in Go, is true (DO-29 … DO-36).
func TestFilterMeansWhatItSays(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		g := gen{rand.New(rand.NewPCG(seed, 1))}
		rows := world(t, d, g.Rand, 300)
		found, tried := 0, 1500
		for i := range tried {
			f := g.expr(i % 4)
			e, err := ParseFilter(f.text, real)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, f.text, err)
			}
			s := new(SQL).Where(e).Text(" ORDER BY id")
			got, err := ids(t.Context(), d, s)
			if err != nil {
				t.Fatalf("seed %d: %s\n%s %v: %v", seed, f.text, s, s.Args, err)
			}
			var want []string
			for _, x := range rows {
				if f.of(x) {
					want = append(want, x.id)
				}
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %s\n%s %q\nfinds %d rows, want %d: %s", seed, f.text, s, s.Args, len(got), len(want), difference(rows, got, want))
			}
			if n := len(got); n > 0 && n < len(rows) {
				found++
			}
		}
		if found < tried/2 {
			t.Errorf("only %d of %d filters tell rows apart: the test has become blunt", found, tried)
		}
	})
}

// difference shows a row that is only in one of the lists.
func difference(rows []row, got, want []string) string {
	for _, x := range rows {
		if g, w := slices.Contains(got, x.id), slices.Contains(want, x.id); g != w {
			return fmt.Sprintf("found %v, want %v: %+q", g, w, fmt.Sprintf("%+v", x))
		}
	}
	return "an order"
}

// TestSearchFindsWords: $search finds the rows that have words which begin
// with the words asked for, on both databases.
func TestSearchFindsWords(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rows := world(t, d, rand.New(rand.NewPCG(3, 4)), 300)
		cut := func(s string) []string {
			return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(separators, r) })
		}
		begins := func(x row, asked string) bool {
			for _, w := range cut(asked) {
				if !slices.ContainsFunc(cut(x.name), func(have string) bool { return strings.HasPrefix(have, w) }) {
					return false
				}
			}
			return true
		}
		for _, asked := range []string{"ada", "love ada", "ADA-L", "äD", "zo 😀", "1", "100%", "a_", `a\`, "neil o", "test", "x", "da", "b f"} {
			e, err := ParseSearch(`"key:`+strings.ReplaceAll(asked, `\`, `\\`)+`"`, real)
			if err != nil {
				t.Fatal(asked, err)
			}
			got, err := ids(t.Context(), d, new(SQL).Where(e).Text(" ORDER BY id"))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, x := range rows {
				if begins(x, asked) {
					want = append(want, x.id)
				}
			}
			slices.Sort(want)
			if !slices.Equal(got, want) || len(want) == 0 && asked != "da" {
				t.Errorf("%q finds %d rows, want %d: %s", asked, len(got), len(want), difference(rows, got, want))
			}
		}
	})
}
