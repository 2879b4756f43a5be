package session

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// Grant is what a person gave an application: the content of an authorization
// code, and of the refresh family that may come from it.
//
// A grant is void as soon as one of these is true: the session it came from was
// signed out or revoked; the person is disabled or gone; the person was signed
// out everywhere (users.sessions_from) after the session began; or Until is
// over. That a browser session ran out of time does not end its grants: people
// close browsers, and applications keep working for RefreshLife.
type Grant struct {
	ClientID    string        `json:"client"`
	UserID      string        `json:"user"`
	SessionID   string        `json:"session"`
	RedirectURI string        `json:"redirect,omitempty"`
	Challenge   string        `json:"challenge,omitempty"` // PKCE S256
	Scope       string        `json:"scope"`               // as asked
	Nonce       string        `json:"nonce,omitempty"`
	AuthAt      int64         `json:"authAt"` // Unix milliseconds
	BeganAt     int64         `json:"beganAt"`
	Methods     []string      `json:"methods"`
	Until       int64         `json:"until,omitempty"`       // Unix milliseconds; 0: no end of its own (PK-152)
	SPA         bool          `json:"spa,omitempty"`         // from a redirect URI of type spa: may be redeemed by a browser
	Secret      bool          `json:"secret,omitempty"`      // the client must prove itself to redeem it
	RefreshLife time.Duration `json:"refreshLife,omitempty"` // 0: no refresh token
	Sliding     bool          `json:"sliding,omitempty"`     // every rotation starts RefreshLife again
}

// GrantOf begins the grant that s gives for f. Tokens that come from a
// Temporary Access Pass end with it (PK-152): so do its sessions, so the
// session's end is the pass's.
func GrantOf(s Session, f Flow) Grant {
	g := Grant{ClientID: f.AppID, UserID: s.UserID, SessionID: s.ID, RedirectURI: f.RedirectURI, Challenge: f.Challenge, Scope: f.Scope,
		Nonce: f.Nonce, AuthAt: s.AuthAt.UnixMilli(), BeganAt: s.CreatedAt.UnixMilli(), Methods: s.Methods}
	if s.Used(MethodAccessPass) {
		g.Until = s.ExpiresAt.UnixMilli()
	}
	return g
}

// Granted is what redeeming a code or a refresh token yields.
type Granted struct {
	Grant
	User     directory.User
	FamilyID string
	Refresh  string // the refresh token, "" if the grant has none
}

// CodeLife is how long an authorization code can be redeemed.
const CodeLife = 5 * time.Minute

// Redemption is what a client shows to redeem a code.
type Redemption struct {
	Client
	Code, RedirectURI, Verifier string
	// Refreshes, if not nil, gives the grant refresh tokens that the
	// authorization request did not ask for yet.
	Refreshes func(*Grant)
}

// Client is who redeems a code or a refresh token.
type Client struct {
	ClientID      string
	Authenticated bool // with its secret or certificate
	Browser       bool // the request came from a script of a page
}

// fits reports why c may not redeem g; code says so for another client.
func (g *Grant) fits(c Client, code string) error {
	switch {
	case !strings.EqualFold(g.ClientID, c.ClientID):
		return errGrant(code, "It was issued to another application.")
	case g.Secret && !c.Authenticated:
		return errGrant("clientUnauthenticated", "This application must prove itself with its client secret or a client assertion.")
	case c.Browser && !g.SPA:
		return errGrant("notSinglePage", "Only a redirect URI of type spa lets a page in the browser redeem this. Register it as spa, or redeem on the server.")
	}
	return nil
}

// IssueCode stores an authorization code for g and returns it.
func IssueCode(ctx context.Context, q db.Querier, now time.Time, g Grant) (string, error) {
	text, err := json.Marshal(g)
	if err != nil {
		return "", err
	}
	id := db.NewID(now)
	secret, hash := newSecret()
	_, err = q.ExecContext(ctx, `INSERT INTO authorization_codes (id, secret_hash, grant_json, expires_at) VALUES ($1, $2, $3, $4)`,
		id, hash, string(text), now.Add(CodeLife).UnixMilli())
	return id + "." + secret, err
}

// RedeemCode exchanges a code for its grant, once. The code dies before it is
// looked at: whatever is wrong with client, redirect URI or verifier, it cannot
// be tried again. A code that comes a second time was stolen from somebody, so
// the refresh family it gave is revoked.
//
// also runs in the same transaction and writes the row of the sign-in log. A
// refusal is grantInvalid, and commits.
func RedeemCode(ctx context.Context, d *db.DB, now time.Time, r Redemption, also func(db.Querier, Granted) error) (Granted, error) {
	id, secret, ok := splitToken(r.Code)
	if !ok {
		return Granted{}, errGrant("codeUnknown", "The authorization code is not one of ours, or was cut off.")
	}
	var out Granted
	var refused error
	err := d.Write(ctx, func(q db.Querier) error {
		out, refused = Granted{}, nil // a retry starts again
		var text string
		var expires int64
		err := q.QueryRowContext(ctx, `UPDATE authorization_codes SET used_at = $1 WHERE id = $2 AND secret_hash = $3 AND used_at IS NULL
			RETURNING grant_json, expires_at`, now.UnixMilli(), id, hashOf(secret)).Scan(&text, &expires)
		if err == sql.ErrNoRows {
			refused, err = replayed(ctx, q, now, id, secret)
			return err
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &out.Grant); err != nil {
			return err
		}
		if refused = out.redeemable(r, expires, now); refused != nil {
			return nil
		}
		if out.User, refused, err = alive(ctx, q, out.Grant, now); refused != nil || err != nil {
			return err
		}
		if r.Refreshes != nil {
			r.Refreshes(&out.Grant)
		}
		if out.RefreshLife > 0 {
			if out.FamilyID, out.Refresh, err = IssueRefresh(ctx, q, now, out.Grant); err != nil {
				return err
			}
			if _, err := q.ExecContext(ctx, `UPDATE authorization_codes SET family_id = $1 WHERE id = $2`, out.FamilyID, id); err != nil {
				return err
			}
		}
		return also(q, out)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Granted{}, err
	}
	return out, nil
}

// replayed answers for a code that could not be taken: used before, or unknown.
func replayed(ctx context.Context, q db.Querier, now time.Time, id, secret string) (refused, err error) {
	unknown := errGrant("codeUnknown", "The authorization code is not known. It may have expired; sign in again.")
	var family string
	err = q.QueryRowContext(ctx, `SELECT family_id FROM authorization_codes WHERE id = $1 AND secret_hash = $2`, id, hashOf(secret)).Scan(&family)
	if err == sql.ErrNoRows {
		return unknown, nil
	}
	if err != nil || family == "" {
		return errGrant("codeUsed", "The authorization code was used before. Sign in again."), err
	}
	return errGrant("codeUsed", "The authorization code was used before, so the tokens it gave are revoked. Sign in again."),
		reuse(ctx, q, now, family, "codeReused", "Authorization code reuse detected")
}

func (g *Grant) redeemable(r Redemption, expires int64, now time.Time) error {
	if err := g.fits(r.Client, "codeOfOtherClient"); err != nil {
		return err
	}
	switch {
	case expires <= now.UnixMilli():
		return errGrant("codeExpired", "The authorization code has expired. Sign in again.")
	case g.RedirectURI != r.RedirectURI:
		return errGrant("redirectUriDiffers", "The redirect_uri differs from the one of the authorization request. Send the same one.")
	case g.Challenge == "" && r.Verifier != "":
		// An attacker who strips code_challenge from the request would gain
		// from leniency here (OAuth 2.1 §4.1.3).
		return errGrant("verifierUnexpected", "There is a code_verifier, but the authorization request had no code_challenge.")
	case g.Challenge != "" && !verifies(g.Challenge, r.Verifier):
		return errGrant("verifierWrong", "The code_verifier does not fit the code_challenge of the authorization request.")
	}
	return nil
}

// verifies checks PKCE with S256 (RFC 7636 §4.6).
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// alive returns the person of g if g is not void.
func alive(ctx context.Context, q db.Querier, g Grant, now time.Time) (u directory.User, refused, err error) {
	u, err = directory.GetUser(ctx, q, g.UserID)
	if problem.KindOf(err) == problem.NotFound {
		return u, errGrant("grantVoid", "The person does not exist any more."), nil
	}
	if err != nil {
		return u, nil, err
	}
	if !u.AccountEnabled {
		return u, errGrant("userDisabled", "The account is switched off. Ask your administrator."), nil
	}
	if g.BeganAt < u.SessionsValidFrom.UnixMilli() {
		return u, errGrant("grantVoid", "The person was signed out everywhere. Sign in again."), nil
	}
	if g.Until > 0 && g.Until <= now.UnixMilli() {
		return u, errGrant("grantVoid", "The Temporary Access Pass behind this sign-in has ended. Sign in again."), nil
	}
	var revoked sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT revoked_at FROM sessions WHERE id = $1`, g.SessionID).Scan(&revoked)
	if err == sql.ErrNoRows { // swept after its time
		return u, nil, nil
	}
	if revoked.Valid {
		return u, errGrant("grantVoid", "The person has signed out. Sign in again."), err
	}
	return u, nil, err
}

// reuse revokes a family because something that works once came twice, and
// says so in the audit log (RFC 9700 §4.14.2).
func reuse(ctx context.Context, q db.Querier, now time.Time, family, reason, activity string) error {
	var user, client, upn, name string
	err := q.QueryRowContext(ctx, `SELECT f.user_id, f.client_id, u.upn, u.display_name FROM refresh_families f JOIN users u ON u.id = f.user_id WHERE f.id = $1`, family).
		Scan(&user, &client, &upn, &name)
	if err == sql.ErrNoRows {
		return nil
	}
	if err != nil {
		return err
	}
	if changed, err := revokeFamily(ctx, q, now, family, reason); err != nil || !changed {
		return err // one record per family, however often it is tried
	}
	return audit.Write(ctx, q, audit.Actor{AppID: client}, now, audit.Record{ActivityDisplayName: activity, Category: "UserManagement",
		LoggedByService: "Cardea", OperationType: "Other", Result: "failure", ResultReason: "All tokens of this sign-in were revoked: one of them is in two hands.",
		TargetResources:   []audit.Target{audit.Person(user, name, upn)},
		AdditionalDetails: []audit.KeyValue{{Key: "refreshFamily", Value: family}, {Key: "clientId", Value: client}}})
}

func errGrant(code, format string, args ...any) error {
	return problem.New(problem.Invalid, code, format, args...)
}

// splitToken takes "<id>.<secret>" apart. What has other characters than ours
// reaches no database: PostgreSQL fails on some of them.
func splitToken(token string) (id, secret string, ok bool) {
	id, secret, ok = strings.Cut(token, ".")
	return id, secret, ok && len(id) == 36 && strings.Trim(id, "0123456789abcdef-") == "" && len(secret) == 43
}
