package condaccess

import (
	"fmt"
	"slices"
)

// Kinds of things that a policy names by id.
type Kind string

const (
	KindUser             Kind = "user"
	KindGroup            Kind = "group"
	KindRole             Kind = "role"
	KindServicePrincipal Kind = "servicePrincipal"
	KindApplication      Kind = "application"
	KindLocation         Kind = "namedLocation"
	KindStrength         Kind = "authenticationStrength"
	KindTerms            Kind = "agreement"
	KindFactor           Kind = "customAuthenticationFactor"
	KindContext          Kind = "authenticationContextClassReference" // any of c1 to c99 may be named before it exists
)

// Reference is an id that a policy names, and where.
type Reference struct {
	Kind Kind
	ID   string
	At   string // JSON pointer
}

// References lists every id of p, words such as All left out.
func (p *Policy) References() []Reference {
	var out []Reference
	add := func(kind Kind, at string, list []string) {
		for i, id := range list {
			if id == All || id == None || id == GuestsOrExternalUsers || id == Office365 || id == AdminPortals || id == AllAgentResources || id == AllTrusted || id == TrustedIPs || id == InMyTenant {
				continue
			}
			out = append(out, Reference{kind, id, fmt.Sprintf("%s/%d", at, i)})
		}
	}
	if u := p.Conditions.Users; u != nil {
		const at = "/conditions/users/"
		add(KindUser, at+"includeUsers", u.IncludeUsers)
		add(KindUser, at+"excludeUsers", u.ExcludeUsers)
		add(KindGroup, at+"includeGroups", u.IncludeGroups)
		add(KindGroup, at+"excludeGroups", u.ExcludeGroups)
		add(KindRole, at+"includeRoles", u.IncludeRoles)
		add(KindRole, at+"excludeRoles", u.ExcludeRoles)
	}
	if a := p.Conditions.Applications; a != nil {
		add(KindApplication, "/conditions/applications/includeApplications", a.IncludeApplications)
		add(KindApplication, "/conditions/applications/excludeApplications", a.ExcludeApplications)
		add(KindContext, "/conditions/applications/includeAuthenticationContextClassReferences", a.IncludeContexts)
	}
	if c := p.Conditions.ClientApplications; c != nil {
		add(KindServicePrincipal, "/conditions/clientApplications/includeServicePrincipals", c.IncludeServicePrincipals)
		add(KindServicePrincipal, "/conditions/clientApplications/excludeServicePrincipals", c.ExcludeServicePrincipals)
	}
	if l := p.Conditions.Locations; l != nil {
		add(KindLocation, "/conditions/locations/includeLocations", l.IncludeLocations)
		add(KindLocation, "/conditions/locations/excludeLocations", l.ExcludeLocations)
	}
	if g := p.GrantControls; g != nil {
		add(KindFactor, "/grantControls/customAuthenticationFactors", g.Custom)
		add(KindTerms, "/grantControls/termsOfUse", g.TermsOfUse)
		if g.AuthStrength != nil {
			out = append(out, Reference{KindStrength, g.AuthStrength.ID, "/grantControls/authenticationStrength/id"})
		}
	}
	return out
}

// World says what exists. Location returns nil for one that does not.
type World struct {
	Known    func(Kind, string) bool // of every kind but locations
	Location func(id string) *NamedLocation
	Before   *Policy // the stored policy: what it names may stay although it is gone (CA-16)

	BreakGlass string // id of the group of emergency accounts, or ""
	RiskKnown  bool   // a risk provider is there
}

// Check refuses a policy that names what does not exist (CA-16), or, enabled, a
// location that cannot be evaluated (CA-8). Applications are not checked: any
// GUID is allowed, and Warnings tells.
func (p *Policy) Check(w World) error {
	var had []Reference
	if w.Before != nil {
		had = w.Before.References()
	}
	for _, r := range p.References() {
		if r.Kind == KindApplication || r.Kind == KindContext {
			continue
		}
		stays := slices.ContainsFunc(had, func(h Reference) bool { return h.Kind == r.Kind && h.ID == r.ID })
		if r.Kind != KindLocation {
			if !stays && !w.Known(r.Kind, r.ID) {
				return unknown(r)
			}
			continue
		}
		switch l := w.Location(r.ID); {
		case l == nil && !stays:
			return unknown(r)
		case l != nil && p.State == Enabled && !l.evaluable():
			return unsupported(r.At)
		}
	}
	return nil
}

func unknown(r Reference) error {
	return refuse("unknownReference", r.At, "There is no %s with the id %q. Look the id up, or leave it out.", words[r.Kind], escape(r.ID))
}

var words = map[Kind]string{
	KindUser: "user", KindGroup: "group", KindRole: "built-in role", KindServicePrincipal: "service principal", KindLocation: "named location",
	KindStrength: "authentication strength", KindTerms: "terms of use", KindFactor: "custom authentication factor",
}
