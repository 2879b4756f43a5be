package webauthn

import (
	"errors"
	"fmt"

	"cardea/internal/problem"

	"github.com/go-webauthn/webauthn/protocol"
)

// refuse is the one place where a failed check becomes an error: its code, and
// what the person in front of the browser can do. The cause is for the log.
func refuse(code string, cause error) error {
	e := problem.New(problem.Invalid, code, "%s", advice(code))
	if cause != nil {
		return e.Because(cause)
	}
	return e
}

// advice is the sentence for a code. It never repeats what was received.
func advice(code string) string {
	switch code {
	case "responseMalformed":
		return "The answer of the browser could not be read. Reload the page and try again; if it keeps happening, update the browser."
	case "invalidAttestationDataFormat":
		return "The data of the new passkey could not be read. Try again, or use another device or security key."
	case "challengeUnknown":
		return "This request is not one that was asked for here. Reload the page and try again."
	case "challengeExpired":
		return "This request has expired. Reload the page and try again."
	case "challengeMismatch":
		return "The answer belongs to another request. Reload the page and try again."
	case "ceremonyTypeMismatch":
		return "The answer was made for another kind of request. Reload the page and try again."
	case "crossOriginNotAllowed":
		return "Passkeys cannot be used inside a page of another site here. Open the sign-in page in its own window and try again."
	case "topOriginMismatch":
		return "The page around this one is not allowed to use passkeys here. Open the sign-in page in its own window and try again."
	case "originMismatch":
		return "The passkey was used on an address that is not allowed. Check the address bar and open your organization's sign-in page; an administrator can allow more origins in the settings."
	case "rpIdMismatch":
		return "The passkey belongs to another site. Use a passkey of this site."
	case "userNotPresent":
		return "The device did not confirm that someone was there. Try again and touch or unlock the device when asked."
	case "userNotVerified":
		return "The device did not verify you. Set up a PIN, fingerprint or face unlock on it, then try again."
	case "backupStateInvalid":
		return "The device sent contradictory information about backup. Update it, or use another passkey."
	case "credentialIdInvalid":
		return "The identifier of the new passkey is not valid. Try again, or use another device or security key."
	case "algorithmNotOffered":
		return "The new passkey uses a type of key that was not asked for. Use another device or security key."
	case "publicKeyInvalid":
		return "The key of the new passkey is not one that can be used safely. Use another device or security key."
	case "extensionNotRequested":
		return "The browser answered something that was not asked for. Turn off browser extensions that change passkeys, or use another browser."
	case "attestationFormatUnsupported":
		return "The device proves its model in a way that is not supported, and your organization requires that proof. Use a device or security key your organization lists."
	case "attestationValidationFailed":
		return "The device's proof of its model is not valid. Use another device or security key, or ask your administrator."
	case "credentialNotAllowed":
		return "This passkey was not among those asked for. Try again and choose one of your passkeys for this account."
	case "credentialUnknown":
		return "This passkey is not known here. Use another passkey, or another way to sign in."
	case "userHandleMissing":
		return "The passkey did not say which account it belongs to. Use another passkey, or another way to sign in."
	case "userHandleMismatch":
		return "The passkey belongs to another account. Use a passkey of this account."
	case "signatureInvalid":
		return "The passkey could not be verified. Try again, or use another passkey."
	case "backupEligibilityLost":
		return "The passkey changed in a way that is not allowed. Register a new passkey, and remove this one."
	default:
		return "The passkey could not be verified. Try again, or use another passkey."
	}
}

// libraryCause keeps what the library says to developers, for the log only.
func libraryCause(err error) error {
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.DevInfo != "" {
		return fmt.Errorf("%w (%s)", err, e.DevInfo)
	}
	return err
}
