package odata

import (
	"fmt"
	"strings"
	"testing"

	"cardea/internal/problem"
)

var schema = Schema{
	"displayName":       {Column: "c_name", Sort: true, Search: true},
	"userPrincipalName": {Column: "c_upn", Folded: true, Sort: true, Search: true, More: []string{"endswith"}},
	"accountEnabled":    {Column: "c_on", Kind: Boolean},
	"status/errorCode":  {Column: "c_n", Kind: Int64},
	"createdDateTime":   {Column: "c_at", Kind: DateTimeOffset, Sort: true},
	"combinations":      {Column: "c_flags", More: []string{"has"}},
	"lastSignIn/at":     {Column: "c_last", Kind: DateTimeOffset, Zero: true},
	"synced":            {Column: "c_sync", Kind: Boolean, Zero: true},
	"signInEventTypes":  {Items: &Items{Members: Schema{"": {Column: "c_kind"}}}},
	"targetResources":   {Items: &Items{Members: Schema{"id": {Column: "c_target", Folded: true}}, Count: true}},
	"otherMails":        {Items: &Items{From: "c_mails m WHERE TRUE", Owner: "m.id", Row: "id", Members: Schema{"": {Column: "m.c_mail", Folded: true, More: []string{"endswith"}}}, Count: true}},
	"cardea/identities": {Items: &Items{From: "c_names n WHERE n.on", Owner: "n.id", Row: "id", All: true, Members: Schema{"issuer": {Column: "n.c_issuer"}, "issuerAssignedId": {Column: "n.c_value"}}}},
}

// TestFilter: what each filter becomes (DO-28 … DO-36).
func TestFilter(t *testing.T) {
	for _, c := range []struct{ rule, in, sql, args string }{
		{"DO-30", "DISPLAYNAME EQ 'Ada'", "lower(c_name) = $1", "ada"},
		{"index", "userPrincipalName eq 'Ada@X.test'", "c_upn = $1", "ada@x.test"},
		{"DO-32 startsWith", `startsWith(displayName,'100%_\')`, `(lower(c_name) >= $1 AND lower(c_name) < $2)`, `100%_\ 100%_]`},
		{"the last character", "startswith(userPrincipalName,'\U0010ffff')", `(c_upn >= $1)`, "\U0010ffff"},
		{"surrogates", "startswith(userPrincipalName,'\ud7ff')", `(c_upn >= $1 AND c_upn < $2)`, "\ud7ff \ue000"},
		{"startsWith ''", "startswith(displayName,'')", `c_name <> ''`, ""},
		{"quotes", "displayName eq 'o''neil'", "lower(c_name) = $1", "o'neil"},
		{"DO-32 endsWith", `endswith(userPrincipalName,'_%\.test')`, `c_upn LIKE $1 ESCAPE '\'`, `%\_\%\\.test`},
		{"precedence", "accountEnabled eq true or status/errorCode gt 3 and not (status/errorCode eq 7)", "(c_on = $1 OR (c_n > $2 AND NOT (c_n = $3)))", "true 3 7"},
		{"not binds closest", "not displayName eq 'a' or displayName eq 'b'", "(NOT (lower(c_name) = $1) OR lower(c_name) = $2)", "a b"},
		{"literal first", "3 lt status/errorCode", "c_n > $1", "3"},
		{"blanks", "\tdisplayName\r\neq 'a'  and(displayName ne'b')", "(lower(c_name) = $1 AND lower(c_name) <> $2)", "a b"},
		{"DO-31 GUID", "displayName eq 01890000-0000-7000-8000-00000000000A", "lower(c_name) = $1", "01890000-0000-7000-8000-00000000000a"},
		{"DO-31 GUID first", "a1890000-0000-7000-8000-00000000000A eq displayName", "lower(c_name) = $1", "a1890000-0000-7000-8000-00000000000a"},
		{"DO-31 enum", "displayName eq Microsoft.Graph.thing'Value'", "lower(c_name) = $1", "value"},
		{"DO-31 datetime", "createdDateTime ge 2026-01-02T01:00:00+01:00", "c_at >= $1", "1767312000000"},
		{"DO-31 quoted", "createdDateTime ge '2026-01-02t00:00:00z'", "c_at >= $1", "1767312000000"},
		{"DO-31 64 bit", "status/errorCode lt -9223372036854775808", "c_n < $1", "-9223372036854775808"},
		{"date", "createdDateTime lt 2026-01-02", "c_at < $1", "1767312000000"},
		{"DO-33", "displayName eq null", "c_name = ''", ""},
		{"DO-33 first", "null ne displayName", "c_name <> ''", ""},
		{"DO-33 ''", "displayName eq ''", "c_name = ''", ""},
		{"DO-33 never null", "createdDateTime ne null", "1 = 1", ""},
		{"DO-33 never null", "createdDateTime eq null", "1 = 0", ""},
		{"DO-33 order", "createdDateTime le null", "1 = 0", ""},
		{"DO-33 zero", "lastSignIn/at eq null", "c_last = 0", ""},
		{"DO-33 zero", "lastSignIn/at ne 1970-01-01", "1 = 1", ""},
		{"DO-33 zero", "lastSignIn/at lt 2026-01-02", "(c_last <> 0 AND c_last < $1)", "1767312000000"},
		{"DO-33 zero", "lastSignIn/at gt 2026-01-02", "c_last > $1", "1767312000000"},
		{"DO-33 zero", "synced ne true or synced eq false", "(c_sync <> $1 OR 1 = 0)", "true"},
		{"DO-35", "displayName in ('a', 'B')", "lower(c_name) IN ($1, $2)", "a b"},
		{"DO-35 null", "status/errorCode in (null)", "1 = 0", ""},
		{"DO-35 zero", "lastSignIn/at in (null,1970-01-01,2026-01-02)", "c_last IN ($1, $2)", "0 1767312000000"},
		{"DO-34", "combinations has microsoft.graph.modes'sms, Password'", `((',' || lower(c_flags) || ',') LIKE $1 ESCAPE '\' AND (',' || lower(c_flags) || ',') LIKE $2 ESCAPE '\')`, "%,sms,% %,password,%"},
		{"DO-36", "signInEventTypes/any(t: t eq 'nonInteractiveUser')", "((c_kind <> '') AND lower(c_kind) = $1)", "noninteractiveuser"},
		{"DO-36", "targetResources/any(t:t/id eq 'A') and accountEnabled eq false", "(((c_target <> '') AND c_target = $1) AND c_on = $2)", "a false"},
		{"DO-36", "otherMails/ANY(long_name : endsWith(long_name,'x') or long_name eq null)", `id IN (SELECT m.id FROM c_mails m WHERE TRUE AND (m.c_mail LIKE $1 ESCAPE '\' OR m.c_mail = ''))`, "%x"},
		{"DO-36 same item, DO-52", "cardea/identities/any(i:i/issuer eq 'a' and i/issuerAssignedId eq 'b')", `id IN (SELECT n.id FROM c_names n WHERE n.on AND (lower(n.c_issuer) = $1 AND lower(n.c_value) = $2))`, "a b"},
		{"DO-36 all", "cardea/identities/all(i:i/issuer eq 'a')", `NOT EXISTS (SELECT 1 FROM c_names n WHERE n.on AND n.id = id AND NOT (lower(n.c_issuer) = $1))`, "a"},
		{"DO-36 not empty", "not otherMails/any( )", `NOT (EXISTS (SELECT 1 FROM c_mails m WHERE TRUE AND m.id = id))`, ""},
		{"$count", "otherMails/$COUNT eq 0 or 1 le otherMails/$count", `(NOT EXISTS (SELECT 1 FROM c_mails m WHERE TRUE AND m.id = id) OR EXISTS (SELECT 1 FROM c_mails m WHERE TRUE AND m.id = id))`, ""},
		{"$count", "otherMails/$count gt 3", `(SELECT count(*) FROM c_mails m WHERE TRUE AND m.id = id) > $1`, "3"},
		{"$count", "targetResources/$count in (1,2)", `CASE WHEN (c_target <> '') THEN CAST(1 AS BIGINT) ELSE 0 END IN ($1, $2)`, "1 2"},
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
	return strings.TrimSuffix(fmt.Sprintln(args...), "\n")
}

// TestFilterRefusals: everything else is Request_UnsupportedQuery, before any
// query runs (DO-28, DO-29).
func TestFilterRefusals(t *testing.T) {
	nested := strings.Repeat("(", 40) + "displayName eq 'x'" + strings.Repeat(")", 40)
	for rule, in := range map[string]string{
		"empty": "", "unknown member": "passwordHash eq 'x'", "operator": "accountEnabled gt true", "function": "contains(displayName,'x')",
		"open string": "displayName eq 'x", "type": "status/errorCode eq 'x'", "trailing": "displayName eq 'x' displayName", "paren": "(displayName eq 'x'",
		"DO-28 depth": nested, "DO-28 not": strings.Repeat("not ", 40) + "displayName eq 'x'",
		"DO-28 comparisons":      strings.Repeat("displayName eq 'x' or ", 100) + "displayName eq 'x'",
		"DO-28 in":               "displayName in ('x'" + strings.Repeat(",'x'", 100) + ")",
		"DO-28 length":           "displayName eq '" + strings.Repeat("x", 5000) + "'",
		"DO-28 lambda in lambda": "signInEventTypes/any(t: targetResources/any(u: u/id eq 'x'))",
		"any of a scalar":        "displayName/any(t: t eq 'x')", "scalar of a collection": "signInEventTypes eq 'x'",
		"no variable": "signInEventTypes/any(t eq 'x')", "outer member in a lambda": "otherMails/any(x: displayName eq 'x')",
		"the variable behind its lambda": "otherMails/any(x: x eq 'x') and x eq 'x'", "member of a simple item": "otherMails/any(x: x/id eq 'x')",
		"complex item itself": "cardea/identities/any(x: x eq 'x')", "the slash alone": "otherMails/any(x: x/ eq 'x')", "variable begins the name": "otherMails/any(x: xy eq 'x')",
		"all where not listed": "otherMails/all(x: x eq 'x')", "all()": "cardea/identities/all()", "count where not listed": "cardea/identities/$count eq 0",
		"count of a scalar": "displayName/$count eq 0", "variable with a path": "otherMails/any(x/y: x eq 'a')", "any without parenthesis": "otherMails/any", "open any": "otherMails/any(x:x eq 'a'",
		"function as operator": "displayName startswith 'x'", "has where not listed": "displayName has 'x'", "has nothing": "combinations has ' , '",
		"has too much": "combinations has '1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17'", "has without quotes": "combinations has sms",
		"two literals": "'a' eq 'a'", "literal in": "'a' in (displayName)", "literal has": "null has combinations", "open in": "displayName in ('a'", "empty in": "displayName in ()",
		"zero byte": "displayName eq '\x00'", "not UTF-8": "displayName eq '\xff'", "number too big": "status/errorCode eq 9223372036854775808",
		"ordering of text": "displayName gt 'x'", "no time": "createdDateTime ge 2026-13-01", "time without zone": "createdDateTime ge 2026-01-01T00:00:00",
		"SQL": "displayName eq 'x'; DROP TABLE users", "null start": "startswith(displayName,null)", "only not": "not", "only a name": "displayName", "no value": "displayName eq",
	} {
		e, err := ParseFilter(in, schema)
		if problem.CodeOf(err) != "unsupportedQuery" || e != nil {
			t.Errorf("%s: %q gives %v, %v", rule, clip(in), e, err)
		}
	}
}

// TestFilterRefusalsName: the message names the member and the operator (DO-29).
func TestFilterRefusalsName(t *testing.T) {
	for in, want := range map[string]string{
		"displayname has 'x'":                        `displayName does not support the operator "has"`,
		"shoeSize eq 9":                              `this list cannot be filtered by "shoeSize"`,
		"otherMails eq 'x'":                          `otherMails is a collection: ask for its items, as in otherMails/any(x:x eq 'a')`,
		"otherMails/any(x: x has 'a')":               `x does not support the operator "has"`,
		"otherMails/any(x: id eq 'a')":               `inside otherMails/any(…), "id" cannot be used; name what x has`,
		"otherMails/all(x: x eq 'a')":                `otherMails does not support all(); use any()`,
		"status/errorCode eq 'x'":                    `"'x'" is no value for status/errorCode`,
		"displayName eq":                             `a value for displayName is missing`,
		"displayName eq '" + strings.Repeat("x", 70): `a string is not closed`,
	} {
		if _, err := ParseFilter(in, schema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %s", in, err, want)
		}
	}
}

// TestNames: which members a filter asks about, lambdas and counts included.
func TestNames(t *testing.T) {
	e, err := ParseFilter("not (otherMails/any(x:x eq 'a') or targetResources/$count eq 3) and startswith(displayName,'x') and combinations has 'x' and userPrincipalName in ('x')", schema)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"otherMails": true, "targetResources": true, "displayName": true, "combinations": true, "userPrincipalName": true, "accountEnabled": false, "": false} {
		if Names(e, name) != want {
			t.Errorf("Names(%q) is %v", name, !want)
		}
	}
	for in, want := range map[string]bool{
		"displayName eq 'a' and startswith(displayName,'b')": false, "displayName in ('a')": false, "otherMails/any(x:x eq 'a')": false,
		"displayName ne 'a'": true, "not accountEnabled eq true": true, "endswith(userPrincipalName,'a')": true, "otherMails/$count eq 0": true, "otherMails/any(x:x ne 'a')": true,
	} {
		e, err := ParseFilter(in, schema)
		if err != nil || Advanced(e) != want {
			t.Errorf("%s: advanced is not %v (%v)", in, want, err)
		}
	}
}
