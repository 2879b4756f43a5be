package graph

import (
	"encoding/json"
	"strings"

	"cardea/internal/problem"
)

// References to other objects are addresses, in `@odata.id` and in lists such
// as `members@odata.bind`. Only the end of an address counts: its host and its
// version may be anybody's, graph.microsoft.com among them (DO-7, WC-76).

const maxBind = 20 // references in one request (directory-and-odata §10)

// reference reads {"@odata.id": "https://…/directoryObjects/ID"}.
func (c *Call) reference() (string, error) {
	var body struct {
		ID string `json:"@odata.id"`
	}
	if err := c.decode(&body); err != nil {
		return "", err
	}
	return referenced(body.ID)
}

// bound calls add with each id that the member of the body refers to; a body
// without the member, or with null, refers to nothing.
func (c *Call) bound(member string, add func(id string) error) error {
	var body map[string]json.RawMessage
	if err := c.decode(&body); err != nil {
		return err
	}
	var addresses []string
	for name, value := range body {
		if !strings.EqualFold(name, member) {
			continue
		}
		if err := json.Unmarshal(value, &addresses); err != nil {
			return problem.New(problem.Invalid, "badRequest", "%s is a list of addresses.", member).On(member).Because(err)
		}
	}
	if len(addresses) > maxBind {
		return problem.New(problem.Invalid, "tooManyReferences", "One request can add at most %d references. Send several.", maxBind).On(member)
	}
	for _, address := range addresses {
		id, err := referenced(address)
		if err == nil {
			err = add(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var referable = []string{"directoryObjects", "users", "groups", "servicePrincipals", "devices"}

func referenced(address string) (string, error) {
	address, _, _ = strings.Cut(address, "?")
	if i := strings.Index(address, "://"); i >= 0 {
		address = address[i+3:]
	}
	p, err := parsePath(address)
	if n := len(p.segments); err == nil && n >= 2 && containsFold(referable, p.segments[n-2]) {
		return strings.ToLower(p.segments[n-1]), nil
	}
	return "", problem.New(problem.Invalid, "badReference", "@odata.id must be an address that ends in directoryObjects/ and an object id.").On("@odata.id")
}
