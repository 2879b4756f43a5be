package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
)

func groupCommand(a *admin) *cobra.Command {
	columns := []column{{"GROUP", "displayName"}, {"DESCRIPTION", "description"}, {"ID", "id"}}
	var search string
	var rule string
	list := a.verb("list", "Groups", "", 0, func(x *call, _ []string) error {
		filter := ""
		if search != "" {
			filter = "startswith(displayName," + quoted(search) + ")"
		}
		rows, err := x.list(query("/v1.0/groups", "$filter", filter))
		if err != nil {
			return err
		}
		return x.print(rows, columns...)
	})
	list.Flags().StringVar(&search, "search", "", "start of the name")
	get := a.verb("get GROUP", "One group", "", 1, func(x *call, args []string) error {
		g, err := x.group(args[0])
		if err != nil {
			return err
		}
		return x.printOne(g, columns...)
	})
	var description string
	create := a.verb("create NAME", "Add a group", "  cardea group create Engineering", 1, func(x *call, args []string) error {
		if x.dryRun {
			x.say("Would create the group %q.", args[0])
			return nil
		}
		body := map[string]any{"displayName": args[0], "description": description, "mailEnabled": false, "securityEnabled": true}
		if rule != "" {
			byRule(body, rule)
		}
		g, err := x.send("POST", "/v1.0/groups", body)
		if err != nil {
			return err
		}
		x.say("Created.   Next: cardea group members %q --add USER", args[0])
		return x.printOne(g, columns...)
	})
	create.Flags().StringVar(&description, "description", "", "what the group is for")
	create.Flags().StringVar(&rule, "membership-rule", "", "who is a member, e.g. user.department -eq \"Sales\"; without it people are put in one by one")
	update := groupUpdate(a)
	restore := restoreVerb(a, "GROUP", "group")
	var add, remove []string
	var transitive bool
	members := a.verb("members GROUP", "Show or change the members of a group", "  cardea group members Engineering --add ada --add grace", 1, func(x *call, args []string) error {
		g, err := x.group(args[0])
		if err != nil {
			return err
		}
		path := "/v1.0/groups/" + text(g, "id") + "/members"
		if len(add)+len(remove) > 0 {
			return x.changeMembers(path, text(g, "displayName"), add, remove)
		}
		if transitive {
			path = "/v1.0/groups/" + text(g, "id") + "/transitiveMembers"
		}
		rows, err := x.list(path)
		if err != nil {
			return err
		}
		return x.print(rows, column{"NAME", "displayName"}, column{"USER", "userPrincipalName"}, column{"KIND", "@odata.type"}, column{"ID", "id"})
	})
	members.Flags().StringSliceVar(&add, "add", nil, "put this person in")
	members.Flags().StringSliceVar(&remove, "remove", nil, "take this person out")
	members.Flags().BoolVar(&transitive, "transitive", false, "people in groups inside the group too")
	del := a.verb("delete GROUP", "Delete a group; its members stay", "", 1, func(x *call, args []string) error {
		g, err := x.group(args[0])
		if err != nil {
			return err
		}
		name := text(g, "displayName")
		if x.dryRun {
			x.say("Would delete the group %q.", name)
			return nil
		}
		if err := x.confirm(name, "Delete the group %q?", name); err != nil {
			return err
		}
		_, err = x.send("DELETE", "/v1.0/groups/"+text(g, "id"), nil)
		return err
	})
	return noun("group", "Groups", list, get, create, update, members, del, restore, groupImport(a))
}

// byRule makes the body of a group one whose members a rule finds.
func byRule(body map[string]any, rule string) {
	body["membershipRule"] = rule
	if rule == "" {
		body["groupTypes"] = []string{}
		return
	}
	body["groupTypes"], body["membershipRuleProcessingState"] = []string{"DynamicMembership"}, "On"
}

func groupUpdate(a *admin) *cobra.Command {
	var name, description, rule string
	var c *cobra.Command
	c = a.verb("update GROUP", "Change a group", "  cardea group update Sales --description 'Those who sell'\n  cardea group update Sales --membership-rule 'user.department -eq \"Sales\"' --dry-run", 1, func(x *call, args []string) error {
		g, err := x.group(args[0])
		if err != nil {
			return err
		}
		body := map[string]any{}
		if c.Flags().Changed("name") {
			body["displayName"] = name
		}
		if c.Flags().Changed("description") {
			body["description"] = description
		}
		if c.Flags().Changed("membership-rule") {
			byRule(body, rule)
		}
		if len(body) == 0 {
			return usage{fmt.Errorf("say what to change, e.g. --description; see cardea group update --help")}
		}
		if x.dryRun {
			x.say("Would change the group %q: %s", text(g, "displayName"), mustJSON(body))
			return nil
		}
		if _, err := x.send("PATCH", "/v1.0/groups/"+text(g, "id"), body); err != nil {
			return err
		}
		x.say("Changed the group %q.", text(g, "displayName"))
		return nil
	})
	c.Flags().StringVar(&name, "name", "", "another name")
	c.Flags().StringVar(&description, "description", "", "what the group is for")
	c.Flags().StringVar(&rule, "membership-rule", "", "who is a member; empty: people are put in one by one")
	return c
}

// changeMembers adds and removes people one by one. What fails is reported;
// the others are done (exit 3).
func (x *call) changeMembers(path, name string, add, remove []string) error {
	failed := 0
	one := func(typed, verb string, do func(id string) error) {
		u, err := x.user(typed)
		if err == nil && x.dryRun {
			x.say("Would %s %s.", verb, text(u, "userPrincipalName"))
			return
		}
		if err == nil {
			err = do(text(u, "id"))
		}
		if err != nil {
			failed++
			fmt.Fprintf(x.err, "%s: %v\n", typed, err)
			return
		}
		x.say("%s: %s", name, verb+" "+text(u, "userPrincipalName"))
	}
	for _, typed := range add {
		one(typed, "add", func(id string) error {
			_, err := x.send("POST", path+"/$ref", map[string]any{"@odata.id": x.client.server + "/v1.0/directoryObjects/" + id})
			return err
		})
	}
	for _, typed := range remove {
		one(typed, "remove", func(id string) error {
			_, err := x.send("DELETE", path+"/"+url.PathEscape(id)+"/$ref", nil)
			return err
		})
	}
	return partly(failed, len(add)+len(remove))
}
