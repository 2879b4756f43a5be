package signin

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"cardea/internal/problem"
)

// maxName is how many bytes of a typed user name are kept.
const maxName = 256

// clip bounds what a stranger can make us keep; it never cuts a character.
func clip(s string) string {
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	if !utf8.ValidString(s) {
		return ""
	}
	return s
}

// escape makes any text a cookie value.
func escape(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// unescape reverses escape; what it did not write is "".
func unescape(s string) string {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}

// problemOf is err as a problem; nil if it is none.
func problemOf(err error) *problem.Error {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return nil
	}
	return p
}
