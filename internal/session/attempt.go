package session

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/throttle"
)

// Claim is somebody who says who they are and types a secret.
type Claim struct {
	UserName  string
	Secret    string
	At        time.Time
	Situation Situation
}

// SignedIn is what a proof leaves: the session, and its token for the cookie.
type SignedIn struct {
	Session Session
	Token   string
	User    directory.User
}

// Step describes the proof in the sign-in log (reports-and-logs §4.4).
type Step struct {
	Method string // "Temporary Access Pass", "Password", …
	Detail string // "Password in the cloud", the name of a device; "" if none
	Used   string // a word of authenticationMethodsUsed; "" if Graph has none
	Second bool   // it is a second factor
	Whole  bool   // it satisfies MFA by itself
}

// Enter starts the session of a proved person and writes row as its success,
// in the transaction of the proof. It also records when an emergency account
// came in (CA-27).
func Enter(ctx context.Context, q db.Querier, row audit.SignIn, u directory.User, s Session) (SignedIn, error) {
	s.UserID, s.SignInID, s.IP = u.ID, row.ID, row.IPAddress
	if s.Client == "" {
		s.Client = Situation{UserAgent: row.UserAgent}.ClientName()
	}
	s, token, err := Start(ctx, q, row.CreatedDateTime, s)
	if err != nil {
		return SignedIn{}, err
	}
	Of(&row, u)
	row.SessionID = s.ID
	if err := audit.WriteSignIn(ctx, q, row); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{s, token, u}, NoteBreakGlass(ctx, q, row, u)
}

// NoteBreakGlass writes the audit event of a sign-in by a member of the group
// of emergency accounts (CA-27); for everybody else it does nothing.
func NoteBreakGlass(ctx context.Context, q db.Querier, row audit.SignIn, u directory.User) error {
	var group string
	if err := q.QueryRowContext(ctx, `SELECT coalesce(max(break_glass), '') FROM organization`).Scan(&group); err != nil || group == "" {
		return err
	}
	memberOf, err := directory.MemberOf(ctx, q, u.ID)
	if err != nil || !slices.Contains(memberOf, group) {
		return err
	}
	s := Situation{IP: row.IPAddress, UserAgent: row.UserAgent, CorrelationID: row.CorrelationID}
	return audit.Write(ctx, q, s.Actor(u), row.CreatedDateTime, audit.Record{ActivityDisplayName: "Break-glass account signed in", Category: "Policy",
		LoggedByService: "Cardea", OperationType: "Other", TargetResources: []audit.Target{audit.Person(u.ID, u.DisplayName, u.UserPrincipalName)},
		AdditionalDetails: []audit.KeyValue{{Key: "signInId", Value: row.ID}}})
}

// Succeeded completes row with the step that proved the person.
func Succeeded(row *audit.SignIn, step Step) { record(row, step, "MFA successfully completed", true) }

func record(row *audit.SignIn, step Step, result string, ok bool) {
	d := audit.AuthStep{DateTime: row.CreatedDateTime, Method: step.Method, MethodDetail: step.Detail, Succeeded: ok, Requirement: "Primary authentication"}
	if step.Second {
		d.Requirement = "Multifactor authentication"
	}
	if !ok || step.Second || step.Whole {
		d.ResultDetail = result
	}
	if ok && (step.Second || step.Whole) {
		row.AuthenticationRequirement = "multiFactorAuthentication"
	}
	row.AuthenticationDetails = append(row.AuthenticationDetails, d)
	if step.Used != "" {
		row.AuthenticationMethodsUsed = append(row.AuthenticationMethodsUsed, step.Used)
	}
	outcome := "success"
	if !ok {
		outcome = row.Status.AdditionalDetails
	}
	row.Cardea = &audit.SignInExtra{Outcome: outcome}
}

// Failure is why an attempt was refused. It is for the sign-in log: the person
// hears the same sentence for all of them (PK-119).
type Failure struct {
	Code   int    // of reports-and-logs §4.5
	Fact   string // a lowerCamel code of ours
	Reason string // a plain sentence
}

// The failures that all methods share.
var (
	UnknownUser  = Failure{50034, "userNotFound", "There is no user of this name."}
	DisabledUser = Failure{50057, "userDisabled", "The account is switched off."}
	Throttled    = Failure{50053, "requestThrottled", "Too many tries; this one was not looked at."}
)

// Failed completes row with the step that was refused.
func Failed(row *audit.SignIn, step Step, f Failure) {
	row.Status = audit.SignInStatus{ErrorCode: f.Code, FailureReason: f.Reason, AdditionalDetails: f.Fact}
	record(row, step, f.Reason, false)
}

// Refuse writes row as a failure. It commits on its own.
func Refuse(ctx context.Context, d *db.DB, row audit.SignIn, step Step, f Failure) error {
	Failed(&row, step, f)
	return d.Write(ctx, func(q db.Querier) error { return audit.WriteSignIn(ctx, q, row) })
}

// Guess counts one guess of kind, first for the address and then for the
// account that it is about: an address that is refused cannot go on to lock
// accounts. A refusal is written as row's failure.
func Guess(ctx context.Context, d *db.DB, row audit.SignIn, step Step, g Guessed) error {
	err := throttle.Try(ctx, d, g.Kind, fromAddress(row), throttle.PerAddress, row.CreatedDateTime)
	if err == nil && g.Account != "" {
		err = throttle.Try(ctx, d, g.Kind, g.Account, throttle.PerAccount, row.CreatedDateTime)
	}
	if problem.KindOf(err) == problem.TooMany {
		if logged := Refuse(ctx, d, row, step, Throttled); logged != nil {
			return logged
		}
	}
	return err
}

// Right takes a guess back that was no guess: the account starts anew, and the
// address has one less. It runs in the transaction of the proof.
func Right(ctx context.Context, q db.Querier, row audit.SignIn, g Guessed) error {
	if err := throttle.Uncount(ctx, q, g.Kind, fromAddress(row)); err != nil || g.Account == "" {
		return err
	}
	return throttle.Forget(ctx, q, g.Kind, g.Account)
}

func fromAddress(row audit.SignIn) string { return "address " + Network(row.IPAddress) }

// Guessed names what a guess is about.
type Guessed struct {
	Kind    string // of secret
	Account string // "" if the guess names nobody
}

// Network is the part of an address that one subscriber holds: the whole of
// an IPv4 address, the first 64 bits of an IPv6 one.
func Network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return clip(ip, 64)
	}
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); a.Is6() && err == nil {
		return p.String()
	}
	return a.String()
}

// CleanName returns what a person typed as a user name in the form it is
// looked up and logged in: trimmed and in lower case. What cannot be a user
// name is "": a password typed into the wrong field must not reach the log.
func CleanName(typed string) string {
	name := strings.ToLower(strings.TrimSpace(typed))
	odd := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
	if len(name) > 256 || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) || strings.Count(name, "@") != 1 {
		return ""
	}
	return name
}

// Look finds the user of a name from CleanName. No such user is the zero User,
// and takes as many reads.
func Look(ctx context.Context, q db.Querier, name string) (directory.User, error) {
	if name == "" {
		name = "@" // nobody's
	}
	u, err := directory.GetUser(ctx, q, name)
	if problem.KindOf(err) == problem.NotFound {
		return directory.User{}, nil
	}
	return u, err
}
