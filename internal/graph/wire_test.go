package graph

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

// TestPaths: spellings of the same thing (WC-5 … WC-11, DO-1, DO-27).
func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		"/Users/a/memberOf":                  "Users|a|memberOf",
		"users/a/":                           "users|a",
		"users('o''neil%40x.test')/memberOf": "users|o'neil@x.test|memberOf",
		"users/o%27neil%2Bx%40x.test":        "users|o'neil+x@x.test",
		"users/a+b%2Fc":                      "users|a+b/c",
		"users%28%27a%27%29":                 "users|a",
		"directoryRoles(roleTemplateId='r')": "directoryRoles|roleTemplateId=r",
		"x/creationOptions(n=5)":             "x|creationOptions",
		"x/creationOptions()":                "x|creationOptions",
		"groups(a)/members/$ref":             "groups|a|members|$ref",
		"x/f(a='1',b=2)":                     "x|f",
		"users/%2541":                        "users|%41", // decoded once
	} {
		p, err := parsePath(in)
		if err != nil || strings.Join(p.segments, "|") != want {
			t.Errorf("%s: got %q (%v), want %q", in, strings.Join(p.segments, "|"), err, want)
		}
	}
	p, err := parsePath("x/f(Alpha='it''s',beta=@p)")
	if err != nil || p.args["alpha"] != "it's" || p.args["beta"] != "@p" {
		t.Errorf("arguments: %v, %v", p.args, err)
	}
	for _, bad := range []string{"", "/", "a//b", "users/%zz", "users('a'b')", "users('')", "a/%00", strings.Repeat("a/", 40) + "a"} {
		if p, err := parsePath(bad); err == nil {
			t.Errorf("%q is accepted: %v", bad, p.segments)
		}
	}
	v, err := parseQuery("FILTER=a+b&%24Top=5&$top=6&slice=x", true)
	if err != nil || v.Get("$filter") != "a b" || v.Get("$top") == "" || v.Get("slice") != "x" {
		t.Errorf("WC-8 on beta: %v, %v", v, err)
	}
	if v, err := parseQuery("filter=a", false); err != nil || v.Has("$filter") {
		t.Errorf("v1.0 wants the $: %v, %v", v, err)
	}
}

// FuzzPath: no path panics; a parsed path has only non-empty segments, and
// quoting a segment as a key gives that segment back.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"users('a')/x", "f(a=1,b='2')", "a(b(c))", "a()", "%28%29", "users/o%27neil"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := parsePath(in)
		if err != nil {
			return
		}
		for _, s := range p.segments {
			if s == "" {
				t.Fatalf("%q has an empty segment: %q", in, p.segments)
			}
			key := "users('" + url.PathEscape(strings.ReplaceAll(s, "'", "''")) + "')"
			again, err := parsePath(key)
			if err != nil || len(again.segments) != 2 || again.segments[1] != s {
				t.Fatalf("%q: the key %q came back as %q (%v)", in, s, again.segments, err)
			}
		}
	})
}

func packed(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBodies: WC-12, WC-16, WC-19 and the limit of 4 MiB.
func TestBodies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		zip := http.Header{"Content-Encoding": {"gzip"}}
		big := `{"displayName": "` + strings.Repeat("x", maxBody) + `"}`
		for _, c := range []struct {
			rule   string
			body   []byte
			header http.Header
			want   int
		}{
			{"WC-12 gzip", packed(t, `{"displayName": "A"}`), zip, 201},
			{"WC-12 limit after unpacking", packed(t, big), zip, 413},
			{"limit", []byte(big), nil, 413},
			{"WC-12 unknown encoding", []byte(`{}`), http.Header{"Content-Encoding": {"br"}}, 415},
			{"not gzip", []byte(`{}`), zip, 400},
			{"cut gzip", packed(t, `{"displayName": "A"}`)[:15], zip, 400},
			{"WC-16 string", []byte(`"{\"displayName\": \"B\"}"`), nil, 201},
			{"WC-16 twice", []byte(`"\"{}\""`), nil, 400},
			{"byte order mark", []byte("\ufeff" + `{"displayName": "C"}`), nil, 201},
			{"WC-14 charset", []byte(`{"displayName": "D"}`), http.Header{"Content-Type": {"application/json; charset=utf-8"}}, 201},
			{"no JSON", []byte(`<html>`), nil, 400},
			{"nothing", nil, nil, 400},
		} {
			rec := w.request("POST", "/v1.0/groups", "useradmin", c.body, c.header)
			if rec.Code != c.want || !json.Valid(rec.Body.Bytes()) {
				t.Errorf("%s: status %d, want %d: %.200s", c.rule, rec.Code, c.want, rec.Body)
			}
		}
	})
}

// TestHeaders: WC-15, WC-51, DO-47, DO §5.4.
func TestHeaders(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		rec := w.request("GET", "/v1.0/me", "ada", nil, http.Header{"Client-Request-Id": {"abc-1"}})
		for name, want := range map[string]string{"client-request-id": "abc-1", "Content-Type": jsonType, "OData-Version": "4.0", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if rec.Header().Get("request-id") == "" {
			t.Error("no request-id")
		}
		hostile := w.request("GET", "/v1.0/nothing", "ada", nil, http.Header{"Client-Request-Id": {`"><script>`}})
		if hostile.Header().Get("client-request-id") != "" || strings.Contains(hostile.Body.String(), "script") {
			t.Errorf("a hostile client-request-id was echoed: %s", hostile.Body)
		}
		pre := w.request("OPTIONS", "/v1.0/users", "none", nil, http.Header{"Origin": {"https://app.test"}, "Access-Control-Request-Method": {"PATCH"}})
		if allow := pre.Header().Get("Access-Control-Allow-Headers"); pre.Code != 204 || !strings.Contains(allow, "consistencylevel") || !strings.Contains(allow, "sdkversion") {
			t.Errorf("WC-51: preflight %d %q", pre.Code, allow)
		}
		for sdk, want := range map[string]int{"graph-powershell/2.30": len(cast), "graph-go/1.89.0": 3} {
			w.api.routes = withPage(w.api.routes, 3)
			var list struct{ Value []any }
			if err := json.Unmarshal(w.request("GET", "/v1.0/tiny", "ada", nil, http.Header{"Sdkversion": {sdk}}).Body.Bytes(), &list); err != nil || len(list.Value) != want {
				t.Errorf("WC-85: %s gets %d (%v), want %d", sdk, len(list.Value), err, want)
			}
		}
		if head := w.request("HEAD", "/v1.0/me", "ada", nil, nil); head.Code != 200 {
			t.Errorf("HEAD: %d", head.Code)
		}
		if no := w.request("DELETE", "/v1.0/organization", "admin", nil, nil); no.Code != 405 || no.Header().Get("Allow") != "GET, PATCH" {
			t.Errorf("405 with Allow: %d %q", no.Code, no.Header().Get("Allow"))
		}
	})
}

// TestTokens: who is let in (WC-17, WC-18, DO §3).
func TestTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ask := func(header, target string) int {
			w.now = w.now.Add(time.Second)
			h := http.Header{}
			if header != "" {
				h.Set("Authorization", header)
			}
			return w.request("GET", target, "none", nil, h).Code
		}
		good := w.token("ada")
		sign := func(change func(map[string]any)) string {
			c := map[string]any{"aud": Audience, "iat": w.now.Unix(), "exp": w.now.Add(time.Hour).Unix(), "appid": application.CLIAppID, "idtyp": "user", "oid": w.ids["ada"], "scp": "User.Read"}
			change(c)
			token, err := w.ring.Sign("ES256", c, w.now)
			if err != nil {
				t.Fatal(err)
			}
			return "Bearer " + token
		}
		for name, c := range map[string]struct {
			header, target string
			want           int
		}{
			"bearer":                        {"Bearer " + good, "/v1.0/me", 200},
			"WC-17 bare":                    {good, "/v1.0/me", 200},
			"any case":                      {"bearer " + good, "/v1.0/me", 200},
			"WC-17 query":                   {"", "/v1.0/me?access_token=" + good, 401},
			"basic":                         {"Basic eDp5", "/v1.0/me", 401},
			"not a JWT":                     {"Bearer abc", "/v1.0/me", 401},
			"changed":                       {"Bearer " + good[:len(good)-4] + "AAAA", "/v1.0/me", 401},
			"another resource":              {sign(func(c map[string]any) { c["aud"] = application.CLIAppID }), "/v1.0/me", 401},
			"expired":                       {sign(func(c map[string]any) { c["exp"] = w.now.Unix() - 1 }), "/v1.0/me", 401},
			"nobody":                        {sign(func(c map[string]any) { c["oid"] = "01890000-0000-7000-8000-000000000001" }), "/v1.0/me", 401},
			"unknown application":           {sign(func(c map[string]any) { c["appid"] = "01890000-0000-7000-8000-000000000001" }), "/v1.0/me", 401},
			"scope with a resource (WC-31)": {sign(func(c map[string]any) { c["scp"] = "https://id.contoso.test/User.Read" }), "/v1.0/me", 200},
			"all is no scope":               {sign(func(c map[string]any) { c["scp"] = "all" }), "/v1.0/me", 403},
			"roles of a person's token":     {sign(func(c map[string]any) { c["roles"], c["scp"] = []string{"all"}, "" }), "/v1.0/me", 403},
			"a permission nobody granted":   {sign(func(c map[string]any) { c["idtyp"], c["roles"] = "app", []string{"User.Read.All"} }), "/v1.0/users", 403},
		} {
			if got := ask(c.header, c.target); got != c.want {
				t.Errorf("%s: status %d, want %d", name, got, c.want)
			}
		}

		basics := sign(func(c map[string]any) { c["scp"] = "User.ReadBasic.All" })
		rec := w.request("GET", "/v1.0/users?$select=displayName,userType,createdDateTime&$filter=displayName eq 'reader'", "none", nil, http.Header{"Authorization": {basics}})
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), `{"displayName":"reader","userType":null,"createdDateTime":null}`) {
			t.Errorf("User.ReadBasic.All sees %s", rec.Body)
		}
		for target, want := range map[string]int{"/v1.0/users?$filter=userType eq 'Guest'": 403, "/v1.0/users/$count?$filter=userType eq 'Guest'": 403, "/v1.0/groups": 403} {
			if rec := w.request("GET", target, "none", nil, http.Header{"Authorization": {basics}, "Consistencylevel": {"eventual"}}); rec.Code != want {
				t.Errorf("User.ReadBasic.All: %s is %d, want %d", target, rec.Code, want)
			}
		}

		bearer := "Bearer " + w.token("ada")
		change := func(f func(q db.Querier) error) {
			t.Helper()
			if err := d.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		w.now = w.now.Add(2 * time.Second)
		change(func(q db.Querier) error {
			return directory.RevokeSessions(t.Context(), q, audit.System("test"), w.now, w.ids["ada"])
		})
		if got := ask(bearer, "/v1.0/me"); got != 401 {
			t.Errorf("after signing out everywhere: status %d", got)
		}
		bearer = "Bearer " + w.token("guest")
		change(func(q db.Querier) error {
			_, err := directory.UpdateUser(t.Context(), q, audit.System("test"), w.now, w.ids["guest"], func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		if got := ask(bearer, "/v1.0/me"); got != 401 {
			t.Errorf("a disabled person: status %d", got)
		}
		// Permissions that were taken away since are gone at once.
		bearer = "Bearer " + w.token("robot")
		if got := ask(bearer, "/v1.0/users"); got != 200 {
			t.Errorf("robot: status %d", got)
		}
		change(func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, audit.System("test"), w.now, w.app.ID, func(a *application.Application) error { a.Cardea.Permissions = nil; return nil })
			return err
		})
		w.now = w.now.Add(2 * time.Second)
		if got := ask(bearer, "/v1.0/users"); got != 403 {
			t.Errorf("robot without permissions: status %d", got)
		}
		change(func(q db.Querier) error {
			return application.Delete(t.Context(), q, audit.System("test"), w.now, w.app.ID)
		})
		w.now = w.now.Add(2 * time.Second)
		if got := ask(bearer, "/v1.0/users"); got != 401 {
			t.Errorf("a deleted application: status %d", got)
		}
	})
}

// TestGrantingNeedsWhoMayGrant: permissions of applications are worth roles.
func TestGrantingNeedsWhoMayGrant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "POST", "/v1.0/directoryRoles/"+directory.ApplicationAdministrator+"/members/$ref", "admin", `{"@odata.id": "https://x.test/v1.0/users/`+w.ids["ada"]+`"}`)
		app := w.do(201, "POST", "/v1.0/applications", "ada", `{"displayName": "Mine"}`)["id"].(string)
		w.do(403, "POST", "/v1.0/applications", "ada", `{"displayName": "Strong", "cardea": {"applicationPermissions": ["all"]}}`)
		w.do(403, "PATCH", "/v1.0/applications/"+app, "ada", `{"cardea": {"applicationPermissions": ["User.ReadWrite.All"]}}`)
		w.do(403, "POST", "/v1.0/applications/"+w.app.ID+"/addPassword", "ada", `{}`)
		w.do(200, "POST", "/v1.0/applications/"+app+"/addPassword", "ada", `{}`)
		w.do(204, "PATCH", "/v1.0/applications/"+app, "ada", `{"displayName": "Still mine"}`)
		w.do(204, "PATCH", "/v1.0/applications/"+app, "admin", `{"cardea": {"applicationPermissions": ["User.Read.All"]}}`)
	})
}

// TestPanicsStayInside: an error answer like any other (DO-66).
func TestPanicsStayInside(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.api.routes = append(w.api.routes, route{Method: "GET", Path: "/boom", Access: readOrganization, Run: func(*Call) (Answer, error) { panic("secret detail") }}.compiled())
		rec := w.request("GET", "/v1.0/boom", "ada", nil, nil)
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "secret") || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("got %d %s", rec.Code, rec.Body)
		}
	})
}

// withPage adds a list of users whose pages are short.
func withPage(routes []route, size int) []route {
	p := directory.UserPaging
	p.Default = size
	for _, r := range (Collection[directory.User]{Path: "/tiny", Shape: userShape, Schema: directory.UserSchema, Paging: p, Read: readUsers,
		List: func(c *Call, q odata.Query) ([]directory.User, error) { return directory.FindUsers(c.Context, c.DB, q) }}).list() {
		routes = append(routes, r.compiled())
	}
	return routes
}

// FuzzReference: a reference gives an id without its way to it, in lower case,
// and what stands before the last two segments never matters (DO-7).
func FuzzReference(f *testing.F) {
	for _, s := range []string{"https://x/v1.0/directoryObjects/A", "users('b')", "/groups/c", "directoryObjects/", "://", "a://b://users/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		id, err := referenced(in)
		if err != nil {
			return
		}
		if id == "" || id != strings.ToLower(id) {
			t.Fatalf("%q gives %q", in, id)
		}
		if again, err := referenced("https://elsewhere.test/beta/users/" + url.PathEscape(id)); err == nil && again != id {
			t.Fatalf("%q: %q came back as %q", in, id, again)
		}
	})
}

// FuzzQuery: names come back in lower case, once each, with a value.
func FuzzQuery(f *testing.F) {
	f.Add("$Filter=a&FILTER=b&%24top=1&x", true)
	f.Fuzz(func(t *testing.T, in string, beta bool) {
		v, err := parseQuery(in, beta)
		if err != nil {
			return
		}
		for name, values := range v {
			if name != strings.ToLower(name) || len(values) != 1 {
				t.Fatalf("%q: %q has %q", in, name, values)
			}
		}
	})
}
