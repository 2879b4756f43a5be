package condaccess

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"

	"github.com/google/go-cmp/cmp"
)

func TestLocationLife(t *testing.T) {
	each(t, func(h *house) {
		l, _, err := h.k.CreateLocation(h.Context(), h.edit(`{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"Alps","countriesAndRegions":["CH"]}`))
		h.must(err)
		p := h.policy("P", "enabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"locations":{"includeLocations":["`+l.ID+`"]}},`+mfa)
		code(t, h.k.DeleteLocation(h.Context(), l.ID, h.edit("")), problem.Invalid, "stillReferenced") // CA-82
		_, _, err = h.k.UpdateLocation(h.Context(), l.ID, h.edit(`{"countryLookupMethod":"authenticatorAppGps"}`))
		code(t, err, problem.Invalid, "unsupportedCondition") // CA-8
		h.must(h.k.DeletePolicy(h.Context(), p.ID, h.edit("")))
		_, _, err = h.k.UpdateLocation(h.Context(), l.ID, h.edit(`{"countryLookupMethod":"authenticatorAppGps"}`))
		h.must(err)
		h.must(h.k.DeleteLocation(h.Context(), l.ID, h.edit("")))
		back, _, err := h.k.RestoreLocation(h.Context(), l.ID, h.edit(""))
		h.must(err)
		if back.Version != 4 || back.Countries[0] != "CH" || back.DeletedDateTime != nil {
			t.Errorf("%+v", back)
		}
		trusted, _, err := h.k.CreateLocation(h.Context(), h.edit(`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"T","isTrusted":true,"ipRanges":[{"cidrAddress":"192.0.2.0/24"}]}`))
		h.must(err)
		code(t, h.k.DeleteLocation(h.Context(), trusted.ID, h.edit("")), problem.Invalid, "trustedLocation") // CA-81
		list, err := h.k.FindLocations(h.Context(), h.d, query(h, LocationSchema, LocationPaging, "$filter=displayName eq 't'"), Among{})
		h.must(err)
		n, err := h.k.CountLocations(h.Context(), h.d, query(h, LocationSchema, LocationPaging, ""), Among{})
		h.must(err)
		if len(list) != 1 || !list[0].IsTrusted || list[0].IPRanges[0].CIDR != "192.0.2.0/24" || n != 2 {
			t.Errorf("%+v %d", list, n)
		}
		stale := h.edit(`{"isTrusted":false}`)
		stale.IfMatch = ETag(9)
		_, _, err = h.k.UpdateLocation(h.Context(), trusted.ID, stale)
		code(t, err, problem.PreconditionFailed, "changed")
	})
}

func TestStrengthLife(t *testing.T) {
	each(t, func(h *house) {
		body := `{"id":"x","displayName":"Keys","allowedCombinations":["fido2"],"combinationConfigurations":[{"id":"y","@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":[],"cardea":{"allowedPasskeyTypes":"deviceBound"}}]}`
		s, c, err := h.k.CreateStrength(h.Context(), h.edit(body))
		h.must(err)
		if !isGUID(s.ID) || !isGUID(s.CombinationConfigurations[0].ID) || !warned(c, "selfReported") || s.Version != 1 || !s.ModifiedDateTime.Equal(h.at) {
			t.Errorf("%+v %+v", s, c)
		}
		got, err := json.Marshal(s)
		h.must(err)
		again, _, err := h.k.CreateStrength(h.Context(), h.edit(string(got)))
		h.must(err)
		want, have := plain(t, s), plain(t, again)
		for _, name := range []string{"id", "createdDateTime", "modifiedDateTime", "combinationConfigurations"} {
			delete(want, name)
			delete(have, name)
		}
		if diff := cmp.Diff(want, have); diff != "" || again.CombinationConfigurations[0].ID == s.CombinationConfigurations[0].ID {
			t.Errorf("POST of GET:\n%s", diff)
		}
		p := h.policy("P", "enabledForReportingButNotEnforced", forAll+`,"grantControls":{"operator":"OR","authenticationStrength":{"id":"`+s.ID+`"}}`)
		if r := p.GrantControls.AuthStrength.Strength; r == nil || r.DisplayName != "Keys" {
			t.Errorf("%+v", r)
		}
		code(t, h.k.DeleteStrength(h.Context(), s.ID, h.edit("")), problem.Invalid, "stillReferenced") // CA-93
		usage, err := h.k.StrengthUsage(h.Context(), h.d, s.ID)
		h.must(err)
		if len(usage.MFA) != 1 || len(usage.None) != 0 {
			t.Errorf("%+v", usage)
		}
		combined, _, err := h.k.UpdateCombinations(h.Context(), s.ID, h.edit(`{"allowedCombinations":["softwareOath,password"]}`))
		h.must(err)
		if !slices.Equal(combined.ConditionalAccessReferences, []string{p.ID}) || combined.PreviousCombinations[0] != "fido2" || combined.CurrentCombinations[0] != "password,softwareOath" {
			t.Errorf("%+v", combined)
		}
		for _, row := range []struct{ filter, want string }{
			{"", "Multifactor authentication, Passwordless MFA, Phishing-resistant MFA, Keys, Keys"},
			{"policyType eq 'custom'", "Keys, Keys"},
			{"policyType ne 'custom'", "Multifactor authentication, Passwordless MFA, Phishing-resistant MFA"},
			{"displayName in ('keys')", "Keys, Keys"},
			{"not(displayName eq 'keys')", "Multifactor authentication, Passwordless MFA, Phishing-resistant MFA"},
			{"allowedCombinations/any(x:x has 'sms, password')", "Multifactor authentication"},
			{"allowedCombinations/any(x:x has 'password')", "Multifactor authentication, Keys"},
			{"allowedCombinations/any(x:x has 'fido2')", "Multifactor authentication, Passwordless MFA, Phishing-resistant MFA, Keys"},
			{"policyType eq 'builtIn' and allowedCombinations/any(x:x has 'deviceBasedPush')", "Multifactor authentication, Passwordless MFA"},
		} {
			options := url.Values{}
			if row.filter != "" {
				options.Set("$filter", row.filter)
			}
			q := query(t, StrengthSchema, StrengthPaging, options.Encode())
			list, err := h.k.FindStrengths(h.Context(), h.d, q)
			h.must(err)
			n, err := h.k.CountStrengths(h.Context(), h.d, q)
			h.must(err)
			names := []string{}
			for _, s := range list {
				names = append(names, s.DisplayName)
			}
			if strings.Join(names, ", ") != row.want || int(n) != len(names) {
				t.Errorf("%s: %v, %d", row.filter, names, n)
			}
		}
		code(t, h.k.DeleteStrength(h.Context(), StrengthMFA, h.edit("")), problem.Invalid, "builtInStrength")
		_, err = h.k.DeleteConfiguration(h.Context(), again.ID, "z", h.edit(""))
		code(t, err, problem.NotFound, "notFound")
		_, err = h.k.DeleteConfiguration(h.Context(), again.ID, again.CombinationConfigurations[0].ID, h.edit(""))
		h.must(err)
		h.must(h.k.DeleteStrength(h.Context(), again.ID, h.edit("")))
		_, err = h.k.Strength(h.Context(), h.d, again.ID)
		code(t, err, problem.NotFound, "notFound")
		if log := h.activities(); log[0] != "Authentication Strength Policy Create" || log[len(log)-1] != "Authentication Strength Policy Delete" {
			t.Errorf("%v", log)
		}
	})
}

func TestContexts(t *testing.T) {
	each(t, func(h *house) {
		c, err := h.k.PutContext(h.Context(), "C7", h.edit(`{"displayName":"Payments","isAvailable":true}`))
		h.must(err)
		if c.ID != "c7" || *c.DisplayName != "Payments" || c.Description != nil || c.Version != 1 {
			t.Errorf("%+v", c)
		}
		c, err = h.k.PutContext(h.Context(), "c7", h.edit(`{"id":"c7","description":"Money","isAvailable":null}`))
		h.must(err)
		if *c.DisplayName != "Payments" || *c.Description != "Money" || c.IsAvailable != nil || c.Version != 2 {
			t.Errorf("%+v", c)
		}
		for _, id := range []string{"c0", "c100", "x"} {
			_, err = h.k.PutContext(h.Context(), id, h.edit(`{}`))
			code(t, err, problem.NotFound, "notFound")
		}
		_, err = h.k.PutContext(h.Context(), "c7", h.edit(`{"id":"c8"}`))
		code(t, err, problem.Invalid, "readOnlyMember")
		_, err = h.k.PutContext(h.Context(), "c7", h.edit(`{"colour":1}`))
		code(t, err, problem.Invalid, "invalidMember")
		p := h.policy("P", "disabled", `"conditions":{"users":{"includeUsers":["All"]},"applications":{"includeAuthenticationContextClassReferences":["c7"]}},`+mfa)
		code(t, h.k.DeleteContext(h.Context(), "c7", h.edit("")), problem.Invalid, "stillReferenced")
		h.must(h.k.DeletePolicy(h.Context(), p.ID, h.edit("")))
		h.must(h.k.DeleteContext(h.Context(), "c7", h.edit("")))
		_, err = h.k.Context(h.Context(), h.d, "c7")
		code(t, err, problem.NotFound, "notFound")
		c, err = h.k.PutContext(h.Context(), "c7", h.edit(`{"displayName":"New"}`))
		h.must(err)
		list, err := h.k.FindContexts(h.Context(), h.d, query(h, ContextSchema, ContextPaging, ""))
		h.must(err)
		n, err := h.k.CountContexts(h.Context(), h.d, query(h, ContextSchema, ContextPaging, ""))
		h.must(err)
		if c.Version != 4 || c.Description != nil || len(list) != 1 || n != 1 {
			t.Errorf("%+v %v %d", c, list, n)
		}
	})
}

// TestTemplates: every template makes a policy, in report-only, without the
// emergency accounts and its maker (CA-94, CA-95), and is what §13 says.
func TestTemplates(t *testing.T) {
	all := Templates()
	if len(all) != 15 || len(rolesA) != 14 || len(rolesB) != 19 {
		t.Errorf("%d templates, sets of %d and %d roles", len(all), len(rolesA), len(rolesB))
	}
	for _, one := range all {
		if one.ID == "a3d0a415-b068-4326-9251-f9cdf9feeb64" && one.Name != "Require multifactor authentication for all users" || one.Description == "" || one.Scenarios == "" || !isGUID(one.ID) {
			t.Errorf("%+v", one)
		}
	}
	if _, err := FindTemplate("x"); problem.KindOf(err) != problem.NotFound {
		t.Error(err)
	}
	each(t, func(h *house) {
		var g directory.Group
		h.write(func(q db.Querier) (err error) {
			if g, err = directory.CreateGroup(h.Context(), q, audit.System("test"), h.at, directory.Group{DisplayName: "Emergency"}); err != nil {
				return err
			}
			_, err = directory.UpdateOrganization(h.Context(), q, audit.System("test"), h.at, func(o *directory.Organization) error { o.BreakGlassGroup = g.ID; return nil })
			return err
		})
		for _, one := range all {
			p, c, err := h.k.CreateFromTemplate(h.Context(), one.ID, h.edit(""))
			if err != nil {
				t.Errorf("%s: %v", one.Name, err)
				continue
			}
			u := p.Conditions.Users
			if p.State != ReportOnly || *p.TemplateID != one.ID || p.DisplayName != one.Name || !slices.Contains(u.ExcludeGroups, g.ID) || !slices.Contains(u.ExcludeUsers, h.grace.ID) {
				t.Errorf("%s: %+v", one.Name, p)
			}
			for _, w := range c.Warnings {
				if w.Code != "signalUnavailable" {
					t.Errorf("%s warns %+v", one.Name, w)
				}
			}
			if g := p.GrantControls; g != nil && g.AuthStrength != nil {
				g.AuthStrength = &StrengthRef{ID: g.AuthStrength.ID}
			}
			lossless(t, p)
		}
		s, err := h.k.Strength(h.Context(), h.d, deviceBound.ID)
		h.must(err)
		if s.CombinationConfigurations[0].Restriction == nil || !s.CombinationConfigurations[0].Restriction.RequireAttested {
			t.Errorf("%+v", s)
		}
		// CA-25: enabled without the exclusion warns.
		_, c, err := h.k.CreatePolicy(h.Context(), h.edit(policyBody("P", "enabled", forAll+","+mfa)))
		h.must(err)
		if !warned(c, "breakGlassNotExcluded") {
			t.Errorf("%+v", c)
		}
	})
}
