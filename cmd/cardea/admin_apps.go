package main

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
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
	return noun("app", "Applications", list, get, create, appUpdate(a), secret, appCertificate(a), del)
}

// appUpdate changes what its flags name; a list is replaced whole.
func appUpdate(a *admin) *cobra.Command {
	var name, kind string
	var redirects, permissions, scopes []string
	var c *cobra.Command
	c = a.verb("update APP", "Change an application", "  cardea app update Wiki --redirect-uri https://wiki.contoso.com/callback\n  cardea app update Robot --permission User.Read.All --dry-run", 1, func(x *call, args []string) error {
		o, err := x.app(args[0])
		if err != nil {
			return err
		}
		body, given := map[string]any{}, map[string]any{}
		if c.Flags().Changed("name") {
			body["displayName"] = name
		}
		if c.Flags().Changed("permission") {
			given["applicationPermissions"] = orEmpty(permissions)
		}
		if c.Flags().Changed("scope") {
			given["delegatedPermissions"] = orEmpty(scopes)
		}
		if len(given) > 0 {
			body["cardea"] = given
		}
		if c.Flags().Changed("redirect-uri") {
			where, err := redirectsOf(o, kind)
			if err != nil {
				return err
			}
			body[where] = map[string]any{"redirectUris": orEmpty(redirects)}
		} else if kind != "" {
			return usage{errors.New("--type goes with --redirect-uri: it says of which kind they are")}
		}
		if len(body) == 0 {
			return usage{errors.New("say what to change, e.g. --redirect-uri; see cardea app update --help")}
		}
		if x.dryRun {
			x.say("Would change %q: %s", text(o, "displayName"), mustJSON(body))
			return nil
		}
		if _, err := x.send("PATCH", "/v1.0/applications/"+text(o, "id"), body); err != nil {
			return err
		}
		x.say("Changed %q.", text(o, "displayName"))
		return nil
	})
	c.Flags().StringVar(&name, "name", "", "another name")
	c.Flags().StringSliceVar(&redirects, "redirect-uri", nil, "where people come back to, instead of those so far")
	c.Flags().StringVar(&kind, "type", "", "with --redirect-uri: web, spa or public; that of the application unless given")
	c.Flags().StringSliceVar(&permissions, "permission", nil, "what it may do by itself, instead of those so far")
	c.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do for people who use it, instead of those so far")
	return c
}

// redirectsOf is the member that redirect URIs of an application go to.
func redirectsOf(o map[string]any, kind string) (string, error) {
	has := []string{}
	for _, name := range []string{"web", "spa", "publicClient"} {
		if len(toList(member(o, name+"/redirectUris"))) > 0 {
			has = append(has, name)
		}
	}
	switch {
	case kind == "web" || kind == "spa":
		return kind, nil
	case kind == "public":
		return "publicClient", nil
	case kind != "":
		return "", usage{fmt.Errorf("--type is web, spa or public, not %q", kind)}
	case len(has) == 0:
		return "web", nil
	case len(has) == 1:
		return has[0], nil
	}
	return "", usage{fmt.Errorf("the application has redirect URIs of several kinds (%s): say which with --type", strings.Join(has, ", "))}
}

func appCertificate(a *admin) *cobra.Command {
	var name string
	c := a.verb("certificate APP FILE", "Let an application prove itself with a certificate (PEM)", "  cardea app certificate Robot robot.pem", 2, func(x *call, args []string) error {
		raw, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		var block *pem.Block
		for block, raw = pem.Decode(raw); block != nil && block.Type != "CERTIFICATE"; block, raw = pem.Decode(raw) {
		}
		if block == nil {
			return usage{fmt.Errorf("%s holds no certificate in PEM form", args[1])}
		}
		o, err := x.app(args[0])
		if err != nil {
			return err
		}
		if x.dryRun {
			x.say("Would add the certificate to %s.", text(o, "displayName"))
			return nil
		}
		path := "/v1.0/applications/" + text(o, "id")
		if o, err = x.get(path + "?$select=id,appId,displayName,keyCredentials"); err != nil {
			return err
		}
		added := map[string]any{"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.StdEncoding.EncodeToString(block.Bytes)} // the private key never leaves the file
		if name != "" {
			added["displayName"] = name
		}
		if _, err := x.send("PATCH", path, map[string]any{"keyCredentials": append(toList(o["keyCredentials"]), added)}); err != nil {
			return err
		}
		x.say("Added.   Next: cardea login --client-id %s --cert FILE, where FILE holds the private key too", text(o, "appId"))
		return nil
	})
	c.Flags().StringVar(&name, "name", "", "what the certificate is for")
	return c
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
