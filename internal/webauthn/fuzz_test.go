package webauthn_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/problem"
	"cardea/internal/webauthn"

	"github.com/fxamacker/cbor/v2"
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
// instead of structs, fixed offsets instead of a parser.
func independent(clientDataJSON, authData []byte, ceremony string, want []byte) bool {
	var m map[string]any
	if json.Unmarshal(clientDataJSON, &m) != nil || len(authData) < 37 {
		return false
	}
	// Names are matched without regard to case, as encoding/json does; of two
	// spellings of one name it is enough that one is right.
	has := func(name, value string) bool {
		for k, v := range m {
			if strings.EqualFold(k, name) && v == value {
				return true
			}
		}
		return false
	}
	rp := sha256.Sum256([]byte(site.ID))
	return has("type", ceremony) && has("challenge", base64.RawURLEncoding.EncodeToString(want)) && has("origin", origin) &&
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

// The same behind the signature: whatever is signed by the right key is judged
// by us as by the library. Bodies with a wrong signature never get that far.
func FuzzSignedAssertion(f *testing.F) {
	a, key := fixedDevice(f)
	_, rec := registered(f, a)
	c := assertion()
	add := func() {
		r := byHand(gotBody(f, a, c))
		f.Add(r.ClientDataJSON, r.AuthenticatorData, r.UserHandle, []byte(r.ExtensionResults))
	}
	add()
	for _, change := range []func(){
		func() { a.Extensions = []byte("\xa1\x61x\xf5") },
		func() {
			a.Extensions, a.EditAuthData = nil, func(b []byte) []byte { return attestedData(b, 3, "\xa0") }
		},
		func() { a.EditAuthData, a.FlipFlags = nil, cardeatest.BackupEligible|cardeatest.BackupState },
		func() {
			a.EditClientData = func(m map[string]any) { m["tokenBinding"] = map[string]any{"status": "present"} }
		},
		func() { a.EditClientData = func(m map[string]any) { m["topOrigin"], m["crossOrigin"] = origin, true } },
	} {
		change()
		add()
	}
	f.Fuzz(func(t *testing.T, clientData, authData, handle, outputs []byte) {
		h := sha256.Sum256(clientData)
		sig, err := signWith(key, append(bytes.Clone(authData), h[:]...))
		must(t, err)
		resp := webauthn.Response{
			CredentialID: rec.CredentialID, ClientDataJSON: clientData, AuthenticatorData: authData,
			Signature: sig, UserHandle: handle, ExtensionResults: outputs,
		}
		if !json.Valid(outputs) {
			resp.ExtensionResults = nil // a RawMessage holds JSON
		}
		if checkAgainstLibrary(t, c, rec, resp) && !independent(clientData, authData, "webauthn.get", c.Challenge) {
			t.Fatalf("accepted: %s %x", clientData, authData)
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
	tpm, err := cardeatest.TPM(m.forger, &model)
	must(f, err)
	for _, proof := range []cardeatest.Attestation{
		{}, {Self: true}, {Format: "x-unknown"}, tpm, leaf(issue(f, m.maker, cardeatest.LeafRules{AAGUID: &model})),
		leaf(issue(f, m.forger, cardeatest.LeafRules{AAGUID: &model})),
		statementOf("fido-u2f", m.forger, bytes.Clone), statementOf("tpm", m.forger, bytes.Clone),
		statementOf("apple", m.forger, bytes.Clone), statementOf("android-key", m.forger, bytes.Clone),
	} {
		a, _ := fixedDevice(f)
		a.AAGUID, a.Attestation = model, proof
		body, err := a.Create(options, origin)
		must(f, err)
		r := byHand(body)
		f.Add(r.ClientDataJSON, r.AttestationObject, r.CredentialID, []byte(r.ExtensionResults))
	}
	f.Fuzz(func(t *testing.T, clientData, object, id, outputs []byte) {
		resp := webauthn.Response{ClientDataJSON: clientData, AttestationObject: object, CredentialID: id, ExtensionResults: outputs}
		facts, err := webauthn.Register(site, c, resp, now)
		if err != nil {
			if facts.CredentialID != nil || problem.KindOf(err) != problem.Invalid {
				t.Fatalf("%+v, %v", facts, err)
			}
			return
		}
		var o struct {
			AuthData []byte `cbor:"authData"`
		}
		must(t, cbor.Unmarshal(object, &o))
		if !independent(clientData, o.AuthData, "webauthn.create", c.Challenge) || o.AuthData[32]&0x40 == 0 {
			t.Fatalf("accepted without proof: %s %x", clientData, object)
		}
		if !bytes.Equal(facts.AAGUID[:], o.AuthData[37:53]) || !bytes.HasPrefix(o.AuthData[55:], append(bytes.Clone(id), facts.PublicKey...)) {
			t.Fatalf("facts are not those of the authenticator data: %+v", facts)
		}
		if theirs := libraryRegister(site, c, []int64{-8, -7, -257}, resp); theirs != nil && facts.Attestation.Type != webauthn.TypeUnverified {
			t.Fatalf("we accept as %s what the library refuses: %v", facts.Attestation.Type, theirs)
		}
		if webauthn.CheckTrust(facts.Attestation, anchors, now).Attested && (facts.AAGUID != model || facts.Attestation.Type != webauthn.TypeBasic) {
			t.Fatalf("attested: %+v", facts)
		}
	})
}

// WA-84 for the JSON of a browser: one of the two parsers' codes or a response
// that has what the finish needs, never a panic.
func FuzzParse(f *testing.F) {
	a, _ := fixedDevice(f)
	registered(f, a)
	f.Add(gotBody(f, a, assertion()))
	f.Add([]byte(`{"id":"YQ","rawId":"YQ==","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"},"clientExtensionResults":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, parse := range []func([]byte) (webauthn.Response, error){webauthn.ParseAssertion, webauthn.ParseRegistration} {
			resp, err := parse(body)
			if err != nil {
				if problem.CodeOf(err) != "responseMalformed" {
					t.Fatal(err)
				}
				continue
			}
			if len(resp.CredentialID) == 0 || !json.Valid(resp.ClientDataJSON) || len(body) > webauthn.MaxRegistrationBody {
				t.Fatalf("%+v", resp)
			}
			if by := byHand(body); len(by.CredentialID) > 0 && !bytes.Equal(by.ClientDataJSON, resp.ClientDataJSON) {
				t.Fatalf("%s read as %s", body, resp.ClientDataJSON)
			}
		}
	})
}
