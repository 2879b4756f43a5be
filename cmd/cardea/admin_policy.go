package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// policyCommand is about the policies that are documents: those of methods.
func policyCommand(a *admin) *cobra.Command {
	columns := []column{{"POLICY", "policy"}, {"ABOUT", "about"}, {"STATE", "state"}, {"APPLIES TO", "appliesTo"}, {"NOT TO", "notTo"}}
	list := a.verb("list", "Policies: which method is on, and for whom", "  cardea policy list", 0, func(x *call, _ []string) error {
		e, rows := newExchange(x), []map[string]any{}
		for _, k := range kinds() {
			if k.key != "" {
				continue
			}
			t, err := k.find(e, "")
			if err != nil {
				return err
			}
			state := t.value["state"]
			if k.name == "authenticationMethodsPolicy" {
				state = "campaign " + show(member(t.value, "registrationEnforcement/authenticationMethodsRegistrationCampaign/state"))
			}
			rows = append(rows, map[string]any{"policy": k.name, "about": k.title, "state": state, "appliesTo": whoAll(t.value["includeTargets"]), "notTo": whoAll(t.value["excludeTargets"])})
		}
		return x.print(rows, columns...)
	})
	get := a.verb("get POLICY", "One policy, as in a file of cardea export", "  cardea policy get fido2\n  cardea policy get password -o json", 1, func(x *call, args []string) error {
		k, err := onlyKind(args[0])
		if err != nil {
			return err
		}
		t, err := k.find(newExchange(x), "")
		if err != nil {
			return err
		}
		if x.output != "table" && x.output != "yaml" {
			return x.printOne(t.raw, columns...)
		}
		text, err := writeDocument(k, t.value)
		if err == nil {
			_, err = x.out.Write(text)
		}
		return err
	})
	var state string
	update := a.verb("update POLICY", "Switch a method on or off; cardea apply changes everything else", "  cardea policy update password --state off --dry-run", 1, func(x *call, args []string) error {
		k, err := onlyKind(args[0])
		if err != nil {
			return err
		}
		if _, ok := fieldNamed(k.fields, "state"); !ok {
			return usage{fmt.Errorf("%s is not switched on or off; change it with cardea export and cardea apply", k.name)}
		}
		to := map[string]string{"on": "enabled", "enabled": "enabled", "off": "disabled", "disabled": "disabled"}[state]
		if to == "" {
			return usage{errors.New("--state is on or off")}
		}
		return applyDocuments(x, []*document{{kind: k, file: "--state " + state, line: 1, value: map[string]any{"state": to}}})
	})
	update.Flags().StringVar(&state, "state", "", "on or off")
	update.Annotations = map[string]string{bulkVerb: "yes"}
	return noun("policy", "Policies of authentication methods; see also export and apply", list, get, update)
}

// onlyKind finds a kind of which there is one, by its name in any case.
func onlyKind(typed string) (*kind, error) {
	all := slices.DeleteFunc(kinds(), func(k *kind) bool { return k.key != "" })
	names := []string{}
	for _, k := range all {
		if names = append(names, k.name); strings.EqualFold(k.name, typed) {
			return k, nil
		}
	}
	return nil, &apiError{Status: 404, Message: fmt.Sprintf("there is no policy %q%s; there is %s", typed, didYouMean(typed, names), strings.Join(names, ", ")), Reason: "notFound"}
}

func whoAll(v any) []any {
	out := []any{}
	for _, t := range listOf(v) {
		out = append(out, whoIs(t))
	}
	return out
}
