package webauthn

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// checkSignature verifies who signed a statement, and nothing about that
// signer (WA-33). The library mixes the two: a certificate rule it misses looks
// like a forged signature. Here only a forgery, or what cannot be checked, fails.
func (s statement) checkSignature(clientDataHash []byte) error {
	signed := append(bytes.Clone(s.authData), clientDataHash...)
	switch s.format {
	case "packed":
		if _, ok := s.fields["x5c"]; !ok {
			return s.checkSelf(signed)
		}
		return s.checkLeaf(signed)
	case "android-key":
		return s.checkLeaf(signed)
	case "fido-u2f":
		return s.checkU2F(clientDataHash)
	case "tpm":
		return s.checkTPM(signed)
	case "apple":
		return s.checkApple(signed)
	default:
		return errors.New("no rule for format " + s.format)
	}
}

func (s statement) leaf() (*x509.Certificate, error) {
	if len(s.certificates) == 0 {
		return nil, errors.New("x5c holds no certificate")
	}
	return x509.ParseCertificate(s.certificates[0])
}

// checkSelf: packed without certificates, signed by the new key itself (§8.2).
func (s statement) checkSelf(signed []byte) error {
	key, alg, err := parseKey(s.auth.publicKey)
	if err != nil {
		return err
	}
	if s.fields["alg"] != alg {
		return errors.New("alg is not the algorithm of the key")
	}
	sig, _ := s.fields["sig"].([]byte)
	if !verifySignature(key, signed, sig) {
		return errors.New("self attestation signature is wrong")
	}
	return nil
}

// checkLeaf: packed with certificates (§8.2) and android-key (§8.4), signed by
// the key of the first certificate.
func (s statement) checkLeaf(signed []byte) error {
	leaf, err := s.leaf()
	if err != nil {
		return err
	}
	alg, _ := s.fields["alg"].(int64)
	sig, _ := s.fields["sig"].([]byte)
	return checkCertSignature(leaf, alg, signed, sig)
}

func checkCertSignature(cert *x509.Certificate, alg int64, signed, sig []byte) error {
	algorithm := webauthncose.SigAlgFromCOSEAlg(webauthncose.COSEAlgorithmIdentifier(alg))
	if algorithm == x509.UnknownSignatureAlgorithm {
		return errors.New("alg cannot be verified")
	}
	return cert.CheckSignature(algorithm, signed, sig)
}

// checkU2F rebuilds the message of a U2F registration (§8.6).
func (s statement) checkU2F(clientDataHash []byte) error {
	leaf, err := s.leaf()
	if err != nil {
		return err
	}
	key, alg, err := parseKey(s.auth.publicKey)
	if err != nil {
		return err
	}
	ec, ok := key.(*ecdsa.PublicKey)
	if !ok || alg != ES256 {
		return errors.New("a U2F key is an ES256 key")
	}
	point, err := ec.Bytes()
	if err != nil {
		return err
	}
	signed := append([]byte{0}, s.auth.rpIDHash...)
	signed = append(signed, clientDataHash...)
	signed = append(signed, s.auth.credentialID...)
	signed = append(signed, point...)
	sig, _ := s.fields["sig"].([]byte)
	return checkCertSignature(leaf, ES256, signed, sig)
}

// checkTPM: the attestation key signed certInfo, and certInfo names this
// ceremony in its extraData (§8.3).
func (s statement) checkTPM(signed []byte) error {
	leaf, err := s.leaf()
	if err != nil {
		return err
	}
	alg, _ := s.fields["alg"].(int64)
	sig, _ := s.fields["sig"].([]byte)
	certInfo, _ := s.fields["certInfo"].([]byte)
	if err := checkCertSignature(leaf, alg, certInfo, sig); err != nil {
		return err
	}
	h, ok := webauthncose.HasherFromCOSEAlg(webauthncose.COSEAlgorithmIdentifier(alg))
	if !ok {
		return errors.New("alg has no hash")
	}
	h.Write(signed)
	extra, ok := tpmExtraData(certInfo)
	if !ok || !bytes.Equal(extra, h.Sum(nil)) {
		return errors.New("certInfo belongs to another ceremony")
	}
	return nil
}

// tpmExtraData reads TPMS_ATTEST up to extraData (TPM 2.0 Part 2 §10.12.8):
// magic, type, qualifiedSigner and extraData, the last two with a 16-bit length.
func tpmExtraData(certInfo []byte) ([]byte, bool) {
	if len(certInfo) < 6 {
		return nil, false
	}
	_, rest, ok := sized16(certInfo[6:])
	if !ok {
		return nil, false
	}
	extra, _, ok := sized16(rest)
	return extra, ok
}

func sized16(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// checkApple: there is no signature; the certificate holds the hash of this
// ceremony (§8.8).
func (s statement) checkApple(signed []byte) error {
	leaf, err := s.leaf()
	if err != nil {
		return err
	}
	nonce := sha256.Sum256(signed)
	for _, ext := range leaf.Extensions {
		if !ext.Id.Equal(asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 8, 2}) {
			continue
		}
		var value struct {
			Nonce []byte `asn1:"tag:1,explicit"`
		}
		if _, err := asn1.Unmarshal(ext.Value, &value); err != nil {
			return err
		}
		if !bytes.Equal(value.Nonce, nonce[:]) {
			return errors.New("the certificate belongs to another ceremony")
		}
		return nil
	}
	return errors.New("the certificate names no ceremony")
}
