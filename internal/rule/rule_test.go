package rule_test

import (
	"strings"
	"testing"

	"cardea/internal/problem"
	"cardea/internal/rule"
)

var known = rule.Attributes{
	"user.department": rule.Text, "user.userType": rule.Text, "user.displayName": rule.Text, "user.accountEnabled": rule.Boolean,
	"user.otherMails": rule.Texts, "device.trustType": rule.Text, "device.isCompliant": rule.Boolean,
}

func of(values map[string]any) rule.Get { return func(name string) any { return values[name] } }

// TestEvaluate is DO-15 row by row: the object is always the same person.
func TestEvaluate(t *testing.T) {
	ada := of(map[string]any{"user.department": "IT", "user.userType": "Member", "user.displayName": `Ada "the" Lovelace`, "user.accountEnabled": true,
		"user.otherMails": []string{"ada@contoso.com", "ada@fabrikam.com"}, "device.trustType": ""})
	for _, c := range []struct {
		text string
		want bool
	}{
		{`(user.userType -eq "Guest") -or (user.department -eq "IT")`, true}, // the specification's example
		{`user.department -eq "it"`, true},                                   // case says nothing
		{`USER.Department -EQ "IT"`, true},
		{`user.department eq "IT" and user.userType ne "Guest"`, true}, // dashes may be missing
		{`user.department -eq 'IT'`, true},
		{`user.department -ne "IT"`, false},
		{`user.department -in ["HR", "IT"]`, true}, {`user.department -notIn ["HR","IT"]`, false}, {`user.department -in ["HR"]`, false},
		{`user.displayName -contains "LOVE"`, true}, {`user.displayName -notContains "love"`, false},
		{`user.displayName -startsWith "ada"`, true}, {`user.displayName -notStartsWith "ada"`, false}, {`user.displayName -endsWith "LACE"`, true},
		{`user.displayName -match "^ada .*lace$"`, true}, {`user.displayName -notMatch "love"`, false}, {`user.displayName -match "^love"`, false},
		{"user.displayName -contains \"`\"the`\"\"", true},
		{`user.accountEnabled -eq true`, true}, {`user.accountEnabled -ne True`, false}, {`user.accountEnabled -eq "TRUE"`, true}, {`user.accountEnabled -eq null`, false},

		// null: equal to null and "", false for every other positive operator
		{`device.trustType -eq null`, true}, {`device.trustType -eq ""`, true}, {`device.trustType -ne null`, false},
		{`device.trustType -ne "ServerAD" -or device.isCompliant -ne True`, true}, // a template of Conditional Access
		{`device.trustType -contains ""`, false}, {`device.trustType -match ".*"`, false}, {`device.trustType -startsWith ""`, false},
		{`device.trustType -notContains "x"`, true}, {`device.trustType -notMatch ".*"`, true},
		{`device.isCompliant -eq null`, true}, {`device.isCompliant -eq false`, false}, {`device.isCompliant -ne false`, true},

		// lists
		{`user.otherMails -any (_ -endsWith "@FABRIKAM.com")`, true}, {`user.otherMails -all (_ -endsWith "@fabrikam.com")`, false},
		{`user.otherMails -all (_ -startsWith "ada" -and -not (_ -contains "x"))`, true},
		{`user.otherMails -any (_ -contains "")`, true}, {`user.otherMails -contains "ada@contoso.com"`, true}, {`user.otherMails -contains "ada"`, false},
		{`user.otherMails -notContains "ada"`, true}, {`user.otherMails -eq null`, false}, {`user.otherMails -ne null`, true},

		// -not binds tighter than -and, -and tighter than -or
		{`-not user.department -eq "HR" -and user.userType -eq "Member"`, true},
		{`-not user.department -eq "IT" -and user.userType -eq "Guest" -or user.accountEnabled -eq true`, true},
		{`user.accountEnabled -eq true -or user.department -eq "HR" -and user.userType -eq "Guest"`, true},
		{`(user.accountEnabled -eq true -or user.department -eq "HR") -and user.userType -eq "Guest"`, false},
		{`-not -not user.department -eq "IT"`, true},
	} {
		r, err := rule.Parse(c.text, known)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := r.Evaluate(ada); got != c.want {
			t.Errorf("%s: %v, want %v", c.text, got, c.want)
		}
		if got := r.Explain(ada); got.Result != c.want {
			t.Errorf("%s: Explain says %v, want %v", c.text, got.Result, c.want)
		}
	}
}

func TestAllOfNothing(t *testing.T) {
	r, err := rule.Parse(`user.otherMails -all (_ -eq "x")`, known)
	if err != nil || !r.Evaluate(of(nil)) {
		t.Error("-all is true of an empty list", err)
	}
	if r, err = rule.Parse(`user.otherMails -any (_ -contains "")`, known); err != nil || r.Evaluate(of(nil)) {
		t.Error("-any is false of an empty list", err)
	}
}

// TestRefused names the place of each fault.
func TestRefused(t *testing.T) {
	for text, says := range map[string]string{
		``:                                   "empty",
		`   `:                                "empty",
		`user.salary -eq "1"`:                "character 1 of the rule: There is no attribute user.salary",
		`user.department -eq IT`:             "character 21 of the rule: Expected a text in double quotes, found IT",
		`user.department -eq`:                "found the end of the rule",
		`user.department -like "x"`:          "character 17 of the rule: Expected an operator",
		`user.department "x"`:                "Expected an operator",
		`user.department -eq "x`:             "character 21 of the rule: The text that begins here has no closing quote",
		`(user.department -eq "x"`:           "Expected ), found the end",
		`user.department -eq "x")`:           "character 24 of the rule: Expected -and, -or or the end",
		`user.department -eq "x" -and`:       "Expected an attribute, found the end",
		`user.department -in "x"`:            "Expected [",
		`user.department -in []`:             "Expected a text",
		`user.department -in ["a" "b"]`:      "Expected ]",
		`user.department -in ["a",]`:         "Expected a text",
		`user.department -match "("`:         "RE2",
		`user.department -match "(?=x)"`:     "RE2", // looking ahead takes more than linear time
		`user.department -contains null`:     "null goes with -eq and -ne only",
		`user.department -any (_ -eq "x")`:   "holds one value",
		`user.accountEnabled -eq "x"`:        "true or false",
		`user.accountEnabled -startsWith "`:  "cannot be compared",
		`user.otherMails -eq "x"`:            "is a list",
		`user.otherMails -match "x"`:         "cannot be compared",
		`user.otherMails -any (_ -eq "x"`:    "Expected )",
		`user.otherMails -any (user.x -eq 1`: "the only name is _",
		`_ -eq "x"`:                          "There is no attribute _",
		`user.department -eq "x" %`:          "no meaning here",
		"user.department -eq \"\xff\"":       "UTF-8",
		strings.Repeat("(", 18) + `user.department -eq "x"` + strings.Repeat(")", 18): "nested more than 16",
		strings.Repeat("-not ", 17) + `user.department -eq "x"`:                       "nested more than 16",
		`user.department -eq "` + strings.Repeat("ä", rule.MaxLength) + `"`:           "At most 3072",
		`ä user.department`: "character 1 of the rule: The character 'ä'",
	} {
		_, err := rule.Parse(text, known)
		if problem.CodeOf(err) != "invalidRule" || problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60s: %v, want invalidRule with %q", text, err, says)
		}
	}
}

func TestBoundsAllow(t *testing.T) {
	const clause = `user.department -eq "x"`
	long := `user.department -eq "` + strings.Repeat("ä", rule.MaxLength-len(`user.department -eq ""`)) + `"`
	for _, text := range []string{long, strings.Repeat("(", 16) + clause + strings.Repeat(")", 16), strings.Repeat(clause+" -or ", 100) + clause} {
		if _, err := rule.Parse(text, known); err != nil {
			t.Errorf("%.40s…: %v", text, err)
		}
	}
}

func TestExplain(t *testing.T) {
	r, err := rule.Parse(`user.department -eq "HR" -or -not (user.userType -eq "Guest")`, known)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Attributes(), " "); got != "user.department user.userType" {
		t.Error("attributes:", got)
	}
	o := r.Explain(of(map[string]any{"user.department": "IT", "user.userType": "Member"}))
	if !o.Result || o.Expression != r.String() || len(o.Parts) != 2 {
		t.Fatalf("%+v", o)
	}
	first, second := o.Parts[0], o.Parts[1]
	if first.Result || first.Expression != `user.department -eq "HR"` || first.Attribute != "user.department" || first.Value != "IT" {
		t.Errorf("first: %+v", first)
	}
	if !second.Result || second.Attribute != "" || second.Expression != `-not (user.userType -eq "Guest")` || second.Parts[0].Result {
		t.Errorf("second: %+v", second)
	}
}
