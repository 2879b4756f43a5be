package passkey

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"cardea/internal/problem"
	"cardea/internal/webauthn"

	"github.com/fxamacker/cbor/v2"
)

// Answer is the new passkey as it arrives.
type Answer struct {
	Response    webauthn.Response
	DisplayName string // "" means provider name or model (PK-46)
	State       State  // Disabled: its owner has yet to activate it; "" means Enabled
}

// ReadAnswer reads the toJSON() form of our own pages. Error: badRequest.
func ReadAnswer(credential []byte, displayName string) (Answer, error) {
	resp, err := webauthn.ParseRegistration(credential)
	if err != nil {
		return Answer{}, graphCode(err)
	}
	return Answer{Response: resp, DisplayName: displayName}, nil
}

// ReadProvisioned reads the body of Graph's POST fido2Methods. Unknown members
// are ignored (PK-139), but for those of ours (DO-51); base64 may come in any flavour (WC-61). Errors:
// requiredParamMissing, badRequest.
func ReadProvisioned(body []byte) (Answer, error) {
	if len(body) > webauthn.MaxRegistrationBody {
		return Answer{}, problem.New(problem.Invalid, "badRequest", "The body is larger than a passkey can be.")
	}
	var b struct {
		DisplayName         string `json:"displayName"`
		PublicKeyCredential *struct {
			ID       string `json:"id"`
			Response *struct {
				ClientDataJSON    string          `json:"clientDataJSON"`
				AttestationObject string          `json:"attestationObject"`
				Transports        json.RawMessage `json:"transports"`
			} `json:"response"`
		} `json:"publicKeyCredential"`
		Cardea json.RawMessage `json:"cardea"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return Answer{}, problem.New(problem.Invalid, "badRequest", "The body is not the JSON of a passkey. Compare it with the documentation of POST fido2Methods.").Because(err)
	}
	switch {
	case b.PublicKeyCredential == nil:
		return Answer{}, missing("/publicKeyCredential")
	case b.PublicKeyCredential.ID == "":
		return Answer{}, missing("/publicKeyCredential/id")
	case b.PublicKeyCredential.Response == nil:
		return Answer{}, missing("/publicKeyCredential/response")
	}
	sent := b.PublicKeyCredential.Response
	state, err := readExtra(b.Cardea)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{DisplayName: b.DisplayName, State: state}
	if a.Response.ClientDataJSON, err = readBase64("/publicKeyCredential/response/clientDataJSON", sent.ClientDataJSON, json.Valid); err != nil {
		return Answer{}, err
	}
	if a.Response.AttestationObject, err = readBase64("/publicKeyCredential/response/attestationObject", sent.AttestationObject,
		func(b []byte) bool { return cbor.Wellformed(b) == nil }); err != nil {
		return Answer{}, err
	}
	// Of two readings of the id the one is meant that the authenticator signed.
	a.Response.CredentialID, err = readBase64("/publicKeyCredential/id", b.PublicKeyCredential.ID,
		func(id []byte) bool { return bytes.Contains(a.Response.AttestationObject, id) })
	if json.Unmarshal(sent.Transports, &a.Response.Transports) != nil {
		a.Response.Transports = nil // a hint, and only a hint
	}
	return a, err
}

// readBase64 decodes base64 or base64url, padded or not, or with the digit that
// UrlTokenEncode puts in place of the padding (WC-61). Where a text has two
// readings, looksRight chooses; if neither does, the plain one is taken.
func readBase64(at, text string, looksRight func([]byte) bool) ([]byte, error) {
	if text == "" {
		return nil, missing(at)
	}
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(text), "="))
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && looksRight(plain) {
		return plain, nil
	}
	if n := len(text) - 1; n > 0 && text[n] == "0?21"[n%4] { // n%4 characters over: so many '=' were removed
		if cut, err := base64.RawURLEncoding.DecodeString(text[:n]); err == nil && looksRight(cut) {
			return cut, nil
		}
	}
	if err != nil || len(plain) == 0 {
		return nil, problem.New(problem.Invalid, "badRequest", "This member is not base64url. Send the bytes as the authenticator gave them.").On(at).Because(err)
	}
	return plain, nil
}

// graphCodes maps the checks of package webauthn to the codes of PK §7.6.
var graphCodes = map[string]string{
	"responseMalformed": "badRequest", "credentialIdInvalid": "badRequest",
	"invalidAttestationDataFormat": "invalidAttestationDataFormat",
	"challengeExpired":             "challengeExpired",
	"algorithmNotOffered":          "invalidKeyDataFormat", "publicKeyInvalid": "invalidKeyDataFormat",
	"attestationFormatUnsupported": CodeAttestation, "attestationValidationFailed": CodeAttestation,
}

// graphCode gives a refusal of a ceremony its public code; what was refused
// exactly becomes its reason. Whatever has no code of its own is
// verificationFailed.
func graphCode(err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	code, known := graphCodes[e.Code]
	if !known {
		code = "verificationFailed"
	}
	return &problem.Error{Kind: e.Kind, Code: code, Target: e.Target, Detail: e.Detail, Err: err, Reasons: []problem.Reason{{Code: e.Code, Message: e.Detail}}}
}
