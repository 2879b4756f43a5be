package passkey

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
	"cardea/internal/webauthn"
)

// BeginSignIn makes the options of a sign-in by anybody: no name, no list, no
// database (PK-120). binding ties the answer to this browser, for example the
// value of a cookie; FinishSignIn wants the same.
func (k *Keeper) BeginSignIn(binding string, now time.Time) (Begun, error) {
	return k.beginAssertion("", binding, now, nil)
}

// BeginStepUp makes the options with which the person of a session proves a
// passkey again: to be fresh, or to try a new passkey.
func (k *Keeper) BeginStepUp(ctx context.Context, s session.Session, binding string, now time.Time) (Begun, error) {
	all, err := k.List(ctx, k.DB, s.UserID)
	if err != nil {
		return Begun{}, err
	}
	if len(all) == 0 {
		return Begun{}, problem.New(problem.NotFound, "keyNotFound", "You have no passkey yet. Create one first.")
	}
	return k.beginAssertion(s.UserID, binding, now, descriptors(all))
}

func (k *Keeper) beginAssertion(userID, binding string, now time.Time, allow []webauthn.Descriptor) (Begun, error) {
	state := newSealed(userID, binding, now.Add(ChallengeLife))
	challenge, err := state.challenge(k.Ring, sealSignIn)
	if err != nil {
		return Begun{}, err
	}
	options, err := webauthn.RequestOptions(k.RP, webauthn.Ceremony{Purpose: webauthn.SignInPurpose, Challenge: challenge}, allow)
	return Begun{options, base64.RawURLEncoding.EncodeToString(challenge), state.expires}, err
}

// Attempt is the answer to a sign-in.
type Attempt struct {
	Credential []byte           // the toJSON() form
	Binding    string           // as in BeginSignIn
	Session    *session.Session // to refresh, instead of a new one
	Beside     *session.Session // another session in this browser; if strong and fresh it vouches for an activation
	Situation  session.Situation
	At         time.Time
}

// SignedIn is a sign-in that succeeded.
type SignedIn struct {
	session.SignedIn
	Method    Method
	Decision  Decision
	Activated bool // the passkey waited for its owner until now
}

// errNotUsable is the one answer before proof (PK-121). Its cause is for the log.
var errNotUsable = problem.New(problem.Unauthenticated, "passkeyNotUsable", "This passkey could not be used. Try another passkey, or another way to sign in.")

// proofThrottle counts failed proofs per address, so that nobody fills the
// sign-in log. Successes are never counted and never refused.
const proofThrottle = "passkey"

// FinishSignIn verifies an assertion and opens a session (PK §6.4), or, with
// Attempt.Session, refreshes that session. One read and one write.
//
// Before proof, whatever is wrong, the answer is Unauthenticated,
// passkeyNotUsable, and costs the same; the true reason is in the sign-in log
// (PK-119, PK-121, PK-123). Apart from it, about no person: challengeExpired,
// responseMalformed (both Invalid), and requestThrottled (TooMany).
//
// After proof a refusal is Forbidden and precise: userDisabled, a code of
// Judge, or that of the Decision with its reasons. The challenge is spent then
// too, and events are recorded (PK-106, PK-122, PK-183).
//
// A passkey that waits for its owner is refused as passkeyDisabled, unless the
// same person was just proved in another way: then it is activated (activate.go).
func (k *Keeper) FinishSignIn(ctx context.Context, a Attempt) (SignedIn, error) {
	resp, err := webauthn.ParseAssertion(a.Credential)
	if err != nil {
		return SignedIn{}, err
	}
	seen, err := webauthn.Peek(resp)
	if err != nil {
		return SignedIn{}, err
	}
	state, err := unseal(k.Ring, sealSignIn, seen.Challenge)
	if err != nil {
		return SignedIn{}, errNotUsable.Because(err)
	}
	userID := ""
	if a.Session != nil {
		userID = a.Session.UserID
	}
	if !state.isFor(userID, a.Binding) {
		return SignedIn{}, errNotUsable.Because(errChallengeUnknown)
	}
	if !a.At.Before(state.expires) {
		return SignedIn{}, problem.New(problem.Invalid, "challengeExpired", "This page was open for a while. Please try again.")
	}
	p := proof{Attempt: a, state: state, challenge: seen.Challenge, resp: resp}
	// A parallel sign-in with the same passkey may move the counter between our
	// read and our write. Then everything is judged again by what is stored now.
	for range 3 {
		in, err := k.prove(ctx, &p)
		if !errors.Is(err, errRaced) {
			return in, err
		}
	}
	return SignedIn{}, k.unproved(ctx, &p, session.Failure{Code: 500121, Fact: SignCounterRegression, Reason: "Other sign-ins with this passkey were faster, again and again."})
}

// proof is one attempt on its way.
type proof struct {
	Attempt
	state     sealed
	challenge []byte
	resp      webauthn.Response
	rec       *record // what is stored of the passkey; nil if nobody has it
}

// prove does steps 2 to 9 of PK §6.4.
func (k *Keeper) prove(ctx context.Context, p *proof) (SignedIn, error) {
	var err error
	if p.rec, err = k.find(ctx, p.resp.CredentialID); err != nil {
		return SignedIn{}, err
	}
	if p.rec == nil {
		webauthn.VerifyDummy(p.resp)
		return SignedIn{}, k.unproved(ctx, p, session.Failure{Code: 135010, Fact: "credentialUnknown", Reason: "Nobody has this passkey."})
	}
	c := webauthn.Ceremony{Purpose: webauthn.SignInPurpose, Challenge: p.challenge, Expires: p.state.expires}
	if p.Session != nil {
		// Every passkey of the person was in the list; whose it is, is checked
		// by the handle.
		if c.UserHandle, err = UserHandle(k.TenantID, p.Session.UserID); err != nil {
			return SignedIn{}, err
		}
		c.Allowed = [][]byte{p.resp.CredentialID}
	}
	_, err = webauthn.SignIn(k.RP, c, p.rec.Record, p.resp, p.At)
	// With these two the signature was good (WA-49).
	if code := problem.CodeOf(err); err != nil && code != BackupStateInvalid && code != BackupEligibilityLost {
		if problem.KindOf(err) == problem.Internal {
			return SignedIn{}, err
		}
		return SignedIn{}, k.unproved(ctx, p, session.Failure{Code: 500121, Fact: code, Reason: "The passkey could not be verified."})
	}
	return k.proved(ctx, p)
}

// proved judges flags, account and policy (PK-117) and writes the outcome.
func (k *Keeper) proved(ctx context.Context, p *proof) (SignedIn, error) {
	policy, err := k.snapshotAt(ctx, p.rec.policyVersion)
	if err != nil {
		return SignedIn{}, err
	}
	j := Judge(p.rec.signs(), signsOf(p.resp))
	facts := p.rec.Facts()
	facts.Type = j.Type
	activates := facts.Disabled && p.vouched()
	facts.Disabled = facts.Disabled && !activates
	d := Allowed(SignIn, facts, p.rec.memberOf, p.rec.user.ID, policy)
	o := j.Conclude(d)
	v := verdict{proof: p, decision: d, outcome: o, activates: activates}
	switch {
	case j.Refusal != "":
		v.refusal = j.Problem()
		v.failure = session.Failure{Code: 500121, Fact: j.Refusal, Reason: "The passkey was refused: " + j.Refusal + "."}
	case !p.rec.user.AccountEnabled:
		v.outcome = j.Conclude(Decision{State: "userDisabled"}) // nothing is taken over from this assertion
		v.refusal = problem.New(problem.Forbidden, "userDisabled", "Your account is switched off. Ask your help desk to switch it on again.")
		v.failure = session.DisabledUser
	case !d.Allowed:
		v.refusal = d.Problem()
		v.failure = session.Failure{Code: 500121, Fact: d.Why(), Reason: v.refusal.Detail}
		v.refusal.Detail = d.Advice()
	default:
		return k.enter(ctx, v)
	}
	v.refusal.Kind = problem.Forbidden
	return SignedIn{}, k.refuse(ctx, v)
}

// verdict is what became of a proved attempt.
type verdict struct {
	*proof
	decision Decision
	outcome  Outcome
	refusal  *problem.Error
	failure  session.Failure

	activates bool // the passkey was prepared, and works from now on
}

var (
	errSpent = errors.New("the challenge was spent by another sign-in")
	errRaced = errors.New("another sign-in with the same passkey was faster")
)

// unproved writes a failure before proof and gives the one answer.
func (k *Keeper) unproved(ctx context.Context, p *proof, f session.Failure) error {
	err := throttle.Try(ctx, k.DB, proofThrottle, "address "+session.Network(p.Situation.IP), throttle.PerAddress, p.At)
	if err != nil {
		return err
	}
	row := p.Situation.Row(p.At)
	k.describeRow(&row, p.rec)
	if err := session.Refuse(ctx, k.DB, row, k.step(p.rec), f); err != nil {
		return err
	}
	return errNotUsable.Because(errors.New(f.Fact))
}

// signsOf reads the flags and counter of authenticator data whose signature
// verified (WebAuthn L3 §6.1: flags at byte 32, counter in the four after it).
func signsOf(resp webauthn.Response) Signs {
	data := resp.AuthenticatorData
	return Signs{BackupEligible: data[32]&0x08 != 0, BackupState: data[32]&0x10 != 0, SignCount: binary.BigEndian.Uint32(data[33:37])}
}

// record is what one read tells about a passkey, its owner and the policy.
type record struct {
	webauthn.Record
	Method
	user          directory.User
	aaguid        AAGUID
	memberOf      []string
	policyVersion int64
	breakGlass    string
}

func (r *record) signs() Signs {
	return Signs{BackupEligible: r.BackupEligible, BackupState: r.Record.BackupState, SignCount: r.SignCount}
}

// findSQL is the one read of a sign-in (blueprint §3.2). Memberships come as
// one text: a second read would cost as much as the rest.
const findSQL = `WITH RECURSIVE found (id, user_id) AS (SELECT id, user_id FROM passkeys WHERE credential_id = $1),
	above (id) AS (
		SELECT m.group_id FROM group_members m JOIN found f ON m.member_id = f.user_id
		UNION SELECT m.group_id FROM group_members m JOIN above a ON m.member_id = a.id),
	member (id) AS (SELECT id FROM above
		UNION SELECT r.role_id FROM role_assignments r JOIN found f ON r.principal_id = f.user_id
		UNION SELECT r.role_id FROM found f JOIN group_members m ON m.member_id = f.user_id JOIN role_assignments r ON r.principal_id = m.group_id)
	SELECT p.id, p.display_name, p.public_key, p.algorithm, p.aaguid, p.sign_count, p.backup_eligible, p.backup_state, p.attested, p.transports, p.attachment, p.model,
		p.created_at, p.disabled, u.id, u.upn, u.display_name, u.enabled,
		coalesce((SELECT string_agg(id, ',') FROM member), ''),
		(SELECT coalesce(max(value), 0) FROM versions WHERE name = '` + directory.MethodPoliciesVersion + `'),
		(SELECT coalesce(max(break_glass), '') FROM organization)
	FROM found f JOIN passkeys p ON p.id = f.id JOIN users u ON u.id = p.user_id AND u.deleted_at = 0`

// find reads the passkey with a credential id; nil if nobody has it.
func (k *Keeper) find(ctx context.Context, credentialID []byte) (*record, error) {
	var r record
	var aaguid, transports, model, memberOf string
	var attested, disabled bool
	var signCount, created int64
	m, u := &r.Method, &r.user
	err := k.DB.Read(ctx, func(q db.Querier) error {
		return q.QueryRowContext(ctx, findSQL, credentialID).Scan(&m.Key, &m.DisplayName, &r.PublicKey, &r.Algorithm, &aaguid, &signCount, &r.BackupEligible,
			&r.Record.BackupState, &attested, &transports, &m.Attachment, &model, &created, &disabled, &u.ID, &u.UserPrincipalName, &u.DisplayName, &u.AccountEnabled,
			&memberOf, &r.policyVersion, &r.breakGlass)
	})
	if problem.KindOf(db.Err("", err)) == problem.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.aaguid, _ = ParseAAGUID(aaguid)
	r.SignCount, r.memberOf = uint32(signCount), splitList(memberOf)
	r.Record.CredentialID = credentialID
	if r.UserHandle, err = UserHandle(k.TenantID, u.ID); err != nil {
		return nil, err
	}
	m.ID, m.UserID, m.CredentialID, m.AaGuid, m.PasskeyType = MethodID(credentialID), u.ID, credentialID, aaguid, TypeOf(r.BackupEligible)
	m.CreatedDateTime, m.BackedUp, m.Transports = db.Time(created), r.Record.BackupState, splitList(transports)
	m.Cardea.State = stateOf(disabled)
	m.AttestationLevel = NotAttested
	if attested {
		m.AttestationLevel = Attested
	}
	if name := k.model(aaguid, model); name != "" {
		m.Model = &name
	}
	return &r, nil
}
