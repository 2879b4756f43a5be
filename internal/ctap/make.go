package ctap

import (
	"context"
	"crypto/sha256"
	"slices"

	"cardea/internal/problem"
)

// Request is what a relying party asks a key to make.
type Request struct {
	ClientData []byte // clientDataJSON
	RPID       string
	RPName     string
	UserID     []byte
	UserName   string
	UserShown  string      // display name
	Algorithms []int64     // COSE, most wanted first
	Exclude    [][]byte    // credential ids that must not be on the key already
	Protect    ProtectMode // credProtect, where the key has it
}

// ProtectMode is a level of credProtect (CTAP 2.1 §12.1); 0 asks for none.
type ProtectMode uint

type rp struct {
	ID   string `cbor:"id"`
	Name string `cbor:"name,omitempty"`
}

type user struct {
	ID    []byte `cbor:"id"`
	Name  string `cbor:"name,omitempty"`
	Shown string `cbor:"displayName,omitempty"`
}

type descriptor struct {
	ID   []byte `cbor:"id"`
	Type string `cbor:"type"`
}

type makeRequest struct {
	ClientDataHash []byte          `cbor:"1,keyasint"`
	RP             rp              `cbor:"2,keyasint"`
	User           user            `cbor:"3,keyasint"`
	Algorithms     []Algorithm     `cbor:"4,keyasint"`
	Exclude        []descriptor    `cbor:"5,keyasint,omitempty"`
	Extensions     map[string]any  `cbor:"6,keyasint,omitempty"`
	Options        map[string]bool `cbor:"7,keyasint"`
	Param          []byte          `cbor:"8,keyasint"`
	Protocol       protocol        `cbor:"9,keyasint"`
}

type makeAnswer struct {
	Format    string         `cbor:"1,keyasint"`
	AuthData  []byte         `cbor:"2,keyasint"`
	Statement map[string]any `cbor:"3,keyasint"`
}

// attestation is WebAuthn's attestation object (WebAuthn L3 §6.5.4).
type attestation struct {
	Format    string         `cbor:"fmt"`
	Statement map[string]any `cbor:"attStmt"`
	AuthData  []byte         `cbor:"authData"`
}

// MakeCredential makes a discoverable, user-verified passkey on the unlocked
// key, after a touch, and returns its id and the attestation object.
func (k *Key) MakeCredential(ctx context.Context, r Request) (id, attestationObject []byte, err error) {
	if k.token == nil {
		return nil, nil, refused(0x36)
	}
	if rk, said := k.info.Options["rk"]; said && !rk {
		return nil, nil, refused(0x2B)
	}
	hash := sha256.Sum256(r.ClientData)
	in := makeRequest{ClientDataHash: hash[:], RP: rp{r.RPID, r.RPName}, User: user{r.UserID, r.UserName, r.UserShown},
		Options: map[string]bool{"rk": true}, Protocol: k.pin, Param: k.pin.authenticate(k.token, hash[:])}
	for _, alg := range r.Algorithms {
		in.Algorithms = append(in.Algorithms, Algorithm{"public-key", alg})
	}
	for _, id := range r.Exclude {
		in.Exclude = append(in.Exclude, descriptor{id, "public-key"})
	}
	if r.Protect > 0 && slices.Contains(k.info.Extensions, "credProtect") {
		in.Extensions = map[string]any{"credProtect": uint(r.Protect)}
	}
	var answer makeAnswer
	if err := k.call(ctx, makeCredential, in, &answer); err != nil {
		return nil, nil, err
	}
	if id = credentialID(answer.AuthData); id == nil {
		return nil, nil, badAnswer(nil)
	}
	if answer.Statement == nil {
		answer.Statement = map[string]any{}
	}
	attestationObject, err = encoding.Marshal(attestation{answer.Format, answer.Statement, answer.AuthData})
	return id, attestationObject, err
}

// credentialID cuts the id out of authenticator data (WebAuthn L3 §6.1, §6.5.1);
// nil if there is none.
func credentialID(authData []byte) []byte {
	const fixed = 32 + 1 + 4 + 16 + 2
	if len(authData) < fixed || authData[32]&0x40 == 0 {
		return nil
	}
	n := int(authData[fixed-2])<<8 | int(authData[fixed-1])
	if n == 0 || n > 1023 || len(authData) < fixed+n {
		return nil
	}
	return slices.Clone(authData[fixed : fixed+n])
}

type configRequest struct {
	Subcommand uint        `cbor:"1,keyasint"`
	Params     map[int]any `cbor:"2,keyasint"`
	Protocol   protocol    `cbor:"3,keyasint"`
	Param      []byte      `cbor:"4,keyasint"`
}

// ForcePINChange makes the unlocked key want a new PIN before its next use, so
// that the PIN it was prepared with is worth nothing afterwards. It is the last
// thing to do: the key keeps no token after it. A key that cannot is refused
// with pinChangeUnsupported (CTAP 2.1 §6.11.4).
func (k *Key) ForcePINChange(ctx context.Context) error {
	if !k.info.CanForcePINChange() {
		return problem.New(problem.Invalid, "pinChangeUnsupported", "This key cannot be told to ask for a new PIN. Ask the person to change it, or leave the option out.")
	}
	if k.token == nil {
		return refused(0x36)
	}
	const setMinPINLength = 3
	params := map[int]any{3: true}
	raw, err := encoding.Marshal(params)
	if err != nil {
		return err
	}
	message := slices.Concat(slices.Repeat([]byte{0xFF}, 32), []byte{config, setMinPINLength}, raw)
	if err := k.call(ctx, config, configRequest{setMinPINLength, params, k.pin, k.pin.authenticate(k.token, message)}, nil); err != nil {
		return err
	}
	clear(k.token)
	k.token = nil
	return k.refresh(ctx)
}
