package main

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db/dbtest"
)

// factory is a key vendor: it answers the challenges of a file with keys of its
// own, one for each person.
type factory struct {
	t      *testing.T
	dir    string
	origin string
	keys   map[string]*cardeatest.Authenticator // by user name
	made   map[string]map[string]any            // what it would send back
}

// challenges runs --challenges for the people of people.csv and makes the keys.
func (f *factory) challenges(env []string, args ...string) {
	f.t.Helper()
	out := filepath.Join(f.dir, "out.json")
	said, code := cardea(f.t, env, f.dir, append([]string{"passkey", "provision", "--csv", "people.csv", "--challenges", "out.json", "--journal", "c.journal", "--result", "c.csv"}, args...)...)
	if code != 0 || !strings.Contains(said, "challenges in out.json") {
		f.t.Fatalf("challenges: exit %d: %s", code, said)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		f.t.Fatalf("out.json names people and is %v (%v)", info.Mode(), err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		f.t.Fatal(err)
	}
	var file struct {
		Format, Server, Origin string
		People                 []struct {
			UserID, User, Label, Serial string
			PublicKey                   json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil || file.Format != challengesFormat || file.Origin != f.origin || file.Server != f.origin {
		f.t.Fatalf("%v in %s", err, raw)
	}
	f.keys, f.made = map[string]*cardeatest.Authenticator{}, map[string]map[string]any{}
	for _, p := range file.People {
		f.keys[p.User] = cardeatest.NewAuthenticator(cardeatest.SecurityKey([16]byte{1, 2, 3}))
		f.made[p.User] = map[string]any{"userId": p.UserID, "user": p.User, "label": p.Label, "serial": p.Serial, "publicKeyCredential": f.answer(f.keys[p.User], p.PublicKey, f.origin)}
	}
}

func (f *factory) answer(key *cardeatest.Authenticator, options []byte, origin string) json.RawMessage {
	f.t.Helper()
	c, err := key.Create(options, origin)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// delivers writes a responses file and imports it; journal and result are named
// after it.
func (f *factory) delivers(env []string, name string, rows []map[string]any, args ...string) (said string, code int) {
	f.t.Helper()
	write(f.t, f.dir, map[string]string{name + ".json": string(mustJSON(map[string]any{"format": responsesFormat, "people": rows}))})
	return cardea(f.t, env, f.dir, append([]string{"passkey", "provision", "--import", name + ".json"}, args...)...)
}

var detail = regexp.MustCompile(`\[\w+\]`)

// codes reads a result file: the status of each row, the code, and the one that
// says more.
func (f *factory) codes(name string) (out []string) {
	f.t.Helper()
	file, err := os.Open(filepath.Join(f.dir, name+".result.csv"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, r := range rows[1:] {
		out = append(out, strings.TrimSpace(r[5]+" "+r[9]+" "+detail.FindString(r[10])))
	}
	return out
}

// but is a row with other members.
func but(row map[string]any, change map[string]any) map[string]any {
	out := overlay(row, nil)
	for name, v := range change {
		out[name] = v
	}
	return out
}

// vendor starts a server with n people and a factory.
func vendor(t *testing.T, dsn string, n int) (*factory, *front, []string) {
	t.Helper()
	f, _, env := behind(t, dsn)
	dir := t.TempDir()
	people(t, dir, n)
	if said, code := cardea(t, env, dir, "user", "import", "--csv", "users.csv"); code != 0 {
		t.Fatalf("import: exit %d: %s", code, said)
	}
	return &factory{t: t, dir: dir, origin: f.address}, f, env
}

// TestVendor: challenges for everybody now, the factory's responses later; each
// wrong response fails its row alone (exit 3), under the name of what is wrong
// (PK-138), and good ones are registered once.
func TestVendor(t *testing.T) {
	for engine, dsn := range dbtest.DSNs(t) {
		t.Run(engine, func(t *testing.T) {
			f, front, env := vendor(t, dsn(t), 6)
			f.challenges(env)
			who := func(i int) map[string]any {
				return f.made[[]string{"p0000", "p0001", "p0002", "p0003", "p0004", "p0005"}[i]+"@contoso.test"]
			}

			// 0 and 1 are good; 2 was signed for another site; 3 answers the
			// challenge of 4; 4 brings the credential of 0.
			other := cardeatest.NewAuthenticator()
			options := mustJSON(optionsOf(t, f.dir, "p0002@contoso.test"))
			rows := []map[string]any{who(0), who(1),
				but(who(2), map[string]any{"publicKeyCredential": f.answer(other, options, "https://elsewhere.test")}),
				but(who(3), map[string]any{"publicKeyCredential": who(4)["publicKeyCredential"]}),
				but(who(5), map[string]any{"publicKeyCredential": json.RawMessage(strings.Replace(string(who(5)["publicKeyCredential"].(json.RawMessage)), `"attestationObject":"o`, `"attestationObject":"A`, 1))}),
			}
			said, code := f.delivers(env, "mixed", rows)
			if code != exitPartly || !strings.Contains(said, "2 ok, 3 failed") {
				t.Fatalf("mixed: exit %d: %s", code, said)
			}
			want := []string{"ok", "ok", "failed verificationFailed [originMismatch]", "failed verificationFailed [challengeUnknown]", "failed invalidAttestationDataFormat"}
			if got := f.codes("mixed"); strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("results %q, want %q\n%s", got, want, said)
			}
			if got, _ := cardea(t, env, f.dir, "passkey", "list", "--user", "p0000", "--columns", "displayName,passkeyType"); !strings.Contains(got, "Key 0\tdeviceBound") {
				t.Errorf("passkeys: %s", got)
			}
			if got, _ := cardea(t, env, f.dir, "passkey", "list", "--user", "p0003", "-o", "json"); strings.TrimSpace(got) != "[]" {
				t.Errorf("the challenge of somebody else gave a passkey: %s", got)
			}

			// the same again: not without --resume, and with it only what failed
			if said, code := f.delivers(env, "mixed", rows); code != exitUsage || !strings.Contains(said, "--resume") {
				t.Errorf("again: exit %d: %s", code, said)
			}
			posts := front.posts.Load()
			if said, code := f.delivers(env, "mixed", rows, "--resume"); code != exitPartly || front.posts.Load() != posts+3 {
				t.Errorf("resumed: exit %d, %d requests: %s", code, front.posts.Load()-posts, said)
			}

			// a file that delivers again what is registered: nothing new, each row is ok
			if said, code := f.delivers(env, "again", []map[string]any{who(0)}); code != 0 {
				t.Errorf("delivered again: exit %d: %s", code, said)
			}
			// the credential of somebody else, with a challenge of one's own, is refused
			if said, code := f.delivers(env, "stolen", []map[string]any{but(who(4), map[string]any{"publicKeyCredential": who(0)["publicKeyCredential"]})}); code != exitFailed {
				t.Errorf("stolen: exit %d: %s", code, said)
			}
			// everything that can be seen without the server is said with its
			// number, and nothing is done
			said, code = f.delivers(env, "broken", []map[string]any{who(4), who(4), but(who(5), map[string]any{"publicKeyCredential": map[string]any{"id": "x y"}}),
				but(who(5), map[string]any{"userId": "", "user": "nobody@contoso.test"}), but(who(5), map[string]any{"publicKeyCredential": nil})})
			for _, want := range []string{"broken.json:2: the same as line 1", "broken.json:3: ", "is missing, or not base64url", "broken.json:4: there is no user", "broken.json:5: id of publicKeyCredential is missing", "5 rows checked, 4 problems. Nothing was changed."} {
				if code != exitUsage || !strings.Contains(said, want) {
					t.Errorf("broken: exit %d, %q is not said: %s", code, want, said)
				}
			}
			write(t, f.dir, map[string]string{"half.json": `{"format":"` + responsesFormat + `","people":[`, "foreign.json": `{"format":"other/9","people":[]}`})
			for _, name := range []string{"half.json", "foreign.json"} {
				if said, code := cardea(t, env, f.dir, "passkey", "provision", "--import", name); code == 0 || code == exitPartly {
					t.Errorf("%s: exit %d: %s", name, code, said)
				}
			}

			// too late: the challenge has ended
			f.challenges(env, "--valid-for", "2h")
			front.ahead.Store(int64(3 * time.Hour))
			if said, code := f.delivers(env, "late", []map[string]any{who(4)}); code != exitFailed || !strings.Contains(said, "challengeExpired") {
				t.Errorf("late: exit %d: %s", code, said)
			}
			front.ahead.Store(0)
			if said, code := f.delivers(env, "late", []map[string]any{who(4)}, "--resume"); code != 0 {
				t.Errorf("in time: exit %d: %s", code, said)
			}
		})
	}
}

// optionsOf are the creation options of a person in out.json.
func optionsOf(t *testing.T, dir, user string) any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ People []map[string]any }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, p := range file.People {
		if p["user"] == user {
			return p["publicKey"]
		}
	}
	t.Fatalf("%s has no challenge", user)
	return nil
}

// TestVendorDisabled: keys that come by post open nothing until their owner,
// who came in with a pass, uses them.
func TestVendorDisabled(t *testing.T) {
	f, front, env := vendor(t, "", 1)
	f.challenges(env)
	const user = "p0000@contoso.test"
	if said, code := f.delivers(env, "posted", []map[string]any{f.made[user]}, "--disabled"); code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	if said, _ := cardea(t, env, f.dir, "passkey", "list", "--user", "p0000", "--columns", "cardea/state"); !strings.Contains(said, "disabled") {
		t.Errorf("the state is %s", said)
	}
	use := func(b *cardeatest.Browser, path string) cardeatest.Reply {
		t.Helper()
		r := b.JSON(path+"/options", map[string]string{"flow": ""})
		var o struct {
			State     string          `json:"state"`
			PublicKey json.RawMessage `json:"publicKey"`
		}
		if err := r.Read(&o); err != nil || r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
		c, err := f.keys[user].Get(o.PublicKey, f.origin)
		if err != nil {
			t.Fatal(err)
		}
		return b.JSON(path, map[string]any{"state": o.State, "credential": json.RawMessage(c)})
	}
	browser := func() *cardeatest.Browser { return cardeatest.NewBrowser(front.handler, f.origin) }
	if r := use(browser(), "/signin/passkey"); r.Code() != "passkeyDisabled" {
		t.Errorf("a key on its way opens something: %d %s", r.Status, r.Body)
	}
	said, code := cardea(t, env, f.dir, "tap", "issue", user, "-q", "--columns", "temporaryAccessPass")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if code != 0 || len(lines) != 2 {
		t.Fatalf("tap: exit %d: %s", code, said)
	}
	owner := browser()
	if r := owner.Form("/signin/temporary-access-pass", "username", user, "secret", lines[1]); r.Status != http.StatusSeeOther {
		t.Fatalf("pass: %d %s", r.Status, r.Body)
	}
	id, _ := cardea(t, env, f.dir, "passkey", "list", "--user", user, "--columns", "id")
	id = strings.Fields(id)[1]
	if r := use(owner, "/security-info/passkeys/"+id+"/activate"); r.Status != http.StatusOK {
		t.Fatalf("activation: %d %s", r.Status, r.Body)
	}
	if r := use(browser(), "/signin/passkey"); r.Status != http.StatusOK {
		t.Errorf("after activation: %d %s", r.Status, r.Body)
	}
	if said, _ := cardea(t, env, f.dir, "passkey", "list", "--user", user, "--columns", "cardea/state"); !strings.Contains(said, "enabled") {
		t.Errorf("the state is %s", said)
	}
}

// TestExitCodes names an end of each kind.
func TestExitCodes(t *testing.T) {
	_, s, env := behind(t, "")
	dir := t.TempDir()
	write(t, dir, map[string]string{"some.csv": "user\nada@contoso.test\nada@contoso.test\n", "two.csv": "userPrincipalName\nada@contoso.test\nbo@contoso.test\n"})
	reader, err := s.BootstrapApp(t.Context(), "Reader", []string{"User.Read.All"})
	if err != nil {
		t.Fatal(err)
	}
	with := func(pairs ...string) []string { return append(append([]string{}, env...), pairs...) }
	weak := with("CARDEA_CLIENT_ID="+reader.ClientID, "CARDEA_CLIENT_SECRET="+reader.ClientSecret)
	for _, c := range []struct {
		name string
		env  []string
		want int
		args string
	}{
		{"done", env, exitOK, "user create ada@contoso.test"},
		{"failed: the server refuses", env, exitFailed, "tap issue ada --minutes 5"},
		{"failed: no server", with("CARDEA_SERVER=http://localhost:1"), exitFailed, "user list"},
		{"typed wrongly", env, exitUsage, "user list --nonsense"},
		{"typed wrongly: no such command", env, exitUsage, "usr list"},
		{"not confirmed", env, exitUsage, "user delete ada"},
		{"a wrong file", env, exitUsage, "tap issue --csv some.csv"},
		{"some rows failed", env, exitPartly, "user import --csv two.csv"},
		{"some people failed", env, exitPartly, "tap issue ada nobody"},
		{"not signed in", with("CARDEA_CLIENT_ID="), exitSignIn, "user list"},
		{"a wrong secret", with("CARDEA_CLIENT_SECRET=wrong"), exitSignIn, "user list"},
		{"forbidden", weak, exitForbidden, "user create cy@contoso.test"},
		{"forbidden in a plan", weak, exitForbidden, "policy update password --state on --dry-run"},
		{"there is none", env, exitNotFound, "user get nobody"},
		{"it exists", env, exitConflict, "api POST /v1.0/users --input ada.json"},
	} {
		write(t, dir, map[string]string{"ada.json": `{"userPrincipalName":"ada@contoso.test","displayName":"A","accountEnabled":true}`})
		if said, code := cardea(t, c.env, dir, strings.Fields(c.args)...); code != c.want {
			t.Errorf("%s: cardea %s: exit %d, want %d\n%s", c.name, c.args, code, c.want, said)
		}
	}
}
