package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// organization is Graph's resource with the domain in its own place and
// Cardea's settings in the `cardea` member (DO-49).
type organization struct {
	ID              string           `json:"id"`
	DisplayName     string           `json:"displayName"`
	CreatedDateTime string           `json:"createdDateTime"`
	TenantType      string           `json:"tenantType"`
	VerifiedDomains []verifiedDomain `json:"verifiedDomains"`
	Cardea          organizationOwn  `json:"cardea"`
}

type verifiedDomain struct {
	Name         string `json:"name"`
	Type         string `json:"type"`
	Capabilities string `json:"capabilities"`
	IsDefault    bool   `json:"isDefault"`
	IsInitial    bool   `json:"isInitial"`
}

// organizationOwn is what Cardea alone has. In a PATCH an absent member stays,
// null resets it (DO-51).
type organizationOwn struct {
	Color           string `json:"color"`
	HelpText        string `json:"helpText"`
	BreakGlassGroup string `json:"breakGlassGroup"`
	HasLogo         bool   `json:"hasLogo"`
}

func organizationOf(o directory.Organization) organization {
	return organization{ID: o.ID, DisplayName: o.DisplayName, CreatedDateTime: o.CreatedDateTime.Format("2006-01-02T15:04:05Z07:00"), TenantType: "AAD",
		VerifiedDomains: []verifiedDomain{{Name: o.Domain, Type: "Managed", Capabilities: "Email", IsDefault: true, IsInitial: true}},
		Cardea:          organizationOwn{Color: o.Color, HelpText: o.HelpText, BreakGlassGroup: o.BreakGlassGroup, HasLogo: len(o.Logo) > 0}}
}

func organizations() []resource {
	shape := Shape{Set: "organization"}
	get := func(c *Call) (directory.Organization, error) {
		o, err := directory.GetOrganization(c.Context, c.DB)
		if id, ok := c.Params["organization"]; err == nil && ok && !strings.EqualFold(id, o.ID) {
			return o, problem.New(problem.NotFound, "notFound", "There is no organisation %s. GET /organization names the only one.", id)
		}
		return o, err
	}
	return []resource{
		Every[organization]{Path: "/organization", Access: readOrganization, Shape: shape, List: func(c *Call) ([]organization, error) {
			o, err := get(c)
			return []organization{organizationOf(o)}, err
		}},
		Collection[organization]{
			Path: "/organization", Key: "{organization}", Shape: shape, Read: readOrganization,
			Get: func(c *Call) (organization, error) { o, err := get(c); return organizationOf(o), err },
		},
		route{Method: "PATCH", Path: "/organization", Access: writeOrganization, Run: patchOrganization},
		route{Method: "PATCH", Path: "/organization/{organization}", Access: writeOrganization, Run: func(c *Call) (Answer, error) {
			if _, err := get(c); err != nil {
				return Answer{}, err
			}
			return patchOrganization(c)
		}},
	}
}

// patchOrganization changes displayName and members of `cardea`: color,
// helpText, breakGlassGroup, and logo {"type": "image/png", "content": base64}.
func patchOrganization(c *Call) (Answer, error) {
	var body struct {
		DisplayName *string                    `json:"displayName"`
		Cardea      map[string]json.RawMessage `json:"cardea"`
	}
	if err := c.decode(&body); err != nil {
		return Answer{}, err
	}
	return Answer{Status: 204}, c.write(func(q db.Querier) error {
		_, err := directory.UpdateOrganization(c.Context, q, c.Actor, c.Now, func(o *directory.Organization) error {
			if err := c.ifMatch(fmt.Sprintf(`W/"%d"`, o.Version)); err != nil {
				return err
			}
			if body.DisplayName != nil {
				o.DisplayName = *body.DisplayName
			}
			for name, value := range body.Cardea {
				if err := setOrganization(o, name, value); err != nil {
					return err
				}
			}
			if o.BreakGlassGroup != "" {
				_, err := directory.GetGroup(c.Context, q, o.BreakGlassGroup)
				return err
			}
			return nil
		})
		return err
	})
}

func setOrganization(o *directory.Organization, name string, value json.RawMessage) error {
	wrong := problem.New(problem.Invalid, "invalidValue", "The member cardea/%s has the wrong JSON type.", name).On("cardea/" + name)
	text := map[string]*string{"color": &o.Color, "helpText": &o.HelpText, "breakGlassGroup": &o.BreakGlassGroup}[name]
	switch {
	case text != nil:
		*text = ""
		if err := json.Unmarshal(value, text); err != nil {
			return wrong.Because(err)
		}
	case name == "hasLogo": // read-only, comes back with what was read
	case name == "logo":
		var logo *struct{ Type, Content string }
		if err := json.Unmarshal(value, &logo); err != nil {
			return wrong.Because(err)
		}
		o.Logo, o.LogoType = nil, ""
		if logo == nil {
			return nil
		}
		raw, err := base64.StdEncoding.DecodeString(logo.Content)
		if err != nil {
			return wrong.Because(err)
		}
		o.Logo, o.LogoType = raw, logo.Type
	default:
		return problem.New(problem.Invalid, "unknownMember", "There is no setting cardea/%s. Known are color, helpText, breakGlassGroup and logo.", name).On("cardea/" + name)
	}
	return nil
}
