package oath

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// What authenticator apps agree on (RFC 6238 with the defaults of RFC 4226).
// SHA-1 is sound here: HMAC does not need collision resistance, and apps
// ignore other algorithms silently.
const (
	period     = 30 // seconds
	digits     = 6
	secretSize = 20 // bytes, the size of the hash (RFC 4226 §4 R6)
	window     = 1  // steps that a clock may be off, to both sides (RFC 6238 §5.2)
)

// stepAt is the number of the 30 seconds that now lies in.
func stepAt(now time.Time) int64 { return now.Unix() / period }

// hotp is RFC 4226 §5.3: n digits for one counter.
func hotp(secret []byte, counter int64, n int) string {
	mac := hmac.New(sha1.New, secret)
	binary.Write(mac, binary.BigEndian, counter)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	v := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	mod := uint32(1)
	for range n {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", n, v%mod)
}

// match returns the step of which code is the code, among those around now
// and after the last one used: a code works once (RFC 6238 §5.2).
func match(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	for s := stepAt(now) - window; s <= stepAt(now)+window; s++ {
		// No early exit, so that the time tells nothing about the clock.
		if same := subtle.ConstantTimeCompare([]byte(hotp(secret, s, digits)), []byte(code)) == 1; same && s > last && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}

// typed returns the code in what a person typed or pasted ("123 456"). What
// cannot be a code is "", which matches nothing.
func typed(text string) string {
	if len(text) > 64 {
		return ""
	}
	code := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '-' {
			return -1
		}
		return r
	}, text)
	if len(code) != digits || strings.Trim(code, "0123456789") != "" {
		return ""
	}
	return code
}

// text is a secret as people type it into an app.
func text(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// address is the otpauth URI that apps read from a QR code. Apps show the
// label up to the colon as the issuer, so neither part may hold one.
func address(issuer, account string, secret []byte) string {
	clean := func(s string) string { return strings.ReplaceAll(s, ":", " ") }
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") } // some apps show a plus
	return "otpauth://totp/" + escape(clean(issuer)) + ":" + escape(clean(account)) + "?secret=" + text(secret) +
		"&issuer=" + escape(clean(issuer)) + fmt.Sprintf("&algorithm=SHA1&digits=%d&period=%d", digits, period)
}
