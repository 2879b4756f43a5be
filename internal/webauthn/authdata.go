package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// Flags of the authenticator data (WebAuthn L3 §6.1).
const (
	flagUP byte = 1 << 0 // user present
	flagUV byte = 1 << 2 // user verified
	flagBE byte = 1 << 3 // backup eligible
	flagBS byte = 1 << 4 // backup state
	flagAT byte = 1 << 6 // attested credential data
	flagED byte = 1 << 7 // extension data
)

const maxCredentialID = 1023 // bytes, §7.1 step 25

// authData is the decoded authenticator data. Slices point into the input.
type authData struct {
	rpIDHash []byte
	flags    byte
	counter  uint32

	aaguid       [16]byte // these three only with flagAT
	credentialID []byte
	publicKey    []byte // COSE key as sent
}

func (a authData) has(flag byte) bool { return a.flags&flag != 0 }

// parseAuthData decodes strictly: nothing missing, nothing left over.
func parseAuthData(raw []byte) (authData, error) {
	var a authData
	if len(raw) < 37 {
		return a, errors.New("authenticator data is shorter than 37 bytes")
	}
	a.rpIDHash, a.flags, a.counter = raw[:32], raw[32], binary.BigEndian.Uint32(raw[33:37])
	rest := raw[37:]
	var err error
	if a.has(flagAT) {
		if rest, err = a.parseAttested(rest); err != nil {
			return authData{}, err
		}
	}
	if a.has(flagED) {
		var extensions map[string]any
		if rest, err = authDataMode.UnmarshalFirst(rest, &extensions); err != nil {
			return authData{}, err
		}
	}
	if len(rest) != 0 {
		return authData{}, errors.New("bytes are left over after the authenticator data")
	}
	return a, nil
}

// parseAttested decodes AAGUID, credential id and public key (§6.5.1).
func (a *authData) parseAttested(raw []byte) (rest []byte, err error) {
	if len(raw) < 18 {
		return nil, errors.New("attested credential data is missing")
	}
	copy(a.aaguid[:], raw)
	n := int(binary.BigEndian.Uint16(raw[16:18]))
	raw = raw[18:]
	if len(raw) < n {
		return nil, errors.New("credential id is cut off")
	}
	a.credentialID, raw = raw[:n], raw[n:]
	var key any
	if rest, err = authDataMode.UnmarshalFirst(raw, &key); err != nil {
		return nil, err
	}
	a.publicKey = raw[:len(raw)-len(rest)]
	return rest, nil
}

// checkRP compares the relying party and the two flags every ceremony needs
// (§7.1 steps 14–16, §7.2 steps 15–17). User verification is never optional (PK-116).
func (a authData) checkRP(rp RelyingParty) error {
	want := sha256.Sum256([]byte(rp.ID))
	if !bytes.Equal(a.rpIDHash, want[:]) {
		return refuse("rpIdMismatch", nil)
	}
	if !a.has(flagUP) {
		return refuse("userNotPresent", nil)
	}
	if !a.has(flagUV) {
		return refuse("userNotVerified", nil)
	}
	return nil
}

// checkBackup refuses "is backed up" from a key that cannot be (§7.1 step 17, §7.2 step 18).
func (a authData) checkBackup() error {
	if a.has(flagBS) && !a.has(flagBE) {
		return refuse("backupStateInvalid", nil)
	}
	return nil
}

// The CBOR that authenticators may send is the CTAP2 form: definite lengths, no
// tags, no duplicate keys. Extensions and keys may nest as deep as the library
// allows, an attestation object as deep as WA-21 allows.
var (
	authDataMode = ctap2(5)
	objectMode   = ctap2(8)
)

func ctap2(depth int) cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   depth,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode()
	if err != nil {
		panic(err) // constant options: cannot happen outside this package's tests
	}
	return m
}
