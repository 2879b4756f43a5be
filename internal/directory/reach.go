package directory

import (
	"context"
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// everyday lists the roles that do not put their holders out of reach of an
// Authentication Administrator (DO-21).
var everyday = []string{
	AuthenticationAdministrator,
	"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", // Directory Readers
	"95e79109-95c0-4d8e-aee3-d01accf2d47b", // Guest Inviter
	"790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", // Message Center Reader
	"966707d0-3269-4727-9be2-8c3a10f19b9d", // Password Administrator
	ReportsReader,
	"27460883-1df1-4691-b032-3b79643e5e63", // User Experience Success Manager
	"75934031-6c7e-415a-99d7-48dbd49e875e", // Usage Summary Reports Reader
}

// Reaches reports whether a person with the roles of caller may change the
// methods and the sensitive properties of a person with the roles of target
// (DO-21 … DO-23). It presumes that the caller's roles allow the task itself.
// Groups that roles can be assigned to count too: see Reach.
func Reaches(caller, target []string) bool {
	if reachesAll(caller) {
		return true
	}
	return !slices.ContainsFunc(target, func(role string) bool { return !slices.Contains(everyday, role) })
}

func reachesAll(caller []string) bool {
	return slices.Contains(caller, GlobalAdministrator) || slices.Contains(caller, PrivilegedAuthenticationAdministrator)
}

// Reach refuses with Forbidden, authorizationRequestDenied, what Reaches
// refuses, and as much for people who are members or owners of a group that
// roles can be assigned to (DO-22): that group may hold a role tomorrow.
func Reach(ctx context.Context, q db.Querier, caller []string, userID string) error {
	if reachesAll(caller) {
		return nil
	}
	theirs, err := RolesOf(ctx, q, userID)
	if err != nil {
		return err
	}
	const ask = " Only a Privileged Authentication Administrator or a Global Administrator can do this; ask one."
	if !Reaches(caller, theirs) {
		names := make([]string, len(theirs))
		for i, r := range theirs {
			names[i] = RoleName(r)
		}
		return problem.New(problem.Forbidden, "authorizationRequestDenied", "This person holds an administrator role (%s)."+ask, strings.Join(names, ", "))
	}
	var inGroup bool
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.member_id = $1 AND g.role_assignable AND g.deleted_at = 0)
		OR EXISTS (SELECT 1 FROM group_owners o JOIN groups g ON g.id = o.group_id WHERE o.owner_id = $1 AND g.role_assignable AND g.deleted_at = 0)`, userID).Scan(&inGroup)
	if err != nil || !inGroup {
		return err
	}
	return problem.New(problem.Forbidden, "authorizationRequestDenied", "This person is a member or owner of a group that roles can be assigned to."+ask)
}
