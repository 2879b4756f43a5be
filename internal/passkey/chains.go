package passkey

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
	"time"

	"cardea/internal/webauthn"
)

// chains remembers which certificates of attestations led to an anchor. The
// certificate of a security key is shared by a whole batch of at least 100,000
// (WebAuthn L3 §14.4.1), so that one check serves every key of a delivery; the
// signature by that certificate is verified for each key all the same. A chains
// belongs to one state of the metadata and goes with it. The zero value is
// ready to use.
type chains struct {
	mu   sync.Mutex
	good map[[32]byte]chain
}

// chain is a verified one, and when all its certificates are valid.
type chain struct {
	trust     webauthn.Trust
	notBefore time.Time
	notAfter  time.Time
}

// maxChains bounds the memory; there are not that many batches in use.
const maxChains = 1000

// chainKey names everything that webauthn.CheckTrust looks at in an attestation.
func chainKey(att webauthn.Attestation, a AAGUID) (key [32]byte) {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part([]byte(att.Format))
	part([]byte(att.Type))
	part(a[:])
	for _, der := range att.Certificates {
		part(der)
	}
	h.Sum(key[:0])
	return key
}

// find returns the trust of a chain that was verified before and is valid now.
func (c *chains) find(key [32]byte, now time.Time) (webauthn.Trust, bool) {
	c.mu.Lock()
	known, ok := c.good[key]
	c.mu.Unlock()
	if !ok || now.Before(known.notBefore) || now.After(known.notAfter) {
		return webauthn.Trust{}, false
	}
	known.trust.At = now
	return known.trust, true
}

// keep remembers a chain that led to an anchor; what did not may do so later.
// Its validity is that of all certificates together, its anchor among them.
func (c *chains) keep(key [32]byte, trust webauthn.Trust, certificates [][]byte, anchors []webauthn.Anchor) {
	if !trust.Attested {
		return
	}
	for _, a := range anchors {
		if sha256.Sum256(a.Certificate) == trust.Root {
			certificates = append(certificates[:len(certificates):len(certificates)], a.Certificate)
		}
	}
	known := chain{trust: trust}
	for i, der := range certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		if i == 0 || cert.NotBefore.After(known.notBefore) {
			known.notBefore = cert.NotBefore
		}
		if i == 0 || cert.NotAfter.Before(known.notAfter) {
			known.notAfter = cert.NotAfter
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good == nil {
		c.good = map[[32]byte]chain{}
	}
	if len(c.good) >= maxChains { // nobody has this many: somebody makes them up, with certificates of a real maker
		clear(c.good)
	}
	c.good[key] = known
}
