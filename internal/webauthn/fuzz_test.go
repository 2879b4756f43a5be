package webauthn_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

// fixedDevice has the same key and credential id in every process, so that a
// saved input keeps its meaning.
func fixedDevice(t testing.TB) (*cardeatest.Authenticator, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), challenge("the key of the fuzz tests"))
	must(t, err)
	return cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) {
		a.Signer, a.CredentialID = key, []byte("fuzz credential")
	}), key
}

// independent checks a response in another way than the package does: a map
// instead of structs, fixed offsets instead of a parser, crypto instead of COSE.
func independent(clientDataJSON, authData []byte, ceremony string, want []byte) bool {
	var m map[string]any
	if json.Unmarshal(clientDataJSON, &m) != nil || len(authData) < 37 {
		return false
	}
	// encoding/json matches names of members without regard to case, and the last
	// of two wins; browsers write each once, and so do the seeds.
	rp := sha256.Sum256([]byte(site.ID))
	return bytes.Contains(clientDataJSON, []byte(ceremony)) &&
		bytes.Contains(clientDataJSON, []byte(base64.RawURLEncoding.EncodeToString(want))) &&
		bytes.Equal(authData[:32], rp[:]) && authData[32]&5 == 5 && authData[32]&0x18 != 0x10
}

// WA-84: no panic, and Facts only if signature, challenge and origin hold by an
// independent check and by the library.
func FuzzAssertion(f *testing.F) {
	a, key := fixedDevice(f)
	_, rec := registered(f, a)
	c := assertion()
	f.Add(gotBody(f, a, c))
	for _, change := range []func(){
		func() { a.OmitHandle = true },
		func() { a.OmitHandle, a.Extensions = false, []byte("\xa1\x61x\xf5") },
		func() { a.EditAuthData = func(b []byte) []byte { return attestedData(b, 3, "\xa0") } },
		func() { a.EditAuthData, a.Extensions, a.FlipFlags = nil, nil, cardeatest.BackupEligible },
		func() { a.EditClientData = func(m map[string]any) { m["topOrigin"] = origin } },
	} {
		change()
		f.Add(gotBody(f, a, c))
	}
	f.Add([]byte(`{"id":"","rawId":"","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if resp, err := webauthn.ParseAssertion(body); err == nil {
			if _, err := webauthn.Peek(resp); err != nil && problem.CodeOf(err) != "responseMalformed" {
				t.Fatal(err)
			}
			webauthn.VerifyDummy(resp)
		}
		// Also without the parser, so that mutations reach what lies behind it.
		resp := byHand(body)
		if !checkAgainstLibrary(t, c, rec, resp) {
			return
		}
		h := sha256.Sum256(resp.ClientDataJSON)
		signed := sha256.Sum256(append(bytes.Clone(resp.AuthenticatorData), h[:]...))
		if !ecdsa.VerifyASN1(&key.PublicKey, signed[:], resp.Signature) ||
			!independent(resp.ClientDataJSON, resp.AuthenticatorData, "webauthn.get", c.Challenge) {
			t.Fatalf("accepted without proof: %s", body)
		}
	})
}

// WA-84 for registration, and WA-85: nothing is attested but by the maker.
func FuzzRegistration(f *testing.F) {
	m := newMakers(f)
	anchors := []webauthn.Anchor{entry(m.maker, model), entry(m.maker, [16]byte{})}
	c := registration()
	options, err := webauthn.CreationOptions(site, c, anna, nil)
	must(f, err)
	for _, proof := range []cardeatest.Attestation{
		{}, {Self: true}, {Format: "x-unknown"}, leaf(issue(f, m.maker, cardeatest.LeafRules{AAGUID: &model})),
		leaf(issue(f, m.forger, cardeatest.LeafRules{AAGUID: &model})),
		statementOf("fido-u2f", m.forger, bytes.Clone), statementOf("tpm", m.forger, bytes.Clone),
		statementOf("apple", m.forger, bytes.Clone), statementOf("android-key", m.forger, bytes.Clone),
	} {
		a, _ := fixedDevice(f)
		a.AAGUID, a.Attestation = model, proof
		body, err := a.Create(options, origin)
		must(f, err)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if resp, err := webauthn.ParseRegistration(body); err == nil {
			webauthn.Peek(resp)
		}
		resp := byHand(body)
		facts, err := webauthn.Register(site, c, resp, now)
		if err != nil {
			if facts.CredentialID != nil || problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%+v, %v", facts, err)
			}
			return
		}
		at := bytes.Index(resp.AttestationObject, []byte("\x68authData"))
		if at < 0 || len(resp.AttestationObject) < at+12 {
			t.Fatal("accepted without authenticator data")
		}
		authData := resp.AttestationObject[at+9:]
		for len(authData) > 0 && authData[0] != 0x58 && authData[0] != 0x59 {
			authData = authData[1:]
		}
		authData = authData[authData[0]-0x58+2:]
		if !independent(resp.ClientDataJSON, authData, "webauthn.create", c.Challenge) || authData[32]&0x40 == 0 {
			t.Fatalf("accepted without proof: %s", body)
		}
		if !bytes.Contains(authData, facts.PublicKey) || !bytes.Contains(authData, facts.CredentialID) || !bytes.Equal(facts.AAGUID[:], authData[37:53]) {
			t.Fatalf("facts are not in the authenticator data: %+v", facts)
		}
		if theirs := libraryRegister(site, c, []int64{-8, -7, -257}, resp); theirs != nil && facts.Attestation.Type != webauthn.TypeUnverified {
			t.Fatalf("we accept as %s what the library refuses: %v", facts.Attestation.Type, theirs)
		}
		if webauthn.CheckTrust(facts.Attestation, anchors, now).Attested && (facts.AAGUID != model || !bytes.Contains(resp.AttestationObject, facts.Attestation.Certificates[0])) {
			t.Fatalf("attested: %+v", facts)
		}
	})
}
