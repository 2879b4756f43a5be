package odata

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"cardea/internal/problem"
)

var schema = Schema{
	"displayName":        {Column: "c_name", Sort: true, Search: true},
	"userPrincipalName":  {Column: "c_upn", Folded: true, Sort: true, Search: true, More: []string{"endswith"}},
	"accountEnabled":     {Column: "c_on", Kind: Boolean},
	"status/errorCode":   {Column: "c_n", Kind: Int64},
	"createdDateTime":    {Column: "c_at", Kind: DateTimeOffset, Sort: true},
	"signInEventTypes":   {Column: "c_kind", Any: true},
	"targetResources/id": {Column: "c_target", Folded: true, Any: true},
}

// TestFilter: what each filter becomes (DO-28 … DO-36).
func TestFilter(t *testing.T) {
	for _, c := range []struct{ rule, in, sql, args string }{
		{"DO-30", "DISPLAYNAME EQ 'Ada'", "lower(c_name) = $1", "ada"},
		{"index", "userPrincipalName eq 'Ada@X.test'", "c_upn = $1", "ada@x.test"},
		{"DO-32", "startsWith(displayName,'100%_\\')", `lower(c_name) LIKE $1 ESCAPE '\'`, `100\%\_\\%`},
		{"quotes", "displayName eq 'o''neil'", "lower(c_name) = $1", "o'neil"},
		{"endsWith", "endswith(userPrincipalName,'.test')", `c_upn LIKE $1 ESCAPE '\'`, "%.test"},
		{"precedence", "accountEnabled eq true or status/errorCode gt 3 and not (status/errorCode eq 7)", "(c_on = $1 OR (c_n > $2 AND NOT (c_n = $3)))", "true 3 7"},
		{"literal first", "3 lt status/errorCode", "c_n > $1", "3"},
		{"DO-31 GUID", "displayName eq 01890000-0000-7000-8000-00000000000A", "lower(c_name) = $1", "01890000-0000-7000-8000-00000000000a"},
		{"DO-31 enum", "displayName eq microsoft.graph.thing'Value'", "lower(c_name) = $1", "value"},
		{"DO-31 datetime", "createdDateTime ge 2026-01-02T01:00:00+01:00", "c_at >= $1", "1767312000000"},
		{"DO-31 quoted", "createdDateTime ge '2026-01-02T00:00:00Z'", "c_at >= $1", "1767312000000"},
		{"date", "createdDateTime lt 2026-01-02", "c_at < $1", "1767312000000"},
		{"DO-33", "displayName eq null", "lower(c_name) = $1", ""},
		{"DO-33", "createdDateTime ne null", "1 = 1", ""},
		{"DO-33", "createdDateTime eq null", "1 = 0", ""},
		{"DO-35", "displayName in ('a', 'B')", "lower(c_name) IN ($1, $2)", "a b"},
		{"DO-35 null", "status/errorCode in (null)", "c_n IN (NULL)", ""},
		{"DO-36", "signInEventTypes/any(t: t eq 'nonInteractiveUser')", "lower(c_kind) = $1", "noninteractiveuser"},
		{"DO-36", "targetResources/any(t:t/id eq 'A') and accountEnabled eq false", "(c_target = $1 AND c_on = $2)", "a false"},
	} {
		e, err := ParseFilter(c.in, schema)
		if err != nil {
			t.Errorf("%s: %s: %v", c.rule, c.in, err)
			continue
		}
		s := new(SQL).Where(e)
		if s.String() != c.sql || joined(s.Args) != c.args {
			t.Errorf("%s: %s\ngot  %s  %s\nwant %s  %s", c.rule, c.in, s, joined(s.Args), c.sql, c.args)
		}
	}
}

func joined(args []any) string {
	parts := make([]string, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case string:
			parts[i] = a
		case bool:
			parts[i] = strconv.FormatBool(a)
		case int64:
			parts[i] = strconv.FormatInt(a, 10)
		}
	}
	return strings.Join(parts, " ")
}

// TestFilterRefusals: everything else is Request_UnsupportedQuery (DO-28, DO-29).
func TestFilterRefusals(t *testing.T) {
	nested := strings.Repeat("(", 40) + "displayName eq 'x'" + strings.Repeat(")", 40)
	for rule, in := range map[string]string{
		"empty": "", "unknown member": "passwordHash eq 'x'", "operator": "accountEnabled gt true", "function": "contains(displayName,'x')",
		"open string": "displayName eq 'x", "type": "status/errorCode eq 'x'", "trailing": "displayName eq 'x' displayName", "paren": "(displayName eq 'x'",
		"DO-28 depth": nested, "DO-28 not": strings.Repeat("not ", 40) + "displayName eq 'x'",
		"DO-28 comparisons": strings.Repeat("displayName eq 'x' or ", 100) + "displayName eq 'x'",
		"DO-28 in":          "displayName in ('x'" + strings.Repeat(",'x'", 100) + ")",
		"DO-28 length":      "displayName eq '" + strings.Repeat("x", 5000) + "'",
		"any of a scalar":   "displayName/any(t: t eq 'x')", "scalar of a collection": "signInEventTypes eq 'x'",
		"any in any": "signInEventTypes/any(t: targetResources/any(u: u/id eq 'x'))", "no variable": "signInEventTypes/any(t eq 'x')",
		"SQL": "displayName eq 'x'; DROP TABLE users", "null start": "startswith(displayName,null)", "only not": "not",
	} {
		if _, err := ParseFilter(in, schema); problem.CodeOf(err) != "unsupportedQuery" {
			t.Errorf("%s: %q gives %v", rule, clip(in), err)
		}
	}
}

// TestParse: options, paging and tokens (§5.1, DO-41).
func TestParse(t *testing.T) {
	paging := Paging{Default: 100, Max: 999, Order: []Order{{Name: "displayName", Property: schema["displayName"]}}}
	parse := func(text string) (Query, error) {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		return Parse(v, schema, paging)
	}
	q, err := parse("$select=id, displayName&$top=7&$count=TRUE&slice=x")
	if err != nil || q.Top != 7 || !q.Count || strings.Join(q.Select, "|") != "id|displayName" {
		t.Errorf("got %+v, %v", q, err)
	}
	for in, code := range map[string]string{
		"$top=0": "invalidPageSize", "$top=1000": "invalidPageSize", "$top=x": "invalidPageSize", "$skip=3": "unsupportedQuery", "$expand=manager": "unsupportedQuery",
		"$orderby=accountEnabled": "unsupportedQuery", "$orderby=displayName sideways": "unsupportedQuery", "$skiptoken=bm8": "invalidSkipToken", "$skiptoken=%25": "invalidSkipToken",
		"$search=x": "unsupportedQuery", `$search="accountEnabled:x"`: "unsupportedQuery", `$search="displayName:x" "displayName:y"`: "unsupportedQuery",
	} {
		if _, err := parse(in); problem.CodeOf(err) != code {
			t.Errorf("%s gives %v, want %s", in, err, code)
		}
	}
	row := map[string]any{"displayName": "Ada", "createdDateTime": "2026-01-02T00:00:00Z", "userPrincipalName": "Ada@x.test"}
	member := func(name string) any { return row[name] }
	q, err = parse("$orderby=createdDateTime desc,userPrincipalName")
	if err != nil {
		t.Fatal(err)
	}
	token := Token(q.OrderBy, member, "id-1")
	q, err = parse("$orderby=createdDateTime desc,userPrincipalName&$skiptoken=" + token)
	if err != nil {
		t.Fatal(err)
	}
	s := new(SQL).Page(q, "id")
	const want = "1 = 1 AND 1 = 1 AND ((c_at < $1) OR (c_at = $2 AND c_upn > $3) OR (c_at = $4 AND c_upn = $5 AND id > $6)) ORDER BY c_at DESC, c_upn, id LIMIT $7"
	if s.String() != want {
		t.Errorf("DO-41: got  %s\nwant %s", s, want)
	}
	if _, err := parse("$skiptoken=" + token); problem.CodeOf(err) != "invalidSkipToken" {
		t.Errorf("DO-41: a token of another order gives %v", err)
	}
	q, err = parse(`$search="displayName:ada" AND "neil" OR "userPrincipalName:x"`)
	if err != nil {
		t.Fatal(err)
	}
	const search = `((lower(c_name) LIKE $1 ESCAPE '\' AND (lower(c_name) LIKE $2 ESCAPE '\' OR c_upn LIKE $3 ESCAPE '\')) OR c_upn LIKE $4 ESCAPE '\')`
	if s := new(SQL).Where(q.Search); s.String() != search {
		t.Errorf("$search: got  %s\nwant %s", s, search)
	}
}

// words are all the SQL that this package and schema can write.
var words = []string{"c_target", "c_name", "c_kind", "c_upn", "c_on", "c_at", "c_n", "id", "ORDER BY", "LIMIT", "DESC", "AND", "OR", "NOT", "NULL", "IN", "LIKE", "ESCAPE", "lower", `'\'`,
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "(", ")", ",", " ", "=", "<", ">"}

// leaked returns what of a text is not ours.
func leaked(s *SQL) string {
	text := s.String()
	for i := len(s.Args); i > 0; i-- {
		text = strings.ReplaceAll(text, "$"+strconv.Itoa(i), "")
	}
	for _, w := range words {
		text = strings.ReplaceAll(text, w, "")
	}
	return text
}

// FuzzFilter: the SQL text is made of words that we wrote, whatever the filter
// says (DO-32), and parsing never panics (DO-37).
func FuzzFilter(f *testing.F) {
	for _, in := range []string{"displayName eq 'x' and (status/errorCode gt 3 or not accountEnabled eq true)", "displayName in ('a','b''c') or startswith(displayName,'100%')",
		"displayName eq null", "signInEventTypes/any(t: t eq 'x')", "3 eq status/errorCode", "createdDateTime ge 2026-01-01", "microsoft.graph.x'y' eq displayName", "((((", "any(", "/any(:", "'"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		e, err := ParseFilter(in, schema)
		if err != nil {
			return
		}
		if s := new(SQL).Where(e); leaked(s) != "" {
			t.Fatalf("%q leaked %q into %q", in, leaked(s), s)
		}
	})
}

// FuzzParse: the same for all options together.
func FuzzParse(f *testing.F) {
	f.Add(`$search="displayName:x" OR "y"&$orderby=displayName desc`)
	f.Add("$skiptoken=WyJBZGEiLCJpZC0xIl0&$top=5")
	f.Fuzz(func(t *testing.T, in string) {
		v, err := url.ParseQuery(in)
		if err != nil {
			return
		}
		q, err := Parse(v, schema, Paging{Default: 10, Max: 100, Order: []Order{{Name: "displayName", Property: schema["displayName"]}}})
		if err != nil {
			return
		}
		if s := new(SQL).Page(q, "id"); leaked(s) != "" || q.Top < 1 || q.Top > 100 {
			t.Fatalf("%q leaked %q into %q (top %d)", in, leaked(s), s, q.Top)
		}
	})
}
