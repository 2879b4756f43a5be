// Package softkey makes passkeys in software: for tests, kiosks and service
// accounts, where no person holds a key.
//
// The life of a key: New makes a P-256 key, Attest answers creation options
// with it (packed self attestation), a key file keeps it sealed (file.go), and
// WebDriver hands it to whatever signs in with it.
//
// A key in a file can be copied, and it says so: it is backup eligible and
// backed up, what WebAuthn calls a multi-device credential. A policy that
// demands device-bound passkeys refuses it, and rightly. Its AAGUID is always
// AAGUID, so that a profile can allow these keys for service accounts alone.
//
// It does no I/O and knows no server.
package softkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// AAGUID is the model of every key made here.
const AAGUID = "ca4dea00-50f7-4b65-8e59-000000000001"

var aaguid = [16]byte{0xca, 0x4d, 0xea, 0x00, 0x50, 0xf7, 0x4b, 0x65, 0x8e, 0x59, 0, 0, 0, 0, 0, 1}

// es256 is the COSE algorithm of every key made here.
const es256 = -7

// Flags of the authenticator data (WebAuthn L3 §6.1).
const (
	present        = 1 << 0
	verified       = 1 << 2
	backupEligible = 1 << 3
	backedUp       = 1 << 4
	attestedData   = 1 << 6

	flags = present | verified | backupEligible | backedUp
)

// Key is one passkey with its private key.
type Key struct {
	ID       []byte    `json:"id"` // credential id
	RPID     string    `json:"rpId"`
	Handle   []byte    `json:"userHandle"`
	UserID   string    `json:"userId,omitempty"` // the person's object id, as the caller knows it
	UserName string    `json:"userName"`
	Label    string    `json:"label,omitempty"`
	Made     time.Time `json:"made"`
	PKCS8    []byte    `json:"privateKey"`
}

// options is what is read of creation options, bare or under "publicKey".
type options struct {
	PublicKey *options `json:"publicKey"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"user"`
	Challenge string `json:"challenge"`
	Params    []struct {
		Alg int64 `json:"alg"`
	} `json:"pubKeyCredParams"`
}

var errOptions = errors.New("these are no creation options")

func readOptions(raw []byte) (o options, handle []byte, err error) {
	if err := json.Unmarshal(raw, &o); err != nil {
		return o, nil, errors.Join(errOptions, err)
	}
	if o.PublicKey != nil {
		o = *o.PublicKey
	}
	if o.Challenge == "" || o.RP.ID == "" || o.User.ID == "" {
		return o, nil, errOptions
	}
	if !slices.ContainsFunc(o.Params, func(p struct {
		Alg int64 `json:"alg"`
	}) bool {
		return p.Alg == es256
	}) {
		return o, nil, errors.New("the server does not take ES256 keys")
	}
	handle, err = base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return o, nil, errors.Join(errOptions, err)
	}
	return o, handle, nil
}

// New makes a key for the person and the site of creation options.
func New(creationOptions []byte, now time.Time) (Key, error) {
	o, handle, err := readOptions(creationOptions)
	if err != nil {
		return Key{}, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, err
	}
	id := make([]byte, 32)
	rand.Read(id)
	return Key{ID: id, RPID: o.RP.ID, Handle: handle, UserName: o.User.Name, Made: now.UTC(), PKCS8: pkcs8}, nil
}

func (k Key) private() (*ecdsa.PrivateKey, error) {
	any, err := x509.ParsePKCS8PrivateKey(k.PKCS8)
	if err != nil {
		return nil, err
	}
	private, ok := any.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("this is no P-256 key")
	}
	return private, nil
}

// Credential is the toJSON() form of a new passkey.
type Credential struct {
	ID                     string         `json:"id"`
	RawID                  string         `json:"rawId"`
	Type                   string         `json:"type"`
	ClientExtensionResults map[string]any `json:"clientExtensionResults"`
	Response               struct {
		ClientDataJSON    string   `json:"clientDataJSON"`
		AttestationObject string   `json:"attestationObject"`
		Transports        []string `json:"transports"`
	} `json:"response"`
}

// Attest answers creation options with the key, which must be of the same
// person and site. It may be called again with newer options.
func (k Key) Attest(creationOptions []byte, origin string) (Credential, error) {
	o, handle, err := readOptions(creationOptions)
	if err != nil {
		return Credential{}, err
	}
	if o.RP.ID != k.RPID || !slices.Equal(handle, k.Handle) {
		return Credential{}, errors.New("the key is of another person or site")
	}
	private, err := k.private()
	if err != nil {
		return Credential{}, err
	}
	point, err := private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return Credential{}, err
	}
	encode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return Credential{}, err
	}
	cose, err := encode.Marshal(map[int]any{1: 2, 3: es256, -1: 1, -2: point[1:33], -3: point[33:]}) // RFC 9053 §7.1.1
	if err != nil {
		return Credential{}, err
	}
	authData := k.authData(flags|attestedData, aaguid[:], binary.BigEndian.AppendUint16(nil, uint16(len(k.ID))), k.ID, cose)
	clientData := clientData("webauthn.create", o.Challenge, origin)
	signature, err := sign(private, authData, clientData)
	if err != nil {
		return Credential{}, err
	}
	object, err := encode.Marshal(map[string]any{"fmt": "packed", "attStmt": map[string]any{"alg": es256, "sig": signature}, "authData": authData})
	if err != nil {
		return Credential{}, err
	}
	c := Credential{ID: b64(k.ID), RawID: b64(k.ID), Type: "public-key", ClientExtensionResults: map[string]any{}}
	c.Response.ClientDataJSON, c.Response.AttestationObject, c.Response.Transports = b64(clientData), b64(object), []string{"internal"}
	return c, nil
}

func (k Key) authData(flags byte, attested ...[]byte) []byte {
	rp := sha256.Sum256([]byte(k.RPID))
	out := append(rp[:], flags, 0, 0, 0, 0) // the counter stays 0: copies could not share one
	return append(out, slices.Concat(attested...)...)
}

func clientData(ceremony, challenge, origin string) []byte {
	quoted, _ := json.Marshal(origin) // a string always encodes
	return fmt.Appendf(nil, `{"type":%q,"challenge":%q,"origin":%s,"crossOrigin":false}`, ceremony, challenge, quoted)
}

func sign(private *ecdsa.PrivateKey, authData, clientData []byte) ([]byte, error) {
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(slices.Concat(authData, hash[:]))
	return ecdsa.SignASN1(rand.Reader, private, digest[:])
}

// WebDriver is the key as the WebDriver command "add credential" takes it
// (WebAuthn L3 §11.5), and with it every browser's virtual authenticator.
type WebDriver struct {
	CredentialID         string `json:"credentialId"`
	IsResidentCredential bool   `json:"isResidentCredential"`
	RPID                 string `json:"rpId"`
	PrivateKey           string `json:"privateKey"` // base64url of PKCS#8
	UserHandle           string `json:"userHandle"`
	UserName             string `json:"userName"`
	SignCount            int    `json:"signCount"`
	BackupEligibility    bool   `json:"backupEligibility"`
	BackupState          bool   `json:"backupState"`
}

// WebDriver is the key for a virtual authenticator. It holds the private key
// in clear.
func (k Key) WebDriver() WebDriver {
	return WebDriver{CredentialID: b64(k.ID), IsResidentCredential: true, RPID: k.RPID, PrivateKey: b64(k.PKCS8), UserHandle: b64(k.Handle),
		UserName: k.UserName, BackupEligibility: true, BackupState: true}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
