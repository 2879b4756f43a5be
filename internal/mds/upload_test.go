package mds

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cardea/internal/mds/mdstest"
	"cardea/internal/problem"
)

// uploadWith is a good upload as JSON with members replaced; nil removes one.
func uploadWith(t testing.TB, members map[string]any) string {
	t.Helper()
	root := testRoot(t, "Acme")
	all := map[string]any{
		"name": "Acme Key", "aaguids": []string{keyA},
		"roots":            []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))},
		"attestationTypes": []string{"basic_full"}, "versions": []string{"FIDO_2_1"},
		"userVerification": true, "clientPin": true, "residentKey": true, "enterpriseAttestation": true,
		"extensions": []string{"hmac-secret"}, "keyProtection": []string{"hardware"}, "multiDevice": false,
		"certification": "FIDO_CERTIFIED_L1",
	}
	for k, v := range members {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return string(must(json.Marshal(all))(t))
}

func uploadText1(t testing.TB) string { return uploadWith(t, nil) }

func TestUploadWA40(t *testing.T) {
	u := must(ParseUpload([]byte(uploadText1(t))))(t)
	e := u.Entry(id(keyA))
	if e == nil || e.Source != SourceUploaded || e.Description != "Acme Key" || len(e.Roots) != 1 || !e.ListsAttestation("basic") || !e.HardwareKey() {
		t.Fatalf("entry %+v", e)
	}
	if !e.SoleAAGUID {
		t.Error("WA-39: one AAGUID, and the entry does not say so")
	}
	if e.MultiDevice == nil || *e.MultiDevice {
		t.Error("multiDevice")
	}
	if reason := e.MeetsProfile(today); reason != "" {
		t.Errorf("it counts as metadata in PK §5.3, but: %s", reason)
	}
	if u.Entry(id(keyB)) != nil || u.Entry(AAGUID{}) != nil {
		t.Error("an entry for an AAGUID that the upload does not name")
	}

	both := must(ParseUpload([]byte(uploadWith(t, map[string]any{"aaguids": []string{keyA, strings.ToUpper(keyB)}}))))(t)
	if e := both.Entry(id(keyB)); e == nil || e.SoleAAGUID {
		t.Errorf("WA-39: second AAGUID: %+v", e)
	}

	plain := must(ParseUpload([]byte(uploadWith(t, map[string]any{
		"certification": nil, "multiDevice": nil, "attestationTypes": nil, "roots": mdstest.X5C(testRoot(t, "DER in base64"))}))))(t)
	e = plain.Entry(id(keyA))
	if reason := e.MeetsProfile(today); reason != ReasonNotCertified {
		t.Errorf("a certification nobody has claimed: %q", reason)
	}
	if e.MultiDevice != nil || !e.ListsAttestation("basic") {
		t.Errorf("what is left out: %+v", e)
	}
}

func TestUploadRefusesWA40(t *testing.T) {
	many := make([]string, 101)
	for i := range many {
		many[i] = keyA
	}
	for _, row := range []struct {
		name, target string
		text         string
	}{
		{"empty", "", ""},
		{"not JSON", "", "hello"},
		{"a list", "", "[]"},
		{"cut off", "", `{"name":"x"`},
		{"two objects", "", uploadText1(t) + "{}"},
		{"too deep", "", strings.Repeat("[", 50) + strings.Repeat("]", 50)},
		{"too large", "", `{"name":"` + strings.Repeat("x", maxUpload) + `"}`},
		{"unknown member", "", uploadWith(t, map[string]any{"userVerifcation": true})},
		{"no name", "name", uploadWith(t, map[string]any{"name": nil})},
		{"name of control characters", "name", uploadWith(t, map[string]any{"name": "\u202e\u0007"})},
		{"no AAGUID", "aaguids", uploadWith(t, map[string]any{"aaguids": []string{}})},
		{"too many AAGUIDs", "aaguids", uploadWith(t, map[string]any{"aaguids": many})},
		{"bad AAGUID", "aaguids", uploadWith(t, map[string]any{"aaguids": []string{"x"}})},
		{"zero AAGUID", "aaguids", uploadWith(t, map[string]any{"aaguids": []string{FormatAAGUID(AAGUID{})}})},
		{"one AAGUID twice", "aaguids", uploadWith(t, map[string]any{"aaguids": []string{keyA, strings.ToUpper(keyA)}})},
		{"no root", "roots", uploadWith(t, map[string]any{"roots": []string{}})},
		{"bad root", "roots", uploadWith(t, map[string]any{"roots": []string{"AAAA"}})},
		{"a key for a root", "roots", uploadWith(t, map[string]any{"roots": []string{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}})},
		{"unknown attestation type", "attestationTypes", uploadWith(t, map[string]any{"attestationTypes": []string{"full"}})},
		{"unknown key protection", "keyProtection", uploadWith(t, map[string]any{"keyProtection": []string{"magic"}})},
		{"empty version", "versions", uploadWith(t, map[string]any{"versions": []string{""}})},
		{"control character in an extension", "extensions", uploadWith(t, map[string]any{"extensions": []string{"a\nb"}})},
		{"too many extensions", "extensions", uploadWith(t, map[string]any{"extensions": slices.Repeat([]string{"a"}, 51)})},
		{"certification", "certification", uploadWith(t, map[string]any{"certification": "very"})},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseUpload([]byte(row.text))
			wantCode(t, err, CodeUploadInvalid)
			if e := err.(*problem.Error); e.Target != row.target {
				t.Errorf("target %q, want %q", e.Target, row.target)
			}
		})
	}
}

func TestUploadIsStoredMarkedWA41(t *testing.T) {
	u := must(ParseUpload([]byte(uploadText1(t))))(t)
	data := must(u.Encode(testKey))(t)
	back, err := DecodeUpload(data, testKey)
	if err != nil || !reflect.DeepEqual(u, back) {
		t.Fatalf("%v\n%+v\n%+v", err, u, back)
	}
	other := testRoot(t, "attacker")
	exchanged := bytes.Replace(data, []byte(mdstest.X5C(mustCert(t, u.Roots[0]))[0]), []byte(mdstest.X5C(other)[0]), 1)
	if bytes.Equal(exchanged, data) {
		t.Fatal("the root was not found in the stored bytes")
	}
	_, err = DecodeUpload(exchanged, testKey)
	wantCode(t, err, CodeDamaged)
}
