package graph

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

// appAdmin makes ada an Application Administrator and returns an application
// of hers with its object id, client id and service principal.
func appAdmin(w *world) (id, appID, principal string) {
	w.t.Helper()
	w.do(204, "POST", "/v1.0/directoryRoles/"+directory.ApplicationAdministrator+"/members/$ref", "admin", `{"@odata.id": "https://x.test/v1.0/users/`+w.ids["ada"]+`"}`)
	a := w.do(201, "POST", "/v1.0/applications", "ada", `{"displayName": "Mine"}`)
	id, appID = a["id"].(string), a["appId"].(string)
	return id, appID, w.do(200, "GET", "/v1.0/servicePrincipals(appId='"+appID+"')", "ada", "")["id"].(string)
}

const graphPrincipal = "/v1.0/servicePrincipals/" + application.GraphPrincipalID

// TestEveryWayToGrant: §4.1: an Application Administrator runs applications and
// grants no permission of Graph, by whatever door; an application with
// permissions gets no new proof and no new address from one either.
func TestEveryWayToGrant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, appID, principal := appAdmin(w)
		role := application.PermissionID("User.Read.All", false)
		assign := fmt.Sprintf(`{"appRoleId":%q,"principalId":%q,"resourceId":%q}`, role, principal, application.GraphPrincipalID)
		consent := func(scope string) string {
			return fmt.Sprintf(`{"clientId":%q,"consentType":"AllPrincipals","resourceId":%q,"scope":%q}`, principal, application.GraphPrincipalID, scope)
		}
		cert := base64.StdEncoding.EncodeToString(newCertificate(t).cert.Raw)
		robot := w.app.PrincipalID()
		for _, c := range []struct{ method, target, body string }{
			{"POST", graphPrincipal + "/appRoleAssignedTo", assign},
			{"POST", "/v1.0/servicePrincipals/" + principal + "/appRoleAssignments", assign},
			{"POST", "/v1.0/servicePrincipals(appId='" + appID + "')/appRoleAssignments", assign},
			{"POST", "/v1.0/oauth2PermissionGrants", consent("User.Read.All")},
			{"PATCH", "/v1.0/applications/" + id, `{"cardea":{"applicationPermissions":["User.Read.All"]}}`},
			{"PATCH", "/v1.0/applications/" + id, `{"cardea":{"delegatedPermissions":["all"]}}`},
			{"POST", "/v1.0/applications", `{"displayName":"x","cardea":{"delegatedPermissions":["User.Read"]}}`},
			{"POST", "/v1.0/applications/" + w.app.ID + "/addPassword", `{}`},
			{"POST", "/v1.0/servicePrincipals/" + robot + "/addPassword", `{}`},
			{"POST", "/v1.0/applications/" + w.app.ID + "/addKey", `{"keyCredential":{"key":"` + cert + `"},"proof":"x"}`},
			{"POST", "/v1.0/servicePrincipals/" + robot + "/addKey", `{"keyCredential":{"key":"` + cert + `"},"proof":"x"}`},
			{"PATCH", "/v1.0/applications/" + w.app.ID, `{"keyCredentials":[{"key":"` + cert + `","type":"AsymmetricX509Cert","usage":"Verify"}]}`},
			{"PATCH", "/v1.0/servicePrincipals/" + robot, `{"keyCredentials":[{"key":"` + cert + `"}]}`},
		} {
			w.do(403, c.method, c.target, "ada", c.body)
		}
		// The same doors open for who may grant; taking away needs less.
		made := w.do(201, "POST", graphPrincipal+"/appRoleAssignedTo", "admin", assign)
		grant := w.do(201, "POST", "/v1.0/oauth2PermissionGrants", "admin", consent("User.Read Group.Read.All"))
		w.do(403, "PATCH", "/v1.0/oauth2PermissionGrants/"+grant["id"].(string), "ada", `{"scope":"User.Read Group.Read.All User.Read.All"}`)
		w.do(204, "PATCH", "/v1.0/oauth2PermissionGrants/"+grant["id"].(string), "ada", `{"scope":"User.Read"}`)
		w.do(204, "DELETE", "/v1.0/servicePrincipals/"+principal+"/appRoleAssignments/"+made["id"].(string), "ada", "")
		w.do(204, "DELETE", "/v1.0/oauth2PermissionGrants/"+grant["id"].(string), "ada", "")
		w.do(200, "POST", "/v1.0/servicePrincipals/"+principal+"/addPassword", "ada", `{}`)
		// A consent of one administrator is worth as much as one of everybody.
		w.do(204, "PATCH", "/v1.0/applications/"+id, "ada", `{"web":{"redirectUris":["https://a.test/cb"]}}`)
		w.do(201, "POST", "/v1.0/oauth2PermissionGrants", "admin", fmt.Sprintf(`{"clientId":%q,"consentType":"Principal","principalId":%q,"resourceId":%q,"scope":"User.ReadWrite.All"}`,
			principal, w.ids["admin"], application.GraphPrincipalID))
		w.do(403, "PATCH", "/v1.0/applications/"+id, "ada", `{"web":{"redirectUris":["https://a.test/cb","https://evil.test/cb"]}}`)
		w.do(204, "PATCH", "/v1.0/applications/"+id, "ada", `{"displayName":"Renamed"}`)
		w.do(204, "PATCH", "/v1.0/applications/"+id, "admin", `{"web":{"redirectUris":["https://b.test/cb"]}}`)
	})
}

// TestOwnersHaveNoRights: an owner is a name, not a role.
func TestOwnersHaveNoRights(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		app := "/v1.0/applications/" + w.app.ID
		ada := `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/` + w.ids["ada"] + `"}`
		w.do(204, "POST", app+"/owners/$ref", "admin", ada)
		w.do(400, "POST", app+"/owners/$ref", "admin", ada)
		w.do(403, "POST", app+"/addPassword", "ada", `{}`)
		w.do(403, "PATCH", app, "ada", `{"displayName":"Mine"}`)
		owners := w.do(200, "GET", app+"/owners", "reader", "")["value"].([]any)
		if len(owners) != 1 || owners[0].(map[string]any)["userPrincipalName"] != "ada@contoso.test" {
			t.Errorf("owners: %v", owners)
		}
		refs := w.do(200, "GET", app+"/owners/$ref", "reader", "")["value"].([]any)
		if len(refs) != 1 || refs[0].(map[string]any)["@odata.id"] != "https://id.contoso.test/v1.0/directoryObjects/"+w.ids["ada"] {
			t.Errorf("references: %v", refs)
		}
		w.do(204, "DELETE", app+"/owners/"+w.ids["ada"]+"/$ref", "admin", "")
		w.do(404, "DELETE", app+"/owners/"+w.ids["ada"]+"/$ref", "admin", "")
	})
}

// TestCardeaMergesDO51: absent stays, null resets, unknown is refused; on POST too.
func TestCardeaMergesDO51(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName":"Wiki","web":{"redirectUris":["https://w.test/cb"],"homePageUrl":"https://w.test"},
			"cardea":{"idTokenSigningAlgorithm":"RS256","delegatedPermissions":["User.Read"],"postLogoutRedirectUris":["https://w.test/bye"]}}`)["id"].(string)
		get := func(member string) string {
			b, err := json.Marshal(w.do(200, "GET", "/v1.0/applications/"+id, "admin", "")[member])
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		change := func(body string) { t.Helper(); w.do(204, "PATCH", "/v1.0/applications/"+id, "admin", body) }
		change(`{"cardea":{"applicationPermissions":["User.Read.All"]}}`)
		if got := get("cardea"); got != `{"applicationPermissions":["User.Read.All"],"delegatedPermissions":["User.Read"],"idTokenSigningAlgorithm":"RS256","postLogoutRedirectUris":["https://w.test/bye"]}` {
			t.Errorf("absent members: %s", got)
		}
		change(`{"cardea":{"postLogoutRedirectUris":null,"idTokenSigningAlgorithm":null}}`)
		if got := get("cardea"); got != `{"applicationPermissions":["User.Read.All"],"delegatedPermissions":["User.Read"],"idTokenSigningAlgorithm":"","postLogoutRedirectUris":[]}` {
			t.Errorf("null inside: %s", got)
		}
		change(`{"cardea":null}`)
		if got := get("cardea"); got != `{"applicationPermissions":[],"delegatedPermissions":[],"idTokenSigningAlgorithm":"","postLogoutRedirectUris":[]}` {
			t.Errorf("null: %s", got)
		}
		for _, body := range []string{`{"cardea":{"permissions":["User.Read.All"]}}`, `{"cardea":{"applicationPermissions":"User.Read.All"}}`, `{"cardea":[]}`} {
			w.do(400, "PATCH", "/v1.0/applications/"+id, "admin", body)
		}
		w.do(400, "POST", "/v1.0/applications", "admin", `{"displayName":"x","cardea":{"shoe":9}}`)
		change(`{"web":{"logoutUrl":"https://w.test/out"}}`)
		if got := get("web"); !strings.Contains(got, `"homePageUrl":"https://w.test"`) || !strings.Contains(got, `"redirectUris":["https://w.test/cb"]`) || !strings.Contains(got, `"logoutUrl":"https://w.test/out"`) {
			t.Errorf("web: %s", got)
		}
		change(`{"web":{"homePageUrl":null,"redirectUris":[]}}`)
		if got := get("web"); !strings.Contains(got, `"homePageUrl":null`) || !strings.Contains(got, `"redirectUris":[]`) || !strings.Contains(got, `"logoutUrl":"https://w.test/out"`) {
			t.Errorf("web after null: %s", got)
		}
	})
}

type signer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newCertificate(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "job"}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, cert}
}

func (s signer) jwt(t *testing.T, claims map[string]any) string {
	t.Helper()
	sum := sha1.Sum(s.cert.Raw)
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]any{"alg": "ES256", "typ": "JWT", "x5t": base64.RawURLEncoding.EncodeToString(sum[:])}) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	r, ss, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	ss.FillBytes(sig[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig[:])
}

// TestKeysNeedProof: addKey and removeKey want a proof of a certificate that
// is there already.
func TestKeysNeedProof(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, _, principal := appAdmin(w)
		first, second := newCertificate(t), newCertificate(t)
		key := func(s signer) string { return base64.StdEncoding.EncodeToString(s.cert.Raw) }
		app, sp := "/v1.0/applications/"+id, "/v1.0/servicePrincipals/"+principal
		w.do(204, "PATCH", app, "ada", `{"keyCredentials":[{"key":"`+key(first)+`","type":"AsymmetricX509Cert","usage":"Verify","displayName":"first"}]}`)
		claims := func(change ...any) map[string]any {
			c := map[string]any{"iss": id, "aud": "00000002-0000-0000-c000-000000000000", "nbf": w.now.Unix(), "exp": w.now.Add(5 * time.Minute).Unix()}
			for i := 0; i+1 < len(change); i += 2 {
				c[change[i].(string)] = change[i+1]
			}
			return c
		}
		add := func(status int, target string, s signer, proof string) map[string]any {
			t.Helper()
			return w.do(status, "POST", target+"/addKey", "ada", `{"keyCredential":{"type":"AsymmetricX509Cert","usage":"Verify","key":"`+key(s)+`"},"passwordCredential":null,"proof":"`+proof+`"}`)
		}
		for name, proof := range map[string]string{
			"none": "", "garbage": "a.b.c", "by the new key": second.jwt(t, claims()), "of another object": first.jwt(t, claims("iss", w.app.ID)),
			"for somebody else": first.jwt(t, claims("aud", "https://x.test")), "too long": first.jwt(t, claims("exp", w.now.Add(time.Hour).Unix())), "over": first.jwt(t, claims("exp", w.now.Add(-time.Hour).Unix())),
		} {
			if body := add(400, app, second, proof); body["error"].(map[string]any)["innerError"].(map[string]any)["code"] != "proofBroken" {
				t.Errorf("%s: %v", name, body)
			}
		}
		made := add(200, app, second, first.jwt(t, claims()))
		mine := add(200, sp, newCertificate(t), second.jwt(t, claims("iss", principal)))
		if n := len(w.do(200, "GET", app, "ada", "")["keyCredentials"].([]any)); n != 2 {
			t.Errorf("%d certificates on the application", n)
		}
		if l := w.do(200, "GET", sp, "ada", "")["keyCredentials"].([]any); len(l) != 1 || l[0].(map[string]any)["keyId"] != mine["keyId"] {
			t.Errorf("on the service principal: %v", l)
		}
		w.do(400, "POST", app+"/removeKey", "ada", `{"keyId":"`+made["keyId"].(string)+`","proof":""}`)
		w.do(204, "POST", app+"/removeKey", "ada", `{"keyId":"`+made["keyId"].(string)+`","proof":"`+first.jwt(t, claims())+`"}`)
		w.do(404, "POST", sp+"/removeKey", "ada", `{"keyId":"`+made["keyId"].(string)+`","proof":"`+first.jwt(t, claims("iss", principal))+`"}`)
		w.do(204, "PATCH", sp, "ada", `{"keyCredentials":[]}`)
	})
}

// TestApplicationRefusals: bad input gets a named 4xx, and nothing is stored.
func TestApplicationRefusals(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		id, appID, principal := appAdmin(w)
		other := w.do(201, "POST", "/v1.0/applications", "admin", `{"displayName":"Other","identifierUris":["api://other"]}`)
		before := w.do(200, "GET", "/v1.0/applications/"+id, "admin", "")
		role := func(id, value string) string {
			return `{"id":"` + id + `","value":"` + value + `","displayName":"d","description":"d","isEnabled":true,"allowedMemberTypes":["User"]}`
		}
		const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
		app, sp := "/v1.0/applications/"+id, "/v1.0/servicePrincipals/"+principal
		for _, c := range []struct {
			status             int
			code               string
			method, path, body string
		}{
			{400, "invalidValue", "PATCH", app, `{"signInAudience":"AzureADMultipleOrgs"}`},
			{400, "duplicateValue", "PATCH", app, `{"appRoles":[` + role(one, "a") + `,` + role(one, "b") + `]}`},
			{400, "duplicateValue", "PATCH", app, `{"appRoles":[` + role(one, "a") + `,` + role(two, "A") + `]}`},
			{400, "duplicateValue", "PATCH", app, `{"appRoles":[` + role(one, "a") + `],"api":{"oauth2PermissionScopes":[{"id":"` + one + `","value":"x","isEnabled":true}]}}`},
			{400, "invalidValue", "PATCH", app, `{"appRoles":[` + role("one", "a") + `]}`},
			{400, "invalidValue", "PATCH", app, `{"appRoles":[` + role(one, "a b") + `]}`},
			{400, "invalidValue", "PATCH", app, `{"appRoles":[{"id":"` + one + `","allowedMemberTypes":["Device"]}]}`},
			{400, "invalidValue", "PATCH", app, `{"api":{"oauth2PermissionScopes":[{"id":"` + one + `","value":"openid"}]}}`},
			{400, "invalidValue", "PATCH", app, `{"groupMembershipClaims":"Everything"}`},
			{400, "invalidValue", "PATCH", app, `{"identifierUris":["wiki"]}`},
			{400, "invalidValue", "PATCH", app, `{"identifierUris":["https://graph.microsoft.com"]}`},
			{400, "invalidValue", "PATCH", app, `{"identifierUris":["api://` + other["appId"].(string) + `/x"]}`},
			{400, "invalidValue", "PATCH", app, `{"identifierUris":["api://00000003-0000-0000-c000-000000000000"]}`},
			{409, "alreadyExists", "PATCH", app, `{"identifierUris":["API://Other/"]}`},
			{400, "duplicateValue", "PATCH", app, `{"identifierUris":["api://a","api://A/"]}`},
			{400, "invalidValue", "PATCH", app, `{"tags":[""]}`},
			{400, "badRequest", "PATCH", app, `{"api":{"knownClientApplications":"x"}}`},
			{400, "invalidValue", "PATCH", app, `{"passwordCredentials":[{"displayName":"new"}]}`},
			{400, "invalidValue", "PATCH", app, `{"keyCredentials":[{"key":"AAAA"}]}`},
			{400, "invalidValue", "PATCH", app, `{"notes":"` + strings.Repeat("n", 2000) + `"}`},
			{400, "applicationUnknown", "POST", "/v1.0/servicePrincipals", `{"appId":"11111111-1111-4111-8111-111111111111"}`},
			{400, "invalidValue", "PATCH", sp, `{"preferredSingleSignOnMode":"magic"}`},
			{400, "builtInPrincipal", "PATCH", graphPrincipal, `{"accountEnabled":false}`},
			{400, "builtInPrincipal", "PATCH", graphPrincipal, `{"appRoleAssignmentRequired":true}`},
			{400, "builtInPrincipal", "DELETE", graphPrincipal, ``},
			{400, "builtInPrincipal", "POST", graphPrincipal + "/addPassword", `{}`},
			{400, "appRoleUnknown", "POST", sp + "/appRoleAssignedTo", `{"principalId":"` + w.ids["ada"] + `","appRoleId":"` + one + `"}`},
			{400, "requiredParamMissing", "POST", sp + "/appRoleAssignedTo", `{"principalId":"` + w.ids["ada"] + `"}`},
			{400, "invalidValue", "POST", sp + "/appRoleAssignedTo", `{"principalId":"` + w.ids["ada"] + `","appRoleId":"` + application.NoRole + `","resourceId":"` + one + `"}`},
			{400, "principalUnknown", "POST", sp + "/appRoleAssignedTo", `{"principalId":"` + one + `","appRoleId":"` + application.NoRole + `"}`},
			{400, "appRoleNotAllowed", "POST", graphPrincipal + "/appRoleAssignedTo", `{"principalId":"` + w.ids["ada"] + `","appRoleId":"` + application.PermissionID("User.Read.All", false) + `"}`},
			{400, "principalUnknown", "POST", "/v1.0/oauth2PermissionGrants", `{"clientId":"` + appID + `","consentType":"AllPrincipals","resourceId":"` + application.GraphPrincipalID + `","scope":"User.Read"}`},
			{400, "invalidValue", "POST", "/v1.0/oauth2PermissionGrants", `{"clientId":"` + principal + `","consentType":"Principal","resourceId":"` + application.GraphPrincipalID + `","scope":"User.Read"}`},
			{400, "invalidValue", "POST", "/v1.0/oauth2PermissionGrants", `{"clientId":"` + principal + `","consentType":"AllPrincipals","resourceId":"` + application.GraphPrincipalID + `","scope":" "}`},
			{400, "duplicateValue", "POST", "/v1.0/oauth2PermissionGrants", `{"clientId":"` + principal + `","consentType":"AllPrincipals","resourceId":"` + application.GraphPrincipalID + `","scope":"User.Read user.read"}`},
			{400, "invalidValue", "POST", "/v1.0/oauth2PermissionGrants", `{"clientId":"` + principal + `","consentType":"AllPrincipals","resourceId":"` + principal + `","scope":"nothing.there"}`},
			{412, "changed", "PATCH", app, `{"displayName":"late"}`},
		} {
			var header map[string][]string
			if c.status == 412 {
				header = map[string][]string{"If-Match": {`W/"99"`}}
			}
			rec := w.request(c.method, c.path, "admin", []byte(c.body), header)
			var body errorBody
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || rec.Code != c.status || body.Error.Inner.Code != c.code {
				t.Errorf("%s %s %.120s: %d %s, want %d %s", c.method, c.path, c.body, rec.Code, rec.Body, c.status, c.code)
			}
		}
		if after := w.do(200, "GET", "/v1.0/applications/"+id, "admin", ""); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("something was stored\nbefore %v\nafter  %v", before, after)
		}
	})
}

// TestGraphPrincipal lists every permission that a route asks for, under
// Entra's ids where those are known.
func TestGraphPrincipal(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		found := w.do(200, "GET", "/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(n:n eq 'https://graph.microsoft.com')", "reader", "")["value"].([]any)
		if len(found) != 1 {
			t.Fatalf("%d principals of Graph", len(found))
		}
		p := found[0].(map[string]any)
		ids := map[string]string{}
		for member, want := range map[string][]string{"appRoles": ApplicationPermissions(), "oauth2PermissionScopes": DelegatedPermissions()} {
			have := map[string]string{}
			for _, r := range p[member].([]any) {
				r := r.(map[string]any)
				id, value := r["id"].(string), r["value"].(string)
				have[value] = id
				if other := ids[id]; other != "" {
					t.Errorf("the id %s is that of %s and %s", id, other, value)
				}
				ids[id] = member + " " + value
				if !isGUID(id) {
					t.Errorf("%s has the id %q", value, id)
				}
			}
			for _, name := range append([]string{application.All}, want...) {
				if have[name] == "" {
					t.Errorf("%s lacks %s", member, name)
				}
			}
		}
		for id, want := range map[string]string{"e1fe6dd8-ba31-4d61-89e7-88639da4683d": "oauth2PermissionScopes User.Read", "df021288-bdef-4463-88db-98f22de89214": "appRoles User.Read.All",
			"50483e42-d915-4231-9639-7fdb7fd190e5": "appRoles UserAuthenticationMethod.ReadWrite.All"} {
			if ids[id] != want {
				t.Errorf("%s is %q, want %q", id, ids[id], want)
			}
		}
	})
}

// TestDisabledApplicationAtTheAPI: accountEnabled false ends tokens that are out.
func TestDisabledApplicationAtTheAPI(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.do(200, "GET", "/v1.0/users", "robot", "")
		w.do(204, "PATCH", "/v1.0/servicePrincipals/"+w.app.PrincipalID(), "admin", `{"accountEnabled":false}`)
		w.do(401, "GET", "/v1.0/users", "robot", "")
		w.do(204, "PATCH", "/v1.0/servicePrincipals/"+w.app.PrincipalID(), "admin", `{"accountEnabled":true}`)
		w.do(200, "GET", "/v1.0/users", "robot", "")
	})
}
