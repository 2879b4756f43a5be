package condaccess

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"cardea/internal/problem"
)

var timeType = reflect.TypeFor[*time.Time]()

// ReadPolicy reads the body of a POST. Read-only members are ignored (CA-11),
// unknown ones refused with their JSON pointer (CA-14). The policy is valid by
// itself; Check it against what exists before it is stored.
func ReadPolicy(body []byte) (Policy, error) {
	o, err := readObject(body)
	if err != nil {
		return Policy{}, err
	}
	return policyOf(withoutExtra(o))
}

// Patched returns p with the change that body, the body of a PATCH, describes.
// The whole is valid, or there is an error that points at the member.
func (p Policy) Patched(body []byte) (Policy, error) {
	change, err := readObject(body)
	if err != nil {
		return Policy{}, err
	}
	cur, err := treeOf(p)
	if err != nil {
		return Policy{}, err
	}
	if err := readOnly(cur, change); err != nil {
		return Policy{}, err
	}
	next, err := policyOf(merge(cur, withoutExtra(change)))
	if err != nil {
		return Policy{}, err
	}
	return next.as(p), nil
}

// as takes over from old what no body can change.
func (p Policy) as(old Policy) Policy {
	p.ID, p.Version = old.ID, old.Version
	p.CreatedDateTime, p.ModifiedDateTime, p.DeletedDateTime = old.CreatedDateTime, old.ModifiedDateTime, old.DeletedDateTime
	return p
}

// policyOf makes a policy of what a body holds.
func policyOf(o object) (Policy, error) {
	var p Policy
	if err := bind(reflect.ValueOf(&p).Elem(), o, ""); err != nil {
		return Policy{}, err
	}
	p.ID = ""
	p.settle()
	return p, p.valid()
}

// withoutExtra drops the member with which our own answers carry warnings.
func withoutExtra(o object) object {
	delete(o, "cardea")
	return o
}

// readOnly refuses the change of a member that only the server sets; one that
// is sent as it is does no harm (CA-11).
func readOnly(cur, change object) error {
	for _, name := range []string{"id", "createdDateTime", "modifiedDateTime", "deletedDateTime"} {
		sent, ok := change[name]
		if !ok || same(sent, cur[name]) {
			continue
		}
		return problem.New(problem.Invalid, "readOnlyMember", "1001: %s is set by the server and cannot be changed. Leave it out.", name).On("/" + name)
	}
	return nil
}

// same compares ids without case and times as moments.
func same(a, b any) bool {
	x, ok := a.(string)
	y, ok2 := b.(string)
	if !ok || !ok2 {
		return a == nil && b == nil
	}
	if strings.EqualFold(x, y) {
		return true
	}
	s, err := time.Parse(time.RFC3339Nano, x)
	t, err2 := time.Parse(time.RFC3339Nano, y)
	return err == nil && err2 == nil && s.Equal(t)
}

// decodePolicy reads a document that this package wrote. An error means that
// the document was damaged, and is not the fault of a caller.
func decodePolicy(document []byte) (Policy, error) {
	o, err := readObject(document)
	if err == nil {
		var p Policy
		if err = bind(reflect.ValueOf(&p).Elem(), o, ""); err == nil {
			p.settle()
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("stored Conditional Access policy: %v", err)
}

// encodePolicy is the document of a policy: without what has columns, and of a
// strength only the id.
func encodePolicy(p Policy) ([]byte, error) {
	p.ID, p.CreatedDateTime, p.ModifiedDateTime, p.DeletedDateTime = "", nil, nil, nil
	if p.GrantControls != nil && p.GrantControls.AuthStrength != nil {
		g := *p.GrantControls
		g.AuthStrength = &StrengthRef{ID: g.AuthStrength.ID}
		p.GrantControls = &g
	}
	return json.Marshal(p)
}

// settle brings p into the one written form: ids in lower case and without
// path (CA-12), words in their spelling, no nil list, no condition that says
// nothing.
func (p *Policy) settle() {
	fillAll(reflect.ValueOf(p))
	c := &p.Conditions
	if len(c.ClientAppTypes) == 0 {
		c.ClientAppTypes = []ClientApp{AllClients}
	}
	if u := c.Users; u != nil {
		ids(u.IncludeUsers, All, None, GuestsOrExternalUsers)
		ids(u.ExcludeUsers, GuestsOrExternalUsers)
		for _, list := range [][]string{u.IncludeGroups, u.ExcludeGroups, u.IncludeRoles, u.ExcludeRoles} {
			ids(list)
		}
		for _, g := range []*Guests{u.IncludeGuests, u.ExcludeGuests} {
			if g != nil && g.Tenants != nil {
				g.Tenants.settle()
			}
		}
	}
	if a := c.Applications; a != nil {
		ids(a.IncludeApplications, All, None, Office365, AdminPortals, AllAgentResources)
		ids(a.ExcludeApplications, All, Office365, AdminPortals, AllAgentResources)
		for i, s := range a.IncludeContexts {
			a.IncludeContexts[i] = strings.ToLower(s)
		}
	}
	if l := c.Locations; l != nil {
		ids(l.IncludeLocations, All, AllTrusted)
		ids(l.ExcludeLocations, All, AllTrusted)
		if len(l.IncludeLocations)+len(l.ExcludeLocations) == 0 {
			c.Locations = nil
		}
	}
	if s := c.Platforms; s != nil && len(s.IncludePlatforms)+len(s.ExcludePlatforms) == 0 {
		c.Platforms = nil
	}
	if a := c.ClientApplications; a != nil {
		ids(a.IncludeServicePrincipals, InMyTenant)
		ids(a.ExcludeServicePrincipals, InMyTenant)
		if len(a.IncludeServicePrincipals)+len(a.ExcludeServicePrincipals) == 0 && a.ServicePrincipalFilter == nil && a.IncludeAgents == nil && a.ExcludeAgents == nil && a.AgentFilter == nil {
			c.ClientApplications = nil
		}
	}
	if d := c.Devices; d != nil && d.DeviceFilter == nil && d.Include == nil && d.Exclude == nil && d.IncludeStates == nil && d.ExcludeStates == nil {
		c.Devices = nil
	}
	if g := p.GrantControls; g != nil {
		ids(g.Custom)
		ids(g.TermsOfUse)
		if g.Operator == "" && g.controls() <= 1 {
			g.Operator = Or
		}
	}
}

// controls counts the grant controls.
func (g *GrantControls) controls() int {
	n := len(g.BuiltIn) + len(g.Custom) + len(g.TermsOfUse)
	if g.AuthStrength != nil {
		n++
	}
	return n
}

func (t *ExternalTenants) settle() {
	if t.Kind == "" { // the type alone says it too
		t.Kind = EnumeratedTenants
		if strings.HasSuffix(t.ODataType, "AllExternalTenants") {
			t.Kind = AllTenants
		}
	}
	t.ODataType = "#microsoft.graph.conditionalAccessAllExternalTenants"
	if t.Kind == EnumeratedTenants {
		t.ODataType = "#microsoft.graph.conditionalAccessEnumeratedExternalTenants"
	}
	ids(t.Members)
}

// ids writes each id of a list in its one form.
func ids(list []string, known ...string) {
	for i, s := range list {
		list[i] = canonicalID(s, known...)
	}
}

// canonicalID cuts the path off an id, writes a GUID in lower case and a known
// word in its spelling.
func canonicalID(s string, known ...string) string {
	s = strings.TrimSpace(s)
	s = s[strings.LastIndexByte(s, '/')+1:]
	for _, w := range known {
		if strings.EqualFold(w, s) {
			return w
		}
	}
	if isGUID(s) {
		return strings.ToLower(s)
	}
	return s
}

// isGUID reports whether s has the form 8-4-4-4-12.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}
