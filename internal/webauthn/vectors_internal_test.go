package webauthn

import (
	"crypto/sha256"
	"encoding/hex"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cardea/internal/problem"
)

// The vectors of WebAuthn L3 §16 are read from the test file of the library,
// where they stand as constants: no text of the specification is in this
// repository. Without the library's tests at hand (a vendored or trimmed module
// cache) there is nothing to read and the test says so.
const vectorFile = "specification_vectors_e2e_test.go"

type vector map[string][]byte // members in hex, by name

func readVectors(t *testing.T) (registrations, assertions map[string]vector, root []byte) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/go-webauthn/webauthn/protocol").Output()
	if err != nil {
		t.Skipf("no go command to find the vectors: %v", err)
	}
	src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), vectorFile))
	if err != nil {
		t.Skipf("the vectors are not at hand: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), vectorFile, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	registrations, assertions = map[string]vector{}, map[string]vector{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if n.Names[0].Name == "specTestCACertHex" {
				root, _ = hex.DecodeString(text(n.Values[0]))
			}
		case *ast.CompositeLit:
			name, v := "", vector{}
			for _, e := range n.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				key, ok := kv.Key.(*ast.Ident)
				if !ok {
					continue
				}
				if key.Name == "name" {
					name = text(kv.Value)
				} else if b, err := hex.DecodeString(text(kv.Value)); err == nil && len(b) > 0 {
					v[key.Name] = b
				}
			}
			if v["attestationObject"] != nil {
				registrations[name] = v
			} else if v["authenticatorData"] != nil {
				assertions[name] = v
			}
		}
		return true
	})
	return registrations, assertions, root
}

func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// vectorSite accepts what the vectors were made for. One of them names a top
// origin, so both settings are on; TestCrossOrigin has them off.
var vectorSite = RelyingParty{
	ID: "example.org", Name: "vectors", Origins: []string{"https://example.org"}, CrossOrigin: true, TopOrigins: []string{"https://example.com"},
}

// WA-81: the table, for those vectors that are at hand (all but Ed448, which
// TestWA7Algorithms covers with a key of our own).
//
// Cardea always requires user verification and most vectors lack it, and their
// signatures cover the flags. So each vector runs through every other check, and
// the one code it may be refused with is userNotVerified.
func TestWA81Vectors(t *testing.T) {
	registrations, assertions, root := readVectors(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := map[string]string{ // type, or "unverified" where the library does not know the roots
		"NoneES256": TypeNone, "NoneES256LongCredentialID": TypeNone, "NoneES256CrossOrigin": TypeNone, "NoneES256TopOrigin": TypeNone,
		"PackedSelfES256": TypeSelf, "PackedES256WithMDS": TypeBasic, "PackedES384WithMDS": TypeBasic, "PackedES512WithMDS": TypeBasic,
		"PackedRS256WithMDS": TypeBasic, "PackedEdDSAWithMDS": TypeBasic, "FIDOU2FES256": TypeBasic,
		"TPMES256": TypeUnverified, "AppleAnonymousES256": TypeUnverified, "AndroidKeyES256": TypeUnverified,
	}
	for name, typ := range want {
		t.Run("register "+name, func(t *testing.T) {
			v, ok := registrations[name]
			if !ok {
				t.Fatal("vector is missing")
			}
			resp := Response{CredentialID: v["credentialID"], ClientDataJSON: v["clientDataJSON"], AttestationObject: v["attestationObject"]}
			c := Ceremony{
				Purpose: RegisterPurpose, Challenge: v["challenge"], UserHandle: []byte("x"), Expires: now.Add(1),
				Algorithms: []int64{EdDSA, ES256, ES384, ES512, RS256},
			}
			st, err := parseStatement(resp.AttestationObject)
			if err != nil {
				t.Fatal(err)
			}
			if f, err := Register(vectorSite, c, resp, now); st.auth.has(flagUV) {
				if err != nil || f.Attestation.Type != typ {
					t.Fatalf("%+v, %v", f.Attestation, err)
				}
			} else if problem.CodeOf(err) != "userNotVerified" {
				t.Fatalf("refused with %v", err)
			}
			for _, err := range []error{st.auth.checkBackup(), second(st.auth.checkCredential(c, resp))} {
				if err != nil {
					t.Fatal(err)
				}
			}
			hash := sha256.Sum256(resp.ClientDataJSON)
			att, err := st.verify(hash, false)
			if err != nil || att.Type != typ {
				t.Fatalf("%+v, %v", att, err)
			}
			if _, err := st.verify(hash, true); (err != nil) != (typ == TypeUnverified) {
				t.Errorf("under require: %v", err)
			}
			// Attested with the root of the vectors uploaded for this model, and only then.
			att.Object = resp.AttestationObject
			upload := Anchor{Certificate: root, Source: SourceUploaded, AAGUIDs: [][16]byte{st.auth.aaguid}}
			if tr := CheckTrust(att, []Anchor{upload}, now); tr.Attested != (typ == TypeBasic) {
				t.Errorf("with the root: %+v", tr)
			}
			if tr := CheckTrust(att, nil, now); tr.Attested {
				t.Errorf("without: %+v", tr)
			}
		})
	}
	signedIn := 0
	for name, v := range assertions {
		t.Run("sign in "+name, func(t *testing.T) {
			key, alg, err := parseKey(v["credentialPubKey"])
			if err != nil || key == nil {
				t.Fatal(err)
			}
			rec := Record{CredentialID: v["credentialID"], UserHandle: []byte("x"), PublicKey: v["credentialPubKey"], Algorithm: alg}
			resp := Response{
				CredentialID: v["credentialID"], ClientDataJSON: v["clientDataJSON"], AuthenticatorData: v["authenticatorData"],
				Signature: v["signature"], UserHandle: []byte("x"),
			}
			c := Ceremony{Purpose: SignInPurpose, Challenge: v["challenge"], Expires: now.Add(1)}
			a, err := resp.assertionData()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := SignIn(vectorSite, c, rec, resp, now); a.has(flagUV) {
				if err != nil {
					t.Fatal(err)
				}
			} else if problem.CodeOf(err) != "userNotVerified" {
				t.Fatalf("refused with %v", err)
			}
			if err := checkSignature(rec, resp); err != nil {
				t.Fatal(err)
			}
			resp.AuthenticatorData[36] ^= 1
			if checkSignature(rec, resp) == nil {
				t.Fatal("verifies with another counter")
			}
			signedIn++
		})
	}
	if signedIn < 14 {
		t.Errorf("only %d sign-ins", signedIn)
	}
}

func second[A, B any](_ A, b B) B { return b }
