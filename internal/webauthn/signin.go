package webauthn

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// SignIn verifies an assertion against the record of the passkey (WebAuthn L3
// §7.2). Errors, in the order in which they are found: responseMalformed,
// challengeUnknown (c is of another purpose), challengeExpired,
// challengeMismatch, credentialNotAllowed, credentialUnknown (rec is another
// passkey), userHandleMissing, userHandleMismatch, ceremonyTypeMismatch,
// crossOriginNotAllowed, topOriginMismatch, originMismatch, rpIdMismatch,
// userNotPresent, userNotVerified, extensionNotRequested, signatureInvalid,
// backupStateInvalid, backupEligibilityLost. With the last two the signature was good: the
// challenge is spent (PK-106).
//
// A counter that went back and a passkey that became synced are facts, not
// errors; policy decides. From the moment the record is looked at every
// refusal costs one signature verification, as VerifyDummy does (PK-121).
func SignIn(rp RelyingParty, c Ceremony, rec Record, resp Response, now time.Time) (Facts, error) {
	cd, err := resp.clientData()
	if err != nil {
		return Facts{}, refuse("responseMalformed", err)
	}
	a, err := resp.assertionData()
	if err != nil {
		return Facts{}, refuse("responseMalformed", err)
	}
	outputs, err := resp.outputs()
	if err != nil {
		return Facts{}, refuse("responseMalformed", err)
	}
	if c.Purpose != SignInPurpose {
		return Facts{}, refuse("challengeUnknown", errors.New("the ceremony does not sign in"))
	}
	if err := cd.checkChallenge(c, now); err != nil {
		return Facts{}, err
	}
	if err := checkAssertion(rp, c, rec, resp, assertion{cd, a, outputs}); err != nil {
		VerifyDummy(resp)
		return Facts{}, err
	}
	if err := checkSignature(rec, resp); err != nil {
		return Facts{}, err
	}
	if err := a.checkBackup(); err != nil {
		return Facts{}, err
	}
	if rec.BackupEligible && !a.has(flagBE) {
		return Facts{}, refuse("backupEligibilityLost", nil)
	}
	return Facts{
		CredentialID:    rec.CredentialID,
		UserHandle:      rec.UserHandle,
		PublicKey:       rec.PublicKey,
		Algorithm:       rec.Algorithm,
		SignCount:       a.counter,
		CounterWentBack: a.counter <= rec.SignCount && (a.counter != 0 || rec.SignCount != 0),
		UserPresent:     a.has(flagUP),
		UserVerified:    a.has(flagUV),
		BackupEligible:  a.has(flagBE),
		BackupState:     a.has(flagBS),
		BackupUpgraded:  a.has(flagBE) && !rec.BackupEligible,
		Attachment:      resp.Attachment,
		Origin:          cd.Origin,
		CrossOrigin:     cd.CrossOrigin,
	}, nil
}

// assertionData checks sizes and decodes the authenticator data (checklist row 1).
func (r Response) assertionData() (authData, error) {
	if len(r.CredentialID) == 0 || len(r.CredentialID) > maxCredentialID {
		return authData{}, errors.New("credential id has not 1 to 1023 bytes")
	}
	if len(r.Signature) == 0 {
		return authData{}, errors.New("signature is missing")
	}
	if len(r.ClientDataJSON)+len(r.AuthenticatorData)+len(r.Signature)+len(r.UserHandle)+len(r.ExtensionResults) > MaxAssertionBody {
		return authData{}, errors.New("response is too large")
	}
	a, err := parseAuthData(r.AuthenticatorData)
	if err == nil && len(a.credentialID) > maxCredentialID {
		err = errors.New("attested credential id is longer than 1023 bytes")
	}
	return a, err
}

// assertion is a decoded response.
type assertion struct {
	client  *clientData
	auth    authData
	outputs []string // names of the client extension outputs
}

// checkAssertion makes all checks before the signature (checklist rows 3–10).
func checkAssertion(rp RelyingParty, c Ceremony, rec Record, resp Response, a assertion) error {
	if len(c.Allowed) > 0 && !slices.ContainsFunc(c.Allowed, func(id []byte) bool { return bytes.Equal(id, resp.CredentialID) }) {
		return refuse("credentialNotAllowed", nil)
	}
	if !bytes.Equal(rec.CredentialID, resp.CredentialID) {
		return refuse("credentialUnknown", nil)
	}
	switch {
	case len(resp.UserHandle) == 0 && len(c.Allowed) == 0:
		return refuse("userHandleMissing", nil)
	case len(resp.UserHandle) > 0 && !bytes.Equal(resp.UserHandle, rec.UserHandle):
		return refuse("userHandleMismatch", nil)
	case len(c.UserHandle) > 0 && !bytes.Equal(c.UserHandle, rec.UserHandle):
		return refuse("userHandleMismatch", errors.New("the passkey is not one of the person who steps up"))
	}
	if err := a.client.checkOrigin(rp, c, protocol.AssertCeremony); err != nil {
		return err
	}
	if err := a.auth.checkRP(rp); err != nil {
		return err
	}
	return checkExtensions(a.outputs, c.extensions())
}

// checkExtensions refuses client extension outputs that were not asked for
// (§7.1 step 28, §7.2 step 23; WA-10).
func checkExtensions(outputs, asked []string) error {
	for _, name := range outputs {
		if !slices.Contains(asked, name) {
			return refuse("extensionNotRequested", errors.New("extension "+name))
		}
	}
	return nil
}

// checkSignature verifies the signature over authenticator data and client data
// hash with the key of the record (§7.2 steps 20–21).
func checkSignature(rec Record, resp Response) error {
	key, alg, err := parseKey(rec.PublicKey)
	if err != nil {
		return refuse("signatureInvalid", err)
	}
	if rec.Algorithm != alg {
		return refuse("signatureInvalid", errors.New("the record names another algorithm than its key"))
	}
	if !verifySignature(key, signedBytes(resp.AuthenticatorData, resp.ClientDataJSON), resp.Signature) {
		return refuse("signatureInvalid", nil)
	}
	return nil
}

// signedBytes is what an authenticator signs: its data and the hash of the client's.
func signedBytes(authData, clientDataJSON []byte) []byte {
	h := sha256.Sum256(clientDataJSON)
	return append(append(make([]byte, 0, len(authData)+len(h)), authData...), h[:]...)
}

// VerifyDummy costs what a sign-in with a P-256 passkey costs: the caller runs
// it when no user holds the credential, so that time does not tell (PK-121, WA-46).
func VerifyDummy(resp Response) {
	key, _, err := parseKey([]byte(dummyKey))
	if err != nil {
		return
	}
	verifySignature(key, signedBytes(resp.AuthenticatorData, resp.ClientDataJSON), resp.Signature)
}

// dummyKey is the base point of P-256 as a COSE key. Its private key is 1, which
// does not matter: nobody looks at the result.
const dummyKey = es256Prefix +
	"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96" +
	es256Middle +
	"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
