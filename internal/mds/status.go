package mds

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Status values that Cardea acts on. Others are kept and shown.
const (
	StatusRevoked                = "REVOKED"
	StatusUserVerificationBypass = "USER_VERIFICATION_BYPASS"
	StatusAttestationCompromised = "ATTESTATION_KEY_COMPROMISE"
	StatusRemoteCompromise       = "USER_KEY_REMOTE_COMPROMISE"
	StatusPhysicalCompromise     = "USER_KEY_PHYSICAL_COMPROMISE"
	StatusRetired                = "RETIRED"
	StatusNotCertified           = "NOT_FIDO_CERTIFIED"
	StatusSelfAssertion          = "SELF_ASSERTION_SUBMITTED"
	StatusCertified              = "FIDO_CERTIFIED" // also the beginning of every level
)

// Reasons why a model does not meet a profile that enforces attestation.
const (
	ReasonNotListed      = "authenticatorNotListed"
	ReasonCompromised    = "authenticatorCompromised"
	ReasonNotCertified   = "authenticatorNotCertified"
	ReasonNotFIDO2       = "authenticatorNotFido2"
	ReasonNoVerification = "authenticatorWithoutUserVerification"
	ReasonNoResidentKey  = "authenticatorWithoutResidentKey"
	ReasonNoHMACSecret   = "authenticatorWithoutHmacSecret"
)

// Bad tells whether the status means that the model cannot be trusted (WA-67).
func (r StatusReport) Bad() bool {
	switch r.Status {
	case StatusRevoked, StatusUserVerificationBypass, StatusAttestationCompromised, StatusRemoteCompromise, StatusPhysicalCompromise:
		return true
	}
	return false
}

// InEffect tells whether the report counts at now: its effective date is
// reached, its sunset date is not.
func (r StatusReport) InEffect(now time.Time) bool {
	return !r.EffectiveDate.After(now) && (r.SunsetDate.IsZero() || now.Before(r.SunsetDate))
}

// appliesTo tells whether the report is about this chain: always, unless it
// names a certificate (WA-69).
func (r StatusReport) appliesTo(chain [][]byte) bool {
	if len(r.Certificate) == 0 && len(r.BatchCertificate) == 0 {
		return true
	}
	return slices.ContainsFunc(chain, func(der []byte) bool {
		return len(der) > 0 && (bytes.Equal(der, r.Certificate) || bytes.Equal(der, r.BatchCertificate))
	})
}

// Compromised finds a bad report in effect, wherever it stands in the history,
// for an authenticator with this certificate chain (DER, the anchor included;
// nil if there is none). The second result is false if there is none
// (WA-67, WA-69, PK-92).
func (e *Entry) Compromised(chain [][]byte, now time.Time) (StatusReport, bool) {
	if e == nil {
		return StatusReport{}, false
	}
	for _, r := range e.StatusReports {
		if r.Bad() && r.InEffect(now) && r.appliesTo(chain) {
			return r, true
		}
	}
	return StatusReport{}, false
}

// Retired tells whether the maker has withdrawn the model: a warning, not a
// refusal (WA-67).
func (e *Entry) Retired(now time.Time) bool {
	return e != nil && slices.ContainsFunc(e.StatusReports, func(r StatusReport) bool {
		return r.Status == StatusRetired && r.InEffect(now)
	})
}

// Certified reads the FIDO certification from the latest report in effect that
// says anything about certification (WA-68). It returns that status, "" if
// there is none, and whether it is a certification of any level.
//
// Latest is by effective date; between reports of one day, or where one has no
// date, the later in the list wins. RETIRED, UPDATE_AVAILABLE and FIPS levels
// say nothing about FIDO certification; neither do reports about single
// certificates.
func (e *Entry) Certified(now time.Time) (status string, ok bool) {
	if e == nil {
		return "", false
	}
	var latest *StatusReport
	for i := range e.StatusReports {
		r := &e.StatusReports[i]
		if !r.aboutCertification() || !r.InEffect(now) {
			continue
		}
		if latest == nil || latest.EffectiveDate.IsZero() || r.EffectiveDate.IsZero() || !r.EffectiveDate.Before(latest.EffectiveDate) {
			latest = r
		}
	}
	if latest == nil {
		return "", false
	}
	return latest.Status, strings.HasPrefix(latest.Status, StatusCertified)
}

func (r *StatusReport) aboutCertification() bool {
	switch {
	case len(r.Certificate) > 0, len(r.BatchCertificate) > 0:
		return false
	case r.Status == StatusNotCertified, r.Status == StatusSelfAssertion, r.Status == StatusRevoked:
		return true
	}
	return strings.HasPrefix(r.Status, StatusCertified)
}

// MeetsProfile judges the model for a profile that enforces attestation
// (PK-91): listed, certified, FIDO 2.0 or later, user verification or PIN,
// resident keys, hmac-secret or PRF. It returns "" or the first reason why not.
// Status history is Compromised's business, because that depends on the chain.
func (e *Entry) MeetsProfile(now time.Time) (reason string) {
	if e == nil {
		return ReasonNotListed
	}
	_, certified := e.Certified(now)
	switch {
	case !certified:
		return ReasonNotCertified
	case !e.FIDO2():
		return ReasonNotFIDO2
	case !e.UserVerification && !e.ClientPIN:
		return ReasonNoVerification
	case !e.ResidentKey:
		return ReasonNoResidentKey
	case !e.HasExtension("hmac-secret") && !e.HasExtension("prf"):
		return ReasonNoHMACSecret
	}
	return ""
}

// FIDO2 tells whether the model speaks FIDO 2.0 or later.
func (e *Entry) FIDO2() bool {
	return e != nil && e.ProtocolFamily == "fido2" && slices.ContainsFunc(e.Versions, func(v string) bool {
		rest, ok := strings.CutPrefix(v, "FIDO_")
		major, _, _ := strings.Cut(rest, "_")
		n, err := strconv.Atoi(major)
		return ok && err == nil && n >= 2
	})
}
