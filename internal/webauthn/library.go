package webauthn

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	library "github.com/go-webauthn/webauthn/webauthn"
)

// libraryUser is the account as the library wants it: it compares the handle and
// nothing else at registration.
type libraryUser struct{ handle []byte }

func (u libraryUser) WebAuthnID() []byte                        { return u.handle }
func (u libraryUser) WebAuthnName() string                      { return "-" }
func (u libraryUser) WebAuthnDisplayName() string               { return "-" }
func (u libraryUser) WebAuthnCredentials() []library.Credential { return nil }

// libraryConfig makes a configuration for one ceremony. Nothing is shared
// between ceremonies, so nothing can be changed under one that runs (WA-15).
// Metadata and filters stay off: the library's are no policy (WA-16), and it
// must not read the clock for expiry (WA-2).
func libraryConfig(rp RelyingParty, c Ceremony) *library.Config {
	origins := rp.Origins
	if c.lenient() {
		origins = append(append([]string{}, origins...), "https://"+rp.ID)
	}
	return &library.Config{
		RPID:                        rp.ID,
		RPDisplayName:               rp.Name,
		RPOrigins:                   origins,
		RPTopOrigins:                rp.TopOrigins,
		RPTopOriginVerificationMode: protocol.TopOriginExplicitVerificationMode,
		RPAllowCrossOrigin:          rp.CrossOrigin,
	}
}

// librarySession is what the library would have kept since the options (WA-17).
// The member that asks to enforce credProtect is left out: the policy asked for
// is the weakest there is, so an authenticator that says nothing satisfies it,
// and many say nothing.
func librarySession(rp RelyingParty, c Ceremony) library.SessionData {
	s := library.SessionData{
		Challenge:        encode(c.Challenge),
		RelyingPartyID:   rp.ID,
		UserID:           c.UserHandle,
		UserVerification: protocol.VerificationRequired,
		Extensions:       protocol.SessionExtensions{Requested: c.extensions()},
	}
	for _, alg := range c.algorithms() {
		s.CredParams = append(s.CredParams, protocol.CredentialParameter{
			Type:      protocol.PublicKeyCredentialType,
			Algorithm: webauthncose.COSEAlgorithmIdentifier(alg),
		})
	}
	return s
}

// libraryRegister runs the library's whole registration on a copy whose
// statement is replaced by none. The statement is verified on its own, because
// the library knows only "fail" where WA-31 knows "record".
func libraryRegister(rp RelyingParty, c Ceremony, resp Response, rawAuthData []byte) error {
	w, err := library.New(libraryConfig(rp, c))
	if err != nil {
		return fmt.Errorf("relying party settings: %w", err)
	}
	ccr := protocol.CredentialCreationResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{
			Credential: protocol.Credential{ID: encode(resp.CredentialID), Type: string(protocol.PublicKeyCredentialType)},
			RawID:      resp.CredentialID,
		},
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: resp.ClientDataJSON},
			AttestationObject:     withoutStatement(rawAuthData),
		},
	}
	if len(resp.ExtensionResults) > 0 {
		if err := json.Unmarshal(resp.ExtensionResults, &ccr.ClientExtensionResults); err != nil {
			return refuse("responseMalformed", err)
		}
	}
	parsed, err := ccr.Parse()
	if err != nil {
		return refuse("invalidAttestationDataFormat", libraryCause(err))
	}
	if _, err := w.CreateCredential(libraryUser{c.UserHandle}, librarySession(rp, c), parsed); err != nil {
		return refuse("verificationFailed", libraryCause(err))
	}
	return nil
}

// withoutStatement builds the attestation object {fmt: none, attStmt: {}, authData}.
func withoutStatement(authData []byte) []byte {
	const head = "\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x5a"
	n := len(authData)
	out := append(make([]byte, 0, len(head)+4+n), head...)
	out = append(out, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(out, authData...)
}

// libraryStatement verifies the statement of an attestation object and gives the
// library's name for its type.
func libraryStatement(object []byte, clientDataHash []byte) (string, error) {
	var ao protocol.AttestationObject
	if err := webauthncbor.Unmarshal(object, &ao); err != nil {
		return "", err
	}
	if err := ao.AuthData.Unmarshal(ao.RawAuthData); err != nil {
		return "", libraryCause(err)
	}
	if err := ao.VerifyAttestation(clientDataHash, nil, protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return "", libraryCause(err)
	}
	if ao.Type == "" {
		return "", errors.New("the library gave no attestation type")
	}
	return ao.Type, nil
}
