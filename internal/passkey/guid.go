package passkey

import "encoding/hex"

// AAGUID names the model of an authenticator. It is a claim of the
// authenticator unless the passkey is attested (PK-82). All zero means that
// the authenticator does not say.
type AAGUID [16]byte

// String writes the lower-case GUID (PK-99).
func (a AAGUID) String() string {
	var b [36]byte
	at := 0
	for i, x := range a {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b[at] = '-'
			at++
		}
		hex.Encode(b[at:], []byte{x})
		at += 2
	}
	return string(b[:])
}

// IsZero reports whether a says nothing.
func (a AAGUID) IsZero() bool { return a == AAGUID{} }

// ParseAAGUID reads a GUID in the form 8-4-4-4-12, in either case.
func ParseAAGUID(s string) (AAGUID, bool) {
	g, ok := parseGUID(s)
	return AAGUID(g), ok
}

// parseGUID gives the 16 bytes of a GUID in RFC 4122 order.
func parseGUID(s string) (g [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, false
	}
	digits := make([]byte, 0, 32)
	for i := range len(s) {
		if i != 8 && i != 13 && i != 18 && i != 23 {
			digits = append(digits, s[i])
		}
	}
	if _, err := hex.Decode(g[:], digits); err != nil {
		return [16]byte{}, false
	}
	return g, true
}

// canonicalGUID writes a GUID in lower case, and leaves anything else alone.
func canonicalGUID(s string) string {
	if g, ok := parseGUID(s); ok {
		return AAGUID(g).String()
	}
	return s
}
