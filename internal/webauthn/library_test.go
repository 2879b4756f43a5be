package webauthn_test

import (
	"encoding/base64"
	"encoding/json"

	"cardea/internal/webauthn"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	library "github.com/go-webauthn/webauthn/webauthn"
)

// libraryUser holds exactly one credential (WA-9).
type libraryUser struct {
	handle      []byte
	credentials []library.Credential
}

func (u libraryUser) WebAuthnID() []byte                        { return u.handle }
func (u libraryUser) WebAuthnName() string                      { return "-" }
func (u libraryUser) WebAuthnDisplayName() string               { return "-" }
func (u libraryUser) WebAuthnCredentials() []library.Credential { return u.credentials }

// librarySignIn gives the judgement of the library alone, under the settings we
// use: user verification required, no clock, BE as in the assertion (WA-6).
func librarySignIn(rp webauthn.RelyingParty, c webauthn.Ceremony, rec webauthn.Record, resp webauthn.Response) error {
	w, err := library.New(&library.Config{
		RPID: rp.ID, RPDisplayName: rp.Name, RPOrigins: rp.Origins, RPTopOrigins: rp.TopOrigins, RPAllowCrossOrigin: rp.CrossOrigin,
	})
	if err != nil {
		return err
	}
	car := protocol.CredentialAssertionResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{
			Credential: protocol.Credential{ID: base64.RawURLEncoding.EncodeToString(resp.CredentialID), Type: "public-key"},
			RawID:      resp.CredentialID,
		},
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: resp.ClientDataJSON},
			AuthenticatorData:     resp.AuthenticatorData, Signature: resp.Signature, UserHandle: resp.UserHandle,
		},
	}
	if len(resp.ExtensionResults) > 0 {
		if err := json.Unmarshal(resp.ExtensionResults, &car.ClientExtensionResults); err != nil {
			return err
		}
	}
	parsed, err := car.Parse()
	if err != nil {
		return err
	}
	user := libraryUser{rec.UserHandle, []library.Credential{{
		ID: rec.CredentialID, PublicKey: rec.PublicKey, Authenticator: library.Authenticator{SignCount: rec.SignCount},
		Flags: library.NewCredentialFlags(parsed.Response.AuthenticatorData.Flags),
	}}}
	session := library.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(c.Challenge), RelyingPartyID: rp.ID, UserVerification: protocol.VerificationRequired,
		AllowedCredentialIDs: c.Allowed,
	}
	if len(c.Allowed) > 0 {
		session.UserID, session.AllowedCredentialIDs = rec.UserHandle, nil
		_, err = w.ValidateLogin(user, session, parsed)
		return err
	}
	_, _, err = w.ValidatePasskeyLogin(func(_, handle []byte) (library.User, error) { return user, nil }, session, parsed)
	return err
}

// libraryRegister gives the judgement of the library alone on a registration.
func libraryRegister(rp webauthn.RelyingParty, c webauthn.Ceremony, algorithms []int64, resp webauthn.Response) error {
	w, err := library.New(&library.Config{
		RPID: rp.ID, RPDisplayName: rp.Name, RPOrigins: rp.Origins, RPTopOrigins: rp.TopOrigins, RPAllowCrossOrigin: rp.CrossOrigin,
	})
	if err != nil {
		return err
	}
	ccr := protocol.CredentialCreationResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{
			Credential: protocol.Credential{ID: base64.RawURLEncoding.EncodeToString(resp.CredentialID), Type: "public-key"},
			RawID:      resp.CredentialID,
		},
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: resp.ClientDataJSON},
			AttestationObject:     resp.AttestationObject,
		},
	}
	if len(resp.ExtensionResults) > 0 {
		if err := json.Unmarshal(resp.ExtensionResults, &ccr.ClientExtensionResults); err != nil {
			return err
		}
	}
	parsed, err := ccr.Parse()
	if err != nil {
		return err
	}
	session := library.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(c.Challenge), RelyingPartyID: rp.ID, UserID: c.UserHandle,
		UserVerification: protocol.VerificationRequired,
		Extensions:       protocol.SessionExtensions{Requested: []string{"hmacCreateSecret", "credProps"}},
	}
	for _, alg := range algorithms {
		session.CredParams = append(session.CredParams, protocol.CredentialParameter{Type: "public-key", Algorithm: webauthncose.COSEAlgorithmIdentifier(alg)})
	}
	_, err = w.CreateCredential(libraryUser{handle: c.UserHandle}, session, parsed)
	return err
}
