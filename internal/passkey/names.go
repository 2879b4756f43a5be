package passkey

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"cardea/internal/problem"
)

// UserHandle is WebAuthn's user.id of a person: 51 bytes that depend on the two
// ids only, so a new user name breaks nothing (PK-102). An error means that an
// id is not a GUID.
func UserHandle(tenantID, userID string) ([]byte, error) {
	tenant, ok := parseGUID(tenantID)
	if !ok {
		return nil, fmt.Errorf("tenant id %q is not a GUID", tenantID)
	}
	user, ok := parseGUID(userID)
	if !ok {
		return nil, fmt.Errorf("user id %q is not a GUID", userID)
	}
	sum := sha256.Sum256(user[:])
	handle := make([]byte, 0, 51)
	handle = append(handle, "OF:"...)
	handle = append(handle, tenant[:]...)
	return append(handle, sum[:]...), nil
}

// MethodID is the Graph id of a passkey: the credential id in base64url without
// padding, and the number of '=' removed as one digit (PK-125).
func MethodID(credentialID []byte) string {
	padding := (3 - len(credentialID)%3) % 3
	return base64.RawURLEncoding.EncodeToString(credentialID) + string(rune('0'+padding))
}

// CredentialIDs lists the credential ids that a method id in a request may
// mean, likeliest first: as MethodID writes it, then the bare base64url id of
// tools that cut the digit (PK-126). It is empty for anything else.
func CredentialIDs(methodID string) (ids [][]byte) {
	strict := base64.RawURLEncoding.Strict()
	if n := len(methodID); n > 1 {
		if id, err := strict.DecodeString(methodID[:n-1]); err == nil && MethodID(id) == methodID {
			ids = append(ids, id)
		}
	}
	// Strict decoding, and no line breaks, which the decoder would skip.
	if id, err := strict.DecodeString(methodID); err == nil && len(id) > 0 && !strings.ContainsAny(methodID, "\r\n") {
		ids = append(ids, id)
	}
	return ids
}

// Display names of passkeys (PK-46).
const (
	MaxDisplayName     = 30 // characters
	defaultDisplayName = "Passkey"
)

// DisplayName is the name of a new or renamed passkey: what was given, trimmed;
// if that is blank, fallback (provider name or model), cut to fit; else
// "Passkey". A name that is too long or has control characters is refused.
func DisplayName(given, fallback string) (string, error) {
	if name := strings.TrimSpace(given); name != "" {
		if utf8.RuneCountInString(name) > MaxDisplayName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			return "", problem.New(problem.Invalid, "badRequest", "The name of a passkey has 1 to %d characters in one line. Choose a shorter one.", MaxDisplayName).On("displayName")
		}
		return name, nil
	}
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, fallback))
	if r := []rune(name); len(r) > MaxDisplayName {
		name = strings.TrimSpace(string(r[:MaxDisplayName-1])) + "…"
	}
	if name == "" {
		name = defaultDisplayName
	}
	return name, nil
}
