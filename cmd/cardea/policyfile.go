package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Policies as files: cardea export writes what the server has, cardea apply
// makes the server be what the files say.
//
// A file holds documents. Each has a kind (kinds is the table of them) and the
// members of the Graph resource of that kind, under Graph's names, but nothing
// that a server makes: no ids, no times, no versions. People, groups, roles and
// profiles stand there by name, so a file works on another server too. A member
// that a document leaves out stays as it is; a list that it names is the whole
// list. Nothing is deleted because a document is missing.

// form is what the value of a member looks like in a file.
type form int

const (
	aText form = iota
	aFlag
	aNumber
	texts
	anObject
	manyObjects // a list of objects
	targets     // a list of people: group, role, user or allUsers, and fields
	modelList   // AAGUIDs
	typeList    // Graph's "deviceBound,synced" as a list
	profileRef  // ids of passkey profiles by name
	anything    // settings that only their writer understands
)

// field is a member of a document.
type field struct {
	name   string
	form   form
	values []string // all that are allowed, of a text
	fields []field  // of an object, and beside the name of a target
	needed bool     // in a new object, and in each object of a list
	sparse bool     // written only if it says something
	note   string   // the comment above it
	words  string   // what a change calls it; the name unless given
	more   string   // "now also applies to"
	less   string
}

func (f field) called() string {
	if f.words != "" {
		return f.words
	}
	return f.name
}

// kind is one kind of document. To add one, add its row to kinds.
type kind struct {
	name   string  // the value of the member kind
	title  string  // in plans and in the first comment of a file
	file   string  // below a folder; a name that ends in / is a folder with a file for each
	key    string  // the member that names one of many; "" where there is only one
	fields []field // in the order of the file

	all   func(*exchange) ([]thing, error)             // for export
	find  func(*exchange, string) (thing, error)       // by key; a thing without id does not exist yet
	write func(*exchange, *change) error               // makes the change
	words func(*exchange, *change) []string            // a change in sentences; nil: sentences
	check func(*exchange, *change, *impactOfAll) error // what would come of it; nil: nothing to say
}

// thing is an object on the server.
type thing struct {
	id, etag string
	raw      map[string]any // Graph's
	value    map[string]any // as in a file
}

// change is a document that differs from the server.
type change struct {
	*document
	was   thing
	is    map[string]any // the members of was, and those of the document over them
	words []string
}

func (c *change) title() string {
	if c.kind.key == "" {
		return c.kind.title
	}
	return fmt.Sprintf("%s %q", c.kind.title, c.name)
}

// fileName is where export puts a document, below a folder. taken are the names
// so far.
func (k *kind) fileName(name string, taken map[string]bool) string {
	if !strings.HasSuffix(k.file, "/") {
		return k.file
	}
	slug := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name), "-")
	for strings.Contains(slug, "--") {
		slug = strings.ReplaceAll(slug, "--", "-")
	}
	if slug = slug[:min(len(slug), 60)]; slug == "" {
		slug = "unnamed"
	}
	path := k.file + slug + ".yaml"
	for n := 2; taken[path]; n++ {
		path = fmt.Sprintf("%s%s-%d.yaml", k.file, slug, n)
	}
	taken[path] = true
	return path
}

// overlay is was with the members of is over it. Objects are laid over one
// another member by member, everything else is replaced.
func overlay(was, is map[string]any) map[string]any {
	out := maps.Clone(was)
	if out == nil {
		out = map[string]any{}
	}
	for name, v := range is {
		old, ok := out[name].(map[string]any)
		if o, isObject := v.(map[string]any); isObject && ok {
			v = overlay(old, o)
		}
		out[name] = v
	}
	return out
}

// fieldNamed finds a member of fields.
func fieldNamed(fields []field, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}
