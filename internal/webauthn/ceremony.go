package webauthn

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// Purposes of a ceremony. A challenge of one purpose is never accepted for
// another; its seal sees to that, not this package.
const (
	SignInPurpose    = "signin"    // a person signs in, or steps up
	RegisterPurpose  = "register"  // a person adds a passkey on our own pages
	ProvisionPurpose = "provision" // an administrator's tool adds one on behalf of a person
)

// COSE algorithm identifiers that a passkey of ours may have (WA-27, WA-28).
// ES384 and ES512 are offered only where a setting says so.
const (
	EdDSA int64 = -8 // with the curve Ed25519
	ES256 int64 = -7
	ES384 int64 = -35
	ES512 int64 = -36
	RS256 int64 = -257
)

// RelyingParty is who asks: the part of a ceremony that configuration decides.
type RelyingParty struct {
	ID      string   // a domain, e.g. "id.example.com"
	Name    string   // shown by the browser at registration
	Origins []string // allowed origins, compared exactly (PK-115)

	CrossOrigin bool     // allow ceremonies inside a frame of another origin; default no
	TopOrigins  []string // origins of the pages that may hold that frame, compared exactly
}

// Check reports what is wrong with the settings, for the start of a server:
// the ID must be a domain, there must be an origin, and every web origin must
// be https (http on loopback only), without path, and within the ID (PK-103).
func (rp RelyingParty) Check() error {
	if err := protocol.ValidateRPID(rp.ID); err != nil {
		return fmt.Errorf("relying party id %q: %w", rp.ID, err)
	}
	if rp.Name == "" {
		return errors.New("relying party name is empty")
	}
	if len(rp.Origins) == 0 {
		return errors.New("no origin is allowed: name at least the public address")
	}
	for _, o := range rp.Origins {
		if err := checkOrigin(o, rp.ID); err != nil {
			return fmt.Errorf("origin %q: %w", o, err)
		}
	}
	return nil
}

// checkOrigin accepts what a browser could send as origin for a relying party id.
// Origins of native apps ("android:apk-key-hash:…") pass: they have no host.
func checkOrigin(origin, rpID string) error {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		if protocol.IsKnownOpaqueOrigin(origin) {
			return nil
		}
		return errors.New("must begin with https://")
	}
	if origin != u.Scheme+"://"+u.Host || u.Host != strings.ToLower(u.Host) {
		return errors.New("must be scheme, lower-case host and port only, without a slash at the end")
	}
	host := u.Hostname()
	if u.Scheme == "http" && !isLoopback(host) {
		return errors.New("http is allowed on loopback only: use https")
	}
	if host != rpID && !strings.HasSuffix(host, "."+rpID) {
		return fmt.Errorf("is not within the relying party id %q", rpID)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Ceremony is the opened form of a challenge: everything that was decided when
// the options were made and must hold when the answer arrives.
type Ceremony struct {
	Purpose    string        // SignInPurpose, RegisterPurpose or ProvisionPurpose
	Challenge  []byte        // the exact bytes of the challenge, 16 at least
	UserHandle []byte        // whose ceremony it is; empty for a discoverable sign-in
	Expires    time.Time     // the zero time has expired long ago
	Timeout    time.Duration // told to the browser only; 0 means the default of the purpose

	// Registration.
	Algorithms         []int64  // offered, in this order; empty means the default of the purpose
	Attachment         string   // "platform", "cross-platform"; empty means the default of the purpose
	Extensions         []string // client extension outputs to accept; empty means the default of the purpose
	RequireAttestation bool     // WA-31: a statement that does not verify is an error, not a fact

	// LenientOrigin also accepts https://<rp.ID>, and one slash at the end of
	// the origin (PK-115). For ProvisionPurpose only; elsewhere it is ignored.
	LenientOrigin bool

	// Sign-in.
	Allowed [][]byte // ids sent as allowCredentials; empty means discoverable
}

// User is the account a passkey is made for, as the authenticator will show it.
type User struct {
	Handle            []byte // 1–64 bytes, never anything a person can read
	Name, DisplayName string
}

// Descriptor names one passkey in options.
type Descriptor struct {
	ID         []byte
	Transports []string
}

// algorithms is what the ceremony offers, after defaults (WA-27, WA-28).
func (c Ceremony) algorithms() []int64 {
	switch {
	case len(c.Algorithms) > 0:
		return c.Algorithms
	case c.Purpose == ProvisionPurpose:
		return []int64{ES256, RS256}
	default:
		return []int64{EdDSA, ES256, RS256}
	}
}

// extensions names the client extension outputs that were asked for. A sign-in
// asks for none.
func (c Ceremony) extensions() []string {
	switch {
	case len(c.Extensions) > 0:
		return c.Extensions
	case c.Purpose == RegisterPurpose:
		return []string{"credProps", "hmacCreateSecret"}
	default:
		return nil
	}
}
