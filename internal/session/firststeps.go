package session

import "slices"

// FirstSteps reports whether s is there to register a passkey and for nothing
// else: a link opened it, or a Temporary Access Pass that works once (PK-153),
// and nothing was proved since. A pass that ends within FreshFirstAge counts as
// one that works once: the session it opens lasts no longer.
func (s *Session) FirstSteps() bool {
	for _, m := range s.Methods {
		if !slices.Contains([]string{MethodLink, MethodAccessPass, MethodMFA, MethodHardware}, m) {
			return false
		}
	}
	return s.Used(MethodLink) || s.Used(MethodAccessPass) && s.ExpiresAt.Sub(s.CreatedAt) <= FreshFirstAge
}
