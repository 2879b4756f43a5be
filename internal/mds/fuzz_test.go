package mds

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"cardea/internal/mds/mdstest"
	"cardea/internal/problem"
)

// known are the codes that Verify may answer with; anything else is a bug.
var known = map[string]bool{CodeMalformed: true, CodeUntrusted: true, CodeOlder: true}

// agrees is the independent judge: another library, the one right key.
func agrees(t *testing.T, a *mdstest.Authority, blob []byte) {
	t.Helper()
	sig, err := jose.ParseSignedCompact(string(bytes.TrimSpace(blob)), []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		t.Fatalf("accepted, but go-jose says %v", err)
	}
	if _, err := sig.Verify(a.Leaf.PublicKey); err != nil {
		t.Fatalf("accepted, but go-jose says %v", err)
	}
}

// FuzzVerify (WA-84): any payload, signed, and one byte of the result changed.
// No panic; only known codes; accepted only if an independent check agrees; what
// is accepted survives storage.
func FuzzVerify(f *testing.F) {
	a := authority(f, mdstest.Config{})
	payload := must(mdstest.Payload(5, today, mdstest.SecurityKey(keyA, "Key", testRoot(f, "A")), mdstest.SecurityKey("x", "Broken")))(f)
	f.Add(payload, uint(0), byte(0))
	f.Add(payload, uint(40), byte(1))
	f.Add(payload, uint(len(payload)), byte(1))
	f.Add([]byte(`{"no":1,"nextUpdate":"2026-01-01","entries":[{},null,1,{"aaguid":"`+keyA+`","metadataStatement":null}]}`), uint(0), byte(0))
	f.Add([]byte(`[[[[]]]]`), uint(0), byte(0))
	f.Fuzz(func(t *testing.T, payload []byte, at uint, x byte) {
		blob := must(a.Sign(nil, payload))(t)
		blob[at%uint(len(blob))] ^= x
		m, _, err := Verify(blob, a.Roots(), today, 1)
		if err != nil {
			if !known[problem.CodeOf(err)] || m != nil {
				t.Fatalf("%v beside %v", err, m)
			}
			return
		}
		agrees(t, a, blob)
		sane(t, m)
	})
}

// FuzzOpen (WA-84): any bytes at all in the place of a BLOB.
func FuzzOpen(f *testing.F) {
	a := authority(f, mdstest.Config{})
	f.Add(must(a.SignBLOB(1))(f))
	f.Add([]byte("e30.e30.AA"))
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, blob []byte) {
		if _, err := Open(blob, a.Roots(), today); err != nil {
			if !known[problem.CodeOf(err)] {
				t.Fatal(err)
			}
			return
		}
		agrees(t, a, blob)
	})
}

// sane checks what every Metadata must be.
func sane(t *testing.T, m *Metadata) {
	t.Helper()
	if m.Number < 1 || m.Lookup(AAGUID{}) != nil {
		t.Fatalf("%+v", m)
	}
	for e := range m.All() {
		if e.AAGUID == (AAGUID{}) && len(e.KeyIdentifiers) == 0 || e.AAGUID != (AAGUID{}) && m.Lookup(e.AAGUID) != e {
			t.Fatalf("entry without a name: %+v", e)
		}
		for _, der := range e.Roots {
			if _, err := x509.ParseCertificate(der); err != nil {
				t.Fatal(err)
			}
		}
		if e.Description != displayText(e.Description) {
			t.Fatalf("description %q", e.Description)
		}
		if bad, is := e.Compromised(nil, today); is && !bad.InEffect(today) {
			t.Fatal("compromised by a report that is not in effect")
		}
		if e.MeetsProfile(today) == "" && len(e.StatusReports) == 0 {
			t.Fatal("certified by nothing")
		}
	}
	back, err := Decode(must(m.Encode(testKey))(t), testKey)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(must(m.Encode(testKey))(t), must(back.Encode(testKey))(t)) {
		t.Fatal("storage changes it")
	}
}

// FuzzDecode (WA-84, WA-59): any bytes in the place of stored metadata. Accepted
// only if the mark is that of the content.
func FuzzDecode(f *testing.F) {
	good := must(sample(f).Encode(testKey))(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(kindMetadata))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data, testKey)
		if err != nil {
			if problem.CodeOf(err) != CodeDamaged || m != nil {
				t.Fatalf("%v beside %v", err, m)
			}
			return
		}
		if again := must(seal(kindMetadata, data[len(kindMetadata)+32:], testKey))(t); !bytes.Equal(again, data) {
			t.Fatal("accepted with another mark")
		}
	})
}

// FuzzDecodeContent: even content with a right mark cannot cause a panic, and
// what is read can be written.
func FuzzDecodeContent(f *testing.F) {
	good := must(sample(f).Encode(testKey))(f)
	f.Add(good[len(kindMetadata)+32:])
	f.Add([]byte(`{"number":1,"root":"AAAA","entries":[{}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := decodeContent(content)
		if err != nil {
			return
		}
		if _, err := m.Encode(testKey); err != nil && m.NextUpdate.Year() < 10000 && m.VerifiedAt.Year() < 10000 {
			t.Fatal(err)
		}
	})
}

// FuzzParseUpload: what is accepted has a name, AAGUIDs and roots, gives an
// entry for each, and reads back the same from its own JSON.
func FuzzParseUpload(f *testing.F) {
	f.Add([]byte(uploadText1(f)))
	f.Add([]byte(`{"name":"x","aaguids":["` + keyA + `"],"roots":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := ParseUpload(text)
		if err != nil {
			if problem.CodeOf(err) != CodeUploadInvalid {
				t.Fatal(err)
			}
			return
		}
		if u.Name == "" || len(u.AAGUIDs) == 0 || len(u.Roots) == 0 || u.Entry(AAGUID{}) != nil {
			t.Fatalf("%+v", u)
		}
		for _, id := range u.AAGUIDs {
			if e := u.Entry(id); e == nil || e.Source != SourceUploaded {
				t.Fatalf("%+v", e)
			}
		}
		first := must(u.JSON())(t)
		back, err := DecodeUpload(must(u.Encode(testKey))(t), testKey)
		if err != nil || !bytes.Equal(first, must(back.JSON())(t)) {
			t.Fatalf("%v: %s", err, first)
		}
	})
}

// FuzzParseConvenience: names are clean, and the zero AAGUID has none.
func FuzzParseConvenience(f *testing.F) {
	f.Add([]byte(`{"` + keyA + `":{"friendlyNames":{"en-US":"Key","de":"\u202e"}}}`))
	f.Add([]byte(`{"` + keyA + `":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConvenience(text)
		if err != nil {
			return
		}
		for id, names := range c.names {
			for tag, name := range names {
				if id == (AAGUID{}) || name == "" || name != displayText(name) || c.Name(id, tag) != name {
					t.Fatalf("%x %q %q", id, tag, name)
				}
			}
		}
		back, err := DecodeConvenience(must(c.Encode(testKey))(t), testKey)
		if err != nil || !reflect.DeepEqual(c.names, back.names) {
			t.Fatalf("%v", err)
		}
	})
}

// FuzzCheckRevocation: bytes that the issuer did not sign never revoke.
func FuzzCheckRevocation(f *testing.F) {
	a := authority(f, mdstest.Config{})
	stranger := authority(f, mdstest.Config{})
	chain := []*x509.Certificate{a.Leaf, a.Intermediate, a.Root}
	f.Add(must(stranger.LeafCRL(today, a.Leaf))(f))
	f.Add(must(a.LeafCRL(today))(f))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, list []byte) {
		warnings, err := CheckRevocation(chain, [][]byte{list}, today)
		if err != nil || len(warnings) == 0 || len(warnings) > 2 {
			t.Fatalf("%v, %v", err, warnings)
		}
	})
}

// FuzzParseAAGUID: what is read is written the same way but for case.
func FuzzParseAAGUID(f *testing.F) {
	f.Add(keyA)
	f.Add("DE1E552D-db1d-4423-a619-566b625cdc84")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseAAGUID(s)
		if err == nil && !bytes.EqualFold([]byte(FormatAAGUID(v)), []byte(s)) {
			t.Fatalf("%q becomes %s", s, FormatAAGUID(v))
		}
	})
}

// FuzzCheckShape: it never refuses a small valid document of little depth.
func FuzzCheckShape(f *testing.F) {
	f.Add([]byte(`{"a":["\"]}",{}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if json.Valid(doc) && bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) <= maxDepth {
			if err := checkShape(doc); err != nil {
				t.Fatal(err)
			}
		}
	})
}
