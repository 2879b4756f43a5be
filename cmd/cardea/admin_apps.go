package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func appCommand(a *admin) *cobra.Command {
	columns := []column{{"APPLICATION", "displayName"}, {"CLIENT ID", "appId"}, {"WEB", "web/redirectUris"}, {"SPA", "spa/redirectUris"}, {"PUBLIC", "publicClient/redirectUris"}}
	list := a.verb("list", "Applications that people sign in to, or that call the API", "", 0, func(x *call, _ []string) error {
		rows, err := x.list("/v1.0/applications")
		if err != nil {
			return err
		}
		return x.print(rows, columns...)
	})
	get := a.verb("get APP", "One application", "", 1, func(x *call, args []string) error {
		o, err := x.app(args[0])
		if err != nil {
			return err
		}
		return x.printOne(o, columns...)
	})
	var redirects, permissions, scopes []string
	var kind string
	create := a.verb("create NAME", "Register an application", "  cardea app create Wiki --redirect-uri https://wiki.contoso.com/callback\n  cardea app create Robot --permission User.Read.All", 1, func(x *call, args []string) error {
		body := map[string]any{"displayName": args[0], "cardea": map[string]any{"applicationPermissions": orEmpty(permissions), "delegatedPermissions": orEmpty(scopes)}}
		switch kind {
		case "web", "spa":
			body[kind] = map[string]any{"redirectUris": orEmpty(redirects)}
		case "public":
			body["publicClient"], body["isFallbackPublicClient"] = map[string]any{"redirectUris": orEmpty(redirects)}, true
		default:
			return usage{fmt.Errorf("--type is web, spa or public, not %q", kind)}
		}
		if x.dryRun {
			x.say("Would register: %s", mustJSON(body))
			return nil
		}
		o, err := x.send("POST", "/v1.0/applications", body)
		if err != nil {
			return err
		}
		x.say("Registered.   Next: cardea app secret %q", args[0])
		return x.printOne(o, columns...)
	})
	create.Flags().StringSliceVar(&redirects, "redirect-uri", nil, "where people come back to after signing in")
	create.Flags().StringVar(&kind, "type", "web", "web, spa or public")
	create.Flags().StringSliceVar(&permissions, "permission", nil, "what it may do by itself, e.g. User.Read.All; all is everything")
	create.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do for people who use it; all is everything they may")
	var name string
	var days int
	secret := a.verb("secret APP", "Make a client secret; it is shown once", "  cardea app secret Robot --days 90", 1, func(x *call, args []string) error {
		o, err := x.app(args[0])
		if err != nil {
			return err
		}
		if x.dryRun {
			x.say("Would make a secret for %s.", text(o, "displayName"))
			return nil
		}
		credential := map[string]any{"displayName": name}
		if days > 0 {
			credential["endDateTime"] = time.Now().UTC().AddDate(0, 0, days).Format(time.RFC3339)
		}
		s, err := x.send("POST", "/v1.0/applications/"+text(o, "id")+"/addPassword", map[string]any{"passwordCredential": credential})
		if err != nil {
			return err
		}
		s["appId"] = o["appId"]
		x.say("Keep the secret now: it is not shown again.")
		return x.printOne(s, column{"CLIENT ID", "appId"}, column{"SECRET", "secretText"}, column{"ENDS", "endDateTime"}, column{"KEY ID", "keyId"})
	})
	secret.Flags().StringVar(&name, "name", "", "what the secret is for")
	secret.Flags().IntVar(&days, "days", 0, "days until it ends; two years unless given")
	del := a.verb("delete APP", "Delete an application", "", 1, func(x *call, args []string) error {
		o, err := x.app(args[0])
		if err != nil {
			return err
		}
		name := text(o, "displayName")
		if x.dryRun {
			x.say("Would delete %q (%s).", name, text(o, "appId"))
			return nil
		}
		if err := x.confirm(name, "Delete the application %q? Nobody can sign in to it any more.", name); err != nil {
			return err
		}
		_, err = x.send("DELETE", "/v1.0/applications/"+text(o, "id"), nil)
		return err
	})
	return noun("app", "Applications", list, get, create, secret, del)
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
