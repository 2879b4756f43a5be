package passkey

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
)

// Impact is cardea.passkeyPolicyImpact: what a change of the policy would do
// to the passkeys that exist (PK §2.5).
type Impact struct {
	Passkeys                     ImpactPasskeys `json:"passkeys"`
	Users                        ImpactUsers    `json:"users"`
	AdministratorsLoseLastMethod int            `json:"administratorsLoseLastMethod"`
	NotAttested                  *Unattested    `json:"notAttested,omitempty"`
	ByReason                     []ReasonCount  `json:"byReason"`
	Warnings                     []Warning      `json:"warnings"`
	Affected                     []Affected     `json:"affected"` // at most MaxAffected, most recently used first
	AffectedTruncated            bool           `json:"affectedTruncated"`
	WouldLockOutAdministrators   bool           `json:"wouldLockOutAdministrators"` // the change itself would be refused (PK-42)
	enforced                     map[string]int // profile that newly enforces attestation: passkeys it could not register
}

// ImpactPasskeys counts passkeys.
type ImpactPasskeys struct {
	Total        int `json:"total"`
	StopWorking  int `json:"stopWorking"`
	StartWorking int `json:"startWorking"`
}

// ImpactUsers counts people who have passkeys.
type ImpactUsers struct {
	Total           int `json:"total"`
	LoseAllPasskeys int `json:"loseAllPasskeys"` // had one that worked, have none
	LoseLastMethod  int `json:"loseLastMethod"`  // and cannot sign in with password and code either
	StopWorking     int `json:"stopWorking"`     // at least one passkey stops working
}

// Unattested says how many working passkeys of a profile that newly enforces
// attestation could not be registered today. They keep working (PK-39).
type Unattested struct {
	ProfileID string `json:"profileId"`
	Passkeys  int    `json:"passkeys"`
}

// ReasonCount counts stopped passkeys by their first reason.
type ReasonCount struct {
	Code     string `json:"code"`
	Passkeys int    `json:"passkeys"`
}

// Affected is one passkey that stops or starts working.
type Affected struct {
	UserID            string     `json:"userId"`
	UserPrincipalName string     `json:"userPrincipalName"`
	MethodID          string     `json:"methodId"`
	DisplayName       string     `json:"displayName"`
	AaGuid            string     `json:"aaGuid"`
	PasskeyType       Type       `json:"passkeyType"`
	LastUsedDateTime  *time.Time `json:"lastUsedDateTime"`
	Before            string     `json:"before"` // allowed or refused
	After             string     `json:"after"`
	Reasons           []Reason   `json:"reasons"`
}

// MaxAffected is how many passkeys an Impact lists (PK-38).
const MaxAffected = 1000

// Preview says what e would do, and changes nothing. Its errors are those of
// Change for the body (PK-41). If each is not nil it gets every affected
// passkey, in no order that matters, and may stop with an error (PK-38).
func (k *Keeper) Preview(ctx context.Context, e Edit, each func(Affected) error) (Impact, error) {
	before, _, err := readPolicy(ctx, k.DB)
	if err != nil {
		return Impact{}, err
	}
	after, warnings, err := e.after(ctx, k.DB, before)
	if err != nil {
		return Impact{}, err
	}
	i, err := k.impact(ctx, before, after, e.At, each)
	if err != nil {
		return Impact{}, err
	}
	i.Warnings = filled(warnings)
	_, err = k.guardPolicy(ctx, k.DB, Compile(before), Compile(after), false)
	if i.WouldLockOutAdministrators = isLockOut(err); i.WouldLockOutAdministrators {
		err = nil
	}
	return *i, err
}

// details are the counts for the audit record of the change.
func (i *Impact) details() []audit.KeyValue {
	count := func(key string, n int) audit.KeyValue { return audit.KeyValue{Key: key, Value: strconv.Itoa(n)} }
	return []audit.KeyValue{count("passkeys", i.Passkeys.Total), count("passkeysStopWorking", i.Passkeys.StopWorking), count("passkeysStartWorking", i.Passkeys.StartWorking),
		count("usersLoseAllPasskeys", i.Users.LoseAllPasskeys), count("usersLoseLastMethod", i.Users.LoseLastMethod), count("administratorsLoseLastMethod", i.AdministratorsLoseLastMethod)}
}

// weighing is one run over all passkeys, person by person.
type weighing struct {
	before, after *Snapshot
	people        *population
	metadata      *Metadata
	enforcing     map[string]bool // profiles that newly enforce attestation
	now           time.Time
	out           *Impact
	reasons       map[string]int
	each          func(Affected) error

	// the person in hand
	userID, upn              string
	enabled                  bool
	memberOf                 []string
	hadOne, hasOne, lostSome bool
}

// impact evaluates every stored passkey under both documents, as a sign-in
// would (PK-37). One ordered scan; memory grows with groups and people, not
// with passkeys.
func (k *Keeper) impact(ctx context.Context, before, after Configuration, now time.Time, each func(Affected) error) (*Impact, error) {
	people, err := loadPopulation(ctx, k.DB)
	if err != nil {
		return nil, err
	}
	w := &weighing{before: Compile(before), after: Compile(after), people: people, metadata: k.Metadata, enforcing: newlyEnforcing(before, after), now: now,
		out: &Impact{Affected: []Affected{}, Warnings: []Warning{}, enforced: map[string]int{}}, reasons: map[string]int{}, each: each}
	rows, err := k.DB.QueryContext(ctx, `SELECT p.user_id, u.upn, u.enabled, p.credential_id, p.display_name, p.aaguid, p.backup_eligible, p.attested, p.last_used_at, p.disabled
		FROM passkeys p JOIN users u ON u.id = p.user_id AND u.deleted_at = 0 ORDER BY p.user_id, p.created_at, p.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := w.row(rows); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	w.endPerson()
	w.finish(after)
	return w.out, nil
}

func (w *weighing) row(r interface{ Scan(...any) error }) error {
	var a Affected
	var enabled, eligible, attested, disabled bool
	var credentialID []byte
	var used *int64
	if err := r.Scan(&a.UserID, &a.UserPrincipalName, &enabled, &credentialID, &a.DisplayName, &a.AaGuid, &eligible, &attested, &used, &disabled); err != nil {
		return err
	}
	if a.UserID != w.userID {
		w.endPerson()
		w.userID, w.upn, w.enabled, w.memberOf = a.UserID, a.UserPrincipalName, enabled, w.people.memberOf(a.UserID)
		w.hadOne, w.hasOne, w.lostSome = false, false, false
	}
	aaguid, _ := ParseAAGUID(a.AaGuid)
	pk := Facts{Type: TypeOf(eligible), AAGUID: aaguid, Disabled: disabled}
	was, is := Allowed(SignIn, pk, w.memberOf, w.userID, w.before), Allowed(SignIn, pk, w.memberOf, w.userID, w.after)
	w.out.Passkeys.Total++
	w.hadOne, w.hasOne = w.hadOne || was.Allowed, w.hasOne || is.Allowed
	if is.Allowed && len(w.enforcing) > 0 {
		w.countNotAttested(pk, attested)
	}
	switch {
	case was.Allowed == is.Allowed:
		return nil
	case was.Allowed:
		w.lostSome = true
		w.out.Passkeys.StopWorking++
		w.reasons[is.Why()]++
	default:
		w.out.Passkeys.StartWorking++
	}
	a.MethodID, a.PasskeyType, a.Before, a.After, a.Reasons = MethodID(credentialID), pk.Type, word(was), word(is), filled(is.Reasons)
	if used != nil {
		t := db.Time(*used)
		a.LastUsedDateTime = &t
	}
	w.keep(a)
	if w.each != nil {
		return w.each(a)
	}
	return nil
}

func word(d Decision) string {
	if d.Allowed {
		return "allowed"
	}
	return "refused"
}

// keep holds the most recently used MaxAffected: it collects twice as many and
// then throws the older half away.
func (w *weighing) keep(a Affected) {
	if w.out.Affected = append(w.out.Affected, a); len(w.out.Affected) >= 2*MaxAffected {
		w.trim()
	}
}

func (w *weighing) trim() {
	slices.SortStableFunc(w.out.Affected, func(a, b Affected) int {
		if c := usedAt(b).Compare(usedAt(a)); c != 0 {
			return c
		}
		return strings.Compare(a.MethodID, b.MethodID)
	})
	if len(w.out.Affected) > MaxAffected {
		w.out.Affected, w.out.AffectedTruncated = w.out.Affected[:MaxAffected:MaxAffected], true
	}
}

func usedAt(a Affected) time.Time {
	if a.LastUsedDateTime == nil {
		return time.Time{}
	}
	return *a.LastUsedDateTime
}

// endPerson counts the person whose passkeys were all seen.
func (w *weighing) endPerson() {
	if w.userID == "" {
		return
	}
	w.out.Users.Total++
	if w.lostSome {
		w.out.Users.StopWorking++
	}
	if !w.hadOne || w.hasOne {
		return
	}
	w.out.Users.LoseAllPasskeys++
	if w.people.hasOtherMFA(w.userID, w.memberOf) {
		return
	}
	w.out.Users.LoseLastMethod++
	if w.enabled && w.people.administrators[w.userID] {
		w.out.AdministratorsLoseLastMethod++
	}
}

// countNotAttested asks each profile that newly enforces attestation and
// applies to the person, alone, whether it could register the passkey today.
func (w *weighing) countNotAttested(pk Facts, attested bool) {
	e := Evidence{Attested: attested, Reason: "attestationNone", HasMetadata: w.metadata.Number() > 0, Entry: w.metadata.Entry(pk.AAGUID)}
	pk.Trusted, pk.Cause = e.Trusted(w.now)
	var small [setWords]uint64
	mine := w.after.emptySet(&small)
	if w.after.applicable(w.memberOf, w.userID, mine) != Applies {
		return
	}
	for i := range w.after.profiles {
		p := &w.after.profiles[i]
		if mine.has(i) && w.enforcing[p.ref.ID] && p.accepts(SignIn, pk) && !p.accepts(Register, pk) {
			w.out.enforced[p.ref.ID]++
		}
	}
}

// newlyEnforcing lists the profiles of after that enforce attestation and did
// not before.
func newlyEnforcing(before, after Configuration) map[string]bool {
	was, ids := before.byID(), map[string]bool{}
	for _, p := range after.PasskeyProfiles {
		if p.AttestationEnforcement != AttestationRegistrationOnly {
			continue
		}
		if old := was[p.ID]; old == nil || old.AttestationEnforcement != AttestationRegistrationOnly {
			ids[p.ID] = true
		}
	}
	return ids
}

func (w *weighing) finish(after Configuration) {
	w.trim()
	for code, n := range w.reasons {
		w.out.ByReason = append(w.out.ByReason, ReasonCount{code, n})
	}
	slices.SortFunc(w.out.ByReason, func(a, b ReasonCount) int {
		if a.Passkeys != b.Passkeys {
			return b.Passkeys - a.Passkeys
		}
		return strings.Compare(a.Code, b.Code)
	})
	w.out.ByReason = filled(w.out.ByReason)
	for _, p := range after.PasskeyProfiles { // the one with most passkeys; the first of equals
		if n, newly := w.out.enforced[p.ID], w.enforcing[p.ID]; newly && (w.out.NotAttested == nil || n > w.out.NotAttested.Passkeys) {
			w.out.NotAttested = &Unattested{p.ID, n}
		}
	}
}
