package oidc

import (
	"slices"

	"cardea/internal/session"
)

// Values of `acr`. The first two are those of OpenID Connect Extended
// Authentication Profile ACR Values 1.0 §4. docs/flows/token.md explains them.
const (
	acrHardware          = "phrh" // a passkey that is attested and bound to one device
	acrPhishingResistant = "phr"  // a passkey
	acrMFA               = "mfa"  // two factors that can be phished, or a Temporary Access Pass
	acrSingle            = "1"    // one factor
)

// strength orders acr values; 0 is unknown.
func strength(acr string) int {
	return slices.Index([]string{"", acrSingle, acrMFA, acrPhishingResistant, acrHardware}, acr)
}

// acrOf says what a session with these proofs is worth.
func acrOf(methods []string) string {
	has := func(m string) bool { return slices.Contains(methods, m) }
	switch {
	case has(session.MethodPasskey) && has(session.MethodHardware):
		return acrHardware
	case has(session.MethodPasskey):
		return acrPhishingResistant
	case has(session.MethodMFA), has(session.MethodAccessPass):
		return acrMFA
	}
	return acrSingle
}

// meets reports whether have is at least one of the asked values. An unknown
// value is met by nothing.
func meets(have string, asked []string) bool {
	return len(asked) == 0 || slices.ContainsFunc(asked, func(a string) bool { return strength(a) > 0 && strength(have) >= strength(a) })
}
