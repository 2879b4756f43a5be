package cardeatest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"slices"
)

// TPM proves the model as Windows Hello does (WebAuthn L3 §8.3): a certificate
// of the TPM's attestation key, issued by ca, certifies the new ES256 key. With
// aaguid nil the certificate names no model.
func TPM(ca *AttestationCA, aaguid *[16]byte) (Attestation, error) {
	extensions, err := aikExtensions()
	if err != nil {
		return Attestation{}, err
	}
	aik, err := ca.Issue(LeafRules{AAGUID: aaguid, NoSubject: true, Extensions: extensions})
	if err != nil {
		return Attestation{}, err
	}
	return Attestation{Format: "tpm", Make: func(p Passkey, authData, clientDataHash []byte) (map[string]any, error) {
		key, ok := p.Signer.Public().(*ecdsa.PublicKey)
		if !ok || p.Algorithm != ES256 {
			return nil, errNotSupported
		}
		point, err := key.Bytes()
		if err != nil {
			return nil, err
		}
		pubArea := tpmPublicArea(point[1:33], point[33:])
		certInfo := tpmCertInfo(sha256.Sum256(slices.Concat(authData, clientDataHash)), sha256.Sum256(pubArea))
		sig, err := sign(aik.Signer, ES256, certInfo)
		if err != nil {
			return nil, err
		}
		return map[string]any{"ver": "2.0", "alg": ES256, "x5c": aik.Chain, "sig": sig, "certInfo": certInfo, "pubArea": pubArea}, nil
	}}, nil
}

const algSHA256 = 0x000b // TPM_ALG_SHA256

// tpmPublicArea is a TPMT_PUBLIC of a P-256 key (TPM 2.0 Part 2 §12.2.4).
func tpmPublicArea(x, y []byte) []byte {
	b := u16(nil, 0x0023)                            // TPM_ALG_ECC
	b = u16(b, algSHA256)                            // name algorithm
	b = binary.BigEndian.AppendUint32(b, 0x00060472) // attributes of a signing key
	b = u16(b, 0)                                    // no policy
	b = u16(b, 0x0010)                               // no symmetric algorithm
	b = u16(b, 0x0010)                               // no scheme
	b = u16(b, 0x0003)                               // TPM_ECC_NIST_P256
	b = u16(b, 0x0010)                               // no key derivation
	return tpm2b(tpm2b(b, x), y)
}

// tpmCertInfo is a TPMS_ATTEST of the kind certify (TPM 2.0 Part 2 §10.12.12).
func tpmCertInfo(extraData, publicArea [32]byte) []byte {
	b := []byte{0xff, 'T', 'C', 'G'} // TPM_GENERATED_VALUE
	b = u16(b, 0x8017)               // TPM_ST_ATTEST_CERTIFY
	b = tpm2b(b, []byte("signer"))
	b = tpm2b(b, extraData[:])
	b = append(b, make([]byte, 17+8)...) // clock, firmware version
	name := append(u16(nil, algSHA256), publicArea[:]...)
	return tpm2b(tpm2b(b, name), name)
}

func u16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }

// tpm2b appends a value with its length.
func tpm2b(b, value []byte) []byte { return append(u16(b, uint16(len(value))), value...) }

// aikExtensions are those of an attestation key certificate (§8.3.1): the TPM in
// a critical subject alternative name, and the usage of the TCG.
func aikExtensions() ([]pkix.Extension, error) {
	tcg := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 23, 133, 2, n} }
	name, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: tcg(1), Value: "id:494E5443"}}, // a vendor of the registry
		{{Type: tcg(2), Value: "Cardea test"}},
		{{Type: tcg(3), Value: "id:00010000"}},
	})
	if err != nil {
		return nil, err
	}
	const contextSpecific, directoryName = 2, 4
	san, err := asn1.Marshal([]asn1.RawValue{{Class: contextSpecific, Tag: directoryName, IsCompound: true, Bytes: name}})
	if err != nil {
		return nil, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{2, 23, 133, 8, 3}})
	if err != nil {
		return nil, err
	}
	return []pkix.Extension{
		{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: san},
		{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: usage},
	}, nil
}
