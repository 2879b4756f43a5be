package directory

import "slices"

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
func Reaches(caller, target []string) bool {
	if slices.Contains(caller, GlobalAdministrator) || slices.Contains(caller, PrivilegedAuthenticationAdministrator) {
		return true
	}
	for _, role := range target {
		if !slices.Contains(everyday, role) {
			return false
		}
	}
	return true
}
