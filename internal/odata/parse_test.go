package odata

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/problem"
)

var paging = Paging{Default: 100, Max: 999, Order: []Order{{Name: "displayName", Property: schema["displayName"]}}, Skip: true, Expand: []string{"members", "manager"}}

func parse(t *testing.T, text string, p Paging) (Query, error) {
	t.Helper()
	v, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(text, err)
	}
	return Parse(v, schema, p)
}

// TestParse: the options of §5.1.
func TestParse(t *testing.T) {
	q, err := parse(t, "$select=id, displayName&$top=7&$count=TRUE&slice=x&$skip=3&$format=application/json%3Bodata.metadata=minimal&$expand=Members( $Select = id , displayName )&$orderby=displayName desc", paging)
	if err != nil || q.Top != 7 || !q.Count || strings.Join(q.Select, "|") != "id|displayName" || q.Skip != 3 || q.Format != "json" || !q.OrderBy[0].Desc {
		t.Errorf("got %+v, %v", q, err)
	}
	if q.Expand == nil || q.Expand.Name != "members" || strings.Join(q.Expand.Select, "|") != "id|displayName" {
		t.Errorf("$expand is %+v", q.Expand)
	}
	if s := new(SQL).Page(q, "id"); s.String() != "1 = 1 AND 1 = 1 ORDER BY c_name DESC, id DESC LIMIT $1 OFFSET $2" || joined(s.Args) != "8 3" {
		t.Errorf("$skip: %s %v", s, s.Args)
	}
	for _, in := range []string{"", "$count=false&$format=CSV", "$expand=manager&$filter=displayName eq 'a'", "$expand=manager&$orderby=displayName", "$expand=members&$count=true", "$filter=displayName eq 'a'&$filter=displayName eq 'a'"} {
		if _, err := parse(t, in, paging); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
	const unsupported = "unsupportedQuery"
	for in, code := range map[string]string{
		"$top=0": "invalidPageSize", "$top=1000": "invalidPageSize", "$top=x": "invalidPageSize", "$top=": "invalidPageSize", "$top=99999999999999999999": "invalidPageSize",
		"$skip=-1": unsupported, "$skip=x": unsupported, "$skip=1000001": unsupported, "$count=yes": unsupported, "$format=atom": unsupported, "$apply=x": unsupported, "$levels=2": unsupported,
		"$orderby=accountEnabled": unsupported, "$orderby=displayName sideways": unsupported, "$orderby=displayName,displayName desc": unsupported, "$orderby=otherMails": unsupported, "$orderby=": unsupported,
		"$select=id,,x": unsupported, "$select=" + strings.Repeat("x,", 100) + "x": unsupported, "$select=%00": unsupported, "$select=" + strings.Repeat("x", 5000): unsupported,
		"$top=1&$top=2": unsupported, "$filter=displayName eq 'a'&$filter=displayName eq 'b'": unsupported,
		"$skiptoken=bm8": "invalidSkipToken", "$skiptoken=%25": "invalidSkipToken",
	} {
		if _, err := parse(t, in, paging); problem.CodeOf(err) != code {
			t.Errorf("%s gives %v, want %s", clip(in), err, code)
		}
	}
	if _, err := parse(t, "$skip=3", Paging{Default: 1, Max: 1}); problem.CodeOf(err) != unsupported {
		t.Errorf("$skip where it is not listed gives %v", err)
	}
}

// TestExpandRefusals: one relationship, $select inside, not beside advanced
// queries (§5.1).
func TestExpandRefusals(t *testing.T) {
	for _, in := range []string{"$expand=*", "$expand=", "$expand=owners", "$expand=members,manager", "$expand=members($select=id),manager", "$expand=members($top=3)", "$expand=members($select=id%3B$top=3)",
		"$expand=members($expand=members)", "$expand=members($select=id", "$expand=members()", "$expand=members($select=id)x", "$expand=members($select=id,$top=3)", "$expand=members/microsoft.graph.user",
		`$expand=members&$search="displayName:x"`, "$expand=members&$filter=displayName ne 'x'", "$expand=members&$filter=displayName eq 'x'&$orderby=displayName", "$expand=members&$filter=otherMails/$count eq 0"} {
		if _, err := parse(t, in, paging); problem.CodeOf(err) != "unsupportedQuery" {
			t.Errorf("%s gives %v", in, err)
		}
	}
	if _, err := parse(t, "$expand=members", Paging{Default: 1, Max: 1}); problem.CodeOf(err) != "unsupportedQuery" {
		t.Errorf("$expand where nothing is listed gives %v", err)
	}
}

// TestToken: a token goes on behind a row of the same query, and of no other
// (DO-41).
func TestToken(t *testing.T) {
	row := map[string]any{"displayName": "Ada", "createdDateTime": "2026-01-02T00:00:00Z", "userPrincipalName": "Ada@x.test"}
	member := func(name string) any { return row[name] }
	const query = "$filter=startswith(displayName,'a')&$orderby=createdDateTime desc,userPrincipalName"
	q, err := parse(t, query+"&$skip=9", paging)
	if err != nil {
		t.Fatal(err)
	}
	token := q.Token(member, "id-1")
	q, err = parse(t, query+"&$skip=9&$top=3&$select=id&$count=true&$skiptoken="+token, paging)
	if err != nil {
		t.Fatal(err)
	}
	s := new(SQL).Page(q, "id")
	const want = "(lower(c_name) >= $1 AND lower(c_name) < $2) AND 1 = 1 AND (c_at <= $3 AND ((c_at < $4) OR (c_at = $5 AND (c_upn, id) > ($6, $7)))) ORDER BY c_at DESC, c_upn, id LIMIT $8"
	if s.String() != want || joined(s.Args) != "a b 1767312000000 1767312000000 1767312000000 ada@x.test id-1 4" {
		t.Errorf("got  %s %v\nwant %s", s, s.Args, want)
	}
	for _, other := range []string{"", "$orderby=createdDateTime desc,userPrincipalName", "$filter=startswith(displayName,'b')&$orderby=createdDateTime desc,userPrincipalName",
		"$filter=startswith(displayName,'a')&$orderby=createdDateTime,userPrincipalName", query + `&$search="displayName:x"`} {
		if _, err := parse(t, other+"&$skiptoken="+token, paging); problem.CodeOf(err) != "invalidSkipToken" {
			t.Errorf("a token of another query than %s gives %v", other, err)
		}
	}
	bound := q.bound
	for _, forged := range []string{`[]`, `{}`, `["x",1,"a","id"]`, `["` + bound + `","1","a","id"]`, `["` + bound + `",1.5,"a","id"]`, `["` + bound + `",1,2,"id"]`, `["` + bound + `",1,"a",2]`,
		`["` + bound + `",1,"a"]`, `["` + bound + `",1,"a","id","x"]`, `["` + bound + `",1,null,"id"]`, `["` + bound + `",1,"a","id"] 1`, `["` + bound + `",1,"\u0000","id"]`, "[\"" + bound + "\",1,\"\xff\",\"id\"]"} {
		if _, err := parse(t, query+"&$skiptoken="+base64.RawURLEncoding.EncodeToString([]byte(forged)), paging); problem.CodeOf(err) != "invalidSkipToken" {
			t.Errorf("the forged token %q gives %v", forged, err)
		}
	}
}
