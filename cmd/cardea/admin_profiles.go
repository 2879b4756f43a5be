package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cardea/internal/directory"
	"cardea/internal/mds"
)

const passkeyPolicyPath = "/v1.0/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2"

// passkeyPolicy is the part of the policy document that profiles are in.
type passkeyPolicy struct {
	State           string           `json:"state"`
	IncludeTargets  []passkeyTarget  `json:"includeTargets"`
	PasskeyProfiles []passkeyProfile `json:"passkeyProfiles"`

	etag string
}

type passkeyTarget struct {
	TargetType             string   `json:"targetType"`
	ID                     string   `json:"id"`
	IsRegistrationRequired bool     `json:"isRegistrationRequired"`
	AllowedPasskeyProfiles []string `json:"allowedPasskeyProfiles"`
}

type passkeyProfile struct {
	ID                     string          `json:"id,omitempty"`
	Name                   string          `json:"name"`
	PasskeyTypes           string          `json:"passkeyTypes"`
	AttestationEnforcement string          `json:"attestationEnforcement"`
	KeyRestrictions        keyRestrictions `json:"keyRestrictions"`
}

type keyRestrictions struct {
	IsEnforced      bool     `json:"isEnforced"`
	EnforcementType string   `json:"enforcementType"`
	AaGuids         []string `json:"aaGuids"`
}

func (x *call) passkeyPolicy() (passkeyPolicy, error) {
	var p passkeyPolicy
	raw, h, err := x.request(http.MethodGet, passkeyPolicyPath, nil, nil)
	if err != nil {
		return p, err
	}
	p.etag = h.Get("ETag")
	return p, json.Unmarshal(raw, &p)
}

// find returns the index of a profile by id or name.
func (p *passkeyPolicy) find(typed string) (int, error) {
	i := slices.IndexFunc(p.PasskeyProfiles, func(q passkeyProfile) bool { return q.ID == typed || strings.EqualFold(q.Name, typed) })
	if i < 0 {
		return i, &apiError{Status: 404, Message: fmt.Sprintf("there is no passkey profile %q", typed), Reason: "notFound"}
	}
	return i, nil
}

// change writes the policy, or with --dry-run only says what would come of it.
func (x *call) changePolicy(p passkeyPolicy, done string, args ...any) error {
	body := map[string]any{"@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration", "includeTargets": p.IncludeTargets, "passkeyProfiles": p.PasskeyProfiles}
	impact, err := x.send("POST", passkeyPolicyPath+"/cardea.previewChange", body)
	if err != nil {
		return err
	}
	if x.dryRun {
		return x.printImpact(impact)
	}
	if stop := show(member(impact, "passkeys/stopWorking")); stop != "0" && stop != "" {
		if err := x.confirm(stop, "%s passkeys stop working; %s people lose all of theirs. Go on?", stop, show(member(impact, "users/loseAllPasskeys"))); err != nil {
			return err
		}
	}
	header := http.Header{}
	if p.etag != "" {
		header.Set("If-Match", p.etag)
	}
	_, h, err := x.request(http.MethodPatch, passkeyPolicyPath, mustJSON(body), header)
	if err != nil {
		return err
	}
	x.warn(h)
	x.say(done, args...)
	return nil
}

func (x *call) printImpact(o map[string]any) error {
	if err := x.printOne(o, column{"PASSKEYS", "passkeys/total"}, column{"STOP WORKING", "passkeys/stopWorking"}, column{"START WORKING", "passkeys/startWorking"},
		column{"PEOPLE", "users/total"}, column{"LOSE ALL PASSKEYS", "users/loseAllPasskeys"}, column{"LOSE LAST METHOD", "users/loseLastMethod"}, column{"ADMINISTRATORS", "administratorsLoseLastMethod"}); err != nil {
		return err
	}
	affected, _ := o["affected"].([]any)
	if x.output == "table" {
		for _, e := range affected {
			if e, ok := e.(map[string]any); ok {
				fmt.Fprintf(x.out, "%s\t%s\t%s → %s\n", text(e, "userPrincipalName"), plain(text(e, "displayName")), text(e, "before"), text(e, "after"))
			}
		}
	}
	warnings, _ := o["warnings"].([]any)
	for _, w := range warnings {
		if w, ok := w.(map[string]any); ok {
			x.say("Warning: %s", text(w, "message"))
		}
	}
	x.say("Nothing was changed.")
	return nil
}

func profileCommand(a *admin) *cobra.Command {
	columns := []column{{"PROFILE", "name"}, {"TYPES", "passkeyTypes"}, {"ATTESTATION", "attestationEnforcement"}, {"LIST", "list"}, {"ASSIGNED TO", "assigned"}, {"ID", "id"}}
	rows := func(x *call, p passkeyPolicy) []map[string]any {
		out := []map[string]any{}
		for _, q := range p.PasskeyProfiles {
			var row map[string]any
			if err := json.Unmarshal(mustJSON(q), &row); err != nil {
				continue
			}
			row["list"] = "any model"
			if k := q.KeyRestrictions; k.IsEnforced {
				row["list"] = fmt.Sprintf("%s %d models", k.EnforcementType, len(k.AaGuids))
			}
			assigned := []any{}
			for _, t := range p.IncludeTargets {
				if slices.Contains(t.AllowedPasskeyProfiles, q.ID) {
					assigned = append(assigned, x.targetName(t.ID))
				}
			}
			row["assigned"] = assigned
			out = append(out, row)
		}
		return out
	}
	list := a.verb("list", "Passkey profiles", "", 0, func(x *call, _ []string) error {
		p, err := x.passkeyPolicy()
		if err != nil {
			return err
		}
		if p.State != "enabled" {
			x.say("Passkeys are switched off for everybody.")
		}
		return x.print(rows(x, p), columns...)
	})
	get := a.verb("get PROFILE", "One profile", "", 1, func(x *call, args []string) error {
		p, err := x.passkeyPolicy()
		if err != nil {
			return err
		}
		i, err := p.find(args[0])
		if err != nil {
			return err
		}
		return x.printOne(rows(x, p)[i], columns...)
	})
	create := profileVerb(a, "create NAME", "Add a profile", "  cardea profile create \"Security keys\" --types device-bound --attestation required", func(x *call, p passkeyPolicy, typed string, set func(*passkeyProfile) error) error {
		q := passkeyProfile{Name: typed, PasskeyTypes: "deviceBound,synced", AttestationEnforcement: "disabled", KeyRestrictions: keyRestrictions{EnforcementType: "block", AaGuids: []string{}}}
		if err := set(&q); err != nil {
			return err
		}
		p.PasskeyProfiles = append(p.PasskeyProfiles, q)
		return x.changePolicy(p, "Created.   Next: cardea profile assign %q --group GROUP", q.Name)
	})
	update := profileVerb(a, "update PROFILE", "Change a profile", "  cardea profile update \"Security keys\" --allow 90a3ccdf-635c-4729-a248-9b709135078f --dry-run", func(x *call, p passkeyPolicy, typed string, set func(*passkeyProfile) error) error {
		i, err := p.find(typed)
		if err != nil {
			return err
		}
		if err := set(&p.PasskeyProfiles[i]); err != nil {
			return err
		}
		return x.changePolicy(p, "Changed %q. It counts from the next sign-in on.", p.PasskeyProfiles[i].Name)
	})
	del := a.verb("delete PROFILE", "Delete a profile that is assigned to nobody", "", 1, func(x *call, args []string) error {
		p, err := x.passkeyPolicy()
		if err != nil {
			return err
		}
		i, err := p.find(args[0])
		if err != nil {
			return err
		}
		name := p.PasskeyProfiles[i].Name
		if !x.dryRun {
			if err := x.confirm(name, "Delete the profile %q?", name); err != nil {
				return err
			}
		}
		p.PasskeyProfiles = slices.Delete(p.PasskeyProfiles, i, i+1)
		return x.changePolicy(p, "Deleted %q.", name)
	})
	assign := targetVerb(a, "assign", "Let people use passkeys of a profile", func(p *passkeyPolicy, profile, target string) error {
		i := slices.IndexFunc(p.IncludeTargets, func(t passkeyTarget) bool { return t.ID == target })
		if i < 0 {
			p.IncludeTargets = append(p.IncludeTargets, passkeyTarget{TargetType: "group", ID: target, AllowedPasskeyProfiles: []string{profile}})
			return nil
		}
		if t := &p.IncludeTargets[i]; !slices.Contains(t.AllowedPasskeyProfiles, profile) {
			t.AllowedPasskeyProfiles = append(t.AllowedPasskeyProfiles, profile)
		}
		return nil
	})
	unassign := targetVerb(a, "unassign", "Take a profile away from people", func(p *passkeyPolicy, profile, target string) error {
		i := slices.IndexFunc(p.IncludeTargets, func(t passkeyTarget) bool { return t.ID == target })
		if i < 0 || !slices.Contains(p.IncludeTargets[i].AllowedPasskeyProfiles, profile) {
			return &apiError{Status: 404, Message: "the profile is not assigned there", Reason: "notFound"}
		}
		t := &p.IncludeTargets[i]
		t.AllowedPasskeyProfiles = slices.DeleteFunc(t.AllowedPasskeyProfiles, func(id string) bool { return id == profile })
		if len(t.AllowedPasskeyProfiles) == 0 {
			p.IncludeTargets = slices.Delete(p.IncludeTargets, i, i+1)
		}
		return nil
	})
	return noun("profile", "Passkey profiles: who may use which passkeys", list, get, create, update, del, assign, unassign)
}

func profileVerb(a *admin, use, short, example string, run func(x *call, p passkeyPolicy, typed string, set func(*passkeyProfile) error) error) *cobra.Command {
	var types, attestation, name string
	var allow, block []string
	var anyModel bool
	c := a.verb(use, short, example, 1, func(x *call, args []string) error {
		p, err := x.passkeyPolicy()
		if err != nil {
			return err
		}
		return run(x, p, args[0], func(q *passkeyProfile) error {
			if name != "" {
				q.Name = name
			}
			if types != "" {
				q.PasskeyTypes = strings.ReplaceAll(types, "device-bound", "deviceBound")
			}
			if err := errors.Join(models(allow), models(block)); err != nil {
				return err
			}
			switch attestation {
			case "":
			case "required", "registrationOnly":
				q.AttestationEnforcement = "registrationOnly"
			case "off", "disabled":
				q.AttestationEnforcement = "disabled"
			default:
				return usage{fmt.Errorf("--attestation is required or off, not %q", attestation)}
			}
			if len(allow) > 0 && len(block) > 0 {
				return usage{errors.New("a profile allows a list or blocks one, not both")}
			}
			switch {
			case anyModel:
				q.KeyRestrictions.IsEnforced = false
			case len(allow) > 0:
				q.KeyRestrictions = keyRestrictions{true, "allow", aaguids(allow)}
			case len(block) > 0:
				q.KeyRestrictions = keyRestrictions{true, "block", aaguids(block)}
			}
			return nil
		})
	})
	f := c.Flags()
	f.StringVar(&types, "types", "", "device-bound, synced, or both with a comma")
	f.StringVar(&attestation, "attestation", "", "required or off")
	f.StringSliceVar(&allow, "allow", nil, "only these providers or models, by name or AAGUID")
	f.StringSliceVar(&block, "block", nil, "any but these providers or models, by name or AAGUID")
	f.BoolVar(&anyModel, "any-model", false, "no list of models")
	f.StringVar(&name, "name", "", "another name")
	return c
}

// targetName is a target in words: a role, a group or a person by name. One
// that cannot be read any more is its id.
func (x *call) targetName(id string) string {
	if id == "all_users" {
		return "all users"
	}
	if name := directory.RoleName(id); name != "" {
		return name
	}
	for _, path := range []string{"/v1.0/groups/", "/v1.0/users/"} {
		if o, err := x.get(path + id); err == nil {
			return text(o, "displayName")
		}
	}
	return id
}

// models checks that every name is a provider we know or an AAGUID.
func models(names []string) error {
	for _, n := range names {
		if aaguids([]string{n}) == nil {
			var known []string
			for _, p := range mds.Providers() {
				known = append(known, p.Name)
			}
			return usage{fmt.Errorf("%q is neither an AAGUID nor a provider; the providers are %s", n, strings.Join(known, ", "))}
		}
	}
	return nil
}

// aaguids gives the AAGUIDs of models named by AAGUID or by provider; a
// provider may have several.
func aaguids(names []string) (out []string) {
	for _, n := range names {
		if a, err := mds.ParseAAGUID(n); err == nil {
			out = append(out, mds.FormatAAGUID(a))
			continue
		}
		for _, p := range mds.Providers() {
			if strings.EqualFold(p.Name, n) {
				for _, m := range p.Members {
					out = append(out, mds.FormatAAGUID(m.AAGUID))
				}
			}
		}
	}
	return out
}

// targetVerb is a verb about a profile and people: --group, --role or --all-users.
func targetVerb(a *admin, use, short string, change func(p *passkeyPolicy, profile, target string) error) *cobra.Command {
	var group, role string
	var everybody bool
	c := a.verb(use+" PROFILE", short, "  cardea profile "+use+" \"Security keys\" --group Administrators --dry-run", 1, func(x *call, args []string) error {
		target := ""
		switch {
		case everybody && group == "" && role == "":
			target = "all_users"
		case group != "" && role == "" && !everybody:
			g, err := x.group(group)
			if err != nil {
				return err
			}
			target = text(g, "id")
		case role != "" && group == "" && !everybody:
			r, err := x.role(role)
			if err != nil {
				return err
			}
			target = text(r, "id")
		default:
			return usage{errors.New("say who: one of --group, --role, --all-users")}
		}
		p, err := x.passkeyPolicy()
		if err != nil {
			return err
		}
		i, err := p.find(args[0])
		if err != nil {
			return err
		}
		if err := change(&p, p.PasskeyProfiles[i].ID, target); err != nil {
			return err
		}
		return x.changePolicy(p, "Done: %s %q. It counts from the next sign-in on.", use, p.PasskeyProfiles[i].Name)
	})
	c.Flags().StringVar(&group, "group", "", "members of this group")
	c.Flags().StringVar(&role, "role", "", "holders of this role")
	c.Flags().BoolVar(&everybody, "all-users", false, "everybody")
	return c
}
