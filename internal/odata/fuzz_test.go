package odata

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// ours is all the SQL that this package and schema can write.
var ours = strings.NewReplacer(func() (pairs []string) {
	for _, w := range []string{"SELECT 1 FROM", "SELECT count(*) FROM", "m.id = id", "n.id = id", "SELECT m.id FROM c_mails m WHERE TRUE", "c_mails m WHERE TRUE", "SELECT n.id FROM c_names n WHERE n.on", "c_names n WHERE n.on", "CASE WHEN", "THEN CAST(1 AS BIGINT) ELSE 0 END", "EXISTS", "m.c_mail", "n.c_issuer", "n.c_value",
		"c_target", "c_name", "c_kind", "c_upn", "c_on", "c_at", "c_n", "c_flags", "c_last", "c_sync", "id", "ORDER BY", "LIMIT", "OFFSET", "DESC", "AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "FALSE", "lower", "replace",
		`'\'`, `'-'`, `'.'`, `'_'`, `'@'`, `''''`, `'"'`, `'('`, `')'`, `'/'`, `','`, `'&'`, `':'`, `'+'`, `' '`, `''`, "||", "1 = 1", "1 = 0", "0", "(", ")", ",", " ", "=", "<", ">"} {
		pairs = append(pairs, w, "")
	}
	return pairs
}()...)

// leaked returns what of a text is not ours.
func leaked(s *SQL) string {
	text := s.String()
	for i := len(s.Args); i > 0; i-- {
		text = strings.ReplaceAll(text, "$"+strconv.Itoa(i), "")
	}
	return ours.Replace(text)
}

// FuzzFilter: the SQL text is made of words that we wrote, whatever the filter
// says (DO-32), and parsing never panics (DO-37).
func FuzzFilter(f *testing.F) {
	for _, in := range []string{"displayName eq 'x' and (status/errorCode gt 3 or not accountEnabled eq true)", "displayName in ('a','b''c') or startswith(displayName,'100%')",
		"displayName eq null", "signInEventTypes/any(t: t eq 'x')", "3 eq status/errorCode", "createdDateTime ge 2026-01-01", "microsoft.graph.x'y' eq displayName", "((((", "any(", "/any(:", "'",
		"cardea/identities/all(i:i/issuer eq 'a' and not i/issuerAssignedId eq 'b')", "otherMails/any()", "otherMails/$count ge 2 or targetResources/$count in (1)", "combinations has 'sms, password'", "synced ne null",
		"targetResources/any(t:startswith(t/id,'\U0010ffff'))", "lastSignIn/at lt 2026-01-01T00:00:00Z"} {
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

// FuzzSearch: the same for $search.
func FuzzSearch(f *testing.F) {
	for _, in := range []string{`"displayName:x" OR ("y" AND "userPrincipalName:a b")`, `x`, `"displayName:\"\\" AND`, `((`, `"`} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		e, err := ParseSearch(in, schema)
		if err != nil {
			return
		}
		if s := new(SQL).Where(e); leaked(s) != "" {
			t.Fatalf("%q leaked %q into %q", in, leaked(s), s)
		}
	})
}

// FuzzExpand: what is expanded is always something that is listed, with names
// that hold no syntax.
func FuzzExpand(f *testing.F) {
	for _, in := range []string{"members", "manager($select=id,displayName)", "*", "members(", "members)$select=(", "members($select=id;$top=2)", "members,manager"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		e, err := parseExpand(in, paging.Expand)
		if err != nil {
			return
		}
		if e.Name != "members" && e.Name != "manager" {
			t.Fatalf("%q expands %q", in, e.Name)
		}
		for _, n := range e.Select {
			if n == "" || strings.ContainsAny(n, "();=$,") {
				t.Fatalf("%q selects %q", in, n)
			}
		}
	})
}

// FuzzParse: all options together.
func FuzzParse(f *testing.F) {
	f.Add(`$search="displayName:x" OR "y"&$orderby=displayName desc`)
	f.Add("$skiptoken=WyJBZGEiLCJpZC0xIl0&$top=5")
	f.Add("$skiptoken=WyJBZGEiLCJpZC0xIl0&$skip=5&$expand=members($select=id)&$format=csv&$count=true")
	q, err := Parse(url.Values{}, schema, paging)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("$skiptoken=" + q.Token(func(string) any { return "Ada" }, "id-1"))
	f.Fuzz(func(t *testing.T, in string) {
		v, err := url.ParseQuery(in)
		if err != nil {
			return
		}
		q, err := Parse(v, schema, paging)
		if err != nil {
			return
		}
		if s := new(SQL).Page(q, "id"); leaked(s) != "" || q.Top < 1 || q.Top > paging.Max || q.Skip < 0 || q.Skip > maxSkip {
			t.Fatalf("%q leaked %q into %q (top %d, skip %d)", in, leaked(s), s, q.Top, q.Skip)
		}
	})
}
