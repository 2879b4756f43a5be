package application

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
)

// GraphAppID is the client id of the API itself, which every client knows
// under this name. GraphPrincipalID is its service principal here.
const (
	GraphAppID       = "00000003-0000-0000-c000-000000000000"
	GraphPrincipalID = "ca4dea00-5e00-4000-8000-000000000003"
)

// NoRole is the app role of who may use an application without a role in it.
const NoRole = "00000000-0000-0000-0000-000000000000"

// Catalogue lists the permissions that Microsoft Graph has here: for
// applications themselves, and for what they do for people.
type Catalogue struct{ Application, Delegated []string }

// published are the ids that Entra gives Graph's permissions: they stand in
// configurations that people already have. first: for applications; second:
// for people; "" where Entra has none or we do not know it for sure.
var published = map[string][2]string{
	"Application.Read.All":                   {"9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "c79f8feb-a9db-4090-85f9-90d820caa0eb"},
	"Application.ReadWrite.All":              {"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "bdfbf15f-ee85-4955-8675-146e8e5296b5"},
	"Application.ReadWrite.OwnedBy":          {"18a4783c-866b-4cc7-a460-3d5e5662c884", ""},
	"AppRoleAssignment.ReadWrite.All":        {"06b708a9-e830-4db3-a914-8e69da51d44f", "84bccea3-f856-4a8a-967b-dbe0a3d53a64"},
	"AuditLog.Read.All":                      {"b0afded3-3588-46d8-8b3d-9842eff778da", "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20"},
	"DelegatedPermissionGrant.ReadWrite.All": {"8e8e4742-1d95-4f68-9d56-6ee75648c72a", "41ce6ca6-6826-4807-84f1-1c82854f7ee5"},
	"Directory.Read.All":                     {"7ab1d382-f21e-4acd-a863-ba3e13f7da61", "06da0dbc-49e2-44d2-8312-53f166ab848a"},
	"Directory.ReadWrite.All":                {"19dbc75e-c2e2-444c-a770-ec69d8559fc7", "c5366453-9fb0-48a5-a156-24f0c49a4b84"},
	"Group.Read.All":                         {"5b567255-7703-4780-807c-7be8301ae99b", "5f8c59db-677d-491f-a6b8-5f174b11ec1d"},
	"Group.ReadWrite.All":                    {"62a82d76-70ea-41e2-9197-370581804d09", "4e46008b-f24c-477d-8fff-7bb4ec7aafe0"},
	"GroupMember.Read.All":                   {"98830695-27a2-44f7-8c18-0c3ebc9698f6", "bc024368-1153-4739-b217-4326f2e966d0"},
	"GroupMember.ReadWrite.All":              {"dbaae8cf-10b5-4b86-a4a1-f871c94c6695", "f81125ac-d3b7-4573-a3b2-7099cc39df9e"},
	"Organization.Read.All":                  {"498476ce-e0fe-48b0-b801-37ba7e2685c6", "4908d5b9-3fb2-4b1e-9336-1888b7937185"},
	"Organization.ReadWrite.All":             {"292d869f-3427-49a8-9dab-8c70152b74e9", "46ca0847-7e6b-426e-9775-ea810a948356"},
	"Policy.Read.All":                        {"246dd0d5-5bd0-4def-940b-0421030a5b68", "572fea84-0151-49b2-9301-11cb16974376"},
	"Policy.ReadWrite.AuthenticationMethod":  {"29c18626-4985-4dcd-85c0-193eef327366", "7e823077-d88e-468f-a337-e18f1f0e6c7c"},
	"Policy.ReadWrite.ConditionalAccess":     {"01c0a623-fc9b-48e9-b794-0756f8e8f067", "ad902697-1014-4ef5-81ef-2b4301988e8c"},
	"RoleManagement.Read.Directory":          {"483bed4a-2ad3-4361-a73b-c83ccdbdc53c", "741c54c3-0c1e-44a1-818b-3f97ab4e8c83"},
	"RoleManagement.ReadWrite.Directory":     {"9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", "d01b97e9-cbc0-49fe-810a-750afd5527a3"},
	"User.Read":                              {"", "e1fe6dd8-ba31-4d61-89e7-88639da4683d"},
	"User.Read.All":                          {"df021288-bdef-4463-88db-98f22de89214", "a154be20-db9c-4678-8ab7-66f6cc099a59"},
	"User.ReadBasic.All":                     {"97235f07-e226-4f63-ace3-39588e11d3a1", "b340eb25-3456-403f-be2f-af7a0d370277"},
	"User.ReadWrite":                         {"", "b4e74841-8e56-480b-be8b-910348b18b4c"},
	"User.ReadWrite.All":                     {"741f803b-c850-494e-b5df-cde7c675a1ca", "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4"},
	"UserAuthMethod-Passkey.ReadWrite.All":   {"0400e371-7db1-4338-a269-96069eb65227", ""},
	"UserAuthenticationMethod.Read":          {"", "1f6b61c5-2f65-4135-9c9f-31c0f8d32b52"},
	"UserAuthenticationMethod.Read.All":      {"38d9df27-64da-44fd-b7c5-a6fbac20248f", "aec28ec7-4d02-4e8c-b864-50163aea77eb"},
	"UserAuthenticationMethod.ReadWrite":     {"", "48971fc1-70d7-4245-af77-0beb29b53ee2"},
	"UserAuthenticationMethod.ReadWrite.All": {"50483e42-d915-4231-9639-7fdb7fd190e5", "b7887744-6746-4312-813d-72daeaee7e2d"},
	"email":                                  {"", "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0"},
	"offline_access":                         {"", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182"},
	"openid":                                 {"", "37f7f235-527c-4136-accd-4a02d197296e"},
	"profile":                                {"", "14dad69e-099b-42c9-810b-d002981feec1"},
}

// PermissionID is the id of a permission of Graph, for applications or for
// people: Entra's where it is known, else one that follows from the name (a
// UUID of version 5), the same in every organisation.
func PermissionID(name string, delegated bool) string {
	i, kind := 0, "application"
	if delegated {
		i, kind = 1, "delegated"
	}
	for known, ids := range published {
		if strings.EqualFold(known, name) && ids[i] != "" {
			return ids[i]
		}
	}
	b := sha1.Sum([]byte("cardea permission|" + kind + "|" + strings.ToLower(name)))
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// roles are Graph's app roles. The first stands for all, also those that come
// with later versions of Cardea.
func (k Catalogue) roles() []AppRole {
	out := []AppRole{}
	for _, name := range append([]string{All}, k.Application...) {
		out = append(out, AppRole{ID: PermissionID(name, false), Value: Text(name), DisplayName: Text(name), Description: Text(meaningOf(name)),
			AllowedMemberTypes: []string{"Application"}, IsEnabled: true, Origin: "Application"})
	}
	return out
}

func (k Catalogue) scopes() []Scope {
	out := []Scope{}
	for _, name := range slices.Concat([]string{All, "openid", "profile", "email", "offline_access"}, k.Delegated) {
		out = append(out, Scope{ID: PermissionID(name, true), Value: name, Type: "Admin", IsEnabled: true,
			AdminConsentDisplayName: Text(name), AdminConsentDescription: Text(meaningOf(name))})
	}
	return out
}

func meaningOf(name string) string {
	if name == All {
		return "Every permission of this API, also those that later versions bring."
	}
	return "The permission " + name + " of Microsoft Graph."
}

// named finds the name of an application permission by its id.
func (k Catalogue) named(id string) (string, bool) {
	for _, r := range k.roles() {
		if strings.EqualFold(r.ID, id) {
			return string(r.Value), true
		}
	}
	return "", false
}

// ChangesMethods reports whether any of an application's permissions is to
// change how people sign in. Without one it does not reach administrators: a
// user name or an address is worth the roles behind it.
func ChangesMethods(permissions []string) bool {
	return slices.ContainsFunc(permissions, func(p string) bool {
		p = strings.ToLower(p)
		return p == All || strings.HasPrefix(p, "userauth") && strings.Contains(p, ".readwrite")
	})
}
