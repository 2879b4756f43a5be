package server

import (
	"context"
	"sync"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/page"
)

// brand dresses the pages in the organisation's name, colour and logo, and
// does it again when the organisation changed on this node or another.
type brand struct {
	mu      sync.Mutex
	version int64
	dressed bool
	domain  string
}

func (b *brand) refresh(ctx context.Context, d *db.DB, pages *page.Renderer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := db.Version(ctx, d, directory.OrganizationVersion)
	if err != nil || (b.dressed && v == b.version) {
		return err
	}
	org, err := directory.GetOrganization(ctx, d)
	if err != nil {
		return err
	}
	look := page.Brand{Organisation: org.DisplayName, Colour: org.Color, HelpDesk: page.HelpDesk{Name: org.HelpText}}
	if len(org.Logo) > 0 {
		look.Logo = org.Logo
	}
	if err := pages.SetBrand(look); err != nil {
		return err
	}
	b.version, b.dressed, b.domain = v, true, org.Domain
	return nil
}

// Domain is the organisation's domain, as of the last refresh.
func (b *brand) Domain() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.domain
}
