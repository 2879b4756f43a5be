// Package directory holds the organisation, its people, its groups and who
// has which role.
//
// A person is a User: the few members that a sign-in needs, in columns, and a
// Profile with everything else that Graph knows of people. GetUser reads the
// former and is cheap; GetWhole reads both.
//
// Membership is transitive: a group may contain groups, to any depth and in
// circles. What policies ask is always MemberOf: every group a person is in,
// directly or not, and the template ids of the person's roles.
//
// Deleting is in two steps. DeleteUser and DeleteGroup put a thing among the
// deleted items, where it is for 30 days: it is in no list, counts nowhere, and
// whoever is deleted cannot sign in and holds no role. Restore brings it back
// with its memberships; Purge removes it for good. All reads of this package
// but those of deleted.go see the living only.
//
// Every change of a person, a group or a membership is a numbered row of
// directory_changes, from which delta is read (changes.go, delta.go).
//
// Whoever changes something passes the audit.Actor; the record is written in
// the same transaction.
package directory

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// fold is the key of a text: what $filter, $search and uniqueness compare.
func fold(s string) string { return strings.ToLower(s) }

func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// placeholders is "$from, …", n of them.
func placeholders(from, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(placeholder(from + i))
	}
	return b.String()
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// SecurityIdentifier is the Windows SID of an object id, as Entra computes it:
// S-1-12-1 and the four little-endian words of the GUID's Windows form.
func SecurityIdentifier(id string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(b) != 16 {
		return ""
	}
	// Windows stores the first three groups of a GUID little-endian.
	w := [4]uint32{
		binary.BigEndian.Uint32(b),
		uint32(binary.BigEndian.Uint16(b[6:]))<<16 | uint32(binary.BigEndian.Uint16(b[4:])),
		binary.LittleEndian.Uint32(b[8:]),
		binary.LittleEndian.Uint32(b[12:]),
	}
	return fmt.Sprintf("S-1-12-1-%d-%d-%d-%d", w[0], w[1], w[2], w[3])
}
