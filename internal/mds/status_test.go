package mds

import (
	"testing"
	"time"

	"cardea/internal/mds/mdstest"
)

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

func report(status, from, until string) StatusReport {
	r := StatusReport{Status: status}
	if from != "" {
		r.EffectiveDate = day(from)
	}
	if until != "" {
		r.SunsetDate = day(until)
	}
	return r
}

func TestCompromisedWA67(t *testing.T) {
	for _, row := range []struct {
		name    string
		reports []StatusReport
		want    string // the status found; "" for none
	}{
		{"no history", nil, ""},
		{"certified", []StatusReport{report("FIDO_CERTIFIED_L2", "2024-01-01", "")}, ""},
		{"REVOKED", []StatusReport{report("REVOKED", "2024-01-01", "")}, "REVOKED"},
		{"USER_VERIFICATION_BYPASS", []StatusReport{report("USER_VERIFICATION_BYPASS", "", "")}, "USER_VERIFICATION_BYPASS"},
		{"ATTESTATION_KEY_COMPROMISE", []StatusReport{report("ATTESTATION_KEY_COMPROMISE", "", "")}, "ATTESTATION_KEY_COMPROMISE"},
		{"USER_KEY_REMOTE_COMPROMISE", []StatusReport{report("USER_KEY_REMOTE_COMPROMISE", "", "")}, "USER_KEY_REMOTE_COMPROMISE"},
		{"USER_KEY_PHYSICAL_COMPROMISE", []StatusReport{report("USER_KEY_PHYSICAL_COMPROMISE", "", "")}, "USER_KEY_PHYSICAL_COMPROMISE"},
		// The history of ba86dc56-635f-4141-aef6-00227b1b9af6, as the specification tells it.
		{"REVOKED in the middle, not certified last", []StatusReport{
			report("FIDO_CERTIFIED_L1", "2021-01-01", ""), report("REVOKED", "2023-01-01", ""), report("NOT_FIDO_CERTIFIED", "2024-01-01", "")}, "REVOKED"},
		{"certified again later", []StatusReport{report("REVOKED", "2023-01-01", ""), report("FIDO_CERTIFIED_L1", "2025-01-01", "")}, "REVOKED"},
		{"not in effect yet", []StatusReport{report("REVOKED", "2026-09-16", "")}, ""},
		{"in effect since today", []StatusReport{report("REVOKED", "2026-09-15", "")}, "REVOKED"},
		{"sunset yesterday", []StatusReport{report("REVOKED", "2024-01-01", "2026-09-14")}, ""},
		{"sunset today", []StatusReport{report("REVOKED", "2024-01-01", "2026-09-15")}, ""},
		{"sunset tomorrow", []StatusReport{report("REVOKED", "2024-01-01", "2026-09-16")}, "REVOKED"},
		{"retired is a warning", []StatusReport{report("RETIRED", "2024-01-01", "")}, ""},
		{"update available", []StatusReport{report("UPDATE_AVAILABLE", "2024-01-01", "")}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, bad := (&Entry{StatusReports: row.reports}).Compromised(nil, today)
			if bad != (row.want != "") || got.Status != row.want {
				t.Errorf("got %q, %v, want %q", got.Status, bad, row.want)
			}
		})
	}
	if e := (&Entry{StatusReports: []StatusReport{report("RETIRED", "2024-01-01", "")}}); !e.Retired(today) || e.Retired(day("2023-01-01")) {
		t.Error("RETIRED does not warn from its day on")
	}
}

func TestCompromisedCertificateWA69(t *testing.T) {
	bad, good := testRoot(t, "bad batch"), testRoot(t, "good batch")
	e := only(t, mdstest.SecurityKey(keyA, "Key", good).Report(mdstest.Status("ATTESTATION_KEY_COMPROMISE", "2025-01-01", bad)))
	for _, row := range []struct {
		name  string
		chain [][]byte
		want  bool
	}{
		{"chain with it", [][]byte{good.Raw, bad.Raw}, true},
		{"chain without it", [][]byte{good.Raw}, false},
		{"no chain", nil, false},
		{"chain with an empty certificate", [][]byte{{}}, false},
	} {
		if _, got := e.Compromised(row.chain, today); got != row.want {
			t.Errorf("%s: %v", row.name, got)
		}
	}
	batch := &Entry{StatusReports: []StatusReport{{Status: "REVOKED", BatchCertificate: bad.Raw}}}
	if _, got := batch.Compromised([][]byte{bad.Raw}, today); !got {
		t.Error("a batch certificate is not seen")
	}
	if _, got := batch.Compromised([][]byte{good.Raw}, today); got {
		t.Error("a batch certificate condemns another batch")
	}
	if status, ok := e.Certified(today); !ok {
		t.Errorf("bad news about one batch takes the certification of all: %s", status)
	}
}

func TestCertifiedWA68(t *testing.T) {
	for _, row := range []struct {
		name    string
		reports []StatusReport
		status  string
		ok      bool
	}{
		{"no history", nil, "", false},
		{"of the first scheme", []StatusReport{report("FIDO_CERTIFIED", "2019-01-01", "")}, "FIDO_CERTIFIED", true},
		{"level 3 plus", []StatusReport{report("FIDO_CERTIFIED_L3plus", "2019-01-01", "")}, "FIDO_CERTIFIED_L3plus", true},
		{"not certified", []StatusReport{report("NOT_FIDO_CERTIFIED", "2019-01-01", "")}, "NOT_FIDO_CERTIFIED", false},
		{"only asserted", []StatusReport{report("SELF_ASSERTION_SUBMITTED", "2019-01-01", "")}, "SELF_ASSERTION_SUBMITTED", false},
		{"lost, oldest first", []StatusReport{report("FIDO_CERTIFIED_L2", "2019-01-01", ""), report("NOT_FIDO_CERTIFIED", "2024-01-01", "")}, "NOT_FIDO_CERTIFIED", false},
		{"lost, newest first", []StatusReport{report("NOT_FIDO_CERTIFIED", "2024-01-01", ""), report("FIDO_CERTIFIED_L2", "2019-01-01", "")}, "NOT_FIDO_CERTIFIED", false},
		{"raised", []StatusReport{report("FIDO_CERTIFIED_L1", "2019-01-01", ""), report("FIDO_CERTIFIED_L2", "2024-01-01", "")}, "FIDO_CERTIFIED_L2", true},
		{"two on one day", []StatusReport{report("FIDO_CERTIFIED", "2019-01-01", ""), report("FIDO_CERTIFIED_L1", "2019-01-01", "")}, "FIDO_CERTIFIED_L1", true},
		{"last one without date", []StatusReport{report("FIDO_CERTIFIED_L1", "2019-01-01", ""), report("NOT_FIDO_CERTIFIED", "", "")}, "NOT_FIDO_CERTIFIED", false},
		{"coming", []StatusReport{report("NOT_FIDO_CERTIFIED", "2019-01-01", ""), report("FIDO_CERTIFIED_L1", "2027-01-01", "")}, "NOT_FIDO_CERTIFIED", false},
		{"run out", []StatusReport{report("NOT_FIDO_CERTIFIED", "2019-01-01", ""), report("FIDO_CERTIFIED_L1", "2020-01-01", "2025-01-01")}, "NOT_FIDO_CERTIFIED", false},
		{"revoked", []StatusReport{report("FIDO_CERTIFIED_L1", "2019-01-01", ""), report("REVOKED", "2024-01-01", "")}, "REVOKED", false},
		{"update available", []StatusReport{report("FIDO_CERTIFIED_L1", "2019-01-01", ""), report("UPDATE_AVAILABLE", "2024-01-01", "")}, "FIDO_CERTIFIED_L1", true},
		{"retired", []StatusReport{report("FIDO_CERTIFIED_L1", "2019-01-01", ""), report("RETIRED", "2024-01-01", "")}, "FIDO_CERTIFIED_L1", true},
		{"FIPS only", []StatusReport{report("FIPS140_CERTIFIED_L2", "2019-01-01", "")}, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, ok := (&Entry{StatusReports: row.reports}).Certified(today)
			if status != row.status || ok != row.ok {
				t.Errorf("got %q, %v, want %q, %v", status, ok, row.status, row.ok)
			}
		})
	}
}

func TestMeetsProfilePK91(t *testing.T) {
	key := mdstest.SecurityKey(keyA, "Key")
	options := func(o map[string]any) mdstest.Entry { return key.Info("options", o) }
	for _, row := range []struct {
		name  string
		entry mdstest.Entry
		want  string
	}{
		{"meets all", key, ""},
		{"user verification instead of PIN", options(map[string]any{"rk": true, "uv": true}), ""},
		{"PIN not set on a new device", options(map[string]any{"rk": true, "clientPin": false}), ""},
		{"PRF instead of hmac-secret", key.Info("extensions", []any{"prf"}), ""},
		{"extension in the statement", key.Info("extensions", nil).Set("supportedExtensions", []any{map[string]any{"id": "hmac-secret", "fail_if_unknown": false}}), ""},
		{"FIDO 2.0 exactly", key.Info("versions", []any{"FIDO_2_0"}), ""},
		{"FIDO 2.3", key.Info("versions", []any{"FIDO_2_3"}), ""},
		{"not certified", key.Reports(mdstest.Status("NOT_FIDO_CERTIFIED", "2024-01-01")), ReasonNotCertified},
		{"no history", key.Reports(), ReasonNotCertified},
		{"U2F", key.Info("versions", []any{"U2F_V2"}), ReasonNotFIDO2},
		{"preview before FIDO 2.0", key.Info("versions", []any{"FIDO_1_9"}), ReasonNotFIDO2},
		{"another family", key.Set("protocolFamily", "u2f"), ReasonNotFIDO2},
		{"neither user verification nor PIN", options(map[string]any{"rk": true}), ReasonNoVerification},
		{"no resident keys", options(map[string]any{"rk": false, "clientPin": true}), ReasonNoResidentKey},
		{"resident keys not stated", options(map[string]any{"clientPin": true}), ReasonNoResidentKey},
		{"no hmac-secret", key.Info("extensions", []any{"credProtect"}), ReasonNoHMACSecret},
		{"no information from the authenticator", key.Set("authenticatorGetInfo", nil), ReasonNoVerification},
		{"the same without upv", key.Set("authenticatorGetInfo", nil).Set("upv", nil), ReasonNotFIDO2},
		{"no statement", mdstest.Entry{"aaguid": keyA, "statusReports": []any{mdstest.Status("FIDO_CERTIFIED", "2024-01-01")}}, ReasonNotFIDO2},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := only(t, row.entry).MeetsProfile(today); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	var none *Entry
	if got := none.MeetsProfile(today); got != ReasonNotListed {
		t.Errorf("no entry: %q", got)
	}
	if _, bad := none.Compromised(nil, today); bad || none.Retired(today) || none.FIDO2() || none.HasExtension("prf") || none.HardwareKey() || none.ListsAttestation("basic") {
		t.Error("no entry says something")
	}
}
