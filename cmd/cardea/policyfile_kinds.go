package main

import (
	"reflect"

	"cardea/internal/directory"
)

// kinds is the table of kinds of documents, in the order in which they are
// applied: what others name comes first.
func kinds() []*kind {
	onOff := []string{"enabled", "disabled"}
	state := field{name: "state", values: onOff, note: "enabled or disabled, for everybody"}
	include := field{name: "includeTargets", form: targets, note: "who: allUsers: true, group: NAME, role: NAME, or user: NAME",
		fields: []field{{name: "isRegistrationRequired", form: aFlag, sparse: true}}, more: "now also applies to", less: "no longer applies to"}
	exclude := field{name: "excludeTargets", form: targets, note: "who not, whatever stands above", more: "now leaves out", less: "no longer leaves out"}
	nobody := exclude
	nobody.note = ""
	bare := include
	bare.fields, bare.note = nil, ""
	campaignTargets := include
	campaignTargets.note = ""
	campaignTargets.fields = []field{{name: "targetedAuthenticationMethod", values: []string{directory.CampaignPasskey, directory.CampaignAuthenticator}, needed: true}}
	campaignTargets.more, campaignTargets.less = "now also asks", "no longer asks"
	return []*kind{
		{name: "group", title: "Group", file: "groups/", key: "displayName", find: findGroup, all: namedGroups, write: writeGroup, fields: []field{
			{name: "displayName"},
			{name: "description", sparse: true},
			{name: "isAssignableToRole", form: aFlag, sparse: true, note: "is fixed when the group is created"},
			{name: "membershipRule", sparse: true, note: "who is a member; without a rule people are put in one by one, which this file does not do"},
			{name: "membershipRuleProcessingState", values: []string{"On", "Paused"}, sparse: true},
		}},
		only("authenticationMethodsPolicy", "Authentication methods", "authentication-methods.yaml", methodsPolicy, []field{
			{name: "registrationEnforcement", form: anObject, words: "registration", fields: []field{
				{name: "authenticationMethodsRegistrationCampaign", form: anObject, words: "campaign", note: "asks people after sign-in to create a passkey", fields: []field{
					{name: "state", values: []string{"default", "enabled", "disabled"}},
					{name: "snoozeDurationInDays", form: aNumber, note: "days until the next asking, 0 to 14; 0 is every sign-in"},
					{name: "enforceRegistrationAfterAllowedSnoozes", form: aFlag},
					campaignTargets, nobody,
				}}}},
			{name: "systemCredentialPreferences", form: anObject, words: "preferences", note: "whether Cardea orders the methods on the sign-in page", fields: []field{
				{name: "state", values: []string{"default", "enabled", "disabled"}}, bare, nobody}},
			{name: "policyMigrationState", values: []string{"preMigration", "migrationInProgress", "migrationComplete"}, sparse: true},
			{name: "reportSuspiciousActivitySettings", form: anything, sparse: true, note: "kept for other programs; means nothing to Cardea"},
			{name: "microsoftAuthenticatorPlatformSettings", form: anything, sparse: true, note: "kept for other programs; means nothing to Cardea"},
			{name: "optOutSettings", form: anything, sparse: true, note: "kept for other programs; means nothing to Cardea"},
		}),
		only("temporaryAccessPass", "Temporary Access Passes", "temporary-access-pass.yaml", methodConfigurations+directory.MethodAccessPass, []field{
			state,
			{name: "defaultLifetimeInMinutes", form: aNumber}, {name: "minimumLifetimeInMinutes", form: aNumber}, {name: "maximumLifetimeInMinutes", form: aNumber},
			{name: "defaultLength", form: aNumber, note: "characters of a pass"},
			{name: "isUsableOnce", form: aFlag, note: "true: every pass works one time"},
			include, exclude,
		}),
		only("softwareOath", "App codes", "software-oath.yaml", methodConfigurations+directory.MethodCode, []field{state, include, exclude}),
		only("password", "Passwords", "password.yaml", methodConfigurations+directory.MethodPassword, []field{state, include, exclude}),
		passkeyKind(state, include, exclude),
		applicationKind(),
	}
}

const (
	methodsPolicy        = "/v1.0/policies/authenticationMethodsPolicy"
	methodConfigurations = methodsPolicy + "/authenticationMethodConfigurations/"
)

// only is a kind of which there is one object, read and patched at path.
func only(name, title, file, path string, fields []field) *kind {
	k := &kind{name: name, title: title, file: file, fields: fields}
	k.find = func(e *exchange, _ string) (thing, error) { return e.read(k, path) }
	k.all = func(e *exchange) ([]thing, error) {
		t, err := e.read(k, path)
		return []thing{t}, err
	}
	k.write = func(e *exchange, c *change) error {
		body := map[string]any{}
		for _, f := range k.fields {
			if !reflect.DeepEqual(c.was.value[f.name], c.is[f.name]) {
				v, err := e.toGraph(f, c.is[f.name])
				if err != nil {
					return err
				}
				body[f.name] = v
			}
		}
		return e.patch(path, c.was.etag, body)
	}
	return k
}
