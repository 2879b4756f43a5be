package condaccess

import (
	"slices"
	"strings"

	"cardea/internal/passkey"
	"cardea/internal/rule"
)

// policy puts policy number i into the sets.
func (c *compiler) policy(i int, p *Policy) {
	g := compiled{source: p, workload: p.workload(), unsupported: p.unsupported()}
	switch p.State {
	case Enabled:
		c.enabled.set(i)
	case Disabled:
		c.disabled.set(i)
	}
	c.who(i, &g)
	c.target(i, &g)
	c.others(i, &p.Conditions)
	for _, r := range p.References() {
		if n, known := c.byID[r.ID]; r.Kind == KindLocation && known && c.places[n].never {
			g.unsupported = r.At
		}
	}
	if g.unsupported == "" {
		c.free[kUnsupported].set(i)
	}
	c.grant(&g)
	c.session(&g)
	if slices.ContainsFunc(g.controls, func(x control) bool { return x.kind == "" && x.strength != -1 }) && p.Conditions.Applications != nil &&
		slices.Contains(p.Conditions.Applications.IncludeUserActions, RegisterSecurityInfo) {
		c.proofUp.set(i)
	}
	c.policies = append(c.policies, g)
}

func (c *compiler) who(i int, g *compiled) {
	con := &g.source.Conditions
	if w := con.ClientApplications; g.workload {
		for _, id := range w.IncludeServicePrincipals {
			if id == InMyTenant {
				c.service.in.set(i)
			} else {
				at(c, c.services, id).in.set(i)
			}
		}
		for _, id := range w.ExcludeServicePrincipals {
			if id == InMyTenant {
				c.service.out.set(i)
			} else {
				at(c, c.services, id).out.set(i)
			}
		}
		return
	}
	u := con.Users
	if u == nil {
		return
	}
	for _, id := range u.IncludeUsers {
		switch id {
		case All:
			c.everyone.in.set(i)
		case GuestsOrExternalUsers:
			c.guest(i, &Guests{Types: everyGuest}, false)
		case None:
		default:
			at(c, c.users, id).in.set(i)
		}
	}
	for _, id := range u.ExcludeUsers {
		if id == GuestsOrExternalUsers {
			c.guest(i, &Guests{Types: everyGuest}, true)
		} else {
			at(c, c.users, id).out.set(i)
		}
	}
	// Ids of people, groups and roles are GUIDs of their own: one index does.
	for _, list := range [][]string{u.IncludeGroups, u.IncludeRoles} {
		for _, id := range list {
			at(c, c.users, id).in.set(i)
		}
	}
	for _, list := range [][]string{u.ExcludeGroups, u.ExcludeRoles} {
		for _, id := range list {
			at(c, c.users, id).out.set(i)
		}
	}
	c.guest(i, u.IncludeGuests, false)
	c.guest(i, u.ExcludeGuests, true)
}

const everyGuest = GuestTypes(InternalGuest + "," + CollaborationGuest + "," + CollaborationMember + "," + DirectConnectUser + "," + OtherExternalUser + "," + ServiceProviderGuest)

func (c *compiler) guest(i int, g *Guests, out bool) {
	if g == nil {
		return
	}
	r := guestRule{kinds: strings.Split(string(g.Types), ","), hit: *c.hit()}
	if t := g.Tenants; t != nil && t.Kind == EnumeratedTenants {
		r.tenants = append([]string{}, t.Members...)
	}
	if out {
		r.hit.out.set(i)
	} else {
		r.hit.in.set(i)
	}
	c.guests = append(c.guests, r)
}

// matches reports whether a guest of this kind, from this organisation, is
// meant. Guests of the organisation itself come from no other.
func (r *guestRule) matches(kind, tenant string) bool {
	return slices.Contains(r.kinds, kind) && (r.tenants == nil || kind == InternalGuest || slices.Contains(r.tenants, tenant))
}

func (c *compiler) target(i int, g *compiled) {
	a := g.source.Conditions.Applications
	if a == nil {
		return // matches nothing
	}
	g.apps = len(a.IncludeApplications) > 0
	g.allApps = slices.Contains(a.IncludeApplications, All)
	put := func(list []string, set func(*hit)) {
		for _, id := range list {
			switch id {
			case All:
				set(&c.anyApp)
			case Office365:
				set(c.group(Office365, c.office))
			case AdminPortals:
				set(c.group(AdminPortals, c.portal))
			case None, AllAgentResources:
			default:
				set(at(c, c.apps, id))
			}
		}
	}
	put(a.IncludeApplications, func(h *hit) { h.in.set(i) })
	put(a.ExcludeApplications, func(h *hit) { h.out.set(i) })
	for _, action := range a.IncludeUserActions {
		at(c, c.actions, action).in.set(i)
	}
	for _, id := range a.IncludeContexts {
		at(c, c.contexts, id).in.set(i)
	}
}

// group returns the one hit of a group of applications, which all of its
// members lead to.
func (c *compiler) group(name string, members []string) *hit {
	h, known := c.appGroups[name]
	if !known {
		h = appGroup{c.hit(), map[string]bool{}}
		for _, id := range members {
			h.members[strings.ToLower(id)] = true
		}
		c.appGroups[name] = h
	}
	return h.hit
}

func (c *compiler) others(i int, con *Conditions) {
	if slices.Contains(con.ClientAppTypes, AllClients) || len(con.ClientAppTypes) == 0 {
		c.free[kClient].set(i)
	}
	for _, kind := range con.ClientAppTypes {
		at(c, c.clients, kind).in.set(i)
		at(c, c.clients, "").in.set(i) // a client that nobody looked at
	}
	c.systems(i, con.Platforms)
	c.where(i, con.Locations)
	c.device(i, con.Devices)
	for n, levels := range [][]RiskLevel{con.SignInRisk, con.UserRisk, con.ServiceRisk} {
		if len(levels) == 0 {
			c.free[kSignInRisk+n].set(i)
		}
		for _, level := range levels {
			at(c, c.risks[n], level).in.set(i)
		}
	}
	if con.InsiderRisk == nil {
		c.free[kInsiderRisk].set(i)
	} else {
		for level := range strings.SplitSeq(string(*con.InsiderRisk), ",") {
			at(c, c.insider, level).in.set(i)
		}
	}
	if f := con.Flows; f == nil || f.TransferMethods == "" || f.TransferMethods == "none" {
		c.free[kFlow].set(i)
	} else {
		for flow := range strings.SplitSeq(string(f.TransferMethods), ",") {
			at(c, c.flows, flow).in.set(i)
		}
	}
}

func (c *compiler) systems(i int, p *Platforms) {
	if p == nil {
		c.free[kPlatform].set(i)
		return
	}
	for _, one := range p.IncludePlatforms {
		if one == AllPlatforms {
			c.anySystem.in.set(i)
		} else {
			at(c, c.platforms, one).in.set(i)
		}
	}
	for _, one := range p.ExcludePlatforms {
		if one != AllPlatforms {
			at(c, c.platforms, one).out.set(i)
			continue
		}
		for _, name := range AllPlatforms.members() { // of what is known: unknown matches no exclusion
			if Platform(name) != AllPlatforms {
				at(c, c.platforms, Platform(name)).out.set(i)
			}
		}
	}
}

func (c *compiler) where(i int, l *Locations) {
	if l == nil {
		c.free[kLocation].set(i)
		return
	}
	put := func(list []string, set func(*hit)) {
		for _, id := range list {
			switch id {
			case All:
				set(&c.anyPlace)
			case AllTrusted:
				set(&c.trusted)
			default:
				if n, known := c.byID[id]; known { // one that died matches nothing (CA-16)
					set(&c.places[n].hit)
				}
			}
		}
	}
	put(l.IncludeLocations, func(h *hit) { h.in.set(i) })
	put(l.ExcludeLocations, func(h *hit) { h.out.set(i) })
}

func (c *compiler) device(i int, d *Devices) {
	if d == nil || d.DeviceFilter == nil {
		c.free[kDevice].set(i)
		return
	}
	n, known := c.texts[d.DeviceFilter.Rule]
	if !known {
		r, err := rule.Parse(d.DeviceFilter.Rule, DeviceAttributes)
		if err != nil {
			return // a valid policy has none; one that is damaged never applies
		}
		n = len(c.filters)
		c.filters = append(c.filters, filter{rule: r, hit: *c.hit(), rest: *c.hit()})
		c.texts[d.DeviceFilter.Rule] = n
	}
	if d.DeviceFilter.Mode == Exclude {
		c.filters[n].hit.out.set(i)
		c.filters[n].rest.in.set(i)
	} else {
		c.filters[n].hit.in.set(i)
	}
}

func (c *compiler) grant(g *compiled) {
	s := g.source.GrantControls
	if s == nil {
		return
	}
	g.and = s.Operator == And
	for _, kind := range s.BuiltIn {
		x := control{kind: kind, strength: -1, rank: ranks[kind]}
		if kind == RequireMFA {
			x.strength = c.strong[StrengthMFA]
		}
		g.controls = append(g.controls, x)
	}
	if s.AuthStrength != nil {
		n, known := c.strong[s.AuthStrength.ID]
		if !known {
			n = -2
		}
		g.controls = append(g.controls, control{strength: n, rank: rankStrength})
	}
	for _, id := range s.TermsOfUse {
		g.controls = append(g.controls, control{strength: -1, terms: id, rank: rankTerms})
	}
	for _, id := range s.Custom {
		g.controls = append(g.controls, control{strength: -1, factor: id, rank: rankFactor})
	}
}

func (c *compiler) session(g *compiled) {
	s := g.source.SessionControls
	if s == nil {
		return
	}
	if g.period, g.timed = s.SignInFrequency.period(); g.timed {
		g.second = s.SignInFrequency.secondOnly()
	}
	if b := s.PersistentBrowser; b != nil && on(b.IsEnabled) && b.Mode != nil {
		g.browser = *b.Mode
	}
	g.strict = s.ContinuousAccess != nil && s.ContinuousAccess.Mode != nil && *s.ContinuousAccess.Mode == StrictLocation
}

func compileStrength(s Strength) compiledStrength {
	out := compiledStrength{id: s.ID, name: s.DisplayName}
	for _, one := range s.AllowedCombinations {
		combo := compiledCombo{text: one, modes: one.modes()}
		for i := range s.CombinationConfigurations {
			if f := &s.CombinationConfigurations[i]; slices.Contains(f.AppliesTo, one) {
				combo.config = compileConfig(f)
			}
		}
		out.combos = append(out.combos, combo)
	}
	return out
}

func compileConfig(f *Configuration) *compiledConfig {
	out := &compiledConfig{id: f.ID, never: f.ODataType != fido2Configuration, types: bothTypes, aaguids: map[passkey.AAGUID]bool{}}
	if f.Restriction != nil {
		out.types, out.attested = f.Restriction.AllowedPasskeyTypes, f.Restriction.RequireAttested
	}
	for _, text := range f.AAGUIDs {
		if a, ok := passkey.ParseAAGUID(text); ok {
			out.aaguids[a] = true
		}
	}
	return out
}

// accepts reports whether one passkey meets all restrictions (CA-86); c is nil
// where there are none.
func (c *compiledConfig) accepts(p Passkey) bool {
	return c == nil || !c.never && c.types.Has(p.Type) && (!c.attested || p.Attested) && (len(c.aaguids) == 0 || c.aaguids[p.AAGUID])
}

// couldBe reports whether a passkey of the class can meet all restrictions. An
// attestation is carried by device-bound passkeys only.
func (c *compiledConfig) couldBe(k PasskeyClass) bool {
	attested := k.Attested || c != nil && c.attested
	types := func(t passkey.Type) bool { return k.Types.Has(t) && (c == nil || c.types.Has(t)) }
	if !types(passkey.DeviceBound) && (attested || !types(passkey.Synced)) || c != nil && c.never {
		return false
	}
	if c == nil || len(c.aaguids) == 0 {
		return !k.Listed || len(k.AAGUIDs) > 0
	}
	for a := range c.aaguids {
		if (!k.Listed || slices.Contains(k.AAGUIDs, a)) && !slices.Contains(k.Blocked, a) {
			return true
		}
	}
	return false
}
