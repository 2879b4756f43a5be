package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cardea/internal/db/dbtest"
)

// write puts files into dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// folder reads all files below dir.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := policyFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(raw)
	}
	return out
}

// awkward is a policy that uses every member, with names that YAML could take
// for something else.
const awkward = `kind: group
displayName: "yes"
description: "  blanks, a \"quote\", and: # no remark"
---
kind: group
displayName: "2024"
isAssignableToRole: true
---
kind: group
displayName: "- Ümläut: [x] 'y' & *z"
membershipRule: user.department -eq "Vertrieb"
membershipRuleProcessingState: Paused
---
kind: authenticationMethodsPolicy
registrationEnforcement:
  authenticationMethodsRegistrationCampaign:
    state: enabled
    snoozeDurationInDays: 0
    enforceRegistrationAfterAllowedSnoozes: false
    includeTargets:
      - {group: "yes", targetedAuthenticationMethod: fido2}
    excludeTargets:
      - group: "2024"
systemCredentialPreferences:
  state: disabled
  includeTargets: [{group: "2024"}]
  excludeTargets: [{role: Helpdesk Administrator}]
policyMigrationState: preMigration
reportSuspiciousActivitySettings: {state: enabled, voiceReportingCode: 7}
optOutSettings: {something: [1, true, null, "null"], other: {}}
---
kind: temporaryAccessPass
state: enabled
defaultLifetimeInMinutes: 90
minimumLifetimeInMinutes: 30
maximumLifetimeInMinutes: 600
defaultLength: 12
isUsableOnce: true
includeTargets:
  - {group: "yes", isRegistrationRequired: true}
  - user: ada@contoso.test
excludeTargets: []
---
kind: softwareOath
state: enabled
includeTargets: []
---
kind: password
state: enabled
excludeTargets: [{group: "- Ümläut: [x] 'y' & *z"}]
---
kind: fido2
state: enabled
isSelfServiceRegistrationAllowed: false
passkeyProfiles:
  - name: Default passkey profile
    passkeyTypes: [deviceBound, synced]
    attestationEnforcement: disabled
    keyRestrictions: {isEnforced: false, enforcementType: allow, aaGuids: [Bitwarden]}
  - name: "null"
    passkeyTypes: [synced]
    attestationEnforcement: disabled
    keyRestrictions: {isEnforced: true, enforcementType: block, aaGuids: [Windows Hello, 53414d53-554e-4700-0000-000000000001]}
  - name: "0x1F: {a}, #"
    passkeyTypes: [deviceBound]
    attestationEnforcement: registrationOnly
    keyRestrictions: {isEnforced: true, enforcementType: allow, aaGuids: []}
includeTargets:
  - {allUsers: true, allowedPasskeyProfiles: ["null", Default passkey profile]}
  - {role: Global Administrator, allowedPasskeyProfiles: ["0x1F: {a}, #"]}
  - {group: "- Ümläut: [x] 'y' & *z", allowedPasskeyProfiles: ["null"], isRegistrationRequired: true}
excludeTargets:
  - user: ada@contoso.test
  - group: "2024"
`

// TestPoliciesMoveBetweenServers: what one server exports, an empty second one
// takes, and exports the same bytes; and applying changes nothing any more.
func TestPoliciesMoveBetweenServers(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"awkward.yaml": awkward})
			_, _, one := behind(t, dsn(t))
			_, _, two := behind(t, dsn(t))
			for _, env := range [][]string{one, two} { // people are not policy
				if said, code := cardea(t, env, dir, "user", "create", "ada@contoso.test", "--name", "Ada"); code != 0 {
					t.Fatal(said)
				}
			}
			run := func(env []string, want string, args ...string) {
				t.Helper()
				if said, code := cardea(t, env, dir, args...); code != 0 || !strings.Contains(said, want) {
					t.Fatalf("cardea %s: exit %d: %s", strings.Join(args, " "), code, said)
				}
			}
			run(one, "Changed: Passkeys", "apply", "awkward.yaml", "--yes")
			run(one, "Nothing to change", "apply", "awkward.yaml")
			run(one, "Wrote 8 files", "export", "one")
			run(one, "Nothing to change: 8 documents", "apply", "one")
			run(two, "is new", "apply", "one", "--dry-run")
			run(two, "Changed: Passkeys", "apply", "one", "--yes")
			run(two, "Nothing to change: 8 documents", "apply", "one")
			run(two, "Wrote 8 files", "export", "two")
			if got, want := folder(t, filepath.Join(dir, "two")), folder(t, filepath.Join(dir, "one")); !reflect.DeepEqual(got, want) {
				t.Errorf("the second server exports another policy:\n%v\nwant\n%v", got, want)
			}
			for name, text := range folder(t, filepath.Join(dir, "one")) {
				if objectID.MatchString(text) || strings.Contains(text, "@odata") {
					t.Errorf("%s has members that a server makes:\n%s", name, text)
				}
			}
		})
	}
}

const passkeysOff = "kind: fido2\nstate: disabled\n"

// TestApplyRefusesLockOut (PK-42): neither the plan nor the real run gets past.
func TestApplyRefusesLockOut(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			_, s, env := behind(t, dsn(t))
			dir := t.TempDir()
			write(t, dir, map[string]string{"off.yaml": "kind: group\ndisplayName: Extra\n---\n" + passkeysOff, "users.csv": "userPrincipalName\nada@contoso.test\n", "keys.csv": "user\nada@contoso.test\n"})
			for _, args := range [][]string{{"user", "import", "--csv", "users.csv"}, {"passkey", "provision", "--csv", "keys.csv", "--authenticator", "software", "--keys", "k"}, {"role", "assign", "Global Administrator", "--user", "ada"}} {
				if said, code := cardea(t, env, dir, args...); code != 0 {
					t.Fatalf("%v: %s", args, said)
				}
			}
			for _, last := range []string{"--dry-run", "--yes"} {
				said, code := cardea(t, env, dir, "apply", "off.yaml", last)
				if code != exitFailed || !strings.Contains(said, "wouldLockOutAdministrators") || !strings.Contains(said, "is switched off") || !strings.Contains(said, "1 stop") {
					t.Errorf("%s: exit %d: %s", last, code, said)
				}
			}
			if n := count(t, s, `SELECT count(*) FROM method_policies`) + count(t, s, `SELECT count(*) FROM groups`); n != 0 {
				t.Errorf("%d things were written", n)
			}
		})
	}
}

// TestApplySeesOthers (PK-17): who changes the policy between plan and change
// is not overwritten; what was done before stays (exit 3).
func TestApplySeesOthers(t *testing.T) {
	f, s, env := behind(t, "")
	dir := t.TempDir()
	f.writes = "/cardea.previewChange"
	write(t, dir, map[string]string{"off.yaml": passkeysOff, "both.yaml": "kind: group\ndisplayName: Extra\n---\n" + passkeysOff})
	for i, c := range []struct {
		file string
		exit int
		said string
	}{{"off.yaml", exitConflict, "Somebody else changed this policy"}, {"both.yaml", exitPartly, "1 document was changed before. Apply again"}} {
		f.posts.Store(0)
		f.before = func(n int64, _ http.ResponseWriter) bool {
			if n == 1 {
				if said, code := cardea(t, env, dir, "profile", "create", fmt.Sprint("Other", i)); code != 0 {
					t.Errorf("the other: %s", said)
				}
			}
			return true
		}
		if said, code := cardea(t, env, dir, "apply", c.file, "--yes"); code != c.exit || !strings.Contains(said, c.said) {
			t.Errorf("%s: exit %d: %s", c.file, code, said)
		}
	}
	f.before = nil
	if n := count(t, s, `SELECT count(*) FROM groups`); n != 1 {
		t.Errorf("%d groups, want the one that was made before the conflict", n)
	}
	if said, code := cardea(t, env, dir, "apply", "both.yaml", "--yes"); code != 0 || strings.Contains(said, "Extra") {
		t.Errorf("again: exit %d: %s", code, said)
	}
}

// FuzzPolicyFile: whatever is in a file, reading ends with documents or with
// faults that have a line; and a document that was read is written and read
// again as the same.
func FuzzPolicyFile(f *testing.F) {
	for _, s := range []string{awkward, passkeysOff, "kind: group\ndisplayName: a\ndescription: \"\\u0000\\r\\n\\t \"\n", "- x", "kind: [", "&a kind: *a", "? {a: b}\n: c\nkind: fido2",
		"kind: authenticationMethodsPolicy\noptOutSettings: {a: {b: [[[1.5]]]}}", "kind: temporaryAccessPass\ndefaultLength: 99999999999999999999", "!!binary kind: x", "kind: fido2\n---\n---\nkind: password\n...\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		docs, faults := readDocuments("f", raw)
		for _, fault := range faults {
			if fault.line < 1 || fault.code == "" || fault.message == "" {
				t.Fatalf("a fault without a place or a reason: %+v", fault)
			}
		}
		for _, d := range docs {
			text, err := writeDocument(d.kind, d.value)
			if err != nil {
				t.Fatalf("cannot be written: %v\n%v", err, d.value)
			}
			again, faults := readDocuments("again", text)
			if len(faults) > 0 || len(again) != 1 {
				t.Fatalf("cannot be read again: %v\n%s", faults, text)
			}
			want, got := written(d.kind.fields, d.value), written(again[0].kind.fields, again[0].value)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("%#v became %#v in\n%s", want, got, text)
			}
			if third, err := writeDocument(d.kind, again[0].value); err != nil || !bytes.Equal(third, text) {
				t.Fatalf("another text the second time: %v\n%s\n%s", err, text, third)
			}
		}
	})
}

// written is a value without members that are not written.
func written(fields []field, value map[string]any) map[string]any {
	out := map[string]any{}
	for _, f := range fields {
		v, there := value[f.name]
		if !there || f.sparse && saysNothing(v) {
			continue
		}
		if o, ok := v.(map[string]any); ok && f.form == anObject {
			inner := written(f.fields, o)
			if v = inner; f.sparse && len(inner) == 0 {
				continue
			}
		}
		if f.form == manyObjects {
			list := []any{}
			for _, o := range listOf(v) {
				list = append(list, written(f.fields, o))
			}
			v = list
		}
		out[f.name] = v
	}
	return out
}
