package accesspass

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// alphabet is what codes are made of: letters and digits without those that
// people mistake for one another, 0 O o, 1 I l i. 55 characters; a code of 8
// has 46 bits, guarded by a slow hash and the throttle (PK-151).
const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz"

// longestCode is the length that a policy may ask for, and the most that
// somebody who types a code is heard.
const longestCode = 48

// newCode draws n characters, each equally likely.
func newCode(n int) string {
	const fair = 256 / len(alphabet) * len(alphabet) // bytes from here on would favour the first characters
	code, b := make([]byte, 0, n), make([]byte, 2*n)
	for len(code) < n {
		rand.Read(b)
		for _, v := range b {
			if int(v) < fair && len(code) < n {
				code = append(code, alphabet[int(v)%len(alphabet)])
			}
		}
	}
	return string(code)
}

// typed returns the code in what a person typed or pasted, without white space
// and invisible characters. What cannot be a code is "", which matches nothing.
func typed(text string) string {
	if len(text) > 4*longestCode {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
	if len(code) < 8 || len(code) > longestCode || strings.Trim(code, alphabet) != "" {
		return ""
	}
	return code
}
