package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Wire form of the options: what parseCreationOptionsFromJSON and
// parseRequestOptionsFromJSON read (WA-20), and what Graph calls publicKey.

type creationOptions struct {
	RP          entity         `json:"rp"`
	User        userEntity     `json:"user"`
	Challenge   string         `json:"challenge"`
	Params      []keyParam     `json:"pubKeyCredParams"`
	Timeout     int64          `json:"timeout"` // milliseconds
	Exclude     []descriptor   `json:"excludeCredentials"`
	Selection   selection      `json:"authenticatorSelection"`
	Attestation string         `json:"attestation"`
	Extensions  map[string]any `json:"extensions"`
}

type requestOptions struct {
	Challenge        string       `json:"challenge"`
	Timeout          int64        `json:"timeout"` // milliseconds
	RPID             string       `json:"rpId"`
	Allow            []descriptor `json:"allowCredentials"`
	UserVerification string       `json:"userVerification"`
}

type entity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userEntity struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

type keyParam struct {
	Type string `json:"type"`
	Alg  int64  `json:"alg"`
}

type descriptor struct {
	Type       string   `json:"type"`
	ID         string   `json:"id"`
	Transports []string `json:"transports"`
}

type selection struct {
	Attachment         string `json:"authenticatorAttachment,omitempty"`
	ResidentKey        string `json:"residentKey,omitempty"`
	RequireResidentKey bool   `json:"requireResidentKey"`
	UserVerification   string `json:"userVerification"`
}

// CreationOptions makes the options of a registration, as PK §6.1 lists them for
// c.Purpose: RegisterPurpose for our own pages, ProvisionPurpose for tools.
// Passkeys in exclude will not be made twice. The error is a mistake of the
// caller, never of a person.
func CreationOptions(rp RelyingParty, c Ceremony, u User, exclude []Descriptor) (json.RawMessage, error) {
	if c.Purpose != RegisterPurpose && c.Purpose != ProvisionPurpose {
		return nil, fmt.Errorf("purpose %q makes no passkeys", c.Purpose)
	}
	if len(c.Challenge) < minChallenge {
		return nil, errors.New("challenge is shorter than 16 bytes")
	}
	if len(u.Handle) < 1 || len(u.Handle) > 64 {
		return nil, errors.New("user handle has not 1 to 64 bytes")
	}
	extensions, err := c.extensionInputs()
	if err != nil {
		return nil, err
	}
	o := creationOptions{
		RP:          entity{rp.ID, rp.Name},
		User:        userEntity{encode(u.Handle), u.Name, u.DisplayName},
		Challenge:   encode(c.Challenge),
		Timeout:     c.timeout(),
		Exclude:     descriptors(exclude),
		Selection:   c.selection(),
		Attestation: "direct", // always: otherwise some platforms blank the AAGUID (PK-90)
		Extensions:  extensions,
	}
	for _, alg := range c.algorithms() {
		o.Params = append(o.Params, keyParam{"public-key", alg})
	}
	return json.Marshal(o)
}

// RequestOptions makes the options of a sign-in. An empty allow lets the person
// choose any passkey of the site (PK-120); the ids of a filled one belong into
// Ceremony.Allowed when the answer arrives.
func RequestOptions(rp RelyingParty, c Ceremony, allow []Descriptor) (json.RawMessage, error) {
	if c.Purpose != SignInPurpose {
		return nil, fmt.Errorf("purpose %q does not sign in", c.Purpose)
	}
	if len(c.Challenge) < minChallenge {
		return nil, errors.New("challenge is shorter than 16 bytes")
	}
	return json.Marshal(requestOptions{
		Challenge:        encode(c.Challenge),
		Timeout:          c.timeout(),
		RPID:             rp.ID,
		Allow:            descriptors(allow),
		UserVerification: "required",
	})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// descriptors are always arrays, transports too: tools know no other form (PK-136).
func descriptors(list []Descriptor) []descriptor {
	out := make([]descriptor, len(list))
	for i, d := range list {
		out[i] = descriptor{"public-key", encode(d.ID), d.Transports}
		if d.Transports == nil {
			out[i].Transports = []string{}
		}
	}
	return out
}

// timeout is in milliseconds, as the browser wants it. It is unrelated to the
// life of the challenge.
func (c Ceremony) timeout() int64 {
	d := c.Timeout
	switch {
	case d > 0:
	case c.Purpose == ProvisionPurpose:
		d = time.Minute
	case c.Purpose == RegisterPurpose:
		d = 10 * time.Minute
	default:
		d = 5 * time.Minute
	}
	return d.Milliseconds()
}

// selection asks for a discoverable credential with user verification. Graph's
// type has no residentKey, so provisioning says only requireResidentKey (PK-104).
func (c Ceremony) selection() selection {
	s := selection{Attachment: c.Attachment, RequireResidentKey: true, UserVerification: "required"}
	if c.Purpose == RegisterPurpose {
		s.ResidentKey = "required"
	} else if s.Attachment == "" {
		s.Attachment = "cross-platform"
	}
	return s
}

// extensionInputs are those whose outputs the finish will accept. Only
// extensions with the input true can be chosen by name.
func (c Ceremony) extensionInputs() (map[string]any, error) {
	if c.Purpose == ProvisionPurpose && len(c.Extensions) == 0 {
		return map[string]any{
			"hmacCreateSecret":                  true,
			"enforceCredentialProtectionPolicy": true,
			"credentialProtectionPolicy":        "userVerificationOptional",
		}, nil
	}
	inputs := map[string]any{}
	for _, name := range c.extensions() {
		switch name {
		case "hmacCreateSecret", "credProps", "minPinLength", "uvm":
			inputs[name] = true
		default:
			return nil, fmt.Errorf("extension %q cannot be asked for by name", name)
		}
	}
	return inputs, nil
}
