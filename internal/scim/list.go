package scim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// paged is a resource type's list.
type paged[T any] struct {
	names  attributes
	schema odata.Schema
	kind   string // of external names
	find   func(odata.Query) ([]T, error)
	count  func(odata.Query) (int64, error)
	id     func(T) string
	show   func(T, string) (any, error) // the resource, given its external name
}

type listBody struct {
	Schemas []string `json:"schemas"`
	Total   int64    `json:"totalResults"`
	Start   int64    `json:"startIndex"`
	Page    int      `json:"itemsPerPage"`
	Items   []any    `json:"Resources"`
}

// Pages (RFC 7644 §3.4.2.4): startIndex counts from 1.
const (
	defaultPage = 100
	maxPage     = 500
)

func list[T any](c *call, p paged[T]) (answer, error) {
	q := odata.Query{Top: defaultPage, OrderBy: []odata.Order{{Name: "createdDateTime", Property: p.schema["createdDateTime"]}}}
	start := max(1, number(c.r.FormValue("startIndex"), 1))
	count := min(maxPage, max(0, number(c.r.FormValue("count"), defaultPage)))
	q.Top, q.Skip = count, start-1
	if text := c.r.FormValue("filter"); text != "" {
		e, err := parseFilter(text, p.names, p.schema)
		if err != nil {
			return answer{}, err
		}
		if q.Filter, err = c.byExternal(e, p.kind, p.schema["id"]); err != nil {
			return answer{}, err
		}
	}
	total, err := p.count(q)
	if err != nil {
		return answer{}, err
	}
	out := listBody{Schemas: []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, Total: total, Start: int64(start), Items: []any{}}
	if count == 0 {
		return answer{status: http.StatusOK, body: out}, nil
	}
	found, err := p.find(q)
	if err != nil {
		return answer{}, err
	}
	found = found[:min(count, len(found))] // one more says that there is a next page
	ids := make([]string, len(found))
	for i, x := range found {
		ids[i] = p.id(x)
	}
	external, err := directory.ExternalOf(c.ctx, c.DB, ids)
	if err != nil {
		return answer{}, err
	}
	for i, x := range found {
		r, err := p.show(x, external[ids[i]])
		if err != nil {
			return answer{}, err
		}
		if r, err = c.chosen(r); err != nil {
			return answer{}, err
		}
		out.Items = append(out.Items, r)
	}
	out.Page = len(out.Items)
	return answer{status: http.StatusOK, body: out}, nil
}

// byExternal answers the question that sources ask before every change,
// externalId eq "x", by its index.
func (c *call) byExternal(e odata.Expr, kind string, id odata.Property) (odata.Expr, error) {
	is, ok := e.(odata.Compare)
	text, isText := is.Value.(string)
	if !ok || !isText || is.Name != "externalId" || is.Op != "eq" {
		return e, nil
	}
	found, err := directory.ByExternal(c.ctx, c.DB, kind, text)
	return odata.Compare{Name: "id", Property: id, Op: "eq", Value: found}, err // "" is nobody's id
}

func number(text string, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n > 1<<30 {
		return otherwise
	}
	return n
}

// chosen leaves the attributes of a resource that the query asks for (RFC 7644
// §3.9): attributes names the wanted, excludedAttributes the unwanted. id and
// schemas are always there.
func (c *call) chosen(r any) (any, error) {
	want, without := c.r.FormValue("attributes"), c.r.FormValue("excludedAttributes")
	if want == "" && without == "" {
		return r, nil
	}
	if len(want)+len(without) > maxFilter {
		return nil, problem.New(problem.Invalid, "badRequest", "The list of attributes is longer than %d bytes.", maxFilter)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for name := range all {
		if name == "id" || name == "schemas" {
			continue
		}
		if want != "" && !lists(want, name) || want == "" && lists(without, name) {
			delete(all, name)
		}
	}
	return all, nil
}

// lists reports whether a comma separated list names an attribute, or a part
// of it such as name.givenName.
func lists(names, attribute string) bool {
	for n := range strings.SplitSeq(names, ",") {
		n = strings.TrimSpace(n)
		if strings.EqualFold(n, attribute) {
			return true
		}
		if strings.HasPrefix(strings.ToLower(n), strings.ToLower(attribute)+".") || strings.HasPrefix(strings.ToLower(n), strings.ToLower(attribute)+":") {
			return true
		}
		if i := strings.LastIndexByte(n, ':'); i > 0 { // urn:…:User:userName
			top, _, _ := strings.Cut(n[i+1:], ".")
			if strings.EqualFold(top, attribute) {
				return true
			}
		}
	}
	return false
}
