package webauthn_test

import (
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// WebAuthn spec §1.1: flaws that versions 0.16 to 0.18 of the library repaired.
// Each would be a way in if an update brought it back; Register asks the library
// too, so both are asked here where both have a say.

func TestExpiryIsEnforced_regression(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	c := assertion()
	resp := got(t, a, c)
	f, err := webauthn.SignIn(site, c, rec, resp, c.Expires.Add(time.Nanosecond))
	wantCode(t, f, err, "challengeExpired")
}

func TestMalformedInputDoesNotPanic_regression(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	good := got(t, a, assertion())
	for n := range 80 {
		resp := good
		resp.AuthenticatorData = make([]byte, n)
		for flags := range 256 {
			if n > 32 {
				resp.AuthenticatorData[32] = byte(flags)
			}
			if checkAgainstLibrary(t, assertion(), rec, resp) {
				t.Fatalf("%x accepted", resp.AuthenticatorData)
			}
			if n <= 32 {
				break
			}
		}
	}
	for _, resp := range []webauthn.Response{{}, {ClientDataJSON: []byte("null")}, {ClientDataJSON: []byte("{}"), AuthenticatorData: make([]byte, 37)}} {
		f, err := webauthn.SignIn(site, assertion(), webauthn.Record{}, resp, now)
		wantCode(t, f, err, "responseMalformed")
		if f, err := webauthn.Register(site, registration(), resp, now); err == nil || f.CredentialID != nil {
			t.Errorf("%+v registered", resp)
		}
	}
}

func TestCrossOriginIsNotIgnored_regression(t *testing.T) {
	set := fault{client: func(m map[string]any) { m["crossOrigin"] = true; m["topOrigin"] = origin }}
	f, err := trySignIn(t, set)
	wantCode(t, f, err, "crossOriginNotAllowed")
	f, err = tryRegister(t, set)
	wantCode(t, f, err, "crossOriginNotAllowed")
	if librarySignInWith(t, set) == nil {
		t.Error("the library ignores crossOrigin")
	}
}

// An empty challenge on both sides matches itself; a short one can be guessed.
func TestEmptyAndShortChallenge_regression(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	for _, n := range []int{0, 1, 15} {
		c := assertion()
		c.Challenge = make([]byte, n)
		text := protocol.URLEncodedBase64(c.Challenge).String()
		a.EditClientData = func(m map[string]any) { m["challenge"] = text }
		resp := got(t, a, assertion())
		f, err := webauthn.SignIn(site, c, rec, resp, now)
		wantCode(t, f, err, "challengeMismatch")
		if librarySignIn(site, c, rec, resp) == nil {
			t.Errorf("the library takes a challenge of %d bytes", n)
		}
		r := registration()
		r.Challenge = c.Challenge
		f, err = webauthn.Register(site, r, created(t, a, registration()), now)
		wantCode(t, f, err, "challengeMismatch")
	}
}

func TestTrailingCBOR_regression(t *testing.T) {
	for name, f := range map[string]func(a *cardeatest.Authenticator){
		"after the extensions": func(a *cardeatest.Authenticator) { a.Extensions = []byte{0xa0, 0xa0} },
		"after the key":        func(a *cardeatest.Authenticator) { a.EditKey = func(k []byte) []byte { return append(k, 0xa0) } },
	} {
		c := registration()
		a := cardeatest.NewAuthenticator(f)
		resp := created(t, a, c)
		facts, err := webauthn.Register(site, c, resp, now)
		wantCode(t, facts, err, "invalidAttestationDataFormat")
		if libraryRegister(site, c, []int64{-7}, resp) == nil {
			t.Errorf("the library takes bytes %s", name)
		}
	}
}

func TestCurveIsBoundToAlgorithm_regression(t *testing.T) {
	f, _ := registered(t, cardeatest.NewAuthenticator())
	key := append([]byte{}, f.PublicKey...)
	if _, err := webauthncose.ParsePublicKey(key); err != nil || key[5] != 0x20 || key[6] != 1 {
		t.Fatalf("not an ES256 key in canonical form: %x, %v", key, err)
	}
	key[6] = 2 // says P-384, beside an algorithm and a point of P-256
	if _, err := webauthncose.ParsePublicKey(key); err == nil {
		t.Error("the library takes a key that contradicts itself")
	}
	facts, err := tryRegister(t, fault{device: func(a *cardeatest.Authenticator) {
		a.EditKey = func(k []byte) []byte { k[6] = 2; return k }
	}})
	wantCode(t, facts, err, "publicKeyInvalid")
}

// WA-7: the reason for our own look at the key. If the library ever refuses
// these at registration, the rule may become simpler.
func TestWA7LibraryRegistersWhatItCannotVerify(t *testing.T) {
	a := cardeatest.NewAuthenticator()
	a.Algorithm = cardeatest.Ed448
	c := registration()
	c.Algorithms = []int64{-53}
	if err := libraryRegister(site, c, c.Algorithms, created(t, a, c)); err != nil {
		t.Errorf("the library has changed: %v", err)
	}
}

// WA-1: the library takes an assertion twice. So do we: single use is the
// business of the spent table, in the transaction of the caller (PK-105).
func TestWA1ReplayIsForTheCaller(t *testing.T) {
	a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
	_, rec := registered(t, a)
	resp := got(t, a, assertion())
	f, err := webauthn.SignIn(site, assertion(), rec, resp, now)
	must(t, err)
	rec.SignCount = f.SignCount
	f, err = webauthn.SignIn(site, assertion(), rec, resp, now)
	must(t, err)
	if !f.CounterWentBack {
		t.Error("the replay does not show in the counter")
	}
}

// WA-13: an expired packed leaf is refused by the library for its age alone. That
// is why an old statement is never verified again, only its chain (WA-43).
func TestWA13LibraryLooksAtTheClock(t *testing.T) {
	m := newMakers(t)
	a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
	a.Attestation = leaf(issue(t, m.maker, cardeatest.LeafRules{NotAfter: time.Now().Add(-time.Hour)}))
	c := registration()
	if libraryRegister(site, c, []int64{-7}, created(t, a, c)) == nil {
		t.Error("the library has changed: an expired leaf passes")
	}
}

// librarySignInWith gives the library's judgement of an assertion with a fault.
func librarySignInWith(t *testing.T, faults ...fault) error {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(t, a)
	apply(a, faults)
	c := assertion()
	x := attempt{rp: site, c: c, rec: rec, resp: got(t, a, c), now: now}
	finish(&x, faults)
	return librarySignIn(x.rp, x.c, x.rec, x.resp)
}
