package graph

import (
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
)

// roleDefinition is Graph's unifiedRoleDefinition. All are built in: id and
// templateId are the same.
type roleDefinition struct {
	ID              string           `json:"id"`
	Description     string           `json:"description"`
	DisplayName     string           `json:"displayName"`
	IsBuiltIn       bool             `json:"isBuiltIn"`
	IsEnabled       bool             `json:"isEnabled"`
	ResourceScopes  []string         `json:"resourceScopes"`
	TemplateID      string           `json:"templateId"`
	Version         string           `json:"version"`
	RolePermissions []rolePermission `json:"rolePermissions"`
	IsPrivileged    bool             `json:"isPrivileged"`          // beta
	Principals      string           `json:"allowedPrincipalTypes"` // beta
}

type rolePermission struct {
	Allowed   []string `json:"allowedResourceActions"`
	Excluded  []string `json:"excludedResourceActions"`
	Condition *string  `json:"condition"`
}

func asDefinition(r directory.Role) roleDefinition {
	actions := slices.Clone(r.Actions)
	if actions == nil {
		actions = []string{}
	}
	return roleDefinition{ID: r.ID, Description: r.Description, DisplayName: r.DisplayName, IsBuiltIn: true, IsEnabled: true, ResourceScopes: []string{"/"}, TemplateID: r.ID, Version: "1",
		RolePermissions: []rolePermission{{Allowed: actions, Excluded: []string{}}}, IsPrivileged: r.Privileged, Principals: "user,servicePrincipal,group"}
}

// hideBeta leaves out the members that Graph's v1.0 does not have.
func hideBeta(c *Call, o object) object {
	if strings.HasSuffix(c.Base, "/beta") {
		return o
	}
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.name == "isPrivileged" || m.name == "allowedPrincipalTypes" })
}

// roleAssignment is Graph's unifiedRoleAssignment as it is sent.
type roleAssignment struct {
	directory.Assignment
	Organization string `json:"principalOrganizationId"`
}

func (c *Call) asAssignment(a directory.Assignment, err error) (roleAssignment, error) {
	return roleAssignment{a, c.keeper.TenantID}, err
}

func expandAssignment() map[string]Expansion[roleAssignment] {
	return map[string]Expansion[roleAssignment]{
		"principal": {Single: true, List: func(c *Call, a roleAssignment) ([]Related, error) {
			return c.named([]string{a.PrincipalID})
		}},
		"roleDefinition": {Single: true, List: func(c *Call, a roleAssignment) ([]Related, error) {
			full, err := toObject(asDefinition(directory.FindRole(a.RoleDefinitionID)))
			return []Related{{Shape{}, hideBeta(c, full)}}, err
		}},
	}
}

// roleManagement is /roleManagement/directory: the same assignments as the
// members of directoryRoles (DO-17).
func roleManagement() []resource {
	const path = "/roleManagement/directory"
	definitions := roleCollection(path+"/roleDefinitions", Shape{Set: "roleManagement/directory/roleDefinitions"}, directory.DefinitionSchema, asDefinition)
	definitions.View = func(c *Call, _ roleDefinition, o object) object { return hideBeta(c, o) }
	return []resource{
		definitions,
		Collection[roleAssignment]{
			Path: path + "/roleAssignments", Key: "{assignment}", Shape: Shape{Set: "roleManagement/directory/roleAssignments"},
			Schema: directory.AssignmentSchema, Paging: odata.Paging{Default: 100, Max: 999}, Expand: expandAssignment(), Read: readRoles, Write: writeRoles, FreeCount: true,
			List: func(c *Call, q odata.Query) ([]roleAssignment, error) {
				found, err := directory.FindAssignments(c.Context, c.DB, q)
				out := make([]roleAssignment, len(found))
				for i, a := range found {
					out[i], _ = c.asAssignment(a, nil)
				}
				return out, err
			},
			Count: func(c *Call, q odata.Query) (int64, error) {
				return directory.CountFoundAssignments(c.Context, c.DB, q)
			},
			Get: func(c *Call) (roleAssignment, error) {
				return c.asAssignment(directory.GetAssignment(c.Context, c.DB, c.Params["assignment"]))
			},
			Create: func(c *Call, in roleAssignment) (out roleAssignment, err error) {
				err = c.guarded(func(q db.Querier) (err error) { // a policy may exclude the role (PK-42)
					out, err = c.asAssignment(directory.Assign(c.Context, q, c.Actor, c.Now, in.Assignment))
					return err
				})
				return out, err
			},
			Delete: func(c *Call) error {
				return c.guarded(func(q db.Querier) error { // DO-18
					return directory.Unassign(c.Context, q, c.Actor, c.Now, c.Params["assignment"])
				})
			},
		},
	}
}
