package mds

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"

	"cardea/internal/mds/mdstest"
)

func TestEntryKeepsWhatIsNeeded(t *testing.T) {
	root := testRoot(t, "A")
	e := only(t, mdstest.SecurityKey(keyA, "Key\u202e A\n", root).
		Set("friendlyNames", map[string]any{"en_US": "Key A", "de-DE": "Schlüssel A", "fr": " "}).
		Set("multiDeviceCredentialSupport", "unsupported").
		Set("attestationTypes", []any{"basic_full", "attca"}).
		Info("options", map[string]any{"rk": true, "uv": true, "ep": false}).
		Report(map[string]any{"status": "UPDATE_AVAILABLE", "effectiveDate": "2025-02-03", "url": "javascript:alert(1)", "authenticatorVersion": 3, "certificateNumber": "FIDO1", "certificationDescriptor": "Key A"}))
	switch {
	case e.Source != SourceMDS, e.AAGUID != id(keyA), e.Description != "Key A":
		t.Errorf("identity: %+v", e)
	case len(e.Names) != 2 || e.Names["en-us"] != "Key A" || e.Names["de-de"] != "Schlüssel A":
		t.Errorf("names: %v", e.Names)
	case len(e.Roots) != 1 || !slices.Equal(e.Roots[0], root.Raw):
		t.Error("roots")
	case !e.ListsAttestation("basic") || !e.ListsAttestation("attCA") || e.ListsAttestation("self") || e.ListsAttestation("none") || e.ListsAttestation(""):
		t.Errorf("WA-38 attestation types: %v", e.AttestationTypes)
	case !slices.Equal(e.Versions, []string{"U2F_V2", "FIDO_2_0", "FIDO_2_1"}) || !e.FIDO2():
		t.Errorf("versions: %v", e.Versions)
	case !e.UserVerification || e.ClientPIN || !e.ResidentKey || !e.EnterpriseAttest:
		t.Errorf("options: %+v", e)
	case !e.HasExtension("hmac-secret") || e.HasExtension("prf"):
		t.Errorf("extensions: %v", e.Extensions)
	case !e.HardwareKey():
		t.Errorf("key protection: %v", e.KeyProtection)
	case !e.LastStatusChange.Equal(day("2024-01-15")):
		t.Errorf("last change: %v", e.LastStatusChange)
	case len(e.StatusReports) != 2:
		t.Errorf("reports: %v", e.StatusReports)
	}
	r := e.StatusReports[1]
	if !r.EffectiveDate.Equal(day("2025-02-03")) || r.AuthenticatorVersion != 3 || r.CertificateNumber != "FIDO1" || r.Descriptor != "Key A" {
		t.Errorf("report: %+v", r)
	}
	if r.URL != "" {
		t.Errorf("a link that is not https is kept: %q", r.URL)
	}
}

func TestMultiDeviceUnknownIsNotDeviceBound(t *testing.T) {
	key := mdstest.SecurityKey(keyA, "Key")
	yes, no := true, false
	for text, want := range map[string]*bool{"": nil, "unsupported": &no, "explicit": &yes, "implicit": &yes, "something new": nil} {
		got := only(t, key.Set("multiDeviceCredentialSupport", text)).MultiDevice
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestHardwareKeyWA74(t *testing.T) {
	key := mdstest.SecurityKey(keyA, "Key")
	for words, want := range map[string]bool{"hardware": true, "tee": true, "hardware,secure_element": true, "software": false, "hardware,software": false, "remote_handle": false} {
		var list []any
		for _, w := range strings.Split(words, ",") {
			list = append(list, w)
		}
		if got := only(t, key.Set("keyProtection", list)).HardwareKey(); got != want {
			t.Errorf("%s: %v", words, got)
		}
	}
}

func TestLookupWA62(t *testing.T) {
	root := testRoot(t, "U2F")
	ski := must(KeyIdentifier(root))(t)
	icon := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("a small picture, as far as this test goes"))
	m, warnings := parsed(t,
		mdstest.SecurityKey(strings.ToUpper(keyB), "beta").Set("icon", icon).Set("iconDark", icon),
		mdstest.U2FKey(strings.ToUpper(ski), "Gamma", root),
		mdstest.SecurityKey(keyA, "Alpha").Set("providerLogoLight", icon))
	if len(warnings) != 0 {
		t.Fatal(warnings)
	}
	if e := m.Lookup(id(keyB)); e == nil || e.Description != "beta" {
		t.Errorf("by AAGUID: %+v", e)
	}
	if e := m.LookupKeyIdentifier(ski); e == nil || e.Description != "Gamma" || e.AAGUID != (AAGUID{}) {
		t.Errorf("by key identifier: %+v", e)
	}
	if m.Lookup(AAGUID{}) != nil {
		t.Error("the zero AAGUID has an entry")
	}
	if m.Lookup(id("00000000-0000-0000-0000-000000000001")) != nil || m.LookupKeyIdentifier("") != nil {
		t.Error("an unknown id has an entry")
	}
	var order []string
	for e := range m.All() {
		order = append(order, e.Description)
	}
	if !slices.Equal(order, []string{"Alpha", "beta", "Gamma"}) || m.Len() != 3 {
		t.Errorf("order %v", order)
	}
	stored := must(m.Encode(testKey))(t)
	if strings.Contains(string(stored), "image/png") || strings.Contains(string(stored), base64.StdEncoding.EncodeToString([]byte("a small picture"))) {
		t.Error("icons are kept")
	}
	var none *Metadata
	for range none.All() {
		t.Error("no metadata has entries")
	}
	if none.Lookup(id(keyA)) != nil || none.LookupKeyIdentifier(ski) != nil || none.Len() != 0 || none.Stale(today) || none.Alarm(today) {
		t.Error("no metadata says something")
	}
}

// TestKeyIdentifier compares with the subject key identifier that Go computes
// by the same method for a certification authority.
func TestKeyIdentifier(t *testing.T) {
	root, key := newRootKey(t, "U2F")
	got := must(KeyIdentifier(root))(t)
	pub := must(key.PublicKey.Bytes())(t)
	if want := sha1Hex(pub); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNegativeSerialWA14: one entry of the real BLOB has such a root.
func TestNegativeSerialWA14(t *testing.T) {
	root, key := newRootKey(t, "negative")
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "negative"}, SerialNumber: big.NewInt(0x55),
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	// Go writes no negative serial, so the one byte 55 becomes 80, which is -128.
	// The signature no longer fits; nobody checks that of a root.
	i := strings.Index(string(der), "\x02\x01\x55")
	if i < 0 {
		t.Fatal("serial number not found")
	}
	der[i+2] = 0x80
	if cert := mustCert(t, der); cert.SerialNumber.Int64() != -128 {
		t.Fatalf("serial number %v", cert.SerialNumber)
	}
	e := only(t, mdstest.SecurityKey(keyA, "Key").Set("attestationRootCertificates", []any{base64.StdEncoding.EncodeToString(der)}))
	if len(e.Roots) != 1 {
		t.Error("a root with a negative serial number is not used")
	}
}

func TestAAGUIDTextPK99(t *testing.T) {
	if got := FormatAAGUID(AAGUID{}); got != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("zero is written %s", got)
	}
	if got := FormatAAGUID(id("DE1E552D-DB1D-4423-A619-566B625CDC84")); got != "de1e552d-db1d-4423-a619-566b625cdc84" {
		t.Errorf("written %s", got)
	}
	for _, bad := range []string{"", "de1e552d", "de1e552ddb1d4423a619566b625cdc84", "{de1e552d-db1d-4423-a619-566b625cdc84}", "de1e552d-db1d-4423-a619-566b625cdc8g",
		" de1e552d-db1d-4423-a619-566b625cdc84", "de1e552d-db1d-4423-a619-566b625cdc84 ", "de1e552ddb-1d-4423-a619-566b625cdc84", "de1e552d-db1d-4423-a619-566b625cdc8\n"} {
		if v, err := ParseAAGUID(bad); err == nil || v != (AAGUID{}) {
			t.Errorf("%q is read as %x", bad, v)
		}
	}
}
