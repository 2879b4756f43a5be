package application

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// secret is what is known of a client secret. A plain hash does: a secret has
// 240 random bits, which nobody guesses.
type secret struct {
	hash            []byte
	starts, expires time.Time
}

// certificate is a registered certificate and when it may be used: within its
// own dates, and within those that it was registered with.
type certificate struct {
	cert            *x509.Certificate
	starts, expires time.Time // zero: no narrower than the certificate
}

const (
	secretLife    = 2 * 365 * 24 * time.Hour // if the administrator names no end
	maxSecretLife = 10 * 365 * 24 * time.Hour
	maxPerKind    = 20 // secrets, and certificates, of one application
)

// AddSecret makes a new client secret and returns it with SecretText, which is
// never shown again. c gives DisplayName, StartDateTime and EndDateTime; a
// zero end is two years.
func AddSecret(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, c PasswordCredential) (PasswordCredential, error) {
	a, err := Get(ctx, q, id)
	if err != nil {
		return c, err
	}
	return a.addSecret(ctx, q, by, now, c)
}

func (a *Application) addSecret(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, c PasswordCredential) (PasswordCredential, error) {
	if len(a.secrets) >= maxPerKind {
		return c, problem.New(problem.Invalid, "tooManyCredentials", "An application has at most %d secrets. Remove one that nobody uses.", maxPerKind)
	}
	if c.StartDateTime.IsZero() {
		c.StartDateTime = now
	}
	if c.EndDateTime.IsZero() {
		c.EndDateTime = now.Add(secretLife)
	}
	if !c.EndDateTime.After(now) || !c.EndDateTime.After(c.StartDateTime) || c.EndDateTime.Sub(now) > maxSecretLife || len(c.DisplayName) > 120 {
		return c, refuse("endDateTime", "A secret ends in the future, after its start and within ten years, and its name has at most 120 characters.")
	}
	c.KeyID, c.SecretText = db.NewID(now), newSecret()
	c.Hint, c.StartDateTime, c.EndDateTime = c.SecretText[:3], db.Time(c.StartDateTime.UnixMilli()), db.Time(c.EndDateTime.UnixMilli())
	if _, err := q.ExecContext(ctx, `INSERT INTO application_secrets (id, application_id, display_name, hint, hash, created_at, starts_at, expires_at, of_principal)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, c.KeyID, a.ID, c.DisplayName, c.Hint, hashOf(c.SecretText), now.UnixMilli(),
		c.StartDateTime.UnixMilli(), c.EndDateTime.UnixMilli(), c.ofPrincipal); err != nil {
		return c, err
	}
	a.secrets = append(a.secrets, secret{hashOf(c.SecretText), c.StartDateTime, c.EndDateTime})
	return c, a.rekeyed(ctx, q, by, now, "Add service principal credentials", audit.Change("passwordCredentials", nil, c.KeyID+" "+c.DisplayName))
}

// RemoveCredential deletes a secret or a certificate by its key id.
func RemoveCredential(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id, keyID string) error {
	a, err := Get(ctx, q, id)
	if err != nil {
		return err
	}
	return a.removeCredentials(ctx, q, by, now, []string{keyID})
}

// removeCredentials deletes all that keyIDs name; each must exist.
func (a *Application) removeCredentials(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, keyIDs []string) error {
	for _, keyID := range keyIDs {
		keyID = strings.ToLower(keyID)
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
		if err := a.rekeyed(ctx, q, by, now, "Remove service principal credentials", audit.Change("credentials", keyID, nil)); err != nil {
			return err
		}
	}
	return nil
}

// rekeyed records a change of credentials, which is a new version of the
// application, or of the service principal that lists them.
func (a *Application) rekeyed(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, activity string, m audit.Modified) error {
	for _, text := range []string{`UPDATE applications SET version = version + 1 WHERE id = $1`, `UPDATE service_principals SET version = version + 1 WHERE app_id = (SELECT app_id FROM applications WHERE id = $1)`} {
		if _, err := q.ExecContext(ctx, text, a.ID); err != nil {
			return err
		}
	}
	return a.changed(ctx, q, by, now, activity, "Update", m)
}

// keepSecrets makes want, a list that somebody sent, the list of secrets:
// those that it leaves out are removed. It cannot make new ones, because
// nobody would see their text.
func (a *Application) keepSecrets(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, have, want []PasswordCredential) error {
	var gone []string
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h PasswordCredential) bool { return strings.EqualFold(h.KeyID, w.KeyID) }) {
			return refuse("passwordCredentials", "A list of secrets can only leave some out. Make a new one with addPassword, whose answer shows it.")
		}
	}
	for _, h := range have {
		if !slices.ContainsFunc(want, func(w PasswordCredential) bool { return strings.EqualFold(h.KeyID, w.KeyID) }) {
			gone = append(gone, h.KeyID)
		}
	}
	return a.removeCredentials(ctx, q, by, now, gone)
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
	case now.Before(found.starts):
		return problem.New(problem.Unauthenticated, "clientSecretInvalid", "The client secret begins on %s. Use another until then.", found.starts.Format(time.DateOnly))
	case !now.Before(found.expires):
		return problem.New(problem.Unauthenticated, "clientSecretExpired", "The client secret ended on %s. Make a new one for this application.", found.expires.Format(time.DateOnly))
	}
	return nil
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
