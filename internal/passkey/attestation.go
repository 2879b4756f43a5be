package passkey

import (
	"crypto/sha1" // names certificates as Graph does (PK-95), protects nothing
	"encoding/hex"
	"time"

	"cardea/internal/mds"
)

// Causes of Evidence.Trusted beside those of packages webauthn and mds.
const (
	CauseMetadataMissing = "metadataMissing"
	CauseCompromised     = mds.ReasonCompromised
)

// Evidence is what is known about the attestation of a new passkey: the
// judgement of the ceremony, and what the FIDO metadata says about the model.
type Evidence struct {
	Attested    bool       // webauthn.Trust.Attested
	Reason      string     // webauthn.Trust.Reason, if not attested
	Chain       [][]byte   // certificates of the statement, DER, leaf first
	HasMetadata bool       // the server holds metadata at all
	Entry       *mds.Entry // the model's entry; nil if there is none
}

// Trusted reports whether the attestation satisfies a profile that enforces
// it, and a code saying why not (PK-91, PK-92, PK-98). A chain to a vendor's
// root does not suffice: the metadata must know the model.
func (e Evidence) Trusted(now time.Time) (trusted bool, cause string) {
	switch {
	case e.Entry == nil && !e.HasMetadata && (e.Attested || e.Reason == mds.ReasonNotListed || e.Reason == "attestationUntrusted"):
		// The key may be as good as any; without metadata nobody can tell.
		return false, CauseMetadataMissing
	case !e.Attested && e.Reason == "":
		return false, "attestationUnverified"
	case !e.Attested:
		return false, e.Reason
	}
	if _, bad := e.Entry.Compromised(e.Chain, now); bad {
		return false, CauseCompromised
	}
	if shortfall := e.Entry.MeetsProfile(now); shortfall != "" {
		return false, shortfall
	}
	return true, ""
}

// AttestationLevel says whether the model of a passkey is proved.
type AttestationLevel string

const (
	Attested    AttestationLevel = "attested"
	NotAttested AttestationLevel = "notAttested"
)

// LevelOf is Attested exactly if the statement verified up to a root of the
// metadata, an administrator's upload included (PK-94, WA-40). source is
// webauthn.Trust.Source.
func LevelOf(attested bool, source string) AttestationLevel {
	if attested && (source == mds.SourceMDS || source == mds.SourceUploaded) {
		return Attested
	}
	return NotAttested
}

// Thumbprints gives the lower-case hex SHA-1 of each certificate, leaf first,
// never nil (PK-95).
func Thumbprints(x5c [][]byte) []string {
	prints := make([]string, len(x5c))
	for i, der := range x5c {
		sum := sha1.Sum(der)
		prints[i] = hex.EncodeToString(sum[:])
	}
	return prints
}
