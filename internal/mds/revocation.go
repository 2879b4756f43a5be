package mds

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"cardea/internal/problem"
)

// reasonRemoved in a delta list takes an entry back (RFC 5280 §5.3.1).
const reasonRemoved = 8

// CheckRevocation asks the given revocation lists (DER) about every certificate
// of a chain but its root (WA-54). chain is that of Opened: leaf first, root
// last. A listed certificate is metadataRevoked. A certificate about which no
// current list speaks is a warning. A list counts only if the issuer in the
// chain signed it; an outdated one still counts for what it lists.
func CheckRevocation(chain []*x509.Certificate, lists [][]byte, now time.Time) ([]Warning, error) {
	var parsed []*x509.RevocationList
	for _, der := range lists {
		if list, err := x509.ParseRevocationList(der); err == nil {
			parsed = append(parsed, list)
		}
		// One that does not parse is as good as one that could not be
		// fetched: the warning below says that nothing is known.
	}
	var warnings []Warning
	for i := 0; i+1 < len(chain); i++ {
		known, revoked := false, false
		for _, list := range parsed {
			if !bytes.Equal(list.RawIssuer, chain[i].RawIssuer) || list.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			if !now.Before(list.ThisUpdate) && (list.NextUpdate.IsZero() || now.Before(list.NextUpdate)) {
				known = true
			}
			for _, r := range list.RevokedCertificateEntries {
				if r.ReasonCode != reasonRemoved && r.SerialNumber.Cmp(chain[i].SerialNumber) == 0 {
					revoked = true
				}
			}
		}
		name := displayText(chain[i].Subject.String())
		if revoked {
			return nil, problem.New(problem.Invalid, CodeRevoked,
				"The certificate %s, which signs this metadata, has been revoked. Do not use this file; wait for one with a new signature. The stored copy stays in use.", name)
		}
		if !known {
			warnings = append(warnings, Warning{Code: WarnRevocationUnknown, Subject: name,
				Message: fmt.Sprintf("It is not known whether the certificate %s has been revoked, because no current revocation list could be read. Check that this server reaches its address.", name)})
		}
	}
	return warnings, nil
}

// revocationAddresses lists where the lists about a chain can be had, each once.
func revocationAddresses(chain []*x509.Certificate) []string {
	var out []string
	seen := map[string]bool{}
	for i := 0; i+1 < len(chain); i++ {
		for _, a := range chain[i].CRLDistributionPoints {
			if !seen[a] && len(out) < 8 {
				seen[a] = true
				out = append(out, a)
			}
		}
	}
	return out
}
