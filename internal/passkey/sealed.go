package passkey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"cardea/internal/jose"
	"cardea/internal/problem"
)

// Begun is a ceremony that waits for its authenticator. Nothing of it is
// stored: the challenge itself is the sealed state (PK §6.2).
type Begun struct {
	Options   json.RawMessage // PublicKeyCredentialCreationOptions or …RequestOptions
	State     string          // the challenge in its JSON form, for clients that want to send it back
	ExpiresAt time.Time
}

// Purposes of the seal: no challenge of one opens as another (PK-110, WA-23).
const (
	sealSignIn    = "passkey sign-in challenge"
	sealRegister  = "passkey registration challenge"
	sealProvision = "passkey provisioning challenge"
)

// ChallengeLife is how long the challenges of our own pages live (PK §6.2).
const ChallengeLife = 10 * time.Minute

// sealed is what a challenge says to us.
type sealed struct {
	nonce   [32]byte // random (WA-22); at sign-in what is spent (PK-105)
	expires time.Time
	user    [16]byte // object id; zero: anybody
	bound   [32]byte // hash of browser binding, session or tenant
}

const (
	sealedVersion = 1
	sealedLen     = 1 + 32 + 8 + 16 + 32
)

// newSealed makes the state of a new ceremony. userID is "" for anybody.
func newSealed(userID, bound string, expires time.Time) sealed {
	s := sealed{expires: time.UnixMilli(expires.UnixMilli()).UTC(), bound: sha256.Sum256([]byte(bound))}
	s.user, _ = parseGUID(userID)
	rand.Read(s.nonce[:])
	return s
}

// challenge seals s into the bytes of a WebAuthn challenge (PK-111).
func (s sealed) challenge(r *jose.Ring, purpose string) ([]byte, error) {
	plain := make([]byte, 0, sealedLen+challengeUnit)
	plain = append(plain, sealedVersion)
	plain = append(plain, s.nonce[:]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(s.expires.UnixMilli()))
	plain = append(plain, s.user[:]...)
	plain = append(plain, s.bound[:]...)
	return EncodeChallenge(r.Seal(purpose, PadChallenge(plain, jose.Overhead)))
}

// errChallengeUnknown is for a challenge that we did not make, or not for this
// purpose (WA-23). It is about no person.
var errChallengeUnknown = problem.New(problem.Invalid, "challengeUnknown", "This request does not belong to this page. Reload the page and try again.")

// unseal opens a challenge that came back.
func unseal(r *jose.Ring, purpose string, challenge []byte) (s sealed, err error) {
	ciphertext, err := DecodeChallenge(challenge)
	if err != nil {
		return s, errChallengeUnknown.Because(err)
	}
	padded, err := r.Open(purpose, ciphertext)
	if err != nil {
		return s, errChallengeUnknown.Because(err)
	}
	plain, err := UnpadChallenge(padded)
	if err != nil || len(plain) != sealedLen || plain[0] != sealedVersion {
		return s, errChallengeUnknown
	}
	plain = plain[1:]
	copy(s.nonce[:], plain)
	s.expires = time.UnixMilli(int64(binary.BigEndian.Uint64(plain[32:]))).UTC()
	copy(s.user[:], plain[40:])
	copy(s.bound[:], plain[56:])
	return s, nil
}

// isFor reports whether s was made for this user and this binding.
func (s sealed) isFor(userID, bound string) bool {
	id, _ := parseGUID(userID)
	return s.user == id && s.bound == sha256.Sum256([]byte(bound))
}

// spentID names the challenge in the table of spent ones: its expiry, so that
// rows of one time lie side by side in the index, and its nonce.
func (s sealed) spentID() string {
	return fmt.Sprintf("%012x", s.expires.UnixMilli()) + base64.RawURLEncoding.EncodeToString(s.nonce[:])
}
