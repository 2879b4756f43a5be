package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// The body of a PATCH. A member that is nil was absent or null: both change
// nothing, but for the two that may be cleared.
type methodsPolicyBody struct {
	RegistrationEnforcement *struct {
		Campaign *struct {
			State                *string                `json:"state"`
			SnoozeDurationInDays *int32                 `json:"snoozeDurationInDays"`
			EnforceAfterSnoozes  *bool                  `json:"enforceRegistrationAfterAllowedSnoozes"`
			IncludeTargets       *[]CampaignTarget      `json:"includeTargets"`
			ExcludeTargets       *[]ExcludeMethodTarget `json:"excludeTargets"`
		} `json:"authenticationMethodsRegistrationCampaign"`
	} `json:"registrationEnforcement"`
	SystemCredentialPreferences *struct {
		State          *string                `json:"state"`
		IncludeTargets *[]ExcludeMethodTarget `json:"includeTargets"`
		ExcludeTargets *[]ExcludeMethodTarget `json:"excludeTargets"`
	} `json:"systemCredentialPreferences"`
	PolicyMigrationState                   *string                    `json:"policyMigrationState"`
	ReportSuspiciousActivitySettings       *SuspiciousActivity        `json:"reportSuspiciousActivitySettings"`
	MicrosoftAuthenticatorPlatformSettings *AuthenticatorPlatform     `json:"microsoftAuthenticatorPlatformSettings"`
	OptOutSettings                         map[string]json.RawMessage `json:"optOutSettings"`
}

// patched applies a body without looking at the sense of the whole.
func (p MethodsPolicy) patched(body []byte) (MethodsPolicy, error) {
	var b methodsPolicyBody
	var names map[string]json.RawMessage
	if err := json.Unmarshal(body, &names); err != nil || names == nil {
		return p, problem.New(problem.Invalid, "badRequest", "The body must be a JSON object with the members to change.").Because(err)
	}
	if err := json.Unmarshal(body, &b); err != nil {
		bad := problem.New(problem.Invalid, "badRequest", "The body is not the JSON of this policy. Compare it with what GET returns.").Because(err)
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && te.Field != "" {
			bad = bad.On("/" + strings.ReplaceAll(te.Field, ".", "/"))
		}
		return p, bad
	}
	if r := b.RegistrationEnforcement; r != nil && r.Campaign != nil {
		c, sent := &p.RegistrationEnforcement.Campaign, r.Campaign
		set(&c.State, sent.State)
		set(&c.SnoozeDurationInDays, sent.SnoozeDurationInDays)
		set(&c.EnforceAfterSnoozes, sent.EnforceAfterSnoozes)
		set(&c.IncludeTargets, sent.IncludeTargets)
		set(&c.ExcludeTargets, sent.ExcludeTargets)
	}
	if sent := b.SystemCredentialPreferences; sent != nil {
		set(&p.SystemCredentialPreferences.State, sent.State)
		set(&p.SystemCredentialPreferences.IncludeTargets, sent.IncludeTargets)
		set(&p.SystemCredentialPreferences.ExcludeTargets, sent.ExcludeTargets)
	}
	for name := range names { // these may be cleared with null (DO-45)
		switch {
		case strings.EqualFold(name, "policyMigrationState"):
			p.PolicyMigrationState = b.PolicyMigrationState
		case strings.EqualFold(name, "reportSuspiciousActivitySettings"):
			p.ReportSuspiciousActivitySettings = b.ReportSuspiciousActivitySettings
		case strings.EqualFold(name, "microsoftAuthenticatorPlatformSettings"):
			p.MicrosoftAuthenticatorPlatformSettings = b.MicrosoftAuthenticatorPlatformSettings
		case strings.EqualFold(name, "optOutSettings"):
			p.OptOutSettings = b.OptOutSettings
		}
	}
	return p, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// check brings p into the written form and refuses what has no meaning.
func (p *MethodsPolicy) check(ctx context.Context, q db.Querier, was MethodsPolicy) error {
	if p.PolicyMigrationState != nil {
		if err := oneOf("/policyMigrationState", p.PolicyMigrationState, "preMigration", "migrationInProgress", "migrationComplete"); err != nil {
			return err
		}
	}
	const at = "/registrationEnforcement/authenticationMethodsRegistrationCampaign"
	c := &p.RegistrationEnforcement.Campaign
	if err := oneOf(at+"/state", &c.State, "default", "enabled", "disabled"); err != nil {
		return err
	}
	if c.SnoozeDurationInDays < 0 || c.SnoozeDurationInDays > 14 {
		return problem.New(problem.Invalid, "invalidValue", "snoozeDurationInDays is between 0 and 14, not %d. 0 asks at every multifactor sign-in.", c.SnoozeDurationInDays).On(at + "/snoozeDurationInDays")
	}
	c.IncludeTargets, c.ExcludeTargets = filledTargets(c.IncludeTargets), filledTargets(c.ExcludeTargets)
	included := make([]ExcludeMethodTarget, len(c.IncludeTargets))
	for i := range c.IncludeTargets {
		t, place := &c.IncludeTargets[i], fmt.Sprintf("%s/includeTargets/%d", at, i)
		included[i] = ExcludeMethodTarget{t.TargetType, t.ID}
		if t.TargetedAuthenticationMethod == "" {
			t.TargetedAuthenticationMethod = CampaignPasskey
		}
		if err := oneOf(place+"/targetedAuthenticationMethod", &t.TargetedAuthenticationMethod, CampaignPasskey, CampaignAuthenticator); err != nil {
			return err
		}
		if t.TargetedAuthenticationMethod != c.IncludeTargets[0].TargetedAuthenticationMethod {
			return problem.New(problem.Invalid, "invalidValue", "One campaign asks for one method. Give all targets the same targetedAuthenticationMethod.").On(place + "/targetedAuthenticationMethod")
		}
	}
	known := was.targets()
	if err := checkTargets(ctx, q, at+"/includeTargets", included, known); err != nil {
		return err
	}
	for i := range included {
		c.IncludeTargets[i].TargetType, c.IncludeTargets[i].ID = included[i].TargetType, included[i].ID
	}
	if err := checkTargets(ctx, q, at+"/excludeTargets", c.ExcludeTargets, known); err != nil {
		return err
	}
	s := &p.SystemCredentialPreferences
	if err := oneOf("/systemCredentialPreferences/state", &s.State, "default", "enabled", "disabled"); err != nil {
		return err
	}
	s.IncludeTargets, s.ExcludeTargets = filledTargets(s.IncludeTargets), filledTargets(s.ExcludeTargets)
	if err := checkTargets(ctx, q, "/systemCredentialPreferences/includeTargets", s.IncludeTargets, known); err != nil {
		return err
	}
	if err := checkTargets(ctx, q, "/systemCredentialPreferences/excludeTargets", s.ExcludeTargets, known); err != nil {
		return err
	}
	return p.checkEchoed()
}

// maxEchoed bounds what is stored for nobody's use but its writer's, in bytes.
const maxEchoed = 16 << 10

// checkEchoed looks at the members without meaning: enums are spelled right, so
// that no client stumbles over its own words (WC-73), and the whole is small.
func (p *MethodsPolicy) checkEchoed() error {
	if r := p.ReportSuspiciousActivitySettings; r != nil {
		if r.State == "" {
			r.State = "default"
		}
		if err := oneOf("/reportSuspiciousActivitySettings/state", &r.State, "default", "enabled", "disabled"); err != nil {
			return err
		}
		if t := r.IncludeTarget; t != nil {
			if err := oneOf("/reportSuspiciousActivitySettings/includeTarget/targetType", &t.TargetType, "user", "group"); err != nil {
				return err
			}
		}
	}
	if m := p.MicrosoftAuthenticatorPlatformSettings; m != nil && m.EnforceAppPIN != nil {
		pin := m.EnforceAppPIN
		pin.IncludeTargets, pin.ExcludeTargets = filledTargets(pin.IncludeTargets), filledTargets(pin.ExcludeTargets)
		for _, list := range [][]ExcludeMethodTarget{pin.IncludeTargets, pin.ExcludeTargets} {
			for i := range list {
				if err := oneOf("/microsoftAuthenticatorPlatformSettings/enforceAppPIN", &list[i].TargetType, "user", "group"); err != nil {
					return err
				}
			}
		}
	}
	text, err := json.Marshal([]any{p.ReportSuspiciousActivitySettings, p.MicrosoftAuthenticatorPlatformSettings, p.OptOutSettings})
	if err != nil {
		return err
	}
	if len(text) > maxEchoed {
		return problem.New(problem.Invalid, "badRequest", "Settings that mean nothing to Cardea are kept up to %d KiB. Send less.", maxEchoed>>10)
	}
	return nil
}

// targets lists everybody whom p names: what was known may be gone (PK-26).
func (p *MethodsPolicy) targets() map[string]bool {
	known := map[string]bool{}
	for _, t := range p.RegistrationEnforcement.Campaign.IncludeTargets {
		known[t.ID] = true
	}
	for _, list := range [][]ExcludeMethodTarget{p.RegistrationEnforcement.Campaign.ExcludeTargets, p.SystemCredentialPreferences.IncludeTargets, p.SystemCredentialPreferences.ExcludeTargets} {
		for _, t := range list {
			known[t.ID] = true
		}
	}
	return known
}

func checkTargets(ctx context.Context, q db.Querier, at string, list []ExcludeMethodTarget, known map[string]bool) error {
	seen := map[string]bool{}
	for i := range list {
		t := &list[i]
		t.ID, t.TargetType = strings.ToLower(t.ID), strings.ToLower(t.TargetType)
		if t.ID == "" {
			return problem.New(problem.Invalid, "requiredParamMissing", "id is required. Send the object id of a group or user, or %s.", AllUsers).On(fmt.Sprintf("%s/%d/id", at, i))
		}
		if err := checkTarget(ctx, q, &t.TargetType, t.ID, known[t.ID], seen); err != nil {
			return err.On(fmt.Sprintf("%s/%d", at, i))
		}
	}
	return nil
}

func filledTargets[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// oneOf finds the member of an enum that *s names, whatever its case.
func oneOf(at string, s *string, members ...string) error {
	for _, m := range members {
		if strings.EqualFold(*s, m) {
			*s = m
			return nil
		}
	}
	sent := *s
	if len(sent) > 60 {
		sent = strings.ToValidUTF8(sent[:60], "") + "…"
	}
	return problem.New(problem.Invalid, "invalidValue", "%q is not allowed here. Use %s.", sent, strings.Join(members, " or ")).On(at)
}
