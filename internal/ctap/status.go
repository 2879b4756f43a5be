package ctap

import "cardea/internal/problem"

// statuses are the refusals that a person can do something about
// (CTAP 2.1 §8.2).
var statuses = map[byte]struct{ code, detail string }{
	0x19: {"keyAlreadyRegistered", "This key already holds a passkey of this person. Use another key."},
	0x26: {"keyAlgorithmUnsupported", "This key makes none of the algorithms that are allowed. Use another key."},
	0x27: {"keyDenied", "The key refused. Repeat, and touch it when it blinks."},
	0x28: {"keyFull", "This key has no room for another passkey. Delete one on it, or use another key."},
	0x2B: {"keyOptionUnsupported", "This key cannot hold passkeys. Use a FIDO2 key with room for discoverable credentials."},
	0x2D: {"keyCancelled", "The key was told to stop. Repeat."},
	0x2F: {"keyTimeout", "Nobody touched the key in time. Repeat, and touch it when it blinks."},
	0x30: {"keyDenied", "The key refused this, as it is set up. Reset the key, or use another."},
	0x31: {"pinInvalid", "The PIN is wrong. Look at it again: after eight wrong PINs the key is locked for good."},
	0x32: {"pinBlocked", "This key is locked after too many wrong PINs. Reset the key: what it holds is lost."},
	0x34: {"pinAuthBlocked", "Too many wrong PINs in a row. Pull the key out, plug it in again, and repeat."},
	0x35: {"pinNotSet", "This key has no PIN. Set one first."},
	0x36: {"pinRequired", "This key wants its PIN."},
	0x37: {"pinPolicyViolation", "The key does not accept this PIN. Take a longer one, or one that was not used before."},
	0x3A: {"keyTimeout", "Nobody touched the key in time. Repeat, and touch it when it blinks."},
}

// refused names a status byte of a key.
func refused(status byte) error {
	if s, ok := statuses[status]; ok {
		return problem.New(problem.Invalid, s.code, "%s", s.detail)
	}
	return problem.New(problem.Invalid, "keyRefused", "The key refused with status 0x%02x. Plug it in again and repeat; if it stays, use another key.", status)
}
