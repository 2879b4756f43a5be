package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

var userColumns = []column{{"USER", "userPrincipalName"}, {"NAME", "displayName"}, {"ENABLED", "accountEnabled"}, {"TYPE", "userType"}, {"ID", "id"}}

const userSelect = "id,displayName,userPrincipalName,accountEnabled,userType,givenName,surname,mail,department,jobTitle,createdDateTime"

func userCommand(a *admin) *cobra.Command {
	var group, search, filter, state string
	list := a.verb("list", "People", "  cardea user list --search ada\n  cardea user list --group Engineering -o csv", 0, func(x *call, _ []string) error {
		path := "/v1.0/users"
		if group != "" {
			g, err := x.group(group)
			if err != nil {
				return err
			}
			path = "/v1.0/groups/" + text(g, "id") + "/transitiveMembers/microsoft.graph.user"
			rows, err := x.list(query(path, "$select", userSelect))
			if err != nil {
				return err
			}
			return x.print(rows, userColumns...)
		}
		conditions := []string{}
		if filter != "" {
			conditions = append(conditions, "("+filter+")")
		}
		if search != "" {
			conditions = append(conditions, fmt.Sprintf("(startswith(displayName,%[1]s) or startswith(userPrincipalName,%[1]s) or startswith(mail,%[1]s) or startswith(surname,%[1]s))", quoted(search)))
		}
		switch state {
		case "":
		case "enabled", "disabled":
			conditions = append(conditions, fmt.Sprintf("accountEnabled eq %t", state == "enabled"))
		default:
			return usage{fmt.Errorf("--state is enabled or disabled")}
		}
		rows, err := x.list(query(path, "$select", userSelect, "$filter", strings.Join(conditions, " and ")))
		if err != nil {
			return err
		}
		return x.print(rows, userColumns...)
	})
	list.Flags().StringVar(&group, "group", "", "only members of this group, direct or not")
	list.Flags().StringVar(&search, "search", "", "start of a name, user name or mail address")
	list.Flags().StringVar(&filter, "filter", "", "an OData $filter")
	list.Flags().StringVar(&state, "state", "", "enabled or disabled")

	get := a.verb("get USER", "One person", "  cardea user get ada", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		full, err := x.get(query("/v1.0/users/"+text(u, "id"), "$select", userSelect))
		if err != nil {
			return err
		}
		return x.printOne(full, userColumns...)
	})

	var groups []string
	create := personVerb(a, "create USER", "Add a person; a passkey comes later, with tap issue or enrol-link", "  cardea user create ada@contoso.com --name \"Ada Lovelace\"",
		func(x *call, typed string, body map[string]any) error {
			body["userPrincipalName"] = typed
			if body["displayName"] == nil {
				body["displayName"] = typed
			}
			var in []map[string]any
			for _, name := range groups { // all of them exist, or nothing happens
				g, err := x.group(name)
				if err != nil {
					return err
				}
				in = append(in, g)
			}
			if x.dryRun {
				x.say("Would create %s.", typed)
				return nil
			}
			u, err := x.send("POST", "/v1.0/users", body)
			if err != nil {
				return err
			}
			for _, g := range in {
				if _, err := x.send("POST", "/v1.0/groups/"+text(g, "id")+"/members/$ref", map[string]any{"@odata.id": x.client.server + "/v1.0/directoryObjects/" + text(u, "id")}); err != nil {
					return err
				}
			}
			x.say("Created.   Next: cardea tap issue %s", typed)
			return x.printOne(u, column{"USER", "userPrincipalName"}, column{"NAME", "displayName"}, column{"ID", "id"})
		})
	create.Flags().StringSliceVar(&groups, "group", nil, "also make the person a member of these groups")
	update := personVerb(a, "update USER", "Change a person", "  cardea user update ada --department Engineering", func(x *call, typed string, body map[string]any) error {
		if len(body) == 0 {
			return usage{fmt.Errorf("say what to change, e.g. --department; see cardea user update --help")}
		}
		return x.patchUser(typed, body)
	})

	switchTo := func(use, short string, on bool) *cobra.Command {
		return a.verb(use+" USER", short, "", 1, func(x *call, args []string) error {
			return x.patchUser(args[0], map[string]any{"accountEnabled": on})
		})
	}
	remove := a.verb("delete USER", "Delete a person and everything that belongs to the person", "", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		name := text(u, "userPrincipalName")
		if x.dryRun {
			x.say("Would delete %s with all passkeys and sessions.", name)
			return nil
		}
		if err := x.confirm(name, "Delete %s with all passkeys and sessions?", name); err != nil {
			return err
		}
		_, err = x.send("DELETE", "/v1.0/users/"+text(u, "id"), nil)
		return err
	})
	methods := a.verb("methods USER", "How a person can sign in", "", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		rows, err := x.list("/v1.0/users/" + text(u, "id") + "/authentication/methods")
		if err != nil {
			return err
		}
		for _, r := range rows {
			kind := strings.TrimSuffix(strings.TrimPrefix(text(r, "@odata.type"), "#microsoft.graph."), "AuthenticationMethod")
			r["kind"] = map[string]string{"fido2": "passkey", "temporaryAccessPass": "temporary access pass", "softwareOath": "app code", "password": "password"}[kind]
			if r["kind"] == "" {
				r["kind"] = kind
			}
		}
		return x.print(rows, column{"METHOD", "kind"}, column{"NAME", "displayName"}, column{"MODEL", "model"}, column{"TYPE", "passkeyType"}, column{"CREATED", "createdDateTime"},
			column{"LAST USED", "lastUsedDateTime"}, column{"ID", "id"})
	})
	revoke := a.verb("revoke-sessions USER", "Sign a person out everywhere", "", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		if x.dryRun {
			x.say("Would end all sessions of %s.", text(u, "userPrincipalName"))
			return nil
		}
		if _, err := x.send("POST", "/v1.0/users/"+text(u, "id")+"/revokeSignInSessions", nil); err != nil {
			return err
		}
		x.say("All sessions of %s are over.", text(u, "userPrincipalName"))
		return nil
	})
	var minutes int
	var mail bool
	link := a.verb("enrol-link USER", "Make a one-time link with which a person creates the first passkey", "  cardea user enrol-link ada --mail", 1, func(x *call, args []string) error {
		u, err := x.user(args[0])
		if err != nil {
			return err
		}
		if x.dryRun {
			x.say("Would make an enrolment link for %s; an older one would end.", text(u, "userPrincipalName"))
			return nil
		}
		o, err := x.send("POST", "/v1.0/users/"+text(u, "id")+"/cardea.issueEnrolmentLink", map[string]any{"lifetimeInMinutes": minutes, "sendMail": mail})
		if err != nil {
			return err
		}
		return x.printOne(o, column{"LINK", "url"}, column{"EXPIRES", "expiresDateTime"}, column{"MAILED", "mailSent"})
	})
	link.Flags().IntVar(&minutes, "minutes", 0, "lifetime; 24 hours unless given")
	link.Flags().BoolVar(&mail, "mail", false, "send it to the person's mail address")
	return noun("user", "People", list, get, create, update, switchTo("disable", "Keep a person out, from now on", false), switchTo("enable", "Let a person in again", true), remove, restoreVerb(a, "USER", "user"), methods, revoke, link, importCommand(a))
}

// personVerb is a verb with the flags of a person's members. body holds those
// that were given.
func personVerb(a *admin, use, short, example string, run func(x *call, typed string, body map[string]any) error) *cobra.Command {
	var c *cobra.Command
	var name, upn, mail, department, title, given, surname string
	var guest, disabled bool
	c = a.verb(use, short, example, 1, func(x *call, args []string) error {
		body := map[string]any{}
		for flag, m := range map[string]struct {
			member string
			value  *string
		}{"name": {"displayName", &name}, "user-name": {"userPrincipalName", &upn}, "mail": {"mail", &mail}, "department": {"department", &department},
			"job-title": {"jobTitle", &title}, "given-name": {"givenName", &given}, "surname": {"surname", &surname}} {
			if c.Flags().Changed(flag) {
				body[m.member] = *m.value
			}
		}
		if c.Flags().Changed("guest") {
			body["userType"] = map[bool]string{true: "Guest", false: "Member"}[guest]
		}
		if c.Flags().Changed("disabled") {
			body["accountEnabled"] = !disabled
		}
		return run(x, args[0], body)
	})
	f := c.Flags()
	f.StringVar(&name, "name", "", "display name")
	f.StringVar(&upn, "user-name", "", "another user name")
	f.StringVar(&mail, "mail", "", "mail address")
	f.StringVar(&department, "department", "", "department")
	f.StringVar(&title, "job-title", "", "job title")
	f.StringVar(&given, "given-name", "", "given name")
	f.StringVar(&surname, "surname", "", "surname")
	f.BoolVar(&guest, "guest", false, "not a member of the organisation")
	f.BoolVar(&disabled, "disabled", false, "may not sign in")
	return c
}

func (x *call) patchUser(typed string, body map[string]any) error {
	u, err := x.user(typed)
	if err != nil {
		return err
	}
	if x.dryRun {
		x.say("Would change %s: %s", text(u, "userPrincipalName"), mustJSON(body))
		return nil
	}
	if _, err = x.send("PATCH", "/v1.0/users/"+text(u, "id"), body); err != nil {
		return err
	}
	x.say("Changed %s.", text(u, "userPrincipalName"))
	return nil
}

// partly is how a command ends that did some of its rows.
func partly(failed, of int) error {
	switch {
	case failed == 0:
		return nil
	case failed == of:
		return exit(exitFailed)
	}
	return exit(exitPartly)
}

func roleCommand(a *admin) *cobra.Command {
	var user string
	list := a.verb("list", "Roles, or who holds them", "  cardea role list --user ada", 0, func(x *call, _ []string) error {
		path := "/v1.0/directoryRoles"
		if user != "" {
			u, err := x.user(user)
			if err != nil {
				return err
			}
			path = "/v1.0/users/" + text(u, "id") + "/memberOf/microsoft.graph.directoryRole"
		}
		rows, err := x.list(path)
		if err != nil {
			return err
		}
		return x.print(rows, column{"ROLE", "displayName"}, column{"ID", "id"})
	})
	list.Flags().StringVar(&user, "user", "", "only the roles of this person")
	holders := a.verb("holders ROLE", "Who holds a role", "", 1, func(x *call, args []string) error {
		r, err := x.role(args[0])
		if err != nil {
			return err
		}
		rows, err := x.list("/v1.0/directoryRoles/" + text(r, "id") + "/members")
		if err != nil {
			return err
		}
		return x.print(rows, column{"USER", "userPrincipalName"}, column{"NAME", "displayName"}, column{"ID", "id"})
	})
	change := func(use, short string, f func(x *call, role, user map[string]any) error) *cobra.Command {
		var user string
		c := a.verb(use+" ROLE", short, "  cardea role "+use+" \"Reports Reader\" --user ada", 1, func(x *call, args []string) error {
			if user == "" {
				return usage{fmt.Errorf("--user says whom")}
			}
			r, err := x.role(args[0])
			if err != nil {
				return err
			}
			u, err := x.user(user)
			if err != nil {
				return err
			}
			if x.dryRun {
				x.say("Would %s %s, %s.", use, text(r, "displayName"), text(u, "userPrincipalName"))
				return nil
			}
			if err := f(x, r, u); err != nil {
				return err
			}
			x.say("Done: %s %s, %s.", use, text(r, "displayName"), text(u, "userPrincipalName"))
			return nil
		})
		c.Flags().StringVar(&user, "user", "", "the person")
		return c
	}
	assign := change("assign", "Give a person a role", func(x *call, r, u map[string]any) error {
		_, err := x.send("POST", "/v1.0/directoryRoles/"+text(r, "id")+"/members/$ref", map[string]any{"@odata.id": x.client.server + "/v1.0/directoryObjects/" + text(u, "id")})
		return err
	})
	unassign := change("unassign", "Take a role away", func(x *call, r, u map[string]any) error {
		_, err := x.send("DELETE", "/v1.0/directoryRoles/"+text(r, "id")+"/members/"+text(u, "id")+"/$ref", nil)
		return err
	})
	return noun("role", "Administrator roles", list, holders, assign, unassign)
}
