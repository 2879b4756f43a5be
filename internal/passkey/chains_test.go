package passkey_test

import (
	"fmt"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/mds/mdstest"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// What was learned about a batch certificate serves its next key, and nothing
// else: not another model, not another chain, not a forged signature, not after
// the certificate ended, and not after the metadata changed its mind (WA-37,
// WA-43, WA-83).
func TestKnownChains_WA37_WA83(t *testing.T) {
	each(t, func(h *house) {
		ends := h.at.Add(time.Hour).Truncate(time.Second)
		h.metadata(1, h.entry(modelX, "Key X"), h.entry(modelY, "Key Y"))
		h.patch(profiles(strict))
		batch := h.key(modelX, func(r *cardeatest.LeafRules) { r.NotAfter = ends })
		people := 0
		register := func(a *cardeatest.Authenticator) (passkey.Method, error) {
			h.later(time.Millisecond)
			people++
			done, err := h.create(h.provision(h.user(fmt.Sprint("person", people, "@example.com"))), a)
			return done.Method, err
		}
		for range 3 {
			m, err := register(batch)
			h.must(err)
			if m.AttestationLevel != passkey.Attested || len(m.AttestationCertificates) != 1 {
				h.Errorf("%+v", m)
			}
		}
		refused := func(name string, a *cardeatest.Authenticator) {
			h.Helper()
			if _, err := register(a); problem.CodeOf(err) != passkey.CodeAttestation {
				h.Errorf("%s: %v", name, err)
			}
		}
		refused("the same certificate for another model", withModel(batch.Clone(), guid(modelY)))
		bent := batch.Clone()
		bent.Attestation.Edit = func(s map[string]any) { s["sig"].([]byte)[9] ^= 1 }
		refused("the same certificate under a forged signature", bent)
		own, err := cardeatest.NewAttestationCA("Somebody's own", h.at)
		h.must(err)
		refused("another chain of the same model", h.keyFrom(own, modelX))

		// A node that learned the chain forgets it with the metadata.
		h.metadata(2, h.entry(modelX, "Key X").Report(mdstest.Status("REVOKED", "2024-02-01")), h.entry(modelY, "Key Y"))
		refused("revoked since", batch)
		h.metadata(3, h.entry(modelY, "Key Y"))
		refused("no longer listed", batch)
		h.metadata(4, h.entry(modelX, "Key X"))
		if _, err := register(batch); err != nil {
			h.Error(err)
		}
		h.at = ends.Add(time.Second)
		refused("the certificate ended", batch)
	})
}
