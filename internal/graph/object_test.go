package graph

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"cardea/internal/directory"
)

// slowly is what split promises, by a tokenizer.
func slowly(t *testing.T, raw []byte) object {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var o object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var m member
		if err := d.Decode(&m.value); err != nil {
			t.Fatal(err)
		}
		m.name, _ = name.(string)
		o = append(o, m)
	}
	return o
}

// FuzzSplit: for anything that encoding/json writes, split finds the members
// that a tokenizer finds, and writing them gives the same bytes. What is no
// object is refused, but null.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `null`, `[1]`, `"x"`, `{"a":"\"}{,:\\","b":[{"c":"]"},[]],"d":{"e":{}},"f":-1.5e3,"g":true,"h":null}`, `{"<&\"\\\u2028é":"<&"}`, `{"":""}`, `{"a":[],"a":{}}`, `{"a":"\\\\"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var v any
		if json.Unmarshal(in, &v) != nil {
			return
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := split(raw)
		if _, is := v.(map[string]any); !is {
			if (err == nil) != (v == nil) {
				t.Fatalf("%s: %v", raw, err)
			}
			return
		}
		want := slowly(t, raw)
		same := func(a, b member) bool { return a.name == b.name && bytes.Equal(a.value, b.value) }
		if err != nil || !slices.EqualFunc(got, want, same) {
			t.Fatalf("%s: %v, want %v (%v)", raw, got, want, err)
		}
		if out := got.appendJSON(nil); !bytes.Equal(out, raw) {
			t.Fatalf("%s became %s", raw, out)
		}
	})
}

// TestPagesAreWrittenAsBefore: the pages that write themselves are the bytes of
// encoding/json.
func TestPagesAreWrittenAsBefore(t *testing.T) {
	n := int64(7)
	o := object{{"@odata.type", json.RawMessage(`"#x"`)}, {"a&b", json.RawMessage(`"<\u003c"`)}, {"é\u2028", json.RawMessage(`{"x":[1,"]"]}`)}}
	type plainPage page
	type plainDelta deltaPage
	for name, c := range map[string]struct{ is, want any }{
		"an object":   {o, struct{ json.Marshaler }{o}},
		"no object":   {object(nil), map[string]int{}},
		"a full page": {page{"https://x/?a=1&b='<é\u2028'", &n, "https://x/?$top=1&$skiptoken=\"", []object{o, nil, {}}}, plainPage{"https://x/?a=1&b='<é\u2028'", &n, "https://x/?$top=1&$skiptoken=\"", []object{o, nil, {}}}},
		"a bare page": {page{Value: []object{}}, plainPage{Value: []object{}}},
		"no list":     {page{}, plainPage{}},
		"a delta":     {deltaPage{"c&", "n&", "d&", []object{o}}, plainDelta{"c&", "n&", "d&", []object{o}}},
		"its end":     {deltaPage{Delta: "d", Value: []object{}}, plainDelta{Delta: "d", Value: []object{}}},
	} {
		if _, ok := c.is.(interface{ appendJSON([]byte) []byte }); !ok {
			t.Errorf("%s does not write itself", name)
		}
		got, err := encode(c.is)
		if err != nil {
			t.Fatal(err)
		}
		want, err := encode(c.want)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s\nwant %s (%v)", name, got, want, err)
		}
	}
}

// BenchmarkPage writes a page of 999 people.
func BenchmarkPage(b *testing.B) {
	people := make([]directory.User, 999)
	for i := range people {
		people[i] = directory.User{ID: "01990000-0000-7000-8000-100000000007", UserPrincipalName: "p00000007@contoso.com", DisplayName: "Person 00000007", Mail: "p00000007@contoso.com",
			Department: "D7", UserType: "Member", AccountEnabled: true, CreatedDateTime: time.UnixMilli(1760000000007).UTC(), SecurityIdentifier: "S-1-12-1-2-3-4-5"}
		people[i].BusinessPhones = []string{"+49 30 1234567"}
	}
	b.ReportAllocs()
	for b.Loop() {
		p := page{Context: "https://id.example.com/v1.0/$metadata#users"}
		for _, u := range people {
			full, err := toObject(u)
			if err != nil {
				b.Fatal(err)
			}
			o, err := userShape.project(full, nil)
			if err != nil {
				b.Fatal(err)
			}
			p.Value = append(p.Value, o)
		}
		if _, err := encode(p); err != nil {
			b.Fatal(err)
		}
	}
}
