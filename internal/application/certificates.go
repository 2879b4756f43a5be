package application

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/problem"
)

// AddCertificate registers a certificate that signs client assertions. c.Key
// is its public part, as DER or as the text of a PEM file.
func AddCertificate(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, c KeyCredential) (KeyCredential, error) {
	a, err := Get(ctx, q, id)
	if err != nil {
		return c, err
	}
	return a.addCertificate(ctx, q, by, now, c)
}

func (a *Application) addCertificate(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, c KeyCredential) (KeyCredential, error) {
	if len(a.certs) >= maxPerKind {
		return c, problem.New(problem.Invalid, "tooManyCredentials", "An application has at most %d certificates. Remove one that nobody uses.", maxPerKind)
	}
	if c.Type != "" && !strings.EqualFold(c.Type, "AsymmetricX509Cert") || c.Usage != "" && !strings.EqualFold(c.Usage, "Verify") {
		return c, refuse("usage", "Certificates here prove who an application is: type AsymmetricX509Cert, usage Verify.")
	}
	der := c.Key
	if block, _ := pem.Decode(bytes.TrimSpace(der)); block != nil && block.Type == "CERTIFICATE" {
		der = block.Bytes
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil || len(c.Key) > 16<<10 || len(c.DisplayName) > 120 || len(c.CustomKeyIdentifier) > 120 {
		return c, refuse("key", "This is not an X.509 certificate. Give the public part, as base64 of DER or of a PEM file.")
	}
	if now.After(cert.NotAfter) || !c.EndDateTime.IsZero() && now.After(c.EndDateTime) {
		return c, problem.New(problem.Invalid, "certificateExpired", "The certificate ended on %s. Make a new one.", cert.NotAfter.UTC().Format(time.DateOnly)).On("key")
	}
	id := strings.ToLower(c.KeyID)
	if id == "" || id == NoRole {
		id = db.NewID(now)
	}
	if !isGUID(id) {
		return c, refuse("keyId", "%q is not a key id. Leave it out, or send a GUID.", id)
	}
	out := describe(id, c.DisplayName, cert)
	var starts, ends int64 // as they were asked for, if they were
	if !c.StartDateTime.IsZero() {
		starts, out.StartDateTime = c.StartDateTime.UnixMilli(), db.Time(c.StartDateTime.UnixMilli())
	}
	if !c.EndDateTime.IsZero() {
		ends, out.EndDateTime = c.EndDateTime.UnixMilli(), db.Time(c.EndDateTime.UnixMilli())
	}
	if c.CustomKeyIdentifier != "" {
		out.CustomKeyIdentifier = c.CustomKeyIdentifier
	}
	out.ofPrincipal = c.ofPrincipal
	if _, err := q.ExecContext(ctx, `INSERT INTO application_certificates (id, application_id, display_name, certificate, created_at, starts_at, expires_at, custom_id, of_principal)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, id, a.ID, c.DisplayName, cert.Raw, now.UnixMilli(), starts, ends, c.CustomKeyIdentifier, c.ofPrincipal); err != nil {
		return c, db.Err("A credential with the key id "+id, err)
	}
	a.certs = append(a.certs, certificate{cert, out.StartDateTime, out.EndDateTime})
	return out, a.rekeyed(ctx, q, by, now, "Add service principal credentials", audit.Change("keyCredentials", nil, out.CustomKeyIdentifier+" "+c.DisplayName))
}

// keepCertificates makes want, a list that somebody sent, the list of
// certificates: an entry without a key stays as it is by its key id, one with
// a key is new, and what is left out is removed.
func (a *Application) keepCertificates(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, have, want []KeyCredential) error {
	var gone []string
	for _, h := range have {
		if !slices.ContainsFunc(want, func(w KeyCredential) bool { return strings.EqualFold(h.KeyID, w.KeyID) }) {
			gone = append(gone, h.KeyID)
		}
	}
	if err := a.removeCredentials(ctx, q, by, now, gone); err != nil {
		return err
	}
	a.certs = slices.Clone(a.certs[:max(0, len(a.certs)-len(gone))]) // only their number counts from here
	for _, w := range want {
		switch i := slices.IndexFunc(have, func(h KeyCredential) bool { return strings.EqualFold(h.KeyID, w.KeyID) }); {
		case i < 0 && w.Key == nil:
			return refuse("keyCredentials", "There is no certificate with the key id %q, and none was sent. Give key, or leave the entry out.", w.KeyID)
		case i < 0:
			if _, err := a.addCertificate(ctx, q, by, now, w); err != nil {
				return err
			}
		case w.DisplayName != have[i].DisplayName && w.DisplayName != "":
			if len(w.DisplayName) > 120 {
				return refuse("keyCredentials", "The name of a certificate has at most 120 characters.")
			}
			if _, err := q.ExecContext(ctx, `UPDATE application_certificates SET display_name = $1 WHERE id = $2 AND application_id = $3`, w.DisplayName, have[i].KeyID, a.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// Certificates returns the certificates that may sign client assertions at
// now. One that is outside its own dates is among them: who checks the
// signature says so to who holds the key.
func (a *Application) Certificates(now time.Time) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range a.certs {
		if !c.starts.IsZero() && now.Before(c.starts) && now.After(c.cert.NotBefore) || !c.expires.IsZero() && now.After(c.expires) && now.Before(c.cert.NotAfter) {
			continue
		}
		out = append(out, c.cert)
	}
	return out
}

// maxProof is how long a proof of possession may be valid.
const maxProof = 10 * time.Minute

// Proves reports whether proof, a JWT that a certificate of the application
// signed, lets its holder change the certificates of id: the object id of the
// application or of its service principal.
func (a *Application) Proves(proof, id string, now time.Time) error {
	wrong := func(format string, args ...any) error {
		return problem.New(problem.Invalid, "proofBroken", format, args...).On("proof")
	}
	p, err := jose.ParseAssertion(proof)
	if err != nil {
		return wrong("The proof is not a JWT signed with RS256, PS256 or ES256.")
	}
	if _, err := p.Verify(a.Certificates(now), now); err != nil {
		return wrong("The proof is not signed by a certificate of this application that is valid now. Send one that is, or change keyCredentials as an administrator.")
	}
	var c struct {
		Iss, Aud string
		Exp, Nbf float64
	}
	if err := json.Unmarshal(p.Claims, &c); err != nil {
		return wrong("The claims of the proof cannot be read.")
	}
	at := float64(now.Unix())
	switch {
	case !strings.EqualFold(c.Iss, id) && !strings.EqualFold(c.Iss, a.AppID):
		return wrong("The iss of the proof must be the id of the object that changes.")
	case c.Aud != "00000002-0000-0000-c000-000000000000" && c.Aud != GraphAppID:
		return wrong("The aud of the proof must be 00000002-0000-0000-c000-000000000000.")
	case c.Exp <= at-jose.Skew.Seconds() || c.Nbf > at+jose.Skew.Seconds() || c.Exp-at > maxProof.Seconds():
		return wrong("The proof is not valid now. It lives at most ten minutes; check the client's clock.")
	}
	return nil
}

func describe(id, name string, cert *x509.Certificate) KeyCredential {
	sum := sha1.Sum(cert.Raw)
	return KeyCredential{KeyID: id, DisplayName: name, Type: "AsymmetricX509Cert", Usage: "Verify",
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString(sum[:]), StartDateTime: cert.NotBefore.UTC(), EndDateTime: cert.NotAfter.UTC()}
}
