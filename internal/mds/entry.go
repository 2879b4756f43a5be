package mds

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// Where an entry comes from.
const (
	SourceMDS      = "mds"      // the FIDO Metadata Service
	SourceUploaded = "uploaded" // an administrator vouches for it (WA-40)
)

// Entry is what is known about one model of authenticator. Entries are shared
// between requests: nobody changes one. Methods work on a nil *Entry, which
// means "not listed".
type Entry struct {
	Source           string            `json:"source"`
	AAGUID           AAGUID            `json:"-"`                        // zero for U2F models
	KeyIdentifiers   []string          `json:"keyIdentifiers,omitempty"` // U2F: lower-case hex SHA-1 of the attestation certificate's public key
	Description      string            `json:"description,omitempty"`    // English
	Names            map[string]string `json:"names,omitempty"`          // friendly names by lower-case language tag
	Roots            [][]byte          `json:"roots,omitempty"`          // DER; a leaf may stand here too
	SoleAAGUID       bool              `json:"-"`                        // an upload that names exactly this AAGUID (WA-39)
	AttestationTypes []string          `json:"attestationTypes,omitempty"`
	ProtocolFamily   string            `json:"protocolFamily,omitempty"` // fido2, u2f, uaf
	Versions         []string          `json:"versions,omitempty"`       // as the authenticator says, "FIDO_2_1"
	UserVerification bool              `json:"uv,omitempty"`             // can verify its user by itself, set up or not
	ClientPIN        bool              `json:"clientPin,omitempty"`      // can have a PIN, set or not
	ResidentKey      bool              `json:"rk,omitempty"`
	EnterpriseAttest bool              `json:"ep,omitempty"`
	Extensions       []string          `json:"extensions,omitempty"` // sorted
	KeyProtection    []string          `json:"keyProtection,omitempty"`
	MultiDevice      *bool             `json:"multiDevice,omitempty"` // nil: not stated, which is not "device-bound"
	StatusReports    []StatusReport    `json:"statusReports,omitempty"`
	LastStatusChange time.Time         `json:"lastStatusChange,omitzero"`
}

// StatusReport is one line of a model's history.
type StatusReport struct {
	Status               string    `json:"status"`
	EffectiveDate        time.Time `json:"effectiveDate,omitzero"` // zero: since ever
	SunsetDate           time.Time `json:"sunsetDate,omitzero"`    // zero: for ever
	Certificate          []byte    `json:"certificate,omitempty"`  // DER; the report is about chains with it only (WA-69)
	BatchCertificate     []byte    `json:"batchCertificate,omitempty"`
	AuthenticatorVersion int64     `json:"authenticatorVersion,omitempty"`
	CertificateNumber    string    `json:"certificateNumber,omitempty"`
	Descriptor           string    `json:"descriptor,omitempty"`
	URL                  string    `json:"url,omitempty"` // https only
}

// HasExtension tells whether the model supports an extension, by its registered name.
func (e *Entry) HasExtension(name string) bool {
	return e != nil && slices.Contains(e.Extensions, name)
}

// ListsAttestation tells whether the model gives attestations of this type,
// named as in webauthn's Facts: self, basic, attCA, anonCA (WA-29, WA-38).
func (e *Entry) ListsAttestation(kind string) bool {
	if e == nil {
		return false
	}
	listed := map[string]string{"self": "basic_surrogate", "basic": "basic_full", "attCA": "attca", "anonCA": "anonca"}[kind]
	return listed != "" && slices.Contains(e.AttestationTypes, listed)
}

// HardwareKey tells whether the model states that its keys are kept in
// hardware, a trusted environment or a secure element (WA-74).
func (e *Entry) HardwareKey() bool {
	return e != nil && !slices.Contains(e.KeyProtection, "software") &&
		slices.ContainsFunc(e.KeyProtection, func(s string) bool {
			return s == "hardware" || s == "tee" || s == "secure_element"
		})
}

// Metadata is one verified BLOB, parsed. It never changes.
type Metadata struct {
	Number     int64     // serial number, above 0
	NextUpdate time.Time // midnight UTC of the day
	VerifiedAt time.Time
	Root       [32]byte  // SHA-256 of the root that the signer's chain ended at
	RootName   string    // its subject, for people
	Skipped    []Warning // entries and roots that did not parse (WA-57)

	entries  []*Entry // sorted by description, then AAGUID
	byAAGUID map[AAGUID]*Entry
	byKey    map[string]*Entry
}

// index builds the maps; entries must be free of double ids.
func (m *Metadata) index(entries []*Entry) {
	slices.SortStableFunc(entries, func(a, b *Entry) int {
		if c := strings.Compare(strings.ToLower(a.Description), strings.ToLower(b.Description)); c != 0 {
			return c
		}
		return slices.Compare(a.AAGUID[:], b.AAGUID[:])
	})
	m.entries = entries
	m.byAAGUID = make(map[AAGUID]*Entry, len(entries))
	m.byKey = map[string]*Entry{}
	for _, e := range entries {
		if e.AAGUID != (AAGUID{}) {
			m.byAAGUID[e.AAGUID] = e
		}
		for _, k := range e.KeyIdentifiers {
			m.byKey[k] = e
		}
	}
}

// Lookup finds the entry of an AAGUID; nil if there is none, and always nil for
// the zero AAGUID. A nil *Metadata holds nothing.
func (m *Metadata) Lookup(aaguid AAGUID) *Entry {
	if m == nil {
		return nil
	}
	return m.byAAGUID[aaguid]
}

// LookupKeyIdentifier finds the entry of a U2F model by the lower-case hex
// SHA-1 of its attestation certificate's public key (see KeyIdentifier).
func (m *Metadata) LookupKeyIdentifier(id string) *Entry {
	if m == nil {
		return nil
	}
	return m.byKey[id]
}

// All yields every entry, sorted by description.
func (m *Metadata) All() iter.Seq[*Entry] {
	if m == nil {
		return func(func(*Entry) bool) {}
	}
	return slices.Values(m.entries)
}

// Len is the number of entries.
func (m *Metadata) Len() int {
	if m == nil {
		return 0
	}
	return len(m.entries)
}

// Stale tells whether the day on which the next BLOB was due is over. Stale
// metadata stays in use (WA-56).
func (m *Metadata) Stale(now time.Time) bool {
	return m != nil && !now.Before(m.NextUpdate.AddDate(0, 0, 1))
}

// Alarm tells whether a person should look: 30 days past the due day (WA-56).
func (m *Metadata) Alarm(now time.Time) bool {
	return m != nil && !now.Before(m.NextUpdate.AddDate(0, 0, 30))
}

// Warning is something to show that refuses nothing.
type Warning struct {
	Code    string `json:"code"`
	Subject string `json:"subject,omitempty"` // the AAGUID or key identifier it is about
	Message string `json:"message"`
}

// Codes of warnings.
const (
	WarnStale             = "metadataStale"
	WarnEntrySkipped      = "metadataEntrySkipped"
	WarnRootSkipped       = "metadataRootSkipped"
	WarnRevocationUnknown = "metadataRevocationUnknown"
)
