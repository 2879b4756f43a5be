package condaccess

import "math/bits"

// Rule names what in a condition included or excluded: Graph's
// conditionalAccessRule.
type Rule string

// Only these occur here.
const (
	RuleAllApps          Rule = "allApps"
	RuleOffice365        Rule = "office365"
	RuleAppID            Rule = "appId"
	RuleContext          Rule = "acr"
	RuleAllUsers         Rule = "allUsers"
	RuleGuest            Rule = "guest"
	RuleGroup            Rule = "groupId"
	RuleRole             Rule = "roleId"
	RuleUser             Rule = "userId"
	RuleAllPlatforms     Rule = "allDevicePlatforms"
	RulePlatform         Rule = "devicePlatform"
	RuleAllLocations     Rule = "allLocations"
	RuleTrustedLocations Rule = "allTrustedLocations"
	RuleLocation         Rule = "locationId"
	RuleDeviceFilter     Rule = "deviceFilter"
	RuleFilterNotMatched Rule = "deviceFilterIncludeRuleNotMatched"
	RuleInternalGuest    Rule = "internalGuest"
	RuleAdminPortals     Rule = "microsoftAdminPortals"
	RuleDeviceCode       Rule = "deviceCodeFlow"
	RuleTransfer         Rule = "authenticationTransfer"
	RuleInsiderRisk      Rule = "insiderRisk"

	// Of ours: Graph has no word for these.
	RuleServicePrincipal Rule = "servicePrincipalId"
	RuleAllServices      Rule = "allServicePrincipals"
	RuleClient           Rule = "clientAppType"
	RuleUserAction       Rule = "userAction"
	RuleRisk             Rule = "riskLevel"
)

// hits calls f with everything in the situation that a condition may name. It
// is the one place that knows what a condition looks at: evaluation adds the
// hits up, an explanation looks for the one of its policy.
func (p *pass) hits(k int, f func(r Rule, value string, h *hit)) {
	s, x := p.s, &p.x
	switch k {
	case kUsers:
		p.userHits(f)
	case kTarget:
		p.targetHits(f)
	case kClient:
		if h := s.clients[x.Client]; h != nil {
			f(RuleClient, string(x.Client), h)
		}
	case kPlatform:
		if x.Platform != "" {
			if h := s.platforms[x.Platform]; h != nil {
				f(RulePlatform, string(x.Platform), h)
			}
		}
		f(RuleAllPlatforms, "", &s.anySystem)
	case kLocation:
		p.placeHits(f)
	case kDevice:
		for i := range s.filters {
			r := &s.filters[i]
			if r.rule.Evaluate(x.Device.attribute) {
				f(RuleDeviceFilter, r.rule.String(), &r.hit)
			}
			f(RuleFilterNotMatched, r.rule.String(), &r.rest)
		}
	case kSignInRisk, kUserRisk, kServiceRisk:
		level := [...]RiskLevel{x.Risk.SignIn, x.Risk.User, x.Risk.Service}[k-kSignInRisk]
		if level == "" {
			level = RiskNone
		}
		if h := s.risks[k-kSignInRisk][level]; h != nil {
			f(RuleRisk, string(level), h)
		}
	case kInsiderRisk:
		if h := s.insider[x.Risk.Insider]; h != nil {
			f(RuleInsiderRisk, x.Risk.Insider, h)
		}
	case kFlow:
		if h := s.flows[x.Flow]; h != nil && x.Flow != "" {
			r := RuleDeviceCode
			if x.Flow == AuthenticationTransfer {
				r = RuleTransfer
			}
			f(r, x.Flow, h)
		}
	}
}

func (p *pass) userHits(f func(Rule, string, *hit)) {
	s, x := p.s, &p.x
	if x.ServicePrincipal != "" {
		if h := s.services[x.ServicePrincipal]; h != nil {
			f(RuleServicePrincipal, x.ServicePrincipal, h)
		}
		f(RuleAllServices, "", &s.service)
		return
	}
	if x.UserID == "" {
		return
	}
	if h := s.users[x.UserID]; h != nil {
		f(RuleUser, x.UserID, h)
	}
	for _, id := range x.Groups {
		if h := s.users[id]; h != nil {
			f(RuleGroup, id, h)
		}
	}
	for _, id := range x.Roles {
		if h := s.users[id]; h != nil {
			f(RuleRole, id, h)
		}
	}
	if x.GuestType != "" {
		r := RuleGuest
		if x.GuestType == InternalGuest {
			r = RuleInternalGuest
		}
		for i := range s.guests {
			if g := &s.guests[i]; g.matches(x.GuestType, x.HomeTenant) {
				f(r, x.GuestType, &g.hit)
			}
		}
	}
	f(RuleAllUsers, "", &s.everyone)
}

// targetHits: for security info, policies about applications count too, as for
// the account portal (CA-43). For other actions they do not.
func (p *pass) targetHits(f func(Rule, string, *hit)) {
	s, t := p.s, &p.x.Target
	if h := s.actions[t.Action]; h != nil {
		f(RuleUserAction, string(t.Action), h)
	}
	if h := s.contexts[t.Context]; h != nil {
		f(RuleContext, t.Context, h)
	}
	if len(t.Apps) == 0 || t.Action != "" && t.Action != RegisterSecurityInfo {
		return
	}
	for _, id := range t.Apps {
		if h := s.apps[id]; h != nil {
			f(RuleAppID, id, h)
		}
		if g, ok := s.appGroups[Office365]; ok && g.members[id] {
			f(RuleOffice365, id, g.hit)
		}
		if g, ok := s.appGroups[AdminPortals]; ok && g.members[id] {
			f(RuleAdminPortals, id, g.hit)
		}
	}
	f(RuleAllApps, "", &s.anyApp)
}

func (p *pass) placeHits(f func(Rule, string, *hit)) {
	s, x := p.s, &p.x
	trusted := false
	for w, word := range s.ranges.Find(x.Address) {
		for ; word != 0; word &= word - 1 {
			at := &s.places[w*64+bits.TrailingZeros64(word)]
			trusted = trusted || at.trusted
			f(RuleLocation, at.id, &at.hit)
		}
	}
	countries := s.countries[x.Country]
	if x.Country == "" {
		countries = s.nowhere
	}
	for _, n := range countries {
		f(RuleLocation, s.places[n].id, &s.places[n].hit)
	}
	if trusted {
		f(RuleTrustedLocations, "", &s.trusted)
	}
	f(RuleAllLocations, "", &s.anyPlace)
}

// finding is a hit with its name.
type finding struct {
	RuleHit
	*hit
}

// findings lists the hits of each condition.
func (p *pass) findings() *[kinds][]finding {
	var all [kinds][]finding
	for k := range kinds {
		p.hits(k, func(r Rule, value string, h *hit) { all[k] = append(all[k], finding{RuleHit{r, value}, h}) })
	}
	return &all
}

// first returns the first of the findings that includes policy i, or that
// excludes it; nil if none does.
func first(all []finding, i int, out bool) *RuleHit {
	for n := range all {
		set := all[n].in
		if out {
			set = all[n].out
		}
		if set.has(i) {
			return &all[n].RuleHit
		}
	}
	return nil
}

// RuleHit is a rule and what it found: an id, an address, a word.
type RuleHit struct {
	Rule  Rule   `json:"rule"`
	Value string `json:"value,omitempty"`
}

// counts reports whether a method counts at all (CA-92).
func (p *pass) counts(m *Method) bool {
	return m.Mode&provable != 0 && !(p.x.Target.Action == RegisterDevice && m.Passkey.OnThisDevice) // CA-5
}

// proves reports whether a proof counts: not too old, and a passkey only with
// user verification (CA-53).
func (p *pass) proves(x *Proof, c *compiled) bool {
	if !p.counts(&x.Method) || x.Mode == Fido2 && !x.UserVerified {
		return false
	}
	return !c.timed || c.second && x.Mode == Password || !x.At.Before(p.limit(c))
}
