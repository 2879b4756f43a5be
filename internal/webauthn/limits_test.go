package webauthn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

// WA-11, WA-20, WA-21: the JSON of a browser, and what is not that.
func TestParse(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	registered(t, a)
	assertionBody := gotBody(t, a, assertion())
	options, err := webauthn.CreationOptions(site, registration(), anna, nil)
	must(t, err)
	creationBody, err := a.Create(options, origin)
	must(t, err)

	for kind, tt := range map[string]struct {
		body  []byte
		parse func([]byte) (webauthn.Response, error)
		limit int
		parts []string
	}{
		"assertion":    {assertionBody, webauthn.ParseAssertion, webauthn.MaxAssertionBody, []string{"clientDataJSON", "authenticatorData", "signature"}},
		"registration": {creationBody, webauthn.ParseRegistration, webauthn.MaxRegistrationBody, []string{"clientDataJSON", "attestationObject"}},
	} {
		edited := func(edit func(m, response map[string]any)) []byte {
			var m map[string]any
			must(t, json.Unmarshal(tt.body, &m))
			edit(m, m["response"].(map[string]any))
			out, err := json.Marshal(m)
			must(t, err)
			return out
		}
		set := func(name string, v any) []byte { return edited(func(m, _ map[string]any) { m[name] = v }) }
		bad := map[string][]byte{
			"nothing":           nil,
			"not JSON":          []byte("{"),
			"array":             []byte("[]"),
			"two values":        append(bytes.Clone(tt.body), tt.body...),
			"too large":         append(bytes.Clone(tt.body), bytes.Repeat([]byte(" "), tt.limit)...),
			"type":              set("type", "password"),
			"no type":           edited(func(m, _ map[string]any) { delete(m, "type") }),
			"no id":             edited(func(m, _ map[string]any) { delete(m, "id"); delete(m, "rawId") }),
			"no rawId":          edited(func(m, _ map[string]any) { delete(m, "rawId") }),
			"rawId of another":  set("rawId", "YW5vdGhlcg"),
			"id not base64url":  edited(func(m, _ map[string]any) { m["id"], m["rawId"] = "a+/b", "a+/b" }),
			"id is a number":    edited(func(m, _ map[string]any) { m["id"], m["rawId"] = 1, 1 }),
			"response missing":  edited(func(m, _ map[string]any) { delete(m, "response") }),
			"client data text":  edited(func(_, r map[string]any) { r["clientDataJSON"] = base64.RawURLEncoding.EncodeToString([]byte("text")) }),
			"client data array": edited(func(_, r map[string]any) { r["clientDataJSON"] = base64.RawURLEncoding.EncodeToString([]byte("[]")) }),
		}
		for _, p := range tt.parts {
			bad["no "+p] = edited(func(_, r map[string]any) { delete(r, p) })
			bad[p+" not base64url"] = edited(func(_, r map[string]any) { r[p] = "*" })
			bad[p+" number"] = edited(func(_, r map[string]any) { r[p] = 5 })
		}
		for name, body := range bad {
			t.Run(kind+" "+name, func(t *testing.T) {
				resp, err := tt.parse(body)
				wantCode(t, webauthn.Facts{}, err, "responseMalformed")
				if resp.CredentialID != nil || resp.ClientDataJSON != nil {
					t.Errorf("%+v beside an error", resp)
				}
			})
		}
		// Tolerated: padding, unknown members, an unknown attachment.
		padded := edited(func(m, r map[string]any) {
			for k, v := range r {
				if s, ok := v.(string); ok {
					r[k] = s + strings.Repeat("=", (4-len(s)%4)%4)
				}
			}
			m["rawId"] = m["rawId"].(string) + "="
			m["authenticatorAttachment"], m["later"] = "implanted", 1
		})
		plain, err := tt.parse(tt.body)
		must(t, err)
		resp, err := tt.parse(padded)
		must(t, err)
		if !bytes.Equal(resp.ClientDataJSON, plain.ClientDataJSON) || !bytes.Equal(resp.CredentialID, plain.CredentialID) || resp.Attachment != "" || plain.Attachment != "platform" {
			t.Errorf("%s: %+v", kind, resp)
		}
	}
}

// Peek and the finish look at the bytes that are there now, not at those that
// were parsed.
func TestChangedClientDataIsReadAgain(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	resp := got(t, a, assertion())
	resp.ClientDataJSON = bytes.Replace(resp.ClientDataJSON, []byte("webauthn.get"), []byte("webauthn.gte"), 1)
	f, err := webauthn.SignIn(site, assertion(), rec, resp, now)
	wantCode(t, f, err, "ceremonyTypeMismatch")
	resp.ClientDataJSON[0] = '['
	_, err = webauthn.Peek(resp)
	wantCode(t, webauthn.Facts{}, err, "responseMalformed")
	resp.ClientDataJSON = []byte(`{"challenge":"*"}`)
	_, err = webauthn.Peek(resp)
	wantCode(t, webauthn.Facts{}, err, "responseMalformed")
}

// WA-21, WA-83 rows 7 and 9: sizes and shape of what lies inside.
func TestWA21Limits(t *testing.T) {
	long := func(n int) fault {
		return fault{device: func(a *cardeatest.Authenticator) { a.CredentialID = make([]byte, n) }}
	}
	for n, code := range map[int]string{1: "", 1023: "", 1024: "credentialIdInvalid"} {
		f, err := tryRegister(t, long(n))
		if code != "" {
			wantCode(t, f, err, code)
		} else if err != nil || len(f.CredentialID) != n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	// An id of no bytes cannot even be said by a browser, so by hand.
	f, err := tryRegister(t, fault{
		device: func(a *cardeatest.Authenticator) {
			a.EditAuthData = func(b []byte) []byte { return append(append(b[:53:53], 0, 0), b[55+32:]...) }
		},
		finish: func(x *attempt) { x.resp.CredentialID = nil },
	})
	wantCode(t, f, err, "credentialIdInvalid")

	object := func(o []byte) fault {
		return fault{finish: func(x *attempt) { x.resp.AttestationObject = o }}
	}
	nested := append(append([]byte("\xa3\x63fmt\x61x\x67attStmt"), bytes.Repeat([]byte{0x81}, 9)...), 0x00)
	for name, o := range map[string][]byte{
		"empty":              nil,
		"not a map":          {0x80},
		"no members":         {0xa0},
		"indefinite length":  []byte("\xbf\x63fmt\x64none\x67attStmt\xa0\xff"),
		"deeper than 8":      nested,
		"a tag":              []byte("\xc1\xa0"),
		"duplicate keys":     []byte("\xa4\x63fmt\x64none\x63fmt\x64none\x67attStmt\xa0\x68authData\x40"),
		"attStmt missing":    []byte("\xa2\x63fmt\x64none\x68authData\x40"),
		"authData is a text": []byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x60"),
		"huge length":        []byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x5b\xff\xff\xff\xff\xff\xff\xff\xff"),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := tryRegister(t, object(o))
			wantCode(t, f, err, "invalidAttestationDataFormat")
		})
	}
	for name, flip := range map[string]byte{"no AT": cardeatest.AttestedData, "ED without extensions": cardeatest.ExtensionData} {
		t.Run(name, func(t *testing.T) {
			f, err := tryRegister(t, fault{device: func(a *cardeatest.Authenticator) { a.FlipFlags ^= flip }})
			wantCode(t, f, err, "invalidAttestationDataFormat")
		})
	}
	// Extensions of the authenticator that were not asked for pass (WA-10).
	if _, err := tryRegister(t, fault{device: func(a *cardeatest.Authenticator) { a.Extensions = []byte("\xa1\x61x\xf5") }}); err != nil {
		t.Error(err)
	}
	// Duplicate keys in the statement of a known format, and in the COSE key.
	f, err = tryRegister(t, fault{device: func(a *cardeatest.Authenticator) {
		a.EditKey = func(k []byte) []byte { return append([]byte{0xa6, 0x01, 0x02}, k[1:]...) }
	}})
	wantCode(t, f, err, "invalidAttestationDataFormat")
}

// WA-2, PK-108: expiry is judged by the argument, to the moment.
func TestExpiry(t *testing.T) {
	for name, tt := range map[string]struct {
		expires time.Time
		ok      bool
	}{
		"one nanosecond left": {now.Add(1), true},
		"this very moment":    {now, false},
		"past":                {now.Add(-time.Hour), false},
		"never set":           {time.Time{}, false},
		"other time zone":     {now.Add(1).In(time.FixedZone("", 3600)), true},
	} {
		set := fault{finish: func(x *attempt) { x.c.Expires = tt.expires }}
		for _, try := range []func(*testing.T, ...fault) (webauthn.Facts, error){tryRegister, trySignIn} {
			if f, err := try(t, set); tt.ok && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if !tt.ok {
				wantCode(t, f, err, "challengeExpired")
			}
		}
	}
}

// Every code says what to do next, and never what was received.
func TestEveryCodeHasAdvice(t *testing.T) {
	seen := map[string]string{}
	for _, f := range append(append([]fault{}, registrationFaults...), signInFaults...) {
		try := trySignIn
		for _, r := range registrationFaults {
			if r.name == f.name && r.code == f.code {
				try = tryRegister
			}
		}
		_, err := try(t, f)
		p, ok := errors.AsType[*problem.Error](err)
		if !ok {
			t.Fatalf("%s: %v", f.name, err)
		}
		if len(p.Detail) < 40 || strings.Count(p.Detail, ". ") == 0 {
			t.Errorf("%s: %q", f.code, p.Detail)
		}
		if before, ok := seen[p.Detail]; ok && before != f.code {
			t.Errorf("%s and %s say the same", before, f.code)
		}
		seen[p.Detail] = f.code
	}
	if len(seen) < 20 {
		t.Errorf("only %d codes seen", len(seen))
	}
}

// WC-62, WA-10: a browser may say in several ways that it has no outputs.
func TestNoOutputs(t *testing.T) {
	for _, none := range []string{"", "null", "{}", " {} ", "{ }"} {
		set := fault{finish: func(x *attempt) { x.resp.ExtensionResults = []byte(none) }}
		if f, err := tryRegister(t, set); err != nil || f.Discoverable != nil {
			t.Errorf("register %q: %v", none, err)
		}
		if _, err := trySignIn(t, set); err != nil {
			t.Errorf("sign in %q: %v", none, err)
		}
	}
	for _, bad := range []string{"[]", "1", `"x"`, "{"} {
		set := fault{finish: func(x *attempt) { x.resp.ExtensionResults = []byte(bad) }}
		f, err := tryRegister(t, set)
		wantCode(t, f, err, "responseMalformed")
		f, err = trySignIn(t, set)
		wantCode(t, f, err, "responseMalformed")
	}
	// A member of the right name and the wrong type: only the library minds.
	f, err := tryRegister(t, fault{finish: func(x *attempt) { x.resp.ExtensionResults = []byte(`{"credProps":1}`) }})
	wantCode(t, f, err, "responseMalformed")
	rk := fault{finish: func(x *attempt) { x.resp.ExtensionResults = []byte(`{"credProps":{"rk":false}}`) }}
	if f, err := tryRegister(t, rk); err != nil || f.Discoverable == nil || *f.Discoverable {
		t.Errorf("rk false: %v %v", f.Discoverable, err)
	}
}
