// Package passkey holds what an organisation says about passkeys, and the
// passkeys of its people.
//
// The organisation's will is one document, Configuration: passkeys on or off,
// who may use them (targets), and what each group of people may use
// (profiles). It is the Graph resource fido2AuthenticationMethodConfiguration,
// byte for byte. An administrator changes it with Patched, which either gives
// a valid new document or says what is wrong with it; nothing invalid is ever
// stored. Compile turns the document into a Snapshot, and Allowed asks the
// snapshot about one passkey of one person.
//
// The life of a passkey: challenge issued, registered (type, model and, if a
// profile demands it, attestation are judged), used at sign-ins (type and model
// are judged again every time, with the flags of that very assertion),
// renamed, deleted. A passkey that the policy refuses today is kept, and works
// again when the policy does (PK-62).
//
// Promises:
//   - One profile must be satisfied whole; profiles are alternatives without
//     order; exclusion beats inclusion (PK-51, PK-54).
//   - A refusal is a Decision with a reason per profile, the same value for the
//     error text, the sign-in log, the admin centre and the preview (PK-57).
//   - Nothing in Allowed, Patched or Judge reads a clock, a file or a database.
//
// It does not verify signatures (package webauthn), fetch FIDO metadata
// (package mds) or decide about sign-in risk (package condaccess).
package passkey

import (
	"strings"

	"cardea/internal/problem"
)

// Type says where the private key of a passkey lives. It follows from the
// backup-eligible flag alone (PK-81).
type Type string

const (
	DeviceBound Type = "deviceBound" // in one device or security key, for good
	Synced      Type = "synced"      // in a password manager, on all devices of the person
)

// TypeOf gives the type that the backup-eligible flag stands for (PK-81).
func TypeOf(backupEligible bool) Type {
	if backupEligible {
		return Synced
	}
	return DeviceBound
}

// TypeSet is the flags enum passkeyTypes: deviceBound 1, synced 2.
type TypeSet uint8

const (
	onlyDeviceBound TypeSet = 1
	onlySynced      TypeSet = 2
	bothTypes               = onlyDeviceBound | onlySynced
)

// SetOf gives the set of types.
func SetOf(types ...Type) (s TypeSet) {
	for _, t := range types {
		s |= bit(t)
	}
	return s
}

func bit(t Type) TypeSet {
	switch t {
	case DeviceBound:
		return onlyDeviceBound
	case Synced:
		return onlySynced
	}
	return 0
}

// Has reports whether t is in s. A type that is no type is in no set.
func (s TypeSet) Has(t Type) bool { return s&bit(t) != 0 }

// String writes "deviceBound,synced" in this order, without blanks (PK-11).
func (s TypeSet) String() string {
	switch s & bothTypes {
	case onlyDeviceBound:
		return string(DeviceBound)
	case onlySynced:
		return string(Synced)
	case bothTypes:
		return string(DeviceBound) + "," + string(Synced)
	}
	return ""
}

// MarshalText writes the flags as Graph does.
func (s TypeSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the flags in any order, blanks allowed (PK-11). At least
// one known flag must be named, and no unknown one.
func (s *TypeSet) UnmarshalText(text []byte) error {
	var got TypeSet
	for word := range strings.SplitSeq(string(text), ",") {
		var b TypeSet
		for _, t := range []Type{DeviceBound, Synced} {
			if strings.EqualFold(strings.TrimSpace(word), string(t)) {
				b = bit(t)
			}
		}
		if b == 0 {
			return problem.New(problem.Invalid, "invalidValue", "%q is not a set of passkey types. Write deviceBound, synced, or deviceBound,synced.", clip(string(text), 60))
		}
		got |= b
	}
	*s = got
	return nil
}

// clip cuts text of a client to at most n runes before it is quoted in a message.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
