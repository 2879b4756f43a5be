package passkey

import (
	"testing"
	"time"

	"cardea/internal/mds"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// securityKey is the metadata entry of a model that meets every demand.
func securityKey(reports ...string) *mds.Entry {
	e := &mds.Entry{
		Source: mds.SourceMDS, ProtocolFamily: "fido2", Versions: []string{"FIDO_2_1"}, AttestationTypes: []string{"basic_full"},
		UserVerification: true, ClientPIN: true, ResidentKey: true, Extensions: []string{"hmac-secret"},
		StatusReports: []mds.StatusReport{{Status: "FIDO_CERTIFIED_L1", EffectiveDate: noon.AddDate(-2, 0, 0)}},
	}
	for i, status := range reports {
		e.StatusReports = append(e.StatusReports, mds.StatusReport{Status: status, EffectiveDate: noon.AddDate(-1, 0, i)})
	}
	return e
}

// TestTrusted: PK-91, PK-92, PK-98.
func TestTrusted(t *testing.T) {
	without := func(change func(*mds.Entry)) *mds.Entry { e := securityKey(); change(e); return e }
	chain := [][]byte{{0x30, 1}, {0x30, 2}}
	for _, tt := range []struct {
		name  string
		e     Evidence
		cause string // "" means trusted
	}{
		{"PK-91 certified key", Evidence{Attested: true, Chain: chain, HasMetadata: true, Entry: securityKey()}, ""},
		{"PK-93 none", Evidence{Reason: "attestationNone", HasMetadata: true, Entry: securityKey()}, "attestationNone"},
		{"PK-93 self", Evidence{Reason: "attestationSelf", HasMetadata: true, Entry: securityKey()}, "attestationSelf"},
		{"PK-93 other root", Evidence{Reason: "attestationUntrusted", HasMetadata: true, Entry: securityKey()}, "attestationUntrusted"},
		{"no judgement at all", Evidence{HasMetadata: true, Entry: securityKey()}, "attestationUnverified"},
		{"zero", Evidence{}, "attestationUnverified"},
		{"PK-91 not listed", Evidence{Reason: mds.ReasonNotListed, HasMetadata: true}, mds.ReasonNotListed},
		{"PK-91 vendor's root, model not listed", Evidence{Attested: true, Chain: chain, HasMetadata: true}, mds.ReasonNotListed},
		{"PK-98 no metadata", Evidence{Reason: mds.ReasonNotListed}, CauseMetadataMissing},
		{"PK-98 no metadata, vendor's root", Evidence{Attested: true, Chain: chain}, CauseMetadataMissing},
		{"PK-98 no metadata does not excuse none", Evidence{Reason: "attestationNone"}, "attestationNone"},
		{"WA-40 upload on a server without metadata", Evidence{Attested: true, Chain: chain, Entry: securityKey()}, ""},
		{"PK-92 revoked", Evidence{Attested: true, Chain: chain, HasMetadata: true, Entry: securityKey("REVOKED")}, CauseCompromised},
		{"PK-92 revoked, then something else", Evidence{Attested: true, Chain: chain, HasMetadata: true, Entry: securityKey("REVOKED", "FIDO_CERTIFIED_L2")}, CauseCompromised},
		{"PK-92 verification bypass", Evidence{Attested: true, HasMetadata: true, Entry: securityKey("USER_VERIFICATION_BYPASS")}, CauseCompromised},
		{"PK-92 attestation key", Evidence{Attested: true, HasMetadata: true, Entry: securityKey("ATTESTATION_KEY_COMPROMISE")}, CauseCompromised},
		{"PK-92 remote", Evidence{Attested: true, HasMetadata: true, Entry: securityKey("USER_KEY_REMOTE_COMPROMISE")}, CauseCompromised},
		{"PK-92 physical", Evidence{Attested: true, HasMetadata: true, Entry: securityKey("USER_KEY_PHYSICAL_COMPROMISE")}, CauseCompromised},
		{"PK-91 not certified", Evidence{Attested: true, HasMetadata: true, Entry: securityKey("NOT_FIDO_CERTIFIED")}, mds.ReasonNotCertified},
		{"PK-91 FIDO U2F", Evidence{Attested: true, HasMetadata: true, Entry: without(func(e *mds.Entry) { e.Versions = []string{"U2F_V2"} })}, mds.ReasonNotFIDO2},
		{"PK-91 no user verification", Evidence{Attested: true, HasMetadata: true, Entry: without(func(e *mds.Entry) { e.UserVerification, e.ClientPIN = false, false })}, mds.ReasonNoVerification},
		{"PK-91 PIN suffices", Evidence{Attested: true, HasMetadata: true, Entry: without(func(e *mds.Entry) { e.UserVerification = false })}, ""},
		{"PK-91 no resident key", Evidence{Attested: true, HasMetadata: true, Entry: without(func(e *mds.Entry) { e.ResidentKey = false })}, mds.ReasonNoResidentKey},
		{"PK-91 no hmac-secret", Evidence{Attested: true, HasMetadata: true, Entry: without(func(e *mds.Entry) { e.Extensions = nil })}, mds.ReasonNoHMACSecret},
		{"PK-91 PRF suffices", Evidence{Attested: true, HasMetadata: true, Entry: without(func(e *mds.Entry) { e.Extensions = []string{"prf"} })}, ""},
	} {
		trusted, cause := tt.e.Trusted(noon)
		if trusted != (tt.cause == "") || cause != tt.cause {
			t.Errorf("%s: %v %q, want %q", tt.name, trusted, cause, tt.cause)
		}
	}
}

// TestCausesHaveWords: each cause that can occur has its own sentence.
func TestCausesHaveWords(t *testing.T) {
	seen := map[string]string{causeText(""): "the fallback"}
	for _, code := range []string{"attestationNone", "attestationSelf", "attestationUnverified", "attestationUntrusted", CauseMetadataMissing, CauseCompromised,
		mds.ReasonNotListed, mds.ReasonNotCertified, mds.ReasonNotFIDO2, mds.ReasonNoVerification, mds.ReasonNoResidentKey, mds.ReasonNoHMACSecret} {
		text := causeText(code)
		if other, ok := seen[text]; ok {
			t.Errorf("%s says the same as %s: %q", code, other, text)
		}
		seen[text] = code
	}
}

func TestLevelOf_PK94(t *testing.T) {
	for _, tt := range []struct {
		attested bool
		source   string
		want     AttestationLevel
	}{
		{true, "mds", Attested}, {true, "uploaded", Attested}, {true, "vendor", NotAttested}, {true, "", NotAttested}, {false, "mds", NotAttested},
	} {
		if got := LevelOf(tt.attested, tt.source); got != tt.want {
			t.Errorf("%v %q: %s", tt.attested, tt.source, got)
		}
	}
}

func TestThumbprints_PK95(t *testing.T) {
	// SHA-1 of "abc" and of nothing, as published with the algorithm.
	want := []string{"a9993e364706816aba3e25717850c26c9cd0d89d", "da39a3ee5e6b4b0d3255bfef95601890afd80709"}
	if diff := cmp.Diff(want, Thumbprints([][]byte{[]byte("abc"), {}})); diff != "" {
		t.Error(diff)
	}
	if got := asJSON(t, Thumbprints(nil)); got != "[]" {
		t.Error(got)
	}
}
