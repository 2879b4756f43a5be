package webauthn

import (
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// Limits of an attestation object (WA-21).
const (
	maxCertificates = 8
	maxFormat       = 32 // characters of a format id
)

// statement is a decoded attestation object.
type statement struct {
	object       []byte // as sent
	format       string
	fields       map[string]any // nil if the statement is not a map of text keys
	certificates [][]byte       // x5c, if it is one
	authData     []byte
	auth         authData
}

// parseStatement decodes an attestation object (WebAuthn L3 §7.1 step 13): no
// trailing bytes, no duplicate keys, attested credential data present.
func parseStatement(object []byte) (statement, error) {
	var o struct {
		Format    string          `cbor:"fmt"`
		Statement cbor.RawMessage `cbor:"attStmt"`
		AuthData  []byte          `cbor:"authData"`
	}
	if err := objectMode.Unmarshal(object, &o); err != nil {
		return statement{}, err
	}
	if n := len(o.Format); n < 1 || n > maxFormat {
		return statement{}, errors.New("format id has not 1 to 32 characters")
	}
	if len(o.Statement) == 0 {
		return statement{}, errors.New("attStmt is missing")
	}
	s := statement{object: object, format: o.Format, authData: o.AuthData}
	var err error
	if s.auth, err = parseAuthData(o.AuthData); err != nil {
		return statement{}, err
	}
	if !s.auth.has(flagAT) {
		return statement{}, errors.New("attested credential data is missing")
	}
	return s, s.parseFields(o.Statement)
}

// parseFields decodes the statement itself. One that is not a map of text keys
// can only belong to a format we do not verify; it still has to be sound CBOR.
func (s *statement) parseFields(raw []byte) error {
	var any any
	if err := objectMode.Unmarshal(raw, &any); err != nil {
		return err
	}
	if objectMode.Unmarshal(raw, &s.fields) != nil {
		s.fields = nil
		return nil
	}
	list, _ := s.fields["x5c"].([]interface{})
	if len(list) > maxCertificates {
		return errors.New("more than 8 certificates")
	}
	for _, c := range list {
		der, ok := c.([]byte)
		if !ok {
			s.certificates = nil
			return nil
		}
		s.certificates = append(s.certificates, der)
	}
	return nil
}

// verify judges the statement (§7.1 steps 21–22). What it proves about trust is
// the business of CheckTrust.
func (s statement) verify(clientDataHash [32]byte, require bool) (Attestation, error) {
	att := Attestation{Format: s.format, Certificates: s.certificates}
	switch s.format {
	case "none":
		if s.fields == nil || len(s.fields) != 0 {
			return Attestation{}, refuse("attestationValidationFailed", errors.New("format none with a statement"))
		}
		att.Type = TypeNone
		return att, nil
	case "packed", "tpm", "android-key", "apple", "fido-u2f":
	default:
		if require {
			return Attestation{}, refuse("attestationFormatUnsupported", errors.New("format "+s.format))
		}
		att.Type, att.Problem = TypeUnverified, "attestationFormatUnsupported"
		return att, nil
	}
	if err := s.checkSignature(clientDataHash[:]); err != nil {
		return Attestation{}, refuse("attestationValidationFailed", err)
	}
	name, err := libraryStatement(s.object, clientDataHash[:])
	if err == nil {
		att.Type, err = attestationType(name)
	}
	if err != nil {
		if require {
			return Attestation{}, refuse("attestationValidationFailed", err)
		}
		att.Type, att.Problem = TypeUnverified, "attestationValidationFailed"
	}
	return att, nil
}

// attestationType translates the names of FIDO metadata, which the library uses,
// into those of Facts (WA-29).
func attestationType(name string) (string, error) {
	switch name {
	case "none":
		return TypeNone, nil
	case "basic_surrogate":
		return TypeSelf, nil
	case "basic_full":
		return TypeBasic, nil
	case "attca":
		return TypeAttCA, nil
	case "anonca":
		return TypeAnonCA, nil
	default:
		return "", errors.New("unknown attestation type " + name)
	}
}
