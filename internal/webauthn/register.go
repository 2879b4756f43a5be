package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// Register verifies the creation of a passkey (WebAuthn L3 §7.1). Errors, in the
// order in which they are found: responseMalformed,
// invalidAttestationDataFormat, challengeUnknown (c is of another purpose),
// challengeExpired, challengeMismatch, ceremonyTypeMismatch,
// crossOriginNotAllowed, topOriginMismatch, originMismatch, rpIdMismatch,
// userNotPresent, userNotVerified, backupStateInvalid, credentialIdInvalid,
// algorithmNotOffered, publicKeyInvalid, extensionNotRequested,
// verificationFailed (only the library saw a fault),
// attestationFormatUnsupported, attestationValidationFailed.
//
// The last two are errors if c.RequireAttestation is set; otherwise they are
// facts (Attestation.Problem), except that a statement of a known format whose
// signature is wrong is always an error (WA-33). Whether the credential id is
// already registered only the caller can know.
func Register(rp RelyingParty, c Ceremony, resp Response, now time.Time) (Facts, error) {
	if c.Purpose == ProvisionPurpose {
		// Tools send raw authenticator outputs here, or nothing (WC §1.9, WA-10).
		resp.ExtensionResults = nil
	}
	cd, outputs, err := resp.registrationClient()
	if err != nil {
		return Facts{}, refuse("responseMalformed", err)
	}
	st, err := parseStatement(resp.AttestationObject)
	if err != nil {
		return Facts{}, refuse("invalidAttestationDataFormat", err)
	}
	if c.Purpose != RegisterPurpose && c.Purpose != ProvisionPurpose || len(c.UserHandle) == 0 {
		return Facts{}, refuse("challengeUnknown", errors.New("the ceremony makes no passkeys, or for nobody"))
	}
	if err := cd.checkChallenge(c, now); err != nil {
		return Facts{}, err
	}
	if err := cd.checkOrigin(rp, c, protocol.CreateCeremony); err != nil {
		return Facts{}, err
	}
	if err := st.auth.checkRP(rp); err != nil {
		return Facts{}, err
	}
	if err := st.auth.checkBackup(); err != nil {
		return Facts{}, err
	}
	alg, err := st.auth.checkCredential(c, resp)
	if err != nil {
		return Facts{}, err
	}
	if err := checkExtensions(outputs, c.extensions()); err != nil {
		return Facts{}, err
	}
	if err := libraryRegister(rp, c, resp, st.authData); err != nil {
		return Facts{}, err
	}
	att, err := st.verify(sha256.Sum256(resp.ClientDataJSON), c.RequireAttestation)
	if err != nil {
		return Facts{}, err
	}
	att.Object, att.ClientData = resp.AttestationObject, resp.ClientDataJSON
	att.Trust = CheckTrust(att, nil, now) // nothing is attested until somebody brings anchors
	return Facts{
		CredentialID: bytes.Clone(st.auth.credentialID), // not a view into 128 KiB

		UserHandle:     c.UserHandle,
		PublicKey:      bytes.Clone(st.auth.publicKey),
		Algorithm:      alg,
		AAGUID:         st.auth.aaguid,
		SignCount:      st.auth.counter,
		UserPresent:    st.auth.has(flagUP),
		UserVerified:   st.auth.has(flagUV),
		BackupEligible: st.auth.has(flagBE),
		BackupState:    st.auth.has(flagBS),
		Transports:     resp.Transports,
		Attachment:     resp.Attachment,
		Discoverable:   resp.discoverable(),
		Origin:         cd.Origin,
		CrossOrigin:    cd.CrossOrigin,
		Attestation:    att,
	}, nil
}

// registrationClient checks sizes and decodes what the client added (checklist rows 1–2).
func (r Response) registrationClient() (*clientData, []string, error) {
	if len(r.ClientDataJSON)+len(r.AttestationObject)+len(r.ExtensionResults) > MaxRegistrationBody {
		return nil, nil, errors.New("response is too large")
	}
	outputs, err := r.outputs()
	if err != nil {
		return nil, nil, err
	}
	cd, err := r.clientData()
	return cd, outputs, err
}

// checkCredential checks id, algorithm and key of the new credential (checklist
// rows 14–16; §7.1 steps 20 and 25).
func (a authData) checkCredential(c Ceremony, resp Response) (int64, error) {
	if n := len(a.credentialID); n < 1 || n > maxCredentialID || !bytes.Equal(a.credentialID, resp.CredentialID) {
		return 0, refuse("credentialIdInvalid", nil)
	}
	var head struct {
		Algorithm *int64 `cbor:"3,keyasint"`
	}
	if err := authDataMode.Unmarshal(a.publicKey, &head); err != nil || head.Algorithm == nil {
		return 0, refuse("publicKeyInvalid", errors.Join(errors.New("the key names no algorithm"), err))
	}
	if !slices.Contains(c.algorithms(), *head.Algorithm) {
		return 0, refuse("algorithmNotOffered", nil)
	}
	// What cannot be parsed now could be registered but never used: a lock-out (WA-7).
	_, alg, err := parseKey(a.publicKey)
	if err != nil {
		return 0, refuse("publicKeyInvalid", err)
	}
	return alg, nil
}

// discoverable is the client's word on whether the passkey needs no user name (credProps.rk).
func (r Response) discoverable() *bool {
	var results struct {
		CredProps struct {
			RK *bool `json:"rk"`
		} `json:"credProps"`
	}
	if json.Unmarshal(r.ExtensionResults, &results) != nil {
		return nil
	}
	return results.CredProps.RK
}
