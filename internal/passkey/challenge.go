package passkey

import (
	"encoding/base64"
	"errors"
)

// challengeUnit is what the length of a sealed challenge is a multiple of.
// base64url of 9k bytes is 12k ASCII characters, and base64url of those is 16k
// characters without '-', '_' and padding, because only '>', '?', '~' and DEL
// would give them and the first alphabet has none of these (PK-111).
const challengeUnit = 9

var errChallenge = errors.New("not a challenge of ours")

// PadChallenge appends to plaintext what makes the ciphertext a multiple of 9
// bytes. overhead is how much longer the ciphertext is than its plaintext.
// UnpadChallenge undoes it.
func PadChallenge(plaintext []byte, overhead int) []byte {
	out := make([]byte, 0, len(plaintext)+challengeUnit)
	out = append(append(out, plaintext...), 0x80)
	for (len(out)+overhead)%challengeUnit != 0 {
		out = append(out, 0)
	}
	return out
}

// UnpadChallenge gives the plaintext that was padded.
func UnpadChallenge(padded []byte) ([]byte, error) {
	for i := len(padded) - 1; i >= 0 && len(padded)-i <= challengeUnit; i-- {
		switch padded[i] {
		case 0x80:
			return padded[:i], nil
		case 0:
			continue
		}
		break
	}
	return nil, errChallenge
}

// EncodeChallenge gives the bytes of a WebAuthn challenge for a ciphertext
// whose plaintext was padded: printable ASCII, which the client sends back
// untouched. The JSON form is base64url of these bytes.
func EncodeChallenge(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 || len(ciphertext)%challengeUnit != 0 {
		return nil, errors.New("the sealed challenge was not padded")
	}
	return base64.RawURLEncoding.AppendEncode(nil, ciphertext), nil
}

// DecodeChallenge gives the ciphertext in a challenge that came back. Every
// ciphertext has exactly one spelling.
func DecodeChallenge(challenge []byte) ([]byte, error) {
	if len(challenge) == 0 || len(challenge)%(challengeUnit/3*4) != 0 {
		return nil, errChallenge
	}
	for _, c := range challenge {
		if c == '\r' || c == '\n' { // the decoder would skip them
			return nil, errChallenge
		}
	}
	out, err := base64.RawURLEncoding.Strict().AppendDecode(nil, challenge)
	if err != nil {
		return nil, errChallenge
	}
	return out, nil
}
