package webauthn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"cardea/internal/cardeatest"
	"cardea/internal/problem"
	"cardea/internal/webauthn"

	"github.com/fxamacker/cbor/v2"
)

// every kind of key a passkey of ours may have
var algorithms = []int64{webauthn.ES256, webauthn.EdDSA, webauthn.ES384, webauthn.ES512, webauthn.RS256}

// checkAgainstLibrary is the equivalence that allows SignIn to do without the
// library (doc.go): what we accept it accepts; what it accepts and we refuse is
// refused by a rule that is stricter on purpose.
func checkAgainstLibrary(t *testing.T, c webauthn.Ceremony, rec webauthn.Record, resp webauthn.Response) (accepted bool) {
	t.Helper()
	f, ours := webauthn.SignIn(site, c, rec, resp, now)
	theirs := librarySignIn(site, c, rec, resp)
	switch code := problem.CodeOf(ours); {
	case ours == nil && theirs != nil:
		t.Fatalf("we accept what the library refuses: %v\n%s\n%x", theirs, resp.ClientDataJSON, resp.AuthenticatorData)
	case ours == nil:
		return true
	case theirs != nil:
	case code == "originMismatch": // PK-115: byte by byte
	case code == "backupEligibilityLost": // WA-6: the library is given the BE of the assertion
	case code == "responseMalformed" && !utf8.Valid(resp.ClientDataJSON): // §7.2 step 8
	case code == "responseMalformed" && len(resp.ClientDataJSON)+len(resp.AuthenticatorData)+len(resp.UserHandle) > 8<<10: // WA-21
	default:
		t.Fatalf("we refuse with %q what the library accepts: %v\n%s\n%x", code, ours, resp.ClientDataJSON, resp.AuthenticatorData)
	}
	if f.CredentialID != nil {
		t.Fatal("Facts beside an error")
	}
	return false
}

// mutation spoils one part of a response that was good.
type mutation struct {
	name   string
	mutate func(r *webauthn.Response)
}

// part gives the bytes of a response in which a mutation works.
type part struct {
	name string
	get  func(r *webauthn.Response) *[]byte
}

// bytewise are the mutations of one part: each bit of each byte would be slow,
// so one bit of each, truncation at each length, and bytes too many.
func bytewise(p part, value []byte) []mutation {
	var out []mutation
	edit := func(name string, f func([]byte) []byte) {
		out = append(out, mutation{p.name + " " + name, func(r *webauthn.Response) {
			b := p.get(r)
			*b = f(slices.Clone(*b))
		}})
	}
	for i := range value {
		edit("bit", func(b []byte) []byte { b[i] ^= 1 << (i % 8); return b })
		edit("cut", func(b []byte) []byte { return b[:i] })
	}
	edit("zero byte more", func(b []byte) []byte { return append(b, 0) })
	edit("empty map more", func(b []byte) []byte { return append(b, 0xa0) })
	edit("twice", func(b []byte) []byte { return append(b, b...) })
	edit("missing", func([]byte) []byte { return nil })
	return out
}

// WA-82: no mutation of an accepted assertion is accepted, whatever is spoilt:
// signature, rpIdHash, flags, counter, challenge, type, origin, id, handle …
func TestWA82SignInMutations(t *testing.T) {
	for _, alg := range algorithms {
		a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model), func(a *cardeatest.Authenticator) { a.Algorithm = alg })
		_, rec := registered(t, a)
		c := assertion()
		good := got(t, a, c)
		if !checkAgainstLibrary(t, c, rec, good) {
			t.Fatalf("%d: not accepted without mutation", alg)
		}
		mutations := bytewise(part{"client data", func(r *webauthn.Response) *[]byte { return &r.ClientDataJSON }}, good.ClientDataJSON)
		mutations = append(mutations, bytewise(part{"authenticator data", func(r *webauthn.Response) *[]byte { return &r.AuthenticatorData }}, good.AuthenticatorData)...)
		mutations = append(mutations, bytewise(part{"signature", func(r *webauthn.Response) *[]byte { return &r.Signature }}, good.Signature)...)
		mutations = append(mutations, bytewise(part{"id", func(r *webauthn.Response) *[]byte { return &r.CredentialID }}, good.CredentialID)...)
		mutations = append(mutations, bytewise(part{"handle", func(r *webauthn.Response) *[]byte { return &r.UserHandle }}, good.UserHandle)...)
		for _, m := range mutations {
			resp := good
			m.mutate(&resp)
			if checkAgainstLibrary(t, c, rec, resp) {
				t.Errorf("%d: %s: accepted", alg, m.name)
			}
		}
	}
}

// Equivalence where it is not about signatures: everything a device or a
// browser can vary, signed correctly.
func TestSignInAgreesWithLibrary(t *testing.T) {
	type change = func(a *cardeatest.Authenticator)
	client := func(name string, v any) change {
		return func(a *cardeatest.Authenticator) { a.EditClientData = func(m map[string]any) { m[name] = v } }
	}
	ext := func(raw ...byte) change { return func(a *cardeatest.Authenticator) { a.Extensions = raw } }
	deep := func(n int) []byte { return append(append([]byte("\xa1\x61x"), bytes.Repeat([]byte{0x81}, n)...), 0) }
	accepted := 0
	for name, f := range map[string]change{
		"as it is":               func(*cardeatest.Authenticator) {},
		"unknown client member":  client("later", map[string]any{"x": 1}),
		"crossOrigin null":       client("crossOrigin", nil),
		"crossOrigin text":       client("crossOrigin", "false"),
		"topOrigin empty":        client("topOrigin", ""),
		"topOrigin number":       client("topOrigin", 1),
		"type number":            client("type", 1),
		"challenge padded":       client("challenge", base64.URLEncoding.EncodeToString(challenge("sign in"))),
		"challenge empty":        client("challenge", ""),
		"tokenBinding supported": client("tokenBinding", map[string]any{"status": "supported"}),
		"tokenBinding present":   client("tokenBinding", map[string]any{"status": "present", "id": "x"}),
		"tokenBinding unknown":   client("tokenBinding", map[string]any{"status": "x"}),
		"tokenBinding empty":     client("tokenBinding", map[string]any{}),
		"tokenBinding null":      client("tokenBinding", nil),
		"tokenBinding text":      client("tokenBinding", "x"),
		"hint member":            client("new_keys_may_be_added_here", "do not compare"),
		"hint member number":     client("new_keys_may_be_added_here", 1),
		"origin with port 443":   client("origin", origin+":443"),
		"origin upper case":      client("origin", strings.ToUpper(origin)),
		"extension output":       ext(0xa1, 0x61, 'x', 0xf5),
		"extension empty map":    ext(0xa0),
		"extension not a map":    ext(0x80),
		"extension integer key":  ext(0xa1, 0x01, 0x01),
		"extension twice":        ext(0xa2, 0x61, 'x', 0xf5, 0x61, 'x', 0xf5),
		"extension indefinite":   ext(0xbf, 0xff),
		"extension tag":          ext(0xa1, 0x61, 'x', 0xc1, 0x00),
		"extension and a byte":   ext(0xa0, 0x00),
		"extension, no bytes":    func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.ExtensionData },
		"extension, no flag":     func(a *cardeatest.Authenticator) { a.Extensions, a.FlipFlags = []byte{0xa0}, cardeatest.ExtensionData },
		"depth 4":                ext(deep(3)...),
		"depth 5":                ext(deep(4)...),
		"depth 6":                ext(deep(5)...),
		"AT without data":        func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.AttestedData },
		"reserved flags":         func(a *cardeatest.Authenticator) { a.FlipFlags = 1<<1 | 1<<5 },
		"not user verified":      func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.UserVerified },
		"not user present":       func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.UserPresent },
		"BS without BE":          func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.BackupEligible },
		"BE lost":                func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.BackupEligible | cardeatest.BackupState },
		"BS lost":                func(a *cardeatest.Authenticator) { a.FlipFlags = cardeatest.BackupState },
		"output asked by nobody": func(a *cardeatest.Authenticator) { a.ClientOutputs = map[string]any{"appid": false} },
		"output of another case": func(a *cardeatest.Authenticator) { a.ClientOutputs = map[string]any{"CREDPROPS": map[string]any{}} },
		"output null":            func(a *cardeatest.Authenticator) { a.ClientOutputs = map[string]any{"prf": nil} },
		"AT with data": func(a *cardeatest.Authenticator) {
			a.EditAuthData = func(b []byte) []byte { return attestedData(b, 16, "\xa0") }
		},
		"AT with a bad key": func(a *cardeatest.Authenticator) {
			a.EditAuthData = func(b []byte) []byte { return attestedData(b, 16, "\xff") }
		},
		"AT with a long id": func(a *cardeatest.Authenticator) {
			a.EditAuthData = func(b []byte) []byte { return attestedData(b, 1023, "\xa0") }
		},
		"AT with an id too long": func(a *cardeatest.Authenticator) {
			a.EditAuthData = func(b []byte) []byte { return attestedData(b, 1024, "\xa0") }
		},
		"AT cut off": func(a *cardeatest.Authenticator) {
			a.EditAuthData = func(b []byte) []byte { return attestedData(b, 16, "") }
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := cardeatest.NewAuthenticator()
			_, rec := registered(t, a)
			f(a)
			c := assertion()
			if checkAgainstLibrary(t, c, rec, got2(t, a, c)) {
				accepted++
			}
		})
	}
	if accepted < 8 {
		t.Errorf("only %d accepted: the test is void", accepted)
	}
}

// got2 is got for answers that may not even parse: those are filled by hand.
func got2(t *testing.T, a *cardeatest.Authenticator, c webauthn.Ceremony) webauthn.Response {
	t.Helper()
	body := gotBody(t, a, c)
	if resp, err := webauthn.ParseAssertion(body); err == nil {
		return resp
	}
	return byHand(body)
}

// byHand fills a Response without judging it.
func byHand(body []byte) webauthn.Response {
	var b struct {
		ID       string
		Response struct{ ClientDataJSON, AttestationObject, AuthenticatorData, Signature, UserHandle string }
		Outputs  json.RawMessage `json:"clientExtensionResults"`
	}
	if json.Unmarshal(body, &b) != nil {
		return webauthn.Response{}
	}
	d := func(s string) []byte {
		v, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
		return v
	}
	r := b.Response
	return webauthn.Response{
		CredentialID: d(b.ID), ClientDataJSON: d(r.ClientDataJSON), AttestationObject: d(r.AttestationObject),
		AuthenticatorData: d(r.AuthenticatorData), Signature: d(r.Signature), UserHandle: d(r.UserHandle), ExtensionResults: b.Outputs,
	}
}

// attestedData adds attested credential data to plain authenticator data.
func attestedData(b []byte, idLength int, key string) []byte {
	b[32] |= cardeatest.AttestedData
	b = append(b, make([]byte, 16)...)
	b = append(b, byte(idLength>>8), byte(idLength))
	return append(append(b, make([]byte, idLength)...), key...)
}

// WA-82 for registration. Bits of the AAGUID, the counter and the reserved flags
// are covered by the statement only, so the statement is self attestation here;
// ours and the library alone agree on every mutation.
func TestWA82RegistrationMutations(t *testing.T) {
	for _, alg := range []int64{webauthn.ES256, webauthn.EdDSA} {
		a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model), func(a *cardeatest.Authenticator) {
			a.Algorithm = alg
			a.Attestation.Self = true
		})
		c := registration()
		good := created(t, a, c)
		if _, err := webauthn.Register(site, c, good, now); err != nil {
			t.Fatal(err)
		}
		mutations := bytewise(part{"client data", func(r *webauthn.Response) *[]byte { return &r.ClientDataJSON }}, good.ClientDataJSON)
		mutations = append(mutations, bytewise(part{"object", func(r *webauthn.Response) *[]byte { return &r.AttestationObject }}, good.AttestationObject)...)
		mutations = append(mutations, bytewise(part{"id", func(r *webauthn.Response) *[]byte { return &r.CredentialID }}, good.CredentialID)...)
		for _, m := range mutations {
			resp := good
			m.mutate(&resp)
			f, err := webauthn.Register(site, c, resp, now)
			theirs := libraryRegister(site, c, []int64{-8, -7, -257}, resp)
			switch {
			case err != nil: // refused, as it must be
			case f.Attestation.Type == webauthn.TypeUnverified && f.Attestation.Problem == "attestationFormatUnsupported":
				// A bit of the format id: the statement belongs to a format nobody knows.
				// That is recorded and proves nothing (PK-93, WA-85).
			default:
				t.Errorf("%d: %s: accepted as %+v; library: %v", alg, m.name, f.Attestation.Type, theirs)
			}
		}
	}
}

// WA-85: removing or replacing the statement of an accepted registration never
// widens what it proves.
func TestWA85StatementNeverWidens(t *testing.T) {
	m := newMakers(t)
	anchors := []webauthn.Anchor{entry(m.maker, model)}
	genuine := issue(t, m.maker, cardeatest.LeafRules{AAGUID: &model, Intermediate: true})
	a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
	a.Attestation = leaf(genuine)
	c := registration()
	good := created(t, a, c)
	f, err := webauthn.Register(site, c, good, now)
	must(t, err)
	if !webauthn.CheckTrust(f.Attestation, anchors, now).Attested {
		t.Fatal("the genuine one is not attested")
	}
	type object = map[string]any
	stmt := func(o object) map[any]any { return o["attStmt"].(map[any]any) }
	for name, edit := range map[string]func(o object){
		"none":           func(o object) { o["fmt"], o["attStmt"] = "none", object{} },
		"none, kept":     func(o object) { o["fmt"] = "none" },
		"empty":          func(o object) { o["attStmt"] = object{} },
		"unknown":        func(o object) { o["fmt"] = "x-unknown" },
		"unknown, array": func(o object) { o["fmt"], o["attStmt"] = "x-unknown", []any{} },
		"compound": func(o object) {
			o["fmt"], o["attStmt"] = "compound", []any{object{"fmt": "packed", "attStmt": o["attStmt"]}}
		},
		"android-key":     func(o object) { o["fmt"] = "android-key" },
		"apple":           func(o object) { o["fmt"] = "apple" },
		"tpm":             func(o object) { o["fmt"] = "tpm" },
		"fido-u2f":        func(o object) { o["fmt"] = "fido-u2f" },
		"no certificates": func(o object) { delete(stmt(o), "x5c") },
		"no intermediate": func(o object) { stmt(o)["x5c"] = stmt(o)["x5c"].([]any)[:1] },
		"own certificate": func(o object) {
			stmt(o)["x5c"] = []any{issue(t, m.forger, cardeatest.LeafRules{AAGUID: &model}).Chain[0]}
		},
		"chain turned over": func(o object) { x := stmt(o)["x5c"].([]any); stmt(o)["x5c"] = []any{x[1], x[0]} },
		"other AAGUID":      func(o object) { copy(o["authData"].([]byte)[37:], other[:]) },
		"upper case format": func(o object) { o["fmt"] = "Packed" },
		"no format":         func(o object) { delete(o, "fmt") },
		"empty format":      func(o object) { o["fmt"] = "" },
		"33 characters":     func(o object) { o["fmt"] = strings.Repeat("x", 33) },
		"9 certificates": func(o object) {
			x := stmt(o)["x5c"].([]any)
			stmt(o)["x5c"] = []any{x[0], x[1], x[1], x[1], x[1], x[1], x[1], x[1], x[1]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var o object
			must(t, cbor.Unmarshal(good.AttestationObject, &o))
			edit(o)
			resp := good
			resp.AttestationObject, err = cbor.Marshal(o)
			must(t, err)
			f, err := webauthn.Register(site, c, resp, now)
			if err != nil {
				if f.CredentialID != nil {
					t.Error("Facts beside an error")
				}
				return
			}
			if tr := webauthn.CheckTrust(f.Attestation, anchors, now); tr.Attested {
				t.Errorf("attested: %+v", f.Attestation)
			}
		})
	}
}
