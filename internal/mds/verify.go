package mds

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"time"

	"cardea/internal/problem"
)

// Host is the only name whose certificate may sign metadata (WA-52).
const Host = "mds.fidoalliance.org"

// Codes of refusal. CodeMalformed stands in jws.go.
const (
	CodeUntrusted = "metadataUntrusted"
	CodeRevoked   = "metadataRevoked"
	CodeOlder     = "metadataOlder"
)

func untrusted(format string, args ...any) *problem.Error {
	e := problem.New(problem.Invalid, CodeUntrusted, "The metadata is not signed by the FIDO Metadata Service: "+format, args...)
	e.Detail += ". The stored copy stays in use."
	return e
}

// Opened is a BLOB whose signature holds and whose entries are not parsed yet.
type Opened struct {
	Chain   []*x509.Certificate // leaf first, configured root last
	payload []byte
	now     time.Time
}

// Open checks form (WA-50), chain to one of roots (WA-51), name of the signer
// (WA-52), signature and validity at now (WA-53), in this order. Errors are
// metadataMalformed and metadataUntrusted.
func Open(blob []byte, roots []*x509.Certificate, now time.Time) (*Opened, error) {
	t, err := parseToken(blob)
	if err != nil {
		return nil, err
	}
	chain, err := chainTo(t.x5c, roots, now)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	// The exact name and no wildcard: a certificate for all web servers of the
	// alliance is not one for its metadata.
	if !slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(n, Host) }) {
		return nil, untrusted("the certificate is not for %s", Host)
	}
	if err := t.verify(leaf.PublicKey); err != nil {
		return nil, err
	}
	return &Opened{Chain: chain, payload: t.payload, now: now}, nil
}

// chainTo finds the shortest chain from certs[0] to one of roots. Certificates
// that no chain needs do no harm.
func chainTo(certs, roots []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	// Roots must never be nil: nil would mean the system's store (WA-51).
	opts := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, r := range roots {
		opts.Roots.AddCert(r)
	}
	for _, c := range certs[1:] {
		opts.Intermediates.AddCert(c)
	}
	chains, err := certs[0].Verify(opts)
	if err != nil {
		return nil, untrusted("no valid certificate chain to a configured root. If the service has changed its root, add the new root to the configuration").Because(err)
	}
	return slices.MinFunc(chains, func(a, b []*x509.Certificate) int { return cmp.Compare(len(a), len(b)) }), nil
}

func (t *token) verify(key crypto.PublicKey) error {
	digest := sha256.Sum256(t.signed)
	switch k := key.(type) {
	case *rsa.PublicKey:
		if t.alg == "RS256" && k.N.BitLen() >= 2048 && rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], t.sig) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if t.alg != "ES256" || k.Curve != elliptic.P256() || len(t.sig) != 64 {
			break
		}
		r, s := new(big.Int).SetBytes(t.sig[:32]), new(big.Int).SetBytes(t.sig[32:])
		if ecdsa.Verify(k, digest[:], r, s) {
			return nil
		}
	}
	return untrusted("the signature does not verify")
}

// Metadata parses the entries and compares the serial number with last, that of
// the stored copy (0: none). Lower is metadataOlder; equal is returned like
// new, and the caller sees that the number is the same (WA-55). Warnings name
// what was skipped (WA-57) and say if the metadata is overdue (WA-56).
func (o *Opened) Metadata(last int64) (*Metadata, []Warning, error) {
	m, err := parsePayload(o.payload)
	if err != nil {
		return nil, nil, err
	}
	if m.Number < last {
		return nil, nil, problem.New(problem.Conflict, CodeOlder,
			"This metadata has number %d, the stored copy has %d. Older metadata is not accepted; get the newest file. The stored copy stays in use.", m.Number, last)
	}
	root := o.Chain[len(o.Chain)-1]
	m.VerifiedAt, m.Root, m.RootName = o.now.UTC(), sha256.Sum256(root.Raw), displayText(root.Subject.String())
	warnings := slices.Clone(m.Skipped)
	if m.Stale(o.now) {
		warnings = append(warnings, Warning{Code: WarnStale, Message: "The next metadata was due on " + m.NextUpdate.Format(time.DateOnly) +
			" and has not come. This copy stays usable. Check that this server reaches the metadata service, or upload the newest file."})
	}
	return m, warnings, nil
}

// Verify makes all checks that need no network, in the order of the
// specification: Open, then Opened.Metadata. Revocation (CheckRevocation)
// belongs between the two; Fetcher.Accept does all three.
func Verify(blob []byte, roots []*x509.Certificate, now time.Time, last int64) (*Metadata, []Warning, error) {
	o, err := Open(blob, roots, now)
	if err != nil {
		return nil, nil, err
	}
	return o.Metadata(last)
}
