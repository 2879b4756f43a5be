package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cardea/internal/problem"
)

type inner struct {
	Name     string   `json:"name"`
	Attested bool     `json:"attested"`
	AAGUIDs  []string `json:"aaguids"`
}

type embedded struct {
	State string `json:"state"`
}

type document struct {
	embedded
	On       bool     `json:"on"`
	Count    int64    `json:"count"`
	Note     string   `json:"note"`
	Profiles []inner  `json:"profiles"`
	Link     *inner   `json:"link"`
	Tags     []string `json:"tags"`
	Hidden   string   `json:"-"`
}

func stored() document {
	return document{embedded{"enabled"}, true, 3, "old", []inner{{"default", true, []string{"a", "b"}}, {"second", true, nil}}, &inner{Name: "x", Attested: true}, []string{"t"}, "kept"}
}

// TestPatch: a present member replaces the old value whole, an absent one
// stays, null clears (DO-45, PK-14).
func TestPatch(t *testing.T) {
	for _, c := range []struct {
		name, body string
		change     func(*document)
	}{
		{"nothing", `{}`, func(*document) {}},
		{"list replaced whole", `{"profiles": [{"name": "new"}]}`, func(d *document) { d.Profiles = []inner{{Name: "new"}} }},
		{"list in another case", `{"PROFILES": [{"name": "new"}]}`, func(d *document) { d.Profiles = []inner{{Name: "new"}} }},
		{"object replaced whole", `{"link": {"name": "y"}}`, func(d *document) { d.Link = &inner{Name: "y"} }},
		{"null clears text, list, object", `{"note": null, "tags": null, "link": null}`, func(d *document) { d.Note, d.Tags, d.Link = "", nil, nil }},
		{"null says nothing about switches and numbers", `{"on": null, "count": null}`, func(*document) {}},
		{"false and zero", `{"on": false, "count": 0}`, func(d *document) { d.On, d.Count = false, 0 }},
		{"unknown and annotated members", `{"@odata.type": "#x", "x@odata.context": "y", "shoe": 9}`, func(*document) {}},
		{"hidden members", `{"Hidden": "z", "-": "z"}`, func(*document) {}},
		{"embedded", `{"state": null}`, func(d *document) { d.State = "" }},
		{"twice: the last counts", `{"note": "a", "Note": "b"}`, func(d *document) { d.Note = "b" }},
	} {
		got, want := stored(), stored()
		if err := patch([]byte(c.body), &got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		c.change(&want)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(document{}, embedded{})); diff != "" {
			t.Errorf("%s: want - got +\n%s", c.name, diff)
		}
	}
	for _, body := range []string{``, `[]`, `"x"`, `{"on": "yes"}`, `{"profiles": {}}`, `null x`, strings.Repeat(`{"link":`, 20000)} {
		got := stored()
		if err := patch([]byte(body), &got); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%.20q: %v", body, err)
		}
	}
}
