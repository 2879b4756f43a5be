package mds

import (
	"encoding/hex"
	"strings"

	"cardea/internal/problem"
)

// AAGUID names a model of authenticator. All zero means "none given".
type AAGUID = [16]byte

// ParseAAGUID reads the 36-character form in either case. Braces, missing
// hyphens and surrounding blanks are refused: two spellings of one id in a
// policy would look like two models.
func ParseAAGUID(s string) (AAGUID, error) {
	var id AAGUID
	bad := problem.New(problem.Invalid, "aaguidInvalid", "%q is not an AAGUID. Write 32 hexadecimal digits in groups of 8-4-4-4-12.", clip(s, 60))
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, bad
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if n, err := hex.Decode(id[:], []byte(digits)); err != nil || n != len(id) {
		return AAGUID{}, bad
	}
	return id, nil
}

// FormatAAGUID writes the lower-case GUID form (PK-99).
func FormatAAGUID(id AAGUID) string {
	h := hex.EncodeToString(id[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
