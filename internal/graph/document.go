package graph

import (
	"cmp"
	"encoding"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// The two documents that describe the API to programs: $metadata (OData CSDL)
// and openapi.json. Both are made from the route table, so neither can promise
// a call that is not there or miss one that is. They are public, as Graph's are.

// documents makes each document when somebody first asks for it.
type documents map[string]func() ([]byte, error) // by path below the host, in lower case

func documentsOf(routes []route) documents {
	out := documents{}
	for _, version := range []string{"v1.0", "beta"} {
		var mine []route
		for _, r := range routes {
			if !r.beta || version == "beta" {
				mine = append(mine, r.described())
			}
		}
		out["/"+version+"/$metadata"] = sync.OnceValues(func() ([]byte, error) { return csdl(mine) })
		out["/"+version+"/openapi.json"] = sync.OnceValues(func() ([]byte, error) { return openAPI(version, mine) })
	}
	return out
}

// find answers a request for a document.
func (d documents) find(r *http.Request) (Answer, bool) {
	name := strings.TrimSuffix(strings.ToLower(r.URL.Path), "/") // WC-6
	doc, ok := d[name]
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return Answer{}, false
	}
	kind := "application/xml"
	if strings.HasSuffix(name, ".json") {
		kind = "application/json"
	}
	return Answer{Status: http.StatusOK, Type: kind, Stream: func(w io.Writer) error {
		text, err := doc()
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}}, true
}

// anyObject stands for lists of several types: what they have in common.
type anyObject struct {
	ID              string     `json:"id"`
	DeletedDateTime *time.Time `json:"deletedDateTime"`
}

// mixed are the last words of paths where items of several types are.
var mixed = []string{"members", "transitiveMembers", "memberOf", "transitiveMemberOf", "owners", "manager", "deletedItems", "directoryObjects"}

// typeOfPath are Graph's types by the last word of a path that leads to one of
// its items, where the table of routes does not say.
var typeOfPath = map[string]string{
	"appRoleAssignments": "appRoleAssignment", "appRoleAssignedTo": "appRoleAssignment", "cardea.membershipProcessing": "cardeaMembershipProcessing",
	"policies": "policyRoot", "auditLogs": "auditLogRoot", "directory": "directoryRoot", "authentication": "authentication", "roleManagement": "roleManagement", "roleManagement/directory": "rbacApplication",
	"authenticationMethodsPolicy": "authenticationMethodsPolicy", "authenticationMethodConfigurations": "authenticationMethodConfiguration",
	"methods": "authenticationMethod", "operations": "longRunningOperation", "requirements": "strongAuthenticationRequirements",
}

// lastWord is the last word of a pattern that is no key.
func lastWord(pattern []string) string {
	for _, s := range slices.Backward(pattern) {
		if !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "$") {
			return s
		}
	}
	return ""
}

// described is r, with what its path says about the answer.
func (r route) described() route {
	last := r.pattern[len(r.pattern)-1]
	if r.gives == nil && r.Method == "GET" && !strings.HasPrefix(last, "$") && slices.Contains(mixed, lastWord(r.pattern)) {
		r.gives, r.shape = reflect.TypeFor[anyObject](), Shape{Type: "directoryObject"}
		r.many = !strings.HasPrefix(last, "{") && last != "manager"
	}
	if r.shape.kind() == "" && r.gives != nil && r.Method == "GET" {
		r.shape.Type = typeOfPath[lastWord(r.pattern)]
	}
	return r
}

// kind is one structured type of the API.
type kind struct {
	Name    string // e.g. "user"; unique in the API
	Members []field
	entity  bool // can be read at an address of its own
}

func (of *kind) has(member string) bool {
	return slices.ContainsFunc(of.Members, func(f field) bool { return f.Name == member })
}

// field is one member of a kind. Of is nil for a value that has no structure of
// its own; then Basic says what it is.
type field struct {
	Name     string
	Of       *kind
	Basic    string // Edm's name of the type: String, Boolean, Int64, Double, DateTimeOffset, Binary, Untyped
	Many     bool
	Nullable bool
}

// kinds are the types that routes take and give, each once. One type of Go may
// stand for several of Graph's: the empty lists are all of struct{}.
type kinds struct {
	of    map[reflect.Type][]*kind
	names map[string]bool
	list  []*kind
}

// taken is what a route takes, given what it gives; nil if the table does not say.
func (k *kinds) taken(r route) *kind { return k.first(r.takes, "") }

func (k *kinds) given(r route) *kind { return k.first(r.gives, r.shape.kind()) }

func (k *kinds) first(t reflect.Type, name string) *kind {
	for _, of := range k.of[t] {
		if name == "" || of.Name == name {
			return of
		}
	}
	return nil
}

func kindsOf(routes []route) *kinds {
	k := &kinds{of: map[reflect.Type][]*kind{}, names: map[string]bool{}}
	// First what has a name of Graph's; then that of Go's type.
	for _, named := range []bool{true, false} {
		for _, r := range routes {
			if r.gives == nil || r.gives.Kind() != reflect.Struct || (r.shape.kind() != "") != named {
				continue
			}
			of := k.kind(r.gives, r.shape.kind())
			of.complete(r.shape)
			of.entity = of.entity || r.Method == "GET"
		}
	}
	for _, r := range routes {
		if r.takes != nil && r.takes.Kind() == reflect.Struct {
			k.kind(r.takes, "")
		}
	}
	slices.SortFunc(k.list, func(a, b *kind) int { return strings.Compare(a.Name, b.Name) })
	return k
}

// kind describes a struct once under a name; "" is any that it has. Without a
// name it gets that of the Go type, with the package in front if that is taken.
func (k *kinds) kind(t reflect.Type, name string) *kind {
	if have := k.first(t, name); have != nil {
		return have
	}
	if name == "" {
		if name = cmp.Or(lowerFirst(t.Name()), "value"); k.names[name] {
			name = t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:] + upperFirst(name)
		}
	}
	for k.names[name] {
		name += "_"
	}
	out := &kind{Name: name}
	k.of[t], k.names[name] = append(k.of[t], out), true
	k.list = append(k.list, out)
	for _, f := range reflect.VisibleFields(t) {
		if member := jsonName(f); member != "" && !out.has(member) {
			out.Members = append(out.Members, k.field(member, f.Type, name))
		}
	}
	return out
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	marshaler   = reflect.TypeFor[json.Marshaler]()
	textMarshal = reflect.TypeFor[encoding.TextMarshaler]()
)

// field describes a member of type t in the kind called owner.
func (k *kinds) field(name string, t reflect.Type, owner string) field {
	f := field{Name: name}
	for t.Kind() == reflect.Pointer {
		t, f.Nullable = t.Elem(), true
	}
	switch {
	case t == timeType:
		f.Basic, f.Nullable = "DateTimeOffset", true // a time that never was is null
	case t.Kind() == reflect.String:
		f.Basic, f.Nullable = "String", f.Nullable || t.Implements(marshaler) // one that writes itself writes null for nothing
	case t.Implements(textMarshal) || reflect.PointerTo(t).Implements(textMarshal):
		f.Basic = "String"
	case t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler):
		f.Basic, f.Nullable = "Untyped", true
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		f.Basic, f.Nullable = "Binary", true
	case t.Kind() == reflect.Slice:
		item := k.field(name, t.Elem(), owner)
		item.Many, item.Nullable = true, true
		if item.Basic == "Binary" {
			item.Basic = "String"
		}
		return item
	case t.Kind() == reflect.Bool:
		f.Basic = "Boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		f.Basic = "Int64"
	case t.Kind() == reflect.Float64:
		f.Basic = "Double"
	case t.Kind() == reflect.Struct:
		name := ""
		if t.Name() == "" || f.Name == "cardea" { // called after its place
			name = owner + upperFirst(f.Name)
		}
		f.Of = k.kind(t, name)
	default:
		f.Basic, f.Nullable = "Untyped", true
	}
	return f
}

// complete adds what a shape says about its kind: members that are never
// stored, and which are null.
func (of *kind) complete(s Shape) {
	for name, value := range s.Absent {
		if !of.has(name) {
			f := field{Name: name, Basic: "Untyped", Nullable: true}
			t := reflect.TypeOf(value)
			switch {
			case t == nil:
			case t.Kind() == reflect.Bool:
				f.Basic = "Boolean"
			case t.Kind() == reflect.String:
				f.Basic = "String"
			}
			of.Members = append(of.Members, f)
		}
	}
	slices.SortFunc(of.Members, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	if s.Nulls {
		for i := range of.Members {
			if of.Members[i].Basic == "String" {
				of.Members[i].Nullable = true
			}
		}
	}
}

// lowerFirst begins a name in lower case: User is user, SAMLSettings samlSettings.
func lowerFirst(s string) string {
	n := 0
	for n < len(s) && s[n] >= 'A' && s[n] <= 'Z' {
		n++
	}
	if n > 1 && n < len(s) {
		n--
	}
	return strings.ToLower(s[:n]) + s[n:]
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
