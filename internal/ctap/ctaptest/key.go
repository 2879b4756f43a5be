// Package ctaptest is a FIDO2 security key in software that speaks CTAP 2.1
// over CTAPHID reports, for tests of everything above: channels, keepalives,
// PIN protocols one and two, discoverable credentials, packed attestation.
package ctaptest

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

const reportSize = 64

// Key is a security key. Its exported fields say what it is like; set them
// before Serve. It is honest unless told otherwise.
type Key struct {
	AAGUID       [16]byte
	PINProtocols []uint              // default 2, 1
	Signer       crypto.Signer       // attestation key; nil: self attestation
	Certificates [][]byte            // of Signer, leaf first
	Room         int                 // passkeys it can hold; 0 is 25
	OldTokens    bool                // no permissions on tokens, as CTAP 2.0
	NoConfig     bool                // cannot be told to force a new PIN
	IgnoreTouch  bool                // nobody ever touches it
	Garble       func(report []byte) // changes reports on their way out

	mu        sync.Mutex
	pinHash   []byte
	retries   uint
	force     bool
	agreement *ecdh.PrivateKey
	token     []byte
	grants    uint
	held      []credential
}

type credential struct {
	id, user []byte
	rp       string
}

// Holds returns how many passkeys the key holds.
func (k *Key) Holds() int { k.mu.Lock(); defer k.mu.Unlock(); return len(k.held) }

// WantsNewPIN reports whether the key insists on a new PIN.
func (k *Key) WantsNewPIN() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.force }

// Pipe plugs the key in and returns the host's end of the wire: bare reports
// of 64 bytes. It is pulled out when the end is closed.
func (k *Key) Pipe() net.Conn {
	host, key := net.Pipe()
	go k.Serve(key)
	return host
}

// Serve speaks through conn until it ends.
func (k *Key) Serve(conn io.ReadWriteCloser) {
	defer conn.Close()
	k.mu.Lock()
	k.retries = 8
	if k.PINProtocols == nil {
		k.PINProtocols = []uint{2, 1}
	}
	k.mu.Unlock()
	in := make(chan []byte)
	ctx, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		defer close(in)
		for {
			r := make([]byte, reportSize)
			if _, err := io.ReadFull(conn, r); err != nil {
				return
			}
			select {
			case in <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	w := &wire{key: k, conn: conn, in: in, next: 1}
	for w.message() {
	}
}

// wire is the CTAPHID side.
type wire struct {
	key  *Key
	conn io.Writer
	in   chan []byte
	next uint32
}

// message reads one message and answers it; false at the end of the wire.
func (w *wire) message() bool {
	r, ok := <-w.in
	if !ok {
		return false
	}
	if r[4]&0x80 == 0 {
		return true // a stray continuation
	}
	channel, command, size := binary.BigEndian.Uint32(r), r[4]&^0x80, int(binary.BigEndian.Uint16(r[5:]))
	body := append([]byte(nil), r[7:min(reportSize, 7+size)]...)
	for len(body) < size {
		if r, ok = <-w.in; !ok {
			return false
		}
		body = append(body, r[5:min(reportSize, 5+size-len(body))]...)
	}
	switch command {
	case 0x06: // INIT
		answer := append(slices.Clone(body), 0, 0, 0, 0, 2, 5, 7, 1, 0x04|0x08)
		binary.BigEndian.PutUint32(answer[8:], w.next)
		w.next++
		w.send(channel, command, answer)
	case 0x10: // CBOR
		w.send(channel, command, w.cbor(channel, body))
	case 0x11: // CANCEL with nothing to cancel
	default:
		w.send(channel, 0x3F, []byte{0x01})
	}
	return true
}

func (w *wire) send(channel uint32, command byte, body []byte) {
	for seq := -1; seq < 0 || len(body) > 0; seq++ {
		var r [reportSize]byte
		binary.BigEndian.PutUint32(r[:], channel)
		n := 0
		if seq < 0 {
			r[4] = command | 0x80
			binary.BigEndian.PutUint16(r[5:], uint16(len(body)))
			n = copy(r[7:], body)
		} else {
			r[4] = byte(seq)
			n = copy(r[5:], body)
		}
		body = body[n:]
		if w.key.Garble != nil {
			w.key.Garble(r[:])
		}
		w.conn.Write(r[:])
	}
}

// touched waits for the button as a key does: it says that it waits, and
// listens for CANCEL.
func (w *wire) touched(channel uint32) byte {
	w.send(channel, 0x3B, []byte{2})
	if !w.key.IgnoreTouch {
		return 0
	}
	for r := range w.in {
		if r[4] == 0x11|0x80 {
			return 0x2D
		}
	}
	return 0x2D
}

func (w *wire) cbor(channel uint32, body []byte) []byte {
	if len(body) == 0 {
		return []byte{0x03}
	}
	k := w.key
	k.mu.Lock()
	defer k.mu.Unlock()
	var in map[int]cbor.RawMessage
	if len(body) > 1 && cbor.Unmarshal(body[1:], &in) != nil {
		return []byte{0x12}
	}
	status, out := byte(0x01), any(nil)
	switch body[0] {
	case 0x01:
		status, out = k.make(in, func() byte { return w.touched(channel) })
	case 0x04:
		status, out = 0, k.info()
	case 0x06:
		status, out = k.pin(in)
	case 0x0D:
		status = k.config(in)
	}
	if status != 0 || out == nil {
		return []byte{status}
	}
	return append([]byte{0}, encode(out)...)
}

func encode(v any) []byte {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	raw, err := mode.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func (k *Key) info() map[int]any {
	options := map[string]bool{"rk": true, "up": true, "clientPin": k.pinHash != nil, "pinUvAuthToken": !k.OldTokens, "authnrCfg": !k.NoConfig, "setMinPINLength": !k.NoConfig}
	return map[int]any{1: []string{"FIDO_2_0", "FIDO_2_1"}, 2: []string{"credProtect"}, 3: k.AAGUID[:], 4: options, 5: 1200, 6: k.PINProtocols,
		9: []string{"usb"}, 10: []map[string]any{{"type": "public-key", "alg": -7}}, 12: k.force, 13: 4}
}

func get[T any](in map[int]cbor.RawMessage, n int) (v T) {
	if raw, ok := in[n]; ok {
		cbor.Unmarshal(raw, &v)
	}
	return v
}

type cose struct {
	Type int    `cbor:"1,keyasint"`
	Alg  int    `cbor:"3,keyasint"`
	Crv  int    `cbor:"-1,keyasint"`
	X    []byte `cbor:"-2,keyasint"`
	Y    []byte `cbor:"-3,keyasint"`
}

func coseOf(point []byte, alg int) cose { return cose{2, alg, 1, point[1:33], point[33:]} }

func (k *Key) pin(in map[int]cbor.RawMessage) (byte, any) {
	protocol, sub := get[uint](in, 1), get[uint](in, 2)
	if sub == 1 {
		return 0, map[int]any{3: k.retries}
	}
	if !slices.Contains(k.PINProtocols, protocol) {
		return 0x02, nil
	}
	if sub == 2 {
		k.agreement, _ = ecdh.P256().GenerateKey(rand.Reader)
		return 0, map[int]any{1: coseOf(k.agreement.PublicKey().Bytes(), -25)}
	}
	theirs := get[cose](in, 3)
	public, err := ecdh.P256().NewPublicKey(slices.Concat([]byte{4}, theirs.X, theirs.Y))
	if err != nil || k.agreement == nil {
		return 0x02, nil
	}
	z, _ := k.agreement.ECDH(public)
	s := share(protocol, z)
	newPIN, hash := get[[]byte](in, 5), get[[]byte](in, 6)
	switch sub {
	case 3:
		if k.pinHash != nil || !hmac.Equal(get[[]byte](in, 4), s.mac(s.macKey, newPIN)) {
			return 0x33, nil
		}
		return k.store(s.open(newPIN)), nil
	case 4:
		if !hmac.Equal(get[[]byte](in, 4), s.mac(s.macKey, slices.Concat(newPIN, hash))) {
			return 0x33, nil
		}
		if status := k.check(s.open(hash)); status != 0 {
			return status, nil
		}
		return k.store(s.open(newPIN)), nil
	case 5, 9:
		if status := k.check(s.open(hash)); status != 0 {
			return status, nil
		}
		if k.force {
			return 0x37, nil
		}
		k.token = make([]byte, 32)
		rand.Read(k.token)
		k.grants = 0x01
		if sub == 9 {
			k.grants = get[uint](in, 9)
		}
		return 0, map[int]any{2: s.seal(k.token)}
	}
	return 0x3E, nil
}

func (k *Key) check(hash []byte) byte {
	switch {
	case k.pinHash == nil:
		return 0x35
	case k.retries == 0:
		return 0x32
	case !hmac.Equal(hash, k.pinHash):
		k.retries--
		return 0x31
	}
	k.retries = 8
	return 0
}

func (k *Key) store(padded []byte) byte {
	pin := slices.Clone(padded)
	for len(pin) > 0 && pin[len(pin)-1] == 0 {
		pin = pin[:len(pin)-1]
	}
	sum := sha256.Sum256(pin)
	if len(padded) != 64 || len(pin) < 4 || k.force && hmac.Equal(sum[:16], k.pinHash) {
		return 0x37
	}
	k.pinHash, k.force = sum[:16], false
	return 0
}

func (k *Key) config(in map[int]cbor.RawMessage) byte {
	if k.NoConfig || get[uint](in, 1) != 3 {
		return 0x01
	}
	s := shared{protocol: get[uint](in, 3)}
	message := slices.Concat(slices.Repeat([]byte{0xFF}, 32), []byte{0x0D, 3}, in[2])
	if k.grants&0x20 == 0 && !k.OldTokens || !hmac.Equal(get[[]byte](in, 4), s.mac(k.token, message)) {
		return 0x33
	}
	k.force = get[map[int]cbor.RawMessage](in, 2)[3] != nil
	k.token = nil
	return 0
}

type entity struct {
	ID string `cbor:"id"`
}

type described struct {
	ID []byte `cbor:"id"`
}

func (k *Key) make(in map[int]cbor.RawMessage, touch func() byte) (byte, any) {
	rp, user, hash := get[entity](in, 2).ID, get[described](in, 3).ID, get[[]byte](in, 1)
	switch {
	case k.pinHash != nil && in[8] == nil:
		return 0x36, nil
	case k.token == nil || k.grants&0x01 == 0 || !hmac.Equal(get[[]byte](in, 8), shared{protocol: get[uint](in, 9)}.mac(k.token, hash)):
		return 0x33, nil
	case !slices.ContainsFunc(get[[]map[string]any](in, 4), func(p map[string]any) bool { return p["alg"] == int64(-7) }):
		return 0x26, nil
	}
	for _, x := range get[[]described](in, 5) {
		if slices.ContainsFunc(k.held, func(c credential) bool { return slices.Equal(c.id, x.ID) }) {
			return 0x19, nil
		}
	}
	if room := max(k.Room, 0); len(k.held) >= room && room > 0 || len(k.held) >= 25 {
		return 0x28, nil
	}
	if status := touch(); status != 0 {
		return status, nil
	}
	private, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	id := make([]byte, 32)
	rand.Read(id)
	k.held = append(k.held, credential{id, user, rp})
	authData := k.authData(rp, id, private, in[6] != nil)
	signer, statement := crypto.Signer(private), map[string]any{"alg": -7}
	if k.Signer != nil {
		signer, statement["x5c"] = k.Signer, k.Certificates
	}
	sum := sha256.Sum256(slices.Concat(authData, hash))
	statement["sig"], _ = signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	return 0, map[int]any{1: "packed", 2: authData, 3: statement}
}

func (k *Key) authData(rp string, id []byte, private *ecdsa.PrivateKey, extensions bool) []byte {
	point, _ := private.PublicKey.Bytes()
	rpHash := sha256.Sum256([]byte(rp))
	flags := byte(0x01 | 0x04 | 0x40)
	tail := []byte(nil)
	if extensions {
		flags, tail = flags|0x80, encode(map[string]any{"credProtect": 2})
	}
	out := append(rpHash[:], flags, 0, 0, 0, 1)
	out = append(out, k.AAGUID[:]...)
	out = append(out, byte(len(id)>>8), byte(len(id)))
	return slices.Concat(out, id, encode(coseOf(point, -7)), tail)
}

// shared is the key's own reading of the PIN protocols, written apart from the
// one it is to test.
type shared struct {
	protocol       uint
	macKey, aesKey []byte
}

func share(protocol uint, z []byte) shared {
	if protocol == 1 {
		sum := sha256.Sum256(z)
		return shared{1, sum[:], sum[:]}
	}
	mac, _ := hkdf.Key(sha256.New, z, make([]byte, 32), "CTAP2 HMAC key", 32)
	enc, _ := hkdf.Key(sha256.New, z, make([]byte, 32), "CTAP2 AES key", 32)
	return shared{2, mac, enc}
}

func (s shared) mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)[:map[uint]int{1: 16, 2: 32}[s.protocol]]
}

func (s shared) open(sealed []byte) []byte {
	iv := make([]byte, 16)
	if s.protocol == 2 && len(sealed) > 16 {
		iv, sealed = sealed[:16], sealed[16:]
	}
	if len(sealed)%16 != 0 {
		return nil
	}
	block, _ := aes.NewCipher(s.aesKey)
	out := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, sealed)
	return out
}

func (s shared) seal(plain []byte) []byte {
	iv := make([]byte, 16)
	if s.protocol == 2 {
		rand.Read(iv)
	}
	block, _ := aes.NewCipher(s.aesKey)
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, plain)
	if s.protocol == 2 {
		return append(iv, out...)
	}
	return out
}
