package passkey_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/mds"
	"cardea/internal/mds/mdstest"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/webauthn"
)

const (
	origin  = "https://id.example.com"
	browser = "cookie of this browser"
	edge    = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
	modelX  = "90a3ccdf-635c-4729-a248-9b709135078f"
	modelY  = "cb69481e-8ff7-4039-93ec-0a2729a154a8"
	modelZ  = "2fc0579f-8113-47ea-b116-bb5a8db9202a"
	zero    = "00000000-0000-0000-0000-000000000000"
)

// house is a whole organisation on a real database: a Keeper, Ada, and Grace,
// who is a Global Administrator without passkey.
type house struct {
	testing.TB
	d     *db.DB
	k     *passkey.Keeper
	at    time.Time
	ada   directory.User
	grace directory.User
	admin audit.Actor
	maker *cardeatest.AttestationCA // of the models X, Y and Z
}

// each runs f on both engines.
func each(t *testing.T, f func(h *house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(newHouse(t, d)) })
}

func newHouse(t testing.TB, d *db.DB) *house {
	// The library that checks attestation certificates looks at the wall clock.
	h := &house{TB: t, d: d, at: time.Now().UTC().Truncate(time.Millisecond)}
	org, err := directory.EnsureOrganization(t.Context(), d, h.at)
	h.must(err)
	master, err := jose.NewMaster(bytes.Repeat([]byte{7}, 32))
	h.must(err)
	ring, err := jose.OpenRing(t.Context(), d, master, h.at)
	h.must(err)
	h.k = h.keeper(d, ring, org.ID)
	h.ada, h.grace = h.user("Ada@example.com"), h.user("grace@example.com")
	h.admin = audit.Actor{UserID: h.grace.ID, UserName: "Grace", UserPrincipalName: "grace@example.com", CorrelationID: "c-admin"}
	h.write(func(q db.Querier) error {
		return directory.AssignRole(t.Context(), q, audit.System("test"), h.at, directory.RoleAssignment{UserID: h.grace.ID, RoleID: directory.GlobalAdministrator})
	})
	h.maker, err = cardeatest.NewAttestationCA("Maker of keys", h.at)
	h.must(err)
	return h
}

// keeper opens one more node on the same database.
func (h *house) keeper(d *db.DB, ring *jose.Ring, tenant string) *passkey.Keeper {
	h.Helper()
	k := &passkey.Keeper{DB: d, Ring: ring, TenantID: tenant, RP: webauthn.RelyingParty{ID: "id.example.com", Name: "Cardea", Origins: []string{origin}}}
	h.must(passkey.Open(h.Context(), k, h.at))
	return k
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

func (h *house) user(name string) (u directory.User) {
	h.Helper()
	h.write(func(q db.Querier) (err error) {
		u, err = directory.CreateUser(h.Context(), q, audit.System("test"), h.at, directory.User{UserPrincipalName: name, DisplayName: strings.Split(name, "@")[0], AccountEnabled: true})
		return err
	})
	return u
}

// group makes a group with these users or groups in it.
func (h *house) group(name string, members ...string) string {
	h.Helper()
	var g directory.Group
	h.write(func(q db.Querier) (err error) {
		if g, err = directory.CreateGroup(h.Context(), q, audit.System("test"), h.at, directory.Group{DisplayName: name}); err != nil {
			return err
		}
		for _, m := range members {
			if err := directory.AddMember(h.Context(), q, audit.System("test"), h.at, directory.Membership{GroupID: g.ID, MemberID: m}); err != nil {
				return err
			}
		}
		return nil
	})
	return g.ID
}

// later moves the clock.
func (h *house) later(d time.Duration) { h.at = h.at.Add(d) }

// session is a fresh one of u, as a Temporary Access Pass opens it.
func (h *house) session(u directory.User) (s session.Session) {
	h.Helper()
	h.write(func(q db.Querier) (err error) {
		s, _, err = session.Start(h.Context(), q, h.at, session.Session{UserID: u.ID, MFAAt: h.at, Methods: []string{session.MethodAccessPass, session.MethodMFA}})
		return err
	})
	return s
}

// own is a registration of u on our own pages, provision one by Grace.
func (h *house) own(u directory.User) passkey.Registration {
	s := h.session(u)
	return passkey.Registration{User: u, Actor: audit.Actor{UserID: u.ID, UserPrincipalName: u.UserPrincipalName, CorrelationID: "c-own"}, At: h.at, Session: &s}
}

func (h *house) provision(u directory.User) passkey.Registration {
	return passkey.Registration{User: u, Actor: h.admin, At: h.at}
}

// create runs a whole registration with authenticator a.
func (h *house) create(r passkey.Registration, a *cardeatest.Authenticator) (passkey.Registered, error) {
	h.Helper()
	begun, err := h.k.BeginRegistration(h.Context(), r)
	if err != nil {
		return passkey.Registered{}, err
	}
	return h.finish(r, a, begun)
}

func (h *house) finish(r passkey.Registration, a *cardeatest.Authenticator, begun passkey.Begun) (passkey.Registered, error) {
	h.Helper()
	credential, err := a.Create(begun.Options, origin)
	h.must(err)
	answer, err := passkey.ReadAnswer(credential, "")
	if err != nil {
		return passkey.Registered{}, err
	}
	return h.k.FinishRegistration(h.Context(), r, answer)
}

// register is create on our own pages, which must work.
func (h *house) register(u directory.User, a *cardeatest.Authenticator) passkey.Method {
	h.Helper()
	done, err := h.create(h.own(u), a)
	h.must(err)
	return done.Method
}

var office = session.Situation{IP: "192.0.2.7", UserAgent: edge, AppID: "app", AppName: "Mail", CorrelationID: "c-sign-in"}

// attempt answers fresh options with authenticator a, a moment later than the
// one before: the order of the log is time.
func (h *house) attempt(a *cardeatest.Authenticator) passkey.Attempt {
	h.Helper()
	h.later(time.Millisecond)
	begun, err := h.k.BeginSignIn(browser, h.at)
	h.must(err)
	credential, err := a.Get(begun.Options, origin)
	h.must(err)
	return passkey.Attempt{Credential: credential, Binding: browser, Situation: office, At: h.at}
}

func (h *house) signIn(a *cardeatest.Authenticator) (passkey.SignedIn, error) {
	h.Helper()
	return h.k.FinishSignIn(h.Context(), h.attempt(a))
}

// patch changes the policy.
func (h *house) patch(body string) []passkey.Warning {
	h.Helper()
	warnings, err := h.k.Change(h.Context(), h.edit(body))
	h.must(err)
	return warnings
}

func (h *house) edit(body string) passkey.Edit {
	return passkey.Edit{Body: []byte(body), Actor: h.admin, At: h.at}
}

// profiles is the body that replaces the profiles, beside a default profile
// that is assigned to nobody, and assigns them: one JSON profile per argument,
// each to everybody.
func profiles(list ...string) string {
	body := `{"passkeyProfiles": [{"id": "` + passkey.DefaultProfileID + `", "name": "Default passkey profile", "passkeyTypes": "deviceBound,synced",
		"attestationEnforcement": "disabled", "keyRestrictions": {}}`
	var ids []string
	for i, p := range list {
		id := fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i+1)
		ids = append(ids, `"`+id+`"`)
		body += `, {"id": "` + id + `", ` + p + `}`
	}
	return body + `], "includeTargets": [{"id": "all_users", "targetType": "group", "allowedPasskeyProfiles": [` + strings.Join(ids, ",") + `]}]}`
}

const (
	deviceBoundOnly = `"name": "Security keys only", "passkeyTypes": "deviceBound", "attestationEnforcement": "disabled", "keyRestrictions": {}`
	anything        = `"name": "Anything", "passkeyTypes": "deviceBound,synced", "attestationEnforcement": "disabled", "keyRestrictions": {}`
	strict          = `"name": "Strict", "passkeyTypes": "deviceBound", "attestationEnforcement": "registrationOnly",
		"keyRestrictions": {"isEnforced": true, "enforcementType": "allow", "aaGuids": ["` + modelX + `", "` + modelY + `", "` + modelZ + `"]}`
	onlyX = `"name": "Only X", "passkeyTypes": "deviceBound,synced", "attestationEnforcement": "disabled",
		"keyRestrictions": {"isEnforced": true, "enforcementType": "allow", "aaGuids": ["` + modelX + `"]}`
)

func guid(s string) [16]byte {
	a, ok := passkey.ParseAAGUID(s)
	if !ok {
		panic("not a GUID: " + s)
	}
	return a
}

// key is a security key of a model whose maker vouches for it; change may
// make a forger of it.
func (h *house) key(model string, change ...func(*cardeatest.LeafRules)) *cardeatest.Authenticator {
	h.Helper()
	return h.keyFrom(h.maker, model, change...)
}

func (h *house) keyFrom(ca *cardeatest.AttestationCA, model string, change ...func(*cardeatest.LeafRules)) *cardeatest.Authenticator {
	h.Helper()
	id := guid(model)
	rules := cardeatest.LeafRules{AAGUID: &id}
	for _, f := range change {
		f(&rules)
	}
	leaf, err := ca.Issue(rules)
	h.must(err)
	return cardeatest.NewAuthenticator(cardeatest.SecurityKey(id), func(a *cardeatest.Authenticator) { a.Attestation.Leaf = leaf })
}

func synced(change ...func(*cardeatest.Authenticator)) *cardeatest.Authenticator {
	return cardeatest.NewAuthenticator(change...)
}

// metadata gives the server a BLOB with these entries.
func (h *house) metadata(no int64, entries ...mdstest.Entry) {
	h.Helper()
	authority, err := mdstest.New(mdstest.Config{Now: h.at})
	h.must(err)
	blob, err := authority.SignBLOB(no, entries...)
	h.must(err)
	m, _, err := mds.Verify(blob, authority.Roots(), h.at, 0)
	h.must(err)
	h.must(h.k.Metadata.Save(h.Context(), audit.System("metadata"), h.at, mds.Result{Metadata: m, ETag: fmt.Sprint(no)}))
}

// entry is the certified model of a house's maker.
func (h *house) entry(model, name string) mdstest.Entry {
	h.Helper()
	root, err := x509.ParseCertificate(h.maker.Root)
	h.must(err)
	return mdstest.SecurityKey(model, name, root)
}

// refused wants a problem of this code.
func (h *house) refused(err error, kind problem.Kind, code string) *problem.Error {
	h.Helper()
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Kind != kind || e.Code != code || e.Detail == "" {
		h.Fatalf("got %v (kind %v), want %s", err, problem.KindOf(err), code)
	}
	return e
}

// signIns reads the sign-in log, newest first.
func (h *house) signIns() []audit.SignIn {
	h.Helper()
	return readRecords[audit.SignIn](h, `SELECT record FROM sign_ins ORDER BY id DESC`)
}

// audits reads the records of an activity, newest first.
func (h *house) audits(activity string) []audit.Record {
	h.Helper()
	return readRecords[audit.Record](h, `SELECT record FROM directory_audits WHERE activity = $1 ORDER BY id DESC`, activity)
}

func readRecords[T any](h *house, text string, args ...any) []T {
	h.Helper()
	rows, err := h.d.QueryContext(h.Context(), text, args...)
	h.must(err)
	defer rows.Close()
	var out []T
	for rows.Next() {
		var record string
		var one T
		h.must(rows.Scan(&record))
		h.must(json.Unmarshal([]byte(record), &one))
		out = append(out, one)
	}
	h.must(rows.Err())
	return out
}

func (h *house) count(text string, args ...any) (n int) {
	h.Helper()
	h.must(h.d.QueryRowContext(h.Context(), text, args...).Scan(&n))
	return n
}

// detail finds a value in additionalDetails.
func detail(r audit.Record, key string) string {
	i := slices.IndexFunc(r.AdditionalDetails, func(d audit.KeyValue) bool { return d.Key == key })
	if i < 0 {
		return "(none)"
	}
	return r.AdditionalDetails[i].Value
}
