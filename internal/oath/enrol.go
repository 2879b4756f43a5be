package oath

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/problem"
	"cardea/internal/session"
	"cardea/internal/throttle"
)

const (
	most     = 5 // tokens of a person
	enrolFor = 10 * time.Minute
	sealedAs = "oath enrolment"
	kind     = "oath" // for the throttle
)

// Enrolment is what the page shows, and the state it sends back.
type Enrolment struct {
	Secret string // base32
	URI    string // otpauth://…, for a QR code
	State  string
}

// pending is the sealed state. The id of the token to be is drawn here, so
// that one enrolment makes at most one token: two with the same secret would
// accept the same code twice.
type pending struct {
	ID      string `json:"i"`
	User    string `json:"u"`
	Session string `json:"s"`
	Secret  []byte `json:"k"`
	Expires int64  `json:"e"`
}

// Begin draws the secret of a token for the person of s. Nothing is stored.
// Errors: ngcMfaRequired (session.Fresh), tooManyMethods, and methodDisabled,
// userExcluded or userNotTargeted by the policy.
func Begin(ctx context.Context, d *db.DB, ring *jose.Ring, s session.Session, now time.Time) (Enrolment, error) {
	u, err := mayEnrol(ctx, d, s, now)
	if err != nil {
		return Enrolment{}, err
	}
	o, err := directory.GetOrganization(ctx, d)
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return Enrolment{}, err
	}
	if o.DisplayName == "" {
		o.DisplayName = "Cardea"
	}
	p := pending{ID: db.NewID(now), User: u.ID, Session: s.ID, Secret: make([]byte, secretSize), Expires: now.Add(enrolFor).UnixMilli()}
	rand.Read(p.Secret)
	plain, err := json.Marshal(p)
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{Secret: text(p.Secret), URI: address(o.DisplayName, u.UserPrincipalName, p.Secret),
		State: base64.RawURLEncoding.EncodeToString(ring.Seal(sealedAs, plain))}, nil
}

func mayEnrol(ctx context.Context, q db.Querier, s session.Session, now time.Time) (directory.User, error) {
	u, err := directory.GetUser(ctx, q, s.UserID)
	if err != nil {
		return u, err
	}
	if err := session.Fresh(s, now); err != nil {
		return u, err
	}
	refusal, err := refusalFor(ctx, q, u.ID)
	if err != nil {
		return u, err
	}
	if refusal != "" {
		return u, problem.New(problem.Invalid, refusal, "App codes are not in use for this account. Use a passkey, or ask your administrator.")
	}
	all, err := List(ctx, q, u.ID)
	if err == nil && len(all) >= most {
		err = problem.New(problem.Invalid, "tooManyMethods", "You have %d authenticator apps. Delete one you do not use, then add this one.", most)
	}
	return u, err
}

// Confirmation ends an enrolment.
type Confirmation struct {
	State       string
	Code        string
	DisplayName string // "" means Authenticator app
	Session     session.Session
	At          time.Time
}

// Confirm stores the token that Begin showed, once its first code proves that
// an app has it. Errors: those of Begin; codeInvalid; pageExpired for a state
// that is too old or not of this session; alreadyExists for one used before;
// TooMany.
func Confirm(ctx context.Context, d *db.DB, ring *jose.Ring, a audit.Actor, c Confirmation) (Token, error) {
	u, err := mayEnrol(ctx, d, c.Session, c.At)
	if err != nil {
		return Token{}, err
	}
	p, err := openPending(ring, c.State)
	if err != nil {
		return Token{}, err
	}
	if p.User != u.ID || p.Session != c.Session.ID || c.At.UnixMilli() >= p.Expires {
		return Token{}, expired()
	}
	if err := throttle.Try(ctx, d, kind, u.ID, throttle.PerAccount, c.At); err != nil {
		return Token{}, err
	}
	step, ok := match(p.Secret, typed(c.Code), c.At, 0)
	if !ok {
		return Token{}, problem.New(problem.Invalid, "codeInvalid", "This code is not right, or its time is over. Check that the phone sets its clock by itself, and try the next one.").On("code")
	}
	t := Token{ID: p.ID, UserID: u.ID, DisplayName: name(c.DisplayName), CreatedDateTime: c.At.UTC().Truncate(time.Millisecond), lastStep: step}
	err = d.Write(ctx, func(q db.Querier) error {
		if _, err := q.ExecContext(ctx, `INSERT INTO oath_tokens (id, user_id, display_name, secret, last_step, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			t.ID, t.UserID, t.DisplayName, ring.SealColumn(column(t.ID), p.Secret), step, c.At.UnixMilli()); err != nil {
			return db.Err("This authenticator app", err)
		}
		if err := throttle.Forget(ctx, q, kind, u.ID); err != nil {
			return err
		}
		return session.LogMethod(ctx, q, a, c.At, session.MethodEvent{User: u, Verb: "registered", What: "software OATH token", Details: []audit.KeyValue{{Key: "methodId", Value: t.ID}}})
	})
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

func expired() *problem.Error {
	return problem.New(problem.Invalid, "pageExpired", "This page was open for too long. Start again.")
}

func openPending(ring *jose.Ring, state string) (p pending, err error) {
	if len(state) > 1024 {
		return p, expired()
	}
	sealed, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		return p, expired()
	}
	plain, err := ring.Open(sealedAs, sealed)
	if err != nil {
		return p, expired()
	}
	err = json.Unmarshal(plain, &p)
	return p, err
}

// name is a display name of 1 to 30 characters, as those of passkeys (PK-46).
func name(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > 30 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "Authenticator app"
	}
	return text
}
