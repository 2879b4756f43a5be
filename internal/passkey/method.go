package passkey

import (
	"context"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/mds"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

// Method is Graph's fido2AuthenticationMethod: one passkey of one person.
type Method struct {
	ID                      string           `json:"id"` // MethodID of the credential id
	DisplayName             string           `json:"displayName"`
	CreatedDateTime         time.Time        `json:"createdDateTime"`
	LastUsedDateTime        *time.Time       `json:"lastUsedDateTime"`
	AaGuid                  string           `json:"aaGuid"`
	Model                   *string          `json:"model"` // for display only
	AttestationCertificates []string         `json:"attestationCertificates"`
	AttestationLevel        AttestationLevel `json:"attestationLevel"`
	PasskeyType             Type             `json:"passkeyType"`
	Cardea                  MethodExtra      `json:"cardea"` // DO-49

	Key          string   `json:"-"` // passkeys.id: what sessions and other tables name
	UserID       string   `json:"-"`
	CredentialID []byte   `json:"-"`
	Transports   []string `json:"-"` // as reported, a hint
	Attachment   string   `json:"-"` // platform, cross-platform or ""; a hint
	BackedUp     bool     `json:"-"`
	LastUsedOn   string   `json:"-"` // "Windows, Edge"
}

// MethodExtra is what Cardea adds to Graph's type.
type MethodExtra struct {
	// Disabled is a passkey that an administrator prepared and its owner has
	// yet to activate: it proves nothing until then.
	State State `json:"state"`
}

// Facts is what the policy looks at in a stored passkey at sign-in.
func (m *Method) Facts() Facts {
	a, _ := ParseAAGUID(m.AaGuid)
	return Facts{Type: m.PasskeyType, AAGUID: a, Disabled: m.Cardea.State == Disabled}
}

func (m *Method) what() string { return "This passkey" }

const methodColumns = `p.id, p.user_id, p.credential_id, p.display_name, p.aaguid, p.backup_eligible, p.backup_state, p.attested, p.transports,
	p.attachment, p.model, p.created_at, p.last_used_at, p.last_used_on, p.disabled, coalesce(a.certificates, '[]')
	FROM passkeys p LEFT JOIN passkey_attestations a ON a.passkey_id = p.id`

func (k *Keeper) scanMethod(r interface{ Scan(...any) error }, m *Method) error {
	var eligible, attested, disabled bool
	var transports, model, certificates string
	var created int64
	var used sql.NullInt64
	if err := r.Scan(&m.Key, &m.UserID, &m.CredentialID, &m.DisplayName, &m.AaGuid, &eligible, &m.BackedUp, &attested, &transports,
		&m.Attachment, &model, &created, &used, &m.LastUsedOn, &disabled, &certificates); err != nil {
		return err
	}
	m.ID, m.PasskeyType, m.CreatedDateTime, m.LastUsedDateTime = MethodID(m.CredentialID), TypeOf(eligible), db.Time(created), db.NullTime(used)
	m.Cardea.State = stateOf(disabled)
	m.AttestationLevel = NotAttested
	if attested {
		m.AttestationLevel = Attested
	}
	if transports != "" {
		m.Transports = strings.Split(transports, ",")
	}
	if name := k.model(m.AaGuid, model); name != "" {
		m.Model = &name
	}
	var chain [][]byte
	if err := json.Unmarshal([]byte(certificates), &chain); err != nil {
		return fmt.Errorf("certificates of passkey %s: %w", m.Key, err)
	}
	m.AttestationCertificates = Thumbprints(chain)
	return nil
}

func stateOf(disabled bool) State {
	if disabled {
		return Disabled
	}
	return Enabled
}

// model is today's name of a model, else the one noted at registration.
func (k *Keeper) model(aaguid, noted string) string {
	a, _ := ParseAAGUID(aaguid)
	if name := mds.Model(mds.AAGUID(a), k.Metadata.Entry(a)); name != "" {
		return name
	}
	return noted
}

// List returns the passkeys of a person, oldest first, whatever the policy
// says about them today.
func (k *Keeper) List(ctx context.Context, q db.Querier, userID string) ([]Method, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+methodColumns+` WHERE p.user_id = $1 ORDER BY p.created_at, p.id`, userID)
	return db.Collect(rows, err, func(r *sql.Rows, m *Method) error { return k.scanMethod(r, m) })
}

// Get returns one passkey of a person by its Graph id (PK-125, PK-126).
func (k *Keeper) Get(ctx context.Context, q db.Querier, userID, methodID string) (m Method, err error) {
	for _, id := range CredentialIDs(methodID) {
		err := k.scanMethod(q.QueryRowContext(ctx, `SELECT `+methodColumns+` WHERE p.credential_id = $1 AND p.user_id = $2`, id, userID), &m)
		if problem.KindOf(db.Err("", err)) != problem.NotFound {
			return m, err
		}
	}
	return m, problem.New(problem.NotFound, "keyNotFound", "This person has no such passkey. List the passkeys and use an id from there.")
}

// Standing is a passkey and what today's policy says about it (PK-64, UX-M7).
type Standing struct {
	Method
	Decision Decision `json:"-"`
}

// Standings lists the passkeys of a person with the decision of this moment.
func (k *Keeper) Standings(ctx context.Context, userID string) ([]Standing, error) {
	policy, memberOf, err := k.rulesFor(ctx, userID)
	if err != nil {
		return nil, err
	}
	all, err := k.List(ctx, k.DB, userID)
	if err != nil {
		return nil, err
	}
	out := make([]Standing, len(all))
	for i, m := range all {
		out[i] = Standing{m, Allowed(SignIn, m.Facts(), memberOf, userID, policy)}
	}
	return out, nil
}

// rules is what a decision about a person needs, as it is at one moment.
type rules struct {
	policy   *Snapshot
	memberOf []string
	have     []Method // only if they were asked for
}

// rulesFor reads policy and memberships of a person.
func (k *Keeper) rulesFor(ctx context.Context, userID string) (*Snapshot, []string, error) {
	r, err := k.allRulesFor(ctx, userID, false)
	return r.policy, r.memberOf, err
}

// allRulesFor reads, on one snapshot of the database, the rules for a person
// and, with passkeys, what the person has. The FIDO metadata is the newest
// afterwards, too.
func (k *Keeper) allRulesFor(ctx context.Context, userID string, passkeys bool) (r rules, err error) {
	var policy, metadata int64
	err = k.DB.Read(ctx, func(q db.Querier) (err error) {
		if policy, err = db.Version(ctx, q, directory.MethodPoliciesVersion); err != nil {
			return err
		}
		if metadata, err = db.Version(ctx, q, metadataVersion); err != nil {
			return err
		}
		if r.memberOf, err = directory.MemberOf(ctx, q, userID); err != nil || !passkeys {
			return err
		}
		r.have, err = k.List(ctx, q, userID)
		return err
	})
	if err != nil {
		return r, err
	}
	if r.policy, err = k.snapshotAt(ctx, policy); err != nil {
		return r, err
	}
	return r, k.Metadata.refreshAt(ctx, metadata)
}

// EffectivePolicy is cardea.effectivePasskeyPolicy (PK-65).
type EffectivePolicy struct {
	State    Applicability      `json:"state"`
	Profiles []EffectiveProfile `json:"profiles"`
	Methods  []EffectiveMethod  `json:"methods"`
}

// EffectiveMethod is one passkey in an EffectivePolicy.
type EffectiveMethod struct {
	ID      string     `json:"id"`
	Allowed bool       `json:"allowed"`
	State   string     `json:"state,omitempty"` // why no profile was asked, e.g. passkeyDisabled
	By      ProfileRef `json:"by,omitzero"`
	Reasons []Reason   `json:"reasons"`
}

// Effective says which profiles apply to a person, through which targets, and
// what they say about each passkey of the person.
func (k *Keeper) Effective(ctx context.Context, userID string) (EffectivePolicy, error) {
	policy, memberOf, err := k.rulesFor(ctx, userID)
	if err != nil {
		return EffectivePolicy{}, err
	}
	all, err := k.List(ctx, k.DB, userID)
	if err != nil {
		return EffectivePolicy{}, err
	}
	out := EffectivePolicy{Methods: []EffectiveMethod{}}
	out.State, out.Profiles = policy.Effective(memberOf, userID)
	for _, m := range all {
		d := Allowed(SignIn, m.Facts(), memberOf, userID, policy)
		out.Methods = append(out.Methods, EffectiveMethod{ID: m.ID, Allowed: d.Allowed, State: d.kept(), By: d.By, Reasons: filled(d.Reasons)})
	}
	return out, nil
}

// descriptors lists passkeys for options.
func descriptors(all []Method) []webauthn.Descriptor {
	out := make([]webauthn.Descriptor, len(all))
	for i, m := range all {
		out[i] = webauthn.Descriptor{ID: m.CredentialID, Transports: m.Transports}
	}
	return out
}

func scanText(r *sql.Rows, s *string) error { return r.Scan(s) }

// keyIdentifier hashes an attestation certificate's key as FIDO metadata names
// U2F models, as bytes of the hex text.
func keyIdentifierBytes(hexText string) []byte {
	b, err := hex.DecodeString(hexText)
	if err != nil || len(b) != sha1.Size {
		return nil
	}
	return b
}
