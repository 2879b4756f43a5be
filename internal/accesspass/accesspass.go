// Package accesspass is the way in and the way back: the Temporary Access Pass
// that an administrator issues, and links that work once.
//
// The life of a pass. Create stores its slow hash and shows the code for the
// only time. From its start on the person signs in with it (SignIn): it counts
// as MFA, and the session ends with the pass. It ends by time, by its one use,
// when it is deleted or when a new one replaces it; then the sessions that it
// opened end too (PK-152). Nobody makes one for himself (PK-150).
//
// The life of a link. IssueLink returns an address part that holds 256 random
// bits. Whoever follows it may look (OpenLink) as often as they like; signing
// in with it (SignInByLink) or setting up the server with it (SetUp) spends
// it. A new link of the same kind for the same person voids the older.
//
// What it promises: until somebody is proved, no answer and no time depends on
// whether a person, a pass or a link exists; the sign-in log has the truth.
// What it does not do: it does not know which roles may issue a pass, nor what
// Conditional Access says.
package accesspass

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

// Pass is Graph's temporaryAccessPassAuthenticationMethod.
type Pass struct {
	ID                    string    `json:"id"`
	TemporaryAccessPass   *string   `json:"temporaryAccessPass"` // only in the answer to Create (PK-145)
	CreatedDateTime       time.Time `json:"createdDateTime"`
	StartDateTime         time.Time `json:"startDateTime"`
	LifetimeInMinutes     int64     `json:"lifetimeInMinutes"`
	IsUsableOnce          bool      `json:"isUsableOnce"`
	IsUsable              bool      `json:"isUsable"`
	MethodUsabilityReason string    `json:"methodUsabilityReason"`

	UserID string     `json:"-"`
	UsedAt *time.Time `json:"-"` // its last use
	hash   string
}

// The values of methodUsabilityReason.
const (
	EnabledByPolicy  = "EnabledByPolicy"
	DisabledByPolicy = "DisabledByPolicy"
	Expired          = "Expired"
	NotYetValid      = "NotYetValid"
	OneTimeUsed      = "OneTimeUsed"
)

// End is the moment from which the pass works no more.
func (p *Pass) End() time.Time {
	return p.StartDateTime.Add(time.Duration(p.LifetimeInMinutes) * time.Minute)
}

// judge sets IsUsable and its reason. byPolicy is whether the person is in the
// policy (PK-149).
func (p *Pass) judge(byPolicy bool, now time.Time) {
	switch {
	case p.IsUsableOnce && p.UsedAt != nil:
		p.MethodUsabilityReason = OneTimeUsed
	case !now.Before(p.End()):
		p.MethodUsabilityReason = Expired
	case !byPolicy:
		p.MethodUsabilityReason = DisabledByPolicy
	case now.Before(p.StartDateTime):
		p.MethodUsabilityReason = NotYetValid
	default:
		p.MethodUsabilityReason = EnabledByPolicy
	}
	p.IsUsable = p.MethodUsabilityReason == EnabledByPolicy
}

// Order asks for a pass. Nil members take the policy's defaults.
type Order struct {
	StartDateTime     *time.Time `json:"startDateTime"` // one in the past means now
	LifetimeInMinutes *int64     `json:"lifetimeInMinutes"`
	IsUsableOnce      *bool      `json:"isUsableOnce"`

	UserID string    `json:"-"`
	At     time.Time `json:"-"`
}

// Create issues a pass; the answer holds its code for the only time. An older
// pass of the person ends (PK-147).
func Create(ctx context.Context, d *db.DB, h *throttle.Hasher, a audit.Actor, o Order) (Pass, error) {
	u, err := directory.GetUser(ctx, d, o.UserID)
	if err != nil {
		return Pass{}, err
	}
	if err := notForOneself(a, u); err != nil {
		return Pass{}, err
	}
	policy, err := GetPolicy(ctx, d)
	if err != nil {
		return Pass{}, err
	}
	p, err := policy.pass(o)
	if err != nil {
		return Pass{}, err
	}
	code := newCode(int(policy.DefaultLength))
	if p.hash, err = h.Hash(ctx, code); err != nil {
		return Pass{}, err
	}
	p.ID, p.UserID, p.CreatedDateTime, p.TemporaryAccessPass = db.NewID(o.At), u.ID, o.At.UTC(), &code
	refusal, err := policy.RefusalFor(ctx, d, u.ID)
	if err != nil {
		return Pass{}, err
	}
	p.judge(refusal == "", o.At)
	err = d.Write(ctx, func(q db.Querier) error {
		if err := drop(ctx, q, o.At, u.ID); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO access_passes (id, user_id, code_hash, starts_at, lifetime, once, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (user_id) DO UPDATE SET id = excluded.id, code_hash = excluded.code_hash, starts_at = excluded.starts_at,
				lifetime = excluded.lifetime, once = excluded.once, used_at = NULL, created_at = excluded.created_at`,
			p.ID, u.ID, []byte(p.hash), p.StartDateTime.UnixMilli(), p.LifetimeInMinutes, p.IsUsableOnce, o.At.UnixMilli()); err != nil {
			return db.Err("A pass for "+u.UserPrincipalName, err)
		}
		return session.LogMethod(ctx, q, a, o.At, event(u, p, "registered", "Temporary Access Pass created"))
	})
	if err != nil {
		return Pass{}, err // with no code: it opens nothing
	}
	return p, nil
}

// notForOneself is PK-150: whoever could, would turn a stolen session into a
// lasting way in.
func notForOneself(a audit.Actor, u directory.User) error {
	if a.UserID == u.ID {
		return problem.New(problem.Forbidden, "authorizationRequestDenied", "Nobody issues this for himself. Ask another administrator.")
	}
	return nil
}

const columns = `id, user_id, code_hash, starts_at, lifetime, once, used_at, created_at`

func scan(r interface{ Scan(...any) error }, p *Pass) error {
	var hash []byte
	var starts, created int64
	var used sql.NullInt64
	err := r.Scan(&p.ID, &p.UserID, &hash, &starts, &p.LifetimeInMinutes, &p.IsUsableOnce, &used, &created)
	p.hash, p.StartDateTime, p.CreatedDateTime, p.UsedAt = string(hash), db.Time(starts), db.Time(created), db.NullTime(used)
	return err
}

// List returns the pass of a person, if there is one, without its code. A
// person has at most one; the list is what Graph answers.
func List(ctx context.Context, q db.Querier, now time.Time, userID string) ([]Pass, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM access_passes WHERE user_id = $1`, userID)
	all, err := db.Collect(rows, err, func(r *sql.Rows, p *Pass) error { return scan(r, p) })
	if err != nil || len(all) == 0 {
		return []Pass{}, err
	}
	policy, err := GetPolicy(ctx, q)
	if err != nil {
		return nil, err
	}
	refusal, err := policy.RefusalFor(ctx, q, userID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].judge(refusal == "", now)
	}
	return all, nil
}

// Get returns one pass of a person, without its code.
func Get(ctx context.Context, q db.Querier, now time.Time, w Which) (Pass, error) {
	all, err := List(ctx, q, now, w.UserID)
	if err != nil {
		return Pass{}, err
	}
	for _, p := range all {
		if p.ID == w.ID {
			return p, nil
		}
	}
	return Pass{}, db.Err("This Temporary Access Pass", sql.ErrNoRows)
}

// Which names a pass of a person.
type Which struct{ UserID, ID string }

// Delete ends a pass and the sessions that it opened. The owner may do it too
// (PK-155).
func Delete(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, w Which) error {
	u, err := directory.GetUser(ctx, q, w.UserID)
	if err != nil {
		return err
	}
	p, err := Get(ctx, q, now, Which{u.ID, w.ID})
	if err != nil {
		return err
	}
	if err := drop(ctx, q, now, u.ID); err != nil {
		return err
	}
	return session.LogMethod(ctx, q, a, now, event(u, p, "deleted", "Temporary Access Pass removed"))
}

func drop(ctx context.Context, q db.Querier, now time.Time, userID string) error {
	if _, err := q.ExecContext(ctx, `DELETE FROM access_passes WHERE user_id = $1`, userID); err != nil {
		return err
	}
	return session.EndProved(ctx, q, now, session.Proved{UserID: userID, Method: session.MethodAccessPass})
}

// HasUsable reports whether the person could sign in with a pass now.
func HasUsable(ctx context.Context, q db.Querier, now time.Time, userID string) (bool, error) {
	all, err := List(ctx, q, now, userID)
	return len(all) > 0 && all[0].IsUsable, err
}

func event(u directory.User, p Pass, verb, dedicated string) session.MethodEvent {
	once := "false"
	if p.IsUsableOnce {
		once = "true"
	}
	return session.MethodEvent{User: u, Verb: verb, What: "temporary access pass method", Dedicated: dedicated, Details: []audit.KeyValue{
		{Key: "methodId", Value: p.ID}, {Key: "startDateTime", Value: p.StartDateTime.Format(time.RFC3339)},
		{Key: "endDateTime", Value: p.End().Format(time.RFC3339)}, {Key: "isUsableOnce", Value: once}}}
}
