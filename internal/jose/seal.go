package jose

import "cardea/internal/problem"

const (
	formatVersion = 1
	keyIDLen      = 8
	prefixLen     = 1 + keyIDLen
)

// Overhead is how much longer sealed bytes are than the plain ones: version,
// key id, nonce, tag.
const Overhead = prefixLen + 12 + 16

// errBroken says nothing about why: the difference would help only an attacker.
var errBroken = problem.New(problem.Invalid, "sealBroken", "This link or page is not valid any more. Start again from the application.")

// Seal encrypts and authenticates plaintext for purpose (WA-23), with
// AES-256-GCM. It is for state that travels with the browser or a client and
// lives for at most KeptSealing; the expiry belongs inside. What stays in a
// column for longer goes through SealColumn.
//
// Nonces are random, so one key may seal 2³² times: rotate at least yearly
// (at a hundred seals a second that number is reached after 16 months).
func (r *Ring) Seal(purpose string, plaintext []byte) []byte {
	k := r.snap.Load().sealing
	out := make([]byte, prefixLen, len(plaintext)+Overhead)
	copy(out, k.prefix)
	return k.aead.Seal(out, nil, plaintext, []byte(purpose))
}

// Open reverses Seal. Everything that is not the unchanged result of a Seal
// for the same purpose, under a key still kept, is sealBroken.
func (r *Ring) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, errBroken
	}
	k := r.snap.Load().byPrefix[string(sealed[:prefixLen])]
	if k == nil {
		return nil, errBroken
	}
	plain, err := k.aead.Open(nil, nil, sealed[prefixLen:], []byte(purpose))
	if err != nil {
		return nil, errBroken
	}
	return plain, nil
}

// SealColumn encrypts a secret that stays in the database, under the master
// key, for as long as the row lives (an OATH secret, for example). purpose
// should name the column and the row.
func (r *Ring) SealColumn(purpose string, secret []byte) []byte {
	return r.master.wrap("column|"+purpose, secret)
}

// OpenColumn reverses SealColumn.
func (r *Ring) OpenColumn(purpose string, sealed []byte) ([]byte, error) {
	return r.master.unwrap("column|"+purpose, sealed)
}
