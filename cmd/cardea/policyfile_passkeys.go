package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// passkeyKind is the policy of passkeys: profiles, and who may use which.
func passkeyKind(state, include, exclude field) *kind {
	include.fields = append([]field{{name: "allowedPasskeyProfiles", form: profileRef, needed: true}}, include.fields...)
	k := &kind{name: "fido2", title: "Passkeys", file: "passkeys.yaml", fields: []field{
		state,
		{name: "isSelfServiceRegistrationAllowed", form: aFlag, words: "people create passkeys themselves", note: "whether people may create passkeys themselves, in Security info"},
		{name: "passkeyProfiles", form: manyObjects, note: "a passkey has to satisfy one whole profile of its owner", fields: []field{
			{name: "name", needed: true},
			{name: "passkeyTypes", form: typeList, values: []string{"deviceBound", "synced"}, needed: true},
			{name: "attestationEnforcement", values: []string{"disabled", "registrationOnly"}, needed: true},
			{name: "keyRestrictions", form: anObject, needed: true, fields: []field{
				{name: "isEnforced", form: aFlag, needed: true},
				{name: "enforcementType", values: []string{"allow", "block"}, needed: true},
				{name: "aaGuids", form: modelList},
			}},
		}},
		include, exclude,
	}}
	k.find = func(e *exchange, _ string) (thing, error) { return readPasskeyPolicy(e, k) }
	k.all = func(e *exchange) ([]thing, error) {
		t, err := readPasskeyPolicy(e, k)
		return []thing{t}, err
	}
	k.words = func(e *exchange, c *change) []string { return passkeySentences(e, k, c) }
	k.check = func(e *exchange, c *change, i *impactOfAll) error {
		body, err := passkeyBody(e, k, c, true)
		if err != nil {
			return err
		}
		if i.passkeys, err = e.send(http.MethodPost, passkeyPolicyPath+"/cardea.previewChange", body); err != nil {
			return err
		}
		i.lockOut = i.passkeys["wouldLockOutAdministrators"] == true
		return nil
	}
	k.write = func(e *exchange, c *change) error {
		body, err := passkeyBody(e, k, c, false)
		if err != nil {
			return err
		}
		return e.patch(passkeyPolicyPath, c.was.etag, body)
	}
	return k
}

func readPasskeyPolicy(e *exchange, k *kind) (thing, error) {
	raw, h, err := e.request(http.MethodGet, passkeyPolicyPath, nil, nil)
	if err != nil {
		return thing{}, err
	}
	o, err := decodeObject(raw)
	if err != nil {
		return thing{}, err
	}
	list, _ := o["passkeyProfiles"].([]any)
	for _, p := range listOf(list) {
		e.profiles[text(p, "name")] = text(p, "id")
	}
	return e.thing(k, o, h.Get("ETag"))
}

// settleProfiles brings the names of profiles in a document to one spelling.
func settleProfiles(e *exchange, d *document, was thing) (faults []fault) {
	names := []string{}
	profiles, given := d.value["passkeyProfiles"]
	if !given {
		profiles = was.value["passkeyProfiles"]
	}
	for i, p := range listOf(profiles) {
		name := strings.TrimSpace(text(p, "name"))
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			faults = append(faults, fault{d.file, d.lineOf(fmt.Sprintf("/passkeyProfiles/%d/name", i)), "profileNameTaken", fmt.Sprintf("two profiles are called %q", name)})
		}
		p["name"] = name
		names = append(names, name)
	}
	for i, t := range listOf(d.value["includeTargets"]) {
		list, _ := t["allowedPasskeyProfiles"].([]any)
		at := d.lineOf(fmt.Sprintf("/includeTargets/%d/allowedPasskeyProfiles", i))
		if len(list) == 0 {
			faults = append(faults, fault{d.file, at, "requiredParamMissing", "allowedPasskeyProfiles names at least one profile"})
		}
		for j, v := range list {
			n := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, show(v)) })
			if n < 0 {
				faults = append(faults, fault{d.file, at, "unknownProfile", fmt.Sprintf("there is no passkey profile %q%s", show(v), didYouMean(show(v), names))})
				continue
			}
			list[j] = names[n]
		}
	}
	return faults
}

// passkeyBody is the whole policy as the API takes it. Profiles of a known name
// keep their id. A preview leaves out groups that do not exist yet: they are
// empty.
func passkeyBody(e *exchange, k *kind, c *change, preview bool) (map[string]any, error) {
	is := overlay(c.is, nil)
	for _, p := range listOf(is["passkeyProfiles"]) {
		name := text(p, "name")
		if e.profiles[name] == "" {
			id := ""
			for known, its := range e.profiles {
				if strings.EqualFold(known, name) {
					id = its
				}
			}
			if id == "" {
				id = newGUID()
			}
			e.profiles[name] = id
		}
	}
	if preview {
		for _, name := range []string{"includeTargets", "excludeTargets"} {
			kept := []any{}
			for _, t := range listOf(is[name]) {
				if !e.pending[strings.ToLower(text(t, "group"))] {
					kept = append(kept, t)
				}
			}
			is[name] = kept
		}
	}
	body, err := e.toObject(k.fields, is)
	if err != nil {
		return nil, err
	}
	for _, p := range listOf(toList(body["passkeyProfiles"])) {
		p["id"] = e.profiles[text(p, "name")]
	}
	body["@odata.type"] = "#microsoft.graph.fido2AuthenticationMethodConfiguration"
	return body, nil
}

func toList(v any) []any { list, _ := v.([]any); return list }

// passkeySentences says a change profile by profile.
func passkeySentences(e *exchange, k *kind, c *change) (out []string) {
	was, is := byName(c.was.value["passkeyProfiles"]), byName(c.is["passkeyProfiles"])
	rest := []field{}
	for _, f := range k.fields {
		if f.name != "passkeyProfiles" && f.name != "includeTargets" {
			rest = append(rest, f)
		}
	}
	out = e.sentences(rest, c.was.value, c.is)
	before, after := byProfile(c.was.value["includeTargets"]), byProfile(c.is["includeTargets"])
	say := func(name, format string, args ...any) {
		out = append(out, fmt.Sprintf("profile %s: %s", name, fmt.Sprintf(format, args...)))
	}
	for _, p := range listOf(c.is["passkeyProfiles"]) {
		name := text(p, "name")
		old := was[strings.ToLower(name)]
		if old == nil {
			say(name, "is new; allows %s", strings.Join(profileWords(p), ", "))
		} else {
			for _, s := range profileChange(old, p) {
				say(name, "%s", s)
			}
		}
		if more := e.missingPeople(before[strings.ToLower(name)], after[strings.ToLower(name)]); more != "" {
			say(name, "now also applies to: %s", more)
		}
		if less := e.missingPeople(after[strings.ToLower(name)], before[strings.ToLower(name)]); less != "" {
			say(name, "no longer applies to: %s", less)
		}
	}
	for _, p := range listOf(c.was.value["passkeyProfiles"]) {
		if is[strings.ToLower(text(p, "name"))] == nil {
			say(text(p, "name"), "is deleted")
			if less := e.missingPeople(nil, before[strings.ToLower(text(p, "name"))]); less != "" {
				say(text(p, "name"), "no longer applies to: %s", less)
			}
		}
	}
	if len(out) == 0 {
		out = []string{"profiles and people are the same, written in another order or spelling"}
	}
	return out
}

func byName(v any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, p := range listOf(v) {
		out[strings.ToLower(text(p, "name"))] = p
	}
	return out
}

// byProfile lists the people of each profile.
func byProfile(v any) map[string][]map[string]any {
	out := map[string][]map[string]any{}
	for _, t := range listOf(v) {
		for _, name := range toList(t["allowedPasskeyProfiles"]) {
			n := strings.ToLower(show(name))
			out[n] = append(out[n], t)
		}
	}
	return out
}

// missingPeople names those of b who are not in a.
func (e *exchange) missingPeople(a, b []map[string]any) string {
	out := []string{}
	for _, t := range b {
		if !slices.ContainsFunc(a, func(o map[string]any) bool { return targetKey(o) == targetKey(t) }) {
			out = append(out, e.peopleCounted(t))
		}
	}
	return strings.Join(out, ", ")
}

var typeWords = map[string]string{"deviceBound": "device-bound passkeys", "synced": "synced passkeys"}

// profileWords is a profile in words.
func profileWords(p map[string]any) (out []string) {
	types := []string{}
	for _, t := range toList(p["passkeyTypes"]) {
		types = append(types, typeWords[show(t)])
	}
	out = append(out, strings.Join(types, " and "))
	if p["attestationEnforcement"] == "registrationOnly" {
		out = append(out, "with attestation")
	}
	return append(out, listWords(p))
}

// listWords says which models a profile lets in.
func listWords(p map[string]any) string {
	k, _ := p["keyRestrictions"].(map[string]any)
	names := modelNames(toList(k["aaGuids"]))
	switch {
	case k["isEnforced"] != true:
		return "of any model"
	case k["enforcementType"] == "allow" && len(names) == 0:
		return "but of no model at all"
	case k["enforcementType"] == "allow":
		return "of these models only: " + strings.Join(names, ", ")
	}
	return "of any model but: " + strings.Join(names, ", ")
}

// modelNames names models once each.
func modelNames(ids []any) (out []string) {
	for _, id := range ids {
		name := modelName(show(id))
		if name == "" {
			name = show(id)
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// profileChange says what is another in a profile.
func profileChange(was, is map[string]any) (out []string) {
	for _, t := range gained(was["passkeyTypes"], is["passkeyTypes"]) {
		out = append(out, "now also allows "+typeWords[t])
	}
	for _, t := range gained(is["passkeyTypes"], was["passkeyTypes"]) {
		out = append(out, "no longer allows "+typeWords[t])
	}
	if was["attestationEnforcement"] != is["attestationEnforcement"] {
		out = append(out, map[bool]string{true: "now wants attestation when a passkey is created", false: "no longer wants attestation"}[is["attestationEnforcement"] == "registrationOnly"])
	}
	before, _ := was["keyRestrictions"].(map[string]any)
	after, _ := is["keyRestrictions"].(map[string]any)
	if before["isEnforced"] != after["isEnforced"] || after["isEnforced"] == true && before["enforcementType"] != after["enforcementType"] {
		return append(out, "now takes passkeys "+listWords(is))
	}
	more, less := modelNames(asAny(gained(before["aaGuids"], after["aaGuids"]))), modelNames(asAny(gained(after["aaGuids"], before["aaGuids"])))
	plus, minus := "now also allows ", "no longer allows "
	switch {
	case after["isEnforced"] != true:
		plus, minus = "its list, which is not in force, now has ", "its list, which is not in force, no longer has "
	case after["enforcementType"] == "block":
		plus, minus = "now blocks ", "no longer blocks "
	}
	if more != nil {
		out = append(out, plus+strings.Join(more, ", "))
	}
	if less != nil {
		out = append(out, minus+strings.Join(less, ", "))
	}
	if before["enforcementType"] != after["enforcementType"] {
		out = append(out, fmt.Sprintf("its list, which is not in force, is now one to %s", show(after["enforcementType"])))
	}
	if text(was, "name") != text(is, "name") {
		out = append(out, fmt.Sprintf("was called %s", text(was, "name")))
	}
	return out
}

func asAny(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}
