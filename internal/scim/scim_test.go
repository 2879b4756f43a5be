package scim

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/odata"
	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

// source is a human resources system that talks to a served edge.
type source struct {
	t      *testing.T
	d      *db.DB
	ring   *jose.Ring
	h      http.Handler
	now    time.Time
	bearer string // of the application that may change people and groups
	weak   string // of one that may only read people
	strong string // of one that may change how people sign in too
	admin  directory.User
}

const host = "https://id.contoso.test"

func open(t *testing.T, d *db.DB) *source {
	t.Helper()
	return openWith(t, d, false)
}

func openWith(t *testing.T, d *db.DB, respectReach bool) *source {
	t.Helper()
	s := &source{t: t, d: d, now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	master, err := jose.NewMaster(bytes.Repeat([]byte{7}, 32))
	must(err)
	s.ring, err = jose.OpenRing(t.Context(), d, master, s.now)
	must(err)
	org, err := directory.EnsureOrganization(t.Context(), d, s.now)
	must(err)
	by := audit.System("test")
	must(d.Write(t.Context(), func(q db.Querier) error {
		for _, a := range []struct {
			name    string
			granted []string
			into    *string
		}{{"HR", []string{"User.ReadWrite.All", "Group.ReadWrite.All"}, &s.bearer}, {"Phone book", []string{"User.Read.All"}, &s.weak},
			{"Provisioning", []string{"User.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"}, &s.strong}} {
			app, err := application.Create(t.Context(), q, by, s.now, application.Application{DisplayName: a.name, Cardea: application.Extra{Permissions: a.granted}})
			if err != nil {
				return err
			}
			secret, err := application.AddSecret(t.Context(), q, by, s.now, app.ID, application.PasswordCredential{DisplayName: "SCIM"})
			if err != nil {
				return err
			}
			*a.into = app.AppID + "." + secret.SecretText
		}
		s.admin, err = directory.CreateUser(t.Context(), q, by, s.now, directory.User{UserPrincipalName: "admin@contoso.test", DisplayName: "Admin", AccountEnabled: true})
		if err != nil {
			return err
		}
		return directory.AssignRole(t.Context(), q, by, s.now, directory.RoleAssignment{UserID: s.admin.ID, RoleID: directory.GlobalAdministrator})
	}))
	keeper := &passkey.Keeper{DB: d, Ring: s.ring, TenantID: org.ID, RP: webauthn.RelyingParty{ID: "id.contoso.test", Name: "Cardea", Origins: []string{host}}}
	must(passkey.Open(t.Context(), keeper, s.now))
	s.h = New(Config{DB: d, Ring: s.ring, Applications: application.NewCache(d), Keeper: keeper, Now: func() time.Time { return s.now },
		PublicURL: host, Audience: "graph", Log: slog.New(slog.DiscardHandler), RespectReach: respectReach})
	return s
}

// do sends a request and returns status and body.
func (s *source) do(method, path, body string) (int, map[string]any) {
	s.t.Helper()
	return s.as("Bearer "+s.bearer, method, path, body)
}

func (s *source) as(authorization, method, path, body string) (int, map[string]any) {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	r := httptest.NewRequest(method, Path+path, strings.NewReader(body))
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Content-Type", "application/scim+json")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	var out map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Code, out
}

func (s *source) want(status int, method, path, body string) map[string]any {
	s.t.Helper()
	got, out := s.do(method, path, body)
	if got != status {
		s.t.Fatalf("%s %s: %d, want %d: %v", method, path, got, status, out)
	}
	return out
}

func at(v any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

const ada = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
 "externalId":"4711","userName":"Ada@Contoso.test","name":{"givenName":"Ada","familyName":"Lovelace"},"active":true,"title":"Analyst",
 "emails":[{"value":"private@example.org","type":"home"},{"value":"ada@contoso.test","type":"work"}],"nickName":"unknown attributes are left aside",
 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engines"}}`

// TestLifeOfAPerson is what a source does from the first day of a person to
// the last.
func TestLifeOfAPerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		made := s.want(201, "POST", "/Users", ada)
		id, _ := made["id"].(string)
		for _, c := range []struct {
			want any
			path []any
		}{
			{"4711", []any{"externalId"}}, {"Ada@Contoso.test", []any{"userName"}}, {"Ada Lovelace", []any{"displayName"}}, {"Lovelace", []any{"name", "familyName"}},
			{true, []any{"active"}}, {"ada@contoso.test", []any{"emails", 0, "value"}}, {"Engines", []any{enterpriseSchema, "department"}},
			{host + "/scim/v2/Users/" + id, []any{"meta", "location"}},
		} {
			if got := at(made, c.path...); got != c.want {
				t.Errorf("%v is %v, want %v", c.path, got, c.want)
			}
		}
		again := s.want(409, "POST", "/Users", ada)
		if again["scimType"] != "uniqueness" {
			t.Errorf("a second Ada: %v", again)
		}
		found := s.want(200, "GET", `/Users?filter=externalId+eq+%224711%22`, "")
		if found["totalResults"] != 1.0 || at(found, "Resources", 0, "id") != id {
			t.Errorf("by externalId: %v", found)
		}
		if none := s.want(200, "GET", `/Users?filter=externalId+eq+%224712%22`, ""); none["totalResults"] != 0.0 || at(none, "Resources") == nil {
			t.Errorf("nobody: %v", none)
		}
		patched := s.want(200, "PATCH", "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
			{"op":"Replace","path":"name.familyName","value":"King"},{"op":"replace","value":{"title":"Countess","`+enterpriseSchema+`:department":"Numbers"}},
			{"op":"add","path":"emails[type eq \"work\"].value","value":"ada.king@contoso.test"},{"op":"remove","path":"externalId"},{"op":"Add","path":"phoneNumbers","value":[{"value":"1"}]}]}`)
		for want, path := range map[string][]any{"King": {"name", "familyName"}, "Ada": {"name", "givenName"}, "Countess": {"title"}, "Numbers": {enterpriseSchema, "department"}, "ada.king@contoso.test": {"emails", 0, "value"}} {
			if got := at(patched, path...); got != want {
				t.Errorf("after the PATCH %v is %v, want %v", path, got, want)
			}
		}
		if patched["externalId"] != nil {
			t.Errorf("externalId is still %v", patched["externalId"])
		}
		off := s.want(200, "PATCH", "/Users/"+id, `{"Operations":[{"op":"replace","path":"active","value":"False"}]}`)
		if off["active"] != false {
			t.Errorf("still active: %v", off)
		}
		put := s.want(200, "PUT", "/Users/"+id, `{"userName":"ada@contoso.test","displayName":"Ada K."}`)
		if put["displayName"] != "Ada K." || put["title"] != nil || put["active"] != false {
			t.Errorf("after the PUT: %v", put)
		}
		s.want(204, "DELETE", "/Users/"+id, "")
		s.want(404, "GET", "/Users/"+id, "")
		records, err := audit.FindAudits(t.Context(), d, odata.Query{Top: 50, OrderBy: audit.AuditPaging.Order})
		if err != nil {
			t.Fatal(err)
		}
		var did []string
		for _, r := range records {
			if r.InitiatedBy.App != nil && r.InitiatedBy.App.DisplayName == "HR" {
				did = append(did, r.ActivityDisplayName)
			}
		}
		if got := strings.Join(did, ", "); got != "Delete user, Update user, Update user, Update user, Add user" {
			t.Errorf("the log says %s", got)
		}
	})
}

// TestGroups: members come, go, and are replaced; PATCH works without reading
// the others.
func TestGroups(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		var ids []string
		for _, n := range []string{"a", "b", "c"} {
			ids = append(ids, s.want(201, "POST", "/Users", `{"userName":"`+n+`@contoso.test"}`)["id"].(string))
		}
		g := s.want(201, "POST", "/Groups", `{"displayName":"Sales","externalId":"G1","members":[{"value":"`+ids[0]+`"}]}`)
		id := g["id"].(string)
		members := func() int {
			l, _ := s.want(200, "GET", "/Groups/"+id, "")["members"].([]any)
			return len(l)
		}
		if members() != 1 {
			t.Fatalf("a new group: %v", g)
		}
		patch := func(ops string) { t.Helper(); s.want(204, "PATCH", "/Groups/"+id, `{"Operations":[`+ops+`]}`) }
		patch(`{"op":"Add","path":"members","value":[{"value":"` + ids[0] + `"},{"value":"` + ids[1] + `"}]},{"op":"replace","value":{"id":"` + id + `","displayName":"Sales EMEA"}}`)
		if members() != 2 {
			t.Errorf("after add there are %d", members())
		}
		patch(`{"op":"remove","path":"members[value eq \"` + ids[0] + `\"]"}`)
		patch(`{"op":"Remove","path":"members","value":[{"value":"` + ids[2] + `"}]}`) // not a member: gone already
		if got := s.want(200, "GET", "/Groups/"+id, ""); at(got, "members", 0, "value") != ids[1] || at(got, "members", 1) != nil || got["displayName"] != "Sales EMEA" {
			t.Errorf("after remove: %v", got)
		}
		s.want(200, "PUT", "/Groups/"+id, `{"displayName":"Sales","externalId":"G1","members":[{"value":"`+ids[2]+`"},{"value":"`+ids[0]+`"}]}`)
		if members() != 2 {
			t.Errorf("after PUT there are %d", members())
		}
		if got := s.want(200, "GET", `/Groups?excludedAttributes=members&filter=displayName+eq+%22sales%22`, ""); got["totalResults"] != 1.0 || at(got, "Resources", 0, "members") != nil {
			t.Errorf("a list without members: %v", got)
		}
		if bad := s.want(400, "PATCH", "/Groups/"+id, `{"Operations":[{"op":"add","path":"members","value":[{"value":"nobody"}]}]}`); bad["cardeaCode"] != "invalidValue" {
			t.Errorf("a member that does not exist: %v", bad)
		}
		patch(`{"op":"remove","path":"members"}`)
		if members() != 0 {
			t.Errorf("after the removal of all there are %d", members())
		}
		s.want(204, "DELETE", "/Groups/"+id, "")
		s.want(404, "GET", "/Groups/"+id, "")
	})
}

// TestPages: startIndex and count walk a list; nothing comes twice.
func TestPages(t *testing.T) {
	s := open(t, sqlite(t))
	for i := range 7 {
		s.want(201, "POST", "/Users", `{"userName":"p`+string(rune('0'+i))+`@contoso.test"}`)
	}
	seen := map[any]bool{}
	for start := 1; start <= 8; start += 3 {
		got := s.want(200, "GET", "/Users?count=3&startIndex="+string(rune('0'+start)), "")
		if got["totalResults"] != 8.0 { // with the administrator
			t.Fatalf("totalResults %v", got["totalResults"])
		}
		for i := range 3 {
			if id := at(got, "Resources", i, "id"); id != nil {
				if seen[id] {
					t.Errorf("%v comes twice", id)
				}
				seen[id] = true
			}
		}
	}
	if len(seen) != 8 {
		t.Errorf("saw %d of 8", len(seen))
	}
	if got := s.want(200, "GET", "/Users?count=0", ""); got["totalResults"] != 8.0 || at(got, "Resources", 0) != nil {
		t.Errorf("count=0: %v", got)
	}
	one := s.want(200, "GET", `/Users?attributes=userName,name.givenName&filter=userName+eq+%22P3@contoso.test%22`, "")
	if at(one, "Resources", 0, "userName") != "p3@contoso.test" || at(one, "Resources", 0, "active") != nil || at(one, "Resources", 0, "id") == nil {
		t.Errorf("attributes: %v", one)
	}
}

// TestFilters: what sources ask, and that bounds hold (DO-28).
func TestFilters(t *testing.T) {
	s := open(t, sqlite(t))
	s.want(201, "POST", "/Users", ada)
	s.want(201, "POST", "/Users", `{"userName":"bob@contoso.test","active":false}`)
	for filter, want := range map[string]float64{
		`userName eq "ADA@contoso.test"`: 1, `userName sw "a"`: 2, `emails.value eq "ada@contoso.test"`: 1, `emails[type eq "work" and value co "ada"]`: 1,
		`active eq false`: 1, `active eq "True" and not (userName eq "admin@contoso.test")`: 1, `title pr`: 1, `externalId eq "4711" or userName eq "bob@contoso.test"`: 2,
		`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob@contoso.test"`: 1, enterpriseSchema + `:department eq "engines"`: 1,
		`meta.created gt "2026-01-01T00:00:00Z"`: 3, `name.familyName ew "lace"`: 1, `(userName eq "x") or (userName eq "bob@contoso.test")`: 1, `displayName eq "it\"s"`: 0,
	} {
		if got := s.want(200, "GET", "/Users?filter="+url.QueryEscape(filter), ""); got["totalResults"] != want {
			t.Errorf("%s finds %v, want %v", filter, got["totalResults"], want)
		}
	}
	for _, filter := range []string{`userName`, `userName eq ada`, `password eq "x"`, `active gt true`, `userName eq "x`, `(userName eq "x"`, `userName eq 5`, `not userName eq "x"`,
		strings.Repeat("(", 40) + `userName eq "x"` + strings.Repeat(")", 40), strings.Repeat(`userName eq "x" or `, 101) + `userName eq "x"`, `userName eq "` + strings.Repeat("x", 5000) + `"`, `emails[emails[value eq "x"]]`} {
		if got := s.want(400, "GET", "/Users?filter="+url.QueryEscape(filter), ""); got["scimType"] != "invalidFilter" {
			t.Errorf("%.60s: %v", filter, got)
		}
	}
}

// TestWhoMay: no proof 401, too little 403, and reading is not writing.
func TestWhoMay(t *testing.T) {
	s := open(t, sqlite(t))
	id, secret, _ := strings.Cut(s.bearer, ".")
	basic := func(a, b string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth(a, b)
		return r.Header.Get("Authorization")
	}
	token := func(claims map[string]any) string {
		claims["exp"], claims["nbf"] = s.now.Add(time.Hour).Unix(), s.now.Add(-time.Hour).Unix()
		text, err := s.ring.Sign("ES256", claims, s.now)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	for name, c := range map[string]struct {
		authorization, method, path string
		want                        int
	}{
		"nothing": {"", "GET", "/Users", 401}, "nonsense": {"Bearer x", "GET", "/Users", 401}, "a wrong secret": {"Bearer " + id + ".x", "GET", "/Users", 401},
		"an unknown client": {"Bearer " + "x." + secret, "GET", "/Users", 401}, "Basic": {basic(id, secret), "GET", "/Users", 200}, "a wrong Basic": {basic(id, "x"), "GET", "/Users", 401},
		"reading with a reader": {"Bearer " + s.weak, "GET", "/Users", 200}, "writing with a reader": {"Bearer " + s.weak, "POST", "/Users", 403}, "groups with a reader": {"Bearer " + s.weak, "GET", "/Groups", 403},
		"a token":               {token(map[string]any{"aud": "graph", "idtyp": "app", "appid": id, "roles": []string{"User.ReadWrite.All"}}), "GET", "/Users", 200},
		"a token for another":   {token(map[string]any{"aud": "other", "idtyp": "app", "appid": id, "roles": []string{"User.ReadWrite.All"}}), "GET", "/Users", 401},
		"a token of a person":   {token(map[string]any{"aud": "graph", "idtyp": "user", "appid": id, "roles": []string{"User.ReadWrite.All"}}), "GET", "/Users", 401},
		"more than was granted": {token(map[string]any{"aud": "graph", "idtyp": "app", "appid": id, "roles": []string{"Directory.ReadWrite.All"}}), "GET", "/Users", 403},
		"no such resource":      {"Bearer " + s.bearer, "GET", "/Devices", 404}, "no such method": {"Bearer " + s.bearer, "DELETE", "/Users", 405},
	} {
		if got, body := s.as(c.authorization, c.method, c.path, `{"userName":"x@contoso.test"}`); got != c.want {
			t.Errorf("%s: %d, want %d: %v", name, got, c.want, body)
		}
	}
	for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/Schemas/" + userSchema, "/ResourceTypes/Group"} {
		if got, body := s.as("", "GET", path, ""); got != 200 {
			t.Errorf("%s: %d %v", path, got, body)
		}
	}
}

// TestBadInput: named answers, and nothing half-written.
func TestBadInput(t *testing.T) {
	s := open(t, sqlite(t))
	id := s.want(201, "POST", "/Users", ada)["id"].(string)
	before, err := directory.GetUser(t.Context(), s.d, id)
	if err != nil {
		t.Fatal(err)
	}
	patch := func(op string) string {
		return `{"Operations":[{"op":"replace","path":"title","value":"lost"},` + op + `]}`
	}
	for name, c := range map[string]struct{ method, path, body, code string }{
		"no JSON": {"POST", "/Users", "{", "badRequest"}, "no userName": {"POST", "/Users", `{"displayName":"x"}`, "requiredParamMissing"}, "a userName of another kind": {"POST", "/Users", `{"userName":"x"}`, "invalidValue"},
		"a wrong type": {"POST", "/Users", `{"userName":5}`, "badRequest"}, "NUL": {"POST", "/Users", `{"userName":"a\u0000@contoso.test"}`, "badRequest"}, "huge": {"POST", "/Users", `{"userName":"` + strings.Repeat("x", maxBody) + `"}`, "bodyTooLarge"},
		"an unknown operation": {"PATCH", "/Users/" + id, patch(`{"op":"move","path":"title"}`), "badRequest"}, "a bad path": {"PATCH", "/Users/" + id, patch(`{"op":"add","path":"emails[","value":1}`), "invalidPath"},
		"the id": {"PATCH", "/Users/" + id, patch(`{"op":"replace","path":"id","value":"x"}`), "mutability"}, "remove nothing": {"PATCH", "/Users/" + id, patch(`{"op":"remove"}`), "noTarget"},
		"a value of a wrong type": {"PATCH", "/Users/" + id, patch(`{"op":"replace","path":"name","value":7}`), "badRequest"}, "userName taken": {"PATCH", "/Users/" + id, patch(`{"op":"replace","path":"userName","value":"admin@contoso.test"}`), "alreadyExists"},
		"no operations": {"PATCH", "/Users/" + id, `{}`, "badRequest"}, "deep": {"POST", "/Users", `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "badRequest"},
	} {
		status, got := s.do(c.method, c.path, c.body)
		if status < 400 || status > 499 || c.code != "alreadyExists" && got["cardeaCode"] != c.code {
			t.Errorf("%s: %d %v", name, status, got)
		}
	}
	after, err := directory.GetUser(t.Context(), s.d, id)
	if err != nil || after.JobTitle != before.JobTitle || after.Version != before.Version {
		t.Errorf("a refused PATCH left its trace: %+v, %v", after, err)
	}
	if n, err := directory.CountUsers(t.Context(), s.d); n != 2 || err != nil {
		t.Errorf("%d people, %v", n, err)
	}
}

// TestLastAdministrator: a source cannot lock the organisation out (DO-18).
func TestLastAdministrator(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		// The administrator has a way in: a passkey.
		if err := d.Write(t.Context(), func(q db.Querier) error {
			_, err := q.ExecContext(t.Context(), `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible, backup_state, attested, rp_id, created_at)
			VALUES ('k', $1, $2, 'Key', $2, -7, '00000000-0000-0000-0000-000000000000', 0, TRUE, TRUE, FALSE, 'id.contoso.test', 1)`, s.admin.ID, []byte("credential"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, c := range [][3]string{{"DELETE", "/Users/" + s.admin.ID, ""}, {"PATCH", "/Users/" + s.admin.ID, `{"Operations":[{"op":"replace","path":"active","value":false}]}`}} {
			status, got := s.as("Bearer "+s.strong, c[0], c[1], c[2])
			if status < 400 || got["cardeaCode"] != "wouldLockOutAdministrators" {
				t.Errorf("%s: %d %v", c[0], status, got)
			}
		}
	})
}

// TestReach_regression: SCIM was a way around the setting that holds
// applications to people without administrator roles (DO-25), and a user name
// in the path left an external name without an owner.
func TestReach_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := openWith(t, d, true)
		body := `{"userName":"stolen@contoso.test","emails":[{"value":"thief@example.org"}]}`
		for _, c := range [][3]string{{"PUT", s.admin.ID, body}, {"PATCH", s.admin.ID, `{"Operations":[{"op":"replace","path":"userName","value":"stolen@contoso.test"}]}`}, {"DELETE", s.admin.ID, ""}} {
			if status, got := s.do(c[0], "/Users/"+c[1], c[2]); status != 403 {
				t.Errorf("%s of an administrator: %d %v", c[0], status, got)
			}
		}
		s.want(404, "PUT", "/Users/admin@contoso.test", body)
		id := s.want(201, "POST", "/Users", ada)["id"].(string)
		s.want(200, "PATCH", "/Users/"+id, `{"Operations":[{"op":"replace","path":"title","value":"Countess"}]}`)
	})
}

// TestSensitive_regression: a source that may not change methods keeps an
// administrator's title in step, but neither name nor address nor state.
func TestSensitive_regression(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		set := func(path, value string) string {
			return `{"Operations":[{"op":"replace","path":"` + path + `","value":` + value + `}]}`
		}
		for _, body := range []string{set("userName", `"stolen@contoso.test"`), set("active", "false"), set("emails", `[{"value":"thief@example.org","primary":true}]`)} {
			if status, got := s.do("PATCH", "/Users/"+s.admin.ID, body); status != 403 {
				t.Errorf("%s: %d %v", body, status, got)
			}
		}
		if status, got := s.do("DELETE", "/Users/"+s.admin.ID, ""); status != 403 {
			t.Errorf("DELETE: %d %v", status, got)
		}
		s.want(200, "PATCH", "/Users/"+s.admin.ID, set("title", `"Head"`))
		if status, got := s.as("Bearer "+s.strong, "PATCH", "/Users/"+s.admin.ID, set("emails", `[{"value":"admin@example.org","primary":true}]`)); status != 200 {
			t.Errorf("with a permission for methods: %d %v", status, got)
		}
	})
}

func sqlite(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: t.TempDir() + "/test.db", Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// FuzzFilter: whatever a filter says, parsing ends in an expression or in
// invalidFilter, and no byte of it is in the SQL text (DO-28, DO-32).
func FuzzFilter(f *testing.F) {
	for _, in := range []string{`userName eq "x"`, `emails[type eq "work" and value co "@"]`, `not (title pr) or (active eq true)`, `a[b[`, `"`, `userName eq "\u0000'; DROP TABLE users"`} {
		f.Add(in)
	}
	schema := withExternal(directory.UserSchema, "users")
	f.Fuzz(func(t *testing.T, in string) {
		e, err := parseFilter(in, userNames, schema)
		if err != nil {
			if problem.CodeOf(err) != "invalidFilter" {
				t.Fatalf("%q: %v", in, err)
			}
			return
		}
		s := new(odata.SQL).Where(e)
		text := s.String()
		for _, p := range schema {
			text = strings.ReplaceAll(text, p.Column, "")
		}
		for _, w := range []string{"ESCAPE", "LIKE", "lower", "NOT", "AND", "OR", "IN", "CASE", "WHEN", "THEN", "ELSE", "END"} {
			text = strings.ReplaceAll(text, w, "")
		}
		if rest := strings.Trim(text, ` ()$0123456789=<>,'\\`); rest != "" {
			t.Fatalf("%q leaked %q into %q", in, rest, s)
		}
	})
}

// FuzzPatch: whatever a PATCH says, the outcome is a person or a named refusal.
func FuzzPatch(f *testing.F) {
	f.Add(`[{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}]`)
	f.Add(`[{"op":"add","value":{"name.givenName":"x","emails":{"value":1}}},{"op":"remove","path":"emails.value"}]`)
	f.Fuzz(func(t *testing.T, in string) {
		var ops []operation
		if json.Unmarshal([]byte(in), &ops) != nil {
			return
		}
		r := userResource{UserName: "ada@contoso.test", Emails: []userMail{{Value: "a@b.c", Type: "work"}}, Name: &userName{Given: "Ada"}}
		if err := apply(ops, &r); err != nil && problem.KindOf(err) != problem.Invalid {
			t.Fatalf("%s: %v", in, err)
		}
	})
}
