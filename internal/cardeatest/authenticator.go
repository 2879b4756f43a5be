package cardeatest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"sync"
)

// Flags of the authenticator data, for Authenticator.Flags and FlipFlags.
const (
	UserPresent    byte = 1 << 0
	UserVerified   byte = 1 << 2
	BackupEligible byte = 1 << 3
	BackupState    byte = 1 << 4
	AttestedData   byte = 1 << 6
	ExtensionData  byte = 1 << 7
)

// What Create and Get answer when a real authenticator would refuse.
var (
	ErrExcluded     = errors.New("the authenticator already holds one of excludeCredentials") // InvalidStateError
	ErrNoPasskey    = errors.New("the authenticator holds no passkey that was asked for")     // NotAllowedError
	ErrNoAlgorithm  = errors.New("the authenticator makes none of the algorithms offered")    // NotSupportedError
	ErrOptions      = errors.New("the options are not those of a browser")
	errNotSupported = errors.New("no such algorithm")
)

// Authenticator is an authenticator and its browser in software. It is honest
// unless told otherwise: the zero value is a synced passkey provider without
// attestation. Every field may be changed between two ceremonies; every lie a
// forger could tell has a field. Create and Get may run in parallel as long as
// no field is changed meanwhile.
type Authenticator struct {
	AAGUID      [16]byte
	Algorithm   int64         // COSE algorithm of new keys; 0 means the first offered of ES256, EdDSA, ES384, ES512, RS256
	Signer      crypto.Signer // key of the next credential instead of a fresh one (RSA keys are slow to make)
	Flags       byte          // UP, UV, BE, BS as they are; see NewAuthenticator
	FlipFlags   byte          // bits to turn over at the very end, AT and ED too
	CountUp     bool          // a counter that rises by one; otherwise it stays 0
	Counter     *uint32       // say this counter, whatever was counted
	Extensions  []byte        // raw CBOR of authenticator extensions; sets ED
	Transports  []string
	Attachment  string
	Attestation Attestation

	CredentialID   []byte         // id of the next credential; nil means 32 random bytes
	OmitHandle     bool           // answer without userHandle
	ClientOutputs  map[string]any // clientExtensionResults; nil means honest ones
	EditClientData func(map[string]any)
	EditKey        func(cose []byte) []byte     // last change to the COSE key
	EditAuthData   func(authData []byte) []byte // last change before signing
	EditSignature  func(sig []byte) []byte      // assertions

	mu       sync.Mutex
	passkeys []*Passkey
}

// Passkey is one credential an authenticator holds.
type Passkey struct {
	ID, UserHandle []byte
	RPID           string
	UserName       string
	Algorithm      int64
	PublicKey      []byte // COSE
	Signer         crypto.Signer
	counter        uint32
}

// NewAuthenticator makes a synced provider (present, verified, backed up); the
// functions change what should be different.
func NewAuthenticator(change ...func(*Authenticator)) *Authenticator {
	a := &Authenticator{
		Flags:      UserPresent | UserVerified | BackupEligible | BackupState,
		Transports: []string{"hybrid", "internal"},
		Attachment: "platform",
	}
	for _, f := range change {
		f(a)
	}
	return a
}

// SecurityKey makes it a device-bound key of a model, with a counter.
func SecurityKey(aaguid [16]byte) func(*Authenticator) {
	return func(a *Authenticator) {
		a.AAGUID = aaguid
		a.Flags = UserPresent | UserVerified
		a.CountUp = true
		a.Transports = []string{"usb", "nfc"}
		a.Attachment = "cross-platform"
	}
}

// Clone is the same provider on a second device: same settings, same passkeys,
// counters of its own from here on.
func (a *Authenticator) Clone() *Authenticator {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := &Authenticator{
		AAGUID: a.AAGUID, Algorithm: a.Algorithm, Signer: a.Signer,
		Flags: a.Flags, FlipFlags: a.FlipFlags, CountUp: a.CountUp, Counter: a.Counter,
		Extensions: a.Extensions, Transports: a.Transports, Attachment: a.Attachment, Attestation: a.Attestation,
		CredentialID: a.CredentialID, OmitHandle: a.OmitHandle, ClientOutputs: a.ClientOutputs,
		EditClientData: a.EditClientData, EditKey: a.EditKey, EditAuthData: a.EditAuthData, EditSignature: a.EditSignature,
	}
	for _, p := range a.passkeys {
		q := *p
		b.passkeys = append(b.passkeys, &q)
	}
	return b
}

// Passkeys lists what the authenticator holds, oldest first.
func (a *Authenticator) Passkeys() []Passkey {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]Passkey, len(a.passkeys))
	for i, p := range a.passkeys {
		out[i] = *p
	}
	return out
}

// Forget removes the passkey with this id, as its owner would.
func (a *Authenticator) Forget(id []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passkeys = slices.DeleteFunc(a.passkeys, func(p *Passkey) bool { return bytes.Equal(p.ID, id) })
}

// wireOptions is what is read of either kind of options, bare or under "publicKey".
type wireOptions struct {
	PublicKey *wireOptions `json:"publicKey"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	RPID string `json:"rpId"`
	User struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"user"`
	Challenge string `json:"challenge"`
	Params    []struct {
		Alg int64 `json:"alg"`
	} `json:"pubKeyCredParams"`
	Exclude    []wireDescriptor           `json:"excludeCredentials"`
	Allow      []wireDescriptor           `json:"allowCredentials"`
	Extensions map[string]json.RawMessage `json:"extensions"`
}

type wireDescriptor struct {
	ID string `json:"id"`
}

func readOptions(optionsJSON []byte) (wireOptions, error) {
	var o wireOptions
	if err := json.Unmarshal(optionsJSON, &o); err != nil {
		return o, errors.Join(ErrOptions, err)
	}
	if o.PublicKey != nil {
		o = *o.PublicKey
	}
	if o.Challenge == "" {
		return o, ErrOptions
	}
	return o, nil
}

// Create makes a passkey and answers the toJSON() form of the new credential.
// The origin is whatever the caller says: no check of a browser is made.
func (a *Authenticator) Create(optionsJSON []byte, origin string) (toJSON []byte, err error) {
	o, err := readOptions(optionsJSON)
	if err != nil {
		return nil, err
	}
	if a.find(o.RP.ID, o.Exclude, false) != nil {
		return nil, ErrExcluded
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return nil, errors.Join(ErrOptions, err)
	}
	p, err := a.newPasskey(o)
	if err != nil {
		return nil, err
	}
	p.UserHandle, p.RPID, p.UserName = handle, o.RP.ID, o.User.Name

	clientData := a.clientData("webauthn.create", o.Challenge, origin)
	attested := slices.Concat(a.AAGUID[:], binary.BigEndian.AppendUint16(nil, uint16(len(p.ID))), p.ID, p.PublicKey)
	authData := a.authData(p, AttestedData, attested)
	hash := sha256.Sum256(clientData)
	object, err := a.Attestation.object(p, authData, hash[:])
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.passkeys = append(a.passkeys, p)
	a.mu.Unlock()
	return json.Marshal(map[string]any{
		"id": b64(p.ID), "rawId": b64(p.ID), "type": "public-key",
		"authenticatorAttachment": a.Attachment,
		"clientExtensionResults":  a.outputs(o.Extensions),
		"response": map[string]any{
			"clientDataJSON": b64(clientData), "attestationObject": b64(object),
			"authenticatorData": b64(authData), "publicKeyAlgorithm": p.Algorithm,
			"transports": a.Transports,
		},
	})
}

// Get answers a sign-in with the newest passkey that fits: of the site, and of
// allowCredentials if that is not empty.
func (a *Authenticator) Get(optionsJSON []byte, origin string) (toJSON []byte, err error) {
	o, err := readOptions(optionsJSON)
	if err != nil {
		return nil, err
	}
	p := a.find(o.RPID, o.Allow, len(o.Allow) == 0)
	if p == nil {
		return nil, ErrNoPasskey
	}
	clientData := a.clientData("webauthn.get", o.Challenge, origin)
	authData := a.authData(p, 0, nil)
	hash := sha256.Sum256(clientData)
	sig, err := sign(p.Signer, p.Algorithm, slices.Concat(authData, hash[:]))
	if err != nil {
		return nil, err
	}
	if a.EditSignature != nil {
		sig = a.EditSignature(sig)
	}
	// By hand, because the load generator lives here: nothing below needs escaping.
	id := b64(p.ID)
	out := make([]byte, 0, 1024)
	out = append(out, `{"id":"`+id+`","rawId":"`+id+`","type":"public-key","authenticatorAttachment":"`+a.Attachment+`","response":{"clientDataJSON":"`...)
	out = base64.RawURLEncoding.AppendEncode(out, clientData)
	out = append(out, `","authenticatorData":"`...)
	out = base64.RawURLEncoding.AppendEncode(out, authData)
	out = append(out, `","signature":"`...)
	out = base64.RawURLEncoding.AppendEncode(out, sig)
	if !a.OmitHandle {
		out = append(out, `","userHandle":"`...)
		out = base64.RawURLEncoding.AppendEncode(out, p.UserHandle)
	}
	out = append(out, `"},"clientExtensionResults":`...)
	outputs, err := json.Marshal(a.outputs(nil))
	if err != nil {
		return nil, err
	}
	return append(append(out, outputs...), '}'), nil
}

// find gives the newest passkey of the site with one of the ids, or any.
func (a *Authenticator) find(rpID string, ids []wireDescriptor, any bool) *Passkey {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range slices.Backward(a.passkeys) {
		id := b64(p.ID)
		if p.RPID == rpID && (any || slices.ContainsFunc(ids, func(d wireDescriptor) bool { return d.ID == id })) {
			return p
		}
	}
	return nil
}

func (a *Authenticator) newPasskey(o wireOptions) (*Passkey, error) {
	a.mu.Lock()
	p := &Passkey{ID: a.CredentialID, Algorithm: a.Algorithm, Signer: a.Signer}
	a.CredentialID, a.Signer = nil, nil
	a.mu.Unlock()
	if p.ID == nil {
		p.ID = make([]byte, 32)
		rand.Read(p.ID)
	}
	var err error
	if p.Algorithm == 0 {
		if p.Algorithm, err = choose(o); err != nil {
			return nil, err
		}
	}
	if p.Signer == nil {
		if p.Signer, err = newKey(p.Algorithm); err != nil {
			return nil, err
		}
	}
	if p.PublicKey, err = coseKey(p.Signer.Public(), p.Algorithm); err != nil {
		return nil, err
	}
	if a.EditKey != nil {
		p.PublicKey = a.EditKey(p.PublicKey)
	}
	return p, nil
}

// choose takes the first algorithm of its own taste that is offered, as devices do.
func choose(o wireOptions) (int64, error) {
	for _, alg := range []int64{ES256, EdDSA, ES384, ES512, RS256} {
		for _, offered := range o.Params {
			if offered.Alg == alg {
				return alg, nil
			}
		}
	}
	return 0, ErrNoAlgorithm
}

func (a *Authenticator) clientData(ceremony, challenge, origin string) []byte {
	if a.EditClientData == nil {
		quoted, _ := json.Marshal(origin)
		return []byte(`{"type":"` + ceremony + `","challenge":"` + challenge + `","origin":` + string(quoted) + `,"crossOrigin":false}`)
	}
	m := map[string]any{"type": ceremony, "challenge": challenge, "origin": origin, "crossOrigin": false}
	a.EditClientData(m)
	out, _ := json.Marshal(m)
	return out
}

func (a *Authenticator) authData(p *Passkey, flags byte, attested []byte) []byte {
	flags |= a.Flags
	if a.Extensions != nil {
		flags |= ExtensionData
	}
	a.mu.Lock()
	if a.CountUp {
		p.counter++
	}
	counter := p.counter
	a.mu.Unlock()
	if a.Counter != nil {
		counter = *a.Counter
	}
	rp := sha256.Sum256([]byte(p.RPID))
	out := append(make([]byte, 0, 37+len(attested)+len(a.Extensions)), rp[:]...)
	out = append(out, flags^a.FlipFlags)
	out = binary.BigEndian.AppendUint32(out, counter)
	out = append(append(out, attested...), a.Extensions...)
	if a.EditAuthData != nil {
		out = a.EditAuthData(out)
	}
	return out
}

func (a *Authenticator) outputs(asked map[string]json.RawMessage) map[string]any {
	if a.ClientOutputs != nil {
		return a.ClientOutputs
	}
	out := map[string]any{}
	if _, ok := asked["credProps"]; ok {
		out["credProps"] = map[string]any{"rk": true}
	}
	if _, ok := asked["hmacCreateSecret"]; ok {
		out["hmacCreateSecret"] = true
	}
	return out
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
