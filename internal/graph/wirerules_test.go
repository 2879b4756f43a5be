package graph

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// The rules of wire-compatibility.md about the API that no other test names,
// one by one.

// TestSpellings: WC-5 … WC-11 and DO-1 against the API itself: all spellings of
// an address get the same answer.
func TestSpellings(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["ada"], "admin", `{"userPrincipalName": "o'neil+x@contoso.test"}`)
		ada := w.ids["ada"]
		for _, c := range []struct {
			rule    string
			same    []string // all get the answer of the first
			another string   // does not: ""
			status  int
		}{
			{"DO-1, WC-7", []string{"/v1.0/users/" + ada, "/v1.0/users/" + strings.ToUpper(ada), "/v1.0/users/o%27neil%2Bx%40contoso.test", "/v1.0/users/O'NEIL+X@contoso.test", "/v1.0/users('" + ada + "')",
				"/v1.0/users('o''neil%2Bx@contoso.test')", "/v1.0/users%28%27o%27%27neil+x%40contoso.test%27%29", "/v1.0/Users/" + ada + "/"}, "/v1.0/users/o%2527neil%2Bx%40contoso.test", 404},
			{"WC-5", []string{"/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2", "/v1.0/POLICIES/authenticationmethodspolicy/AUTHENTICATIONMETHODCONFIGURATIONS/FIDO2"}, "", 0},
			{"WC-6", []string{"/v1.0/groups", "/v1.0/groups/", "/v1.0/groups?", "/v1.0/groups/?", "/v1.0/groups/?$top=100"}, "/v1.0/groups//", 400},
			{"WC-7, + is a blank in the query", []string{"/v1.0/groups?$filter=displayName eq 'A B'", "/v1.0/groups?$filter=displayName+eq+'A+B'", "/v1.0/groups/?%24filter=displayName+eq+%27A+B%27", "/v1.0/groups?$filter=displayName%20eq%20'A%20B'"}, "/v1.0/groups?$filter=displayName eq 'A%2BB'", 200},
			{"WC-8", []string{"/beta/users?$select=id&$top=2", "/beta/users?select=id&top=2", "/beta/users?%24select=id&%24top=2", "/beta/users?$SELECT=id&Top=2"}, "/v1.0/users?select=id&top=2", 200},
			{"WC-9", []string{"/v1.0/users?$select=id", "/v1.0/users?slice=Test&$select=id", "/v1.0/users?$select=id&_=17&select=x"}, "/v1.0/users?$slice=Test", 400},
			{"WC-10", []string{"/v1.0/applications/" + w.app.ID, "/v1.0/applications('" + w.app.ID + "')", "/v1.0/applications(appId='" + w.app.AppID + "')", "/v1.0/Applications(APPID='" + w.app.AppID + "')"}, "/v1.0/applications(appId='" + w.app.ID + "')", 404},
			{"WC-10", []string{"/v1.0/directoryRoles/" + directory.GlobalReader, "/v1.0/directoryRoles(roleTemplateId='" + directory.GlobalReader + "')", "/v1.0/directoryRoles('" + directory.GlobalReader + "')"}, "/v1.0/directoryRoles(roleTemplateId='" + ada + "')", 404},
			{"WC-10", []string{"/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/Fido2", "/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations('Fido2')"}, "/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations('Fax')", 404},
			{"WC-11", []string{"/v1.0/users/" + ada + "/memberOf/graph.group", "/v1.0/users/" + ada + "/memberOf/microsoft.graph.group", "/v1.0/users('" + ada + "')/memberOf/Microsoft.Graph.Group"}, "/v1.0/users/" + ada + "/memberOf/graph.shoe", 404},
		} {
			bare := func(target string) string {
				body := w.get(target, "admin")
				delete(body, "@odata.context")
				delete(body, "@odata.nextLink")
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			want := bare(c.same[0])
			for _, target := range c.same[1:] {
				if got := bare(target); got != want {
					t.Errorf("%s: %s: %.300s\nwant, as %s: %.300s", c.rule, target, got, c.same[0], want)
				}
			}
			if c.another == "" {
				continue
			}
			rec := w.request("GET", c.another, "admin", nil, nil)
			if rec.Code != c.status || c.status == 200 && strings.Contains(want, rec.Body.String()) {
				t.Errorf("%s: %s: %d %.300s", c.rule, c.another, rec.Code, rec.Body)
			}
		}
		for _, accept := range []string{"", "text/plain", "text/plain;q=0.9", "application/json"} { // WC-11
			rec := w.request("GET", "/v1.0/users/$count", "admin", nil, http.Header{"Consistencylevel": {"eventual"}, "Accept": {accept}})
			if rec.Code != 200 || rec.Body.String() != fmt.Sprint(len(cast)) || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("WC-11: /$count with Accept %q: %d %q %s", accept, rec.Code, rec.Header().Get("Content-Type"), rec.Body)
			}
		}
	})
}

// TestChunkedBodies_WC13: a body whose length is not told, through a real
// connection, and again.
func TestChunkedBodies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		srv := httptest.NewServer(w.api)
		defer srv.Close()
		for range 2 {
			from, to := io.Pipe()
			go func() {
				for _, part := range []string{`{"displayName":`, ` "Chunks"`, `}`} {
					if _, err := io.WriteString(to, part); err != nil {
						return
					}
				}
				to.Close()
			}()
			r, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/v1.0/groups", from)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+w.token("useradmin"))
			r.Header.Set("Retry-Attempt", "1")
			res, err := srv.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if r.ContentLength > 0 || res.StatusCode != 201 {
				t.Errorf("WC-13: %d", res.StatusCode)
			}
		}
		if got := names(w.get("/v1.0/groups", "reader")); got != "Chunks Chunks" {
			t.Errorf("WC-13: %q", got)
		}
	})
}

// TestAcceptedHeaders: WC-14, what clients send and nobody needs; WC-3, a host
// that a request names is nobody's address.
func TestAcceptedHeaders(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, h := range []http.Header{
			{"Content-Type": {"application/json"}}, {"Accept": {"*/*"}}, {"Accept": {"application/json; charset=utf-8; IEEE754Compatible=false"}}, {"Odata-Version": {"4.0"}, "Odata-Maxversion": {"4.0"}},
			{"Sdkversion": {"graph-go/1.89.0, graph-go-core/1.4.0 (hostOS=linux)"}}, {"Prefer": {"odata.maxpagesize=5, x=y"}}, {"Consistencylevel": {"strong"}}, {"Retry-Attempt": {"2"}},
		} {
			if rec := w.request("GET", "/v1.0/users?$top=2", "reader", nil, h); rec.Code != 200 {
				t.Errorf("WC-14: %v: %d %s", h, rec.Code, rec.Body)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "https://evil.test/v1.0/users?$top=1", nil)
		r.Host = "evil.test"
		r.Header.Set("X-Forwarded-Host", "evil.test")
		r.Header.Set("Forwarded", "host=evil.test")
		r.Header.Set("Authorization", "Bearer "+w.token("reader"))
		rec := httptest.NewRecorder()
		w.api.ServeHTTP(rec, r)
		if rec.Code != 200 || strings.Contains(rec.Body.String(), "evil") || !strings.Contains(rec.Body.String(), `"@odata.nextLink":"https://id.contoso.test/`) {
			t.Errorf("WC-3: %d %s", rec.Code, rec.Body)
		}
	})
}

// TestTypes: WC-70, an @odata.type on every item of lists whose types mix;
// WC-72, members have one JSON type, whatever they hold.
func TestTypes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		targets := everything(w)
		ada := "/v1.0/users/" + w.ids["ada"]
		w.do(204, "POST", "/v1.0/directoryRoles/"+directory.ReportsReader+"/members/$ref", "admin", ref(w.ids["ada"]))
		g := w.roleGroup("admin", "guest")
		w.assign(201, "admin", g, directory.ReportsReader)
		for target, want := range map[string]string{
			ada + "/memberOf": "directoryRole group",
			"/v1.0/directoryRoles/" + directory.ReportsReader + "/members":                        "group user",
			ada + "/authentication/methods":                                                       "fido2AuthenticationMethod temporaryAccessPassAuthenticationMethod",
			ada + "/authentication/fido2Methods":                                                  "fido2AuthenticationMethod",
			"/v1.0/directoryObjects/" + g:                                                         "group",
			"/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2": "fido2AuthenticationMethodConfiguration",
		} {
			body := w.get(target, "admin")
			items, ok := body["value"].([]any)
			if !ok {
				items = []any{body}
			}
			seen := map[string]bool{}
			for _, it := range items {
				kind, _ := it.(map[string]any)["@odata.type"].(string)
				seen[strings.TrimPrefix(kind, "#microsoft.graph.")] = true
			}
			for kind := range strings.FieldsSeq(want) {
				if !seen[kind] || len(seen) != len(strings.Fields(want)) {
					t.Errorf("WC-70: %s has items of %v, want %s", target, seen, want)
				}
			}
		}
		// WC-72: what is null in one object and not in another is of the type that
		// Graph describes; the kit holds each answer against it. Here: no member
		// changes its type from item to item.
		types := map[string]string{}
		for _, target := range targets {
			everyValue(strings.NewReplacer(w.ids["ada"], "{ada}").Replace(target), w.get(target, "admin"), func(path string, v any) {
				kind := fmt.Sprintf("%T", v)
				if v == nil || strings.HasSuffix(path, "Value") && strings.Contains(path, "modifiedProperties") {
					return
				}
				if have, ok := types[path]; ok && have != kind {
					t.Errorf("WC-72: %s is %s and %s", path, have, kind)
				}
				types[path] = kind
			})
		}
	})
}

// TestTolerantBodies: WC-19, WC-70, WC-74 and DO-45: unknown members, any order,
// nulls, annotations; but right JSON types (WC-72), and meaning is never guessed.
func TestTolerantBodies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ada := "/v1.0/users/" + w.ids["ada"]
		w.do(204, "PATCH", ada, "useradmin", `{"jobTitle": "Countess", "city": "London", "otherMails": ["a@b.example"]}`)
		w.do(204, "PATCH", ada, "useradmin", `{"jobTitle": null, "@odata.type": "#microsoft.graph.user", "displayName": "B", "shoeSize": 9, "memberOf@odata.context": "x", "otherMails": [], "mobilePhone": null, "employeeOrgData": null}`)
		u := w.get(ada+"?$select=jobTitle,displayName,city,otherMails", "reader")
		if u["jobTitle"] != nil || u["displayName"] != "B" || u["city"] != "London" || len(u["otherMails"].([]any)) != 0 {
			t.Errorf("WC-74, DO-45: %v", u)
		}
		for _, body := range []string{`{"accountEnabled": "true"}`, `{"displayName": 5}`, `{"otherMails": "a@b.example"}`, `{"businessPhones": [1]}`, `[]`, `{"displayName": {"a": 1}}`} {
			w.do(400, "PATCH", ada, "useradmin", body) // WC-72 both ways
		}
		if got := w.get(ada, "reader"); got["displayName"] != "B" {
			t.Errorf("a refused body was written: %v", got)
		}
		e := w.do(400, "PATCH", ada, "useradmin", `{"city": "Rome", "otherMails": "a@b.example"}`)["error"].(map[string]any)
		if details, _ := e["details"].([]any); len(details) != 1 || !strings.Contains(fmt.Sprint(details[0].(map[string]any)["target"]), "otherMails") {
			t.Errorf("DO-67: %v", e)
		}
		if got := w.get(ada+"?$select=city", "reader")["city"]; got != "London" {
			t.Errorf("half a body was written: %v", got)
		}
	})
}

// TestReferences: WC-76, DO-7: only the tail of an address counts; WC-78, DO-5:
// what was written is read at once.
func TestReferences(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		g := "/v1.0/groups/" + w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Crew"}`)["id"].(string)
		ada := w.ids["ada"]
		for _, address := range []string{"https://id.contoso.test/v1.0/directoryObjects/" + ada, "https://graph.microsoft.com/beta/users/" + ada, "https://GRAPH.microsoft.us/v1.0/DirectoryObjects/" + strings.ToUpper(ada),
			"https://x:8443/v1.0/users('" + ada + "')", "users/" + ada, "/directoryObjects/" + ada, "http://x/y/z/directoryObjects('" + ada + "')", "https://id.contoso.test/v1.0/users/ada@contoso.test"} {
			w.do(204, "POST", g+"/members/$ref", "useradmin", `{"@odata.id": "`+address+`"}`)
			if got := names(w.get(g+"/members", "reader")); got != "ada" { // WC-78
				t.Errorf("WC-76: %s added %q", address, got)
			}
			w.do(400, "POST", g+"/members/$ref", "useradmin", `{"@odata.id": "`+address+`"}`) // DO-8
			w.do(204, "DELETE", g+"/members/"+ada+"/$ref", "useradmin", "")
			if got := names(w.get(g+"/members", "reader")); got != "" { // WC-78
				t.Errorf("WC-78: %q is still there", got)
			}
			w.do(404, "DELETE", g+"/members/"+ada+"/$ref", "useradmin", "") // DO-8
		}
		for _, address := range []string{"", "https://id.contoso.test/v1.0/" + ada, "https://id.contoso.test/v1.0/shoes/" + ada, "directoryObjects", "directoryObjects/"} {
			w.do(400, "POST", g+"/members/$ref", "useradmin", `{"@odata.id": "`+address+`"}`)
		}
		w.do(204, "PATCH", g, "useradmin", `{"members@odata.bind": ["https://elsewhere.test/beta/users/`+ada+`"]}`)
		if got := names(w.get(g+"/members", "reader")); got != "ada" {
			t.Errorf("WC-76, bind: %q", got)
		}
	})
}

// TestErrorShapes: WC-79, WC-80, WC-15, DO-66, DO-47: one shape for all errors,
// with both request ids, and 404 spelled as each area spells it.
func TestErrorShapes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		const nobody = "01890000-0000-7000-8000-000000000001"
		for _, c := range []struct {
			method, target, body string
			status               int
			code                 string
		}{
			{"GET", "/v1.0/users/" + nobody, "", 404, "Request_ResourceNotFound"},
			{"GET", "/v1.0/users/nobody@contoso.test", "", 404, "Request_ResourceNotFound"},
			{"GET", "/v1.0/groups/" + nobody, "", 404, "Request_ResourceNotFound"},
			{"GET", "/v1.0/directoryRoles/" + nobody, "", 404, "Request_ResourceNotFound"},
			{"GET", "/v1.0/applications/" + nobody, "", 404, "Request_ResourceNotFound"},
			{"GET", "/v1.0/users/" + w.ids["ada"] + "/authentication/fido2Methods/AAA", "", 404, "ResourceNotFound"},
			{"GET", "/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/Fax", "", 404, "ResourceNotFound"},
			{"GET", "/v1.0/nothing", "", 404, "ResourceNotFound"},
			{"GET", "/v1.0/users//x", "", 400, "Request_BadRequest"},
			{"GET", "/v1.0/users?$filter=shoe eq 5", "", 400, "Request_UnsupportedQuery"},
			{"GET", "/v1.0/users?$top=1000", "", 400, "Request_BadRequest"},
			{"DELETE", "/v1.0/users", "", 405, "methodNotAllowed"},
			{"POST", "/v1.0/groups", "<html>", 400, "Request_BadRequest"},
			{"POST", "/v1.0/users", `{"displayName": "X", "userPrincipalName": "ada@contoso.test"}`, 409, "Request_MultipleObjectsWithSameKeyValue"},
		} {
			rec := w.request(c.method, c.target, "admin", []byte(c.body), http.Header{"Client-Request-Id": {"0f8fad5b-d9cb-469f-a165-70867728950e"}})
			var e struct {
				Error struct {
					Code, Message string
					InnerError    map[string]string
				}
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || rec.Code != c.status || e.Error.Code != c.code || e.Error.Message == "" {
				t.Errorf("WC-79, WC-80: %s %s: %d %s, want %d %s", c.method, c.target, rec.Code, rec.Body, c.status, c.code)
			}
			inner := e.Error.InnerError
			if len(inner["date"]) != 19 || inner["request-id"] != rec.Header().Get("request-id") || inner["client-request-id"] != "0f8fad5b-d9cb-469f-a165-70867728950e" ||
				rec.Header().Get("client-request-id") != inner["client-request-id"] || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") || rec.Header().Get("x-ms-ags-diagnostic") == "" {
				t.Errorf("WC-15, WC-71, WC-79, DO-47, DO-66: %s %s: %v %s", c.method, c.target, rec.Header(), rec.Body)
			}
		}
	})
}

// TestEnums: WC-73 and DO-42: members that Graph types as an enum hold its
// values; the kit refuses others in any answer. Members of our own stand inside
// cardea (DO-49).
func TestEnums(t *testing.T) {
	for version, d := range graphs() {
		kind := d.doc.Components.Schemas["microsoft.graph.fido2AuthenticationMethod"]
		if kind == nil {
			t.Fatalf("%s does not describe passkeys", version)
		}
		for value, want := range map[string]string{"synced": "", "deviceBound": "", "unknownFutureValue": "", "inventedValue": "passkeyType"} {
			var wrong []string
			d.check(kind, map[string]any{"id": "x", "@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "passkeyType": value}, func(_, member, _ string) { wrong = append(wrong, member) })
			if got := strings.Join(wrong, " "); got != want {
				t.Errorf("WC-73: %s: passkeyType %s: the kit complains of %q", version, value, got)
			}
		}
	}
}

// TestLinkAlone: WC-69, a nextLink works without any header but the token.
func TestLinkAlone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		first := w.get("/v1.0/users?$top=3&$select=displayName&$count=true&$filter=accountEnabled eq true", "reader", "ConsistencyLevel", "eventual", "Accept", "application/json")
		link, _ := first["@odata.nextLink"].(string)
		u, err := url.Parse(link)
		if err != nil || link == "" {
			t.Fatalf("WC-69: %v", first)
		}
		seen := names(first)
		for range 10 {
			page := w.get(u.RequestURI(), "reader")
			seen += " " + names(page)
			next, more := page["@odata.nextLink"].(string)
			if !more {
				break
			}
			if u, err = url.Parse(next); err != nil {
				t.Fatal(err)
			}
		}
		if seen != "ada admin authadmin guest policyadmin reader useradmin" {
			t.Errorf("WC-69: %q", seen)
		}
	})
}

// TestAttestationsAndFlags: WC-64, the three kinds of proof that provisioning
// tools send, each with all flags that may stand together; WC-65, the whole
// passkey comes back.
func TestAttestationsAndFlags(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ca, err := cardeatest.NewAttestationCA("Maker", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := ca.Issue(cardeatest.LeafRules{})
		if err != nil {
			t.Fatal(err)
		}
		list := "/beta/users/" + w.ids["ada"] + "/authentication/fido2Methods"
		const present = cardeatest.UserPresent | cardeatest.UserVerified
		for format, proof := range map[string]cardeatest.Attestation{"none": {}, "packed, self": {Self: true}, "packed, x5c": {Leaf: leaf}} {
			for _, flags := range []byte{present, present | cardeatest.BackupEligible, present | cardeatest.BackupEligible | cardeatest.BackupState} {
				for _, extensions := range [][]byte{nil, []byte("\xa1\x67testing\xf5")} { // ED: {"testing": true}
					opts, _ := w.options(list+"/creationOptions", "robot")
					a := cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.Attestation, a.Flags, a.Extensions = proof, flags, extensions })
					m := w.do(201, "POST", list, "robot", provisioned(t, a, opts, "key"))
					certificates, ok := m["attestationCertificates"].([]any)
					if aaguid, _ := m["aaGuid"].(string); !ok || aaguid == "" || aaguid != strings.ToLower(aaguid) || m["id"] == "" || (format == "packed, x5c") != (len(certificates) > 0) {
						t.Errorf("WC-64, WC-65: %s, flags %x: %v", format, flags, m)
					}
					rec := w.request("DELETE", list+"/"+m["id"].(string), "robot", nil, nil)
					if rec.Code != 204 || rec.Body.Len() != 0 {
						t.Errorf("WC-65: %d %s", rec.Code, rec.Body)
					}
				}
			}
		}
	})
}
