package webauthn

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"
)

// Sources of an Anchor.
const (
	SourceMDS      = "mds"      // FIDO metadata
	SourceVendor   = "vendor"   // a root that ships with the server
	SourceUploaded = "uploaded" // an entry an administrator uploaded
)

// Anchor is one certificate that attestations may end at, and for which
// authenticators it speaks (WA-35). An anchor that names neither a model nor,
// for SourceVendor, a format speaks for nobody.
type Anchor struct {
	Certificate []byte // DER; a root, or the attestation certificate itself
	Source      string // SourceMDS, SourceVendor or SourceUploaded

	AAGUIDs          [][16]byte // the models of its metadata entry or upload; the zero AAGUID never matches
	KeyIdentifiers   [][]byte   // for authenticators without AAGUID: SHA-1 of the key of their attestation certificate
	Formats          []string   // SourceVendor: the statement formats it is for
	AttestationTypes []string   // types the entry lists, as in Facts or as FIDO metadata spells them; empty if there is no entry
}

// CheckTrust judges whether the certificates of a registration lead to an
// anchor, at the time at, which is the registration time (WA-37, WA-43). The
// AAGUID is read from att.Object. Reasons when they do not: attestationNone,
// attestationSelf, attestationUnverified, authenticatorNotListed (no anchor for
// this authenticator), attestationUntrusted (anchors, but no chain).
func CheckTrust(att Attestation, anchors []Anchor, at time.Time) Trust {
	switch att.Type {
	case TypeBasic, TypeAttCA, TypeAnonCA:
	case TypeNone:
		return Trust{Reason: "attestationNone", At: at}
	case TypeSelf:
		return Trust{Reason: "attestationSelf", At: at}
	default:
		return Trust{Reason: "attestationUnverified", At: at}
	}
	p, err := parsePath(att)
	if err != nil {
		return Trust{Reason: "attestationUnverified", At: at}
	}
	anchors = slices.DeleteFunc(slices.Clone(anchors), func(a Anchor) bool { return !a.speaksFor(p) })
	if len(anchors) == 0 {
		return Trust{Reason: "authenticatorNotListed", At: at}
	}
	anchors = slices.DeleteFunc(anchors, func(a Anchor) bool { return !a.accepts(p) })
	if a, ok := p.chain(anchors, at); ok {
		return Trust{Attested: true, Root: sha256.Sum256(a.Certificate), Source: a.Source, At: at}
	}
	return Trust{Reason: "attestationUntrusted", At: at}
}

// path is what CheckTrust looks at.
type path struct {
	format, typ   string
	aaguid        [16]byte
	leaf          *x509.Certificate
	intermediates *x509.CertPool

	certAAGUID    []byte // AAGUID extension of the leaf
	hasCertAAGUID bool
}

func parsePath(att Attestation) (path, error) {
	st, err := parseStatement(att.Object)
	if err != nil {
		return path{}, err
	}
	p := path{format: st.format, typ: att.Type, aaguid: st.auth.aaguid, intermediates: x509.NewCertPool()}
	// The certificates of the object count, not a copy of them.
	if p.leaf, err = st.leaf(); err != nil {
		return path{}, err
	}
	for _, der := range st.certificates[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return path{}, err
		}
		p.intermediates.AddCert(c)
	}
	p.certAAGUID, p.hasCertAAGUID = certificateAAGUID(p.leaf)
	if p.format == "tpm" {
		p.leaf = withoutSAN(p.leaf)
	}
	return p, nil
}

// speaksFor tells whether the anchor is for this authenticator at all.
func (a Anchor) speaksFor(p path) bool {
	if a.Source == SourceVendor {
		return slices.Contains(a.Formats, p.format) && (len(a.AAGUIDs) == 0 || slices.Contains(a.AAGUIDs, p.aaguid))
	}
	if p.aaguid != [16]byte{} {
		return slices.Contains(a.AAGUIDs, p.aaguid)
	}
	id := keyIdentifier(p.leaf)
	return slices.ContainsFunc(a.KeyIdentifiers, func(k []byte) bool { return bytes.Equal(k, id) })
}

// accepts applies the rules of the entry: the attestation type must be listed
// (WA-38), and the leaf must name the model it speaks for (WA-39).
func (a Anchor) accepts(p path) bool {
	if len(a.AttestationTypes) > 0 && !slices.ContainsFunc(a.AttestationTypes, func(t string) bool {
		if known, err := attestationType(t); err == nil {
			t = known
		}
		return t == p.typ
	}) {
		return false
	}
	if p.hasCertAAGUID {
		return bytes.Equal(p.certAAGUID, p.aaguid[:])
	}
	// An uploaded root could have signed for anything: only the leaf can say for
	// what, unless the upload leaves no choice.
	return a.Source != SourceUploaded || len(a.AAGUIDs) == 1
}

// chain finds the first of anchors that the leaf leads to. System roots are
// never used: a pool is always given, be it empty (WA-36).
func (p path) chain(anchors []Anchor, at time.Time) (Anchor, bool) {
	for _, a := range anchors {
		root, err := x509.ParseCertificate(a.Certificate)
		if err != nil {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(root)
		if _, err := p.leaf.Verify(x509.VerifyOptions{
			Roots:         roots,
			Intermediates: p.intermediates,
			CurrentTime:   at,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}); err == nil {
			return a, true
		}
	}
	return Anchor{}, false
}

// certificateAAGUID reads id-fido-gen-ce-aaguid (WebAuthn L3 §8.2.1). An
// extension that cannot be read is present and equal to nothing.
func certificateAAGUID(c *x509.Certificate) (aaguid []byte, present bool) {
	for _, ext := range c.Extensions {
		if ext.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}) {
			if rest, err := asn1.Unmarshal(ext.Value, &aaguid); err != nil || len(rest) != 0 {
				return nil, true
			}
			return aaguid, true
		}
	}
	return nil, false
}

// withoutSAN drops the subject alternative name from the critical extensions a
// verifier has to understand. A TPM certificate names its TPM there and nothing
// else, which crypto/x509 does not know; the statement verifier has read it.
func withoutSAN(c *x509.Certificate) *x509.Certificate {
	copied := *c
	copied.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions),
		func(id asn1.ObjectIdentifier) bool { return id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) })
	return &copied
}

// keyIdentifier is method 1 of RFC 5280 §4.2.1.2, as FIDO metadata uses it.
func keyIdentifier(c *x509.Certificate) []byte {
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil {
		return nil
	}
	id := sha1.Sum(spki.Key.Bytes)
	return id[:]
}
