package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

var passkeyColumns = []column{{"NAME", "displayName"}, {"MODEL", "model"}, {"TYPE", "passkeyType"}, {"ATTESTATION", "attestationLevel"},
	{"CREATED", "createdDateTime"}, {"LAST USED", "lastUsedDateTime"}, {"ID", "id"}}

func passkeyCommand(a *admin) *cobra.Command {
	var kind, unused string
	list := forUser(a, "list", "Passkeys of a person", "  cardea passkey list --user ada\n  cardea passkey list --user ada --unused 90d", 0, func(x *call, u map[string]any, _ []string) error {
		before, err := since(unused, time.Now())
		if err != nil {
			return err
		}
		if kind != "" && kind != "synced" && kind != "device-bound" {
			return usage{fmt.Errorf("--type is synced or device-bound, not %q", kind)}
		}
		rows, err := x.list(passkeysOf(u))
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, func(r map[string]any) bool {
			last := text(r, "lastUsedDateTime")
			if last == "" {
				last = text(r, "createdDateTime")
			}
			at, err := time.Parse(time.RFC3339, last)
			return kind != "" && text(r, "passkeyType") != strings.Replace(kind, "-b", "B", 1) || unused != "" && err == nil && at.After(before)
		})
		return x.print(rows, passkeyColumns...)
	})
	list.Flags().StringVar(&kind, "type", "", "only synced, or device-bound")
	list.Flags().StringVar(&unused, "unused", "", "only those not used since, e.g. 90d")
	get := forUser(a, "get ID", "One passkey, whole", "  cardea passkey get ID --user ada", 1, func(x *call, u map[string]any, args []string) error {
		o, err := x.get(passkeysOf(u) + "/" + url.PathEscape(args[0]))
		if err != nil {
			return err
		}
		return x.printOne(o, passkeyColumns...)
	})
	explain := forUser(a, "explain", "Which profiles apply to a person, and which passkeys they allow, with reasons", "  cardea passkey explain --user ada", 0, explainPasskeys)
	rename := forUser(a, "rename ID NAME", "Give a passkey another name", "  cardea passkey rename ID \"Blue key\" --user ada", 2, func(x *call, u map[string]any, args []string) error {
		if x.dryRun {
			x.say("Would rename it to %q.", args[1])
			return nil
		}
		_, err := x.send("PATCH", passkeysOf(u)+"/"+url.PathEscape(args[0]), map[string]any{"displayName": args[1]})
		return err
	})
	del := forUser(a, "delete ID", "Delete a passkey", "", 1, func(x *call, u map[string]any, args []string) error {
		p, err := x.get(passkeysOf(u) + "/" + url.PathEscape(args[0]))
		if err != nil {
			return err
		}
		name := text(p, "displayName")
		if x.dryRun {
			x.say("Would delete %q of %s.", name, text(u, "userPrincipalName"))
			return nil
		}
		if err := x.confirm("1", "Delete the passkey %q of %s?", name, text(u, "userPrincipalName")); err != nil {
			return err
		}
		_, err = x.send("DELETE", passkeysOf(u)+"/"+url.PathEscape(args[0]), nil)
		return err
	})
	return noun("passkey", "Passkeys of people", list, get, explain, rename, del, provisionCommand(a), keyfileCommand(a))
}

func passkeysOf(u map[string]any) string {
	return "/v1.0/users/" + text(u, "id") + "/authentication/fido2Methods"
}

// forUser is a verb that needs --user.
func forUser(a *admin, use, short, example string, args int, run func(x *call, u map[string]any, args []string) error) *cobra.Command {
	var typed string
	c := a.verb(use, short, example, args, func(x *call, args []string) error {
		if typed == "" {
			return usage{errors.New("--user says whose")}
		}
		u, err := x.user(typed)
		if err != nil {
			return err
		}
		return run(x, u, args)
	})
	c.Flags().StringVar(&typed, "user", "", "the person")
	return c
}

func explainPasskeys(x *call, u map[string]any, _ []string) error {
	o, err := x.get(passkeysOf(u) + "/cardea.effectivePolicy")
	if err != nil {
		return err
	}
	if x.output == "json" {
		return x.printOne(o)
	}
	keys, err := x.list(passkeysOf(u))
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, k := range keys {
		names[text(k, "id")] = text(k, "displayName")
	}
	switch text(o, "state") {
	case "methodDisabled":
		x.say("Passkeys are switched off for everybody.   Next: cardea profile list")
	case "userExcluded":
		x.say("This person is excluded from passkeys.   Next: cardea profile list")
	case "userNotTargeted":
		x.say("No profile applies to this person.   Next: cardea profile assign PROFILE --group GROUP")
	}
	profiles, _ := o["profiles"].([]any)
	for _, p := range profiles {
		if p, ok := p.(map[string]any); ok {
			through := []string{}
			targets, _ := p["through"].([]any)
			for _, t := range targets {
				if t, ok := t.(map[string]any); ok {
					through = append(through, x.targetName(text(t, "id")))
				}
			}
			x.say("Profile %q applies through %s.", text(p, "name"), strings.Join(through, ", "))
		}
	}
	rows := []map[string]any{}
	methods, _ := o["methods"].([]any)
	for _, m := range methods {
		m, ok := m.(map[string]any)
		if !ok {
			continue
		}
		reasons, _ := m["reasons"].([]any)
		row := func(profile, reason string) {
			rows = append(rows, map[string]any{"name": names[text(m, "id")], "id": m["id"], "allowed": m["allowed"], "profile": profile, "reason": reason})
		}
		if len(reasons) == 0 {
			by, _ := m["by"].(map[string]any)
			row(text(by, "name"), "")
		}
		for _, r := range reasons {
			if r, ok := r.(map[string]any); ok {
				row(text(r, "profileName"), text(r, "code"))
			}
		}
	}
	return x.print(rows, column{"PASSKEY", "name"}, column{"ALLOWED", "allowed"}, column{"PROFILE", "profile"}, column{"REASON", "reason"}, column{"ID", "id"})
}

func tapCommand(a *admin) *cobra.Command {
	columns := []column{{"USER", "user"}, {"PASS", "temporaryAccessPass"}, {"FROM", "startDateTime"}, {"MINUTES", "lifetimeInMinutes"}, {"ONCE", "isUsableOnce"},
		{"USABLE", "isUsable"}, {"WHY", "methodUsabilityReason"}, {"ID", "id"}}
	var once bool
	var o passOrder
	var issue *cobra.Command
	issue = a.verb("issue USER…", "Issue Temporary Access Passes; each is shown once", `  cardea tap issue ada --minutes 60 --once
  cardea tap issue --csv people.csv --lifetime 8h --once --letters out/
  cardea tap issue --csv people.csv --lifetime 8h --mail`, -1, func(x *call, args []string) error {
		if o.once = nil; issue.Flags().Changed("once") {
			o.once = &once
		}
		if err := o.check(); err != nil {
			return err
		}
		switch {
		case o.csv == "" && len(args) == 0:
			return usage{errors.New("name the people, or give --csv")}
		case o.csv != "" && len(args) > 0:
			return usage{errors.New("name the people, or give --csv, not both")}
		case o.csv != "":
			return issuePasses(x, &o)
		}
		ctx, cancel := context.WithTimeout(x.ctx, x.timeout)
		defer cancel()
		x.ctx = ctx
		rows, failed := []map[string]any{}, 0
		for _, typed := range args {
			u, err := x.user(typed)
			if err == nil && x.dryRun {
				x.say("Would issue a pass for %s; an older one would end.", text(u, "userPrincipalName"))
				continue
			}
			var p map[string]any
			if err == nil {
				p, err = x.send("POST", passesOf(text(u, "id")), o.body())
			}
			if err != nil {
				if len(args) == 1 {
					return err
				}
				failed++
				fmt.Fprintf(x.err, "%s: %v\n", typed, err)
				continue
			}
			p["user"] = u["userPrincipalName"]
			rows = append(rows, p)
		}
		if !x.dryRun {
			if err := x.print(rows, columns[:5]...); err != nil {
				return err
			}
		}
		return partly(failed, len(args))
	})
	issue.Long = `Issue Temporary Access Passes: codes with which people come in and create a
passkey of their own. This is the way to synced passkeys (of a phone or a
password manager): those cannot be made for somebody else.

With --csv for everybody in a file: --letters writes one HTML file with a page
for each person, to print; --mail has the server send everybody a one-time link
instead of a code; with neither the codes are printed.`
	o.flags(issue)
	issue.Flags().IntVar(&o.minutes, "minutes", 0, "lifetime; the policy's default unless given")
	issue.Flags().DurationVar(&o.lifetime, "lifetime", 0, "the same as a span, such as 8h")
	issue.Flags().BoolVar(&once, "once", false, "works one time only")
	issue.Flags().StringVar(&o.start, "start", "", "works from then on, e.g. 2026-10-05T08:00:00Z")
	issue.Flags().StringVar(&o.letters, "letters", "", "with --csv: the folder for letters.html")
	issue.Flags().BoolVar(&o.mail, "mail", false, "with --csv: the server mails everybody a one-time link to the first passkey")
	list := a.verb("list USER", "The pass of a person, without its code", "", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		rows, err := x.list(passesOf(text(u, "id")))
		if err != nil {
			return err
		}
		for _, r := range rows {
			r["user"] = u["userPrincipalName"]
		}
		return x.print(rows, append([]column{columns[0]}, columns[2:]...)...)
	})
	revoke := a.verb("revoke USER", "End the pass of a person, and the sessions that it opened", "", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		rows, err := x.list(passesOf(text(u, "id")))
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			x.say("%s has no pass.", text(u, "userPrincipalName"))
			return nil
		}
		for _, r := range rows {
			if x.dryRun {
				x.say("Would end the pass of %s.", text(u, "userPrincipalName"))
				continue
			}
			if _, err := x.send("DELETE", passesOf(text(u, "id"))+"/"+text(r, "id"), nil); err != nil {
				return err
			}
			x.say("The pass of %s is over.", text(u, "userPrincipalName"))
		}
		return nil
	})
	return noun("tap", "Temporary Access Passes: the way in and the way back", issue, list, revoke)
}
