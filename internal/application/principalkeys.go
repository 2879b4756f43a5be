package application

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
)

// AddPrincipalSecret is AddSecret for a secret that a service principal lists.
func (k Catalogue) AddPrincipalSecret(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, c PasswordCredential) (PasswordCredential, error) {
	p, err := k.GetPrincipal(ctx, q, id)
	if err != nil {
		return c, err
	}
	a, err := p.Application(ctx, q)
	if err != nil {
		return c, err
	}
	c.ofPrincipal = true
	if c, err = a.addSecret(ctx, q, by, now, c); err != nil {
		return c, err
	}
	return c, explicitly(ctx, q, p.ID)
}

// AddPrincipalCertificate is AddCertificate for one that a service principal lists.
func (k Catalogue) AddPrincipalCertificate(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id string, c KeyCredential) (KeyCredential, error) {
	p, err := k.GetPrincipal(ctx, q, id)
	if err != nil {
		return c, err
	}
	a, err := p.Application(ctx, q)
	if err != nil {
		return c, err
	}
	c.ofPrincipal = true
	if c, err = a.addCertificate(ctx, q, by, now, c); err != nil {
		return c, err
	}
	return c, explicitly(ctx, q, p.ID)
}

// RemovePrincipalCredential deletes a secret or a certificate that a service
// principal lists.
func (k Catalogue) RemovePrincipalCredential(ctx context.Context, q db.Querier, by audit.Actor, now time.Time, id, keyID string) error {
	p, err := k.GetPrincipal(ctx, q, id)
	if err != nil {
		return err
	}
	listed := slices.ContainsFunc(p.PasswordCredentials, func(c PasswordCredential) bool { return strings.EqualFold(c.KeyID, keyID) }) ||
		slices.ContainsFunc(p.KeyCredentials, func(c KeyCredential) bool { return strings.EqualFold(c.KeyID, keyID) })
	if !listed {
		return db.Err("The credential "+clip(keyID), sql.ErrNoRows)
	}
	a, err := p.Application(ctx, q)
	if err != nil {
		return err
	}
	return a.removeCredentials(ctx, q, by, now, []string{keyID})
}
