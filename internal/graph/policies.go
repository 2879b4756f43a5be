package graph

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/bulk"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

var (
	readPolicies = Access{Scopes: []string{"Policy.Read.All", "Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod"},
		Roles: []string{directory.AuthenticationPolicyAdministrator, directory.GlobalReader}}
	writePolicies = Access{Scopes: []string{"Policy.ReadWrite.AuthenticationMethod"}, Roles: []string{directory.AuthenticationPolicyAdministrator}}
)

const (
	policyPath  = "/policies/authenticationMethodsPolicy"
	configsPath = policyPath + "/authenticationMethodConfigurations"
	configsSet  = "policies/authenticationMethodsPolicy/authenticationMethodConfigurations"
)

// methodType is the @odata.type of each method's configuration (PK-7). Password
// is Cardea's own: it is served under its id, and not in lists that Graph's
// clients read.
var methodType = map[string]string{
	directory.MethodPasskey:    "#microsoft.graph.fido2AuthenticationMethodConfiguration",
	directory.MethodAccessPass: "#microsoft.graph.temporaryAccessPassAuthenticationMethodConfiguration",
	directory.MethodCode:       "#microsoft.graph.softwareOathAuthenticationMethodConfiguration",
	directory.MethodPassword:   "#cardea.passwordAuthenticationMethodConfiguration",
}

// policies are the authentication methods policy and the configuration of each
// method (passkeys §1, §2).
func policies() []resource {
	const one = configsPath + "/{method}"
	add := func(method, path string, a Access, run func(*Call) (Answer, error)) route {
		return route{Method: method, Path: path, Access: a, NotFound: "ResourceNotFound", Run: run}
	}
	return []resource{
		add("GET", policyPath, readPolicies, getMethodsPolicy),
		add("PATCH", policyPath, writePolicies, patchMethodsPolicy),
		add("GET", configsPath, readPolicies, listConfigurations),
		add("GET", one, readPolicies, getConfiguration),
		add("PATCH", one, writePolicies, patchConfiguration),
		add("DELETE", one, writePolicies, resetConfiguration),
		add("POST", one+"/cardea.previewChange", writePolicies, previewChange),
	}
}

// method reads the key of the path, in any case (PK-2).
func (c *Call) method() (string, error) {
	for id := range methodType {
		if strings.EqualFold(id, c.Params["method"]) {
			return id, nil
		}
	}
	return "", problem.New(problem.NotFound, "notFound", "There is no authentication method %q. Cardea has Fido2, TemporaryAccessPass, SoftwareOath and Password.", c.Params["method"])
}

// configuration is the document of a method and its ETag.
func (c *Call) configuration(id string) (object, string, error) {
	var document any
	var tag string
	var err error
	switch id {
	case directory.MethodPasskey:
		document, tag, err = c.keeper.Policy(c.Context, c.DB)
	case directory.MethodAccessPass:
		var p accesspass.Policy
		p, err = accesspass.GetPolicy(c.Context, c.DB)
		document, tag = p, versionETag(p.Version)
	default:
		var p directory.MethodPolicy
		p, err = directory.GetMethodPolicy(c.Context, c.DB, id)
		document, tag = p, versionETag(p.Version)
	}
	if err != nil {
		return nil, "", err
	}
	full, err := toObject(document)
	if err != nil {
		return nil, "", err
	}
	var out object
	for _, m := range full {
		if m.name == "includeTargets" { // PK-9
			context := fmt.Sprintf("%s/$metadata#%s('%s')/%s/includeTargets", c.Base, configsSet, id, strings.TrimPrefix(methodType[id], "#"))
			out = append(out, object(nil).with("includeTargets@odata.context", context)...)
		}
		out = append(out, m)
	}
	return out.with("@odata.type", methodType[id]), tag, nil
}

func versionETag(v int64) string { return fmt.Sprintf(`W/"%d"`, v) }

// listed are the methods in the lists of Graph's clients.
var listed = []string{directory.MethodPasskey, directory.MethodAccessPass, directory.MethodCode}

func (c *Call) configurations() ([]object, error) {
	out := []object{}
	for _, id := range listed {
		o, _, err := c.configuration(id)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func listConfigurations(c *Call) (Answer, error) {
	all, err := c.configurations()
	return Answer{Status: http.StatusOK, Body: page{Context: c.Base + "/$metadata#" + configsSet, Value: all}}, err
}

// getMethodsPolicy answers Graph's authenticationMethodsPolicy with the
// configurations of the methods inside (passkeys §1.2).
func getMethodsPolicy(c *Call) (Answer, error) {
	p, err := directory.GetMethodsPolicy(c.Context, c.DB)
	if err != nil {
		return Answer{}, err
	}
	return c.wholePolicy(p)
}

func (c *Call) wholePolicy(p directory.MethodsPolicy) (Answer, error) {
	all, err := c.configurations()
	if err != nil {
		return Answer{}, err
	}
	o, err := toObject(p)
	if err != nil {
		return Answer{}, err
	}
	inline, err := toObject(struct {
		Context        string   `json:"authenticationMethodConfigurations@odata.context"`
		Configurations []object `json:"authenticationMethodConfigurations"`
	}{c.Base + "/$metadata#" + configsSet, all})
	if err != nil {
		return Answer{}, err
	}
	o = append(o, inline...)
	return Answer{Status: http.StatusOK, Header: http.Header{"ETag": {versionETag(p.Version)}}, Body: o.with("@odata.context", c.Base+"/$metadata#policies/authenticationMethodsPolicy/$entity")}, nil
}

// patchMethodsPolicy changes what belongs to no single method, and answers with
// the whole policy (PK-1, PK-30).
func patchMethodsPolicy(c *Call) (Answer, error) {
	if err := c.sameConfigurations(); err != nil {
		return Answer{}, err
	}
	var p directory.MethodsPolicy
	err := c.write(func(q db.Querier) (err error) {
		p, err = directory.ChangeMethodsPolicy(c.Context, q, c.Actor, c.Now, c.Body, func(was directory.MethodsPolicy) error { return c.ifMatch(versionETag(was.Version)) })
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	a, err := c.wholePolicy(p)
	if err == nil && p.RegistrationEnforcement.Campaign.NeverNudges() { // PK-156
		a.Header.Add("Warning", `299 cardea "methodNeverNudges: registrationEnforcement/authenticationMethodsRegistrationCampaign"`)
	}
	return a, err
}

// sameConfigurations refuses a body of the policy that changes the
// configuration of a method along the way: Graph would not do it, and to ignore
// it would lose what somebody meant. A body that repeats what GET answered is fine.
func (c *Call) sameConfigurations() error {
	var body struct {
		Configurations []map[string]any `json:"authenticationMethodConfigurations"`
	}
	if err := c.decode(&body); err != nil || len(body.Configurations) == 0 {
		return err
	}
	all, err := c.configurations()
	if err != nil {
		return err
	}
	stored := map[string]map[string]any{}
	for _, o := range all {
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		id, _ := m["id"].(string)
		stored[id] = m
	}
	for i, sent := range body.Configurations {
		id, _ := sent["id"].(string)
		for name, value := range sent {
			if !strings.Contains(name, "@odata.") && !reflect.DeepEqual(value, stored[id][name]) {
				return problem.New(problem.Invalid, "badRequest", "The configuration of a method is changed at its own address: PATCH %s/%s. Leave it out here.", configsPath, clipped(id)).
					On(fmt.Sprintf("/authenticationMethodConfigurations/%d/%s", i, clipped(name)))
			}
		}
	}
	return nil
}

// clipped cuts text of a client before it is quoted.
func clipped(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

func getConfiguration(c *Call) (Answer, error) {
	id, err := c.method()
	if err != nil {
		return Answer{}, err
	}
	o, tag, err := c.configuration(id)
	return Answer{Status: http.StatusOK, Header: http.Header{"ETag": {tag}}, Body: o.with("@odata.context", c.Base+"/$metadata#"+configsSet+"/$entity")}, err
}

// edit is the change of the passkey policy that a request asks for.
func (c *Call) edit() passkey.Edit {
	return passkey.Edit{Body: c.Body, IfMatch: c.Header.Get("If-Match"), Actor: c.Actor, At: c.Now,
		Force: strings.EqualFold(c.Query.Get("cardea.force"), "true"), Reset: strings.EqualFold(c.Query.Get("cardea.reset"), "true")}
}

// patchConfiguration answers with the whole configuration on demand (DO-44).
func patchConfiguration(c *Call) (Answer, error) {
	a, err := c.changeConfiguration()
	if err != nil || !c.prefers("return=representation") {
		return a, err
	}
	whole, err := getConfiguration(c)
	if err == nil {
		whole.Header["Warning"] = a.Header["Warning"]
		whole.Header.Set("Preference-Applied", "return=representation")
	}
	return whole, err
}

func (c *Call) changeConfiguration() (Answer, error) {
	id, err := c.method()
	if err != nil {
		return Answer{}, err
	}
	if id == directory.MethodPasskey {
		e := c.edit()
		e.Reset = false
		return c.changed(e)
	}
	if err := checkType(c, id); err != nil {
		return Answer{}, err
	}
	return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) (err error) {
		if id == directory.MethodAccessPass {
			_, err = accesspass.UpdatePolicy(c.Context, q, c.Actor, c.Now, func(p *accesspass.Policy) error {
				if err := c.ifMatch(versionETag(p.Version)); err != nil {
					return err
				}
				return patch(c.Body, p)
			})
			return err
		}
		_, err = directory.UpdateMethodPolicy(c.Context, q, c.Actor, c.Now, id, func(p *directory.MethodPolicy) error {
			if err := c.ifMatch(versionETag(p.Version)); err != nil {
				return err
			}
			return patch(c.Body, p)
		})
		return err
	})
}

// checkType refuses the body of another method (PK-4); none is fine.
func checkType(c *Call, id string) error {
	var body struct {
		Type *string `json:"@odata.type"`
	}
	if err := c.decode(&body); err != nil {
		return err
	}
	if body.Type != nil && *body.Type != methodType[id] {
		return problem.New(problem.Invalid, "badRequest", "@odata.type must be %s, or left out.", methodType[id]).On("@odata.type")
	}
	return nil
}

// changed applies a change of the passkey policy. Warnings about the result
// travel in headers (PK-29).
func (c *Call) changed(e passkey.Edit) (Answer, error) {
	warnings, err := c.keeper.Change(c.Context, e)
	if err != nil {
		return Answer{}, err
	}
	h := http.Header{}
	for _, w := range warnings {
		h.Add("Warning", w.Header())
	}
	return Answer{Status: http.StatusNoContent, Header: h}, nil
}

func resetConfiguration(c *Call) (Answer, error) {
	id, err := c.method()
	if err != nil {
		return Answer{}, err
	}
	if id == directory.MethodPasskey {
		e := c.edit()
		e.Reset = true
		return c.changed(e)
	}
	return Answer{Status: http.StatusNoContent}, c.guarded(func(q db.Querier) error {
		if id == directory.MethodAccessPass {
			return accesspass.ResetPolicy(c.Context, q, c.Actor, c.Now)
		}
		return directory.ResetMethodPolicy(c.Context, q, c.Actor, c.Now, id)
	})
}

// readPasskeys also guards the names in a preview (PK-38).
var readPasskeys = Access{
	Scopes: []string{"UserAuthMethod-Passkey.Read.All", "UserAuthMethod-Passkey.ReadWrite.All", "UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"},
	Own:    []string{"UserAuthMethod-Passkey.Read", "UserAuthMethod-Passkey.ReadWrite", "UserAuthenticationMethod.Read", "UserAuthenticationMethod.ReadWrite"},
	Roles:  readMethods.Roles,
}

// previewChange says what a PATCH with this body would do (passkeys §2.5). The
// people are named only to callers who may see passkeys; the scope counts, the
// role is that of the policy.
func previewChange(c *Call) (Answer, error) {
	id, err := c.method()
	if err != nil {
		return Answer{}, err
	}
	if id != directory.MethodPasskey {
		return Answer{}, problem.New(problem.NotFound, "notFound", "Only changes of the passkey policy (Fido2) can be previewed.")
	}
	names := c.Caller.hasScope(readPasskeys.Scopes) || c.Caller.hasPermission(readPasskeys.Scopes)
	impact, err := c.keeper.Preview(c.Context, c.edit(), nil)
	if err != nil {
		return Answer{}, err
	}
	if strings.Contains(c.Header.Get("Accept"), "text/csv") {
		if !names {
			return Answer{}, denied("The list of people needs the scope %s.", readPasskeys.Scopes[0])
		}
		return Answer{Status: http.StatusOK, Type: "text/csv; charset=utf-8", Stream: func(w io.Writer) error { return c.affected(w) }}, nil
	}
	full, err := toObject(impact)
	if err != nil {
		return Answer{}, err
	}
	out := object(nil)
	for _, m := range full {
		if names || m.name != "affected" && m.name != "affectedTruncated" {
			out = append(out, m)
		}
	}
	return Answer{Status: http.StatusOK, Body: out.with("@odata.context", c.Base+"/$metadata#cardea.passkeyPolicyImpact")}, nil
}

// affected streams every affected passkey as CSV.
func (c *Call) affected(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"userId", "userPrincipalName", "methodId", "displayName", "aaGuid", "passkeyType", "lastUsedDateTime", "before", "after", "reasons"}); err != nil {
		return err
	}
	_, err := c.keeper.Preview(c.Context, c.edit(), func(a passkey.Affected) error {
		used := ""
		if a.LastUsedDateTime != nil {
			used = a.LastUsedDateTime.Format(time.RFC3339)
		}
		reasons := make([]string, len(a.Reasons))
		for i, r := range a.Reasons {
			reasons[i] = r.ProfileName + ": " + r.Code
		}
		row := []string{a.UserID, a.UserPrincipalName, a.MethodID, a.DisplayName, a.AaGuid, string(a.PasskeyType), used, a.Before, a.After, strings.Join(reasons, "; ")}
		for i := range row {
			row[i] = bulk.Cell(row[i])
		}
		return out.Write(row)
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}
