package accesspass

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// Kinds of links.
const (
	SetupLink     = "setup"     // makes the first administrator
	EnrolmentLink = "enrolment" // lets a person register the first passkey
)

// How long links live.
const (
	LinkLifetime        = 24 * time.Hour // if the order names none
	ShortestLink        = 10 * time.Minute
	LongestLink         = 30 * 24 * time.Hour
	linkThrottle        = "link"
	linkID, linkSecrets = 36, 43 // characters of the two parts
)

// Link is a link as its follower sees it before spending it.
type Link struct {
	ID        string
	Kind      string
	UserID    string // "" for SetupLink
	CreatedAt time.Time
	ExpiresAt time.Time
}

// LinkOrder asks for a link. Lifetime zero means LinkLifetime.
type LinkOrder struct {
	Kind     string
	UserID   string // EnrolmentLink only
	Lifetime time.Duration
}

// linkRefused is the one answer about a link that does not work.
func linkRefused() *problem.Error {
	return problem.New(problem.Unauthenticated, "linkNotUsable", "This link does not work, or not any more. Ask whoever sent it for a new one.")
}

// IssueLink makes a link and returns the text that goes into its address; only
// a hash of it is stored. It voids the older links of the same kind for the
// same person. A set-up link is refused with Conflict, alreadySetUp, once the
// server is Claimed. Nobody enrols himself.
func IssueLink(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, o LinkOrder) (Link, string, error) {
	if o.Lifetime == 0 {
		o.Lifetime = LinkLifetime
	}
	if o.Lifetime < ShortestLink || o.Lifetime > LongestLink {
		return Link{}, "", problem.New(problem.Invalid, "invalidValue", "A link lives for ten minutes to 30 days.").On("lifetime")
	}
	r := audit.Record{Category: "UserManagement", LoggedByService: "Cardea", OperationType: "Add"}
	switch o.Kind {
	case SetupLink:
		claimed, err := Claimed(ctx, q)
		if err != nil {
			return Link{}, "", err
		}
		if claimed {
			return Link{}, "", problem.New(problem.Conflict, "alreadySetUp", "An administrator has a passkey already. Sign in with it, or let an administrator issue an enrolment link.")
		}
		o.UserID, r.ActivityDisplayName, r.Category = "", "Set-up link created", "DirectoryManagement"
	case EnrolmentLink:
		u, err := directory.GetUser(ctx, q, o.UserID)
		if err != nil {
			return Link{}, "", err
		}
		if err := notForOneself(a, u); err != nil {
			return Link{}, "", err
		}
		o.UserID, r.ActivityDisplayName = u.ID, "Enrolment link created"
		r.TargetResources = []audit.Target{audit.Person(u.ID, u.DisplayName, u.UserPrincipalName)}
	default:
		return Link{}, "", problem.New(problem.Invalid, "invalidValue", "A link is for setup or for enrolment.").On("kind")
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM links WHERE kind = $1 AND user_id = $2`, o.Kind, o.UserID); err != nil {
		return Link{}, "", err
	}
	l := Link{ID: db.NewID(now), Kind: o.Kind, UserID: o.UserID, CreatedAt: now.UTC(), ExpiresAt: now.Add(o.Lifetime).UTC()}
	secret := make([]byte, 32)
	rand.Read(secret)
	text := base64.RawURLEncoding.EncodeToString(secret)
	if _, err := q.ExecContext(ctx, `INSERT INTO links (id, kind, user_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		l.ID, l.Kind, l.UserID, linkHash(text), now.UnixMilli(), l.ExpiresAt.UnixMilli()); err != nil {
		return Link{}, "", err
	}
	r.AdditionalDetails = []audit.KeyValue{{Key: "linkId", Value: l.ID}, {Key: "expires", Value: l.ExpiresAt.Format(time.RFC3339)}}
	return l, l.ID + "." + text, audit.Write(ctx, q, a, now, r)
}

// OpenLink looks at a link without spending it, for the page that greets its
// follower. Wrong tries are counted per address.
func OpenLink(ctx context.Context, d *db.DB, c session.Claim) (Link, error) {
	row := c.Situation.Row(c.At)
	if err := session.Guess(ctx, d, row, linkStep, session.Guessed{Kind: linkThrottle}); err != nil {
		return Link{}, err
	}
	l, err := find(ctx, d, c.Secret, c.At)
	if err != nil {
		return l, err
	}
	return l, d.Write(ctx, func(q db.Querier) error { return session.Right(ctx, q, row, session.Guessed{Kind: linkThrottle}) })
}

// RedeemLink spends a link in the caller's transaction: of two transactions
// with one link, one fails with linkNotUsable and keeps nothing.
func RedeemLink(ctx context.Context, q db.Querier, text string, now time.Time) (Link, error) {
	l, err := find(ctx, q, text, now)
	if err != nil {
		return l, err
	}
	res, err := q.ExecContext(ctx, `UPDATE links SET used_at = $1 WHERE id = $2 AND used_at IS NULL`, now.UnixMilli(), l.ID)
	if err != nil {
		return l, err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		if err != nil {
			return l, err
		}
		return Link{}, linkRefused()
	}
	return l, nil
}

// find returns the link of text if it still works.
func find(ctx context.Context, q db.Querier, text string, now time.Time) (Link, error) {
	id, secret, ok := parseLink(text)
	if !ok {
		return Link{}, linkRefused()
	}
	var l Link
	var hash []byte
	var created, expires int64
	err := q.QueryRowContext(ctx, `SELECT id, kind, user_id, hash, created_at, expires_at FROM links WHERE id = $1 AND used_at IS NULL`, id).
		Scan(&l.ID, &l.Kind, &l.UserID, &hash, &created, &expires)
	if err != nil {
		if err := db.Err("", err); problem.KindOf(err) != problem.NotFound {
			return Link{}, err
		}
		return Link{}, linkRefused()
	}
	l.CreatedAt, l.ExpiresAt = db.Time(created), db.Time(expires)
	if subtle.ConstantTimeCompare(hash, linkHash(secret)) != 1 || !now.Before(l.ExpiresAt) {
		return Link{}, linkRefused()
	}
	if l.Kind == SetupLink {
		if claimed, err := Claimed(ctx, q); err != nil || claimed {
			if err != nil {
				return Link{}, err
			}
			return Link{}, linkRefused()
		}
	}
	return l, nil
}

// Claimed reports whether a Global Administrator has a passkey that is active.
// From then on no set-up link works.
func Claimed(ctx context.Context, q db.Querier) (yes bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM passkeys WHERE NOT disabled AND user_id IN (`+directory.HoldersSQL("$1")+`))`,
		directory.GlobalAdministrator).Scan(&yes)
	return yes, err
}

// parseLink splits what a link carries. It accepts exactly what IssueLink
// returns, and white space around it from a copy by hand.
func parseLink(text string) (id, secret string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) != linkID+1+linkSecrets || text[linkID] != '.' {
		return "", "", false
	}
	id, secret = text[:linkID], text[linkID+1:]
	if strings.Trim(id, "0123456789abcdef-") != "" {
		return "", "", false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	return id, secret, err == nil
}

// linkHash: a plain hash does for 256 random bits.
func linkHash(secret string) []byte { sum := sha256.Sum256([]byte(secret)); return sum[:] }
