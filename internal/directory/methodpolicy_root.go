package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
)

// MethodsPolicy is Graph's authenticationMethodsPolicy without the
// configurations of the methods, which are kept by themselves (passkeys §1.2).
// Of what can be written RegistrationEnforcement and
// SystemCredentialPreferences mean something; the rest is stored and echoed, for
// clients that compare what they wrote with what they read (PK-8).
type MethodsPolicy struct {
	ID                                     string                     `json:"id"`
	DisplayName                            string                     `json:"displayName"`
	Description                            string                     `json:"description"`
	LastModifiedDateTime                   *time.Time                 `json:"lastModifiedDateTime"` // of any policy of a method; nil: nobody changed one yet
	PolicyVersion                          string                     `json:"policyVersion"`
	PolicyMigrationState                   *string                    `json:"policyMigrationState"`
	RegistrationEnforcement                RegistrationEnforcement    `json:"registrationEnforcement"`
	SystemCredentialPreferences            CredentialPreferences      `json:"systemCredentialPreferences"`
	ReportSuspiciousActivitySettings       *SuspiciousActivity        `json:"reportSuspiciousActivitySettings,omitempty"`
	MicrosoftAuthenticatorPlatformSettings *AuthenticatorPlatform     `json:"microsoftAuthenticatorPlatformSettings,omitempty"`
	OptOutSettings                         map[string]json.RawMessage `json:"optOutSettings,omitempty"`
	Version                                int64                      `json:"-"`
}

// RegistrationEnforcement holds the campaign: a nudge after sign-in.
type RegistrationEnforcement struct {
	Campaign RegistrationCampaign `json:"authenticationMethodsRegistrationCampaign"`
}

// RegistrationCampaign asks people to register a passkey (passkeys §9).
type RegistrationCampaign struct {
	State                string                `json:"state"`                // default (managed), enabled or disabled
	SnoozeDurationInDays int32                 `json:"snoozeDurationInDays"` // 0 to 14; 0: at every multifactor sign-in
	EnforceAfterSnoozes  bool                  `json:"enforceRegistrationAfterAllowedSnoozes"`
	IncludeTargets       []CampaignTarget      `json:"includeTargets"`
	ExcludeTargets       []ExcludeMethodTarget `json:"excludeTargets"`
}

// CampaignTarget is people who are asked, and for what.
type CampaignTarget struct {
	ID                           string `json:"id"`
	TargetType                   string `json:"targetType"`
	TargetedAuthenticationMethod string `json:"targetedAuthenticationMethod"` // one for the organisation (PK-156)
}

// CredentialPreferences says whether the order of methods on the sign-in pages
// is ours (PK-170): default for both factors, enabled for the second, disabled
// for none.
type CredentialPreferences struct {
	State          string                `json:"state"`
	IncludeTargets []ExcludeMethodTarget `json:"includeTargets"`
	ExcludeTargets []ExcludeMethodTarget `json:"excludeTargets"`
}

// SuspiciousActivity is stored and echoed: Cardea sends no prompts to report.
type SuspiciousActivity struct {
	State              string               `json:"state"`
	IncludeTarget      *ExcludeMethodTarget `json:"includeTarget,omitempty"`
	VoiceReportingCode *int32               `json:"voiceReportingCode,omitempty"`
}

// AuthenticatorPlatform is stored and echoed: Cardea has no such app.
type AuthenticatorPlatform struct {
	EnforceAppPIN *struct {
		IncludeTargets []ExcludeMethodTarget `json:"includeTargets"`
		ExcludeTargets []ExcludeMethodTarget `json:"excludeTargets"`
	} `json:"enforceAppPIN,omitempty"`
}

// MethodsPolicyID is the id of the one MethodsPolicy.
const MethodsPolicyID = "authenticationMethodsPolicy"

// The methods that a campaign may ask for. Of the second Cardea has none: a
// campaign for it asks nobody (PK-156).
const (
	CampaignPasskey       = "fido2"
	CampaignAuthenticator = "microsoftAuthenticator"
)

// DefaultMethodsPolicy is the policy of a fresh Cardea: the campaign is off.
func DefaultMethodsPolicy() MethodsPolicy {
	migrated := "migrationComplete"
	everybody := []ExcludeMethodTarget{{TargetType: "group", ID: AllUsers}}
	return MethodsPolicy{ID: MethodsPolicyID, DisplayName: "Authentication Methods Policy",
		Description:   "Which methods people of this organisation may use to sign in, and who may use which.",
		PolicyVersion: "1.5", PolicyMigrationState: &migrated,
		RegistrationEnforcement: RegistrationEnforcement{RegistrationCampaign{State: "disabled", SnoozeDurationInDays: 1, EnforceAfterSnoozes: true,
			IncludeTargets: []CampaignTarget{{ID: AllUsers, TargetType: "group", TargetedAuthenticationMethod: CampaignPasskey}}, ExcludeTargets: []ExcludeMethodTarget{}}},
		SystemCredentialPreferences: CredentialPreferences{State: "default", IncludeTargets: everybody, ExcludeTargets: []ExcludeMethodTarget{}},
	}
}

// GetMethodsPolicy returns the policy as it is now.
func GetMethodsPolicy(ctx context.Context, q db.Querier) (MethodsPolicy, error) {
	p := DefaultMethodsPolicy()
	v, err := LoadMethodPolicy(ctx, q, MethodsPolicyID, &p)
	if err != nil {
		return p, err
	}
	fixed := DefaultMethodsPolicy()
	p.ID, p.DisplayName, p.Description, p.PolicyVersion, p.Version = fixed.ID, fixed.DisplayName, fixed.Description, fixed.PolicyVersion, v
	var changed sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT max(updated_at) FROM method_policies`).Scan(&changed)
	p.LastModifiedDateTime = db.NullTime(changed)
	return p, err
}

// ChangeMethodsPolicy applies the body of a PATCH; check sees the policy before
// and may refuse (If-Match). What the body does not name stays, in the campaign
// and the preferences too; their lists are replaced whole (PK-30). Errors:
// badRequest, invalidValue, unknownTarget, duplicateTarget.
func ChangeMethodsPolicy(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, body []byte, check func(MethodsPolicy) error) (MethodsPolicy, error) {
	was, err := GetMethodsPolicy(ctx, q)
	if err != nil {
		return was, err
	}
	if err := check(was); err != nil {
		return was, err
	}
	p, err := was.patched(body)
	if err != nil {
		return was, err
	}
	if err := p.check(ctx, q, was); err != nil {
		return was, err
	}
	was.LastModifiedDateTime, p.LastModifiedDateTime = nil, nil // of the row, not of the document
	if err := SaveMethodPolicy(ctx, q, a, now, MethodPolicyChange{ID: MethodsPolicyID, Before: was, After: p, Version: was.Version}); err != nil {
		return was, err
	}
	return GetMethodsPolicy(ctx, q)
}

// NeverNudges reports whether the campaign asks for a method that Cardea does
// not have (PK-156).
func (c RegistrationCampaign) NeverNudges() bool {
	return slices.ContainsFunc(c.IncludeTargets, func(t CampaignTarget) bool { return t.TargetedAuthenticationMethod != CampaignPasskey })
}
