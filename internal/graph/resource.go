package graph

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"cardea/internal/odata"
	"cardea/internal/problem"
)

// route is one method on one path.
type route struct {
	Method, Path string // below the version, e.g. "/users/{user}"
	Access       Access
	NotFound     string // Graph's code for 404 in this area; "" is Request_ResourceNotFound
	Run          func(*Call) (Answer, error)

	// What the documents say of bodies and answers; a route of its own may leave it out.
	takes, gives reflect.Type
	many         bool  // the answer is a list of gives
	shape        Shape // of the items in the answer

	beta    bool // on /beta only (DO-53)
	batch   bool // $batch: any token will do, each item is authorized by itself
	pattern []string
}

func (r route) compiled() route {
	r.pattern = strings.Split(strings.TrimPrefix(r.Path, "/"), "/")
	r.beta = slices.ContainsFunc(ownRoots, func(root string) bool { return strings.HasPrefix(r.Path+"/", root+"/") })
	return r
}

// ownRoots are Cardea's own resources, on /beta only (DO-53).
var ownRoots = []string{"/identity/conditionalAccess/optimization", "/reports/passkeyAdoption"}

// resource is anything that has routes.
type resource interface{ list() []route }

func (r route) list() []route { return []route{r} }

// Collection is one entity set. A nil operation is not served.
type Collection[T any] struct {
	Path     string // e.g. "/users"
	Key      string // the key's name in braces, e.g. "{user}"
	Shape    Shape
	Schema   odata.Schema
	Paging   odata.Paging
	NotFound string

	Read, Write Access
	List        func(*Call, odata.Query) ([]T, error) // up to Top+1 items: one more says that there is a next page
	Count       func(*Call, odata.Query) (int64, error)
	FreeCount   bool // counting needs no header of advanced queries
	Get         func(*Call) (T, error)
	Create      func(*Call, T) (T, error)
	Update      func(c *Call, change func(*T) error) (T, error)
	Delete      func(*Call) error
	ETag        func(T) string                // nil: no ETag header
	View        func(*Call, T, object) object // nil: callers see all; else what this caller sees of an item
	Expand      map[string]Expansion[T]       // the relationships that $expand may name
}

func (cl Collection[T]) list() []route {
	var out []route
	item := reflect.TypeFor[T]()
	add := func(method, path string, a Access, run func(*Call) (Answer, error)) *route {
		out = append(out, route{Method: method, Path: path, Access: a, NotFound: cl.NotFound, Run: run, shape: cl.Shape})
		return &out[len(out)-1]
	}
	one := cl.Path + "/" + cl.Key
	if cl.List != nil {
		r := add("GET", cl.Path, cl.Read, cl.serveList)
		r.gives, r.many = item, true
	}
	if cl.Count != nil {
		add("GET", cl.Path+"/$count", cl.Read, cl.serveCount)
	}
	if cl.Create != nil {
		r := add("POST", cl.Path, cl.Write, func(c *Call) (Answer, error) {
			var item T
			if err := c.decode(&item); err != nil {
				return Answer{}, err
			}
			item, err := cl.Create(c, item)
			if err != nil {
				return Answer{}, err
			}
			return cl.entity(c, http.StatusCreated, item)
		})
		r.takes, r.gives = item, item
	}
	if cl.Get != nil {
		r := add("GET", one, cl.Read, func(c *Call) (Answer, error) {
			item, err := cl.Get(c)
			if err != nil {
				return Answer{}, err
			}
			return cl.entity(c, http.StatusOK, item)
		})
		r.gives = item
	}
	if cl.Update != nil {
		add("PATCH", one, cl.Write, cl.serveUpdate).takes = item
	}
	if cl.Delete != nil {
		add("DELETE", one, cl.Write, func(c *Call) (Answer, error) {
			return Answer{Status: http.StatusNoContent}, cl.Delete(c)
		})
	}
	return out
}

func (cl Collection[T]) serveList(c *Call) (Answer, error) {
	paging := cl.paging()
	if c.powerShell() {
		paging.Default = max(paging.Default, c.settings.PowerShellPage)
	}
	q, err := odata.Parse(c.Query, cl.Schema, paging)
	if err != nil {
		return Answer{}, err
	}
	if err := cl.mayExpand(c, q.Expand); err != nil {
		return Answer{}, err
	}
	if q.Format == "csv" {
		return cl.serveCSV(c, q)
	}
	items, err := cl.List(c, q)
	if err != nil {
		return Answer{}, err
	}
	p := page{Context: c.Base + "/$metadata#" + c.fill(cl.Shape.Set) + chosen(q.Select, q.Expand), Value: []object{}}
	if q.Count && cl.Count != nil && q.After == nil && cl.mayCount(c) { // DO-39
		n, err := cl.Count(c, q)
		if err != nil {
			return Answer{}, err
		}
		p.Count = &n
	}
	for i, item := range items {
		full, err := toObject(item)
		if err != nil {
			return Answer{}, err
		}
		if i == q.Top {
			break
		}
		if i == q.Top-1 && len(items) > q.Top {
			key, _ := full.value("id").(string)
			p.Next = c.nextLink(q.Token(full.value, key))
		}
		if cl.View != nil {
			full = cl.View(c, item, full)
		}
		o, err := cl.Shape.project(full, q.Select)
		if err != nil {
			return Answer{}, err
		}
		if o, err = cl.expanded(c, o, item, q.Expand); err != nil {
			return Answer{}, err
		}
		p.Value = append(p.Value, o)
	}
	return Answer{Status: http.StatusOK, Body: p}, nil
}

// powerShell reports whether Graph PowerShell asks: it follows a nextLink to any
// host but Microsoft's without its token. So its first page had better be the
// only one (WC-85), or the link name Microsoft's host, which it moves back to
// ours (WC-86).
func (c *Call) powerShell() bool {
	return strings.HasPrefix(strings.ToLower(c.Header.Get("SdkVersion")), "graph-powershell")
}

// mayCount: as in Graph, $count=true without the header of advanced queries is
// silently ignored, and /$count refused (DO-38).
func (cl Collection[T]) mayCount(c *Call) bool {
	return cl.FreeCount || strings.EqualFold(c.Header.Get("ConsistencyLevel"), "eventual")
}

// serveCount answers /$count with plain digits. Without the header of advanced
// queries it fails, as in Graph (DO-38).
func (cl Collection[T]) serveCount(c *Call) (Answer, error) {
	if !cl.mayCount(c) {
		return Answer{}, problem.New(problem.Invalid, "countNeedsHeader", "$count is not currently supported. Send the header ConsistencyLevel: eventual.")
	}
	q, err := odata.Parse(c.Query, cl.Schema, cl.Paging)
	if err != nil {
		return Answer{}, err
	}
	n, err := cl.Count(c, q)
	return digits(n), err
}

func (cl Collection[T]) serveUpdate(c *Call) (Answer, error) {
	item, err := cl.Update(c, func(item *T) error {
		if cl.ETag != nil {
			if err := c.ifMatch(cl.ETag(*item)); err != nil {
				return err
			}
		}
		return patch(c.Body, item)
	})
	if err != nil {
		return Answer{}, err
	}
	if c.prefers("return=representation") { // DO-44
		a, err := cl.entity(c, http.StatusOK, item)
		if err == nil {
			a.prefer("return=representation")
		}
		return a, err
	}
	return Answer{Status: http.StatusNoContent}, nil
}

func (cl Collection[T]) entity(c *Call, status int, item T) (Answer, error) {
	full, err := toObject(item)
	if err != nil {
		return Answer{}, err
	}
	if cl.View != nil {
		full = cl.View(c, item, full)
	}
	var e *odata.Expand
	if sent, ok := c.Query["$expand"]; ok && cl.Expand != nil {
		q, err := odata.Parse(url.Values{"$expand": sent}, nil, cl.paging())
		if err != nil {
			return Answer{}, err
		}
		if err := cl.mayExpand(c, q.Expand); err != nil {
			return Answer{}, err
		}
		e = q.Expand
	}
	sel := selection(c.Query)
	o, err := cl.Shape.project(full, sel)
	if err != nil {
		return Answer{}, err
	}
	if o, err = cl.expanded(c, o, item, e); err != nil {
		return Answer{}, err
	}
	context := c.Base + "/$metadata#" + c.fill(cl.Shape.Set) + chosen(sel, e) + "/$entity"
	a := Answer{Status: status, Header: http.Header{}, Body: o.with("@odata.context", context)}
	if cl.ETag != nil {
		a.Header.Set("ETag", cl.ETag(item))
	}
	return a, nil
}

// ifMatch refuses a change of something that is no longer what the caller
// read (DO-46). Without the header the last writer wins.
func (c *Call) ifMatch(etag string) error {
	sent := c.Header.Get("If-Match")
	if sent == "" || sent == "*" {
		return nil
	}
	for part := range strings.SplitSeq(sent, ",") {
		if strings.TrimSpace(part) == etag {
			return nil
		}
	}
	return problem.New(problem.PreconditionFailed, "changed", "This changed since you read it. Read it again, look at what changed, and repeat your change.")
}

// Singleton is one object at a fixed path, such as a policy.
type Singleton[T any] struct {
	Path     string
	Shape    Shape
	NotFound string

	Read, Write Access
	Get         func(*Call) (T, error)
	Update      func(c *Call, change func(*T) error) (T, error)
	ETag        func(T) string
}

func (s Singleton[T]) list() []route {
	cl := Collection[T]{Shape: s.Shape, ETag: s.ETag, Update: s.Update}
	item := reflect.TypeFor[T]()
	out := []route{{Method: "GET", Path: s.Path, Access: s.Read, NotFound: s.NotFound, gives: item, shape: s.Shape, Run: func(c *Call) (Answer, error) {
		item, err := s.Get(c)
		if err != nil {
			return Answer{}, err
		}
		return cl.entity(c, http.StatusOK, item)
	}}}
	if s.Update != nil {
		out = append(out, route{Method: "PATCH", Path: s.Path, Access: s.Write, NotFound: s.NotFound, takes: item, shape: s.Shape, Run: cl.serveUpdate})
	}
	return out
}

// Action is a POST that does something, with a body of type In.
type Action[In, Out any] struct {
	Path     string
	Access   Access
	NotFound string
	Context  string // what @odata.context names
	Do       func(c *Call, in In) (Out, error)
}

func (a Action[In, Out]) list() []route {
	return []route{{Method: "POST", Path: a.Path, Access: a.Access, NotFound: a.NotFound, takes: reflect.TypeFor[In](), gives: reflect.TypeFor[Out](), Run: func(c *Call) (Answer, error) {
		var in In
		if len(c.Body) > 0 {
			if err := c.decode(&in); err != nil {
				return Answer{}, err
			}
		}
		out, err := a.Do(c, in)
		if err != nil {
			return Answer{}, err
		}
		o, err := toObject(out)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Status: http.StatusOK, Body: o.with("@odata.context", c.Base+"/$metadata#"+a.Context)}, nil
	}}}
}

// Every answers the whole of a short list, without paging.
type Every[T any] struct {
	Path     string
	Access   Access
	NotFound string
	Shape    Shape
	List     func(*Call) ([]T, error)
}

func (e Every[T]) list() []route {
	return []route{{Method: "GET", Path: e.Path, Access: e.Access, NotFound: e.NotFound, gives: reflect.TypeFor[T](), many: true, shape: e.Shape, Run: func(c *Call) (Answer, error) {
		q, err := odata.Parse(c.Query, nil, odata.Paging{Default: 999, Max: 999})
		if err != nil {
			return Answer{}, err
		}
		if q.Format == "csv" {
			whole := Collection[T]{Shape: e.Shape, Paging: odata.Paging{Default: 999, Max: 999}, List: func(c *Call, _ odata.Query) ([]T, error) { return e.List(c) }}
			return whole.serveCSV(c, q)
		}
		items, err := e.List(c)
		if err != nil {
			return Answer{}, err
		}
		p := page{Context: c.Base + "/$metadata#" + c.fill(e.Shape.Set) + selected(q.Select), Value: []object{}}
		for _, item := range items {
			full, err := toObject(item)
			if err != nil {
				return Answer{}, err
			}
			o, err := e.Shape.project(full, q.Select)
			if err != nil {
				return Answer{}, err
			}
			p.Value = append(p.Value, o)
		}
		return Answer{Status: http.StatusOK, Body: p}, nil
	}}}
}
