package page

import (
	"time"

	"cardea/internal/problem"
)

// View is the data of one page. The set is closed: every page of Cardea for
// people is a type of this package, so one test can look at all of them.
//
// Flow is the pending sign-in that a page belongs to, as internal/session names
// it; "" if the person came here by themselves. Problem is the code of what
// went wrong with the last attempt, a key "problem.<code>" of the catalogue.
type View interface{ name() string }

// SignIn is the first page: user name and passkey.
type SignIn struct {
	Flow     string
	App      string // display name of the application; "" for our own pages
	Username string // what the application or the person gave
	Problem  string
	StepUp   string // display name of a signed-in person who must prove it again; "" otherwise
}

// Get is the address of the ceremony: who is signed in proves an own passkey.
func (v SignIn) Get() string { return get(v.StepUp != "") }

func get(again bool) string {
	if again {
		return "/signin/again"
	}
	return "/signin/passkey"
}

// OtherWays offers the other ways. Before proof Ways is nil and the list is the
// same for every name (PK-168); after it, Ways holds what this person has.
type OtherWays struct {
	Flow, App, Username string
	Ways                []string // of "passkey", "pass", "code", "password", best first (PK-169)
}

// List returns the ways to show.
func (v OtherWays) List() []string {
	if v.Ways != nil {
		return v.Ways
	}
	return []string{"passkey", "pass", "code", "password"}
}

// Get is the address of the ceremony.
func (v OtherWays) Get() string { return get(v.Ways != nil) }

// Entry asks for one secret.
type Entry struct {
	Flow, App, Username string
	Way                 string // "pass", "code" or "password"
	Problem             string
	Second              bool // a second proof; the name is fixed
}

// Action is where the form goes.
func (v Entry) Action() string {
	return map[string]string{"pass": "/signin/temporary-access-pass", "code": "/signin/app-code", "password": "/signin/password"}[v.Way]
}

// NewPassword asks for a password in place of one that has to be changed.
type NewPassword struct {
	Flow, App, Username string
	Proof               string // sealed: who proved the old one
	Problem             string
	MinLength           int
}

// Create walks through making a passkey: value, dialog, name, try. The same
// page everywhere (UX-C4); Why says which of the texts "create.<why>.…" apply.
type Create struct {
	Flow      string
	App       string // where the person goes afterwards
	Why       string // "account", "prompt", "pass", "required", "setup", "enrol"
	Person    string // display name
	UserID    string // base64url of user.id; "" if nobody is signed in yet
	Routes    CreateRoutes
	Providers []string // the only allowed providers, by name; nil if any
	KeysOnly  bool     // profiles accept security keys only
	Hint      string   // of "client-device", "hybrid", "security-key"; "" leaves it to the browser
	SkipsLeft int      // prompts that may still be skipped; -1 means no limit, 0 none
	Due       time.Time
	Needed    time.Time // from an approved notice only (AG-44)
	Existing  int       // passkeys the person has already
}

// CreateRoutes are the addresses that the page calls.
type CreateRoutes struct {
	Options string // POST: {"publicKey", "state"}
	Finish  string // POST: {"id", "name"}; Finish + "/{id}/rename" renames
	Try     string // POST of a fresh sign-in is at Try, its options at Try + "/options"; "" leaves the step out
	Next    string // our own page that follows
}

// MaySkip reports whether "Not now" is offered.
func (v Create) MaySkip() bool { return (v.Why == "prompt" || v.Why == "pass") && v.SkipsLeft != 0 }

// Blocked tells a proved person why a policy refuses, and the way out.
type Blocked struct {
	Flow, App string
	Code      string // lowerCamel fact
	Message   string // what is not met, with the next step, from the decision
	Profile   string
	Rule      string
	At        time.Time
	Register  bool // a passkey that would fit may be created right now
	Other     bool // another way may satisfy the policy
}

// CannotSignIn helps without any fact about an account.
type CannotSignIn struct{ Flow, App string }

// Error is what went wrong, for people.
type Error struct {
	Kind          problem.Kind
	Code, Message string
	Profile, Rule string
	At            time.Time
}

// SignOut asks whether a person wants to. Return is the sealed way back to App;
// both may be "".
type SignOut struct{ Person, App, Return string }

// SignedOut is the end.
type SignedOut struct{ App, Back string } // Back: a validated address of the application, or ""

// Help is a page of /help: a topic of the catalogue ("topic.<topic>" and
// "topic.<topic>.1" …), or the text about an error code.
type Help struct {
	Topic string // "index", "signin", "passkey", "account" or "setup"; "" for a code
	Code  string
	Text  []string // about Code
}

// Lines counts the paragraphs of a topic.
func (v Help) Lines() []int { return []int{1, 2, 3, 4} }

// Continue leads to the application by a navigation of its own (ux.md §1.3).
type Continue struct{ App, Next string } // Next: an address the caller has validated

// FormPost hands fields to an application (response_mode=form_post). Answer it
// with PostingTo(origin of Action).
type FormPost struct {
	App    string
	Action string
	Fields [][2]string
}

// DeviceCode asks for the code that a device shows.
type DeviceCode struct{ Code, Problem string }

// DeviceConfirm asks whether the person started this.
type DeviceConfirm struct {
	Flow, Person, App, Place string
	Code                     string
	At                       time.Time
}

// DeviceDone says that the device may go on, or that it was refused.
type DeviceDone struct {
	App     string
	Refused bool
}

func (SignIn) name() string        { return "signin" }
func (OtherWays) name() string     { return "other" }
func (Entry) name() string         { return "entry" }
func (NewPassword) name() string   { return "newpassword" }
func (Create) name() string        { return "create" }
func (Blocked) name() string       { return "blocked" }
func (CannotSignIn) name() string  { return "help" }
func (Error) name() string         { return "error" }
func (SignOut) name() string       { return "signout" }
func (SignedOut) name() string     { return "signedout" }
func (Help) name() string          { return "topic" }
func (Continue) name() string      { return "continue" }
func (FormPost) name() string      { return "formpost" }
func (DeviceCode) name() string    { return "devicecode" }
func (DeviceConfirm) name() string { return "deviceconfirm" }
func (DeviceDone) name() string    { return "devicedone" }

// Title is the key of what happened, "error.heading.<title>" in the catalogue.
func (v Error) Title() string {
	switch v.Kind {
	case problem.NotFound:
		return "notFound"
	case problem.TooMany:
		return "tooMany"
	case problem.Unauthenticated:
		return "signIn"
	case problem.Internal, problem.Unavailable:
		return "ours"
	default:
		return "refused"
	}
}
