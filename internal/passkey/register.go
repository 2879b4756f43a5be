package passkey

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/mds"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/webauthn"
)

// Registration says who registers a passkey for whom, and where. On our own
// pages Session is set; without it the call is one of a tool (provisioning):
// for somebody else, or, if Own, by a person for themselves (PK-129).
type Registration struct {
	User    directory.User // who will own the passkey
	Actor   audit.Actor
	At      time.Time
	Session *session.Session

	Own   bool
	MFAAt time.Time     // Own: the caller's last multifactor proof, from the token
	Life  time.Duration // of the challenge of a tool; 0 means 5 minutes (see ProvisioningLife)
}

// OwnAge is how old the multifactor proof behind an Own call may be (PK-48).
const OwnAge = 10 * time.Minute

const defaultProvisioningLife = 5 * time.Minute

// ProvisioningLife reads challengeTimeoutInMinutes: 5 to 43200 (PK-49).
func ProvisioningLife(minutes float64) (time.Duration, error) {
	if !(minutes >= 5 && minutes <= 43200) {
		return 0, problem.New(problem.Invalid, "badRequest", "challengeTimeoutInMinutes is between 5 and 43200. Leave it out for 5.").On("challengeTimeoutInMinutes")
	}
	return time.Duration(minutes * float64(time.Minute)), nil
}

func (r *Registration) operation() Operation {
	if r.Session != nil || r.Own {
		return Register
	}
	return Provision
}

// bound is what the challenge belongs to beside the person (PK §6.2).
func (r *Registration) seal(tenantID string) (purpose, bound string) {
	if r.Session != nil {
		return sealRegister, r.Session.ID
	}
	return sealProvision, tenantID
}

// fresh applies PK-47 and PK-48. A registration for somebody else needs none.
// dialog is how long the system's dialog may have been open since: on our own
// pages the proof is asked for before it opens, and a person who looks for a key
// must not end with a passkey that nobody knows.
func (r *Registration) fresh(dialog time.Duration) error {
	switch {
	case r.Session != nil:
		return session.Fresh(*r.Session, r.At.Add(-dialog))
	case r.Own && (r.MFAAt.IsZero() || r.At.Sub(r.MFAAt) > OwnAge):
		return problem.New(problem.Unauthenticated, "ngcMfaRequired", "Sign in again with a passkey or another strong method, then repeat the call within %d minutes.", int(OwnAge.Minutes()))
	}
	return nil
}

// BeginRegistration makes the options of a new passkey. It leaves nothing
// behind but, for a tool that works for somebody else, one audit record
// (PK-137). It fails with the code that FinishRegistration would give if no
// passkey could be registered at all (PK-138): featureDisallowedByPolicy,
// userGroupRestriction, tooManyPasskeys; and with Unauthenticated,
// ngcMfaRequired, if the person has to sign in again (PK-47).
func (k *Keeper) BeginRegistration(ctx context.Context, r Registration) (Begun, error) {
	now, err := k.allRulesFor(ctx, r.User.ID, true)
	if err != nil {
		return Begun{}, err
	}
	if d := Eligible(r.operation(), now.memberOf, r.User.ID, now.policy); !d.Allowed {
		return Begun{}, r.refusal(d)
	}
	if len(now.have) >= k.MaxPerUser {
		return Begun{}, k.tooMany()
	}
	if err := r.fresh(0); err != nil {
		return Begun{}, err
	}
	handle, err := UserHandle(k.TenantID, r.User.ID)
	if err != nil {
		return Begun{}, err
	}
	c := webauthn.Ceremony{Purpose: webauthn.RegisterPurpose, UserHandle: handle}
	life := ChallengeLife
	if r.Session == nil {
		c.Purpose = webauthn.ProvisionPurpose
		if life = r.Life; life == 0 {
			life = defaultProvisioningLife
		}
	}
	purpose, bound := r.seal(k.TenantID)
	state := newSealed(r.User.ID, bound, r.At.Add(life))
	if c.Challenge, err = state.challenge(k.Ring, purpose); err != nil {
		return Begun{}, err
	}
	options, err := webauthn.CreationOptions(k.RP, c, webauthn.User{Handle: handle, Name: r.User.UserPrincipalName, DisplayName: r.User.DisplayName}, descriptors(now.have))
	if err != nil {
		return Begun{}, err
	}
	if r.operation() == Provision {
		err = k.DB.Write(ctx, func(q db.Querier) error {
			return audit.Write(ctx, q, r.Actor, r.At, audit.Record{ActivityDisplayName: "Get passkey creation options", Category: "UserManagement", LoggedByService: "Authentication Methods",
				OperationType: "Other", TargetResources: []audit.Target{audit.Person(r.User.ID, r.User.DisplayName, r.User.UserPrincipalName)},
				AdditionalDetails: []audit.KeyValue{{Key: "challengeTimeout", Value: life.String()}}})
		})
	}
	return Begun{options, base64.RawURLEncoding.EncodeToString(c.Challenge), state.expires}, err
}

func (k *Keeper) tooMany() *problem.Error {
	return problem.New(problem.Invalid, "tooManyPasskeys", "One person may have %d passkeys. Delete one that is not used any more first.", k.MaxPerUser)
}

// refusal is a decision in the words of whoever reads it: on our own pages the
// person, else the administrator or program.
func (r *Registration) refusal(d Decision) *problem.Error {
	e := d.Problem()
	if r.Session != nil {
		e.Detail = d.Advice()
	}
	return e
}

// Registered is a new passkey and the decision that allowed it.
type Registered struct {
	Method   Method
	Decision Decision
}

// FinishRegistration verifies the answer of the authenticator and stores the
// passkey, in the order of PK §6.3. Its refusals have the codes of PK §7.6,
// with the precise check as a Reason; each is logged (RL-35). The policy is
// the one of this moment (PK-113), and so is the proof of a person who registers
// for themselves: Unauthenticated, ngcMfaRequired (PK-129).
func (k *Keeper) FinishRegistration(ctx context.Context, r Registration, a Answer) (Registered, error) {
	n := newcomer{Registration: r}
	var err error
	if n.rules, err = k.allRulesFor(ctx, r.User.ID, false); err != nil {
		return Registered{}, err
	}
	// The challenge of a tool lives up to 30 days: the proof must be of now.
	err = r.fresh(ChallengeLife)
	if err == nil {
		err = k.verify(&n, a)
	}
	if err == nil {
		err = k.admit(&n)
	}
	if err == nil {
		err = k.DB.Write(ctx, func(q db.Querier) error { return k.store(ctx, q, &n) })
	}
	if err == nil {
		return Registered{n.method, n.decision}, nil
	}
	if problem.KindOf(err) != problem.Internal {
		if logged := k.DB.Write(ctx, func(q db.Querier) error { return k.logRefused(ctx, q, &n, err) }); logged != nil {
			return Registered{}, logged
		}
	}
	return Registered{}, err
}

// newcomer is a passkey on its way in.
type newcomer struct {
	Registration
	rules    rules
	name     string
	state    State
	facts    webauthn.Facts
	trust    webauthn.Trust
	decision Decision
	aaguid   AAGUID
	method   Method
}

// verify makes the checks 1 to 6 of PK §6.3.
func (k *Keeper) verify(n *newcomer, a Answer) error {
	seen, err := webauthn.Peek(a.Response)
	if err != nil {
		return graphCode(err)
	}
	purpose, bound := n.seal(k.TenantID)
	state, err := unseal(k.Ring, purpose, seen.Challenge)
	if err == nil && (!state.isFor(n.User.ID, bound) || n.Session != nil && n.Session.UserID != n.User.ID) {
		err = errChallengeUnknown // PK-108
	}
	if err != nil {
		return graphCode(err)
	}
	if n.state = a.State; n.state == "" {
		n.state = Enabled
	}
	if n.state == Disabled && n.operation() != Provision {
		return problem.New(problem.Invalid, "badRequest", "Only a passkey for somebody else can be registered as disabled. Leave cardea.state out.").On("/cardea/state")
	}
	handle, err := UserHandle(k.TenantID, n.User.ID)
	if err != nil {
		return err
	}
	c := webauthn.Ceremony{Purpose: webauthn.RegisterPurpose, Challenge: seen.Challenge, UserHandle: handle, Expires: state.expires}
	if n.Session == nil {
		c.Purpose, c.LenientOrigin = webauthn.ProvisionPurpose, true // PK-115
	}
	if n.facts, err = webauthn.Register(k.RP, c, a.Response, n.At); err != nil {
		return graphCode(err)
	}
	n.aaguid = n.facts.AAGUID
	n.name, err = DisplayName(a.DisplayName, k.Name(n.aaguid))
	return err
}

// Name is what people call the provider or model, "" if nobody knows (WA-72).
func (k *Keeper) Name(a AAGUID) string {
	return mds.Name(mds.AAGUID(a), "en", nil, k.Metadata.Entry(a))
}

// admit judges attestation and policy (checks 6 and 7).
func (k *Keeper) admit(n *newcomer) error {
	var e Evidence
	n.trust, e = k.Metadata.judge(n.facts.Attestation, n.aaguid, n.At)
	pk := Facts{Type: TypeOf(n.facts.BackupEligible), AAGUID: n.aaguid}
	pk.Trusted, pk.Cause = e.Trusted(n.At)
	if n.decision = Allowed(n.operation(), pk, n.rules.memberOf, n.User.ID, n.rules.policy); !n.decision.Allowed {
		return n.refusal(n.decision)
	}
	return nil
}

// store writes the passkey and its audit records (checks 8 and 9).
func (k *Keeper) store(ctx context.Context, q db.Querier, n *newcomer) error {
	var have int
	if err := q.QueryRowContext(ctx, `SELECT count(*) FROM passkeys WHERE user_id = $1`, n.User.ID).Scan(&have); err != nil {
		return err
	}
	if have >= k.MaxPerUser {
		return k.tooMany()
	}
	f, key := &n.facts, db.NewID(n.At)
	level := LevelOf(n.trust.Attested, n.trust.Source)
	_, err := q.ExecContext(ctx, `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible, backup_state,
		attested, transports, attachment, rp_id, model, created_at, disabled) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		key, n.User.ID, f.CredentialID, n.name, f.PublicKey, f.Algorithm, n.aaguid.String(), int64(f.SignCount), f.BackupEligible, f.BackupState,
		level == Attested, strings.Join(cleanTransports(f.Transports), ","), f.Attachment, k.RP.ID, k.model(n.aaguid.String(), ""), n.At.UnixMilli(), n.state == Disabled)
	if err = db.Err("This passkey", err); problem.KindOf(err) == problem.Conflict {
		return problem.New(problem.Conflict, "credentialAlreadyRegistered", "This passkey is registered already. Use it, or create another one.").Because(err) // PK-109
	}
	if err != nil {
		return err
	}
	chain, err := json.Marshal(filled(f.Attestation.Certificates))
	if err != nil {
		return err
	}
	trust, err := json.Marshal(n.trust)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO passkey_attestations (passkey_id, format, type, problem, certificates, attestation_object, client_data, trust, metadata_no, profile_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, key, f.Attestation.Format, f.Attestation.Type, f.Attestation.Problem, string(chain),
		f.Attestation.Object, f.Attestation.ClientData, string(trust), k.Metadata.Number(), n.decision.By.ID); err != nil {
		return err
	}
	n.method = Method{ID: MethodID(f.CredentialID), DisplayName: n.name, CreatedDateTime: db.Time(n.At.UnixMilli()), AaGuid: n.aaguid.String(),
		AttestationCertificates: Thumbprints(f.Attestation.Certificates), AttestationLevel: level, PasskeyType: TypeOf(f.BackupEligible), Cardea: MethodExtra{State: n.state},
		Key: key, UserID: n.User.ID, CredentialID: f.CredentialID, Transports: cleanTransports(f.Transports), Attachment: f.Attachment, BackedUp: f.BackupState}
	if name := k.model(n.method.AaGuid, ""); name != "" {
		n.method.Model = &name
	}
	return k.logMethod(ctx, q, n.Actor, n.At, methodChange{user: n.User, verb: "registered", method: n.method,
		more: []audit.KeyValue{{Key: "profileId", Value: n.decision.By.ID}, {Key: "profileName", Value: n.decision.By.Name}}})
}

// cleanTransports keeps what could be a transport: they are joined by commas.
func cleanTransports(reported []string) []string {
	var kept []string
	for _, t := range reported {
		if len(kept) < 8 && t != "" && len(t) <= 32 && strings.Trim(t, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			kept = append(kept, t)
		}
	}
	return kept
}
