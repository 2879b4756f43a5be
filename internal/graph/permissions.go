package graph

import (
	"maps"
	"slices"
)

// DelegatedPermissions lists every scope that some route asks for: what "all"
// means when a person uses an application.
func DelegatedPermissions() []string {
	return named(func(a Access) []string { return append(slices.Clone(a.Scopes), a.Own...) })
}

// ApplicationPermissions lists every permission that some route asks of an
// application: what "all" means for an application itself.
func ApplicationPermissions() []string {
	return named(func(a Access) []string {
		if a.Apps != nil {
			return a.Apps
		}
		return a.Scopes
	})
}

func named(of func(Access) []string) []string {
	seen := map[string]bool{}
	for _, a := range append([]Access{grantAccess, consentAccess}, accesses()...) {
		for _, name := range of(a) {
			seen[name] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func accesses() []Access {
	var out []Access
	for _, r := range resources() {
		out = append(out, r.Access)
	}
	return out
}
