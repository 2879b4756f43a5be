package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// restoreVerb brings back what was deleted lately.
func restoreVerb(a *admin, what, kind string) *cobra.Command {
	return a.verb("restore "+what, "Bring back what was deleted; by name or id", "", 1, func(x *call, args []string) error {
		found := []map[string]any{}
		all := *x
		all.admin = &admin{}
		*all.admin = *x.admin
		all.all = true
		rows, err := all.list("/v1.0/directory/deletedItems/microsoft.graph." + kind)
		if err != nil {
			return err
		}
		for _, r := range rows {
			for _, m := range []string{"id", "displayName", "userPrincipalName", "mail"} {
				if s := text(r, m); s != "" && strings.EqualFold(s, args[0]) {
					found = append(found, r)
					break
				}
			}
		}
		o, err := choose("deleted "+kind, args[0], found, "id", "displayName", "userPrincipalName", "deletedDateTime")
		if err != nil {
			return err
		}
		if x.dryRun {
			x.say("Would bring back %s.", text(o, "displayName"))
			return nil
		}
		if _, err := x.send("POST", "/v1.0/directory/deletedItems/"+text(o, "id")+"/restore", nil); err != nil {
			return err
		}
		x.say("%s is back.", text(o, "displayName"))
		return nil
	})
}
