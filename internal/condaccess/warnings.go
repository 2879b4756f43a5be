package condaccess

import (
	"fmt"
	"slices"

	"cardea/internal/passkey"
)

// Warning is something about a valid policy or strength that its author may
// not expect. It never refuses anything.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target"` // JSON pointer
}

// Header is the value of the HTTP header Warning.
func (w Warning) Header() string { return fmt.Sprintf(`299 cardea "%s: %s"`, w.Code, w.Target) }

// Warnings lists what is surprising about p.
func (p *Policy) Warnings(w World) []Warning {
	ws := []Warning{}
	c := &p.Conditions
	if w.BreakGlass != "" && p.State == Enabled && !p.workload() && (c.Users == nil || !slices.Contains(c.Users.ExcludeGroups, w.BreakGlass)) { // CA-25
		ws = append(ws, Warning{"breakGlassNotExcluded", "The policy is enabled and does not exclude the group of emergency accounts. If it locks everybody out, nobody is left to mend it. Add the group to excludeGroups.", "/conditions/users/excludeGroups"})
	}
	for _, r := range p.References() {
		if r.Kind == KindApplication && !w.Known(r.Kind, r.ID) { // CA-16
			ws = append(ws, Warning{"unknownApplication", fmt.Sprintf("There is no application %s here, so it matches nothing yet.", r.ID), r.At})
		}
	}
	if p.State != Disabled && !w.RiskKnown {
		for _, m := range []struct {
			set bool
			at  string
		}{{len(c.SignInRisk) > 0, "/conditions/signInRiskLevels"}, {len(c.UserRisk) > 0, "/conditions/userRiskLevels"},
			{len(c.ServiceRisk) > 0, "/conditions/servicePrincipalRiskLevels"}, {c.InsiderRisk != nil, "/conditions/insiderRiskLevels"}} {
			if m.set {
				ws = append(ws, Warning{"signalUnavailable", "Nobody tells Cardea about risk, so every sign-in counts as risk none.", m.at})
			}
		}
	}
	return append(ws, p.SessionControls.warnings()...)
}

// warnings lists the session controls that have no effect here.
func (s *SessionControls) warnings() (ws []Warning) {
	if s == nil {
		return nil
	}
	for _, m := range []struct {
		set  bool
		name string
	}{
		{s.DisableResilience != nil && *s.DisableResilience, "disableResilienceDefaults"}, {s.AppRestrictions != nil && on(s.AppRestrictions.IsEnabled), "applicationEnforcedRestrictions"},
		{s.CloudAppSecurity != nil && on(s.CloudAppSecurity.IsEnabled), "cloudAppSecurity"}, {s.SecureSignIn != nil && on(s.SecureSignIn.IsEnabled), "secureSignInSession"},
		{s.ContinuousAccess != nil && s.ContinuousAccess.Mode != nil && *s.ContinuousAccess.Mode != StrictLocation, "continuousAccessEvaluation"},
		{s.FilteringProfile != nil, "globalSecureAccessFilteringProfile"}, {s.NetworkAccess != nil, "networkAccessSecurity"},
	} {
		if m.set {
			ws = append(ws, Warning{"controlHasNoEffect", "Cardea stores this session control and does nothing with it.", "/sessionControls/" + m.name})
		}
	}
	return ws
}

// Warnings lists what is surprising about s (CA-89).
func (s *Strength) Warnings() []Warning {
	ws := []Warning{}
	for i, c := range s.CombinationConfigurations {
		at := fmt.Sprintf("/combinationConfigurations/%d/cardea", i)
		r := c.Restriction
		if r == nil {
			continue
		}
		switch {
		case r.RequireAttested && !r.AllowedPasskeyTypes.Has(passkey.DeviceBound):
			ws = append(ws, Warning{"neverSatisfiable", "Synced passkeys carry no attestation, so no passkey satisfies this. Allow deviceBound too, or do without requireAttested.", at})
		case !r.RequireAttested && len(c.AAGUIDs) == 0 && !r.AllowedPasskeyTypes.Has(passkey.Synced):
			ws = append(ws, Warning{"selfReported", "Without attestation a passkey only says itself that it is device-bound. Add requireAttested to have it proved.", at})
		}
	}
	return ws
}
