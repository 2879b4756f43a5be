package rule_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"cardea/internal/rule"
)

func drawRule(t *rapid.T, depth int) string {
	word := func() string {
		return rapid.SampledFrom([]string{`""`, `"IT"`, `"it"`, `"ITSM"`, `"HR"`}).Draw(t, "text")
	}
	text := rapid.SampledFrom([]string{"user.department", "user.displayName"}).Draw(t, "attribute")
	switch rapid.IntRange(0, 7).Draw(t, "form") {
	case 0:
		if depth > 0 {
			return "-not " + drawRule(t, depth-1)
		}
	case 1, 2:
		if depth > 0 {
			return "(" + drawRule(t, depth-1) + ")"
		}
	case 3, 4:
		if depth > 0 {
			return drawRule(t, depth-1) + rapid.SampledFrom([]string{" -and ", " -or "}).Draw(t, "join") + drawRule(t, depth-1)
		}
	case 5:
		return "user.accountEnabled " + rapid.SampledFrom([]string{"-eq true", "-ne false", "-eq null"}).Draw(t, "boolean")
	case 6:
		return "user.otherMails " + rapid.SampledFrom([]string{"-any", "-all"}).Draw(t, "each") + " (_ -startsWith " + word() + ")"
	}
	return text + " " + rapid.SampledFrom([]string{"-eq", "-ne", "-contains", "-notContains", "-startsWith", "-notStartsWith", "-endsWith", "-match", "-notMatch"}).Draw(t, "operator") + " " + word()
}

func drawObject(t *rapid.T) rule.Get {
	text := rapid.SampledFrom([]string{"", "IT", "itsm", "HR"})
	values := map[string]any{"user.department": text.Draw(t, "department"), "user.displayName": text.Draw(t, "displayName"), "user.otherMails": rapid.SliceOfN(text, 0, 3).Draw(t, "otherMails")}
	if rapid.Bool().Draw(t, "known") {
		values["user.accountEnabled"] = rapid.Bool().Draw(t, "accountEnabled")
	}
	return of(values)
}

// TestLogic: double negation, De Morgan, and -any against -all hold for all
// rules and objects; Explain agrees with Evaluate in every part (DO-15).
func TestLogic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, object := drawRule(t, 3), drawRule(t, 3), drawObject(t)
		value := func(format string, args ...any) bool {
			text := fmt.Sprintf(format, args...)
			r, err := rule.Parse(text, known)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			o := r.Explain(object)
			if got := r.Evaluate(object); got != o.Result {
				t.Fatalf("%s: Evaluate %v, Explain %v", text, got, o.Result)
			}
			return o.Result
		}
		same := func(law string, x, y bool) {
			if x != y {
				t.Fatalf("%s fails for\na = %s\nb = %s", law, a, b)
			}
		}
		va, vb := value("%s", a), value("%s", b)
		same("double negation", va, value("-not (-not (%s))", a))
		same("negation", !va, value("-not (%s)", a))
		same("De Morgan, and", value("-not ((%s) -and (%s))", a, b), value("(-not (%s)) -or (-not (%s))", a, b))
		same("De Morgan, or", value("-not ((%s) -or (%s))", a, b), value("(-not (%s)) -and (-not (%s))", a, b))
		same("and", va && vb, value("(%s) -and (%s)", a, b))
		same("or", va || vb, value("(%s) -or (%s)", b, a))
		same("precedence", va || vb && va, value("(%s) -or (%s) -and (%s)", a, b, a))
		same("items", value(`-not user.otherMails -any (_ -contains "t")`), value(`user.otherMails -all (_ -notContains "t")`))
	})
}

// FuzzParse: a text is a rule of its own attributes within the bounds, or
// refused; what is a rule stays one in parentheses, and -not is its opposite.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`(user.userType -eq "Guest") -or (user.department -eq "IT")`, `user.otherMails -any (_ -startsWith "x")`, "user.displayName -eq \"a`\"b\"",
		`user.department -in ["a",'b''c']`, `-not user.accountEnabled -eq True`, `user.displayName -match "^(a|b)*$"`, `((`, "\x00", `user.department -eq "ä" -and`} {
		f.Add(s)
	}
	object := of(map[string]any{"user.department": "a", "user.accountEnabled": true, "user.otherMails": []string{"x", "y"}, "user.displayName": "abab"})
	f.Fuzz(func(t *testing.T, text string) {
		r, err := rule.Parse(text, known)
		if err != nil {
			return
		}
		if n := len([]rune(text)); n > rule.MaxLength {
			t.Fatalf("accepted %d characters", n)
		}
		for _, name := range r.Attributes() {
			if _, ok := known[name]; !ok {
				t.Fatalf("uses %q, which nobody listed", name)
			}
		}
		want := r.Evaluate(object)
		if o := r.Explain(object); o.Result != want || !strings.Contains(text, o.Expression) {
			t.Fatalf("Explain: %+v, Evaluate: %v", o, want)
		}
		again, err := rule.Parse("-not ("+text+")", known)
		if err != nil { // only the bounds may say so
			if len([]rune(text))+7 <= rule.MaxLength && !strings.Contains(err.Error(), "nested more than") {
				t.Fatalf("%q is a rule, and in parentheses it is not: %v", text, err)
			}
			return
		}
		if again.Evaluate(object) == want || !reflect.DeepEqual(again.Attributes(), r.Attributes()) {
			t.Fatalf("-not (%s) is not its opposite", text)
		}
	})
}
