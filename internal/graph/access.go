package graph

import (
	"slices"
	"strings"

	"cardea/internal/directory"
	"cardea/internal/problem"
)

// Access is who may call a route (directory-and-odata §3). For an application
// one of its permissions is enough. A person needs a scope in the token and a
// directory role as well, or the scope for the own object.
type Access struct {
	Scopes []string // delegated: any of these, for anybody's object
	Own    []string // delegated: any of these or of Scopes suffices for the own object
	Apps   []string // application permissions: any of these; nil means as Scopes
	Roles  []string // a person needs one of these, or Global Administrator; nil: every member of the organisation
	Guests bool     // with Roles nil: guests too
}

// allow reports why c may not call a route with this access; self says that
// the object is the caller's own. The refusal names what is missing, least first.
func (a Access) allow(c *Caller, self bool) error {
	if c.App {
		need := a.Apps
		if need == nil {
			need = a.Scopes
		}
		if c.hasPermission(need) {
			return nil
		}
		return denied("This application needs the permission %s. Ask an administrator to grant it.", first(need))
	}
	if self && (c.hasScope(a.Own) || c.hasScope(a.Scopes)) && a.Own != nil {
		return nil
	}
	if !c.hasScope(a.Scopes) {
		return denied("The token lacks the scope %s. Sign in to the application again and ask for it.", first(append(slices.Clone(a.Own), a.Scopes...)))
	}
	if a.Roles == nil {
		if c.Guest && !a.Guests {
			return denied("Guests may not do this. Ask a member of the organisation.")
		}
		return nil
	}
	if !holds(c.Roles, a.Roles) {
		if holds(c.Unproved, a.Roles) {
			return errOneFactor
		}
		return denied("This needs the role %s. Ask an administrator to assign it, or to do this for you.", directory.RoleName(a.Roles[0]))
	}
	return nil
}

// errOneFactor is for an administrator whose token comes from a password alone.
var errOneFactor = problem.New(problem.Unauthenticated, "ngcMfaRequired", "Administration needs a strong sign-in. Sign in again with a passkey, then repeat the call with the new token.")

func denied(format string, args ...any) error {
	return problem.New(problem.Forbidden, "authorizationRequestDenied", format, args...)
}

func first(list []string) string {
	if len(list) == 0 {
		return "that nobody has: it is for signed-in people only"
	}
	return list[0]
}

// hasPermission reports whether an application holds any of the permissions.
// "all" is every permission.
func (c *Caller) hasPermission(any []string) bool {
	return slices.ContainsFunc(c.Permissions, func(have string) bool {
		return have == "all" && len(any) > 0 || containsFold(any, have)
	})
}

func (c *Caller) hasScope(any []string) bool {
	return slices.ContainsFunc(c.Scopes, func(have string) bool { return containsFold(any, have) })
}

// holds reports whether any of the roles is among those of a person. A Global
// Administrator holds them all.
func holds(roles, any []string) bool {
	return slices.ContainsFunc(roles, func(have string) bool {
		return have == directory.GlobalAdministrator || slices.Contains(any, have)
	})
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

// The accesses that several resources share.
var (
	readUsers = Access{Scopes: []string{"User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		Own:  []string{"User.Read", "User.ReadWrite"},
		Apps: []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}
	createUsers = Access{Scopes: []string{"User.ReadWrite.All", "Directory.ReadWrite.All"}, Roles: []string{directory.UserAdministrator}}
	writeUsers  = Access{Scopes: createUsers.Scopes,
		Roles: []string{directory.UserAdministrator, directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator}} // directory-and-odata §4.2
	endSessions = Access{Scopes: []string{"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
		Own:   []string{"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All", "User.ReadWrite"},
		Roles: []string{directory.UserAdministrator, directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator}}

	readGroups   = Access{Scopes: []string{"Group.Read.All", "GroupMember.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}
	writeGroups  = Access{Scopes: []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"}, Roles: []string{directory.GroupsAdministrator, directory.UserAdministrator, directory.PrivilegedRoleAdministrator}}
	writeMembers = Access{Scopes: []string{"GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"}, Roles: writeGroups.Roles}
	readMemberOf = Access{Scopes: []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All", "User.Read.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
		Own: []string{"User.Read"}}

	// The answer holds what the rule asks of the person, whatever else the caller may see of people.
	explainRules = Access{Scopes: []string{"Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		Roles: []string{directory.GroupsAdministrator, directory.UserAdministrator, directory.GlobalReader}}

	readDirectory = Access{Scopes: []string{"Directory.Read.All", "Directory.ReadWrite.All"}}

	readRoles  = Access{Scopes: []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"}}
	writeRoles = Access{Scopes: []string{"RoleManagement.ReadWrite.Directory"}, Roles: []string{directory.PrivilegedRoleAdministrator}}

	readOrganization  = Access{Scopes: []string{"Organization.Read.All", "User.Read", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, Guests: true}
	writeOrganization = Access{Scopes: []string{"Organization.ReadWrite.All"}, Roles: []string{directory.GlobalAdministrator}}

	readLogs = Access{Scopes: []string{"AuditLog.Read.All"},
		Roles: []string{directory.ReportsReader, directory.SecurityReader, directory.SecurityOperator, directory.SecurityAdministrator, directory.GlobalReader}}
)
