package webauthn_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"sync"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"
)

// maker is the true maker of the model, and forger has a CA of his own. Their
// certificates live at the wall clock, because the library looks at it (WA-13).
type makers struct{ maker, forger *cardeatest.AttestationCA }

func newMakers(t testing.TB) makers {
	t.Helper()
	maker, err := cardeatest.NewAttestationCA("Maker", time.Now())
	must(t, err)
	forger, err := cardeatest.NewAttestationCA("Forger", time.Now())
	must(t, err)
	return makers{maker, forger}
}

func issue(t testing.TB, ca *cardeatest.AttestationCA, r cardeatest.LeafRules) *cardeatest.Certificate {
	t.Helper()
	c, err := ca.Issue(r)
	must(t, err)
	return c
}

func entry(ca *cardeatest.AttestationCA, aaguids ...[16]byte) webauthn.Anchor {
	return webauthn.Anchor{Certificate: ca.Root, Source: webauthn.SourceMDS, AAGUIDs: aaguids, AttestationTypes: []string{"basic_full"}}
}

// attest registers a key of the model with this proof, while attestation is recorded.
func attest(t testing.TB, aaguid [16]byte, proof cardeatest.Attestation) webauthn.Facts {
	t.Helper()
	a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(aaguid))
	a.Attestation = proof
	c := registration()
	f, err := webauthn.Register(site, c, created(t, a, c), now)
	must(t, err)
	return f
}

func leaf(c *cardeatest.Certificate) cardeatest.Attestation { return cardeatest.Attestation{Leaf: c} }

// The genuine case, and what Trust says then.
func TestAttestedChain(t *testing.T) {
	m := newMakers(t)
	for name, rules := range map[string]cardeatest.LeafRules{
		"AAGUID extension (WA-39)":         {AAGUID: &model},
		"no AAGUID extension":              {},
		"intermediate in x5c (WA-37)":      {AAGUID: &model, Intermediate: true},
		"negative serial of leaf (WA-14)":  {AAGUID: &model, NegativeSerial: true},
		"leaf with its last day far ahead": {AAGUID: &model, NotAfter: time.Now().AddDate(50, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			f := attest(t, model, leaf(issue(t, m.maker, rules)))
			if f.Attestation.Type != webauthn.TypeBasic || f.Attestation.Problem != "" || f.AAGUID != model {
				t.Fatalf("%+v", f.Attestation)
			}
			if tr := f.Attestation.Trust; tr.Attested || tr.Reason != "authenticatorNotListed" || !tr.At.Equal(now) {
				t.Errorf("before anchors: %+v", tr)
			}
			tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{entry(m.forger, model), entry(m.maker, other, model)}, now)
			want := webauthn.Trust{Attested: true, Root: sha256.Sum256(m.maker.Root), Source: "mds", At: now}
			if tr != want {
				t.Errorf("trust %+v, want %+v", tr, want)
			}
		})
	}
}

// WA-14: a root with a negative serial number parses.
func TestWA14NegativeSerialRoot(t *testing.T) {
	ca, err := cardeatest.NewNegativeSerialCA("Old maker", time.Now())
	must(t, err)
	cert, err := x509.ParseCertificate(ca.Root)
	must(t, err)
	if cert.SerialNumber.Int64() != -128 {
		t.Fatalf("serial %v", cert.SerialNumber)
	}
	f := attest(t, model, leaf(issue(t, ca, cardeatest.LeafRules{AAGUID: &model, NegativeSerial: true})))
	if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{entry(ca, model)}, now); !tr.Attested {
		t.Errorf("%+v", tr)
	}
}

// WA-83 rows 1–5, WA-34, WA-35, WA-38, WA-39: every way to claim a model without
// its maker, and the reason. "accepts" says that the ceremony itself passes: who
// does not ask for attestation takes the passkey, and it is never attested.
func TestWA83Forgeries(t *testing.T) {
	m := newMakers(t)
	genuine := entry(m.maker, model)
	uploaded := genuine
	uploaded.Source = webauthn.SourceUploaded
	uploadedTwo := uploaded
	uploadedTwo.AAGUIDs = [][16]byte{model, other}
	selfOnly := genuine
	selfOnly.AttestationTypes = []string{"basic_surrogate"}
	for _, tt := range []struct {
		name    string
		aaguid  [16]byte
		proof   cardeatest.Attestation
		anchors []webauthn.Anchor
		typ     string
		reason  string
	}{
		{"1 none with an allowed AAGUID", model, cardeatest.Attestation{}, []webauthn.Anchor{genuine}, "none", "attestationNone"},
		{"2 self with an allowed AAGUID", model, cardeatest.Attestation{Self: true}, []webauthn.Anchor{genuine}, "self", "attestationSelf"},
		{"3 own CA, AAGUID and extension forged", model, leaf(issue(t, m.forger, cardeatest.LeafRules{AAGUID: &model})), []webauthn.Anchor{genuine}, "basic", "attestationUntrusted"},
		{"3 own CA without extension", model, leaf(issue(t, m.forger, cardeatest.LeafRules{})), []webauthn.Anchor{genuine}, "basic", "attestationUntrusted"},
		{"4 chain of another model, no extension", other, leaf(issue(t, m.maker, cardeatest.LeafRules{})), []webauthn.Anchor{genuine}, "basic", "authenticatorNotListed"},
		{"4 chain of another model, extension of its own", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &other})), []webauthn.Anchor{genuine, entry(m.maker, other)}, "unverified", "attestationUnverified"},
		{"5 zero AAGUID, none", [16]byte{}, cardeatest.Attestation{}, []webauthn.Anchor{genuine, entry(m.forger, [16]byte{})}, "none", "attestationNone"},
		{"5 zero AAGUID, self", [16]byte{}, cardeatest.Attestation{Self: true}, []webauthn.Anchor{genuine, entry(m.forger, [16]byte{})}, "self", "attestationSelf"},
		{"5 zero AAGUID, own CA", [16]byte{}, leaf(issue(t, m.forger, cardeatest.LeafRules{})), []webauthn.Anchor{genuine, entry(m.forger, [16]byte{})}, "basic", "authenticatorNotListed"},
		{"no anchor at all (WA-38)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model})), nil, "basic", "authenticatorNotListed"},
		{"entry that lists only self (WA-38)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model})), []webauthn.Anchor{selfOnly}, "basic", "attestationUntrusted"},
		{"critical extension (WA-32)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model, CriticalAAGUID: true})), []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"leaf that is a CA (WA-32, PK-93)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model, CA: true})), []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"leaf with another OU (WA-32)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model, Unit: "Sales"})), []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"expired leaf (WA-32)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model, NotAfter: time.Now().Add(-time.Hour)})), []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"unknown format (WA-32)", model, cardeatest.Attestation{Format: "x-unknown"}, []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"compound (WA-29)", model, cardeatest.Attestation{Format: "compound"}, []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"safetynet (WA-32)", model, cardeatest.Attestation{Format: "android-safetynet"}, []webauthn.Anchor{genuine}, "unverified", "attestationUnverified"},
		{"uploaded for one model, no extension (WA-39)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{})), []webauthn.Anchor{uploaded}, "basic", ""},
		{"uploaded for two models, no extension (WA-39)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{})), []webauthn.Anchor{uploadedTwo}, "basic", "attestationUntrusted"},
		{"uploaded for two models, extension (WA-39)", model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model})), []webauthn.Anchor{uploadedTwo}, "basic", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := attest(t, tt.aaguid, tt.proof)
			if f.Attestation.Type != tt.typ || (tt.typ == "unverified") != (f.Attestation.Problem != "") {
				t.Errorf("attestation %q, problem %q", f.Attestation.Type, f.Attestation.Problem)
			}
			if tt.proof.Leaf != nil && (len(f.Attestation.Certificates) == 0 || !bytes.Equal(f.Attestation.Certificates[0], tt.proof.Leaf.Chain[0])) {
				t.Error("certificates are not kept") // WA-31
			}
			tr := webauthn.CheckTrust(f.Attestation, tt.anchors, now)
			if tr.Attested != (tt.reason == "") || tr.Reason != tt.reason || !tr.At.Equal(now) {
				t.Errorf("trust %+v, want reason %q", tr, tt.reason)
			}
			if !tr.Attested && (tr.Root != [32]byte{} || tr.Source != "") {
				t.Errorf("not attested, and yet %+v", tr)
			}
		})
	}
}

// WA-31: under require, what would be a fact is an error.
func TestWA31Require(t *testing.T) {
	m := newMakers(t)
	for name, tt := range map[string]struct {
		proof cardeatest.Attestation
		code  string
	}{
		"unknown format": {cardeatest.Attestation{Format: "x-unknown"}, "attestationFormatUnsupported"},
		"safetynet":      {cardeatest.Attestation{Format: "android-safetynet"}, "attestationFormatUnsupported"},
		"compound":       {cardeatest.Attestation{Format: "compound"}, "attestationFormatUnsupported"},
		"leaf is CA":     {leaf(issue(t, m.maker, cardeatest.LeafRules{CA: true})), "attestationValidationFailed"},
		"expired leaf":   {leaf(issue(t, m.maker, cardeatest.LeafRules{NotAfter: time.Now().Add(-time.Hour)})), "attestationValidationFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
			a.Attestation = tt.proof
			c := registration()
			c.RequireAttestation = true
			f, err := webauthn.Register(site, c, created(t, a, c), now)
			wantCode(t, f, err, tt.code)
		})
	}
}

// WA-33, WA-83 row 7: a forged signature in a known format is an error also
// where attestation is merely recorded, and a certificate fault does not hide it.
func TestWA33WrongSignature(t *testing.T) {
	m := newMakers(t)
	spoil := func(stmt map[string]any) { flipLast(stmt["sig"]) }
	drop := func(name string) func(map[string]any) { return func(stmt map[string]any) { delete(stmt, name) } }
	set := func(name string, v any) func(map[string]any) { return func(stmt map[string]any) { stmt[name] = v } }
	good := issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model})
	ca := issue(t, m.maker, cardeatest.LeafRules{CA: true})
	swapped := *good
	swapped.Chain = issue(t, m.forger, cardeatest.LeafRules{AAGUID: &model}).Chain
	for name, proof := range map[string]cardeatest.Attestation{
		"self":                           {Self: true, Edit: spoil},
		"self, no sig":                   {Self: true, Edit: drop("sig")},
		"self, no alg":                   {Self: true, Edit: drop("alg")},
		"self, alg of another key":       {Self: true, Edit: set("alg", -257)},
		"chain":                          {Leaf: good, Edit: spoil},
		"chain with a CA leaf":           {Leaf: ca, Edit: spoil},
		"chain, no sig":                  {Leaf: good, Edit: drop("sig")},
		"chain, unknown alg":             {Leaf: good, Edit: set("alg", -99999)},
		"chain of another key":           {Leaf: &swapped},
		"chain dropped: not self either": {Leaf: good, Edit: drop("x5c")},
		"x5c empty":                      {Self: true, Edit: set("x5c", []any{})},
		"x5c not an array":               {Self: true, Edit: set("x5c", []byte{1})},
		"x5c holds a number":             {Self: true, Edit: set("x5c", []any{1})},
		"x5c holds no certificate":       {Leaf: good, Edit: set("x5c", []any{[]byte{1}})},
		"none with a statement":          {Edit: set("alg", -7)},
		"packed without anything":        {Format: "packed"},
		"tpm without anything":           {Format: "tpm"},
		"android-key of others":          {Self: true, Format: "android-key"},
		"apple without anything":         {Format: "apple"},
		"apple without nonce":            {Leaf: good, Format: "apple"},
		"fido-u2f over other bytes":      {Leaf: good, Format: "fido-u2f"},
		"tpm over other bytes":           {Leaf: good, Format: "tpm"},
	} {
		for _, require := range []bool{false, true} {
			a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
			a.Attestation = proof
			c := registration()
			c.RequireAttestation = require
			resp := created(t, a, c)
			t.Run(name, func(t *testing.T) {
				f, err := webauthn.Register(site, c, resp, now)
				wantCode(t, f, err, "attestationValidationFailed")
			})
		}
	}
}

// WA-83 row 7: a good statement of another ceremony proves nothing.
func TestStatementOfAnotherCeremony(t *testing.T) {
	m := newMakers(t)
	a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
	a.Attestation = leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model}))
	c := registration()
	first := created(t, a, c)
	c.Challenge = challenge("second")
	second := created(t, a, c)

	mixed := second
	mixed.AttestationObject, mixed.CredentialID = first.AttestationObject, first.CredentialID
	f, err := webauthn.Register(site, c, mixed, now)
	wantCode(t, f, err, "attestationValidationFailed")
	if _, err := webauthn.Register(site, c, second, now); err != nil {
		t.Fatal(err)
	}
}

// WA-35: a vendor root speaks for its own format and nothing else.
func TestWA35VendorRoots(t *testing.T) {
	m := newMakers(t)
	f := attest(t, model, leaf(issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model})))
	vendor := webauthn.Anchor{Certificate: m.maker.Root, Source: webauthn.SourceVendor}
	for name, tt := range map[string]struct {
		formats []string
		aaguids [][16]byte
		reason  string
	}{
		"no format":      {nil, nil, "authenticatorNotListed"},
		"AAGUID only":    {nil, [][16]byte{model}, "authenticatorNotListed"},
		"other format":   {[]string{"apple"}, nil, "authenticatorNotListed"},
		"its format":     {[]string{"packed"}, nil, ""},
		"other model":    {[]string{"packed"}, [][16]byte{other}, "authenticatorNotListed"},
		"its model also": {[]string{"packed"}, [][16]byte{model}, ""},
	} {
		vendor.Formats, vendor.AAGUIDs = tt.formats, tt.aaguids
		if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{vendor}, now); tr.Reason != tt.reason || tr.Attested != (tt.reason == "") {
			t.Errorf("%s: %+v", name, tr)
		}
	}
	// An anchor that names no model is for no model.
	if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{{Certificate: m.maker.Root, Source: webauthn.SourceMDS}}, now); tr.Attested {
		t.Errorf("nameless anchor: %+v", tr)
	}
}

// WA-35: without AAGUID the entry is found by the key of the attestation certificate.
func TestWA35KeyIdentifier(t *testing.T) {
	m := newMakers(t)
	proof := issue(t, m.maker, cardeatest.LeafRules{})
	f := attest(t, [16]byte{}, leaf(proof))
	cert, err := x509.ParseCertificate(proof.Chain[0])
	must(t, err)
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	_, err = asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &spki)
	must(t, err)
	id := sha1.Sum(spki.Key.Bytes)
	anchor := webauthn.Anchor{Certificate: m.maker.Root, Source: webauthn.SourceMDS, KeyIdentifiers: [][]byte{id[:]}}
	if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{anchor}, now); !tr.Attested {
		t.Errorf("%+v", tr)
	}
	// The key identifier is no way in for a model that has an AAGUID.
	f = attest(t, model, leaf(proof))
	if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{anchor}, now); tr.Reason != "authenticatorNotListed" {
		t.Errorf("%+v", tr)
	}
}

// systemCA is a CA of the system store, as far as this process can tell.
var systemCA = sync.OnceValues(func() (*cardeatest.AttestationCA, error) {
	ca, err := cardeatest.NewAttestationCA("System", time.Now())
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(ca.Root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	x509.SetFallbackRoots(pool) // once per process
	return ca, nil
})

// WA-36, WA-83 row 3: a chain that ends at a CA of the system store proves nothing.
func TestWA36NoSystemRoots(t *testing.T) {
	t.Setenv("GODEBUG", "x509usefallbackroots=1")
	ca, err := systemCA()
	must(t, err)
	m := newMakers(t)
	proof := issue(t, ca, cardeatest.LeafRules{AAGUID: &model})
	f := attest(t, model, leaf(proof))
	cert, err := x509.ParseCertificate(proof.Chain[0])
	must(t, err)
	if _, err := cert.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Fatalf("the test is void, the system store does not hold the CA: %v", err)
	}
	for name, anchors := range map[string][]webauthn.Anchor{
		"none":           nil,
		"empty":          {},
		"of others":      {entry(m.forger, model)},
		"no certificate": {{Certificate: []byte("no certificate"), Source: "mds", AAGUIDs: [][16]byte{model}}},
	} {
		if tr := webauthn.CheckTrust(f.Attestation, anchors, now); tr.Attested || tr.Reason == "" {
			t.Errorf("anchors %s: %+v", name, tr)
		}
	}
}

// WA-37: a leaf that is itself an anchor is accepted; its time is the registration time (WA-43).
func TestWA37LeafAsAnchorAndTime(t *testing.T) {
	m := newMakers(t)
	proof := issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model})
	f := attest(t, model, leaf(proof))
	anchor := entry(m.forger, model)
	anchor.Certificate = proof.Chain[0]
	if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{anchor}, now); !tr.Attested || tr.Root != sha256.Sum256(proof.Chain[0]) {
		t.Errorf("%+v", tr)
	}
	for at, want := range map[time.Time]bool{now: true, now.AddDate(20, 0, 0): false, now.AddDate(-20, 0, 0): false} {
		tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{entry(m.maker, model)}, at)
		if tr.Attested != want || !tr.At.Equal(at) {
			t.Errorf("at %v: %+v", at, tr)
		}
	}
}

// WA-34, WA-85: the kept bytes decide; a type or certificates that were changed
// in storage open nothing.
func TestTrustReadsTheKeptObject(t *testing.T) {
	m := newMakers(t)
	anchors := []webauthn.Anchor{entry(m.maker, model)}
	forged := attest(t, model, leaf(issue(t, m.forger, cardeatest.LeafRules{AAGUID: &model}))).Attestation
	forged.Certificates = issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model}).Chain
	if tr := webauthn.CheckTrust(forged, anchors, now); tr.Attested {
		t.Errorf("certificates beside the object: %+v", tr)
	}
	none := attest(t, model, cardeatest.Attestation{}).Attestation
	none.Type = webauthn.TypeBasic
	if tr := webauthn.CheckTrust(none, anchors, now); tr.Attested {
		t.Errorf("type beside the object: %+v", tr)
	}
	none.Object = nil
	if tr := webauthn.CheckTrust(none, anchors, now); tr.Reason != "attestationUnverified" {
		t.Errorf("no object: %+v", tr)
	}
}
