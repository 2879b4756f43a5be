package cardeatest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"
)

// Attestation says how an authenticator proves its model. The zero value proves
// nothing (format none).
type Attestation struct {
	Self   bool         // packed, signed by the new key itself
	Leaf   *Certificate // packed, signed by the key of this certificate
	Format string       // says it is this format, e.g. one nobody knows; "" means none or packed

	Edit func(stmt map[string]any) // last change to the statement

	// Make builds the whole statement of another Format; Self and Leaf do not count then.
	Make func(p Passkey, authData, clientDataHash []byte) (map[string]any, error)
}

// object encodes the attestation object.
func (t Attestation) object(p *Passkey, authData, clientDataHash []byte) ([]byte, error) {
	stmt, format := map[string]any{}, "none"
	if t.Make != nil {
		var err error
		if stmt, err = t.Make(*p, authData, clientDataHash); err != nil {
			return nil, err
		}
	} else if t.Self || t.Leaf != nil {
		format = "packed"
		signer, alg := p.Signer, p.Algorithm
		if t.Leaf != nil {
			signer, alg = t.Leaf.Signer, ES256
			x5c := make([][]byte, len(t.Leaf.Chain))
			copy(x5c, t.Leaf.Chain)
			stmt["x5c"] = x5c
		}
		sig, err := sign(signer, alg, slices.Concat(authData, clientDataHash))
		if err != nil {
			return nil, err
		}
		stmt["alg"], stmt["sig"] = alg, sig
	}
	if t.Format != "" {
		format = t.Format
	}
	if t.Edit != nil {
		t.Edit(stmt)
	}
	return encodeCBOR(map[string]any{"fmt": format, "attStmt": stmt, "authData": authData})
}

// AttestationCA is the certificate authority of a maker of authenticators.
type AttestationCA struct {
	Root   []byte // DER
	now    time.Time
	serial *big.Int
	cert   *x509.Certificate
	signer crypto.Signer
}

// Certificate is an attestation certificate with its key and the chain to send.
type Certificate struct {
	Signer crypto.Signer
	Chain  [][]byte // x5c: leaf, then intermediates; without the root
}

// LeafRules says how the attestation certificate of an authenticator looks; the
// zero value is a correct one without AAGUID extension.
type LeafRules struct {
	AAGUID              *[16]byte // value of the extension; nil leaves it out
	CriticalAAGUID      bool
	CA                  bool
	NotBefore, NotAfter time.Time // zero: ten years around the time of the CA
	NegativeSerial      bool      // serial number -128
	Unit                string    // OU; "" means the one WebAuthn asks for
	NoSubject           bool      // as the certificate of a TPM has to be
	Intermediate        bool      // signed by an intermediate, which goes along

	Signer     crypto.Signer    // key of the certificate; nil makes one
	Extensions []pkix.Extension // more extensions
}

// NewAttestationCA makes a root. The library compares certificates with the wall
// clock (WA-13), so now has to be the wall clock where a statement should verify.
func NewAttestationCA(name string, now time.Time) (*AttestationCA, error) {
	return newCA(name, now, false, nil)
}

// NewNegativeSerialCA makes a root whose own serial number is -128 (WA-14).
func NewNegativeSerialCA(name string, now time.Time) (*AttestationCA, error) {
	return newCA(name, now, true, nil)
}

func newCA(name string, now time.Time, negative bool, parent *AttestationCA) (*AttestationCA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(128),
		Subject:               pkix.Name{CommonName: name, Country: []string{"SE"}, Organization: []string{"Cardea test"}},
		NotBefore:             now.AddDate(-5, 0, 0),
		NotAfter:              now.AddDate(5, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	signer, issuer := crypto.Signer(key), template
	if parent != nil {
		signer, issuer = parent.signer, parent.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	if negative {
		if der, err = negativeSerial(der, signer); err != nil {
			return nil, err
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &AttestationCA{Root: der, now: now, cert: cert, signer: key}, nil
}

// Issue makes an attestation certificate.
func (ca *AttestationCA) Issue(r LeafRules) (*Certificate, error) {
	issuer := ca
	if r.Intermediate {
		var err error
		if issuer, err = newCA("Intermediate of "+ca.cert.Subject.CommonName, ca.now, false, ca); err != nil {
			return nil, err
		}
	}
	key := r.Signer
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	template := &x509.Certificate{
		ExtraExtensions:       slices.Clone(r.Extensions),
		SerialNumber:          big.NewInt(128),
		Subject:               pkix.Name{Country: []string{"SE"}, Organization: []string{"Cardea test"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Model"},
		NotBefore:             ca.now.AddDate(-5, 0, 0),
		NotAfter:              ca.now.AddDate(5, 0, 0),
		BasicConstraintsValid: true,
		IsCA:                  r.CA,
	}
	if r.Unit != "" {
		template.Subject.OrganizationalUnit = []string{r.Unit}
	}
	if r.NoSubject {
		template.Subject = pkix.Name{}
	}
	if !r.NotBefore.IsZero() {
		template.NotBefore = r.NotBefore
	}
	if !r.NotAfter.IsZero() {
		template.NotAfter = r.NotAfter
	}
	if r.AAGUID != nil {
		value, err := asn1.Marshal(r.AAGUID[:])
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{
			Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Critical: r.CriticalAAGUID, Value: value,
		})
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.signer)
	if err != nil {
		return nil, err
	}
	if r.NegativeSerial {
		if der, err = negativeSerial(der, issuer.signer); err != nil {
			return nil, err
		}
	}
	c := &Certificate{Signer: key, Chain: [][]byte{der}}
	if r.Intermediate {
		c.Chain = append(c.Chain, issuer.Root)
	}
	return c, nil
}

// negativeSerial replaces the serial number 128 by -128, which crypto/x509 will
// not make, and signs again.
func negativeSerial(der []byte, signer crypto.Signer) ([]byte, error) {
	var cert struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		return nil, err
	}
	var tbs []asn1.RawValue
	for rest := cert.TBS.Bytes; len(rest) > 0; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return nil, err
		}
		tbs = append(tbs, v)
	}
	if len(tbs) < 2 {
		return nil, errors.New("certificate without serial number")
	}
	serial, err := asn1.Marshal(big.NewInt(-128))
	if err != nil {
		return nil, err
	}
	tbs[1] = asn1.RawValue{FullBytes: serial} // after the version
	raw, err := asn1.Marshal(tbs)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(raw)
	sig, err := signer.Sign(rand.Reader, hash[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	cert.TBS = asn1.RawValue{FullBytes: raw}
	cert.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return asn1.Marshal(cert)
}
