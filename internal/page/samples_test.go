package page

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"cardea/internal/problem"
)

var noon = time.Date(2026, 11, 22, 10, 31, 0, 0, time.UTC)

// sample is one page in one state.
type sample struct {
	file string
	view View
}

// samples returns every view in the states that look different.
func samples() []sample {
	yubi := PasskeyCard{ID: "k1", Name: "Blue key", Provider: "YubiKey 5 NFC", Key: true, Created: noon.AddDate(0, -2, 0), LastUsed: noon.AddDate(0, 0, -9), LastOn: "Windows, Edge"}
	google := PasskeyCard{ID: "k2", Name: "Google Password Manager", Provider: "Google Password Manager", Synced: true, Created: noon.AddDate(0, 0, -19), LastUsed: noon, LastOn: "Android, Chrome", InUse: true}
	hello := PasskeyCard{ID: "k3", Name: "Office laptop", Provider: "Windows Hello", Created: noon.AddDate(0, 0, -1)}
	old := PasskeyCard{ID: "k4", Name: "Old key", Provider: "Feitian K9", Key: true, Created: noon.AddDate(-2, 0, 0), LastUsed: noon.AddDate(0, -7, 0), Refused: "Contoso accepts other models only (profile Admins, attested). Create a passkey on a key from the list, then delete this one."}
	routes := CreateRoutes{Options: "/security-info/passkeys/options", Finish: "/security-info/passkeys", Try: "/signin/passkey", Next: "/security-info"}
	code := MethodCard{Kind: "code", Added: noon.AddDate(-1, 0, 0), LastUsed: noon.AddDate(0, -1, 0)}
	pass := MethodCard{Kind: "pass", Added: noon, Expires: noon.Add(time.Hour), OneTime: true}
	create := func(why string, skips int) Create {
		return Create{Flow: "f1", App: "Payroll", Why: why, Person: "Ada Lovelace", UserID: "dXNlci0x", Routes: routes, SkipsLeft: skips, Hint: "client-device"}
	}
	prompt2, prompt0, keys, limited := create("prompt", 2), create("prompt", 0), create("required", 0), create("account", -1)
	prompt2.Due = noon.AddDate(0, 0, 9)
	prompt0.Needed = noon.AddDate(0, 0, 9)
	keys.KeysOnly, keys.Hint = true, "security-key"
	limited.App, limited.Flow, limited.Existing, limited.Providers = "", "", 1, []string{"iCloud Keychain", "Google Password Manager", "1Password"}
	bare := create("setup", 0)
	bare.App, bare.Routes.Try = "", ""
	info := SecurityInfo{Person: "Ada Lovelace", Username: "ada@contoso.com", UserID: "dXNlci0x", RPID: "id.contoso.com", MayCreate: true, MayAddCode: true, MaySetPass: true}
	one, four := info, info
	one.Passkeys, one.AllIDs, one.Flash, one.FlashSubject = []PasskeyCard{google}, []string{"aWQx"}, "passkeyAdded", "Google Password Manager"
	one.Ask = &Ask{Due: noon.AddDate(0, 0, 9), Postpone: 1, Days: 7}
	four.Passkeys, four.AllIDs, four.Others = []PasskeyCard{google, yubi, hello, old}, []string{"aWQx", "aWQy", "aWQz", "aWQ0"}, []MethodCard{pass, code, {Kind: "password", Added: noon.AddDate(-3, 0, 0)}}
	hello.Prepared = true
	four.Passkeys[2] = hello
	four.Events = []Event{{"signedIn", "Google Password Manager", noon, "Android, Chrome"}, {"passkeyAdded", "Office laptop", noon.AddDate(0, 0, -1), "Windows, Edge"}, {"passIssued", "Bo Bengtsson", noon.AddDate(0, 0, -3), ""}}
	return []sample{
		{"signin", SignIn{Flow: "f1", App: "Payroll"}},
		{"signin-problem", SignIn{Username: "ada", Problem: "usernameRequired"}},
		{"signin-stepup", SignIn{StepUp: "Ada Lovelace"}},
		{"other", OtherWays{Flow: "f1", Username: "ada@contoso.com"}},
		{"other-proved", OtherWays{Ways: []string{"code", "password"}}},
		{"entry-pass", Entry{Way: "pass", Username: "ada@contoso.com"}},
		{"entry-code", Entry{Way: "code", Username: "ada@contoso.com", Second: true, Problem: "codeInvalid"}},
		{"newpassword", NewPassword{Username: "ada@contoso.com", Proof: "p", MinLength: 12}},
		{"newpassword-short", NewPassword{Username: "ada@contoso.com", App: "Payroll", Proof: "p", MinLength: 12, Problem: "passwordTooShort"}},
		{"entry-password", Entry{Way: "password", Problem: "signInFailed"}},
		{"create-account", limited}, {"create-prompt", prompt2}, {"create-prompt-last", prompt0}, {"create-prompt-one", create("prompt", 1)},
		{"create-prompt-free", create("prompt", -1)},
		{"create-pass", create("pass", 0)}, {"create-keys", keys}, {"create-setup", bare}, {"create-enrol", create("enrol", 0)},
		{"blocked", Blocked{Flow: "f1", App: "Payroll", Code: "passkeyNotDeviceBound", Message: "Use a security key. Contoso does not accept synced passkeys here.", Profile: "Admins, attested", Rule: "passkeyTypes", At: noon, Register: true, Other: true}},
		{"blocked-end", Blocked{Code: "blockedByPolicy", Message: "Sign in from the company network.", At: noon}},
		{"help", CannotSignIn{Flow: "f1"}},
		{"error", Error{Kind: problem.Internal, Code: "systemError", Message: "This is our fault.", At: noon}},
		{"error-notfound", Error{Kind: problem.NotFound, Code: "notFound", Message: "Check the address.", At: noon}},
		{"error-toomany", Error{Kind: problem.TooMany, Code: "tooManyAttempts", Message: "Wait a minute.", At: noon}},
		{"error-signin", Error{Kind: problem.Unauthenticated, Code: "signInNeeded", Message: "Sign in first.", At: noon}},
		{"error-refused", Error{Kind: problem.Forbidden, Code: "aaguidNotAllowed", Message: "Use another key.", Profile: "Admins, attested", Rule: "aaguid", At: noon}},
		{"signout", SignOut{Person: "Ada Lovelace", Return: "sealed"}},
		{"topic", Help{Topic: "index"}}, {"topic-signin", Help{Topic: "signin"}}, {"topic-passkey", Help{Topic: "passkey"}}, {"topic-account", Help{Topic: "account"}},
		{"topic-setup", Help{Topic: "setup"}}, {"topic-code", Help{Code: "challengeExpired", Text: []string{"The page was open for too long. Try again."}}},
		{"create-pass-free", create("pass", -1)},
		{"signedout", SignedOut{}}, {"signedout-app", SignedOut{App: "Payroll", Back: "https://payroll.example/"}},
		{"continue", Continue{App: "Payroll", Next: "/oauth2/continue?id=1"}}, {"continue-own", Continue{Next: "/"}},
		{"formpost", FormPost{App: "Payroll", Action: "https://payroll.example/cb", Fields: [][2]string{{"code", "abc"}, {"state", `"><script>`}}}},
		{"devicecode", DeviceCode{Problem: "userCodeInvalid"}},
		{"deviceconfirm", DeviceConfirm{Person: "Ada Lovelace", App: "Cardea command line", Place: "Zürich, Switzerland (192.0.2.7)", Code: "WDJB-MJHT", At: noon}},
		{"devicedone", DeviceDone{App: "Cardea command line"}}, {"devicedone-refused", DeviceDone{App: "Cardea command line", Refused: true}},
		{"securityinfo-none", info}, {"securityinfo-one", one}, {"securityinfo-four", four},
		{"securityinfo-closed", SecurityInfo{Person: "Ada Lovelace", Others: []MethodCard{{Kind: "pass", Added: noon, Expires: noon}}}},
		{"activate", Activate{Flow: "f1", App: "Payroll", Name: "Blue key", Get: "/signin/again", Else: "/signin/prompt?new=1"}},
		{"activate-free", Activate{Name: "Blue key", Get: "/signin/again", Else: "/signin/prompt?new=1", MaySkip: true}},
		{"activate-own", Activate{Name: "Blue key", Get: "/security-info/passkeys/k1/activate", Own: true, Else: "/security-info"}},
		{"rename", RenamePasskey{Person: "Ada Lovelace", Passkey: yubi, Problem: "nameInvalid"}},
		{"delete", DeletePasskey{Person: "Ada Lovelace", Passkey: yubi}},
		{"delete-last", DeletePasskey{Person: "Ada Lovelace", Passkey: yubi, Refused: "This is your last safe way to sign in. Create another passkey first."}},
		{"deletemethod", DeleteMethod{Person: "Ada Lovelace", Method: code}},
		{"deletemethod-refused", DeleteMethod{Person: "Ada Lovelace", Method: code, Refused: "It is your only way to sign in."}},
		{"addcode", AddCode{Person: "Ada Lovelace", Secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP", URI: "otpauth://totp/Contoso:ada?secret=JBSWY3DPEHPK3PXP&issuer=Contoso", State: "s"}},
		{"setpassword", SetPassword{Person: "Ada Lovelace", Username: "ada@contoso.com", MinLength: 12}},
		{"setpassword-change", SetPassword{Person: "Ada Lovelace", Username: "ada@contoso.com", Change: true, MinLength: 12, Problem: "passwordWrong"}},
		{"lost", LostDevice{Person: "Ada Lovelace", Passkeys: []PasskeyCard{google, yubi}}}, {"lost-none", LostDevice{Person: "Ada Lovelace"}},
		{"everywhere", SignOutEverywhere{Person: "Ada Lovelace"}},
		{"home", Home{Person: "Ada Lovelace", Admin: true, Passkeys: 2, Apps: []App{{"Payroll", "https://payroll.example/"}, {"Wiki", "https://wiki.example/"}, {"Travel and expenses", "https://travel.example/"}}}},
		{"home-new", Home{Person: "Ada Lovelace"}}, {"home-one", Home{Person: "Ada Lovelace", Passkeys: 1}},
		{"setup", SetupName{Token: "t", Domain: "contoso.com", Problem: "organisationRequired"}}, {"setup-address", SetupName{Token: "t"}},
		{"setupdone", SetupDone{Organisation: "Contoso", Person: "Ada Lovelace", Username: "ada@contoso.com"}},
		{"enrol", Enrol{Token: "t", Person: "Grace Hopper", Expires: noon.AddDate(0, 0, 7)}},
	}
}

var contoso = Brand{Organisation: "Contoso", HelpDesk: HelpDesk{Name: "IT Service Desk", Phone: "+41 44 555 01 00", Mail: "help@contoso.com", URL: "https://help.contoso.com/", Hours: "Monday to Friday, 8:00–18:00"}}

func renderer(t *testing.T, b Brand) *Renderer {
	t.Helper()
	s, err := New(Config{Origin: "https://id.contoso.com", Now: func() time.Time { return noon }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rendered(t *testing.T, s *Renderer, v View) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Render(&b, v, "0f8fad5b-d9cb-469f-a165-70867728950e"); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPreview writes every page as a file to the folder CARDEA_PREVIEW, to be
// looked at in a browser.
func TestPreview(t *testing.T) {
	dir := os.Getenv("CARDEA_PREVIEW")
	if dir == "" {
		t.Skip("set CARDEA_PREVIEW to a folder")
	}
	s := renderer(t, contoso)
	s.demo = os.Getenv("CARDEA_PREVIEW_DEMO") != ""
	static := regexp.MustCompile(`"/static/([^"]+)"`)
	for _, p := range samples() {
		out := static.ReplaceAllString(rendered(t, s, p.view), `"static/$1"`)
		if err := os.WriteFile(filepath.Join(dir, p.file+".html"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "static"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, a := range s.look.Load().assets {
		if err := os.WriteFile(filepath.Join(dir, a.path), a.plain, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
