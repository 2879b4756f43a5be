package condaccess

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestLocations(t *testing.T) {
	const ip, country = `"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"L"`, `"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"L"`
	for _, row := range []struct{ name, body, has, code, at string }{
		{"CA-80 CIDR, text as sent", `{` + ip + `,"isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"192.0.2.77/24"}]}`, `{"@odata.type":"#microsoft.graph.ipNamedLocation","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"192.0.2.77/24"}]}`, "", ""},
		{"IPv6 CIDR", `{` + ip + `,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"2001:db8::/32"}]}`, `{"isTrusted":false}`, "", ""},
		{"IPv4 from to", `{` + ip + `,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4Range","lowerAddress":"192.0.2.1","upperAddress":"192.0.2.9"}]}`, `{"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4Range","lowerAddress":"192.0.2.1","upperAddress":"192.0.2.9"}]}`, "", ""},
		{"IPv6 from to, type by the address", `{` + ip + `,"ipRanges":[{"lowerAddress":"::1","upperAddress":"::9"}]}`, `{"ipRanges":[{"@odata.type":"#microsoft.graph.iPv6Range","lowerAddress":"::1","upperAddress":"::9"}]}`, "", ""},
		{"overlapping ranges", `{` + ip + `,"ipRanges":[{"cidrAddress":"10.0.0.0/8"},{"cidrAddress":"10.1.0.0/16"}]}`, `{"displayName":"L"}`, "", ""},
		{"short prefix", `{` + ip + `,"ipRanges":[{"cidrAddress":"128.0.0.0/1"}]}`, `{"displayName":"L"}`, "", ""},
		{"everything", `{` + ip + `,"ipRanges":[{"cidrAddress":"10.0.0.0/8"},{"cidrAddress":"0.0.0.0/0"}]}`, "", "invalidMember", "/ipRanges/1/cidrAddress"},
		{"no CIDR", `{` + ip + `,"ipRanges":[{"cidrAddress":"10.0.0.0"}]}`, "", "invalidMember", "/ipRanges/0/cidrAddress"},
		{"upside down", `{` + ip + `,"ipRanges":[{"lowerAddress":"10.0.0.9","upperAddress":"10.0.0.1"}]}`, "", "invalidMember", "/ipRanges/0"},
		{"two families", `{` + ip + `,"ipRanges":[{"lowerAddress":"10.0.0.9","upperAddress":"::1"}]}`, "", "invalidMember", "/ipRanges/0"},
		{"half a range", `{` + ip + `,"ipRanges":[{"lowerAddress":"10.0.0.9"}]}`, "", "invalidMember", "/ipRanges/0"},
		{"empty range", `{` + ip + `,"ipRanges":[{}]}`, "", "invalidMember", "/ipRanges/0"},
		{"both", `{` + ip + `,"ipRanges":[{"cidrAddress":"10.0.0.0/8","lowerAddress":"10.0.0.9","upperAddress":"10.0.0.10"}]}`, "", "invalidMember", "/ipRanges/0"},
		{"type of another family", `{` + ip + `,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"10.0.0.0/8"}]}`, "", "invalidMember", "/ipRanges/0/@odata.type"},
		{"no range", `{` + ip + `,"ipRanges":[]}`, "", "invalidMember", "/ipRanges"},
		{"country", `{` + country + `,"countriesAndRegions":["ch","AT"],"includeUnknownCountriesAndRegions":true}`, `{"countriesAndRegions":["CH","AT"],"includeUnknownCountriesAndRegions":true,"countryLookupMethod":"clientIpAddress"}`, "", ""},
		{"unknown countries alone", `{` + country + `,"includeUnknownCountriesAndRegions":true}`, `{"countriesAndRegions":[]}`, "", ""},
		{"GPS", `{` + country + `,"countriesAndRegions":["CH"],"countryLookupMethod":"authenticatorAppGps"}`, `{"countryLookupMethod":"authenticatorAppGps"}`, "", ""},
		{"no country", `{` + country + `,"countriesAndRegions":[]}`, "", "invalidMember", "/countriesAndRegions"},
		{"no such country", `{` + country + `,"countriesAndRegions":["CH","CHE"]}`, "", "invalidMember", "/countriesAndRegions/1"},
		{"countries are not trusted", `{` + country + `,"countriesAndRegions":["CH"],"isTrusted":true}`, "", "invalidMember", "/isTrusted"},
		{"compliant network", `{"@odata.type":"#microsoft.graph.compliantNetworkNamedLocation","displayName":"L","compliantNetworkType":"allTenantCompliantNetworks","isTrusted":true}`, `{"compliantNetworkType":"allTenantCompliantNetworks","isTrusted":true}`, "", ""},
		{"private link", `{"@odata.type":"#microsoft.graph.privateLinkNamedLocation","displayName":"L"}`, `{"displayName":"L"}`, "", ""},
		{"service tag", `{"@odata.type":"#microsoft.graph.serviceTagNamedLocation","displayName":"L","serviceTags":["x"]}`, `{"serviceTags":["x"]}`, "", ""},
		{"no type", `{"displayName":"L"}`, "", "invalidMember", "/@odata.type"},
		{"no name", `{"@odata.type":"#microsoft.graph.ipNamedLocation","ipRanges":[{"cidrAddress":"10.0.0.0/8"}]}`, "", "emptyPolicy", "/displayName"},
		{"unknown member", `{` + ip + `,"colour":1,"ipRanges":[{"cidrAddress":"10.0.0.0/8"}]}`, "", "invalidMember", "/colour"},
		{"unknown member of a range", `{` + ip + `,"ipRanges":[{"cidrAddress":"10.0.0.0/8","colour":1}]}`, "", "invalidMember", "/ipRanges/0/colour"},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := ReadLocation([]byte(row.body))
			if row.code != "" {
				refused(t, err, row.code, row.at, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want tree
			if err := json.Unmarshal([]byte(row.has), &want); err != nil {
				t.Fatal(err)
			}
			contains(t, "", want, plain(t, l))
			got, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ReadLocation(got); err != nil || !reflect.DeepEqual(l, again) {
				t.Errorf("POST of GET: %v %+v", err, again)
			}
			if same, err := l.Patched(got); err != nil || !reflect.DeepEqual(l, same) {
				t.Errorf("PATCH of GET: %v %+v", err, same)
			}
		})
	}
	l, err := ReadLocation([]byte(`{` + ip + `,"isTrusted":true,"ipRanges":[{"cidrAddress":"10.0.0.0/8"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	next, err := l.Patched([]byte(`{"@odata.type":"#microsoft.graph.ipNamedLocation","isTrusted":false}`))
	if err != nil || next.IsTrusted || len(next.IPRanges) != 1 || !l.IsTrusted {
		t.Errorf("%+v %v", next, err)
	}
	_, err = l.Patched([]byte(`{"@odata.type":"#microsoft.graph.countryNamedLocation"}`))
	refused(t, err, "readOnlyMember", "/@odata.type", "")
}
