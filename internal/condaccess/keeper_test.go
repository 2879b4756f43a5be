package condaccess

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/odata"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/webauthn"

	"github.com/google/go-cmp/cmp"
)

const rpID, centre = "id.example.com", "bbbbbbbb-0000-4000-8000-000000000001"

// house is an organisation on a real database: Grace, a Global Administrator
// with a device-bound passkey, and Ada, who has a synced one.
type house struct {
	testing.TB
	d          *db.DB
	k          *Keeper
	at         time.Time
	ada, grace directory.User
}

// each runs f on both engines.
func each(t *testing.T, f func(h *house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := &house{TB: t, d: d, at: now}
		org, err := directory.EnsureOrganization(t.Context(), d, h.at)
		h.must(err)
		master, err := jose.NewMaster(bytes.Repeat([]byte{7}, 32))
		h.must(err)
		ring, err := jose.OpenRing(t.Context(), d, master, h.at)
		h.must(err)
		keys := &passkey.Keeper{DB: d, Ring: ring, TenantID: org.ID, RP: webauthn.RelyingParty{ID: rpID, Name: "Cardea", Origins: []string{"https://" + rpID}}}
		h.must(passkey.Open(t.Context(), keys, h.at))
		h.k = &Keeper{DB: d, Passkeys: keys, AdminApps: []string{centre}}
		h.ada, h.grace = h.user("Ada@example.com", true), h.user("grace@example.com", false)
		h.administrator(h.grace)
		f(h)
	})
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) write(f func(q db.Querier) error) {
	h.Helper()
	h.must(h.d.Write(h.Context(), f))
}

func (h *house) administrator(u directory.User) {
	h.write(func(q db.Querier) error {
		return directory.AssignRole(h.Context(), q, audit.System("test"), h.at, directory.RoleAssignment{UserID: u.ID, RoleID: directory.GlobalAdministrator})
	})
}

// user makes a person with a passkey.
func (h *house) user(name string, synced bool) (u directory.User) {
	h.Helper()
	h.write(func(q db.Querier) (err error) {
		if u, err = directory.CreateUser(h.Context(), q, audit.System("test"), h.at, directory.User{UserPrincipalName: name, DisplayName: strings.Split(name, "@")[0], AccountEnabled: true}); err != nil {
			return err
		}
		_, err = q.ExecContext(h.Context(), `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible, backup_state, attested, rp_id, created_at)
			VALUES ($1, $2, $3, 'key', $4, -7, $5, 0, $6, $6, $7, $8, 0)`, "key of "+name, u.ID, []byte(name), []byte{1}, models["X"], synced, !synced, rpID)
		return err
	})
	return u
}

// edit is a change by Grace, a moment after the one before.
func (h *house) edit(body string) Edit {
	h.at = h.at.Add(time.Second)
	return Edit{Body: []byte(body), At: h.at, Actor: audit.Actor{UserID: h.grace.ID, UserName: "Grace", IP: "203.0.113.7", CorrelationID: "c"}}
}

const (
	forAll = `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}}`
	mfa    = `"grantControls":{"operator":"OR","builtInControls":["mfa"]}`
	block  = `"grantControls":{"operator":"OR","builtInControls":["block"]}`
)

func policyBody(name, state, rest string) string {
	return `{"displayName":"` + name + `","state":"` + state + `",` + rest + `}`
}

func (h *house) policy(name, state, rest string) Policy {
	h.Helper()
	p, _, err := h.k.CreatePolicy(h.Context(), h.edit(policyBody(name, state, rest)))
	h.must(err)
	return p
}

// activities lists the audit log, oldest first, those of one moment by name.
func (h *house) activities() []string {
	h.Helper()
	rows, err := h.d.QueryContext(h.Context(), `SELECT activity FROM directory_audits WHERE service IN ('Conditional Access', 'Authentication Methods', 'Cardea') ORDER BY created_at, activity`)
	out, err := db.Collect(rows, err, scanID)
	h.must(err)
	return out
}

func code(t testing.TB, err error, kind problem.Kind, code string) {
	t.Helper()
	if problem.KindOf(err) != kind || problem.CodeOf(err) != code {
		t.Errorf("%v, want %s", err, code)
	}
}

// query parses query options.
func query(t testing.TB, s odata.Schema, p odata.Paging, text string) odata.Query {
	t.Helper()
	v, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := odata.Parse(v, s, p)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestPolicyLife: created, read as written, changed, deleted, restored, purged;
// each step is a version, an audit record, and counts from the next evaluation
// on (CA-11, CA-19, CA-20, CA-21).
func TestPolicyLife(t *testing.T) {
	each(t, func(h *house) {
		outcome := func() Verdict {
			h.Helper()
			s, err := h.k.Snapshot(h.Context())
			h.must(err)
			return Evaluate(s, Situation{At: h.at, UserID: h.ada.ID, Target: Target{Apps: []string{"x"}}}).Verdict
		}
		if v := outcome(); v != Allow {
			t.Fatal(v)
		}
		p := h.policy("Everybody", "enabled", forAll+`,"grantControls":{"operator":"OR","authenticationStrength":{"id":"`+StrengthPhishingResistant+`"}}`)
		if v := outcome(); v != Refuse {
			t.Errorf("after creating: %s", v)
		}
		if p.Version != 1 || p.ModifiedDateTime != nil || !p.CreatedDateTime.Equal(h.at) || p.GrantControls.AuthStrength.Strength == nil || !isGUID(p.ID) {
			t.Errorf("%+v", p)
		}
		got, err := json.Marshal(p)
		h.must(err)
		same, _, err := h.k.UpdatePolicy(h.Context(), p.ID, h.edit(string(got)))
		h.must(err)
		same.ModifiedDateTime, same.Version = nil, 1
		if diff := cmp.Diff(plain(t, p), plain(t, same)); diff != "" {
			t.Errorf("CA-11: PATCH of GET:\n%s", diff)
		}
		off := h.edit(`{"state":"disabled"}`)
		off.IfMatch = ETag(1)
		_, _, err = h.k.UpdatePolicy(h.Context(), p.ID, off)
		code(t, err, problem.PreconditionFailed, "changed")
		off.IfMatch = ETag(2)
		changed, _, err := h.k.UpdatePolicy(h.Context(), p.ID, off)
		h.must(err)
		if changed.Version != 3 || changed.State != Disabled || !changed.ModifiedDateTime.Equal(h.at) {
			t.Errorf("%+v", changed)
		}
		if v := outcome(); v != Allow {
			t.Errorf("after switching off: %s", v)
		}
		_, _, err = h.k.UpdatePolicy(h.Context(), p.ID, h.edit(`{"state":"enabled"}`))
		h.must(err)
		h.must(h.k.DeletePolicy(h.Context(), p.ID, h.edit("")))
		if v := outcome(); v != Allow {
			t.Errorf("after deleting: %s", v)
		}
		_, err = h.k.Policy(h.Context(), h.d, p.ID)
		code(t, err, problem.NotFound, "notFound")
		code(t, h.k.DeletePolicy(h.Context(), p.ID, h.edit("")), problem.NotFound, "notFound")
		gone, err := h.k.DeletedPolicy(h.Context(), h.d, p.ID)
		h.must(err)
		if gone.DeletedDateTime == nil || !gone.DeletedDateTime.Equal(h.at.Add(-time.Second)) {
			t.Errorf("%v", gone.DeletedDateTime)
		}
		back, _, err := h.k.RestorePolicy(h.Context(), p.ID, h.edit(""))
		h.must(err)
		if back.State != ReportOnly || back.DeletedDateTime != nil || back.Version != 6 { // CA-19
			t.Errorf("%+v", back)
		}
		versions, err := h.k.Versions(h.Context(), h.d, p.ID)
		h.must(err)
		if len(versions) != 6 || versions[0].Version != 6 || string(versions[1].Document) != "null" || versions[0].ActorID != h.grace.ID || versions[5].CorrelationID != "c" {
			t.Errorf("CA-20: %+v", versions)
		}
		want := []string{"Add Conditional Access policy", "Update Conditional Access policy", "Conditional Access policy state changed", "Update Conditional Access policy",
			"Conditional Access policy state changed", "Update Conditional Access policy", "Delete Conditional Access policy", "Conditional Access policy state changed", "Restore Conditional Access policy"}
		if diff := cmp.Diff(want, h.activities()); diff != "" {
			t.Errorf("audit log:\n%s", diff)
		}
		h.must(h.k.DeletePolicy(h.Context(), p.ID, h.edit("")))
		h.write(func(q db.Querier) error {
			if n, err := PurgeOld(h.Context(), q, h.at, h.at.Add(-time.Hour), 100); n != 0 || err != nil {
				t.Errorf("%d were too young: %v", n, err)
			}
			n, err := PurgeOld(h.Context(), q, h.at, h.at.Add(time.Hour), 100)
			if n != 1 {
				t.Errorf("%d were purged", n)
			}
			return err
		})
		_, _, err = h.k.RestorePolicy(h.Context(), p.ID, h.edit(""))
		code(t, err, problem.NotFound, "notFound")
	})
}

// TestRefusals: nothing of a refused change is stored.
func TestRefusals(t *testing.T) {
	each(t, func(h *house) {
		h.policy("Keep", "disabled", forAll+","+mfa)
		before, version := h.activities(), h.version()
		for _, body := range []string{
			policyBody("P", "enabled", forAll),
			policyBody("P", "enabled", `"conditions":{"users":{"includeUsers":["nobody"]},"applications":{"includeApplications":["All"]}},`+mfa),
			policyBody("P", "enabled", `"conditions":{"users":{"includeUsers":["All"],"excludeGroups":["62e90394-69f5-4237-9190-012177145e10"]},"applications":{"includeApplications":["All"]}},`+mfa),
			policyBody("P", "enabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"locations":{"includeLocations":["62e90394-69f5-4237-9190-012177145e10"]}},`+mfa),
			policyBody("P", "enabled", forAll+`,"grantControls":{"operator":"OR","authenticationStrength":{"id":"62e90394-69f5-4237-9190-012177145e10"}}`),
			policyBody("P", "enabled", `"conditions":{"users":{"includeUsers":["None"]},"applications":{"includeApplications":["All"]},"clientApplications":{"includeServicePrincipals":["`+h.ada.ID+`"]}},`+block),
		} {
			if _, _, err := h.k.CreatePolicy(h.Context(), h.edit(body)); problem.KindOf(err) != problem.Invalid {
				t.Errorf("%s: %v", body, err)
			}
		}
		if list := h.names(""); !slices.Equal(list, []string{"Keep"}) || len(h.activities()) != len(before) || h.version() != version {
			t.Errorf("something was stored: %v", list)
		}
	})
}

func (h *house) version() int64 {
	v, err := db.Version(h.Context(), h.d, VersionName)
	h.must(err)
	return v
}

// names lists the policies that a filter selects.
func (h *house) names(options string) []string {
	h.Helper()
	list, err := h.k.FindPolicies(h.Context(), h.d, query(h, PolicySchema, PolicyPaging, options), Among{})
	h.must(err)
	out := []string{}
	for _, p := range list {
		out = append(out, p.DisplayName)
	}
	return out
}

func TestLists(t *testing.T) {
	each(t, func(h *house) {
		h.policy("Beta", "disabled", forAll+","+mfa)
		h.policy("alpha", "enabledForReportingButNotEnforced", forAll+","+block)
		gone := h.policy("Äpfel", "disabled", forAll+","+mfa)
		for _, row := range []struct{ options, want string }{
			{"", "alpha Beta Äpfel"},
			{"$filter=state eq 'disabled'", "Beta Äpfel"},
			{"$filter=displayName eq 'BETA'", "Beta"},
			{"$filter=startswith(displayName,'äp')", "Äpfel"},
			{"$filter=createdDateTime ge 2026-10-04T12:00:02Z", "alpha Äpfel"},
			{"$filter=modifiedDateTime eq null", "alpha Beta Äpfel"},
			{"$orderby=createdDateTime desc", "Äpfel alpha Beta"},
			{"$top=1&$skip=1", "Beta Äpfel"}, // one more than asked: there is a next page
		} {
			if got := strings.Join(h.names(row.options), " "); got != row.want {
				t.Errorf("%s: %s", row.options, got)
			}
		}
		h.must(h.k.DeletePolicy(h.Context(), gone.ID, h.edit("")))
		if got := h.names(""); len(got) != 2 {
			t.Errorf("%v", got)
		}
		deleted, err := h.k.FindPolicies(h.Context(), h.d, query(h, PolicySchema, PolicyPaging, ""), Among{Deleted: true})
		h.must(err)
		n, err := h.k.CountPolicies(h.Context(), h.d, query(h, PolicySchema, PolicyPaging, "$filter=state eq 'disabled'"), Among{Deleted: true})
		h.must(err)
		if len(deleted) != 1 || deleted[0].ID != gone.ID || n != 1 {
			t.Errorf("%v %d", deleted, n)
		}
	})
}

// TestLockoutGuard: CA-29 to CA-33.
func TestLockoutGuard(t *testing.T) {
	each(t, func(h *house) {
		admins := `"conditions":{"users":{"includeRoles":["` + directory.GlobalAdministrator + `"]},"applications":{"includeApplications":["All"]}},`
		// Grace has a passkey, so she can do what mfa asks.
		if _, c, err := h.k.CreatePolicy(h.Context(), h.edit(policyBody("MFA", "enabled", admins+mfa))); err != nil || c.Guard.Verdict != GuardPassed || len(c.Guard.Able) != 1 {
			t.Fatalf("%+v %v", c, err)
		}
		e := h.edit(policyBody("Nobody", "enabled", admins+block))
		_, _, err := h.k.CreatePolicy(h.Context(), e)
		code(t, err, problem.Invalid, "wouldLockOutAdministrators") // CA-29
		if !strings.HasPrefix(err.(*problem.Error).Detail, "1090: ") || !strings.Contains(err.(*problem.Error).Detail, "grace@example.com") {
			t.Errorf("%v", err)
		}
		for _, state := range []string{"disabled", "enabledForReportingButNotEnforced"} { // CA-32
			p := h.policy(state, state, admins+block)
			_, _, err := h.k.UpdatePolicy(h.Context(), p.ID, h.edit(`{"state":"enabled"}`))
			code(t, err, problem.Invalid, "wouldLockOutAdministrators")
			verdict, err := h.k.CheckPolicy(h.Context(), enabled(p), h.edit("")) // CA-33
			if err != nil || verdict.Verdict != GuardRefused || len(verdict.Affected) != 1 || verdict.Affected[0].PolicyID != p.ID || verdict.Affected[0].Decision != Refuse {
				t.Errorf("%+v %v", verdict, err)
			}
		}
		// A strength that Grace's passkey meets, changed to one that it does not.
		s, _, err := h.k.CreateStrength(h.Context(), h.edit(`{"displayName":"S","allowedCombinations":["fido2","password,softwareOath"]}`))
		h.must(err)
		h.policy("Strong", "enabled", admins+`"grantControls":{"operator":"OR","authenticationStrength":{"id":"`+s.ID+`"}}`)
		_, _, err = h.k.UpdateCombinations(h.Context(), s.ID, h.edit(`{"allowedCombinations":["password,softwareOath"]}`))
		code(t, err, problem.Invalid, "wouldLockOutAdministrators") // CA-93
		_, _, err = h.k.PutConfiguration(h.Context(), s.ID, "", h.edit(`{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"cardea":{"allowedPasskeyTypes":"synced"}}`))
		code(t, err, problem.Invalid, "wouldLockOutAdministrators")
		// With a second administrator who has a synced passkey one of two is lost.
		h.administrator(h.ada)
		_, c, err := h.k.PutConfiguration(h.Context(), s.ID, "", h.edit(`{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"cardea":{"allowedPasskeyTypes":"synced"}}`))
		h.must(err)
		if c.Guard.Verdict != GuardWarned || len(c.Guard.Affected) != 1 || !warned(c, "lockoutGuard") || !warned(c, "callerAffected") { // CA-31
			t.Errorf("%+v", c)
		}
		// CA-30: with a reason, and recorded.
		e = h.edit(policyBody("Nobody", "enabled", admins+block))
		e.Force, e.Reason = true, "because"
		_, _, err = h.k.CreatePolicy(h.Context(), e)
		code(t, err, problem.Invalid, "wouldLockOutAdministrators")
		e.Reason = "the building burns"
		_, _, err = h.k.CreatePolicy(h.Context(), e)
		h.must(err)
		if log := h.activities(); !slices.Contains(log, "Override lockout guard") {
			t.Errorf("%v", log)
		}
		// Nobody is able any more: nothing is left to lose, so nothing is refused.
		if _, c, err := h.k.CreatePolicy(h.Context(), h.edit(policyBody("Again", "enabled", admins+block))); err != nil || len(c.Guard.Able) != 0 {
			t.Errorf("%+v %v", c, err)
		}
	})
}

func enabled(p Policy) Policy { p.State = Enabled; return p }

func warned(c Checked, code string) bool {
	return slices.ContainsFunc(c.Warnings, func(w Warning) bool { return w.Code == code })
}

// TestUsualPlaces: the guard judges administrators where they usually sign in.
func TestUsualPlaces(t *testing.T) {
	each(t, func(h *house) {
		l, _, err := h.k.CreateLocation(h.Context(), h.edit(`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Home","isTrusted":true,"ipRanges":[{"cidrAddress":"198.51.100.0/24"}]}`))
		h.must(err)
		h.write(func(q db.Querier) error {
			return audit.WriteSignIn(h.Context(), q, audit.SignIn{ID: db.NewID(h.at), CreatedDateTime: h.at, UserID: h.grace.ID, IPAddress: "198.51.100.7", ClientAppUsed: "Browser",
				DeviceDetail: audit.DeviceDetail{OperatingSystem: "Windows"}, SignInEventTypes: []string{audit.Interactive}})
		})
		elsewhere := func(system string) string {
			return `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"locations":{"includeLocations":["All"],"excludeLocations":["` + l.ID + `"]}` + system + `},` + block
		}
		h.policy("From elsewhere", "enabled", elsewhere("")) // she comes from home, not from where she is now
		_, c, err := h.k.UpdateLocation(h.Context(), l.ID, h.edit(`{"ipRanges":[{"cidrAddress":"198.51.100.0/29"}]}`))
		if err != nil || c.Guard.Verdict != GuardPassed {
			t.Errorf("%+v %v", c, err)
		}
		_, _, err = h.k.UpdateLocation(h.Context(), l.ID, h.edit(`{"ipRanges":[{"cidrAddress":"192.0.2.0/24"}]}`))
		code(t, err, problem.Invalid, "wouldLockOutAdministrators")
		_, _, err = h.k.CreatePolicy(h.Context(), h.edit(policyBody("No Windows", "enabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"platforms":{"includePlatforms":["windows"]}},`+block)))
		code(t, err, problem.Invalid, "wouldLockOutAdministrators")
		// A new trusted location may be where a policy blocks.
		h.policy("Not from trusted places", "enabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"locations":{"includeLocations":["AllTrusted"],"excludeLocations":["`+l.ID+`"]}},`+block)
		_, _, err = h.k.UpdateLocation(h.Context(), l.ID, h.edit(`{"isTrusted":false}`))
		h.must(err)
		if _, c, err := h.k.CreateLocation(h.Context(), h.edit(`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Elsewhere","isTrusted":true,"ipRanges":[{"cidrAddress":"192.0.2.0/24"}]}`)); err != nil || c.Guard.Verdict != GuardPassed {
			t.Errorf("%+v %v", c, err)
		}
		other, _, err := h.k.CreateLocation(h.Context(), h.edit(`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Home again","ipRanges":[{"cidrAddress":"198.51.100.0/29"}]}`))
		h.must(err)
		h.policy("Not from other trusted places", "enabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"locations":{"includeLocations":["AllTrusted"]}},`+block)
		_, _, err = h.k.UpdateLocation(h.Context(), other.ID, h.edit(`{"isTrusted":true}`))
		code(t, err, problem.Invalid, "wouldLockOutAdministrators")
		_, _, err = h.k.CreateLocation(h.Context(), h.edit(`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Home","isTrusted":true,"ipRanges":[{"cidrAddress":"198.51.100.0/24"}]}`))
		code(t, err, problem.Invalid, "wouldLockOutAdministrators")
		h.policy("No Linux", "enabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"platforms":{"includePlatforms":["linux"]}},`+block)
	})
}

// TestPerson: what counts and what could be registered (CA-51, CA-52).
func TestPerson(t *testing.T) {
	each(t, func(h *house) {
		policy, err := h.k.Passkeys.Snapshot(h.Context())
		h.must(err)
		x, err := h.k.Person(h.Context(), h.d, h.grace, policy, h.at)
		h.must(err)
		if fmt.Sprint(x.Roles) != "["+directory.GlobalAdministrator+"]" || len(x.Methods) != 1 || x.Methods[0].Passkey.Type != passkey.DeviceBound || !x.Methods[0].Passkey.Attested ||
			x.Methods[0].ID != "key of grace@example.com" || len(x.Registrable.Passkeys) != 1 || x.Registrable.Passkeys[0].Listed || x.GuestType != "" {
			t.Errorf("%+v", x)
		}
		// Without a passkey there is nothing to prove oneself with.
		h.write(func(q db.Querier) error {
			_, err := q.ExecContext(h.Context(), `UPDATE passkeys SET rp_id = 'old.example.com' WHERE user_id = $1`, h.ada.ID)
			return err
		})
		x, err = h.k.Person(h.Context(), h.d, h.ada, policy, h.at)
		h.must(err)
		if len(x.Methods) != 0 || len(x.Registrable.Passkeys) != 0 || x.Registrable.Refusals[Fido2] != noBootstrapFactor || x.Registrable.Refusals[SoftwareOath] != methodNotAllowed {
			t.Errorf("%+v", x)
		}
		// A policy that allows synced passkeys only takes Grace's away.
		_, err = h.k.Passkeys.Change(h.Context(), passkey.Edit{Actor: audit.System("test"), At: h.at, Force: true, Body: []byte(`{"isSelfServiceRegistrationAllowed":false,"passkeyProfiles":[{"id":"` + passkey.DefaultProfileID + `","name":"Default passkey profile","passkeyTypes":"synced","attestationEnforcement":"disabled","keyRestrictions":{"isEnforced":true,"enforcementType":"allow","aaGuids":["` + models["Y"] + `"]}}]}`)})
		h.must(err)
		policy, err = h.k.Passkeys.Snapshot(h.Context())
		h.must(err)
		x, err = h.k.Person(h.Context(), h.d, h.grace, policy, h.at)
		h.must(err)
		if len(x.Methods) != 0 || x.Registrable.Refusals[Fido2] != selfServiceOff {
			t.Errorf("%+v", x)
		}
		if c := classes(nil, h.grace.ID, policy); len(c) != 1 || !c[0].Listed || len(c[0].AAGUIDs) != 1 || c[0].Types.Has(passkey.DeviceBound) {
			t.Errorf("%+v", c)
		}
	})
}

// TestTwoNodes: a change on one node counts on the other (CA-21).
func TestTwoNodes(t *testing.T) {
	each(t, func(h *house) {
		other := &Keeper{DB: h.d, Passkeys: h.k.Passkeys}
		first, err := other.Snapshot(h.Context())
		h.must(err)
		same, err := other.Snapshot(h.Context())
		h.must(err)
		h.policy("P", "enabledForReportingButNotEnforced", forAll+","+block)
		next, err := other.Snapshot(h.Context())
		h.must(err)
		if first != same || next == first || len(next.policies) != 1 {
			t.Errorf("%p %p %p", first, same, next)
		}
	})
}
