package directory_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// TestMethodsPolicy: the settings of the campaign and the rest of the policy
// (PK-8, PK-26, PK-30, PK-156, PK-157, PK-170, DO-67).
func TestMethodsPolicy_PK8_PK30_PK156(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
		var group directory.Group
		if err := d.Write(ctx, func(q db.Querier) (err error) {
			group, err = directory.CreateGroup(ctx, q, audit.System("test"), now, directory.Group{DisplayName: "Engineering"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		change := func(body string) (p directory.MethodsPolicy, err error) {
			err = d.Write(ctx, func(q db.Querier) (err error) {
				p, err = directory.ChangeMethodsPolicy(ctx, q, audit.System("test"), now, []byte(body), func(directory.MethodsPolicy) error { return nil })
				return err
			})
			return p, err
		}
		campaign := func(members string) string {
			return `{"registrationEnforcement": {"authenticationMethodsRegistrationCampaign": {` + members + `}}}`
		}
		must := func(body string) directory.MethodsPolicy {
			t.Helper()
			p, err := change(body)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			return p
		}
		fresh, err := directory.GetMethodsPolicy(ctx, d)
		if c := fresh.RegistrationEnforcement.Campaign; err != nil || fresh.LastModifiedDateTime != nil || *fresh.PolicyMigrationState != "migrationComplete" ||
			c.State != "disabled" || c.SnoozeDurationInDays != 1 || !c.EnforceAfterSnoozes || len(c.IncludeTargets) != 1 || c.IncludeTargets[0].TargetedAuthenticationMethod != "fido2" {
			t.Fatalf("§9.1, defaults: %+v %v", fresh, err)
		}

		p := must(campaign(`"state": "Default", "snoozeDurationInDays": 0, "excludeTargets": [{"id": "` + strings.ToUpper(group.ID) + `", "targetType": "group"}]`))
		c := p.RegistrationEnforcement.Campaign
		if c.State != "default" || c.SnoozeDurationInDays != 0 || !c.EnforceAfterSnoozes || len(c.IncludeTargets) != 1 || len(c.ExcludeTargets) != 1 || c.ExcludeTargets[0].ID != group.ID ||
			p.LastModifiedDateTime == nil || !p.LastModifiedDateTime.Equal(now) || p.Version != 1 {
			t.Errorf("PK-30: %+v", p)
		}
		c = must(campaign(`"enforceRegistrationAfterAllowedSnoozes": false, "state": null, "excludeTargets": null`)).RegistrationEnforcement.Campaign
		if c.EnforceAfterSnoozes || c.State != "default" || len(c.ExcludeTargets) != 1 {
			t.Errorf("PK-30, absent and null: %+v", c)
		}
		c = must(campaign(`"includeTargets": [{"id": "` + group.ID + `", "targetType": "group"}], "excludeTargets": []`)).RegistrationEnforcement.Campaign
		if len(c.IncludeTargets) != 1 || c.IncludeTargets[0] != (directory.CampaignTarget{ID: group.ID, TargetType: "group", TargetedAuthenticationMethod: "fido2"}) || len(c.ExcludeTargets) != 0 || c.NeverNudges() {
			t.Errorf("PK-30, lists are replaced whole: %+v", c)
		}
		c = must(campaign(`"includeTargets": [{"id": "all_users", "targetType": "user", "targetedAuthenticationMethod": "microsoftAuthenticator"}]`)).RegistrationEnforcement.Campaign
		if !c.NeverNudges() || c.IncludeTargets[0].TargetType != "group" {
			t.Errorf("PK-156: %+v", c)
		}
		if c := must(campaign(`"includeTargets": []`)).RegistrationEnforcement.Campaign; len(c.IncludeTargets) != 0 || c.NeverNudges() {
			t.Errorf("nobody: %+v", c)
		}

		p = must(`{"systemCredentialPreferences": {"state": "enabled", "excludeTargets": [{"id": "` + group.ID + `", "targetType": "group"}]},
			"reportSuspiciousActivitySettings": {"state": "Enabled", "voiceReportingCode": 0, "includeTarget": {"id": "all_users", "targetType": "group"}},
			"microsoftAuthenticatorPlatformSettings": {"enforceAppPIN": {"includeTargets": [{"id": "all_users", "targetType": "group"}]}},
			"optOutSettings": {"passkeyDynamicMigration": true}, "policyMigrationState": "preMigration", "somethingNew": {"a": [1]}}`)
		if p.SystemCredentialPreferences.State != "enabled" || len(p.SystemCredentialPreferences.IncludeTargets) != 1 || p.ReportSuspiciousActivitySettings.State != "enabled" ||
			*p.ReportSuspiciousActivitySettings.VoiceReportingCode != 0 || len(p.MicrosoftAuthenticatorPlatformSettings.EnforceAppPIN.IncludeTargets) != 1 ||
			string(p.OptOutSettings["passkeyDynamicMigration"]) != "true" || *p.PolicyMigrationState != "preMigration" {
			t.Errorf("PK-8: %+v", p)
		}
		p = must(`{"reportSuspiciousActivitySettings": null, "optOutSettings": null, "policyMigrationState": null, "systemCredentialPreferences": null}`)
		if p.ReportSuspiciousActivitySettings != nil || p.OptOutSettings != nil || p.PolicyMigrationState != nil || p.SystemCredentialPreferences.State != "enabled" || p.MicrosoftAuthenticatorPlatformSettings == nil {
			t.Errorf("DO-45: %+v", p)
		}

		// What GET answers, PATCHed back, changes nothing.
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again := must(string(text))
		again.Version = p.Version
		if back, _ := json.Marshal(again); string(back) != string(text) {
			t.Errorf("lossless:\n%s\n%s", text, back)
		}

		// PK-26: a target whose group is gone may stay; a new one must exist.
		must(campaign(`"includeTargets": [{"id": "` + group.ID + `", "targetType": "group"}]`))
		if err := d.Write(ctx, func(q db.Querier) error {
			return directory.DeleteGroup(ctx, q, audit.System("test"), now, group.ID)
		}); err != nil {
			t.Fatal(err)
		}
		must(campaign(`"state": "enabled", "includeTargets": [{"id": "` + group.ID + `", "targetType": "group"}]`))

		before, err := directory.GetMethodsPolicy(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		const at = "/registrationEnforcement/authenticationMethodsRegistrationCampaign"
		for body, want := range map[string]string{
			``: "badRequest ", `[]`: "badRequest ", `null`: "badRequest ", `"x"`: "badRequest ",
			`{"registrationEnforcement": []}`:                          "badRequest /registrationEnforcement",
			campaign(`"snoozeDurationInDays": "1"`):                    "badRequest " + at + "/snoozeDurationInDays",
			campaign(`"snoozeDurationInDays": 1e12`):                   "badRequest " + at + "/snoozeDurationInDays",
			campaign(`"snoozeDurationInDays": 15`):                     "invalidValue " + at + "/snoozeDurationInDays",
			campaign(`"snoozeDurationInDays": -1`):                     "invalidValue " + at + "/snoozeDurationInDays",
			campaign(`"state": "unknownFutureValue"`):                  "invalidValue " + at + "/state",
			campaign(`"state": "` + strings.Repeat("é", 4000) + `"`):   "invalidValue " + at + "/state",
			campaign(`"enforceRegistrationAfterAllowedSnoozes": "no"`): "badRequest " + at + "/enforceRegistrationAfterAllowedSnoozes",
			campaign(`"includeTargets": [{"id": "all_users", "targetType": "group", "targetedAuthenticationMethod": "sms"}]`):                         "invalidValue " + at + "/includeTargets/0/targetedAuthenticationMethod",
			campaign(`"includeTargets": [{"targetType": "group"}]`):                                                                                   "requiredParamMissing " + at + "/includeTargets/0/id",
			campaign(`"includeTargets": [{"id": "all_users", "targetType": "planet"}]`):                                                               "invalidValue " + at + "/includeTargets/0",
			campaign(`"includeTargets": [{"id": "all_users"}, {"id": "ALL_USERS"}]`):                                                                  "duplicateTarget " + at + "/includeTargets/1",
			campaign(`"includeTargets": [{"id": "all_users"}, {"id": "` + group.ID + `", "targetedAuthenticationMethod": "microsoftAuthenticator"}]`): "invalidValue " + at + "/includeTargets/1/targetedAuthenticationMethod",
			campaign(`"excludeTargets": [{"id": "11111111-1111-4111-8111-111111111111", "targetType": "group"}]`):                                     "unknownTarget " + at + "/excludeTargets/0",
			`{"systemCredentialPreferences": {"state": "on"}}`:                                                                                        "invalidValue /systemCredentialPreferences/state",
			`{"systemCredentialPreferences": {"includeTargets": [{"id": "x"}]}}`:                                                                      "unknownTarget /systemCredentialPreferences/includeTargets/0",
			`{"policyMigrationState": "done"}`:                                                                                                        "invalidValue /policyMigrationState",
			`{"policyMigrationState": 2}`:                                                                                                             "badRequest /policyMigrationState",
			`{"reportSuspiciousActivitySettings": {"state": "x"}}`:                                                                                    "invalidValue /reportSuspiciousActivitySettings/state",
			`{"reportSuspiciousActivitySettings": {"includeTarget": {"targetType": "x"}}}`:                                                            "invalidValue /reportSuspiciousActivitySettings/includeTarget/targetType",
			`{"microsoftAuthenticatorPlatformSettings": {"enforceAppPIN": {"excludeTargets": [{"id": "x", "targetType": "y"}]}}}`:                     "invalidValue /microsoftAuthenticatorPlatformSettings/enforceAppPIN",
			`{"optOutSettings": {"x": "` + strings.Repeat("x", 20<<10) + `"}}`:                                                                        "badRequest ",
		} {
			_, err := change(body)
			p, ok := errors.AsType[*problem.Error](err)
			if !ok {
				t.Errorf("%.120s: %v", body, err)
				continue
			}
			if got := p.Code + " " + p.Target; got != want || p.Kind != problem.Invalid || len(p.Detail) > 400 {
				t.Errorf("%.120s: %q (%v), want %q", body, got, err, want)
			}
		}
		if after, err := directory.GetMethodsPolicy(ctx, d); err != nil || after.Version != before.Version {
			t.Errorf("something was written: %+v %v", after, err)
		}
		log, err := audit.Audits(ctx, d, audit.Query{UserID: directory.MethodsPolicyID})
		if err != nil || len(log) != int(before.Version) || log[0].ActivityDisplayName != "Authentication Methods Policy Update" {
			t.Errorf("%d records for version %d, %v", len(log), before.Version, err)
		}
	})
}

// FuzzMethodsPolicyBody: a body is refused with a code of ours, or what it makes
// is a policy that reads back as it was written.
func FuzzMethodsPolicyBody(f *testing.F) {
	for _, body := range []string{
		`{"registrationEnforcement": {"authenticationMethodsRegistrationCampaign": {"state": "enabled", "snoozeDurationInDays": 1, "enforceRegistrationAfterAllowedSnoozes": true, "excludeTargets": [],
			"includeTargets": [{"id": "all_users", "targetType": "group", "targetedAuthenticationMethod": "fido2"}]}}}`,
		`{"systemCredentialPreferences": {"state": "disabled", "excludeTargets": null}, "optOutSettings": {"passkeyDynamicMigration": true}}`,
		`{"reportSuspiciousActivitySettings": {"state": "enabled", "includeTarget": {"id": "all_users", "targetType": "group"}}, "policyMigrationState": null}`,
		`{"microsoftAuthenticatorPlatformSettings": {"enforceAppPIN": {"includeTargets": []}}}`, `{}`, `null`, `[`,
	} {
		f.Add([]byte(body))
	}
	d, err := db.Open(f.Context(), db.Options{DSN: filepath.Join(f.TempDir(), "fuzz.db"), Volatile: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte) {
		if !db.StorableJSON(body) {
			return
		}
		var p directory.MethodsPolicy
		err := d.Write(t.Context(), func(q db.Querier) (err error) {
			p, err = directory.ChangeMethodsPolicy(t.Context(), q, audit.System("test"), now, body, func(directory.MethodsPolicy) error { return nil })
			return err
		})
		if err != nil {
			if problem.KindOf(err) != problem.Invalid {
				t.Fatal(err)
			}
			return
		}
		again, err := directory.GetMethodsPolicy(t.Context(), d)
		one, _ := json.Marshal(p)
		two, _ := json.Marshal(again)
		if err != nil || string(one) != string(two) {
			t.Fatalf("%v\n%s\n%s", err, one, two)
		}
	})
}
