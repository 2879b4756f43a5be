package condaccess

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"cardea/internal/netrange"
	"cardea/internal/problem"
)

// LocationKind is the type of a named location.
type LocationKind string

// The kinds. Those of beta are stored and match nothing (CA-8).
const (
	IPLocation       LocationKind = "ipNamedLocation"
	CountryLocation  LocationKind = "countryNamedLocation"
	CompliantNetwork LocationKind = "compliantNetworkNamedLocation"
	PrivateLink      LocationKind = "privateLinkNamedLocation"
	ServiceTag       LocationKind = "serviceTagNamedLocation"
)

const graphType = "#microsoft.graph."

// LookupMethod says how the country of a sign-in is found.
type LookupMethod string

const (
	ByAddress LookupMethod = "clientIpAddress"
	ByGPS     LookupMethod = "authenticatorAppGps" // never matches here (CA-8)
)

func (LookupMethod) members() []string { return []string{string(ByAddress), string(ByGPS)} }

// NamedLocation is Graph's namedLocation: a set of addresses, or of countries.
// Kind says which of the members below it has.
type NamedLocation struct {
	Kind             LocationKind
	ID               string
	DisplayName      string
	CreatedDateTime  *time.Time
	ModifiedDateTime *time.Time
	DeletedDateTime  *time.Time
	Version          int64

	IsTrusted bool      // IPLocation
	IPRanges  []IPRange // IPLocation

	Countries      []string     // CountryLocation: ISO 3166-1 alpha-2
	IncludeUnknown bool         // CountryLocation
	Lookup         LookupMethod // CountryLocation

	Other object // what else a location of beta has
}

// IPRange is a CIDR block, or all addresses from Lower to Upper.
type IPRange struct {
	ODataType string `json:"@odata.type"`
	CIDR      string `json:"cidrAddress,omitempty"`
	Lower     string `json:"lowerAddress,omitempty"`
	Upper     string `json:"upperAddress,omitempty"`
}

// wireLocation is the part that all kinds share.
type wireLocation struct {
	ODataType        string     `json:"@odata.type"`
	ID               string     `json:"id"`
	DeletedDateTime  *time.Time `json:"deletedDateTime"`
	DisplayName      string     `json:"displayName"`
	CreatedDateTime  *time.Time `json:"createdDateTime"`
	ModifiedDateTime *time.Time `json:"modifiedDateTime"`
}

type wireIP struct {
	wireLocation
	IsTrusted bool      `json:"isTrusted"`
	IPRanges  []IPRange `json:"ipRanges"`
}

type wireCountry struct {
	wireLocation
	Countries      []string     `json:"countriesAndRegions"`
	IncludeUnknown bool         `json:"includeUnknownCountriesAndRegions"`
	Lookup         LookupMethod `json:"countryLookupMethod"`
}

// MarshalJSON writes the members of the kind.
func (l NamedLocation) MarshalJSON() ([]byte, error) {
	w := wireLocation{graphType + string(l.Kind), l.ID, l.DeletedDateTime, l.DisplayName, l.CreatedDateTime, l.ModifiedDateTime}
	switch l.Kind {
	case IPLocation:
		return json.Marshal(wireIP{w, l.IsTrusted, l.IPRanges})
	case CountryLocation:
		return json.Marshal(wireCountry{w, l.Countries, l.IncludeUnknown, l.Lookup})
	}
	o, err := treeOf(w)
	if err != nil {
		return nil, err
	}
	return json.Marshal(merge(o, l.Other))
}

// ReadLocation reads the body of a POST; @odata.type says which kind it is.
func ReadLocation(body []byte) (NamedLocation, error) {
	o, err := readObject(body)
	if err != nil {
		return NamedLocation{}, err
	}
	return locationOf(withoutExtra(o))
}

// Patched returns l with the change that the body of a PATCH describes.
func (l NamedLocation) Patched(body []byte) (NamedLocation, error) {
	change, err := readObject(body)
	if err != nil {
		return l, err
	}
	cur, err := treeOf(l)
	if err != nil {
		return l, err
	}
	if kind, sent := change["@odata.type"].(string); sent && !strings.EqualFold(kind, graphType+string(l.Kind)) {
		return l, problem.New(problem.Invalid, "readOnlyMember", "1001: The type of a named location cannot be changed. Create another location.").On("/@odata.type")
	}
	delete(change, "@odata.type")
	if err := readOnly(cur, change); err != nil {
		return l, err
	}
	next, err := locationOf(merge(cur, withoutExtra(change)))
	if err != nil {
		return l, err
	}
	next.ID, next.Version = l.ID, l.Version
	next.CreatedDateTime, next.ModifiedDateTime, next.DeletedDateTime = l.CreatedDateTime, l.ModifiedDateTime, l.DeletedDateTime
	return next, nil
}

func locationOf(o object) (NamedLocation, error) {
	text, _ := o["@odata.type"].(string)
	var kind LocationKind
	for _, k := range []LocationKind{IPLocation, CountryLocation, CompliantNetwork, PrivateLink, ServiceTag} {
		if strings.EqualFold(strings.TrimPrefix(text, "#"), "microsoft.graph."+string(k)) {
			kind = k
		}
	}
	if kind == "" {
		return NamedLocation{}, wrong("/@odata.type", "Say what sort of location this is: %s or %s.", graphType+string(IPLocation), graphType+string(CountryLocation))
	}
	l := NamedLocation{Kind: kind}
	switch kind {
	case IPLocation:
		var w wireIP
		if err := bind(reflect.ValueOf(&w).Elem(), o, ""); err != nil {
			return l, err
		}
		l.DisplayName, l.IsTrusted, l.IPRanges = w.DisplayName, w.IsTrusted, w.IPRanges
	case CountryLocation:
		var w wireCountry
		if err := bind(reflect.ValueOf(&w).Elem(), o, ""); err != nil {
			return l, err
		}
		l.DisplayName, l.Countries, l.IncludeUnknown, l.Lookup = w.DisplayName, w.Countries, w.IncludeUnknown, w.Lookup
	default:
		l.Other = object{}
		for name, x := range o {
			switch {
			case name == "displayName":
				if err := bindString(reflect.ValueOf(&l.DisplayName).Elem(), x, "/displayName"); err != nil {
					return l, err
				}
			case name != "id" && name != "@odata.type" && !strings.HasSuffix(name, "DateTime"):
				if err := new(Raw).bind(x, "/"+escape(name)); err != nil {
					return l, err
				}
				l.Other[name] = x
			}
		}
	}
	return l, l.valid()
}

func (l *NamedLocation) valid() error {
	if strings.TrimSpace(l.DisplayName) == "" {
		return problem.New(problem.Invalid, "emptyPolicy", "1032: The named location has no displayName. Give it one.").On("/displayName")
	}
	switch l.Kind {
	case IPLocation:
		if len(l.IPRanges) == 0 {
			return wrong("/ipRanges", "A location of addresses has at least one range.")
		}
		for i := range l.IPRanges {
			if _, err := l.IPRanges[i].Prefixes(); err != nil {
				at := fmt.Sprintf("/ipRanges/%d/cidrAddress", i)
				if l.IPRanges[i].CIDR == "" {
					at = fmt.Sprintf("/ipRanges/%d", i)
				}
				return wrong(at, "%s.", capital(err.Error()))
			}
		}
	case CountryLocation:
		if len(l.Countries) == 0 && !l.IncludeUnknown {
			return wrong("/countriesAndRegions", "A location of countries has at least one country, or includes unknown countries and regions.")
		}
		for i, c := range l.Countries {
			c = strings.ToUpper(strings.TrimSpace(c))
			if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
				return wrong(fmt.Sprintf("/countriesAndRegions/%d", i), "%q is not a country. Write two letters of ISO 3166, such as CH.", escape(l.Countries[i]))
			}
			l.Countries[i] = c
		}
		if l.Lookup == "" {
			l.Lookup = ByAddress
		}
	}
	return nil
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// Prefixes returns the CIDR blocks of a range.
func (r IPRange) Prefixes() ([]netip.Prefix, error) {
	if r.CIDR != "" {
		p, err := netrange.Parse(r.CIDR)
		return []netip.Prefix{p}, err
	}
	low, err := netrange.ParseAddr(r.Lower)
	if err != nil {
		return nil, err
	}
	high, err := netrange.ParseAddr(r.Upper)
	if err != nil {
		return nil, err
	}
	return netrange.Between(low, high)
}

// The types of a range.
const (
	cidr4  = graphType + "iPv4CidrRange"
	cidr6  = graphType + "iPv6CidrRange"
	range4 = graphType + "iPv4Range"
	range6 = graphType + "iPv6Range"
)

func (r *IPRange) bind(x any, at string) error {
	type plain IPRange
	if err := bind(reflect.ValueOf((*plain)(r)).Elem(), x, at); err != nil {
		return err
	}
	if (r.CIDR == "") == (r.Lower == "" && r.Upper == "") {
		return wrong(at, "A range has a cidrAddress, or a lowerAddress and an upperAddress.")
	}
	kind := [2]string{cidr4, cidr6}
	text := r.CIDR
	if r.CIDR == "" {
		kind, text = [2]string{range4, range6}, r.Lower
	}
	want := kind[0]
	if strings.Contains(text, ":") {
		want = kind[1]
	}
	if r.ODataType != "" && !strings.EqualFold(strings.TrimPrefix(r.ODataType, "#"), strings.TrimPrefix(want, "#")) {
		return wrong(at+"/@odata.type", "%q does not fit the address. Write %s.", escape(r.ODataType), want)
	}
	r.ODataType = want
	return nil
}

// evaluable reports whether a sign-in can ever be found to be there, or not.
func (l *NamedLocation) evaluable() bool {
	return l.Kind == IPLocation || l.Kind == CountryLocation && l.Lookup != ByGPS
}
