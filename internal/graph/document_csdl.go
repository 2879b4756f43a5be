package graph

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"maps"
	"slices"
	"strings"
)

// csdl is $metadata: the types, and the tree of paths as entity sets,
// singletons, navigation, actions and functions (OData CSDL XML 4.0). Segments
// that only lead on, such as authentication, are types with navigation and
// nothing else.
func csdl(routes []route) ([]byte, error) {
	k := kindsOf(routes)
	root := &step{}
	for _, r := range routes {
		root.add(r.pattern, r, k)
	}
	s := &schema{kinds: k, ways: map[string]map[string]edmProperty{}, done: map[*step]string{}}
	for _, of := range k.list {
		s.write(of)
	}
	container := edmContainer{Name: "GraphService"}
	for _, name := range slices.Sorted(maps.Keys(root.next)) {
		at := root.next[name]
		if strings.HasPrefix(name, "$") {
			continue
		}
		if of := s.typeOf(name, at); at.many() {
			container.Sets = append(container.Sets, edmSet{Name: name, Type: of})
		} else if len(at.methods) > 0 || len(at.next) > 0 {
			container.Singletons = append(container.Singletons, edmSingleton{Name: name, Type: of})
		}
	}
	out := edmx{NS: "http://docs.oasis-open.org/odata/ns/edmx", Version: "4.0"}
	out.Schemas = s.finished(container)
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	if err := e.Encode(out); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

type edmx struct {
	XMLName xml.Name    `xml:"edmx:Edmx"`
	NS      string      `xml:"xmlns:edmx,attr"`
	Version string      `xml:"Version,attr"`
	Schemas []edmSchema `xml:"edmx:DataServices>Schema"` // Graph's names, and ours: cardea.*
}

type edmSchema struct {
	NS        string        `xml:"xmlns,attr"`
	Namespace string        `xml:"Namespace,attr"`
	Entities  []edmType     `xml:"EntityType"`
	Complex   []edmType     `xml:"ComplexType"`
	Actions   []edmCall     `xml:"Action"`
	Functions []edmCall     `xml:"Function"`
	Container *edmContainer `xml:"EntityContainer"`
}

type edmType struct {
	Name       string        `xml:"Name,attr"`
	Key        *edmKey       `xml:"Key"`
	Properties []edmProperty `xml:"Property"`
	Ways       []edmProperty `xml:"NavigationProperty"`
}

type edmKey struct {
	Ref edmRef `xml:"PropertyRef"`
}

type edmRef struct {
	Name string `xml:"Name,attr"`
}

type edmProperty struct {
	Name     string `xml:"Name,attr"`
	Type     string `xml:"Type,attr"`
	Nullable string `xml:"Nullable,attr,omitempty"`
	Contains string `xml:"ContainsTarget,attr,omitempty"`
}

type edmCall struct {
	Name       string         `xml:"Name,attr"`
	Bound      string         `xml:"IsBound,attr"`
	Parameters []edmParameter `xml:"Parameter"`
	Returns    *edmReturns    `xml:"ReturnType"`
}

type edmParameter struct {
	Name string `xml:"Name,attr"`
	Type string `xml:"Type,attr"`
}

type edmReturns struct {
	Type string `xml:"Type,attr"`
}

type edmContainer struct {
	Name       string         `xml:"Name,attr"`
	Sets       []edmSet       `xml:"EntitySet"`
	Singletons []edmSingleton `xml:"Singleton"`
}

type edmSet struct {
	Name string `xml:"Name,attr"`
	Type string `xml:"EntityType,attr"`
}

type edmSingleton struct {
	Name string `xml:"Name,attr"`
	Type string `xml:"Type,attr"`
}

// step is one place in the tree of paths. key is the step of one item.
type step struct {
	next    map[string]*step
	key     *step
	methods map[string]route
	of      *kind // of the items here, if the table says
	list    bool
}

func (s *step) add(pattern []string, r route, k *kinds) {
	if len(pattern) == 0 {
		if s.methods == nil {
			s.methods = map[string]route{}
		}
		s.methods[r.Method] = r
		if r.Method == "GET" && r.gives != nil {
			s.of, s.list = k.given(r), r.many
		}
		return
	}
	if strings.HasPrefix(pattern[0], "{") {
		if s.key == nil {
			s.key = &step{}
		}
		s.key.add(pattern[1:], r, k)
		return
	}
	if s.next == nil {
		s.next = map[string]*step{}
	}
	if s.next[pattern[0]] == nil {
		s.next[pattern[0]] = &step{}
	}
	s.next[pattern[0]].add(pattern[1:], r, k)
}

// many reports whether the place holds a list.
func (s *step) many() bool { return s.list || s.key != nil }

// schema collects what the document will hold.
type schema struct {
	kinds             *kinds
	entities, complex []edmType
	actions           []edmCall
	functions         []edmCall
	ways              map[string]map[string]edmProperty // navigation by type
	done              map[*step]string
}

const namespace = "microsoft.graph."

// typeOf is the type of the items at a step, with the ways on from there. path
// is the word that leads there, behind the one before it.
func (s *schema) typeOf(path string, at *step) string {
	if of, ok := s.done[at]; ok {
		return of
	}
	of := at.of
	if of == nil && at.key != nil {
		of = at.key.of
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	kindName := cmp.Or(typeOfPath[path], typeOfPath[name], name+"Place")
	if of != nil && of.entity {
		kindName = of.Name
	}
	s.done[at] = namespace + kindName
	if s.ways[kindName] == nil {
		s.ways[kindName] = map[string]edmProperty{}
		if of == nil || !of.entity {
			s.entities = append(s.entities, edmType{Name: kindName})
		}
	}
	ways := s.ways[kindName]
	on := func(from *step, bound string) {
		for _, word := range slices.Sorted(maps.Keys(from.next)) {
			next := from.next[word]
			if strings.HasPrefix(word, "$") {
				continue
			}
			if bound != "" || len(next.next) == 0 && next.key == nil && !slices.ContainsFunc(slices.Collect(maps.Keys(next.methods)), func(m string) bool { return m != "POST" }) {
				s.call(word, next, bound, namespace+kindName)
				continue
			}
			target := s.typeOf(name+"/"+word, next)
			p := edmProperty{Name: word, Type: target, Contains: "true"}
			if next.many() {
				p.Type = "Collection(" + target + ")"
			}
			ways[word] = p
		}
	}
	if at.many() {
		on(at, "Collection("+namespace+kindName+")")
		if at.key != nil {
			on(at.key, "")
		}
	} else {
		on(at, "")
	}
	return s.done[at]
}

// call adds what a word does: a POST is an action, a GET on a list a function
// (delta, or the items of one type among many).
func (s *schema) call(word string, at *step, bound, of string) {
	if bound == "" {
		bound = of
	}
	word = strings.TrimPrefix(word, namespace)
	for _, method := range slices.Sorted(maps.Keys(at.methods)) {
		r := at.methods[method]
		c := edmCall{Name: word, Bound: "true", Parameters: []edmParameter{{"bindingParameter", bound}}}
		if method == "GET" {
			if at.of != nil {
				c.Returns = &edmReturns{namespace + at.of.Name}
			} else {
				c.Returns = &edmReturns{strings.TrimSuffix(strings.TrimPrefix(bound, "Collection("), ")")}
			}
			if at.many() || at.of == nil {
				c.Returns.Type = "Collection(" + c.Returns.Type + ")"
			}
			s.functions = append(s.functions, c)
		} else if method == "POST" {
			if takes := s.kinds.taken(r); takes != nil {
				for _, f := range takes.Members {
					c.Parameters = append(c.Parameters, edmParameter{f.Name, f.edm()})
				}
			}
			if gives := s.kinds.given(r); gives != nil {
				c.Returns = &edmReturns{namespace + gives.Name}
			}
			s.actions = append(s.actions, c)
		}
	}
}

// edm is the type of a member in Edm's words.
func (f field) edm() string {
	name := "Edm." + f.Basic
	if f.Of != nil {
		name = namespace + f.Of.Name
	}
	if f.Many {
		name = "Collection(" + name + ")"
	}
	return name
}

// write adds a kind.
func (s *schema) write(of *kind) {
	t := edmType{Name: of.Name}
	for _, f := range of.Members {
		p := edmProperty{Name: f.Name, Type: f.edm()}
		if !f.Nullable {
			p.Nullable = "false"
		}
		if f.Of != nil && f.Of.entity {
			p.Nullable, p.Contains = "", "true"
			t.Ways = append(t.Ways, p)
			continue
		}
		t.Properties = append(t.Properties, p)
	}
	if of.entity {
		if of.has("id") {
			t.Key = &edmKey{edmRef{"id"}}
		}
		s.entities = append(s.entities, t)
		s.ways[of.Name] = map[string]edmProperty{}
		return
	}
	s.complex = append(s.complex, t)
}

// finished are the schemas, all in order: Graph's names with every type, and
// our own calls, which are named cardea.* in paths too.
func (s *schema) finished(c edmContainer) []edmSchema {
	for i := range s.entities {
		t := &s.entities[i]
		for _, name := range slices.Sorted(maps.Keys(s.ways[t.Name])) {
			if !slices.ContainsFunc(append(slices.Clone(t.Properties), t.Ways...), func(p edmProperty) bool { return p.Name == name }) {
				t.Ways = append(t.Ways, s.ways[t.Name][name])
			}
		}
	}
	slices.SortFunc(s.entities, func(a, b edmType) int { return strings.Compare(a.Name, b.Name) })
	const edm = "http://docs.oasis-open.org/odata/ns/edm"
	graphs := edmSchema{NS: edm, Namespace: "microsoft.graph", Entities: s.entities, Complex: s.complex, Container: &c}
	own := edmSchema{NS: edm, Namespace: "cardea"}
	graphs.Actions, own.Actions = calls(s.actions)
	graphs.Functions, own.Functions = calls(s.functions)
	return []edmSchema{graphs, own}
}

// calls are Graph's and ours, in order, each once per binding.
func calls(list []edmCall) (graphs, own []edmCall) {
	slices.SortFunc(list, func(a, b edmCall) int {
		return strings.Compare(a.Name+" "+a.Parameters[0].Type, b.Name+" "+b.Parameters[0].Type)
	})
	list = slices.CompactFunc(list, func(a, b edmCall) bool { return a.Name == b.Name && a.Parameters[0] == b.Parameters[0] })
	for _, c := range list {
		if name, ok := strings.CutPrefix(c.Name, "cardea."); ok {
			c.Name = name
			own = append(own, c)
		} else {
			graphs = append(graphs, c)
		}
	}
	return graphs, own
}
