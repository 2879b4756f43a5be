package condaccess

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cardea/internal/problem"
	"cardea/internal/rule"
)

// refuse is a policy that makes no sense as a whole: number 1032, and the
// reason as the code.
func refuse(code, at, format string, args ...any) error {
	return problem.New(problem.Invalid, code, "1032: Policy validation failed due to "+capital(code)+". "+format, args...).On(at)
}

// DeviceAttributes is what a device filter may name.
var DeviceAttributes = func() rule.Attributes {
	a := rule.Attributes{"device.isCompliant": rule.Boolean, "device.physicalIds": rule.Texts, "device.systemLabels": rule.Texts}
	for _, name := range []string{"deviceId", "displayName", "deviceOwnership", "enrollmentProfileName", "manufacturer", "mdmAppId", "model", "operatingSystem", "operatingSystemVersion", "profileType", "trustType"} {
		a["device."+name] = rule.Text
	}
	for i := range 15 {
		a[fmt.Sprintf("device.extensionAttribute%d", i+1)] = rule.Text
	}
	return a
}()

var contextID = regexp.MustCompile(`^c([1-9]|[1-9][0-9])$`)

// valid checks what can be checked without knowing what exists. p is settled.
func (p *Policy) valid() error {
	for _, check := range []func() error{p.checkRoot, p.checkUsers, p.checkTarget, p.checkOthers, p.checkGrant, p.checkSession, p.checkPasswordChange, p.checkAction, p.checkEvaluable} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) checkRoot() error {
	switch {
	case strings.TrimSpace(p.DisplayName) == "":
		return refuse("emptyPolicy", "/displayName", "The policy has no displayName. Give it one.")
	case p.State == "":
		return refuse("emptyPolicy", "/state", "The policy has no state. Write enabled, disabled or enabledForReportingButNotEnforced.")
	}
	return nil
}

func (p *Policy) checkUsers() error {
	u, w := p.Conditions.Users, p.Conditions.ClientApplications
	if u == nil || len(u.IncludeUsers)+len(u.IncludeGroups)+len(u.IncludeRoles) == 0 && u.IncludeGuests == nil {
		if !p.workload() {
			return refuse("emptyPolicy", "/conditions/users", "The policy names nobody. Include users, groups, roles or guests, or clientApplications.")
		}
		return nil
	}
	if w != nil && (!slices.Equal(u.IncludeUsers, []string{None}) || len(u.IncludeGroups)+len(u.IncludeRoles) > 0 || u.IncludeGuests != nil) {
		return refuse("mixedTargets", "/conditions/users", "A policy is about people or about client applications. With clientApplications, includeUsers is [\"None\"].")
	}
	for i, g := range []*Guests{u.IncludeGuests, u.ExcludeGuests} {
		name := []string{"includeGuestsOrExternalUsers", "excludeGuestsOrExternalUsers"}[i]
		if g != nil && g.Types == "" {
			return wrong("/conditions/users/"+name+"/guestOrExternalUserTypes", "Name the kinds of guests.")
		}
		if g != nil && g.Tenants != nil && g.Tenants.Kind == AllTenants && len(g.Tenants.Members) > 0 {
			return wrong("/conditions/users/"+name+"/externalTenants/members", "membershipKind all has no members. Leave them out, or write enumerated.")
		}
	}
	return nil
}

func (p *Policy) checkTarget() error {
	const at = "/conditions/applications"
	a := p.Conditions.Applications
	if a == nil {
		return refuse("emptyPolicy", at, "The policy has no target. Include applications, a user action or an authentication context.")
	}
	apps := len(a.IncludeApplications)+len(a.ExcludeApplications) > 0 || a.ApplicationFilter != nil || a.NetworkAccess != nil || a.GlobalSecureAccess != nil
	kinds := 0
	for _, has := range []bool{apps, len(a.IncludeUserActions) > 0, len(a.IncludeContexts) > 0} {
		if has {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return refuse("mixedTargets", at, "Applications, user actions and authentication contexts do not go together. Make a policy for each.")
	case kinds == 0 || apps && len(a.IncludeApplications) == 0 && a.ApplicationFilter == nil && a.NetworkAccess == nil && a.GlobalSecureAccess == nil:
		return refuse("emptyPolicy", at+"/includeApplications", "The policy has no target. Include applications, a user action or an authentication context.")
	}
	known := []string{All, Office365, AdminPortals, AllAgentResources}
	for _, list := range []struct {
		name string
		ids  []string
		also []string
	}{{"includeApplications", a.IncludeApplications, append(known, None)}, {"excludeApplications", a.ExcludeApplications, known}} {
		for i, id := range list.ids {
			if !isGUID(id) && !slices.Contains(list.also, id) {
				return wrong(fmt.Sprintf("%s/%s/%d", at, list.name, i), "%q is not a client id. Write a GUID, or %s.", escape(id), oneOf(list.also))
			}
		}
	}
	for i, id := range a.IncludeContexts {
		if !contextID.MatchString(id) {
			return wrong(fmt.Sprintf("%s/includeAuthenticationContextClassReferences/%d", at, i), "%q is not an authentication context. They are c1 to c99.", escape(id))
		}
	}
	return nil
}

// checkOthers looks at the conditions that stand alone.
func (p *Policy) checkOthers() error {
	c := &p.Conditions
	switch {
	case c.Platforms != nil && len(c.Platforms.IncludePlatforms) == 0:
		return refuse("emptyPolicy", "/conditions/platforms/includePlatforms", "Only exclusions would match no platform. Include all.")
	case c.Locations != nil && len(c.Locations.IncludeLocations) == 0:
		return refuse("emptyPolicy", "/conditions/locations/includeLocations", "Only exclusions would match no location. Include All.")
	case c.InsiderRisk != nil && *c.InsiderRisk == "":
		return wrong("/conditions/insiderRiskLevels", "Name levels, or write null.")
	}
	if d := c.Devices; d != nil && d.DeviceFilter != nil {
		const at = "/conditions/devices/deviceFilter"
		if d.DeviceFilter.Mode == "" {
			return wrong(at+"/mode", "Write include or exclude.")
		}
		if _, err := rule.Parse(d.DeviceFilter.Rule, DeviceAttributes); err != nil {
			return onRule(err, at+"/rule")
		}
	}
	for _, f := range []struct {
		at     string
		filter *Filter
	}{{"/conditions/applications/applicationFilter", c.Applications.filter()}, {"/conditions/clientApplications/servicePrincipalFilter", c.ClientApplications.filter()}} {
		if f.filter != nil && (f.filter.Mode == "" || strings.TrimSpace(f.filter.Rule) == "") {
			return wrong(f.at, "A filter has a mode, include or exclude, and a rule.")
		}
	}
	return nil
}

func (a *Applications) filter() *Filter {
	if a == nil {
		return nil
	}
	return a.ApplicationFilter
}

func (c *ClientApplications) filter() *Filter {
	if c == nil {
		return nil
	}
	return c.ServicePrincipalFilter
}

// onRule points an error of the rule parser at its member.
func onRule(err error, at string) error {
	return problem.New(problem.Invalid, "invalidRule", "1007: %s", detail(err)).On(at)
}

func detail(err error) string {
	if e, ok := err.(*problem.Error); ok {
		return e.Detail
	}
	return err.Error()
}

func (p *Policy) checkGrant() error {
	g := p.GrantControls
	if g == nil || g.controls() == 0 {
		if !p.SessionControls.any() {
			return refuse("missingControls", "/grantControls", "The policy demands nothing. Add a grant control such as mfa or block, or a session control.")
		}
		return nil
	}
	const at = "/grantControls"
	if g.Operator == "" {
		return wrong(at+"/operator", "With several controls say AND if all are needed, or OR if one is enough.")
	}
	for i, c := range g.BuiltIn {
		if slices.Contains(g.BuiltIn[:i], c) {
			return wrong(fmt.Sprintf("%s/builtInControls/%d", at, i), "%s is there twice. Name it once.", c)
		}
	}
	switch {
	case slices.Contains(g.BuiltIn, Block) && g.controls() > 1: // CA-3
		return refuse("blockNotAlone", at+"/builtInControls", "block stands alone. Leave the other controls out, or block in a policy of its own.")
	case slices.Contains(g.BuiltIn, RequireMFA) && g.AuthStrength != nil: // CA-2
		return refuse("mfaAndStrength", at+"/builtInControls", "mfa and an authentication strength do not go together. The strength says more: leave mfa out.")
	}
	return nil
}

// any reports whether a session control is on.
func (s *SessionControls) any() bool {
	if s == nil {
		return false
	}
	sw := func(x *SessionSwitch) bool { return x != nil && on(x.IsEnabled) }
	return s.DisableResilience != nil && *s.DisableResilience || sw(s.AppRestrictions) || sw(s.SecureSignIn) ||
		s.CloudAppSecurity != nil && on(s.CloudAppSecurity.IsEnabled) || s.SignInFrequency != nil && on(s.SignInFrequency.IsEnabled) ||
		s.PersistentBrowser != nil && on(s.PersistentBrowser.IsEnabled) || s.ContinuousAccess != nil && s.ContinuousAccess.Mode != nil ||
		s.FilteringProfile != nil || s.NetworkAccess != nil
}

func (p *Policy) checkSession() error {
	s := p.SessionControls
	if s == nil {
		return nil
	}
	const at = "/sessionControls/signInFrequency"
	if f := s.SignInFrequency; f != nil && on(f.IsEnabled) {
		every := f.Interval != nil && *f.Interval == EveryTime
		switch {
		case every && f.Value != nil:
			return wrong(at+"/value", "With everyTime there is no value: write null.")
		case every && f.Type != nil:
			return wrong(at+"/type", "With everyTime there is no type: write null.")
		case !every && f.Type == nil:
			return wrong(at+"/type", "Write days or hours.")
		case !every && f.Value == nil:
			return wrong(at+"/value", "Write how many %s a sign-in lasts.", *f.Type)
		case !every && (*f.Value < 1 || *f.Value > 10_000):
			return wrong(at+"/value", "Write a number from 1 to 10000.")
		}
	}
	if b := s.PersistentBrowser; b != nil && on(b.IsEnabled) && b.Mode == nil {
		return wrong("/sessionControls/persistentBrowser/mode", "Write always or never.")
	}
	return nil
}

// checkPasswordChange is CA-4.
func (p *Policy) checkPasswordChange() error {
	g := p.GrantControls
	if g == nil || !slices.Contains(g.BuiltIn, PasswordChange) {
		return nil
	}
	c := &p.Conditions
	const code = "invalidPasswordResetControl"
	switch {
	case g.Operator != And || g.controls() != 2 || !slices.Contains(g.BuiltIn, RequireMFA):
		return refuse(code, "/grantControls/builtInControls", "passwordChange goes with mfa, joined by AND, and with nothing else.")
	case len(c.UserRisk) == 0:
		return refuse(code, "/conditions/userRiskLevels", "passwordChange needs a user risk level as condition.")
	case !slices.Equal(c.Applications.IncludeApplications, []string{All}) || len(c.Applications.ExcludeApplications) > 0:
		return refuse(code, "/conditions/applications", "passwordChange is for all applications without exclusions: includeApplications is [\"All\"].")
	case len(c.SignInRisk)+len(c.ServiceRisk) > 0 || c.InsiderRisk != nil || c.Platforms != nil || c.Locations != nil || c.Devices != nil || c.Flows != nil || p.clients():
		return refuse(code, "/conditions", "passwordChange allows no other condition than users and user risk.")
	}
	return nil
}

// clients reports whether the policy is for some client types only.
func (p *Policy) clients() bool { return !slices.Contains(p.Conditions.ClientAppTypes, AllClients) }

// checkAction is CA-5.
func (p *Policy) checkAction() error {
	if !slices.Contains(p.Conditions.Applications.IncludeUserActions, RegisterDevice) {
		return nil
	}
	const code = "invalidUserAction"
	if g := p.GrantControls; g != nil {
		for i, c := range g.BuiltIn {
			if c != RequireMFA {
				return refuse(code, fmt.Sprintf("/grantControls/builtInControls/%d", i), "For registering devices only mfa or an authentication strength can be demanded.")
			}
		}
		if len(g.Custom)+len(g.TermsOfUse) > 0 {
			return refuse(code, "/grantControls", "For registering devices only mfa or an authentication strength can be demanded.")
		}
	}
	switch {
	case p.clients():
		return refuse(code, "/conditions/clientAppTypes", "A policy for registering devices is for all client types: clientAppTypes is [\"all\"].")
	case p.Conditions.Devices != nil:
		return refuse(code, "/conditions/devices", "A policy for registering devices cannot ask about the device: it is not known yet.")
	}
	return nil
}

// checkEvaluable is CA-8: what cannot be evaluated here must not count.
func (p *Policy) checkEvaluable() error {
	if at := p.unsupported(); p.State == Enabled && at != "" {
		return unsupported(at)
	}
	return nil
}

func unsupported(at string) error {
	return refuse("unsupportedCondition", at, "Cardea cannot evaluate this condition, so the policy would never apply. Leave the condition out, or keep the policy disabled or in report-only.")
}

// unsupported returns the JSON pointer of a member that Cardea cannot evaluate;
// "" if there is none.
func (p *Policy) unsupported() string {
	c := &p.Conditions
	a, w, d := c.Applications, c.ClientApplications, c.Devices
	if a == nil {
		a = &Applications{}
	}
	if w == nil {
		w = &ClientApplications{}
	}
	if d == nil {
		d = &Devices{}
	}
	for _, m := range []struct {
		has bool
		at  string
	}{
		{p.PartialStrategy != nil, "/partialEnablementStrategy"},
		{c.AgentRisk != nil, "/conditions/agentIdRiskLevels"},
		{c.Agents != nil, "/conditions/agents"},
		{c.AgentContext != nil, "/conditions/agentContext"},
		{c.DeviceStates != nil, "/conditions/deviceStates"},
		{c.Clients != nil, "/conditions/clients"},
		{c.Times != nil, "/conditions/times"},
		{a.ApplicationFilter != nil, "/conditions/applications/applicationFilter"},
		{a.NetworkAccess != nil, "/conditions/applications/networkAccess"},
		{a.GlobalSecureAccess != nil, "/conditions/applications/globalSecureAccess"},
		{slices.Contains(a.IncludeApplications, AllAgentResources) || slices.Contains(a.ExcludeApplications, AllAgentResources), "/conditions/applications"},
		{slices.Contains(a.IncludeUserActions, AccountRecovery), "/conditions/applications/includeUserActions"},
		{w.ServicePrincipalFilter != nil, "/conditions/clientApplications/servicePrincipalFilter"},
		{w.IncludeAgents != nil, "/conditions/clientApplications/includeAgentIdServicePrincipals"},
		{w.ExcludeAgents != nil, "/conditions/clientApplications/excludeAgentIdServicePrincipals"},
		{w.AgentFilter != nil, "/conditions/clientApplications/agentIdServicePrincipalFilter"},
		{d.Include != nil, "/conditions/devices/includeDevices"},
		{d.Exclude != nil, "/conditions/devices/excludeDevices"},
		{d.IncludeStates != nil, "/conditions/devices/includeDeviceStates"},
		{d.ExcludeStates != nil, "/conditions/devices/excludeDeviceStates"},
	} {
		if m.has {
			return m.at
		}
	}
	return ""
}
