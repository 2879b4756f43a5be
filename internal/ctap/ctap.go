// Package ctap talks to security keys: CTAP 2.1 over CTAPHID, as far as
// provisioning needs it. It makes a passkey on a key, sets and changes its
// PIN, and makes the key ask for a new PIN at its next use.
//
// A Device moves reports of 64 bytes. Devices finds those plugged in, Open
// takes one, and the Key that comes back keeps the channel until Close:
//
//	Open → Info → SetPIN or Unlock → MakeCredential → ForcePINChange → Close
//
// What it promises: the PIN leaves the process only encrypted to the key, and
// is in no error and no log; every wait ends with its context, and the key is
// told to stop blinking; whatever a key answers is bounded and decoded
// strictly. What it does not do: CTAP1 (U2F), NFC, BLE, fingerprints,
// assertions.
//
// Tested against a CTAP2 authenticator in software that speaks through the
// same reports (package ctaptest). It is cgo-free on Linux; on macOS reports go
// through the system's HID manager and need cgo.
package ctap

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"cardea/internal/problem"

	"github.com/fxamacker/cbor/v2"
)

// ReportSize is the length of every CTAPHID report, without a report number.
const ReportSize = 64

// Device moves reports to and from one authenticator.
type Device interface {
	// Send writes one report.
	Send(ctx context.Context, report [ReportSize]byte) error
	// Receive waits for one report until ctx ends.
	Receive(ctx context.Context) ([ReportSize]byte, error)
	Close() error
}

// Found is a security key that is plugged in.
type Found struct {
	Path    string // what Open takes
	Product string // as the key names itself
}

// Info is what a key says about itself (CTAP 2.1 §6.4).
type Info struct {
	Versions       []string        `cbor:"1,keyasint"`
	Extensions     []string        `cbor:"2,keyasint"`
	AAGUID         []byte          `cbor:"3,keyasint"`
	Options        map[string]bool `cbor:"4,keyasint"`
	MaxMessage     uint            `cbor:"5,keyasint"`
	PINProtocols   []uint          `cbor:"6,keyasint"`
	Transports     []string        `cbor:"9,keyasint"`
	Algorithms     []Algorithm     `cbor:"10,keyasint"`
	ForcePINChange bool            `cbor:"12,keyasint"`
	MinPINLength   uint            `cbor:"13,keyasint"` // 0: the key does not say, so 4
}

// Algorithm is one entry of WebAuthn's pubKeyCredParams.
type Algorithm struct {
	Type string `cbor:"type"`
	Alg  int64  `cbor:"alg"`
}

// Model is the AAGUID as a lower-case GUID.
func (i Info) Model() string {
	if len(i.AAGUID) != 16 {
		return ""
	}
	h := hex.EncodeToString(i.AAGUID)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// HasPIN reports whether a PIN is set.
func (i Info) HasPIN() bool { return i.Options["clientPin"] }

// CanForcePINChange reports whether ForcePINChange can work.
func (i Info) CanForcePINChange() bool { return i.Options["setMinPINLength"] && i.Options["authnrCfg"] }

// Key is an open security key. It is not safe for concurrent use: a key has
// one button.
type Key struct {
	device  Device
	channel uint32
	touch   func() // told once per wait that the key wants to be touched
	info    Info
	token   []byte // of Unlock
	pin     protocol
}

// New starts a channel to the key behind d and reads its Info. touch, which
// may be nil, is called when the key waits for its button. The Key owns d.
func New(ctx context.Context, d Device, touch func()) (*Key, error) {
	k := &Key{device: d, channel: broadcast, touch: touch}
	if err := k.open(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return k, nil
}

func (k *Key) open(ctx context.Context) error {
	var nonce [8]byte
	rand.Read(nonce[:])
	answer, err := k.message(ctx, cmdInit, nonce[:])
	if err != nil {
		return err
	}
	if len(answer) < 17 || !slices.Equal(answer[:8], nonce[:]) {
		return badAnswer(nil)
	}
	if answer[16]&capabilityCBOR == 0 {
		return problem.New(problem.Invalid, "keyTooOld", "This key speaks U2F only. Use a FIDO2 security key.")
	}
	k.channel = binary.BigEndian.Uint32(answer[8:12])
	return k.refresh(ctx)
}

func (k *Key) refresh(ctx context.Context) error {
	k.info = Info{}
	return k.call(ctx, getInfo, nil, &k.info)
}

// Info returns what the key said last.
func (k *Key) Info() Info { return k.info }

// Close gives the key back.
func (k *Key) Close() error {
	clear(k.token)
	return k.device.Close()
}

// The commands (CTAP 2.1 §6).
const (
	makeCredential = 0x01
	getInfo        = 0x04
	clientPIN      = 0x06
	config         = 0x0D
)

// encoding is the canonical CBOR that keys insist on; decoding is bounded and
// refuses duplicate names.
var (
	encoding, _ = cbor.CTAP2EncOptions().EncMode()
	decoding, _ = cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 8, MaxArrayElements: 1024, MaxMapPairs: 1024, IndefLength: cbor.IndefLengthForbidden}.DecMode()
)

// call sends one command with its CBOR parameters and decodes the answer into
// out, both of which may be nil.
func (k *Key) call(ctx context.Context, command byte, in, out any) error {
	body := []byte{command}
	if in != nil {
		raw, err := encoding.Marshal(in)
		if err != nil {
			return err
		}
		body = append(body, raw...)
	}
	answer, err := k.message(ctx, cmdCBOR, body)
	if err != nil {
		return err
	}
	if len(answer) == 0 {
		return badAnswer(nil)
	}
	if answer[0] != 0 {
		return refused(answer[0])
	}
	if out == nil {
		return nil
	}
	if err := decoding.Unmarshal(answer[1:], out); err != nil {
		return badAnswer(err)
	}
	return nil
}

func badAnswer(err error) error {
	return problem.New(problem.Unavailable, "keyUnreadable", "The key gave an answer that cannot be read. Pull it out, plug it in again, and repeat.").Because(err)
}
