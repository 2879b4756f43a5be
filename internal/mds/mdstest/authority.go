// Package mdstest makes FIDO metadata for tests: an own certification
// authority, a signer for mds.fidoalliance.org, entries, signed BLOBs,
// revocation lists and a handler that serves them. No real metadata may be part
// of this repository (WA-64), so whoever needs some makes it here.
//
// Nothing of it is trusted by a real deployment: roots are made anew each time.
package mdstest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"time"
)

// Config says what Authority New makes. Only Now is needed.
type Config struct {
	Now       time.Time     // everything is valid from a day before it
	Host      string        // of the signer's certificate; "": mds.fidoalliance.org
	Algorithm string        // "ES256" (default) or "RS256"
	LeafLife  time.Duration // of the signer's certificate after Now; 0: a year
	CRLBase   string        // where Handler will be reached, "http://127.0.0.1:4711"; "": certificates name no lists
}

// Authority signs metadata: a root, one intermediate, one leaf.
type Authority struct {
	Root, Intermediate, Leaf *x509.Certificate

	rootKey, interKey *ecdsa.PrivateKey
	leafKey           crypto.Signer
	alg               string
	now               time.Time
}

// New makes an authority with fresh keys.
func New(c Config) (*Authority, error) {
	if c.Host == "" {
		c.Host = "mds.fidoalliance.org"
	}
	if c.LeafLife == 0 {
		c.LeafLife = 365 * 24 * time.Hour
	}
	a := &Authority{alg: "ES256", now: c.Now}
	var err error
	if a.Root, a.rootKey, err = NewRoot("Cardea test metadata root", c.Now); err != nil {
		return nil, err
	}
	if a.interKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	inter := template("Cardea test metadata CA", c.Now, 5*365*24*time.Hour)
	inter.IsCA, inter.BasicConstraintsValid = true, true
	inter.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	inter.CRLDistributionPoints = under(c.CRLBase, "/intermediate.crl")
	if a.Intermediate, err = issue(inter, a.Root, a.interKey.Public(), a.rootKey); err != nil {
		return nil, err
	}
	if c.Algorithm == "RS256" {
		a.alg = "RS256"
		a.leafKey, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		a.leafKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	leaf := template(c.Host, c.Now, c.LeafLife)
	leaf.DNSNames = []string{c.Host}
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.CRLDistributionPoints = under(c.CRLBase, "/leaf.crl")
	a.Leaf, err = issue(leaf, a.Intermediate, a.leafKey.Public(), a.interKey)
	return a, err
}

// NewRoot makes a self-signed certification authority, for metadata or for the
// attestations of a model.
func NewRoot(name string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := template(name, now, 20*365*24*time.Hour)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	cert, err := issue(t, t, key.Public(), key)
	return cert, key, err
}

// Roots is what a Fetcher must be given to believe this authority.
func (a *Authority) Roots() []*x509.Certificate { return []*x509.Certificate{a.Root} }

// CrossSign gives other's root, signed by this authority's root: a certificate
// that a chain may hold without needing it.
func (a *Authority) CrossSign(other *Authority) (*x509.Certificate, error) {
	t := template("", a.now, 10*365*24*time.Hour)
	t.Subject = other.Root.Subject
	t.SubjectKeyId = other.Root.SubjectKeyId
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return issue(t, a.Root, other.Root.PublicKey, a.rootKey)
}

// SignBLOB makes a BLOB with number no, due again a month after the
// authority's Now.
func (a *Authority) SignBLOB(no int64, entries ...Entry) ([]byte, error) {
	payload, err := Payload(no, a.now.AddDate(0, 1, 0), entries...)
	if err != nil {
		return nil, err
	}
	return a.Sign(nil, payload)
}

// Payload makes the signed part of a BLOB.
func Payload(no int64, nextUpdate time.Time, entries ...Entry) ([]byte, error) {
	if entries == nil {
		entries = []Entry{}
	}
	return json.Marshal(map[string]any{
		"legalHeader": "Made by a test. Not FIDO metadata.",
		"no":          no,
		"nextUpdate":  nextUpdate.UTC().Format(time.DateOnly),
		"entries":     entries,
	})
}

// Sign makes a compact JWS of any payload. header replaces or adds members; a
// nil value removes one.
func (a *Authority) Sign(header map[string]any, payload []byte) ([]byte, error) {
	h := map[string]any{"typ": "JWT", "alg": a.alg, "x5c": X5C(a.Leaf, a.Intermediate)}
	maps.Copy(h, header)
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding
	signed := b64.EncodeToString(text) + "." + b64.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	var sig []byte
	switch key := a.leafKey.(type) {
	case *rsa.PrivateKey:
		if sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
			return nil, err
		}
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		sig = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	default:
		return nil, fmt.Errorf("no way to sign with a %T", key)
	}
	return []byte(signed + "." + b64.EncodeToString(sig)), nil
}

// X5C writes certificates as the header member of this name wants them.
func X5C(certs ...*x509.Certificate) []string {
	out := make([]string, len(certs))
	for i, c := range certs {
		out[i] = base64.StdEncoding.EncodeToString(c.Raw)
	}
	return out
}

// LeafCRL is the intermediate's revocation list with these certificates on it.
// It is valid for a week around at.
func (a *Authority) LeafCRL(at time.Time, revoked ...*x509.Certificate) ([]byte, error) {
	return list(a.Intermediate, a.interKey, at, revoked)
}

// IntermediateCRL is the root's revocation list.
func (a *Authority) IntermediateCRL(at time.Time, revoked ...*x509.Certificate) ([]byte, error) {
	return list(a.Root, a.rootKey, at, revoked)
}

func list(issuer *x509.Certificate, key crypto.Signer, at time.Time, revoked []*x509.Certificate) ([]byte, error) {
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: at.Add(-time.Hour), NextUpdate: at.Add(7 * 24 * time.Hour)}
	for _, c := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: at.Add(-2 * time.Hour)})
	}
	return x509.CreateRevocationList(rand.Reader, l, issuer, key)
}

// Handler serves what blob returns at "/", with an ETag, and both revocation
// lists with the certificates that revoked returns on them (nil: none). Both
// functions are called for every request.
func (a *Authority) Handler(blob func() []byte, revoked func() []*x509.Certificate) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		body := blob()
		tag := fmt.Sprintf("\"%x\"", sha256.Sum256(body))
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	serve := func(make func(time.Time, ...*x509.Certificate) ([]byte, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			var gone []*x509.Certificate
			if revoked != nil {
				gone = revoked()
			}
			der, err := make(a.now, gone...)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/pkix-crl")
			_, _ = io.Copy(w, bytes.NewReader(der)) // the client may be gone
		}
	}
	mux.HandleFunc("GET /leaf.crl", serve(a.LeafCRL))
	mux.HandleFunc("GET /intermediate.crl", serve(a.IntermediateCRL))
	return mux
}

func under(base, path string) []string {
	if base == "" {
		return nil
	}
	return []string{base + path}
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"Cardea test"}, CommonName: name},
		NotBefore: now.Add(-24 * time.Hour),
		NotAfter:  now.Add(life),
	}
}

func issue(t, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial.Add(serial, big.NewInt(1))
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
