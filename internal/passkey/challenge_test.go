package passkey

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestChallenge_PK111: whatever is sealed, the JSON form of the challenge holds
// letters and digits only, its length is a multiple of 4, and it comes back.
func TestChallenge_PK111(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "plaintext")
		overhead := rapid.IntRange(0, 64).Draw(t, "overhead")
		padded := PadChallenge(plain, overhead)
		// Any bytes may come out of the AEAD, so any are put in here.
		sealed := rapid.SliceOfN(rapid.Byte(), len(padded)+overhead, len(padded)+overhead).Draw(t, "ciphertext")
		challenge, err := EncodeChallenge(sealed)
		if err != nil {
			t.Fatal(err)
		}
		wire := base64.RawURLEncoding.EncodeToString(challenge)
		if len(wire)%4 != 0 || strings.Trim(wire, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" || strings.ContainsAny(wire, "-_=") {
			t.Fatalf("on the wire %s", wire)
		}
		back, err := DecodeChallenge(challenge)
		if err != nil || !bytes.Equal(back, sealed) {
			t.Fatalf("%x, %v", back, err)
		}
		got, err := UnpadChallenge(padded)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("unpadded %x, %v", got, err)
		}
	})
}

func TestChallengeRefuses(t *testing.T) {
	if _, err := EncodeChallenge(make([]byte, 10)); err == nil {
		t.Error("an unpadded ciphertext was encoded")
	}
	if _, err := EncodeChallenge(nil); err == nil {
		t.Error("nothing was encoded")
	}
	good, _ := EncodeChallenge(bytes.Repeat([]byte{7}, 18))
	for name, bad := range map[string]string{
		"nothing": "", "short": string(good[:23]), "half": string(good[:12]) + "AAA", "line breaks": string(good[:22]) + "\r\n",
		"other alphabet": string(good[:23]) + "+", "padding": string(good[:23]) + "=",
	} {
		if out, err := DecodeChallenge([]byte(bad)); err == nil {
			t.Errorf("%s: %x", name, out)
		}
	}
	for name, bad := range map[string][]byte{
		"nothing": {}, "no mark": {1, 2, 3}, "only zeros": make([]byte, 9), "too many zeros": append([]byte{0x80}, make([]byte, 9)...),
	} {
		if out, err := UnpadChallenge(bad); err == nil {
			t.Errorf("%s: %x", name, out)
		}
	}
}

// FuzzDecodeChallenge: what is accepted has exactly one spelling.
func FuzzDecodeChallenge(f *testing.F) {
	good, _ := EncodeChallenge(bytes.Repeat([]byte{0xff}, 9))
	f.Add(good)
	f.Add([]byte("AAAAAAAAAA\r\n"))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		sealed, err := DecodeChallenge(challenge)
		if err != nil {
			return
		}
		again, err := EncodeChallenge(sealed)
		if err != nil || !bytes.Equal(again, challenge) {
			t.Errorf("%q becomes %q, %v", challenge, again, err)
		}
	})
}
