package session

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// Device is a sign-in that an application without a browser of its own waits
// for (RFC 8628). BeginDevice gives it two codes: the application keeps the
// long one and asks with it (RedeemDevice); the person types the short one into
// a browser (FindDevice), proves who they are, and answers (AnswerDevice). It
// ends with the first redemption, with a no, or after DeviceLife.
type Device struct {
	ID       string
	ClientID string
	IP       string // of the device
	Client   string // what it says about itself, "Windows, PowerShell"
	State    string // pending, approved or declined
	At       time.Time
}

// How long a person may take, and how often an application may ask.
const (
	DeviceLife     = 15 * time.Minute
	DeviceInterval = 5 * time.Second
	// pollMargin is how much too early an application may come: networks do not
	// keep time.
	pollMargin = time.Second
)

// The states of a Device.
const (
	DevicePending  = "pending"
	DeviceApproved = "approved"
	DeviceDeclined = "declined"
)

// userCodeLetters look like no other letter and make no words (RFC 8628 §6.1).
// Eight of them are 34 bits: enough for a quarter of an hour and counted guesses.
const (
	userCodeLetters = "BCDFGHJKMNPQRSTVWXZ"
	userCodeLength  = 8
)

// newUserCode returns a random user code without its dash.
func newUserCode() string {
	out := make([]byte, 0, userCodeLength)
	var b [32]byte
	for len(out) < userCodeLength {
		rand.Read(b[:])
		for _, c := range b {
			if int(c) < 256/len(userCodeLetters)*len(userCodeLetters) && len(out) < userCodeLength { // all letters equally often
				out = append(out, userCodeLetters[int(c)%len(userCodeLetters)])
			}
		}
	}
	return string(out)
}

// CleanUserCode returns what a person typed as a user code in the form it is
// looked up: capital letters, no dash, no blanks. What cannot be one is "".
func CleanUserCode(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	code := strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '‐' || r == '–' {
			return -1
		}
		return r
	}, typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return ""
	}
	return code
}

// ShowUserCode writes a clean user code as people read it: ABCD-EFGH.
func ShowUserCode(code string) string {
	if len(code) != userCodeLength {
		return code
	}
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:]
}

// DeviceCodes are the two codes of a Device.
type DeviceCodes struct{ Device, User string }

// BeginDevice stores a request for g, which says what is asked for and by which
// application, and not yet by whom it is given.
func BeginDevice(ctx context.Context, q db.Querier, now time.Time, g Grant, from Situation) (DeviceCodes, error) {
	text, err := json.Marshal(g)
	if err != nil {
		return DeviceCodes{}, err
	}
	for range 8 { // a code that somebody holds already is not given twice
		id, code := db.NewID(now), newUserCode()
		secret, hash := newSecret()
		res, err := q.ExecContext(ctx, `INSERT INTO device_codes (id, secret_hash, user_code_hash, grant_json, client_id, ip, client, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (user_code_hash) DO NOTHING`,
			id, hash, hashOf(code), string(text), g.ClientID, clip(from.IP, 64), from.ClientName(), now.UnixMilli(), now.Add(DeviceLife).UnixMilli())
		if err != nil {
			return DeviceCodes{}, err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return DeviceCodes{id + "." + secret, ShowUserCode(code)}, err
		}
	}
	return DeviceCodes{}, errors.New("session: no free user code")
}

var errUserCode = problem.New(problem.Invalid, "userCodeInvalid", "There is no such code, or its time is over. Look at your device again, or start there anew.")

// FindDevice returns the pending request with a user code from CleanUserCode;
// userCodeInvalid if there is none.
func FindDevice(ctx context.Context, q db.Querier, now time.Time, code string) (Device, error) {
	return findDevice(ctx, q, now, `user_code_hash = $2 AND state = 'pending'`, hashOf(code))
}

// GetDevice returns a request by its id, answered or not; userCodeInvalid if
// its time is over.
func GetDevice(ctx context.Context, q db.Querier, now time.Time, id string) (Device, error) {
	return findDevice(ctx, q, now, `id = $2`, id)
}

func findDevice(ctx context.Context, q db.Querier, now time.Time, where string, arg any) (d Device, err error) {
	var created int64
	err = q.QueryRowContext(ctx, `SELECT id, client_id, ip, client, state, created_at FROM device_codes WHERE expires_at > $1 AND `+where, now.UnixMilli(), arg).
		Scan(&d.ID, &d.ClientID, &d.IP, &d.Client, &d.State, &created)
	if err == sql.ErrNoRows {
		return d, errUserCode
	}
	d.At = db.Time(created)
	return d, err
}

// MayAnswer reports whether s may let a device in for f, which began when the
// person typed the code. The proof is a fresh one: a click in a browser where
// somebody signed in this morning is too easily talked out of people.
func MayAnswer(s Session, f Flow) bool {
	return s.Proved() && f.At.Sub(s.AuthAt) <= FreshAge
}

// DeviceAnswer is what a person says about a device.
type DeviceAnswer struct {
	Flow      Flow // of the person's browser
	Session   Session
	User      directory.User
	Situation Situation
	Approve   bool
}

// AnswerDevice stores the answer and writes its row of the sign-in log: a
// refusal, or a yes that needed no new proof. The row of a new proof was
// written by the proof. A device that was answered already, or whose time is
// over, is userCodeInvalid; a session that MayAnswer does not take, signInRequired.
func AnswerDevice(ctx context.Context, q db.Querier, now time.Time, a DeviceAnswer) error {
	if !MayAnswer(a.Session, a.Flow) {
		return problem.New(problem.Unauthenticated, "signInRequired", "Please sign in.")
	}
	state := DeviceDeclined
	if a.Approve {
		state = DeviceApproved
	}
	// This also takes the row's lock on PostgreSQL: of two answers one counts.
	var text string
	err := q.QueryRowContext(ctx, `UPDATE device_codes SET state = $1 WHERE id = $2 AND state = 'pending' AND expires_at > $3 RETURNING grant_json`,
		state, a.Flow.Device, now.UnixMilli()).Scan(&text)
	if err == sql.ErrNoRows {
		return errUserCode
	}
	if err != nil {
		return err
	}
	row := a.Situation.Row(now)
	Of(&row, a.User)
	row.SessionID = a.Session.ID
	previous := Step{Method: "Previously satisfied", Whole: !a.Session.MFAAt.IsZero()}
	if !a.Approve {
		Failed(&row, previous, Failure{65004, "deviceDeclined", "The person did not let the device sign in."})
		return audit.WriteSignIn(ctx, q, row)
	}
	var g Grant
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return err
	}
	given := GrantOf(a.Session, Flow{AppID: g.ClientID, Scope: g.Scope})
	given.RefreshLife, given.Sliding = g.RefreshLife, g.Sliding
	filled, err := json.Marshal(given)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `UPDATE device_codes SET grant_json = $1 WHERE id = $2`, string(filled), a.Flow.Device); err != nil {
		return err
	}
	if !a.Session.AuthAt.Before(a.Flow.At) {
		return nil
	}
	Succeeded(&row, previous)
	return audit.WriteSignIn(ctx, q, row)
}
