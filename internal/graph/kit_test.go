package graph

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/passkey"
	"cardea/internal/throttle"
	"cardea/internal/webauthn"
)

var update = flag.Bool("update", false, "rewrite the wanted answers in testdata")

// world is a served API on a real database, and the people in it.
type world struct {
	t    testing.TB
	d    *db.DB
	ring *jose.Ring
	api  *api
	now  time.Time
	ids  map[string]string // who → object id
	app  application.Application
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// cast is who exists, with the roles they hold.
var cast = []struct{ name, role string }{
	{"admin", directory.GlobalAdministrator}, {"reader", directory.GlobalReader}, {"policyadmin", directory.AuthenticationPolicyAdministrator},
	{"authadmin", directory.AuthenticationAdministrator}, {"useradmin", directory.UserAdministrator}, {"ada", ""}, {"guest", ""},
}

func newWorld(t testing.TB, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, d: d, now: noon, ids: map[string]string{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	master, err := jose.NewMaster(bytes.Repeat([]byte{7}, 32))
	must(err)
	w.ring, err = jose.OpenRing(t.Context(), d, master, noon)
	must(err)
	_, err = directory.EnsureOrganization(t.Context(), d, noon)
	must(err)
	must(application.EnsureBuiltIn(t.Context(), d, noon))
	must(d.Write(t.Context(), func(q db.Querier) error {
		for i, p := range cast {
			at := noon.Add(time.Duration(i) * time.Millisecond)
			u := directory.User{UserPrincipalName: p.name + "@contoso.test", DisplayName: p.name, AccountEnabled: true}
			if p.name == "guest" {
				u.UserType = "Guest"
			}
			u, err := directory.CreateUser(t.Context(), q, audit.System("test"), at, u)
			if err != nil {
				return err
			}
			w.ids[p.name] = u.ID
			if p.role != "" {
				if err := directory.AssignRole(t.Context(), q, audit.System("test"), noon, directory.RoleAssignment{UserID: u.ID, RoleID: p.role}); err != nil {
					return err
				}
			}
		}
		w.app, err = application.Create(t.Context(), q, audit.System("test"), noon, application.Application{DisplayName: "Robot",
			Cardea: application.Extra{Permissions: []string{application.All}}})
		return err
	}))
	org, err := directory.GetOrganization(t.Context(), d)
	must(err)
	keeper := &passkey.Keeper{DB: d, Ring: w.ring, TenantID: org.ID, RP: webauthn.RelyingParty{ID: "id.contoso.test", Name: "Cardea", Origins: []string{"https://id.contoso.test"}}}
	must(passkey.Open(t.Context(), keeper, noon))
	w.api = newAPI(Config{DB: d, Keeper: keeper, Ring: w.ring, Now: func() time.Time { return w.now }, PublicURL: "https://id.contoso.test", PowerShellPage: 5000,
		Hasher: throttle.NewHasher(throttle.Cost{Memory: 64, Passes: 1, Threads: 1}, 2)})
	return w
}

// scopes are all that any route asks for.
func (w *world) scopes() string {
	seen := map[string]bool{}
	for _, r := range w.api.routes {
		for _, s := range append(append([]string{}, r.Access.Scopes...), r.Access.Own...) {
			seen[s] = true
		}
	}
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// token makes an access token: for a person of the cast with every scope, for
// "robot" with every permission, for "nobody" and "weak" with none.
func (w *world) token(who string) string {
	c := map[string]any{"aud": Audience, "iat": w.now.Unix(), "nbf": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(), "appid": application.CLIAppID, "amr": []string{"fido", "mfa"}}
	switch who {
	case "robot":
		c["idtyp"], c["roles"], c["appid"], c["oid"] = "app", []string{"all"}, w.app.AppID, w.app.PrincipalID()
	case "weak":
		c["idtyp"], c["roles"], c["appid"] = "app", []string{}, w.app.AppID
	case "nobody": // somebody without any scope
		c["idtyp"], c["scp"], c["oid"] = "user", "openid", w.ids["admin"]
	default:
		id, ok := w.ids[who]
		if !ok {
			w.t.Fatalf("nobody is called %q", who)
		}
		c["idtyp"], c["scp"], c["oid"] = "user", w.scopes(), id
	}
	token, err := w.ring.Sign("ES256", c, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) request(method, target, who string, body []byte, header http.Header) *httptest.ResponseRecorder {
	w.t.Helper()
	w.now = w.now.Add(time.Second) // ids are ordered by time: what comes later is later
	r := httptest.NewRequestWithContext(w.t.Context(), method, strings.ReplaceAll(target, " ", "%20"), bytes.NewReader(body))
	for k, v := range header {
		r.Header[k] = v
	}
	if who != "none" {
		r.Header.Set("Authorization", "Bearer "+w.token(who))
	}
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, r)
	w.checkAnswer(method, target, rec)
	return rec
}

// do expects a status and returns the JSON body.
func (w *world) do(status int, method, target, who, body string) map[string]any {
	w.t.Helper()
	rec := w.request(method, target, who, []byte(body), nil)
	if rec.Code != status {
		w.t.Fatalf("%s %s as %s: status %d, want %d\n%s", method, target, who, rec.Code, status, rec.Body)
	}
	var out map[string]any
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			w.t.Fatalf("%s %s: %v\n%s", method, target, err, rec.Body)
		}
	}
	return out
}

var (
	guid       = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	requestID  = regexp.MustCompile(`(?i)"((?:client-)?request-id)": "[0-9a-f-]*"`)
	enrolToken = regexp.MustCompile(`\.[A-Za-z0-9_-]{43}"`)
	passCode   = regexp.MustCompile(`"temporaryAccessPass": "[^"]+"`)
	secretText = regexp.MustCompile(`"(secretText|hint)": "[^"]+"`)
	skipToken  = regexp.MustCompile(`(skip|delta)token=([A-Za-z0-9_-]+)`)
)

// shown are the headers that conversations show.
var shown = []string{"Etag", "Warning", "Preference-Applied", "Retry-After", "Www-Authenticate"}

// TestConversations plays the files in testdata on every database: each is a
// conversation of "-- METHOD path as who --" and "-- status --". Ids are named
// by who has them, or numbered as they appear; {name} in a request means the id.
// Passkeys are registered as playedKeys says.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) { play(t, file, newWorld(t, d)) })
		})
	}
}

func play(t *testing.T, file string, w *world) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{w.app.AppID: "robot", w.app.ID: "robotObject", w.app.PrincipalID(): "robotPrincipal"}
	byName := map[string]string{}
	for who, id := range w.ids {
		names[id] = who
	}
	for id, name := range names {
		byName[name] = id
	}
	org, err := directory.GetOrganization(t.Context(), w.d)
	if err != nil {
		t.Fatal(err)
	}
	names[org.ID], byName["tenant"] = "tenant", org.ID
	number := 0
	last := map[string]string{} // the last $skiptoken and the last $deltatoken
	keys := &playedKeys{t: t}
	expand := func(s string) string {
		for name, id := range byName {
			s = strings.ReplaceAll(s, "{"+name+"}", id)
		}
		return keys.fill(strings.NewReplacer("{skiptoken}", last["skip"], "{deltatoken}", last["delta"]).Replace(s))
	}
	for i := 0; i+1 < len(ar.Files); i += 2 {
		ask := ar.Files[i]
		line, who, ok := strings.Cut(ask.Name, " as ")
		if !ok {
			who = "admin"
		}
		method, target, _ := strings.Cut(line, " ")
		header, body := headerOf(string(ask.Data))
		rec := w.request(method, expand(target), who, []byte(expand(body)), header)

		var got strings.Builder
		for _, h := range shown {
			for _, v := range rec.Header()[h] {
				fmt.Fprintf(&got, "%s: %s\n", h, v)
			}
		}
		if rec.Body.Len() > 0 {
			var b bytes.Buffer
			if json.Indent(&b, bytes.TrimSpace(rec.Body.Bytes()), "", "  ") == nil {
				got.Write(b.Bytes())
				got.WriteByte('\n')
			} else {
				got.WriteString(rec.Body.String() + "\n")
			}
		}
		keys.listen(rec.Body.Bytes())
		text := keys.hide(requestID.ReplaceAllString(got.String(), `"$1": "…"`))
		if m := skipToken.FindStringSubmatch(text); m != nil {
			last[m[1]] = m[2]
		}
		text = skipToken.ReplaceAllString(text, "${1}token=…")
		text = enrolToken.ReplaceAllString(text, `.…"`)
		text = passCode.ReplaceAllString(text, `"temporaryAccessPass": "…"`)
		text = secretText.ReplaceAllString(text, `"$1": "…"`)
		text = guid.ReplaceAllStringFunc(text, func(id string) string {
			if names[id] == "" {
				number++
				names[id] = fmt.Sprintf("id%d", number)
				byName[names[id]] = id
			}
			return "{" + names[id] + "}"
		})
		status, want := fmt.Sprint(rec.Code), &ar.Files[i+1]
		if *update {
			want.Name, want.Data = status, []byte(text)
		} else if status != want.Name || text != string(want.Data) {
			t.Errorf("%s\ngot %s\n%s\nwant %s\n%s", ask.Name, status, text, want.Name, want.Data)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// headerOf splits leading "Name: value" lines from the body.
func headerOf(data string) (http.Header, string) {
	h := http.Header{}
	for {
		line, rest, _ := strings.Cut(data, "\n")
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(name, ` {"`) {
			return h, data
		}
		h.Add(name, value)
		data = rest
	}
}
