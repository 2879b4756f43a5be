package application

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// secret is what is known of a client secret. A plain hash does: a secret has
// 240 random bits, which nobody guesses.
type secret struct {
	hash    []byte
	expires time.Time
}

const (
	secretLife    = 2 * 365 * 24 * time.Hour // if the administrator names no end
	maxSecretLife = 10 * 365 * 24 * time.Hour
	maxPerKind    = 20 // secrets, and certificates, of one application
)

// AddSecret makes a new client secret and returns it with SecretText, which is
// never shown again. c gives DisplayName and EndDateTime; a zero end is two years.
func AddSecret(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, c PasswordCredential) (PasswordCredential, error) {
	a, err := Get(ctx, q, id)
	if err != nil {
		return c, err
	}
	if len(a.secrets) >= maxPerKind {
		return c, problem.New(problem.Invalid, "tooManyCredentials", "An application has at most %d secrets. Remove one that nobody uses.", maxPerKind)
	}
	if c.EndDateTime.IsZero() {
		c.EndDateTime = now.Add(secretLife)
	}
	if !c.EndDateTime.After(now) || c.EndDateTime.Sub(now) > maxSecretLife || len(c.DisplayName) > 120 {
		return c, problem.New(problem.Invalid, "invalidValue", "A secret ends in the future, within ten years, and its name has at most 120 characters.").On("endDateTime")
	}
	c.KeyID, c.SecretText = db.NewID(now), newSecret()
	c.Hint, c.StartDateTime, c.EndDateTime = c.SecretText[:3], db.Time(now.UnixMilli()), db.Time(c.EndDateTime.UnixMilli())
	if _, err := q.ExecContext(ctx, `INSERT INTO application_secrets (id, application_id, display_name, hint, hash, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, c.KeyID, a.ID, c.DisplayName, c.Hint, hashOf(c.SecretText), now.UnixMilli(), c.EndDateTime.UnixMilli()); err != nil {
		return c, err
	}
	return c, a.changed(ctx, q, by, now, "Add service principal credentials", "Update", audit.Change("passwordCredentials", nil, c.KeyID+" "+c.DisplayName))
}

// AddCertificate registers a certificate, in DER, that signs client assertions.
func AddCertificate(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, c KeyCredential) (KeyCredential, error) {
	a, err := Get(ctx, q, id)
	if err != nil {
		return c, err
	}
	if len(a.certs) >= maxPerKind {
		return c, problem.New(problem.Invalid, "tooManyCredentials", "An application has at most %d certificates. Remove one that nobody uses.", maxPerKind)
	}
	cert, err := x509.ParseCertificate(c.Key)
	if err != nil || len(c.Key) > 16<<10 || len(c.DisplayName) > 120 {
		return c, problem.New(problem.Invalid, "invalidValue", "This is not an X.509 certificate. Give the public part, as base64 of DER.").On("key").Because(err)
	}
	if now.After(cert.NotAfter) {
		return c, problem.New(problem.Invalid, "certificateExpired", "The certificate ended on %s. Make a new one.", cert.NotAfter.UTC().Format(time.DateOnly)).On("key")
	}
	c = describe(db.NewID(now), c.DisplayName, cert)
	if _, err := q.ExecContext(ctx, `INSERT INTO application_certificates (id, application_id, display_name, certificate, created_at)
		VALUES ($1, $2, $3, $4, $5)`, c.KeyID, a.ID, c.DisplayName, cert.Raw, now.UnixMilli()); err != nil {
		return c, err
	}
	return c, a.changed(ctx, q, by, now, "Add service principal credentials", "Update", audit.Change("keyCredentials", nil, c.CustomKeyIdentifier+" "+c.DisplayName))
}

// RemoveCredential deletes a secret or a certificate by its key id.
func RemoveCredential(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id, keyID string) error {
	a, err := Get(ctx, q, id)
	if err != nil {
		return err
	}
	var n int64
	for _, text := range []string{`DELETE FROM application_secrets WHERE application_id = $1 AND id = $2`, `DELETE FROM application_certificates WHERE application_id = $1 AND id = $2`} {
		res, err := q.ExecContext(ctx, text, a.ID, keyID)
		if err != nil {
			return err
		}
		one, err := res.RowsAffected()
		if err != nil {
			return err
		}
		n += one
	}
	if n == 0 {
		return db.Err("The credential "+keyID, sql.ErrNoRows)
	}
	return a.changed(ctx, q, by, now, "Remove service principal credentials", "Update", audit.Change("credentials", keyID, nil))
}

// CheckSecret reports whether given is a secret of the application that is
// valid at now. It says clientSecretExpired only to who holds the secret.
func (a *Application) CheckSecret(given string, now time.Time) error {
	hash := hashOf(given)
	var found *secret
	for i := range a.secrets { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(a.secrets[i].hash, hash) == 1 {
			found = &a.secrets[i]
		}
	}
	switch {
	case found == nil:
		return problem.New(problem.Unauthenticated, "clientSecretInvalid", "The client secret is wrong. Use the secret's value, not its id, and look for cut-off characters.")
	case !now.Before(found.expires):
		return problem.New(problem.Unauthenticated, "clientSecretExpired", "The client secret ended on %s. Make a new one for this application.", found.expires.Format(time.DateOnly))
	}
	return nil
}

// Certificates returns the certificates that may sign client assertions.
func (a *Application) Certificates() []*x509.Certificate { return a.certs }

func (a *Application) credentials(ctx context.Context, q db.Querier) error {
	one := []Application{*a}
	err := attach(ctx, q, one)
	*a = one[0]
	return err
}

// attach reads the credentials of apps: of one, or of all there are.
func attach(ctx context.Context, q db.Querier, apps []Application) error {
	where, args := "", []any{}
	if len(apps) == 1 {
		where, args = ` WHERE application_id = $1`, []any{apps[0].ID}
	}
	byID := map[string]*Application{}
	for i := range apps {
		byID[apps[i].ID] = &apps[i]
	}
	rows, err := q.QueryContext(ctx, `SELECT id, application_id, display_name, hint, hash, created_at, expires_at FROM application_secrets`+where+` ORDER BY created_at, id`, args...)
	if _, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var c PasswordCredential
		var app string
		var hash []byte
		var created, expires int64
		if err := r.Scan(&c.KeyID, &app, &c.DisplayName, &c.Hint, &hash, &created, &expires); err != nil {
			return err
		}
		c.StartDateTime, c.EndDateTime = db.Time(created), db.Time(expires)
		if a := byID[app]; a != nil {
			a.PasswordCredentials = append(a.PasswordCredentials, c)
			a.secrets = append(a.secrets, secret{hash, c.EndDateTime})
		}
		return nil
	}); err != nil {
		return err
	}
	rows, err = q.QueryContext(ctx, `SELECT id, application_id, display_name, certificate FROM application_certificates`+where+` ORDER BY created_at, id`, args...)
	_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
		var id, app, name string
		var der []byte
		if err := r.Scan(&id, &app, &name, &der); err != nil {
			return err
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if a := byID[app]; a != nil {
			a.KeyCredentials = append(a.KeyCredentials, describe(id, name, cert))
			a.certs = append(a.certs, cert)
		}
		return nil
	})
	return err
}

func describe(id, name string, cert *x509.Certificate) KeyCredential {
	sum := sha1.Sum(cert.Raw)
	return KeyCredential{KeyID: id, DisplayName: name, Type: "AsymmetricX509Cert", Usage: "Verify",
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString(sum[:]), StartDateTime: cert.NotBefore.UTC(), EndDateTime: cert.NotAfter.UTC()}
}

// newSecret returns 40 characters of 240 random bits. The first is a letter or
// a digit: a leading "-" would be read as an option by command lines.
func newSecret() string {
	for {
		var b [30]byte
		rand.Read(b[:])
		if s := base64.RawURLEncoding.EncodeToString(b[:]); s[0] != '-' && s[0] != '_' {
			return s
		}
	}
}

func hashOf(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }
