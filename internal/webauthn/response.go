package webauthn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// Largest bodies that are looked at (WA-21).
const (
	MaxAssertionBody    = 16 << 10
	MaxRegistrationBody = 128 << 10
)

// Response is the answer of an authenticator as bytes. ParseRegistration and
// ParseAssertion read it from the JSON of a browser; who gets the parts in
// another way fills it by hand. Register and SignIn check sizes again.
type Response struct {
	CredentialID      []byte
	ClientDataJSON    []byte
	AttestationObject []byte // registration
	AuthenticatorData []byte // sign-in
	Signature         []byte // sign-in
	UserHandle        []byte // sign-in, may be empty
	Transports        []string
	Attachment        string          // "platform", "cross-platform" or ""
	ExtensionResults  json.RawMessage // clientExtensionResults; empty means none

	client *clientData // decoded ClientDataJSON, so that Peek and the finish need not decode twice
}

// Unverified is what a response claims before anything is checked: enough to
// open the challenge and to find the record.
type Unverified struct {
	CredentialID []byte
	UserHandle   []byte // empty if not sent
	Challenge    []byte
}

// browserJSON is PublicKeyCredentialJSON, the result of toJSON(). The fields
// authenticatorData, publicKey and publicKeyAlgorithm of a registration are
// copies of parts of the attestation object for scripts, and are not read.
type browserJSON struct {
	ID         string `json:"id"`
	RawID      string `json:"rawId"`
	Type       string `json:"type"`
	Attachment string `json:"authenticatorAttachment"`
	Response   struct {
		ClientDataJSON    string   `json:"clientDataJSON"`
		AttestationObject string   `json:"attestationObject"`
		AuthenticatorData string   `json:"authenticatorData"`
		Signature         string   `json:"signature"`
		UserHandle        string   `json:"userHandle"`
		Transports        []string `json:"transports"`
	} `json:"response"`
	Extensions json.RawMessage `json:"clientExtensionResults"`
}

// ParseRegistration reads the toJSON() form of a new credential, 128 KiB at
// most. Error: responseMalformed.
func ParseRegistration(body []byte) (Response, error) {
	b, resp, err := parseBrowser(body, MaxRegistrationBody)
	if err != nil {
		return Response{}, refuse("responseMalformed", err)
	}
	if resp.AttestationObject, err = decodeBase64(b.Response.AttestationObject); err != nil || len(resp.AttestationObject) == 0 {
		return Response{}, refuse("responseMalformed", errors.New("attestationObject is missing or not base64url"))
	}
	resp.Transports = hints(b.Response.Transports)
	return resp, nil
}

// ParseAssertion reads the toJSON() form of an assertion, 16 KiB at most.
// Error: responseMalformed.
func ParseAssertion(body []byte) (Response, error) {
	b, resp, err := parseBrowser(body, MaxAssertionBody)
	if err != nil {
		return Response{}, refuse("responseMalformed", err)
	}
	if resp.AuthenticatorData, err = decodeBase64(b.Response.AuthenticatorData); err != nil || len(resp.AuthenticatorData) == 0 {
		return Response{}, refuse("responseMalformed", errors.New("authenticatorData is missing or not base64url"))
	}
	if resp.Signature, err = decodeBase64(b.Response.Signature); err != nil || len(resp.Signature) == 0 {
		return Response{}, refuse("responseMalformed", errors.New("signature is missing or not base64url"))
	}
	if resp.UserHandle, err = decodeBase64(b.Response.UserHandle); err != nil {
		return Response{}, refuse("responseMalformed", errors.New("userHandle is not base64url"))
	}
	return resp, nil
}

// parseBrowser reads the members that both ceremonies have.
func parseBrowser(body []byte, limit int) (b browserJSON, resp Response, err error) {
	if len(body) > limit {
		return b, resp, errors.New("body is too large")
	}
	if err = json.Unmarshal(body, &b); err != nil {
		return b, resp, err
	}
	if b.Type != "public-key" {
		return b, resp, errors.New("type is not public-key")
	}
	if resp.CredentialID, err = decodeBase64(b.ID); err != nil || len(resp.CredentialID) == 0 {
		return b, resp, errors.New("id is missing or not base64url")
	}
	// The usual case compares two equal strings; only another spelling is decoded.
	if b.RawID != b.ID {
		raw, err := decodeBase64(b.RawID)
		if err != nil || !bytes.Equal(raw, resp.CredentialID) {
			return b, resp, errors.New("rawId is not id")
		}
	}
	if resp.ClientDataJSON, err = decodeBase64(b.Response.ClientDataJSON); err != nil {
		return b, resp, errors.New("clientDataJSON is not base64url")
	}
	if resp.client, err = parseClientData(resp.ClientDataJSON); err != nil {
		return b, resp, err
	}
	if b.Attachment == "platform" || b.Attachment == "cross-platform" {
		resp.Attachment = b.Attachment
	}
	resp.ExtensionResults = b.Extensions
	return b, resp, nil
}

// decodeBase64 reads base64url, padded or not.
func decodeBase64(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

// hints keeps transports that could be real; they are never more than a hint.
func hints(transports []string) []string {
	var kept []string
	for _, t := range transports {
		if len(t) > 0 && len(t) <= 32 && len(kept) < 8 {
			kept = append(kept, t)
		}
	}
	return kept
}

// Peek reads what is needed to open the challenge and to find the record.
// Nothing of it is proved yet. Error: responseMalformed.
func Peek(resp Response) (Unverified, error) {
	cd, err := resp.clientData()
	if err != nil {
		return Unverified{}, refuse("responseMalformed", err)
	}
	challenge, err := decodeBase64(cd.Challenge)
	if err != nil {
		return Unverified{}, refuse("responseMalformed", errors.New("challenge is not base64url"))
	}
	return Unverified{CredentialID: resp.CredentialID, UserHandle: resp.UserHandle, Challenge: challenge}, nil
}

// outputs names the client extension outputs.
func (r Response) outputs() ([]string, error) {
	if len(r.ExtensionResults) == 0 || string(r.ExtensionResults) == "{}" {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.ExtensionResults, &members); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(members)), nil
}
