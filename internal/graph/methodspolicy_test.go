package graph

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/passkey"
)

// spellings of the configuration of passkeys (PK-2, PK-3, WC-5, WC-10, WC-67).
var spellings = []string{
	"/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2",
	"/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/Fido2/",
	"/policies/authenticationmethodspolicy/authenticationMethodConfigurations/Fido2",
	"/POLICIES/AUTHENTICATIONMETHODSPOLICY/AUTHENTICATIONMETHODCONFIGURATIONS/FIDO2",
	"/policies/authenticationMethodsPolicy/authenticationMethodConfigurations('Fido2')",
	"/policies/authenticationMethodsPolicy/authenticationMethodConfigurations%28%27fIdO2%27%29",
	"/authenticationMethodsPolicy/authenticationMethodConfigurations/FIDO2",
	"/authenticationmethodspolicy/authenticationmethodconfigurations('fido2')",
}

// TestConfigurationSpellings: every spelling reads and writes, on both versions,
// and answers with the one id (PK-1, PK-2, PK-3, PK-5).
func TestConfigurationSpellings_PK2_PK3_PK5(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, version := range []string{"/v1.0", "/beta"} {
			for i, path := range spellings {
				got := w.do(200, "GET", version+path+"?$select=state&$expand=x&$filter=nonsense&slice=Test", "reader", "")
				if got["id"] != "Fido2" || len(got["passkeyProfiles"].([]any)) == 0 {
					t.Errorf("PK-2, PK-5: %s%s: %v", version, path, got)
				}
				want := i%2 == 0
				rec := w.request("PATCH", version+path, "policyadmin", []byte(`{"isSelfServiceRegistrationAllowed": `+map[bool]string{true: "true", false: "false"}[want]+`}`), nil)
				if rec.Code != 204 || rec.Body.Len() != 0 {
					t.Errorf("PK-1: PATCH %s%s: %d %s", version, path, rec.Code, rec.Body)
				}
				if got := w.do(200, "GET", version+path, "reader", ""); got["isSelfServiceRegistrationAllowed"] != want {
					t.Errorf("%s%s changed nothing", version, path)
				}
			}
		}
		// PK-5: a profile has no address of its own.
		w.do(404, "GET", "/v1.0"+configsPath+"/fido2/passkeyProfiles/"+passkey.DefaultProfileID, "reader", "")
	})
}

// TestMethodsOfThePolicy: PK-7. Password is ours, and not in the list.
func TestMethodsOfThePolicy_PK7(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, target := range []string{policyPath, configsPath} {
			body := w.do(200, "GET", "/v1.0"+target, "reader", "")
			list, ok := body["value"].([]any)
			if !ok {
				list = body["authenticationMethodConfigurations"].([]any)
			}
			var ids []string
			for _, item := range list {
				ids = append(ids, item.(map[string]any)["id"].(string))
			}
			if strings.Join(ids, " ") != "Fido2 TemporaryAccessPass SoftwareOath" {
				t.Errorf("%s: %v", target, ids)
			}
		}
		for _, id := range []string{"MicrosoftAuthenticator", "Sms", "Voice", "Email", "X509Certificate", "HardwareOath", "QRCodePin", "fido22", "%27"} {
			w.do(404, "GET", "/v1.0"+configsPath+"/"+id, "reader", "")
			w.do(404, "PATCH", "/v1.0"+configsPath+"/"+id, "policyadmin", `{"state": "enabled"}`)
		}
	})
}

// TestWhoMayTouchThePolicy: PK-6.
func TestWhoMayTouchThePolicy_PK6(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for who, want := range map[string]struct{ read, write int }{
			"admin": {200, 204}, "policyadmin": {200, 204}, "robot": {200, 204}, "reader": {200, 403}, "authadmin": {403, 403}, "useradmin": {403, 403},
			"ada": {403, 403}, "guest": {403, 403}, "weak": {403, 403}, "nobody": {403, 403}, "none": {401, 401},
		} {
			for _, path := range []string{configsPath + "/fido2", configsPath + "/temporaryAccessPass", configsPath + "/softwareOath", configsPath + "/password", policyPath} {
				if got := w.request("GET", "/v1.0"+path, who, nil, nil).Code; got != want.read {
					t.Errorf("GET %s as %s: %d, want %d", path, who, got, want.read)
				}
				write := want.write
				if path == policyPath && write == 204 {
					write = 200 // PK-1
				}
				if got := w.request("PATCH", "/v1.0"+path, who, []byte(`{}`), nil).Code; got != write {
					t.Errorf("PATCH %s as %s: %d, want %d", path, who, got, write)
				}
			}
		}
	})
}

// TestDeprecatedMembersStay: PK-10. Entra stops sending them in October 2027.
func TestDeprecatedMembersStay_PK10(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.now = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2", "robot", `{"isAttestationEnforced": true, "keyRestrictions": {"isEnforced": true, "enforcementType": "allow", "aaGuids": ["90A3CCDF-635C-4729-A248-9B709135078F"]}}`)
		got := w.do(200, "GET", "/v1.0"+configsPath+"/fido2", "robot", "")
		profile := got["passkeyProfiles"].([]any)[0].(map[string]any)
		if got["isAttestationEnforced"] != true || profile["attestationEnforcement"] != "registrationOnly" || !reflect.DeepEqual(got["keyRestrictions"], profile["keyRestrictions"]) ||
			got["keyRestrictions"].(map[string]any)["aaGuids"].([]any)[0] != "90a3ccdf-635c-4729-a248-9b709135078f" {
			t.Errorf("PK-10, PK-31: %v", got)
		}
	})
}

// TestPolicyRoundTrip: what GET answers may be PATCHed back, at every address,
// by clients that keep annotations and by clients that drop them, and nothing
// is lost; a configuration that is changed along with the policy is refused.
func TestPolicyRoundTrip_PK8_PK30(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		group := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Engineering", "mailEnabled": false, "mailNickname": "eng", "securityEnabled": true}`)["id"].(string)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2", "policyadmin", `{"passkeyProfiles": [
			{"id": "`+passkey.DefaultProfileID+`", "name": "Default passkey profile", "passkeyTypes": "synced, deviceBound", "attestationEnforcement": "registrationOnly",
				"keyRestrictions": {"isEnforced": true, "enforcementType": "allow", "aaGuids": ["90a3ccdf-635c-4729-a248-9b709135078f"]}},
			{"id": "e47a833c-5dfa-45f1-9471-bb0cf0eb425b", "name": "synced", "passkeyTypes": "synced", "attestationEnforcement": "disabled",
				"keyRestrictions": {"isEnforced": false, "enforcementType": "allow", "aaGuids": ["dd4ec289-e01d-41c9-bb89-70fa845d4bf2"]}}],
			"includeTargets": [{"id": "all_users", "targetType": "group", "isRegistrationRequired": true, "allowedPasskeyProfiles": ["e47a833c-5dfa-45f1-9471-bb0cf0eb425b", "`+passkey.DefaultProfileID+`"]},
				{"id": "`+group+`", "targetType": "group", "allowedPasskeyProfiles": ["e47a833c-5dfa-45f1-9471-bb0cf0eb425b"]}]}`)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/softwareOath", "policyadmin", `{"state": "enabled", "excludeTargets": [{"id": "`+group+`", "targetType": "group"}]}`)
		w.do(204, "PATCH", "/v1.0"+configsPath+"/temporaryAccessPass", "policyadmin", `{"minimumLifetimeInMinutes": 10, "isUsableOnce": true}`)
		w.do(200, "PATCH", "/v1.0"+policyPath, "policyadmin", `{"registrationEnforcement": {"authenticationMethodsRegistrationCampaign": {"state": "enabled", "snoozeDurationInDays": 3}},
			"reportSuspiciousActivitySettings": {"state": "enabled", "voiceReportingCode": 7}}`)
		for _, path := range []string{configsPath + "/fido2", configsPath + "/softwareOath", configsPath + "/temporaryAccessPass", configsPath + "/password", policyPath} {
			for _, version := range []string{"/v1.0", "/beta"} {
				before := w.do(200, "GET", version+path, "policyadmin", "")
				for _, bare := range []bool{false, true} {
					sent := map[string]any{}
					for name, v := range before {
						if !bare || !strings.Contains(name, "@odata.") {
							sent[name] = v
						}
					}
					text, err := json.Marshal(sent)
					if err != nil {
						t.Fatal(err)
					}
					if rec := w.request("PATCH", version+path, "policyadmin", text, nil); rec.Code != 204 && rec.Code != 200 {
						t.Fatalf("PATCH %s%s: %d %s", version, path, rec.Code, rec.Body)
					}
					after := w.do(200, "GET", version+path, "policyadmin", "")
					delete(after, "lastModifiedDateTime")
					delete(before, "lastModifiedDateTime")
					if !reflect.DeepEqual(before, after) {
						t.Errorf("%s%s: before %v\nafter %v", version, path, before, after)
					}
				}
			}
		}
		e := w.do(400, "PATCH", "/v1.0"+policyPath, "policyadmin", `{"policyMigrationState": "preMigration", "authenticationMethodConfigurations": [{"id": "Fido2", "state": "disabled"}]}`)["error"].(map[string]any)
		if e["details"].([]any)[0].(map[string]any)["target"] != "/authenticationMethodConfigurations/0/state" {
			t.Errorf("%v", e)
		}
		if got := w.do(200, "GET", "/v1.0"+policyPath, "reader", ""); got["policyMigrationState"] != "migrationComplete" {
			t.Error("half of a refused body was written")
		}
	})
}

// TestCampaignSettings: PK-1, PK-17, PK-30, PK-156, on the wire.
func TestCampaignSettings_PK30_PK156(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		patch := func(path, body string, h http.Header) (int, http.Header, map[string]any) {
			rec := w.request("PATCH", path, "policyadmin", []byte(body), h)
			var out map[string]any
			if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
			return rec.Code, rec.Header(), out
		}
		// The example of passkeys §9.1, as kiota sends it.
		status, h, got := patch("/v1.0/policies/authenticationMethodsPolicy", `{"@odata.type": "#microsoft.graph.authenticationMethodsPolicy", "registrationEnforcement": {"@odata.type": "#microsoft.graph.registrationEnforcement",
			"authenticationMethodsRegistrationCampaign": {"state": "enabled", "snoozeDurationInDays": 1, "enforceRegistrationAfterAllowedSnoozes": true, "excludeTargets": [],
			"includeTargets": [{"@odata.type": "#microsoft.graph.authenticationMethodsRegistrationCampaignIncludeTarget", "id": "all_users", "targetType": "group", "targetedAuthenticationMethod": "fido2"}]}}}`, nil)
		campaign := got["registrationEnforcement"].(map[string]any)["authenticationMethodsRegistrationCampaign"].(map[string]any)
		if status != 200 || campaign["state"] != "enabled" || campaign["snoozeDurationInDays"] != 1.0 || len(got["authenticationMethodConfigurations"].([]any)) != 3 || h.Get("Warning") != "" || h.Get("ETag") != `W/"1"` {
			t.Errorf("PK-1: %d %v %v", status, h, got)
		}
		if status, _, got := patch("/beta/authenticationMethodsPolicy", `{"policyMigrationState": "preMigration"}`, http.Header{"If-Match": {`W/"0"`}}); status != 412 {
			t.Errorf("PK-17: %d %v", status, got)
		}
		status, h, _ = patch("/beta/authenticationmethodspolicy", `{"registrationEnforcement": {"authenticationMethodsRegistrationCampaign": {"includeTargets": [{"id": "all_users", "targetType": "group", "targetedAuthenticationMethod": "microsoftAuthenticator"}]}}}`,
			http.Header{"If-Match": {`W/"1"`}})
		if status != 200 || !strings.HasPrefix(h.Get("Warning"), `299 cardea "methodNeverNudges: `) {
			t.Errorf("PK-156: %d %v", status, h)
		}
		got = w.do(200, "GET", "/v1.0"+policyPath, "reader", "")
		if c := got["registrationEnforcement"].(map[string]any)["authenticationMethodsRegistrationCampaign"].(map[string]any); c["state"] != "enabled" {
			t.Errorf("PK-30: %v", c)
		}
		w.do(405, "DELETE", "/v1.0"+policyPath, "admin", "")
		w.do(405, "POST", "/v1.0"+policyPath, "admin", "{}")
	})
}

// TestOldToolsAndThePolicy: the bodies of tools that know nothing of profiles,
// as they send them (PK-34, wire-compatibility §3.4, §3.5).
func TestOldToolsAndThePolicy_PK34(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		strict := `{"id": "e47a833c-5dfa-45f1-9471-bb0cf0eb425b", "name": "Keys", "passkeyTypes": "deviceBound", "attestationEnforcement": "disabled", "keyRestrictions": {"isEnforced": false, "enforcementType": "block", "aaGuids": []}}`
		w.do(204, "PATCH", "/v1.0"+configsPath+"/fido2", "policyadmin", `{"passkeyProfiles": [{"id": "`+passkey.DefaultProfileID+`", "name": "Default passkey profile", "passkeyTypes": "deviceBound,synced",
			"attestationEnforcement": "disabled", "keyRestrictions": {}}, `+strict+`], "includeTargets": [{"id": "all_users", "targetType": "group", "allowedPasskeyProfiles": ["e47a833c-5dfa-45f1-9471-bb0cf0eb425b"]}]}`)
		for name, c := range map[string]struct{ path, body string }{
			"entraYK": {"/beta/authenticationMethodsPolicy/authenticationMethodConfigurations/FIDO2", `{"@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration", "id": "Fido2",
				"includeTargets@odata.context": "https://graph.microsoft.com/beta/$metadata#authenticationMethodsPolicy/authenticationMethodConfigurations('Fido2')/microsoft.graph.fido2AuthenticationMethodConfiguration/includeTargets",
				"includeTargets": [{"id": "all_users", "isRegistrationRequired": false, "targetType": "group", "allowedPasskeyProfiles": []}], "excludeTargets": [], "isAttestationEnforced": true,
				"isSelfServiceRegistrationAllowed": true, "keyRestrictions": {"aaGuids": ["ee882879-721c-4913-9775-3dfcce97072a"], "enforcementType": "allow", "isEnforced": true}, "defaultPasskeyProfile": null, "passkeyProfiles": [], "state": "enabled"}`},
			"CIPP": {"/beta/policies/authenticationmethodspolicy/authenticationMethodConfigurations/Fido2", `{"@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration", "id": "Fido2", "state": "enabled",
				"includeTargets": [{"targetType": "group", "id": "all_users", "isRegistrationRequired": false, "displayName": "All users"}], "excludeTargets": [], "isAttestationEnforced": false, "isSelfServiceRegistrationAllowed": false,
				"keyRestrictions": {"isEnforced": false, "enforcementType": "block", "aaGuids": []}}`},
			"Maester's address": {"/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations('Fido2')", `{"isAttestationEnforced": true}`},
		} {
			w.do(204, "PATCH", c.path, "policyadmin", c.body)
			got := w.do(200, "GET", c.path, "policyadmin", "")
			target := got["includeTargets"].([]any)[0].(map[string]any)
			if ids := target["allowedPasskeyProfiles"].([]any); len(ids) != 1 || ids[0] != "e47a833c-5dfa-45f1-9471-bb0cf0eb425b" {
				t.Errorf("%s: a target lost its profile: %v", name, target)
			}
			if _, ok := target["displayName"]; ok || len(got["passkeyProfiles"].([]any)) != 2 {
				t.Errorf("%s: %v", name, got)
			}
			enforced := strings.Contains(c.body, `"isAttestationEnforced": true`)
			if got["isAttestationEnforced"] != enforced || got["passkeyProfiles"].([]any)[0].(map[string]any)["attestationEnforcement"] != map[bool]string{true: "registrationOnly", false: "disabled"}[enforced] {
				t.Errorf("%s: PK-31: %v", name, got)
			}
		}
	})
}
