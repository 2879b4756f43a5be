package webauthn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/webauthn"
)

// What WA-86 measures against: one verification and nothing else.
func BenchmarkP256Verify(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b, err)
	sig, err := ecdsa.SignASN1(rand.Reader, key, challenge("x"))
	must(b, err)
	for b.Loop() {
		if !ecdsa.VerifyASN1(&key.PublicKey, challenge("x"), sig) {
			b.Fatal("not verified")
		}
	}
}

// The whole finish of a sign-in as the server does it: bytes of the body to Facts.
func BenchmarkSignIn(b *testing.B) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(b, a)
	c := assertion()
	body := gotBody(b, a, c)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := webauthn.ParseAssertion(body)
		must(b, err)
		_, err = webauthn.Peek(resp)
		must(b, err)
		_, err = webauthn.SignIn(site, c, rec, resp, now)
		must(b, err)
	}
}

// The same by the library, for the decision in doc.go.
func BenchmarkSignInLibrary(b *testing.B) {
	a := cardeatest.NewAuthenticator()
	_, rec := registered(b, a)
	c := assertion()
	body := gotBody(b, a, c)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := webauthn.ParseAssertion(body)
		must(b, err)
		must(b, librarySignIn(site, c, rec, resp))
	}
}

func BenchmarkParseAssertion(b *testing.B) {
	a := cardeatest.NewAuthenticator()
	registered(b, a)
	body := gotBody(b, a, assertion())
	b.ReportAllocs()
	for b.Loop() {
		_, err := webauthn.ParseAssertion(body)
		must(b, err)
	}
}

func BenchmarkRequestOptions(b *testing.B) {
	c := assertion()
	b.ReportAllocs()
	for b.Loop() {
		_, err := webauthn.RequestOptions(site, c, nil)
		must(b, err)
	}
}

func BenchmarkRegister(b *testing.B) {
	for name, self := range map[string]bool{"none": false, "self": true} {
		b.Run(name, func(b *testing.B) {
			a := cardeatest.NewAuthenticator()
			a.Attestation.Self = self
			c := registration()
			options, err := webauthn.CreationOptions(site, c, anna, nil)
			must(b, err)
			body, err := a.Create(options, origin)
			must(b, err)
			b.ReportAllocs()
			for b.Loop() {
				resp, err := webauthn.ParseRegistration(body)
				must(b, err)
				_, err = webauthn.Register(site, c, resp, now)
				must(b, err)
			}
		})
	}
}

// What the software authenticator costs as a load generator.
func BenchmarkAuthenticatorGet(b *testing.B) {
	a := cardeatest.NewAuthenticator()
	registered(b, a)
	options, err := webauthn.RequestOptions(site, assertion(), nil)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := a.Get(options, origin)
		must(b, err)
	}
}
