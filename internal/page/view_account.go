package page

import "time"

// SecurityInfo is a person's own page of ways to sign in.
type SecurityInfo struct {
	Person       string // display name
	Username     string
	RPID         string   // relying party id
	UserID       string   // base64url of user.id
	AllIDs       []string // base64url of every stored credential id, refused ones too (UX-M5)
	Passkeys     []PasskeyCard
	Others       []MethodCard
	MayCreate    bool // self-service is on and a profile accepts some passkey
	MayAddCode   bool
	MaySetPass   bool // a password may be set
	Ask          *Ask
	Events       []Event
	Flash        string // code of what was just done, "flash.<code>" in the catalogue
	FlashSubject string // the name in it
}

// Ask is a campaign's request.
type Ask struct {
	Due      time.Time
	Postpone int // postponements left
	Days     int // length of one
}

// PasskeyCard is one passkey on the page.
type PasskeyCard struct {
	ID       string // as used in addresses
	Name     string
	Provider string // provider or model; may equal Name, may be ""
	Synced   bool
	Key      bool // a security key; otherwise a device
	Created  time.Time
	LastUsed time.Time // zero: not used yet
	LastOn   string    // "Windows, Edge"; "" if unknown
	InUse    bool      // used for this sign-in
	Refused  string    // why today's rules refuse it and what to do; "" if accepted
	Last     bool      // the last strong method, cannot go
	Prepared bool      // made by an administrator; the person has yet to activate it
}

// MethodCard is one other way on the page.
type MethodCard struct {
	Kind     string // "code", "password" or "pass"
	ID       string
	Added    time.Time
	LastUsed time.Time // zero: not used yet
	Expires  time.Time // passes only
	OneTime  bool
}

// Event is one line of recent activity.
type Event struct {
	Code string // "event.<code>" in the catalogue
	Name string // the thing, {name} in the text
	At   time.Time
	On   string // "Windows, Edge"
}

// RenamePasskey and DeletePasskey are pages of their own, so they work without
// script and with the back button.
type RenamePasskey struct {
	Person  string
	Passkey PasskeyCard
	Problem string
}

// DeletePasskey confirms by name.
type DeletePasskey struct {
	Person  string
	Passkey PasskeyCard
	Refused string // why it cannot be deleted; "" if it can
}

// DeleteMethod confirms the removal of a password, app code or pass.
type DeleteMethod struct {
	Person  string
	Method  MethodCard
	Refused string
}

// AddCode sets up an authenticator app.
type AddCode struct {
	Person  string
	Secret  string // base32, in groups of four
	URI     string // otpauth://…
	State   string // sealed; comes back with the first code
	Problem string
}

// SetPassword sets or changes the password.
type SetPassword struct {
	Person, Username string
	Change           bool // there is one already, which is asked for
	Problem          string
	MinLength        int
}

// LostDevice helps to shut out a lost device.
type LostDevice struct {
	Person   string
	Passkeys []PasskeyCard
}

// SignOutEverywhere confirms it.
type SignOutEverywhere struct{ Person string }

// Home is the page of a signed-in person.
type Home struct {
	Person   string
	Apps     []App
	Admin    bool
	Passkeys int
}

// App is one tile.
type App struct{ Name, URL string }

// SetupName is step one of the set-up: the organisation and its first
// administrator.
type SetupName struct {
	Token                          string // the one-time set-up link's secret
	Organisation, Person, Username string
	Domain                         string // shown after the user name
	Problem                        string
}

// SetupDone ends it.
type SetupDone struct{ Organisation, Person, Username string }

// Enrol greets a person who follows an enrolment link.
type Enrol struct {
	Token   string
	Person  string
	Expires time.Time
}

// Activate asks a person to use a passkey that was prepared for them. In a
// sign-in Flow may be set; on Security info Own is.
type Activate struct {
	Flow, App string
	Name      string // of the passkey
	Get       string // POST of the ceremony, its options are at Get + "/options"
	Own       bool   // the person came from Security info and goes back there
	Else      string // our own page for somebody who does not have the key at hand
	MaySkip   bool
}

func (Activate) name() string          { return "activate" }
func (SecurityInfo) name() string      { return "securityinfo" }
func (RenamePasskey) name() string     { return "rename" }
func (DeletePasskey) name() string     { return "delete" }
func (DeleteMethod) name() string      { return "deletemethod" }
func (AddCode) name() string           { return "addcode" }
func (SetPassword) name() string       { return "setpassword" }
func (LostDevice) name() string        { return "lost" }
func (SignOutEverywhere) name() string { return "everywhere" }
func (Home) name() string              { return "home" }
func (SetupName) name() string         { return "setup" }
func (SetupDone) name() string         { return "setupdone" }
func (Enrol) name() string             { return "enrol" }
