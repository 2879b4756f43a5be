package graph

// resources is the whole API: adding a resource is adding a line.
func resources() []route {
	var out []route
	for _, area := range [][]resource{users(), people(), groups(), memberships(), deletedItems(), roles(), roleManagement(), directoryObjects(), memberChecks(), devices(), dynamicGroups(), organizations(), applications(), servicePrincipals(), appRoles(), consents(), policies(), passkeys(), passes(), methods(), logs()} {
		for _, r := range area {
			out = append(out, r.list()...)
		}
	}
	return out
}
