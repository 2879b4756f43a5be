package scim

import (
	"net/http"
	"strings"
)

// attribute describes one attribute of a schema (RFC 7643 §7).
type attribute struct {
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	MultiValued bool        `json:"multiValued"`
	Description string      `json:"description"`
	Required    bool        `json:"required"`
	CaseExact   bool        `json:"caseExact"`
	Mutability  string      `json:"mutability"`
	Returned    string      `json:"returned"`
	Uniqueness  string      `json:"uniqueness"`
	Sub         []attribute `json:"subAttributes,omitempty"`
}

func text(name, description string) attribute {
	return attribute{Name: name, Type: "string", Description: description, Mutability: "readWrite", Returned: "default", Uniqueness: "none"}
}

func complexOf(name, description string, many bool, sub ...attribute) attribute {
	a := text(name, description)
	a.Type, a.MultiValued, a.Sub = "complex", many, sub
	return a
}

type schema struct {
	Schemas     []string    `json:"schemas"`
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Attributes  []attribute `json:"attributes"`
	Meta        meta        `json:"meta"`
}

func (c *call) schemas() []any {
	unique := text("userName", "The name a person signs in with, such as ada@example.com")
	unique.Required, unique.Uniqueness = true, "server"
	group := text("displayName", "The group's name")
	group.Required = true
	active := text("active", "Whether the person may sign in")
	active.Type = "boolean"
	value := text("value", "The object's id")
	value.Mutability = "immutable"
	of := func(id, name, description string, a ...attribute) any {
		return schema{[]string{"urn:ietf:params:scim:schemas:core:2.0:Schema"}, id, name, description, a, meta{Type: "Schema", Location: c.url("Schemas", id)}}
	}
	return []any{
		of(userSchema, "User", "A person", unique, complexOf("name", "The parts of the name", false, text("givenName", "Given name"), text("familyName", "Family name"), text("formatted", "Both")),
			text("displayName", "The name that others see"), text("title", "Job title"), text("userType", "Member or Guest"), active,
			complexOf("emails", "One address is kept: the primary one, or that of work", true, text("value", "The address"), text("type", "work")),
			complexOf("phoneNumbers", "Numbers of work, one mobile and one fax number", true, text("value", "The number"), text("type", "work, mobile or fax")),
			complexOf("addresses", "One address is kept: that of work, or the primary one", true, text("streetAddress", "Street"), text("locality", "City"), text("region", "State or region"), text("postalCode", "Postal code"), text("country", "Country"), text("type", "work")),
			text("preferredLanguage", "Language, such as en-GB")),
		of(enterpriseSchema, "EnterpriseUser", "What an employer knows", text("department", "Department"), text("employeeNumber", "The number of the person here"), text("organization", "Company"),
			text("costCenter", "Cost centre"), text("division", "Division"), complexOf("manager", "Whom the person reports to", false, text("value", "The object's id"), text("$ref", "The manager's address"))),
		of(groupSchema, "Group", "A group", group, complexOf("members", "People and groups in it", true, value, text("display", "Name"), text("type", "User or Group"))),
	}
}

type resourceType struct {
	Schemas    []string    `json:"schemas"`
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Endpoint   string      `json:"endpoint"`
	Schema     string      `json:"schema"`
	Extensions []extension `json:"schemaExtensions,omitempty"`
	Meta       meta        `json:"meta"`
}

type extension struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

func (c *call) resourceTypes() []any {
	of := func(name, endpoint, schema string, e ...extension) any {
		return resourceType{[]string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"}, name, name, endpoint, schema, e, meta{Type: "ResourceType", Location: c.url("ResourceTypes", name)}}
	}
	return []any{of("User", "/Users", userSchema, extension{enterpriseSchema, false}), of("Group", "/Groups", groupSchema)}
}

// discovery answers the three resources that describe this server.
func (c *call) discovery(kind, id string) (answer, bool) {
	if c.r.Method != http.MethodGet {
		return answer{}, false
	}
	var all []any
	switch {
	case strings.EqualFold(kind, "ServiceProviderConfig") && id == "":
		return answer{status: http.StatusOK, body: c.provider()}, true
	case strings.EqualFold(kind, "Schemas"):
		all = c.schemas()
	case strings.EqualFold(kind, "ResourceTypes"):
		all = c.resourceTypes()
	default:
		return answer{}, false
	}
	if id == "" {
		return answer{status: http.StatusOK, body: listBody{[]string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, int64(len(all)), 1, len(all), all}}, true
	}
	for _, x := range all {
		switch x := x.(type) {
		case schema:
			if strings.EqualFold(x.ID, id) {
				return answer{status: http.StatusOK, body: x}, true
			}
		case resourceType:
			if strings.EqualFold(x.ID, id) {
				return answer{status: http.StatusOK, body: x}, true
			}
		}
	}
	return answer{}, false
}

// provider says what is built (RFC 7643 §5).
func (c *call) provider() any {
	type supported struct {
		Supported bool `json:"supported"`
		Max       int  `json:"maxResults,omitempty"`
		Ops       *int `json:"maxOperations,omitempty"`
		Size      *int `json:"maxPayloadSize,omitempty"`
	}
	type scheme struct {
		Type        string `json:"type"`
		Name        string `json:"name"`
		Description string `json:"description"`
		Primary     bool   `json:"primary,omitempty"`
	}
	none, size := 0, maxBody
	return struct {
		Schemas []string  `json:"schemas"`
		Patch   supported `json:"patch"`
		Bulk    supported `json:"bulk"`
		Filter  supported `json:"filter"`
		Word    supported `json:"changePassword"`
		Sort    supported `json:"sort"`
		ETag    supported `json:"etag"`
		Schemes []scheme  `json:"authenticationSchemes"`
		Meta    meta      `json:"meta"`
	}{
		Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		Patch:   supported{Supported: true}, Bulk: supported{Ops: &none, Size: &size}, Filter: supported{Supported: true, Max: maxPage},
		Schemes: []scheme{{"oauthbearertoken", "Bearer", "An access token of client credentials, or {client id}.{client secret}", true}, {"httpbasic", "Basic", "Client id and client secret", false}},
		Meta:    meta{Type: "ServiceProviderConfig", Location: c.PublicURL + Path + "/ServiceProviderConfig"},
	}
}
