package webauthn_test

import (
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"
)

// WA-83 row 11 and PK-115: the origin is compared byte by byte, in both ceremonies.
func TestOriginsAreExact(t *testing.T) {
	for _, bad := range []string{
		"", "null", "https://id.example.com/", "https://id.example.com:443", "https://id.example.com:8443", "http://id.example.com",
		"https://ID.example.com", "HTTPS://id.example.com", "https://a.id.example.com", "https://example.com", "https://id.example.com.",
		"https://id.example.com@evil.example", "https://id.example.com.evil.example", "https://id-example.com", "https://іd.example.com",
		"https://id.example.com?x", "https://id.example.com#x", " https://id.example.com", "https://id.example.com\u0000",
	} {
		t.Run(bad, func(t *testing.T) {
			set := fault{client: func(m map[string]any) { m["origin"] = bad }}
			f, err := tryRegister(t, set)
			wantCode(t, f, err, "originMismatch")
			f, err = trySignIn(t, set)
			wantCode(t, f, err, "originMismatch")
			// The leniency is for provisioning alone (PK-115).
			lenient := fault{finish: func(x *attempt) { x.c.LenientOrigin = true }}
			f, err = tryRegister(t, set, lenient)
			wantCode(t, f, err, "originMismatch")
			f, err = trySignIn(t, set, lenient)
			wantCode(t, f, err, "originMismatch")
		})
	}
}

// PK-115: tools build the origin from rp.id, or end it with a slash.
func TestProvisioningIsLenient(t *testing.T) {
	rp := site
	rp.Origins = []string{"https://login.id.example.com:8443"}
	for from, want := range map[string]string{
		"https://login.id.example.com:8443":   "",
		"https://login.id.example.com:8443/":  "",
		"https://id.example.com":              "",
		"https://id.example.com/":             "",
		"https://id.example.com//":            "originMismatch",
		"https://id.example.com/x":            "originMismatch",
		"http://id.example.com":               "originMismatch",
		"https://evil.example/id.example.com": "originMismatch",
	} {
		c := registration()
		c.Purpose, c.LenientOrigin = webauthn.ProvisionPurpose, true
		a := cardeatest.NewAuthenticator(func(a *cardeatest.Authenticator) {
			a.EditClientData = func(m map[string]any) { m["origin"] = from; delete(m, "crossOrigin") } // WC-63
			a.ClientOutputs = map[string]any{"credProtect": 2, "prf": map[string]any{}}                // WA-10
		})
		f, err := webauthn.Register(rp, c, created(t, a, c), now)
		if want != "" {
			wantCode(t, f, err, want)
		} else if err != nil || f.Origin != from {
			t.Errorf("%s: %q %v", from, f.Origin, err)
		}
		c.LenientOrigin = false
		if _, err := webauthn.Register(rp, c, created(t, a, c), now); (err == nil) != (from == rp.Origins[0]) {
			t.Errorf("%s without leniency: %v", from, err)
		}
	}
}

// WA-26, PK-107: one provisioning challenge serves two different keys.
func TestWA26OneChallengeTwoKeys(t *testing.T) {
	c := registration()
	c.Purpose = webauthn.ProvisionPurpose
	ids := map[string]bool{}
	for range 2 {
		f, err := webauthn.Register(site, c, created(t, cardeatest.NewAuthenticator(), c), now)
		must(t, err)
		ids[string(f.CredentialID)] = true
	}
	if len(ids) != 2 {
		t.Errorf("%d keys", len(ids))
	}
}

// WA-83 row 11: frames of other sites, in both ceremonies.
func TestCrossOrigin(t *testing.T) {
	open := site
	open.CrossOrigin = true
	listed := open
	listed.TopOrigins = []string{"https://portal.example"}
	for _, tt := range []struct {
		name string
		rp   webauthn.RelyingParty
		top  any
		code string
	}{
		{"off", site, nil, "crossOriginNotAllowed"},
		{"off, top origin", site, "https://portal.example", "crossOriginNotAllowed"},
		{"on", open, nil, ""},
		{"on, top origin not listed", open, "https://portal.example", "topOriginMismatch"},
		{"on, own origin as top origin is not listed either", open, origin, "topOriginMismatch"},
		{"on, top origin listed", listed, "https://portal.example", ""},
		{"on, top origin with slash", listed, "https://portal.example/", "topOriginMismatch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := fault{
				client: func(m map[string]any) {
					m["crossOrigin"] = true
					if tt.top != nil {
						m["topOrigin"] = tt.top
					}
				},
				finish: func(x *attempt) { x.rp = tt.rp },
			}
			for _, try := range []func(*testing.T, ...fault) (webauthn.Facts, error){tryRegister, trySignIn} {
				f, err := try(t, set)
				if tt.code != "" {
					wantCode(t, f, err, tt.code)
				} else if err != nil || !f.CrossOrigin {
					t.Errorf("facts %+v, %v", f, err)
				}
			}
		})
	}
	// A top origin without crossOrigin contradicts itself.
	f, err := trySignIn(t, fault{client: func(m map[string]any) { m["topOrigin"] = "https://portal.example" }, finish: func(x *attempt) { x.rp = listed }})
	wantCode(t, f, err, "topOriginMismatch")
}

func TestRelyingPartyCheck(t *testing.T) {
	for _, tt := range []struct {
		id, origin string
		ok         bool
	}{
		{"id.example.com", "https://id.example.com", true},
		{"example.com", "https://id.example.com:8443", true},
		{"localhost", "http://localhost:8080", true},
		{"localhost", "https://localhost", true},
		{"id.example.com", "android:apk-key-hash:CwFrZ6Ln9S6dNf5MQ3vnJB7Q3LgvGeNE7zxHdOdVFpA", true},
		{"id.example.com", "https://example.com", false},
		{"id.example.com", "https://id.example.com/", false},
		{"id.example.com", "https://ID.example.com", false},
		{"id.example.com", "http://id.example.com", false},
		{"id.example.com", "https://notid.example.com", false},
		{"id.example.com", "ftp://id.example.com", false},
		{"127.0.0.1", "http://127.0.0.1", false},
		{"https://id.example.com", "https://id.example.com", false},
		{"", "https://id.example.com", false},
	} {
		err := webauthn.RelyingParty{ID: tt.id, Name: "x", Origins: []string{tt.origin}}.Check()
		if (err == nil) != tt.ok {
			t.Errorf("%q at %q: %v", tt.id, tt.origin, err)
		}
	}
	if (webauthn.RelyingParty{ID: "example.com", Name: "x"}).Check() == nil || (webauthn.RelyingParty{ID: "example.com", Origins: []string{origin}}).Check() == nil {
		t.Error("no origin, no name: accepted")
	}
}
