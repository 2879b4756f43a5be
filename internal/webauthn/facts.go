package webauthn

import "time"

// Facts is what one ceremony proved, without opinion. An error comes with zero Facts.
type Facts struct {
	CredentialID, UserHandle    []byte
	PublicKey                   []byte   // COSE key as sent
	Algorithm                   int64    // COSE identifier
	AAGUID                      [16]byte // registration: a claim unless Attestation.Trust.Attested
	SignCount                   uint32
	CounterWentBack             bool // sign-in: not above the stored count, and not both 0
	UserPresent, UserVerified   bool // this ceremony, never an earlier one
	BackupEligible, BackupState bool
	BackupUpgraded              bool     // sign-in: the record said not backup eligible, now it is
	Transports                  []string // as reported, a hint
	Attachment                  string   // "platform", "cross-platform", ""; a hint
	Discoverable                *bool    // credProps.rk; nil means not reported
	Origin                      string
	CrossOrigin                 bool
	Attestation                 Attestation // registration only
}

// Types of an attestation.
const (
	TypeNone       = "none"
	TypeSelf       = "self"
	TypeBasic      = "basic"
	TypeAttCA      = "attCA"
	TypeAnonCA     = "anonCA"
	TypeUnverified = "unverified" // kept, but nothing was proved
)

// Attestation is the statement of a registration and what it proved.
type Attestation struct {
	Format             string   // "packed", "none", …
	Type               string   // none, self, basic, attCA, anonCA, unverified
	Problem            string   // a code, when Type is unverified
	Certificates       [][]byte // x5c, DER, leaf first, kept whatever Type is
	Object, ClientData []byte   // attestation object and clientDataJSON, byte for byte
	Trust              Trust
}

// Trust is the judgement of CheckTrust.
type Trust struct {
	Attested bool      // chain to an accepted anchor, valid at At
	Reason   string    // a code when not attested
	Root     [32]byte  // SHA-256 of the anchor certificate
	Source   string    // mds, vendor, uploaded
	At       time.Time // registration time
}

// Record is what a sign-in needs to know of a stored passkey.
type Record struct {
	CredentialID, UserHandle, PublicKey []byte
	Algorithm                           int64
	SignCount                           uint32
	BackupEligible, BackupState         bool
}
