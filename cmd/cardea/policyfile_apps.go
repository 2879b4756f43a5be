package main

import (
	"net/http"
	"reflect"
	"strings"
)

// applicationKind is how people and programs come in: an application without
// its client id, secrets and certificates, which a server makes.
func applicationKind() *kind {
	redirects := field{name: "redirectUris", form: texts}
	k := &kind{name: "application", title: "Application", file: "applications/", key: "displayName", fields: []field{
		{name: "displayName"},
		{name: "isFallbackPublicClient", form: aFlag, sparse: true, note: "true: it needs no secret"},
		{name: "web", form: anObject, fields: []field{redirects, {name: "homePageUrl", sparse: true}, {name: "logoutUrl", sparse: true},
			{name: "implicitGrantSettings", form: anObject, fields: []field{{name: "enableAccessTokenIssuance", form: aFlag, sparse: true}, {name: "enableIdTokenIssuance", form: aFlag, sparse: true}}, sparse: true}}},
		{name: "spa", form: anObject, fields: []field{redirects}},
		{name: "publicClient", form: anObject, fields: []field{redirects}},
		{name: "appRoles", form: anything, sparse: true},
		{name: "groupMembershipClaims", sparse: true},
		{name: "optionalClaims", form: anything, sparse: true},
		{name: "cardea", form: anObject, fields: []field{
			{name: "applicationPermissions", form: texts, note: "what it may do by itself"},
			{name: "delegatedPermissions", form: texts, note: "what it may do for the people who use it"},
			{name: "postLogoutRedirectUris", form: texts, sparse: true},
			{name: "idTokenSigningAlgorithm", sparse: true},
		}},
	}}
	const path = "/v1.0/applications"
	k.find = func(e *exchange, name string) (thing, error) {
		o, err := e.get(query(path, "$filter", "displayName eq "+quoted(name), "$top", "20"))
		if err != nil || len(objects(o)) == 0 {
			return thing{}, err
		}
		a, err := choose("application", name, objects(o), "appId", "displayName")
		if err != nil {
			return thing{}, err
		}
		return e.read(k, path+"/"+text(a, "id"))
	}
	k.all = func(e *exchange) ([]thing, error) {
		if !e.apps {
			return nil, nil
		}
		wide := *e.admin
		wide.all = true
		x := *e.call
		x.admin = &wide
		rows, err := x.list(path)
		if err != nil {
			return nil, err
		}
		named := map[string]int{}
		for _, r := range rows {
			named[strings.ToLower(text(r, "displayName"))]++
		}
		out := []thing{}
		for _, r := range rows {
			if named[strings.ToLower(text(r, "displayName"))] > 1 {
				e.say("%q (%s) is left out: several applications have that name.", text(r, "displayName"), text(r, "appId"))
				continue
			}
			t, err := e.thing(k, r, "")
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
		inOrder(out)
		return out, nil
	}
	k.write = func(e *exchange, c *change) error {
		if c.was.id == "" {
			_, err := e.send(http.MethodPost, path, c.is)
			return err
		}
		body := map[string]any{}
		for name, v := range c.is {
			if !reflect.DeepEqual(c.was.value[name], v) {
				body[name] = v
			}
		}
		return e.patch(path+"/"+c.was.id, c.was.etag, body)
	}
	return k
}
