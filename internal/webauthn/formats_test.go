package webauthn_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"
)

// signWith signs as ES256.
func signWith(key crypto.Signer, data []byte) ([]byte, error) {
	h := sha256.Sum256(data)
	return key.Sign(rand.Reader, h[:], crypto.SHA256)
}

// statementOf makes a statement of one of the formats that have their own rules.
// What it says is about this ceremony if over is the identity; the certificates
// are those of nobody.
func statementOf(format string, ca *cardeatest.AttestationCA, over func([]byte) []byte) cardeatest.Attestation {
	return cardeatest.Attestation{Format: format, Make: func(p cardeatest.Passkey, authData, clientDataHash []byte) (map[string]any, error) {
		signed := over(slices.Concat(authData, clientDataHash))
		hash := sha256.Sum256(signed)
		rules := cardeatest.LeafRules{}
		switch format {
		case "apple":
			value, err := asn1.Marshal(struct {
				Nonce []byte `asn1:"tag:1,explicit"`
			}{hash[:]})
			if err != nil {
				return nil, err
			}
			rules.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 8, 2}, Value: value}}
			rules.Signer = p.Signer
		case "android-key":
			rules.Signer = p.Signer
		}
		leaf, err := ca.Issue(rules)
		if err != nil {
			return nil, err
		}
		stmt := map[string]any{"x5c": leaf.Chain}
		switch format {
		case "apple":
			return stmt, nil
		case "android-key":
			stmt["alg"] = webauthn.ES256
			stmt["sig"], err = signWith(leaf.Signer, signed)
		case "tpm":
			certInfo := slices.Concat([]byte{0xff, 'T', 'C', 'G', 0x80, 0x17, 0, 2, 7, 7}, sized(hash[:]), make([]byte, 25))
			stmt["ver"], stmt["alg"], stmt["certInfo"], stmt["pubArea"] = "2.0", webauthn.ES256, certInfo, []byte{1}
			stmt["sig"], err = signWith(leaf.Signer, certInfo)
		case "fido-u2f":
			point, keyErr := p.Signer.Public().(*ecdsa.PublicKey).Bytes()
			if keyErr != nil {
				return nil, keyErr
			}
			message := slices.Concat([]byte{0}, authData[:32], clientDataHash, p.ID, point)
			stmt["sig"], err = signWith(leaf.Signer, over(message))
		}
		return stmt, err
	}}
}

func sized(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }

// WA-32, WA-33: in every known format a statement about this ceremony passes our
// own check, and then counts for nothing if its certificates are of nobody; one
// about another ceremony is refused even where attestation is only recorded.
func TestWA33EveryFormat(t *testing.T) {
	ca, err := cardeatest.NewAttestationCA("Nobody", time.Now())
	must(t, err)
	same := func(b []byte) []byte { return b }
	another := func(b []byte) []byte { return append(slices.Clone(b), 0) }
	for _, tt := range []struct {
		format, typ string
	}{
		{"fido-u2f", webauthn.TypeBasic}, // §8.6 asks nothing of the certificate but its curve
		{"tpm", webauthn.TypeUnverified},
		{"apple", webauthn.TypeUnverified},
		{"android-key", webauthn.TypeUnverified},
	} {
		t.Run(tt.format, func(t *testing.T) {
			f := attest(t, model, statementOf(tt.format, ca, same))
			if f.Attestation.Type != tt.typ || f.Attestation.Format != tt.format || len(f.Attestation.Certificates) != 1 {
				t.Errorf("%+v", f.Attestation)
			}
			if (f.Attestation.Problem == "attestationValidationFailed") != (tt.typ == webauthn.TypeUnverified) {
				t.Errorf("problem %q", f.Attestation.Problem)
			}
			for _, require := range []bool{false, true} {
				a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
				a.Attestation = statementOf(tt.format, ca, another)
				c := registration()
				c.RequireAttestation = require
				f, err := webauthn.Register(site, c, created(t, a, c), now)
				wantCode(t, f, err, "attestationValidationFailed")
			}
			// WA-31: under require, certificates of nobody are an error where the format has rules for them.
			a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
			a.Attestation = statementOf(tt.format, ca, same)
			c := registration()
			c.RequireAttestation = true
			f, err := webauthn.Register(site, c, created(t, a, c), now)
			if tt.typ == webauthn.TypeUnverified {
				wantCode(t, f, err, "attestationValidationFailed")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// Windows Hello: a TPM statement that verifies, and its chain. The TPM is named
// in a critical extension that crypto/x509 does not know.
func TestTPM(t *testing.T) {
	m := newMakers(t)
	for name, tt := range map[string]struct {
		aaguid *[16]byte
		typ    string
	}{
		"model in the certificate": {&model, webauthn.TypeAttCA},
		"no model":                 {nil, webauthn.TypeAttCA},
		"another model":            {&other, webauthn.TypeUnverified},
	} {
		t.Run(name, func(t *testing.T) {
			proof, err := cardeatest.TPM(m.maker, tt.aaguid)
			must(t, err)
			f := attest(t, model, proof)
			if f.Attestation.Type != tt.typ || f.Attestation.Format != "tpm" {
				t.Fatalf("%+v", f.Attestation)
			}
			anchor := entry(m.maker, model)
			anchor.AttestationTypes = []string{"attca"}
			if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{anchor}, now); tr.Attested != (tt.typ == webauthn.TypeAttCA) {
				t.Errorf("%+v", tr)
			}
			if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{entry(m.maker, model)}, now); tr.Attested {
				t.Errorf("the entry lists only basic_full (WA-38): %+v", tr)
			}
			if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{entry(m.forger, model)}, now); tr.Attested {
				t.Errorf("root of another: %+v", tr)
			}
		})
	}
}

// WA-35: a U2F key with zero AAGUID, known to the metadata by its certificate.
func TestU2FWithoutAAGUID(t *testing.T) {
	ca, err := cardeatest.NewAttestationCA("U2F maker", time.Now())
	must(t, err)
	f := attest(t, [16]byte{}, statementOf("fido-u2f", ca, func(b []byte) []byte { return b }))
	anchor := webauthn.Anchor{Certificate: ca.Root, Source: webauthn.SourceMDS, AttestationTypes: []string{webauthn.TypeBasic}}
	if tr := webauthn.CheckTrust(f.Attestation, []webauthn.Anchor{anchor}, now); tr.Reason != "authenticatorNotListed" {
		t.Errorf("%+v", tr)
	}
}

// WA-7, WA-27, WA-28, WA-83 row 8: algorithms by purpose, by setting and never.
func TestWA7Algorithms(t *testing.T) {
	rsa2048 := cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) { a.Algorithm = cardeatest.RS256 })
	for _, tt := range []struct {
		name    string
		purpose string
		offered []int64
		alg     int64
		code    string
	}{
		{"page, EdDSA", webauthn.RegisterPurpose, nil, cardeatest.EdDSA, ""},
		{"page, ES384", webauthn.RegisterPurpose, nil, cardeatest.ES384, "algorithmNotOffered"},
		{"page, ES384 by setting", webauthn.RegisterPurpose, []int64{-7, -35}, cardeatest.ES384, ""},
		{"page, ES512", webauthn.RegisterPurpose, nil, cardeatest.ES512, "algorithmNotOffered"},
		{"page, ES256 not by setting", webauthn.RegisterPurpose, []int64{-257}, cardeatest.ES256, "algorithmNotOffered"},
		{"tool, EdDSA", webauthn.ProvisionPurpose, nil, cardeatest.EdDSA, "algorithmNotOffered"},
		{"tool, ES256", webauthn.ProvisionPurpose, nil, cardeatest.ES256, ""},
		{"tool, RS256", webauthn.ProvisionPurpose, nil, cardeatest.RS256, ""},
		{"Ed448", webauthn.RegisterPurpose, nil, cardeatest.Ed448, "algorithmNotOffered"},
		{"Ed448 although offered", webauthn.RegisterPurpose, []int64{-53}, cardeatest.Ed448, "publicKeyInvalid"},
		{"ES256K although offered", webauthn.RegisterPurpose, []int64{-47}, cardeatest.ES256K, "publicKeyInvalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := cardeatest.NewAuthenticator()
			if tt.alg == cardeatest.RS256 {
				a = rsa2048
			}
			a.Algorithm = tt.alg
			c := registration()
			c.Purpose, c.Algorithms = tt.purpose, tt.offered
			f, err := webauthn.Register(site, c, created(t, a, c), now)
			if tt.code != "" {
				wantCode(t, f, err, tt.code)
				return
			}
			must(t, err)
			// What registers can sign in: no lock-out.
			_, err = webauthn.SignIn(site, assertion(), record(f), got(t, a, assertion()), now)
			must(t, err)
		})
	}
	// A key on another curve than its algorithm says.
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	f, err := tryRegister(t, fault{device: func(a *cardeatest.Authenticator) { a.Algorithm, a.Signer = cardeatest.ES256, p384 }})
	wantCode(t, f, err, "publicKeyInvalid")
	// No algorithm in the key at all.
	f, err = tryRegister(t, fault{device: func(a *cardeatest.Authenticator) { a.EditKey = func([]byte) []byte { return []byte{0xa0} } }})
	wantCode(t, f, err, "publicKeyInvalid")
	f, err = tryRegister(t, fault{device: func(a *cardeatest.Authenticator) { a.EditKey = func([]byte) []byte { return []byte{0x01} } }})
	wantCode(t, f, err, "publicKeyInvalid")
}
