package oidc

import (
	"net/http"
	"strings"
)

// adfs is a tenant by another name: some clients skip their instance check for
// it (WC-26). Its endpoints have shorter paths.
const adfs = "adfs"

// route is one address. {t} stands for the tenant, {x} for any segment. Other
// segments compare in any case, as in Entra.
type route struct {
	path    string
	methods string // comma separated
	handle  func(*Provider, *request) (answer, error)
	tenant  bool // the path begins with a tenant
	cors    bool // pages of any origin may call it
	person  bool // errors are pages, not JSON
	flow    bool // the query holds a sealed request, which is longer than what was sealed
}

func (rt route) allows(method string) bool {
	for m := range strings.SplitSeq(rt.methods, ", ") {
		if m == method || m == http.MethodGet && method == http.MethodHead {
			return true
		}
	}
	return false
}

// routes is the table of what this edge serves, fixed paths before tenants.
func routes() []route {
	return []route{
		{path: ".well-known/openid-configuration", methods: "GET", handle: (*Provider).discovery, cors: true},
		{path: ".well-known/webfinger", methods: "GET", handle: (*Provider).webfinger, cors: true},
		{path: "common/discovery/instance", methods: "GET", handle: (*Provider).instance, cors: true},
		{path: "common/userrealm/{x}", methods: "GET", handle: (*Provider).realm, cors: true},
		{path: "metadata/endpoints", methods: "GET", handle: (*Provider).metadata, cors: true},
		{path: "oidc/userinfo", methods: "GET, POST", handle: (*Provider).userinfo, cors: true},
		{path: "signin/continue", methods: "GET", handle: (*Provider).proceed, person: true, flow: true},

		{path: "adfs/.well-known/openid-configuration", methods: "GET", handle: (*Provider).discovery, tenant: true, cors: true},
		{path: "adfs/oauth2/authorize", methods: "GET, POST", handle: (*Provider).authorize, tenant: true, person: true},
		{path: "adfs/oauth2/token", methods: "POST", handle: (*Provider).token, tenant: true, cors: true},
		{path: "adfs/oauth2/devicecode", methods: "POST", handle: (*Provider).device, tenant: true},
		{path: "adfs/oauth2/logout", methods: "GET, POST", handle: (*Provider).logout, tenant: true, person: true},
		{path: "adfs/discovery/keys", methods: "GET", handle: (*Provider).keys, tenant: true, cors: true},

		{path: "{t}/v2.0/.well-known/openid-configuration", methods: "GET", handle: (*Provider).discovery, tenant: true, cors: true},
		{path: "{t}/.well-known/openid-configuration", methods: "GET", handle: (*Provider).discoveryV1, tenant: true, cors: true},
		{path: "{t}/discovery/v2.0/keys", methods: "GET", handle: (*Provider).keys, tenant: true, cors: true},
		{path: "{t}/oauth2/v2.0/authorize", methods: "GET, POST", handle: (*Provider).authorize, tenant: true, person: true},
		{path: "{t}/oauth2/v2.0/token", methods: "POST", handle: (*Provider).token, tenant: true, cors: true},
		{path: "{t}/oauth2/v2.0/devicecode", methods: "POST", handle: (*Provider).device, tenant: true},
		{path: "{t}/oauth2/deviceauth", methods: "GET", handle: (*Provider).deviceAuth, tenant: true, person: true},
		{path: "{t}/oauth2/v2.0/logout", methods: "GET, POST", handle: (*Provider).logout, tenant: true, person: true},
		{path: "{t}/oauth2/v2.0/revoke", methods: "POST", handle: (*Provider).revoke, tenant: true, cors: true},
		{path: "{t}/openid/userinfo", methods: "GET, POST", handle: (*Provider).userinfo, tenant: true, cors: true},
	}
}

// table is split once. It is a constant in all but name: nothing changes it.
var table = func() (out []struct {
	segments []string
	route    route
}) {
	for _, rt := range routes() {
		out = append(out, struct {
			segments []string
			route    route
		}{strings.Split(rt.path, "/"), rt})
	}
	return out
}()

// match finds the route of a path. One trailing slash is allowed.
func match(path string) (rt route, tenant, rest string, ok bool) {
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	if len(segments) < 2 || len(segments) > 4 {
		return route{}, "", "", false
	}
next:
	for _, e := range table {
		if len(e.segments) != len(segments) {
			continue
		}
		tenant, rest = adfs, ""
		for i, s := range e.segments {
			switch {
			case s == "{t}" && segments[i] != "":
				tenant = segments[i]
			case s == "{x}" && segments[i] != "":
				rest = segments[i]
			case !strings.EqualFold(s, segments[i]):
				continue next
			}
		}
		return e.route, tenant, rest, true
	}
	return route{}, "", "", false
}
