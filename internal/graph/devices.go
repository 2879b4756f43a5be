package graph

import (
	"strings"

	"cardea/internal/odata"
	"cardea/internal/problem"
)

// device is Graph's resource (directory-and-odata §1.3), of which there is none:
// Cardea manages no devices, and passkeys need none. The lists are there, and
// empty, for clients that walk them.
type device struct {
	ID                     string `json:"id"`
	DeviceID               string `json:"deviceId"`
	DisplayName            string `json:"displayName"`
	OperatingSystem        string `json:"operatingSystem"`
	OperatingSystemVersion string `json:"operatingSystemVersion"`
	TrustType              string `json:"trustType"`
	AccountEnabled         bool   `json:"accountEnabled"`
}

var readDevices = Access{Scopes: []string{"Device.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}}

// deviceSchema is what a client may ask about; the answer is always nothing.
var deviceSchema = odata.Schema{
	"id":              {Column: "id", Folded: true},
	"deviceId":        {Column: "device_id", Folded: true},
	"displayName":     {Column: "display_key", Folded: true, Sort: true, Search: true},
	"operatingSystem": {Column: "os_key", Folded: true},
	"accountEnabled":  {Column: "enabled", Kind: odata.Boolean},
}

func devices() []resource {
	return []resource{Collection[device]{
		Path: "/devices", Key: "{device}", Shape: Shape{Set: "devices", Nulls: true}, Schema: deviceSchema, Paging: odata.Paging{Default: 100, Max: 999}, Read: readDevices,
		List:  func(*Call, odata.Query) ([]device, error) { return nil, nil },
		Count: func(*Call, odata.Query) (int64, error) { return 0, nil },
		Get: func(c *Call) (device, error) {
			return device{}, problem.New(problem.NotFound, "notFound", "The device %s does not exist. Cardea manages no devices.", clipped(strings.ToLower(c.Params["device"])))
		},
	}}
}
