package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// robot is an application that signs in as itself: with a secret from the
// environment, or with the private key of a certificate.
type robot struct {
	id, secret string
	cert       string // PEM file with the certificate and its private key
}

// robotOfEnvironment is the robot that the environment names, if any.
func robotOfEnvironment() (robot, bool) {
	r := robot{os.Getenv("CARDEA_CLIENT_ID"), os.Getenv("CARDEA_CLIENT_SECRET"), os.Getenv("CARDEA_CLIENT_CERT")}
	return r, r.id != "" && r.secret+r.cert != ""
}

// source gives tokens of server, and renews them. ctx holds the HTTP client.
func (r robot) source(ctx context.Context, server string) (oauth2.TokenSource, error) {
	cc := clientcredentials.Config{ClientID: r.id, ClientSecret: r.secret, TokenURL: endpoints(server).TokenURL,
		Scopes: []string{server + "/.default"}, AuthStyle: oauth2.AuthStyleInParams}
	if r.cert == "" {
		return cc.TokenSource(ctx), nil
	}
	if r.secret != "" {
		return nil, usage{errors.New("CARDEA_CLIENT_SECRET and CARDEA_CLIENT_CERT are both set; a robot has one of them")}
	}
	key, err := readCertificate(r.cert)
	if err != nil {
		return nil, err
	}
	return oauth2.ReuseTokenSource(nil, &certificateSource{ctx, cc, key}), nil
}

// certificateSource gets each token with an assertion of its own.
type certificateSource struct {
	ctx context.Context
	cc  clientcredentials.Config
	key certificateKey
}

func (s *certificateSource) Token() (*oauth2.Token, error) {
	assertion, err := s.key.assertion(s.cc.ClientID, s.cc.TokenURL, time.Now())
	if err != nil {
		return nil, err
	}
	cc := s.cc
	cc.EndpointParams = url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion}}
	return cc.Token(s.ctx)
}

// certificateKey is a certificate with its private key.
type certificateKey struct {
	der     []byte
	private crypto.Signer
}

// readCertificate reads a PEM file with a certificate and its private key, in
// any order. The file must be its owner's alone.
func readCertificate(path string) (k certificateKey, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return k, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return k, fmt.Errorf("%s holds a private key and can be read by others; run: chmod 600 %s", path, path)
	}
	rest, err := os.ReadFile(path)
	if err != nil {
		return k, err
	}
	for {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		switch {
		case b.Type == "CERTIFICATE" && k.der == nil: // the first is the application's, others are above it
			k.der = b.Bytes
		case b.Type == "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
			if err != nil {
				return k, fmt.Errorf("%s: %w", path, err)
			}
			k.private, _ = key.(crypto.Signer)
		case b.Type == "RSA PRIVATE KEY":
			if k.private, err = x509.ParsePKCS1PrivateKey(b.Bytes); err != nil {
				return k, fmt.Errorf("%s: %w", path, err)
			}
		case b.Type == "EC PRIVATE KEY":
			if k.private, err = x509.ParseECPrivateKey(b.Bytes); err != nil {
				return k, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if k.der == nil || k.private == nil {
		return k, fmt.Errorf("%s must hold a certificate and its private key, both as PEM", path)
	}
	c, err := x509.ParseCertificate(k.der)
	if err != nil {
		return k, fmt.Errorf("%s: %w", path, err)
	}
	if public, ok := k.private.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(c.PublicKey) {
		return k, fmt.Errorf("%s: the private key is not that of the certificate", path)
	}
	return k, nil
}

// assertion proves that the application holds the private key (RFC 7523 §3).
func (k certificateKey) assertion(clientID, audience string, now time.Time) (string, error) {
	var alg jose.SignatureAlgorithm
	switch key := k.private.(type) {
	case *rsa.PrivateKey:
		alg = jose.PS256
	case *ecdsa.PrivateKey:
		alg = map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}[key.Params().BitSize]
	}
	if alg == "" {
		return "", errors.New("the key of the certificate must be RSA, or EC on P-256, P-384 or P-521")
	}
	sum := sha256.Sum256(k.der)
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k.private}, options)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// loginRobot saves the sign-in of an application with a certificate. What is
// saved is the file's name: the key stays where it is.
func loginRobot(x *call, b *book, s saved) error {
	base, err := x.transport()
	if err != nil {
		return err
	}
	source, err := robot{id: s.ClientID, cert: s.Cert}.source(context.WithValue(x.ctx, oauth2.HTTPClient, &http.Client{Transport: base, Timeout: x.timeout}), s.Server)
	if err != nil {
		return err
	}
	t, err := source.Token()
	if err != nil {
		return err
	}
	s.Access, s.Expires = t.AccessToken, t.Expiry
	s.User = "application " + s.ClientID
	name, err := b.add(x.contextName, s)
	if err != nil {
		return err
	}
	x.say("Signed in to %s as the application %s; saved as %q.   Next: cardea whoami", s.Server, s.ClientID, name)
	return nil
}
