// Package webauthn runs both passkey ceremonies: options in, verified facts out.
//
// A registration goes CreationOptions → browser → ParseRegistration → Peek →
// Register; a sign-in goes RequestOptions → browser → ParseAssertion → Peek →
// SignIn. Between Peek and the finish the caller opens the challenge it made
// (the challenge is its sealed state, this package only compares bytes) and
// reads the credential record. CheckTrust judges the certificates of a
// registration, at once or years later from the kept bytes.
//
// The package states what was proved and has no opinion about it: which
// passkey may be used by whom is decided elsewhere, from Facts. It knows no
// people, keeps nothing, reads no clock and does no I/O. No type of the
// WebAuthn library leaves it.
//
// # Two ways to verify
//
// A registration is checked twice: by this package, row by row with a code of
// its own (WebAuthn L3 §7.1), and then as a whole by go-webauthn. A sign-in is
// checked by this package alone (§7.2), because the library's pass costs about
// a third of the signature verification itself and a sign-in is what an
// identity provider does all day. That the two agree is shown by tests: every
// assertion accepted here is accepted by the library under equal settings, and
// what the library accepts is refused here only with a code of a short list
// of rules that are stricter on purpose (exact origins, RSA key sizes, UTF-8).
//
// # Known exception to "no clock"
//
// The library compares certificates of packed, tpm, fido-u2f and safetynet
// statements with the wall clock when it verifies a statement (WA-13). Only
// Attestation.Type can depend on it, never whether a passkey is registered
// while attestation is merely recorded, and CheckTrust does not.
package webauthn
