package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// The rules of directory-and-odata.md that no other test names, one by one.

// get is a GET with headers, which must succeed.
func (w *world) get(target, who string, header ...string) map[string]any {
	w.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	rec := w.request("GET", target, who, nil, h)
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != 200 {
		w.t.Fatalf("GET %s: %d %s", target, rec.Code, rec.Body)
	}
	return out
}

// names are the display names in a list, in its order.
func names(body map[string]any) string {
	var out []string
	for _, v := range body["value"].([]any) {
		out = append(out, fmt.Sprint(v.(map[string]any)["displayName"]))
	}
	return strings.Join(out, " ")
}

// TestAdvancedQueries: with or without the header, but for the two cases that
// stay as in Graph.
func TestAdvancedQueries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["ada"], "useradmin", `{"mail": "ada@mail.example"}`)
		for query, want := range map[string]string{
			"$filter=endsWith(mail,'mail.example')":                                   "ada",
			"$filter=startswith(displayName,'a') and displayName ne 'admin'":          "ada authadmin",
			"$filter=not startswith(displayName,'a')":                                 "guest policyadmin reader useradmin",
			"$filter=startswith(displayName,'a')&$orderby=userPrincipalName desc":     "authadmin admin ada",
			`$search="displayName:ada"`:                                               "ada",
			`$search="displayName:ada" OR "displayName:reader"&$orderby=displayName`:  "ada reader",
			"$filter=otherMails/$count eq 0 and startswith(displayName,'ada')&$top=5": "ada",
		} {
			target := "/v1.0/users?" + strings.ReplaceAll(query, `"`, "%22")
			for _, header := range [][]string{nil, {"ConsistencyLevel", "eventual"}, {"ConsistencyLevel", "Eventual"}} {
				if got := names(w.get(target, "reader", header...)); got != want {
					t.Errorf("DO-38: %s with %v finds %q, want %q", query, header, got, want)
				}
			}
		}
		rec := w.request("GET", "/v1.0/users/$count", "reader", nil, nil)
		var e errorBody
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || rec.Code != 400 || !strings.HasPrefix(e.Error.Message, "$count is not currently supported.") {
			t.Errorf("DO-38: /users/$count without the header: %d %s", rec.Code, rec.Body)
		}
		if rec := w.request("GET", "/v1.0/users/$count", "reader", nil, http.Header{"Consistencylevel": {"eventual"}}); rec.Code != 200 || rec.Body.String() != fmt.Sprint(len(cast)) {
			t.Errorf("DO-38: /users/$count: %d %s", rec.Code, rec.Body)
		}
		if n, ok := w.get("/v1.0/users?$count=true", "reader")["@odata.count"]; ok {
			t.Errorf("DO-38: $count=true without the header is ignored: %v", n)
		}
		first := w.get("/v1.0/users?$count=true&$top=2&$filter=accountEnabled eq true&$select=id,displayName", "reader", "ConsistencyLevel", "eventual")
		if first["@odata.count"] != float64(len(cast)) {
			t.Errorf("DO-39: the first page says %v", first["@odata.count"])
		}
		next := strings.TrimPrefix(first["@odata.nextLink"].(string), "https://id.contoso.test")
		second := w.get(next, "reader", "ConsistencyLevel", "eventual")
		if n, ok := second["@odata.count"]; ok {
			t.Errorf("DO-39: the second page says %v", n)
		}
	})
}

// TestLinks_DO40: nextLink and deltaLink are absolute, on our own host, and hold
// the whole query; they work as they are and re-encoded, with and without the
// headers of the first request.
func TestLinks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, first := range []string{
			"/v1.0/users?$top=2&$select=id,displayName&$filter=startswith(displayName,'a') or accountEnabled eq true&$orderby=displayName desc",
			"/beta/USERS/?top=2&select=displayName,id&$search=%22displayName:a%22&orderby=displayName",
			"/v1.0/directoryRoles?$top=30&$select=displayName,id",
			"/v1.0/groups?$top=1&$select=id,displayName&$filter=securityEnabled eq true",
		} {
			for range 3 {
				w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Crew"}`)
			}
			page := w.get(first, "reader", "ConsistencyLevel", "eventual")
			link, _ := page["@odata.nextLink"].(string)
			u, err := url.Parse(link)
			if err != nil || u.Scheme+"://"+u.Host != "https://id.contoso.test" {
				t.Fatalf("DO-40: the nextLink of %s is %q", first, link)
			}
			_, query, _ := strings.Cut(first, "?")
			sent, err := parseQuery(strings.ReplaceAll(query, " ", "%20"), strings.HasPrefix(first, "/beta"))
			if err != nil {
				t.Fatal(err)
			}
			for name := range sent {
				if u.Query().Get(name) != sent.Get(name) {
					t.Errorf("DO-40: %s of %s is %q in its nextLink", name, first, u.Query().Get(name))
				}
			}
			verbatim := names(w.get(strings.TrimPrefix(link, "https://id.contoso.test"), "reader"))
			encoded := names(w.get(u.Path+"?"+u.Query().Encode(), "reader", "ConsistencyLevel", "eventual"))
			if verbatim == "" || verbatim != encoded || verbatim == names(page) && !strings.Contains(first, "groups") {
				t.Errorf("DO-40: %s: %q, then %q, re-encoded %q", first, names(page), verbatim, encoded)
			}
		}
		delta, _ := w.get("/v1.0/users/delta?$select=displayName", "reader")["@odata.deltaLink"].(string)
		if !strings.HasPrefix(delta, "https://id.contoso.test/v1.0/users/delta?") {
			t.Fatalf("DO-40: deltaLink %q", delta)
		}
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["ada"], "useradmin", `{"displayName": "Ada"}`)
		u, err := url.Parse(delta)
		if err != nil {
			t.Fatal(err)
		}
		for _, again := range []string{strings.TrimPrefix(delta, "https://id.contoso.test"), u.Path + "?" + u.Query().Encode()} {
			if got := names(w.get(again, "reader")); got != "Ada" {
				t.Errorf("DO-40: %s: %q", again, got)
			}
		}
		for _, forged := range []string{"x", "e30", "AAAA", "%00", strings.Repeat("A", 9000)} {
			w.do(400, "GET", "/v1.0/users?$top=2&$skiptoken="+forged, "reader", "")        // DO-41
			w.do(400, "GET", "/v1.0/users/delta?$deltatoken="+forged+"$", "reader", "")    // DO-41
			w.do(400, "GET", "/v1.0/groups/delta?$skiptoken="+forged+"%24", "reader", "")  // DO-41
			w.do(400, "GET", "/v1.0/directoryRoles?$skiptoken="+forged+"!", "reader", "")  // DO-41
			w.do(400, "GET", "/v1.0/auditLogs/signIns?$skiptoken="+forged, "reader", "")   // DO-41
			w.do(400, "GET", "/v1.0/applications?$top=1&$skiptoken="+forged, "reader", "") // DO-41
		}
	})
}

var (
	looksLikeTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d`)
	rightTime     = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$`)
	looksLikeGUID = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// everyValue calls f for every value in a JSON answer, with the names on the way.
func everyValue(path string, v any, f func(path string, v any)) {
	f(path, v)
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			everyValue(path+"/"+name, inner, f)
		}
	case []any:
		for _, inner := range v {
			everyValue(path+"[]", inner, f)
		}
	}
}

// everything are addresses of one of everything, after life was put into them.
func everything(w *world) []string {
	w.provision("ada", "authadmin")
	ada := "/v1.0/users/" + w.ids["ada"]
	g := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Crew", "members@odata.bind": ["/users/`+w.ids["ada"]+`"], "owners@odata.bind": ["/users/`+w.ids["guest"]+`"]}`)["id"].(string)
	w.do(201, "POST", ada+"/authentication/temporaryAccessPassMethods", "authadmin", `{}`)
	app := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "Wiki"}`)["id"].(string)
	w.do(200, "POST", "/v1.0/applications/"+app+"/addPassword", "admin", `{}`)
	w.do(204, "PATCH", ada, "useradmin", `{"employeeHireDate": "2024-02-29T00:00:00Z"}`)
	return []string{"/v1.0/users", ada + "?$select=id,createdDateTime,employeeHireDate,birthday,signInSessionsValidFromDateTime,securityIdentifier", ada + "/memberOf", "/v1.0/groups", "/v1.0/groups/" + g + "/members", "/v1.0/groups/" + g + "/owners",
		"/v1.0/directoryRoles", "/v1.0/directoryRoleTemplates", "/v1.0/roleManagement/directory/roleDefinitions", "/v1.0/roleManagement/directory/roleAssignments", "/v1.0/directoryRoles/" + directory.GlobalAdministrator + "/members",
		"/v1.0/applications", "/v1.0/servicePrincipals", "/v1.0/organization", "/v1.0" + policyPath, "/v1.0" + configsPath + "/fido2", ada + "/authentication/methods", ada + "/authentication/fido2Methods",
		ada + "/authentication/temporaryAccessPassMethods", "/v1.0/auditLogs/directoryAudits", "/v1.0/auditLogs/signIns", "/v1.0/users/delta", "/v1.0/groups/delta", "/v1.0/directoryObjects/" + w.ids["ada"]}
}

// TestValues: DO-43, DO-46, WC-68, WC-71, in one of everything, on both versions.
func TestValues(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, target := range everything(w) {
			for _, version := range []string{"/v1.0", "/beta"} {
				target := strings.Replace(target, "/v1.0", version, 1)
				body := w.get(target, "admin")
				if context, _ := body["@odata.context"].(string); !strings.HasPrefix(context, "https://id.contoso.test"+version+"/$metadata#") {
					t.Errorf("WC-68: %s: @odata.context %q", target, context)
				}
				everyValue("", body, func(path string, v any) {
					if strings.HasSuffix(path, "/@odata.etag") {
						t.Errorf("DO-46: %s has an etag in its body: %s", target, path)
					}
					s, _ := v.(string)
					if looksLikeTime.MatchString(s) && !rightTime.MatchString(s) {
						t.Errorf("DO-43, WC-71: %s%s is %q", target, path, s)
					}
					if looksLikeGUID.MatchString(s) && s != strings.ToLower(s) {
						t.Errorf("DO-43, WC-71: %s%s is %q", target, path, s)
					}
				})
			}
		}
	})
}

// TestStatuses: DO-44 and WC-75, what each kind of write answers; DO-46, the
// ETag that may come back, and need not.
func TestStatuses(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		user := w.do(201, "POST", "/v1.0/users", "useradmin", `{"displayName": "New", "userPrincipalName": "new@contoso.test"}`)["id"].(string)
		group := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "New"}`)["id"].(string)
		app := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName": "New"}`)["id"].(string)
		for _, c := range []struct {
			rule, method, target, body string
			status                     int
			holds                      string // in the answer; "" is an empty answer
		}{
			{"DO-44 PATCH", "PATCH", "/v1.0/users/" + user, `{"jobTitle": "x"}`, 204, ""},
			{"DO-44 PATCH", "PATCH", "/v1.0/groups/" + group, `{"description": "x"}`, 204, ""},
			{"DO-44 PATCH", "PATCH", "/v1.0/applications/" + app, `{"notes": "x"}`, 204, ""},
			{"DO-44 PATCH", "PATCH", "/v1.0/organization", `{}`, 204, ""},
			{"DO-44 $ref POST", "POST", "/v1.0/groups/" + group + "/members/$ref", ref(user), 204, ""},
			{"DO-44 $ref POST", "POST", "/v1.0/groups/" + group + "/owners/$ref", ref(user), 204, ""},
			{"DO-44 $ref PUT", "PUT", "/v1.0/users/" + user + "/manager/$ref", ref(w.ids["ada"]), 204, ""},
			{"DO-44 $ref DELETE", "DELETE", "/v1.0/users/" + user + "/manager/$ref", "", 204, ""},
			{"DO-44 $ref DELETE", "DELETE", "/v1.0/groups/" + group + "/members/" + user + "/$ref", "", 204, ""},
			{"DO-44 action", "POST", "/v1.0/users/" + user + "/revokeSignInSessions", "", 200, `"value":true`},
			{"DO-44 action", "POST", "/v1.0/users/" + user + "/getMemberGroups", `{"securityEnabledOnly": false}`, 200, `"value":[]`},
			{"DO-44 action", "POST", "/v1.0/applications/" + app + "/addPassword", `{}`, 200, `"secretText"`},
			{"WC-75 pass", "POST", "/v1.0/users/" + user + "/authentication/temporaryAccessPassMethods", `{}`, 201, `"temporaryAccessPass"`},
			{"DO-44 DELETE", "DELETE", "/v1.0/groups/" + group, "", 204, ""},
			{"DO-44 DELETE", "DELETE", "/v1.0/applications/" + app, "", 204, ""},
			{"DO-44 DELETE", "DELETE", "/v1.0/users/" + user, "", 204, ""},
		} {
			rec := w.request(c.method, c.target, "admin", []byte(c.body), nil)
			if rec.Code != c.status || c.holds == "" && rec.Body.Len() > 0 || !strings.Contains(rec.Body.String(), c.holds) {
				t.Errorf("%s, WC-75: %s %s: %d %s, want %d %s", c.rule, c.method, c.target, rec.Code, rec.Body, c.status, c.holds)
			}
		}

		group = w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "New"}`)["id"].(string)
		for target, who := range map[string]string{"/v1.0/users/" + w.ids["ada"]: "useradmin", "/beta/groups/" + group: "useradmin", "/v1.0/applications/" + w.app.ID: "admin", "/v1.0" + configsPath + "/fido2": "policyadmin"} {
			body := `{"displayName": "Renamed"}`
			if strings.HasSuffix(target, "fido2") {
				body = `{"isSelfServiceRegistrationAllowed": true}`
			}
			rec := w.request("PATCH", target, who, []byte(body), http.Header{"Prefer": {"return=representation"}})
			if rec.Code != 200 || !strings.Contains(rec.Body.String(), `"id"`) || rec.Header().Get("Preference-Applied") == "" {
				t.Errorf("DO-44: PATCH %s with Prefer: %d %s", target, rec.Code, rec.Body)
			}
			etag := w.request("GET", target, "admin", nil, nil).Header().Get("ETag")
			if etag == "" {
				t.Errorf("DO-46: %s has no ETag", target)
				continue
			}
			if rec := w.request("PATCH", target, who, []byte(body), http.Header{"If-Match": {etag}}); rec.Code != 204 && rec.Code != 200 {
				t.Errorf("DO-46: PATCH %s with its ETag: %d %s", target, rec.Code, rec.Body)
			}
			if rec := w.request("PATCH", target, who, []byte(body), http.Header{"If-Match": {`W/"0"`}}); rec.Code != 412 || !strings.Contains(rec.Body.String(), `"code":"PreconditionFailed"`) {
				t.Errorf("DO-46: PATCH %s with another ETag: %d %s", target, rec.Code, rec.Body)
			}
			if rec := w.request("PATCH", target, who, []byte(body), http.Header{"If-Match": {"*"}}); rec.Code >= 300 {
				t.Errorf("DO-46: PATCH %s with any ETag: %d %s", target, rec.Code, rec.Body)
			}
		}
	})
}

// TestBothVersions: DO-48 and WC-4, every route under both versions; DO-53, what
// is not Graph's begins with cardea.
func TestBothVersions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, r := range w.api.routes {
			target := brace.ReplaceAllString(r.Path, "01890000-0000-7000-8000-000000000001")
			var codes []string
			for _, version := range []string{"/v1.0", "/beta"} {
				rec := w.request(r.Method, version+target, "nobody", []byte(`{}`), nil)
				var e errorBody
				if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
					t.Fatalf("%s: %v", target, err)
				}
				if e.Error.Inner.Code == "unknownPath" || e.Error.Inner.Code == "methodNotAllowed" {
					t.Errorf("DO-48, WC-4: %s %s%s is not served", r.Method, version, r.Path)
				}
				codes = append(codes, e.Error.Code)
			}
			if codes[0] != codes[1] {
				t.Errorf("WC-4: %s %s differs: %v", r.Method, r.Path, codes)
			}
		}
	})
	published := map[string]bool{}
	for version, d := range graphs() {
		for path := range d.doc.Paths.Map() {
			for s := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
				published[strings.ToLower(word(parentheses.ReplaceAllString(s, "")))] = true
			}
		}
		if len(published) == 0 {
			t.Fatal(version)
		}
	}
	for _, s := range []string{"$batch", "$metadata", "$count", "$ref", "$value", "user", "group", "application", "servicePrincipal", "device", "directoryRole", // casts, and what the subset leaves out
		"deletedItems", "restore", "oauth2PermissionGrants", "appRoleAssignedTo", "removeKey", "addKey", "operations", "delta", "evaluateDynamicMembership", "hardwareOathMethods", "externalAuthenticationMethods",
		"passwordlessMicrosoftAuthenticatorMethods", "ownedDevices", "registeredDevices", "devices", "directReports", "requirements"} {
		published[strings.ToLower(s)] = true
	}
	for _, r := range resources() {
		for s := range strings.SplitSeq(strings.Trim(r.Path, "/"), "/") {
			if s[0] != '{' && !published[strings.ToLower(s)] && !strings.HasPrefix(s, "cardea.") {
				t.Errorf("DO-53: %q of %s is neither Graph's nor begins with cardea.", s, r.Path)
			}
		}
	}
}

// TestBatchBodies_DO55: an item with a body says what it is: JSON as it stands,
// all else in base64; without Content-Type that item alone is refused.
func TestBatchBodies(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		packedName := base64.StdEncoding.EncodeToString([]byte(`{"displayName": "Base64"}`))
		status, all := w.batch("useradmin", `{"requests": [
			{"id": "typed", "method": "POST", "url": "/groups", "headers": {"content-type": "application/json; charset=utf-8"}, "body": {"displayName": "Typed"}},
			{"id": "untyped", "method": "POST", "url": "/groups", "body": {"displayName": "Untyped"}},
			{"id": "other", "method": "POST", "url": "/groups", "headers": {"Content-Type": "application/octet-stream"}, "body": "`+packedName+`"},
			{"id": "neither", "method": "POST", "url": "/groups", "headers": {"Content-Type": "text/plain"}, "body": {"displayName": "Neither"}},
			{"id": "bodyless", "method": "GET", "url": "/me"}]}`)
		if status != 200 {
			t.Fatal(status)
		}
		for id, want := range map[string]int{"typed": 201, "untyped": 400, "other": 201, "neither": 400, "bodyless": 200} {
			if all[id].Status != want {
				t.Errorf("DO-55: %s: %d %s, want %d", id, all[id].Status, all[id].Body, want)
			}
		}
		if got := names(w.get("/v1.0/groups", "reader")); got != "Base64 Typed" {
			t.Errorf("DO-55: the groups are %q", got)
		}
	})
}

// TestDeltaTokens: DO-59, DO-60, DO-62, DO-64 as a client meets them; that
// nothing is lost (DO-61) is played at random in internal/directory.
func TestDeltaTokens(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		follow := func(body map[string]any, header ...string) map[string]any {
			t.Helper()
			return w.get(strings.TrimPrefix(body["@odata.deltaLink"].(string), "https://id.contoso.test"), "reader", header...)
		}
		latest := w.get("/v1.0/users/delta?$deltatoken=latest&$select=displayName,jobTitle", "reader")
		if len(latest["value"].([]any)) != 0 {
			t.Errorf("DO-60: latest begins with %v", latest["value"])
		}
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["ada"], "useradmin", `{"jobTitle": "Countess"}`)
		w.do(204, "DELETE", "/v1.0/users/"+w.ids["guest"], "useradmin", "")
		whole := follow(latest)
		if got := fmt.Sprint(whole["value"]); got != fmt.Sprintf("[map[displayName:ada id:%s jobTitle:Countess] map[@removed:map[reason:changed] id:%s]]", w.ids["ada"], w.ids["guest"]) {
			t.Errorf("DO-60, DO-62, DO-64: %s", got)
		}
		if got := fmt.Sprint(follow(latest, "Prefer", "return=minimal")["value"].([]any)[0]); got != fmt.Sprintf("map[id:%s jobTitle:Countess]", w.ids["ada"]) {
			t.Errorf("DO-64: return=minimal: %s", got)
		}
		w.do(204, "DELETE", "/v1.0/directory/deletedItems/"+w.ids["guest"], "useradmin", "")
		if got := fmt.Sprint(follow(whole)["value"]); got != fmt.Sprintf("[map[@removed:map[reason:deleted] id:%s]]", w.ids["guest"]) {
			t.Errorf("DO-62: gone for good: %s", got)
		}
		some := w.get("/v1.0/users/delta?$select=displayName&$filter=id eq '"+w.ids["ada"]+"' or id eq '"+w.ids["reader"]+"'", "reader")
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["admin"], "admin", `{"displayName": "Boss"}`)
		w.do(204, "PATCH", "/v1.0/users/"+w.ids["reader"], "admin", `{"displayName": "Reader"}`)
		if got := names(follow(some)); got != "Reader" {
			t.Errorf("DO-59: $filter and $select stay in the token: %q", got)
		}
		for _, option := range []string{"$expand=manager", "$top=5", "$orderby=displayName", "$search=%22displayName:a%22", "$filter=displayName eq 'a'"} {
			w.do(400, "GET", "/v1.0/users/delta?"+option, "reader", "") // DO-59
			w.do(400, "GET", "/v1.0/groups/delta?"+option, "reader", "")
		}
		groups := w.get("/v1.0/groups/delta()?$deltatoken=latest", "reader")
		g := w.do(201, "POST", "/v1.0/groups", "useradmin", `{"displayName": "Crew", "members@odata.bind": ["/users/`+w.ids["ada"]+`"]}`)["id"].(string)
		groups = follow(groups)
		if got := fmt.Sprint(groups["value"].([]any)[0].(map[string]any)["members@delta"]); got != "[map[@odata.type:#microsoft.graph.user id:"+w.ids["ada"]+"]]" {
			t.Errorf("DO-63: %s", got)
		}
		w.do(204, "DELETE", "/v1.0/groups/"+g+"/members/"+w.ids["ada"]+"/$ref", "useradmin", "")
		if got := fmt.Sprint(follow(groups)["value"].([]any)[0].(map[string]any)["members@delta"]); got != "[map[@odata.type:#microsoft.graph.user @removed:map[reason:deleted] id:"+w.ids["ada"]+"]]" {
			t.Errorf("DO-63: who left: %s", got)
		}
	})
}
