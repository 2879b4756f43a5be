// Package session holds what a proved sign-in leaves behind: the browser
// session, and the grants that applications get from it (grants.go). A pending
// authorization is not stored: it travels sealed with the browser (flow.go).
//
// A session begins in the transaction of the sign-in that proves it. It ends
// by time, by signing out, when the person is disabled, when the person or an
// administrator signs out everywhere (users.sessions_from), or, if a Temporary
// Access Pass opened it, with the pass (PK-152).
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// Lifetime is how long a browser session lasts without a new proof.
const Lifetime = 24 * time.Hour

// Values of Methods: the `amr` of the tokens that come from the session.
const (
	MethodPasskey    = "fido"
	MethodMFA        = "mfa" // two factors were proved
	MethodPassword   = "pwd"
	MethodCode       = "otp"
	MethodAccessPass = "tap"
	MethodLink       = "link" // an enrolment or set-up link: first steps only
	MethodHardware   = "hwk"  // the passkey is attested and device-bound
)

// Session is one browser that proved who uses it.
type Session struct {
	ID        string
	UserID    string
	CreatedAt time.Time
	AuthAt    time.Time // the last interactive proof
	MFAAt     time.Time // the last multifactor proof; zero if none
	ExpiresAt time.Time
	Methods   []string // of the proofs, e.g. fido, mfa
	PasskeyID string   // passkeys.id of the passkey that proved it, or ""
	SignInID  string   // the row of the sign-in log
	Client    string   // "Windows, Edge"
	IP        string
}

// Strong reports whether a multifactor proof is not older than age (PK-47).
func (s *Session) Strong(now time.Time, age time.Duration) bool {
	return !s.MFAAt.IsZero() && now.Sub(s.MFAAt) <= age
}

// Used reports whether method is among the proofs.
func (s *Session) Used(method string) bool { return slices.Contains(s.Methods, method) }

// Start stores s and returns it with its id and the token for the cookie. It
// runs in the transaction of the sign-in. ExpiresAt zero means Lifetime.
func Start(ctx context.Context, q db.Querier, now time.Time, s Session) (Session, string, error) {
	s.ID, s.CreatedAt = db.NewID(now), now
	if s.AuthAt.IsZero() {
		s.AuthAt = now
	}
	if s.ExpiresAt.IsZero() {
		s.ExpiresAt = now.Add(Lifetime)
	}
	secret, hash := newSecret()
	_, err := q.ExecContext(ctx, `INSERT INTO sessions (id, user_id, secret_hash, created_at, auth_at, mfa_at, expires_at, methods, passkey_id, sign_in_id, client, ip)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, s.ID, s.UserID, hash, now.UnixMilli(), s.AuthAt.UnixMilli(), millis(s.MFAAt),
		s.ExpiresAt.UnixMilli(), strings.Join(s.Methods, ","), s.PasskeyID, s.SignInID, s.Client, s.IP)
	return s, s.ID + "." + secret, err
}

// Find opens a session by its cookie token. Whatever is wrong with the token
// or the session, the answer is one: Unauthenticated, signInRequired.
func Find(ctx context.Context, d db.Querier, token string, now time.Time) (Session, error) {
	refused := problem.New(problem.Unauthenticated, "signInRequired", "Please sign in.")
	id, secret, ok := strings.Cut(token, ".")
	if !ok || len(id) != 36 || len(secret) != 43 {
		return Session{}, refused
	}
	var s Session
	var hash []byte
	var created, authAt, mfaAt, expires, from int64
	var revoked sql.NullInt64
	var enabled bool
	var methods string
	err := d.QueryRowContext(ctx, `SELECT s.id, s.user_id, s.secret_hash, s.created_at, s.auth_at, s.mfa_at, s.expires_at, s.methods, s.passkey_id,
		s.sign_in_id, s.client, s.ip, s.revoked_at, u.enabled, u.sessions_from FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1`, id).
		Scan(&s.ID, &s.UserID, &hash, &created, &authAt, &mfaAt, &expires, &methods, &s.PasskeyID, &s.SignInID, &s.Client, &s.IP, &revoked, &enabled, &from)
	if err != nil {
		if err := db.Err("", err); problem.KindOf(err) != problem.NotFound {
			return Session{}, err
		}
		return Session{}, refused
	}
	sum := hashOf(secret)
	if subtle.ConstantTimeCompare(hash, sum) != 1 || revoked.Valid || !enabled || created < from || expires <= now.UnixMilli() {
		return Session{}, refused
	}
	s.CreatedAt, s.AuthAt, s.ExpiresAt, s.Methods = db.Time(created), db.Time(authAt), db.Time(expires), split(methods)
	if mfaAt > 0 {
		s.MFAAt = db.Time(mfaAt)
	}
	return s, nil
}

// End signs one session out.
func End(ctx context.Context, q db.Querier, now time.Time, id string) error {
	if _, err := q.ExecContext(ctx, `UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`, now.UnixMilli(), id); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `UPDATE refresh_families SET revoked_at = $1, reason = 'signedOut' WHERE session_id = $2 AND revoked_at IS NULL`, now.UnixMilli(), id)
	return err
}

// EndAll signs a person out everywhere: sessions and refresh tokens.
func EndAll(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, userID string) error {
	return directory.RevokeSessions(ctx, q, a, now, userID)
}

// newSecret returns 32 random bytes as text, and their hash, which is what is
// stored. A plain hash does: nobody guesses 256 random bits.
func newSecret() (text string, hash []byte) {
	var b [32]byte
	rand.Read(b[:])
	text = base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashOf(text)
}

func hashOf(secret string) []byte { sum := sha256.Sum256([]byte(secret)); return sum[:] }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
