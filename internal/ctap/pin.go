package ctap

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"unicode/utf8"

	"cardea/internal/problem"

	"golang.org/x/text/unicode/norm"
)

// protocol is a PIN/UV auth protocol (CTAP 2.1 §6.5.6, §6.5.7).
type protocol uint

// coseKey is the COSE form of an ECDH public key, as clientPIN wants it.
type coseKey struct {
	Type      int    `cbor:"1,keyasint"`
	Algorithm int    `cbor:"3,keyasint"`
	Curve     int    `cbor:"-1,keyasint"`
	X         []byte `cbor:"-2,keyasint"`
	Y         []byte `cbor:"-3,keyasint"`
}

type pinRequest struct {
	Protocol    protocol `cbor:"1,keyasint,omitempty"`
	Subcommand  uint     `cbor:"2,keyasint"`
	Agreement   *coseKey `cbor:"3,keyasint,omitempty"`
	Param       []byte   `cbor:"4,keyasint,omitempty"`
	NewPIN      []byte   `cbor:"5,keyasint,omitempty"`
	PINHash     []byte   `cbor:"6,keyasint,omitempty"`
	Permissions uint     `cbor:"9,keyasint,omitempty"`
	RPID        string   `cbor:"10,keyasint,omitempty"`
}

type pinAnswer struct {
	Agreement *coseKey `cbor:"1,keyasint"`
	Token     []byte   `cbor:"2,keyasint"`
	Retries   uint     `cbor:"3,keyasint"`
}

// The subcommands of clientPIN, and the permissions of a token (§6.5.5).
const (
	subRetries, subAgreement, subSet, subChange, subToken, subTokenPermissions = 1, 2, 3, 4, 5, 9
	permitMake, permitConfig                                                   = 0x01, 0x20
)

// secret is what the key and this process share after a key agreement.
type secret struct {
	protocol  protocol
	mac, aes  []byte
	agreement *coseKey // ours, for the key
}

func (k *Key) agree(ctx context.Context) (s secret, err error) {
	if s.protocol = 1; slices.Contains(k.info.PINProtocols, 2) {
		s.protocol = 2
	}
	var answer pinAnswer
	if err := k.call(ctx, clientPIN, pinRequest{Protocol: s.protocol, Subcommand: subAgreement}, &answer); err != nil {
		return s, err
	}
	theirs, err := answer.Agreement.public()
	if err != nil {
		return s, badAnswer(err)
	}
	ours, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return s, err
	}
	z, err := ours.ECDH(theirs)
	if err != nil {
		return s, badAnswer(err)
	}
	point := ours.PublicKey().Bytes() // 4, X, Y
	s.agreement = &coseKey{Type: 2, Algorithm: -25, Curve: 1, X: point[1:33], Y: point[33:]}
	s.mac, s.aes, err = s.protocol.keys(z)
	return s, err
}

func (c *coseKey) public() (*ecdh.PublicKey, error) {
	if c == nil || len(c.X) != 32 || len(c.Y) != 32 {
		return nil, problem.New(problem.Invalid, "keyUnreadable", "The key's public key is not one of P-256.")
	}
	return ecdh.P256().NewPublicKey(slices.Concat([]byte{4}, c.X, c.Y))
}

func (p protocol) keys(z []byte) (mac, enc []byte, err error) {
	if p == 1 {
		sum := sha256.Sum256(z)
		return sum[:], sum[:], nil
	}
	salt := make([]byte, 32)
	if mac, err = hkdf.Key(sha256.New, z, salt, "CTAP2 HMAC key", 32); err != nil {
		return nil, nil, err
	}
	enc, err = hkdf.Key(sha256.New, z, salt, "CTAP2 AES key", 32)
	return mac, enc, err
}

// seal encrypts whole blocks for the key; protocol 2 has a random vector in front.
func (s secret) seal(plain []byte) []byte {
	iv := make([]byte, aes.BlockSize)
	if s.protocol == 2 {
		rand.Read(iv)
	}
	block, err := aes.NewCipher(s.aes)
	if err != nil {
		panic(err) // 32 bytes always make a cipher
	}
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
	if s.protocol == 2 {
		return append(iv, out...)
	}
	return out
}

func (s secret) open(sealed []byte) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	if s.protocol == 2 && len(sealed) >= aes.BlockSize {
		iv, sealed = sealed[:aes.BlockSize], sealed[aes.BlockSize:]
	}
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, badAnswer(nil)
	}
	block, err := aes.NewCipher(s.aes)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, sealed)
	return out, nil
}

// authenticate is the protocol's MAC under key.
func (p protocol) authenticate(key, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(message)
	if sum := m.Sum(nil); p == 2 {
		return sum
	} else {
		return sum[:16]
	}
}

// pinBytes is a PIN as keys take it: UTF-8 in normal form C (§6.5.1).
func pinBytes(pin string, least uint) ([]byte, error) {
	b := norm.NFC.Bytes([]byte(pin))
	if uint(utf8.RuneCount(b)) < max(4, least) || len(b) > 63 {
		return nil, problem.New(problem.Invalid, "pinLength", "A PIN of this key has at least %d characters and at most 63 bytes.", max(4, least))
	}
	return b, nil
}

func hashOf(pin []byte) []byte { sum := sha256.Sum256(pin); return sum[:16] }

// Retries returns how many wrong PINs the key still takes before it locks.
func (k *Key) Retries(ctx context.Context) (uint, error) {
	var answer pinAnswer
	err := k.call(ctx, clientPIN, pinRequest{Protocol: 1, Subcommand: subRetries}, &answer)
	return answer.Retries, err
}

// SetPIN sets the first PIN of a key that has none.
func (k *Key) SetPIN(ctx context.Context, pin string) error { return k.setPIN(ctx, "", pin) }

// ChangePIN replaces the PIN old, also where the key insists on it.
func (k *Key) ChangePIN(ctx context.Context, old, pin string) error { return k.setPIN(ctx, old, pin) }

func (k *Key) setPIN(ctx context.Context, old, pin string) error {
	b, err := pinBytes(pin, k.info.MinPINLength)
	if err != nil {
		return err
	}
	s, err := k.agree(ctx)
	if err != nil {
		return err
	}
	var padded [64]byte
	copy(padded[:], b)
	in := pinRequest{Protocol: s.protocol, Subcommand: subSet, Agreement: s.agreement, NewPIN: s.seal(padded[:])}
	signed := in.NewPIN
	if old != "" {
		in.Subcommand, in.PINHash = subChange, s.seal(hashOf(norm.NFC.Bytes([]byte(old))))
		signed = slices.Concat(in.NewPIN, in.PINHash)
	}
	in.Param = s.protocol.authenticate(s.mac, signed)
	if err := k.call(ctx, clientPIN, in, nil); err != nil {
		return err
	}
	return k.refresh(ctx)
}

// Unlock proves the PIN, so that MakeCredential for rpID, and ForcePINChange
// where the key can do that, work until Close.
func (k *Key) Unlock(ctx context.Context, pin, rpID string) error {
	s, err := k.agree(ctx)
	if err != nil {
		return err
	}
	in := pinRequest{Protocol: s.protocol, Subcommand: subToken, Agreement: s.agreement, PINHash: s.seal(hashOf(norm.NFC.Bytes([]byte(pin))))}
	if k.info.Options["pinUvAuthToken"] {
		in.Subcommand, in.Permissions, in.RPID = subTokenPermissions, permitMake, rpID
		if k.info.Options["authnrCfg"] {
			in.Permissions |= permitConfig
		}
	}
	var answer pinAnswer
	if err := k.call(ctx, clientPIN, in, &answer); err != nil {
		return err
	}
	k.pin = s.protocol
	k.token, err = s.open(answer.Token)
	return err
}
